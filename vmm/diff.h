/* The parts of the lock-step. Private to vmm/diff*.c.
 *
 *   diff.c        two machines side by side: exit by exit, then step by step
 *   diff_state.c  what differs between them, as text
 */
#ifndef VMM_DIFF_H
#define VMM_DIFF_H

#include "vmm/machine.h"

/* What an exit asked for: one access; a repeated string instruction is many. */
struct vmm_diff_exit {
	unsigned reason;
	uint64_t where, value;      /* port, address, MSR; what was written */
	unsigned size;
	bool write;
	uint64_t rip;
};
#define VMM_DIFF_QUEUE 4096u
struct vmm_diff_side {
	struct vmm_machine *m;
	enum rs_lang lang;          /* of the report */
	struct vmm_diff_exit queue[VMM_DIFF_QUEUE]; /* exits that the other side has not had yet */
	unsigned queued;
};

/* -- diff_state.c -- */
/* Appends a line a difference, nothing when the two agree. False when they differ. Memory is compared when `memory`:
 * all of RAM but the accessed and dirty bits of page tables, which each engine sets in its own time. */
bool vmm_diff_states(const struct vmm_diff_side *a, const struct vmm_diff_side *b, bool memory, struct rs_str *out);
bool vmm_diff_exits(const struct vmm_diff_exit *a, const struct vmm_diff_exit *b, const struct vmm_diff_side *sa,
		    const struct vmm_diff_side *sb, struct rs_str *out);
/* "0x10040 cpuid" */
void vmm_diff_where(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out);

#endif
