/* SSE2 in IR as far as code is full of it: moves, logic and integer arithmetic on xmm registers. What is not here (MMX,
 * floating point, rare shuffles) is done in C (ia_sse.c).
 */
#include "emu/ia_translate.h"

#define Q EMU_VQ
#define XMM(n) EMU_F(n)

static uint16_t v2(struct ia *t, enum emu_opcode op, unsigned aux, uint16_t a, uint16_t b, int64_t imm)
{
	uint16_t d = emu_ir_ftemp(t->ir);

	emu_ir_emit(t->ir, op, aux, d, a, b, EMU_NOTEMP, imm);
	return d;
}

static uint16_t pattern(struct ia *t, uint64_t each)
{
	return v2(t, EMU_OP_VCONST, EMU_V64 | Q, EMU_NOTEMP, EMU_NOTEMP, (int64_t)each);
}

/* A vector of two integers. */
static uint16_t from_halves(struct ia *t, uint16_t low, uint16_t high)
{
	uint16_t v = emu_ir_ftemp(t->ir), d = emu_ir_ftemp(t->ir);

	emu_ir_1(t->ir, EMU_OP_MOVIF, v, low);
	emu_ir_emit(t->ir, EMU_OP_VINS, EMU_V64 | Q, d, v, high, EMU_NOTEMP, 1);
	return d;
}

static uint16_t half(struct ia *t, uint16_t v, unsigned n)
{
	uint16_t d = emu_ir_temp(t->ir);

	emu_ir_emit(t->ir, EMU_OP_VGET, EMU_V64 | Q | EMU_VU, d, v, EMU_NOTEMP, EMU_NOTEMP, n);
	return d;
}

static void put(struct ia *t, unsigned xmm, uint16_t v)
{
	emu_ir_1(t->ir, EMU_OP_FMOV, XMM(xmm), v);
}

/* CR0 and CR4 may forbid it; C then says how. Once in straight code. */
static void check_allowed(struct ia *t)
{
	if (!t->mode->system || t->x->note[2])
		return;
	emu_x_except_if(t->x, EMU_EQ, EMU_R(IA_G_SSE), ia_k(t, 0), EMU_EXC_ASSIST);
	t->x->note[2] = 1;
}

/* -- 16 bytes of memory -- */

static struct ia_address upper(struct ia *t, struct ia_address at)
{
	at.off += 8;
	if (at.effective != EMU_NOTEMP)
		at.effective = ia_2k(t, EMU_OP_ADD, at.effective, 8);
	return at;
}

static struct ia_address address16(struct ia *t, bool aligned)
{
	struct ia_address at = ia_address(t, EMU_NOTEMP);

	if (at.off) {
		at.a = ia_2k(t, EMU_OP_ADD, at.a, at.off);
		at.off = 0;
	}
	if (aligned)
		emu_x_except_if(t->x, EMU_TSTNE, at.a, ia_k(t, 15), EMU_EXC_VECTOR + 13);
	return at;
}

static uint16_t load16(struct ia *t, bool aligned)
{
	struct ia_address at = address16(t, aligned);
	uint16_t d, low;

	if (t->mode->system) {
		low = ia_load(t, at, 8);
		return from_halves(t, low, ia_load(t, upper(t, at), 8));
	}
	d = emu_ir_ftemp(t->ir);
	emu_ir_emit(t->ir, EMU_OP_FLD, EMU_W128, d, at.a, EMU_NOTEMP, EMU_NOTEMP, at.off);
	return d;
}

static void store16(struct ia *t, uint16_t v, bool aligned)
{
	struct ia_address at = address16(t, aligned);

	if (!t->mode->system) {
		emu_ir_emit(t->ir, EMU_OP_FST, EMU_W128, EMU_NOTEMP, at.a, v, EMU_NOTEMP, at.off);
		return;
	}
	if (!aligned) /* both pages can be written, or nothing is */
		ia_load_to_write(t, upper(t, at), 8);
	ia_store(t, at, 8, half(t, v, 0));
	ia_store(t, upper(t, at), 8, half(t, v, 1));
}

/* The operand that may be memory. */
static uint16_t source(struct ia *t)
{
	return t->i.memory ? load16(t, true) : XMM(t->i.rm);
}

/* -- moves -- */

static void move16(struct ia *t, bool aligned)
{
	if (emu_ia_place(&t->i, 0) != IA_PLACE_V) {
		if (t->i.memory)
			store16(t, XMM(t->i.reg), aligned);
		else
			put(t, t->i.rm, XMM(t->i.reg));
		return;
	}
	put(t, t->i.reg, t->i.memory ? load16(t, aligned) : XMM(t->i.rm));
}

