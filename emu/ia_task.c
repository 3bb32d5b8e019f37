/* Hardware task switches, 32- and 16-bit TSS (SDM volume 3A, 7.3). */
#include <string.h>

#include "emu/ia_sys.h"

/* Figure 7-2 and 7-10. */
struct tss32 {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, reg[8], seg[6], ldt, trap;
};
struct tss16 {
	uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, reg[8], seg[4], ldt;
};
enum { TSS32 = 8, BUSY = 2, LIMIT32 = 0x67, LIMIT16 = 0x2b };

static int save(struct emu_ia_vcpu *v, uint64_t next, uint64_t flags)
{
	const struct emu_ia_seg *tr = &v->seg[EMU_IA_TR];
	int e;

	if (tr->type & TSS32) {
		struct tss32 t;

		e = ia_mem_read(v, tr->base, &t, sizeof(t), true);
		if (e)
			return e;
		t.eip = (uint32_t)next;
		t.eflags = (uint32_t)flags;
		for (unsigned k = 0; k < 8; k++)
			t.reg[k] = (uint32_t)v->cpu->r[k];
		for (unsigned k = 0; k < 6; k++)
			t.seg[k] = v->seg[k].selector;
		return ia_mem_write(v, tr->base, &t, sizeof(t), true);
	}
	struct tss16 t;

	e = ia_mem_read(v, tr->base, &t, sizeof(t), true);
	if (e)
		return e;
	t.ip = (uint16_t)next;
	t.flags = (uint16_t)flags;
	for (unsigned k = 0; k < 8; k++)
		t.reg[k] = (uint16_t)v->cpu->r[k];
	for (unsigned k = 0; k < 4; k++)
		t.seg[k] = v->seg[k].selector;
	return ia_mem_write(v, tr->base, &t, sizeof(t), true);
}

static int load(struct emu_ia_vcpu *v, const struct ia_descriptor *d, struct tss32 *t)
{
	struct tss16 s;
	int e;

	if (d->seg.type & TSS32)
		return ia_mem_read(v, d->seg.base, t, sizeof(*t), true);
	e = ia_mem_read(v, d->seg.base, &s, sizeof(s), true);
	if (e)
		return e;
	memset(t, 0, sizeof(*t));
	t->eip = s.ip;
	t->eflags = s.flags;
	t->cr3 = (uint32_t)v->mmu.cr3;
	t->ldt = s.ldt;
	for (unsigned k = 0; k < 8; k++)
		t->reg[k] = 0xffff0000u | s.reg[k];
	for (unsigned k = 0; k < 4; k++)
		t->seg[k] = s.seg[k];
	return 0;
}

static int set_busy(struct emu_ia_vcpu *v, uint16_t selector, bool busy)
{
	uint64_t at = v->gdt_base + (selector & 0xfff8u) + 5;
	uint8_t b;
	int e = ia_mem_read(v, at, &b, 1, true);

	b = (uint8_t)(busy ? b | BUSY : b & ~BUSY);
	return e ? e : ia_mem_write(v, at, &b, 1, true);
}

/* In the new task already: faults are its own. */
static int load_segments(struct emu_ia_vcpu *v, const struct tss32 *t)
{
	static const uint8_t data[] = { IA_ES, IA_DS, IA_FS, IA_GS };
	struct ia_descriptor code, stack;
	uint16_t cs = (uint16_t)t->seg[IA_CS], ss = (uint16_t)t->seg[IA_SS];
	int e;

	if (ia_vm86(v)) {
		v->cpl = 3;
		for (unsigned k = 0; k < 6; k++)
			ia_load_real(v, k, (uint16_t)t->seg[k]);
		return 0;
	}
	v->cpl = cs & 3;
	for (unsigned k = 0; k < 6; k++)
		v->seg[k] = (struct emu_ia_seg){ .selector = (uint16_t)t->seg[k], .unusable = true, .dpl = v->cpl };
	if (!(cs & 0xfffc))
		return ia_fault(v, IA_V_TS, 0);
	e = ia_descriptor(v, cs, &code, IA_V_TS);
	if (e)
		return e;
	if (!code.seg.s || !(code.seg.type & 8) || (code.seg.type & 4 ? code.seg.dpl > v->cpl : code.seg.dpl != v->cpl))
		return ia_fault(v, IA_V_TS, cs & 0xfffcu);
	if (!code.seg.present)
		return ia_fault(v, IA_V_NP, cs & 0xfffcu);
	e = ia_check_stack(v, ss, v->cpl, &stack, IA_V_TS);
	if (!e)
		e = ia_mark_accessed(v, &code);
	if (!e)
		e = ia_mark_accessed(v, &stack);
	if (e)
		return e;
	ia_set_segment(v, IA_CS, &code, cs);
	ia_set_segment(v, IA_SS, &stack, ss);
	for (unsigned k = 0; k < 4 && !e; k++) {
		e = ia_load_segment(v, data[k], (uint16_t)t->seg[data[k]]);
		if (e == EMU_EXC_VECTOR + IA_V_GP)
			e = ia_fault(v, IA_V_TS, v->error);
	}
	return e;
}

