/* Advanced SIMD with one source into IR, and shifts by an immediate: rows as in a64_translate_simd.c. */
#include "emu/a64_translate_simd.h"

enum how {
	NONE,
	PLAIN,     /* d = op(n) */
	ZERO,      /* d = op(n, 0) */
	ZERO_SWAP, /* d = op(0, n) */
	WITH_D,    /* d = op(d, n) */
	ADD_TO,    /* d = d + op(n), twice as wide */
	REV,       /* d = op(n), groups of 1 << mark bytes */
	SIGN_OFF,  /* d = |n|, d = -n of numbers */
	SIGN_TURN,
	IMM,       /* d = op(n) with the mark as its immediate */
	TO_INT,    /* d = op(n), rounding mode in the mark; TO_UINT */
	TO_UINT,
	FROM_INT,
	SHIFT,     /* d = op(n, shift) */
	SHIFT_ADD, /* d = d + op(n, shift) */
	SHIFT_IN,  /* the shifted bits replace those of d (sli, sri) */
	NARROW,    /* half as wide; by the shift */
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
static const struct row rows[A64_COUNT] = {
	V(rev64, REV, VREV, 3) V(rev32, REV, VREV, 2) V(rev16, REV, VREV, 1)
	V(saddlp, PLAIN, VADDLP, 0) V(uaddlp, PLAIN, VADDLP, U) V(sadalp, ADD_TO, VADDLP, 0) V(uadalp, ADD_TO, VADDLP, U)
	VS(suqadd, WITH_D, VQADDX, 0) VS(usqadd, WITH_D, VQADDX, U)
	V(cls, PLAIN, VCLS, 0) V(clz, PLAIN, VCLS, U) V(cnt, PLAIN, VCNT, U) V(not, PLAIN, VNOT, 0) V(rbit, PLAIN, VRBIT, 0)
	VS(sqabs, PLAIN, VABS, SAT) VS(sqneg, PLAIN, VNEG, SAT) VS(abs, PLAIN, VABS, 0) VS(neg, PLAIN, VNEG, 0)
	VS(cmgt_zero, ZERO, VCMGT, 0) VS(cmge_zero, ZERO, VCMGE, 0) VS(cmeq_zero, ZERO, VCMEQ, 0)
	VS(cmle_zero, ZERO_SWAP, VCMGE, 0) VS(cmlt_zero, ZERO_SWAP, VCMGT, 0)
	V(urecpe, PLAIN, VEST, U) V(ursqrte, PLAIN, VEST, U | R)
	/* all elements to one */
	V(saddlv, PLAIN, VADDLV, 0) V(uaddlv, PLAIN, VADDLV, U) V(smaxv, PLAIN, VMAXV, 0) V(umaxv, PLAIN, VMAXV, U)
	V(sminv, PLAIN, VMINV, 0) V(uminv, PLAIN, VMINV, U) V(addv, PLAIN, VADDV, 0)
	/* floating point */
	V(fabs, SIGN_OFF, VAND, 0) V(fneg, SIGN_TURN, VXOR, 0) V(fsqrt, PLAIN, VFSQRT, 0)
	V(frintn, IMM, VFROUND, EMU_RNE) V(frinta, IMM, VFROUND, EMU_RMM) V(frintm, IMM, VFROUND, EMU_RDN)
	V(frintp, IMM, VFROUND, EMU_RUP) V(frintz, IMM, VFROUND, EMU_RTZ) V(frinti, IMM, VFROUND, EMU_RDYN)
	V(frintx, IMM, VFROUND, EMU_RDYN | 8)
	VS(fcvtns, TO_INT, VFTOI, EMU_RNE) VS(fcvtnu, TO_UINT, VFTOI, EMU_RNE) VS(fcvtas, TO_INT, VFTOI, EMU_RMM)
	VS(fcvtau, TO_UINT, VFTOI, EMU_RMM) VS(fcvtms, TO_INT, VFTOI, EMU_RDN) VS(fcvtmu, TO_UINT, VFTOI, EMU_RDN)
	VS(fcvtps, TO_INT, VFTOI, EMU_RUP) VS(fcvtpu, TO_UINT, VFTOI, EMU_RUP) VS(fcvtzs, TO_INT, VFTOI, EMU_RTZ)
	VS(fcvtzu, TO_UINT, VFTOI, EMU_RTZ) VS(fcvtzs_fix, TO_INT, VFTOI, EMU_RTZ) VS(fcvtzu_fix, TO_UINT, VFTOI, EMU_RTZ)
	VS(scvtf, FROM_INT, VITOF, 0) VS(ucvtf, FROM_INT, VITOF, U)
	VS(scvtf_fix, FROM_INT, VITOF, 0) VS(ucvtf_fix, FROM_INT, VITOF, U)
	VS(fcmgt_zero, ZERO, VFCMGT, 0) VS(fcmge_zero, ZERO, VFCMGE, 0) VS(fcmeq_zero, ZERO, VFCMEQ, 0)
	VS(fcmle_zero, ZERO_SWAP, VFCMGE, 0) VS(fcmlt_zero, ZERO_SWAP, VFCMGT, 0)
	VS(frecpe, IMM, VFEST, 0) VS(frsqrte, IMM, VFEST, 1) [A64_frecpx_s] = { IMM, EMU_OP_VFEST, 2 },
	/* narrower and wider */
	V(xtn, NARROW, VSHRN, 0) VS(sqxtn, NARROW, VSHRN, SAT) VS(uqxtn, NARROW, VSHRN, SAT | U)
	VS(sqxtun, NARROW, VSHRN, SAT | HI)
	V(shrn, NARROW, VSHRN, 0) V(rshrn, NARROW, VSHRN, R) VS(sqshrn, NARROW, VSHRN, SAT)
	VS(uqshrn, NARROW, VSHRN, SAT | U) VS(sqshrun, NARROW, VSHRN, SAT | HI) VS(sqrshrn, NARROW, VSHRN, SAT | R)
	VS(uqrshrn, NARROW, VSHRN, SAT | U | R) VS(sqrshrun, NARROW, VSHRN, SAT | HI | R)
	/* shifts */
	VS(sshr, SHIFT, VSHR, 0) VS(ushr, SHIFT, VSHR, U) VS(srshr, SHIFT, VSHR, R) VS(urshr, SHIFT, VSHR, U | R)
	VS(ssra, SHIFT_ADD, VSHR, 0) VS(usra, SHIFT_ADD, VSHR, U) VS(srsra, SHIFT_ADD, VSHR, R)
	VS(ursra, SHIFT_ADD, VSHR, U | R) VS(shl, SHIFT, VSHL, 0) VS(sli, SHIFT_IN, VSHL, 0) VS(sri, SHIFT_IN, VSHR, U)
	VS(sqshl_imm, SHIFT, VQSHL, 0) VS(uqshl_imm, SHIFT, VQSHL, U) VS(sqshlu, SHIFT, VQSHL, HI)
};
#undef U
#undef R
#undef HI
#undef SAT
#undef V
#undef VS

static void op1(struct emu_ir *ir, unsigned op, unsigned aux, uint16_t d, uint16_t a, int64_t imm)
{
	emu_ir_emit(ir, (enum emu_opcode)op, aux, d, a, EMU_NOTEMP, EMU_NOTEMP, imm);
}

static void op2(struct emu_ir *ir, unsigned op, unsigned aux, uint16_t d, uint16_t a, uint16_t b)
{
	emu_ir_emit(ir, (enum emu_opcode)op, aux, d, a, b, EMU_NOTEMP, 0);
}

/* The same bits in every element of this size. */
static uint64_t spread(unsigned size, uint64_t bits)
{
	for (unsigned w = 8u << size; w < 64; w *= 2)
		bits |= bits << w;
	return bits;
}

/* sli, sri: bits that the shift brings in come from d. All bits shifted out leaves d alone. */
static void shift_in(struct emu_ir *ir, const struct a64_insn *i, const struct row *r)
{
	unsigned aux = a64_vec(i, i->size), bits = 8u << i->size;
	uint64_t ones = ~0ull >> (64 - bits), kept;
	uint16_t d = EMU_F(i->rd), t = a64_v1(ir, r->op, aux | r->marks, EMU_F(i->rn), i->imm);

	if (r->op == EMU_OP_VSHL)
		kept = ones >> 1 >> (bits - 1 - (unsigned)i->imm);
	else
		kept = ones & ~(i->imm == (int64_t)bits ? 0 : ones >> i->imm);
	emu_ir_emit(ir, EMU_OP_VBSL, EMU_V64 | (aux & EMU_VQ), d,
		    a64_vconst(ir, spread(i->size, kept), aux & EMU_VQ), d, t, 0);
}

bool a64_v_one(struct emu_xlat *x, const struct a64_insn *i)
{
	const struct row *r = &rows[i->id];
	struct emu_ir *ir = x->ir;
	unsigned aux = a64_vec(i, i->size);
	uint16_t d = EMU_F(i->rd), n = EMU_F(i->rn), t;

	switch (r->how) {
	case PLAIN: op1(ir, r->op, aux | r->marks, d, n, 0); break;
	case IMM: case REV: op1(ir, r->op, aux, d, n, r->marks); break;
	case ZERO: op2(ir, r->op, aux, d, n, a64_vconst(ir, 0, true)); break;
	case ZERO_SWAP: op2(ir, r->op, aux, d, a64_vconst(ir, 0, true), n); break;
	case WITH_D: op2(ir, r->op, aux | r->marks, d, d, n); break;
	case ADD_TO: op2(ir, EMU_OP_VADD, aux + 1, d, d, a64_v1(ir, r->op, aux | r->marks, n, 0)); break;
	case SIGN_OFF: case SIGN_TURN:
		op2(ir, r->op, EMU_V64 | (aux & EMU_VQ), d, n, a64_signs(ir, aux, r->how == SIGN_OFF));
		break;
	case TO_INT: op1(ir, r->op, aux, d, n, r->marks | EMU_VTO(i->imm, i->size)); break;
	case TO_UINT: op1(ir, r->op, aux | EMU_VU, d, n, r->marks | EMU_VTO(i->imm, i->size)); break;
	case FROM_INT: op1(ir, r->op, aux | r->marks, d, n, EMU_VTO(i->imm, i->size)); break;
	case SHIFT: op1(ir, r->op, aux | r->marks, d, n, i->imm); break;
	case SHIFT_ADD:
		t = a64_v1(ir, r->op, aux | r->marks, n, i->imm);
		op2(ir, EMU_OP_VADD, aux, d, d, t);
		break;
	case SHIFT_IN: shift_in(ir, i, r); break;
	case NARROW:
		a64_put_narrow(ir, i, r->op, i->size | (aux & EMU_VSCALAR) | r->marks, n, i->imm);
		break;
	default: return false;
	}
	return true;
}

/* sshll, ushll, and shll by the size of the element. */
bool a64_v_shift_long(struct emu_xlat *x, const struct a64_insn *i)
{
	bool u = i->id != A64_sshll_v, shll = i->id == A64_shll_v;
	unsigned aux = i->size | EMU_VQ | (i->q ? EMU_VHI : 0) | (u ? EMU_VU : 0);
	int64_t n = shll ? 8 << i->size : i->imm;

	if (n == 0)
		op1(x->ir, EMU_OP_VEXTL, aux, EMU_F(i->rd), EMU_F(i->rn), 0);
	else
		op1(x->ir, EMU_OP_VSHL, (i->size + 1u) | EMU_VQ, EMU_F(i->rd), a64_v1(x->ir, EMU_OP_VEXTL, aux, EMU_F(i->rn), 0), n);
	return true;
}

bool a64_v_misc(struct emu_xlat *x, const struct a64_insn *i)
{
	return i->id == A64_shll_v ? a64_v_shift_long(x, i) : a64_v_one(x, i);
}

/* fcvtl, fcvtn, fcvtxn, and the scalar fcvtxn. */
bool a64_v_fcvt(struct emu_xlat *x, const struct a64_insn *i)
{
	unsigned aux = i->size | (a64_is_scalar(i) ? EMU_VSCALAR : 0);

	switch (i->id) {
	case A64_fcvtl_v:
		op1(x->ir, EMU_OP_VFCVTL, aux | (i->q ? EMU_VHI : 0), EMU_F(i->rd), EMU_F(i->rn), 0);
		return true;
	case A64_fcvtn_v: a64_put_narrow(x->ir, i, EMU_OP_VFCVTN, aux, EMU_F(i->rn), 0); return true;
	case A64_fcvtxn_v: case A64_fcvtxn_s:
		a64_put_narrow(x->ir, i, EMU_OP_VFCVTN, aux | EMU_VR, EMU_F(i->rn), 0);
		return true;
	default: return false;
	}
}

bool a64_s_misc_fp(struct emu_xlat *x, const struct a64_insn *i)
{
	return i->id == A64_fcvtxn_s ? a64_v_fcvt(x, i) : a64_v_one(x, i);
}
