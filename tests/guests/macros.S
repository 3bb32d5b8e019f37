// Every word of lab.inc once. Ends with exit code 0x13: 0x10, 1 for int, 2 for syscall.

#include "lab.inc"

_start:
        lab_gate 0x80, on_int, 3
        lab_gate 13, on_gp
        lab_syscall_entry on_syscall
        lab_print hello
        lab_hypercall 1                 // "mark": answers with RBX
        mov     ebx, 0x10
        lab_enter_ring3 user, STACK3_TOP

user:   int     0x80
        syscall
        hlt                             // #GP

on_int: inc     ebx
        iretq

on_syscall:
        add     ebx, 2
        sysretq

on_gp:  test    byte ptr [rsp + 16], 3  // was it ring 3 that faulted?
        jz      1f
        lab_exit ebx
1:      lab_exit 1

hello:  .asciz  "hello\n"
