/* Random RISC-V programs for tests: any row of the table but those that is_left_out() names, in the shape of
 * real programs (flow.h), in a frame that loads all registers from memory and stores them at the end. The same
 * seed and length give the same program.
 */
#ifndef TESTS_RV_PROGRAM_H
#define TESTS_RV_PROGRAM_H

#include <stdint.h>
#include <string.h>

#include "emu/rv.h"
#include "tests/flow.h"

#define TEXT 0x10000u
#define TEXT_SIZE 0x20000u
#define DATA 0x100000u          /* initial registers */
#define BUFFER (DATA + 0x1000u) /* what loads and stores reach: two pages, pointers to the middle */
#define MIDDLE (BUFFER + 0x1000u)
#define OUT (BUFFER + 0x2000u)  /* registers at the end */
#define RESULT 0x3000u          /* bytes from BUFFER that the program writes */
#define DATA_SIZE 0x4000u

/* Pointers to the middle of the buffer. */
#define POINTERS (1u << 0 | 1u << 2 | 1u << 8 | 1u << 30 | 1u << 31)
#define RA 1u
#define FRAMES 3u               /* gp: the frames of functions, which grow down from BUFFER */
#define COUNTER 18u             /* s2, s3: of loops */
#define CHOICE 20u              /* s4, s5: of a switch */
/* Registers that no instruction drawn by chance writes. */
#define KEPT (POINTERS | 1u << RA | 1u << FRAMES | 3u << COUNTER | 3u << CHOICE)

struct program {
	uint8_t text[TEXT_SIZE];
	unsigned len, insns;
	uint8_t data[DATA_SIZE];
	uint64_t random;
	struct flow flow;
	unsigned used[RV_COUNT]; /* how often each row occurs */
};

static uint64_t next(struct program *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random * 0x2545f4914f6cdd1dull;
}

static unsigned below(struct program *p, unsigned n)
{
	return (unsigned)(next(p) >> 33) % n;
}

/* ---- values ---- */

static uint64_t integer(struct program *p)
{
	static const uint64_t special[] = {
		0, 1, 2, 31, 32, 63, 64, ~0ull, 1ull << 63, ~0ull >> 1, 1u << 31, 0x7fffffff,
		0xffffffff, 0xffffffff80000000ull, 0x8000000080000000ull, 0x00ff00ff00ff00ffull,
	};

	return below(p, 3) ? next(p) >> below(p, 64) : special[below(p, 16)];
}

static uint64_t floating(struct program *p)
{
	static const uint64_t d[] = {
		0, 1ull << 63, 0x3ff0000000000000, 0xbff8000000000000, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000000, 0x7ff4000000000000, 1, 0x000fffffffffffff, 0x0010000000000000,
		0x7fefffffffffffff, 0x41dfffffffc00000, 0x43e0000000000000, 0xc1e0000000200000,
		0x3fe0000000000000, 0x4004000000000000, 0x36a0000000000000, 0x47efffffe0000000,
	};
	static const uint32_t s[] = {
		0, 1u << 31, 0x3f800000, 0xbfc00000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00000, 1,
		0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000001, 0x5f000000, 0x3f000000, 0x40200000,
	};

	switch (below(p, 6)) {
	case 0:
		return d[below(p, sizeof(d) / sizeof(*d))];
	case 1:
		return 0xffffffff00000000ull | s[below(p, sizeof(s) / sizeof(*s))];
	case 2: /* a number near others, so that sums cancel */
		return 0x3ff0000000000000ull + (next(p) & 0x801fffffffffffffull);
	case 3:
		return 0xffffffff00000000ull | (0x3f800000u + ((uint32_t)next(p) & 0x81ffffffu));
	case 4: /* a single that is not boxed */
		return (uint32_t)next(p);
	}
	return next(p);
}

/* ---- code ---- */

static void emit(struct program *p, uint32_t bits)
{
	unsigned n = rv_length(bits);

	memcpy(p->text + p->len, &bits, n);
	p->len += n;
}

static uint32_t field(uint32_t bits, unsigned at, unsigned width, uint32_t value)
{
	uint32_t mask = ((1u << width) - 1) << at;

	return (bits & ~mask) | (value << at & mask);
}

