/* RISC-V floating point into IR. An FP register holds 64 bits; a 32-bit number in it is boxed: all
 * ones above (volume I, "NaN Boxing of Narrower Values"). Operations read unboxed values and write
 * boxed ones, and a NaN result is the canonical NaN.
 */
#include "emu/rv_translate.h"

/* Operand of an instruction of width w. */
static uint16_t get(struct emu_ir *ir, unsigned r, unsigned w)
{
	uint16_t t;

	if (w == EMU_W64)
		return EMU_F(r);
	t = emu_ir_ftemp(ir);
	emu_ir_emit(ir, EMU_OP_FUNBOX, 0, t, EMU_F(r), EMU_NOTEMP, EMU_NOTEMP, 0);
	return t;
}

/* Where the result of width w goes before put(). */
static uint16_t result(struct emu_ir *ir, unsigned rd, unsigned w)
{
	return w == EMU_W64 ? EMU_F(rd) : emu_ir_ftemp(ir);
}

static void put(struct emu_ir *ir, unsigned rd, unsigned w, uint16_t t)
{
	if (w == EMU_W32)
		emu_ir_emit(ir, EMU_OP_FBOX, 0, EMU_F(rd), t, EMU_NOTEMP, EMU_NOTEMP, 0);
}

/* A computed value, which may be a NaN of the host, goes to rd. */
static void put_canonical(struct emu_ir *ir, unsigned rd, unsigned w, uint16_t t)
{
	uint16_t d = result(ir, rd, w);

	emu_ir_emit(ir, EMU_OP_FCANON, w, d, t, EMU_NOTEMP, EMU_NOTEMP, 0);
	put(ir, rd, w, d);
}

static void set_rm(struct emu_ir *ir, unsigned rm)
{
	emu_ir_emit(ir, EMU_OP_FRM, rm, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, 0);
}

/* ---- ties away from zero ---- */

static uint16_t bits_of(struct emu_ir *ir, unsigned r, unsigned w)
{
	uint16_t t = emu_ir_temp(ir);

	emu_ir_emit(ir, EMU_OP_MOVFI, 0, t, get(ir, r, w), EMU_NOTEMP, EMU_NOTEMP, 0);
	return t;
}

static void put_bits(struct emu_ir *ir, unsigned rd, unsigned w, uint16_t bits)
{
	uint16_t t = result(ir, rd, w);

	emu_ir_emit(ir, EMU_OP_MOVIF, 0, t, bits, EMU_NOTEMP, EMU_NOTEMP, 0);
	put(ir, rd, w, t);
}

static void rmm_arith(struct emu_ir *ir, const struct rv_insn *i, enum rv_rmm op, unsigned w)
{
	uint16_t a = bits_of(ir, i->rs1, w), b = bits_of(ir, i->rs2, w), d = emu_ir_temp(ir);

	if (op >= RV_RMM_FMADD)
		emu_ir_call(ir, rv_rmm_third, EMU_NOTEMP, bits_of(ir, i->rs3, w), a);
	emu_ir_call(ir, rv_rmm_helpers[op][w], d, a, b);
	put_bits(ir, i->rd, w, d);
}

/* ---- arithmetic ---- */

static void arith(struct emu_ir *ir, const struct rv_insn *i, enum emu_opcode op, unsigned operands,
		  unsigned w)
{
	uint16_t t = emu_ir_ftemp(ir), a = get(ir, i->rs1, w);
	uint16_t b = operands > 1 ? get(ir, i->rs2, w) : EMU_NOTEMP;
	uint16_t c = operands > 2 ? get(ir, i->rs3, w) : EMU_NOTEMP;
	bool fixed = i->rm != RV_RM_DYN && op != EMU_OP_FMIN && op != EMU_OP_FMAX;

	if (fixed) /* a square root is never a tie */
		set_rm(ir, i->rm == RV_RM_RMM ? EMU_RNE : i->rm);
	emu_ir_emit(ir, op, w, t, a, b, c, 0);
	if (fixed)
		set_rm(ir, EMU_RDYN);
	put_canonical(ir, i->rd, w, t);
}

