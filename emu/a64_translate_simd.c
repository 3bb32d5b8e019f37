/* Advanced SIMD with two or three sources into IR: a row of `rows` for each instruction says which
 * operation it is and what happens before and after. The same rows serve vectors, scalars, and the forms
 * by an element, which is spread over a vector first.
 */
#include "emu/a64_translate_simd.h"

/* How the operation stands between the registers n, m and d. */
enum how {
	NONE,
	PLAIN,     /* d = op(n, m) */
	ADD_TO,    /* d = d + op(n, m) */
	SUB_FROM,  /* d = d - op(n, m) */
	BSL,       /* the three ways to choose bits: mask d, then mask m */
	BIT,
	BIF,
	WITH_D,    /* d = op(n, m, d) */
	PAIRS,     /* d = op(even elements, odd elements) of n and m */
	OF_ABS,    /* d = op(|n|, |m|) */
	ABS_OF,    /* d = |op(n, m)| */
	LONG,      /* d = op(n, m), where the result is wider */
	LONG_ADD,  /* d = d + op(n, m), wider; saturating with VQDMULL */
	LONG_SUB,
	EXTEND,    /* d = op(wide n, wide m) */
	EXTEND_M,  /* d = op(n, wide m) */
	EXTEND_ADD, /* d = d + op(wide n, wide m) */
	HIGH,      /* d = high half of op(n, m), made narrow */
};

struct row {
	uint8_t how, op, marks;
};

