/* Ring crossings, exact where the host lets us.
 *
 * Into ring 0 the way leads through a gate. Over the first byte of every handler in
 * ring 0 stands an HLT while the guest runs (gates.c): HLT at CPL 0 leaves the guest
 * on every KVM, so the first instruction of a handler is always seen, and the frame
 * tells the rest (arrive.c). That needs no single steps, so ring 3 runs at full speed.
 * Out of ring 0 the way leads through an instruction of ring 0, which is stepped one
 * by one: IRET, SYSRET, SYSEXIT or a far return is decoded before it is executed, so it
 * is known even where its own step trap is not shown (SYSRET takes TF from R11).
 *
 * The guest must not see any of it: bytes are put back before anybody looks at memory,
 * and TF is taken out of the RFLAGS images that the guest can read. It still could
 * read a handler's code while that carries the HLT; a guest that sums its own code is
 * to be run with trace: exits.
 */
#include "vmm/trace.h"

#include <errno.h>
#include <string.h>

#include <linux/kvm.h>

#include "engine/base/cleanup.h"

#define TIME_PART 4       /* sampling takes over when this part of the time limit went into stepping */

int vmm_trace_new(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_trace_state *t = rs_xcalloc(1, sizeof(*t));

	(void)err;
	v->trace = t;
	t->exact = v->m->desc.trace != VMM_TRACE_EXITS && (!v->virt || v->m->ops->exact);
	t->everywhere = v->m->desc.trace == VMM_TRACE_STEPS && !v->virt;
	v->m->ops->eager(v, t->exact);
	return 0;
}

void vmm_trace_free(struct vmm_vcpu *v)
{
	free(rs_steal(v->trace));
}

static void mode(struct vmm_vcpu *v, bool exact, const char *why)
{
	v->trace->exact = exact;
	v->m->ops->eager(v, exact);
	rs_emit(v->m->em, RS_EV_CPU_TRACE, RS_SRC_MONITOR, v->index, exact, v->trace->steps, v->rip, 0, why);
}

void vmm_trace_give_up(struct vmm_vcpu *v, const char *why)
{
	mode(v, false, why);
}

void vmm_trace_start(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;

	t->cpl = v->cpl;
	t->started = vmm_ticks();
	rs_emit(v->m->em, RS_EV_CPU_RING, RS_SRC_MONITOR, v->index, v->cpl, v->cpl, RS_VIA_RESET, v->rip,
		NULL);
	if (t->exact && v->m->ops->set_debug(v, false, NULL, 0, NULL) < 0)
		mode(v, false, N_("this KVM cannot single-step: sampled at exits"));
}

/* -- what others report through -- */

void vmm_crossed(struct vmm_vcpu *v, unsigned to, enum rs_via via, uint64_t rip, enum rs_source src,
		 const char *text)
{
	struct vmm_trace_state *t = v->trace;

	rs_count(v->m->em, RS_CTR_CPU_RING_CROSSINGS + t->cpl * 4 + to, 1);
	rs_emit(v->m->em, RS_EV_CPU_RING, src, v->index, t->cpl, to, via, rip, text);
	t->cpl = to;
}

void vmm_trace_sample(struct vmm_vcpu *v)
{
	if (v->cpl != v->trace->cpl)
		vmm_crossed(v, v->cpl, RS_VIA_UNSEEN, v->rip, RS_SRC_EXIT, NULL);
}

void vmm_stepped(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;

	t->flight = false;
	t->steps++;
	rs_count(v->m->em, RS_CTR_VM_STEPS, 1);
	if (t->everywhere || v->steps_left)
		rs_emit(v->m->em, RS_EV_CPU_STEP, RS_SRC_STEP, v->index, t->s.rip, vmm_cpl(&t->s),
			t->insn.len, 0, t->insn.text);
}

static bool returns(const struct vmm_insn *i)
{
	return i->gate == VMM_INSN_IRET || i->gate == VMM_INSN_SYSRET || i->gate == VMM_INSN_SYSEXIT ||
	       i->gate == VMM_INSN_FAR;
}

