/* x86 operands in IR: registers of 8 to 64 bits, effective addresses, segments, the stack
 * (SDM volume 1, 3.4.1, 3.7.5; volume 2A, 2.1.5).
 */
#include "emu/ia_translate.h"

uint16_t ia_zext(struct ia *t, uint16_t a, unsigned bytes)
{
	return bytes == 1 ? ia_1(t, EMU_OP_ZEXT8, a) : bytes == 2 ? ia_1(t, EMU_OP_ZEXT16, a)
		: bytes == 4 ? ia_1(t, EMU_OP_ZEXT32, a) : a;
}

uint16_t ia_sext(struct ia *t, uint16_t a, unsigned bytes)
{
	return bytes == 1 ? ia_1(t, EMU_OP_SEXT8, a) : bytes == 2 ? ia_1(t, EMU_OP_SEXT16, a)
		: bytes == 4 ? ia_1(t, EMU_OP_SEXT32, a) : a;
}

uint16_t ia_imm(struct ia *t, int64_t v, unsigned bytes)
{
	return ia_k(t, bytes == 8 ? v : (int64_t)((uint64_t)v & ((1ull << bytes * 8) - 1)));
}

/* -- registers -- */

static bool is_high_byte(const struct ia *t, unsigned reg, unsigned bytes)
{
	return bytes == 1 && !t->i.rex && reg >= 4 && reg < 8;
}

uint16_t ia_get(struct ia *t, unsigned reg, unsigned bytes)
{
	if (is_high_byte(t, reg, bytes))
		return ia_zext(t, ia_2k(t, EMU_OP_SHR, EMU_R(reg - 4), 8), 1);
	/* outside of 64-bit mode the upper halves are 0 */
	if (bytes == 8 || (bytes == 4 && t->mode->bits != 64))
		return EMU_R(reg);
	return ia_zext(t, EMU_R(reg), bytes);
}

void ia_put(struct ia *t, unsigned reg, unsigned bytes, uint16_t value)
{
	bool high = is_high_byte(t, reg, bytes);
	uint16_t keep;

	if (bytes >= 4) {
		ia_mov(t, EMU_R(reg), value);
		return;
	}
	reg -= high ? 4 : 0;
	keep = ia_2k(t, EMU_OP_AND, EMU_R(reg), high ? ~0xff00ll : bytes == 1 ? ~0xffll : ~0xffffll);
	if (high)
		value = ia_2k(t, EMU_OP_SHL, value, 8);
	emu_ir_2(t->ir, EMU_OP_OR, EMU_R(reg), keep, value);
}

/* -- addresses -- */

static uint16_t base_of(struct ia *t, int64_t *off)
{
	const struct emu_ia_insn *i = &t->i;
	uint16_t a = EMU_NOTEMP;

	*off = i->disp;
	if (i->base == IA_RIP)
		*off += (int64_t)t->x->next;
	else if (i->base != IA_NOREG)
		a = EMU_R(i->base);
	if (i->index != IA_NOREG) {
		uint16_t index = EMU_R(i->index);

		if (i->scale)
			index = ia_2k(t, EMU_OP_SHL, index, i->scale);
		a = a == EMU_NOTEMP ? index : ia_2(t, EMU_OP_ADD, a, index);
	}
	return a;
}

uint16_t ia_effective(struct ia *t)
{
	int64_t off;
	uint16_t a = base_of(t, &off);

	if (a == EMU_NOTEMP)
		return ia_imm(t, off, t->i.asize);
	if (off)
		a = ia_2k(t, EMU_OP_ADD, a, off);
	return ia_zext(t, a, t->i.asize);
}

static bool has_base(const struct ia *t, unsigned seg)
{
	return t->mode->bits == 64 || t->mode->flat ? seg >= IA_FS : true;
}

/* Are there limits and rights to look at? */
static bool is_checked(const struct ia *t, unsigned seg)
{
	return t->mode->system && t->mode->bits != 64 && (t->mode->checked || seg >= IA_FS);
}

struct ia_address ia_linear(struct ia *t, uint16_t effective, unsigned seg)
{
	struct ia_address at = { effective, 0, EMU_NOTEMP, (uint8_t)seg };

	if (is_checked(t, seg))
		at.effective = effective;
	if (has_base(t, seg)) {
		at.a = ia_2(t, EMU_OP_ADD, effective, EMU_R(IA_G_SEGBASE + seg));
		/* the TLB looks at all bits */
		if (t->mode->system && t->mode->bits != 64)
			at.a = ia_zext(t, at.a, 4);
	}
	return at;
}

struct ia_address ia_address(struct ia *t, uint16_t add)
{
	const unsigned seg = t->i.seg, wrap = t->i.asize;
	struct ia_address at;

	/* an access of a user-level guest wraps at 4 GiB by itself outside of 64-bit mode */
	if (add == EMU_NOTEMP && !has_base(t, seg) && (wrap == 8 || (wrap == 4 && t->mode->bits != 64 && !t->mode->system))) {
		at.effective = EMU_NOTEMP;
		at.seg = (uint8_t)seg;
		at.a = base_of(t, &at.off);
		if (at.a == EMU_NOTEMP) {
			at.a = ia_imm(t, at.off, wrap);
			at.off = 0;
		}
		return at;
	}
	at.a = ia_effective(t);
	if (add != EMU_NOTEMP)
		at.a = ia_zext(t, ia_2(t, EMU_OP_ADD, at.a, add), wrap);
	return ia_linear(t, at.a, seg);
}

