/* Random AArch64 programs for tests: any row of the table but those that is_left_out() names, in the shape of
 * real programs (flow.h), in a frame that loads all registers from memory and stores them at the end. The same
 * seed and length give the same program.
 */
#ifndef TESTS_A64_PROGRAM_H
#define TESTS_A64_PROGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "emu/a64.h"
#include "tests/flow.h"

#define TEXT 0x10000u
#define TEXT_SIZE 0x20000u
#define DATA 0x100000u          /* struct start; x18 points here and is never written */
#define BUFFER (DATA + 0x1000u) /* what loads and stores reach: two pages, pointers to the middle */
#define MIDDLE (BUFFER + 0x1000u)
#define OUT (BUFFER + 0x2000u)  /* struct state at the end */
#define DATA_SIZE 0x4000u

/* Registers in memory, at the start and at the end. */
struct state {
	uint64_t v[32][2];
	uint64_t x[31], sp;
	uint64_t nzcv, fpcr, fpsr;
};

#define BASE 18u                /* x18 */
#define INDEX 17u               /* x17: small offsets */
static const unsigned pointers[] = { 26, 28, 29, 31 }; /* x26, x28, x29, sp: the middle of the buffer */
#define FRAMES 27u              /* x27: the frames of functions, which grow down from BUFFER */
#define COUNTER 19u             /* x19, x20: of loops */
#define CHOICE 24u              /* x24, x25: of a switch */
/* Registers that no instruction drawn by chance writes. */
#define KEPT (1u << BASE | 1u << INDEX | 3u << COUNTER | 3u << CHOICE | 1u << 26 | 1u << FRAMES | 7u << 28)

struct program {
	uint32_t text[TEXT_SIZE / 4];
	unsigned words, body, epilogue, insns; /* indexes in text of the first instruction and of the epilogue */
	uint8_t data[DATA_SIZE];
	uint64_t random;
	struct flow flow;
	unsigned used[A64_COUNT];
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
		0x7f80ff0001807f81ull, 0x80007fff0001ffffull,
	};

	return below(p, 3) ? next(p) >> below(p, 64) : special[below(p, 18)];
}

static uint32_t single(struct program *p)
{
	static const uint32_t s[] = {
		0, 1u << 31, 0x3f800000, 0xbfc00000, 0x7f800000, 0xff800000, 0x7fc00001, 0x7fa00002, 0xffc00003, 0xff800004,
		1, 0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000001, 0x5f000000, 0x3f000000, 0x40200000,
		0x38800000, 0x477ff000, 0x33000001, 0x4effffff,
	};

	switch (below(p, 3)) {
	case 0: return s[below(p, sizeof(s) / sizeof(*s))];
	case 1: return 0x3f800000u + ((uint32_t)next(p) & 0x81ffffffu);
	default: return (uint32_t)next(p);
	}
}

static uint64_t floating(struct program *p)
{
	static const uint64_t d[] = {
		0, 1ull << 63, 0x3ff0000000000000, 0xbff8000000000000, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000001, 0x7ff4000000000002, 0xfff8000000000003, 0xfff0000000000004,
		1, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x41dfffffffc00000, 0x43e0000000000000,
		0xc1e0000000200000, 0x3fe0000000000000, 0x4004000000000000, 0x36a0000000000000, 0x47efffffe0000000,
		0x40effe0000000000, 0x3e70000000000001,
	};

	switch (below(p, 4)) {
	case 0: return d[below(p, sizeof(d) / sizeof(*d))];
	case 1: return 0x3ff0000000000000ull + (next(p) & 0x801fffffffffffffull);
	default: return single(p) | (uint64_t)single(p) << 32;
	}
}

/* ---- code ---- */

static void emit(struct program *p, uint32_t bits)
{
	p->text[p->words++] = bits;
}

static bool has(const struct a64_row *r, enum a64_operand o)
{
	for (unsigned k = 0; k < A64_OPERANDS_MAX; k++)
		if (r->operand[k] == o)
			return true;
	return false;
}

