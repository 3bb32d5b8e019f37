/* The door from translated code to C: all instructions that it leaves come through here (ia_sys.h). */
#include <string.h>

#include "emu/ia_sys.h"

/* Many operations are there with MMX registers and, since SSE2, with xmm ones. */
static bool uses_xmm(const struct emu_ia_insn *i)
{
	for (unsigned n = 0; n < 2; n++) {
		enum emu_ia_place p = emu_ia_place(i, n);

		if (p == IA_PLACE_V || p == IA_PLACE_W || p == IA_PLACE_U)
			return true;
	}
	return false;
}

/* May the floating-point units be used now? (SDM volume 3A, 2.5, table 2-2 and 13.1) */
static int fpu_allowed(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	bool em = v->mmu.cr0 & IA_CR0_EM, ts = v->mmu.cr0 & IA_CR0_TS;

	if (i->op == IA_fwait)
		return ts && (v->mmu.cr0 & IA_CR0_MP) ? ia_fault(v, IA_V_NM, 0) : 0;
	if (uses_xmm(i))
		return em || !(v->mmu.cr4 & IA_CR4_OSFXSR) ? IA_UNDEFINED_INSN(v) : ts ? ia_fault(v, IA_V_NM, 0) : 0;
	switch (emu_ia_ops[i->op].feature) {
	case IA_FEATURE_FPU: case IA_FEATURE_FXSR: return em || ts ? ia_fault(v, IA_V_NM, 0) : 0;
	case IA_FEATURE_MMX: return em ? IA_UNDEFINED_INSN(v) : ts ? ia_fault(v, IA_V_NM, 0) : 0;
	case IA_FEATURE_SSE: case IA_FEATURE_SSE2: case IA_FEATURE_SSE3: case IA_FEATURE_SSSE3:
		return em || !(v->mmu.cr4 & IA_CR4_OSFXSR) ? IA_UNDEFINED_INSN(v) : ts ? ia_fault(v, IA_V_NM, 0) : 0;
	default: return 0;
	}
}

/* A floating-point error that CR4 does not let through is #UD; CR0.NE clear: no external pin is wired, so #MF, too. */
static int fpu_fault(struct emu_ia_vcpu *v, int e)
{
	if (e == EMU_IA_XM && !(v->mmu.cr4 & IA_CR4_OSXMMEXCPT))
		return IA_UNDEFINED_INSN(v);
	return e;
}

/* Bytes of the instruction at pc; *n: how many could be read. */
static void fetch(struct emu_ia_vcpu *v, uint8_t code[IA_INSN_MAX], unsigned *n)
{
	uint64_t pc = v->cpu->pc, gpa;
	enum emu_ia_as as = v->cpl == 3 ? IA_AS_USER : IA_AS_KERNEL;
	uint32_t error;

	for (*n = 0; *n < IA_INSN_MAX;) {
		unsigned left = 4096 - (unsigned)((pc + *n) % 4096), want = IA_INSN_MAX - *n;
		uint8_t *host;

		if (emu_ia_translate_address(&v->mmu, pc + *n, IA_FETCH, as, &gpa, &host, &error) != IA_MAPPED || !host)
			return;
		if (want > left)
			want = left;
		memcpy(code + *n, host, want);
		*n += want;
	}
}

static bool is_fp(const struct emu_ia_insn *i)
{
	switch (emu_ia_ops[i->op].feature) {
	case IA_FEATURE_FPU: case IA_FEATURE_FXSR: case IA_FEATURE_MMX: case IA_FEATURE_SSE: case IA_FEATURE_SSE2:
	case IA_FEATURE_SSE3: case IA_FEATURE_SSSE3:
		return true;
	default:
		return i->op == IA_fwait || uses_xmm(i);
	}
}

static int do_fp(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	int e = fpu_allowed(v, i);

	if (!e)
		e = emu_ia_do_x87(v->cpu, i);
	if (e == EMU_EXC_COMPLEX)
		e = emu_ia_sse(v->cpu, i);
	return e == EMU_EXC_COMPLEX ? ia_system(v, i, next) : fpu_fault(v, e);
}

/* Fills `d` with the instruction at pc; false: there is none. Apart, for it is rare and wants many registers. */
__attribute__((noinline)) static bool decode(struct emu_ia_vcpu *v, struct ia_decoded *d)
{
	uint8_t code[IA_INSN_MAX];
	unsigned n;

	d->bits = 0;
	fetch(v, code, &n);
	if (emu_ia_decode(code, n, v->mode.bits, &d->i) != IA_DECODED)
		return false;
	d->pc = v->cpu->pc;
	d->since = v->decode_age;
	d->bits = v->mode.bits;
	d->routine = is_fp(&d->i) ? do_fp : ia_routine_of(&d->i);
	return true;
}

enum emu_exc ia_assist(struct emu_cpu *cpu)
{
	struct emu_ia_vcpu *v = ia_sys(cpu);
	struct ia_decoded *d = &v->decoded[(cpu->pc ^ cpu->pc >> 8) % IA_DECODED_CACHE];
	uint64_t next;
	int e;

	v->count.assists++;
	v->error = 0;
	/* the block that led here was made from these bytes, and would be gone if they had changed */
	if ((d->pc != cpu->pc || d->since != v->decode_age || d->bits != v->mode.bits) && !decode(v, d))
		return (enum emu_exc)IA_UNDEFINED_INSN(v);
	next = cpu->pc + d->i.len;
	if (v->mode.bits != 64)
		next = (uint32_t)(v->mode.cs_base + ((next - v->mode.cs_base) & (v->mode.bits == 16 ? 0xffff : 0xffffffff)));
	e = d->routine(v, &d->i, &next);
	if (e == EMU_EXC_COMPLEX)
		e = IA_UNDEFINED_INSN(v);
	if (!e)
		cpu->pc = next;
	return (enum emu_exc)e;
}
