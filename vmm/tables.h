/* Descriptor tables as the CPU reads them. Private to vmm/.
 */
#ifndef VMM_TABLES_H
#define VMM_TABLES_H

#include "vmm/cpu.h"

/* The descriptor that `selector` names in the GDT or LDT (SDM vol. 3A, 3.4.5). *raw holds its eight
 * bytes. False when it lies beyond the table's limit or cannot be read. */
bool vmm_descriptor_read(const struct vmm_machine *m, const struct vmm_cpu_state *s,
			 unsigned selector, struct vmm_seg *out, uint64_t *raw);

/* One entry of the IDT (SDM vol. 3A, 6.11 and 6.14.1), or of the interrupt vector table in real
 * mode (vol. 3B, 21.1.4), where there is neither type nor right. */
struct vmm_gate {
	uint64_t at;          /* its linear address */
	bool in_limit;        /* the whole entry lies inside the table */
	bool readable;        /* ... and in mapped RAM */
	uint64_t offset;
	uint16_t selector;
	uint8_t type;         /* 14 interrupt gate, 15 trap gate, 5 task gate; 6, 7: 16-bit ones */
	uint8_t s, dpl, present, ist;
};
/* False when the entry lies outside the table or RAM. In real mode `present` is 1. */
bool vmm_gate_read(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned vector,
		   struct vmm_gate *out);
static inline bool vmm_real_mode(const struct vmm_cpu_state *s)
{
	return !(s->cr0 & CR0_PE);
}
static inline bool vmm_long_mode(const struct vmm_cpu_state *s)
{
	return s->efer & EFER_LMA;
}

/* -- deliver.c: what an exception or interrupt meets on its way (SDM vol. 3A, 6.12-6.15) -- */
struct vmm_delivery {
	unsigned vector;
	bool arrives;
	uint64_t handler;     /* where, when it does */
	unsigned then;        /* else: the exception raised instead */
	const char *why;      /* ... and why: part of a sentence, translation key */
	uint64_t at;          /* ... the address of what is wrong: gate, descriptor or stack */
};
/* `software`: by an INT n instruction, which needs the gate's DPL. */
void vmm_deliver(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned vector,
		 bool software, struct vmm_delivery *out);
/* The deliveries one after another until one arrives or the CPU shuts down. At most
 * VMM_CHAIN_MAX. *shutdown: a triple fault at the end. */
#define VMM_CHAIN_MAX 4
unsigned vmm_deliver_chain(const struct vmm_machine *m, const struct vmm_cpu_state *s,
			   unsigned vector, bool software, struct vmm_delivery out[VMM_CHAIN_MAX],
			   bool *shutdown);
/* Which exception does the instruction at RIP raise in this state? A vector, or -1 when none can be
 * seen. *software as above; *address: of a page fault. */
int vmm_guess_exception(const struct vmm_machine *m, const struct vmm_cpu_state *s, bool *software,
			uint64_t *address);
/* The same for the first instruction from RIP on that must raise one, whatever the others before it
 * leave in the registers. Moves s->rip there. */
int vmm_guess_ahead(const struct vmm_machine *m, struct vmm_cpu_state *s, bool *software,
		    uint64_t *address);

#endif
