/* SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS (SDM volume 2; volume 3A, 5.8.7, 5.8.8). */
#include "emu/ia_sys.h"

/* Segments that these instructions load are not read from a table. */
static void flat(struct emu_ia_vcpu *v, uint16_t cs, uint16_t ss, unsigned cpl, bool code64)
{
	struct emu_ia_seg code = { .limit = 0xffffffff, .selector = cs, .type = 11, .s = true, .present = true, .l = code64,
				   .db = !code64, .g = true, .dpl = (uint8_t)cpl };
	struct emu_ia_seg stack = { .limit = 0xffffffff, .selector = ss, .type = 3, .s = true, .present = true, .db = true,
				    .g = true, .dpl = (uint8_t)cpl };

	v->cpl = (uint8_t)cpl;
	v->seg[IA_CS] = code;
	v->seg[IA_SS] = stack;
	ia_mode_changed(v);
}

static int do_syscall(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
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
	cpu->pc = v->lstar;
	return 0;
}

static int do_sysret(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
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
	cpu->pc = wide ? cpu->r[IA_RCX] : (uint32_t)cpu->r[IA_RCX];
	return 0;
}

static int do_sysenter(struct emu_ia_vcpu *v)
{
	uint16_t cs = v->sysenter_cs & 0xfffc;

	if (!ia_protected(v) || !cs)
		return IA_GP0(v);
	ia_cross_begin(v, IA_CAUSE_SYSENTER);
	ia_change_flags(v, 0, IA_VM | IA_IF | IA_RF);
	flat(v, cs, (uint16_t)(cs + 8), 0, ia_long(v));
	v->cpu->r[IA_RSP] = ia_long(v) ? v->sysenter_esp : (uint32_t)v->sysenter_esp;
	v->cpu->pc = ia_long(v) ? v->sysenter_eip : (uint32_t)v->sysenter_eip;
	return 0;
}

static int do_sysexit(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
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
	cpu->pc = wide ? cpu->r[IA_RDX] : (uint32_t)cpu->r[IA_RDX];
	return 0;
}

int ia_fast_call(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	int e;

	switch (i->op) {
	case IA_syscall: e = do_syscall(v, i); break;
	case IA_sysret: e = do_sysret(v, i); break;
	case IA_sysenter: e = do_sysenter(v); break;
	default: e = do_sysexit(v, i); break;
	}
	if (!e)
		ia_cross_end(v);
	return e;
}
