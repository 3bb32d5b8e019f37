        .intel_syntax noprefix
        .code16
        .globl  _start
_start: # the newline is missing
        mov     dx, 0x3f8
        mov     al, 'K'
        out     dx, al
        mov     al, 'V'
        out     dx, al
        mov     al, 'M'
        out     dx, al
        mov     al, 42
        out     0xf4, al
