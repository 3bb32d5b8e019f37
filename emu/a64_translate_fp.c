/* Scalar floating point of AArch64 into IR. A scalar is the lowest element of a vector register; writing
 * one clears the rest, which the operations for scalars do by themselves.
 */
#include "emu/a64_translate_simd.h"

static void op1(struct emu_ir *ir, enum emu_opcode op, unsigned aux, uint16_t d, uint16_t a, int64_t imm)
{
	emu_ir_emit(ir, op, aux, d, a, EMU_NOTEMP, EMU_NOTEMP, imm);
}

static void op2(struct emu_ir *ir, enum emu_opcode op, unsigned aux, uint16_t d, uint16_t a, uint16_t b)
{
	emu_ir_emit(ir, op, aux, d, a, b, EMU_NOTEMP, 0);
}

/* d = a with its sign turned; a has 0 above its lowest element. */
static void negate(struct emu_ir *ir, unsigned aux, uint16_t d, uint16_t a)
{
	op2(ir, EMU_OP_VXOR, EMU_V64, d, a, a64_signs(ir, aux, false));
}

bool a64_fp_data1(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	unsigned aux = a64_fp(i);
	uint16_t d = EMU_F(i->rd), n = EMU_F(i->rn);

	switch (i->id) {
	case A64_fmov_reg: op1(ir, EMU_OP_VZEXT, i->size, d, n, 0); return true;
	case A64_fabs: op2(ir, EMU_OP_VAND, EMU_V64, d, n, a64_signs(ir, aux, true)); return true;
	case A64_fneg: negate(ir, aux, d, a64_v1(ir, EMU_OP_VZEXT, i->size, n, 0)); return true;
	case A64_fsqrt: op1(ir, EMU_OP_VFSQRT, aux, d, n, 0); return true;
	case A64_frintn: op1(ir, EMU_OP_VFROUND, aux, d, n, EMU_RNE); return true;
	case A64_frintp: op1(ir, EMU_OP_VFROUND, aux, d, n, EMU_RUP); return true;
	case A64_frintm: op1(ir, EMU_OP_VFROUND, aux, d, n, EMU_RDN); return true;
	case A64_frintz: op1(ir, EMU_OP_VFROUND, aux, d, n, EMU_RTZ); return true;
	case A64_frinta: op1(ir, EMU_OP_VFROUND, aux, d, n, EMU_RMM); return true;
	case A64_frinti: op1(ir, EMU_OP_VFROUND, aux, d, n, EMU_RDYN); return true;
	case A64_frintx: op1(ir, EMU_OP_VFROUND, aux, d, n, EMU_RDYN | 8); return true;
	default: return false;
	}
}

/* Between halves and doubles in two steps: exact upward; downward the first step rounds to odd, so that
 * the second decides as if it had seen all bits. */
bool a64_fp_cvt(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t d = EMU_F(i->rd), n = EMU_F(i->rn);
	unsigned from = i->size, to = i->index;

	if (to > from) {
		if (to - from == 2)
			n = a64_v1(ir, EMU_OP_VFCVTL, from++ | EMU_VSCALAR, n, 0);
		op1(ir, EMU_OP_VFCVTL, from | EMU_VSCALAR, d, n, 0);
		return true;
	}
	if (from - to == 2)
		n = a64_v1(ir, EMU_OP_VFCVTN, EMU_V32 | EMU_VSCALAR | EMU_VR, n, 0);
	op1(ir, EMU_OP_VFCVTN, to | EMU_VSCALAR, d, n, 0);
	return true;
}

