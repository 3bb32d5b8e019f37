/* The table of functions that a CPU engine fills. Private to vmm/.
 */
#ifndef VMM_ENGINE_H
#define VMM_ENGINE_H

#include "vmm/vmm.h"

struct vmm_machine;
struct vmm_vcpu;
struct vmm_cpu_state;       /* general + system registers, cpu.h */
struct vmm_cpu_rest;

/* Why `run` came back. */
struct vmm_exit {
	unsigned reason;        /* KVM_EXIT_*, also for engines that are not KVM */
	union {
		struct { uint16_t port; uint8_t size, in; uint32_t count; void *data; } io;
		struct { uint64_t gpa; uint8_t *data; uint32_t len; uint8_t write; } mmio;
		struct { uint32_t exception; uint64_t pc, dr6, dr7; } debug;
		struct { uint64_t hardware_reason; uint32_t cpu; } fail;
		struct { uint32_t suberror, ndata; uint64_t data[16]; } internal;
		/* SHUTDOWN: the state with which the guest was last entered, since AMD-V keeps none after
		 * a triple fault. NULL when the engine does not have it. The engine's, until the next run. */
		struct { const struct vmm_cpu_state *before; } shutdown;
		struct { uint64_t nr, args[6]; uint64_t *ret; } hypercall;
		struct { uint32_t type; } system;
		struct { uint32_t index; uint8_t write; uint64_t *data; uint8_t *error; } msr;
	};
};

struct vmm_engine_ops {
	const char *name;
	bool exact;     /* reports ring crossings and faults itself, each at its instruction, and steps
			   without a trace: nothing is planted in the guest */
	int (*available)(struct rs_err *err);
	/* Creates the engine's VM and its single memory map from m. */
	int (*vm_new)(struct vmm_machine *m, struct rs_err *err);
	void (*vm_free)(struct vmm_machine *m);
	int (*vcpu_new)(struct vmm_machine *m, unsigned index, struct rs_err *err);
	/* Enters the guest until something needs the monitor. 0; -EINTR when kicked; negative errno. */
	int (*run)(struct vmm_vcpu *v, struct vmm_exit *exit, struct rs_err *err);
	void (*kick)(struct vmm_vcpu *v);     /* async-signal-safe: makes `run` return -EINTR */
	/* The two things looked at after every exit; cheap, so the state need not be fetched whole. */
	int (*peek)(struct vmm_vcpu *v, uint64_t *rip, unsigned *cpl, struct rs_err *err);
	/* The whole state will be (or is no longer) asked for after every exit. */
	void (*eager)(struct vmm_vcpu *v, bool on);
	/* Valid after run returned, until the next run. */
	int (*get_state)(struct vmm_vcpu *v, struct vmm_cpu_state *out, struct rs_err *err);
	int (*set_state)(struct vmm_vcpu *v, const struct vmm_cpu_state *in, struct rs_err *err);
	/* Fills star, lstar, fmask, sysenter_eip of *io. */
	int (*get_msrs)(struct vmm_vcpu *v, struct vmm_cpu_state *io, struct rs_err *err);
	/* What vmm_cpu_state does not have. NULL: this engine needs nobody's help. */
	int (*get_rest)(struct vmm_vcpu *v, struct vmm_cpu_rest *out, struct rs_err *err);
	int (*set_rest)(struct vmm_vcpu *v, const struct vmm_cpu_rest *in, struct rs_err *err);
	/* Has an interrupt delivered at the next entry, as INT n behind itself would be: for instructions that
	 * the engine cannot execute. -ENOSYS. */
	int (*inject)(struct vmm_vcpu *v, unsigned vector, struct rs_err *err);
	/* Machines with a PC platform; irq NULL: the engine cannot run one. The level of the interrupt line: while it
	 * is up and the guest takes interrupts, the engine asks vmm_board_ack for the vector. */
	void (*irq)(struct vmm_vcpu *v, bool level);
	void (*nmi)(struct vmm_vcpu *v); /* NULL: none can be delivered */
	/* The monitor wrote to guest memory that may hold code. NULL: the CPU sees that by itself. */
	void (*wrote)(struct vmm_vcpu *v, uint64_t gpa, uint64_t len);
	/* How often the hardware left the guest, also where the host's kernel handled it and `run` went on. NULL: there
	 * is no such kernel; 0: it does not say. */
	uint64_t (*hardware_exits)(struct vmm_vcpu *v);
	/* Single-step and up to 4 execution breakpoints (linear addresses). -ENOSYS. */
	int (*set_debug)(struct vmm_vcpu *v, bool step, const uint64_t *bp, unsigned n, struct rs_err *err);
};
extern const struct vmm_engine_ops vmm_engine_kvm, vmm_engine_soft;

/* The engine named `name`; NULL: the first one that runs here. NULL with err: -ENOSYS for one that this
 * build does not have, else why none runs (available). */
const struct vmm_engine_ops *vmm_engine_pick(const char *name, struct rs_err *err);

#endif
