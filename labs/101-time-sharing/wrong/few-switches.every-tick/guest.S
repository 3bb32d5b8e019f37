# Wrong: a switch at every tick.
# Lesson 101: one processor, three jobs, and a timer that interrupts a hundred times a second.
# A kernel of a hundred lines lets them take turns.

#define QUANTUM 1                       /* ticks that a job may keep the processor; a tick is 10 ms */

#include "lab.inc"
#include "timer.inc"

#define JOBS 3
#define STARTS 0x100                    /* marks in the stream of events: 0x100 + job gets the processor, */
#define ENDS 0x200                      /* 0x200 + job is done; RCX: at which tick */

_start:
        lab_gate TIMER_VECTOR, on_tick, 0
        lab_timer 100
        xor     ecx, ecx                # a first frame for each job, as an interrupt leaves it
1:      mov     rdi, [stack0 + rcx * 8]
        mov     qword ptr [rdi - 8], SEL_DATA3
        mov     rax, [stack3 + rcx * 8]
        mov     [rdi - 16], rax
        mov     qword ptr [rdi - 24], 0x202
        mov     qword ptr [rdi - 32], SEL_CODE3
        mov     qword ptr [rdi - 40], offset job
        sub     rdi, 40 + 4 * 8         # and four registers: RAX, RBX, RCX, RDX
        mov     [saved + rcx * 8], rdi
        inc     ecx
        cmp     ecx, JOBS
        jb      1b
        xor     ecx, ecx                # job 0 begins
        jmp     switch_to

# ---- a job, in ring 3: it works as long as it is let -------------------------
job:    inc     rax
        jmp     job

# ---- the timer's interrupt ----------------------------------------------------
on_tick:
        push    rax
        push    rbx
        push    rcx
        push    rdx
        lab_timer_done
        mov     rcx, [current]
        mov     [saved + rcx * 8], rsp
        mov     edx, COM1               # the serial port shows who had this tick
        lea     eax, [rcx + '0']
        out     dx, al
        inc     qword ptr [ticks]
        inc     qword ptr [turn]
        dec     qword ptr [left + rcx * 8]
        jz      job_done
        cmp     qword ptr [turn], QUANTUM
        jb      resume                  # its turn is not over
        jmp     next

job_done:
        lea     ebx, [rcx + ENDS]
        call    mark
next:   mov     eax, JOBS               # the next one that still has work
1:      inc     ecx
        cmp     ecx, JOBS
        jb      2f
        xor     ecx, ecx
2:      cmp     qword ptr [left + rcx * 8], 0
        jne     3f
        dec     eax
        jnz     1b
        lab_exit 0                      # nobody has
3:      mov     qword ptr [turn], 0
        cmp     rcx, [current]
        je      resume

switch_to:
        lea     ebx, [rcx + STARTS]
        call    mark
        mov     [current], rcx
        mov     rax, [stack0 + rcx * 8]
        mov     [TSS + 4], rax          # where its next interrupt puts its frame
resume: mov     rcx, [current]
        mov     rsp, [saved + rcx * 8]
        pop     rdx
        pop     rcx
        pop     rbx
        pop     rax
        iretq

mark:   push    rcx                     # EBX: what; the tick is added
        mov     rcx, [ticks]
        lab_hypercall 1
        pop     rcx
        ret

        .data
left:   .quad   40, 10, 10              # ticks of work that each job needs
current: .quad  0
ticks:  .quad   0
turn:   .quad   0                       # ticks since the last switch
saved:  .quad   0, 0, 0
stack0: .quad   kernel0, kernel1, kernel2 # stacks for ring 0 ...
stack3: .quad   user0, user1, user2     # ... and for ring 3
        .bss
        .space  1024
kernel0: .space  1024
kernel1: .space  1024
kernel2: .space  256
user0:  .space  256
user1:  .space  256
user2:
