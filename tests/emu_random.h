/* A made-up guest for tests: each 32-bit word of its code is the seed of one "instruction", a few random
 * operations of the IR with registers, constants, local temps, memory, branches. So every operation of
 * ops.def is met, with every pass, whatever a real guest would use. A few words mean something that
 * tests ask for (translate()).
 */
#ifndef TESTS_EMU_RANDOM_H
#define TESTS_EMU_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "emu/world.h"

#define CODE 0x20000u
#define CODE_WORDS 1024u
#define DATA 0x100000u
#define DATA_SIZE 0x4000u

static uint64_t mix(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* -- the made-up guest -- */

struct maker {
	struct emu_xlat *x;
	uint64_t s;
	uint16_t local[4], flocal[4];
	unsigned locals, flocals;
};

static uint64_t pick(struct maker *m, uint64_t n)
{
	return mix(&m->s) % n;
}

static int64_t number(struct maker *m)
{
	static const int64_t some[] = { 0, 1, -1, 2, 63, 64, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
					INT64_MIN, INT64_MAX, INT32_MIN, -2048 };

	return pick(m, 3) ? some[pick(m, 16)] : (int64_t)mix(&m->s);
}

static uint16_t reg(struct maker *m)
{
	return EMU_R(1 + pick(m, 31));
}

static uint16_t in(struct maker *m)
{
	if (m->locals && pick(m, 3) == 0)
		return m->local[pick(m, m->locals)];
	return pick(m, 4) ? reg(m) : emu_ir_const(m->x->ir, number(m));
}

static uint16_t out(struct maker *m)
{
	if (m->locals < 4 && pick(m, 3) == 0)
		return EMU_NOTEMP; /* a new local, once the operands have been chosen */
	return reg(m);
}

static uint16_t fin(struct maker *m)
{
	return m->flocals && pick(m, 3) == 0 ? m->flocal[pick(m, m->flocals)] : EMU_F(pick(m, 32));
}

static void emit(struct maker *m, unsigned op, unsigned aux, uint16_t d, uint16_t a, uint16_t b, uint16_t c)
{
	if (d == EMU_NOTEMP)
		d = m->local[m->locals++] = emu_ir_temp(m->x->ir);
	emu_ir_emit(m->x->ir, op, aux, d, a, b, c, 0);
}

static unsigned condition(struct maker *m)
{
	return (unsigned)pick(m, EMU_CONDS) | (pick(m, 2) ? EMU_C32 : 0);
}

static void integer(struct maker *m)
{
	unsigned op = EMU_OP_MOV + (unsigned)pick(m, EMU_OP_MAXU - EMU_OP_MOV + 1);
	unsigned shape = m->x->ir->shape[op], aux = op == EMU_OP_SETCOND ? condition(m) : (unsigned)pick(m, 2);
	uint16_t a = in(m), b = shape & EMU_HAS_B ? in(m) : EMU_NOTEMP, c = shape & EMU_HAS_C ? in(m) : EMU_NOTEMP;

	emit(m, op, aux, out(m), a, b, c);
}

/* d = a cond b ? c : e, as the back end makes one conditional move of it */
static void choose(struct maker *m)
{
	struct emu_ir *ir = m->x->ir;
	uint16_t t = emu_ir_temp(ir), c = in(m), e = in(m);

	emu_ir_emit(ir, EMU_OP_SETCOND, condition(m), t, in(m), in(m), EMU_NOTEMP, 0);
	emit(m, EMU_OP_SELECT, 0, out(m), t, c, e);
}

/* d = a << n >> n, through a register that may be a or d: an extension for some n */
static void extend(struct maker *m)
{
	struct emu_ir *ir = m->x->ir;
	uint16_t a = in(m), t = pick(m, 2) ? emu_ir_temp(ir) : EMU_R(9 + pick(m, 4)), d = pick(m, 2) ? t : out(m);
	int64_t n = 32 + 8 * (int64_t)pick(m, 4);

	emu_ir_2i(ir, EMU_OP_SHL, t, a, n);
	emit(m, pick(m, 2) ? EMU_OP_SHR : EMU_OP_SAR, 0, d, t, emu_ir_const(ir, n), EMU_NOTEMP);
	emit(m, EMU_OP_SEXT32, 0, out(m), in(m), EMU_NOTEMP, EMU_NOTEMP);
}

/* d = two parts of a, joined: a rotation when the counts fit together, nothing was written in between, and the
 * upper part is extended as it must be */
static void rotate(struct maker *m)
{
	static const uint8_t join[4] = { EMU_OP_OR, EMU_OP_XOR, EMU_OP_ADD, EMU_OP_ADD32 };
	struct emu_ir *ir = m->x->ir;
	bool narrow = pick(m, 2);
	int64_t n = 1 + (int64_t)pick(m, narrow ? 31 : 63), k = (narrow ? 32 : 64) - (pick(m, 8) ? n : (int64_t)pick(m, 32));
	uint16_t a = in(m), down = pick(m, 2) ? emu_ir_temp(ir) : reg(m), up = pick(m, 2) ? emu_ir_temp(ir) : reg(m), t;

	emu_ir_2i(ir, narrow ? EMU_OP_SHR32 : EMU_OP_SHR, down, a, n);
	if (narrow && pick(m, 2))
		emu_ir_1(ir, EMU_OP_SEXT32, down, down);
	emu_ir_2i(ir, narrow ? EMU_OP_SHL32 : EMU_OP_SHL, up, a, k);
	if (narrow && pick(m, 2)) {
		t = reg(m);
		emu_ir_1(ir, EMU_OP_SEXT32, t, up);
		up = t;
	}
	if (pick(m, 6) == 0)
		integer(m);
	if (pick(m, 2)) {
		t = up;
		up = down;
		down = t;
	}
	emit(m, join[pick(m, 4)], 0, out(m), down, up, EMU_NOTEMP);
}

/* A number of a width from a register: unboxed when it has 32 bits. */
static uint16_t operand(struct maker *m, unsigned w)
{
	uint16_t f = fin(m), t;

	if (w == EMU_W64)
		return f;
	t = emu_ir_ftemp(m->x->ir);
	emu_ir_1(m->x->ir, EMU_OP_FUNBOX, t, f);
	return t;
}

static void result(struct maker *m, unsigned w, uint16_t t, bool canon)
{
	uint16_t d = EMU_F(pick(m, 32)), n = t;

	if (canon && w == EMU_W64 && pick(m, 4)) { /* in one step, as RISC-V's arithmetic */
		emu_ir_emit(m->x->ir, EMU_OP_FCANON, w, d, t, EMU_NOTEMP, EMU_NOTEMP, 0);
		return;
	}
	if (canon) {
		n = emu_ir_ftemp(m->x->ir);
		emu_ir_emit(m->x->ir, EMU_OP_FCANON, w, n, t, EMU_NOTEMP, EMU_NOTEMP, 0);
	}
	emu_ir_1(m->x->ir, w == EMU_W64 ? EMU_OP_FMOV : EMU_OP_FBOX, d, n);
}

static void floating(struct maker *m)
{
	unsigned op = EMU_OP_FADD + (unsigned)pick(m, EMU_OP_FTOF - EMU_OP_FADD + 1), w = (unsigned)pick(m, 2);
	unsigned shape = m->x->ir->shape[op], aux = w;
	struct emu_ir *ir = m->x->ir;
	bool rm = pick(m, 8) == 0;
	uint16_t a, b = EMU_NOTEMP, c = EMU_NOTEMP, d;

	if (op == EMU_OP_FTOI || op == EMU_OP_ITOF) {
		aux = (unsigned)pick(m, op == EMU_OP_FTOI ? 16 : 8);
		w = aux & EMU_CV_W64 ? EMU_W64 : EMU_W32;
	}
	a = op == EMU_OP_ITOF ? in(m) : operand(m, op == EMU_OP_FTOF ? !w : w);
	if (shape & EMU_HAS_B)
		b = pick(m, 4) ? operand(m, w) : a;
	if (shape & EMU_HAS_C)
		c = operand(m, w);
	if (rm)
		emu_ir_emit(ir, EMU_OP_FRM, (unsigned)pick(m, 4), EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, 0);
	if (shape & EMU_HAS_FPD) {
		d = emu_ir_ftemp(ir);
		emu_ir_emit(ir, op, aux, d, a, b, c, 0);
	} else {
		emit(m, op, aux, out(m), a, b, c);
		d = EMU_NOTEMP;
	}
	if (rm)
		emu_ir_emit(ir, EMU_OP_FRM, EMU_RDYN, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, 0);
	if (d != EMU_NOTEMP)
		result(m, w, d, op < EMU_OP_FMIN || op > EMU_OP_FSGNJX);
}

static void bits(struct maker *m)
{
	struct emu_ir *ir = m->x->ir;

	if (pick(m, 2))
		emu_ir_1(ir, EMU_OP_MOVIF, EMU_F(pick(m, 32)), in(m));
	else
		emit(m, EMU_OP_MOVFI, 0, out(m), fin(m), EMU_NOTEMP, EMU_NOTEMP);
}

/* Mostly inside the data, sometimes at its end (a fault), with high bits that do not count. */
static uint16_t address(struct maker *m, unsigned align)
{
	struct emu_ir *ir = m->x->ir;
	uint16_t t = emu_ir_temp(ir), u = emu_ir_temp(ir);

	if (pick(m, 8) == 0)
		return emu_ir_const(ir, (int64_t)(DATA + (pick(m, DATA_SIZE / 16) * 16)));
	emu_ir_2i(ir, EMU_OP_AND, t, in(m), (int64_t)((DATA_SIZE - 1) & ~(align - 1)));
	emu_ir_2i(ir, EMU_OP_ADD, u, t, (int64_t)(DATA | (pick(m, 4) ? 0 : 0xabull << 40)));
	return u;
}

static void memory(struct maker *m)
{
	struct emu_ir *ir = m->x->ir;
	unsigned kind = (unsigned)pick(m, 10), size = (unsigned)pick(m, 4), align = pick(m, 64) ? 8 : 1;
	int64_t imm = (int64_t)pick(m, 64) - 24;
	uint16_t a, b;

	if (kind >= 7) { /* atomics: operand b first, since d may be it */
		a = address(m, align);
		b = in(m);
		if (pick(m, 6) == 0) {
			emit(m, EMU_OP_CAS, size, reg(m), a, b, in(m));
			return;
		}
		size |= size < 3 && pick(m, 2) ? EMU_MSIGN : 0;
		if (kind == 7)
			emit(m, EMU_OP_LR, size, reg(m), a, EMU_NOTEMP, EMU_NOTEMP);
		else if (kind == 8)
			emit(m, EMU_OP_SC, size & 7, reg(m), a, b, EMU_NOTEMP);
		else
			emit(m, EMU_OP_AMO, (unsigned)pick(m, 9) << 4 | size, reg(m), a, b, EMU_NOTEMP);
		return;
	}
	a = address(m, 1);
	b = in(m);
	if (kind < 3)
		emu_ir_emit(ir, EMU_OP_LD, size | (size < 3 && pick(m, 2) ? EMU_MSIGN : 0u), reg(m), a, EMU_NOTEMP,
			    EMU_NOTEMP, imm);
	else if (kind < 5)
		emu_ir_st(ir, size, b, a, imm);
	else if (kind == 5)
		emu_ir_emit(ir, EMU_OP_FST, size & 1, EMU_NOTEMP, a, fin(m), EMU_NOTEMP, imm);
	else
		emu_ir_emit(ir, EMU_OP_FLD, EMU_W64, EMU_F(pick(m, 32)), a, EMU_NOTEMP, EMU_NOTEMP, imm);
}

static void (*on_helper)(void); /* called by each of them; NULL: nothing is */

static uint64_t helper(struct emu_cpu *cpu, uint64_t a, uint64_t b)
{
	if (on_helper)
		on_helper();
	return a * 3 + (b ^ emu_cpu_fflags(cpu));
}

/* if (a cond b) d = c, by a branch inside the instruction */
static void inner(struct maker *m)
{
	struct emu_ir *ir = m->x->ir;
	int64_t l = emu_ir_label(ir);
	uint16_t a = in(m), b = in(m);

	emu_ir_emit(ir, EMU_OP_BRCOND, condition(m), EMU_NOTEMP, a, b, EMU_NOTEMP, l);
	integer(m);
	emu_ir_emit(ir, EMU_OP_LABEL, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, l);
	m->locals = m->flocals = 0;
}

static unsigned translate(struct emu_xlat *x, const uint8_t *code, unsigned avail)
{
	struct maker m = { .x = x };
	uint32_t word;
	unsigned n;

	if (avail < 4)
		return 0;
	memcpy(&word, code, 4);
	x->next = x->pc + 4;
	m.s = word;
	if (word == 0) {
		emu_x_exception(x, EMU_EXC_SYSCALL);
		return 4;
	}
	if (word == 2 || word == 4) { /* for ever: by itself, or by way of the indirect-branch cache */
		emu_ir_2i(x->ir, EMU_OP_ADD, EMU_R(5), EMU_R(5), 1);
		if (word == 2)
			emu_x_jump(x, x->pc);
		else
			emu_x_jump_reg(x, EMU_R(6), EMU_JUMP_PLAIN);
		return 4;
	}
	if (word >> 8 == 6) { /* r5 = low byte */
		emu_ir_1(x->ir, EMU_OP_MOV, EMU_R(5), emu_ir_const(x->ir, word & 0xff));
		return 4;
	}
	switch (word) {
	case 8: /* the word at r7 becomes r8 */
		emu_ir_st(x->ir, EMU_M32, EMU_R(8), EMU_R(7), 0);
		return 4;
	case 10: /* a helper */
		emu_ir_call(x->ir, helper, EMU_R(9), EMU_R(9), EMU_R(5));
		return 4;
	case 12: /* a call of what stands two words on; the return from there; two words back */
		emu_ir_1(x->ir, EMU_OP_MOV, EMU_R(1), emu_ir_const(x->ir, (int64_t)x->next));
		emu_x_call(x, x->pc + 8);
		return 4;
	case 14: emu_x_jump_reg(x, EMU_R(1), EMU_JUMP_RET); return 4;
	case 16: emu_x_jump(x, x->pc - 8); return 4;
	}
	n = 1 + (unsigned)pick(&m, 4);
	for (unsigned i = 0; i < n; i++) {
		unsigned kind = (unsigned)pick(&m, 32);

		if (kind < 2)
			extend(&m);
		else if (kind < 16)
			integer(&m);
		else if (kind < 18)
			choose(&m);
		else if (kind < 24)
			floating(&m);
		else if (kind < 26)
			bits(&m);
		else if (kind < 27)
			emu_ir_call(x->ir, helper, reg(&m), in(&m), in(&m));
		else if (kind < 29)
			inner(&m);
		else if (kind < 30)
			rotate(&m);
	}
	switch (pick(&m, 10)) {
	case 0: case 1: memory(&m); break;
	case 2: emu_x_branch(x, condition(&m), in(&m), in(&m), x->pc + 8 + 4 * (pick(&m, 2) * pick(&m, 6))); break;
	case 3:
		if (pick(&m, 4) == 0)
			emu_x_jump(x, x->pc + 8 + 4 * pick(&m, 6));
		break;
	case 4:
		if (pick(&m, 8) == 0)
			emu_x_jump_reg(x, emu_ir_const(x->ir, (int64_t)(x->pc + 4 + 4 * pick(&m, 6))),
				       (unsigned)pick(&m, 3)); /* plain, call, return */
		else if (pick(&m, 8) == 0)
			emu_x_call(x, x->pc + 4 + 4 * pick(&m, 3));
		break;
	default: break;
	}
	return 4;
}

static const uint16_t hot[] = { 15, 14, 13, 12, 10, 11, 2, 8, 9, 18, 16, EMU_NOTEMP };
static const uint16_t hot_fp[] = { EMU_F(15), EMU_F(14), EMU_F(13), EMU_F(12), EMU_F(11), EMU_F(10), EMU_F(0), EMU_F(1),
				   EMU_F(2), EMU_F(3), EMU_F(4), EMU_F(5), EMU_NOTEMP };
static const struct emu_guest guest = {
	.name = "random", .insn_align = 4, .insn_max = 4, .hot = hot, .hot_fp = hot_fp, .translate = translate,
};

/* -- a world with a random program -- */

struct side {
	struct emu_world *w;
	struct emu_cpu *cpu;
	enum emu_exc exc;
};

static void side_start(struct side *s, const struct emu_options *opt, uint64_t seed)
{
	struct rs_err err = RS_ERR_INIT;
	uint8_t *p;

	s->w = emu_world_new(&guest, opt, NULL, &err);
	if (!s->w)
		fail_msg("%s", err.text[0]);
	assert_int_equal(emu_mem_map(&s->w->mem, CODE, CODE_WORDS * 4, PROT_READ | PROT_WRITE | PROT_EXEC,
				     MAP_PRIVATE, -1, 0), 0);
	assert_int_equal(emu_mem_map(&s->w->mem, DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0), 0);
	p = emu_mem_host(&s->w->mem, CODE, CODE_WORDS * 4, PROT_WRITE);
	for (unsigned i = 0; i < CODE_WORDS - 16; i++) {
		uint32_t word = (uint32_t)mix(&seed) | 1;

		memcpy(p + 4 * i, &word, 4);
	}
	p = emu_mem_host(&s->w->mem, DATA, DATA_SIZE, PROT_WRITE);
	for (unsigned i = 0; i < DATA_SIZE; i++)
		p[i] = (uint8_t)mix(&seed);
	s->cpu = emu_cpu_new(s->w, NULL);
	for (unsigned i = 1; i < 32; i++)
		s->cpu->r[i] = mix(&seed) % 3 ? mix(&seed) : mix(&seed) % 256;
	for (unsigned i = 0; i < 32; i++) {
		uint64_t v = mix(&seed), k = mix(&seed) % 4;

		if (k == 0)
			v |= 0xffffffff00000000ull;
		if (k == 1)
			v = (v & 0x800fffffffffffffull) | (1000 + v % 60) << 52;
		if (k == 2)
			v = (v & 0x807fffff) | (100 + v % 60) << 23 | 0xffffffff00000000ull;
		s->cpu->v[i].q[0] = v;
	}
	s->cpu->pc = CODE;
}

#endif
