/* Floating point of vector operations, one number at a time, by Arm's rules (DDI 0487, shared/functions/
 * float). Sums and the like are the host's, under its MXCSR; NaNs are not.
 */
#include <xmmintrin.h>

#include "emu/fp.h"
#include "emu/vec.h"

typedef unsigned __int128 u128;

#define INVALID 0x01u /* MXCSR */
#define OVERFLOW 0x08u
#define UNDERFLOW 0x10u
#define INEXACT 0x20u
#define FLUSH 0x40u   /* DAZ: operands */

static void raise(unsigned flags)
{
	_mm_setcsr(_mm_getcsr() | flags);
}

static unsigned frac_bits(unsigned e)
{
	return e == EMU_V64 ? 52 : e == EMU_V32 ? 23 : 10;
}
static uint64_t sign_bit(unsigned e)
{
	return 1ull << ((8u << e) - 1);
}
static uint64_t infinity(unsigned e) /* and the mask of the exponent */
{
	return sign_bit(e) - (1ull << frac_bits(e));
}
static uint64_t trim(unsigned e, uint64_t x)
{
	return e == EMU_V64 ? x : x & ((1ull << (8u << e)) - 1);
}
static bool is_nan(unsigned e, uint64_t x)
{
	return (x & ~sign_bit(e)) > infinity(e);
}
static bool is_signaling(unsigned e, uint64_t x)
{
	return is_nan(e, x) && !(x >> (frac_bits(e) - 1) & 1);
}
static bool is_inf(unsigned e, uint64_t x)
{
	return (x & ~sign_bit(e)) == infinity(e);
}
static bool is_zero(unsigned e, uint64_t x)
{
	if (_mm_getcsr() & FLUSH && !(x & infinity(e)))
		return true;
	return !(x & ~sign_bit(e));
}
static uint64_t default_nan(unsigned e)
{
	return infinity(e) | 1ull << (frac_bits(e) - 1);
}

uint64_t emu_arm_nan(const struct emu_cpu *cpu, unsigned e, uint64_t a, uint64_t b)
{
	uint64_t r = is_signaling(e, a) ? a : is_signaling(e, b) ? b : is_nan(e, a) ? a : b;

	if (is_signaling(e, r))
		raise(INVALID);
	return cpu->fpcr & EMU_FPCR_DN ? default_nan(e) : r | 1ull << (frac_bits(e) - 1);
}

/* A result that the host computed of numbers. */
static uint64_t computed(unsigned e, uint64_t r)
{
	return is_nan(e, r) ? default_nan(e) : r;
}

uint64_t emu_arm_fma(const struct emu_cpu *cpu, unsigned e, uint64_t a, uint64_t b, uint64_t c)
{
	bool endless = (is_inf(e, a) && is_zero(e, b)) || (is_zero(e, a) && is_inf(e, b));

	if (is_nan(e, a) || is_nan(e, b) || is_nan(e, c)) {
		if (is_nan(e, c) && !is_signaling(e, c) && endless) {
			raise(INVALID);
			return default_nan(e);
		}
		if (is_signaling(e, c) || (!is_signaling(e, a) && !is_signaling(e, b) && is_nan(e, c)))
			return emu_arm_nan(cpu, e, c, c);
		return emu_arm_nan(cpu, e, a, b);
	}
	return computed(e, emu_fp_fma(a, b, c, e == EMU_V64));
}

/* FPMaxNum, FPMinNum: a number wins over a quiet NaN. */
static uint64_t number_of(unsigned e, uint64_t a, uint64_t b, bool *done)
{
	bool qa = is_nan(e, a) && !is_signaling(e, a), qb = is_nan(e, b) && !is_signaling(e, b);

	*done = (qa && !is_nan(e, b)) || (qb && !is_nan(e, a));
	return qa ? b : a;
}

/* FPRecipStepFused, FPRSqrtStepFused. */
static uint64_t step(const struct emu_cpu *cpu, unsigned e, bool root, uint64_t a, uint64_t b)
{
	uint64_t one = e == EMU_V64 ? 0x3ffull << 52 : 0x7full << 23, ulp = 1ull << frac_bits(e);
	uint64_t two = one + ulp, half3 = one | ulp >> 1, r;

	a ^= sign_bit(e);
	if (is_nan(e, a) || is_nan(e, b))
		return emu_arm_nan(cpu, e, a, b);
	if ((is_inf(e, a) && is_zero(e, b)) || (is_zero(e, a) && is_inf(e, b)))
		return root ? half3 : two;
	if (is_inf(e, a) || is_inf(e, b))
		return infinity(e) | ((a ^ b) & sign_bit(e));
	if (!root)
		return computed(e, emu_fp_fma(a, b, two, e == EMU_V64));
	/* half of one factor is exact when that is the larger one */
	if ((a & infinity(e)) >= (b & infinity(e)) && (a & infinity(e)) > ulp)
		a -= ulp;
	else if ((b & infinity(e)) > ulp)
		b -= ulp;
	r = emu_fp_fma(a, b, half3, e == EMU_V64);
	return computed(e, r);
}