#define U EMU_VU
#define R EMU_VR
#define HI EMU_VHI
#define SAT EMU_VSAT
#define V(id, how, op, marks) [A64_##id##_v] = { how, EMU_OP_##op, marks },
#define VS(id, how, op, marks) V(id, how, op, marks) [A64_##id##_s] = { how, EMU_OP_##op, marks },
#define EL(id, how, op, marks) VS(id, how, op, marks) VS(id##_el, how, op, marks)
#define VEL(id, how, op, marks) V(id, how, op, marks) V(id##_el, how, op, marks)
static const struct row rows[A64_COUNT] = {
	V(shadd, PLAIN, VHADD, 0) V(uhadd, PLAIN, VHADD, U) V(srhadd, PLAIN, VHADD, R) V(urhadd, PLAIN, VHADD, U | R)
	V(shsub, PLAIN, VHSUB, 0) V(uhsub, PLAIN, VHSUB, U)
	VS(sqadd, PLAIN, VQADD, 0) VS(uqadd, PLAIN, VQADD, U) VS(sqsub, PLAIN, VQSUB, 0) VS(uqsub, PLAIN, VQSUB, U)
	VS(cmgt, PLAIN, VCMGT, 0) VS(cmhi, PLAIN, VCMGT, U) VS(cmge, PLAIN, VCMGE, 0) VS(cmhs, PLAIN, VCMGE, U)
	VS(cmtst, PLAIN, VCMTST, 0) VS(cmeq, PLAIN, VCMEQ, 0)
	VS(sshl, PLAIN, VSHLV, 0) VS(ushl, PLAIN, VSHLV, U) VS(srshl, PLAIN, VSHLV, R) VS(urshl, PLAIN, VSHLV, U | R)
	VS(sqshl, PLAIN, VSHLV, SAT) VS(uqshl, PLAIN, VSHLV, U | SAT)
	VS(sqrshl, PLAIN, VSHLV, R | SAT) VS(uqrshl, PLAIN, VSHLV, U | R | SAT)
	V(smax, PLAIN, VMAX, 0) V(umax, PLAIN, VMAX, U) V(smin, PLAIN, VMIN, 0) V(umin, PLAIN, VMIN, U)
	V(sabd, PLAIN, VABD, 0) V(uabd, PLAIN, VABD, U) V(saba, ADD_TO, VABD, 0) V(uaba, ADD_TO, VABD, U)
	VS(add, PLAIN, VADD, 0) VS(sub, PLAIN, VSUB, 0)
	VEL(mla, ADD_TO, VMUL, 0) VEL(mls, SUB_FROM, VMUL, 0) VEL(mul, PLAIN, VMUL, 0)
	V(smaxp, PLAIN, VMAXP, 0) V(umaxp, PLAIN, VMAXP, U) V(sminp, PLAIN, VMINP, 0) V(uminp, PLAIN, VMINP, U)
	V(addp, PLAIN, VADDP, 0) V(pmul, PLAIN, VPMUL, U)
	EL(sqdmulh, PLAIN, VQDMULH, 0) EL(sqrdmulh, PLAIN, VQDMULH, R)
	EL(sqrdmlah, WITH_D, VQRDMLA, 0) EL(sqrdmlsh, WITH_D, VQRDMLA, HI)
	VEL(sdot, WITH_D, VDOT, 0) VEL(udot, WITH_D, VDOT, U)
	V(and, PLAIN, VAND, 0) V(bic, PLAIN, VBIC, 0) V(orr, PLAIN, VOR, 0) V(orn, PLAIN, VORN, 0) V(eor, PLAIN, VXOR, 0)
	V(bsl, BSL, VBSL, 0) V(bit, BIT, VBSL, 0) V(bif, BIF, VBSL, 0)
	/* floating point */
	V(fadd, PLAIN, VFADD, 0) V(fsub, PLAIN, VFSUB, 0) V(fdiv, PLAIN, VFDIV, 0)
	VEL(fmul, PLAIN, VFMUL, 0) [A64_fmul_el_s] = { PLAIN, EMU_OP_VFMUL, 0 },
	EL(fmulx, PLAIN, VFMUL, HI)
	VEL(fmla, WITH_D, VFMLA, 0) [A64_fmla_el_s] = { WITH_D, EMU_OP_VFMLA, 0 },
	VEL(fmls, WITH_D, VFMLA, HI) [A64_fmls_el_s] = { WITH_D, EMU_OP_VFMLA, HI },
	V(fmax, PLAIN, VFMAX, 0) V(fmin, PLAIN, VFMIN, 0) V(fmaxnm, PLAIN, VFMAX, R) V(fminnm, PLAIN, VFMIN, R)
	VS(faddp, PAIRS, VFADD, 0) VS(fmaxp, PAIRS, VFMAX, 0) VS(fminp, PAIRS, VFMIN, 0)
	VS(fmaxnmp, PAIRS, VFMAX, R) VS(fminnmp, PAIRS, VFMIN, R)
	[A64_addp_s] = { PAIRS, EMU_OP_VADD, 0 },
	VS(fabd, ABS_OF, VFSUB, 0) VS(facge, OF_ABS, VFCMGE, 0) VS(facgt, OF_ABS, VFCMGT, 0)
	VS(fcmeq, PLAIN, VFCMEQ, 0) VS(fcmge, PLAIN, VFCMGE, 0) VS(fcmgt, PLAIN, VFCMGT, 0)
	VS(frecps, PLAIN, VFSTEP, 0) VS(frsqrts, PLAIN, VFSTEP, R)
	/* wider and narrower */
	V(saddl, EXTEND, VADD, 0) V(uaddl, EXTEND, VADD, U) V(ssubl, EXTEND, VSUB, 0) V(usubl, EXTEND, VSUB, U)
	V(saddw, EXTEND_M, VADD, 0) V(uaddw, EXTEND_M, VADD, U) V(ssubw, EXTEND_M, VSUB, 0) V(usubw, EXTEND_M, VSUB, U)
	V(sabdl, EXTEND, VABD, 0) V(uabdl, EXTEND, VABD, U) V(sabal, EXTEND_ADD, VABD, 0) V(uabal, EXTEND_ADD, VABD, U)
	V(addhn, HIGH, VADD, 0) V(raddhn, HIGH, VADD, R) V(subhn, HIGH, VSUB, 0) V(rsubhn, HIGH, VSUB, R)
	VEL(smull, LONG, VMULL, 0) VEL(umull, LONG, VMULL, U) V(pmull, LONG, VPMULL, U)
	VEL(smlal, LONG_ADD, VMULL, 0) VEL(umlal, LONG_ADD, VMULL, U)
	VEL(smlsl, LONG_SUB, VMULL, 0) VEL(umlsl, LONG_SUB, VMULL, U)
	EL(sqdmull, LONG, VQDMULL, 0) EL(sqdmlal, LONG_ADD, VQDMULL, 0) EL(sqdmlsl, LONG_SUB, VQDMULL, 0)
};
#undef U
#undef R
#undef HI
#undef SAT
#undef V
#undef VS
#undef EL
#undef VEL

