/* Exceptions and interrupts of the software x86 CPU: through the interrupt vector table of real mode, or the gates of
 * the IDT (SDM volume 3A, chapter 6; volume 2A, INT n).
 */
#include <string.h>

#include "emu/ia_sys.h"

#define FIXED 2u

void ia_change_flags(struct emu_ia_vcpu *v, uint64_t value, uint64_t mask)
{
	emu_ia_set_rflags(v->cpu, (emu_ia_rflags(v->cpu) & ~mask) | (value & mask) | FIXED);
}

void ia_set_cpl(struct emu_ia_vcpu *v, unsigned cpl)
{
	v->cpl = (uint8_t)cpl;
	ia_mem_mode(v);
}

/* -- who wants to know -- */

static struct emu_ia_point point(const struct emu_ia_vcpu *v)
{
	return (struct emu_ia_point){ v->seg[IA_CS].selector, v->seg[IA_SS].selector, v->cpl, ia_ip(v), v->cpu->r[IA_RSP],
				      emu_ia_rflags(v->cpu) };
}

void ia_cross_begin(struct emu_ia_vcpu *v, unsigned cause)
{
	if (!v->desc.cross)
		return;
	memset(&v->cross, 0, sizeof(v->cross));
	v->cross.cause = (uint8_t)cause;
	v->cross.from = point(v);
	v->cross.at = v->cross.from.rip;
}

void ia_cross_end(struct emu_ia_vcpu *v)
{
	if (!v->desc.cross)
		return;
	v->cross.to = point(v);
	if (v->cross.from.cpl != v->cross.to.cpl || v->cross.has_gate || v->cross.cause <= IA_CAUSE_NMI)
		v->desc.cross(v->desc.arg, &v->cross);
}

/* -- stacks -- */

void ia_stack_of(struct emu_ia_vcpu *v, struct ia_stack *s, const struct emu_ia_seg *ss, uint64_t sp, unsigned cpl)
{
	*s = (struct ia_stack){ .v = v, .base = ss->base, .mask = ss->db ? 0xffffffff : 0xffff, .system = cpl < 3,
				.limit = ss->limit, .check = true, .down = !(ss->type & 8) && (ss->type & 4), .big = ss->db,
				.vector = IA_V_SS };
	s->sp = sp & s->mask;
}

void ia_stack_now(struct emu_ia_vcpu *v, struct ia_stack *s)
{
	ia_stack_of(v, s, &v->seg[IA_SS], v->cpu->r[IA_RSP], v->cpl);
	if (ia_vm86(v)) {
		s->mask = 0xffff;
		s->sp &= 0xffff;
	}
	if (ia_code64(v)) {
		s->base = 0;
		s->mask = ~0ull;
		s->sp = v->cpu->r[IA_RSP];
		s->check = false;
	}
}

static int stack_limit(const struct ia_stack *s, unsigned bytes)
{
	uint64_t last = s->sp + bytes - 1;

	if (!s->check)
		return ia_canonical(s->sp) && ia_canonical(last) ? 0 : ia_fault(s->v, IA_V_SS, s->error);
	if (s->down ? s->sp > s->limit && last <= (s->big ? 0xffffffffu : 0xffffu) : last <= s->limit)
		return 0;
	return ia_fault(s->v, s->vector, s->error);
}

static uint64_t stack_linear(const struct ia_stack *s)
{
	return s->check ? (uint32_t)(s->base + s->sp) : s->sp;
}

int ia_stack_push(struct ia_stack *s, uint64_t value, unsigned bytes)
{
	int e;

	s->sp = (s->sp - bytes) & s->mask;
	e = stack_limit(s, bytes);
	return e ? e : ia_mem_write(s->v, stack_linear(s), &value, bytes, s->system);
}

int ia_stack_pop(struct ia_stack *s, uint64_t *value, unsigned bytes)
{
	int e = stack_limit(s, bytes);

	*value = 0;
	if (!e)
		e = ia_mem_read(s->v, stack_linear(s), value, bytes, s->system);
	s->sp = (s->sp + bytes) & s->mask;
	return e;
}

void ia_stack_commit(const struct ia_stack *s)
{
	uint64_t *rsp = &s->v->cpu->r[IA_RSP];

	*rsp = s->mask == 0xffff ? (*rsp & ~0xffffull) | s->sp : s->sp;
}

