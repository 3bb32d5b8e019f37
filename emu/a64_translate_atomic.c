/* AArch64: exclusive, ordered and atomic accesses into IR. The IR's atomics are sequentially consistent,
 * and a load or store of x86 is an acquire or release already; what TSO leaves open, a store followed
 * by a load, is closed after a store-release, so that a load-acquire never comes before it.
 */
#include "emu/a64_translate.h"

static uint16_t address(const struct a64_insn *i)
{
	return a64_sp(i->rn);
}

bool a64_exclusive(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;

	a64_flags_fault(x);
	if (i->bits >> 22 & 1)
		emu_ir_emit(ir, EMU_OP_LR, i->size, a64_dst(ir, i->rd), address(i), EMU_NOTEMP, EMU_NOTEMP, 0);
	else
		emu_ir_emit(ir, EMU_OP_SC, i->size, a64_dst(ir, i->rm), address(i), a64_src(ir, i->rd), EMU_NOTEMP, 0);
	return true;
}

/* A pair of W registers as one number of 64 bits. */
static uint16_t join(struct emu_ir *ir, uint16_t low, uint16_t high)
{
	uint16_t l = a64_new(ir, EMU_OP_ZEXT32, low, EMU_NOTEMP);

	return a64_new(ir, EMU_OP_OR, l, a64_new_i(ir, EMU_OP_SHL, high, 32));
}

static void split(struct emu_ir *ir, uint16_t low, uint16_t high, uint16_t value)
{
	emu_ir_2i(ir, EMU_OP_SHR, high, value, 32);
	emu_ir_1(ir, EMU_OP_ZEXT32, low, value);
}

bool a64_exclusive_pair(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t t;

	if (i->size == 3) {
		emu_x_exception(x, EMU_EXC_ASSIST);
		return true;
	}
	a64_flags_fault(x);
	if (i->bits >> 22 & 1) {
		t = emu_ir_temp(ir);
		emu_ir_emit(ir, EMU_OP_LR, EMU_M64, t, address(i), EMU_NOTEMP, EMU_NOTEMP, 0);
		split(ir, a64_dst(ir, i->rd), a64_dst(ir, i->ra), t);
	} else {
		t = join(ir, a64_src(ir, i->rd), a64_src(ir, i->ra));
		emu_ir_emit(ir, EMU_OP_SC, EMU_M64, a64_dst(ir, i->rm), address(i), t, EMU_NOTEMP, 0);
	}
	return true;
}

bool a64_ordered(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;

	a64_flags_fault(x);
	if (i->bits >> 22 & 1 || i->id == A64_ldapr) {
		emu_ir_ld(ir, i->size, a64_dst(ir, i->rd), address(i), 0);
	} else {
		emu_ir_st(ir, i->size, a64_src(ir, i->rd), address(i), 0);
		emu_ir_emit(ir, EMU_OP_FENCE, 0xff, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, 0);
	}
	return true;
}

bool a64_cas(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;

	a64_flags_fault(x);
	emu_ir_emit(ir, EMU_OP_CAS, i->size, a64_dst(ir, i->rm), address(i), a64_src(ir, i->rm), a64_src(ir, i->rd), 0);
	return true;
}

bool a64_cas_pair(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t t, old, value;

	if (i->size == 3) {
		emu_x_exception(x, EMU_EXC_ASSIST);
		return true;
	}
	a64_flags_fault(x);
	old = join(ir, a64_src(ir, i->rm), a64_src(ir, i->rm | 1));
	value = join(ir, a64_src(ir, i->rd), a64_src(ir, i->rd | 1));
	t = emu_ir_temp(ir);
	emu_ir_emit(ir, EMU_OP_CAS, EMU_M64, t, address(i), old, value, 0);
	split(ir, a64_dst(ir, i->rm), a64_dst(ir, i->rm | 1), t);
	return true;
}

bool a64_atomic(struct emu_xlat *x, const struct a64_insn *i)
{
	static const uint8_t ops[16] = {
		EMU_AMO_ADD, EMU_AMO_AND, EMU_AMO_XOR, EMU_AMO_OR, EMU_AMO_MAX, EMU_AMO_MIN, EMU_AMO_MAXU, EMU_AMO_MINU,
		EMU_AMO_SWAP,
	};
	struct emu_ir *ir = x->ir;
	uint16_t value = a64_src(ir, i->rm);

	a64_flags_fault(x);
	if (i->id == A64_ldclr)
		value = a64_new(ir, EMU_OP_NOT, value, EMU_NOTEMP);
	emu_ir_emit(ir, EMU_OP_AMO, (unsigned)ops[i->bits >> 12 & 15] << 4 | i->size, a64_dst(ir, i->rd), address(i),
		    value, EMU_NOTEMP, 0);
	return true;
}
