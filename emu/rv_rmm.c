/* Rounding to nearest, ties away from zero (RISC-V rmm). SSE has no such mode, so the result is that
 * of ties-to-even unless the exact value is a tie: then it lies in the middle of the results rounded
 * down and up, and the one away from zero is taken.
 *
 * Whether it is a tie is decided in 113 bits (__float128), exactly: the middle of two neighbours has
 * at most 54 significant bits. Neighbours at the edge of the range (an infinity) need no care: ties
 * to even already go away from zero there. Flags are those of the ties-to-even operation, which
 * never differ. A square root is never a tie.
 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "emu/fp.h"
#include "emu/rv_translate.h"

#define ROUND_MASK 0x6000u
#define ROUND_DOWN 0x2000u
#define ROUND_UP 0x4000u

typedef __float128 wide;

uint64_t rv_rmm_third(struct emu_cpu *cpu, uint64_t c, uint64_t unused)
{
	(void)unused;
	cpu->tls = c;
	return 0;
}

struct rmm {
	enum rv_rmm op;
	unsigned w;
	uint64_t a, b, c;
};

static wide value(uint64_t bits, unsigned w)
{
	double d;
	float f;

	if (w == EMU_W64) {
		memcpy(&d, &bits, 8);
		return d;
	}
	uint32_t low = (uint32_t)bits;

	memcpy(&f, &low, 4);
	return f;
}

static uint64_t compute(const struct rmm *m)
{
	switch (m->op) {
	case RV_RMM_ADD:
		return emu_fp_arith(EMU_OP_FADD, m->a, m->b, m->w);
	case RV_RMM_SUB:
		return emu_fp_arith(EMU_OP_FSUB, m->a, m->b, m->w);
	case RV_RMM_MUL:
		return emu_fp_arith(EMU_OP_FMUL, m->a, m->b, m->w);
	case RV_RMM_DIV:
		return emu_fp_arith(EMU_OP_FDIV, m->a, m->b, m->w);
	case RV_RMM_FROM_F:
		return emu_fp_arith(EMU_OP_FTOF, m->a, 0, m->w);
	case RV_RMM_FROM_W:
		return emu_fp_itof(m->a, m->w);
	case RV_RMM_FROM_WU:
		return emu_fp_itof(m->a, m->w | EMU_CV_U);
	case RV_RMM_FROM_L:
		return emu_fp_itof(m->a, m->w | EMU_CV_I64);
	case RV_RMM_FROM_LU:
		return emu_fp_itof(m->a, m->w | EMU_CV_I64 | EMU_CV_U);
	default: /* fused: signs are in the operands */
		return emu_fp_fma(m->a, m->b, m->c, m->w);
	}
}

/* a * b + c == middle? The product is exact (at most 106 bits), the sum may lose bits: the rounding
 * error of a sum is found as by Knuth's TwoSum. */
static bool fused_is(wide product, wide c, wide middle)
{
	wide sum = product + c, back = sum - product;

	return sum == middle && (product - (sum - back)) + (c - back) == 0;
}

static bool exact_is(const struct rmm *m, wide middle)
{
	switch (m->op) {
	case RV_RMM_ADD: /* two operands of 53 bits cannot hide a bit beyond 113 and make a middle */
		return value(m->a, m->w) + value(m->b, m->w) == middle;
	case RV_RMM_SUB:
		return value(m->a, m->w) - value(m->b, m->w) == middle;
	case RV_RMM_MUL:
		return value(m->a, m->w) * value(m->b, m->w) == middle;
	case RV_RMM_DIV: /* the product has at most 54 + 53 bits */
		return middle * value(m->b, m->w) == value(m->a, m->w);
	case RV_RMM_FROM_F:
		return value(m->a, EMU_W64) == middle;
	case RV_RMM_FROM_W:
		return (wide)(int32_t)m->a == middle;
	case RV_RMM_FROM_WU:
		return (wide)(uint32_t)m->a == middle;
	case RV_RMM_FROM_L:
		return (wide)(int64_t)m->a == middle;
	case RV_RMM_FROM_LU:
		return (wide)m->a == middle;
	default:
		return fused_is(value(m->a, m->w) * value(m->b, m->w), value(m->c, m->w), middle);
	}
}

static bool is_finite(uint64_t bits, unsigned w)
{
	return w == EMU_W64 ? (bits >> 52 & 0x7ff) != 0x7ff : (bits >> 23 & 0xff) != 0xff;
}

static uint64_t rounded(const struct rmm *m)
{
	uint32_t csr = _mm_getcsr(), base = csr & ~ROUND_MASK, flags;
	uint64_t down, up, even;

	_mm_setcsr(base | ROUND_DOWN);
	down = compute(m);
	_mm_setcsr(base | ROUND_UP);
	up = compute(m);
	_mm_setcsr(base);
	even = emu_fp_canon(compute(m), m->w);
	flags = _mm_getcsr() & 0x3f;
	if (down != up && is_finite(down, m->w) && is_finite(up, m->w)) {
		wide low = value(down, m->w), high = value(up, m->w), middle = (low + high) / 2;

		if (exact_is(m, middle))
			even = middle < 0 ? down : up;
	}
	_mm_setcsr(csr | flags);
	return even;
}