/* Rows that one() does not draw: tested elsewhere, or by the functions below. */
static bool is_left_out(const struct a64_row *r)
{
	switch (r->class) {
	case A64_CLASS_BRANCH_REG: case A64_CLASS_EXCEPTION: case A64_CLASS_SYSTEM: /* system() */
	case A64_CLASS_HINT: /* most are younger instructions that do nothing on older machines */
	case A64_CLASS_EXCLUSIVE: case A64_CLASS_EXCLUSIVE_PAIR: /* exclusive() */
		return true;
	}
	return r == &a64_rows[A64_bl];
}

static bool is_memory(const struct a64_row *r)
{
	return r->class >= A64_CLASS_EXCLUSIVE && r->class <= A64_CLASS_VMEM_REPLICATE;
}

static bool is_branch(const struct a64_row *r)
{
	return r->class == A64_CLASS_BRANCH || r->class == A64_CLASS_BRANCH_COND;
}

static bool is_kept(unsigned r)
{
	return r < 31 && (KEPT >> r & 1);
}

/* Does the instruction write an integer register that must keep its value, or what is not foreseeable? */
static bool spoils(const struct a64_insn *i)
{
	const struct a64_row *r = &a64_rows[i->id];
	bool pair = r->class == A64_CLASS_PAIR || r->class == A64_CLASS_PAIR_FP || r->class == A64_CLASS_EXCLUSIVE_PAIR;
	bool vector = i->class >= A64_CLASS_FP_DATA1 || i->class == A64_CLASS_LITERAL_FP ||
		      i->class == A64_CLASS_LOAD_STORE_FP || i->class == A64_CLASS_PAIR_FP ||
		      (i->class >= A64_CLASS_VMEM_MULTI && i->class <= A64_CLASS_VMEM_REPLICATE);
	bool to_x = i->class == A64_CLASS_FP_TO_INT || i->id == A64_fmov_ws || i->id == A64_fmov_xd ||
		    i->id == A64_fmov_x_high || i->id == A64_umov_v || i->id == A64_smov_v;

	if (pair && i->rd == i->ra)
		return true;
	if (vector && !to_x)
		return false;
	if (i->rd == 31 && (has(r, A64_OPERAND_RD_SP) || is_memory(r)))
		return true;
	if (i->class == A64_CLASS_CAS_PAIR && (is_kept(i->rd + 1u) || is_kept(i->rm + 1u) || i->rm == 30))
		return true;
	if ((i->class == A64_CLASS_CAS || i->class == A64_CLASS_CAS_PAIR) && is_kept(i->rm))
		return true;
	return is_kept(i->rd) || (pair && is_kept(i->ra));
}

static uint32_t field(uint32_t bits, unsigned at, unsigned width, uint32_t value)
{
	uint32_t mask = ((1u << width) - 1) << at;

	return (bits & ~mask) | (value << at & mask);
}

/* Addresses inside the buffer; branches over one instruction. */
static uint32_t aim(struct program *p, const struct a64_row *r, uint32_t bits)
{
	if (is_memory(r))
		bits = field(bits, 5, 5, pointers[below(p, 4)]);
	switch (r->format) {
	case A64_FORMAT_MEM_LITERAL: case A64_FORMAT_FMEM_LITERAL: bits = field(bits, 5, 19, 0); break; /* itself */
	case A64_FORMAT_MEM_U12: case A64_FORMAT_FMEM_U12: bits = field(bits, 10, 12, below(p, 256)); break;
	case A64_FORMAT_MEM_REGISTER: case A64_FORMAT_FMEM_REGISTER: bits = field(bits, 16, 5, below(p, 4) ? INDEX : 31); break;
	case A64_FORMAT_BRANCH26: bits = field(bits, 0, 26, 2); break;
	case A64_FORMAT_BRANCH_COND: case A64_FORMAT_BRANCH19: bits = field(bits, 5, 19, 2); break;
	case A64_FORMAT_BRANCH14: bits = field(bits, 5, 14, 2); break;
	}
	if (has(r, A64_OPERAND_MEM_VPOST))
		bits = field(bits, 16, 5, below(p, 2) ? INDEX : 31);
	if (r == &a64_rows[A64_ldapr]) /* QEMU wants the ones that should be there */
		bits = field(bits, 16, 5, 31);
	return bits;
}

