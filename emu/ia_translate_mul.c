/* x86 multiplication, division and decimal adjustment in IR. */
#include "emu/ia_translate.h"

/* rDX:rAX, or AX for bytes, from a product of less than 64 bits. */
static void put_product(struct ia *t, uint16_t p, unsigned bytes)
{
	if (bytes == 1) {
		ia_put(t, IA_RAX, 2, ia_zext(t, p, 2));
		return;
	}
	ia_put(t, IA_RAX, bytes, ia_zext(t, p, bytes));
	ia_put(t, IA_RDX, bytes, ia_zext(t, ia_2k(t, EMU_OP_SHR, p, bytes * 8), bytes));
}

static void multiply(struct ia *t, bool sign)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	uint16_t a = ia_get(t, IA_RAX, bytes), b = ia_read(t, 0, NULL), p, high, low, over;

	if (sign) {
		a = ia_sext(t, a, bytes);
		b = ia_sext(t, b, bytes);
	}
	p = ia_2(t, EMU_OP_MUL, a, b);
	low = ia_zext(t, p, bytes);
	if (bytes == 8) {
		high = ia_2(t, sign ? EMU_OP_MULHS : EMU_OP_MULHU, a, b);
		over = sign ? ia_2(t, EMU_OP_XOR, high, ia_2k(t, EMU_OP_SAR, p, 63)) : high;
		ia_flags_write(t, IA_CC_MUL, bytes, low, over, EMU_NOTEMP);
		ia_mov(t, EMU_R(IA_RAX), p);
		ia_mov(t, EMU_R(IA_RDX), high);
		return;
	}
	over = sign ? ia_set(t, EMU_NE, p, ia_sext(t, low, bytes)) : ia_2k(t, EMU_OP_SHR, p, bytes * 8);
	ia_flags_write(t, IA_CC_MUL, bytes, low, over, EMU_NOTEMP);
	put_product(t, p, bytes);
}

/* imul Gv, Ev and imul Gv, Ev, I */
static void multiply_into(struct ia *t)
{
	bool three = t->i.row->operand[2] != IA_O__;
	unsigned bytes = t->i.osize;
	uint16_t a = ia_sext(t, ia_read(t, three ? 1 : 0, NULL), bytes);
	uint16_t b = ia_sext(t, ia_read(t, three ? 2 : 1, NULL), bytes), p = ia_2(t, EMU_OP_MUL, a, b), over;
	uint16_t low = ia_zext(t, p, bytes);

	if (bytes == 8)
		over = ia_2(t, EMU_OP_XOR, ia_2(t, EMU_OP_MULHS, a, b), ia_2k(t, EMU_OP_SAR, p, 63));
	else
		over = ia_set(t, EMU_NE, p, ia_sext(t, low, bytes));
	ia_flags_write(t, IA_CC_MUL, bytes, low, over, EMU_NOTEMP);
	ia_write(t, 0, NULL, low);
}

#define DE (EMU_EXC_VECTOR + 0)

static void divide64(struct ia *t, bool sign, uint16_t by)
{
	uint16_t low = EMU_R(IA_RAX), high = EMU_R(IA_RDX), q, rest, fits;

	if (!sign) /* the quotient fits when the upper half is below the divisor, so never with 0 */
		emu_x_except_if(t->x, EMU_GEU, high, by, DE);
	emu_ir_call(t->ir, emu_ia_stash, EMU_NOTEMP, high, low);
	if (sign) {
		fits = emu_ir_temp(t->ir);
		emu_ir_call(t->ir, emu_ia_idiv128_fits, fits, low, by);
		emu_x_except_if(t->x, EMU_EQ, fits, ia_k(t, 0), DE);
	}
	q = emu_ir_temp(t->ir);
	emu_ir_call(t->ir, sign ? emu_ia_idiv128 : emu_ia_div128, q, low, by);
	rest = ia_2(t, EMU_OP_SUB, low, ia_2(t, EMU_OP_MUL, q, by));
	ia_mov(t, EMU_R(IA_RDX), rest);
	ia_mov(t, EMU_R(IA_RAX), q);
}

