/* Floating point as AVX code: three operands, the guest's rounding and sticky flags in MXCSR. */
#include "emu/fp.h"
#include "emu/x86_gen.h"

#define VMOVAPS 0x28

/* pp of scalar operations: F3 single, F2 double. */
static unsigned pp_of(unsigned w)
{
	return w == EMU_W32 ? 2 : 3;
}

static void ucomis(struct gen *g, unsigned w, unsigned code, int a, int b)
{
	as_vrr(&g->as, w == EMU_W32 ? 0 : 1, 1, false, code, a, 0, b);
}

/* A NaN in `d` becomes the canonical one, out of line. */
static void check_nan(struct gen *g, unsigned w, int d)
{
	struct cold *c = gen_cold(g, COLD_NAN);

	ucomis(g, w, 0x2e, d, d);
	c->from[0] = gen_jcc(g, CC_P, g->as.p);
	c->back = g->as.p;
	c->w = (uint8_t)w;
	c->to = (uint8_t)d;
}

/* Where the result of an operation belongs: when nothing but the FCANON that follows reads it, in that one's
 * destination, and both are made at once. */
static uint16_t final_dest(struct gen *g, const struct emu_op *op)
{
	const struct emu_op *next = op + 1;

	if (g->at + 1 >= g->ir->ops || next->op != EMU_OP_FCANON || next->a != op->d || next->aux != op->aux ||
	    op->d < EMU_GLOBALS || g->last[op->d] != g->at + 1)
		return op->d;
	g->skip = 1;
	return next->d;
}

static void finish(struct gen *g, const struct emu_op *op, uint16_t dest, int d)
{
	if (dest != op->d)
		check_nan(g, op->aux, d);
	gen_fset(g, dest, d);
}

static void arith(struct gen *g, const struct emu_op *op, unsigned code)
{
	uint16_t dest = final_dest(g, op);
	int a = gen_fuse(g, op->a), b = op->op == EMU_OP_FSQRT ? a : gen_fuse(g, op->b), d = gen_fdef(g, dest, 0);

	as_vrr(&g->as, pp_of(op->aux), 1, false, code, d, a, b);
	finish(g, op, dest, d);
}

/* d = +-(a * b) +- c; the 231 and 213 forms overwrite one source. */
static void fma_op(struct gen *g, const struct emu_op *op)
{
	static const uint8_t code[4] = { 0xa9, 0xab, 0xad, 0xaf }; /* 213: madd, msub, nmadd, nmsub */
	uint16_t dest = final_dest(g, op);
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), c = gen_fuse(g, op->c);
	int d = gen_fdef(g, dest, (BIT(b) | BIT(c)) & ~BIT(a));

	/* when a == c or a == b as registers, the copy in d serves for a alone */
	if (d != a)
		as_vrr(&g->as, 0, 1, false, VMOVAPS, d, 0, a);
	as_vrr(&g->as, 1, 2, op->aux == EMU_W64, code[op->op - EMU_OP_FMADD], d, b, c);
	finish(g, op, dest, d);
}

static void compare(struct gen *g, const struct emu_op *op)
{
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), d;

	if (op->op != EMU_OP_FEQ) {
		/* b above a: carry clear, also when unordered gives carry */
		ucomis(g, op->aux, 0x2f, b, a);
		d = gen_def(g, op->d, 0);
		as_setcc(&g->as, op->op == EMU_OP_FLT ? CC_A : CC_AE, d);
	} else {
		int t;

		ucomis(g, op->aux, 0x2e, a, b);
		d = gen_scratch(g);
		t = gen_scratch(g);
		as_setcc(&g->as, CC_E, d);
		as_setcc(&g->as, CC_NP, t);
		as_rr(&g->as, false, 0x22, d, t); /* and d8, t8: both are al, cl or dl */
	}
	as_movzx8(&g->as, d, d);
	gen_set(g, op->d, d);
}

