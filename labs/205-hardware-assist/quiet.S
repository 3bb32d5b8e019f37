# Lesson 205, the task: a kernel in a real ring 0 of its own. Each OUT is still an exit.

#include "lab32.inc"

_start:
        lab_load_task
        lab_gate 0x80, on_call, 3       # system calls; ring 3 may use this gate
        lab_enter_ring3 program, STACK3_TOP

# ---- the kernel's services --------------------------------------------------
on_call:
        cmp     eax, 1
        je      print
        jb      end
        pushfd                          # service 2: count, with interrupts off
        cli
        inc     dword ptr [count]
        popfd
        iretd
print:  call    put_line
        iretd
end:    lab_exit [count]

put_line:                               # the text at ESI
        mov     edx, COM1
1:      mov     al, [esi]
        test    al, al
        jz      2f
        out     dx, al
        inc     esi
        jmp     1b
2:      ret

# ---- the program, in ring 3: a hundred system calls, then a line, then the end ----
program:
        mov     edi, 100
1:      mov     eax, 2                  # service 2: count
        int     0x80
        dec     edi
        jnz     1b
        mov     eax, 1                  # service 1: print a line
        mov     esi, offset line
        int     0x80
        mov     eax, 0                  # service 0: end
        int     0x80

        .data
count:  .long   0
line:   .asciz  "100 calls\n"
