/* Random sequences of user-level x86 instructions, built from the rows of ia_insn.def so that they run on real
 * hardware as well as translated: addresses stay near DATA, branches go forward, nothing reads a flag that
 * the SDM leaves undefined. For emu_ia_native.c; the same seed gives the same sequence.
 */
#ifndef TESTS_EMU_IA_SEQUENCE_H
#define TESTS_EMU_IA_SEQUENCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "emu/ia_state.h"
#include "emu/ia_translate.h"

#define CODE 0x10000000u
#define CODE_SIZE 4096u
#define DATA 0x20000000u        /* writable, then a page that is not, then nothing */
#define DATA_SIZE 8192u
#define INSNS 24u               /* of a sequence */
#define BATCH 64u

static uint64_t state_of_random;
static uint64_t draw(void)
{
	uint64_t z = (state_of_random += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}
static unsigned below(unsigned n)
{
	return (unsigned)(draw() % n);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v ? strtoull(v, NULL, 0) : otherwise;
}

struct machine {
	uint64_t r[16], rflags, rip;
	int signal;
	uint64_t addr;
	bool write;
	uint64_t xmm[16][2];
	uint32_t mxcsr;
	uint16_t cw, sw;
	uint8_t tags;           /* a bit a register: it is not empty */
	uint8_t st[8][10];
	uint8_t data[DATA_SIZE];
};
struct sequence {
	unsigned bits;
	uint64_t seed;
	struct machine in, out;
	uint8_t code[CODE_SIZE];
	unsigned len, insns;
	struct {
		uint16_t at, undefined; /* offset in code; flags that are undefined before it */
		uint16_t op;
		bool rep_compare, mmx;
	} insn[2 * INSNS + 8];
};

/* -- building a sequence -- */

struct builder {
	struct sequence *s;
	unsigned at;
	uint16_t undefined;     /* flags */
	struct { unsigned where, bytes, until; uint16_t undefined; } jump[4]; /* displacements to fill in */
	unsigned jumps;
};

static unsigned index_register(unsigned bits)
{
	return bits == 64 ? 12 : IA_RBP;
}

/* Registers that hold addresses; nothing random goes there. */
static bool reserved(unsigned bits, unsigned reg)
{
	return reg == IA_RSP || reg == IA_RBX || reg == IA_RSI || reg == IA_RDI || reg == index_register(bits) ||
	       (bits == 64 && reg == 14);
}

static bool tested(const struct emu_ia_row *row)
{
	const struct emu_ia_op_info *op = &emu_ia_ops[row->op];

	switch (row->op) {
	case IA_pushf:
	case IA_movnti: case IA_lfence: case IA_mfence:
		return true;
	case IA_popf: case IA_call: case IA_jmp: case IA_ret: case IA_leave: case IA_bound: /* made apart */
	case IA_jcc: case IA_loop: case IA_loope: case IA_loopne: case IA_jcxz:
	case IA_fldcw: case IA_ldmxcsr:
	/* they show or load the pointers to the last instruction, which are not kept */
	case IA_fnstenv: case IA_fldenv: case IA_fnsave: case IA_frstor:
		return false;
	default:
		break;
	}
	if (op->privilege != IA_USER)
		return false;
	switch (op->feature) {
	case IA_FEATURE_BASE: case IA_FEATURE_CMOV: case IA_FEATURE_CX8: case IA_FEATURE_CX16: case IA_FEATURE_LM:
	case IA_FEATURE_MOVBE: case IA_FEATURE_POPCNT: case IA_FEATURE_BMI1: case IA_FEATURE_LZCNT:
	case IA_FEATURE_SSE42: case IA_FEATURE_LAHF64: case IA_FEATURE_PREFETCHW:
	case IA_FEATURE_FPU: case IA_FEATURE_MMX: case IA_FEATURE_SSE: case IA_FEATURE_SSE2: case IA_FEATURE_SSE3:
	case IA_FEATURE_SSSE3:
		return true;
	default:
		return false;
	}
}

static uint16_t read_by(const struct emu_ia_insn *i)
{
	static const uint16_t condition[8] = { IA_OF, IA_CF, IA_ZF, IA_CF | IA_ZF, IA_SF, IA_PF, IA_SF | IA_OF,
					       IA_SF | IA_OF | IA_ZF };

	if (i->op == IA_jcc || i->op == IA_setcc || i->op == IA_cmov)
		return condition[(i->opcode & 15) / 2];
	return emu_ia_ops[i->op].reads & IA_ARITH;
}

static bool is_string(unsigned op)
{
	return op == IA_movs || op == IA_stos || op == IA_lods || op == IA_cmps || op == IA_scas;
}

/* What is undefined after the instruction, when `before` was. */
static uint16_t undefined_after(const struct emu_ia_insn *i, uint16_t before)
{
	const struct emu_ia_op_info *op = &emu_ia_ops[i->op];
	unsigned bits = 8 * emu_ia_size(i, 0), count, n = i->op == IA_shld || i->op == IA_shrd ? 2 : 1;
	uint16_t undefined = op->undefined, keeps = before & ~op->writes;

	switch (i->op) {
	case IA_shl: case IA_shr: case IA_sar: case IA_shld: case IA_shrd:
	case IA_rol: case IA_ror: case IA_rcl: case IA_rcr:
		if (i->row->operand[n] == IA_O_CL)
			return before | undefined | (bits < 32 && (i->op == IA_shl || i->op == IA_shr) ? IA_CF : 0);
		count = i->row->operand[n] == IA_O_I1 ? 1 : (unsigned)i->imm & (bits == 64 ? 63 : 31);
		if (!count)
			return before;
		if (count == 1)
			undefined &= ~IA_OF;
		if (count >= bits && (i->op == IA_shl || i->op == IA_shr))
			undefined |= IA_CF;
		if (i->op == IA_rcl || i->op == IA_rcr) /* maybe a whole turn */
			return before | undefined;
		return keeps | undefined;
	case IA_cmps: case IA_scas:
		return i->repe || i->repne ? before : keeps;
	default:
		return keeps | undefined;
	}
}

static bool writes_register(const struct emu_ia_insn *i, unsigned n)
{
	if (i->op == IA_cmp || i->op == IA_test || i->op == IA_bt || i->op == IA_push || i->op == IA_nop)
		return false;
	return n == 0 || i->op == IA_xchg || i->op == IA_xadd || i->op == IA_cmpxchg;
}

/* Does it touch only what it may? */
static bool acceptable(const struct builder *b, const struct emu_ia_insn *i)
{
	for (unsigned n = 0; n < 3; n++) {
		unsigned reg, bytes = emu_ia_size(i, n);
		enum emu_ia_place p = emu_ia_place(i, n);

		if (p == IA_PLACE_G)
			reg = i->reg;
		else if (p == IA_PLACE_Z)
			reg = (i->opcode & 7u) | (i->rex & 1u) << 3;
		else if (p == IA_PLACE_E && !i->memory)
			reg = i->rm;
		else
			continue;
		if (bytes == 1 && !i->rex && reg >= 4)
			reg -= 4;
		if (reserved(i->bits, reg) && writes_register(i, n))
			return false;
	}
	if (i->memory && i->asize == 2 && i->bits == 16 && i->base == IA_NOREG && (i->disp & 0xffff) > 0x2800)
		return false;
	if (i->memory && i->asize != 2) {
		if (i->base != IA_RIP && i->base != IA_NOREG && !(reserved(i->bits, i->base) &&
								    i->base != index_register(i->bits)))
			return false;
		if (i->index != IA_NOREG && i->index != index_register(i->bits))
			return false;
	}
	/* translated code wraps at 4 GiB */
	if (i->memory && i->base != IA_RIP && i->base != IA_NOREG && (i->disp > 65536 || i->disp < -65536))
		return false;
	if (i->seg >= IA_FS || (i->seg == IA_CS && i->bits != 64))
		return false;
	switch (i->op) {
	case IA_bswap: return i->osize != 2;
	case IA_shld: case IA_shrd:
		return i->osize != 2 || (i->row->operand[2] != IA_O_CL && ((unsigned)i->imm & 31) <= 16);
	case IA_bt: case IA_bts: case IA_btr: case IA_btc: /* a bit far away */
		return !i->memory || emu_ia_place(i, 1) != IA_PLACE_G || i->osize != 8 || i->reg == 12;
	case IA_enter: return !(i->imm2 & 31) && i->imm < 64;
	case IA_movsxd: return i->osize != 2;
	case IA_ud0: case IA_ud1: case IA_ud2: return below(8) == 0;
	case IA_crc32: return !i->p66 || !(i->rex & 8);
	default:
		break;
	}
	(void)b;
	return true;
}

static void put(struct builder *b, const void *bytes, unsigned n)
{
	memcpy(b->s->code + b->at, bytes, n);
	b->at += n;
}

static void put_byte(struct builder *b, unsigned byte)
{
	b->s->code[b->at++] = (uint8_t)byte;
}

/* Notes the instruction at `from`, which was just put. */
static void note(struct builder *b, unsigned from)
{
	struct emu_ia_insn i;

	if (emu_ia_decode(b->s->code + from, IA_INSN_MAX, b->s->bits, &i) != IA_DECODED || from + i.len != b->at)
		fail_msg("bad code was built at %x, seed %llu", from, (unsigned long long)b->s->seed);
	b->s->insn[b->s->insns].at = (uint16_t)from;
	b->s->insn[b->s->insns].op = i.op;
	for (unsigned n = 0; n < 3; n++)
		b->s->insn[b->s->insns].mmx |= emu_ia_place(&i, n) >= IA_PLACE_P && emu_ia_place(&i, n) <= IA_PLACE_N;
	b->s->insn[b->s->insns].rep_compare = (i.repe || i.repne) && (i.op == IA_cmps || i.op == IA_scas);
	b->s->insn[b->s->insns++].undefined = b->undefined;
	b->undefined = undefined_after(&i, b->undefined);
}

/* All flags become defined. */
static void define_flags(struct builder *b)
{
	unsigned from = b->at;

	if (!b->undefined)
		return;
	put(b, "\x39\xc8", 2); /* cmp eax, ecx */
	note(b, from);
}

static void disp32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, 4);
}

