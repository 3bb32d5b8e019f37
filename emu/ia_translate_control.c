/* x86 jumps in IR: near branches, calls, loops, frames. Targets are cut to the operand size (64 bits in
 * 64-bit mode).
 */
#include "emu/ia_translate.h"

uint64_t ia_target(const struct ia *t, uint64_t linear, unsigned bytes)
{
	uint64_t ip = linear - t->mode->cs_base;

	return bytes == 8 ? linear : (uint32_t)(t->mode->cs_base + (ip & ((1ull << bytes * 8) - 1)));
}

/* Jumps to an offset in a temp. */
static void jump_to(struct ia *t, uint16_t ip, unsigned kind)
{
	if (t->mode->cs_base)
		ip = ia_zext(t, ia_2k(t, EMU_OP_ADD, ip, t->mode->cs_base), 4);
	emu_x_jump_reg(t->x, ip, kind);
}

static uint64_t relative(const struct ia *t)
{
	return ia_target(t, t->x->next + (uint64_t)t->i.imm, t->i.osize);
}

static void branch(struct ia *t)
{
	enum emu_cond cond;
	uint16_t a, b;

	ia_condition(t, t->i.opcode & 15, &cond, &a, &b);
	emu_x_branch(t->x, cond, a, b, relative(t));
}

static void loop(struct ia *t)
{
	unsigned bytes = t->i.asize;
	uint16_t c = ia_zext(t, ia_2k(t, EMU_OP_SUB, EMU_R(IA_RCX), 1), bytes), go = EMU_NOTEMP;

	if (t->i.op != IA_loop)
		go = ia_2(t, EMU_OP_AND, ia_set(t, EMU_NE, c, ia_k(t, 0)),
			  ia_condition_value(t, t->i.op == IA_loope ? IA_CC_Z : IA_CC_NZ));
	ia_put(t, IA_RCX, bytes, c);
	emu_x_branch(t->x, EMU_NE, go == EMU_NOTEMP ? c : go, ia_k(t, 0), relative(t));
}

static void call(struct ia *t)
{
	bool direct = emu_ia_place(&t->i, 0) == IA_PLACE_J;
	uint16_t to = EMU_NOTEMP;

	if (!direct) {
		to = ia_read(t, 0, NULL);
		to = to < EMU_GLOBALS ? ia_1(t, EMU_OP_MOV, to) : to; /* call rsp: the value before the push */
	}
	ia_push(t, ia_imm(t, (int64_t)(t->x->next - t->mode->cs_base), t->i.osize), t->i.osize);
	if (direct)
		emu_x_call(t->x, relative(t));
	else
		jump_to(t, to, EMU_JUMP_CALL);
}

static void ret(struct ia *t)
{
	uint16_t to = ia_stack_load(t, 0, t->i.osize);

	ia_stack_move(t, ia_k(t, t->i.osize + (t->i.imm & 0xffff)));
	jump_to(t, to, EMU_JUMP_RET);
}

static void enter(struct ia *t)
{
	unsigned bytes = t->i.osize;

	if (t->i.imm2 & 31) {
		ia_complex(t);
		return;
	}
	ia_stack_store(t, -(int64_t)bytes, bytes, ia_get(t, IA_RBP, bytes));
	/* the stack is looked at where it will end (SDM volume 2A, ENTER) */
	ia_stack_probe(t, -(int64_t)bytes - (t->i.imm & 0xffff), bytes);
	ia_stack_move(t, ia_k(t, -(int64_t)bytes));
	/* all of ESP with a 32-bit operand size, also on a 16-bit stack */
	ia_put(t, IA_RBP, bytes, ia_zext(t, EMU_R(IA_RSP), bytes));
	ia_stack_move(t, ia_k(t, -(t->i.imm & 0xffff)));
}

static void leave(struct ia *t)
{
	unsigned bytes = t->i.osize, wide = ia_stack_bytes(t);
	uint16_t frame = ia_get(t, IA_RBP, wide), v;

	v = ia_load(t, ia_linear(t, frame, IA_SS), bytes);
	frame = ia_zext(t, ia_2k(t, EMU_OP_ADD, frame, bytes), wide);
	ia_put(t, IA_RSP, wide, frame);
	ia_put(t, IA_RBP, bytes, v);
}

bool ia_translate_control(struct ia *t)
{
	switch (t->i.op) {
	case IA_jcc: branch(t); return true;
	case IA_jcxz:
		emu_x_branch(t->x, EMU_EQ, ia_zext(t, EMU_R(IA_RCX), t->i.asize), ia_k(t, 0), relative(t));
		return true;
	case IA_loop: case IA_loope: case IA_loopne: loop(t); return true;
	case IA_jmp:
		if (emu_ia_place(&t->i, 0) == IA_PLACE_J)
			emu_x_jump(t->x, relative(t));
		else
			jump_to(t, ia_read(t, 0, NULL), EMU_JUMP_PLAIN);
		return true;
	case IA_call: call(t); return true;
	case IA_ret: ret(t); return true;
	case IA_enter: enter(t); return true;
	case IA_leave: leave(t); return true;
	case IA_ud0: case IA_ud1: case IA_ud2:
		emu_x_exception(t->x, (enum emu_exc)(EMU_EXC_VECTOR + 6));
		return true;
	default: return false;
	}
}