static enum rs_via via_of(const struct vmm_insn *i, bool inward)
{
	switch (i->gate) {
	case VMM_INSN_INT:
		return RS_VIA_INT;
	case VMM_INSN_SYSCALL:
		return RS_VIA_SYSCALL;
	case VMM_INSN_SYSRET:
		return RS_VIA_SYSRET;
	case VMM_INSN_SYSENTER:
		return RS_VIA_SYSENTER;
	case VMM_INSN_SYSEXIT:
		return RS_VIA_SYSEXIT;
	case VMM_INSN_IRET:
		return RS_VIA_IRET;
	case VMM_INSN_FAR:
		return inward ? RS_VIA_CALL_GATE : RS_VIA_FAR_RET;
	case VMM_INSN_PLAIN:
		break;
	}
	return RS_VIA_UNSEEN;
}

void vmm_returned(struct vmm_vcpu *v, unsigned cpl)
{
	struct vmm_trace_state *t = v->trace;

	if (!t->flight || t->cpl >= cpl || !returns(&t->insn))
		return;
	vmm_crossed(v, cpl, via_of(&t->insn, false), t->s.rip, RS_SRC_STEP, t->insn.text);
	vmm_stepped(v);
}

/* -- before an entry -- */

static int single_step(struct vmm_vcpu *v, bool on, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;

	int r;

	/* On: every time, for instructions and gates take TF away on the sly. */
	if (!on && !t->stepping)
		return 0;
	r = v->m->ops->set_debug(v, on, NULL, 0, err);
	t->stepping = on && r == 0;
	return r == -ENOSYS ? 0 : r; /* a step then is: until the next exit */
}

void vmm_trace_hide(struct vmm_vcpu *v)
{
	if (!v->trace)
		return;
	vmm_gates_clear(v->m, &v->trace->gates);
	vmm_unplant(v->m, &v->trace->after_rep);
}

static int let_run(struct vmm_vcpu *v, struct rs_err *err)
{
	vmm_trace_hide(v);
	v->trace->flight = false;
	return single_step(v, false, err);
}

static bool spent(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;
	uint64_t ns;

	if (t->steps >= VMM_STEPS_MAX)
		return true;
	ns = vmm_ticks_ns(&v->m->clock, vmm_ticks() - t->started);
	return ns > v->m->desc.timeout_ns / TIME_PART && t->steps > 1000 && !v->steps_left;
}

/* Does the instruction load an RFLAGS image with TF set? Then the guest single-steps by itself. */
static bool guest_steps(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;
	const struct vmm_cpu_state *s = &t->s;
	int bits = vmm_mode_bits(s);
	unsigned word = (unsigned)bits / 8, at = t->insn.popf ? 0 : 2 * word;
	uint64_t top = s->gpr[RSP];
	uint8_t b;

	if (t->insn.gate == VMM_INSN_SYSRET)
		return s->gpr[R11] & RFLAGS_TF;
	if (!t->insn.popf && t->insn.gate != VMM_INSN_IRET)
		return false;
	if (bits != 64)
		top = (s->ss.db ? (uint32_t)top : (uint16_t)top) + s->ss.base;
	return vmm_read_linear(v->m, s, top + at + 1, &b, 1) == 1 && (b & 1);
}

static void plant_after_rep(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;
	struct vmm_walk w;

	vmm_unplant(v->m, &t->after_rep); /* a kick may have come in between */
	t->after_rep = (struct vmm_handler){ .linear = vmm_pc(&t->s) + t->insn.len };
	vmm_walk(v->m, &t->s, t->after_rep.linear, &w);
	if (!w.mapped)
		return;
	t->after_rep.gpa = w.gpa;
	for (unsigned i = 0; i < t->gates.n; i++)
		if (t->gates.h[i].gpa == w.gpa)
			return; /* a handler starts there: its own HLT does it */
	vmm_plant(v->m, &t->after_rep);
}

