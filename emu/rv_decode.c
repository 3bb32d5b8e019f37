/* RISC-V decoder: rows of rv_insn.def, operands of rv_format.def. */
#include <string.h>

#include "emu/rv.h"
#include "engine/base/lang.h"

const struct rv_row rv_rows[RV_COUNT] = {
#define RV_INSN(id, name, mask, match, format, ext, op, text, effect)                              \
	[RV_##id] = { name, text, effect, mask, match, RV_FORMAT_##format, RV_EXT_##ext, RV_##op },
#include "emu/rv_insn.def"
};

/* The first row with this key, or where it would stand. */
static unsigned first_row(unsigned key)
{
	unsigned low = 0, high = RV_COUNT;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (rv_key(rv_rows[mid].match) < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct rv_row *find_row(uint32_t bits)
{
	unsigned key = rv_key(bits);

	for (unsigned i = first_row(key); i < RV_COUNT && rv_key(rv_rows[i].match) == key; i++)
		if ((bits & rv_rows[i].mask) == rv_rows[i].match)
			return &rv_rows[i];
	return NULL;
}

static int64_t sign_extend(uint64_t value, unsigned width)
{
	return width ? (int64_t)(value << (64 - width)) >> (64 - width) : (int64_t)value;
}

enum require { REQUIRE_ANY, REQUIRE_IMM, REQUIRE_RD, REQUIRE_RS1, REQUIRE_RM };

static bool holds(const struct rv_insn *i, enum require what)
{
	switch (what) {
	case REQUIRE_IMM:
		return i->imm != 0;
	case REQUIRE_RD:
		return i->rd != 0;
	case REQUIRE_RS1:
		return i->rs1 != 0;
	case REQUIRE_RM:
		return i->rm != 5 && i->rm != 6;
	case REQUIRE_ANY:
		break;
	}
	return true;
}

/* Fills the operands; false: the encoding is reserved. */
static bool take_operands(struct rv_insn *i, enum rv_format format)
{
	const uint32_t w = i->bits;

	i->rm = w >> 12 & 7;
	switch (format) {
#define R(from) (w >> (from) & 31)
#define C(from) (8 + (w >> (from) & 7))
#define X(n) (n)
#define P(from, length, to) | (uint64_t)(w >> (from) & ((1u << (length)) - 1)) << (to)
#define RV_FORMAT(name, d, s, t, sign, require, pieces)                                            \
	case RV_FORMAT_##name:                                                                     \
		i->rd = (uint8_t)d;                                                                \
		i->rs1 = (uint8_t)s;                                                               \
		i->rs2 = (uint8_t)t;                                                               \
		i->imm = sign_extend(0 pieces, sign);                                              \
		return holds(i, REQUIRE_##require);
#include "emu/rv_format.def"
#undef R
#undef C
#undef X
#undef P
	}
	return false;
}

unsigned rv_decode(uint32_t bits, struct rv_insn *out)
{
	const struct rv_row *row;

	memset(out, 0, sizeof(*out));
	out->len = (uint8_t)rv_length(bits);
	out->bits = out->len == 2 ? bits & 0xffff : bits;
	out->id = out->op = RV_COUNT;
	if (!out->len) {
		out->len = 4;
		return 0;
	}
	row = find_row(out->bits);
	if (!row || !take_operands(out, row->format))
		return 0;
	out->id = (uint16_t)(row - rv_rows);
	out->op = row->op;
	if (row->format == RV_FORMAT_R4)
		out->rs3 = (uint8_t)(bits >> 27);
	if (row->format == RV_FORMAT_AMO) {
		out->aq = bits >> 26 & 1;
		out->rl = bits >> 25 & 1;
	}
	return out->len;
}
