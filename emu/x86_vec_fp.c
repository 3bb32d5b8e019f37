/* Floating point of vectors and of Arm's scalars as AVX code. The host's results are Arm's but for NaNs: a
 * result that is one is computed again by emu_vec_eval, out of line, from operands that are still there.
 */
#include "emu/x86_vec.h"

static bool scalar(const struct emu_op *op)
{
	return op->aux & EMU_VSCALAR;
}
/* Prefix of an instruction for ps, pd, ss, sd. */
static unsigned pp_of(const struct emu_op *op)
{
	bool wide = (op->aux & 3) == EMU_V64;

	return scalar(op) ? (wide ? 3 : 2) : wide;
}

/* Operands ready for an instruction: of two 32-bit elements, what stands above must not raise flags. */
static int operand(struct gen *g, const struct emu_op *op, uint16_t t)
{
	int r = gen_fuse(g, t), own;

	if (scalar(op) || vec_q(op) || g->clean[t])
		return r;
	own = gen_fscratch(g);
	vmovq(g, own, r);
	if (r < FSCRATCH)
		g->fbusy &= ~BIT(r);
	return own;
}

/* A register for the result that is none of the operands'. */
static int apart(struct gen *g, const struct emu_op *op, int a, int b, int c)
{
	int d = op->d < EMU_GLOBALS ? g->pins->host[op->d] : -1;

	return d >= 0 && d != a && d != b && d != c ? d : gen_fscratch(g);
}

/* From this jump to the place where the way around it comes back, no register may be taken: what is moved
 * to memory for it would be missing on the other way. The jump leads to a call of emu_vec_eval on these
 * registers, with the result in `to`. */
static struct cold *again(struct gen *g, const struct emu_op *op, unsigned cc, int to, int a, int b, int c)
{
	struct cold *cold = gen_cold(g, COLD_VECTOR);

	cold->from[0] = gen_jcc(g, cc, g->as.p);
	cold->back = g->as.p;
	cold->to = (uint8_t)to;
	cold->a = (uint8_t)a;
	cold->b = (uint8_t)(b < 0 ? a : b);
	cold->c = (uint8_t)(c < 0 ? a : c);
	cold->fn = emu_vec_what(op->op, op->aux, op->imm);
	return cold;
}

/* Is any element of a or b a NaN? The condition that says so. `t` is free to use; -1: one is taken. */
static unsigned unordered(struct gen *g, const struct emu_op *op, int a, int b, int t)
{
	bool own = t < 0;

	if (scalar(op)) {
		as_vrr(&g->as, (op->aux & 3) == EMU_V64, 1, false, 0x2e, a, 0, b);
		return CC_P;
	}
	if (own)
		t = gen_fscratch(g);
	as_vrr(&g->as, pp_of(op), 1, false, 0xc2, t, a, b); /* vcmpunord */
	as8(&g->as, 3);
	v1(g, 0x217, t, t);                                 /* vptest */
	if (own)
		g->fbusy &= ~BIT(t);
	return CC_NE;
}

/* The scalar in `reg`, whose upper part came from register `from` of temp t, goes to op->d. */
static void set_result(struct gen *g, const struct emu_op *op, int reg, uint16_t from)
{
	unsigned need = (op->aux & 3) == EMU_V64 ? 1 : 2;
	int d = op->d < EMU_GLOBALS ? g->pins->host[op->d] : -1;

	if (!scalar(op)) {
		if (!vec_q(op)) /* 0 - 0 may be -0 */
			vmovq(g, reg, reg);
		gen_fset_clean(g, op->d, reg, vec_q(op) ? 0 : 1);
		return;
	}
	if (from != EMU_NOTEMP && g->clean[from] >= need) {
		gen_fset_clean(g, op->d, reg, need);
		return;
	}
	if (d < 0)
		d = reg;
	if (need == 1)
		vmovq(g, d, reg);
	else
		v2i(g, 0x321, d, reg, reg, 0x0e);
	gen_fset_clean(g, op->d, d, need);
}

static void checked(struct gen *g, const struct emu_op *op, int t, int a, int b, int c, uint16_t from)
{
	again(g, op, unordered(g, op, t, t, -1), t, a, b, c);
	set_result(g, op, t, from);
}