static void divide(struct ia *t, bool sign)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	uint16_t by = ia_read(t, 0, NULL), n, q, rest;

	if (by < EMU_GLOBALS) /* outside of 64-bit mode */
		by = ia_1(t, EMU_OP_MOV, by);
	if (bytes == 8) {
		divide64(t, sign, by);
		return;
	}
	if (bytes == 1)
		n = ia_get(t, IA_RAX, 2);
	else
		n = ia_2(t, EMU_OP_OR, ia_2k(t, EMU_OP_SHL, ia_get(t, IA_RDX, bytes), bytes * 8),
			 ia_get(t, IA_RAX, bytes));
	if (sign) {
		n = bytes == 4 ? n : ia_sext(t, n, 2 * bytes);
		by = ia_sext(t, by, bytes);
	}
	emu_x_except_if(t->x, EMU_EQ, by, ia_k(t, 0), DE);
	q = ia_2(t, sign ? EMU_OP_DIVS : EMU_OP_DIVU, n, by);
	emu_x_except_if(t->x, EMU_NE, q, sign ? ia_sext(t, q, bytes) : ia_zext(t, q, bytes), DE);
	rest = ia_2(t, sign ? EMU_OP_REMS : EMU_OP_REMU, n, by);
	q = ia_zext(t, q, bytes);
	rest = ia_zext(t, rest, bytes);
	if (bytes == 1) {
		ia_put(t, IA_RAX, 2, ia_2(t, EMU_OP_OR, ia_2k(t, EMU_OP_SHL, rest, 8), q));
		return;
	}
	ia_put(t, IA_RAX, bytes, q);
	ia_put(t, IA_RDX, bytes, rest);
}

static void decimal(struct ia *t)
{
	uint16_t in = ia_2(t, EMU_OP_OR, ia_get(t, IA_RAX, 2), ia_2k(t, EMU_OP_SHL, ia_flags(t), 16));
	uint16_t out = ia_pure(t, emu_ia_decimal, in, ia_k(t, t->i.opcode));

	ia_flags_set(t, ia_2k(t, EMU_OP_SHR, out, 16));
	ia_put(t, IA_RAX, 2, ia_zext(t, out, 2));
}

static void aam_aad(struct ia *t)
{
	uint16_t al = ia_get(t, IA_RAX, 1), ah = ia_zext(t, ia_2k(t, EMU_OP_SHR, EMU_R(IA_RAX), 8), 1);
	uint16_t base = ia_k(t, t->i.imm & 0xff), low;

	if (t->i.op == IA_aam && (t->i.imm & 0xff) == 0) {
		emu_x_exception(t->x, (enum emu_exc)DE);
		return;
	}
	if (t->i.op == IA_aam) {
		low = ia_2(t, EMU_OP_REMU, al, base);
		ah = ia_2(t, EMU_OP_DIVU, al, base);
		ia_put(t, IA_RAX, 2, ia_2(t, EMU_OP_OR, low, ia_2k(t, EMU_OP_SHL, ah, 8)));
	} else {
		low = ia_zext(t, ia_2(t, EMU_OP_ADD, al, ia_2(t, EMU_OP_MUL, ah, base)), 1);
		ia_put(t, IA_RAX, 2, low);
	}
	ia_flags_write(t, IA_CC_LOGIC, 1, low, EMU_NOTEMP, EMU_NOTEMP);
}

bool ia_translate_mul(struct ia *t)
{
	switch (t->i.op) {
	case IA_mul: multiply(t, false); return true;
	case IA_imul:
		if (t->i.row->operand[1] == IA_O__)
			multiply(t, true);
		else
			multiply_into(t);
		return true;
	case IA_div: divide(t, false); return true;
	case IA_idiv: divide(t, true); return true;
	case IA_daa: case IA_das: case IA_aaa: case IA_aas: decimal(t); return true;
	case IA_aam: case IA_aad: aam_aad(t); return true;
	default: return false;
	}
}
