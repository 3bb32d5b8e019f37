/* One vCPU on KVM: its registers, single-step, kicks, and the entry itself. Registers travel in the
 * shared page (KVM_CAP_SYNC_REGS) where the kernel can, else by GET_REGS and GET_SREGS on
 * demand. Section numbers are of Linux Documentation/virt/kvm/api.rst.
 */
#include <errno.h>
#include <string.h>

#include "vmm/kvm.h"

/* -- registers -- */

/* Word by word, which becomes vector moves: `rep movs` starts slowly. */
static void copy_regs(struct kvm_regs *to, const struct kvm_regs *from)
{
	const uint64_t *f = (const uint64_t *)from;
	uint64_t *t = (uint64_t *)to;

#pragma GCC unroll 32
	for (unsigned i = 0; i < sizeof(*to) / 8; i++)
		t[i] = f[i];
}

static int fetch_regs(struct vmm_vcpu *v, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	long r;

	if (c->have_regs)
		return 0;
	if (c->synced & KVM_SYNC_X86_REGS) {
		copy_regs(c->regs, &c->run->s.regs.regs);
	} else {
		r = vmm_kvm_quiet(v, KVM_GET_REGS, c->regs);
		if (r < 0)
			return rs_err_errno(err, (int)-r, N_("KVM does not give the registers"));
	}
	c->have_regs = true;
	return 0;
}

static int fetch_sregs(struct vmm_vcpu *v, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	long r;

	if (c->have_sregs)
		return 0;
	if (c->synced & KVM_SYNC_X86_SREGS) {
		c->sregs = c->run->s.regs.sregs;
	} else {
		r = vmm_kvm_quiet(v, KVM_GET_SREGS, &c->sregs);
		if (r < 0)
			return rs_err_errno(err, (int)-r, N_("KVM does not give the system registers"));
	}
	c->have_sregs = true;
	return 0;
}

static int fetch(struct vmm_vcpu *v, struct rs_err *err)
{
	int e = fetch_regs(v, err);

	return e < 0 ? e : fetch_sregs(v, err);
}

int vmm_kvm_peek(struct vmm_vcpu *v, uint64_t *rip, unsigned *cpl, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	int known, e = fetch_regs(v, err);

	if (__builtin_expect(e < 0, 0))
		return e;
	*rip = c->regs->rip;
	known = c->eager ? -1 : vmm_cpl_recall(&c->memo, c->regs);
	if (__builtin_expect(known >= 0, 1)) {
		*cpl = (unsigned)known;
		return 0;
	}
	e = fetch_sregs(v, err);
	if (e < 0)
		return e;
	*cpl = vmm_kvm_cpl(c->regs, &c->sregs);
	vmm_cpl_learn(&c->memo, c->regs, *cpl);
	return 0;
}

void vmm_kvm_eager(struct vmm_vcpu *v, bool on)
{
	struct kvm_cpu *c = cpu_of(v);

	c->eager = on;
	if (c->vm->sync)
		c->run->kvm_valid_regs = on ? VMM_KVM_SYNC : KVM_SYNC_X86_REGS;
}

int vmm_kvm_get_state(struct vmm_vcpu *v, struct vmm_cpu_state *o, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	int e = fetch(v, err);

	if (e < 0)
		return e;
	*o = vmm_kvm_state(c->regs, &c->sregs);
	return 0;
}

/* Writes at once, for guest debug looks at RIP. The first time is part of the walk. */
static int write_sregs(struct vmm_vcpu *v, struct kvm_sregs *s, bool announce, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	long r = announce ? vmm_kvm_call(v->m, RS_CALL_SET_SREGS, RS_FD_VCPU, c->fd, KVM_SET_SREGS,
				 (unsigned long)s, "cr0=0x%llx cr4=0x%llx efer=0x%llx cs=0x%x", s->cr0,
				 s->cr4, s->efer, s->cs.selector)
			  : vmm_kvm_quiet(v, KVM_SET_SREGS, s);

	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM refuses the system registers"));
	c->sregs = *s;
	c->have_sregs = true;
	return 0;
}

static int write_regs(struct vmm_vcpu *v, struct kvm_regs *r, bool announce, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	long e = announce ? vmm_kvm_call(v->m, RS_CALL_SET_REGS, RS_FD_VCPU, c->fd, KVM_SET_REGS,
				 (unsigned long)r, "rip=0x%llx rflags=0x%llx rsp=0x%llx", r->rip,
				 r->rflags, r->rsp)
			  : vmm_kvm_quiet(v, KVM_SET_REGS, r);

	if (e < 0)
		return rs_err_errno(err, (int)-e, N_("KVM refuses the registers"));
	*c->regs = *r;
	c->have_regs = true;
	return 0;
}

