/* Vector operations as AVX code of 128 bits; what has none here is a call of emu_vec_eval. */
#include "emu/vec.h"
#include "emu/x86_gen.h"

/* Operands to cpu->vop, emu_vec_eval, the result from there. */
static void call(struct gen *g, const struct emu_op *op)
{
	const char *operands = emu_op_info(op->op)->operands;
	int r;

	for (const char *p = operands; *p; p++) {
		if (*p >= 'A' && *p <= 'C') {
			uint16_t t = *p == 'A' ? op->a : *p == 'B' ? op->b : op->c;

			r = gen_fuse(g, t);
			as_vrm(&g->as, 0, 1, false, 0x11, r, 0, RBP, CPU_OFF(vop.a) + 16 * (*p - 'A'));
		} else if (*p == 'a' || *p == 'b') {
			r = gen_use(g, *p == 'a' ? op->a : op->b);
			as_store(&g->as, r, RBP, CPU_OFF(vop.n));
		}
	}
	g->busy = g->fbusy = 0;
	gen_spill_all(g);
	emu_x86_pins(g->x, &g->as, true, false);
	as_lea(&g->as, true, RDI, RBP, -CPU_BIAS);
	as_mov_ri(&g->as, RSI, (int64_t)emu_vec_what(op->op, op->aux, op->imm));
	as_lea(&g->as, true, RDX, RBP, CPU_OFF(vop));
	gen_call(g, (const void *)(uintptr_t)emu_vec_eval);
	if (*operands == 'D') {
		r = gen_fdef(g, op->d, 0);
		as_vrm(&g->as, 0, 1, false, 0x10, r, 0, RBP, CPU_OFF(vop.d));
		gen_fset(g, op->d, r);
	} else {
		r = gen_def(g, op->d, 0);
		as_load(&g->as, r, RBP, CPU_OFF(vop.n));
		gen_set(g, op->d, r);
	}
}

static void constant(struct gen *g, const struct emu_op *op)
{
	int d = gen_fdef(g, op->d, 0), t;

	if (op->imm == 0) {
		as_vrr(&g->as, 1, 1, false, 0xef, d, d, d); /* vpxor */
	} else if (op->imm == -1 && (op->aux & EMU_VQ)) {
		as_vrr(&g->as, 1, 1, false, 0x76, d, d, d); /* vpcmpeqd */
	} else {
		t = gen_scratch(g);
		as_mov_ri(&g->as, t, op->imm);
		as_vrr(&g->as, 1, 1, true, 0x6e, d, 0, t); /* vmovq */
		if (op->aux & EMU_VQ)
			as_vrr(&g->as, 1, 1, false, 0x6c, d, d, d); /* vpunpcklqdq */
	}
	gen_fset(g, op->d, d);
}

bool gen_vector(struct gen *g, const struct emu_op *op)
{
	if (!emu_op_is_vector(op->op))
		return false;
	if (op->op == EMU_OP_VCONST)
		constant(g, op);
	else
		call(g, op);
	return true;
}
