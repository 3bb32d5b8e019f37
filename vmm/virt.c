/* What reaches the monitor in ring 0, and where it goes from there. The map is in virt.h.
 */
#include "vmm/virt.h"

#include <errno.h>
#include <string.h>

#include "engine/base/cleanup.h"

int vmm_virt_new(struct vmm_vcpu *v, struct vmm_cpu_state *s, struct rs_err *err)
{
	struct vmm_machine *m = v->m;
	struct vmm_virt *t;
	int r;

	if (m->desc.technique == RS_TECHNIQUE_ASSIST)
		return 0;
	t = v->virt = rs_xcalloc(1, sizeof(*t));
	t->m = m;
	t->v = v;
	t->technique = m->desc.technique;
	t->base = (uint32_t)m->desc.memory;
	t->gdt_base = (uint32_t)s->gdt_base;
	t->gdt_limit = s->gdt_limit;
	t->idt_base = (uint32_t)s->idt_base;
	t->idt_limit = s->idt_limit;
	t->cr0 = (uint32_t)s->cr0;
	t->cr4 = (uint32_t)s->cr4;
	t->tr = s->tr.selector;
	t->tr_base = (uint32_t)s->tr.base;
	t->tr_limit = s->tr.limit;
	t->cs = s->cs.selector;
	if (t->technique == RS_TECHNIQUE_TRANSLATE)
		virt_cache_new(t);
	r = virt_memory_init(t, s, err);
	if (r == 0 && t->cache) {
		t->frame->eip = virt_translated(t, t->frame->eip);
		t->frame->cs = VIRT_SEL_CACHE;
	}
	rs_emit(m->em, RS_EV_VIRT_START, RS_SRC_MONITOR, v->index, t->technique, t->base, VIRT_SIZE, 0, NULL);
	return r;
}

void vmm_virt_free(struct vmm_vcpu *v)
{
	if (!v->virt)
		return;
	virt_cache_free(v->virt);
	free(rs_steal(v->virt));
}

/* ---- in ---- */

static bool is_ours(unsigned vector)
{
	return vector == VIRT_INT_CALLOUT || vector == VIRT_INT_HYPERCALL || vector == VIRT_INT_LINK;
}

/* INT n of the guest meets a gate that is not for its ring: an exception. */
static enum rs_via via_of(unsigned vector)
{
	return is_ours(vector) ? RS_VIA_INT : vector >= 32 ? RS_VIA_INTERRUPT : RS_VIA_EXCEPTION;
}

/* An engine that reports crossings and faults itself does; for the others the monitor knows them. */
static void crossed(struct vmm_vcpu *v, unsigned to, enum rs_via via, uint64_t rip)
{
	unsigned from = v->trace->cpl;

	if (v->m->ops->exact)
		return;
	if (v->m->desc.trace != VMM_TRACE_EXITS) {
		vmm_crossed(v, to, via, rip, RS_SRC_EXIT, NULL);
		return;
	}
	rs_count(v->m->em, RS_CTR_CPU_RING_CROSSINGS + from * 4 + to, 1);
	v->trace->cpl = to;
}

void vmm_virt_start(struct vmm_vcpu *v)
{
	if (v->virt)
		crossed(v, 1, RS_VIA_IRET, v->rip);
}

static void look(const struct vmm_virt *t, struct vmm_cpu_state *s)
{
	s->rip = t->frame->eip;
	s->gpr[RSP] = t->frame->esp;
	s->rflags = t->frame->eflags;
}

static bool take(struct vmm_virt *t)
{
	const struct virt_frame *f = t->frame;
	uint32_t at;

	if (t->m->ops->get_state(t->v, &t->was, NULL) < 0)
		return false;
	t->s = t->was;
	if ((uint32_t)t->s.gpr[RSP] != t->base + VIRT_STACK_TOP - sizeof(*f)) {
		virt_give_up(t, N_("an exception in the monitor's own code"));
		return false;
	}
	look(t, &t->s);
	t->ring = f->cs & 3;
	t->translated = f->cs == VIRT_SEL_CACHE;
	at = f->eip;
	if (t->translated) {
		if (f->vector == VIRT_INT_CALLOUT)
			at -= 2; /* behind the INT, which stands for the instruction */
		if (f->vector != VIRT_INT_LINK && !virt_original(t, at, &at)) {
			virt_give_up(t, N_("the guest ran outside its translated code"));
			return false;
		}
		t->s.rip = at;
		virt_shadow(t, t->cs, &t->s.cs);
	} else {
		virt_shadow(t, f->cs, &t->s.cs);
	}
	virt_shadow(t, f->ss, &t->s.ss);
	t->v->rip = t->s.rip;
	t->v->cpl = t->ring;
	return true;
}