int ia_tss_stack(struct emu_ia_vcpu *v, unsigned cpl, uint16_t *ss, uint64_t *sp)
{
	const struct emu_ia_seg *tr = &v->seg[EMU_IA_TR];
	bool wide = tr->type & 8;
	unsigned at = ia_long(v) ? 4 + 8 * cpl : wide ? 4 + 8 * cpl : 2 + 4 * cpl, bytes = ia_long(v) ? 8 : wide ? 6 : 4;
	uint8_t b[8] = { 0 };
	uint32_t esp = 0;
	int e;

	*ss = 0;
	if (tr->unusable || at + bytes - 1 > tr->limit)
		return ia_fault(v, IA_V_TS, (tr->selector & 0xfffcu) | v->external);
	e = ia_mem_read(v, tr->base + at, b, bytes, true);
	if (e)
		return e;
	if (ia_long(v)) {
		memcpy(sp, b, 8);
		return ia_canonical(*sp) ? 0 : ia_fault(v, IA_V_SS, v->external);
	}
	memcpy(&esp, b, wide ? 4 : 2);
	memcpy(ss, b + (wide ? 4 : 2), 2);
	*sp = esp;
	return 0;
}

/* ISTn (SDM volume 3A, 6.14.5). */
static int ist_stack(struct emu_ia_vcpu *v, unsigned n, uint64_t *sp)
{
	const struct emu_ia_seg *tr = &v->seg[EMU_IA_TR];
	unsigned at = 36 + 8 * (n - 1);
	int e;

	if (tr->unusable || at + 7 > tr->limit)
		return ia_fault(v, IA_V_TS, (tr->selector & 0xfffcu) | v->external);
	e = ia_mem_read(v, tr->base + at, sp, 8, true);
	if (e)
		return e;
	return ia_canonical(*sp) ? 0 : ia_fault(v, IA_V_SS, v->external);
}

/* -- real mode -- */

static int deliver_real(struct emu_ia_vcpu *v, const struct emu_ia_event *e, uint64_t ip)
{
	uint16_t vector[2];
	struct ia_stack s;
	int r;

	if (e->vector * 4u + 3 > v->idt_limit)
		return ia_fault(v, IA_V_GP, 0);
	r = ia_mem_read(v, v->idt_base + e->vector * 4u, vector, 4, true);
	ia_stack_now(v, &s);
	if (!r)
		r = ia_stack_push(&s, emu_ia_rflags(v->cpu), 2);
	if (!r)
		r = ia_stack_push(&s, v->seg[IA_CS].selector, 2);
	if (!r)
		r = ia_stack_push(&s, ip, 2);
	if (r)
		return r;
	ia_stack_commit(&s);
	ia_change_flags(v, 0, IA_IF | IA_TF | IA_RF | IA_AC);
	ia_load_real(v, IA_CS, vector[1]);
	v->cpu->pc = ia_pc_of(v, vector[0]);
	return 0;
}

/* -- protected and long mode -- */

/* Code segment of a gate, and the level that it leads to. */
static int gate_code(struct emu_ia_vcpu *v, uint16_t selector, struct ia_descriptor *code, unsigned *cpl)
{
	uint32_t error = (selector & 0xfffcu) | v->external;
	int r;

	if (!(selector & 0xfffc))
		return ia_fault(v, IA_V_GP, v->external);
	r = ia_descriptor(v, selector, code, IA_V_GP);
	if (r)
		return r;
	if (!code->seg.s || !(code->seg.type & 8) || code->seg.dpl > v->cpl)
		return ia_fault(v, IA_V_GP, error);
	if (ia_long(v) && (!code->seg.l || code->seg.db))
		return ia_fault(v, IA_V_GP, error);
	if (!code->seg.present)
		return ia_fault(v, IA_V_NP, error);
	*cpl = code->seg.type & 4 ? v->cpl : code->seg.dpl;
	return ia_vm86(v) && *cpl != 0 ? ia_fault(v, IA_V_GP, error) : 0;
}

static int push_frame(struct emu_ia_vcpu *v, struct ia_stack *s, const struct emu_ia_event *e, uint64_t ip, uint64_t flags,
		      unsigned bytes, bool with_stack)
{
	static const uint8_t vm86[] = { IA_GS, IA_FS, IA_DS, IA_ES };
	int r = 0;

	for (unsigned k = 0; ia_vm86(v) && !r && k < 4; k++)
		r = ia_stack_push(s, v->seg[vm86[k]].selector, bytes);
	if (with_stack && !r)
		r = ia_stack_push(s, v->seg[IA_SS].selector, bytes);
	if (with_stack && !r)
		r = ia_stack_push(s, v->cpu->r[IA_RSP], bytes);
	if (!r)
		r = ia_stack_push(s, flags, bytes);
	if (!r)
		r = ia_stack_push(s, v->seg[IA_CS].selector, bytes);
	if (!r)
		r = ia_stack_push(s, ip, bytes);
	if (!r && e->has_error)
		r = ia_stack_push(s, e->error, bytes);
	return r;
}

