# reverse(text, length) for RISC-V: turns the text around in place.
# a0 is the address of the text, a1 its length; a0-a7 and t0-t6 may be used freely.

        .globl  reverse
reverse:
        add     a1, a0, a1              # just behind the last letter
1:      addi    a1, a1, -1
        bgeu    a0, a1, 2f              # the two have met: done
        lbu     t0, 0(a0)               # exchange the letters
        lbu     t1, 0(a1)
        sb      t1, 0(a0)
        sb      t0, 0(a1)
        addi    a0, a0, 1
        j       1b
2:      ret
