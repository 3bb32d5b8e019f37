# Lesson 104: a guest that uses what it shares with the machine: 200 times the processor's CPUID,
# six times the serial port, and once the port that ends the run.

#include "lab.inc"

_start:
        mov     esi, 200
1:      xor     eax, eax                # CPUID, leaf 0: who made this processor?
        cpuid
        dec     esi
        jnz     1b
        lab_print line
        lab_exit 0

line:   .asciz  "hello\n"
