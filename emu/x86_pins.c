/* Which guest registers stand in host registers: between blocks, and inside one. */
#include <stdlib.h>

#include "emu/x86_gen.h"

static const uint8_t pin_order[EMU_PINS] = { RBX, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

void emu_x86_pins_init(struct emu_world *w)
{
	struct emu_pins *p = &w->x86->pins;
	const uint16_t *hot = w->guest->hot, *hot_fp = w->guest->hot_fp;

	memset(p, 0xff, sizeof(*p));
	/* the last one is for addresses (x86_soft.c) */
	for (unsigned i = 0; !w->opt.no_pin && i < EMU_PINS - (w->soft ? 1 : 0) && hot[i] != EMU_NOTEMP; i++) {
		p->host[hot[i]] = (int8_t)pin_order[i];
		p->pinned[i] = hot[i];
	}
	for (unsigned i = 0; !w->opt.no_pin && i < EMU_FPINS && hot_fp[i] != EMU_NOTEMP; i++) {
		p->host[hot_fp[i]] = (int8_t)(4 + i);
		p->pinned_fp[i] = hot_fp[i];
	}
}

static void move_int(struct as *a, bool store, unsigned pin, uint16_t global)
{
	as_rm(a, true, store ? 0x89 : 0x8b, pin_order[pin], RBP, emu_x86_global(global));
}

static void move_fp(struct as *a, bool store, unsigned pin, uint16_t global)
{
	as_vrm(a, 0, 1, false, store ? 0x11 : 0x10, 4 + (int)pin, 0, RBP, emu_x86_global(global)); /* vmovups */
}

void emu_x86_pins(const struct emu_pins *p, struct as *a, bool store, bool all)
{
	for (unsigned i = 0; i < EMU_PINS; i++) {
		bool kept = pin_order[i] == RBX || pin_order[i] >= R12; /* by a C function */

		if (p->pinned[i] != EMU_NOTEMP && (!kept || all))
			move_int(a, store, i, p->pinned[i]);
	}
	for (unsigned i = 0; i < EMU_FPINS; i++) {
		if (p->pinned_fp[i] != EMU_NOTEMP)
			move_fp(a, store, i, p->pinned_fp[i]);
	}
}

void gen_swap(struct gen *g, const struct emu_pins *from, const struct emu_pins *to)
{
	for (unsigned i = 0; from != to && i < EMU_PINS; i++) {
		if (from->pinned[i] != to->pinned[i]) {
			move_int(&g->as, true, i, from->pinned[i]);
			move_int(&g->as, false, i, to->pinned[i]);
		}
	}
	for (unsigned i = 0; from != to && i < EMU_FPINS; i++) {
		if (from->pinned_fp[i] != to->pinned_fp[i]) {
			move_fp(&g->as, true, i, from->pinned_fp[i]);
			move_fp(&g->as, false, i, to->pinned_fp[i]);
		}
	}
}

/* -- inside a block -- */

/* How often a loop is taken to run; and what it costs to exchange a register before and after the block (and
 * around each call in it), in accesses. A result that is stored counts twice: mostly it is loaded again in the
 * next round, and has to wait for that. */
#define LOOP_RUNS 4
#define EXCHANGE 4
struct uses {
	unsigned of[EMU_GLOBALS], calls;
	bool loop;
};

static void count_uses(const struct emu_ir *ir, struct uses *u)
{
	for (unsigned i = 0; i < ir->ops; i++) {
		const struct emu_op *op = &ir->op[i];
		const uint16_t t[4] = { op->a, op->b, op->c, op->d };

		for (unsigned k = 0; k < 4; k++) {
			if ((ir->shape[op->op] & (k < 3 ? EMU_HAS_A << k : EMU_HAS_D)) && t[k] < EMU_GLOBALS)
				u->of[t[k]] += k < 3 ? 1 : 2;
		}
		u->calls += op->op == EMU_OP_LANDING;
		u->loop |= op->op == EMU_OP_GOTO && (uint64_t)op->imm == ir->pc && op[-1].op != EMU_OP_LINK;
	}
}

/* Globals [from, to) that are used more take the place of pinned ones that are used less. */
static bool exchange(struct emu_pins *p, uint16_t *pinned, unsigned pins, const struct uses *u, unsigned from,
		     unsigned to)
{
	const unsigned *uses = u->of, cost = EXCHANGE * (1 + u->calls * LOOP_RUNS);
	bool changed = false;

	for (;;) {
		unsigned best = from, worst = 0;

		for (unsigned g = from; g < to; g++) {
			if (p->host[g] < 0 && (p->host[best] >= 0 || uses[g] > uses[best]))
				best = g;
		}
		for (unsigned i = 1; i < pins; i++) {
			if (pinned[i] != EMU_NOTEMP && uses[pinned[i]] < uses[pinned[worst]])
				worst = i;
		}
		if (p->host[best] >= 0 || pinned[worst] == EMU_NOTEMP ||
		    uses[best] * LOOP_RUNS <= uses[pinned[worst]] * LOOP_RUNS + cost)
			return changed;
		p->host[best] = p->host[pinned[worst]];
		p->host[pinned[worst]] = -1;
		pinned[worst] = (uint16_t)best;
		changed = true;
	}
}

void gen_choose_pins(struct gen *g)
{
	struct uses uses = { { 0 }, 0, false };
	struct emu_pins own = g->x->pins;
	bool changed;

	g->pins = &g->x->pins;
	if (g->w->opt.no_pin || g->w->opt.no_superblock)
		return;
	count_uses(g->ir, &uses);
	if (!uses.loop)
		return;
	changed = exchange(&own, own.pinned, EMU_PINS, &uses, EMU_R(0), EMU_R(0) + 32);
	changed |= exchange(&own, own.pinned_fp, EMU_FPINS, &uses, EMU_F(0), EMU_F(0) + 32);
	if (!changed)
		return;
	g->b->pins = rs_xmalloc(sizeof(own));
	*g->b->pins = own;
	g->pins = g->b->pins;
}
