/* What the IR of x86 instructions calls: lazy flags in the whole, and arithmetic that would be long in IR.
 * (SDM volume 1, 3.4.3.1 and appendix A; volume 2 for each instruction.)
 */
#include "emu/ia_translate.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

static uint32_t result_flags(uint64_t r, unsigned bits)
{
	return (r ? 0 : IA_ZF) | (r >> (bits - 1) & 1 ? IA_SF : 0) |
	       (__builtin_parity((unsigned)r & 0xff) ? 0 : IA_PF);
}

static bool top(uint64_t v, unsigned bits)
{
	return v >> (bits - 1) & 1;
}

static uint32_t flag(bool on, uint32_t f)
{
	return on ? f : 0;
}

/* r = a + b + c, all cut to `bits`. */
static uint32_t add_flags(uint64_t r, uint64_t b, uint64_t c, unsigned bits)
{
	uint64_t mask = ~0ull >> (64 - bits), a = (r - b - c) & mask;

	return result_flags(r, bits) | flag(c ? r <= b : r < b, IA_CF) | flag((a ^ b ^ r) & 16, IA_AF) |
	       flag(top((a ^ r) & (b ^ r), bits), IA_OF);
}

/* r = a - b - c */
static uint32_t sub_flags(uint64_t r, uint64_t b, uint64_t c, unsigned bits)
{
	uint64_t mask = ~0ull >> (64 - bits), a = (r + b + c) & mask;

	return result_flags(r, bits) | flag(c ? a <= b : a < b, IA_CF) | flag((a ^ b ^ r) & 16, IA_AF) |
	       flag(top((a ^ b) & (a ^ r), bits), IA_OF);
}

uint32_t emu_ia_compute_flags(unsigned cc_op, uint64_t dst, uint64_t src, uint64_t src2)
{
	unsigned bits = 8u << (cc_op & 3);

	switch (cc_op & ~3u) {
	case IA_CC_ADD: return add_flags(dst, src, 0, bits);
	case IA_CC_ADC: return add_flags(dst, src, src2, bits);
	case IA_CC_SUB: return sub_flags(dst, src, 0, bits);
	case IA_CC_SBB: return sub_flags(dst, src, src2, bits);
	case IA_CC_LOGIC: return result_flags(dst, bits);
	case IA_CC_INC: return result_flags(dst, bits) | flag(src, IA_CF) | flag(!(dst & 15), IA_AF) |
			       flag(dst == 1ull << (bits - 1), IA_OF);
	case IA_CC_DEC: return result_flags(dst, bits) | flag(src, IA_CF) | flag((dst & 15) == 15, IA_AF) |
			       flag(dst == (1ull << (bits - 1)) - 1, IA_OF);
	/* OF is defined for shifts by one: the sign changed */
	case IA_CC_SHL: return result_flags(dst, bits) | flag(top(src, bits), IA_CF) |
			       flag(top(dst ^ src, bits), IA_OF);
	case IA_CC_SHR: return result_flags(dst, bits) | flag(src & 1, IA_CF) | flag(top(dst ^ src, bits), IA_OF);
	case IA_CC_MUL: return result_flags(dst, bits) | flag(src, IA_CF | IA_OF);
	default: return (uint32_t)src & IA_ARITH;
	}
}

