/* IRET in all pairs of modes (SDM volume 2A, IRET). */
#include "emu/ia_sys.h"

#define FLAGS16 (IA_ARITH | IA_TF | IA_DF | IA_NT)
#define FLAGS32 (FLAGS16 | IA_RF | IA_AC | IA_ID)

static int pop3(struct ia_stack *s, uint64_t *ip, uint64_t *cs, uint64_t *flags, unsigned bytes)
{
	int e = ia_stack_pop(s, ip, bytes);

	if (!e)
		e = ia_stack_pop(s, cs, bytes);
	return e ? e : ia_stack_pop(s, flags, bytes);
}

static uint64_t flags_mask(const struct emu_ia_vcpu *v, unsigned bytes)
{
	return (bytes == 2 ? FLAGS16 : FLAGS32) | (v->cpl <= ia_iopl(v) ? IA_IF : 0) | (v->cpl == 0 ? IA_IOPL : 0);
}

static int iret_real(struct emu_ia_vcpu *v, unsigned bytes)
{
	uint64_t ip, cs, flags;
	struct ia_stack s;
	int e;

	if (ia_vm86(v) && ia_iopl(v) < 3)
		return IA_GP0(v);
	ia_stack_now(v, &s);
	e = pop3(&s, &ip, &cs, &flags, bytes);
	if (!e && ip > v->seg[IA_CS].limit)
		e = IA_GP0(v);
	if (e)
		return e;
	ia_stack_commit(&s);
	ia_change_flags(v, flags, (bytes == 2 ? FLAGS16 : FLAGS32) | IA_IF | (ia_vm86(v) ? 0 : IA_IOPL));
	ia_load_real(v, IA_CS, (uint16_t)cs);
	v->cpu->pc = ia_pc_of(v, ip);
	return 0;
}

static int to_vm86(struct emu_ia_vcpu *v, struct ia_stack *s, uint64_t ip, uint64_t cs, uint64_t flags)
{
	static const uint8_t order[] = { IA_ES, IA_DS, IA_FS, IA_GS };
	uint64_t sp, ss, sel[4];
	int e = ia_stack_pop(s, &sp, 4);

	if (!e)
		e = ia_stack_pop(s, &ss, 4);
	for (unsigned k = 0; !e && k < 4; k++)
		e = ia_stack_pop(s, &sel[k], 4);
	if (e)
		return e;
	v->cpl = 3;
	ia_change_flags(v, flags, FLAGS32 | IA_IF | IA_IOPL | IA_VM | IA_VIF | IA_VIP);
	for (unsigned k = 0; k < 4; k++)
		ia_load_real(v, order[k], (uint16_t)sel[k]);
	ia_load_real(v, IA_SS, (uint16_t)ss);
	ia_load_real(v, IA_CS, (uint16_t)cs);
	v->cpu->r[IA_RSP] = (uint32_t)sp;
	v->cpu->pc = ia_pc_of(v, ip & 0xffff);
	return 0;
}

static int check_code(struct emu_ia_vcpu *v, uint16_t cs, struct ia_descriptor *code)
{
	uint32_t error = cs & 0xfffcu;
	unsigned rpl = cs & 3;
	int e;

	if (!error)
		return IA_GP0(v);
	e = ia_descriptor(v, cs, code, IA_V_GP);
	if (e)
		return e;
	if (!code->seg.s || !(code->seg.type & 8) || rpl < v->cpl ||
	    (code->seg.type & 4 ? code->seg.dpl > rpl : code->seg.dpl != rpl) ||
	    (ia_long(v) && code->seg.l && code->seg.db))
		return ia_fault(v, IA_V_GP, error);
	return code->seg.present ? 0 : ia_fault(v, IA_V_NP, error);
}

static int iret_protected(struct emu_ia_vcpu *v, unsigned bytes)
{
	uint64_t ip, cs, flags, sp = 0, ss = 0, mask = flags_mask(v, bytes);
	struct ia_descriptor code, stack = { 0 };
	bool from64 = ia_code64(v), to64, outer, null_ss = false;
	struct ia_stack s;
	unsigned rpl;
	int e;

	ia_stack_now(v, &s);
	e = pop3(&s, &ip, &cs, &flags, bytes);
	if (e)
		return e;
	if (bytes == 4 && (flags & IA_VM) && v->cpl == 0 && !ia_long(v))
		return to_vm86(v, &s, ip, cs, flags);
	e = check_code(v, (uint16_t)cs, &code);
	if (e)
		return e;
	rpl = cs & 3;
	outer = rpl > v->cpl;
	to64 = ia_long(v) && code.seg.l;
	if (outer || from64) {
		e = ia_stack_pop(&s, &sp, bytes);
		if (!e)
			e = ia_stack_pop(&s, &ss, bytes);
		null_ss = !(ss & 0xfffc) && to64 && rpl < 3 && (ss & 3) == rpl;
		if (!e && !null_ss)
			e = ia_check_stack(v, (uint16_t)ss, rpl, &stack, IA_V_GP);
	}
	if (!e && (to64 ? !ia_canonical(ip) : ip > code.seg.limit))
		e = IA_GP0(v);
	if (!e)
		e = ia_mark_accessed(v, &code);
	if (!e && (outer || from64) && !null_ss)
		e = ia_mark_accessed(v, &stack);
	if (e)
		return e;
	ia_change_flags(v, flags, mask);
	v->cpl = (uint8_t)rpl;
	if (outer || from64) {
		if (null_ss) {
			v->seg[IA_SS] = (struct emu_ia_seg){ .selector = (uint16_t)ss, .unusable = true, .dpl = (uint8_t)rpl };
		} else {
			v->seg[IA_SS] = stack.seg;
			v->seg[IA_SS].selector = (uint16_t)ss;
		}
		v->cpu->r[IA_RSP] = to64 ? sp : stack.seg.db ? (uint32_t)sp : (v->cpu->r[IA_RSP] & 0xffff0000) | (uint16_t)sp;
	} else {
		ia_stack_commit(&s);
	}
	ia_set_segment(v, IA_CS, &code, (uint16_t)cs);
	if (outer)
		ia_drop_segments(v);
	v->cpu->pc = ia_pc_of(v, ip);
	return 0;
}

int ia_iret(struct emu_ia_vcpu *v, unsigned bytes)
{
	uint16_t link;
	int e;

	ia_cross_begin(v, IA_CAUSE_IRET);
	if (ia_real(v)) {
		e = iret_real(v, bytes);
	} else if (v->cpu->r[IA_G_RFLAGS] & IA_NT) {
		if (ia_long(v))
			return IA_GP0(v);
		e = ia_mem_read(v, v->seg[EMU_IA_TR].base, &link, 2, true);
		if (!e)
			e = ia_task_switch(v, link, IA_TASK_IRET, 0, false, 0);
	} else {
		e = iret_protected(v, bytes);
	}
	if (e)
		return e;
	v->nmi_masked = false;
	ia_cross_end(v);
	return 0;
}
