# Lesson 202: the same program with syscall and sysret instead of int and iretq.

#include "lab.inc"

_start:
        mov     ecx, MSR_EFER           # allow syscall: EFER.SCE
        rdmsr
        or      eax, 1
        wrmsr
        mov     ecx, MSR_STAR           # the segments that syscall and sysret load
        xor     eax, eax
        mov     edx, STAR_HIGH
        wrmsr
        mov     ecx, MSR_LSTAR          # where the kernel begins
        lea     rax, [rip + on_call]
        mov     rdx, rax
        shr     rdx, 32
        wrmsr
        mov     ecx, MSR_FMASK          # flags that syscall clears
        mov     eax, 0x700              # TF, IF, DF
        xor     edx, edx
        wrmsr
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
