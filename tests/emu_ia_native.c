/* x86 instructions against the processor of this machine, integer, x87, MMX to SSSE3. Random sequences of user-level instructions, built
 * from the rows of ia_insn.def, run natively in a child process and translated, on the IR interpreter and on
 * the back end: registers, flags, memory, the exception and its address must be equal. 64-bit code;
 * 32-bit code where the kernel lets a process have a 32-bit code segment; and 16-bit code in segments of a
 * local descriptor table that do not begin at 0, with a 16-bit stack.
 *
 * Flags that the SDM leaves undefined (the column of ia_op.def, and counts of shifts) are not compared, and
 * nothing reads them.
 *
 * EMU_IA_NATIVE=n runs so many instructions; EMU_IA_SEED=n begins elsewhere; EMU_IA_OP=name prefers rows of one
 * operation. A difference prints the seed that repeats it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/ldt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "emu/ia_state.h"
#include "emu/ia_translate.h"
#include "emu/world.h"

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

/* -- the hardware: a child process whose signal handler is the loader -- */

static const int gregs[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9,
			       REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
static struct sequence *batch;
static volatile int current = -1;

#define SEGMENTS32 0x23ull | 0x2bull << 48      /* CS and SS of 32-bit code, Linux' own */
#define SEGMENTS64 0x33ull | 0x2bull << 48
#define SEGMENTS16 0x07ull | 0x0full << 48      /* of the LDT, below */

/* Code at CODE, data and stack at DATA, 16 bits; the limit is 4 GiB. */
static void make_segments16(void)
{
	struct user_desc d = { .entry_number = 0, .base_addr = CODE, .limit = 0xfffff, .limit_in_pages = 1,
			       .contents = MODIFY_LDT_CONTENTS_CODE };

	if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)) != 0)
		_exit(5);
	d.entry_number = 1;
	d.base_addr = DATA;
	d.contents = MODIFY_LDT_CONTENTS_DATA;
	if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)) != 0)
		_exit(5);
}

/* The FXSAVE area of a signal frame (SDM volume 1, 10.5.1); the word at 512 says what the kernel restores. */
static void save_fp(const uint8_t *area, struct machine *m)
{
	memcpy(&m->cw, area, 2);
	memcpy(&m->sw, area + 2, 2);
	m->tags = area[4];
	memcpy(&m->mxcsr, area + 24, 4);
	for (unsigned k = 0; k < 8; k++)
		memcpy(m->st[k], area + 32 + 16 * k, 10);
	memcpy(m->xmm, area + 160, sizeof(m->xmm));
}

static void load_fp(uint8_t *area, const struct machine *m)
{
	memcpy(area, &m->cw, 2);
	memcpy(area + 2, &m->sw, 2);
	area[4] = m->tags;
	memcpy(area + 24, &m->mxcsr, 4);
	for (unsigned k = 0; k < 8; k++)
		memcpy(area + 32 + 16 * k, m->st[k], 10);
	memcpy(area + 160, m->xmm, sizeof(m->xmm));
	area[512] |= 3;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	greg_t *g = u->uc_mcontext.gregs;
	struct sequence *s;

	if (current >= 0) {
		s = &batch[current];
		for (unsigned k = 0; k < 16; k++)
			s->out.r[k] = (uint64_t)g[gregs[k]];
		s->out.rflags = (uint64_t)g[REG_EFL];
		s->out.rip = (uint64_t)g[REG_RIP] + (s->bits == 16 ? CODE : 0);
		s->out.signal = signal;
		s->out.addr = signal == SIGSEGV ? (uint64_t)(uintptr_t)info->si_addr : 0;
		save_fp((const uint8_t *)u->uc_mcontext.fpregs, &s->out);
		s->out.write = signal == SIGSEGV && (g[REG_ERR] & 2);
		memcpy(s->out.data, (void *)(uintptr_t)DATA, DATA_SIZE);
	}
	if (++current == (int)BATCH)
		_exit(0);
	s = &batch[current];
	memcpy((void *)(uintptr_t)DATA, s->in.data, DATA_SIZE);
	memcpy((void *)(uintptr_t)CODE, s->code, s->len);
	for (unsigned k = 0; k < 16; k++)
		g[gregs[k]] = (greg_t)s->in.r[k];
	g[REG_EFL] = (greg_t)s->in.rflags;
	g[REG_RIP] = (greg_t)s->in.rip;
	load_fp((uint8_t *)u->uc_mcontext.fpregs, &s->in);
	g[REG_CSGSFS] = (greg_t)(s->bits == 64 ? SEGMENTS64 : s->bits == 32 ? SEGMENTS32 : SEGMENTS16);
}

