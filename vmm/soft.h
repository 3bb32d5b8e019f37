/* The software CPU of emu/ (ia_cpu.h) in the monitor. Private to vmm/.
 *
 *   soft.c        as an engine
 *   assist.c      for one instruction that another engine cannot execute
 *   soft_state.c  between its structures and ours
 */
#ifndef VMM_SOFT_H
#define VMM_SOFT_H

#include "emu/ia_cpu.h"
#include "vmm/machine.h"

void vmm_soft_state(const struct emu_ia_state *s, struct vmm_cpu_state *out);
/* The parts that vmm_cpu_state has; the others stay. MSRs: emu_ia_state has its own. */
void vmm_soft_take(const struct vmm_cpu_state *in, struct emu_ia_state *s);
/* The machine's memory. How many there are. */
unsigned vmm_soft_slots(const struct vmm_machine *m, struct emu_ia_slot slot[VMM_SLOTS_MAX]);
struct vmm_crossing vmm_soft_crossing(const struct emu_ia_cross *c);

#endif
