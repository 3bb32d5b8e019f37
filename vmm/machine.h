/* One virtual machine and its parts. Private to vmm/. Read this before run.c.
 *
 * Everything hangs off struct vmm_machine, so two machines live in one process.
 * Threads: vmm_run's caller is the monitor thread; each vCPU has a thread, which
 * alone touches its vCPU, the devices and the buses once the guest runs.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "vmm/cpu.h"
#include "vmm/engine.h"

struct vmm_slot {            /* a piece of RAM between two holes */
	uint64_t gpa, size;
};
#define VMM_SLOTS_MAX (VMM_HOLES_MAX + 1)

struct vmm_machine {
	struct vmm_desc desc;          /* the caller's, zeros replaced by their defaults */
	const struct vmm_engine_ops *ops;
	struct rs_emitter *em;         /* never NULL */
	uint8_t *ram;                  /* desc.memory bytes; ram[gpa], holes too */
	struct vmm_slot slot[VMM_SLOTS_MAX];
	unsigned slots;
};

/* RAM, slots, buses and devices of `d` (copied; its strings stay the caller's): no engine yet.
 * `em` NULL: nobody listens. NULL on error. vmm_machine_free takes NULL. */
struct vmm_machine *vmm_machine_new(const struct vmm_desc *d, struct rs_emitter *em,
				    struct rs_err *err);
void vmm_machine_free(struct vmm_machine *m);

#endif
