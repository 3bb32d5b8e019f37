/* The engine `soft`: the software x86 CPU of emu/ (ia_cpu.h) as a CPU of the monitor.
 *
 * Ports and memory-mapped registers are called from inside its run, so an exit costs no more than a call; it
 * is counted, told and handled like one of KVM's. Ring crossings, faults and steps are what the CPU did, each
 * at its instruction: nothing is planted in the guest and nothing is guessed.
 */
#include <errno.h>
#include <string.h>

#include <linux/kvm.h>

#include "engine/base/cleanup.h"
#include "vmm/soft.h"

struct soft {
	struct emu_ia_vcpu *cpu;
	struct emu_ia_state state; /* of the last get_state, for set_state */
	bool step;
};

static struct soft *soft_of(struct vmm_vcpu *v)
{
	return v->engine;
}

static int soft_available(struct rs_err *err)
{
	(void)err;
	return 0; /* translated where the host can, interpreted elsewhere */
}

/* -- exits from inside the run -- */

/* v->exit is filled. Everything that happens to an exit of KVM happens to this one, too. */
static int leave(struct vmm_vcpu *v)
{
	struct soft *s = soft_of(v);
	uint64_t began = vmm_ticks();

	v->rip = emu_ia_rip(s->cpu);
	v->cpl = emu_ia_cpl(s->cpu);
	vmm_exact_sample(v);
	vmm_guest_exit(v);
	v->pending = false; /* the access is complete when this returns */
	if (v->m->pc)
		vmm_board_touched(v);
	v->inside += vmm_ticks() - began;
	return v->ended || v->m->orders.pause_now || v->m->on_exit ? EMU_IA_STOP : EMU_IA_GO_ON;
}

/* The same where the CPU takes no answer: it stops soon behind the instruction. */
static void leave_unasked(struct vmm_vcpu *v)
{
	if (leave(v) == EMU_IA_STOP)
		emu_ia_kick(soft_of(v)->cpu);
}

static int on_port(void *arg, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
	struct vmm_vcpu *v = arg;

	v->exit.reason = KVM_EXIT_IO;
	v->exit.io.port = port;
	v->exit.io.size = (uint8_t)bytes;
	v->exit.io.in = !write;
	v->exit.io.count = 1;
	v->exit.io.data = value;
	if (!write)
		*value = 0;
	return leave(v);
}

static int on_mmio(void *arg, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
	struct vmm_vcpu *v = arg;

	v->exit.reason = KVM_EXIT_MMIO;
	v->exit.mmio.gpa = gpa;
	v->exit.mmio.data = (uint8_t *)value;
	v->exit.mmio.len = bytes;
	v->exit.mmio.write = write;
	if (!write)
		*value = 0;
	return leave(v);
}

static int on_msr(void *arg, uint32_t index, bool write, uint64_t *value)
{
	struct vmm_vcpu *v = arg;
	uint8_t error = 0;

	if (v->m->pc && (write ? vmm_lapic_wrmsr(&v->m->pc->lapic, index, *value)
			       : vmm_lapic_rdmsr(&v->m->pc->lapic, index, value))) {
		vmm_board_sync(v);
		return 0;
	}
	v->exit.reason = write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	v->exit.msr.index = index;
	v->exit.msr.write = write;
	v->exit.msr.data = value;
	v->exit.msr.error = &error;
	leave_unasked(v);
	return error ? -EPERM : 0;
}

static bool on_hypercall(void *arg)
{
	struct vmm_vcpu *v = arg;
	struct emu_ia_vcpu *cpu = soft_of(v)->cpu;
	uint64_t ret = 0;

	v->exit.reason = KVM_EXIT_HYPERCALL;
	v->exit.hypercall.nr = emu_ia_gpr_of(cpu, RAX);
	v->exit.hypercall.args[0] = emu_ia_gpr_of(cpu, RBX);
	v->exit.hypercall.args[1] = emu_ia_gpr_of(cpu, RCX);
	v->exit.hypercall.ret = &ret;
	leave_unasked(v);
	emu_ia_set_gpr_of(cpu, RAX, ret);
	return true;
}

/* -- the platform -- */

static int on_acknowledge(void *arg)
{
	struct vmm_vcpu *v = arg;

	return v->m->pc ? vmm_board_ack(v) : -1;
}

