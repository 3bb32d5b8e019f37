# Wrong: a hypercall for every byte is no better than a trap for every byte.

#include "lab32.inc"

_start:
        lab_load_task
        lab_gate 0x80, on_call, 3       # system calls; ring 3 may use this gate
        lab_enter_ring3 program, STACK3_TOP

# ---- the kernel's service --------------------------------------------------
on_call:                                # EAX 1: print ECX bytes at ESI; EAX 0: end
        test    eax, eax
        jz      2f
        mov     edi, ecx
        mov     ebx, esi
        mov     ecx, 1
1:      lab_hypercall HC_WRITE
        inc     ebx
        dec     edi
        jnz     1b
        iretd
2:      lab_exit 0

# ---- the program, in ring 3: leave it as it is ------------------------------
program:
        mov     eax, 1
        mov     esi, offset first
        mov     ecx, second - first
        int     0x80
        mov     eax, 1
        mov     esi, offset second
        mov     ecx, third - second
        int     0x80
        mov     eax, 1
        mov     esi, offset third
        mov     ecx, last - third
        int     0x80
        mov     eax, 0
        int     0x80

        .data
first:  .ascii  "a guest that does not know\n"
second: .ascii  "pays for every byte,\n"
third:  .ascii  "a guest that knows asks once\n"
last:
