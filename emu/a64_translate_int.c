/* AArch64: integer data processing into IR. Every intermediate value is a local temp, and Rd is written
 * by the last operation, so Rd may be one of the sources.
 */
#include "emu/a64_translate.h"

/* d = op(a, b) in the width of the instruction; `narrow` is the operation of 32 bits. */
static void put(struct emu_ir *ir, bool wide, enum emu_opcode op, enum emu_opcode narrow, uint16_t d, uint16_t a,
		uint16_t b)
{
	emu_ir_emit(ir, wide ? op : narrow, 0, d, a, b, EMU_NOTEMP, 0);
}

/* d = the value, of which a W register takes the low half. */
static void finish(struct emu_ir *ir, bool wide, uint16_t d, uint16_t value)
{
	emu_ir_1(ir, wide ? EMU_OP_MOV : EMU_OP_ZEXT32, d, value);
}

/* d = a op b for an operation without a 32-bit form. `clean`: the result's upper half is 0 anyway. */
static void logic(struct emu_ir *ir, bool wide, bool clean, enum emu_opcode op, uint16_t d, uint16_t a, uint16_t b)
{
	if (wide || clean)
		emu_ir_2(ir, op, d, a, b);
	else
		finish(ir, false, d, a64_new(ir, op, a, b));
}

static uint16_t ones(struct emu_ir *ir, unsigned width)
{
	return emu_ir_const(ir, (int64_t)(width >= 64 ? ~0ull : (1ull << width) - 1));
}

bool a64_pcrel(struct emu_xlat *x, const struct a64_insn *i)
{
	uint64_t base = i->id == A64_adrp ? x->pc & ~0xfffull : x->pc;

	emu_ir_1(x->ir, EMU_OP_MOV, a64_dst(x->ir, i->rd), emu_ir_const(x->ir, (int64_t)(base + (uint64_t)i->imm)));
	return true;
}

/* ---- operands ---- */

/* Rm, shifted by the immediate (lsl, lsr, asr, ror). */
static uint16_t shifted(struct emu_ir *ir, const struct a64_insn *i)
{
	static const uint8_t ops[2][4] = { { EMU_OP_SHL32, EMU_OP_SHR32, EMU_OP_SAR32, EMU_OP_ROTR32 },
					   { EMU_OP_SHL, EMU_OP_SHR, EMU_OP_SAR, EMU_OP_ROTR } };
	uint16_t m = a64_src(ir, i->rm);

	return i->imm ? a64_new_i(ir, (enum emu_opcode)ops[i->sf][i->index & 3], m, i->imm) : m;
}

uint16_t a64_extend(struct emu_ir *ir, unsigned option, uint16_t value, unsigned shift)
{
	static const uint8_t ops[8] = { EMU_OP_ZEXT8, EMU_OP_ZEXT16, EMU_OP_ZEXT32, 0, EMU_OP_SEXT8, EMU_OP_SEXT16,
					EMU_OP_SEXT32, 0 };

	if ((option & 3) != 3)
		value = a64_new(ir, (enum emu_opcode)ops[option & 7], value, EMU_NOTEMP);
	return shift ? a64_new_i(ir, EMU_OP_SHL, value, shift) : value;
}

/* ---- add, subtract ---- */

bool a64_addsub(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	bool sub = i->bits >> 30 & 1, flags = i->bits >> 29 & 1, imm = i->class == A64_CLASS_ADDSUB_IMM;
	bool sp = imm || i->class == A64_CLASS_ADDSUB_EXT;
	uint16_t a = sp ? a64_sp(i->rn) : a64_src(ir, i->rn);
	uint16_t b = imm ? emu_ir_const(ir, i->imm) :
		     sp	 ? a64_extend(ir, i->index, a64_src(ir, i->rm), (unsigned)i->imm) :
			   shifted(ir, i);
	uint16_t d = sp && !flags ? a64_sp(i->rd) : a64_dst(ir, i->rd);

	if (flags)
		a64_flags_set(x, sub ? EMU_OP_FLAGSUB : EMU_OP_FLAGADD, i->sf, a, b);
	if (flags && i->rd == 31)
		return true;
	put(ir, i->sf, sub ? EMU_OP_SUB : EMU_OP_ADD, sub ? EMU_OP_SUB32 : EMU_OP_ADD32, d, a, b);
	return true;
}