static void on_cr8(void *arg, uint64_t cr8)
{
	struct vmm_vcpu *v = arg;

	if (!v->m->pc)
		return;
	vmm_lapic_set_cr8(&v->m->pc->lapic, (unsigned)cr8);
	vmm_board_line(v);
}

/* The TSC counts ns of the guest's clock (pc.h), and CPUID says so. */
#define TSC_HZ 1000000000u

static uint64_t on_tsc(void *arg)
{
	struct vmm_vcpu *v = arg;

	return vmm_guest_ns(v->m);
}

/* What the platform adds to the CPU (SDM vol. 2A, CPUID: leaves 1, 15H, 80000007H). */
static void on_cpuid(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	enum { APIC = 1 << 9, X2APIC = 1 << 21, TSC_DEADLINE = 1 << 24, HYPERVISOR = 1u << 31, INVARIANT = 1 << 8 };

	(void)arg, (void)subleaf;
	switch (leaf) {
	case 0:
		if (r[0] < 0x15)
			r[0] = 0x15;
		return;
	case 1:
		r[1] &= 0x00ffffff; /* APIC ID 0 */
		r[2] |= X2APIC | TSC_DEADLINE | HYPERVISOR;
		r[3] |= APIC;
		return;
	case 0x15:
		r[0] = r[1] = 1;
		r[2] = TSC_HZ;
		r[3] = 0;
		return;
	case 0x80000000:
		if (r[0] < 0x80000007)
			r[0] = 0x80000007;
		return;
	case 0x80000007:
		r[3] |= INVARIANT;
		return;
	}
}

static void soft_irq(struct vmm_vcpu *v, bool level)
{
	emu_ia_irq(soft_of(v)->cpu, level);
}

static void soft_nmi(struct vmm_vcpu *v)
{
	emu_ia_nmi(soft_of(v)->cpu);
}

/* -- crossings -- */

static void on_cross(void *arg, const struct emu_ia_cross *c)
{
	struct vmm_vcpu *v = arg;
	struct vmm_crossing x = vmm_soft_crossing(c);

	vmm_trace_cross(v, &x);
}

/* -- life -- */

static int soft_vm_new(struct vmm_machine *m, struct rs_err *err)
{
	(void)err;
	for (unsigned i = 0; i < m->slots; i++)
		rs_emit(m->em, RS_EV_VM_MEMORY, RS_SRC_MONITOR, 0, i, m->slot[i].gpa, m->slot[i].size,
			m->slot[i].readonly, NULL);
	return 0;
}

static void soft_vm_free(struct vmm_machine *m)
{
	struct soft *s = m->vcpu.engine;

	if (!s)
		return;
	emu_ia_free(s->cpu);
	free(s);
	m->vcpu.engine = NULL;
}

static int soft_vcpu_new(struct vmm_machine *m, unsigned index, struct rs_err *err)
{
	struct vmm_vcpu *v = &m->vcpu;
	struct soft *s = rs_xcalloc(1, sizeof(*s));
	struct emu_ia_slot slot[VMM_SLOTS_MAX];
	struct emu_ia_desc d = {
		.arg = v, .port = on_port, .mmio = on_mmio, .acknowledge = on_acknowledge, .msr = on_msr,
		/* Sampled crossings are looked for at exits; telling each one costs more than a system call. Where the monitor
		 * itself stands in ring 0 no exit shows the rings between. */
		.cross = m->desc.trace == VMM_TRACE_EXITS && m->desc.technique == RS_TECHNIQUE_ASSIST ? NULL : on_cross,
		.hypercall = on_hypercall,
	};

	v->engine = s;
	v->index = index;
	if (m->pc) {
		d.cpuid = on_cpuid;
		d.cr8 = on_cr8;
		d.tsc = on_tsc;
	}
	s->cpu = emu_ia_new(&d, slot, vmm_soft_slots(m, slot), err);
	return s->cpu ? 0 : err->code;
}

/* -- state -- */

static int soft_get_state(struct vmm_vcpu *v, struct vmm_cpu_state *out, struct rs_err *err)
{
	struct soft *s = soft_of(v);

	(void)err;
	emu_ia_get(s->cpu, &s->state);
	vmm_soft_state(&s->state, out);
	return 0;
}