/* Faults of instructions push RF, so that a breakpoint on the instruction does not come again (17.3.1.1). */
static uint64_t pushed_flags(const struct emu_ia_vcpu *v, const struct emu_ia_event *e)
{
	uint64_t f = emu_ia_rflags(v->cpu);

	if (e->cause == IA_CAUSE_EXCEPTION && e->vector != IA_V_DB && e->vector != IA_V_BP && e->vector != IA_V_OF &&
	    e->vector != IA_V_DF)
		f |= IA_RF;
	return f;
}

static void enter_handler(struct emu_ia_vcpu *v, struct ia_descriptor *code, uint16_t selector, uint64_t ip, unsigned cpl,
			  bool interrupt_gate)
{
	static const uint8_t data[] = { IA_ES, IA_DS, IA_FS, IA_GS };
	bool vm86 = ia_vm86(v);

	ia_change_flags(v, 0, IA_TF | IA_NT | IA_RF | IA_VM | (interrupt_gate ? IA_IF : 0));
	v->cpl = (uint8_t)cpl;
	ia_set_segment(v, IA_CS, code, (uint16_t)((selector & ~3u) | cpl));
	for (unsigned k = 0; vm86 && k < 4; k++)
		ia_null_segment(v, data[k], 0);
	v->cpu->pc = ia_pc_of(v, ip);
}

static int deliver_long(struct emu_ia_vcpu *v, const struct emu_ia_event *e, uint64_t ip, const struct ia_descriptor *gate)
{
	struct ia_descriptor code;
	unsigned cpl;
	uint64_t sp = v->cpu->r[IA_RSP];
	struct ia_stack s = { .v = v, .mask = ~0ull, .vector = IA_V_SS, .error = v->external };
	uint16_t ss;
	int r = gate_code(v, gate->gate_selector, &code, &cpl);

	if (r)
		return r;
	memcpy(v->cross.code, code.raw, 8);
	if (gate->gate_ist)
		r = ist_stack(v, gate->gate_ist, &sp);
	else if (cpl < v->cpl)
		r = ia_tss_stack(v, cpl, &ss, &sp);
	if (r)
		return r;
	v->cross.stack_switched = gate->gate_ist || cpl < v->cpl;
	s.sp = sp & ~15ull;
	s.system = cpl < 3;
	r = ia_canonical(gate->gate_offset) ? 0 : ia_fault(v, IA_V_GP, v->external);
	if (!r)
		r = push_frame(v, &s, e, ip, pushed_flags(v, e), 8, true);
	if (!r)
		r = ia_mark_accessed(v, &code);
	if (r)
		return r;
	v->cpu->r[IA_RSP] = s.sp;
	if (cpl < v->cpl)
		v->seg[IA_SS] = (struct emu_ia_seg){ .selector = (uint16_t)cpl, .unusable = true, .dpl = (uint8_t)cpl };
	enter_handler(v, &code, gate->gate_selector, gate->gate_offset, cpl, !(gate->seg.type & 1));
	return 0;
}

static int deliver_legacy(struct emu_ia_vcpu *v, const struct emu_ia_event *e, uint64_t ip, const struct ia_descriptor *gate)
{
	struct ia_descriptor code, stack;
	unsigned cpl, bytes = gate->seg.type & 8 ? 4 : 2;
	uint64_t offset = gate->seg.type & 8 ? gate->gate_offset : gate->gate_offset & 0xffff;
	struct ia_stack s;
	uint16_t ss = 0;
	uint64_t sp;
	bool inner;
	int r = gate_code(v, gate->gate_selector, &code, &cpl);

	if (r)
		return r;
	memcpy(v->cross.code, code.raw, 8);
	inner = cpl < v->cpl;
	if (inner) {
		r = ia_tss_stack(v, cpl, &ss, &sp);
		if (!r)
			r = ia_check_stack(v, ss, cpl, &stack, IA_V_TS);
		if (r)
			return r;
		ia_stack_of(v, &s, &stack.seg, sp, cpl);
		s.error = (ss & 0xfffcu) | v->external;
	} else {
		ia_stack_now(v, &s);
		s.error = v->external;
	}
	v->cross.stack_switched = inner;
	r = offset <= code.seg.limit ? 0 : ia_fault(v, IA_V_GP, v->external);
	if (!r)
		r = push_frame(v, &s, e, ip, pushed_flags(v, e), bytes, inner);
	if (!r)
		r = ia_mark_accessed(v, &code);
	if (!r && inner)
		r = ia_mark_accessed(v, &stack);
	if (r)
		return r;
	if (inner) {
		v->seg[IA_SS] = stack.seg;
		v->seg[IA_SS].selector = ss;
		v->cpu->r[IA_RSP] = 0; /* a 16-bit stack pointer leaves nothing of the old one */
	}
	ia_stack_commit(&s);
	enter_handler(v, &code, gate->gate_selector, offset, cpl, !(gate->seg.type & 1));
	return 0;
}

