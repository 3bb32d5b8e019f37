# Wrong: the new service is there, but the program still asks once a character.
# The monitor has made a GDT, an empty IDT and a TSS (see lab.inc) and starts us
# in ring 0, 64-bit mode.

#include "lab.inc"

_start:
        lab_gate 0x80, on_call, 3       # system calls; ring 3 may use this gate
        lab_enter_ring3 program, STACK3_TOP

# ---- the program, in ring 3 ------------------------------------------------
program:
        lea     rbx, [rip + line]
1:      movzx   edi, byte ptr [rbx]     # the next character
        test    edi, edi
        jz      2f
        mov     eax, 2
        mov     rdi, rbx
        mov     esi, 1
        int     0x80
        inc     rbx
        jmp     1b
2:      mov     eax, 0                  # service 0: end, with the code in EDI
        mov     edi, 0
        int     0x80

line:   .asciz  "Hello from ring 3\n"

# ---- the kernel, in ring 0: EAX says which service -------------------------
on_call:
        cmp     eax, 2
        je      print_bytes
        cmp     eax, 1
        je      print_char
        mov     eax, edi
        out     DEBUG_EXIT, al          # ends the machine

print_char:
        mov     dx, COM1
        mov     eax, edi
        out     dx, al
        iretq                           # back to ring 3

print_bytes:
        mov     dx, COM1
1:      mov     al, [rdi]
        out     dx, al
        inc     rdi
        dec     rsi
        jnz     1b
        iretq
