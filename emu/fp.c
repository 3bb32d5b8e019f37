/* Floating point by the host's own SSE unit: rounding and flags are those of MXCSR, so nothing here may
 * be folded or moved by the compiler: operands pass through volatile barriers.
 */
#include "emu/fp.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "emu/ir.h"

#define KEEP(x) __asm__ volatile("" : "+x"(x))
#define ORDER() __asm__ volatile("" ::: "memory")

static double as_d(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, 8);
	KEEP(d);
	return d;
}
static float as_f(uint64_t bits)
{
	uint32_t b = (uint32_t)bits;
	float f;

	memcpy(&f, &b, 4);
	KEEP(f);
	return f;
}
static uint64_t of_d(double d)
{
	uint64_t bits;

	KEEP(d);
	memcpy(&bits, &d, 8);
	return bits;
}
static uint64_t of_f(float f)
{
	uint32_t bits;

	KEEP(f);
	memcpy(&bits, &f, 4);
	return bits;
}
/* Out of range: only "invalid" is raised, whatever the attempt left behind. */
static uint64_t invalid(uint32_t mxcsr, uint64_t result)
{
	_mm_setcsr(mxcsr | _MM_EXCEPT_INVALID);
	return result;
}

/* To 64 bits in the current mode or to zero; what does not fit gives 1 << 63. */
static int64_t to_i64(double x, bool trunc)
{
	int64_t r;

	if (trunc)
		__asm__ volatile("cvttsd2si %1, %0" : "=r"(r) : "x"(x));
	else
		__asm__ volatile("cvtsd2si %1, %0" : "=r"(r) : "x"(x));
	return r;
}

static uint64_t to_signed(double x, bool trunc, bool wide)
{
	uint32_t mxcsr = _mm_getcsr();
	int64_t r = to_i64(x, trunc);

	if (wide) {
		if (r == INT64_MIN && !(x == -0x1p63))
			return invalid(mxcsr, x < 0 ? (uint64_t)INT64_MIN : INT64_MAX);
		return (uint64_t)r;
	}
	if (r < INT32_MIN || r > INT32_MAX)
		return invalid(mxcsr, x < 0 ? (uint64_t)(int64_t)INT32_MIN : INT32_MAX);
	return (uint64_t)r;
}

static uint64_t to_unsigned(double x, bool trunc, bool wide)
{
	uint32_t mxcsr = _mm_getcsr();
	uint64_t limit = wide ? UINT64_MAX : UINT32_MAX, max = UINT64_MAX; /* u32 results are sign-extended */
	int64_t r;

	if (wide && x >= 0x1p63 && x < 0x1p64)
		return (uint64_t)to_i64(x - 0x1p63, true) ^ 1ull << 63;
	r = to_i64(x, trunc);
	if (r == INT64_MIN || r < 0)
		return invalid(mxcsr, x < 0 ? 0 : max);
	if ((uint64_t)r > limit)
		return invalid(mxcsr, max);
	return wide ? (uint64_t)r : (uint64_t)(int64_t)(int32_t)r;
}

uint64_t emu_fp_ftoi(uint64_t bits, unsigned aux)
{
	bool trunc = aux & EMU_CV_TRUNC, wide = aux & EMU_CV_I64;
	double x = aux & EMU_CV_W64 ? as_d(bits) : (double)as_f(bits);

	KEEP(x);
	return aux & EMU_CV_U ? to_unsigned(x, trunc, wide) : to_signed(x, trunc, wide);
}

static uint64_t from_i64(int64_t v, bool w64)
{
	double d = 0;
	float f = 0;

	if (w64) {
		__asm__ volatile("cvtsi2sdq %1, %0" : "+x"(d) : "r"(v));
		return of_d(d);
	}
	__asm__ volatile("cvtsi2ssq %1, %0" : "+x"(f) : "r"(v));
	return of_f(f);
}

uint64_t emu_fp_itof(uint64_t value, unsigned aux)
{
	bool w64 = aux & EMU_CV_W64;

	if (!(aux & EMU_CV_I64))
		return from_i64(aux & EMU_CV_U ? (int64_t)(uint32_t)value : (int64_t)(int32_t)value, w64);
	if (!(aux & EMU_CV_U) || (int64_t)value >= 0)
		return from_i64((int64_t)value, w64);
	/* halved with the lost bit kept as a sticky one: rounds as the whole number would */
	value = from_i64((int64_t)(value >> 1 | (value & 1)), w64);
	return w64 ? of_d(as_d(value) * 2) : of_f(as_f(value) * 2);
}