static bool translate_arith(struct emu_ir *ir, const struct rv_insn *i)
{
	static const struct { uint16_t s, d; uint8_t op, operands; int8_t rmm; } rows[] = {
		{ RV_fadd_s, RV_fadd_d, EMU_OP_FADD, 2, RV_RMM_ADD },
		{ RV_fsub_s, RV_fsub_d, EMU_OP_FSUB, 2, RV_RMM_SUB },
		{ RV_fmul_s, RV_fmul_d, EMU_OP_FMUL, 2, RV_RMM_MUL },
		{ RV_fdiv_s, RV_fdiv_d, EMU_OP_FDIV, 2, RV_RMM_DIV },
		{ RV_fsqrt_s, RV_fsqrt_d, EMU_OP_FSQRT, 1, -1 },
		{ RV_fmadd_s, RV_fmadd_d, EMU_OP_FMADD, 3, RV_RMM_FMADD },
		{ RV_fmsub_s, RV_fmsub_d, EMU_OP_FMSUB, 3, RV_RMM_FMSUB },
		{ RV_fnmsub_s, RV_fnmsub_d, EMU_OP_FNMSUB, 3, RV_RMM_FNMSUB },
		{ RV_fnmadd_s, RV_fnmadd_d, EMU_OP_FNMADD, 3, RV_RMM_FNMADD },
		{ RV_fmin_s, RV_fmin_d, EMU_OP_FMIN, 2, -1 },
		{ RV_fmax_s, RV_fmax_d, EMU_OP_FMAX, 2, -1 },
	};

	for (unsigned k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
		if (i->op != rows[k].s && i->op != rows[k].d)
			continue;
		unsigned w = i->op == rows[k].d ? EMU_W64 : EMU_W32;

		if (i->rm == RV_RM_RMM && rows[k].rmm >= 0)
			rmm_arith(ir, i, (enum rv_rmm)rows[k].rmm, w);
		else
			arith(ir, i, rows[k].op, rows[k].operands, w);
		return true;
	}
	return false;
}

/* ---- signs, comparisons, classes ---- */

static bool translate_bitwise(struct emu_ir *ir, const struct rv_insn *i)
{
	static const struct { uint16_t s, d; uint8_t op; bool to_int; } rows[] = {
		{ RV_fsgnj_s, RV_fsgnj_d, EMU_OP_FSGNJ, false },
		{ RV_fsgnjn_s, RV_fsgnjn_d, EMU_OP_FSGNJN, false },
		{ RV_fsgnjx_s, RV_fsgnjx_d, EMU_OP_FSGNJX, false },
		{ RV_feq_s, RV_feq_d, EMU_OP_FEQ, true },
		{ RV_flt_s, RV_flt_d, EMU_OP_FLT, true },
		{ RV_fle_s, RV_fle_d, EMU_OP_FLE, true },
		{ RV_fclass_s, RV_fclass_d, EMU_OP_FCLASS, true },
	};

	for (unsigned k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
		if (i->op != rows[k].s && i->op != rows[k].d)
			continue;
		unsigned w = i->op == rows[k].d ? EMU_W64 : EMU_W32;
		uint16_t a = get(ir, i->rs1, w);
		uint16_t b = rows[k].op == EMU_OP_FCLASS ? EMU_NOTEMP : get(ir, i->rs2, w);

		if (rows[k].to_int) {
			emu_ir_emit(ir, rows[k].op, w, rv_dst(ir, i->rd), a, b, EMU_NOTEMP, 0);
		} else if (i->rs1 == i->rs2 && w == EMU_W64 && rows[k].op == EMU_OP_FSGNJ) {
			emu_ir_emit(ir, EMU_OP_FMOV, 0, EMU_F(i->rd), a, EMU_NOTEMP, EMU_NOTEMP, 0);
		} else {
			uint16_t d = result(ir, i->rd, w);

			emu_ir_emit(ir, rows[k].op, w, d, a, b, EMU_NOTEMP, 0);
			put(ir, i->rd, w, d);
		}
		return true;
	}
	return false;
}

/* ---- conversions ---- */

static void to_int(struct emu_ir *ir, const struct rv_insn *i, unsigned w, unsigned cv, enum rv_rmm rmm)
{
	unsigned rm = i->rm == RV_RM_RTZ ? RV_RM_DYN : i->rm; /* truncation needs no mode */

	if (i->rm == RV_RM_RMM) {
		emu_ir_call(ir, rv_rmm_helpers[rmm][w], rv_dst(ir, i->rd), bits_of(ir, i->rs1, w),
			    emu_ir_const(ir, 0));
		return;
	}
	if (rm != RV_RM_DYN)
		set_rm(ir, rm);
	emu_ir_emit(ir, EMU_OP_FTOI, cv | (w == EMU_W64 ? EMU_CV_W64 : 0) |
		    (i->rm == RV_RM_RTZ ? EMU_CV_TRUNC : 0), rv_dst(ir, i->rd), get(ir, i->rs1, w),
		    EMU_NOTEMP, EMU_NOTEMP, 0);
	if (rm != RV_RM_DYN)
		set_rm(ir, EMU_RDYN);
}