static bool by_element(const struct a64_insn *i)
{
	switch (i->class) {
	case A64_CLASS_V_ELEMENT: case A64_CLASS_V_ELEMENT_LONG: case A64_CLASS_V_ELEMENT_FP:
	case A64_CLASS_S_ELEMENT: case A64_CLASS_S_ELEMENT_LONG: case A64_CLASS_S_ELEMENT_FP:
		return true;
	default:
		return i->id == A64_sdot_el_v || i->id == A64_udot_el_v;
	}
}

static uint16_t source_m(struct emu_ir *ir, const struct a64_insn *i)
{
	if (!by_element(i))
		return EMU_F(i->rm);
	return a64_v1(ir, EMU_OP_VDUPE, i->size | EMU_VQ, EMU_F(i->rm), i->index);
}

static void op2(struct emu_ir *ir, unsigned op, unsigned aux, uint16_t d, uint16_t a, uint16_t b)
{
	emu_ir_emit(ir, (enum emu_opcode)op, aux, d, a, b, EMU_NOTEMP, 0);
}

static void bsl(struct emu_ir *ir, unsigned aux, uint16_t d, uint16_t mask, uint16_t ones, uint16_t zeros)
{
	emu_ir_emit(ir, EMU_OP_VBSL, aux, d, mask, ones, zeros, 0);
}

/* Operation with a result of twice the width, or with operands made that wide first. The result is 128 bits,
 * of a scalar one element. */
static void wide(struct emu_ir *ir, const struct a64_insn *i, const struct row *r, uint16_t n, uint16_t m)
{
	bool scalar = a64_is_scalar(i);
	unsigned narrow = i->size | (scalar ? EMU_VSCALAR : EMU_VQ) | (!scalar && i->q ? EMU_VHI : 0) | r->marks;
	unsigned aux = (i->size + 1u) | (scalar ? EMU_VSCALAR : EMU_VQ) | r->marks;
	bool saturates = r->op == EMU_OP_VQDMULL;
	uint16_t d = EMU_F(i->rd), t;

	switch (r->how) {
	case LONG:
		op2(ir, r->op, narrow, d, n, m);
		break;
	case LONG_ADD: case LONG_SUB:
		t = a64_v2(ir, r->op, narrow, n, m);
		op2(ir, r->how == LONG_ADD ? (saturates ? EMU_OP_VQADD : EMU_OP_VADD)
					   : (saturates ? EMU_OP_VQSUB : EMU_OP_VSUB), aux & ~(unsigned)EMU_VU, d, d, t);
		break;
	default: /* EXTEND, EXTEND_M, EXTEND_ADD */
		if (r->how != EXTEND_M)
			n = a64_v1(ir, EMU_OP_VEXTL, narrow, n, 0);
		m = a64_v1(ir, EMU_OP_VEXTL, narrow, m, 0);
		if (r->how == EXTEND_ADD)
			op2(ir, EMU_OP_VADD, aux, d, d, a64_v2(ir, r->op, aux, n, m));
		else
			op2(ir, r->op, aux, d, n, m);
		break;
	}
}

void a64_put_narrow(struct emu_ir *ir, const struct a64_insn *i, unsigned op, unsigned aux, uint16_t a, int64_t imm)
{
	uint16_t d = EMU_F(i->rd);

	if (a64_is_scalar(i) || !i->q) {
		emu_ir_emit(ir, (enum emu_opcode)op, aux, d, a, EMU_NOTEMP, EMU_NOTEMP, imm);
		return;
	}
	op2(ir, EMU_OP_VZIP, EMU_V64 | EMU_VQ, d, d, a64_v1(ir, op, aux, a, imm));
}

