# Wrong: NOP does not leave the guest at all.

#include "lab.inc"

_start:
        mov     esi, 1000               # wait a little
1:      nop
        dec     esi
        jnz     1b
        lab_print line
        lab_exit 0

line:   .asciz  "waited\n"