static bool is_fp_rd(const struct rv_insn *i)
{
	return strchr(rv_rows[i->id].operands, 'D') != NULL;
}

/* Everything that needs care, or is tested elsewhere. */
static bool is_left_out(const struct rv_row *r)
{
	switch (r->op) {
	case RV_jalr: case RV_ecall: case RV_ebreak: case RV_fence_i: case RV_pause: case RV_c_unimp:
	case RV_lr_w: case RV_lr_d: case RV_sc_w: case RV_sc_d: /* in pairs: emit_pair() */
	case RV_ctzw: /* QEMU 7.2 counts beyond bit 31 (fixed later); tests/guests/corpus/zicond.c */
		return true;
	}
	return r->ext == RV_EXT_ZICOND; /* younger than Debian's QEMU */
}

static bool is_branch(const struct rv_row *r)
{
	return r->format == RV_FORMAT_B || r->format == RV_FORMAT_CB || r->op == RV_jal;
}

/* The CSRs of floating point, so that the rounding mode stays valid: QEMU refuses the others. */
static uint32_t csr_operands(struct program *p, const struct rv_row *r, uint32_t bits)
{
	if (r->op == RV_csrrwi && below(p, 2))
		return field(field(bits, 20, 12, RV_CSR_FRM), 15, 5, below(p, 5));
	if (r->op == RV_csrrwi)
		return field(bits, 20, 12, RV_CSR_FCSR);
	if (r->op == RV_csrrs && below(p, 2))
		return field(field(bits, 20, 12, RV_CSR_FCSR), 15, 5, 0);
	return field(bits, 20, 12, RV_CSR_FFLAGS);
}

/* Operands for a row; 0: this draw does not fit. */
static uint32_t operands(struct program *p, const struct rv_row *r)
{
	uint32_t bits = ((uint32_t)next(p) & ~r->mask) | r->match;
	struct rv_insn i;

	if (r->format == RV_FORMAT_AMO)
		bits = field(bits, 15, 5, 30);
	else if (strstr(r->operands, "(s)") && rv_length(r->match) == 4)
		bits = field(bits, 15, 5, 31);
	else if (strstr(r->operands, "(s)") && (r->match & 3) == 0)
		bits = field(bits, 7, 3, 0);
	if (r->format == RV_FORMAT_CSR)
		bits = (csr_operands(p, r, bits) & ~r->mask) | r->match;
	if (!rv_decode(bits, &i) || &rv_rows[i.id] != r)
		return 0;
	bits = i.bits; /* 16 bits of a compressed one */
	/* x0 as a destination is worth a test, pointers are not to be lost */
	if (i.rd && !is_fp_rd(&i) && (KEPT >> i.rd & 1))
		return 0;
	return bits;
}

static uint32_t draw_row(struct program *p, enum rv_id id)
{
	uint32_t bits;

	while (!(bits = operands(p, &rv_rows[id])))
		;
	p->used[id]++;
	return bits;
}

/* A row by chance; `four`: of four bytes; `branch`: a branch, or none. */
static uint32_t draw(struct program *p, bool four, bool branch)
{
	for (;;) {
		unsigned id = below(p, RV_COUNT);
		const struct rv_row *r = &rv_rows[id];
		uint32_t bits;

		if (is_left_out(r) || is_branch(r) != branch || (four && rv_length(r->match) != 4))
			continue;
		bits = operands(p, r); /* 0 for good when the row has no free operand (c.addi16sp) */
		if (bits) {
			p->used[id]++;
			return bits;
		}
	}
}

/* A branch of any kind over one instruction of four bytes. */
static void emit_branch(struct program *p)
{
	uint32_t bits = draw(p, false, true), over = draw(p, true, false);

	if (rv_length(bits) == 4 && (bits & 0x7f) == 0x6f) /* jal +8 */
		bits = (bits & 0xfff) | 8u << 20;
	else if (rv_length(bits) == 4) /* +8: imm[4:1] at bit 8 */
		bits = (bits & 0x01fff07f) | 4u << 8;
	else if ((bits >> 13) == 5) /* c.j +6: imm[3:1] at bit 3 */
		bits = (bits & 0xe003) | 3u << 3;
	else /* c.beqz +6: imm[2:1] at bit 3 */
		bits = (bits & 0xe383) | 3u << 3;
	emit(p, bits);
	emit(p, over);
}

