/* Comparisons, flags and what is chosen by them, as x86-64 code. */
#include "emu/x86_gen.h"

static const uint8_t cc_of[EMU_CONDS] = { CC_E, CC_NE, CC_L, CC_GE, CC_B, CC_AE, CC_LE, CC_G, CC_BE, CC_A, CC_E,
					  CC_NE };

/* Sets the flags for a OP b; returns the condition code. */
unsigned gen_compare(struct gen *g, unsigned cond, uint16_t a, uint16_t b)
{
	bool w = !(cond & EMU_C32), test;
	int64_t v;
	struct gen_rhs r;
	int32_t disp;
	int ra;

	cond &= ~EMU_C32;
	test = cond == EMU_TSTEQ || cond == EMU_TSTNE;
	if (gen_const(g, b, &v) && (!w || v == (int32_t)v) && gen_in_memory(g, a, &disp) && !test) {
		g->compare = g->as.p;
		as_alu_mi(&g->as, w, ALU_CMP, RBP, disp, (int32_t)v);
		return cc_of[cond];
	}
	ra = gen_use(g, a);
	if (test) {
		if (gen_const(g, b, &v) && v == (int32_t)v) {
			g->compare = g->as.p;
			as_rex(&g->as, w && v < 0, 0, 0, ra, false);
			as8(&g->as, 0xf7); /* test reg, imm32 */
			as8(&g->as, 0xc0u | (unsigned)(ra & 7));
			as32(&g->as, (uint32_t)v);
		} else {
			int rb = gen_use(g, b);

			g->compare = g->as.p;
			as_rr(&g->as, w, 0x85, rb, ra);
		}
		return cc_of[cond];
	}
	r = gen_rhs(g, b, !w);
	g->compare = g->as.p;
	if (r.kind == RHS_IMM && r.v == 0)
		as_rr(&g->as, w, 0x85, ra, ra);
	else
		gen_alu(g, w, ALU_CMP, ra, &r);
	return cc_of[cond];
}

/* The host's flags, as Arm has them (C turned round after a subtraction), packed into rax. */
static void pack_flags(struct gen *g, const struct emu_op *op, bool borrow)
{
	gen_take(g, RAX); /* what it held goes to memory, by a move */
	if (borrow)
		as8(&g->as, 0xf5); /* cmc */
	as8(&g->as, 0x9f);         /* lahf */
	as_setcc(&g->as, CC_O, RAX);
	as_alu_ri(&g->as, false, ALU_AND, RAX, (int32_t)EMU_FLAGS_ALL);
	gen_set(g, op->d, RAX);
}

static void flags(struct gen *g, const struct emu_op *op)
{
	bool w = op->aux == EMU_W64;
	int ra = gen_use(g, op->a), t, rc;
	struct gen_rhs r;

	switch (op->op) {
	case EMU_OP_FLAGLOGIC:
		as_rr(&g->as, w, 0x85, ra, ra);
		break;
	case EMU_OP_FLAGSUB:
		r = gen_rhs(g, op->b, !w);
		gen_alu(g, w, ALU_CMP, ra, &r);
		break;
	default:
		t = gen_scratch(g);
		as_mov_rr(&g->as, t, ra);
		if (ra < SCRATCH && ra != t)
			g->busy &= ~BIT(ra);
		r = gen_rhs(g, op->b, !w);
		if (op->op == EMU_OP_FLAGADC) {
			rc = gen_use(g, op->c);
			as_rex(&g->as, false, 0, 0, rc, false); /* bt rc, 0 */
			as8(&g->as, 0x0f);
			as8(&g->as, 0xba);
			as8(&g->as, 0xe0u | (unsigned)(rc & 7));
			as8(&g->as, 0);
		}
		gen_alu(g, w, op->op == EMU_OP_FLAGADC ? ALU_ADC : ALU_ADD, t, &r);
		break;
	}
	pack_flags(g, op, op->op == EMU_OP_FLAGSUB);
}

