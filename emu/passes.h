/* Private to the passes over the IR (passes.c, passes_fuse.c, passes_canon.c). */
#ifndef EMU_PASSES_H
#define EMU_PASSES_H

#include "emu/ir.h"

static inline bool emu_ir_is_const(const struct emu_ir *ir, uint16_t t, int64_t *v)
{
	if (t >= ir->temps || ir->temp[t].kind != EMU_TK_CONST)
		return false;
	*v = ir->temp[t].value;
	return true;
}

static inline bool emu_ir_is_local(const struct emu_ir *ir, uint16_t t)
{
	return t < ir->temps && ir->temp[t].kind == EMU_TK_LOCAL;
}

/* The operation becomes another one with one operand. */
static inline void emu_op_become(struct emu_op *op, enum emu_opcode code, uint16_t a)
{
	op->op = (uint8_t)code;
	op->a = a;
	op->b = op->c = EMU_NOTEMP;
	op->aux = 0;
}

/* How often each temp is read: 0, 1, or 2 for more. The caller frees it. (passes.c) */
uint8_t *emu_ir_reads(const struct emu_ir *ir);
void emu_pass_fuse(struct emu_ir *ir);
void emu_pass_canon(struct emu_ir *ir);

#endif