/* ---- to integers ---- */

static uint64_t to_integer(uint64_t bits, unsigned w, unsigned cv)
{
	uint32_t before = _mm_getcsr(); /* what follows leaves flags of its own */
	double x = (double)value(bits, w), whole = x;
	uint64_t as_bits, r;

	if (x < 0x1p53 && x > -0x1p53) { /* else it is an integer, or not a number */
		whole = (double)(int64_t)x;
		if (x - whole >= 0.5)
			whole += 1;
		else if (whole - x >= 0.5)
			whole -= 1;
	}
	memcpy(&as_bits, &whole, 8);
	_mm_setcsr(before & ~0x3fu);
	r = emu_fp_ftoi(as_bits, cv | EMU_CV_W64 | EMU_CV_TRUNC);
	if (!(_mm_getcsr() & _MM_EXCEPT_INVALID) && whole != x)
		before |= _MM_EXCEPT_INEXACT;
	_mm_setcsr(before | (_mm_getcsr() & 0x3f));
	return r;
}

/* One helper for each operation and width. */
#define NEGATE(w) ((w) == EMU_W64 ? 1ull << 63 : 1ull << 31)
#define ARITH(name, operation, w, flip_a, flip_c)                                                  \
	static uint64_t name##w(struct emu_cpu *cpu, uint64_t a, uint64_t b)                       \
	{                                                                                          \
		struct rmm m = { operation, w, a ^ ((flip_a) ? NEGATE(w) : 0), b,                  \
				 cpu->tls ^ ((flip_c) ? NEGATE(w) : 0) };                          \
                                                                                                   \
		return rounded(&m);                                                                \
	}
#define BOTH(name, operation, flip_a, flip_c)                                                      \
	ARITH(name, operation, 0, flip_a, flip_c)                                                  \
	ARITH(name, operation, 1, flip_a, flip_c)
BOTH(add, RV_RMM_ADD, 0, 0)
BOTH(sub, RV_RMM_SUB, 0, 0)
BOTH(mul, RV_RMM_MUL, 0, 0)
BOTH(div, RV_RMM_DIV, 0, 0)
BOTH(fmadd, RV_RMM_FMADD, 0, 0)
BOTH(fmsub, RV_RMM_FMSUB, 0, 1)
BOTH(fnmsub, RV_RMM_FNMSUB, 1, 0)
BOTH(fnmadd, RV_RMM_FNMADD, 1, 1)
BOTH(from_f, RV_RMM_FROM_F, 0, 0)
BOTH(from_w, RV_RMM_FROM_W, 0, 0)
BOTH(from_wu, RV_RMM_FROM_WU, 0, 0)
BOTH(from_l, RV_RMM_FROM_L, 0, 0)
BOTH(from_lu, RV_RMM_FROM_LU, 0, 0)

#define TO(name, w, cv)                                                                            \
	static uint64_t name##w(struct emu_cpu *cpu, uint64_t a, uint64_t b)                       \
	{                                                                                          \
		(void)cpu;                                                                         \
		(void)b;                                                                           \
		return to_integer(a, w, cv);                                                       \
	}
TO(to_w, 0, 0)
TO(to_w, 1, 0)
TO(to_wu, 0, EMU_CV_U)
TO(to_wu, 1, EMU_CV_U)
TO(to_l, 0, EMU_CV_I64)
TO(to_l, 1, EMU_CV_I64)
TO(to_lu, 0, EMU_CV_I64 | EMU_CV_U)
TO(to_lu, 1, EMU_CV_I64 | EMU_CV_U)

emu_helper *const rv_rmm_helpers[RV_RMM_OPS][2] = {
	[RV_RMM_ADD] = { add0, add1 },
	[RV_RMM_SUB] = { sub0, sub1 },
	[RV_RMM_MUL] = { mul0, mul1 },
	[RV_RMM_DIV] = { div0, div1 },
	[RV_RMM_FMADD] = { fmadd0, fmadd1 },
	[RV_RMM_FMSUB] = { fmsub0, fmsub1 },
	[RV_RMM_FNMSUB] = { fnmsub0, fnmsub1 },
	[RV_RMM_FNMADD] = { fnmadd0, fnmadd1 },
	[RV_RMM_FROM_F] = { from_f0, from_f1 },
	[RV_RMM_FROM_W] = { from_w0, from_w1 },
	[RV_RMM_FROM_WU] = { from_wu0, from_wu1 },
	[RV_RMM_FROM_L] = { from_l0, from_l1 },
	[RV_RMM_FROM_LU] = { from_lu0, from_lu1 },
	[RV_RMM_TO_W] = { to_w0, to_w1 },
	[RV_RMM_TO_WU] = { to_wu0, to_wu1 },
	[RV_RMM_TO_L] = { to_l0, to_l1 },
	[RV_RMM_TO_LU] = { to_lu0, to_lu1 },
};