uint64_t emu_arm_fp2(const struct emu_cpu *cpu, unsigned op, unsigned aux, uint64_t a, uint64_t b)
{
	static const uint8_t plain[] = { EMU_OP_FADD, EMU_OP_FSUB, EMU_OP_FMUL, EMU_OP_FDIV };
	unsigned e = aux & 3, w = e == EMU_V64;
	bool done = false;
	uint64_t r;

	if (op == EMU_OP_VFSTEP)
		return step(cpu, e, aux & EMU_VR, a, b);
	if ((op == EMU_OP_VFMIN || op == EMU_OP_VFMAX) && (aux & EMU_VR)) {
		r = number_of(e, a, b, &done);
		if (done)
			return is_zero(e, r) ? r & sign_bit(e) : r;
	}
	if (is_nan(e, a) || is_nan(e, b))
		return emu_arm_nan(cpu, e, a, b);
	if (op == EMU_OP_VFMIN || op == EMU_OP_VFMAX) {
		r = emu_fp_minmax(a, b, w, op == EMU_OP_VFMAX);
		return is_zero(e, r) ? r & sign_bit(e) : r;
	}
	if (op == EMU_OP_VFMUL && (aux & EMU_VHI) &&
	    ((is_inf(e, a) && is_zero(e, b)) || (is_zero(e, a) && is_inf(e, b))))
		return ((a ^ b) & sign_bit(e)) | (e == EMU_V64 ? 0x400ull << 52 : 0x80ull << 23);
	return computed(e, emu_fp_arith(plain[op - EMU_OP_VFADD], a, b, w));
}

static uint64_t root(const struct emu_cpu *cpu, unsigned e, uint64_t a)
{
	return is_nan(e, a) ? emu_arm_nan(cpu, e, a, a) : computed(e, emu_fp_arith(EMU_OP_FSQRT, a, 0, e == EMU_V64));
}

/* ---- rounding ---- */

struct number {
	bool sign;
	uint64_t mant;
	int exp;        /* value = mant * 2^exp */
};

static struct number decode(unsigned e, uint64_t x)
{
	unsigned frac = frac_bits(e);
	int bias = (1 << ((8 << e) - 2 - (int)frac)) - 1, exp = (int)((x & infinity(e)) >> frac);
	struct number n = { x & sign_bit(e), x & ((1ull << frac) - 1), (exp ? exp : 1) - bias - (int)frac };

	if (exp)
		n.mant |= 1ull << frac;
	else if ((_mm_getcsr() & FLUSH) && e != EMU_V16)
		n.mant = 0;
	return n;
}

static unsigned mode_now(void)
{
	static const uint8_t mode[4] = { EMU_RNE, EMU_RDN, EMU_RUP, EMU_RTZ };

	return mode[_mm_getcsr() >> 13 & 3];
}

/* mant * 2^exp as an integer, exp <= 64. */
static u128 to_integer(const struct number *n, int exp, unsigned mode, bool *inexact)
{
	unsigned shift;
	uint64_t rest, half;
	u128 r;

	*inexact = false;
	if (exp >= 0)
		return (u128)n->mant << exp;
	shift = exp < -60 ? 60 : (unsigned)-exp; /* below a half all the same */
	r = n->mant >> shift;
	rest = n->mant & ((1ull << shift) - 1);
	half = 1ull << (shift - 1);
	*inexact = rest;
	if (mode == EMU_RDYN)
		mode = mode_now();
	if (mode == EMU_RNE ? rest > half || (rest == half && (r & 1)) : mode == EMU_RMM ? rest >= half
	    : mode == EMU_RDN ? n->sign && rest : mode == EMU_RUP ? !n->sign && rest : false)
		r++;
	return r;
}

uint64_t emu_arm_to_int(const struct emu_cpu *cpu, unsigned e, uint64_t x, unsigned aux, int64_t imm)
{
	unsigned bits = 8u << (imm >> 12 & 3), mode = imm & 7;
	int fbits = (int)(imm >> 4 & 0xff);
	struct number n = decode(e, x);
	uint64_t max = aux & EMU_VU ? ~0ull >> (64 - bits) : ~0ull >> (65 - bits);
	uint64_t low = aux & EMU_VU ? 0 : max + 1; /* magnitude of the smallest */
	bool inexact;
	u128 r;

	(void)cpu;
	if (is_nan(e, x)) {
		raise(INVALID);
		return 0;
	}
	if (is_inf(e, x) || (n.mant && n.exp + fbits > 64)) {
		raise(INVALID);
		return n.sign ? -low & ~0ull >> (64 - bits) : max;
	}
	r = n.mant ? to_integer(&n, n.exp + fbits, mode, &inexact) : (inexact = false, 0);
	if (r > (n.sign ? low : max)) {
		raise(INVALID);
		return n.sign ? -low & ~0ull >> (64 - bits) : max;
	}
	if (inexact)
		raise(INEXACT);
	return (n.sign ? -(uint64_t)r : (uint64_t)r) & ~0ull >> (64 - bits);
}

