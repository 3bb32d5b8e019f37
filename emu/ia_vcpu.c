/* Life of a software x86 CPU, and its state in and out (ia_cpu.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emu/ia_sys.h"
#include "emu/x86.h"

#define PAGE 4096u

const char *emu_ia_exit_name(enum emu_ia_exit e)
{
	static const char *const names[IA_EXIT_COUNT] = { "stop", "kick", "hlt", "shutdown", "debug", "budget", "no-code" };

	return (unsigned)e < IA_EXIT_COUNT ? names[e] : "?";
}

/* -- the front end -- */

static unsigned translate(struct emu_xlat *x, const uint8_t *code, unsigned avail)
{
	const struct emu_ia_vcpu *v = emu_x_owner(x);

	return emu_ia_translate(x, &v->mode, code, avail);
}

static unsigned text(const uint8_t *code, unsigned avail, uint64_t pc, char *buf, size_t size)
{
	return emu_guest_ia64.disasm(code, avail, pc, buf, size);
}

/* r15 is taken (x86_soft.c): ten registers. */
static const uint16_t hot[] = {
	EMU_R(IA_RSP), EMU_R(IA_RAX), EMU_R(IA_RCX), EMU_R(IA_RDX), EMU_R(IA_RBX), EMU_R(IA_RDI), EMU_R(IA_RSI),
	EMU_R(IA_RBP), EMU_R(IA_G_CC_DST), EMU_R(IA_G_CC_SRC), EMU_NOTEMP
};
static const uint16_t hot_fp[] = { EMU_NOTEMP };

static const struct emu_guest guest = {
	.name = "x86", .insn_align = 1, .insn_max = IA_INSN_MAX, .hot = hot, .hot_fp = hot_fp,
	.reg = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		 "cc_op", "cc_dst", "cc_src", "cc_src2", "es.base", "cs.base", "ss.base", "ds.base", "fs.base", "gs.base", "dir",
		 "rflags", "sse", "cpl", "waiting", "shadow",
		 [EMU_F(0)] = "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
		 "xmm13", "xmm14", "xmm15" },
	.vector_bits = 128, .sys_nr = IA_RAX, .sys_ret = IA_RAX, .sp = IA_RSP, .tp = IA_G_SEGBASE + IA_FS,
	.translate = translate, .disasm = text,
};

/* -- memory -- */

static unsigned page_kind(void *arg, uint64_t gpa)
{
	const struct emu_ia_vcpu *v = arg;
	unsigned how = 0;

	if (gpa >= v->ram_end)
		return 0;
	if (v->code_page[gpa / PAGE / 8] >> (gpa / PAGE % 8) & 1)
		how |= IA_PAGE_CODE;
	for (unsigned n = 0; n < v->slots; n++)
		if (gpa - v->slot[n].gpa < v->slot[n].size)
			return how | (v->slot[n].readonly ? IA_PAGE_ROM : 0);
	return how;
}

/* Slots without overlaps: of a later one what earlier ones leave. */
static int cut_slots(struct emu_ia_slot out[IA_SLOTS], unsigned *count, const struct emu_ia_slot *in, unsigned n)
{
	*count = 0;
	for (unsigned k = 0; k < n; k++) {
		uint64_t at = in[k].gpa, end = at + in[k].size;

		if ((in[k].gpa | in[k].size) % PAGE || end < at || !in[k].host)
			return -EINVAL;
		while (at < end) {
			uint64_t stop = end;
			bool covered = false;

			for (unsigned j = 0; j < k; j++) {
				if (at - in[j].gpa < in[j].size) {
					at = in[j].gpa + in[j].size;
					covered = true;
					break;
				}
				if (in[j].size && in[j].gpa > at && in[j].gpa < stop)
					stop = in[j].gpa;
			}
			if (covered)
				continue;
			if (*count == IA_SLOTS)
				return -ENOSPC;
			out[(*count)++] = (struct emu_ia_slot){ at, stop - at, in[k].host + (at - in[k].gpa), in[k].readonly };
			at = stop;
		}
	}
	return 0;
}

static int take_slots(struct emu_ia_vcpu *v, const struct emu_ia_slot *slots, unsigned n, struct rs_err *err)
{
	struct emu_ia_slot cut[IA_SLOTS];
	unsigned count;

	if (cut_slots(cut, &count, slots, n) < 0)
		return rs_err_set(err, -EINVAL, N_("the memory of the software CPU is not in whole pages, or in too many pieces"));
	for (unsigned k = 0; k < count; k++)
		if (v->ram_end && cut[k].gpa + cut[k].size > v->ram_end)
			return rs_err_set(err, -EINVAL, N_("memory of the software CPU cannot grow beyond where it ended at first"));
	memcpy(v->slot, cut, sizeof(cut));
	v->slots = count;
	v->last_slot = 0;
	return 0;
}

