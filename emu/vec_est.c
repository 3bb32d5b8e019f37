/* Estimates of reciprocals as Arm defines them to the last bit (DDI 0487, RecipEstimate,
 * RecipSqrtEstimate, FPRecipEstimate, FPRSqrtEstimate, FPRecpX). */
#include <xmmintrin.h>

#include "emu/vec.h"

#define INVALID 0x01u /* MXCSR */
#define DIVZERO 0x04u
#define OVERFLOW 0x08u
#define UNDERFLOW 0x10u
#define INEXACT 0x20u
#define FLUSH 0x40u

static void raise(unsigned flags)
{
	_mm_setcsr(_mm_getcsr() | flags);
}

/* Of 0.5 to 1.0 in steps of 1/512; the result in steps of 1/256 from 1.0. */
static uint32_t reciprocal(uint32_t a)
{
	return ((1u << 19) / (2 * a + 1) + 1) / 2;
}

/* Of 0.25 to 1.0 in steps of 1/512. */
static uint32_t reciprocal_root(uint32_t a)
{
	uint64_t b = 512;

	a = a < 256 ? 2 * a + 1 : ((a >> 1 << 1) + 1) * 2;
	while (a * (b + 1) * (b + 1) < 1u << 28)
		b++;
	return (uint32_t)(b + 1) / 2;
}

uint32_t emu_arm_estimate_u32(uint32_t x, bool root)
{
	if (!(x >> (root ? 30 : 31)))
		return ~0u;
	return (root ? reciprocal_root(x >> 23) : reciprocal(x >> 23)) << 23;
}

struct parts {
	unsigned e, frac_bits;
	bool sign;
	int exp, max;   /* as encoded */
	uint64_t frac;  /* at bits 51..0 for both widths */
};

static uint64_t join(const struct parts *p, int exp, uint64_t frac)
{
	return (uint64_t)p->sign << (p->e == EMU_V64 ? 63 : 31) | (uint64_t)exp << p->frac_bits | frac >> (52 - p->frac_bits);
}

/* 1 / x is too large for the width: what the rounding mode makes of that. */
static uint64_t overflow(const struct parts *p)
{
	unsigned rc = _mm_getcsr() >> 13 & 3; /* nearest, down, up, zero */
	bool inf = rc == 0 || (rc == 1 && p->sign) || (rc == 2 && !p->sign);

	raise(OVERFLOW | INEXACT);
	return inf ? join(p, p->max, 0) : join(p, p->max - 1, (1ull << 52) - 1);
}

static uint64_t reciprocal_fp(struct parts *p)
{
	int result = 2 * (p->max / 2) - 1 - p->exp; /* 253 or 2045 */
	uint64_t frac = p->frac;
	bool lower = p->exp == 0 && !(frac >> 50);

	if (p->exp == p->max)
		return join(p, 0, 0);
	if (p->exp == 0 && frac == 0) {
		raise(DIVZERO);
		return join(p, p->max, 0);
	}
	if (lower) /* below 2^-128 or 2^-1024 */
		return overflow(p);
	if ((_mm_getcsr() & FLUSH) && p->exp >= p->max - 2) {
		raise(UNDERFLOW);
		return join(p, 0, 0);
	}
	if (p->exp == 0) {
		if (!(frac >> 51 & 1)) {
			result++;
			frac <<= 2;
		} else {
			frac <<= 1;
		}
	}
	frac = (uint64_t)(reciprocal(256 | (uint32_t)(frac >> 44 & 0xff)) & 0xff) << 44;
	if (result == 0)
		frac = 1ull << 51 | frac >> 1;
	else if (result == -1)
		frac = 1ull << 50 | frac >> 2;
	return join(p, result < 0 ? 0 : result, frac);
}

static uint64_t root_fp(struct parts *p)
{
	uint32_t scaled;
	uint64_t frac = p->frac;
	int exp = p->exp;

	if (exp == 0 && frac == 0) {
		raise(DIVZERO);
		return join(p, p->max, 0);
	}
	if (p->sign) {
		raise(INVALID);
		p->sign = false;
		return join(p, p->max, 1ull << 51);
	}
	if (exp == p->max)
		return 0;
	if (exp == 0) {
		while (!(frac >> 51 & 1)) {
			frac <<= 1;
			exp--;
		}
		frac = frac << 1 & ((1ull << 52) - 1);
	}
	scaled = exp & 1 ? 128 | (uint32_t)(frac >> 45 & 0x7f) : 256 | (uint32_t)(frac >> 44 & 0xff);
	exp = (3 * (p->max / 2) - 1 - exp) / 2; /* (380 or 3068 - exp) / 2 */
	return join(p, exp, (uint64_t)(reciprocal_root(scaled) & 0xff) << 44);
}

uint64_t emu_arm_estimate(const struct emu_cpu *cpu, unsigned e, unsigned kind, uint64_t x)
{
	bool wide = e == EMU_V64;
	struct parts p = { .e = e, .frac_bits = wide ? 52 : 23, .sign = x >> (wide ? 63 : 31) & 1,
			   .max = wide ? 0x7ff : 0xff };

	p.exp = (int)(x >> p.frac_bits) & p.max;
	p.frac = x << (52 - p.frac_bits) & ((1ull << 52) - 1);
	if (p.exp == p.max && p.frac)
		return emu_arm_nan(cpu, e, x, x);
	if (p.exp == 0 && (_mm_getcsr() & FLUSH))
		p.frac = 0;
	if (kind == 2)
		return join(&p, p.exp == 0 ? p.max - 1 : ~p.exp & p.max, 0);
	return kind ? root_fp(&p) : reciprocal_fp(&p);
}