static void *map(uint64_t at, uint64_t size, int prot)
{
	void *p = mmap((void *)(uintptr_t)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return p == (void *)(uintptr_t)at ? p : NULL;
}

static void child(unsigned bits)
{
	static char stack[65536] __attribute__((aligned(16)));
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sa.sa_sigaction = on_signal;
	if (!map(CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) || !map(DATA, DATA_SIZE, PROT_READ | PROT_WRITE) ||
	    !map(DATA + DATA_SIZE, 4096, PROT_READ))
		_exit(3);
	sigaltstack(&alternative, NULL);
	for (unsigned k = 0; k < sizeof(signals) / sizeof(signals[0]); k++)
		sigaction(signals[k], &sa, NULL);
	/* a 64-bit process has empty DS and ES, which 32-bit code cannot use */
	if (bits == 16)
		make_segments16();
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(bits == 16 ? 0x0f : 0x2b));
	alarm(60);
	raise(SIGTRAP);
	_exit(4);
}

/* False: the child died (a kernel without 32-bit code, say). */
static bool run_natively(unsigned bits)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		child(bits);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail_msg("no child process");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* -- translated -- */

static unsigned translate16(struct emu_xlat *x, const uint8_t *code, unsigned avail)
{
	static const struct emu_ia_mode mode = { .bits = 16, .user = true, .stack_bytes = 2, .cs_base = CODE };

	return emu_ia_translate(x, &mode, code, avail);
}

static enum emu_exc assist16(struct emu_cpu *cpu)
{
	return emu_ia_assist(cpu, 16);
}

static const struct emu_guest *guest(unsigned bits)
{
	static struct emu_guest g16;

	if (bits != 16)
		return bits == 64 ? &emu_guest_ia64 : &emu_guest_ia32;
	g16 = emu_guest_ia32;
	g16.name = "i386, 16 bits";
	g16.translate = translate16;
	g16.assist = assist16;
	return &g16;
}

static struct emu_world *worlds[3][2];

static struct emu_world *world(unsigned bits, bool interp)
{
	struct emu_world **at = &worlds[bits / 32][interp];
	struct emu_options o = { .interp = interp };
	struct rs_err err = RS_ERR_INIT;
	int rwx = PROT_READ | PROT_WRITE | PROT_EXEC;

	if (*at)
		return *at;
	*at = emu_world_new(guest(bits), &o, NULL, &err);
	assert_non_null(*at);
	assert_int_equal(emu_mem_map(&(*at)->mem, CODE, CODE_SIZE, rwx, MAP_PRIVATE, -1, 0), 0);
	assert_int_equal(emu_mem_map(&(*at)->mem, DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0), 0);
	assert_int_equal(emu_mem_map(&(*at)->mem, DATA + DATA_SIZE, 4096, PROT_READ, MAP_PRIVATE, -1, 0), 0);
	return *at;
}

static void fp_to_cpu(const struct machine *m, struct emu_cpu *cpu, struct emu_ia_cpu *state)
{
	emu_ia_fpu_init(state);
	for (unsigned k = 0; k < 16; k++)
		memcpy(cpu->v[k].q, m->xmm[k], 16);
	state->mxcsr = m->mxcsr;
	state->x87.cw = m->cw;
	state->x87.sw = m->sw;
	state->x87.tag = 0;
	for (unsigned k = 0; k < 8; k++)
		state->x87.tag |= (uint16_t)((m->tags >> k & 1 ? 0u : 3u) << 2 * k);
	memcpy(state->x87.st, m->st, sizeof(m->st));
}

