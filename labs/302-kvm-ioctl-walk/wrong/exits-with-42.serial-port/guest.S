        .intel_syntax noprefix
        .code16
        .globl  _start
_start: # 42 goes to the serial port, where it is just a star
        mov     dx, 0x3f8
        mov     al, 'K'
        out     dx, al
        mov     al, 'V'
        out     dx, al
        mov     al, 'M'
        out     dx, al
        mov     al, 10
        out     dx, al
        mov     al, 42
        out     dx, al
        hlt
