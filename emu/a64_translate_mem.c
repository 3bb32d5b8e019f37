/* AArch64: loads and stores into IR. A register is written after the last access of the instruction,
 * and the base register after that, so that a fault leaves all as it was.
 */
#include "emu/a64_translate.h"

/* Addresses of an instruction: where it accesses, and what the base register becomes. */
struct place {
	uint16_t base;
	int64_t offset;
	uint16_t after;         /* temp or constant added to the base register, or EMU_NOTEMP */
};

enum mode { MODE_OFFSET, MODE_POST, MODE_PRE };

static struct place place_of(struct emu_ir *ir, const struct a64_insn *i, enum mode mode)
{
	struct place p = { a64_sp(i->rn), mode == MODE_POST ? 0 : i->imm, EMU_NOTEMP };

	if (mode != MODE_OFFSET)
		p.after = emu_ir_const(ir, i->imm);
	return p;
}

static void write_back(struct emu_ir *ir, const struct a64_insn *i, const struct place *p)
{
	if (p->after != EMU_NOTEMP)
		emu_ir_2(ir, EMU_OP_ADD, a64_sp(i->rn), a64_sp(i->rn), p->after);
}

/* d = memory; a load with sign into a W register is one of 32 bits in the end. */
static void load(struct emu_ir *ir, unsigned size, bool sign, bool wide, uint16_t d, uint16_t base, int64_t offset)
{
	if (!sign) {
		emu_ir_ld(ir, size, d, base, offset);
	} else if (wide) {
		emu_ir_ld(ir, size | EMU_MSIGN, d, base, offset);
	} else {
		uint16_t t = emu_ir_temp(ir);

		emu_ir_ld(ir, size | EMU_MSIGN, t, base, offset);
		emu_ir_1(ir, EMU_OP_ZEXT32, d, t);
	}
}

/* v = memory of 1 << size bytes, 0 above. */
static void load_fp(struct emu_ir *ir, unsigned size, uint16_t v, uint16_t base, int64_t offset)
{
	uint16_t t;

	if (size >= 2) {
		emu_ir_emit(ir, EMU_OP_FLD, size - 2, v, base, EMU_NOTEMP, EMU_NOTEMP, offset);
		return;
	}
	t = emu_ir_temp(ir);
	emu_ir_ld(ir, size, t, base, offset);
	emu_ir_1(ir, EMU_OP_MOVIF, v, t);
}

static void store_fp(struct emu_ir *ir, unsigned size, uint16_t v, uint16_t base, int64_t offset)
{
	uint16_t t;

	if (size >= 2) {
		emu_ir_emit(ir, EMU_OP_FST, size - 2, EMU_NOTEMP, base, v, EMU_NOTEMP, offset);
		return;
	}
	t = emu_ir_temp(ir);
	emu_ir_1(ir, EMU_OP_MOVFI, t, v);
	emu_ir_st(ir, size, t, base, offset);
}

/* ---- one register ---- */

static bool is_register_offset(const struct a64_insn *i)
{
	return a64_rows[i->id].format == A64_FORMAT_MEM_REGISTER || a64_rows[i->id].format == A64_FORMAT_FMEM_REGISTER;
}

static enum mode mode_of(const struct a64_insn *i)
{
	if (i->bits >> 24 & 1 || is_register_offset(i))
		return MODE_OFFSET;
	return (i->bits >> 10 & 3) == 1 ? MODE_POST : (i->bits >> 10 & 3) == 3 ? MODE_PRE : MODE_OFFSET;
}

