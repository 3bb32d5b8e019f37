/* The software x86 CPU as others see it: one whole processor, from reset to long mode, over guest-physical
 * memory that its owner brings. The one header of emu/ that vmm/ may include for it.
 *
 * Documents: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM).
 *
 * A CPU belongs to one thread, which calls everything here but emu_ia_kick, emu_ia_irq and emu_ia_nmi: those
 * three may come from any thread. Callbacks are called on the CPU's thread, inside emu_ia_run, with the
 * general registers and RIP as they are before the instruction (emu_ia_get may be called, emu_ia_set not).
 */
#ifndef EMU_IA_CPU_H
#define EMU_IA_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"

struct emu_ia_vcpu;

/* -- memory -- */
/* RAM or ROM; the host memory stays the caller's and must outlive the CPU. gpa and size are multiples of 4096.
 * Where slots overlap, the earlier one counts. What no slot covers is MMIO. */
struct emu_ia_slot {
	uint64_t gpa, size;     /* bytes */
	uint8_t *host;
	bool readonly;          /* ROM: writes go to the mmio callback */
};

/* -- what is crossed -- */
enum emu_ia_cause {
	IA_CAUSE_EXCEPTION,     /* fault, trap or abort of the processor: vector, error */
	IA_CAUSE_SOFT_INT,      /* INT n, INT3, INTO, INT1 */
	IA_CAUSE_IRQ,           /* external interrupt */
	IA_CAUSE_NMI,
	IA_CAUSE_IRET, IA_CAUSE_SYSCALL, IA_CAUSE_SYSRET, IA_CAUSE_SYSENTER, IA_CAUSE_SYSEXIT,
	IA_CAUSE_CALL_FAR, IA_CAUSE_RET_FAR, IA_CAUSE_JMP_FAR, /* perhaps through a gate */
	IA_CAUSE_TASK,          /* a hardware task switch */
	IA_CAUSE_COUNT
};
struct emu_ia_point {
	uint16_t cs, ss;
	uint8_t cpl;
	uint64_t rip, rsp, rflags;
};
struct emu_ia_cross {
	uint8_t cause;          /* enum emu_ia_cause */
	uint8_t vector;         /* of the first four causes */
	bool has_error, has_gate, stack_switched; /* stack_switched: through the TSS or IST, or popped */
	uint32_t error;
	struct emu_ia_point from, to; /* from.rip: what the handler returns to */
	uint64_t at;            /* RIP of the instruction that did it, or was interrupted */
	uint8_t gate[16];       /* the gate that was used as it stands in memory (has_gate; legacy: 8 bytes) */
	uint8_t code[8];        /* the new code segment's descriptor, 0 in real mode and for syscall ... sysexit */
};