/* Bytes that may be the row's instruction; the caller decodes them. */
static unsigned encode(const struct builder *b, const struct emu_ia_row *row, uint8_t *c)
{
	unsigned n = 0, rex = 0, form = below(12), bits = b->s->bits;
	uint64_t random = draw();
	int modrm = row->mod == 2 || (!row->mod && below(2)) ? 3 : 0;
	unsigned reg = row->reg < 8 ? row->reg : below(8), rm = row->rm < 8 ? row->rm : below(8);

	for (unsigned i = 0; i < 24; i++)
		c[i] = (uint8_t)draw();
	if ((row->prefix & IA_P_P66) && below(4) == 0)
		c[n++] = 0x66;
	if (below(24) == 0)
		c[n++] = 0x67;
	if (below(32) == 0)
		c[n++] = (uint8_t)(0x26 + 8 * below(4));
	if (is_string(row->op) && below(3) == 0)
		c[n++] = (uint8_t)(0xf2 + below(2));
	if ((row->attr & IA_A_LOCK) && modrm != 3 && below(4) == 0)
		c[n++] = 0xf0;
	if (!(row->prefix & (IA_P_NP | IA_P_P66)))
		c[n++] = row->prefix & IA_P_PF3 ? 0xf3 : 0xf2;
	if (bits == 64 && below(3))
		rex = 0x40 | (random & 15);
	if (rex && modrm != 3)
		rex &= 0x4e;
	if (bits == 64 && modrm != 3 && form == 2)
		rex = (rex | 0x42) & ~1u;
	if (bits == 64 && modrm != 3 && form == 3)
		rex |= 0x41; /* r14 */
	if (rex)
		c[n++] = (uint8_t)rex;
	if (row->map > 1)
		c[n++] = 0x0f;
	if (row->map > 2)
		c[n++] = row->map == 3 ? 0x38 : 0x3a;
	c[n++] = row->opcode;
	if (row->operand[0] == IA_O_Ob || row->operand[0] == IA_O_Ov || row->operand[1] == IA_O_Ob ||
	    row->operand[1] == IA_O_Ov) {
		uint64_t at = (bits == 16 ? 0 : DATA) + below(DATA_SIZE + 8192);

		memcpy(c + n, &at, 8);
		return n;
	}
	if (row->op == IA_enter) {
		c[n] &= 63;
		c[n + 1] = c[n + 2] = 0;
		return n;
	}
	if (modrm == 3) {
		c[n] = (uint8_t)(0xc0 | reg << 3 | rm);
		return n;
	}
	if (bits == 16) { /* any of [bx + si] ... with a small displacement */
		c[n] = (uint8_t)(below(3) << 6 | reg << 3 | below(8));
		c[n + 2] = (uint8_t)(below(2) ? 0 : c[n + 2] & 7);
		return n;
	}
	switch (form) {
	case 0: /* [rbx + disp32] */
		c[n] = (uint8_t)(0x83 | reg << 3);
		disp32(c + n + 1, (uint32_t)((int)below(6000) - 3000));
		break;
	case 1: /* [rsp + disp8] */
		c[n] = (uint8_t)(0x44 | reg << 3);
		c[n + 1] = 0x24;
		break;
	case 2: /* [rbx + index << n + disp8] */
		c[n] = (uint8_t)(0x44 | reg << 3);
		c[n + 1] = (uint8_t)(below(4) << 6 | (index_register(bits) & 7) << 3 | IA_RBX);
		break;
	case 3: c[n] = (uint8_t)(0x46 | reg << 3); break; /* [rsi + disp8], [r14 + disp8] */
	case 4: /* RIP-relative, or absolute: filled in later */
	case 5:
		c[n] = (uint8_t)(0x05 | reg << 3);
		break;
	case 6: c[n] = (uint8_t)(0x06 + below(2) + reg * 8); break; /* [rsi], [rdi] */
	default: c[n] = (uint8_t)(0x43 | reg << 3); break; /* [rbx + disp8] */
	}
	return n;
}