/* Position in the exponent and fraction fields decides (RISC-V unprivileged ISA, fclass). */
uint64_t emu_fp_class(uint64_t bits, unsigned w)
{
	unsigned frac = w ? 52 : 23, expbits = w ? 11 : 8;
	bool sign = bits >> (w ? 63 : 31) & 1;
	uint64_t exp = bits >> frac & ((1u << expbits) - 1), f = bits & ((1ull << frac) - 1);

	if (exp == (1u << expbits) - 1) {
		if (f)
			return f >> (frac - 1) ? 1u << 9 : 1u << 8;
		return sign ? 1u << 0 : 1u << 7;
	}
	if (exp == 0 && f == 0)
		return sign ? 1u << 3 : 1u << 4;
	if (exp == 0)
		return sign ? 1u << 2 : 1u << 5;
	return sign ? 1u << 1 : 1u << 6;
}

static bool is_nan(uint64_t bits, unsigned w)
{
	return w ? (bits & ~(1ull << 63)) > 0x7ff0000000000000ull : (bits & 0x7fffffff) > 0x7f800000;
}

static void raise_if_signaling(uint64_t a, uint64_t b, unsigned w)
{
	uint64_t quiet = w ? 1ull << 51 : 1ull << 22; /* its quiet bit is clear */

	if ((is_nan(a, w) && !(a & quiet)) || (is_nan(b, w) && !(b & quiet)))
		_mm_setcsr(_mm_getcsr() | _MM_EXCEPT_INVALID);
}

uint64_t emu_fp_minmax(uint64_t a, uint64_t b, unsigned w, bool max)
{
	uint64_t sign = w ? 1ull << 63 : 1ull << 31;
	bool na, nb, less;

	if (!w) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	na = is_nan(a, w);
	nb = is_nan(b, w);
	if (na || nb) {
		raise_if_signaling(a, b, w);
		if (na && nb)
			return w ? EMU_NAN64 : EMU_NAN32;
		return na ? b : a;
	}
	if (!((a | b) & ~sign))
		less = a & sign; /* zeros: -0 < +0 */
	else
		less = w ? as_d(a) < as_d(b) : as_f(a) < as_f(b);
	return less != max ? a : b;
}

__attribute__((target("fma"))) static uint64_t fma_host(uint64_t a, uint64_t b, uint64_t c, unsigned w)
{
	if (w)
		return of_d(_mm_cvtsd_f64(_mm_fmadd_sd(_mm_set_sd(as_d(a)), _mm_set_sd(as_d(b)), _mm_set_sd(as_d(c)))));
	return of_f(_mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(as_f(a)), _mm_set_ss(as_f(b)), _mm_set_ss(as_f(c)))));
}

uint64_t emu_fp_fma(uint64_t a, uint64_t b, uint64_t c, unsigned w)
{
	if (__builtin_cpu_supports("fma"))
		return fma_host(a, b, c, w);
	return w ? of_d(fma(as_d(a), as_d(b), as_d(c))) : of_f(fmaf(as_f(a), as_f(b), as_f(c)));
}

static uint64_t arith64(unsigned op, uint64_t a, uint64_t b)
{
	switch (op) {
	case EMU_OP_FADD: return of_d(as_d(a) + as_d(b));
	case EMU_OP_FSUB: return of_d(as_d(a) - as_d(b));
	case EMU_OP_FMUL: return of_d(as_d(a) * as_d(b));
	case EMU_OP_FDIV: return of_d(as_d(a) / as_d(b));
	case EMU_OP_FSQRT: return of_d(_mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(as_d(a)))));
	default: return of_d((double)as_f(a)); /* FTOF */
	}
}

uint64_t emu_fp_arith(unsigned op, uint64_t a, uint64_t b, unsigned w)
{
	ORDER();
	if (w)
		return arith64(op, a, b);
	switch (op) {
	case EMU_OP_FADD: return of_f(as_f(a) + as_f(b));
	case EMU_OP_FSUB: return of_f(as_f(a) - as_f(b));
	case EMU_OP_FMUL: return of_f(as_f(a) * as_f(b));
	case EMU_OP_FDIV: return of_f(as_f(a) / as_f(b));
	case EMU_OP_FSQRT: return of_f(_mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(as_f(a)))));
	default: return of_f((float)as_d(a)); /* FTOF */
	}
}

uint64_t emu_fp_compare(unsigned op, uint64_t a, uint64_t b, unsigned w)
{
	double x, y;

	if (is_nan(a, w) || is_nan(b, w)) {
		if (op == EMU_OP_FEQ)
			raise_if_signaling(a, b, w);
		else
			_mm_setcsr(_mm_getcsr() | _MM_EXCEPT_INVALID);
		return 0;
	}
	x = w ? as_d(a) : (double)as_f(a);
	y = w ? as_d(b) : (double)as_f(b);
	return op == EMU_OP_FEQ ? x == y : op == EMU_OP_FLT ? x < y : x <= y;
}

uint64_t emu_fp_sign(unsigned op, uint64_t a, uint64_t b, unsigned w)
{
	uint64_t sign = w ? 1ull << 63 : 1ull << 31, all = w ? ~0ull : 0xffffffffu;

	if (op == EMU_OP_FSGNJN)
		b = ~b;
	if (op == EMU_OP_FSGNJX)
		b ^= a;
	return ((a & ~sign) | (b & sign)) & all;
}