bool a64_carry(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	bool sub = i->bits >> 30 & 1, flags = i->bits >> 29 & 1;
	uint16_t a = a64_src(ir, i->rn), b = a64_src(ir, i->rm), c = a64_condition_value(x, A64_CCS), t;

	if (sub)
		b = a64_new(ir, EMU_OP_NOT, b, EMU_NOTEMP);
	t = a64_new(ir, i->sf ? EMU_OP_ADD : EMU_OP_ADD32, a, b);
	if (flags) {
		emu_ir_emit(ir, EMU_OP_FLAGADC, i->sf ? EMU_W64 : EMU_W32, A64_FLAGS, a, b, c, 0);
		x->flags = (struct emu_x_flags){ .known = false };
	}
	put(ir, i->sf, EMU_OP_ADD, EMU_OP_ADD32, a64_dst(ir, i->rd), t, c);
	return true;
}

bool a64_cond_compare(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	bool imm = i->bits >> 11 & 1;
	enum emu_opcode op = i->bits >> 30 & 1 ? EMU_OP_FLAGSUB : EMU_OP_FLAGADD;
	uint16_t b = imm ? emu_ir_const(ir, i->rm) : a64_src(ir, i->rm);

	if (i->index >= A64_CAL)
		a64_flags_set(x, op, i->sf, a64_src(ir, i->rn), b);
	else
		a64_flags_set_if(x, op, i->sf, a64_src(ir, i->rn), b, a64_condition_value(x, i->index),
				 (unsigned)i->imm);
	return true;
}

/* csel, csinc, csinv, csneg: Rn if the condition holds, else Rm, Rm + 1, ~Rm or -Rm. */
bool a64_cond_select(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t d = a64_dst(ir, i->rd), n = a64_src(ir, i->rn), m = a64_src(ir, i->rm), t = i->sf ? d : emu_ir_temp(ir);
	unsigned contrary = i->index < A64_CAL ? i->index ^ 1u : A64_CAL;

	if (i->id != A64_csel && i->rn == i->rm && i->index < A64_CAL) {
		uint16_t c = a64_condition_value(x, contrary);

		if (i->id == A64_csinc) { /* cset, cinc */
			put(ir, i->sf, EMU_OP_ADD, EMU_OP_ADD32, d, n, c);
			return true;
		}
		c = a64_new(ir, EMU_OP_SUB, emu_ir_const(ir, 0), c); /* all ones, or 0 */
		if (i->id == A64_csinv) { /* csetm, cinv */
			logic(ir, i->sf, false, EMU_OP_XOR, d, n, c);
			return true;
		}
		/* cneg: (n ^ c) - c */
		n = a64_new(ir, EMU_OP_XOR, n, c);
		put(ir, i->sf, EMU_OP_SUB, EMU_OP_SUB32, d, n, c);
		return true;
	}
	if (i->id == A64_csinc)
		m = a64_new_i(ir, EMU_OP_ADD, m, 1);
	else if (i->id == A64_csinv)
		m = a64_new(ir, EMU_OP_NOT, m, EMU_NOTEMP);
	else if (i->id == A64_csneg)
		m = a64_new(ir, EMU_OP_SUB, emu_ir_const(ir, 0), m);
	a64_select(x, i->index, t, n, m);
	if (!i->sf)
		finish(ir, false, d, t);
	return true;
}

/* ---- logic, moves ---- */

bool a64_logic(struct emu_xlat *x, const struct a64_insn *i)
{
	static const uint8_t ops[4] = { EMU_OP_AND, EMU_OP_OR, EMU_OP_XOR, EMU_OP_AND };
	struct emu_ir *ir = x->ir;
	bool imm = i->class == A64_CLASS_LOGIC_IMM, invert = !imm && i->bits >> 21 & 1;
	unsigned kind = i->bits >> 29 & 3;
	enum emu_opcode op = (enum emu_opcode)ops[kind];
	uint16_t a = a64_src(ir, i->rn), b = imm ? emu_ir_const(ir, i->imm) : shifted(ir, i);
	uint16_t d = imm && kind != 3 ? a64_sp(i->rd) : a64_dst(ir, i->rd);
	bool clean = imm && op == EMU_OP_AND;

	if (kind == 3 && i->rd == 31 && !invert) { /* tst */
		a64_flags_set(x, EMU_OP_FLAGLOGIC, i->sf, a, b);
		return true;
	}
	if (kind == 3) {
		uint16_t t = a64_new(ir, invert ? EMU_OP_ANDN : EMU_OP_AND, a, b);

		a64_flags_set(x, EMU_OP_FLAGLOGIC, i->sf, t, t);
		x->flags.b = x->flags.a;
		finish(ir, i->sf || clean, d, t);
		return true;
	}
	if (i->rn == 31 && kind == 1) { /* mov, mvn */
		if (invert)
			b = a64_new(ir, EMU_OP_NOT, b, EMU_NOTEMP);
		finish(ir, i->sf || (imm && !invert), d, b);
		return true;
	}
	if (invert && op == EMU_OP_AND)
		op = EMU_OP_ANDN;
	else if (invert)
		b = a64_new(ir, EMU_OP_NOT, b, EMU_NOTEMP);
	logic(ir, i->sf, clean, op, d, a, b);
	return true;
}