int vmm_kvm_set_state(struct vmm_vcpu *v, const struct vmm_cpu_state *i, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	bool first = c->first_run;
	struct kvm_regs r = vmm_kvm_regs(i);
	struct kvm_sregs s;
	int e;

	if (first) { /* the walk shows this one: read, change, write */
		long q = vmm_kvm_call(v->m, RS_CALL_GET_SREGS, RS_FD_VCPU, c->fd, KVM_GET_SREGS,
			      (unsigned long)&c->sregs, "%s", "");
		if (q < 0)
			return rs_err_errno(err, (int)-q, N_("KVM does not give the system registers"));
		c->have_sregs = true;
	} else {
		e = fetch(v, err);
		if (e < 0)
			return e;
	}
	s = c->sregs;
	vmm_kvm_sregs(i, &s);
	e = first || memcmp(&s, &c->sregs, sizeof(s)) ? write_sregs(v, &s, first, err) : 0;
	if (e < 0)
		return e;
	return first || memcmp(&r, c->regs, sizeof(r)) ? write_regs(v, &r, first, err) : 0;
}

int vmm_kvm_get_msrs(struct vmm_vcpu *v, struct vmm_cpu_state *io, struct rs_err *err)
{
	static const uint32_t index[] = { MSR_STAR, MSR_LSTAR, MSR_FMASK, MSR_SYSENTER_EIP };
	_Alignas(struct kvm_msrs) unsigned char buf[sizeof(struct kvm_msrs) + 4 * sizeof(struct kvm_msr_entry)];
	struct kvm_msrs *q = (struct kvm_msrs *)buf;
	long n;

	memset(buf, 0, sizeof(buf));
	q->nmsrs = 4;
	for (unsigned i = 0; i < 4; i++)
		q->entries[i].index = index[i];
	n = vmm_kvm_quiet(v, KVM_GET_MSRS, q);
	if (n < 0)
		return rs_err_errno(err, (int)-n, N_("KVM does not give the model-specific registers"));
	if (n < 3)
		return rs_err_set(err, -ENOSYS, N_("KVM does not give the registers of SYSCALL"));
	io->star = q->entries[0].data;
	io->lstar = q->entries[1].data;
	io->fmask = q->entries[2].data;
	io->sysenter_eip = n > 3 ? q->entries[3].data : 0;
	return 0;
}

/* 4.32. An exception's vector ends at 31; beyond it is an interrupt's place. */
int vmm_kvm_inject(struct vmm_vcpu *v, unsigned vector, struct rs_err *err)
{
	struct kvm_vcpu_events e;
	long r = vmm_kvm_quiet(v, KVM_GET_VCPU_EVENTS, &e);

	if (r == 0 && vector < 32) {
		e.exception.injected = 1;
		e.exception.nr = (uint8_t)vector;
		e.exception.has_error_code = 0;
	} else if (r == 0) {
		e.interrupt.injected = 1;
		e.interrupt.nr = (uint8_t)vector;
		e.interrupt.soft = 0;
	}
	e.flags = 0;
	if (r == 0)
		r = vmm_kvm_quiet(v, KVM_SET_VCPU_EVENTS, &e);
	return r < 0 ? rs_err_errno(err, (int)-r, N_("KVM does not take an interrupt")) : 0;
}

int vmm_kvm_set_debug(struct vmm_vcpu *v, bool step, const uint64_t *bp, unsigned n,
			 struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	struct kvm_guest_debug d = { 0 };
	long r;

	if (!c->vm->debug)
		return rs_err_set(err, -ENOSYS, N_("this KVM cannot single-step"));
	if (step || n)
		d.control = KVM_GUESTDBG_ENABLE;
	if (step)
		d.control |= KVM_GUESTDBG_SINGLESTEP;
	if (n) {
		d.control |= KVM_GUESTDBG_USE_HW_BP;
		d.arch.debugreg[7] = 0x400; /* bit 10 is always 1 (SDM vol. 3B, 18.2.4) */
	}
	for (unsigned i = 0; i < n && i < 4; i++) {
		d.arch.debugreg[i] = bp[i];
		d.arch.debugreg[7] |= 2ull << (2 * i); /* global enable; R/W and LEN 0: execution */
	}
	if (!c->debug_seen) {
		c->debug_seen = true;
		r = vmm_kvm_call(v->m, RS_CALL_SET_GUEST_DEBUG, RS_FD_VCPU, c->fd, KVM_SET_GUEST_DEBUG,
				 (unsigned long)&d, "control=0x%x%s", d.control,
				 step ? " single-step" : "");
	} else {
		r = vmm_kvm_quiet(v, KVM_SET_GUEST_DEBUG, &d);
	}
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM refuses to single-step"));
	return 0;
}

/* -- running -- */