static void crossed_inward(struct vmm_virt *t)
{
	unsigned vector = t->frame->vector;

	if (t->ring != t->v->trace->cpl) /* IRET from ring 1 to ring 3 does not trap: seen late */
		crossed(t->v, t->ring, RS_VIA_UNSEEN, t->s.rip);
	if (vector < 32 && !t->m->ops->exact && t->m->desc.trace != VMM_TRACE_EXITS)
		rs_emit(t->m->em, RS_EV_CPU_FAULT, RS_SRC_EXIT, t->v->index, vector, t->frame->error, t->s.rip, t->ring, NULL);
	crossed(t->v, 0, via_of(vector), t->s.rip);
}

/* ---- what it was ---- */

static void reflect(struct vmm_virt *t, struct virt_fault f, unsigned int_len)
{
	if (!virt_deliver(t, f, int_len))
		vmm_vcpu_end(t->v, RS_OUT_SHUTDOWN, f.vector);
}

static bool fetch(struct vmm_virt *t, struct virt_insn *in)
{
	uint32_t n = 15, at = (uint32_t)(t->s.cs.base + t->s.rip);
	uint8_t code[15];

	while (n && !virt_read(t, at, code, n))
		n--;
	virt_decode(code, n, vmm_mode_bits(&t->s), (uint32_t)t->s.rip, in);
	return in->len;
}

static void emulate(struct vmm_virt *t, const struct virt_insn *in)
{
	uint32_t eip = (uint32_t)t->s.rip;
	struct virt_fault f = virt_emulate(t, in);

	if (f.raised)
		reflect(t, f, 0);
	else
		virt_tell_emulated(t, in, eip);
}

/* INT n, INT3 and INTO: the guest's own gate decides. */
static void software_interrupt(struct vmm_virt *t, const struct virt_insn *in)
{
	unsigned vector = in->op == VIRT_INT3 ? 3 : in->op == VIRT_INTO ? VEC_OF : in->imm & 255;

	reflect(t, virt_fault(vector, 0), in->len);
}

static void general_protection(struct vmm_virt *t)
{
	struct virt_insn in;

	if (!fetch(t, &in) || in.op == VIRT_PLAIN) {
		if (!virt_shadow_sync(t)) /* else: the guest has changed its GDT; once more */
			reflect(t, virt_fault(VEC_GP, t->frame->error), 0);
		return;
	}
	if (in.op == VIRT_INT || in.op == VIRT_INT3 || in.op == VIRT_INTO)
		software_interrupt(t, &in);
	else
		emulate(t, &in);
}

static void callout(struct vmm_virt *t)
{
	struct virt_insn in;

	if (fetch(t, &in))
		emulate(t, &in);
	else
		reflect(t, virt_fault(VEC_UD, 0), 0);
}

static void dispatch(struct vmm_virt *t)
{
	unsigned vector = t->frame->vector & 255;
	uint32_t eip;

	if (vector == VIRT_INT_LINK && t->translated) {
		if (virt_link(t, t->frame->eip, &eip))
			t->s.rip = eip;
		else
			virt_give_up(t, N_("the guest ran outside its translated code"));
	} else if (vector == VIRT_INT_CALLOUT && t->translated) {
		callout(t);
	} else if (vector == VIRT_INT_HYPERCALL && t->technique == RS_TECHNIQUE_PARA) {
		struct virt_fault f = virt_hypercall(t);

		if (f.raised)
			reflect(t, f, 0);
	} else if (vector == VEC_GP) {
		general_protection(t);
	} else if (vector >= 32) {
		t->waiting[vector / 64] |= 1ull << (vector % 64);
	} else if ((vector != VEC_NP && vector != VEC_SS) || !virt_shadow_sync(t)) {
		reflect(t, virt_fault(vector, t->frame->error), 0);
	}
}

/* External interrupts: the real IF is always set, the virtual one decides. */
static void interrupts(struct vmm_virt *t)
{
	for (int i = 3; i >= 0 && t->interrupts; i--) {
		unsigned vector;

		if (!t->waiting[i])
			continue;
		vector = (unsigned)i * 64 + 63 - (unsigned)__builtin_clzll(t->waiting[i]);
		t->waiting[i] &= ~(1ull << (vector % 64));
		reflect(t, virt_fault(vector, 0), 0);
		return;
	}
}

/* ---- out ---- */

