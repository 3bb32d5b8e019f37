/* The values of pure integer operations: the meaning of EMU_OP_MOV ... EMU_OP_MAXU. In a header, so that the
 * interpreter's loop holds it; others call emu_eval (interp.c).
 */
#ifndef EMU_EVAL_H
#define EMU_EVAL_H

#include "emu/interp.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

static inline uint64_t orcb(uint64_t v)
{
	for (unsigned i = 0; i < 64; i += 8) {
		if (v >> i & 0xff)
			v |= 0xffull << i;
	}
	return v;
}

static inline uint64_t rotr(uint64_t a, unsigned n)
{
	return n % 64 ? a >> (n % 64) | a << (64 - n % 64) : a;
}
static inline uint32_t rotr32(uint32_t a, unsigned n)
{
	return n % 32 ? a >> (n % 32) | a << (32 - n % 32) : a;
}

/* RISC-V unprivileged ISA, M extension: what division by zero and overflow give. */
static inline uint64_t divide(unsigned op, uint64_t a, uint64_t b)
{
	bool overflow = (int64_t)a == INT64_MIN && (int64_t)b == -1;

	switch (op) {
	case EMU_OP_DIVS: return !b ? ~0ull : overflow ? a : (uint64_t)((int64_t)a / (int64_t)b);
	case EMU_OP_DIVU: return !b ? ~0ull : a / b;
	case EMU_OP_REMS: return !b ? a : overflow ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
	default: return !b ? a : a % b;
	}
}
static inline uint32_t divide32(unsigned op, uint32_t a, uint32_t b)
{
	bool overflow = (int32_t)a == INT32_MIN && (int32_t)b == -1;

	switch (op) {
	case EMU_OP_DIVS32: return !b ? ~0u : overflow ? a : (uint32_t)((int32_t)a / (int32_t)b);
	case EMU_OP_DIVU32: return !b ? ~0u : a / b;
	case EMU_OP_REMS32: return !b ? a : overflow ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
	default: return !b ? a : a % b;
	}
}

/* N and Z of a result, with C and V. */
static inline uint64_t flags_of(uint64_t result, bool carry, bool overflow, bool wide)
{
	uint64_t top = wide ? result >> 63 : result >> 31 & 1;

	return (top ? EMU_FLAG_N : 0) | ((wide ? !result : !(uint32_t)result) ? EMU_FLAG_Z : 0) | (carry ? EMU_FLAG_C : 0) |
	       (overflow ? EMU_FLAG_V : 0);
}

/* Of a + b + carry (Arm ARM, AddWithCarry). */
static inline uint64_t add_flags(uint64_t a, uint64_t b, unsigned carry, bool wide)
{
	u128 sum;
	uint64_t r, sign = wide ? 1ull << 63 : 1ull << 31;

	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	sum = (u128)a + b + carry;
	r = (uint64_t)sum;
	return flags_of(r, sum >> (wide ? 64 : 32) & 1, ~(a ^ b) & (a ^ r) & sign, wide);
}

static inline uint64_t emu_value(unsigned op, unsigned aux, uint64_t a, uint64_t b, uint64_t c)
{
	uint32_t a32 = (uint32_t)a, b32 = (uint32_t)b;

	switch (op) {
	case EMU_OP_MOV: return a;
	case EMU_OP_ADD: return a + b;
	case EMU_OP_SUB: return a - b;
	case EMU_OP_AND: return a & b;
	case EMU_OP_OR: return a | b;
	case EMU_OP_XOR: return a ^ b;
	case EMU_OP_ANDN: return a & ~b;
	case EMU_OP_SHL: return a << (b & 63);
	case EMU_OP_SHR: return a >> (b & 63);
	case EMU_OP_SAR: return (uint64_t)((int64_t)a >> (b & 63));
	case EMU_OP_ROTR: return rotr(a, (unsigned)(b & 63));
	case EMU_OP_MUL: return a * b;
	case EMU_OP_MULHU: return (uint64_t)((u128)a * b >> 64);
	case EMU_OP_MULHS: return (uint64_t)((s128)(int64_t)a * (int64_t)b >> 64);
	case EMU_OP_MULHSU: return (uint64_t)((s128)(int64_t)a * (s128)(u128)b >> 64);
	case EMU_OP_DIVS: case EMU_OP_DIVU: case EMU_OP_REMS: case EMU_OP_REMU: return divide(op, a, b);
	case EMU_OP_ADD32: return a32 + b32;
	case EMU_OP_SUB32: return a32 - b32;
	case EMU_OP_SHL32: return a32 << (b & 31);
	case EMU_OP_SHR32: return a32 >> (b & 31);
	case EMU_OP_SAR32: return (uint32_t)((int32_t)a32 >> (b & 31));
	case EMU_OP_ROTR32: return rotr32(a32, (unsigned)(b & 31));
	case EMU_OP_MUL32: return a32 * b32;
	case EMU_OP_DIVS32: case EMU_OP_DIVU32: case EMU_OP_REMS32: case EMU_OP_REMU32:
		return divide32(op, a32, b32);
	case EMU_OP_NOT: return ~a;
	case EMU_OP_SEXT8: return (uint64_t)(int8_t)a;
	case EMU_OP_SEXT16: return (uint64_t)(int16_t)a;
	case EMU_OP_SEXT32: return (uint64_t)(int32_t)a;
	case EMU_OP_ZEXT8: return (uint8_t)a;
	case EMU_OP_ZEXT16: return (uint16_t)a;
	case EMU_OP_ZEXT32: return a32;
	case EMU_OP_CLZ: return a ? (uint64_t)__builtin_clzll(a) : 64;
	case EMU_OP_CTZ: return a ? (uint64_t)__builtin_ctzll(a) : 64;
	case EMU_OP_POPCNT: return (uint64_t)__builtin_popcountll(a);
	case EMU_OP_CLZ32: return a32 ? (uint64_t)__builtin_clz(a32) : 32;
	case EMU_OP_CTZ32: return a32 ? (uint64_t)__builtin_ctz(a32) : 32;
	case EMU_OP_POPCNT32: return (uint64_t)__builtin_popcount(a32);
	case EMU_OP_BSWAP: return __builtin_bswap64(a);
	case EMU_OP_ORCB: return orcb(a);
	case EMU_OP_FLAGADD: return add_flags(a, b, 0, aux == EMU_W64);
	case EMU_OP_FLAGSUB: return add_flags(a, ~b, 1, aux == EMU_W64);
	case EMU_OP_FLAGADC: return add_flags(a, b, c & 1, aux == EMU_W64);
	case EMU_OP_FLAGLOGIC: return flags_of(a, false, false, aux == EMU_W64);
	case EMU_OP_SETCOND: return emu_holds(aux, a, b);
	case EMU_OP_SELECT: return a ? b : c;
	case EMU_OP_MINS: return (int64_t)a < (int64_t)b ? a : b;
	case EMU_OP_MAXS: return (int64_t)a > (int64_t)b ? a : b;
	case EMU_OP_MINU: return a < b ? a : b;
	default: return a > b ? a : b; /* MAXU */
	}
}

#endif
