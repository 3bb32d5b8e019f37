        .intel_syntax noprefix
        .code16
        .globl  _start
_start: # asks the serial port before each byte whether it is ready, as for a real one
        lea     si, [text]
1:      mov     dx, 0x3fd
2:      in      al, dx
        test    al, 0x20
        jz      2b
        mov     dx, 0x3f8
        cs lodsb
        test    al, al
        jz      3f
        out     dx, al
        jmp     1b
3:      mov     al, 42
        out     0xf4, al
text:   .asciz  "KVM\n"
