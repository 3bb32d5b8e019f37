/* One block of IR into x86-64 code: the walk over the operations, helpers, cold code. */
#include "emu/x86_gen.h"

#include <errno.h>
#include <stdlib.h>

#define BLOCK_ROOM (192u << 10) /* more than the largest block can take */

/* -- before the walk -- */

/* Last use of each local, and labels that are only an exit. */
static void survey(struct gen *g)
{
	const struct emu_ir *ir = g->ir;
	uint8_t uses[256] = { 0 };

	memset(g->label_exit, -1, sizeof(g->label_exit));
	for (unsigned i = 0; i < ir->ops; i++) {
		const struct emu_op *op = &ir->op[i];
		unsigned s = ir->shape[op->op];

		if ((s & EMU_HAS_D) && op->d != EMU_NOTEMP)
			g->last[op->d] = (uint16_t)i; /* a result that nobody reads dies at once */
		if ((s & EMU_HAS_A) && op->a != EMU_NOTEMP)
			g->last[op->a] = (uint16_t)i;
		if ((s & EMU_HAS_B) && op->b != EMU_NOTEMP)
			g->last[op->b] = (uint16_t)i;
		if ((s & EMU_HAS_C) && op->c != EMU_NOTEMP)
			g->last[op->c] = (uint16_t)i;
		if (op->op == EMU_OP_BRCOND || op->op == EMU_OP_BR)
			uses[op->imm]++;
		if (op->op == EMU_OP_LABEL && uses[op->imm] == 1 && i + 1 < ir->ops && i > 0 &&
		    ir->op[i + 1].op == EMU_OP_GOTO && !g->w->opt.count && !gen_is_far(g, (uint64_t)ir->op[i + 1].imm) &&
		    (emu_op_info(ir->op[i - 1].op)->flags & EMU_OPF_E))
			g->label_exit[op->imm] = (int16_t)(gen_is_loop(g, &ir->op[i + 1]) || g->pins == &g->x->pins ?
							   ir->op[i + 1].aux : -1);
	}
}

/* -- helpers -- */

void gen_call(struct gen *g, const void *fn)
{
	as_store(&g->as, RSP, RBP, CPU_OFF(ret_sp));
	as_alu_ri(&g->as, true, ALU_AND, RSP, -16);
	as_mov_ri(&g->as, RAX, (int64_t)(uintptr_t)fn);
	as8(&g->as, 0xff); /* call rax */
	as8(&g->as, 0xd0);
	as_load(&g->as, RSP, RBP, CPU_OFF(ret_sp));
	/* the result must survive: pins load into other registers */
	emu_x86_pins(g->pins, &g->as, false, false);
}

static void emit_call(struct gen *g, const struct emu_op *op)
{
	int a, b;

	gen_spill_all(g);
	a = gen_use(g, op->a);
	if (a != RAX) {
		gen_take(g, RAX);
		as_mov_rr(&g->as, RAX, a);
	}
	b = gen_use(g, op->b);
	as_mov_rr(&g->as, RDX, b);
	gen_spill_all(g);
	emu_x86_pins(g->pins, &g->as, true, false);
	as_mov_rr(&g->as, RSI, RAX);
	as_lea(&g->as, true, RDI, RBP, -CPU_BIAS);
	gen_call(g, (const void *)(uintptr_t)op->imm);
	g->busy |= BIT(RAX);
	gen_set(g, op->d, RAX);
}

/* -- cold code -- */

void gen_call_vector(struct gen *g, uint64_t what)
{
	uint8_t *back, *to;

	/* not a call: what is on the stack are guest returns */
	as_store(&g->as, RAX, RBP, CPU_OFF(save[0]));
	as_store(&g->as, RSP, RBP, CPU_OFF(ret_sp));
	as8(&g->as, 0x48); /* lea rax, [rip + back] */
	as8(&g->as, 0x8d);
	as8(&g->as, 0x05);
	as32(&g->as, 0);
	back = g->as.p - 4;
	as_store(&g->as, RAX, RBP, CPU_OFF(vop_back));
	as_mov_ri(&g->as, RAX, (int64_t)what);
	to = as_jmp(&g->as);
	as_patch(to, gen_rw(g, g->x->vector));
	as_patch(back, g->as.p);
}