/* An instruction of the row; 0: this draw does not fit. */
static uint32_t draw(struct program *p, unsigned id)
{
	const struct a64_row *r = &a64_rows[id];
	uint32_t bits = aim(p, r, ((uint32_t)next(p) & ~r->mask) | r->match);
	struct a64_insn i;

	bits = (bits & ~r->mask) | r->match;
	if (!a64_decode(bits, &i) || i.id != id || spoils(&i))
		return 0;
	return bits;
}

static void put(struct program *p, unsigned id, uint32_t bits)
{
	const struct a64_row *r = &a64_rows[id];
	unsigned rn = bits >> 5 & 31;

	p->used[id]++;
	p->insns++;
	if (is_memory(r)) /* movz: a small offset; of structures the next address */
		emit(p, 0xd2800000u | below(p, 200) << 5 | INDEX);
	emit(p, bits);
	if (has(r, A64_OPERAND_MEM_POST) || has(r, A64_OPERAND_MEM_PRE) || has(r, A64_OPERAND_MEM_VPOST)) {
		if (rn != 31) /* the new address is seen in a sum */
			emit(p, 0x8b000000u | rn << 16 | 7 << 5 | 7); /* add x7, x7, rn */
		emit(p, 0x91400000u | 2u << 10 | BASE << 5 | rn);     /* add rn, x18, #2, lsl 12: MIDDLE */
	}
}

static void any(struct program *p, bool branch)
{
	for (;;) {
		unsigned id = below(p, A64_COUNT);
		uint32_t bits = is_left_out(&a64_rows[id]) || is_branch(&a64_rows[id]) != branch ? 0 : draw(p, id);

		if (bits) {
			put(p, id, bits);
			return;
		}
	}
}

/* Exclusives as programs use them: a load, and a store to the same place. */
static void exclusive(struct program *p)
{
	static const uint16_t loads[2][2] = { { A64_ldxr, A64_ldaxr }, { A64_ldxp, A64_ldaxp } };
	static const uint16_t stores[2][2] = { { A64_stxr, A64_stlxr }, { A64_stxp, A64_stlxp } };
	unsigned pair = below(p, 2), load = loads[pair][below(p, 2)], store = stores[pair][below(p, 2)];
	unsigned rn = pointers[below(p, 4)], size;
	uint32_t l = 0, s = 0;

	while (!l)
		l = draw(p, load);
	size = l >> 30;
	while (!s || is_kept(s >> 16 & 31) || (s >> 16 & 31) == (s & 31) || (s >> 16 & 31) == (s >> 10 & 31) || s >> 30 != size)
		s = draw(p, store);
	emit(p, field(l, 5, 5, rn));
	emit(p, field(s, 5, 5, rn));
	p->used[load]++;
	p->used[store]++;
	p->insns += 2;
}

/* Status registers: flags are seen, and begin anew. */
static void system_register(struct program *p)
{
	unsigned x = below(p, 17);

	switch (below(p, 4)) {
	case 0: emit(p, 0xd53b4200 | x); break; /* mrs nzcv */
	case 1: emit(p, 0xd51b4200 | x); break; /* msr nzcv */
	case 2: /* mrs fpsr, the bits of FPSR_SAME */
		emit(p, 0xd53b4420 | x);
		emit(p, 0xd3400000u | 2u << 10 | x << 5 | x); /* ubfx x, x, #0, #3 */
		break;
	default: emit(p, 0xd51b443f); break;    /* msr fpsr, xzr */
	}
	p->insns++;
}

/* Random bits into a vector register and an integer one: results of results tend to zeros and NaNs. */
static void refresh(struct program *p)
{
	emit(p, 0x3dc00000u | below(p, 256) << 10 | BASE << 5 | below(p, 32)); /* ldr q, [x18, n] */
	emit(p, 0xf9400000u | below(p, 512) << 10 | BASE << 5 | below(p, 17)); /* ldr x */
	p->insns += 2;
}

static void one(struct program *p)
{
	switch (below(p, 40)) {
	case 0: case 1:
		any(p, true);
		any(p, false);
		break;
	case 2: exclusive(p); break;
	case 3: system_register(p); break;
	case 4: case 5: case 6: case 7: refresh(p); break;
	default: any(p, false); break;
	}
}