static const struct emu_ia_row *row_of_choice(void)
{
	const char *want = getenv("EMU_IA_OP");

	for (;;) {
		const struct emu_ia_row *row = &emu_ia_rows[below(emu_ia_row_count)];

		if (tested(row) && (!want || below(4) == 0 || strcmp(emu_ia_ops[row->op].name, want) == 0))
			return row;
	}
}

/* DIV and IDIV of random numbers nearly always overflow: give most of them a small dividend. */
static void before_division(struct builder *b, const struct emu_ia_row *row)
{
	unsigned from = b->at;

	if ((row->op != IA_div && row->op != IA_idiv) || below(4) == 0)
		return;
	if (row->opcode == 0xf6)
		put(b, "\x0f\xb6\xc0", 3); /* movzx eax, al */
	else
		put(b, row->op == IA_div ? "\x31\xd2" : "\x99\x90", row->op == IA_div ? 2 : 1); /* xor edx, edx; cdq */
	note(b, from);
}

/* POPA takes what PUSHA has just put there: the registers that hold addresses stay what they are. */
static void before_popa(struct builder *b, const struct emu_ia_insn *i)
{
	unsigned from = b->at;

	if (i->op != IA_popa)
		return;
	if (i->p66)
		put_byte(b, 0x66);
	put_byte(b, 0x60);
	note(b, from);
}