static void fp_from_cpu(struct machine *m, const struct emu_cpu *cpu, const struct emu_ia_cpu *state)
{
	for (unsigned k = 0; k < 16; k++)
		memcpy(m->xmm[k], cpu->v[k].q, 16);
	m->mxcsr = state->mxcsr;
	m->cw = state->x87.cw;
	m->sw = state->x87.sw;
	for (unsigned k = 0; k < 8; k++)
		m->tags |= (uint8_t)(((state->x87.tag >> 2 * k & 3) != 3) << k);
	memcpy(m->st, state->x87.st, sizeof(m->st));
}

static void run_translated(const struct sequence *s, bool interp, struct machine *out)
{
	struct emu_world *w = world(s->bits, interp);
	struct emu_cpu *cpu = w->cpus ? w->cpus : emu_cpu_new(w, NULL);
	struct emu_ia_cpu state;
	enum emu_exc exc;

	cpu->tls = (uint64_t)(uintptr_t)&state;
	fp_to_cpu(&s->in, cpu, &state);
	memset(out, 0, sizeof(*out));
	memcpy(cpu->r, s->in.r, sizeof(s->in.r));
	emu_ia_set_rflags(cpu, s->in.rflags);
	for (unsigned k = IA_ES; k <= IA_GS; k++)
		cpu->r[IA_G_SEGBASE + k] = s->bits != 16 ? 0 : k == IA_CS ? CODE : DATA;
	cpu->pc = s->in.rip + cpu->r[IA_G_SEGBASE + IA_CS];
	assert_true(emu_mem_write(&w->mem, DATA, s->in.data, DATA_SIZE));
	assert_true(emu_mem_write(&w->mem, CODE, s->code, s->len));
	exc = emu_cpu_run(cpu);
	memcpy(out->r, cpu->r, sizeof(out->r));
	out->rflags = emu_ia_rflags(cpu);
	out->rip = cpu->pc;
	out->signal = exc == EMU_EXC_SEGV ? SIGSEGV : exc == EMU_EXC_VECTOR + 13 ? SIGSEGV
		      : exc == EMU_EXC_VECTOR + 0 ? SIGFPE : exc == EMU_EXC_VECTOR + 6 ? SIGILL
		      : exc == EMU_EXC_VECTOR + 3 ? SIGTRAP : 1000 + (int)exc;
	out->addr = exc == EMU_EXC_SEGV ? cpu->fault_addr : 0;
	out->write = exc == EMU_EXC_SEGV && cpu->fault_write;
	fp_from_cpu(out, cpu, &state);
	assert_true(emu_mem_read(&w->mem, DATA, out->data, DATA_SIZE));
}

/* -- comparing -- */

static uint16_t compared_flags(const struct sequence *s, uint64_t rip, int signal)
{
	uint64_t at = rip - CODE - (signal == SIGTRAP);

	for (unsigned k = 0; k < s->insns; k++)
		if (s->insn[k].at == at) /* REPE CMPS puts the flags back when it faults; they are of no use then */
			return s->insn[k].rep_compare ? IA_DF : (IA_ARITH | IA_DF) & ~s->insn[k].undefined;
	return IA_ARITH | IA_DF;
}

static void show_fp(const struct machine *in, const struct machine *want, const struct machine *got)
{
	for (unsigned k = 0; k < 16; k++)
		if (memcmp(want->xmm[k], got->xmm[k], 16) != 0)
			print_message("xmm%u %016llx%016llx native %016llx%016llx translated %016llx%016llx\n", k,
				      (unsigned long long)in->xmm[k][1], (unsigned long long)in->xmm[k][0],
				      (unsigned long long)want->xmm[k][1], (unsigned long long)want->xmm[k][0],
				      (unsigned long long)got->xmm[k][1], (unsigned long long)got->xmm[k][0]);
	for (unsigned k = 0; k < 8; k++) {
		uint64_t w, g;

		memcpy(&w, want->st[k], 8);
		memcpy(&g, got->st[k], 8);
		if (memcmp(want->st[k], got->st[k], 10) != 0)
			print_message("st%u native %02x%02x %016llx translated %02x%02x %016llx\n", k, want->st[k][9],
				      want->st[k][8], (unsigned long long)w, got->st[k][9], got->st[k][8],
				      (unsigned long long)g);
	}
	print_message("mxcsr %x %x; cw %x %x; sw %x %x; tags %x %x\n", want->mxcsr, got->mxcsr, want->cw, got->cw,
		      want->sw, got->sw, want->tags, got->tags);
}

