/* Far jumps, calls and returns, and call gates (SDM volume 3A, 5.8; volume 2, JMP, CALL, RET). */
#include <string.h>

#include "emu/ia_sys.h"

enum { AVAILABLE_TSS16 = 1, CALL_GATE16 = 4, TASK_GATE = 5, AVAILABLE_TSS = 9, CALL_GATE = 12 };

static int selector_fault(struct emu_ia_vcpu *v, unsigned vector, uint16_t selector)
{
	return ia_fault(v, vector, selector & 0xfffcu);
}

static int check_offset(struct emu_ia_vcpu *v, const struct ia_descriptor *code, uint64_t offset)
{
	bool fits = ia_long(v) && code->seg.l ? ia_canonical(offset) : offset <= code->seg.limit;

	return fits ? 0 : IA_GP0(v);
}

/* A code segment named by a JMP or CALL itself, at the same level. */
static int check_direct(struct emu_ia_vcpu *v, uint16_t selector, const struct ia_descriptor *d)
{
	bool conforming = d->seg.type & 4;

	if (conforming ? d->seg.dpl > v->cpl : (selector & 3) > v->cpl || d->seg.dpl != v->cpl)
		return selector_fault(v, IA_V_GP, selector);
	if (ia_long(v) && d->seg.l && d->seg.db)
		return selector_fault(v, IA_V_GP, selector);
	return d->seg.present ? 0 : selector_fault(v, IA_V_NP, selector);
}

static void enter_code(struct emu_ia_vcpu *v, const struct ia_descriptor *code, uint16_t selector, uint64_t offset)
{
	ia_set_segment(v, IA_CS, code, (uint16_t)((selector & ~3u) | v->cpl));
	v->cpu->pc = ia_pc_of(v, offset);
}

/* A call gate may be used from here; and its code segment. `call`: it may lead to an inner ring. */
static int check_gate(struct emu_ia_vcpu *v, uint16_t selector, const struct ia_descriptor *gate, bool call,
		      struct ia_descriptor *code, bool *inner)
{
	uint16_t to = gate->gate_selector;
	bool conforming;
	int e;

	if (gate->seg.dpl < v->cpl || gate->seg.dpl < (selector & 3))
		return selector_fault(v, IA_V_GP, selector);
	if (!gate->seg.present)
		return selector_fault(v, IA_V_NP, selector);
	if (!(to & 0xfffc))
		return IA_GP0(v);
	e = ia_descriptor(v, to, code, IA_V_GP);
	if (e)
		return e;
	if (!code->seg.s || !(code->seg.type & 8) || code->seg.dpl > v->cpl ||
	    (ia_long(v) && (!code->seg.l || code->seg.db)))
		return selector_fault(v, IA_V_GP, to);
	conforming = code->seg.type & 4;
	*inner = !conforming && code->seg.dpl < v->cpl;
	if (*inner && !call)
		return selector_fault(v, IA_V_GP, to);
	return code->seg.present ? 0 : selector_fault(v, IA_V_NP, to);
}

static bool is_call_gate(const struct emu_ia_vcpu *v, unsigned type)
{
	return type == CALL_GATE || (type == CALL_GATE16 && !ia_long(v));
}

static int to_task(struct emu_ia_vcpu *v, uint16_t selector, const struct ia_descriptor *d, enum ia_task_cause cause,
		   uint64_t next)
{
	bool gate = d->seg.type == TASK_GATE;

	if (ia_long(v) || !(gate || d->seg.type == AVAILABLE_TSS || d->seg.type == AVAILABLE_TSS16) || d->seg.dpl < v->cpl ||
	    d->seg.dpl < (selector & 3))
		return selector_fault(v, IA_V_GP, selector);
	if (!d->seg.present)
		return selector_fault(v, IA_V_NP, selector);
	return ia_task_switch(v, gate ? d->gate_selector : selector, cause, next, false, 0);
}

static uint64_t gate_offset(const struct ia_descriptor *gate)
{
	return gate->seg.type == CALL_GATE16 ? gate->gate_offset & 0xffff : gate->gate_offset;
}

static int jump(struct emu_ia_vcpu *v, uint16_t selector, uint64_t offset, uint64_t next)
{
	struct ia_descriptor d, code;
	bool inner;
	int e;

	if (ia_real(v)) {
		if (offset > v->seg[IA_CS].limit)
			return IA_GP0(v);
		ia_load_real(v, IA_CS, selector);
		v->cpu->pc = ia_pc_of(v, offset);
		return 0;
	}
	if (!(selector & 0xfffc))
		return IA_GP0(v);
	e = ia_descriptor(v, selector, &d, IA_V_GP);
	if (e)
		return e;
	if (d.seg.s) {
		if (!(d.seg.type & 8))
			return selector_fault(v, IA_V_GP, selector);
		e = check_direct(v, selector, &d);
		code = d;
	} else if (is_call_gate(v, d.seg.type)) {
		memcpy(v->cross.gate, d.raw, sizeof(v->cross.gate));
		v->cross.has_gate = true;
		e = check_gate(v, selector, &d, false, &code, &inner);
		offset = gate_offset(&d);
		selector = d.gate_selector;
	} else {
		return to_task(v, selector, &d, IA_TASK_JUMP, next);
	}
	if (!e)
		e = check_offset(v, &code, offset);
	if (!e)
		e = ia_mark_accessed(v, &code);
	if (!e)
		enter_code(v, &code, selector, offset);
	return e;
}

