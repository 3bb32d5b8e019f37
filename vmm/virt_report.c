/* What the monitor in ring 0 says of its work.
 */
#include <stdio.h>

#include "vmm/virt.h"

static void fetch_text(struct vmm_virt *t, char text[RS_TEXT_SIZE])
{
	uint8_t code[15];
	struct virt_insn in;
	uint32_t n = sizeof(code);

	while (n && !virt_read(t, (uint32_t)(t->s.cs.base + t->s.rip), code, n))
		n--;
	virt_decode(code, n, vmm_mode_bits(&t->s), (uint32_t)t->s.rip, &in);
	snprintf(text, RS_TEXT_SIZE, "%s", in.len ? in.text : "(bad)");
}

void virt_tell_trap(struct vmm_virt *t)
{
	char text[RS_TEXT_SIZE];

	rs_count(t->m->em, RS_CTR_VIRT_TRAPS, 1);
	if (!rs_wanted(t->m->em, RS_EV_VIRT_TRAP))
		return;
	fetch_text(t, text);
	rs_emit(t->m->em, RS_EV_VIRT_TRAP, RS_SRC_MONITOR, t->v->index, t->frame->vector, t->frame->error, t->s.rip,
		t->ring, text);
}

void virt_tell_emulated(struct vmm_virt *t, const struct virt_insn *in, uint32_t eip)
{
	rs_count(t->m->em, RS_CTR_VIRT_EMULATED, 1);
	rs_emit(t->m->em, RS_EV_VIRT_EMULATE, RS_SRC_MONITOR, t->v->index, eip,
		in->op != VIRT_PLAIN && in->how != VIRT_TRAPS, 0, 0, in->text);
}

void virt_tell_reflected(struct vmm_virt *t, unsigned vector, uint32_t error, uint32_t eip, uint32_t handler)
{
	rs_count(t->m->em, RS_CTR_VIRT_REFLECTED, 1);
	rs_emit(t->m->em, RS_EV_VIRT_REFLECT, RS_SRC_MONITOR, t->v->index, vector, error, eip, handler, NULL);
}

void virt_give_up(struct vmm_virt *t, const char *why)
{
	t->gave_up = why;
	vmm_vcpu_end(t->v, RS_OUT_UNHANDLED, 0);
}

static void why(const struct vmm_virt *t, enum rs_lang lang, struct rs_str *out)
{
	if (t->gave_up)
		rs_str_addf(out, rs_tr(lang, N_("The monitor gave up: %s.\n")), rs_tr(lang, t->gave_up));
	else if (t->v->outcome == RS_OUT_SHUTDOWN)
		rs_str_addf(out, rs_tr(lang, N_("The virtual CPU shut down: the guest kernel has no handler for exception %u at 0x%x, nor one for the double fault that follows.\n")),
			    t->last_vector, t->last_eip);
}

void vmm_virt_explain(const struct vmm_virt *t, struct rs_str *out)
{
	for (int lang = 0; lang < RS_LANGS; lang++)
		why(t, (enum rs_lang)lang, out);
	rs_str_addf(out, "\nvirtual CPU: ring %u, IF %d, IOPL %u, CR0 %08x, GDT %08x limit %04x, IDT %08x limit %04x, TR %04x\n",
		    virt_cpl(t), t->interrupts, t->iopl, t->cr0, t->gdt_base, t->gdt_limit, t->idt_base, t->idt_limit, t->tr);
	rs_str_addf(out, "real CPU:    ring %u, EIP %08x, EFLAGS %08x\n\n", t->ring, (unsigned)t->s.rip,
		    (unsigned)t->s.rflags);
	if (t->s.cr0)
		vmm_disasm_around(t->m, &t->s, 3, 4, out);
}
