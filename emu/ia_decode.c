/* x86 decoder: rows of ia_insn.def, operands of ia_operand.def (SDM volume 2A, chapter 2). */
#include "emu/ia.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/lang.h"

#define USER IA_USER
#define RING0 IA_RING0
#define IOPL IA_IOPRIV
#define SENS IA_SENSITIVE
enum { C = IA_CF, P = IA_PF, A = IA_AF, Z = IA_ZF, S = IA_SF, O = IA_OF, D = IA_DF, I = IA_IF };
const struct emu_ia_op_info emu_ia_ops[IA_OPS] = {
#define IA_OP(id, name, feature, privilege, reads, writes, undefined, text) \
	[IA_##id] = { name, IA_FEATURE_##feature, privilege, reads, writes, undefined, text },
#include "emu/ia_op.def"
};
#undef USER
#undef RING0
#undef IOPL
#undef SENS

const struct emu_ia_feature_info emu_ia_features[IA_FEATURES] = {
#define IA_FEATURE(id, name, leaf, reg, bit) { name, leaf, reg, bit },
#include "emu/ia_feature.def"
};

static const struct { uint8_t place; char size[3]; } operands[IA_OPERANDS] = {
#define IA_OPERAND(name, place, size) [IA_O_##name] = { IA_PLACE_##place, #size },
#include "emu/ia_operand.def"
};

enum { LOCK = IA_A_LOCK, I64 = IA_A_I64, O64 = IA_A_O64, D64 = IA_A_D64, F64 = IA_A_F64, MODRM = IA_A_MODRM,
       PROT = IA_A_PROT, W0 = IA_A_W0, W1 = IA_A_W1, NOB = IA_A_NOB };
#define MODRM_ANY 0, 8, 8
#define MODRM_R(n) 0, n, 8
#define MODRM_MEM 1, 8, 8
#define MODRM_MR(n) 1, n, 8
#define MODRM_REG 2, 8, 8
#define MODRM_GR(n) 2, n, 8
#define MODRM_GRM(n, m) 2, n, m
const struct emu_ia_row emu_ia_rows[] = {
#define IA_INSN(map, opcode, prefix, modrm, op, a, b, c, attribute) \
	{ map, opcode, IA_P_##prefix, MODRM_##modrm, IA_##op, { IA_O_##a, IA_O_##b, IA_O_##c }, attribute },
#include "emu/ia_insn.def"
};
#define ROWS (sizeof(emu_ia_rows) / sizeof(emu_ia_rows[0]))
const unsigned emu_ia_row_count = ROWS;

/* What has been read so far. */
struct cursor {
	const uint8_t *code;
	unsigned avail, at;
	bool over;      /* a byte was missing */
};

static uint64_t take(struct cursor *c, unsigned bytes)
{
	uint64_t v = 0;

	if (c->at + bytes > c->avail) {
		c->over = true;
		c->at += bytes;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)c->code[c->at + i] << (8 * i);
	c->at += bytes;
	return v;
}

static int64_t extend(uint64_t v, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return bytes ? (int64_t)(v << shift) >> shift : 0;
}

static int64_t take_signed(struct cursor *c, unsigned bytes)
{
	return extend(take(c, bytes), bytes);
}

struct prefixes {
	bool p66, p67;
	int seg;        /* -1: none */
	uint8_t rep;    /* 0, 0xf2, 0xf3: the last one */
};

/* All prefixes; leaves the cursor at the opcode. A REX counts only right before the opcode. */
static void take_prefixes(struct cursor *c, unsigned bits, struct prefixes *p, struct emu_ia_insn *out)
{
	while (c->at < c->avail) {
		uint8_t b = c->code[c->at];

		switch (b) {
		case 0x26: case 0x2e: case 0x36: case 0x3e:
			if (bits != 64) /* ignored in 64-bit mode (SDM volume 1, 3.3.7.1) */
				p->seg = b >> 3 & 3;
			break;
		case 0x64: case 0x65: p->seg = b - 0x60; break;
		case 0x66: p->p66 = true; break;
		case 0x67: p->p67 = true; break;
		case 0xf0: out->lock = true; break;
		case 0xf2: case 0xf3: p->rep = b; break;
		default:
			if (bits != 64 || (b & 0xf0) != 0x40)
				return;
			out->rex = b;
			c->at++;
			continue;
		}
		out->rex = 0;
		c->at++;
	}
}

static void take_opcode(struct cursor *c, unsigned *map, uint8_t *opcode)
{
	*map = 1;
	*opcode = (uint8_t)take(c, 1);
	if (*opcode != 0x0f || c->over)
		return;
	*map = 2;
	*opcode = (uint8_t)take(c, 1);
	if ((*opcode != 0x38 && *opcode != 0x3a) || c->over)
		return;
	*map = *opcode == 0x38 ? 3 : 4;
	*opcode = (uint8_t)take(c, 1);
}

static unsigned key(unsigned map, unsigned opcode)
{
	return map << 8 | opcode;
}

static unsigned first_row(unsigned want)
{
	unsigned low = 0, high = ROWS;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (key(emu_ia_rows[mid].map, emu_ia_rows[mid].opcode) < want)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool has_place(const struct emu_ia_row *r, const char *places)
{
	static const char letter[] = "-EGRMZIHJOASCDXYVWUPQNTL";

	for (unsigned i = 0; i < 3; i++)
		if (r->operand[i] && strchr(places, letter[operands[r->operand[i]].place]))
			return true;
	return false;
}

/* Does any form of this opcode have ModRM? All forms agree. */
static bool wants_modrm(const struct emu_ia_row *r)
{
	return r->mod || r->reg != 8 || (r->attr & MODRM) || has_place(r, "EGRMSCDVWUPQNT");
}

static const struct emu_ia_row *find_row(const struct emu_ia_insn *i, unsigned map, unsigned prefix, unsigned modrm)
{
	for (unsigned n = first_row(key(map, i->opcode)); n < ROWS; n++) {
		const struct emu_ia_row *r = &emu_ia_rows[n];
		bool reg = modrm >> 6 == 3 || has_place(r, "CD"); /* those look at no mod (SDM, MOV CR) */

		if (r->map != map || r->opcode != i->opcode)
			break;
		if (!(r->prefix & prefix) || (r->attr & (i->bits == 64 ? I64 : O64)) ||
		    (r->attr & (i->rex & 8 ? W0 : W1)) || ((r->attr & NOB) && (i->rex & 1)))
			continue;
		if ((r->mod == 1 && reg) || (r->mod == 2 && !reg) || (r->reg != 8 && r->reg != (modrm >> 3 & 7)) ||
		    (r->rm != 8 && r->rm != (modrm & 7)))
			continue;
		return r;
	}
	return NULL;
}

/* SDM volume 2A, tables 2-1 to 2-3. */
static void take_address16(struct cursor *c, struct emu_ia_insn *i)
{
	static const uint8_t base[8] = { IA_RBX, IA_RBX, IA_RBP, IA_RBP, IA_RSI, IA_RDI, IA_RBP, IA_RBX };
	static const uint8_t index[8] = { IA_RSI, IA_RDI, IA_RSI, IA_RDI, IA_NOREG, IA_NOREG, IA_NOREG, IA_NOREG };

	i->base = base[i->rm];
	i->index = index[i->rm];
	if (i->mod == 0 && i->rm == 6) {
		i->base = IA_NOREG;
		i->disp = take_signed(c, 2);
	} else if (i->mod) {
		i->disp = take_signed(c, i->mod);
	}
}

static void take_address(struct cursor *c, struct emu_ia_insn *i)
{
	uint8_t sib;

	i->base = i->rm;
	if ((i->rm & 7) == 4) {
		sib = (uint8_t)take(c, 1);
		i->scale = sib >> 6;
		i->index = (uint8_t)((sib >> 3 & 7) | (i->rex & 2) << 2);
		i->base = (uint8_t)((sib & 7) | (i->rex & 1) << 3);
		if (i->index == 4)
			i->index = IA_NOREG;
		if ((sib & 7) == 5 && i->mod == 0) {
			i->base = IA_NOREG;
			i->disp = take_signed(c, 4);
		}
	} else if ((i->rm & 7) == 5 && i->mod == 0) {
		i->base = i->bits == 64 ? IA_RIP : IA_NOREG;
		i->disp = take_signed(c, 4);
	}
	if (i->mod)
		i->disp = take_signed(c, i->mod == 1 ? 1 : 4);
}

static void take_modrm(struct cursor *c, struct emu_ia_insn *i, const struct prefixes *p)
{
	uint8_t m = (uint8_t)take(c, 1);

	i->mod = has_place(i->row, "CD") ? 3 : m >> 6;
	i->reg = (uint8_t)((m >> 3 & 7) | (i->rex & 4) << 1);
	i->rm = (uint8_t)((m & 7) | (i->rex & 1) << 3);
	i->memory = i->mod != 3;
	if (!i->memory)
		return;
	if (i->asize == 2)
		take_address16(c, i);
	else
		take_address(c, i);
	if (p->seg < 0)
		i->seg = i->base == IA_RSP || i->base == IA_RBP ? IA_SS : IA_DS;
}

enum emu_ia_place emu_ia_place(const struct emu_ia_insn *i, unsigned n)
{
	return operands[i->row->operand[n]].place;
}

unsigned emu_ia_size(const struct emu_ia_insn *i, unsigned n)
{
	const char *s = operands[i->row->operand[n]].size;

	switch (s[0]) {
	case 'b': return 1;
	case 'w': return 2;
	case 'd': return s[1] ? 16 : 4;
	case 'q': return 8;
	case 't': return 10;
	case 'v': return i->osize;
	case 'y': return i->rex & 8 ? 8 : 4;
	case 'z': return i->osize == 2 ? 2 : 4;
	case 'm': return i->bits == 64 ? 8 : 4;
	case 'a': return 2u * i->osize;
	case 'p': return i->osize + 2u;
	case 's': return i->bits == 64 ? 10 : 6;
	default: return 0;
	}
}

static void take_immediates(struct cursor *c, struct emu_ia_insn *i)
{
	bool second = false;

	for (unsigned n = 0; n < 3; n++) {
		unsigned size = emu_ia_size(i, n);
		int64_t v;

		switch (emu_ia_place(i, n)) {
		case IA_PLACE_I: v = (int64_t)take(c, size); break;
		case IA_PLACE_H: case IA_PLACE_J: v = take_signed(c, size); break;
		case IA_PLACE_O:
			i->disp = (int64_t)take(c, i->asize);
			continue;
		case IA_PLACE_A:
			i->imm = (int64_t)take(c, size - 2);
			i->imm2 = (int64_t)take(c, 2);
			continue;
		default: continue;
		}
		if (second)
			i->imm2 = v;
		else
			i->imm = v;
		second = true;
	}
}

static void set_sizes(struct emu_ia_insn *i, const struct prefixes *p)
{
	if (i->bits == 64) {
		i->osize = i->rex & 8 ? 8 : p->p66 ? 2 : 4;
		i->asize = p->p67 ? 4 : 8;
	} else {
		i->osize = (i->bits == 16) == p->p66 ? 4 : 2;
		i->asize = (i->bits == 16) == p->p67 ? 4 : 2;
	}
}

/* Register numbers that do not exist, and LOCK where it may not be. */
static bool is_legal(const struct emu_ia_insn *i)
{
	if (i->lock && !((i->row->attr & LOCK) && i->memory))
		return false;
	if (has_place(i->row, "S"))
		return (i->reg & 7) <= IA_GS && !(i->op == IA_loadseg && (i->reg & 7) == IA_CS);
	if (has_place(i->row, "C"))
		return i->reg == 0 || (i->reg >= 2 && i->reg <= 4) || (i->reg == 8 && i->bits == 64);
	if (has_place(i->row, "D"))
		return i->reg < 8;
	/* an MMX or xmm operand that must be a register, or must not */
	if (i->memory ? has_place(i->row, "RUN") : has_place(i->row, "M"))
		return false;
	return true;
}

enum emu_ia_result emu_ia_decode(const uint8_t *code, unsigned avail, unsigned bits, struct emu_ia_insn *out)
{
	struct cursor c = { code, avail < IA_INSN_MAX ? avail : IA_INSN_MAX, 0, false };
	struct prefixes p = { .seg = -1 };
	unsigned map, prefix, modrm = 0xc0;
	const struct emu_ia_row *r;

	*out = (struct emu_ia_insn){ .bits = (uint8_t)bits, .base = IA_NOREG, .index = IA_NOREG };
	take_prefixes(&c, bits, &p, out);
	take_opcode(&c, &map, &out->opcode);
	if (c.over)
		goto over;
	out->repe = p.rep == 0xf3;
	out->repne = p.rep == 0xf2;
	out->p66 = p.p66;
	out->seg = p.seg < 0 ? IA_DS : (uint8_t)p.seg;
	set_sizes(out, &p);
	prefix = p.rep == 0xf3 ? IA_P_PF3 : p.rep == 0xf2 ? IA_P_PF2 : p.p66 ? IA_P_P66 : IA_P_NP;
	out->len = (uint8_t)c.at;
	r = &emu_ia_rows[first_row(key(map, out->opcode))];
	if (r < emu_ia_rows + ROWS && r->map == map && r->opcode == out->opcode && wants_modrm(r)) {
		if (c.at >= c.avail) {
			c.over = true;
			goto over;
		}
		modrm = code[c.at];
	}
	out->row = find_row(out, map, prefix, modrm);
	if (!out->row)
		return IA_UNDEFINED;
	out->op = out->row->op;
	if (bits == 64 && (out->row->attr & F64))
		out->osize = 8;
	if (bits == 64 && (out->row->attr & D64) && out->osize == 4)
		out->osize = 8;
	if (wants_modrm(out->row))
		take_modrm(&c, out, &p);
	take_immediates(&c, out);
	if (c.over)
		goto over;
	out->len = (uint8_t)c.at;
	return is_legal(out) ? IA_DECODED : IA_UNDEFINED;
over:
	out->row = NULL;
	out->len = IA_INSN_MAX;
	return avail < IA_INSN_MAX ? IA_SHORT : IA_TOO_LONG;
}

/* Part n of "a/b/c". */
static void part(const char *names, unsigned n, char buf[16])
{
	while (n-- && strchr(names, '/'))
		names = strchr(names, '/') + 1;
	snprintf(buf, 16, "%.*s", (int)strcspn(names, "/"), names);
}

const char *emu_ia_name(const struct emu_ia_insn *i, char buf[16])
{
	static const char cc[16][4] = { "o", "no", "b", "nb", "z", "nz", "be", "nbe", "s", "ns", "p", "np", "l", "nl",
					"le", "nle" };
	const char *name = i->row ? emu_ia_ops[i->op].name : "(bad)";
	unsigned parts = 1, size = i->op == IA_jcxz ? i->asize : i->osize;

	for (const char *s = name; (s = strchr(s, '/')); s++)
		parts++;
	if (i->op == IA_jcc || i->op == IA_setcc || i->op == IA_cmov)
		snprintf(buf, 16, "%s%s", name, cc[i->opcode & 15]);
	else if (parts == 4)
		part(name, (unsigned)__builtin_ctz(emu_ia_size(i, 0)), buf);
	else
		part(name, parts == 3 ? (unsigned)__builtin_ctz(size) - 1 : 0, buf);
	return buf;
}
