        .intel_syntax noprefix
        .code16
        .globl  _start
_start: # writes the text, then halts
        mov     dx, 0x3f8
        mov     al, 'K'
        out     dx, al
        mov     al, 'V'
        out     dx, al
        mov     al, 'M'
        out     dx, al
        mov     al, 10
        out     dx, al
        hlt
