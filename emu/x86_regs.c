/* Where temps are while a block is generated (x86_gen.h). */
#include "emu/x86_gen.h"

bool gen_const(const struct gen *g, uint16_t t, int64_t *v)
{
	if (t >= g->ir->temps || g->ir->temp[t].kind != EMU_TK_CONST)
		return false;
	*v = g->ir->temp[t].value;
	return true;
}

static bool is_local(const struct gen *g, uint16_t t)
{
	return g->ir->temp[t].kind == EMU_TK_LOCAL;
}

static int32_t spill_disp(int slot)
{
	return CPU_OFF(spill) + 8 * slot;
}

static int new_spill(struct gen *g)
{
	for (int i = 0; i < EMU_SPILLS; i++) {
		if (!(g->spills >> i & 1)) {
			g->spills |= 1ull << i;
			return i;
		}
	}
	g->failed = true;
	return 0;
}

/* Two slots for the 16 bytes of an FP temp. */
static int new_fspill(struct gen *g)
{
	for (int i = 0; i < EMU_SPILLS; i += 2) {
		if (!(g->spills >> i & 3)) {
			g->spills |= 3ull << i;
			return i;
		}
	}
	g->failed = true;
	return 0;
}

/* The value in a scratch register goes elsewhere if it is needed later. */
static void evict(struct gen *g, int reg)
{
	uint16_t t = g->hold[reg];

	if (t == EMU_NOTEMP)
		return;
	if (is_local(g, t)) {
		if (g->last[t] >= g->at && g->spill[t] < 0) {
			g->spill[t] = (int8_t)new_spill(g);
			as_store(&g->as, reg, RBP, spill_disp(g->spill[t]));
		}
	}
	g->reg[t] = -1;
	g->hold[reg] = EMU_NOTEMP;
}

static void fevict(struct gen *g, int reg)
{
	uint16_t t = g->fhold[reg];

	if (t == EMU_NOTEMP)
		return;
	if (is_local(g, t) && g->last[t] >= g->at && g->spill[t] < 0) {
		g->spill[t] = (int8_t)new_fspill(g); /* vmovups */
		as_vrm(&g->as, 0, 1, false, 0x11, reg, 0, RBP, spill_disp(g->spill[t]));
	}
	g->reg[t] = -1;
	g->fhold[reg] = EMU_NOTEMP;
}

int gen_scratch(struct gen *g)
{
	int best = -1;

	for (int i = 0; i < SCRATCH && best < 0; i++) {
		if (!(g->busy & BIT(i)) && g->hold[i] == EMU_NOTEMP)
			best = i;
	}
	for (unsigned k = 0; k < SCRATCH && best < 0; k++) {
		int i = (int)(g->turn++ % SCRATCH);

		/* a clean copy of a global goes first, then a local */
		if (!(g->busy & BIT(i)) && !is_local(g, g->hold[i]))
			best = i;
	}
	for (int i = 0; i < SCRATCH && best < 0; i++) {
		if (!(g->busy & BIT(i)))
			best = i;
	}
	if (best < 0) {
		g->failed = true;
		return RAX;
	}
	evict(g, best);
	g->busy |= BIT(best);
	return best;
}

void gen_take(struct gen *g, int reg)
{
	evict(g, reg);
	g->busy |= BIT(reg);
}

int gen_fscratch(struct gen *g)
{
	int best = -1;

	for (int i = 0; i < FSCRATCH && best < 0; i++) {
		if (!(g->fbusy & BIT(i)) && g->fhold[i] == EMU_NOTEMP)
			best = i;
	}
	for (unsigned k = 0; k < FSCRATCH && best < 0; k++) {
		int i = (int)(g->fturn++ % FSCRATCH);

		if (!(g->fbusy & BIT(i)) && !is_local(g, g->fhold[i]))
			best = i;
	}
	for (int i = 0; i < FSCRATCH && best < 0; i++) {
		if (!(g->fbusy & BIT(i)))
			best = i;
	}
	if (best < 0) {
		g->failed = true;
		return 0;
	}
	fevict(g, best);
	g->fbusy |= BIT(best);
	return best;
}

bool gen_in_memory(const struct gen *g, uint16_t t, int32_t *disp)
{
	if (g->ir->temp[t].kind == EMU_TK_CONST || g->reg[t] >= 0)
		return false;
	if (t < EMU_GLOBALS) {
		*disp = emu_x86_global(t);
		return g->pins->host[t] < 0;
	}
	*disp = spill_disp(g->spill[t]);
	return g->spill[t] >= 0;
}

int gen_use(struct gen *g, uint16_t t)
{
	int32_t disp;
	int64_t v;
	int reg;

	if (t < EMU_GLOBALS && g->pins->host[t] >= 0)
		return g->pins->host[t];
	if (g->reg[t] >= 0) {
		g->busy |= BIT(g->reg[t]);
		return g->reg[t];
	}
	reg = gen_scratch(g);
	if (gen_const(g, t, &v)) {
		as_mov_ri_flags(&g->as, reg, v);
		return reg;
	}
	if (!gen_in_memory(g, t, &disp)) {
		g->failed = true;
		return reg;
	}
	as_load(&g->as, reg, RBP, disp);
	g->hold[reg] = t;
	g->reg[t] = (int8_t)reg;
	return reg;
}

int gen_fuse(struct gen *g, uint16_t t)
{
	int32_t disp;
	int reg;

	if (t < EMU_GLOBALS && g->pins->host[t] >= 0)
		return g->pins->host[t];
	if (g->reg[t] >= 0) {
		g->fbusy |= BIT(g->reg[t]);
		return g->reg[t];
	}
	reg = gen_fscratch(g);
	if (!gen_in_memory(g, t, &disp)) {
		g->failed = true;
		return reg;
	}
	as_vrm(&g->as, 0, 1, false, 0x10, reg, 0, RBP, disp);
	g->fhold[reg] = t;
	g->reg[t] = (int8_t)reg;
	return reg;
}

