# Lesson 203, the task: is this kernel really in ring 0?

#include "lab32.inc"

_start:
        lab_load_task
        call    detect
        out     DEBUG_EXIT, eax         # 0: alone; 1: somebody else has ring 0

# The ring stands in the two low bits of CS, and nobody traps who reads it.
detect:
        mov     eax, cs
        and     eax, 3
        ret