bool a64_load_store(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	bool fp = i->class == A64_CLASS_LOAD_STORE_FP;
	bool is_load = fp ? i->bits >> 22 & 1 : (i->bits >> 22 & 3) != 0, sign = !fp && (i->bits >> 23 & 1);
	struct place p = place_of(ir, i, mode_of(i));
	uint16_t value;

	a64_flags_fault(x);
	if (is_register_offset(i)) {
		p.base = a64_new(ir, EMU_OP_ADD, p.base,
				 a64_extend(ir, i->index, a64_src(ir, i->rm), i->imm ? i->size : 0));
		p.offset = 0;
	}
	if (fp && is_load)
		load_fp(ir, i->size, EMU_F(i->rd), p.base, p.offset);
	else if (fp)
		store_fp(ir, i->size, EMU_F(i->rd), p.base, p.offset);
	else if (!is_load)
		emu_ir_st(ir, i->size, a64_src(ir, i->rd), p.base, p.offset);
	else if (p.after != EMU_NOTEMP && i->rd == i->rn) { /* unpredictable: the base register wins */
		value = a64_new(ir, EMU_OP_ADD, p.base, p.after);
		load(ir, i->size, sign, i->sf, emu_ir_temp(ir), p.base, p.offset);
		emu_ir_1(ir, EMU_OP_MOV, a64_sp(i->rn), value);
		return true;
	} else {
		load(ir, i->size, sign, i->sf, a64_dst(ir, i->rd), p.base, p.offset);
	}
	write_back(ir, i, &p);
	return true;
}

bool a64_literal(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t base = emu_ir_const(ir, (int64_t)(x->pc + (uint64_t)i->imm));

	a64_flags_fault(x);
	if (i->class == A64_CLASS_LITERAL_FP)
		load_fp(ir, i->size, EMU_F(i->rd), base, 0);
	else
		load(ir, i->size, i->id == A64_ldrsw_lit, true, a64_dst(ir, i->rd), base, 0);
	return true;
}

bool a64_prefetch(struct emu_xlat *x, const struct a64_insn *i)
{
	(void)x;
	(void)i;
	return true;
}

/* ---- two registers ---- */

bool a64_pair(struct emu_xlat *x, const struct a64_insn *i)
{
	static const uint8_t modes[4] = { MODE_OFFSET, MODE_POST, MODE_OFFSET, MODE_PRE };
	struct emu_ir *ir = x->ir;
	bool fp = i->class == A64_CLASS_PAIR_FP, is_load = i->bits >> 22 & 1;
	struct place p = place_of(ir, i, (enum mode)modes[i->bits >> 23 & 3]);
	int64_t second = p.offset + (1 << i->size);
	uint16_t t;

	a64_flags_fault(x);
	if (fp && is_load) {
		t = emu_ir_ftemp(ir);
		load_fp(ir, i->size, t, p.base, p.offset);
		load_fp(ir, i->size, EMU_F(i->ra), p.base, second);
		emu_ir_1(ir, EMU_OP_FMOV, EMU_F(i->rd), t);
	} else if (fp) {
		store_fp(ir, i->size, EMU_F(i->rd), p.base, p.offset);
		store_fp(ir, i->size, EMU_F(i->ra), p.base, second);
	} else if (is_load) {
		bool sign = i->sf && i->size == 2;
		uint16_t base = p.base;

		if (i->ra == i->rn && p.after != EMU_NOTEMP) /* unpredictable: no harm */
			base = a64_new(ir, EMU_OP_MOV, base, EMU_NOTEMP);
		t = emu_ir_temp(ir);
		load(ir, i->size, sign, true, t, base, p.offset);
		load(ir, i->size, sign, true, a64_dst(ir, i->ra), base, second);
		emu_ir_1(ir, EMU_OP_MOV, a64_dst(ir, i->rd), t);
	} else {
		emu_ir_st(ir, i->size, a64_src(ir, i->rd), p.base, p.offset);
		emu_ir_st(ir, i->size, a64_src(ir, i->ra), p.base, second);
	}
	write_back(ir, i, &p);
	return true;
}

/* ---- structures (ld1 to ld4, st1 to st4) ---- */

/* Post-index: by Rm, or by the bytes that are accessed. */
static struct place structure_place(struct emu_ir *ir, const struct a64_insn *i, unsigned bytes)
{
	struct place p = { a64_sp(i->rn), 0, EMU_NOTEMP };