int ia_jump_far(struct emu_ia_vcpu *v, uint16_t selector, uint64_t offset, unsigned bytes)
{
	int e;

	(void)bytes;
	ia_cross_begin(v, IA_CAUSE_JMP_FAR);
	e = jump(v, selector, offset, ia_ip(v));
	if (!e)
		ia_cross_end(v);
	return e;
}

static int push2(struct ia_stack *s, uint64_t cs, uint64_t ip, unsigned bytes)
{
	int e = ia_stack_push(s, cs, bytes);

	return e ? e : ia_stack_push(s, ip, bytes);
}

/* To an inner ring: the new stack gets the old one's address and the parameters. */
static int push_inner(struct emu_ia_vcpu *v, struct ia_stack *s, const struct ia_descriptor *gate, unsigned bytes)
{
	uint64_t param[31], old = v->cpu->r[IA_RSP];
	unsigned count = ia_long(v) ? 0 : gate->gate_count;
	struct ia_stack from;
	int e = 0;

	ia_stack_now(v, &from);
	for (unsigned k = 0; !e && k < count; k++)
		e = ia_stack_pop(&from, &param[k], bytes);
	if (!e)
		e = ia_stack_push(s, v->seg[IA_SS].selector, bytes);
	if (!e)
		e = ia_stack_push(s, v->seg[IA_SS].db || ia_code64(v) ? old : old & 0xffff, bytes);
	for (unsigned k = count; !e && k-- > 0;)
		e = ia_stack_push(s, param[k], bytes);
	return e;
}

static int call_gate(struct emu_ia_vcpu *v, uint16_t selector, const struct ia_descriptor *gate, uint64_t next)
{
	unsigned bytes = ia_long(v) ? 8 : gate->seg.type == CALL_GATE ? 4 : 2, cpl = v->cpl;
	struct ia_descriptor code, stack = { 0 };
	struct ia_stack s;
	uint64_t sp;
	uint16_t ss = 0;
	bool inner;
	int e;

	memcpy(v->cross.gate, gate->raw, sizeof(v->cross.gate));
	v->cross.has_gate = true;
	e = check_gate(v, selector, gate, true, &code, &inner);
	if (e)
		return e;
	if (!inner) {
		ia_stack_now(v, &s);
	} else {
		cpl = code.seg.dpl;
		e = ia_tss_stack(v, cpl, &ss, &sp);
		if (e)
			return e;
		v->cross.stack_switched = true;
		if (ia_long(v)) {
			s = (struct ia_stack){ .v = v, .mask = ~0ull, .sp = sp, .system = true, .vector = IA_V_SS };
			ss = (uint16_t)cpl;
		} else {
			e = ia_check_stack(v, ss, cpl, &stack, IA_V_TS);
			if (e)
				return e;
			ia_stack_of(v, &s, &stack.seg, sp, cpl);
			s.error = ss & 0xfffcu;
		}
		e = push_inner(v, &s, gate, bytes);
	}
	if (!e)
		e = push2(&s, v->seg[IA_CS].selector, next, bytes);
	if (!e)
		e = check_offset(v, &code, gate_offset(gate));
	if (!e)
		e = ia_mark_accessed(v, &code);
	if (!e && inner && !ia_long(v))
		e = ia_mark_accessed(v, &stack);
	if (e)
		return e;
	if (inner) {
		v->cpl = (uint8_t)cpl;
		v->seg[IA_SS] = ia_long(v) ? (struct emu_ia_seg){ .unusable = true, .dpl = (uint8_t)cpl } : stack.seg;
		v->seg[IA_SS].selector = ss;
		v->cpu->r[IA_RSP] = 0;
	}
	ia_stack_commit(&s);
	memcpy(v->cross.code, code.raw, 8);
	enter_code(v, &code, gate->gate_selector, gate_offset(gate));
	return 0;
}