int emu_ia_set_slots(struct emu_ia_vcpu *v, const struct emu_ia_slot *slots, unsigned n, struct rs_err *err)
{
	int e = take_slots(v, slots, n, err);

	if (e)
		return e;
	emu_ia_mmu_flush(&v->mmu, true);
	ia_flush_jumps(v, true);
	ia_code_written(v, 0, v->ram_end);
	return 0;
}

void emu_ia_written(struct emu_ia_vcpu *v, uint64_t gpa, uint64_t bytes)
{
	ia_code_written(v, gpa, bytes);
}

bool emu_ia_linear(struct emu_ia_vcpu *v, uint64_t linear, uint64_t *gpa)
{
	return emu_ia_mmu_peek(&v->mmu, linear, gpa);
}

/* -- life -- */

void emu_ia_free(struct emu_ia_vcpu *v)
{
	if (!v)
		return;
	emu_world_free(v->world);
	free(v->code_page);
	free(v);
}

struct emu_ia_vcpu *emu_ia_new(const struct emu_ia_desc *d, const struct emu_ia_slot *slots, unsigned n, struct rs_err *err)
{
	struct emu_ia_vcpu *v = rs_xcalloc(1, sizeof(*v));
	struct emu_options opt = { .soft = &v->soft };
	unsigned bits = d->physical_bits ? d->physical_bits : 40;

	v->desc = *d;
	if (take_slots(v, slots, n, err) < 0)
		goto fail;
	v->ram_end = 1ull << 32; /* a BIOS stands below it */
	for (unsigned k = 0; k < v->slots; k++)
		if (v->slot[k].gpa + v->slot[k].size > v->ram_end)
			v->ram_end = v->slot[k].gpa + v->slot[k].size;
	v->code_page = rs_xcalloc(v->ram_end / PAGE / 8 + 1, 1);
	opt.soft_pages = v->ram_end / PAGE;
	opt.interp = d->engine ? !strcmp(d->engine, "interp") : emu_x86_able(NULL) < 0;
	ia_soft_init(v);
	v->world = emu_world_new(&guest, &opt, NULL, err);
	if (!v->world)
		goto fail;
	v->cpu = emu_cpu_new(v->world, NULL);
	if (!v->cpu) {
		rs_err_set(err, -ENOMEM, N_("no memory for a software CPU"));
		goto fail;
	}
	v->fpu.sys = v;
	v->cpu->tls = (uintptr_t)&v->fpu;
	emu_ia_mmu_init(&v->mmu, ia_ram, v, bits);
	v->mmu.page = page_kind;
	v->mmu.watched = ia_watched;
	emu_ia_reset(v);
	return v;
fail:
	emu_ia_free(v);
	return NULL;
}

/* SDM volume 3A, table 9-1. */
void emu_ia_reset(struct emu_ia_vcpu *v)
{
	struct emu_ia_state s = { 0 };

	for (unsigned k = 0; k < 6; k++)
		s.seg[k] = (struct emu_ia_seg){ .limit = 0xffff, .type = k == EMU_IA_CS ? 11 : 3, .s = true, .present = true };
	s.seg[EMU_IA_CS].selector = 0xf000;
	s.seg[EMU_IA_CS].base = 0xffff0000;
	s.seg[EMU_IA_LDTR] = (struct emu_ia_seg){ .limit = 0xffff, .type = 2, .present = true };
	s.seg[EMU_IA_TR] = (struct emu_ia_seg){ .limit = 0xffff, .type = 11, .present = true };
	s.gdt_limit = s.idt_limit = 0xffff;
	s.rip = 0xfff0;
	s.rflags = 2;
	s.gpr[IA_RDX] = 0x600;
	s.cr0 = IA_CR0_ET | IA_CR0_CD | IA_CR0_NW;
	s.dr6 = 0xffff0ff0;
	s.dr7 = 0x400;
	s.pat = 0x0007040600070406;
	emu_ia_fpu_init(&v->fpu);
	emu_ia_fxsave(v->cpu, s.fxsave);
	v->misc_enable = 1 | 1 << 11 | 1 << 12; /* fast strings; no branch trace store, no PEBS */
	memset(v->mtrr, 0, sizeof(v->mtrr));
	emu_ia_set(v, &s, NULL);
}

/* -- state -- */