static void show(const struct sequence *s, const struct machine *got, const char *engine)
{
	static const char *const names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9",
					       "r10", "r11", "r12", "r13", "r14", "r15" };
	const struct machine *want = &s->out;

	for (unsigned k = 0; k < s->insns; k++) {
		unsigned at = s->insn[k].at, n = k + 1 < s->insns ? s->insn[k + 1].at - at : 1;
		struct emu_ia_insn i;
		char name[16];

		emu_ia_decode(s->code + at, IA_INSN_MAX, s->bits, &i);
		print_message("%08x %-8s", CODE + at, emu_ia_name(&i, name));
		for (unsigned m = 0; m < n; m++)
			print_message(" %02x", s->code[at + m]);
		print_message("\n");
	}
	print_message("%s, %u bits, EMU_IA_SEED=%llu\n", engine, s->bits, (unsigned long long)s->seed);
	for (unsigned k = 0; k < 16; k++)
		print_message("%4s %16llx native %16llx translated %16llx%s\n", names[k], (unsigned long long)s->in.r[k],
			      (unsigned long long)want->r[k], (unsigned long long)got->r[k],
			      want->r[k] == got->r[k] ? "" : "  <--");
	print_message("flags %llx native %llx translated %llx compared %x\n", (unsigned long long)s->in.rflags,
		      (unsigned long long)want->rflags, (unsigned long long)got->rflags,
		      compared_flags(s, want->rip, want->signal));
	print_message("rip native %llx translated %llx; signal %d, %d; address %llx, %llx\n",
		      (unsigned long long)want->rip, (unsigned long long)got->rip, want->signal, got->signal,
		      (unsigned long long)want->addr, (unsigned long long)got->addr);
	show_fp(&s->in, want, got);
	for (unsigned k = 0; k < DATA_SIZE; k++)
		if (want->data[k] != got->data[k]) {
			print_message("memory %x: was %02x native %02x translated %02x\n", DATA + k, s->in.data[k],
				      want->data[k], got->data[k]);
			break;
		}
}

/* The instruction that faulted, or -1. */
static int faulting(const struct sequence *s)
{
	for (unsigned k = 0; k < s->insns; k++)
		if (s->insn[k].at == s->out.rip - CODE && s->out.signal != SIGTRAP)
			return (int)k;
	return -1;
}

/* An instruction that reads and writes one operand has it checked for both before it reads, in hardware; here
 * the read comes first: the fault may be another one, on the other page, and only its kind differs. */
static bool same_fault(const struct sequence *s, const struct machine *got)
{
	const struct machine *want = &s->out;

	/* over the end of a segment of 4 GiB: #GP there; limits are no business of translated code */
	if (s->bits == 16 && !want->addr && got->addr < DATA && got->addr >= DATA - 16)
		return true;
	if (want->write && !got->write)
		return want->addr == got->addr || (got->addr == DATA + DATA_SIZE + 4096 && want->addr > got->addr - 16 &&
						   want->addr < got->addr);
	return want->addr == got->addr && want->write == got->write;
}

/* An MMX instruction that faults may have turned the x87's registers already, or not: hardware has. */
static bool same_x87(const struct sequence *s, const struct machine *got)
{
	const struct machine *want = &s->out;

	int k = faulting(s);

	if (k >= 0 && s->insn[k].mmx)
		return true;
	return memcmp(want->st, got->st, sizeof(want->st)) == 0 && want->cw == got->cw && want->sw == got->sw &&
	       want->tags == got->tags;
}

/* A store of 10 bytes over the end of the last page leaves its first 8 in memory, in hardware. */
static bool same_memory(const struct sequence *s, const struct machine *got)
{
	int k = faulting(s);

	if (k >= 0 && s->out.addr == DATA + DATA_SIZE && (s->insn[k].op == IA_fstp || s->insn[k].op == IA_fbstp))
		return memcmp(s->out.data, got->data, DATA_SIZE - 10) == 0;
	return memcmp(s->out.data, got->data, DATA_SIZE) == 0;
}