static void add_row(struct builder *b)
{
	for (unsigned try = 0; try < 1000; try++) {
		const struct emu_ia_row *row = row_of_choice();
		struct emu_ia_insn i;
		uint8_t c[32];
		unsigned modrm = encode(b, row, c), from;

		if (emu_ia_decode(c, IA_INSN_MAX, b->s->bits, &i) != IA_DECODED || i.row->op != row->op ||
		    !acceptable(b, &i))
			continue;
		before_division(b, row);
		before_popa(b, &i);
		if (read_by(&i) & b->undefined)
			define_flags(b);
		from = b->at;
		if (i.memory && (c[modrm] & 0xc7) == 5 && i.asize != 2) {
			uint32_t target = (b->s->bits == 16 ? 0 : DATA) + below(DATA_SIZE + 6000);

			disp32(c + modrm + 1, i.base == IA_RIP ? target - (CODE + from + i.len) : target);
		}
		put(b, c, i.len);
		note(b, from);
		return;
	}
	fail_msg("no instruction fits");
}

/* A displacement that will lead past the next `n` instructions. */
static void jump_past(struct builder *b, unsigned bytes, unsigned n)
{
	b->jump[b->jumps].where = b->at;
	b->jump[b->jumps].bytes = bytes;
	b->jump[b->jumps].undefined = b->undefined;
	b->jump[b->jumps++].until = b->s->insns + 1 + n;
	for (unsigned k = 0; k < bytes; k++)
		put_byte(b, 0);
}

