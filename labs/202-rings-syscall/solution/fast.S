# Lesson 202: the same program with syscall and sysret instead of int and iretq.

#include "lab.inc"

_start:
        lab_syscall_entry on_call       # EFER.SCE, STAR, LSTAR and FMASK: see lab.inc
        lab_enter_ring3 program, STACK3_TOP

# ---- the program, in ring 3 ------------------------------------------------
program:
        lea     rbx, [rip + line]
1:      movzx   edi, byte ptr [rbx]
        test    edi, edi
        jz      2f
        mov     eax, 1
        syscall                         # the way back goes to RCX, the flags to R11
        inc     rbx
        jmp     1b
2:      mov     eax, 0
        mov     edi, 0
        syscall

line:   .asciz  "Hello from ring 3\n"

# ---- the kernel, in ring 0, still on the program's stack -------------------
on_call:
        cmp     eax, 1
        je      print_char
        mov     eax, edi
        out     DEBUG_EXIT, al

print_char:
        mov     dx, COM1
        mov     eax, edi
        out     dx, al
        sysretq                         # back to ring 3: RIP from RCX, RFLAGS from R11