int vmm_trace_before(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;
	unsigned char code[15];
	bool step, rep;
	size_t n;
	int r;

	if (v->m->ops->exact)
		return vmm_exact_before(v, err);
	if (__builtin_expect(!t->exact && !v->steps_left, 1)) {
		if (__builtin_expect(t->stepping || t->gates.any_planted, 0))
			return let_run(v, err);
		return 0;
	}
	if (v->pending) /* the access completes first; its trap tells */
		return single_step(v, t->stepping, err);
	if (t->exact && spent(v)) {
		mode(v, false, N_("many instructions were stepped: sampled at exits from here on"));
		return vmm_trace_before(v, err);
	}
	r = v->m->ops->get_state(v, &t->s, err);
	if (r < 0)
		return r;
	vmm_gates_plant(v->m, &t->gates, vmm_pc(&t->s)); /* no HLT where we read now */
	n = vmm_read_linear(v->m, &t->s, vmm_pc(&t->s), code, sizeof(code));
	vmm_decode(code, n, vmm_mode_bits(&t->s), t->s.rip, &t->insn);
	if (guest_steps(v)) {
		if (t->exact)
			mode(v, false, N_("the guest sets TF and steps by itself: sampled at exits"));
		v->steps_left = 0;
		return let_run(v, err);
	}
	if (!t->msrs_known) {
		struct vmm_cpu_state msrs = t->s;

		t->msrs_known = true;
		if (v->m->ops->get_msrs(v, &msrs, NULL) == 0)
			t->msr = msrs;
	}
	t->s.star = t->msr.star;
	t->s.lstar = t->msr.lstar;
	t->s.fmask = t->msr.fmask;
	t->s.sysenter_eip = t->msr.sysenter_eip;
	vmm_gates_update(v, &t->gates, &t->s);
	vmm_gates_plant(v->m, &t->gates, vmm_pc(&t->s));
	t->flight = true;
	rep = t->insn.rep && !t->insn.io && !t->everywhere && !v->steps_left && v->cpl == 0;
	if (rep)
		plant_after_rep(v);
	step = v->cpl < 3 || t->everywhere || v->steps_left || t->once;
	t->once = false;
	if (step && t->insn.gate == VMM_INSN_SYSRET) {
		/* SYSRET takes TF from R11, and traps by that before the first instruction behind it. */
		t->s.gpr[R11] |= RFLAGS_TF;
		r = v->m->ops->set_state(v, &t->s, err);
		if (r < 0)
			return r;
	}
	return single_step(v, step && !(rep && t->after_rep.planted) && !(t->blind3 && v->cpl == 3), err);
}

/* -- after an exit -- */

/* PUSHF and SYSCALL store RFLAGS where the guest can see them; R11 of SYSRET is our own doing. */
static int hide_tf(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;
	struct vmm_cpu_state s;
	struct vmm_walk w;
	uint64_t top;
	uint8_t *p;
	int r;

	if (!t->insn.pushf && t->insn.gate != VMM_INSN_SYSCALL && t->insn.gate != VMM_INSN_SYSRET)
		return 0;
	r = v->m->ops->get_state(v, &s, err);
	if (r < 0)
		return r;
	if (!t->insn.pushf) {
		s.gpr[R11] &= ~RFLAGS_TF;
		return v->m->ops->set_state(v, &s, err);
	}
	top = s.gpr[RSP];
	if (vmm_mode_bits(&s) != 64)
		top = (s.ss.db ? (uint32_t)top : (uint16_t)top) + s.ss.base;
	vmm_walk(v->m, &s, top + 1, &w);
	p = w.mapped ? vmm_ram(v->m, w.gpa, 1) : NULL;
	if (p)
		*p &= 0xfe;
	return 0;
}

/* A step trap: t->insn was executed. */
static int trapped(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;
	int r;

	if (!t->flight) {
		vmm_trace_sample(v);
		return 0;
	}
	r = hide_tf(v, err);
	if (r < 0)
		return r;
	if (v->cpl != t->cpl) {
		enum rs_via via = via_of(&t->insn, v->cpl < t->cpl);

		vmm_crossed(v, v->cpl, via, via == RS_VIA_UNSEEN ? v->rip : t->s.rip,
			    via == RS_VIA_UNSEEN ? RS_SRC_EXIT : RS_SRC_STEP, t->insn.text);
	}
	if (t->insn.rep && v->rip == t->s.rip) /* one iteration of many */
		return 0;
	vmm_stepped(v);
	return 0;
}

void vmm_user_step_done(struct vmm_vcpu *v)
{
	if (v->steps_left && !--v->steps_left)
		v->m->orders.pause_now = true;
}

/* Does this exit belong to the instruction under way? */
static bool own_exit(const struct vmm_vcpu *v)
{
	const struct vmm_trace_state *t = v->trace;

	return t->flight && (v->rip == t->s.rip || v->rip == t->s.rip + t->insn.len);
}