static void resolve_jumps(struct builder *b, bool all)
{
	unsigned kept = 0;

	for (unsigned k = 0; k < b->jumps; k++) {
		int32_t d = (int32_t)(b->at - b->jump[k].where - b->jump[k].bytes);

		if (!all && b->s->insns < b->jump[k].until) {
			b->jump[kept++] = b->jump[k];
			continue;
		}
		memcpy(b->s->code + b->jump[k].where, &d, b->jump[k].bytes);
		b->undefined |= b->jump[k].undefined;
	}
	b->jumps = kept;
}

/* Instructions that need preparation: branches, calls, returns, popf, leave. */
static void add_special(struct builder *b)
{
	unsigned from, kind = below(12), bits = b->s->bits;
	const unsigned wide = bits == 16 ? 2 : 4, base = bits == 16 ? 0 : CODE;
	uint32_t v;

	if (bits == 16 && kind >= 9)
		return;
	if (kind < 7 && b->jumps == 4)
		return;
	if (kind <= 3)
		define_flags(b);
	from = b->at;
	switch (kind) {
	case 0: case 1:
		put_byte(b, 0x70 + below(16));
		jump_past(b, 1, below(3));
		break;
	case 2:
		put_byte(b, 0x0f);
		put_byte(b, 0x80 + below(16));
		jump_past(b, wide, below(3));
		break;
	case 3:
		put_byte(b, 0xe0 + below(4)); /* loopne, loope, loop, jrcxz */
		jump_past(b, 1, below(3));
		break;
	case 4:
		put_byte(b, below(2) ? 0xe8 : 0xe9); /* call, jmp */
		jump_past(b, wide, below(2));
		break;
	case 5:
		put_byte(b, 0xeb);
		jump_past(b, 1, below(3));
		break;
	case 6: /* push target; ret */
		v = base + b->at + 2 + wide;
		put_byte(b, 0x68);
		put(b, &v, wide);
		note(b, from);
		from = b->at;
		put_byte(b, 0xc3);
		break;
	case 7: /* mov eax, target; jmp or call rax */
		v = base + b->at + 3 + wide;
		put_byte(b, 0xb8);
		put(b, &v, wide);
		note(b, from);
		from = b->at;
		put_byte(b, 0xff);
		put_byte(b, below(2) ? 0xe0 : 0xd0);
		break;
	case 8: /* push flags; popf */
		v = (uint32_t)draw() & (IA_ARITH | IA_DF);
		put_byte(b, 0x68);
		put(b, &v, wide);
		note(b, from);
		from = b->at;
		put_byte(b, 0x9d);
		break;
	case 9: /* push word; fldcw [rsp]: precision and rounding, all masked */
		v = 0x7f | (uint32_t)(draw() & 0xf00);
		put_byte(b, 0x68);
		put(b, &v, 4);
		note(b, from);
		from = b->at;
		put(b, "\xd9\x2c\x24", 3);
		break;
	case 10: /* push dword; ldmxcsr [rsp]: rounding, flush to zero, denormals are zeros; all masked */
		v = 0x1f80 | (uint32_t)(draw() & 0xe07f & (below(4) ? 0x603f : 0xffff));
		put_byte(b, 0x68);
		put(b, &v, 4);
		note(b, from);
		from = b->at;
		put(b, "\x0f\xae\x14\x24", 4);
		break;
	default: /* lea rbp, [rsp + n]; leave. In 32-bit code EBP is an index: lea is undone by the pop */
		if (bits != 64)
			return;
		put(b, "\x48\x8d\x6c\x24", 4);
		put_byte(b, below(16) * 8);
		note(b, from);
		from = b->at;
		put_byte(b, 0xc9);
		break;
	}
	note(b, from);
}