/* MOVD, MOVQ: between general registers or memory and xmm, or xmm and 8 bytes. False: with MMX. */
static bool move_scalar(struct ia *t)
{
	enum emu_ia_place to = emu_ia_place(&t->i, 0), from = emu_ia_place(&t->i, 1);
	unsigned bytes = emu_ia_size(&t->i, to == IA_PLACE_V ? 1 : 0);
	uint16_t v;

	if (to == IA_PLACE_V && (from == IA_PLACE_E || from == IA_PLACE_W)) {
		check_allowed(t);
		if (t->i.memory)
			v = ia_load(t, ia_address(t, EMU_NOTEMP), bytes);
		else
			v = from == IA_PLACE_E ? ia_get(t, t->i.rm, bytes) : half(t, XMM(t->i.rm), 0);
		put(t, t->i.reg, from_halves(t, v, ia_k(t, 0)));
		return true;
	}
	if (from != IA_PLACE_V || (to != IA_PLACE_E && to != IA_PLACE_W))
		return false;
	check_allowed(t);
	v = half(t, XMM(t->i.reg), 0);
	if (t->i.memory)
		ia_store(t, ia_address(t, EMU_NOTEMP), bytes, v);
	else if (to == IA_PLACE_E)
		ia_put(t, t->i.rm, bytes, ia_zext(t, v, bytes));
	else
		put(t, t->i.rm, from_halves(t, v, ia_k(t, 0)));
	return true;
}

/* -- arithmetic: d = OP(d, source) -- */

static const struct { uint16_t op; uint8_t ir, aux; bool swap; } simple[] = {
	{ IA_pand, EMU_OP_VAND, EMU_V64, false }, { IA_andps, EMU_OP_VAND, EMU_V64, false },
	{ IA_andpd, EMU_OP_VAND, EMU_V64, false }, { IA_por, EMU_OP_VOR, EMU_V64, false },
	{ IA_orps, EMU_OP_VOR, EMU_V64, false }, { IA_orpd, EMU_OP_VOR, EMU_V64, false },
	{ IA_pxor, EMU_OP_VXOR, EMU_V64, false }, { IA_xorps, EMU_OP_VXOR, EMU_V64, false },
	{ IA_xorpd, EMU_OP_VXOR, EMU_V64, false },
	/* the source and the complement of the destination */
	{ IA_pandn, EMU_OP_VBIC, EMU_V64, true }, { IA_andnps, EMU_OP_VBIC, EMU_V64, true },
	{ IA_andnpd, EMU_OP_VBIC, EMU_V64, true },
	{ IA_paddb, EMU_OP_VADD, EMU_V8, false }, { IA_paddw, EMU_OP_VADD, EMU_V16, false },
	{ IA_paddd, EMU_OP_VADD, EMU_V32, false }, { IA_paddq, EMU_OP_VADD, EMU_V64, false },
	{ IA_psubb, EMU_OP_VSUB, EMU_V8, false }, { IA_psubw, EMU_OP_VSUB, EMU_V16, false },
	{ IA_psubd, EMU_OP_VSUB, EMU_V32, false }, { IA_psubq, EMU_OP_VSUB, EMU_V64, false },
	{ IA_pcmpeqb, EMU_OP_VCMEQ, EMU_V8, false }, { IA_pcmpeqw, EMU_OP_VCMEQ, EMU_V16, false },
	{ IA_pcmpeqd, EMU_OP_VCMEQ, EMU_V32, false }, { IA_pcmpgtb, EMU_OP_VCMGT, EMU_V8, false },
	{ IA_pcmpgtw, EMU_OP_VCMGT, EMU_V16, false }, { IA_pcmpgtd, EMU_OP_VCMGT, EMU_V32, false },
	{ IA_pminub, EMU_OP_VMIN, EMU_V8 | EMU_VU, false }, { IA_pmaxub, EMU_OP_VMAX, EMU_V8 | EMU_VU, false },
	{ IA_punpcklbw, EMU_OP_VZIP, EMU_V8, false }, { IA_punpcklwd, EMU_OP_VZIP, EMU_V16, false },
	{ IA_punpckldq, EMU_OP_VZIP, EMU_V32, false }, { IA_punpcklqdq, EMU_OP_VZIP, EMU_V64, false },
	{ IA_punpckhbw, EMU_OP_VZIP, EMU_V8 | EMU_VHI, false }, { IA_punpckhwd, EMU_OP_VZIP, EMU_V16 | EMU_VHI, false },
	{ IA_punpckhdq, EMU_OP_VZIP, EMU_V32 | EMU_VHI, false }, { IA_punpckhqdq, EMU_OP_VZIP, EMU_V64 | EMU_VHI, false },
};

static bool arithmetic(struct ia *t)
{
	for (unsigned k = 0; k < sizeof(simple) / sizeof(simple[0]); k++) {
		uint16_t b;

		if (simple[k].op != t->i.op)
			continue;
		check_allowed(t);
		b = source(t);
		put(t, t->i.reg, simple[k].swap ? v2(t, simple[k].ir, simple[k].aux | Q, b, XMM(t->i.reg), 0)
						: v2(t, simple[k].ir, simple[k].aux | Q, XMM(t->i.reg), b, 0));
		return true;
	}
	return false;
}

