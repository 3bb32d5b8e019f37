# Lesson 203: a kernel that asks the processor six questions about itself. It knows the right
# answers, for it has just put them there. The exit code is the number of wrong ones.

#include "lab32.inc"

        # print the question, compare EAX with the right answer, print the verdict
        .macro  judge question, answer
        mov     esi, offset \question
        mov     ebx, \answer
        call    verdict
        .endm

_start:
        lab_load_task
        lab_gate 0x80, on_call, 3       # system calls; ring 3 may use this gate

        mov     eax, cs                 # 1: which ring is this?
        and     eax, 3
        judge   q_ring, 0

        cli                             # 2: interrupts are off now, aren't they?
        pushfd
        pop     eax
        and     eax, FLAG_IF
        judge   q_cli, 0

        sti                             # 3: on, and off again with POPF
        push    2
        popfd
        pushfd
        pop     eax
        and     eax, FLAG_IF
        judge   q_popf, 0

        sidt    [table]                 # 4: where is my interrupt table?
        mov     eax, [table + 2]
        judge   q_idt, IDT

        str     eax                     # 5: which task have I loaded?
        judge   q_task, SEL_TSS

        mov     eax, cr0                # 6: is protected mode on?
        and     eax, 1
        judge   q_mode, 1

        lab_enter_ring3 program, STACK3_TOP

# EAX: what the processor says; EBX: what is right; ESI: the question
verdict:
        call    lab_puts
        call    lab_put_hex
        mov     esi, offset right
        cmp     eax, ebx
        je      1f
        mov     esi, offset wrong
        inc     dword ptr [errors]
1:      call    lab_puts
        ret

# ---- a program in ring 3 ---------------------------------------------------
program:
        mov     eax, 1                  # service 1: print a line
        mov     esi, offset hello
        int     0x80
        mov     eax, 0                  # service 0: end
        int     0x80

on_call:
        test    eax, eax
        jz      1f
        call    lab_puts
        iretd
1:      lab_exit [errors]

        .data
errors: .long   0
table:  .space  8
q_ring: .asciz  "ring, from CS  "
q_cli:  .asciz  "IF after CLI   "
q_popf: .asciz  "IF after POPF  "
q_idt:  .asciz  "IDT, from SIDT "
q_task: .asciz  "task, from STR "
q_mode: .asciz  "PE, from CR0   "
right:  .asciz  "  right\n"
wrong:  .asciz  "  WRONG\n"
hello:  .asciz  "ring 3 says hello\n"
