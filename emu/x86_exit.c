/* Ways through a block of x86-64 code and out of it: branches, labels, calls and returns, jumps, exceptions. */
#include "emu/x86_gen.h"

/* The `len` bytes that come next, a jump, stand inside one piece of WINDOW bytes and do not end with it: then
 * its displacement crosses no cache line (it is patched while others run it), and the decoded-code cache of
 * Intel's processors from Skylake to Comet Lake takes it (the erratum "jump conditional code", SKX102). */
#define WINDOW 32u
static unsigned padding(const uint8_t *at, unsigned len)
{
	unsigned in = (unsigned)((uintptr_t)at % WINDOW);

	return in + len >= WINDOW ? WINDOW - in : 0;
}

static void pad_for(struct gen *g, unsigned len)
{
	as_nop(&g->as, padding(g->as.p, len));
}

uint8_t *gen_jcc(struct gen *g, unsigned cc, uint8_t *compare)
{
	uint8_t kept[WINDOW];
	unsigned len = (unsigned)(g->as.p - compare);

	if (len + 6 >= WINDOW)
		len = 0;
	if (!g->as.full) { /* the comparison before it comes along: processors take both as one */
		memcpy(kept, g->as.p - len, len);
		g->as.p -= len;
		pad_for(g, len + 6);
		for (unsigned i = 0; i < len; i++)
			as8(&g->as, kept[i]);
	}
	return as_jcc(&g->as, cc);
}

static void exit_at(struct gen *g, unsigned number, const uint8_t *displacement)
{
	struct emu_exit *e = &g->b->exit[number];

	e->patch = (uint32_t)(displacement - g->x->rw);
}

/* Before every way out of a piece of straight code. */
static void count_insns(struct gen *g)
{
	if (g->w->opt.count && g->insn)
		as_alu_mi(&g->as, true, ALU_ADD, RBP, CPU_OFF(insns), (int32_t)g->insn);
	g->insn = 0;
}

/* -- calls: a host call leads to the callee, and the guest's return is a host return. It brings the guest
 * address in rax, which the place that it comes to compares with the one that belongs there. -- */

static void make_room(struct gen *g)
{
	struct cold *c = gen_cold(g, COLD_FULL);
	uint8_t *compare = g->as.p;

	as_rm(&g->as, true, 0x3b, RSP, RBP, CPU_OFF(ret_limit));
	c->from[0] = gen_jcc(g, CC_B, compare);
	c->back = g->as.p;
}

static void landing(struct gen *g, const struct emu_op *op)
{
	unsigned number = g->link->aux;
	struct emu_exit *e = &g->b->exit[number];
	int64_t pc = g->link->imm;
	uint8_t *compare = g->as.p, *at;

	if (pc == (int32_t)pc) {
		as_alu_ri(&g->as, true, ALU_CMP, RAX, (int32_t)pc);
	} else {
		as_mov_ri(&g->as, RCX, pc);
		compare = g->as.p;
		as_alu_rr(&g->as, true, ALU_CMP, RAX, RCX);
	}
	e->pc = (uint64_t)pc;
	g->link = NULL;
	gen_forget(g);
	e->landing = g->at + 1 < g->ir->ops && op[1].op == EMU_OP_LANDING;
	at = gen_jcc(g, CC_NE, compare);
	as_patch(at, gen_rw(g, g->x->ret_miss));
	if (e->landing) /* emu_x86_close writes there */
		e->patch = (uint32_t)(at - 2 - g->x->rw);
	if (e->landing) {
		gen_swap(g, &g->x->pins, g->pins);
		return;
	}
	if (gen_is_far(g, (uint64_t)pc)) { /* it is in rax */
		as_patch(as_jmp(&g->as), gen_rw(g, g->x->look));
		return;
	}
	pad_for(g, 5);
	exit_at(g, number, as_jmp(&g->as));
}

static void emit_return(struct gen *g, uint16_t a)
{
	int reg = gen_use(g, a);

	as_mov_rr(&g->as, RAX, reg);
	gen_swap(g, g->pins, &g->x->pins);
	pad_for(g, 1);
	as8(&g->as, 0xc3);
	gen_forget(g);
}

static void emit_goto(struct gen *g, const struct emu_op *op)
{
	g->b->exit[op->aux].pc = (uint64_t)op->imm;
	g->b->exit[op->aux].loop = gen_is_loop(g, op);
	count_insns(g);
	if (!g->b->exit[op->aux].loop)
		gen_swap(g, g->pins, &g->x->pins);
	if (gen_is_far(g, (uint64_t)op->imm)) {
		bool call = g->link;

		if (call)
			make_room(g);
		as_mov_ri(&g->as, RAX, op->imm);
		as_patch(call ? as_call(&g->as) : as_jmp(&g->as), gen_rw(g, g->x->look));
		if (call)
			landing(g, op);
		return;
	}
	if (g->link) {
		make_room(g);
		pad_for(g, 5);
		exit_at(g, op->aux, as_call(&g->as));
		landing(g, op);
		return;
	}
	pad_for(g, 5);
	exit_at(g, op->aux, as_jmp(&g->as));
}