/* -- callbacks -- */
enum { EMU_IA_GO_ON, EMU_IA_STOP }; /* STOP: emu_ia_run returns IA_EXIT_STOP after this instruction */
struct emu_ia_desc {
	void *arg;              /* first argument of all */
	/* One port access of 1, 2 or 4 bytes; reads fill *value. */
	int (*port)(void *arg, uint16_t port, unsigned bytes, bool write, uint32_t *value);
	/* One access of 1 to 8 bytes to what is no RAM, inside one page. */
	int (*mmio)(void *arg, uint64_t gpa, unsigned bytes, bool write, uint64_t *value);
	/* The interrupt line is up and the CPU takes it (INTA): the vector, or -1 for a spurious one that goes
	 * away without a trace. The line stays as emu_ia_irq set it last. */
	int (*acknowledge)(void *arg);
	/* May all be NULL: */
	/* A model-specific register that the CPU does not have itself (it has those of emu_ia_state, TSC, PAT,
	 * MTRRs, MISC_ENABLE). 0, or negative: #GP(0). */
	int (*msr)(void *arg, uint32_t index, bool write, uint64_t *value);
	/* CPUID: may change what the CPU answers (the APIC's bits, a hypervisor leaf): eax ebx ecx edx. */
	void (*cpuid)(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
	void (*cr8)(void *arg, uint64_t cr8);            /* the guest wrote CR8; reads: state.cr8 */
	uint64_t (*tsc)(void *arg);                      /* NULL: the host's */
	void (*cross)(void *arg, const struct emu_ia_cross *c); /* the CPL changed, or a gate was passed */
	/* VMCALL or VMMCALL; true: done (results through emu_ia_set_gpr_of); NULL or false: #UD. */
	bool (*hypercall)(void *arg);
	const char *engine;     /* "jit", "interp", NULL: the best one here */
	unsigned physical_bits; /* MAXPHYADDR, 32 to 46; 0: 40 */
};

/* -- state -- */
struct emu_ia_seg {
	uint64_t base;
	uint32_t limit;         /* bytes - 1, granularity applied */
	uint16_t selector;
	uint8_t type;           /* bits 3:0 of the access byte */
	bool s, present, avl, l, db, g, unusable; /* unusable: loaded with a null selector */
	uint8_t dpl;
};
enum { EMU_IA_ES, EMU_IA_CS, EMU_IA_SS, EMU_IA_DS, EMU_IA_FS, EMU_IA_GS, EMU_IA_LDTR, EMU_IA_TR, EMU_IA_SEGS };
struct emu_ia_state {
	uint64_t gpr[16];       /* rax rcx rdx rbx rsp rbp rsi rdi r8 ... */
	uint64_t rip, rflags;
	struct emu_ia_seg seg[EMU_IA_SEGS];
	uint64_t gdt_base, idt_base;
	uint32_t gdt_limit, idt_limit;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
	uint64_t dr[4], dr6, dr7;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, tsc_aux;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, pat;
	uint64_t tsc_offset;    /* added to the host's counter, or the callback's */
	uint8_t fxsave[512];    /* x87, MXCSR, xmm0-15 as FXSAVE64 writes them */
	/* events */
	bool halted;            /* in HLT */
	uint8_t shadow;         /* no interrupt before the next instruction: 1 after STI, 2 after MOV SS */
	bool nmi_masked, nmi_pending;
	bool event;             /* an event to be delivered at the next entry: */
	uint8_t event_vector, event_cause; /* enum emu_ia_cause, one of the first four */
	bool event_has_error;
	uint32_t event_error;
	uint8_t event_length;   /* soft interrupts: bytes of the instruction, which RIP still points to */
};

/* -- running -- */
enum emu_ia_exit {
	IA_EXIT_STOP,           /* a callback asked for it */
	IA_EXIT_KICK,           /* emu_ia_kick; nothing else happened */
	IA_EXIT_HLT,            /* halted; a later run returns at once unless an interrupt or NMI wakes it */
	IA_EXIT_SHUTDOWN,       /* triple fault: the CPU is dead until its state is set */
	IA_EXIT_DEBUG,          /* a breakpoint of emu_ia_break was reached (before the instruction) */
	IA_EXIT_BUDGET,         /* so many instructions were executed */
	IA_EXIT_NO_CODE,        /* RIP leads to what is no RAM */
	IA_EXIT_COUNT
};
const char *emu_ia_exit_name(enum emu_ia_exit e);

/* The reset state (SDM volume 3A, table 9-1): real mode at F000:FFF0. NULL with err. `d` is copied. */
struct emu_ia_vcpu *emu_ia_new(const struct emu_ia_desc *d, const struct emu_ia_slot *slots, unsigned n,
			       struct rs_err *err);
void emu_ia_free(struct emu_ia_vcpu *v);
/* Another memory map (shadowed BIOS, PAM, a moved BAR): all translations are forgotten. */
int emu_ia_set_slots(struct emu_ia_vcpu *v, const struct emu_ia_slot *slots, unsigned n, struct rs_err *err);
/* Somebody else than the CPU wrote to guest memory (a device's DMA, a debugger): call it afterwards. */
void emu_ia_written(struct emu_ia_vcpu *v, uint64_t gpa, uint64_t bytes);

void emu_ia_reset(struct emu_ia_vcpu *v);
void emu_ia_get(struct emu_ia_vcpu *v, struct emu_ia_state *s);
/* 0; -EINVAL for a CR3 whose PDPTEs are bad. What a VM entry would refuse is not looked at: vmm_entry_check. */
int emu_ia_set(struct emu_ia_vcpu *v, const struct emu_ia_state *s, struct rs_err *err);
/* Quick access to what is looked at often. */
uint64_t emu_ia_gpr_of(const struct emu_ia_vcpu *v, unsigned reg);
void emu_ia_set_gpr_of(struct emu_ia_vcpu *v, unsigned reg, uint64_t value);
uint64_t emu_ia_rip(const struct emu_ia_vcpu *v);
unsigned emu_ia_cpl(const struct emu_ia_vcpu *v);

/* Runs until something needs the caller. budget: at most so many instructions, exactly (an REP turn counts
 * as one; slower); 0: no limit. */
enum emu_ia_exit emu_ia_run(struct emu_ia_vcpu *v, uint64_t budget);
/* Executes exactly one instruction (one turn of REP) and what it raises: after a fault RIP is at the first
 * instruction of the handler. Pending events and interrupts are delivered before it only when
 * `events`; a single step without them is what an assist needs. IA_EXIT_BUDGET: done; else as emu_ia_run. */
enum emu_ia_exit emu_ia_step(struct emu_ia_vcpu *v, bool events);
/* Any thread, also a signal handler, which must block all signals meanwhile (sa_mask). The next emu_ia_run returns IA_EXIT_KICK, or the present one does at the
 * next block edge. */
void emu_ia_kick(struct emu_ia_vcpu *v);
/* Any thread. The level of the interrupt line; a running CPU looks at it soon. */
void emu_ia_irq(struct emu_ia_vcpu *v, bool level);
void emu_ia_nmi(struct emu_ia_vcpu *v);
/* Stops (IA_EXIT_DEBUG) in front of the instruction at this linear address; at most 16. -ENOSPC. The next run
 * goes past it. */
int emu_ia_break(struct emu_ia_vcpu *v, uint64_t linear);
void emu_ia_unbreak(struct emu_ia_vcpu *v, uint64_t linear);

/* Linear to guest-physical as the CPU sees it now, without a fault: false when it is not mapped. */
bool emu_ia_linear(struct emu_ia_vcpu *v, uint64_t linear, uint64_t *gpa);

struct emu_ia_counters {
	uint64_t insns;         /* exact with a budget or steps, else 0 is added for translated code */
	uint64_t blocks, tlb_hits, tlb_walks, tlb_flushes, interrupts, exceptions, ports, mmios, assists;
};
void emu_ia_count(const struct emu_ia_vcpu *v, struct emu_ia_counters *c);

#endif