/* d = helper(a, b) when both are numbers that hardware orders otherwise than RISC-V, else v(min|max). */
static uint64_t min32(uint64_t a, uint64_t b) { return emu_fp_minmax(a, b, EMU_W32, false); }
static uint64_t max32(uint64_t a, uint64_t b) { return emu_fp_minmax(a, b, EMU_W32, true); }
static uint64_t min64(uint64_t a, uint64_t b) { return emu_fp_minmax(a, b, EMU_W64, false); }
static uint64_t max64(uint64_t a, uint64_t b) { return emu_fp_minmax(a, b, EMU_W64, true); }

static void minmax(struct gen *g, const struct emu_op *op)
{
	bool max = op->op == EMU_OP_FMAX;
	int a, b, d;
	struct cold *c;

	gen_spill_all(g);
	a = gen_fuse(g, op->a);
	b = gen_fuse(g, op->b);
	d = gen_fscratch(g);
	c = gen_cold(g, COLD_HELPER2);
	/* vmin and vmax themselves would raise "invalid" for quiet NaNs */
	ucomis(g, op->aux, 0x2e, a, b);
	c->from[0] = gen_jcc(g, CC_E, g->as.p); /* equal (two zeros differ), or unordered */
	as_vrr(&g->as, pp_of(op->aux), 1, false, max ? 0x5f : 0x5d, d, a, b);
	c->back = g->as.p;
	c->fn = (uintptr_t)(op->aux == EMU_W32 ? (max ? max32 : min32) : (max ? max64 : min64));
	c->a = (uint8_t)a;
	c->b = (uint8_t)b;
	c->to = (uint8_t)d;
	c->fp_to = true;
	gen_spill_all(g); /* the helper may change every scratch register */
	gen_fset(g, op->d, d);
}

static void sign(struct gen *g, const struct emu_op *op)
{
	uint8_t *mask = gen_konst(g, op->aux == EMU_W32 ? X86_SIGN32 : X86_SIGN64);
	int a = gen_fuse(g, op->a), b, d, t;

	if (op->a == op->b) { /* fmv, fneg, fabs */
		d = gen_fdef(g, op->d, 0);
		if (op->op == EMU_OP_FSGNJ) {
			if (d != a)
				as_vrr(&g->as, 0, 1, false, VMOVAPS, d, 0, a);
		} else if (op->op == EMU_OP_FSGNJN) {
			as_vrip(&g->as, 0, 0x57, d, a, mask); /* vxorps */
		} else {
			t = gen_fscratch(g);
			as_vrip(&g->as, 0, VMOVAPS, t, 0, mask);
			as_vrr(&g->as, 0, 1, false, 0x55, d, t, a); /* vandnps */
		}
		gen_fset(g, op->d, d);
		return;
	}
	b = gen_fuse(g, op->b);
	t = gen_fscratch(g);
	if (op->op == EMU_OP_FSGNJX) {
		as_vrip(&g->as, 0, 0x54, t, b, mask);
		d = gen_fdef(g, op->d, 0);
		as_vrr(&g->as, 0, 1, false, 0x57, d, t, a);
	} else {
		int m = gen_fscratch(g);

		as_vrip(&g->as, 0, VMOVAPS, m, 0, mask);
		if (op->op == EMU_OP_FSGNJ)
			as_vrr(&g->as, 0, 1, false, 0x54, t, m, b);     /* sign of b */
		else
			as_vrr(&g->as, 0, 1, false, 0x55, t, b, m);     /* ~b & mask */
		as_vrr(&g->as, 0, 1, false, 0x55, m, m, a);             /* magnitude of a */
		as_vrr(&g->as, 0, 1, false, 0x56, t, t, m);
		d = t;
	}
	gen_fset(g, op->d, d);
}

