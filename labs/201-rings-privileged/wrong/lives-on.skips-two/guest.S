# Wrong: skips two bytes, so the program goes on in the middle of an instruction.
# The monitor has made a GDT, an empty IDT and a TSS (see lab.inc) and starts us
# in ring 0, 64-bit mode.

#include "lab.inc"

_start:
        lab_gate 13, on_gp, 0           # exception 13: general protection
        lab_gate 0x80, on_call, 3       # system calls; ring 3 may use this gate
        lab_enter_ring3 program, STACK3_TOP

# ---- the program, in ring 3 ------------------------------------------------
program:
        hlt                             # not allowed here: raises #GP
        mov     eax, 1                  # service 1: print a line
        lea     rdi, [rip + alive]
        int     0x80
        mov     eax, 0                  # service 0: end, with the code in EDI
        mov     edi, 0
        int     0x80

# ---- the kernel, in ring 0 -------------------------------------------------
on_gp:
        # [rsp] error code, [rsp+8] RIP, [rsp+16] CS, [rsp+24] RFLAGS, [rsp+32] RSP, [rsp+40] SS
        lab_print caught
        add     qword ptr [rsp + 8], 2
        add     rsp, 8                  # drop the error code
        iretq                           # back to ring 3

on_call:
        test    eax, eax
        jz      1f
        mov     rsi, rdi
        call    lab_puts                # the line at RSI, to the serial port
        iretq
1:      mov     eax, edi
        out     DEBUG_EXIT, al          # ends the machine

caught: .asciz  "ring 0: caught a general protection fault\n"
alive:  .asciz  "ring 3 lives on\n"
