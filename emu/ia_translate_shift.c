/* x86 shifts and rotates in IR. The count is cut to 5 bits (6 with 64-bit operands); 0 leaves flags alone. */
#include "emu/ia_translate.h"

/* The count: a constant (>= 0 in *known), or a temp (-1). */
static uint16_t count_of(struct ia *t, unsigned n, unsigned bytes, int *known)
{
	unsigned mask = bytes == 8 ? 63 : 31, operand = t->i.row->operand[n];

	if (operand == IA_O_CL) {
		*known = -1;
		return ia_2k(t, EMU_OP_AND, EMU_R(IA_RCX), mask);
	}
	*known = operand == IA_O_I1 ? 1 : (int)((unsigned)t->i.imm & mask);
	return ia_k(t, *known);
}

static void finish(struct ia *t, int known, uint16_t count, unsigned kind, unsigned bytes, uint16_t r, uint16_t out)
{
	if (known > 0)
		ia_flags_write(t, kind, bytes, r, out, EMU_NOTEMP);
	else
		ia_flags_write_if(t, count, kind, bytes, r, out);
}

static void write_back(struct ia *t, const struct ia_address *at, uint16_t r)
{
	/* memory first: it may fault; but a register only after the flags have read what they need */
	if (t->i.memory)
		ia_write(t, 0, at, r);
}

static void write_register(struct ia *t, uint16_t r)
{
	if (!t->i.memory)
		ia_write(t, 0, NULL, r);
}

static void shift(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	enum emu_opcode op = t->i.op == IA_shl ? EMU_OP_SHL : t->i.op == IA_shr ? EMU_OP_SHR : EMU_OP_SAR;
	struct ia_address at = { 0 };
	uint16_t a = ia_read(t, 0, &at), n, less, out, r;
	int known;

	n = count_of(t, 1, bytes, &known);
	if (known == 0) {
		write_back(t, &at, a);
		write_register(t, a);
		return;
	}
	if (op == EMU_OP_SAR)
		a = ia_sext(t, a, bytes);
	less = known > 0 ? ia_k(t, known - 1) : ia_2k(t, EMU_OP_SUB, n, 1);
	out = ia_2(t, op, a, less);
	if (op != EMU_OP_SHL)
		out = ia_zext(t, out, bytes);
	r = ia_zext(t, ia_2(t, op, a, n), bytes);
	write_back(t, &at, r);
	finish(t, known, n, op == EMU_OP_SHL ? IA_CC_SHL : IA_CC_SHR, bytes, r, out);
	write_register(t, r);
}

/* The value doubled (or more) so that rotating 32 or 64 bits rotates it. */
static uint16_t repeated(struct ia *t, uint16_t a, unsigned bytes)
{
	if (bytes == 1)
		return ia_2k(t, EMU_OP_MUL, a, 0x01010101);
	return bytes == 2 ? ia_2(t, EMU_OP_OR, a, ia_2k(t, EMU_OP_SHL, a, 16)) : a;
}

/* CF and OF of a rotate; the others stay. OF is defined for a count of one: the two top bits of the result
 * (right), or the top bit and the carry (left). */
static void rotate_flags(struct ia *t, int known, uint16_t n, unsigned bytes, uint16_t r, uint16_t carry, bool left)
{
	unsigned bits = bytes * 8;
	uint16_t high = ia_2k(t, EMU_OP_AND, ia_2k(t, EMU_OP_SHR, r, bits - 1), 1);
	uint16_t other = left ? carry : ia_2k(t, EMU_OP_AND, ia_2k(t, EMU_OP_SHR, r, bits - 2), 1);
	uint16_t of = ia_2k(t, EMU_OP_SHL, ia_2(t, EMU_OP_XOR, high, other), 11), old = EMU_NOTEMP, f;

	f = ia_2(t, EMU_OP_OR, carry, of);
	if (known < 0)
		old = ia_1(t, EMU_OP_MOV, ia_flags(t));
	ia_flags_change(t, IA_CF | IA_OF, f);
	if (known > 0)
		ia_flags_carry(t, carry);
	else /* a count of 0 changes nothing */
		ia_flags_set(t, ia_select(t, n, EMU_R(IA_G_CC_SRC), old));
}

