/* AArch64: branches, exceptions, system instructions into IR. */
#include "emu/a64_translate.h"

static void link_register(struct emu_xlat *x)
{
	emu_ir_1(x->ir, EMU_OP_MOV, EMU_R(30), emu_ir_const(x->ir, (int64_t)x->next));
}

bool a64_branch(struct emu_xlat *x, const struct a64_insn *i)
{
	uint64_t target = x->pc + (uint64_t)i->imm;

	if (i->id == A64_bl) {
		link_register(x);
		emu_x_call(x, target);
	} else {
		emu_x_jump(x, target);
	}
	return true;
}

bool a64_branch_cond(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint64_t target = x->pc + (uint64_t)i->imm;
	uint16_t t = a64_src(ir, i->rd), zero = emu_ir_const(ir, 0);
	unsigned width = i->sf ? 0 : EMU_C32;
	struct a64_test c;

	switch (i->id) {
	case A64_b_cond:
		if (i->index >= A64_CAL) {
			emu_x_jump(x, target);
			return true;
		}
		c = a64_condition(x, i->index);
		emu_x_branch(x, c.cond, c.a, c.b, target);
		return true;
	case A64_cbz: emu_x_branch(x, EMU_EQ | width, t, zero, target); return true;
	case A64_cbnz: emu_x_branch(x, EMU_NE | width, t, zero, target); return true;
	}
	/* tbz, tbnz: the sign bit of either width is a comparison */
	if (i->index == 63 || i->index == 31) {
		width = i->index == 31 ? EMU_C32 : 0;
		emu_x_branch(x, (i->id == A64_tbz ? EMU_GE : EMU_LT) | width, t, zero, target);
	} else {
		emu_x_branch(x, i->id == A64_tbz ? EMU_TSTEQ : EMU_TSTNE, t, emu_ir_const(ir, (int64_t)(1ull << i->index)),
			     target);
	}
	return true;
}

bool a64_branch_reg(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t target = a64_src(ir, i->rn);

	if (i->id == A64_blr) {
		if (i->rn == 30)
			target = a64_new(ir, EMU_OP_MOV, target, EMU_NOTEMP);
		link_register(x);
	}
	emu_x_jump_reg(x, target, i->id == A64_blr ? EMU_JUMP_CALL : i->id == A64_ret ? EMU_JUMP_RET : EMU_JUMP_PLAIN);
	return true;
}

bool a64_exception(struct emu_xlat *x, const struct a64_insn *i)
{
	if (i->id == A64_svc)
		emu_x_exception(x, EMU_EXC_SYSCALL);
	else if (i->id == A64_brk)
		emu_x_exception(x, EMU_EXC_BREAK);
	else
		return false; /* udf; hlt, which is undefined without a debugger in the processor */
	return true;
}

/* Pointer authentication and branch targets are hints that do nothing here. */
bool a64_hint(struct emu_xlat *x, const struct a64_insn *i)
{
	(void)x;
	(void)i;
	return true;
}

bool a64_barrier(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t zero = emu_ir_const(ir, 0);

	switch (i->id) {
	case A64_clrex:
		emu_ir_call(ir, a64_clear_exclusive, EMU_NOTEMP, zero, zero);
		break;
	case A64_isb: /* what comes next is fetched anew: changed code is thrown away as it is written */
		emu_x_stop(x);
		break;
	default:
		/* x86 orders loads with loads and stores with stores (TSO); option 1 of a domain is loads */
		if ((i->imm & 3) != 1)
			emu_ir_emit(ir, EMU_OP_FENCE, 0xff, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, 0);
		break;
	}
	return true;
}

/* ---- system registers ---- */

#define MRS(i) ((i)->bits >> 21 & 1)

static void flags_register(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t nz, c, v, value = a64_src(ir, i->rd);

	a64_flags_settle(x, EMU_ANYWHERE);
	if (MRS(i)) {
		nz = a64_new_i(ir, EMU_OP_SHL, a64_new_i(ir, EMU_OP_AND, A64_FLAGS, EMU_FLAG_N | EMU_FLAG_Z), 16);
		c = a64_new_i(ir, EMU_OP_SHL, a64_new_i(ir, EMU_OP_AND, A64_FLAGS, EMU_FLAG_C), 21);
		v = a64_new_i(ir, EMU_OP_SHL, a64_new_i(ir, EMU_OP_AND, A64_FLAGS, EMU_FLAG_V), 28);
		emu_ir_2(ir, EMU_OP_OR, a64_dst(ir, i->rd), a64_new(ir, EMU_OP_OR, nz, c), v);
		return;
	}
	a64_flags_set_bits(x, a64_new_i(ir, EMU_OP_AND, a64_new_i(ir, EMU_OP_SHR, value, 28), 15));
}

/* mrs, msr of what user mode has; what Linux emulates can only be read. */
static bool system_register(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	unsigned number = (unsigned)i->imm & 0xffff;
	uint16_t n = emu_ir_const(ir, number);
	enum a64_access access;

	if (!a64_sysreg_name(number, &access) || (access != A64_ACCESS_RW && !MRS(i)))
		return false;
	if (number == A64_SYSREG_NZCV)
		flags_register(x, i);
	else if (number == A64_SYSREG_TPIDR_EL0 && MRS(i))
		emu_ir_1(ir, EMU_OP_MOV, a64_dst(ir, i->rd), A64_TPIDR);
	else if (number == A64_SYSREG_TPIDR_EL0)
		emu_ir_1(ir, EMU_OP_MOV, A64_TPIDR, a64_src(ir, i->rd));
	else if (MRS(i))
		emu_ir_call(ir, a64_sysreg_read, a64_dst(ir, i->rd), n, n);
	else
		emu_ir_call(ir, a64_sysreg_write, EMU_NOTEMP, n, a64_src(ir, i->rd));
	return true;
}

/* op1, CRn, CRm, op2 of the sys instructions of user mode. */
enum {
	IC_IVAU = 3 << 11 | 7 << 7 | 5 << 3 | 1,
	DC_ZVA = 3 << 11 | 7 << 7 | 4 << 3 | 1,
	DC_CVAC = 3 << 11 | 7 << 7 | 10 << 3 | 1,
	DC_CVAU = 3 << 11 | 7 << 7 | 11 << 3 | 1,
	DC_CIVAC = 3 << 11 | 7 << 7 | 14 << 3 | 1,
};
#define ZVA_BYTES 64 /* DCZID_EL0 says so */

static bool cache(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t address = a64_src(ir, i->rd), t;

	switch (i->imm & 0x3fff) {
	case DC_ZVA:
		a64_flags_fault(x);
		t = a64_new_i(ir, EMU_OP_AND, address, -ZVA_BYTES);
		for (unsigned k = 0; k < ZVA_BYTES; k += 8)
			emu_ir_st(ir, EMU_M64, emu_ir_const(ir, 0), t, k);
		return true;
	case DC_CVAC: case DC_CVAU: case DC_CIVAC: /* a fault when nothing is there */
		a64_flags_fault(x);
		emu_ir_ld(ir, EMU_M8, emu_ir_temp(ir), address, 0);
		return true;
	case IC_IVAU: /* whatever the address: it may be another mapping of the same code */
		emu_x_exception(x, EMU_EXC_FENCE_I);
		return true;
	}
	return false;
}

bool a64_system(struct emu_xlat *x, const struct a64_insn *i)
{
	return i->id == A64_sys ? cache(x, i) : system_register(x, i);
}
