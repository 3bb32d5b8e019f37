/* The parts of the KVM engine. Private to kvm.c and kvm_vcpu.c.
 *
 *   kvm.c        every call of the KVM API goes through here; set-up, from /dev/kvm to the vCPU
 *   kvm_vcpu.c   one vCPU: registers, single-step, kicks, exits
 *   kvm_rest.c   the registers that only an assist asks for
 *   kvm_stats.c  KVM's own count of exits
 *   kvm_state.c  registers between KVM's structures and ours
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <signal.h>

#include "vmm/kvm_state.h"
#include "vmm/machine.h"

#define VMM_KVM_SYNC (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS)
#define VMM_KVM_KICK (SIGRTMIN + 5) /* a real-time signal that nobody else here uses */

struct kvm_vm {
	int sys, fd;
	int run_size;
	bool sync, immediate_exit, debug;
};

struct kvm_cpu {
	struct kvm_vm *vm;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	/* Where KVM can only be interrupted by a signal: it stays blocked outside KVM_RUN. */
	bool have_thread, first_run, debug_seen;
	/* What was fetched or written since the last KVM_RUN (have_*). What is not had stands in the
	 * shared page, as far as `synced` says, or is fetched by ioctl. sregs stay when they are old. */
	struct kvm_regs buf[2], *regs; /* regs: the one of buf that counts now */
	struct kvm_sregs sregs;
	bool have_regs, have_sregs;
	uint64_t synced;
	bool irq;                /* the interrupt line is up (machines with a PC platform) */
	bool eager;              /* system registers are wanted after every exit */
	struct vmm_cpl_memo memo;
	int stats_fd;            /* -1: this KVM has no statistics */
	off_t exits_at;          /* of the statistic "exits" in it; 0: none */
	/* The other one of buf holds the registers of the last entry: after a triple fault AMD-V has no
	 * others. */
	struct vmm_cpu_state before;
};

static inline struct kvm_vm *vm_of(struct vmm_machine *m)
{
	return m->engine;
}

static inline struct kvm_cpu *cpu_of(struct vmm_vcpu *v)
{
	return v->engine;
}

/* One call of the KVM API. Returns its result, or -errno. Times it, counts it, and makes it a kvm.call
 * event; `fmt`: its arguments in readable form. */
long vmm_kvm_call(struct vmm_machine *m, enum rs_call id, enum rs_fd which, int fd, unsigned long req,
		  unsigned long arg, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
/* The event and the count alone: for calls that are no ioctls, and for the first KVM_RUN. */
void vmm_kvm_told(struct vmm_machine *m, enum rs_call id, enum rs_fd which, long result, uint64_t ns,
		  const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* A call on the vCPU in the loop: counted, no event. */
long vmm_kvm_quiet(struct vmm_vcpu *v, unsigned long req, void *arg);
/* A descriptor of the vCPU's statistics, or -1. Not a part of the walk: neither told nor counted. */
int vmm_kvm_stats_fd(struct kvm_cpu *c);
/* -- kvm_stats.c -- */
void vmm_kvm_stats_open(struct vmm_vcpu *v);
uint64_t vmm_kvm_hardware_exits(struct vmm_vcpu *v);
/* KVM_RUN. 0 or -errno. The caller counts. */
int vmm_kvm_enter(struct kvm_cpu *c);

/* -- kvm_vcpu.c: what fills struct vmm_engine_ops -- */
int vmm_kvm_run(struct vmm_vcpu *v, struct vmm_exit *x, struct rs_err *err);
void vmm_kvm_kick(struct vmm_vcpu *v);
int vmm_kvm_peek(struct vmm_vcpu *v, uint64_t *rip, unsigned *cpl, struct rs_err *err);
void vmm_kvm_eager(struct vmm_vcpu *v, bool on);
int vmm_kvm_get_state(struct vmm_vcpu *v, struct vmm_cpu_state *o, struct rs_err *err);
int vmm_kvm_set_state(struct vmm_vcpu *v, const struct vmm_cpu_state *i, struct rs_err *err);
int vmm_kvm_get_msrs(struct vmm_vcpu *v, struct vmm_cpu_state *io, struct rs_err *err);
void vmm_kvm_irq(struct vmm_vcpu *v, bool level);
int vmm_kvm_inject(struct vmm_vcpu *v, unsigned vector, struct rs_err *err);
int vmm_kvm_get_rest(struct vmm_vcpu *v, struct vmm_cpu_rest *out, struct rs_err *err);
int vmm_kvm_set_rest(struct vmm_vcpu *v, const struct vmm_cpu_rest *in, struct rs_err *err);
int vmm_kvm_set_debug(struct vmm_vcpu *v, bool step, const uint64_t *bp, unsigned n, struct rs_err *err);

#endif