static int soft_set_state(struct vmm_vcpu *v, const struct vmm_cpu_state *in, struct rs_err *err)
{
	struct soft *s = soft_of(v);

	emu_ia_get(s->cpu, &s->state);
	vmm_soft_take(in, &s->state);
	return emu_ia_set(s->cpu, &s->state, err);
}

static int soft_get_msrs(struct vmm_vcpu *v, struct vmm_cpu_state *io, struct rs_err *err)
{
	struct soft *s = soft_of(v);

	(void)err;
	emu_ia_get(s->cpu, &s->state);
	io->star = s->state.star;
	io->lstar = s->state.lstar;
	io->fmask = s->state.fmask;
	io->sysenter_eip = s->state.sysenter_eip;
	return 0;
}

static int soft_peek(struct vmm_vcpu *v, uint64_t *rip, unsigned *cpl, struct rs_err *err)
{
	(void)err;
	*rip = emu_ia_rip(soft_of(v)->cpu);
	*cpl = emu_ia_cpl(soft_of(v)->cpu);
	return 0;
}

static void soft_eager(struct vmm_vcpu *v, bool on)
{
	(void)v, (void)on; /* the state is always at hand */
}

static int soft_inject(struct vmm_vcpu *v, unsigned vector, struct rs_err *err)
{
	struct soft *s = soft_of(v);

	emu_ia_get(s->cpu, &s->state);
	s->state.event = true;
	s->state.event_vector = (uint8_t)vector;
	s->state.event_cause = vector < 32 ? IA_CAUSE_EXCEPTION : IA_CAUSE_IRQ;
	s->state.event_has_error = false;
	return emu_ia_set(s->cpu, &s->state, err);
}

static int soft_set_debug(struct vmm_vcpu *v, bool step, const uint64_t *bp, unsigned n, struct rs_err *err)
{
	(void)bp;
	if (n)
		return rs_err_set(err, -ENOSYS, N_("the software CPU takes no breakpoints here"));
	soft_of(v)->step = step;
	return 0;
}

/* -- running -- */

static void soft_wrote(struct vmm_vcpu *v, uint64_t gpa, uint64_t len)
{
	emu_ia_written(soft_of(v)->cpu, gpa, len);
}

static void soft_kick(struct vmm_vcpu *v)
{
	emu_ia_kick(soft_of(v)->cpu);
}

static int soft_run(struct vmm_vcpu *v, struct vmm_exit *x, struct rs_err *err)
{
	struct soft *s = soft_of(v);
	enum emu_ia_exit e = s->step ? emu_ia_step(s->cpu, true) : emu_ia_run(s->cpu, 0);

	switch (e) {
	case IA_EXIT_STOP:
	case IA_EXIT_KICK:
		return -EINTR;
	case IA_EXIT_HLT:
		x->reason = KVM_EXIT_HLT;
		return 0;
	case IA_EXIT_SHUTDOWN:
		x->reason = KVM_EXIT_SHUTDOWN;
		x->shutdown.before = NULL;
		return 0;
	case IA_EXIT_DEBUG:
	case IA_EXIT_BUDGET:
		x->reason = KVM_EXIT_DEBUG;
		x->debug.exception = 1;
		x->debug.pc = emu_ia_rip(s->cpu);
		x->debug.dr6 = x->debug.dr7 = 0;
		return 0;
	case IA_EXIT_NO_CODE: /* as KVM, which would have to emulate what it cannot read */
		x->reason = KVM_EXIT_INTERNAL_ERROR;
		x->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
		x->internal.ndata = 0;
		return 0;
	case IA_EXIT_COUNT:
		break;
	}
	return rs_err_set(err, -EIO, N_("the software CPU stopped for no reason that is known (%d)"), (int)e);
}

const struct vmm_engine_ops vmm_engine_soft = {
	.name = "soft",
	.exact = true,
	.available = soft_available,
	.vm_new = soft_vm_new,
	.vm_free = soft_vm_free,
	.vcpu_new = soft_vcpu_new,
	.run = soft_run,
	.kick = soft_kick,
	.wrote = soft_wrote,
	.peek = soft_peek,
	.eager = soft_eager,
	.get_state = soft_get_state,
	.set_state = soft_set_state,
	.get_msrs = soft_get_msrs,
	.inject = soft_inject,
	.irq = soft_irq,
	.nmi = soft_nmi,
	.set_debug = soft_set_debug,
};
