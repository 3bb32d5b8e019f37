/* States, crossings and memory between the software CPU's structures and ours. */
#include <string.h>

#include "vmm/soft.h"

static struct vmm_seg seg_out(const struct emu_ia_seg *s)
{
	return (struct vmm_seg){
		.base = s->base, .limit = s->limit, .selector = s->selector, .type = s->type, .s = s->s, .dpl = s->dpl,
		.present = s->present, .avl = s->avl, .l = s->l, .db = s->db, .g = s->g, .unusable = s->unusable,
	};
}

static struct emu_ia_seg seg_in(const struct vmm_seg *s)
{
	return (struct emu_ia_seg){
		.base = s->base, .limit = s->limit, .selector = s->selector, .type = s->type, .s = s->s, .dpl = s->dpl,
		.present = s->present, .avl = s->avl, .l = s->l, .db = s->db, .g = s->g, .unusable = s->unusable,
	};
}

void vmm_soft_state(const struct emu_ia_state *s, struct vmm_cpu_state *o)
{
	*o = (struct vmm_cpu_state){
		.rip = s->rip, .rflags = s->rflags,
		.cr0 = s->cr0, .cr2 = s->cr2, .cr3 = s->cr3, .cr4 = s->cr4, .cr8 = s->cr8, .efer = s->efer,
		.cs = seg_out(&s->seg[EMU_IA_CS]), .ss = seg_out(&s->seg[EMU_IA_SS]),
		.ds = seg_out(&s->seg[EMU_IA_DS]), .es = seg_out(&s->seg[EMU_IA_ES]),
		.fs = seg_out(&s->seg[EMU_IA_FS]), .gs = seg_out(&s->seg[EMU_IA_GS]),
		.tr = seg_out(&s->seg[EMU_IA_TR]), .ldtr = seg_out(&s->seg[EMU_IA_LDTR]),
		.gdt_base = s->gdt_base, .idt_base = s->idt_base, .gdt_limit = s->gdt_limit, .idt_limit = s->idt_limit,
		.star = s->star, .lstar = s->lstar, .fmask = s->fmask, .sysenter_eip = s->sysenter_eip,
	};
	memcpy(o->gpr, s->gpr, sizeof(o->gpr));
}

void vmm_soft_take(const struct vmm_cpu_state *i, struct emu_ia_state *s)
{
	const struct vmm_seg *from[EMU_IA_SEGS] = {
		[EMU_IA_ES] = &i->es, [EMU_IA_CS] = &i->cs, [EMU_IA_SS] = &i->ss, [EMU_IA_DS] = &i->ds,
		[EMU_IA_FS] = &i->fs, [EMU_IA_GS] = &i->gs, [EMU_IA_LDTR] = &i->ldtr, [EMU_IA_TR] = &i->tr,
	};

	memcpy(s->gpr, i->gpr, sizeof(s->gpr));
	s->rip = i->rip;
	s->rflags = i->rflags;
	s->cr0 = i->cr0;
	s->cr2 = i->cr2;
	s->cr3 = i->cr3;
	s->cr4 = i->cr4;
	s->cr8 = i->cr8;
	s->efer = i->efer;
	s->gdt_base = i->gdt_base;
	s->idt_base = i->idt_base;
	s->gdt_limit = i->gdt_limit;
	s->idt_limit = i->idt_limit;
	for (unsigned n = 0; n < EMU_IA_SEGS; n++)
		s->seg[n] = seg_in(from[n]);
}

unsigned vmm_soft_slots(const struct vmm_machine *m, struct emu_ia_slot slot[VMM_SLOTS_MAX])
{
	for (unsigned i = 0; i < m->slots; i++)
		slot[i] = (struct emu_ia_slot){ m->slot[i].gpa, m->slot[i].size, m->slot[i].host, m->slot[i].readonly };
	return m->slots;
}

/* -- crossings -- */

static enum rs_via via_of(const struct emu_ia_cross *c)
{
	switch ((enum emu_ia_cause)c->cause) {
	case IA_CAUSE_EXCEPTION:
		return RS_VIA_EXCEPTION;
	case IA_CAUSE_SOFT_INT:
		return RS_VIA_INT;
	case IA_CAUSE_IRQ:
	case IA_CAUSE_NMI:
		return RS_VIA_INTERRUPT;
	case IA_CAUSE_IRET:
		return RS_VIA_IRET;
	case IA_CAUSE_SYSCALL:
		return RS_VIA_SYSCALL;
	case IA_CAUSE_SYSRET:
		return RS_VIA_SYSRET;
	case IA_CAUSE_SYSENTER:
		return RS_VIA_SYSENTER;
	case IA_CAUSE_SYSEXIT:
		return RS_VIA_SYSEXIT;
	case IA_CAUSE_CALL_FAR:
	case IA_CAUSE_JMP_FAR:
		return RS_VIA_CALL_GATE;
	case IA_CAUSE_RET_FAR:
		return RS_VIA_FAR_RET;
	case IA_CAUSE_TASK:
	case IA_CAUSE_COUNT:
		break;
	}
	return RS_VIA_UNSEEN;
}

struct vmm_crossing vmm_soft_crossing(const struct emu_ia_cross *c)
{
	struct vmm_crossing x = {
		.via = via_of(c), .from = c->from.cpl, .to = c->to.cpl, .rip = c->at,
		.fault = c->cause == IA_CAUSE_EXCEPTION, .vector = c->vector, .error = c->error,
		.from_cs = c->from.cs, .from_ss = c->from.ss, .from_rsp = c->from.rsp,
		.to_cs = c->to.cs, .to_ss = c->to.ss, .to_rsp = c->to.rsp, .to_rip = c->to.rip,
		.has_gate = c->has_gate, .stack_switched = c->stack_switched,
	};

	memcpy(x.gate, c->gate, sizeof(x.gate));
	memcpy(x.code, c->code, sizeof(x.code));
	return x;
}