/* ---- the shape of the program (flow.h); places are indexes in text ---- */

static unsigned here(const struct program *p)
{
	return p->words;
}

static unsigned jump(struct program *p)
{
	emit(p, 0x14000000); /* b */
	return p->words - 1;
}

static unsigned branch(struct program *p)
{
	for (;;) {
		unsigned id = below(p, A64_COUNT);
		uint32_t bits = is_branch(&a64_rows[id]) && !is_left_out(&a64_rows[id]) ? draw(p, id) : 0;

		if (bits) {
			put(p, id, bits);
			return p->words - 1;
		}
	}
}

static void aim_branch(struct program *p, unsigned at, unsigned target)
{
	uint32_t words = target - at, bits = p->text[at];

	if ((bits & 0x7c000000) == 0x14000000) /* b, bl */
		p->text[at] = field(bits, 0, 26, words);
	else if ((bits & 0x7e000000) == 0x36000000) /* tbz, tbnz */
		p->text[at] = field(bits, 5, 14, words);
	else
		p->text[at] = field(bits, 5, 19, words);
}

static void adr(struct program *p, unsigned rd, unsigned target)
{
	emit(p, field(0x10000000u | rd, 5, 19, target - p->words));
}

static void loop_begin(struct program *p, unsigned level, unsigned n)
{
	emit(p, 0xd2800000u | (level ? 0 : n) << 5 | (COUNTER + level)); /* movz; the inner one counts up */
}

static void loop_end(struct program *p, unsigned level, unsigned n, unsigned top)
{
	unsigned c = COUNTER + level;

	if (level) {
		emit(p, 0x91000400u | c << 5 | c);             /* add c, c, #1 */
		emit(p, 0xf100001fu | n << 10 | c << 5);       /* cmp c, #n */
		emit(p, 0x5400000b);                           /* b.lt */
	} else if (below(p, 2)) {
		emit(p, 0xf1000400u | c << 5 | c);             /* subs c, c, #1 */
		emit(p, 0x54000001);                           /* b.ne */
	} else {
		emit(p, 0xd1000400u | c << 5 | c);             /* sub c, c, #1 */
		emit(p, 0xb5000000u | c);                      /* cbnz */
	}
	aim_branch(p, p->words - 1, top);
}

static void select_begin(struct program *p)
{
	emit(p, 0x92400400u | below(p, 17) << 5 | CHOICE);     /* and x24, x, #3 */
	adr(p, CHOICE + 1, p->words + 3);
	emit(p, 0x8b000000u | CHOICE << 16 | 2 << 10 | (CHOICE + 1) << 5 | (CHOICE + 1)); /* add x25, x25, x24, lsl #2 */
	emit(p, 0xd61f0000u | (CHOICE + 1) << 5);              /* br x25 */
}

static void call(struct program *p, unsigned target)
{
	if (below(p, 3)) {
		emit(p, 0x94000000);
		aim_branch(p, p->words - 1, target);
	} else {
		adr(p, CHOICE + 1, target);
		emit(p, 0xd63f0000u | (CHOICE + 1) << 5);      /* blr x25 */
	}
}

static void function_begin(struct program *p)
{
	emit(p, 0xa9bf0000u | (COUNTER + 1) << 10 | FRAMES << 5 | COUNTER); /* stp x19, x20, [x27, #-16]! */
	emit(p, 0xf81f0c00u | FRAMES << 5 | 30);               /* str x30, [x27, #-16]! */
}

static void function_end(struct program *p)
{
	emit(p, 0xf8410400u | FRAMES << 5 | 30);               /* ldr x30, [x27], #16 */
	emit(p, 0xa8c10000u | (COUNTER + 1) << 10 | FRAMES << 5 | COUNTER); /* ldp x19, x20, [x27], #16 */
	emit(p, 0xd65f03c0);                                   /* ret */
}

#define FLOW_GENERATE
#include "tests/flow.h"

static uint32_t ldr_x(unsigned rt, unsigned rn, unsigned at)
{
	return 0xf9400000u | at / 8 << 10 | rn << 5 | rt;
}
static uint32_t str_x(unsigned rt, unsigned rn, unsigned at)
{
	return 0xf9000000u | at / 8 << 10 | rn << 5 | rt;
}