#define FLAGS_OF(kind, n) \
	static uint64_t flags_##kind##n(struct emu_cpu *cpu, uint64_t dst, uint64_t src) \
	{ \
		(void)cpu; \
		return emu_ia_compute_flags(IA_CC_##kind + n, dst, src, 0); \
	}
#define FLAGS_OF4(kind) FLAGS_OF(kind, 0) FLAGS_OF(kind, 1) FLAGS_OF(kind, 2) FLAGS_OF(kind, 3)
FLAGS_OF4(ADD)
FLAGS_OF4(SUB)
FLAGS_OF4(LOGIC)
FLAGS_OF4(INC)
FLAGS_OF4(DEC)
FLAGS_OF4(SHL)
FLAGS_OF4(SHR)
FLAGS_OF4(MUL)
#define ENTRY4(kind) \
	[IA_CC_##kind] = flags_##kind##0, [IA_CC_##kind + 1] = flags_##kind##1, \
	[IA_CC_##kind + 2] = flags_##kind##2, [IA_CC_##kind + 3] = flags_##kind##3
emu_helper *const emu_ia_flags_of[IA_CC_COUNT] = {
	ENTRY4(ADD), ENTRY4(SUB), ENTRY4(LOGIC), ENTRY4(INC), ENTRY4(DEC), ENTRY4(SHL), ENTRY4(SHR), ENTRY4(MUL),
};

uint64_t emu_ia_stash(struct emu_cpu *cpu, uint64_t a, uint64_t b)
{
	cpu->scratch[0] = a;
	cpu->scratch[1] = b;
	return 0;
}

uint64_t emu_ia_flags_stashed(struct emu_cpu *cpu, uint64_t kind, uint64_t src2)
{
	return emu_ia_compute_flags((unsigned)kind, cpu->scratch[0], cpu->scratch[1], src2);
}

uint64_t emu_ia_rflags(const struct emu_cpu *cpu)
{
	return (cpu->r[IA_G_CC_OP] < IA_CC_ADD
			? cpu->r[IA_G_CC_SRC] & IA_ARITH
			: emu_ia_compute_flags((unsigned)cpu->r[IA_G_CC_OP], cpu->r[IA_G_CC_DST], cpu->r[IA_G_CC_SRC],
					       cpu->r[IA_G_CC_SRC2])) |
	       ((int64_t)cpu->r[IA_G_DIR] < 0 ? IA_DF : 0) | cpu->r[IA_G_RFLAGS];
}

void emu_ia_set_rflags(struct emu_cpu *cpu, uint64_t rflags)
{
	cpu->r[IA_G_CC_OP] = IA_CC_FLAGS;
	cpu->r[IA_G_CC_SRC] = rflags & IA_ARITH;
	cpu->r[IA_G_DIR] = rflags & IA_DF ? ~0ull : 1;
	cpu->r[IA_G_RFLAGS] = (rflags & ~(uint64_t)(IA_ARITH | IA_DF)) | 2;
}

/* -- rotates through the carry: bits + 1 places -- */

static uint64_t rotate(uint64_t v, uint64_t how, bool *out)
{
	unsigned count = how & 0xff, bits = how >> IA_ROTATE_BITS & 0xff, places = bits + 1;
	u128 mask = ((u128)1 << places) - 1, x = ((u128)(how >> IA_ROTATE_CARRY & 1) << bits) | v;

	count %= places;
	if (!(how >> IA_ROTATE_LEFT & 1))
		count = (places - count) % places;
	if (count)
		x = ((x << count) | (x >> (places - count))) & mask;
	*out = x >> bits & 1;
	return (uint64_t)(x & (mask >> 1));
}

uint64_t emu_ia_rotate_carry(struct emu_cpu *cpu, uint64_t v, uint64_t how)
{
	bool out;

	(void)cpu;
	return rotate(v, how, &out);
}

uint64_t emu_ia_rotate_carry_out(struct emu_cpu *cpu, uint64_t v, uint64_t how)
{
	bool out;

	(void)cpu;
	rotate(v, how, &out);
	return out;
}

/* -- 128 by 64 bits; the caller asked before whether the quotient fits -- */

uint64_t emu_ia_div128(struct emu_cpu *cpu, uint64_t low, uint64_t by)
{
	return (uint64_t)(((u128)cpu->scratch[0] << 64 | low) / by);
}

static bool idiv128(struct emu_cpu *cpu, uint64_t low, uint64_t by, uint64_t *quotient)
{
	u128 n = (u128)cpu->scratch[0] << 64 | low;
	bool negative = n >> 127, other = by >> 63;
	u128 magnitude = negative ? -n : n, q;

	if (!by)
		return false;
	q = magnitude / (other ? -by : by);
	if (q > (1ull << 63) - (negative == other))
		return false;
	*quotient = negative != other ? -(uint64_t)q : (uint64_t)q;
	return true;
}

uint64_t emu_ia_idiv128_fits(struct emu_cpu *cpu, uint64_t low, uint64_t by)
{
	uint64_t q;

	return idiv128(cpu, low, by, &q);
}

uint64_t emu_ia_idiv128(struct emu_cpu *cpu, uint64_t low, uint64_t by)
{
	uint64_t q = 0;

	idiv128(cpu, low, by, &q);
	return q;
}

/* -- DAA, DAS, AAA, AAS (SDM volume 2A); undefined flags as Intel's processors leave them -- */

static uint32_t daa(uint8_t al, uint32_t f, bool subtract)
{
	uint8_t old = al;
	bool low = (al & 15) > 9 || (f & IA_AF), high = old > 0x99 || (f & IA_CF), carry = false;

	if (low) {
		carry = (f & IA_CF) || (subtract ? al < 6 : al > 0xf9);
		al = (uint8_t)(subtract ? al - 6 : al + 6);
	}
	if (high) {
		al = (uint8_t)(subtract ? al - 0x60 : al + 0x60);
		carry = true;
	}
	return al | (result_flags(al, 8) | flag(low, IA_AF) | flag(carry, IA_CF)) << 16;
}

static uint32_t aaa(uint16_t ax, uint32_t f, bool subtract)
{
	bool adjust = (ax & 15) > 9 || (f & IA_AF);

	if (adjust)
		ax = (uint16_t)(subtract ? ax - 0x106 : ax + 0x106);
	ax &= 0xff0f;
	return ax | (result_flags(ax & 0xff, 8) | flag(adjust, IA_AF | IA_CF)) << 16;
}

uint64_t emu_ia_decimal(struct emu_cpu *cpu, uint64_t ax_flags, uint64_t opcode)
{
	uint16_t ax = (uint16_t)ax_flags;
	uint32_t f = (uint32_t)(ax_flags >> 16);

	(void)cpu;
	switch (opcode) {
	case 0x27: return daa((uint8_t)ax, f, false) | (ax & 0xff00u);
	case 0x2f: return daa((uint8_t)ax, f, true) | (ax & 0xff00u);
	case 0x37: return aaa(ax, f, false);
	default: return aaa(ax, f, true);
	}
}

/* -- CRC-32C, reflected polynomial 82F63B78 (SDM volume 2A, CRC32) -- */

uint64_t emu_ia_crc32(struct emu_cpu *cpu, uint64_t crc, uint64_t value)
{
	uint32_t c = (uint32_t)crc;

	for (unsigned bit = 0; bit < cpu->scratch[0] * 8; bit++)
		c = c >> 1 ^ ((c ^ value >> bit) & 1 ? 0x82f63b78u : 0);
	return c;
}
