/* AArch64 decoder: rows of a64_insn.def, parts of a64_format.def. */
#include "emu/a64.h"

#include <pthread.h>
#include <string.h>

const struct a64_row a64_rows[A64_COUNT] = {
#define OPS_OF(a, b, c, d, e, ...)                                                                 \
	{ A64_OPERAND_##a, A64_OPERAND_##b, A64_OPERAND_##c, A64_OPERAND_##d, A64_OPERAND_##e }
#define OPS(...) OPS_OF(__VA_ARGS__, NONE, NONE, NONE, NONE, NONE)
#define A64_INSN(id, name, mask, match, format, class, ext, operands)                              \
	[A64_##id] = { name, mask, match, A64_FORMAT_##format, A64_CLASS_##class, A64_EXT_##ext, operands },
#include "emu/a64_insn.def"
};

const char *const a64_operand_texts[A64_OPERANDS] = {
#define A64_OPERAND(id, text) text,
#include "emu/a64_operand.def"
};

/* ---- immediates ---- */

/* The mask of a logical immediate (Arm ARM, DecodeBitMasks): a run of ones, rotated, in elements of 2
 * to 64 bits. 0: reserved (a mask is never 0). */
static uint64_t bit_mask(uint32_t bits)
{
	unsigned n = bits >> 22 & 1, immr = bits >> 16 & 63, imms = bits >> 10 & 63, sf = bits >> 31;
	unsigned key = n << 6 | (~imms & 63), len, size, ones, turn;
	uint64_t element;

	if (key < 2 || (n && !sf))
		return 0;
	len = 31u - (unsigned)__builtin_clz(key);
	size = 1u << len;
	ones = (imms & (size - 1)) + 1;
	turn = immr & (size - 1);
	if (ones == size)
		return 0;
	element = ~0ull >> (64 - ones);
	if (turn)
		element = (element >> turn | element << (size - turn)) & (~0ull >> (64 - size));
	for (unsigned w = size; w < 64; w *= 2)
		element |= element << w;
	return sf ? element : (uint32_t)element;
}

double a64_fp_imm_value(unsigned imm8)
{
	int exponent = (int)(imm8 >> 4 & 3) + (imm8 & 0x40 ? -3 : 1);
	double v = (16 + (imm8 & 15)) / 16.0;

	for (; exponent > 0; exponent--)
		v *= 2;
	for (; exponent < 0; exponent++)
		v /= 2;
	return imm8 & 0x80 ? -v : v;
}

uint64_t a64_fp_imm(unsigned imm8, unsigned size)
{
	double d = a64_fp_imm_value(imm8);
	float f = (float)d;
	uint64_t v = 0;

	memcpy(&v, size == 3 ? (void *)&d : (void *)&f, size == 3 ? 8 : 4);
	return v;
}

static unsigned vector_imm_size(unsigned cmode, unsigned op)
{
	return cmode < 8 ? 2 : cmode < 12 ? 1 : cmode < 14 ? 2 : cmode == 14 ? (op ? 3 : 0) : op ? 3 : 2;
}

/* The immediate of movi and its relatives in 64 bits, before mvni or bic turn it round (Arm ARM,
 * AdvSIMDExpandImm). */
static uint64_t vector_imm(uint64_t imm8, unsigned cmode, unsigned op)
{
	uint64_t v = 0;

	switch (cmode >> 1) {
	case 0: case 1: case 2: case 3:
		return (imm8 << 8 * (cmode >> 1)) * 0x100000001ull;
	case 4: case 5:
		return (imm8 << 8 * (cmode >> 1 & 1)) * 0x1000100010001ull;
	case 6:
		return (cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff) * 0x100000001ull;
	}
	if (cmode & 1)
		return op ? a64_fp_imm((unsigned)imm8, 3) : a64_fp_imm((unsigned)imm8, 2) * 0x100000001ull;
	if (!op)
		return imm8 * 0x101010101010101ull;
	for (unsigned k = 0; k < 8; k++)
		if (imm8 >> k & 1)
			v |= 0xffull << 8 * k;
	return v;
}

const char *a64_sysreg_name(unsigned number, enum a64_access *how)
{
	switch (number) {
#define A64_SYSREG(id, op0, op1, crn, crm, op2, name, access, text)                                \
	case A64_SYSREG_##id:                                                                      \
		*how = A64_ACCESS_##access;                                                        \
		return name;
#include "emu/a64_sysreg.def"
	}
	return NULL;
}

/* ---- the index: rows by bits 28:21 ---- */

#define KEY_AT 21
#define KEYS 256u

static uint16_t *index_rows[KEYS]; /* ended by A64_COUNT */
static uint16_t index_room[KEYS * 12 + 8 * A64_COUNT];
static pthread_once_t index_once = PTHREAD_ONCE_INIT;

static void make_index(void)
{
	uint16_t *at = index_room;

	for (uint32_t key = 0; key < KEYS; key++) {
		index_rows[key] = at;
		for (unsigned r = 0; r < A64_COUNT; r++) {
			uint32_t mask = a64_rows[r].mask >> KEY_AT & (KEYS - 1);

			if ((key & mask) == (a64_rows[r].match >> KEY_AT & mask))
				*at++ = (uint16_t)r;
		}
		*at++ = A64_COUNT;
	}
}

/* ---- one instruction ---- */

static int64_t sign_extend(uint32_t value, unsigned width)
{
	return (int64_t)((uint64_t)value << (64 - width)) >> (64 - width);
}

/* Fills the parts; false: the encoding is reserved. */
static bool take_parts(struct a64_insn *i, enum a64_format format)
{
	const uint32_t w = i->bits;

	switch (format) {
#define U(from, length) ((int)(w >> (from) & ((1u << (length)) - 1)))
#define S(from, length) sign_extend(w >> (from) & ((1u << (length)) - 1), length)
#define A64_FORMAT(id, wide, bytes, number, value, require)                                        \
	case A64_FORMAT_##id:                                                                      \
		i->sf = wide;                                                                      \
		i->size = (uint8_t)(bytes);                                                        \
		i->index = (uint8_t)(number);                                                      \
		i->imm = value;                                                                    \
		return require;
#include "emu/a64_format.def"
#undef U
#undef S
	}
	return false;
}

bool a64_decode(uint32_t bits, struct a64_insn *i)
{
	const uint16_t *at;

	pthread_once(&index_once, make_index);
	memset(i, 0, sizeof(*i));
	i->bits = bits;
	i->id = A64_COUNT;
	for (at = index_rows[bits >> KEY_AT & (KEYS - 1)]; *at != A64_COUNT; at++)
		if ((bits & a64_rows[*at].mask) == a64_rows[*at].match)
			break;
	if (*at == A64_COUNT)
		return false;
	i->rd = bits & 31;
	i->rn = bits >> 5 & 31;
	i->rm = bits >> 16 & 31;
	i->ra = bits >> 10 & 31;
	i->q = bits >> 30 & 1;
	if (!take_parts(i, (enum a64_format)a64_rows[*at].format))
		return false;
	if (a64_rows[*at].format == A64_FORMAT_V_ELEMENT && i->size == 1)
		i->rm &= 15;
	i->id = *at;
	i->class = a64_rows[*at].class;
	return true;
}