bool a64_move_wide(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint64_t value = (uint64_t)i->imm << i->index, all = i->sf ? ~0ull : 0xffffffff;
	uint16_t d = a64_dst(ir, i->rd);

	if (i->id == A64_movk) {
		uint16_t t = a64_new_i(ir, EMU_OP_AND, a64_src(ir, i->rd), (int64_t)(~(0xffffull << i->index) & all));

		emu_ir_2i(ir, EMU_OP_OR, d, t, (int64_t)value);
	} else {
		emu_ir_1(ir, EMU_OP_MOV, d, emu_ir_const(ir, (int64_t)(i->id == A64_movn ? ~value & all : value)));
	}
	return true;
}

/* ---- fields of bits ---- */

/* bfi, bfxil: `width` bits of n from `from` into d at `to`. */
static void insert(struct emu_ir *ir, const struct a64_insn *i, unsigned from, unsigned to, unsigned width)
{
	uint64_t mask = width >= 64 ? ~0ull : (1ull << width) - 1, all = i->sf ? ~0ull : 0xffffffff;
	uint16_t n = a64_src(ir, i->rn), old;

	if (from)
		n = a64_new_i(ir, EMU_OP_SHR, n, from);
	n = a64_new(ir, EMU_OP_AND, n, ones(ir, width));
	if (to)
		n = a64_new_i(ir, EMU_OP_SHL, n, to);
	old = a64_new_i(ir, EMU_OP_AND, a64_src(ir, i->rd), (int64_t)(~(mask << to) & all));
	emu_ir_2(ir, EMU_OP_OR, a64_dst(ir, i->rd), old, n);
}

/* A field moved down to bit 0 (imms >= immr), or from bit 0 up (imms < immr). */
bool a64_bitfield(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	unsigned r = i->index, s = (unsigned)i->imm, size = i->sf ? 64 : 32, up = s < r ? size - r : 0;
	unsigned width = s < r ? s + 1 : s - r + 1;
	uint16_t d = a64_dst(ir, i->rd), n = a64_src(ir, i->rn), t;
	enum emu_opcode shl = i->sf ? EMU_OP_SHL : EMU_OP_SHL32, shr = i->sf ? EMU_OP_SHR : EMU_OP_SHR32;
	enum emu_opcode sar = i->sf ? EMU_OP_SAR : EMU_OP_SAR32;

	if (i->id == A64_bfm) {
		insert(ir, i, s < r ? 0 : r, up, width);
	} else if (i->id == A64_sbfm) {
		if (s == size - 1 && s >= r) {          /* asr */
			emu_ir_2i(ir, sar, d, n, r);
		} else if (r == 0 && (s == 7 || s == 15 || s == 31)) { /* sxtb, sxth, sxtw */
			t = i->sf ? d : emu_ir_temp(ir);
			emu_ir_1(ir, s == 7 ? EMU_OP_SEXT8 : s == 15 ? EMU_OP_SEXT16 : EMU_OP_SEXT32, t, n);
			if (!i->sf)
				finish(ir, false, d, t);
		} else {
			t = a64_new_i(ir, shl, n, size - 1 - s);
			emu_ir_2i(ir, sar, d, t, s < r ? size - 1 - s - up : size - 1 - s + r);
		}
	} else if (s == size - 1 && s >= r) {           /* lsr */
		emu_ir_2i(ir, shr, d, n, r);
	} else if (s < r && s + 1 == r) {               /* lsl */
		emu_ir_2i(ir, shl, d, n, up);
	} else if (width > 31) {                        /* two shifts are shorter than a mask */
		t = a64_new_i(ir, EMU_OP_SHL, n, 63 - s);
		emu_ir_2i(ir, EMU_OP_SHR, d, t, s < r ? 63 - s - up : 63 - s + r);
	} else {
		t = s >= r && r ? a64_new_i(ir, EMU_OP_SHR, n, r) : n;
		if (up) {
			t = a64_new(ir, EMU_OP_AND, t, ones(ir, width));
			emu_ir_2i(ir, EMU_OP_SHL, d, t, up);
		} else {
			emu_ir_2(ir, EMU_OP_AND, d, t, ones(ir, width));
		}
	}
	return true;
}