static void emit_cold_vector(struct gen *g, const struct cold *c)
{
	struct as *a = &g->as;

	as_vrm(a, 0, 1, false, 0x11, c->a, 0, RBP, CPU_OFF(vop.a)); /* vmovups */
	as_vrm(a, 0, 1, false, 0x11, c->b, 0, RBP, CPU_OFF(vop.b));
	as_vrm(a, 0, 1, false, 0x11, c->c, 0, RBP, CPU_OFF(vop.c));
	gen_call_vector(g, c->fn);
	as_vrm(a, 0, 1, false, 0x10, c->to, 0, RBP, CPU_OFF(vop.d));
}

static void emit_cold(struct gen *g, const struct cold *c)
{
	struct as *a = &g->as;

	for (unsigned i = 0; i < 2; i++) {
		if (c->from[i])
			as_patch(c->from[i], a->p);
	}
	switch (c->kind) {
	case COLD_NAN: case COLD_UNBOX:
		as_vrip(a, 0, 0x28, c->to, 0,
			gen_konst(g, c->kind == COLD_UNBOX || c->w == EMU_W32 ? X86_NAN32 : X86_NAN64));
		break;
	case COLD_CALL: /* the callee is not in the cache: as if it had been called, but for a way through the run loop */
		as_store(a, c->a, RBP, CPU_OFF(pc));
		as_patch(as_call(a), gen_rw(g, g->x->leave));
		break;
	case COLD_FULL:
		as_load(a, RSP, RBP, CPU_OFF(ret_base));
		break;
	case COLD_MISALIGNED:
		if (g->w->opt.count && c->insn)
			as_alu_mi(a, true, ALU_ADD, RBP, CPU_OFF(insns), (int32_t)c->insn);
		as_rr(a, false, 0x8b, RCX, c->a);
		as_store(a, RCX, RBP, CPU_OFF(fault_addr));
		as_rm(a, false, 0xc6, 0, RBP, CPU_OFF(fault_write));
		as8(a, c->w);
		gen_store_exc(g, EMU_EXC_MISALIGNED);
		gen_store_pc(g, c->pc);
		gen_leave(g);
		return;
	case COLD_VECTOR:
		emit_cold_vector(g, c);
		break;
	case COLD_SOFT:
		gen_soft_cold(g, c);
		break;
	default:
		as_vrr(a, 1, 1, true, 0x7e, c->a, 0, RAX);
		if (c->kind == COLD_HELPER2)
			as_vrr(a, 1, 1, true, 0x7e, c->b, 0, RDX);
		emu_x86_pins(g->pins, a, true, false);
		as_mov_rr(a, RDI, RAX);
		as_mov_rr(a, RSI, RDX);
		gen_call(g, (const void *)(uintptr_t)c->fn);
		if (c->fp_to)
			as_vrr(a, 1, 1, true, 0x6e, c->to, 0, RAX);
		else
			as_mov_rr(a, c->to, RAX);
		break;
	}
	as_patch(as_jmp(a), c->back);
}

static void emit_stubs(struct gen *g)
{
	for (unsigned i = 0; i < g->b->exits; i++) {
		struct emu_exit *e = &g->b->exit[i];

		e->from = g->b;
		e->stub = (uint32_t)(g->as.p - g->x->rw);
		if (!e->patch || e->landing)
			continue; /* a pass removed it */
		if (e->loop) /* its jump comes with the block's registers */
			gen_swap(g, g->pins, &g->x->pins);
		as_mov_ri(&g->as, RAX, (int64_t)(uintptr_t)e);
		as_patch(as_jmp(&g->as), gen_rw(g, g->x->leave_exit));
		as_patch(gen_rw(g, e->patch), gen_rw(g, e->stub));
	}
}

/* -- the walk -- */

