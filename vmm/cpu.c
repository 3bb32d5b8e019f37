/* CPU state in the shapes that others want: a snapshot for the screens, and the part that the
 * VM-entry rules look at.
 */
#include "vmm/cpu.h"

void vmm_cpu_to_regs(const struct vmm_cpu_state *s, struct rs_x86_regs *out)
{
	*out = (struct rs_x86_regs){
		.rax = s->gpr[RAX], .rbx = s->gpr[RBX], .rcx = s->gpr[RCX], .rdx = s->gpr[RDX],
		.rsi = s->gpr[RSI], .rdi = s->gpr[RDI], .rbp = s->gpr[RBP], .rsp = s->gpr[RSP],
		.r8 = s->gpr[R8], .r9 = s->gpr[R9], .r10 = s->gpr[R10], .r11 = s->gpr[R11],
		.r12 = s->gpr[R12], .r13 = s->gpr[R13], .r14 = s->gpr[R14], .r15 = s->gpr[R15],
		.rip = s->rip, .rflags = s->rflags, .cpl = vmm_cpl(s),
		.cs = s->cs.selector, .ss = s->ss.selector, .ds = s->ds.selector,
		.es = s->es.selector, .fs = s->fs.selector, .gs = s->gs.selector,
		.tr = s->tr.selector, .ldtr = s->ldtr.selector,
		.cr0 = s->cr0, .cr2 = s->cr2, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->efer,
		.gdt_base = s->gdt_base, .gdt_limit = s->gdt_limit,
		.idt_base = s->idt_base, .idt_limit = s->idt_limit,
	};
}

/* KVM offers the guest real mode and unpaged protected mode on every CPU, by the "unrestricted
 * guest" control or by emulation; so the rules for a guest without it are not asked. */
void vmm_cpu_to_entry_state(const struct vmm_cpu_state *s, struct vmm_entry_state *out)
{
	*out = (struct vmm_entry_state){
		.cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->efer,
		.rip = s->rip, .rflags = s->rflags,
		.cs = s->cs, .ss = s->ss, .ds = s->ds, .es = s->es, .fs = s->fs, .gs = s->gs,
		.tr = s->tr, .ldtr = s->ldtr,
		.gdt_base = s->gdt_base, .gdt_limit = s->gdt_limit,
		.idt_base = s->idt_base, .idt_limit = s->idt_limit,
		.unrestricted_guest = true,
	};
}
