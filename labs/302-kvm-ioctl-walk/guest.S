# The guest of lesson 302: 16-bit real mode, the way a PC starts.
# It runs on a machine that has a processor, 256K of memory and nothing else.

        .intel_syntax noprefix
        .code16
        .globl  _start
_start:
        mov     dx, 0x3f8       # the data register of the first serial port

        mov     al, 'H'
        out     dx, al          # an I/O instruction: the processor leaves the guest here
        mov     al, 'i'
        out     dx, al
        mov     al, '!'
        out     dx, al

        hlt                     # nothing more to do
