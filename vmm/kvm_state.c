/* Registers between KVM's structures and ours. */
#include "vmm/kvm_state.h"

static struct vmm_seg seg_in(const struct kvm_segment *k)
{
	return (struct vmm_seg){
		.base = k->base, .limit = k->limit, .selector = k->selector, .type = k->type,
		.s = k->s, .dpl = k->dpl, .present = k->present, .avl = k->avl, .l = k->l,
		.db = k->db, .g = k->g, .unusable = k->unusable,
	};
}

static struct kvm_segment seg_out(const struct vmm_seg *s)
{
	return (struct kvm_segment){
		.base = s->base, .limit = s->limit, .selector = s->selector, .type = s->type,
		.s = s->s, .dpl = s->dpl, .present = s->present, .avl = s->avl, .l = s->l,
		.db = s->db, .g = s->g, .unusable = s->unusable,
	};
}

struct vmm_cpu_state vmm_kvm_state(const struct kvm_regs *r, const struct kvm_sregs *s)
{
	return (struct vmm_cpu_state){
		.gpr = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi, r->r8, r->r9,
			 r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 },
		.rip = r->rip, .rflags = r->rflags,
		.cr0 = s->cr0, .cr2 = s->cr2, .cr3 = s->cr3, .cr4 = s->cr4, .cr8 = s->cr8,
		.efer = s->efer,
		.cs = seg_in(&s->cs), .ss = seg_in(&s->ss), .ds = seg_in(&s->ds), .es = seg_in(&s->es),
		.fs = seg_in(&s->fs), .gs = seg_in(&s->gs), .tr = seg_in(&s->tr),
		.ldtr = seg_in(&s->ldt),
		.gdt_base = s->gdt.base, .gdt_limit = s->gdt.limit,
		.idt_base = s->idt.base, .idt_limit = s->idt.limit,
	};
}

struct kvm_regs vmm_kvm_regs(const struct vmm_cpu_state *s)
{
	return (struct kvm_regs){
		.rax = s->gpr[RAX], .rcx = s->gpr[RCX], .rdx = s->gpr[RDX], .rbx = s->gpr[RBX],
		.rsp = s->gpr[RSP], .rbp = s->gpr[RBP], .rsi = s->gpr[RSI], .rdi = s->gpr[RDI],
		.r8 = s->gpr[R8], .r9 = s->gpr[R9], .r10 = s->gpr[R10], .r11 = s->gpr[R11],
		.r12 = s->gpr[R12], .r13 = s->gpr[R13], .r14 = s->gpr[R14], .r15 = s->gpr[R15],
		.rip = s->rip, .rflags = s->rflags,
	};
}

void vmm_kvm_sregs(const struct vmm_cpu_state *i, struct kvm_sregs *s)
{
	s->cr0 = i->cr0;
	s->cr2 = i->cr2;
	s->cr3 = i->cr3;
	s->cr4 = i->cr4;
	s->cr8 = i->cr8;
	s->efer = i->efer;
	s->cs = seg_out(&i->cs);
	s->ss = seg_out(&i->ss);
	s->ds = seg_out(&i->ds);
	s->es = seg_out(&i->es);
	s->fs = seg_out(&i->fs);
	s->gs = seg_out(&i->gs);
	s->tr = seg_out(&i->tr);
	s->ldt = seg_out(&i->ldtr);
	s->gdt.base = i->gdt_base;
	s->gdt.limit = (uint16_t)i->gdt_limit;
	s->idt.base = i->idt_base;
	s->idt.limit = (uint16_t)i->idt_limit;
}

unsigned vmm_kvm_cpl(const struct kvm_regs *r, const struct kvm_sregs *s)
{
	if (!(s->cr0 & CR0_PE))
		return 0;
	return r->rflags & RFLAGS_VM ? 3 : s->ss.dpl;
}

/* IF, IOPL, VM */
#define FLAGS 0x23200ull

static unsigned slot_of(uint64_t rip)
{
	return (unsigned)(rip ^ rip >> 6) % VMM_CPL_MEMO;
}

int vmm_cpl_recall(struct vmm_cpl_memo *m, const struct kvm_regs *r)
{
	unsigned i = slot_of(r->rip);

	if (!m->at[i].uses || m->at[i].rip != r->rip || m->at[i].rsp != r->rsp ||
	    m->at[i].flags != (r->rflags & FLAGS))
		return -1;
	m->at[i].uses--;
	return m->at[i].cpl;
}

void vmm_cpl_learn(struct vmm_cpl_memo *m, const struct kvm_regs *r, unsigned cpl)
{
	unsigned i = slot_of(r->rip);

	m->at[i].rip = r->rip;
	m->at[i].rsp = r->rsp;
	m->at[i].flags = r->rflags & FLAGS;
	m->at[i].cpl = (uint8_t)cpl;
	m->at[i].uses = VMM_CPL_USES;
}