static int halted(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;
	struct vmm_cpu_state s;
	struct vmm_handler *h;
	int r;

	if (!t->gates.any_planted && !t->after_rep.planted)
		return 0;
	r = v->m->ops->get_state(v, &s, err);
	if (r < 0)
		return r;
	if (t->after_rep.planted && t->after_rep.linear == vmm_pc(&s) - 1) {
		vmm_unplant(v->m, &t->after_rep);
		s.rip -= 1;
		v->rip = s.rip;
		if (t->flight)
			vmm_stepped(v);
		r = v->m->ops->set_state(v, &s, err);
		return r < 0 ? r : 1;
	}
	h = vmm_gates_at(&t->gates, vmm_pc(&s) - 1);
	if (!h || !(h->planted || h->alias))
		return 0;
	r = vmm_arrived(v, h, err);
	if (r < 0)
		return r;
	vmm_user_step_done(v);
	return 1;
}

/* A triple fault is never delivered, so nothing was seen; but the instruction is known. */
static void last_fault(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;
	uint64_t address;
	bool software;
	int vector;

	if (!t->flight || !t->stepping)
		return;
	vector = vmm_guess_exception(v->m, &t->s, &software, &address);
	if (vector >= 0 && !software)
		rs_emit(v->m->em, RS_EV_CPU_FAULT, RS_SRC_EXIT, v->index, (uint64_t)vector, 0, t->s.rip,
			vmm_cpl(&t->s), t->insn.text);
}

int vmm_trace_after(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;
	unsigned reason = v->exit.reason;
	int r;

	if (v->m->ops->exact)
		return vmm_exact_after(v, err);
	if (__builtin_expect(!t->exact && !t->stepping && !t->gates.any_planted, 1)) {
		/* A monitor in ring 0 knows the way in, and tells it. */
		if (reason != KVM_EXIT_SHUTDOWN && reason != KVM_EXIT_FAIL_ENTRY && !v->virt)
			vmm_trace_sample(v);
		if (v->steps_left)
			vmm_user_step_done(v);
		return reason == KVM_EXIT_DEBUG;
	}
	if (t->insn.privileged)
		t->msrs_known = false;
	switch (reason) {
	case KVM_EXIT_DEBUG:
		vmm_unplant(v->m, &t->after_rep);
		r = trapped(v, err);
		if (r == 0 && !t->flight)
			vmm_user_step_done(v);
		return r < 0 ? r : 1;
	case KVM_EXIT_HLT:
		r = halted(v, err);
		if (r)
			return r;
		break;
	case KVM_EXIT_SHUTDOWN: /* AMD-V resets the CPU, so that its registers tell nothing */
		last_fault(v);
		return 0;
	case KVM_EXIT_FAIL_ENTRY:
		return 0;
	}
	vmm_returned(v, v->cpl);
	if (own_exit(v)) {
		if (reason == KVM_EXIT_HLT)
			vmm_stepped(v);
		return 0;
	}
	if (t->stepping && v->cpl == 3 && t->cpl == 3)
		t->blind3 = true;
	t->flight = false;
	t->msrs_known = false;
	vmm_trace_sample(v);
	return 0;
}

void vmm_trace_assisted(struct vmm_vcpu *v)
{
	if (!v->trace)
		return;
	if (v->trace->flight)
		vmm_stepped(v);
	v->trace->msrs_known = false;
	vmm_user_step_done(v);
}

void vmm_trace_kicked(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;

	if ((!t->exact && !t->stepping) || v->m->ops->exact)
		return;
	if (t->flight && t->stepping && t->insn.gate == VMM_INSN_SYSRET) {
		struct vmm_cpu_state s;

		if (v->m->ops->get_state(v, &s, NULL) == 0) {
			s.gpr[R11] &= ~RFLAGS_TF;
			v->m->ops->set_state(v, &s, NULL);
		}
	}
	vmm_returned(v, v->cpl);
	if (own_exit(v) && v->rip == t->s.rip)
		return;
	if (t->stepping && v->cpl == 3 && t->cpl == 3)
		t->blind3 = true;
	t->flight = false;
	if (t->blind3) /* the step was never shown: it has long been made */
		vmm_user_step_done(v);
}

void vmm_trace_end(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;

	vmm_trace_hide(v);
	if (v->outcome == RS_OUT_SHUTDOWN || v->outcome == RS_OUT_FAIL_ENTRY || v->virt)
		return;
	if (t->flight && v->outcome == RS_OUT_DEBUG_EXIT)
		vmm_stepped(v);
	if (!v->m->ops->exact)
		vmm_trace_sample(v);
}
