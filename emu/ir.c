/* Building IR, and checking that a block keeps the rules of ir.h. */
#include "emu/ir.h"

#include <string.h>

#define P EMU_OPF_P
#define M EMU_OPF_M
#define S EMU_OPF_S
#define E EMU_OPF_E
#define L EMU_OPF_L
static const struct emu_op_info infos[EMU_OPCODES + 1] = {
#define EMU_OP(id, name, operands, flags, sentence) { name, operands, flags, sentence },
#include "emu/ops.def"
	{ "?", "", EMU_OPF_S, "" },
};
#undef P
#undef M
#undef S
#undef E
#undef L

const struct emu_op_info *emu_op_info(unsigned op)
{
	return &infos[op < EMU_OPCODES ? op : EMU_OPCODES];
}

static void init_temps(struct emu_ir *ir)
{
	for (unsigned i = 0; i < EMU_GLOBALS; i++)
		ir->temp[i] = (struct emu_temp){ EMU_TK_GLOBAL, i >= EMU_F(0) && i < EMU_X(0), 0 };
	for (unsigned i = 0; i < EMU_OPCODES; i++) {
		for (const char *p = infos[i].operands; *p; p++)
			ir->shape[i] |= *p == 'a' ? EMU_HAS_A : *p == 'b' ? EMU_HAS_B : *p == 'c' ? EMU_HAS_C
				: *p == 'd' ? EMU_HAS_D : *p == 'D' ? EMU_HAS_D | EMU_HAS_FPD
				: *p == 'A' ? EMU_HAS_A | EMU_HAS_FPABC : *p == 'B' ? EMU_HAS_B | EMU_HAS_FPABC
				: *p == 'C' ? EMU_HAS_C | EMU_HAS_FPABC : 0;
	}
}

void emu_ir_reset(struct emu_ir *ir, uint64_t pc)
{
	if (ir->temps < EMU_GLOBALS)
		init_temps(ir);
	ir->ops = ir->labels = ir->exits = ir->insns = 0;
	ir->temps = EMU_GLOBALS;
	ir->pc = pc;
	ir->full = ir->counted = false;
	memset(ir->const_hash, 0xff, sizeof(ir->const_hash));
}

static uint16_t new_temp(struct emu_ir *ir, enum emu_temp_kind kind, bool fp, int64_t value)
{
	if (ir->temps >= EMU_TEMPS_MAX) {
		ir->full = true;
		return EMU_TEMPS_MAX - 1;
	}
	ir->temp[ir->temps] = (struct emu_temp){ (uint8_t)kind, fp, value };
	return (uint16_t)ir->temps++;
}

uint16_t emu_ir_temp(struct emu_ir *ir)
{
	return new_temp(ir, EMU_TK_LOCAL, false, 0);
}

uint16_t emu_ir_ftemp(struct emu_ir *ir)
{
	return new_temp(ir, EMU_TK_LOCAL, true, 0);
}

uint16_t emu_ir_const(struct emu_ir *ir, int64_t value)
{
	uint16_t *h = &ir->const_hash[((uint64_t)value ^ (uint64_t)value >> 7) % 64];

	if (*h == EMU_NOTEMP || ir->temp[*h].value != value)
		*h = new_temp(ir, EMU_TK_CONST, false, value);
	return *h;
}

int64_t emu_ir_label(struct emu_ir *ir)
{
	return ir->labels++;
}

struct emu_op *emu_ir_emit(struct emu_ir *ir, enum emu_opcode op, unsigned aux, uint16_t d, uint16_t a,
			   uint16_t b, uint16_t c, int64_t imm)
{
	/* past the end, one op is written again and again; `full` tells the builder's caller */
	unsigned at = ir->ops < EMU_OPS_MAX ? ir->ops++ : EMU_OPS_MAX - 1;

	if (ir->ops == EMU_OPS_MAX)
		ir->full = true;
	ir->op[at] = (struct emu_op){ (uint8_t)op, (uint8_t)aux, d, a, b, c, imm };
	return &ir->op[at];
}