int gen_def(struct gen *g, uint16_t d, unsigned avoid)
{
	if (d < EMU_GLOBALS && g->pins->host[d] >= 0 && !(avoid & BIT(g->pins->host[d])))
		return g->pins->host[d];
	return gen_scratch(g);
}

int gen_fdef(struct gen *g, uint16_t d, unsigned avoid)
{
	if (d < EMU_GLOBALS && g->pins->host[d] >= 0 && !(avoid & BIT(g->pins->host[d])))
		return g->pins->host[d];
	return gen_fscratch(g);
}

/* Nobody holds the old value of `t` any more. */
static void drop(struct gen *g, uint16_t t, uint16_t *hold)
{
	if (g->reg[t] >= 0) {
		hold[g->reg[t]] = EMU_NOTEMP;
		g->reg[t] = -1;
	}
	if (t >= EMU_GLOBALS && g->spill[t] >= 0) {
		g->spills &= ~((g->ir->temp[t].fp ? 3ull : 1ull) << g->spill[t]);
		g->spill[t] = -1;
	}
}

void gen_drop(struct gen *g, uint16_t t)
{
	drop(g, t, g->ir->temp[t].fp ? g->fhold : g->hold);
}

void gen_set(struct gen *g, uint16_t d, int reg)
{
	if (d == EMU_NOTEMP)
		return;
	if (d < EMU_GLOBALS && g->pins->host[d] >= 0) {
		as_mov_rr(&g->as, g->pins->host[d], reg);
		return;
	}
	if (d < EMU_GLOBALS)
		as_store(&g->as, reg, RBP, emu_x86_global(d));
	drop(g, d, g->hold);
	if (reg < SCRATCH && g->hold[reg] == EMU_NOTEMP) {
		g->hold[reg] = d;
		g->reg[d] = (int8_t)reg;
	} else if (d >= EMU_GLOBALS) {
		/* a local that is a copy of something held: give it a register of its own */
		int own = gen_scratch(g);

		as_mov_rr(&g->as, own, reg);
		g->hold[own] = d;
		g->reg[d] = (int8_t)own;
	}
}

void gen_fset(struct gen *g, uint16_t d, int reg)
{
	gen_fset_clean(g, d, reg, 0);
}

void gen_fset_clean(struct gen *g, uint16_t d, int reg, unsigned clean)
{
	g->clean[d] = (uint8_t)clean;
	if (d < EMU_GLOBALS && g->pins->host[d] >= 0) {
		if (g->pins->host[d] != reg) /* vmovaps */
			as_vrr(&g->as, 0, 1, false, 0x28, g->pins->host[d], 0, reg);
		return;
	}
	if (d < EMU_GLOBALS)
		as_vrm(&g->as, 0, 1, false, 0x11, reg, 0, RBP, emu_x86_global(d));
	drop(g, d, g->fhold);
	if (reg < FSCRATCH && g->fhold[reg] == EMU_NOTEMP) {
		g->fhold[reg] = d;
		g->reg[d] = (int8_t)reg;
	} else if (d >= EMU_GLOBALS) {
		int own = gen_fscratch(g);

		as_vrr(&g->as, 0, 1, false, 0x28, own, 0, reg);
		g->fhold[own] = d;
		g->reg[d] = (int8_t)own;
	}
}

void gen_done(struct gen *g)
{
	const uint16_t read[4] = { g->op->a, g->op->b, g->op->c, g->op->d };

	for (unsigned i = 0; i < 4; i++) {
		if (read[i] < g->ir->temps && is_local(g, read[i]) && g->last[read[i]] <= g->at)
			gen_drop(g, read[i]);
	}
	if (g->fold.temp != EMU_NOTEMP && g->op->a == g->fold.temp) { /* the access that took the address into itself is done */
		const uint16_t part[2] = { g->fold.base, g->fold.index };

		for (unsigned i = 0; i < 2; i++) {
			if (is_local(g, part[i]) && g->last[part[i]] <= g->at)
				gen_drop(g, part[i]);
		}
		g->fold.temp = EMU_NOTEMP;
	}
	g->busy = g->fbusy = 0;
}

void gen_forget(struct gen *g)
{
	memset(g->clean, 0, EMU_GLOBALS);
	for (int i = 0; i < SCRATCH; i++) {
		if (g->hold[i] != EMU_NOTEMP)
			g->reg[g->hold[i]] = -1;
		g->hold[i] = EMU_NOTEMP;
	}
	for (int i = 0; i < FSCRATCH; i++) {
		if (g->fhold[i] != EMU_NOTEMP)
			g->reg[g->fhold[i]] = -1;
		g->fhold[i] = EMU_NOTEMP;
	}
	g->spills = 0;
	memset(g->clean, 0, EMU_GLOBALS);
}

void gen_spill_all(struct gen *g)
{
	for (int i = 0; i < SCRATCH; i++)
		evict(g, i);
	for (int i = 0; i < FSCRATCH; i++)
		fevict(g, i);
}

uint8_t *gen_konst(const struct gen *g, enum emu_x86_const c)
{
	return g->x->rw + g->x->consts + 16 * c;
}

struct cold *gen_cold(struct gen *g, enum cold_kind kind)
{
	struct cold *c = &g->cold[g->colds < COLDS ? g->colds++ : COLDS - 1];

	if (g->colds == COLDS)
		g->failed = true;
	memset(c, 0, sizeof(*c));
	c->kind = (uint8_t)kind;
	c->pc = g->pc;
	c->insn = g->insn;
	return c;
}
