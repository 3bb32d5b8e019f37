/* x86 arithmetic in IR: add to neg, and the instructions that exchange and compare. */
#include "emu/ia_translate.h"

/* A temp that keeps its value when registers are written. */
static uint16_t keep(struct ia *t, uint16_t a)
{
	return a < EMU_GLOBALS ? ia_1(t, EMU_OP_MOV, a) : a;
}

/* A result into its operand: memory before the flags (it may fault), a register after them (it may be
 * what they are made of). */
static void store_first(struct ia *t, unsigned n, const struct ia_address *at, uint16_t r)
{
	if (t->i.memory && emu_ia_place(&t->i, n) == IA_PLACE_E)
		ia_write(t, n, at, r);
}
static void register_last(struct ia *t, unsigned n, uint16_t r)
{
	if (!t->i.memory || emu_ia_place(&t->i, n) != IA_PLACE_E)
		ia_write(t, n, NULL, r);
}

static uint16_t sized(struct ia *t, enum emu_opcode op, uint16_t a, uint16_t b, unsigned bytes)
{
	if (bytes == 4 && op == EMU_OP_ADD)
		return ia_2(t, EMU_OP_ADD32, a, b);
	if (bytes == 4 && op == EMU_OP_SUB)
		return ia_2(t, EMU_OP_SUB32, a, b);
	return ia_zext(t, ia_2(t, op, a, b), bytes);
}

static void add_sub(struct ia *t, bool add, bool write)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	struct ia_address at = { 0 };
	uint16_t a = keep(t, ia_read(t, 0, write ? &at : NULL)), b = ia_read(t, 1, NULL), r;

	r = sized(t, add ? EMU_OP_ADD : EMU_OP_SUB, a, b, bytes);
	if (write)
		store_first(t, 0, &at, r);
	ia_flags_write(t, add ? IA_CC_ADD : IA_CC_SUB, bytes, r, b, a);
	if (write)
		register_last(t, 0, r);
}

static void with_carry(struct ia *t, bool add)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	enum emu_opcode op = add ? EMU_OP_ADD : EMU_OP_SUB;
	struct ia_address at = { 0 };
	uint16_t a = ia_read(t, 0, &at), b = ia_read(t, 1, NULL), c = ia_condition_value(t, IA_CC_B), r;

	r = ia_zext(t, ia_2(t, op, ia_2(t, op, a, b), c), bytes);
	store_first(t, 0, &at, r);
	ia_mov(t, EMU_R(IA_G_CC_SRC2), c);
	ia_flags_write(t, add ? IA_CC_ADC : IA_CC_SBB, bytes, r, b, EMU_NOTEMP);
	register_last(t, 0, r);
}

static void logic(struct ia *t, enum emu_opcode op, bool write)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	struct ia_address at = { 0 };
	uint16_t a = ia_read(t, 0, write ? &at : NULL), b = ia_read(t, 1, NULL), r;

	if (op == EMU_OP_XOR && a == b) /* xor eax, eax */
		r = ia_k(t, 0);
	else
		r = ia_2(t, op, a, b);
	if (write)
		store_first(t, 0, &at, r);
	ia_flags_write(t, IA_CC_LOGIC, bytes, r, EMU_NOTEMP, EMU_NOTEMP);
	if (write)
		register_last(t, 0, r);
}

static void inc_dec(struct ia *t, bool inc)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	struct ia_address at = { 0 };
	uint16_t a = ia_read(t, 0, &at), c = ia_condition_value(t, IA_CC_B), r;

	r = sized(t, inc ? EMU_OP_ADD : EMU_OP_SUB, a, ia_k(t, 1), bytes);
	store_first(t, 0, &at, r);
	ia_flags_write(t, inc ? IA_CC_INC : IA_CC_DEC, bytes, r, c, EMU_NOTEMP);
	register_last(t, 0, r);
}

static void neg_not(struct ia *t, bool neg)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	struct ia_address at = { 0 };
	uint16_t a = keep(t, ia_read(t, 0, &at)), zero = ia_k(t, 0), r;

	r = neg ? sized(t, EMU_OP_SUB, zero, a, bytes) : ia_zext(t, ia_1(t, EMU_OP_NOT, a), bytes);
	store_first(t, 0, &at, r);
	if (neg)
		ia_flags_write(t, IA_CC_SUB, bytes, r, a, zero);
	register_last(t, 0, r);
}

static void xadd(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	struct ia_address at = { 0 };
	uint16_t a = keep(t, ia_read(t, 0, &at)), b = keep(t, ia_read(t, 1, NULL)), r;

	r = sized(t, EMU_OP_ADD, a, b, bytes);
	store_first(t, 0, &at, r);
	ia_flags_write(t, IA_CC_ADD, bytes, r, b, a);
	ia_write(t, 1, NULL, a); /* first, so that with one register the sum stays */
	register_last(t, 0, r);
}