/* An integer result by a C function of one FP number. */
#define FTOI(aux) static uint64_t ftoi_##aux(uint64_t a) { return emu_fp_ftoi(a, aux); }
FTOI(0) FTOI(1) FTOI(2) FTOI(3) FTOI(4) FTOI(5) FTOI(6) FTOI(7)
FTOI(8) FTOI(9) FTOI(10) FTOI(11) FTOI(12) FTOI(13) FTOI(14) FTOI(15)
typedef uint64_t one(uint64_t a);
static one *const ftoi[16] = { ftoi_0, ftoi_1, ftoi_2, ftoi_3, ftoi_4, ftoi_5, ftoi_6, ftoi_7,
			       ftoi_8, ftoi_9, ftoi_10, ftoi_11, ftoi_12, ftoi_13, ftoi_14, ftoi_15 };
static uint64_t class32(uint64_t a) { return emu_fp_class(a, EMU_W32); }
static uint64_t class64(uint64_t a) { return emu_fp_class(a, EMU_W64); }

/* rax = fn(bits of xmm a), at once */
static void call_f(struct gen *g, one *fn, int a)
{
	as_vrr(&g->as, 1, 1, true, 0x7e, a, 0, RAX); /* vmovq rax, a */
	emu_x86_pins(g->pins, &g->as, true, false);
	as_mov_rr(&g->as, RDI, RAX);
	gen_call(g, (const void *)(uintptr_t)fn);
}

/* A jump when the number in `a` is negative, not a number, or so large that the conversion to a signed number of 64
 * bits may give more than the unsigned one can hold: its bits as a number are above those of a power of two. */
static uint8_t *unsigned_range(struct gen *g, unsigned aux, int a)
{
	unsigned bits = aux & EMU_CV_I64 ? 63 : aux & EMU_CV_TRUNC ? 32 : 31; /* 2^32 - 0.5 may become 2^32 */
	bool w64 = aux & EMU_CV_W64;
	uint8_t *compare;

	as_vrr(&g->as, 1, 1, w64, 0x7e, a, 0, RAX); /* vmovd, vmovq */
	if (w64)
		as_shift_ri(&g->as, true, SH_SHR, RAX, 52);
	compare = g->as.p;
	as_alu_ri(&g->as, false, ALU_CMP, RAX, (int32_t)(w64 ? 1023 + bits : (127 + bits) << 23));
	return gen_jcc(g, CC_AE, compare);
}

static void ftoi_op(struct gen *g, const struct emu_op *op)
{
	bool wide = op->aux & EMU_CV_I64, sign = !(op->aux & EMU_CV_U);
	unsigned pp = pp_of(op->aux & EMU_CV_W64 ? EMU_W64 : EMU_W32), code = op->aux & EMU_CV_TRUNC ? 0x2c : 0x2d;
	int a, d = RAX;
	struct cold *c;

	gen_spill_all(g);
	a = gen_fuse(g, op->a);
	gen_take(g, RAX);
	c = gen_cold(g, COLD_HELPER1);
	if (sign) {
		as_vrr(&g->as, pp, 1, wide, code, d, 0, a);
		/* "integer indefinite" is 1 followed by zeros: the one number that overflows when 1 is taken off */
		as_alu_ri(&g->as, wide, ALU_CMP, d, 1);
		c->from[0] = gen_jcc(g, CC_O, g->as.p);
	} else { /* looked at before: an attempt could raise flags that it must not */
		c->from[0] = unsigned_range(g, op->aux, a);
		as_vrr(&g->as, pp, 1, true, code, d, 0, a);
	}
	c->back = g->as.p;
	c->fn = (uintptr_t)ftoi[op->aux & 15];
	c->a = (uint8_t)a;
	c->to = (uint8_t)d;
	gen_spill_all(g);
	if (!wide)
		as_rr(&g->as, true, 0x63, d, d);
	gen_set(g, op->d, d);
}

