# no branch at all, and no loop: the code is there eight times

        .globl  _start
_start:
        la      s0, numbers
        li      a0, 0
loop:
        .rept   8
        ld      t0, 0(s0)
        srai    t1, t0, 63
        xor     t0, t0, t1
        sub     t0, t0, t1
        add     a0, a0, t0
        addi    s0, s0, 8
        .endr
done:
        addi    a0, a0, -100            # 0 when the sum is 100
        li      a7, 93                  # system call 93: exit, with the status in a0
        ecall

        .data
numbers:
        .dword  5, -3, 12, -20, 7, -1, 30, -22