/* FPRoundInt; exact: bit 3 of imm. */
static uint64_t round_int(const struct emu_cpu *cpu, unsigned e, uint64_t x, int64_t imm)
{
	struct number n = decode(e, x);
	bool inexact;
	uint64_t r;

	if (is_nan(e, x))
		return emu_arm_nan(cpu, e, x, x);
	if (is_inf(e, x) || n.exp >= 0)
		return x;
	if (!n.mant)
		return x & sign_bit(e);
	r = (uint64_t)to_integer(&n, n.exp, imm & 7, &inexact);
	if (inexact && (imm & 8))
		raise(INEXACT);
	return emu_fp_itof(r, EMU_CV_I64 | (e == EMU_V64 ? EMU_CV_W64 : 0)) | (x & sign_bit(e));
}

static uint64_t from_int(unsigned e, uint64_t x, unsigned aux, int64_t imm)
{
	unsigned fbits = imm >> 4 & 0xff, cv = (e == EMU_V64 ? EMU_CV_W64 : 0) | (aux & EMU_VU ? EMU_CV_U : 0);
	uint64_t r = emu_fp_itof(x, cv | ((imm >> 12 & 3) == 3 ? EMU_CV_I64 : 0));
	uint64_t scale = e == EMU_V64 ? (uint64_t)(1023 - fbits) << 52 : (uint64_t)(127 - fbits) << 23;

	return fbits ? emu_fp_arith(EMU_OP_FMUL, r, scale, e == EMU_V64) : r;
}

/* ---- other widths ---- */

static uint64_t half_to_single(const struct emu_cpu *cpu, uint64_t x)
{
	struct number n = decode(EMU_V16, x);
	uint64_t sign = (x & 0x8000) << 16;
	unsigned up;

	if (is_nan(EMU_V16, x)) {
		if (is_signaling(EMU_V16, x))
			raise(INVALID);
		return cpu->fpcr & EMU_FPCR_DN ? default_nan(EMU_V32) : sign | 0x7fc00000 | (x & 0x3ff) << 13;
	}
	if (is_inf(EMU_V16, x))
		return sign | 0x7f800000;
	if (!n.mant)
		return sign;
	up = (unsigned)__builtin_clzll(n.mant) - 40; /* the leading one goes to bit 23 */
	return sign | (uint64_t)(n.exp - (int)up + 23 + 127) << 23 | ((n.mant << up) & 0x7fffff);
}

static uint64_t single_to_half(const struct emu_cpu *cpu, uint64_t x)
{
	struct number n = decode(EMU_V32, x);
	uint64_t sign = x >> 16 & 0x8000, r;
	unsigned mode = mode_now();
	bool inexact, tiny;
	int top;

	if (is_nan(EMU_V32, x)) {
		if (is_signaling(EMU_V32, x))
			raise(INVALID);
		return cpu->fpcr & EMU_FPCR_DN ? default_nan(EMU_V16) : sign | 0x7e00 | (x >> 13 & 0x1ff);
	}
	if (is_inf(EMU_V32, x))
		return sign | 0x7c00;
	if (!n.mant)
		return sign;
	top = 63 - __builtin_clzll(n.mant) + n.exp; /* exponent of the leading one */
	tiny = top < -14;
	r = (uint64_t)to_integer(&n, n.exp - (tiny ? -24 : top - 10), mode, &inexact);
	if (!tiny) /* exponent; a carry out of the fraction goes into it by itself */
		r += (uint64_t)(top + 14) << 10;
	if (r >= 0x7c00) {
		raise(OVERFLOW | INEXACT);
		return sign | (mode == EMU_RTZ || (mode == EMU_RDN && !sign) || (mode == EMU_RUP && sign) ? 0x7bff : 0x7c00);
	}
	if (inexact)
		raise(INEXACT | (tiny ? UNDERFLOW : 0));
	return sign | r;
}