static void itof(struct gen *g, const struct emu_op *op)
{
	bool w64 = op->aux & EMU_CV_W64, wide = op->aux & EMU_CV_I64;
	int a, d, t;

	if ((op->aux & EMU_CV_U) && wide) { /* 2^63 and above: halved, the lost bit kept as a sticky one */
		int u;
		uint8_t *large, *done;

		a = gen_use(g, op->a);
		t = gen_scratch(g);
		u = gen_scratch(g);
		d = gen_fdef(g, op->d, 0);
		as_vrr(&g->as, 0, 1, false, 0x57, d, d, d);
		as_rr(&g->as, true, 0x85, a, a); /* test */
		large = as_jcc8(&g->as, CC_S);
		as_vrr(&g->as, w64 ? 3 : 2, 1, true, 0x2a, d, d, a);
		done = as_jmp8(&g->as);
		as_here(&g->as, large);
		as_mov_rr(&g->as, t, a);
		as_mov_rr(&g->as, u, a);
		as_shift_ri(&g->as, true, SH_SHR, t, 1);
		as_alu_ri(&g->as, false, ALU_AND, u, 1);
		as_alu_rr(&g->as, true, ALU_OR, t, u);
		as_vrr(&g->as, w64 ? 3 : 2, 1, true, 0x2a, d, d, t);
		as_vrr(&g->as, w64 ? 3 : 2, 1, false, 0x58, d, d, d);
		as_here(&g->as, done);
		gen_fset_clean(g, op->d, d, w64 ? 1 : 2);
		return;
	}
	a = gen_use(g, op->a);
	if (op->aux & EMU_CV_U) {
		t = gen_scratch(g);
		as_rr(&g->as, false, 0x8b, t, a);
		a = t;
		wide = true;
	}
	d = gen_fdef(g, op->d, 0);
	as_vrr(&g->as, 0, 1, false, 0x57, d, d, d); /* no dependence on what was there */
	as_vrr(&g->as, w64 ? 3 : 2, 1, wide, 0x2a, d, d, a);
	gen_fset_clean(g, op->d, d, w64 ? 1 : 2);
}

/* A register for a copy of `a`: its own when it is a local that dies here. */
static int fdef_copy(struct gen *g, uint16_t d, uint16_t a, int ra)
{
	int rd;

	if (d == a)
		return ra;
	if (d >= EMU_GLOBALS && a >= EMU_GLOBALS && g->last[a] <= g->at) {
		gen_drop(g, a);
		return ra;
	}
	rd = gen_fdef(g, d, 0);
	if (rd != ra)
		as_vrr(&g->as, 0, 1, false, VMOVAPS, rd, 0, ra);
	return rd;
}

static void canon(struct gen *g, const struct emu_op *op)
{
	int d = fdef_copy(g, op->d, op->a, gen_fuse(g, op->a));

	check_nan(g, op->aux, d);
	gen_fset(g, op->d, d);
}

static void unbox(struct gen *g, const struct emu_op *op)
{
	int d = fdef_copy(g, op->d, op->a, gen_fuse(g, op->a)), t = gen_scratch(g);
	struct cold *c = gen_cold(g, COLD_UNBOX);

	as_vrr(&g->as, 1, 3, false, 0x16, d, 0, t); /* vpextrd t, d, 1 */
	as8(&g->as, 1);
	as_alu_ri(&g->as, false, ALU_CMP, t, -1);
	c->from[0] = as_jcc(&g->as, CC_NE);
	c->back = g->as.p;
	c->to = (uint8_t)d;
	gen_fset(g, op->d, d);
}