static bool arith(struct gen *g, const struct emu_op *op, unsigned code)
{
	uint16_t first = op->a, second = op->b;
	bool commutes = op->op == EMU_OP_VFADD || op->op == EMU_OP_VFMUL, root = op->op == EMU_OP_VFSQRT;
	int a, b, t;

	if ((op->aux & EMU_VHI) || (!scalar(op) && !vec_q(op) && op->op == EMU_OP_VFDIV))
		return false;
	a = operand(g, op, op->a);
	b = root ? a : op->b == op->a ? a : operand(g, op, op->b);
	t = apart(g, op, a, b, -1);
	/* the upper part comes from the first operand: the one that is known to have zeros there */
	if (commutes && g->clean[op->b] > g->clean[op->a]) {
		as_vrr(&g->as, pp_of(op), 1, false, code, t, b, a);
		first = second;
	} else {
		as_vrr(&g->as, pp_of(op), 1, false, code, t, root && !scalar(op) ? 0 : a, b);
	}
	checked(g, op, t, a, b, -1, first);
	return true;
}

static bool multiply_add(struct gen *g, const struct emu_op *op)
{
	static const uint8_t code[4] = { 0xb8, 0xba, 0xbc, 0xbe }; /* 231: madd, msub, nmadd, nmsub */
	unsigned form = (op->aux & EMU_VU ? 1u : 0) + (op->aux & EMU_VHI ? 2 : 0);
	int a, b, c, t;

	if (!scalar(op) && !vec_q(op) && !(g->clean[op->a] && g->clean[op->b] && g->clean[op->c]))
		return false; /* not enough scratch registers to clean three */
	a = gen_fuse(g, op->a);
	b = gen_fuse(g, op->b);
	c = gen_fuse(g, op->c);
	t = apart(g, op, a, b, c);
	vmov(g, t, c);
	as_vrr(&g->as, 1, 2, (op->aux & 3) == EMU_V64, code[form] + (scalar(op) ? 1u : 0u), t, a, b);
	if (scalar(op)) {
		checked(g, op, t, a, b, c, op->c);
		return true;
	}
	/* all scratch registers may be taken: the test for NaNs borrows one that is an operand's */
	if (g->fbusy == BIT(FSCRATCH) - 1) {
		int s = a < FSCRATCH ? a : b < FSCRATCH ? b : c;

		as_vrm(&g->as, 0, 1, false, 0x11, s, 0, RBP, CPU_OFF(vsave[0]));
		as_vrr(&g->as, pp_of(op), 1, false, 0xc2, s, t, t);
		as8(&g->as, 3);
		v1(g, 0x217, s, s);
		as_vrm(&g->as, 0, 1, false, 0x10, s, 0, RBP, CPU_OFF(vsave[0]));
		again(g, op, CC_NE, t, a, b, c);
		set_result(g, op, t, EMU_NOTEMP);
		return true;
	}
	checked(g, op, t, a, b, c, op->c);
	return true;
}

/* Both orders of the operands: they differ for zeros, of which "and" gives the larger, "or" the smaller. */
static bool minmax(struct gen *g, const struct emu_op *op)
{
	bool max = op->op == EMU_OP_VFMAX;
	unsigned code = max ? 0x5f : 0x5d;
	struct cold *cold;
	int a, b, t, s;

	if (!scalar(op) && !vec_q(op))
		return false;
	a = gen_fuse(g, op->a);
	b = gen_fuse(g, op->b);
	t = apart(g, op, a, b, -1);
	s = gen_fscratch(g);
	cold = again(g, op, unordered(g, op, a, b, s), t, a, b, -1);
	as_vrr(&g->as, pp_of(op), 1, false, code, t, a, b);
	as_vrr(&g->as, pp_of(op), 1, false, code, s, b, a);
	v2(g, max ? 0x1db : 0x1eb, t, t, s);
	cold->back = g->as.p;
	set_result(g, op, t, EMU_NOTEMP);
	return true;
}

static bool compare(struct gen *g, const struct emu_op *op)
{
	static const uint8_t predicate[3] = { 0x00, 0x0e, 0x0d }; /* eq quiet, gt and ge signaling */
	int a = operand(g, op, op->a), b = op->a == op->b ? a : operand(g, op, op->b), d = gen_fdef(g, op->d, 0);

	as_vrr(&g->as, pp_of(op), 1, false, 0xc2, d, a, b);
	as8(&g->as, predicate[op->op - EMU_OP_VFCMEQ]);
	set_result(g, op, d, op->a);
	return true;
}

/* Flags: less N, equal Z C, greater C, unordered C V. */
static void flags(struct gen *g, const struct emu_op *op)
{
	static const struct { uint8_t cc; uint16_t bits; } rows[3] = {
		{ CC_B, EMU_FLAG_N }, { CC_E, EMU_FLAG_Z | EMU_FLAG_C }, { CC_P, EMU_FLAG_C | EMU_FLAG_V },
	};
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), d = gen_scratch(g), t = gen_scratch(g);

	as_vrr(&g->as, (op->aux & 3) == EMU_V64, 1, false, op->aux & EMU_VHI ? 0x2f : 0x2e, a, 0, b);
	as_mov_ri_flags(&g->as, d, EMU_FLAG_C);
	for (unsigned i = 0; i < 3; i++) { /* unordered sets all three: it comes last */
		as_mov_ri_flags(&g->as, t, rows[i].bits);
		as_rr(&g->as, false, 0x0f40u | rows[i].cc, d, t);
	}
	gen_set(g, op->d, d);
}