static bool same(const struct sequence *s, const struct machine *got)
{
	const struct machine *want = &s->out;
	uint64_t diff = want->rflags ^ got->rflags;
	unsigned n = s->bits == 64 ? 16 : 8;
	struct machine m = *want;

	if (s->bits == 16) /* the kernel does not keep the upper half of a 16-bit stack pointer */
		m.r[IA_RSP] = (m.r[IA_RSP] & 0xffff) | (got->r[IA_RSP] & ~0xffffull);
	return memcmp(m.r, got->r, n * sizeof(m.r[0])) == 0 && want->rip == got->rip &&
	       want->signal == got->signal && same_fault(s, got) &&
	       memcmp(want->xmm, got->xmm, (s->bits == 64 ? 16 : 8) * sizeof(want->xmm[0])) == 0 &&
	       same_x87(s, got) && want->mxcsr == got->mxcsr && !(diff & compared_flags(s, want->rip, want->signal)) &&
	       same_memory(s, got);
}

/* How many instructions of the sequence ran, those that a branch skipped among them. */
static unsigned reached(const struct sequence *s)
{
	unsigned k = 0;

	while (k + 1 < s->insns && s->insn[k].at < s->out.rip - CODE)
		k++;
	return k;
}

static bool met[IA_OPS];

static unsigned long run_batch(unsigned bits, uint64_t seed, unsigned long *ended)
{
	unsigned long insns = 0;
	struct machine *got = malloc(sizeof(*got));

	for (unsigned k = 0; k < BATCH; k++)
		build(&batch[k], bits, seed + k);
	if (!run_natively(bits)) {
		free(got);
		return 0;
	}
	for (unsigned k = 0; k < BATCH; k++) {
		for (unsigned interp = 0; interp < 2; interp++) {
			run_translated(&batch[k], interp, got);
			if (!same(&batch[k], got)) {
				show(&batch[k], got, interp ? "interpreter" : "back end");
				fail_msg("a difference");
			}
		}
		for (unsigned n = 0; n <= reached(&batch[k]); n++) /* the one that faulted, too */
			met[batch[k].insn[n].op] = true;
		insns += reached(&batch[k]);
		ended[batch[k].out.signal == SIGTRAP ? 0 : batch[k].out.signal == SIGSEGV ? 1
		      : batch[k].out.signal == SIGFPE ? 2 : 3]++;
	}
	free(got);
	return insns;
}

static void test_native(unsigned bits)
{
	uint64_t want = setting("EMU_IA_NATIVE", 150000) / 3, seed = setting("EMU_IA_SEED", 1);
	unsigned long done = 0, ended[4] = { 0 };

	while (done < want) {
		unsigned long n = run_batch(bits, seed, ended);

		if (!n && !done && bits != 64) {
			print_message("skipped: this kernel runs no %u-bit code\n", bits);
			skip();
		}
		assert_true(n > 0);
		done += n;
		seed += BATCH;
	}
	print_message("%u bits: %lu instructions, ended by int3 %lu, page fault %lu, #DE %lu, #UD %lu; no difference\n",
		      bits, done, ended[0], ended[1], ended[2], ended[3]);
	if (want < 50000 || getenv("EMU_IA_OP"))
		return;
	assert_true(ended[0] && ended[1] && ended[2] && ended[3]);
	for (unsigned k = 0; k < emu_ia_row_count; k++)
		if (tested(&emu_ia_rows[k]) && !(emu_ia_rows[k].attr & (bits == 64 ? IA_A_I64 : IA_A_O64 | IA_A_W1)) &&
		    !met[emu_ia_rows[k].op])
			fail_msg("%s was never met", emu_ia_ops[emu_ia_rows[k].op].name);
}

static void test_64(void **state)
{
	(void)state;
	test_native(64);
}

static void test_32(void **state)
{
	(void)state;
	test_native(32);
}

static void test_16(void **state)
{
	(void)state;
	test_native(16);
}

static int setup(void **state)
{
	(void)state;
	batch = mmap(NULL, BATCH * sizeof(*batch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return batch == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 6; k++)
		emu_world_free(worlds[k / 2][k % 2]);
	munmap(batch, BATCH * sizeof(*batch));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_64),
		cmocka_unit_test(test_32),
		cmocka_unit_test(test_16),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
