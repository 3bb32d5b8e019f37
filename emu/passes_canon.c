/* Canonical NaNs as late as possible, a part of the pass "dead" (passes.c). RISC-V wants one NaN of all, the host has
 * another one; but arithmetic gives a NaN for any of them, so that what stands in a register matters only where its
 * bits are seen: by a store or a move, where somebody else may look (a fault, a branch, the end of the block). A
 * result that is used up before that needs no look.
 */
#include <stdlib.h>

#include "emu/passes.h"
#include "emu/world.h"

/* Its result does not depend on which quiet NaN it is given. */
static bool takes_any_nan(const struct emu_op *op)
{
	return op->aux == EMU_W64 && op->op >= EMU_OP_FADD && op->op <= EMU_OP_FNMADD;
}

/* d = op ...; fcanon r, d: is the operation of those, and is nobody else interested in d? */
static bool postponable(const struct emu_ir *ir, const uint8_t *reads, unsigned i)
{
	const struct emu_op *op = &ir->op[i];

	return i > 0 && op->op == EMU_OP_FCANON && op->d < EMU_GLOBALS && emu_ir_is_local(ir, op->a) && reads[op->a] == 1 &&
	       op[-1].d == op->a && takes_any_nan(&op[-1]);
}

struct pending {
	struct emu_op *out;     /* the operations anew */
	unsigned n;
	uint32_t regs;          /* EMU_F registers that may hold the host's NaN */
};

static void flush(struct pending *p, uint32_t which)
{
	for (unsigned r = 0; r < 32; r++) {
		if (p->regs & which & 1u << r)
			p->out[p->n++] = (struct emu_op){ EMU_OP_FCANON, EMU_W64, EMU_F(r), EMU_F(r), EMU_NOTEMP, EMU_NOTEMP, 0 };
	}
	p->regs &= ~which;
}

static uint32_t reg_bit(uint16_t t)
{
	return t >= EMU_F(0) && t < EMU_F(32) ? 1u << (t - EMU_F(0)) : 0;
}

void emu_pass_canon(struct emu_ir *ir)
{
	struct pending p = { .n = 0 };
	uint8_t *reads;
	unsigned found = 0;

	for (unsigned i = 1; i < ir->ops; i++)
		found += ir->op[i].op == EMU_OP_FCANON;
	if (!found)
		return;
	reads = emu_ir_reads(ir);
	found = 0;
	for (unsigned i = 1; i < ir->ops; i++)
		found += postponable(ir, reads, i);
	/* each of them may stand later, once */
	if (!found || ir->ops + found > EMU_OPS_MAX) {
		free(reads);
		return;
	}
	p.out = rs_xcalloc(ir->ops + found, sizeof(p.out[0]));
	for (unsigned i = 0; i < ir->ops; i++) {
		const struct emu_op *op = &ir->op[i];
		unsigned s = ir->shape[op->op];

		if (postponable(ir, reads, i)) {
			p.out[p.n - 1].d = op->d;
			p.regs |= reg_bit(op->d);
			continue;
		}
		if (emu_op_info(op->op)->flags & (EMU_OPF_M | EMU_OPF_E | EMU_OPF_L))
			flush(&p, ~0u);
		else if (!takes_any_nan(op))
			flush(&p, (s & EMU_HAS_A ? reg_bit(op->a) : 0) | (s & EMU_HAS_B ? reg_bit(op->b) : 0) |
				  (s & EMU_HAS_C ? reg_bit(op->c) : 0));
		if (s & EMU_HAS_D)
			p.regs &= ~reg_bit(op->d);
		p.out[p.n++] = *op;
	}
	memcpy(ir->op, p.out, p.n * sizeof(p.out[0]));
	ir->ops = p.n;
	free(p.out);
	free(reads);
}