/* Where the real CPU goes on; false: there is no code. */
static bool where(struct vmm_virt *t, uint32_t *eip)
{
	*eip = (uint32_t)t->s.rip;
	if (t->s.rip > t->s.cs.limit)
		return false;
	if (t->translated)
		*eip = virt_translated(t, *eip);
	return *eip || !t->translated;
}

static void leave(struct vmm_virt *t)
{
	const uint32_t real_cr0 = CR0_MP | CR0_EM | CR0_TS;
	struct vmm_cpu_state next = t->was;
	struct virt_frame *f = t->frame;
	uint32_t eip;

	if (!where(t, &eip)) {
		reflect(t, virt_fault(VEC_GP, 0), 0);
		if (!t->v->ended && !where(t, &eip))
			vmm_vcpu_end(t->v, RS_OUT_SHUTDOWN, VEC_GP);
	}
	if (t->v->ended)
		return;
	f->eip = eip;
	f->cs = t->translated ? VIRT_SEL_CACHE : t->s.cs.selector;
	f->eflags = ((uint32_t)t->s.rflags & ~EFLAGS_SYSTEM) | (uint32_t)(RFLAGS_IF | RFLAGS_FIXED);
	f->esp = (uint32_t)t->s.gpr[RSP];
	f->ss = t->s.ss.selector;
	memcpy(next.gpr, t->s.gpr, sizeof(next.gpr));
	next.gpr[RSP] = t->was.gpr[RSP];
	next.cr0 = (next.cr0 & ~(uint64_t)real_cr0) | (t->cr0 & real_cr0);
	if (memcmp(&next, &t->was, sizeof(next)))
		t->m->ops->set_state(t->v, &next, NULL);
	crossed(t->v, t->ring, RS_VIA_IRET, t->s.rip);
}

void vmm_virt_entered(struct vmm_vcpu *v)
{
	struct vmm_virt *t = v->virt;

	if (!take(t))
		return;
	crossed_inward(t);
	virt_tell_trap(t);
	virt_shadow_sync(t);
	dispatch(t);
	if (!v->ended)
		interrupts(t);
	if (!v->ended)
		leave(t);
}

void vmm_virt_seen(const struct vmm_virt *t, struct vmm_cpu_state *s)
{
	if (s->cs.selector != VIRT_SEL_CODE || s->rip != t->base + VIRT_LEAVE)
		return;
	look(t, s);
	if (t->frame->cs == VIRT_SEL_CACHE)
		s->cs = (struct vmm_seg){ .limit = ~0u, .selector = VIRT_SEL_CACHE, .type = 9, .s = 1, .dpl = 1,
					  .present = 1, .db = 1, .g = 1 };
	else
		virt_shadow((struct vmm_virt *)t, t->frame->cs, &s->cs);
	virt_shadow((struct vmm_virt *)t, t->frame->ss, &s->ss);
}

void vmm_virt_end(struct vmm_vcpu *v)
{
	if (v->virt)
		virt_show(v->virt);
}

/* ---- hypercalls ---- */

static uint32_t write_out(struct vmm_virt *t, uint32_t at, uint32_t len)
{
	const unsigned char *p = virt_ram(t, at, len);

	for (uint32_t i = 0; p && i < len; i++)
		vmm_out_byte(&t->m->serial_out, p[i]);
	if (p)
		rs_count(t->m->em, RS_CTR_VM_SERIAL_BYTES, len);
	return p ? len : ~0u;
}

/* Number in EAX, arguments in EBX and ECX, result in EAX. */
struct virt_fault virt_hypercall(struct vmm_virt *t)
{
	uint32_t nr = (uint32_t)t->s.gpr[RAX], a0 = (uint32_t)t->s.gpr[RBX], a1 = (uint32_t)t->s.gpr[RCX];
	uint32_t result;

	rs_count(t->m->em, RS_CTR_VIRT_HYPERCALLS, 1);
	switch (nr) {
	case VMM_HC_FLAGS:
		result = t->interrupts;
		t->interrupts = a0 & 1;
		break;
	case VMM_HC_WRITE:
		result = write_out(t, a0, a1);
		break;
	case VMM_HC_IRET:
		vmm_hypercall_tell(t->v, nr, a0, a1);
		return virt_iret(t, 4);
	default:
		t->s.gpr[RAX] = (uint32_t)vmm_hypercall(t->v, nr, a0, a1);
		return virt_ok();
	}
	vmm_hypercall_tell(t->v, nr, a0, a1);
	t->s.gpr[RAX] = result;
	return virt_ok();
}