static void load_registers(struct program *p)
{
	emit(p, 0xd2a00000u | (DATA >> 16) << 5 | BASE); /* movz */
	emit(p, ldr_x(0, BASE, offsetof(struct state, nzcv)));
	emit(p, 0xd51b4200);                             /* msr nzcv, x0 */
	emit(p, ldr_x(0, BASE, offsetof(struct state, fpcr)));
	emit(p, 0xd51b4400);                             /* msr fpcr, x0 */
	emit(p, 0xd51b443f);                             /* msr fpsr, xzr */
	emit(p, ldr_x(0, BASE, offsetof(struct state, sp)));
	emit(p, 0x9100001f);                             /* mov sp, x0 */
	for (unsigned f = 0; f < 32; f++)
		emit(p, 0x3dc00000u | f << 10 | BASE << 5 | f); /* ldr q */
	for (unsigned r = 0; r < 31; r++)
		if (r != BASE)
			emit(p, ldr_x(r, BASE, offsetof(struct state, x) + 8 * r));
}

static void store_registers(struct program *p)
{
	emit(p, 0x91400000u | 3u << 10 | BASE << 5 | BASE); /* add x18, x18, #3, lsl 12: OUT */
	for (unsigned f = 0; f < 32; f++)
		emit(p, 0x3d800000u | f << 10 | BASE << 5 | f);
	for (unsigned r = 0; r < 31; r++)
		emit(p, str_x(r, BASE, offsetof(struct state, x) + 8 * r));
	emit(p, 0x910003e0);                             /* mov x0, sp */
	emit(p, str_x(0, BASE, offsetof(struct state, sp)));
	emit(p, 0xd53b4200);                             /* mrs x0, nzcv */
	emit(p, str_x(0, BASE, offsetof(struct state, nzcv)));
	emit(p, 0xd53b4400);
	emit(p, str_x(0, BASE, offsetof(struct state, fpcr)));
	emit(p, 0xd53b4420);
	emit(p, str_x(0, BASE, offsetof(struct state, fpsr)));
	emit(p, 0xd2800020);                             /* write(1, BUFFER, ...) */
	emit(p, 0xd1400000u | 2u << 10 | BASE << 5 | 1); /* sub x1, x18, #2, lsl 12 */
	emit(p, 0xd2800000u | 0x3000u << 5 | 2);
	emit(p, 0xd2800808);                             /* x8 = 64 */
	emit(p, 0xd4000001);
	emit(p, 0xd2800000);                             /* exit(0) */
	emit(p, 0xd2800ba8);
	emit(p, 0xd4000001);
}

/* The first `insns` instructions of the program that the seed makes. */
static void generate(struct program *p, uint64_t seed, unsigned insns)
{
	struct state *s = (struct state *)p->data;

	memset(p, 0, sizeof(*p));
	p->random = seed * 0x9e3779b97f4a7c15ull + 1;
	for (unsigned at = 0; at < DATA_SIZE - 0x1000; at += 8) {
		uint64_t v = (at < sizeof(s->v) ? below(p, 4) : below(p, 2)) ? floating(p) : integer(p);

		memcpy(p->data + at, &v, 8);
	}
	for (unsigned r = 0; r < 31; r++)
		s->x[r] = below(p, 3) ? integer(p) : floating(p);
	for (unsigned k = 0; k < 3; k++)
		s->x[pointers[k]] = MIDDLE;
	s->x[FRAMES] = BUFFER;
	s->sp = MIDDLE;
	s->x[INDEX] = 0;
	s->x[BASE] = DATA;
	s->nzcv = (uint64_t)below(p, 16) << 28;
	s->fpcr = (uint64_t)below(p, 4) << 22 | (below(p, 4) ? 0 : 1u << 25);
	load_registers(p);
	p->body = p->words;
	flow_functions(p);
	while (p->insns < insns)
		statement(p, 0);
	for (unsigned k = 0; k < 3; k++)
		emit(p, 0xd503201f); /* a load of 16 bytes from itself reads no further */
	p->epilogue = p->words;
	store_registers(p);
}

#endif
