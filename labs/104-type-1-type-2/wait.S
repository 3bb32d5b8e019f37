# Lesson 104, the task: old programs waited by writing to port 0x80, which nobody uses. On the
# bus of a PC each write took about a microsecond.

#include "lab.inc"

_start:
        mov     esi, 1000               # wait a little
1:      out     0x80, al                # a microsecond, once
        dec     esi
        jnz     1b
        lab_print line
        lab_exit 0

line:   .asciz  "waited\n"