/* A load-reserved, perhaps an instruction in between, and one or two store-conditionals, the second of
 * which fails. (What mixed widths do, and stores in between, is up to the implementation.) */
static void emit_pair(struct program *p)
{
	bool wide = below(p, 2);

	emit(p, draw_row(p, wide ? RV_lr_d : RV_lr_w));
	if (below(p, 2))
		emit(p, draw_row(p, RV_xor));
	emit(p, draw_row(p, wide ? RV_sc_d : RV_sc_w));
	if (below(p, 2))
		emit(p, draw_row(p, wide ? RV_sc_d : RV_sc_w));
}

/* A few instructions that fall through. */
static void one(struct program *p)
{
	unsigned kind = below(p, 40);

	if (kind < 3)
		emit_branch(p);
	else if (kind == 3)
		emit_pair(p);
	else
		emit(p, draw(p, false, false));
	p->insns += kind < 4 ? 2 : 1;
}

/* ---- the shape of the program (flow.h); places are offsets in text ---- */

static unsigned here(const struct program *p)
{
	return p->len;
}

static unsigned jump(struct program *p)
{
	emit(p, 0x6f); /* jal x0 */
	return p->len - 4;
}

static unsigned branch(struct program *p)
{
	emit(p, draw(p, true, true));
	p->insns++;
	return p->len - 4;
}

static void aim_branch(struct program *p, unsigned at, unsigned target)
{
	uint32_t bits, to = target - at;

	memcpy(&bits, p->text + at, 4);
	if ((bits & 0x7f) == 0x6f) /* J: imm[20|10:1|11|19:12] */
		bits = (bits & 0xfff) | (to >> 20 & 1) << 31 | (to >> 1 & 0x3ff) << 21 | (to >> 11 & 1) << 20 | (to >> 12 & 0xff) << 12;
	else /* B: imm[12|10:5] and imm[4:1|11] */
		bits = (bits & 0x01fff07f) | (to >> 12 & 1) << 31 | (to >> 5 & 0x3f) << 25 | (to >> 1 & 0xf) << 8 | (to >> 11 & 1) << 7;
	memcpy(p->text + at, &bits, 4);
}

static void addi(struct program *p, unsigned rd, unsigned rs, int imm)
{
	emit(p, 0x13 | rd << 7 | rs << 15 | (uint32_t)imm << 20);
}

static void loop_begin(struct program *p, unsigned level, unsigned n)
{
	addi(p, COUNTER + level, 0, level ? 0 : (int)n); /* the inner one counts up */
}

static void loop_end(struct program *p, unsigned level, unsigned n, unsigned top)
{
	unsigned c = COUNTER + level;

	addi(p, c, c, level ? 1 : -1);
	if (level)
		addi(p, CHOICE, 0, (int)n);
	emit(p, 0x63 | c << 15 | (level ? 4u << 12 | CHOICE << 20 : 1u << 12)); /* blt c, s4; bne c, x0 */
	aim_branch(p, p->len - 4, top);
}

static void select_begin(struct program *p)
{
	emit(p, 0x7013 | CHOICE << 7 | below(p, 32) << 15 | 3u << 20);             /* andi s4, x, 3 */
	emit(p, 0x17 | (CHOICE + 1) << 7);                                         /* auipc s5, 0 */
	emit(p, 0x20004033 | (CHOICE + 1) << 7 | CHOICE << 15 | (CHOICE + 1) << 20); /* sh2add s5, s4, s5 */
	emit(p, 0x67 | (CHOICE + 1) << 15 | 12u << 20);                            /* jalr x0, 12(s5) */
}

static void call(struct program *p, unsigned target)
{
	if (below(p, 3)) {
		emit(p, 0xef); /* jal ra */
		aim_branch(p, p->len - 4, target);
	} else {
		uint32_t to = target - p->len;

		emit(p, 0x17 | (CHOICE + 1) << 7 | ((to + 0x800) & 0xfffff000)); /* auipc s5 */
		emit(p, 0xe7 | (CHOICE + 1) << 15 | to << 20);                  /* jalr ra, (s5) */
	}
}

