# Wrong: CLI and HLT trap, so the monitor plays along.

#include "lab32.inc"

_start:
        lab_load_task
        call    detect
        out     DEBUG_EXIT, eax         # 0: alone; 1: somebody else has ring 0

# Leave the answer in EAX: 1 when a monitor has taken ring 0 away from us, else 0.
# The monitor must not get a chance to answer for the processor.
detect:
        cli                             # traps: the virtual IF is off
        mov     eax, cr0                # traps as well
        test    eax, 1
        setz    al
        movzx   eax, al
        ret
