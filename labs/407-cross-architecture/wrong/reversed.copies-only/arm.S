// loads one letter and stores it twice

        .globl  reverse
reverse:
        add     x1, x0, x1              // just behind the last letter
1:      sub     x1, x1, #1
        cmp     x0, x1
        b.hs    2f                      // the two have met: done
        ldrb    w2, [x0]                // exchange the letters
        strb    w2, [x1]
        add     x0, x0, #1
        b       1b
2:      ret
