# Lesson 406: a block in which every pass finds something to do.

        .globl  _start
_start:
        li      t0, 6                   # 6 * 7 can be computed while
        li      t1, 7                   #   the block is translated
        mul     t0, t0, t1
        mv      t1, t0                  # a copy ...
        add     t1, t1, t0              # ... of a number that is known
        ld      t2, 0(sp)               # the number of arguments: Linux puts it
        ld      t3, 0(sp)               #   on the stack. It is loaded twice
        add     t1, t1, t2
        add     t1, t1, t3
        slt     t2, t0, t1              # a comparison, and a branch
        bnez    t2, end                 #   on what came out
        li      t1, 0
end:
        addi    a0, t1, -86             # 0 when t1 is right
        li      a7, 93                  # system call 93: exit, with the status in a0
        ecall