bool a64_extract(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	unsigned size = i->sf ? 64 : 32;
	uint16_t d = a64_dst(ir, i->rd), n = a64_src(ir, i->rn), m = a64_src(ir, i->rm), low, high;

	if (i->rn == i->rm) {
		put(ir, i->sf, EMU_OP_ROTR, EMU_OP_ROTR32, d, n, emu_ir_const(ir, i->imm));
	} else if (!i->imm) {
		finish(ir, i->sf, d, m);
	} else {
		low = a64_new_i(ir, i->sf ? EMU_OP_SHR : EMU_OP_SHR32, m, i->imm);
		high = a64_new_i(ir, i->sf ? EMU_OP_SHL : EMU_OP_SHL32, n, (int64_t)size - i->imm);
		emu_ir_2(ir, EMU_OP_OR, d, low, high);
	}
	return true;
}

/* ---- one source ---- */

/* Swaps neighbouring groups of `n` bits; `mask` has ones in the lower ones. */
static uint16_t swap_bits(struct emu_ir *ir, uint16_t v, unsigned n, uint64_t mask)
{
	uint16_t m = emu_ir_const(ir, (int64_t)mask);
	uint16_t down = a64_new(ir, EMU_OP_AND, a64_new_i(ir, EMU_OP_SHR, v, n), m);
	uint16_t up = a64_new_i(ir, EMU_OP_SHL, a64_new(ir, EMU_OP_AND, v, m), n);

	return a64_new(ir, EMU_OP_OR, down, up);
}

/* All bits the other way round. rbit + clz, the way to count trailing zeros, is one operation: the
 * source is kept for an instruction that follows at once. */
static void reverse_bits(struct emu_xlat *x, const struct a64_insn *i, uint16_t d)
{
	struct emu_ir *ir = x->ir;
	uint16_t n = a64_src(ir, i->rn), v;

	x->reversed_pc = x->next;
	x->reversed_src = a64_new(ir, EMU_OP_MOV, n, EMU_NOTEMP);
	x->reversed_reg = i->rd;
	v = a64_new(ir, EMU_OP_BSWAP, n, EMU_NOTEMP);
	if (!i->sf)
		v = a64_new_i(ir, EMU_OP_SHR, v, 32);
	v = swap_bits(ir, v, 4, 0x0f0f0f0f0f0f0f0full);
	v = swap_bits(ir, v, 2, 0x3333333333333333ull);
	v = swap_bits(ir, v, 1, 0x5555555555555555ull);
	emu_ir_1(ir, EMU_OP_MOV, d, v);
}

bool a64_data1(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t d = a64_dst(ir, i->rd), n = a64_src(ir, i->rn), t;

	switch (i->id) {
	case A64_rbit:
		reverse_bits(x, i, d);
		break;
	case A64_rev16:
		finish(ir, i->sf, d, swap_bits(ir, n, 8, i->sf ? 0x00ff00ff00ff00ffull : 0x00ff00ff));
		break;
	case A64_rev_w:
		t = a64_new(ir, EMU_OP_BSWAP, n, EMU_NOTEMP);
		emu_ir_2i(ir, EMU_OP_SHR, d, t, 32);
		break;
	case A64_rev32:
		t = a64_new(ir, EMU_OP_BSWAP, n, EMU_NOTEMP);
		emu_ir_2i(ir, EMU_OP_ROTR, d, t, 32);
		break;
	case A64_rev_x:
		emu_ir_1(ir, EMU_OP_BSWAP, d, n);
		break;
	case A64_clz:
		if (x->reversed_pc == x->pc && x->reversed_reg == i->rn && i->rn != 31 && x->reversed_src)
			emu_ir_1(ir, i->sf ? EMU_OP_CTZ : EMU_OP_CTZ32, d, x->reversed_src);
		else
			emu_ir_1(ir, i->sf ? EMU_OP_CLZ : EMU_OP_CLZ32, d, n);
		break;
	case A64_cls: /* bits that equal their left neighbour, from the top */
		t = a64_new(ir, EMU_OP_XOR, n, a64_new_i(ir, i->sf ? EMU_OP_SAR : EMU_OP_SAR32, n, 1));
		t = a64_new(ir, i->sf ? EMU_OP_CLZ : EMU_OP_CLZ32, t, EMU_NOTEMP);
		emu_ir_2i(ir, EMU_OP_SUB, d, t, 1);
		break;
	default:
		return false;
	}
	return true;
}