static bool round_int(struct gen *g, const struct emu_op *op)
{
	static const uint8_t rc[8] = { 0, 3, 1, 2, 0, 0, 0, 4 };
	static const uint8_t code[4] = { 0x08, 0x09, 0x0a, 0x0b }; /* ps pd ss sd */
	unsigned mode = op->imm & 7;
	int a, t;

	if (mode == EMU_RMM)
		return false;
	a = operand(g, op, op->a);
	t = apart(g, op, a, -1, -1);
	as_vrr(&g->as, 1, 3, false, code[(scalar(op) ? 2 : 0) + ((op->aux & 3) == EMU_V64)], t, scalar(op) ? a : 0, a);
	as8(&g->as, rc[mode] | (op->imm & 8 ? 0u : 8u));
	checked(g, op, t, a, -1, -1, op->a);
	return true;
}

/* 2 to the n as a number of op's source type, in every element of `d`, by way of integer register t. */
static void power_of_two(struct gen *g, const struct emu_op *op, int d, unsigned n, int t)
{
	bool wide = (op->aux & 3) == EMU_V64;

	as_mov_ri(&g->as, t, wide ? (int64_t)(1023 + n) << 52 : (int64_t)(127 + n) << 23);
	as_vrr(&g->as, 1, 1, wide, 0x6e, d, 0, t);
}

/* A scalar towards zero. What is out of range, or nearly so, is computed again; it must not come as far as an
 * instruction that would raise the wrong flags. */
static bool to_int_scalar(struct gen *g, const struct emu_op *op)
{
	unsigned size = op->imm >> 12 & 3, fbits = op->imm >> 4 & 0xff, width = 8u << size;
	bool u = op->aux & EMU_VU, wide = size == EMU_V64;
	int a = gen_fuse(g, op->a), t = apart(g, op, a, -1, -1), d = gen_scratch(g), limit;
	struct cold *cold;
	uint8_t *from = NULL;

	if (u || fbits) { /* below the limit, and of unsigned ones not below 0 */
		limit = gen_fscratch(g);
		power_of_two(g, op, limit, width - fbits - (u && !wide ? 0 : 1), d);
		if (u) {
			vzero(g, t);
			as_vrr(&g->as, (op->aux & 3) == EMU_V64, 1, false, 0x2e, a, 0, t);
			from = gen_jcc(g, CC_B, g->as.p);
			as_vrr(&g->as, (op->aux & 3) == EMU_V64, 1, false, 0x2e, a, 0, limit);
		} else {
			int m = gen_fscratch(g);

			vones(g, m);
			vshift(g, (op->aux & 3) == EMU_V64 ? 0x73 : 0x72, 2, m, m, 1);
			v2(g, 0x1db, m, m, a);
			as_vrr(&g->as, (op->aux & 3) == EMU_V64, 1, false, 0x2e, m, 0, limit);
			from = gen_jcc(g, CC_P, g->as.p);
		}
		cold = again(g, op, CC_AE, t, a, -1, -1);
		cold->from[1] = from;
		if (fbits) {
			power_of_two(g, op, limit, fbits, d);
			as_vrr(&g->as, pp_of(op), 1, false, 0x59, limit, a, limit);
			a = limit;
		}
		as_vrr(&g->as, pp_of(op), 1, wide || u, 0x2c, d, 0, a);
		as_vrr(&g->as, 1, 1, wide, 0x6e, t, 0, d);
		cold->back = g->as.p;
	} else {
		as_vrr(&g->as, pp_of(op), 1, wide, 0x2c, d, 0, a); /* vcvttss2si, sd2si */
		as_alu_ri(&g->as, wide, ALU_CMP, d, 1);            /* "integer indefinite" overflows */
		as_vrr(&g->as, 1, 1, wide, 0x6e, t, 0, d);
		again(g, op, CC_O, t, a, -1, -1);
	}
	gen_fset_clean(g, op->d, t, wide ? 1 : 2);
	return true;
}

static bool to_int(struct gen *g, const struct emu_op *op)
{
	unsigned fbits = op->imm >> 4 & 0xff;
	int a, t, s;

	if ((op->imm & 7) != EMU_RTZ)
		return false;
	if (scalar(op))
		return to_int_scalar(g, op);
	if ((op->aux & 3) != EMU_V32 || fbits || (op->aux & EMU_VU))
		return false;
	a = operand(g, op, op->a);
	t = apart(g, op, a, -1, -1);
	s = gen_fscratch(g);
	as_vrr(&g->as, 2, 1, false, 0x5b, t, 0, a); /* vcvttps2dq */
	vones(g, s);
	vshift(g, 0x72, 6, s, s, 31);
	v2(g, 0x176, s, s, t);
	v1(g, 0x217, s, s);
	again(g, op, CC_NE, t, a, -1, -1);
	gen_fset_clean(g, op->d, t, vec_q(op) ? 0 : 1);
	return true;
}

