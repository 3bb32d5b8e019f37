/* Vector operations as AVX code of 128 bits; what has none here is a call of emu_vec_eval. */
#include "emu/x86_vec.h"

/* Operands to cpu->vop, emu_vec_eval, the result from there. The call changes no register. */
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
	gen_call_vector(g, emu_vec_what(op->op, op->aux, op->imm));
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

void vec_set(struct gen *g, const struct emu_op *op, int reg, bool zeros)
{
	unsigned s = g->ir->shape[op->op];
	bool clean = zeros;

	if (vec_q(op)) {
		gen_fset(g, op->d, reg);
		return;
	}
	clean = clean && (!(s & EMU_HAS_A) || g->clean[op->a]) && (!(s & EMU_HAS_B) || g->clean[op->b]) &&
		(!(s & EMU_HAS_C) || g->clean[op->c]);
	if (!clean)
		vmovq(g, reg, reg);
	gen_fset_clean(g, op->d, reg, 1);
}

bool gen_vector(struct gen *g, const struct emu_op *op)
{
	if (!emu_op_is_vector(op->op))
		return false;
	if (!vec_move(g, op) && !vec_arith(g, op) && !vec_reduce(g, op) && !vec_float(g, op))
		call(g, op);
	return true;
}