void emu_ir_call(struct emu_ir *ir, emu_helper *fn, uint16_t d, uint16_t a, uint16_t b)
{
	emu_ir_emit(ir, EMU_OP_CALL, 0, d, a, b, EMU_NOTEMP, (int64_t)(uintptr_t)fn);
}

/* -- the checker -- */
static const char *check_read(const struct emu_ir *ir, const bool *live, uint16_t t, bool fp, bool optional)
{
	if (t == EMU_NOTEMP)
		return optional ? NULL : "an operand is missing";
	if (t >= ir->temps)
		return "a temp is out of range";
	if (ir->temp[t].fp != fp)
		return "an operand has the wrong type";
	if (ir->temp[t].kind == EMU_TK_LOCAL && !live[t])
		return "a local temp is read before it is written";
	return NULL;
}

static const char *check_write(const struct emu_ir *ir, bool *live, uint16_t t, bool fp, bool optional)
{
	if (t == EMU_NOTEMP)
		return optional ? NULL : "the destination is missing";
	if (t >= ir->temps)
		return "a temp is out of range";
	if (ir->temp[t].kind == EMU_TK_CONST)
		return "a constant is written";
	if (ir->temp[t].fp != fp)
		return "the destination has the wrong type";
	live[t] = true;
	return NULL;
}

static const char *check_op(const struct emu_ir *ir, bool *live, bool *seen, const struct emu_op *op)
{
	const char *bad = NULL, *p;
	bool call = op->op == EMU_OP_CALL;

	if (op->op >= EMU_OPCODES)
		return "unknown operation";
	for (p = infos[op->op].operands; *p && !bad; p++) {
		uint16_t t = *p == 'a' || *p == 'A' ? op->a : *p == 'b' || *p == 'B' ? op->b : op->c;

		if (strchr("abc", *p))
			bad = check_read(ir, live, t, false, call);
		else if (strchr("ABC", *p))
			bad = check_read(ir, live, t, true, false);
		else if (*p == 'k' && !emu_cond_ok(op->aux))
			bad = "unknown condition";
		else if (*p == 'l' && (op->imm < 0 || op->imm >= ir->labels || op->imm >= 256))
			bad = "a label is out of range";
		else if (*p == 'l' && op->op != EMU_OP_LABEL && seen[op->imm])
			bad = "a label is used backward";
	}
	if (!bad && strchr(infos[op->op].operands, 'd'))
		bad = check_write(ir, live, op->d, false, call);
	if (!bad && strchr(infos[op->op].operands, 'D'))
		bad = check_write(ir, live, op->d, true, false);
	return bad;
}

uint16_t emu_ir_work(const struct emu_ir *ir)
{
	uint16_t n = 0;

	for (unsigned i = 0; i < ir->ops; i++)
		n += ir->op[i].op != EMU_OP_INSN && ir->op[i].op != EMU_OP_LABEL;
	return n;
}

const char *emu_ir_check(const struct emu_ir *ir)
{
	bool live[EMU_TEMPS_MAX] = { false }, seen[256] = { false };
	bool ended = false;

	if (ir->full || ir->ops == 0)
		return ir->full ? "the block is too large" : "the block is empty";
	for (unsigned i = 0; i < ir->ops; i++) {
		const struct emu_op *op = &ir->op[i];
		const char *bad = check_op(ir, live, seen, op);

		if (bad)
			return bad;
		if (ended && op->op != EMU_OP_LABEL && op->op != EMU_OP_LANDING)
			return "an operation stands after the end";
		if (op->op == EMU_OP_LABEL || op->op == EMU_OP_BR)
			memset(live, 0, sizeof(live));
		if (op->op == EMU_OP_LABEL)
			seen[op->imm] = true;
		ended = (infos[op->op].flags & EMU_OPF_E) || op->op == EMU_OP_BR;
	}
	return ended && ir->op[ir->ops - 1].op != EMU_OP_BR ? NULL : "the block has no end";
}