/* setcond + select on its result: a conditional move. The result is read by nobody else. */
static bool set_and_select(struct gen *g, const struct emu_op *op)
{
	const struct emu_op *next = op + 1, *low;
	unsigned cc;
	uint16_t d;
	int rb, rc, rd;

	if (g->at + 1 >= g->ir->ops || next->op != EMU_OP_SELECT || next->a != op->d || op->d < EMU_GLOBALS ||
	    next->b == op->d || next->c == op->d || g->last[op->d] > g->at + 1)
		return false;
	cc = gen_compare(g, op->aux, op->a, op->b);
	g->busy = 0;            /* from here on only moves, which leave the flags alone */
	rb = gen_use(g, next->b);
	rc = gen_use(g, next->c);
	g->skip = 1;
	low = gen_narrowed(g, next->d, 2);
	d = low ? low->d : next->d;
	rd = gen_def(g, d, rc == rb ? 0 : BIT(rc));
	as_mov_rr(&g->as, rd, rb);
	as_rr(&g->as, !low, 0x0f40u | (cc ^ 1), rd, rc);
	gen_set(g, d, rd);
	for (unsigned i = 0; i < 2; i++) {
		uint16_t t = i ? next->c : next->b;

		if (t >= EMU_GLOBALS && g->ir->temp[t].kind == EMU_TK_LOCAL && g->last[t] <= g->at + 1)
			gen_drop(g, t);
	}
	return true;
}

static void setcond(struct gen *g, const struct emu_op *op)
{
	unsigned cc;
	int rd;

	if (set_and_select(g, op))
		return;
	cc = gen_compare(g, op->aux, op->a, op->b);
	rd = gen_def(g, op->d, 0);
	as_setcc(&g->as, cc, rd);
	as_movzx8(&g->as, rd, rd);
	gen_set(g, op->d, rd);
}

static void select_op(struct gen *g, const struct emu_op *op)
{
	int rb = gen_use(g, op->b), rc, rd;
	int32_t disp;

	/* d = b; if (a == 0) d = c */
	rc = gen_use(g, op->c);
	if (gen_in_memory(g, op->a, &disp)) {
		as_alu_mi(&g->as, true, ALU_CMP, RBP, disp, 0);
	} else {
		int ra = gen_use(g, op->a);

		as_rr(&g->as, true, 0x85, ra, ra);
		if (ra < SCRATCH && ra != rb && ra != rc)
			g->busy &= ~BIT(ra);
	}
	rd = gen_def(g, op->d, rc == rb ? 0 : BIT(rc));
	as_mov_rr(&g->as, rd, rb);
	as_rr(&g->as, true, 0x0f40 | CC_E, rd, rc);
	gen_set(g, op->d, rd);
}

static void minmax(struct gen *g, const struct emu_op *op)
{
	static const uint8_t cc[4] = { CC_G, CC_L, CC_A, CC_B }; /* when b takes the place of a */
	int ra = gen_use(g, op->a), rb = gen_use(g, op->b), rd = gen_def(g, op->d, ra == rb ? 0 : BIT(rb));

	as_rr(&g->as, true, 0x3b, ra, rb);
	as_mov_rr(&g->as, rd, ra);
	as_rr(&g->as, true, 0x0f40u | cc[op->op - EMU_OP_MINS], rd, rb);
	gen_set(g, op->d, rd);
}

bool gen_cond(struct gen *g, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_FLAGADD: case EMU_OP_FLAGSUB: case EMU_OP_FLAGADC: case EMU_OP_FLAGLOGIC:
		flags(g, op);
		return true;
	case EMU_OP_SETCOND: setcond(g, op); return true;
	case EMU_OP_SELECT: select_op(g, op); return true;
	case EMU_OP_MINS: case EMU_OP_MAXS: case EMU_OP_MINU: case EMU_OP_MAXU: minmax(g, op); return true;
	default: return false;
	}
}