	if (i->bits >> 23 & 1)
		p.after = i->rm == 31 ? emu_ir_const(ir, bytes) : EMU_R(i->rm);
	return p;
}

static uint16_t vector(struct emu_ir *ir, enum emu_opcode op, unsigned aux, uint16_t a, uint16_t b)
{
	uint16_t t = emu_ir_ftemp(ir);

	emu_ir_emit(ir, op, aux, t, a, b, EMU_NOTEMP, 0);
	return t;
}

/* Elements of two registers as they stand in memory, a structure after the other: part 0 and 1. */
static uint16_t weave(struct emu_ir *ir, unsigned aux, uint16_t a, uint16_t b, unsigned part)
{
	return vector(ir, EMU_OP_VZIP, aux | (part ? EMU_VHI : 0), a, b);
}

/* ... and back. */
static uint16_t unweave(struct emu_ir *ir, unsigned aux, uint16_t a, uint16_t b, unsigned part)
{
	return vector(ir, EMU_OP_VUZP, aux | (part ? EMU_VHI : 0), a, b);
}

/* Structures of 2 or 4 elements: whole registers, rearranged. */
static void unweave_all(struct emu_ir *ir, unsigned aux, unsigned n, uint16_t *t)
{
	if (n == 2) {
		uint16_t a = unweave(ir, aux, t[0], t[1], 0), b = unweave(ir, aux, t[0], t[1], 1);

		t[0] = a;
		t[1] = b;
	} else if (n == 4) {
		uint16_t even0 = unweave(ir, aux, t[0], t[1], 0), even1 = unweave(ir, aux, t[2], t[3], 0);
		uint16_t odd0 = unweave(ir, aux, t[0], t[1], 1), odd1 = unweave(ir, aux, t[2], t[3], 1);

		t[0] = unweave(ir, aux, even0, even1, 0);
		t[1] = unweave(ir, aux, odd0, odd1, 0);
		t[2] = unweave(ir, aux, even0, even1, 1);
		t[3] = unweave(ir, aux, odd0, odd1, 1);
	}
}

static void weave_all(struct emu_ir *ir, unsigned aux, unsigned n, uint16_t *t)
{
	if (n == 2) {
		uint16_t a = weave(ir, aux, t[0], t[1], 0), b = weave(ir, aux, t[0], t[1], 1);

		t[0] = a;
		t[1] = b;
	} else if (n == 4) {
		uint16_t low0 = weave(ir, aux, t[0], t[2], 0), low1 = weave(ir, aux, t[1], t[3], 0);
		uint16_t high0 = weave(ir, aux, t[0], t[2], 1), high1 = weave(ir, aux, t[1], t[3], 1);

		t[0] = weave(ir, aux, low0, low1, 0);
		t[1] = weave(ir, aux, low0, low1, 1);
		t[2] = weave(ir, aux, high0, high1, 0);
		t[3] = weave(ir, aux, high0, high1, 1);
	}
}

/* Structures of 3 elements: one element at a time. */
static void load_three(struct emu_ir *ir, const struct a64_insn *i, const struct place *p, uint16_t *t)
{
	unsigned lanes = (i->q ? 16u : 8u) >> i->size;

	for (unsigned k = 0; k < 3; k++) {
		t[k] = emu_ir_ftemp(ir);
		emu_ir_emit(ir, EMU_OP_VCONST, EMU_VQ | EMU_V64, t[k], EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, 0);
	}
	for (unsigned n = 0; n < 3 * lanes; n++) {
		uint16_t v = emu_ir_temp(ir);

		emu_ir_ld(ir, i->size, v, p->base, (int64_t)n << i->size);
		emu_ir_emit(ir, EMU_OP_VINS, EMU_VQ | i->size, t[n % 3], t[n % 3], v, EMU_NOTEMP, n / 3);
	}
}