/* Looks at the segment, and says how the access is made. */
static unsigned access_of(struct ia *t, struct ia_address at, unsigned bytes, bool write)
{
	unsigned how = ia_log2(bytes);

	if (at.effective != EMU_NOTEMP)
		emu_ir_emit(t->ir, EMU_OP_SEG, how | (write ? EMU_MWRITE : 0u), EMU_NOTEMP, at.effective, EMU_NOTEMP, EMU_NOTEMP,
			    at.seg);
	if (t->mode->system && at.seg == IA_SS)
		how |= EMU_MSTACK;
	return how;
}

uint16_t ia_load(struct ia *t, struct ia_address at, unsigned bytes)
{
	unsigned how = access_of(t, at, bytes, false);
	uint16_t d = emu_ir_temp(t->ir);

	emu_ir_ld(t->ir, how, d, at.a, at.off);
	return d;
}

uint16_t ia_load_to_write(struct ia *t, struct ia_address at, unsigned bytes)
{
	unsigned how = access_of(t, at, bytes, t->mode->system);
	uint16_t d = emu_ir_temp(t->ir);

	emu_ir_ld(t->ir, how | (t->mode->system ? EMU_MWRITE : 0u), d, at.a, at.off);
	return d;
}

void ia_store(struct ia *t, struct ia_address at, unsigned bytes, uint16_t value)
{
	unsigned how = access_of(t, at, bytes, true);

	emu_ir_st(t->ir, how, value, at.a, at.off);
}

/* -- operands of the instruction -- */

static uint16_t fixed(struct ia *t, unsigned operand, unsigned bytes)
{
	switch (operand) {
	case IA_O_I1: return ia_k(t, 1);
	case IA_O_CL: return ia_get(t, IA_RCX, 1);
	case IA_O_DX: return ia_get(t, IA_RDX, 2);
	default: return ia_get(t, IA_RAX, bytes); /* AL, rAX, eAX */
	}
}

uint16_t ia_read(struct ia *t, unsigned n, struct ia_address *at)
{
	const struct emu_ia_insn *i = &t->i;
	unsigned bytes = emu_ia_size(i, n);
	struct ia_address here;

	switch (emu_ia_place(i, n)) {
	case IA_PLACE_G: return ia_get(t, i->reg, bytes);
	case IA_PLACE_Z: return ia_get(t, (i->opcode & 7u) | (i->rex & 1u) << 3, bytes);
	case IA_PLACE_I: return ia_imm(t, i->imm, bytes);
	case IA_PLACE_H: return ia_imm(t, i->imm, i->osize);
	case IA_PLACE_L: return fixed(t, i->row->operand[n], bytes);
	case IA_PLACE_O: break;
	default:
		if (!i->memory)
			return ia_get(t, i->rm, bytes);
	}
	here = ia_address(t, EMU_NOTEMP);
	if (at)
		*at = here;
	return at ? ia_load_to_write(t, here, bytes) : ia_load(t, here, bytes);
}

void ia_write(struct ia *t, unsigned n, const struct ia_address *at, uint16_t value)
{
	const struct emu_ia_insn *i = &t->i;
	unsigned bytes = emu_ia_size(i, n);

	switch (emu_ia_place(i, n)) {
	case IA_PLACE_G: ia_put(t, i->reg, bytes, value); return;
	case IA_PLACE_Z: ia_put(t, (i->opcode & 7u) | (i->rex & 1u) << 3, bytes, value); return;
	case IA_PLACE_L: ia_put(t, IA_RAX, bytes, value); return;
	case IA_PLACE_O: break;
	default:
		if (!i->memory) {
			ia_put(t, i->rm, bytes, value);
			return;
		}
	}
	ia_store(t, at ? *at : ia_address(t, EMU_NOTEMP), bytes, value);
}

/* -- the stack -- */

unsigned ia_stack_bytes(const struct ia *t)
{
	return t->mode->stack_bytes;
}

uint16_t ia_stack_pointer(struct ia *t)
{
	return ia_get(t, IA_RSP, ia_stack_bytes(t));
}

static struct ia_address stack_address(struct ia *t, int64_t off)
{
	unsigned wide = ia_stack_bytes(t);
	struct ia_address at = { ia_stack_pointer(t), off, EMU_NOTEMP, IA_SS };

	if (has_base(t, IA_SS) || wide == 2 || (t->mode->system && wide == 4)) {
		if (off)
			at.a = ia_zext(t, ia_2k(t, EMU_OP_ADD, at.a, off), wide);
		return ia_linear(t, at.a, IA_SS);
	}
	return at;
}

uint16_t ia_stack_load(struct ia *t, int64_t off, unsigned bytes)
{
	return ia_load(t, stack_address(t, off), bytes);
}

void ia_stack_probe(struct ia *t, int64_t off, unsigned bytes)
{
	struct ia_address at = stack_address(t, off);

	ia_store(t, at, bytes, ia_load_to_write(t, at, bytes));
}

void ia_stack_move(struct ia *t, uint16_t n)
{
	unsigned wide = ia_stack_bytes(t);

	if (wide == 8)
		emu_ir_2(t->ir, EMU_OP_ADD, EMU_R(IA_RSP), EMU_R(IA_RSP), n);
	else if (wide == 4)
		emu_ir_2(t->ir, EMU_OP_ADD32, EMU_R(IA_RSP), EMU_R(IA_RSP), n);
	else
		ia_put(t, IA_RSP, 2, ia_zext(t, ia_2(t, EMU_OP_ADD, EMU_R(IA_RSP), n), 2));
}

void ia_stack_store(struct ia *t, int64_t off, unsigned bytes, uint16_t value)
{
	ia_store(t, stack_address(t, off), bytes, value);
}

void ia_push(struct ia *t, uint16_t value, unsigned bytes)
{
	ia_stack_store(t, -(int64_t)bytes, bytes, value);
	ia_stack_move(t, ia_k(t, -(int64_t)bytes));
}