/* Once, in the vCPU's thread. */
static void prepare_thread(struct kvm_cpu *c)
{
	sigset_t set;

	c->have_thread = true;
	sigemptyset(&set);
	sigaddset(&set, VMM_KVM_KICK);
	pthread_sigmask(c->vm->immediate_exit ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

void vmm_kvm_kick(struct vmm_vcpu *v)
{
	struct kvm_cpu *c = cpu_of(v);

	__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(v->thread, VMM_KVM_KICK);
}

static void translate(struct kvm_run *run, struct vmm_exit *x)
{
	x->reason = run->exit_reason;
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		x->io.port = run->io.port;
		x->io.size = run->io.size;
		x->io.in = run->io.direction == KVM_EXIT_IO_IN;
		x->io.count = run->io.count;
		x->io.data = (char *)run + run->io.data_offset;
		break;
	case KVM_EXIT_MMIO:
		x->mmio.gpa = run->mmio.phys_addr;
		x->mmio.data = run->mmio.data;
		x->mmio.len = run->mmio.len;
		x->mmio.write = run->mmio.is_write;
		break;
	case KVM_EXIT_DEBUG:
		x->debug.exception = run->debug.arch.exception;
		x->debug.pc = run->debug.arch.pc;
		x->debug.dr6 = run->debug.arch.dr6;
		x->debug.dr7 = run->debug.arch.dr7;
		break;
	case KVM_EXIT_UNKNOWN:
		x->fail.hardware_reason = run->hw.hardware_exit_reason;
		break;
	case KVM_EXIT_FAIL_ENTRY:
		x->fail.hardware_reason = run->fail_entry.hardware_entry_failure_reason;
		x->fail.cpu = run->fail_entry.cpu;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		x->internal.suberror = run->internal.suberror;
		x->internal.ndata = run->internal.ndata > 16 ? 16 : run->internal.ndata;
		memcpy(x->internal.data, run->internal.data, sizeof(x->internal.data));
		break;
	case KVM_EXIT_HYPERCALL:
		x->hypercall.nr = run->hypercall.nr;
		for (unsigned i = 0; i < 6; i++)
			x->hypercall.args[i] = run->hypercall.args[i];
		x->hypercall.ret = (uint64_t *)&run->hypercall.ret;
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		x->system.type = run->system_event.type;
		break;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		x->msr.index = run->msr.index;
		x->msr.write = run->exit_reason == KVM_EXIT_X86_WRMSR;
		x->msr.data = (uint64_t *)&run->msr.data;
		x->msr.error = &run->msr.error;
		break;
	default:
		break;
	}
}

/* A blocked signal is still pending: let it come, once. */
static int interrupted(struct kvm_cpu *c)
{
	if (!c->vm->immediate_exit) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, VMM_KVM_KICK);
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	}
	return -EINTR;
}

void vmm_kvm_irq(struct vmm_vcpu *v, bool level)
{
	cpu_of(v)->irq = level;
}

/* Our interrupt controllers, KVM's CPU (4.16, KVM_INTERRUPT; section 5, ready_for_interrupt_injection). */
static void offer_interrupt(struct vmm_vcpu *v)
{
	struct kvm_cpu *c = cpu_of(v);

	c->run->cr8 = vmm_lapic_cr8(&v->m->pc->lapic);
	if (c->irq && c->run->ready_for_interrupt_injection && c->run->if_flag) {
		struct kvm_interrupt i = { .irq = (uint32_t)vmm_board_ack(v) };

		if ((int)i.irq >= 0)
			vmm_kvm_quiet(v, KVM_INTERRUPT, &i);
	}
	c->run->request_interrupt_window = c->irq;
}

int vmm_kvm_run(struct vmm_vcpu *v, struct vmm_exit *x, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	bool first = c->first_run;
	uint64_t t = 0;
	int r;

	if (__builtin_expect(!c->have_thread, 0))
		prepare_thread(c);
	if (first)
		t = vmm_now_ns();
	if (v->m->pc)
		offer_interrupt(v);
	r = vmm_kvm_enter(c);
	if (v->m->pc)
		vmm_lapic_set_cr8(&v->m->pc->lapic, (unsigned)c->run->cr8);
	/* A kick that comes between the look and the next KVM_RUN makes that one return at once. */
	if (__builtin_expect(__atomic_load_n(&c->run->immediate_exit, __ATOMIC_ACQUIRE), 0))
		__atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	c->regs = c->regs == c->buf ? c->buf + 1 : c->buf;
	c->have_regs = c->have_sregs = false;
	c->synced = c->vm->sync ? c->run->kvm_valid_regs : 0;
	c->first_run = false;
	if (first)
		vmm_kvm_told(v->m, RS_CALL_RUN, RS_FD_VCPU, r, vmm_now_ns() - t,
			     "until the first exit");
	else
		rs_count(v->m->em, RS_CTR_KVM_CALLS, 1);
	if (__builtin_expect(r < 0, 0)) {
		if (r == -EINTR || r == -EAGAIN)
			return interrupted(c);
		return rs_err_errno(err, -r, N_("KVM_RUN failed"));
	}
	translate(c->run, x);
	if (__builtin_expect(x->reason == KVM_EXIT_SHUTDOWN, 0)) {
		c->before = vmm_kvm_state(c->regs == c->buf ? c->buf + 1 : c->buf, &c->sregs); /* sregs: the last ones seen */
		x->shutdown.before = c->before.rflags ? &c->before : NULL; /* bit 1 is always set */
	}
	return 0;
}