static uint64_t to_narrower(const struct emu_cpu *cpu, unsigned aux, uint64_t x)
{
	uint32_t csr = _mm_getcsr();
	uint64_t r;

	if ((aux & 3) == EMU_V16)
		return single_to_half(cpu, x);
	if (is_nan(EMU_V64, x) && (cpu->fpcr & EMU_FPCR_DN)) {
		emu_arm_nan(cpu, EMU_V64, x, x);
		return default_nan(EMU_V32);
	}
	if (!(aux & EMU_VR) || is_nan(EMU_V64, x))
		return emu_fp_arith(EMU_OP_FTOF, x, 0, EMU_W32);
	/* to odd: towards zero, and what is lost makes the last bit one */
	_mm_setcsr((csr & ~INEXACT) | 0x6000);
	r = emu_fp_arith(EMU_OP_FTOF, x, 0, EMU_W32);
	if (_mm_getcsr() & INEXACT)
		r |= 1;
	_mm_setcsr((_mm_getcsr() & ~0x6000u) | csr);
	return r;
}

static uint64_t to_wider(const struct emu_cpu *cpu, unsigned e, uint64_t x)
{
	if (e == EMU_V16)
		return half_to_single(cpu, x);
	if (is_nan(EMU_V32, x) && (cpu->fpcr & EMU_FPCR_DN)) {
		emu_arm_nan(cpu, EMU_V32, x, x);
		return default_nan(EMU_V64);
	}
	return emu_fp_arith(EMU_OP_FTOF, x, 0, EMU_W64);
}

/* ---- all of it ---- */

static uint64_t flags_of(unsigned aux, uint64_t a, uint64_t b)
{
	unsigned w = (aux & 3) == EMU_V64;

	if (is_nan(aux & 3, a) || is_nan(aux & 3, b)) {
		emu_fp_compare(aux & EMU_VHI ? EMU_OP_FLE : EMU_OP_FEQ, a, b, w);
		return EMU_FLAG_C | EMU_FLAG_V;
	}
	if (emu_fp_compare(EMU_OP_FEQ, a, b, w))
		return EMU_FLAG_Z | EMU_FLAG_C;
	return emu_fp_compare(EMU_OP_FLT, a, b, w) ? EMU_FLAG_N : EMU_FLAG_C;
}

static uint64_t lane(const struct emu_cpu *cpu, unsigned op, unsigned aux, int64_t imm, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned e = aux & 3, w = e == EMU_V64;

	switch (op) {
	case EMU_OP_VFSQRT: return root(cpu, e, a);
	case EMU_OP_VFMLA:
		return emu_arm_fma(cpu, e, a ^ (aux & EMU_VHI ? sign_bit(e) : 0), b,
				   c ^ (aux & EMU_VU ? sign_bit(e) : 0));
	case EMU_OP_VFCMEQ: return 0 - emu_fp_compare(EMU_OP_FEQ, a, b, w);
	case EMU_OP_VFCMGT: return 0 - emu_fp_compare(EMU_OP_FLT, b, a, w);
	case EMU_OP_VFCMGE: return 0 - emu_fp_compare(EMU_OP_FLE, b, a, w);
	case EMU_OP_VFROUND: return round_int(cpu, e, a, imm);
	case EMU_OP_VFTOI: return emu_arm_to_int(cpu, e, a, aux, imm);
	case EMU_OP_VITOF: return from_int(e, a, aux, imm);
	case EMU_OP_VFEST: return emu_arm_estimate(cpu, e, (unsigned)imm, a);
	default: return emu_arm_fp2(cpu, op, aux, a, b);
	}
}

void emu_vec_fp(struct emu_cpu *cpu, unsigned op, unsigned aux, int64_t imm, struct emu_vop *v)
{
	unsigned e = aux & 3, n = aux & EMU_VSCALAR ? 1 : (aux & EMU_VQ ? 16u : 8u) >> e;
	unsigned from = e, to = e;

	if (op == EMU_OP_VFCMP) {
		v->n = flags_of(aux, emu_vec_lane(&v->a, e, 0), emu_vec_lane(&v->b, e, 0));
		return;
	}
	if (op == EMU_OP_VFCVTN || op == EMU_OP_VFCVTL) {
		unsigned first = aux & EMU_VHI ? 8u >> e : 0;

		n = aux & EMU_VSCALAR ? 1 : 8u >> e;
		for (unsigned i = 0; i < n; i++) {
			if (op == EMU_OP_VFCVTN)
				emu_vec_put(&v->d, e, i, to_narrower(cpu, aux, emu_vec_lane(&v->a, e + 1, i)));
			else
				emu_vec_put(&v->d, e + 1, i, to_wider(cpu, e, emu_vec_lane(&v->a, e, first + i)));
		}
		return;
	}
	if (op == EMU_OP_VFTOI)
		to = imm >> 12 & 3;
	if (op == EMU_OP_VITOF)
		from = imm >> 12 & 3;
	for (unsigned i = 0; i < n; i++)
		emu_vec_put(&v->d, to, i, trim(to, lane(cpu, op, aux, imm, emu_vec_lane(&v->a, from, i),
						       emu_vec_lane(&v->b, e, i), emu_vec_lane(&v->c, e, i))));
}
