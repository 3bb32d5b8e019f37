/* x87 on the state of the CPU (SDM volume 1, chapter 8), its arithmetic by the host (ia_host.c), and
 * FXSAVE. The pointers to the last instruction and operand are not kept: they read as 0.
 */
#include <string.h>

#include "emu/ia_state.h"
#include "emu/ia_translate.h"

#define SW_ES 0x80u
#define SW_B 0x8000u

void emu_ia_fpu_init(struct emu_ia_cpu *s)
{
	memset(&s->x87, 0, sizeof(s->x87));
	s->x87.cw = 0x37f;
	s->x87.tag = 0xffff;
	s->mxcsr = EMU_MXCSR_DEFAULT;
}

/* Exceptions that are flagged and not masked: the next instruction that waits raises #MF. */
static void summarize(struct emu_ia_x87 *f)
{
	if (f->sw & 0x3f & ~f->cw)
		f->sw |= SW_ES | SW_B;
	else
		f->sw &= (uint16_t)~(SW_ES | SW_B);
}

/* -- the environment and the whole state in memory, 16 and 32-bit formats (figures 8-9 to 8-12) -- */

static unsigned put_environment(const struct emu_ia_x87 *f, unsigned osize, uint8_t *to)
{
	const uint16_t small[7] = { f->cw, f->sw, f->tag, 0, 0, 0, 0 };
	const uint32_t large[7] = { f->cw | 0xffff0000u, f->sw | 0xffff0000u, f->tag | 0xffff0000u, 0, 0, 0, 0xffff0000u };

	memcpy(to, osize == 2 ? (const void *)small : (const void *)large, osize == 2 ? 14 : 28);
	return osize == 2 ? 14 : 28;
}

static unsigned take_environment(struct emu_ia_x87 *f, unsigned osize, const uint8_t *from)
{
	unsigned step = osize == 2 ? 2 : 4;

	memcpy(&f->cw, from, 2);
	memcpy(&f->sw, from + step, 2);
	memcpy(&f->tag, from + 2 * step, 2);
	f->cw |= 0x40;
	summarize(f);
	return osize == 2 ? 14 : 28;
}

static int store_state(struct emu_cpu *cpu, const struct emu_ia_insn *i, bool whole)
{
	struct emu_ia_x87 *f = &emu_ia_state(cpu)->x87;
	uint8_t area[108];
	unsigned n = put_environment(f, i->osize, area);
	int e;

	if (whole) {
		memcpy(area + n, f->st, 80);
		n += 80;
	}
	e = emu_ia_write(cpu, emu_ia_address(cpu, i), area, n);
	if (e)
		return e;
	if (whole) {
		uint32_t mxcsr = emu_ia_state(cpu)->mxcsr;
		uint8_t st[8][10];

		memcpy(st, f->st, sizeof(st));
		emu_ia_fpu_init(emu_ia_state(cpu));
		memcpy(f->st, st, sizeof(st)); /* empty, but they keep their contents */
		emu_ia_state(cpu)->mxcsr = mxcsr;
	} else {
		f->cw |= 0x3f; /* FNSTENV masks all */
		summarize(f);
	}
	return 0;
}

static int load_state(struct emu_cpu *cpu, const struct emu_ia_insn *i, bool whole)
{
	struct emu_ia_x87 *f = &emu_ia_state(cpu)->x87;
	unsigned top = f->sw >> 11 & 7, n = i->osize == 2 ? 14 : 28, now;
	uint8_t area[108], old[8][10];
	int e = emu_ia_read(cpu, emu_ia_address(cpu, i), area, n + (whole ? 80 : 0));

	if (e)
		return e;
	take_environment(f, i->osize, area);
	if (whole) {
		memcpy(f->st, area + n, 80);
		return 0;
	}
	/* the registers stay where they are; st[] counts from the new top */
	now = f->sw >> 11 & 7;
	memcpy(old, f->st, sizeof(old));
	for (unsigned k = 0; k < 8; k++)
		memcpy(f->st[k], old[(k + now - top) & 7], 10);
	return 0;
}

/* -- FXSAVE (SDM volume 1, 10.5) -- */

static unsigned xmm_count(const struct emu_ia_insn *i)
{
	return i->bits == 64 ? 16 : 8;
}

void emu_ia_fxsave(const struct emu_cpu *cpu, uint8_t area[512])
{
	const struct emu_ia_cpu *s = emu_ia_state(cpu);
	const uint32_t mxcsr[2] = { s->mxcsr, 0xffff };

	memset(area, 0, 512);
	memcpy(area, &s->x87.cw, 2);
	memcpy(area + 2, &s->x87.sw, 2);
	for (unsigned n = 0; n < 8; n++)
		area[4] |= (uint8_t)(((s->x87.tag >> 2 * n & 3) != 3) << n);
	memcpy(area + 24, mxcsr, 8);
	for (unsigned n = 0; n < 8; n++)
		memcpy(area + 32 + 16 * n, s->x87.st[n], 10);
	for (unsigned n = 0; n < 16; n++)
		memcpy(area + 160 + 16 * n, cpu->v[n].q, 16);
}

static int fxsave(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	uint64_t at = emu_ia_address(cpu, i);
	uint8_t area[512];

	if (at & 15)
		return EMU_IA_GP;
	emu_ia_fxsave(cpu, area);
	return emu_ia_write(cpu, at, area, 160 + 16 * xmm_count(i));
}

/* The tag that FNSAVE has, of a register that is not empty: valid, zero or special. */
static unsigned tag_of(const uint8_t st[10])
{
	uint64_t m;
	uint16_t e;

	memcpy(&m, st, 8);
	memcpy(&e, st + 8, 2);
	e &= 0x7fff;
	return !e && !m ? 1 : e == 0x7fff || !e || !(m >> 63) ? 2 : 0;
}