static int push_error(struct emu_ia_vcpu *v, uint32_t error, bool wide)
{
	struct ia_stack s;
	int e;

	ia_stack_now(v, &s);
	e = ia_stack_push(&s, error, wide ? 4 : 2);
	if (!e)
		ia_stack_commit(&s);
	return e;
}

int ia_task_switch(struct emu_ia_vcpu *v, uint16_t selector, enum ia_task_cause cause, uint64_t next, bool has_error,
		   uint32_t error)
{
	uint32_t code = (selector & 0xfffcu) | v->external;
	uint16_t old = v->seg[EMU_IA_TR].selector;
	uint64_t flags = emu_ia_rflags(v->cpu);
	struct ia_descriptor d;
	struct tss32 t;
	bool wide;
	int e;

	if (!(selector & 0xfffc) || (selector & 4))
		return ia_fault(v, cause == IA_TASK_IRET ? IA_V_TS : IA_V_GP, code);
	e = ia_descriptor(v, selector, &d, cause == IA_TASK_IRET ? IA_V_TS : IA_V_GP);
	if (e)
		return e;
	if (d.seg.s || (d.seg.type & 5) != 1 || !(d.seg.type & BUSY) != (cause != IA_TASK_IRET))
		return ia_fault(v, cause == IA_TASK_IRET ? IA_V_TS : IA_V_GP, code);
	if (!d.seg.present)
		return ia_fault(v, IA_V_NP, code);
	wide = d.seg.type & TSS32;
	if (d.seg.limit < (wide ? LIMIT32 : LIMIT16) || v->seg[EMU_IA_TR].unusable)
		return ia_fault(v, IA_V_TS, code);
	v->cross.cause = IA_CAUSE_TASK;
	if (cause == IA_TASK_IRET)
		flags &= ~(uint64_t)IA_NT;
	if (cause == IA_TASK_IRET)
		next = ia_ip(v) + 1;
	e = load(v, &d, &t);
	if (!e)
		e = save(v, next, flags);
	if (!e && cause != IA_TASK_CALL)
		e = set_busy(v, old, false);
	if (!e && cause != IA_TASK_IRET)
		e = set_busy(v, selector, true);
	if (!e && cause == IA_TASK_CALL)
		e = ia_mem_write(v, d.seg.base, &old, 2, true);
	if (e)
		return e;
	v->seg[EMU_IA_TR] = d.seg;
	v->seg[EMU_IA_TR].type |= BUSY;
	v->seg[EMU_IA_TR].selector = selector;
	for (unsigned k = 0; k < 8; k++)
		v->cpu->r[k] = t.reg[k];
	emu_ia_set_rflags(v->cpu, t.eflags | 2 | (cause == IA_TASK_CALL ? IA_NT : 0));
	e = ia_set_control(v, v->mmu.cr0 | IA_CR0_TS, (v->mmu.cr0 & IA_CR0_PG) && wide ? t.cr3 : v->mmu.cr3, v->mmu.cr4,
			   v->mmu.efer, true);
	if (!e)
		e = ia_lldt(v, (uint16_t)t.ldt);
	v->cpu->pc = t.eip;
	if (!e)
		e = load_segments(v, &t);
	ia_mode_changed(v);
	v->cpu->pc = ia_pc_of(v, t.eip);
	if (!e && t.eip > v->seg[IA_CS].limit)
		e = IA_GP0(v);
	if (!e && (t.trap >> 0 & 1) && wide) {
		v->dr6 |= 1u << 15;
		v->db |= 1u << 15;
	}
	return !e && has_error ? push_error(v, error, wide) : e;
}