static uint64_t number(void)
{
	static const uint64_t some[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
					 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, 0x99 };

	return below(3) ? some[below(16)] : draw();
}

/* Numbers as bits: often small integers, ones and the like, sometimes anything. */
static void build_fp(struct machine *m)
{
	for (unsigned k = 0; k < 16; k++)
		for (unsigned n = 0; n < 2; n++) {
			double d = (double)(int64_t)(draw() >> below(64)) / (1 + below(9));
			float f[2] = { (float)d, (float)below(100) };

			switch (below(4)) {
			case 0: m->xmm[k][n] = number(); break;
			case 1: memcpy(&m->xmm[k][n], f, 8); break;
			default: memcpy(&m->xmm[k][n], &d, 8); break;
			}
		}
	for (unsigned k = 0; k < 8; k++) {
		uint64_t significand = below(4) ? draw() | 1ull << 63 : number();
		uint16_t exponent = (uint16_t)(below(8) ? (0x3fff - 70 + below(140)) | below(2) << 15 : draw());

		memcpy(m->st[k], &significand, 8);
		memcpy(m->st[k] + 8, &exponent, 2);
	}
	m->mxcsr = EMU_MXCSR_DEFAULT;
	m->cw = 0x37f;
	m->sw = (uint16_t)(draw() & 0x7f00);
	m->tags = (uint8_t)(below(3) ? 0xff : draw());
}

static void build(struct sequence *s, unsigned bits, uint64_t seed)
{
	struct builder b = { .s = s };
	unsigned base = bits == 16 ? 0 : DATA, at = base + 2048 + 8 * below(512);

	memset(s, 0, sizeof(*s));
	s->bits = bits;
	s->seed = seed;
	state_of_random = seed * 0x2545f4914f6cdd1dull + bits;
	for (unsigned k = 0; k < DATA_SIZE; k += 8) {
		uint64_t v = number();

		memcpy(s->in.data + k, &v, 8);
	}
	for (unsigned k = 0; k < 16; k++)
		s->in.r[k] = bits == 64 ? number() : k < 8 ? (uint32_t)number() : 0;
	s->in.r[IA_RCX] = below(2) ? below(40) : s->in.r[IA_RCX];
	s->in.r[IA_RSP] = at;
	if (bits == 16) /* the upper half is not looked at, and SP wraps */
		s->in.r[IA_RSP] = (below(2) ? 0x12340000u : 0) | (below(16) ? at : below(6));
	s->in.r[IA_RBX] = base + (below(8) ? 1024 + below(bits == 16 ? 2048 : 6144) : below(DATA_SIZE + 8000));
	s->in.r[IA_RSI] = base + (below(8) ? 1024 + below(bits == 16 ? 2048 : 6144) : below(DATA_SIZE + 8000));
	s->in.r[IA_RDI] = base + (below(8) ? 1024 + below(bits == 16 ? 2048 : 6144) : below(DATA_SIZE + 8000));
	s->in.r[index_register(bits)] = below(64);
	if (bits == 64)
		s->in.r[14] = DATA + 1024 + below(6144);
	s->in.rflags = (draw() & (IA_ARITH | (below(4) ? 0 : IA_DF))) | 0x202;
	s->in.rip = bits == 16 ? 0 : CODE;
	build_fp(&s->in);
	while (s->insns < INSNS) {
		if (below(8))
			add_row(&b);
		else
			add_special(&b);
		resolve_jumps(&b, false);
	}
	resolve_jumps(&b, true);
	s->insn[s->insns].at = (uint16_t)b.at;
	s->insn[s->insns++].undefined = b.undefined;
	put_byte(&b, 0xcc);
	s->len = b.at;
}

#endif