bool a64_fp_data2(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	unsigned aux = a64_fp(i);
	uint16_t d = EMU_F(i->rd), n = EMU_F(i->rn), m = EMU_F(i->rm);

	switch (i->id) {
	case A64_fmul: op2(ir, EMU_OP_VFMUL, aux, d, n, m); return true;
	case A64_fdiv: op2(ir, EMU_OP_VFDIV, aux, d, n, m); return true;
	case A64_fadd: op2(ir, EMU_OP_VFADD, aux, d, n, m); return true;
	case A64_fsub: op2(ir, EMU_OP_VFSUB, aux, d, n, m); return true;
	case A64_fmax: op2(ir, EMU_OP_VFMAX, aux, d, n, m); return true;
	case A64_fmin: op2(ir, EMU_OP_VFMIN, aux, d, n, m); return true;
	case A64_fmaxnm: op2(ir, EMU_OP_VFMAX, aux | EMU_VR, d, n, m); return true;
	case A64_fminnm: op2(ir, EMU_OP_VFMIN, aux | EMU_VR, d, n, m); return true;
	case A64_fnmul: negate(ir, aux, d, a64_v2(ir, EMU_OP_VFMUL, aux, n, m)); return true;
	default: return false;
	}
}

bool a64_fp_data3(struct emu_xlat *x, const struct a64_insn *i)
{
	unsigned marks = i->id == A64_fmadd ? 0 : i->id == A64_fmsub ? EMU_VHI
		       : i->id == A64_fnmadd ? EMU_VHI | EMU_VU : EMU_VU;

	emu_ir_emit(x->ir, EMU_OP_VFMLA, a64_fp(i) | marks, EMU_F(i->rd), EMU_F(i->rn), EMU_F(i->rm), EMU_F(i->ra), 0);
	return true;
}

bool a64_fp_imm_insn(struct emu_xlat *x, const struct a64_insn *i)
{
	op1(x->ir, EMU_OP_VCONST, EMU_V64, EMU_F(i->rd), EMU_NOTEMP, i->imm);
	return true;
}

bool a64_fp_to_int(struct emu_xlat *x, const struct a64_insn *i)
{
	static const struct { uint16_t id; uint8_t mode, u; } rows[] = {
		{ A64_fcvtns_int, EMU_RNE, 0 }, { A64_fcvtnu_int, EMU_RNE, EMU_VU },
		{ A64_fcvtas_int, EMU_RMM, 0 }, { A64_fcvtau_int, EMU_RMM, EMU_VU },
		{ A64_fcvtps_int, EMU_RUP, 0 }, { A64_fcvtpu_int, EMU_RUP, EMU_VU },
		{ A64_fcvtms_int, EMU_RDN, 0 }, { A64_fcvtmu_int, EMU_RDN, EMU_VU },
		{ A64_fcvtzs_int, EMU_RTZ, 0 }, { A64_fcvtzu_int, EMU_RTZ, EMU_VU },
		{ A64_fcvtzs_fix, EMU_RTZ, 0 }, { A64_fcvtzu_fix, EMU_RTZ, EMU_VU },
	};

	for (unsigned k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
		if (rows[k].id != i->id)
			continue;
		op1(x->ir, EMU_OP_MOVFI, 0, a64_dst(x->ir, i->rd),
		    a64_v1(x->ir, EMU_OP_VFTOI, a64_fp(i) | rows[k].u, EMU_F(i->rn),
			   rows[k].mode | EMU_VTO(i->imm, i->sf ? EMU_V64 : EMU_V32)), 0);
		return true;
	}
	return false;
}

bool a64_fp_from_int(struct emu_xlat *x, const struct a64_insn *i)
{
	bool u = i->id == A64_ucvtf_int || i->id == A64_ucvtf_fix;
	uint16_t d = EMU_F(i->rd), n = a64_src(x->ir, i->rn), t;

	if (!i->imm) {
		op1(x->ir, EMU_OP_ITOF, (i->size == EMU_V64 ? EMU_CV_W64 : 0) | (i->sf ? EMU_CV_I64 : 0) | (u ? EMU_CV_U : 0),
		    d, n, 0);
		return true;
	}
	t = a64_v1(x->ir, EMU_OP_MOVIF, 0, n, 0);
	op1(x->ir, EMU_OP_VITOF, a64_fp(i) | (u ? EMU_VU : 0), d, t, EMU_VTO(i->imm, i->sf ? EMU_V64 : EMU_V32));
	return true;
}