static int call(struct emu_ia_vcpu *v, uint16_t selector, uint64_t offset, unsigned bytes, uint64_t next)
{
	struct ia_descriptor d;
	struct ia_stack s;
	int e = 0;

	ia_stack_now(v, &s);
	if (!ia_real(v)) {
		if (!(selector & 0xfffc))
			return IA_GP0(v);
		e = ia_descriptor(v, selector, &d, IA_V_GP);
		if (e)
			return e;
		if (!d.seg.s)
			return is_call_gate(v, d.seg.type) ? call_gate(v, selector, &d, next)
							   : to_task(v, selector, &d, IA_TASK_CALL, next);
		if (!(d.seg.type & 8))
			return selector_fault(v, IA_V_GP, selector);
		e = check_direct(v, selector, &d);
	}
	if (!e)
		e = push2(&s, v->seg[IA_CS].selector, next, bytes);
	if (ia_real(v)) {
		if (!e && offset > v->seg[IA_CS].limit)
			e = IA_GP0(v);
		if (e)
			return e;
		ia_stack_commit(&s);
		ia_load_real(v, IA_CS, selector);
		v->cpu->pc = ia_pc_of(v, offset);
		return 0;
	}
	if (!e)
		e = check_offset(v, &d, offset);
	if (!e)
		e = ia_mark_accessed(v, &d);
	if (e)
		return e;
	ia_stack_commit(&s);
	enter_code(v, &d, selector, offset);
	return 0;
}

int ia_call_far(struct emu_ia_vcpu *v, uint16_t selector, uint64_t offset, unsigned bytes, uint64_t next)
{
	int e;

	ia_cross_begin(v, IA_CAUSE_CALL_FAR);
	v->cross.from.rip = next;
	e = call(v, selector, offset, bytes, next);
	if (!e)
		ia_cross_end(v);
	return e;
}

/* -- RET -- */

static int return_real(struct emu_ia_vcpu *v, struct ia_stack *s, uint64_t ip, uint16_t cs, unsigned release)
{
	if (ip > v->seg[IA_CS].limit)
		return IA_GP0(v);
	s->sp = (s->sp + release) & s->mask;
	ia_stack_commit(s);
	ia_load_real(v, IA_CS, cs);
	v->cpu->pc = ia_pc_of(v, ip);
	return 0;
}

static int return_outer(struct emu_ia_vcpu *v, struct ia_stack *s, struct ia_descriptor *code, uint16_t cs, uint64_t ip,
			unsigned bytes, unsigned release)
{
	bool to64 = ia_long(v) && code->seg.l, null;
	struct ia_descriptor stack = { 0 };
	unsigned rpl = cs & 3;
	uint64_t sp, ss;
	int e;

	s->sp = (s->sp + release) & s->mask;
	e = ia_stack_pop(s, &sp, bytes);
	if (!e)
		e = ia_stack_pop(s, &ss, bytes);
	if (e)
		return e;
	null = !(ss & 0xfffc) && to64 && rpl < 3 && (ss & 3) == rpl;
	if (!null)
		e = ia_check_stack(v, (uint16_t)ss, rpl, &stack, IA_V_GP);
	if (!e)
		e = check_offset(v, code, ip);
	if (!e)
		e = ia_mark_accessed(v, code);
	if (!e && !null)
		e = ia_mark_accessed(v, &stack);
	if (e)
		return e;
	v->cpl = (uint8_t)rpl;
	v->seg[IA_SS] = null ? (struct emu_ia_seg){ .unusable = true, .dpl = (uint8_t)rpl } : stack.seg;
	v->seg[IA_SS].selector = (uint16_t)ss;
	sp += release;
	v->cpu->r[IA_RSP] = to64 ? sp : stack.seg.db ? (uint32_t)sp : (v->cpu->r[IA_RSP] & 0xffff0000) | (uint16_t)sp;
	v->cross.stack_switched = true;
	enter_code(v, code, cs, ip);
	ia_drop_segments(v);
	return 0;
}

int ia_return_far(struct emu_ia_vcpu *v, unsigned bytes, unsigned release)
{
	struct ia_descriptor code;
	struct ia_stack s;
	uint64_t ip, cs64;
	uint16_t cs;
	int e;

	ia_cross_begin(v, IA_CAUSE_RET_FAR);
	ia_stack_now(v, &s);
	e = ia_stack_pop(&s, &ip, bytes);
	if (!e)
		e = ia_stack_pop(&s, &cs64, bytes);
	if (e)
		return e;
	cs = (uint16_t)cs64;
	if (ia_real(v))
		return return_real(v, &s, ip, cs, release);
	if (!(cs & 0xfffc))
		return IA_GP0(v);
	e = ia_descriptor(v, cs, &code, IA_V_GP);
	if (e)
		return e;
	if (!code.seg.s || !(code.seg.type & 8) || (cs & 3) < v->cpl ||
	    (code.seg.type & 4 ? code.seg.dpl > (cs & 3) : code.seg.dpl != (cs & 3)) ||
	    (ia_long(v) && code.seg.l && code.seg.db))
		return selector_fault(v, IA_V_GP, cs);
	if (!code.seg.present)
		return selector_fault(v, IA_V_NP, cs);
	if ((cs & 3) > v->cpl) {
		e = return_outer(v, &s, &code, cs, ip, bytes, release);
	} else {
		e = check_offset(v, &code, ip);
		if (!e)
			e = ia_mark_accessed(v, &code);
		if (!e) {
			s.sp = (s.sp + release) & s.mask;
			ia_stack_commit(&s);
			enter_code(v, &code, cs, ip);
		}
	}
	if (!e)
		ia_cross_end(v);
	return e;
}