static void frame(struct program *p, bool store)
{
	static const uint8_t saved[] = { RA, COUNTER, COUNTER + 1 };

	for (unsigned i = 0; i < 3; i++)
		emit(p, store ? 0x3023 | FRAMES << 15 | (uint32_t)saved[i] << 20 | 8 * i << 7 :
				0x3003 | FRAMES << 15 | (uint32_t)saved[i] << 7 | 8 * i << 20); /* sd, ld */
}

static void function_begin(struct program *p)
{
	addi(p, FRAMES, FRAMES, -32);
	frame(p, true);
}

static void function_end(struct program *p)
{
	frame(p, false);
	addi(p, FRAMES, FRAMES, 32);
	emit(p, below(p, 2) ? 0x8082 : 0x8067); /* c.jr ra, jalr x0, (ra) */
}

#define FLOW_GENERATE
#include "tests/flow.h"

static void load_registers(struct program *p)
{
	unsigned at = 0;

	emit(p, 0x00000fb7 | DATA);                        /* lui t6, DATA */
	emit(p, 0x000fb083 | (63 * 8u) << 20);             /* ld ra, 63*8(t6) */
	emit(p, 0x00309073);                               /* csrw fcsr, ra */
	for (unsigned f = 0; f < 32; f++, at += 8)
		emit(p, 0x000fb007 | f << 7 | at << 20);   /* fld f, at(t6) */
	for (unsigned r = 1; r < 32; r++, at += 8)
		if (!(POINTERS >> r & 1))
			emit(p, 0x000fb003 | r << 7 | at << 20); /* ld r, at(t6) */
	for (unsigned r = 1; r < 32; r++)
		if (POINTERS >> r & 1)
			emit(p, 0x37 | r << 7 | MIDDLE);   /* lui r, MIDDLE */
	emit(p, 0x37 | FRAMES << 7 | BUFFER);
}

static void store_registers(struct program *p)
{
	unsigned at = 0;

	emit(p, 0x00000fb7 | OUT); /* lui t6, OUT */
	for (unsigned r = 1; r < 31; r++, at += 8)
		emit(p, 0x000fb023 | r << 20 | (at & 31) << 7 | (at >> 5) << 25); /* sd r, at(t6) */
	for (unsigned f = 0; f < 32; f++, at += 8)
		emit(p, 0x000fb027 | f << 20 | (at & 31) << 7 | (at >> 5) << 25); /* fsd f, at(t6) */
	emit(p, 0x003020f3);                                                      /* csrr ra, fcsr */
	emit(p, 0x000fb023 | 1u << 20 | (at & 31) << 7 | (at >> 5) << 25);
	emit(p, 0x00100513);            /* li a0, 1 */
	emit(p, 0x000005b7 | BUFFER);   /* lui a1, BUFFER */
	emit(p, 0x00000637 | RESULT);   /* lui a2, RESULT */
	emit(p, 0x04000893);            /* li a7, 64: write */
	emit(p, 0x00000073);
	emit(p, 0x00000513);
	emit(p, 0x05d00893);            /* exit */
	emit(p, 0x00000073);
}

/* The first `insns` instructions of the program that the seed makes. */
static void generate(struct program *p, uint64_t seed, unsigned insns)
{
	uint64_t fcsr;

	memset(p, 0, sizeof(*p));
	p->random = seed * 0x9e3779b97f4a7c15ull + 1;
	for (unsigned at = 0; at < DATA_SIZE - 0x1000; at += 8) {
		uint64_t v = at < 32 * 8 || (at > 0x1000 && below(p, 2)) ? floating(p) : integer(p);

		memcpy(p->data + at, &v, 8);
	}
	fcsr = (uint64_t)below(p, 5) << 5;
	memcpy(p->data + 63 * 8, &fcsr, 8);
	load_registers(p);
	flow_functions(p);
	while (p->insns < insns)
		statement(p, 0);
	store_registers(p);
}

#endif