static void rounding(struct gen *g, const struct emu_op *op)
{
	static const uint8_t rc[4] = { 0, 3, 1, 2 };
	int t = gen_scratch(g), u;

	as_rm(&g->as, false, 0x0fae, 3, RBP, CPU_OFF(mxcsr_tmp)); /* stmxcsr */
	as_rm(&g->as, false, 0x8b, t, RBP, CPU_OFF(mxcsr_tmp));
	as_alu_ri(&g->as, false, ALU_AND, t, ~0x6000);
	if (op->aux == EMU_RDYN) { /* the guest's own mode stands in cpu->mxcsr */
		u = gen_scratch(g);
		as_rm(&g->as, false, 0x8b, u, RBP, CPU_OFF(mxcsr));
		as_alu_ri(&g->as, false, ALU_AND, u, 0x6000);
		as_alu_rr(&g->as, false, ALU_OR, t, u);
	} else if (rc[op->aux & 3]) {
		as_alu_ri(&g->as, false, ALU_OR, t, rc[op->aux & 3] << 13);
	}
	as_rm(&g->as, false, 0x89, t, RBP, CPU_OFF(mxcsr_tmp));
	as_rm(&g->as, false, 0x0fae, 2, RBP, CPU_OFF(mxcsr_tmp)); /* ldmxcsr */
}

bool gen_fp(struct gen *g, const struct emu_op *op)
{
	int a, d;

	switch (op->op) {
	case EMU_OP_FMOV:
		gen_fset_clean(g, op->d, gen_fuse(g, op->a), g->clean[op->a]);
		return true;
	case EMU_OP_MOVIF:
		a = gen_use(g, op->a);
		d = gen_fdef(g, op->d, 0);
		as_vrr(&g->as, 1, 1, true, 0x6e, d, 0, a);
		gen_fset_clean(g, op->d, d, 1);
		return true;
	case EMU_OP_MOVFI:
		a = gen_fuse(g, op->a);
		d = gen_def(g, op->d, 0);
		as_vrr(&g->as, 1, 1, true, 0x7e, a, 0, d);
		gen_set(g, op->d, d);
		return true;
	case EMU_OP_FADD: arith(g, op, 0x58); return true;
	case EMU_OP_FSUB: arith(g, op, 0x5c); return true;
	case EMU_OP_FMUL: arith(g, op, 0x59); return true;
	case EMU_OP_FDIV: arith(g, op, 0x5e); return true;
	case EMU_OP_FSQRT: arith(g, op, 0x51); return true;
	case EMU_OP_FMADD: case EMU_OP_FMSUB: case EMU_OP_FNMSUB: case EMU_OP_FNMADD: fma_op(g, op); return true;
	case EMU_OP_FMIN: case EMU_OP_FMAX: minmax(g, op); return true;
	case EMU_OP_FSGNJ: case EMU_OP_FSGNJN: case EMU_OP_FSGNJX: sign(g, op); return true;
	case EMU_OP_FEQ: case EMU_OP_FLT: case EMU_OP_FLE: compare(g, op); return true;
	case EMU_OP_FCLASS:
		gen_spill_all(g);
		a = gen_fuse(g, op->a);
		gen_spill_all(g);
		call_f(g, op->aux == EMU_W32 ? class32 : class64, a);
		gen_set(g, op->d, RAX);
		return true;
	case EMU_OP_FTOI: ftoi_op(g, op); return true;
	case EMU_OP_ITOF: itof(g, op); return true;
	case EMU_OP_FTOF: {
		uint16_t dest = final_dest(g, op);

		a = gen_fuse(g, op->a);
		d = gen_fdef(g, dest, 0);
		as_vrr(&g->as, op->aux == EMU_W32 ? 3 : 2, 1, false, 0x5a, d, a, a);
		finish(g, op, dest, d);
		return true;
	}
	case EMU_OP_FCANON: canon(g, op); return true;
	case EMU_OP_FBOX:
		a = gen_fuse(g, op->a);
		d = gen_fdef(g, op->d, 0);
		as_vrip(&g->as, 0, 0x56, d, a, gen_konst(g, X86_BOX)); /* vorps */
		gen_fset(g, op->d, d);
		return true;
	case EMU_OP_FUNBOX: unbox(g, op); return true;
	case EMU_OP_FRM: rounding(g, op); return true;
	default:
		return false;
	}
}
