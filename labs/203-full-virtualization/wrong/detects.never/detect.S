# Wrong: never suspects anything.

#include "lab32.inc"

_start:
        lab_load_task
        call    detect
        out     DEBUG_EXIT, eax         # 0: alone; 1: somebody else has ring 0

# Leave the answer in EAX: 1 when a monitor has taken ring 0 away from us, else 0.
# The monitor must not get a chance to answer for the processor.
detect:
        nop
        xor     eax, eax
        ret