bool a64_fp_move(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t t;

	switch (i->id) {
	case A64_fmov_ws:
		op1(ir, EMU_OP_VGET, EMU_V32 | EMU_VU, a64_dst(ir, i->rd), EMU_F(i->rn), 0);
		return true;
	case A64_fmov_sw:
		t = emu_ir_temp(ir);
		emu_ir_1(ir, EMU_OP_ZEXT32, t, a64_src(ir, i->rn));
		emu_ir_1(ir, EMU_OP_MOVIF, EMU_F(i->rd), t);
		return true;
	case A64_fmov_xd: emu_ir_1(ir, EMU_OP_MOVFI, a64_dst(ir, i->rd), EMU_F(i->rn)); return true;
	case A64_fmov_dx: emu_ir_1(ir, EMU_OP_MOVIF, EMU_F(i->rd), a64_src(ir, i->rn)); return true;
	case A64_fmov_x_high:
		op1(ir, EMU_OP_VGET, EMU_V64 | EMU_VU, a64_dst(ir, i->rd), EMU_F(i->rn), 1);
		return true;
	case A64_fmov_high_x:
		emu_ir_emit(ir, EMU_OP_VINS, EMU_V64, EMU_F(i->rd), EMU_F(i->rd), a64_src(ir, i->rn), EMU_NOTEMP, 1);
		return true;
	default: return false;
	}
}

/* ---- conditions ---- */

static bool is_compare_zero(const struct a64_insn *i)
{
	return i->id == A64_fcmp_zero || i->id == A64_fcmpe_zero;
}

bool a64_fp_compare(struct emu_xlat *x, const struct a64_insn *i)
{
	unsigned mark = i->id == A64_fcmpe || i->id == A64_fcmpe_zero ? EMU_VHI : 0;
	uint16_t m = is_compare_zero(i) ? a64_vconst(x->ir, 0, true) : EMU_F(i->rm), t = emu_ir_temp(x->ir);

	op2(x->ir, EMU_OP_VFCMP, a64_fp(i) | mark, t, EMU_F(i->rn), m);
	a64_flags_set_packed(x, t);
	x->flags.compared = true;
	return true;
}

/* The bits of v, or 0 when the condition does not hold, so that comparing raises no flag then. */
static uint16_t number_if(struct emu_ir *ir, uint16_t cond, uint16_t v)
{
	uint16_t t = emu_ir_temp(ir), u = emu_ir_temp(ir), d = emu_ir_ftemp(ir);

	emu_ir_1(ir, EMU_OP_MOVFI, t, v);
	emu_ir_emit(ir, EMU_OP_SELECT, 0, u, cond, t, emu_ir_const(ir, 0), 0);
	emu_ir_1(ir, EMU_OP_MOVIF, d, u);
	return d;
}

bool a64_fp_cond_cmp(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t c = a64_condition_value(x, i->index), t = emu_ir_temp(ir), u = emu_ir_temp(ir);

	op2(ir, EMU_OP_VFCMP, a64_fp(i) | (i->id == A64_fccmpe ? EMU_VHI : 0), t, number_if(ir, c, EMU_F(i->rn)),
	    number_if(ir, c, EMU_F(i->rm)));
	emu_ir_emit(ir, EMU_OP_SELECT, 0, u, c, t, emu_ir_const(ir, a64_flags_pack((unsigned)i->imm)), 0);
	a64_flags_set_packed(x, u);
	return true;
}

bool a64_fp_select(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t n = emu_ir_temp(ir), m = emu_ir_temp(ir), t = emu_ir_temp(ir);
	unsigned aux = i->size | EMU_VU;

	op1(ir, EMU_OP_VGET, aux, n, EMU_F(i->rn), 0);
	op1(ir, EMU_OP_VGET, aux, m, EMU_F(i->rm), 0);
	a64_select(x, i->index, t, n, m);
	emu_ir_1(ir, EMU_OP_MOVIF, EMU_F(i->rd), t);
	return true;
}
