# the rare case has moved away, the branch is still there

        .globl  _start
_start:
        la      s0, numbers             # where the next number is
        la      s1, numbers_end
        li      a0, 0                   # the sum
loop:
        ld      t0, 0(s0)
        bltz    t0, negative
positive:
        add     a0, a0, t0
        addi    s0, s0, 8
        bne     s0, s1, loop
done:
        addi    a0, a0, -100            # 0 when the sum is 100
        li      a7, 93                  # system call 93: exit, with the status in a0
        ecall
negative:
        neg     t0, t0
        j       positive

        .data
numbers:
        .dword  5, -3, 12, -20, 7, -1, 30, -22
numbers_end:
