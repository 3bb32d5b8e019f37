/* Lazy flags of the x86 front end (ia_translate.h). note[0] of the block: the kind + 1 when it is known;
 * note[1]: temp of the first operand of a subtraction, 0 when it is not at hand; note[3]: temp of the carry alone, so
 * that who needs no other flag does not make them. */
#include "emu/ia_translate.h"

#define CC_OP EMU_R(IA_G_CC_OP)
#define DST EMU_R(IA_G_CC_DST)
#define SRC EMU_R(IA_G_CC_SRC)
#define SRC2 EMU_R(IA_G_CC_SRC2)

static void know(struct ia *t, unsigned cc_op)
{
	if (t->x->note[0] != cc_op + 1)
		ia_mov(t, CC_OP, ia_k(t, cc_op));
	t->x->note[0] = (uint16_t)(cc_op + 1);
	t->x->note[3] = 0;
}

void ia_flags_forget(struct ia *t)
{
	t->x->note[1] = t->x->note[3] = 0;
}

void ia_flags_write(struct ia *t, unsigned kind, unsigned bytes, uint16_t dst, uint16_t src, uint16_t first)
{
	if (src != EMU_NOTEMP)
		ia_mov(t, SRC, src);
	ia_mov(t, DST, dst);
	know(t, kind + ia_log2(bytes));
	t->x->note[1] = first == EMU_NOTEMP ? 0 : first;
}

void ia_flags_write_if(struct ia *t, uint16_t when, unsigned kind, unsigned bytes, uint16_t dst, uint16_t src)
{
	emu_ir_emit(t->ir, EMU_OP_SELECT, 0, SRC, when, src, SRC, 0);
	emu_ir_emit(t->ir, EMU_OP_SELECT, 0, DST, when, dst, DST, 0);
	emu_ir_emit(t->ir, EMU_OP_SELECT, 0, CC_OP, when, ia_k(t, kind + ia_log2(bytes)), CC_OP, 0);
	t->x->note[0] = t->x->note[1] = t->x->note[3] = 0;
}

uint16_t ia_flags(struct ia *t)
{
	unsigned known = t->x->note[0], op = known - 1;
	uint16_t d;

	if (known && op < 4)
		return SRC;
	if (known && emu_ia_flags_of[op])
		return ia_pure(t, emu_ia_flags_of[op], DST, SRC);
	emu_ir_call(t->ir, emu_ia_stash, EMU_NOTEMP, DST, SRC);
	d = emu_ir_temp(t->ir);
	emu_ir_call(t->ir, emu_ia_flags_stashed, d, CC_OP, SRC2);
	return d;
}

void ia_flags_set(struct ia *t, uint16_t flags)
{
	ia_mov(t, SRC, flags);
	know(t, IA_CC_FLAGS);
	t->x->note[1] = 0;
}

void ia_flags_change(struct ia *t, unsigned mask, uint16_t flags)
{
	uint16_t old = ia_2k(t, EMU_OP_AND, ia_flags(t), IA_ARITH & ~(int64_t)mask);

	ia_flags_set(t, ia_2(t, EMU_OP_OR, old, flags));
}

void ia_flags_carry(struct ia *t, uint16_t carry)
{
	t->x->note[3] = carry;
}

/* -- conditions -- */

struct compare {
	enum emu_cond cond;
	uint16_t a, b;
};

static struct compare compare(struct ia *t, enum emu_cond cond, uint16_t a, int64_t k)
{
	return (struct compare){ cond, a, ia_k(t, k) };
}

/* The first operand of a subtraction. */
static uint16_t minuend(struct ia *t, unsigned bytes)
{
	return t->x->note[1] ? t->x->note[1] : ia_zext(t, ia_2(t, EMU_OP_ADD, DST, SRC), bytes);
}

static struct compare carry_in_chain(struct ia *t, unsigned kind, unsigned bytes)
{
	/* adc: sum < b, or equal with a carry; sbb: a < b, or equal with a borrow */
	uint16_t a = kind == IA_CC_ADC ? DST : ia_2(t, EMU_OP_ADD, ia_2(t, EMU_OP_ADD, DST, SRC), SRC2);
	uint16_t less, equal;

	a = kind == IA_CC_ADC ? a : ia_zext(t, a, bytes);
	less = ia_set(t, EMU_LTU, a, SRC);
	equal = ia_2(t, EMU_OP_AND, ia_set(t, EMU_EQ, a, SRC), SRC2);
	return compare(t, EMU_NE, ia_2(t, EMU_OP_OR, less, equal), 0);
}

/* What the kind of flags answers without RFLAGS. False: it does not. `cc` is even. */
static bool from_operands(struct ia *t, unsigned cc, unsigned op, struct compare *c)
{
	unsigned kind = op & ~3u, bytes = 1u << (op & 3);

	if (kind == IA_CC_FLAGS || kind == IA_CC_MUL)
		return false;
	switch (cc) {
	case 2: /* b */
		if (kind == IA_CC_ADD)
			*c = (struct compare){ EMU_LTU, DST, SRC };
		else if (kind == IA_CC_SUB)
			*c = (struct compare){ EMU_LTU, minuend(t, bytes), SRC };
		else if (kind == IA_CC_LOGIC)
			*c = compare(t, EMU_NE, ia_k(t, 0), 0);
		else if (kind == IA_CC_INC || kind == IA_CC_DEC)
			*c = compare(t, EMU_NE, SRC, 0);
		else if (kind == IA_CC_ADC || kind == IA_CC_SBB)
			*c = carry_in_chain(t, kind, bytes);
		else /* shl, shr */
			*c = compare(t, EMU_TSTNE, SRC, kind == IA_CC_SHR ? 1 : (int64_t)(1ull << (bytes * 8 - 1)));
		return true;
	case 4: /* z */
		if (kind == IA_CC_SUB && t->x->note[1])
			*c = (struct compare){ EMU_EQ, t->x->note[1], SRC };
		else
			*c = compare(t, EMU_EQ, DST, 0);
		return true;
	case 6: /* be */
		if (kind == IA_CC_SUB)
			*c = (struct compare){ EMU_LEU, minuend(t, bytes), SRC };
		else if (kind == IA_CC_LOGIC)
			*c = compare(t, EMU_EQ, DST, 0);
		else
			return false;
		return true;
	case 8: /* s */
		*c = compare(t, EMU_LT, ia_sext(t, DST, bytes), 0);
		return true;
	case 10: /* p: even parity of the low byte */
		*c = compare(t, EMU_TSTEQ, ia_1(t, EMU_OP_POPCNT32, ia_zext(t, DST, 1)), 1);
		return true;
	case 12: /* l */
	case 14: /* le */
		if (kind == IA_CC_SUB)
			*c = (struct compare){ cc == 12 ? EMU_LT : EMU_LE, ia_sext(t, minuend(t, bytes), bytes),
					       ia_sext(t, SRC, bytes) };
		else if (kind == IA_CC_LOGIC)
			*c = compare(t, cc == 12 ? EMU_LT : EMU_LE, ia_sext(t, DST, bytes), 0);
		else
			return false;
		return true;
	default: /* o */
		if (kind != IA_CC_LOGIC)
			return false;
		*c = compare(t, EMU_NE, ia_k(t, 0), 0);
		return true;
	}
}

static struct compare from_flags(struct ia *t, unsigned cc)
{
	static const uint16_t mask[6] = { IA_OF, IA_CF, IA_ZF, IA_CF | IA_ZF, IA_SF, IA_PF };
	uint16_t f = ia_flags(t), l;

	if (cc < 12)
		return compare(t, EMU_TSTNE, f, mask[cc / 2]);
	/* l: SF is not OF; four bits apart */
	l = ia_2k(t, EMU_OP_AND, ia_2(t, EMU_OP_XOR, f, ia_2k(t, EMU_OP_SHR, f, 4)), IA_SF);
	if (cc == 14)
		l = ia_2(t, EMU_OP_OR, l, ia_2k(t, EMU_OP_AND, f, IA_ZF));
	return compare(t, EMU_NE, l, 0);
}

void ia_condition(struct ia *t, unsigned cc, enum emu_cond *cond, uint16_t *a, uint16_t *b)
{
	struct compare c;

	if ((cc & ~1u) == IA_CC_B && t->x->note[3])
		c = compare(t, EMU_NE, t->x->note[3], 0);
	else if (!t->x->note[0] || !from_operands(t, cc & ~1u, t->x->note[0] - 1u, &c))
		c = from_flags(t, cc & ~1u);
	*cond = c.cond ^ (cc & 1);
	*a = c.a;
	*b = c.b;
}

uint16_t ia_condition_value(struct ia *t, unsigned cc)
{
	enum emu_cond cond;
	uint16_t a, b;

	ia_condition(t, cc, &cond, &a, &b);
	return ia_set(t, cond, a, b);
}
