/* Tracing on an engine that reports ring crossings and faults itself: all of them, each at its instruction, and
 * no step is made but those that somebody asked for.
 */
#include <stdio.h>
#include <string.h>

#include <linux/kvm.h>

#include "vmm/trace.h"

/* The instruction of code segment `cs` at `rip`, as the page tables stand now. */
static bool decode(struct vmm_vcpu *v, uint16_t cs, uint64_t rip, struct vmm_insn *insn)
{
	unsigned char code[15];
	struct vmm_cpu_state s;
	struct vmm_seg seg;
	uint64_t base = 0, raw;
	int bits;
	size_t n;

	if (v->m->ops->get_state(v, &s, NULL) < 0)
		return false;
	bits = vmm_long_mode(&s) ? 64 : 32;
	if (vmm_real_mode(&s)) {
		base = cs * 16u;
		bits = 16;
	} else if (vmm_descriptor_read(v->m, &s, cs, &seg, &raw) && !(vmm_long_mode(&s) && seg.l)) {
		base = seg.base;
		bits = seg.db ? 32 : 16;
	}
	n = vmm_read_linear(v->m, &s, base + rip, code, sizeof(code));
	return n && vmm_decode(code, n, bits, rip, insn);
}

static uint64_t eight(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The gate's, or that of the code segment where the way leads through none. */
static uint64_t descriptor(struct vmm_vcpu *v, const struct vmm_crossing *x)
{
	uint64_t raw = eight(x->has_gate ? x->gate : x->code);
	struct vmm_cpu_state s;
	struct vmm_seg seg;

	if (!raw && v->m->ops->get_state(v, &s, NULL) == 0 && !vmm_real_mode(&s))
		vmm_descriptor_read(v->m, &s, x->to_cs, &seg, &raw);
	return raw;
}

/* Selectors and stacks beside cpu.ring, for who wants to see the way. */
static void tell_gate(struct vmm_vcpu *v, const struct vmm_crossing *x)
{
	char text[RS_TEXT_SIZE];

	if (!rs_wanted(v->m->em, RS_EV_CPU_GATE))
		return;
	snprintf(text, sizeof(text), "%02x:%02x -> %02x:%02x%s", x->from_cs, x->from_ss, x->to_cs, x->to_ss,
		 x->stack_switched ? ", other stack" : "");
	rs_emit(v->m->em, RS_EV_CPU_GATE, RS_SRC_STEP, v->index, descriptor(v, x), x->from_rsp,
		x->to_rsp, x->to_rip, text);
}

void vmm_trace_cross(struct vmm_vcpu *v, const struct vmm_crossing *x)
{
	struct vmm_trace_state *t = v->trace;
	struct vmm_insn insn;
	bool known;

	if (!t->exact) { /* the counters are exact all the same */
		if (x->from != x->to)
			rs_count(v->m->em, RS_CTR_CPU_RING_CROSSINGS + x->from * 4 + x->to, 1);
		return;
	}
	known = decode(v, x->from_cs, x->rip, &insn);
	if (x->fault)
		rs_emit(v->m->em, RS_EV_CPU_FAULT, RS_SRC_STEP, v->index, x->vector, x->error, x->rip, x->from,
			known ? insn.text : NULL);
	if (x->from != x->to)
		vmm_crossed(v, x->to, x->via, x->rip, RS_SRC_STEP, known ? insn.text : NULL);
	tell_gate(v, x);
	if (!t->everywhere && !v->steps_left && ++t->steps >= VMM_STEPS_MAX)
		vmm_trace_give_up(v, N_("many crossings were told one by one: they are only counted from here on"));
}

void vmm_exact_sample(struct vmm_vcpu *v)
{
	struct vmm_trace_state *t = v->trace;

	if (t->exact || v->cpl == t->cpl)
		return;
	if (v->m->desc.trace == VMM_TRACE_EXITS) { /* the engine counts none */
		vmm_crossed(v, v->cpl, RS_VIA_UNSEEN, v->rip, RS_SRC_EXIT, NULL);
		return;
	}
	rs_emit(v->m->em, RS_EV_CPU_RING, RS_SRC_EXIT, v->index, t->cpl, v->cpl, RS_VIA_UNSEEN, v->rip, NULL);
	t->cpl = v->cpl;
}

int vmm_exact_before(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;
	bool step = v->steps_left || (t->exact && t->everywhere);
	unsigned char code[15];
	size_t n;
	int r;

	t->flight = step;
	if (step != t->stepping) {
		r = v->m->ops->set_debug(v, step, NULL, 0, err);
		if (r < 0)
			return r;
		t->stepping = step;
	}
	if (!step)
		return 0;
	if (t->everywhere && t->steps >= VMM_STEPS_MAX && !v->steps_left)
		vmm_trace_give_up(v, N_("many instructions were stepped: sampled at exits from here on"));
	r = v->m->ops->get_state(v, &t->s, err);
	if (r < 0)
		return r;
	n = vmm_read_linear(v->m, &t->s, vmm_pc(&t->s), code, sizeof(code));
	vmm_decode(code, n, vmm_mode_bits(&t->s), t->s.rip, &t->insn);
	return 0;
}

int vmm_exact_after(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;
	unsigned reason = v->exit.reason;

	(void)err;
	vmm_exact_sample(v);
	/* HLT itself was a step; this is the CPU that stands in it. */
	if (t->flight && reason != KVM_EXIT_SHUTDOWN && reason != KVM_EXIT_HLT) {
		vmm_stepped(v);
		vmm_user_step_done(v);
	}
	return reason == KVM_EXIT_DEBUG;
}