static void from_int(struct emu_ir *ir, const struct rv_insn *i, unsigned w, unsigned cv, enum rv_rmm rmm)
{
	bool exact = w == EMU_W64 && !(cv & EMU_CV_I64);
	unsigned rm = exact ? RV_RM_DYN : i->rm;
	uint16_t d = result(ir, i->rd, w);

	if (rm == RV_RM_RMM) {
		uint16_t bits = emu_ir_temp(ir);

		emu_ir_call(ir, rv_rmm_helpers[rmm][w], bits, rv_src(ir, i->rs1), emu_ir_const(ir, 0));
		put_bits(ir, i->rd, w, bits);
		return;
	}
	if (rm != RV_RM_DYN)
		set_rm(ir, rm);
	emu_ir_emit(ir, EMU_OP_ITOF, cv | (w == EMU_W64 ? EMU_CV_W64 : 0), d, rv_src(ir, i->rs1),
		    EMU_NOTEMP, EMU_NOTEMP, 0);
	if (rm != RV_RM_DYN)
		set_rm(ir, EMU_RDYN);
	put(ir, i->rd, w, d);
}

static void between_widths(struct emu_ir *ir, const struct rv_insn *i, unsigned w)
{
	uint16_t t = emu_ir_ftemp(ir), a = get(ir, i->rs1, w == EMU_W64 ? EMU_W32 : EMU_W64);
	unsigned rm = w == EMU_W64 ? RV_RM_DYN : i->rm; /* widening is exact */

	if (rm == RV_RM_RMM) {
		uint16_t bits = emu_ir_temp(ir);

		emu_ir_call(ir, rv_rmm_helpers[RV_RMM_FROM_F][w], bits, bits_of(ir, i->rs1, EMU_W64),
			    emu_ir_const(ir, 0));
		put_bits(ir, i->rd, w, bits);
		return;
	}
	if (rm != RV_RM_DYN)
		set_rm(ir, rm);
	emu_ir_emit(ir, EMU_OP_FTOF, w, t, a, EMU_NOTEMP, EMU_NOTEMP, 0);
	if (rm != RV_RM_DYN)
		set_rm(ir, EMU_RDYN);
	put_canonical(ir, i->rd, w, t);
}

static bool translate_convert(struct emu_ir *ir, const struct rv_insn *i)
{
	switch (i->op) {
	case RV_fcvt_w_s: to_int(ir, i, EMU_W32, 0, RV_RMM_TO_W); return true;
	case RV_fcvt_wu_s: to_int(ir, i, EMU_W32, EMU_CV_U, RV_RMM_TO_WU); return true;
	case RV_fcvt_l_s: to_int(ir, i, EMU_W32, EMU_CV_I64, RV_RMM_TO_L); return true;
	case RV_fcvt_lu_s: to_int(ir, i, EMU_W32, EMU_CV_I64 | EMU_CV_U, RV_RMM_TO_LU); return true;
	case RV_fcvt_w_d: to_int(ir, i, EMU_W64, 0, RV_RMM_TO_W); return true;
	case RV_fcvt_wu_d: to_int(ir, i, EMU_W64, EMU_CV_U, RV_RMM_TO_WU); return true;
	case RV_fcvt_l_d: to_int(ir, i, EMU_W64, EMU_CV_I64, RV_RMM_TO_L); return true;
	case RV_fcvt_lu_d: to_int(ir, i, EMU_W64, EMU_CV_I64 | EMU_CV_U, RV_RMM_TO_LU); return true;
	case RV_fcvt_s_w: from_int(ir, i, EMU_W32, 0, RV_RMM_FROM_W); return true;
	case RV_fcvt_s_wu: from_int(ir, i, EMU_W32, EMU_CV_U, RV_RMM_FROM_WU); return true;
	case RV_fcvt_s_l: from_int(ir, i, EMU_W32, EMU_CV_I64, RV_RMM_FROM_L); return true;
	case RV_fcvt_s_lu: from_int(ir, i, EMU_W32, EMU_CV_I64 | EMU_CV_U, RV_RMM_FROM_LU); return true;
	case RV_fcvt_d_w: from_int(ir, i, EMU_W64, 0, RV_RMM_FROM_W); return true;
	case RV_fcvt_d_wu: from_int(ir, i, EMU_W64, EMU_CV_U, RV_RMM_FROM_WU); return true;
	case RV_fcvt_d_l: from_int(ir, i, EMU_W64, EMU_CV_I64, RV_RMM_FROM_L); return true;
	case RV_fcvt_d_lu: from_int(ir, i, EMU_W64, EMU_CV_I64 | EMU_CV_U, RV_RMM_FROM_LU); return true;
	case RV_fcvt_s_d: between_widths(ir, i, EMU_W32); return true;
	case RV_fcvt_d_s: between_widths(ir, i, EMU_W64); return true;
	}
	return false;
}

