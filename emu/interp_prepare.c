/* A block's IR made ready for the interpreter: each operand becomes a byte offset, from the CPU (globals, and
 * locals in cpu->frame) or, when negative, into the block's constants.
 */
#include <stdlib.h>

#include "emu/interp.h"

static int32_t offset_of(const struct emu_ir *ir, uint16_t t, int32_t *consts, uint64_t *value)
{
	if (t == EMU_NOTEMP)
		return (int32_t)offsetof(struct emu_cpu, spill); /* nothing looks there */
	if (t < EMU_F(0))
		return (int32_t)(offsetof(struct emu_cpu, r) + 8u * t);
	if (t < EMU_X(0))
		return (int32_t)(offsetof(struct emu_cpu, v) + 16u * (t - 32u));
	if (t < EMU_GLOBALS)
		return (int32_t)(offsetof(struct emu_cpu, x) + 8u * (t - 64u));
	if (ir->temp[t].kind == EMU_TK_LOCAL)
		return (int32_t)(offsetof(struct emu_cpu, frame) + 16u * (t - EMU_GLOBALS));
	value[*consts] = (uint64_t)ir->temp[t].value;
	return -8 * ++*consts;
}

void emu_interp_prepare(struct emu_world *w, struct emu_block *b, const struct emu_ir *ir)
{
	uint64_t value[3 * EMU_OPS_MAX];
	int64_t label[256];
	int32_t consts = 0;

	(void)w;
	b->iop = rs_xcalloc(ir->ops, sizeof(*b->iop));
	for (unsigned i = 0; i < ir->ops; i++) {
		const struct emu_op *op = &ir->op[i];

		b->iop[i] = (struct emu_iop){ op->op, op->aux, offset_of(ir, op->d, &consts, value),
					      offset_of(ir, op->a, &consts, value),
					      offset_of(ir, op->b, &consts, value),
					      offset_of(ir, op->c, &consts, value), op->imm };
		if (op->op == EMU_OP_LABEL)
			label[op->imm] = i;
	}
	for (unsigned i = 0; i < ir->ops; i++) {
		if (b->iop[i].op == EMU_OP_BRCOND || b->iop[i].op == EMU_OP_BR)
			b->iop[i].imm = label[b->iop[i].imm];
	}
	/* constant n stands at iconst_end - 8 * (n + 1) */
	b->iconst = rs_xcalloc((size_t)consts + 1, sizeof(uint64_t));
	for (int32_t i = 0; i < consts; i++)
		b->iconst[consts - 1 - i] = value[i];
	b->iconsts = (uint16_t)consts;
}

void emu_interp_release(struct emu_block *b)
{
	free(b->iop);
	free(b->iconst);
}