/* ---- two sources ---- */

/* Division by zero is 0; the rest as the IR has it. */
static void divide(struct emu_ir *ir, const struct a64_insn *i, uint16_t d)
{
	bool sign = i->id == A64_sdiv;
	uint16_t n = a64_src(ir, i->rn), m = a64_src(ir, i->rm), q;

	if (!i->sf)
		m = a64_new(ir, EMU_OP_ZEXT32, m, EMU_NOTEMP);
	q = a64_new(ir, i->sf ? (sign ? EMU_OP_DIVS : EMU_OP_DIVU) : (sign ? EMU_OP_DIVS32 : EMU_OP_DIVU32), n, m);
	emu_ir_emit(ir, EMU_OP_SELECT, 0, d, m, q, emu_ir_const(ir, 0), 0);
}

bool a64_data2(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t d = a64_dst(ir, i->rd), n = a64_src(ir, i->rn), m = a64_src(ir, i->rm);

	switch (i->id) {
	case A64_udiv: case A64_sdiv: divide(ir, i, d); break;
	case A64_lslv: put(ir, i->sf, EMU_OP_SHL, EMU_OP_SHL32, d, n, m); break;
	case A64_lsrv: put(ir, i->sf, EMU_OP_SHR, EMU_OP_SHR32, d, n, m); break;
	case A64_asrv: put(ir, i->sf, EMU_OP_SAR, EMU_OP_SAR32, d, n, m); break;
	default: put(ir, i->sf, EMU_OP_ROTR, EMU_OP_ROTR32, d, n, m); break;
	}
	return true;
}

bool a64_crc(struct emu_xlat *x, const struct a64_insn *i)
{
	unsigned bytes = 1u << (i->bits >> 10 & 3);

	emu_ir_call(x->ir, a64_crc_helpers[i->bits >> 12 & 1][bytes == 8 ? 3 : bytes >> 1], a64_dst(x->ir, i->rd),
		    a64_src(x->ir, i->rn), a64_src(x->ir, i->rm));
	return true;
}

/* ---- three sources ---- */

bool a64_data3(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	bool sub = i->bits >> 15 & 1, longer = i->bits >> 21 & 1, sign = !(i->bits >> 23 & 1);
	uint16_t d = a64_dst(ir, i->rd), n = a64_src(ir, i->rn), m = a64_src(ir, i->rm), t;

	if (i->id == A64_smulh || i->id == A64_umulh) {
		emu_ir_2(ir, i->id == A64_smulh ? EMU_OP_MULHS : EMU_OP_MULHU, d, n, m);
		return true;
	}
	if (longer) {
		n = a64_new(ir, sign ? EMU_OP_SEXT32 : EMU_OP_ZEXT32, n, EMU_NOTEMP);
		m = a64_new(ir, sign ? EMU_OP_SEXT32 : EMU_OP_ZEXT32, m, EMU_NOTEMP);
	}
	if (i->ra == 31 && !sub) {
		put(ir, i->sf, EMU_OP_MUL, EMU_OP_MUL32, d, n, m);
		return true;
	}
	t = a64_new(ir, i->sf ? EMU_OP_MUL : EMU_OP_MUL32, n, m);
	put(ir, i->sf, sub ? EMU_OP_SUB : EMU_OP_ADD, sub ? EMU_OP_SUB32 : EMU_OP_ADD32, d, a64_src(ir, i->ra), t);
	return true;
}