void emu_ia_get(struct emu_ia_vcpu *v, struct emu_ia_state *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->gpr, v->cpu->r, sizeof(s->gpr));
	s->rip = ia_ip(v);
	s->rflags = emu_ia_rflags(v->cpu);
	memcpy(s->seg, v->seg, sizeof(s->seg));
	s->seg[EMU_IA_SS].dpl = v->cpl;
	s->gdt_base = v->gdt_base;
	s->gdt_limit = v->gdt_limit;
	s->idt_base = v->idt_base;
	s->idt_limit = v->idt_limit;
	s->cr0 = v->mmu.cr0;
	s->cr2 = v->cr2;
	s->cr3 = v->mmu.cr3;
	s->cr4 = v->mmu.cr4;
	s->cr8 = v->cr8;
	s->efer = v->mmu.efer;
	memcpy(s->dr, v->dr, sizeof(s->dr));
	s->dr6 = v->dr6;
	s->dr7 = v->dr7;
	s->star = v->star;
	s->lstar = v->lstar;
	s->cstar = v->cstar;
	s->fmask = v->fmask;
	s->kernel_gs_base = v->kernel_gs_base;
	s->tsc_aux = v->tsc_aux;
	s->sysenter_cs = v->sysenter_cs;
	s->sysenter_esp = v->sysenter_esp;
	s->sysenter_eip = v->sysenter_eip;
	s->pat = v->pat;
	s->tsc_offset = v->tsc_offset;
	emu_ia_fxsave(v->cpu, s->fxsave);
	s->halted = v->halted;
	s->shadow = v->shadow;
	s->nmi_masked = v->nmi_masked;
	s->nmi_pending = atomic_load(&v->nmi);
	s->event = v->event.pending;
	s->event_vector = v->event.vector;
	s->event_cause = v->event.cause;
	s->event_has_error = v->event.has_error;
	s->event_error = v->event.error;
	s->event_length = v->event.length;
}

int emu_ia_set(struct emu_ia_vcpu *v, const struct emu_ia_state *s, struct rs_err *err)
{
	memcpy(v->seg, s->seg, sizeof(v->seg));
	v->cpl = !(s->cr0 & IA_CR0_PE) ? 0 : s->rflags & IA_VM ? 3 : s->seg[EMU_IA_SS].dpl;
	memcpy(v->cpu->r, s->gpr, sizeof(s->gpr));
	emu_ia_set_rflags(v->cpu, s->rflags);
	v->gdt_base = s->gdt_base;
	v->gdt_limit = s->gdt_limit;
	v->idt_base = s->idt_base;
	v->idt_limit = s->idt_limit;
	v->cr2 = v->cpu->fault_addr = s->cr2;
	v->cr8 = s->cr8;
	memcpy(v->dr, s->dr, sizeof(v->dr));
	v->dr6 = s->dr6;
	v->dr7 = s->dr7;
	v->star = s->star;
	v->lstar = s->lstar;
	v->cstar = s->cstar;
	v->fmask = s->fmask;
	v->kernel_gs_base = s->kernel_gs_base;
	v->tsc_aux = s->tsc_aux;
	v->sysenter_cs = s->sysenter_cs;
	v->sysenter_esp = s->sysenter_esp;
	v->sysenter_eip = s->sysenter_eip;
	v->pat = s->pat;
	v->tsc_offset = s->tsc_offset;
	emu_ia_fxrstor(v->cpu, s->fxsave, 16);
	v->halted = s->halted;
	v->shadow = s->shadow;
	v->cpu->r[IA_G_SHADOW] = ~0ull;
	v->nmi_masked = s->nmi_masked;
	atomic_store(&v->nmi, s->nmi_pending);
	v->event = (struct emu_ia_event){ s->event, s->event_has_error, s->event_vector, s->event_cause, s->event_length, s->event_error };
	v->dead = v->stop = v->no_code = v->resume = v->next_alone = false;
	v->mode_key = ~0ull;
	if (ia_set_control(v, s->cr0, s->cr3, s->cr4, s->efer, true))
		return rs_err_set(err, -EINVAL, N_("CR3 of the software CPU leads to bad page-directory pointers"));
	v->cpu->pc = ia_pc_of(v, s->rip);
	return 0;
}

uint64_t emu_ia_gpr_of(const struct emu_ia_vcpu *v, unsigned reg)
{
	return v->cpu->r[reg & 15];
}

void emu_ia_set_gpr_of(struct emu_ia_vcpu *v, unsigned reg, uint64_t value)
{
	v->cpu->r[reg & 15] = value;
}

uint64_t emu_ia_rip(const struct emu_ia_vcpu *v)
{
	return ia_ip(v);
}

unsigned emu_ia_cpl(const struct emu_ia_vcpu *v)
{
	return v->cpl;
}

void emu_ia_count(const struct emu_ia_vcpu *v, struct emu_ia_counters *c)
{
	*c = v->count;
	c->tlb_hits = v->mmu.hits;
	c->tlb_walks = v->mmu.walks;
	c->tlb_flushes = v->mmu.flushes;
}