/* By a constant; what goes beyond the element leaves zeros, or signs. False: by a register. */
static bool shift(struct ia *t, enum emu_opcode op, unsigned element, bool sign)
{
	unsigned bits = 8u << element, n = (uint8_t)t->i.imm;
	uint16_t d;

	if (emu_ia_place(&t->i, 0) != IA_PLACE_U)
		return false;
	check_allowed(t);
	if (n >= bits && !sign)
		d = pattern(t, 0);
	else if (n == 0)
		return true;
	else
		d = v2(t, op, element | Q | (sign ? 0 : EMU_VU), XMM(t->i.rm), EMU_NOTEMP, n >= bits ? bits : n);
	put(t, t->i.rm, d);
	return true;
}

static void shift_bytes(struct ia *t, bool left)
{
	unsigned n = (uint8_t)t->i.imm;
	uint16_t zero;

	check_allowed(t);
	if (n == 0)
		return;
	zero = pattern(t, 0);
	if (n > 15)
		put(t, t->i.rm, zero);
	else if (left)
		put(t, t->i.rm, v2(t, EMU_OP_VEXT, EMU_V8 | Q, zero, XMM(t->i.rm), 16 - n));
	else
		put(t, t->i.rm, v2(t, EMU_OP_VEXT, EMU_V8 | Q, XMM(t->i.rm), zero, n));
}

static uint16_t by_table(struct ia *t, uint16_t table, uint16_t index)
{
	uint16_t d = emu_ir_ftemp(t->ir);

	emu_ir_emit(t->ir, EMU_OP_VTBL, EMU_V8 | Q, d, table, index, pattern(t, 0), 0);
	return d;
}

static void shuffle_words(struct ia *t)
{
	uint64_t index[2] = { 0, 0 };
	uint16_t a;

	check_allowed(t);
	a = source(t);
	for (unsigned k = 0; k < 16; k++)
		index[k / 8] |= (uint64_t)(((unsigned)t->i.imm >> k / 4 * 2 & 3) * 4 + k % 4) << k % 8 * 8;
	put(t, t->i.reg, by_table(t, a, from_halves(t, ia_k(t, (int64_t)index[0]), ia_k(t, (int64_t)index[1]))));
}

/* The low four bits of each index count, and the highest: it makes zero. */
static void shuffle_bytes(struct ia *t)
{
	uint16_t b;

	check_allowed(t);
	b = source(t);
	put(t, t->i.reg, by_table(t, XMM(t->i.reg), v2(t, EMU_OP_VAND, EMU_V64 | Q, b, pattern(t, 0x8f8f8f8f8f8f8f8full), 0)));
}

/* The highest bit of each of eight bytes, side by side. */
static uint16_t signs(struct ia *t, uint16_t eight)
{
	uint16_t ones = ia_2k(t, EMU_OP_AND, ia_2k(t, EMU_OP_SHR, eight, 7), 0x0101010101010101ll);

	return ia_2k(t, EMU_OP_SHR, ia_2k(t, EMU_OP_MUL, ones, 0x0102040810204080ll), 56);
}

static void byte_signs(struct ia *t)
{
	uint16_t v = XMM(t->i.rm), high;

	check_allowed(t);
	high = ia_2k(t, EMU_OP_SHL, signs(t, half(t, v, 1)), 8);
	ia_put(t, t->i.reg, 4, ia_2(t, EMU_OP_OR, signs(t, half(t, v, 0)), high));
}

static bool is_xmm(const struct ia *t)
{
	for (unsigned n = 0; n < 2; n++) {
		enum emu_ia_place p = emu_ia_place(&t->i, n);

		if (p == IA_PLACE_P || p == IA_PLACE_Q || p == IA_PLACE_N)
			return false;
	}
	return true;
}

bool ia_translate_sse(struct ia *t)
{
	if (!is_xmm(t))
		return false;
	switch (t->i.op) {
	case IA_movaps: case IA_movapd: case IA_movdqa: check_allowed(t); move16(t, true); return true;
	case IA_movups: case IA_movupd: case IA_movdqu: check_allowed(t); move16(t, false); return true;
	case IA_movd: case IA_movq: return move_scalar(t);
	case IA_psllw: return shift(t, EMU_OP_VSHL, EMU_V16, false);
	case IA_pslld: return shift(t, EMU_OP_VSHL, EMU_V32, false);
	case IA_psllq: return shift(t, EMU_OP_VSHL, EMU_V64, false);
	case IA_psrlw: return shift(t, EMU_OP_VSHR, EMU_V16, false);
	case IA_psrld: return shift(t, EMU_OP_VSHR, EMU_V32, false);
	case IA_psrlq: return shift(t, EMU_OP_VSHR, EMU_V64, false);
	case IA_psraw: return shift(t, EMU_OP_VSHR, EMU_V16, true);
	case IA_psrad: return shift(t, EMU_OP_VSHR, EMU_V32, true);
	case IA_pslldq: shift_bytes(t, true); return true;
	case IA_psrldq: shift_bytes(t, false); return true;
	case IA_pshufd: shuffle_words(t); return true;
	case IA_pshufb: shuffle_bytes(t); return true;
	case IA_pmovmskb: byte_signs(t); return true;
	default: return arithmetic(t);
	}
}