static void cmpxchg(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	struct ia_address at = { 0 };
	uint16_t a = keep(t, ia_read(t, 0, &at)), b = keep(t, ia_read(t, 1, NULL));
	uint16_t acc = keep(t, ia_get(t, IA_RAX, bytes)), eq = ia_set(t, EMU_EQ, acc, a);
	uint16_t r = ia_select(t, eq, b, a), back = ia_select(t, eq, acc, a);

	store_first(t, 0, &at, r); /* it writes in both cases */
	ia_flags_write(t, IA_CC_SUB, bytes, sized(t, EMU_OP_SUB, acc, a, bytes), a, acc);
	/* when they are equal, not even the upper half of RAX is touched, nor, when not, that of the
	 * destination */
	if (!t->i.memory && bytes == 4)
		emu_ir_emit(t->ir, EMU_OP_SELECT, 0, EMU_R(t->i.rm), eq, b, EMU_R(t->i.rm), 0);
	else
		register_last(t, 0, r);
	if (!t->i.memory && t->i.rm == IA_RAX)
		return; /* then they were equal */
	if (bytes == 4)
		emu_ir_emit(t->ir, EMU_OP_SELECT, 0, EMU_R(IA_RAX), eq, EMU_R(IA_RAX), a, 0);
	else
		ia_put(t, IA_RAX, bytes, back);
}

static uint16_t pair(struct ia *t, unsigned high, unsigned low)
{
	return ia_2(t, EMU_OP_OR, ia_2k(t, EMU_OP_SHL, ia_get(t, high, 4), 32), ia_get(t, low, 4));
}

static void cmpxchg8b(struct ia *t)
{
	struct ia_address at = ia_address(t, EMU_NOTEMP);
	uint16_t a = ia_load_to_write(t, at, 8), acc = pair(t, IA_RDX, IA_RAX), eq = ia_set(t, EMU_EQ, acc, a);
	uint16_t half[2] = { ia_zext(t, a, 4), ia_2k(t, EMU_OP_SHR, a, 32) };

	ia_store(t, at, 8, ia_select(t, eq, pair(t, IA_RCX, IA_RBX), a));
	ia_flags_change(t, IA_ZF, ia_2k(t, EMU_OP_SHL, eq, 6));
	emu_ir_emit(t->ir, EMU_OP_SELECT, 0, EMU_R(IA_RAX), eq, EMU_R(IA_RAX), half[0], 0);
	emu_ir_emit(t->ir, EMU_OP_SELECT, 0, EMU_R(IA_RDX), eq, EMU_R(IA_RDX), half[1], 0);
}

static void cmpxchg16b(struct ia *t)
{
	struct ia_address at = ia_address(t, EMU_NOTEMP), up;
	uint16_t low, high, eq;

	at.a = at.off ? ia_2k(t, EMU_OP_ADD, at.a, at.off) : at.a;
	at.off = 0;
	emu_x_except_if(t->x, EMU_TSTNE, at.a, ia_k(t, 15), EMU_EXC_VECTOR + 13);
	up = at;
	up.off += 8;
	low = ia_load_to_write(t, at, 8);
	high = ia_load_to_write(t, up, 8);
	eq = ia_2(t, EMU_OP_AND, ia_set(t, EMU_EQ, low, EMU_R(IA_RAX)), ia_set(t, EMU_EQ, high, EMU_R(IA_RDX)));
	/* aligned, so in one page: when the first store does not fault, the second does not */
	ia_store(t, at, 8, ia_select(t, eq, EMU_R(IA_RBX), low));
	ia_store(t, up, 8, ia_select(t, eq, EMU_R(IA_RCX), high));
	ia_flags_change(t, IA_ZF, ia_2k(t, EMU_OP_SHL, eq, 6));
	emu_ir_emit(t->ir, EMU_OP_SELECT, 0, EMU_R(IA_RAX), eq, EMU_R(IA_RAX), low, 0);
	emu_ir_emit(t->ir, EMU_OP_SELECT, 0, EMU_R(IA_RDX), eq, EMU_R(IA_RDX), high, 0);
}

bool ia_translate_alu(struct ia *t)
{
	switch (t->i.op) {
	case IA_add: add_sub(t, true, true); return true;
	case IA_sub: add_sub(t, false, true); return true;
	case IA_cmp: add_sub(t, false, false); return true;
	case IA_adc: with_carry(t, true); return true;
	case IA_sbb: with_carry(t, false); return true;
	case IA_and: logic(t, EMU_OP_AND, true); return true;
	case IA_or: logic(t, EMU_OP_OR, true); return true;
	case IA_xor: logic(t, EMU_OP_XOR, true); return true;
	case IA_test: logic(t, EMU_OP_AND, false); return true;
	case IA_inc: inc_dec(t, true); return true;
	case IA_dec: inc_dec(t, false); return true;
	case IA_neg: neg_not(t, true); return true;
	case IA_not: neg_not(t, false); return true;
	case IA_xadd: xadd(t); return true;
	case IA_cmpxchg: cmpxchg(t); return true;
	case IA_cmpxchg8b: cmpxchg8b(t); return true;
	case IA_cmpxchg16b: cmpxchg16b(t); return true;
	default: return false;
	}
}