static void store_three(struct emu_ir *ir, const struct a64_insn *i, const struct place *p)
{
	unsigned lanes = (i->q ? 16u : 8u) >> i->size;

	for (unsigned n = 0; n < 3 * lanes; n++) {
		uint16_t v = emu_ir_temp(ir);

		emu_ir_emit(ir, EMU_OP_VGET, EMU_VQ | EMU_VU | i->size, v, EMU_F((i->rd + n % 3) & 31), EMU_NOTEMP,
			    EMU_NOTEMP, n / 3);
		emu_ir_st(ir, i->size, v, p->base, (int64_t)n << i->size);
	}
}

bool a64_structures(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	unsigned registers = i->index, n = (unsigned)i->imm, bytes = i->q ? 16 : 8;
	unsigned width = i->q ? EMU_W128 : EMU_W64, aux = i->size | (i->q ? EMU_VQ : 0);
	struct place p = structure_place(ir, i, registers * bytes);
	uint16_t t[4];

	a64_flags_fault(x);
	if (i->bits >> 22 & 1) {
		for (unsigned k = 0; k < registers && n != 3; k++) {
			t[k] = emu_ir_ftemp(ir);
			emu_ir_emit(ir, EMU_OP_FLD, width, t[k], p.base, EMU_NOTEMP, EMU_NOTEMP, k * bytes);
		}
		if (n == 3)
			load_three(ir, i, &p, t);
		unweave_all(ir, aux, n, t);
		for (unsigned k = 0; k < registers; k++)
			emu_ir_1(ir, EMU_OP_FMOV, EMU_F((i->rd + k) & 31), t[k]);
	} else if (n == 3) {
		store_three(ir, i, &p);
	} else {
		for (unsigned k = 0; k < registers; k++)
			t[k] = EMU_F((i->rd + k) & 31);
		weave_all(ir, aux, n, t);
		for (unsigned k = 0; k < registers; k++)
			emu_ir_emit(ir, EMU_OP_FST, width, EMU_NOTEMP, p.base, t[k], EMU_NOTEMP, k * bytes);
	}
	write_back(ir, i, &p);
	return true;
}

bool a64_structure_one(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	unsigned n = (unsigned)i->imm;
	struct place p = structure_place(ir, i, n << i->size);
	bool is_load = i->bits >> 22 & 1;
	uint16_t t[4];

	a64_flags_fault(x);
	for (unsigned k = 0; k < n; k++) {
		t[k] = emu_ir_temp(ir);
		if (is_load) {
			emu_ir_ld(ir, i->size, t[k], p.base, (int64_t)k << i->size);
			continue;
		}
		emu_ir_emit(ir, EMU_OP_VGET, EMU_VQ | EMU_VU | i->size, t[k], EMU_F((i->rd + k) & 31), EMU_NOTEMP,
			    EMU_NOTEMP, i->index);
		emu_ir_st(ir, i->size, t[k], p.base, (int64_t)k << i->size);
	}
	for (unsigned k = 0; is_load && k < n; k++)
		emu_ir_emit(ir, EMU_OP_VINS, EMU_VQ | i->size, EMU_F((i->rd + k) & 31), EMU_F((i->rd + k) & 31), t[k],
			    EMU_NOTEMP, i->index);
	write_back(ir, i, &p);
	return true;
}

bool a64_structure_all(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	unsigned n = (unsigned)i->imm;
	struct place p = structure_place(ir, i, n << i->size);
	uint16_t t[4];

	a64_flags_fault(x);
	for (unsigned k = 0; k < n; k++) {
		t[k] = emu_ir_temp(ir);
		emu_ir_ld(ir, i->size, t[k], p.base, (int64_t)k << i->size);
	}
	for (unsigned k = 0; k < n; k++)
		emu_ir_emit(ir, EMU_OP_VDUP, i->size | (i->q ? EMU_VQ : 0), EMU_F((i->rd + k) & 31), t[k], EMU_NOTEMP,
			    EMU_NOTEMP, 0);
	write_back(ir, i, &p);
	return true;
}