static void rotate(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	bool left = t->i.op == IA_rol;
	struct ia_address at = { 0 };
	uint16_t a = ia_read(t, 0, &at), n, r, by, carry;
	int known;

	n = count_of(t, 1, bytes, &known);
	by = left ? ia_2(t, EMU_OP_SUB, ia_k(t, 0), n) : n;
	r = ia_zext(t, ia_2(t, bytes == 8 ? EMU_OP_ROTR : EMU_OP_ROTR32, repeated(t, a, bytes), by), bytes);
	write_back(t, &at, r);
	if (known) {
		carry = left ? ia_2k(t, EMU_OP_AND, r, 1) : ia_2k(t, EMU_OP_SHR, r, bytes * 8 - 1);
		rotate_flags(t, known, n, bytes, r, carry, left);
	}
	write_register(t, r);
}

static void rotate_carry(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	bool left = t->i.op == IA_rcl;
	struct ia_address at = { 0 };
	uint16_t a = ia_read(t, 0, &at), n, r, how, carry;
	int known;

	n = count_of(t, 1, bytes, &known);
	how = ia_2k(t, EMU_OP_SHL, ia_condition_value(t, IA_CC_B), IA_ROTATE_CARRY);
	how = ia_2(t, EMU_OP_OR, ia_2(t, EMU_OP_OR, how, n),
		   ia_k(t, (int64_t)(bytes * 8u) << IA_ROTATE_BITS | (int64_t)left << IA_ROTATE_LEFT));
	r = ia_pure(t, emu_ia_rotate_carry, a, how);
	write_back(t, &at, r);
	if (known) {
		carry = ia_pure(t, emu_ia_rotate_carry_out, a, how);
		rotate_flags(t, known, n, bytes, r, carry, left);
	}
	write_register(t, r);
}

/* a shifted by n, filled from b. */
static uint16_t joined(struct ia *t, uint16_t a, uint16_t b, uint16_t n, unsigned bytes, bool left)
{
	unsigned bits = bytes * 8;
	uint16_t rest;

	if (bytes < 8) {
		uint16_t high = ia_2k(t, EMU_OP_SHL, left ? a : b, bits), x = ia_2(t, EMU_OP_OR, high, left ? b : a);

		x = ia_2(t, left ? EMU_OP_SHL : EMU_OP_SHR, x, n);
		return left ? ia_2k(t, EMU_OP_SHR, x, bits) : x;
	}
	/* what comes in: b >> (64 - n), in two steps, as n may be 0 */
	rest = ia_2(t, EMU_OP_SUB, ia_k(t, 63), n);
	if (left)
		rest = ia_2(t, EMU_OP_SHR, ia_2k(t, EMU_OP_SHR, b, 1), rest);
	else
		rest = ia_2(t, EMU_OP_SHL, ia_2k(t, EMU_OP_SHL, b, 1), rest);
	return ia_2(t, EMU_OP_OR, ia_2(t, left ? EMU_OP_SHL : EMU_OP_SHR, a, n), rest);
}

/* SHLD, SHRD: a and b side by side. Counts above 16 with 16-bit operands are undefined. */
static void shift_double(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	bool left = t->i.op == IA_shld;
	struct ia_address at = { 0 };
	uint16_t a = ia_read(t, 0, &at), b = ia_read(t, 1, NULL), n, less, r, out;
	int known;

	n = count_of(t, 2, bytes, &known);
	if (known == 0) {
		write_back(t, &at, a);
		write_register(t, a);
		return;
	}
	less = known > 0 ? ia_k(t, known - 1) : ia_2k(t, EMU_OP_SUB, n, 1);
	out = ia_2(t, left ? EMU_OP_SHL : EMU_OP_SHR, a, less);
	r = joined(t, a, b, n, bytes, left);
	r = ia_zext(t, r, bytes);
	write_back(t, &at, r);
	finish(t, known, n, left ? IA_CC_SHL : IA_CC_SHR, bytes, r, out);
	write_register(t, r);
}

bool ia_translate_shift(struct ia *t)
{
	switch (t->i.op) {
	case IA_shl: case IA_shr: case IA_sar: shift(t); return true;
	case IA_rol: case IA_ror: rotate(t); return true;
	case IA_rcl: case IA_rcr: rotate_carry(t); return true;
	case IA_shld: case IA_shrd: shift_double(t); return true;
	default: return false;
	}
}
