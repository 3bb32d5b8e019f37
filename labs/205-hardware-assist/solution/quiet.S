# Lesson 205, the task: a driver that knows that its device is a program.

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

put_line:                               # the text at ESI, in one exit
        mov     ebx, esi
        lab_hypercall_port HC_PRINT
        ret

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