static void one(struct gen *g, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_INSN:
		g->pc = (uint64_t)op->imm;
		if (g->b->mark)
			g->b->mark[g->begun] = (uint32_t)(g->as.p - g->x->rw) - g->b->code;
		g->begun++;
		g->insn++;
		break;
	case EMU_OP_CALL: emit_call(g, op); break;
	default:
		if (!gen_exit(g, op) && !gen_fold_address(g, op) && !gen_int(g, op) && !gen_cond(g, op) && !gen_memory(g, op) && !gen_fp(g, op) && !gen_vector(g, op))
			g->failed = true;
		break;
	}
}

static void walk(struct gen *g)
{
	for (unsigned i = 0; i < g->ir->ops && !g->failed; i++) {
		const struct emu_op *op = &g->ir->op[i];

		g->op = op;
		g->at = i;
		if (op->op == EMU_OP_LABEL && g->label_exit[op->imm] >= 0) {
			/* its jump goes to the exit itself */
			g->b->exit[g->ir->op[i + 1].aux].pc = (uint64_t)g->ir->op[i + 1].imm;
			g->b->exit[g->ir->op[i + 1].aux].loop = gen_is_loop(g, &g->ir->op[i + 1]);
			i++;
			continue;
		}
		one(g, op);
		gen_done(g);
		if (g->begun == g->ir->insns && !g->b->tail && (emu_op_info(op->op)->flags & EMU_OPF_E))
			g->b->tail = (uint32_t)(g->as.p - g->x->rw) - g->b->code;
		i += g->skip;
		g->skip = 0;
	}
	for (unsigned i = 0; i < g->colds; i++)
		emit_cold(g, &g->cold[i]);
	emit_stubs(g);
}

static void keep_map(struct gen *g)
{
	struct emu_block *b = g->b;

	b->maps = (uint16_t)g->maps;
	b->map = rs_xcalloc(g->maps + 1, sizeof(b->map[0]));
	for (unsigned i = 0; i < g->maps; i++) {
		b->map[i].host = g->map[i].host - b->code;
		b->map[i].guest = g->map[i].guest;
		b->map[i].begun = g->map[i].begun;
		b->map[i].write = g->map[i].write;
	}
}

int emu_x86_gen(struct emu_world *w, struct emu_ir *ir, struct emu_block *b)
{
	struct emu_x86 *x = w->x86;
	struct gen *g = x->gen;

	if (x->size - x->used < BLOCK_ROOM)
		return -ENOSPC;
	if (!g)
		g = x->gen = rs_xmalloc(sizeof(*g));
	memset(g, 0, offsetof(struct gen, last));
	g->fold.temp = EMU_NOTEMP;
	g->spills = 0;
	g->turn = g->fturn = g->busy = g->fbusy = g->colds = g->maps = 0;
	g->failed = false;
	memset(g->reg, -1, ir->temps);
	memset(g->clean, 0, ir->temps);
	memset(g->spill, -1, ir->temps);
	memset(g->hold, 0xff, sizeof(g->hold));
	memset(g->fhold, 0xff, sizeof(g->fhold));
	memset(g->label_from, 0, sizeof(g->label_from[0]) * (ir->labels < 256 ? ir->labels : 256));
	g->as = (struct as){ x->rw + ((x->used + 15u) & ~15u), x->rw + x->size, false };
	g->w = w;
	g->x = x;
	g->ir = ir;
	g->b = b;
	g->pc = ir->pc;
	b->code = (uint32_t)(g->as.p - x->rw);
	b->exits = (uint16_t)ir->exits;
	b->exit = rs_xcalloc(ir->exits + 1, sizeof(*b->exit));
	gen_choose_pins(g);
	survey(g);
	gen_swap(g, &x->pins, g->pins);
	b->loop = (uint32_t)(g->as.p - x->rw);
	if (w->opt.count) {
		as_mov_ri(&g->as, RAX, (int64_t)(uintptr_t)&b->runs);
		as_alu_mi(&g->as, true, ALU_ADD, RAX, 0, 1);
	}
	walk(g);
	if (g->failed || g->as.full) {
		free(b->exit);
		free(b->pins);
		b->exit = NULL;
		b->pins = NULL;
		return -E2BIG;
	}
	b->code_size = (uint32_t)(g->as.p - x->rw) - b->code;
	x->used = b->code + b->code_size;
	keep_map(g);
	return 0;
}