/* Even and odd elements of n:m; of a scalar the two lowest of n. */
static void pairs(struct emu_ir *ir, const struct a64_insn *i, const struct row *r, uint16_t n, uint16_t m)
{
	unsigned aux = a64_vec(i, i->size);

	if (a64_is_scalar(i))
		op2(ir, r->op, aux | r->marks, EMU_F(i->rd), n, a64_v1(ir, EMU_OP_VDUPE, i->size, n, 1));
	else
		op2(ir, r->op, aux | r->marks, EMU_F(i->rd), a64_v2(ir, EMU_OP_VUZP, aux, n, m),
		    a64_v2(ir, EMU_OP_VUZP, aux | EMU_VHI, n, m));
}

bool a64_v_three(struct emu_xlat *x, const struct a64_insn *i)
{
	const struct row *r = &rows[i->id];
	struct emu_ir *ir = x->ir;
	uint16_t d = EMU_F(i->rd), n = EMU_F(i->rn), m = source_m(ir, i);
	unsigned aux = a64_vec(i, i->size);

	if (r->op == EMU_OP_VOR && i->rn == i->rm) { /* mov */
		emu_ir_emit(ir, i->q ? EMU_OP_FMOV : EMU_OP_VZEXT, i->q ? 0 : EMU_V64, d, n, EMU_NOTEMP, EMU_NOTEMP, 0);
		return true;
	}
	switch (r->how) {
	case PLAIN: op2(ir, r->op, aux | r->marks, d, n, m); break;
	case ADD_TO: op2(ir, EMU_OP_VADD, aux, d, d, a64_v2(ir, r->op, aux | r->marks, n, m)); break;
	case SUB_FROM: op2(ir, EMU_OP_VSUB, aux, d, d, a64_v2(ir, r->op, aux | r->marks, n, m)); break;
	case BSL: bsl(ir, aux, d, d, n, m); break;
	case BIT: bsl(ir, aux, d, m, n, d); break;
	case BIF: bsl(ir, aux, d, m, d, n); break;
	case WITH_D: emu_ir_emit(ir, (enum emu_opcode)r->op, aux | r->marks, d, n, m, d, 0); break;
	case PAIRS: pairs(ir, i, r, n, m); break;
	case OF_ABS: op2(ir, r->op, aux, d, a64_fabs(ir, aux, n), a64_fabs(ir, aux, m)); break;
	case ABS_OF:
		op2(ir, EMU_OP_VAND, EMU_V64 | (aux & EMU_VQ), d, a64_v2(ir, r->op, aux, n, m), a64_signs(ir, aux, true));
		break;
	case HIGH:
		a64_put_narrow(ir, i, EMU_OP_VSHRN, i->size | r->marks,
			       a64_v2(ir, r->op, (i->size + 1u) | EMU_VQ, n, m), 8 << i->size);
		break;
	case NONE: return false;
	default: wide(ir, i, r, n, m); break;
	}
	return true;
}

/* Floating point across: pairs, until one is left. */
bool a64_v_across_fp(struct emu_xlat *x, const struct a64_insn *i)
{
	bool max = i->id == A64_fmaxv_v || i->id == A64_fmaxnmv_v, nm = i->id == A64_fmaxnmv_v || i->id == A64_fminnmv_v;
	unsigned op = max ? EMU_OP_VFMAX : EMU_OP_VFMIN, mark = nm ? EMU_VR : 0;
	struct emu_ir *ir = x->ir;
	uint16_t n = EMU_F(i->rn), t;

	t = a64_v2(ir, op, EMU_V32 | mark, a64_v2(ir, EMU_OP_VUZP, EMU_V32 | EMU_VQ, n, n),
		   a64_v2(ir, EMU_OP_VUZP, EMU_V32 | EMU_VQ | EMU_VHI, n, n));
	op2(ir, op, EMU_V32 | EMU_VSCALAR | mark, EMU_F(i->rd), t, a64_v1(ir, EMU_OP_VDUPE, EMU_V32, t, 1));
	return true;
}