static void emit_brcond(struct gen *g, const struct emu_op *op)
{
	unsigned cc;

	count_insns(g);
	cc = gen_compare(g, op->aux, op->a, op->b);

	g->label_insn[op->imm] = (uint16_t)g->insn;
	if (g->label_exit[op->imm] >= 0) {
		exit_at(g, (unsigned)g->label_exit[op->imm], gen_jcc(g, cc, g->compare));
	} else {
		uint8_t *at = gen_jcc(g, cc, g->compare);
		uint32_t prev = g->label_from[op->imm] ? (uint32_t)(at - g->label_from[op->imm]) : 0;

		memcpy(at, &prev, 4); /* a list through the displacements, back from the newest */
		g->label_from[op->imm] = at;
	}
}

static void emit_br(struct gen *g, const struct emu_op *op)
{
	uint8_t *at;
	uint32_t prev;

	count_insns(g);
	if (g->label_exit[op->imm] >= 0) {
		pad_for(g, 5);
		exit_at(g, (unsigned)g->label_exit[op->imm], as_jmp(&g->as));
		return;
	}
	pad_for(g, 5);
	at = as_jmp(&g->as);
	prev = g->label_from[op->imm] ? (uint32_t)(at - g->label_from[op->imm]) : 0;

	memcpy(at, &prev, 4);
	g->label_from[op->imm] = at;
	g->label_insn[op->imm] = (uint16_t)g->insn;
	gen_forget(g);
}

static void emit_label(struct gen *g, const struct emu_op *op)
{
	uint8_t *at = g->label_from[op->imm];

	count_insns(g);
	while (at) {
		uint32_t prev;

		memcpy(&prev, at, 4);
		as_patch(at, g->as.p);
		at = prev ? at - prev : NULL;
	}
	/* a label inside an instruction is jumped to from that instruction; a side exit from its branch */
	if (g->label_from[op->imm])
		g->insn = g->label_insn[op->imm];
	gen_forget(g);
}

static void leave_by(struct gen *g, uint32_t stub)
{
	gen_swap(g, g->pins, &g->x->pins);
	as_patch(as_jmp(&g->as), gen_rw(g, stub));
}

void gen_leave(struct gen *g)
{
	leave_by(g, g->x->leave);
}

/* Indirect jump: the CPU's cache of (guest address -> code) is looked at right here. */
static void emit_goto_reg(struct gen *g, const struct emu_op *op)
{
	struct as *a = &g->as;
	unsigned shift = emu_jump_shift(g->w->guest);
	int reg, t;
	uint8_t *compare = NULL, *miss;

	count_insns(g);
	if (op->aux == EMU_JUMP_RET && g->x->returns) {
		emit_return(g, op->a);
		return;
	}
	reg = gen_use(g, op->a);
	if (reg >= SCRATCH && g->pins != &g->x->pins) { /* its register gets the value of another global */
		int own = gen_scratch(g);

		as_mov_rr(a, own, reg);
		reg = own;
	}
	gen_swap(g, g->pins, &g->x->pins);
	if (reg < SCRATCH)
		g->busy |= BIT(reg);
	t = gen_scratch(g);
	if (g->link)
		make_room(g);
	g->b->jump[g->b->jumps].from = (uint32_t)(a->p - g->x->rw);
	if (!g->w->opt.no_jump_cache)
		compare = as_jump_cache(a, g->w, reg, t);
	if (g->link) {
		struct cold *c = gen_cold(g, COLD_CALL);

		c->from[0] = gen_jcc(g, CC_NE, compare);
		c->a = (uint8_t)reg;
		pad_for(g, 8);
		as_jump_to(a, shift, 0xff, 2, t, 8); /* call */
		g->b->jump[g->b->jumps++].to = (uint32_t)(a->p - g->x->rw);
		c->back = a->p;
		landing(g, op);
		return;
	}
	if (!g->w->opt.no_jump_cache) {
		miss = gen_jcc(g, CC_NE, compare);
		pad_for(g, 8);
		as_jump_to(a, shift, 0xff, 4, t, 8); /* jmp */
		as_patch(miss, a->p);
		g->b->jump[g->b->jumps++].to = (uint32_t)(a->p - g->x->rw);
	}
	as_store(a, reg, RBP, CPU_OFF(pc));
	as_patch(as_jmp(a), gen_rw(g, g->x->leave));
	gen_forget(g);
}

void gen_store_pc(struct gen *g, uint64_t pc)
{
	as_mov_ri(&g->as, RAX, (int64_t)pc);
	as_store(&g->as, RAX, RBP, CPU_OFF(pc));
}

void gen_store_exc(struct gen *g, unsigned exc)
{
	as_rm(&g->as, false, 0xc7, 0, RBP, CPU_OFF(exc));
	as32(&g->as, exc);
}

static void emit_exc(struct gen *g, const struct emu_op *op)
{
	count_insns(g);
	gen_store_exc(g, op->aux);
	gen_store_pc(g, (uint64_t)op->imm);
	leave_by(g, gen_way_out(g, op->aux));
}

bool gen_exit(struct gen *g, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_BRCOND: emit_brcond(g, op); return true;
	case EMU_OP_BR: emit_br(g, op); return true;
	case EMU_OP_LABEL: emit_label(g, op); return true;
	case EMU_OP_LANDING: return true;
	case EMU_OP_LINK: g->link = g->x->returns ? op : NULL; return true;
	case EMU_OP_GOTO: emit_goto(g, op); return true;
	case EMU_OP_GOTO_REG: emit_goto_reg(g, op); return true;
	case EMU_OP_EXC: emit_exc(g, op); return true;
	default: return false;
	}
}
