// reverse(text, length) for AArch64: turns the text around in place.

        .globl  reverse
reverse:
        add     x1, x0, x1              // just behind the last letter
1:      sub     x1, x1, #1
        cmp     x0, x1
        b.hs    2f                      // the two have met: done
        ldrb    w2, [x0]                // exchange the letters
        ldrb    w3, [x1]
        strb    w3, [x0]
        strb    w2, [x1]
        add     x0, x0, #1
        b       1b
2:      ret