bool emu_ia_fxrstor(struct emu_cpu *cpu, const uint8_t area[512], unsigned xmm)
{
	struct emu_ia_cpu *s = emu_ia_state(cpu);
	uint32_t mxcsr;
	unsigned top;

	memcpy(&mxcsr, area + 24, 4);
	if (mxcsr & 0xffff0000u)
		return false;
	s->mxcsr = mxcsr;
	memcpy(&s->x87.cw, area, 2);
	memcpy(&s->x87.sw, area + 2, 2);
	s->x87.cw |= 0x40;
	top = s->x87.sw >> 11 & 7;
	s->x87.tag = 0;
	for (unsigned n = 0; n < 8; n++) {
		unsigned physical = (top + n) & 7;

		memcpy(s->x87.st[n], area + 32 + 16 * n, 10);
		s->x87.tag |= (uint16_t)((area[4] >> physical & 1 ? tag_of(s->x87.st[n]) : 3u) << 2 * physical);
	}
	summarize(&s->x87);
	for (unsigned n = 0; n < xmm; n++)
		memcpy(cpu->v[n].q, area + 160 + 16 * n, 16);
	return true;
}

static int fxrstor(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	uint64_t at = emu_ia_address(cpu, i);
	uint8_t area[512];
	int e;

	if (at & 15)
		return EMU_IA_GP;
	e = emu_ia_read(cpu, at, area, sizeof(area));
	if (e)
		return e;
	return emu_ia_fxrstor(cpu, area, xmm_count(i)) ? 0 : EMU_IA_GP;
}

/* -- arithmetic -- */

static bool waits(unsigned op)
{
	switch (op) {
	case IA_fninit: case IA_fnclex: case IA_fnstsw: case IA_fnstcw: case IA_fnstenv: case IA_fnsave:
	case IA_feni: case IA_fdisi: case IA_fsetpm:
		return false;
	default:
		return true;
	}
}

static bool is_store(const struct emu_ia_insn *i)
{
	return i->op == IA_fst || i->op == IA_fstp || i->op == IA_fist || i->op == IA_fistp || i->op == IA_fisttp ||
	       i->op == IA_fbstp || i->op == IA_fnstcw || i->op == IA_fnstsw;
}

static int by_host(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	struct emu_ia_x87 *f = &emu_ia_state(cpu)->x87, before = *f, after = *f;
	unsigned bytes = emu_ia_size(i, 0) && emu_ia_place(i, 0) == IA_PLACE_M ? emu_ia_size(i, 0) : emu_ia_size(i, 1);
	unsigned modrm = (unsigned)i->mod << 6 | (i->reg & 7u) << 3 | (i->rm & 7u);
	uint64_t rflags = emu_ia_rflags(cpu) & IA_ARITH, at = 0;
	uint8_t memory[16] = { 0 };
	uint16_t raised;
	int e = 0;

	if (i->memory) {
		at = emu_ia_address(cpu, i);
		if (!is_store(i))
			e = emu_ia_read(cpu, at, memory, bytes);
	}
	if (e)
		return e;
	/* the environment instructions have formats of their own; here flags are sticky and masked */
	after.sw &= (uint16_t)~(SW_ES | SW_B);
	if (!emu_ia_host_x87(i->opcode, i->memory ? modrm & 0x3f : modrm, &after, memory, &rflags))
		return EMU_EXC_COMPLEX;
	after.ip = after.dp = 0;
	after.cs = after.ds = after.opcode = 0;
	raised = (uint16_t)(after.sw & ~before.sw & 0x3f & ~before.cw);
	if (raised && waits(i->op)) {
		/* not masked: operands stay, the next instruction that waits raises #MF */
		uint16_t sw = (uint16_t)(before.sw | (after.sw & 0x7f));

		*f = before;
		f->sw = sw;
		summarize(f);
		return 0;
	}
	if (i->memory && is_store(i)) {
		e = emu_ia_write(cpu, at, memory, bytes);
		if (e)
			return e;
	}
	*f = after;
	summarize(f);
	if (i->op == IA_fcomi || i->op == IA_fcomip || i->op == IA_fucomi || i->op == IA_fucomip) {
		cpu->r[IA_G_CC_OP] = IA_CC_FLAGS;
		cpu->r[IA_G_CC_SRC] = rflags & IA_ARITH;
	}
	return 0;
}

int emu_ia_do_x87(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	struct emu_ia_x87 *f = &emu_ia_state(cpu)->x87;

	switch (i->op) {
	case IA_fxsave: case IA_fxsave64: return fxsave(cpu, i);
	case IA_fxrstor: case IA_fxrstor64: return fxrstor(cpu, i);
	default: break;
	}
	if (i->row->map != 1 || !((i->opcode >= 0xd8 && i->opcode <= 0xdf) || i->op == IA_fwait))
		return EMU_EXC_COMPLEX;
	if (waits(i->op) && (f->sw & SW_ES))
		return EMU_IA_MF;
	switch (i->op) {
	case IA_fwait: return 0;
	case IA_fnstenv: return store_state(cpu, i, false);
	case IA_fnsave: return store_state(cpu, i, true);
	case IA_fldenv: return load_state(cpu, i, false);
	case IA_frstor: return load_state(cpu, i, true);
	case IA_fnstsw:
		if (i->memory)
			return emu_ia_write(cpu, emu_ia_address(cpu, i), &f->sw, 2);
		emu_ia_set_gpr(cpu, IA_RAX, 2, f->sw);
		return 0;
	default: return by_host(cpu, i);
	}
}
