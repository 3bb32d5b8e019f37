# Wrong: the kernel prints the line before the program has asked for anything.

#include "lab.inc"

_start:
        lab_gate 0x80, on_call, 3
        lab_print line
        lab_enter_ring3 program, STACK3_TOP

program:
        mov     eax, 0
        mov     edi, 0
        int     0x80

line:   .asciz  "Hello from ring 3\n"

on_call:
        mov     eax, edi
        out     DEBUG_EXIT, al