static int deliver_once(struct emu_ia_vcpu *v, const struct emu_ia_event *e)
{
	uint64_t ip = ia_ip(v) + e->length;
	unsigned size = ia_long(v) ? 16 : 8;
	uint32_t error;
	struct ia_descriptor gate = { 0 };
	int r;

	if (!ia_code64(v))
		ip = (uint32_t)ip;
	v->external = e->cause != IA_CAUSE_SOFT_INT;
	error = e->vector * 8u | 2u | v->external;
	ia_cross_begin(v, e->cause);
	v->cross.vector = e->vector;
	v->cross.has_error = e->has_error;
	v->cross.error = e->error;
	v->cross.from.rip = ip;
	if (!ia_protected(v))
		return deliver_real(v, e, ip);
	if (e->vector * size + size - 1 > v->idt_limit)
		return ia_fault(v, IA_V_GP, error);
	r = ia_mem_read(v, v->idt_base + e->vector * size, gate.raw, size, true);
	if (r)
		return r;
	ia_unpack(v, &gate);
	memcpy(v->cross.gate, gate.raw, sizeof(v->cross.gate));
	v->cross.has_gate = true;
	if (gate.seg.s || !((gate.seg.type & 6) == 6 || (gate.seg.type == 5 && !ia_long(v))) ||
	    (ia_long(v) && !(gate.seg.type & 8)))
		return ia_fault(v, IA_V_GP, error);
	if (e->cause == IA_CAUSE_SOFT_INT && gate.seg.dpl < v->cpl)
		return ia_fault(v, IA_V_GP, error);
	if (!gate.seg.present)
		return ia_fault(v, IA_V_NP, error);
	if (gate.seg.type == 5)
		return ia_task_switch(v, gate.gate_selector, IA_TASK_CALL, ip, e->has_error, e->error);
	return ia_long(v) ? deliver_long(v, e, ip, &gate) : deliver_legacy(v, e, ip, &gate);
}

/* -- what happens when that fails (SDM volume 3A, 6.15, interrupt 8) -- */

static bool contributory(unsigned vector)
{
	return vector == IA_V_DE || (vector >= IA_V_TS && vector <= IA_V_GP);
}

static bool has_error_code(unsigned vector)
{
	return vector == IA_V_DF || (vector >= IA_V_TS && vector <= IA_V_PF) || vector == IA_V_AC;
}

static struct emu_ia_event next_event(const struct emu_ia_event *first, unsigned second, uint32_t error)
{
	bool exception = first->cause == IA_CAUSE_EXCEPTION;
	struct emu_ia_event e = { .pending = true, .vector = (uint8_t)second, .cause = IA_CAUSE_EXCEPTION, .error = error };

	if (exception && ((contributory(first->vector) && contributory(second)) ||
			  (first->vector == IA_V_PF && (contributory(second) || second == IA_V_PF)))) {
		e.vector = IA_V_DF;
		e.error = 0;
	}
	e.has_error = has_error_code(e.vector);
	return e;
}

void ia_deliver(struct emu_ia_vcpu *v, struct emu_ia_event e)
{
	for (;;) {
		int r;

		if (e.cause == IA_CAUSE_EXCEPTION && e.vector == IA_V_PF)
			v->cr2 = v->cpu->fault_addr;
		if (!ia_protected(v))
			e.has_error = false;
		if (e.cause == IA_CAUSE_EXCEPTION)
			v->count.exceptions++;
		else
			v->count.interrupts++;
		r = deliver_once(v, &e);
		v->external = false;
		if (!r)
			break;
		if (e.cause == IA_CAUSE_EXCEPTION && e.vector == IA_V_DF) {
			v->dead = true;
			return;
		}
		e = next_event(&e, (unsigned)r - EMU_EXC_VECTOR, v->error);
	}
	v->nmi_masked |= e.cause == IA_CAUSE_NMI;
	v->halted = false;
	ia_cross_end(v);
}

int ia_soft_interrupt(struct emu_ia_vcpu *v, unsigned vector, unsigned length, bool privileged)
{
	struct emu_ia_event e = { .vector = (uint8_t)vector, .length = (uint8_t)length,
				  .cause = privileged ? IA_CAUSE_EXCEPTION : IA_CAUSE_SOFT_INT };
	int r;

	v->count.interrupts++;
	r = deliver_once(v, &e);
	v->external = false;
	if (!r)
		ia_cross_end(v);
	return r;
}