/* ---- moves ---- */

static bool translate_moves(struct emu_ir *ir, const struct rv_insn *i)
{
	uint16_t t;

	switch (i->op) {
	case RV_flw: /* the load may fault: rd is written after it */
		t = emu_ir_ftemp(ir);
		emu_ir_emit(ir, EMU_OP_FLD, EMU_W32, t, rv_src(ir, i->rs1), EMU_NOTEMP, EMU_NOTEMP, i->imm);
		put(ir, i->rd, EMU_W32, t);
		return true;
	case RV_fld:
		emu_ir_emit(ir, EMU_OP_FLD, EMU_W64, EMU_F(i->rd), rv_src(ir, i->rs1), EMU_NOTEMP,
			    EMU_NOTEMP, i->imm);
		return true;
	case RV_fsw:
	case RV_fsd: /* the low bits as they are, boxed or not */
		emu_ir_emit(ir, EMU_OP_FST, i->op == RV_fsd ? EMU_W64 : EMU_W32, EMU_NOTEMP,
			    rv_src(ir, i->rs1), EMU_F(i->rs2), EMU_NOTEMP, i->imm);
		return true;
	case RV_fmv_x_d:
		emu_ir_emit(ir, EMU_OP_MOVFI, 0, rv_dst(ir, i->rd), EMU_F(i->rs1), EMU_NOTEMP, EMU_NOTEMP, 0);
		return true;
	case RV_fmv_x_w:
		t = emu_ir_temp(ir);
		emu_ir_emit(ir, EMU_OP_MOVFI, 0, t, EMU_F(i->rs1), EMU_NOTEMP, EMU_NOTEMP, 0);
		emu_ir_1(ir, EMU_OP_SEXT32, rv_dst(ir, i->rd), t);
		return true;
	case RV_fmv_d_x:
		emu_ir_emit(ir, EMU_OP_MOVIF, 0, EMU_F(i->rd), rv_src(ir, i->rs1), EMU_NOTEMP, EMU_NOTEMP, 0);
		return true;
	case RV_fmv_w_x:
		put_bits(ir, i->rd, EMU_W32, rv_src(ir, i->rs1));
		return true;
	}
	return false;
}

static bool translate(struct emu_ir *ir, const struct rv_insn *i)
{
	return translate_moves(ir, i) || translate_arith(ir, i) || translate_bitwise(ir, i) ||
	       translate_convert(ir, i);
}

static void label(struct emu_ir *ir, int64_t l)
{
	emu_ir_emit(ir, EMU_OP_LABEL, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, l);
}

/* Rounded as frm says, which may be rmm, or reserved: then the instruction is illegal. */
static bool translate_dynamic(struct emu_xlat *x, const struct rv_insn *i)
{
	struct emu_ir *ir = x->ir;
	struct rv_insn away = *i;
	int64_t other = emu_ir_label(ir), end = emu_ir_label(ir);
	uint16_t frm = emu_ir_temp(ir), zero = emu_ir_const(ir, 0);

	away.rm = RV_RM_RMM;
	emu_ir_call(ir, rv_frm, frm, zero, zero);
	emu_x_except_if(x, EMU_GEU, frm, emu_ir_const(ir, 5), EMU_EXC_ILLEGAL);
	emu_ir_emit(ir, EMU_OP_BRCOND, EMU_NE, EMU_NOTEMP, frm, emu_ir_const(ir, RV_RM_RMM), EMU_NOTEMP, other);
	if (!translate(ir, &away))
		return false;
	emu_ir_emit(ir, EMU_OP_BR, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, end);
	label(ir, other);
	translate(ir, i);
	label(ir, end);
	return true;
}

bool rv_translate_fp(struct emu_xlat *x, const struct rv_insn *i)
{
	unsigned format = rv_rows[i->id].format;

	if (x->special_rm && i->rm == RV_RM_DYN && (format == RV_FORMAT_RM || format == RV_FORMAT_R4))
		return translate_dynamic(x, i);
	return translate(x->ir, i);
}