static bool from_int(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3, size = op->imm >> 12 & 3, fbits = op->imm >> 4 & 0xff;
	bool u = op->aux & EMU_VU;
	int a, d, t, s;

	if (fbits || (u && (size == EMU_V64 || !scalar(op))) || e != size)
		return false;
	a = operand(g, op, op->a);
	if (scalar(op)) {
		t = gen_scratch(g);
		as_vrr(&g->as, 1, 1, e == EMU_V64, 0x7e, a, 0, t);
		d = gen_fdef(g, op->d, 0);
		vzero(g, d);
		as_vrr(&g->as, pp_of(op), 1, e == EMU_V64 || u, 0x2a, d, d, t);
		gen_fset_clean(g, op->d, d, e == EMU_V64 ? 1 : 2);
		return true;
	}
	if (e == EMU_V64) {
		t = gen_scratch(g);
		d = gen_fscratch(g);
		s = gen_fscratch(g);
		as_vrr(&g->as, 1, 3, true, 0x16, a, 0, t); /* vpextrq */
		as8(&g->as, 1);
		vzero(g, s);
		as_vrr(&g->as, 3, 1, true, 0x2a, s, s, t);
		as_vrr(&g->as, 1, 1, true, 0x7e, a, 0, t);
		vzero(g, d);
		as_vrr(&g->as, 3, 1, true, 0x2a, d, d, t);
		v2(g, 0x16c, d, d, s);
		gen_fset(g, op->d, d);
		return true;
	}
	d = gen_fdef(g, op->d, 0);
	as_vrr(&g->as, 0, 1, false, 0x5b, d, 0, a); /* vcvtdq2ps */
	gen_fset_clean(g, op->d, d, vec_q(op) ? 0 : 1);
	return true;
}

/* Between 32 and 64 bits. */
static bool convert(struct gen *g, const struct emu_op *op)
{
	bool narrow = op->op == EMU_OP_VFCVTN;
	unsigned clean = narrow && scalar(op) ? 2 : narrow || scalar(op) ? 1 : 0;
	int a, t, s;

	if ((op->aux & 3) != EMU_V32 || (op->aux & EMU_VR))
		return false;
	a = gen_fuse(g, op->a);
	t = apart(g, op, a, -1, -1);
	if (scalar(op)) { /* the upper part of a register of zeros */
		vzero(g, t);
		as_vrr(&g->as, narrow ? 3 : 2, 1, false, 0x5a, t, t, a);
		as_vrr(&g->as, narrow ? 0 : 1, 1, false, 0x2e, t, 0, t);
		again(g, op, CC_P, t, a, -1, -1);
	} else {
		if (op->aux & EMU_VHI)
			vshift(g, 0x73, 3, t, a, 8);
		as_vrr(&g->as, narrow ? 1 : 0, 1, false, 0x5a, t, 0, op->aux & EMU_VHI ? t : a);
		s = gen_fscratch(g);
		as_vrr(&g->as, narrow ? 0 : 1, 1, false, 0xc2, s, t, t);
		as8(&g->as, 3);
		v1(g, 0x217, s, s);
		again(g, op, CC_NE, t, a, -1, -1);
	}
	gen_fset_clean(g, op->d, t, clean);
	return true;
}

bool vec_float(struct gen *g, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_VFADD: return arith(g, op, 0x58);
	case EMU_OP_VFSUB: return arith(g, op, 0x5c);
	case EMU_OP_VFMUL: return arith(g, op, 0x59);
	case EMU_OP_VFDIV: return arith(g, op, 0x5e);
	case EMU_OP_VFSQRT: return arith(g, op, 0x51);
	case EMU_OP_VFMLA: return multiply_add(g, op);
	case EMU_OP_VFMIN: case EMU_OP_VFMAX: return minmax(g, op);
	case EMU_OP_VFCMEQ: case EMU_OP_VFCMGT: case EMU_OP_VFCMGE: return compare(g, op);
	case EMU_OP_VFCMP: flags(g, op); return true;
	case EMU_OP_VFROUND: return round_int(g, op);
	case EMU_OP_VFTOI: return to_int(g, op);
	case EMU_OP_VITOF: return from_int(g, op);
	case EMU_OP_VFCVTN: case EMU_OP_VFCVTL: return convert(g, op);
	default: return false;
	}
}
