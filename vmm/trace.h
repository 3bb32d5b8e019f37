/* The tracer's parts. Private to vmm/trace*.c and vmm/gates.c.
 *
 *   trace.c   when to step, when to let the guest run, and what a step showed
 *   gates.c   where gates lead, and the HLT bytes over their handlers' first bytes
 *   arrive.c  a handler was reached: from where, by what, with which frame
 *   exact.c   the same from an engine that knows
 */
#ifndef VMM_TRACE_H
#define VMM_TRACE_H

#include "vmm/machine.h"

/* The first instruction of a handler in ring 0. */
struct vmm_handler {
	uint64_t linear, gpa;
	uint64_t vec[4];       /* bit set: the interrupt vectors that lead here */
	bool syscall, sysenter, call_gate;
	bool alias;            /* another row has the same physical byte */
	bool planted;
	uint8_t saved;         /* the byte under the HLT */
};
#define VMM_HANDLERS_MAX 272

struct vmm_gates {
	struct vmm_handler h[VMM_HANDLERS_MAX];
	unsigned n;
	bool any_planted;
	bool partial;          /* a handler's page is not mapped (yet): look again each time */
	/* What the list was made from: it is made again when any of it changes. */
	struct {
		uint64_t cr0, cr3, cr4, efer, idt_base, gdt_base, ldt_base, lstar, sysenter;
		uint32_t idt_limit, gdt_limit, ldt_limit, pad;
		unsigned char idt[4096], gdt[1024];
	} made, now;
	bool valid;
};

struct vmm_trace_state {
	bool exact;            /* every crossing is caught; else CPL is sampled at exits */
	bool everywhere;       /* steps also where nothing could cross (VMM_TRACE_STEPS) */
	bool stepping;         /* single-step is on in the engine */
	bool blind3;           /* this host shows no single steps in ring 3 */
	bool once;             /* step the next instruction in any case */
	bool msrs_known;
	struct vmm_cpu_state msr; /* star, lstar, fmask, sysenter_eip of it */
	unsigned cpl;          /* the last one known */
	uint64_t steps, started; /* for the budget; vmm_ticks */
	/* The instruction that the guest stands before, or is in (an access that completes at the
	 * next entry). */
	bool flight;
	struct vmm_cpu_state s;
	struct vmm_insn insn;
	/* A repeated string instruction in ring 0 runs to this HLT instead of step by step. */
	struct vmm_handler after_rep;
	struct vmm_gates gates;
};

/* -- gates.c -- */
/* Finds out again where gates lead, when anything of it has changed. */
void vmm_gates_update(struct vmm_vcpu *v, struct vmm_gates *g, const struct vmm_cpu_state *s);
/* Puts an HLT over every handler's first byte but the one at `except` (linear). HLT leaves the guest at
 * CPL 0 on every KVM, while hardware breakpoints do not fire on each one. */
void vmm_gates_plant(const struct vmm_machine *m, struct vmm_gates *g, uint64_t except);
void vmm_gates_clear(const struct vmm_machine *m, struct vmm_gates *g); /* puts the bytes back */
void vmm_plant(const struct vmm_machine *m, struct vmm_handler *h);
void vmm_unplant(const struct vmm_machine *m, struct vmm_handler *h);
struct vmm_handler *vmm_gates_at(struct vmm_gates *g, uint64_t linear);
/* Linear address of CS:RIP. */
static inline uint64_t vmm_pc(const struct vmm_cpu_state *s)
{
	return vmm_mode_bits(s) == 64 ? s->rip : (uint32_t)(s->cs.base + s->rip);
}

/* -- trace.c -- */
/* The CPU left ring t->cpl for `to`. */
void vmm_crossed(struct vmm_vcpu *v, unsigned to, enum rs_via via, uint64_t rip, enum rs_source src,
		 const char *text);
/* Is the guest in another ring than the last one known? */
void vmm_trace_sample(struct vmm_vcpu *v);
/* A return to an outer ring was under way when the guest left: it took place. */
void vmm_returned(struct vmm_vcpu *v, unsigned cpl);
/* One instruction was executed: t->insn at t->s. */
void vmm_stepped(struct vmm_vcpu *v);
/* A step that the user asked for is done. */
void vmm_user_step_done(struct vmm_vcpu *v);
/* From here on crossings are sampled; why. */
void vmm_trace_give_up(struct vmm_vcpu *v, const char *why);
#define VMM_STEPS_MAX 200000u /* so many are told exactly */

/* -- exact.c: engines that report crossings themselves; as vmm_trace_before and vmm_trace_after -- */
int vmm_exact_before(struct vmm_vcpu *v, struct rs_err *err);
int vmm_exact_after(struct vmm_vcpu *v, struct rs_err *err);

/* -- arrive.c -- */
/* The guest stands behind the HLT over handler h. Reports, repairs the frame and sets RIP back. */
int vmm_arrived(struct vmm_vcpu *v, struct vmm_handler *h, struct rs_err *err);

#endif
