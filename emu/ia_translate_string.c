/* x86 string instructions in IR. With REP, a block is one turn: it ends in front of the same instruction,
 * so that a fault, an interrupt or a single step finds rIP, rCX, rSI and rDI of that turn
 * (SDM volume 2B, REP).
 */
#include "emu/ia_translate.h"

static struct ia_address pointer(struct ia *t, unsigned reg, unsigned seg)
{
	return ia_linear(t, ia_zext(t, EMU_R(reg), t->i.asize), seg);
}

static void step(struct ia *t, unsigned reg, unsigned bytes)
{
	uint16_t by = ia_2k(t, EMU_OP_SHL, EMU_R(IA_G_DIR), ia_log2(bytes));

	ia_put(t, reg, t->i.asize, ia_zext(t, ia_2(t, EMU_OP_ADD, EMU_R(reg), by), t->i.asize));
}

static struct ia_address source(struct ia *t)
{
	return pointer(t, IA_RSI, t->i.seg);
}

static struct ia_address destination(struct ia *t)
{
	return pointer(t, IA_RDI, IA_ES);
}

static void compare(struct ia *t, uint16_t a, uint16_t b, unsigned bytes)
{
	if (a < EMU_GLOBALS)
		a = ia_1(t, EMU_OP_MOV, a);
	ia_flags_write(t, IA_CC_SUB, bytes, ia_zext(t, ia_2(t, EMU_OP_SUB, a, b), bytes), b, a);
}

static void turn(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	uint16_t a;

	switch (t->i.op) {
	case IA_movs:
		a = ia_load(t, source(t), bytes);
		ia_store(t, destination(t), bytes, a);
		step(t, IA_RSI, bytes);
		step(t, IA_RDI, bytes);
		break;
	case IA_stos:
		ia_store(t, destination(t), bytes, ia_get(t, IA_RAX, bytes));
		step(t, IA_RDI, bytes);
		break;
	case IA_lods:
		ia_put(t, IA_RAX, bytes, ia_load(t, source(t), bytes));
		step(t, IA_RSI, bytes);
		break;
	case IA_cmps: /* Intel's processors read ES:rDI first, which shows when both would fault */
		a = ia_load(t, destination(t), bytes);
		compare(t, ia_load(t, source(t), bytes), a, bytes);
		step(t, IA_RSI, bytes);
		step(t, IA_RDI, bytes);
		break;
	default: /* scas */
		a = ia_load(t, destination(t), bytes);
		compare(t, ia_get(t, IA_RAX, bytes), a, bytes);
		step(t, IA_RDI, bytes);
		break;
	}
}

static void leave_to(struct ia *t, uint64_t pc)
{
	emu_ir_emit(t->ir, EMU_OP_GOTO, t->ir->exits++, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, (int64_t)pc);
}

static void skip_unless(struct ia *t, enum emu_cond cond, uint16_t a, uint16_t b)
{
	int64_t go = emu_ir_label(t->ir);

	emu_ir_emit(t->ir, EMU_OP_BRCOND, cond, EMU_NOTEMP, a, b, EMU_NOTEMP, go);
	leave_to(t, t->x->next);
	emu_ir_emit(t->ir, EMU_OP_LABEL, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, go);
	ia_flags_forget(t);
}

/* REP MOVS and STOS of a whole CPU: as many turns at once as one page has, by C (ia_mem.c). When it can do none (a
 * fault, a device, code), the turn below meets that. */
static void in_bulk(struct ia *t)
{
	bool movs = t->i.op == IA_movs;
	unsigned bytes = emu_ia_size(&t->i, 0), size = ia_log2(bytes), wide = t->i.asize;
	struct ia_address to = destination(t), from = movs ? source(t) : to;
	uint16_t n = emu_ir_temp(t->ir), by, down = ia_2k(t, EMU_OP_AND, EMU_R(IA_G_DIR), IA_BULK_DOWN);

	if (t->x->max_insns == 1 || !t->mode->system || to.effective != EMU_NOTEMP || from.effective != EMU_NOTEMP)
		return;
	emu_ir_call(t->ir, emu_ia_stash, EMU_NOTEMP, to.a, movs ? from.a : ia_get(t, IA_RAX, bytes));
	emu_ir_call(t->ir, emu_ia_bulk, n, ia_zext(t, EMU_R(IA_RCX), wide),
		    ia_2k(t, EMU_OP_OR, down, (int64_t)(size | (movs ? IA_BULK_MOVE : 0))));
	by = ia_2k(t, EMU_OP_SHL, n, size);
	ia_put(t, IA_RDI, wide, ia_zext(t, ia_2(t, EMU_OP_ADD, EMU_R(IA_RDI), by), wide));
	if (movs)
		ia_put(t, IA_RSI, wide, ia_zext(t, ia_2(t, EMU_OP_ADD, EMU_R(IA_RSI), by), wide));
	ia_put(t, IA_RCX, wide, ia_zext(t, ia_2(t, EMU_OP_SUB, EMU_R(IA_RCX), n), wide));
	skip_unless(t, EMU_NE, ia_zext(t, EMU_R(IA_RCX), wide), ia_k(t, 0));
}

static void repeat(struct ia *t)
{
	const unsigned wide = t->i.asize;
	bool compares = t->i.op == IA_cmps || t->i.op == IA_scas;
	enum emu_cond cond;
	uint16_t a, b, count;

	/* with a count of 0 nothing happens, but a 32-bit count clears the upper half of RCX all the same */
	if (wide == 4 && t->mode->bits == 64)
		ia_put(t, IA_RCX, 4, ia_zext(t, EMU_R(IA_RCX), 4));
	skip_unless(t, EMU_NE, ia_zext(t, EMU_R(IA_RCX), wide), ia_k(t, 0));
	if (t->i.op == IA_movs || t->i.op == IA_stos)
		in_bulk(t);
	turn(t);
	count = ia_zext(t, ia_2k(t, EMU_OP_SUB, EMU_R(IA_RCX), 1), wide);
	ia_put(t, IA_RCX, wide, count);
	if (compares) {
		ia_condition(t, t->i.repe ? IA_CC_Z : IA_CC_NZ, &cond, &a, &b);
		skip_unless(t, cond, a, b);
	}
	skip_unless(t, EMU_NE, ia_zext(t, EMU_R(IA_RCX), wide), ia_k(t, 0));
	leave_to(t, t->x->pc);
	t->x->end = true;
}

bool ia_translate_string(struct ia *t)
{
	switch (t->i.op) {
	case IA_movs: case IA_stos: case IA_lods: case IA_cmps: case IA_scas:
		if (t->i.repe || t->i.repne)
			repeat(t);
		else
			turn(t);
		return true;
	default:
		return false;
	}
}
