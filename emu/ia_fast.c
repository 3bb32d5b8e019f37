/* SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS (SDM volume 2; volume 3A, 5.8.7, 5.8.8). */
#include "emu/ia_sys.h"

#define FLAT(ring, kind, bits64) { .limit = 0xffffffff, .type = kind, .s = true, .present = true, .l = bits64, .db = !(bits64), \
				   .g = true, .dpl = ring }
/* [ring 3][64-bit]; [ring 3] */
static const struct emu_ia_seg flat_code[2][2] = { { FLAT(0, 11, false), FLAT(0, 11, true) }, { FLAT(3, 11, false), FLAT(3, 11, true) } };
static const struct emu_ia_seg flat_stack[2] = { FLAT(0, 3, false), FLAT(3, 3, false) };

/* Segments that these instructions load are not read from a table. */
static void flat(struct emu_ia_vcpu *v, uint16_t cs, uint16_t ss, unsigned cpl, bool code64)
{
	bool only_ring = code64 && ia_code64(v);

	v->seg[IA_CS] = flat_code[cpl == 3][code64];
	v->seg[IA_CS].selector = cs;
	v->seg[IA_SS] = flat_stack[cpl == 3];
	v->seg[IA_SS].selector = ss;
	if (!only_ring) {
		v->cpl = (uint8_t)cpl;
		ia_mode_changed(v);
		return;
	}
	/* code relies on nothing that has changed but where the bases stand */
	v->cpu->r[IA_G_SEGBASE + IA_CS] = v->cpu->r[IA_G_SEGBASE + IA_SS] = 0;
	ia_set_cpl(v, cpl);
}

static int done(struct emu_ia_vcpu *v, uint64_t to, uint64_t *next)
{
	v->cpu->pc = *next = to;
	ia_cross_end(v);
	return 0;
}

int ia_syscall(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	struct emu_cpu *cpu = v->cpu;
	uint16_t cs = (v->star >> 32) & 0xfffc;
	uint64_t flags;

	if (!(v->mmu.efer & IA_EFER_SCE))
		return IA_UNDEFINED_INSN(v);
	ia_cross_begin(v, IA_CAUSE_SYSCALL);
	cpu->r[IA_RCX] = cpu->pc + i->len;
	flags = emu_ia_rflags(cpu) & ~(uint64_t)IA_RF;
	cpu->r[11] = flags;
	emu_ia_set_rflags(cpu, flags & ~v->fmask);
	flat(v, cs, (uint16_t)(cs + 8), 0, true);
	return done(v, v->lstar, next);
}

int ia_sysret(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	struct emu_cpu *cpu = v->cpu;
	bool wide = i->osize == 8;
	uint16_t base = (uint16_t)(v->star >> 48);

	if (!(v->mmu.efer & IA_EFER_SCE))
		return IA_UNDEFINED_INSN(v);
	if (v->cpl || (wide && !ia_canonical(cpu->r[IA_RCX])))
		return IA_GP0(v);
	ia_cross_begin(v, IA_CAUSE_SYSRET);
	emu_ia_set_rflags(cpu, (cpu->r[11] & 0x3c7fd7) | 2);
	flat(v, (uint16_t)((base + (wide ? 16 : 0)) | 3), (uint16_t)((base + 8) | 3), 3, wide);
	return done(v, wide ? cpu->r[IA_RCX] : (uint32_t)cpu->r[IA_RCX], next);
}

int ia_sysenter(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	uint16_t cs = v->sysenter_cs & 0xfffc;

	(void)i;
	if (!ia_protected(v) || !cs)
		return IA_GP0(v);
	ia_cross_begin(v, IA_CAUSE_SYSENTER);
	ia_change_flags(v, 0, IA_VM | IA_IF | IA_RF);
	flat(v, cs, (uint16_t)(cs + 8), 0, ia_long(v));
	v->cpu->r[IA_RSP] = ia_long(v) ? v->sysenter_esp : (uint32_t)v->sysenter_esp;
	return done(v, ia_long(v) ? v->sysenter_eip : (uint32_t)v->sysenter_eip, next);
}

int ia_sysexit(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	struct emu_cpu *cpu = v->cpu;
	uint16_t cs = v->sysenter_cs & 0xfffc;
	bool wide = i->osize == 8;

	if (v->cpl || !ia_protected(v) || !cs ||
	    (wide && (!ia_canonical(cpu->r[IA_RDX]) || !ia_canonical(cpu->r[IA_RCX]))))
		return IA_GP0(v);
	ia_cross_begin(v, IA_CAUSE_SYSEXIT);
	cs = (uint16_t)((cs + (wide ? 32 : 16)) | 3);
	flat(v, cs, (uint16_t)(cs + 8), 3, wide);
	cpu->r[IA_RSP] = wide ? cpu->r[IA_RCX] : (uint32_t)cpu->r[IA_RCX];
	return done(v, wide ? cpu->r[IA_RDX] : (uint32_t)cpu->r[IA_RDX], next);
}
