/* RISC-V instructions into IR: integers, memory, atomics, control. Rows of `plain` are instructions
 * that are one IR operation; the rest stands in the functions below it. Every intermediate value is
 * a local temp, and rd is written by the last operation, so rd may be one of the sources.
 */
#include <string.h>

#include "emu/rv_translate.h"

/* How the operands of a plain instruction go into its operation. */
enum shape {
	NOT_PLAIN,
	RR,     /* rd = rs1 op rs2 */
	RI,     /* rd = rs1 op imm */
	RRW,    /* RR, 32-bit result sign-extended */
	RIW,
	R1,     /* rd = op rs1 */
	R1W,
};

static const struct { uint8_t shape, op; } plain[RV_COUNT] = {
	[RV_add] = { RR, EMU_OP_ADD },       [RV_sub] = { RR, EMU_OP_SUB },
	[RV_sll] = { RR, EMU_OP_SHL },       [RV_srl] = { RR, EMU_OP_SHR },
	[RV_sra] = { RR, EMU_OP_SAR },       [RV_xor] = { RR, EMU_OP_XOR },
	[RV_or] = { RR, EMU_OP_OR },         [RV_and] = { RR, EMU_OP_AND },
	[RV_addi] = { RI, EMU_OP_ADD },      [RV_xori] = { RI, EMU_OP_XOR },
	[RV_ori] = { RI, EMU_OP_OR },        [RV_andi] = { RI, EMU_OP_AND },
	[RV_slli] = { RI, EMU_OP_SHL },      [RV_srli] = { RI, EMU_OP_SHR },
	[RV_srai] = { RI, EMU_OP_SAR },
	[RV_addw] = { RRW, EMU_OP_ADD32 },   [RV_subw] = { RRW, EMU_OP_SUB32 },
	[RV_sllw] = { RRW, EMU_OP_SHL32 },   [RV_srlw] = { RRW, EMU_OP_SHR32 },
	[RV_sraw] = { RRW, EMU_OP_SAR32 },
	[RV_addiw] = { RIW, EMU_OP_ADD32 },  [RV_slliw] = { RIW, EMU_OP_SHL32 },
	[RV_srliw] = { RIW, EMU_OP_SHR32 },  [RV_sraiw] = { RIW, EMU_OP_SAR32 },
	/* M */
	[RV_mul] = { RR, EMU_OP_MUL },       [RV_mulh] = { RR, EMU_OP_MULHS },
	[RV_mulhsu] = { RR, EMU_OP_MULHSU }, [RV_mulhu] = { RR, EMU_OP_MULHU },
	[RV_div] = { RR, EMU_OP_DIVS },      [RV_divu] = { RR, EMU_OP_DIVU },
	[RV_rem] = { RR, EMU_OP_REMS },      [RV_remu] = { RR, EMU_OP_REMU },
	[RV_mulw] = { RRW, EMU_OP_MUL32 },   [RV_divw] = { RRW, EMU_OP_DIVS32 },
	[RV_divuw] = { RRW, EMU_OP_DIVU32 }, [RV_remw] = { RRW, EMU_OP_REMS32 },
	[RV_remuw] = { RRW, EMU_OP_REMU32 },
	/* Zbb */
	[RV_andn] = { RR, EMU_OP_ANDN },     [RV_min] = { RR, EMU_OP_MINS },
	[RV_max] = { RR, EMU_OP_MAXS },      [RV_minu] = { RR, EMU_OP_MINU },
	[RV_maxu] = { RR, EMU_OP_MAXU },     [RV_ror] = { RR, EMU_OP_ROTR },
	[RV_rori] = { RI, EMU_OP_ROTR },     [RV_rorw] = { RRW, EMU_OP_ROTR32 },
	[RV_roriw] = { RIW, EMU_OP_ROTR32 },
	[RV_clz] = { R1, EMU_OP_CLZ },       [RV_ctz] = { R1, EMU_OP_CTZ },
	[RV_cpop] = { R1, EMU_OP_POPCNT },   [RV_clzw] = { R1, EMU_OP_CLZ32 },
	[RV_ctzw] = { R1, EMU_OP_CTZ32 },    [RV_cpopw] = { R1, EMU_OP_POPCNT32 },
	[RV_sext_b] = { R1, EMU_OP_SEXT8 },  [RV_sext_h] = { R1, EMU_OP_SEXT16 },
	[RV_zext_h] = { R1, EMU_OP_ZEXT16 }, [RV_orc_b] = { R1, EMU_OP_ORCB },
	[RV_rev8] = { R1, EMU_OP_BSWAP },
};

static bool translate_plain(struct emu_ir *ir, const struct rv_insn *i)
{
	enum emu_opcode op = plain[i->op].op;
	enum shape shape = plain[i->op].shape;
	bool wide = shape != RRW && shape != RIW;
	uint16_t a = rv_src(ir, i->rs1), d = rv_dst(ir, i->rd), r = wide ? d : emu_ir_temp(ir);

	switch (shape) {
	case NOT_PLAIN:
		return false;
	case RR:
	case RRW:
		if (i->op == RV_add && !i->rs1) /* mv */
			emu_ir_1(ir, EMU_OP_MOV, d, rv_src(ir, i->rs2));
		else
			emu_ir_2(ir, op, r, a, rv_src(ir, i->rs2));
		break;
	case RI:
	case RIW:
		if (i->op == RV_addi && !i->rs1) /* li */
			emu_ir_1(ir, EMU_OP_MOV, d, emu_ir_const(ir, i->imm));
		else if (i->op == RV_addi && !i->imm) /* mv */
			emu_ir_1(ir, EMU_OP_MOV, d, a);
		else if (i->op == RV_addiw && !i->imm) { /* sext.w */
			emu_ir_1(ir, EMU_OP_SEXT32, d, a);
			return true;
		} else
			emu_ir_2i(ir, op, r, a, i->imm);
		break;
	case R1:
	case R1W:
		emu_ir_1(ir, op, r, a);
		break;
	}
	if (!wide)
		emu_ir_1(ir, EMU_OP_SEXT32, d, r);
	return true;
}

static void set_cond(struct emu_ir *ir, enum emu_cond cond, uint16_t d, uint16_t a, uint16_t b)
{
	emu_ir_emit(ir, EMU_OP_SETCOND, cond, d, a, b, EMU_NOTEMP, 0);
}

/* rd = (rs1 << shift, of the low 32 bits when `uw`) + rs2 (Zba). */
static void shift_add(struct emu_ir *ir, const struct rv_insn *i, unsigned shift, bool uw)
{
	uint16_t a = rv_src(ir, i->rs1), t;

	if (uw) {
		t = emu_ir_temp(ir);
		emu_ir_1(ir, EMU_OP_ZEXT32, t, a);
		a = t;
	}
	if (shift) {
		t = emu_ir_temp(ir);
		emu_ir_2i(ir, EMU_OP_SHL, t, a, shift);
		a = t;
	}
	emu_ir_2(ir, EMU_OP_ADD, rv_dst(ir, i->rd), a, rv_src(ir, i->rs2));
}

/* rd = op(rs1, op2(rs2)) and the like: two operations, the intermediate value in between. */
static void then(struct emu_ir *ir, enum emu_opcode first, uint16_t a, uint16_t b,
		 enum emu_opcode second, uint16_t d, uint16_t other)
{
	uint16_t t = emu_ir_temp(ir);

	emu_ir_emit(ir, first, 0, t, a, b, EMU_NOTEMP, 0);
	emu_ir_emit(ir, second, 0, d, other == EMU_NOTEMP ? t : other, other == EMU_NOTEMP ? other : t,
		    EMU_NOTEMP, 0);
}

/* The mask of a single bit (Zbs), from rs2 or the immediate. */
static uint16_t bit_mask(struct emu_ir *ir, const struct rv_insn *i, bool imm)
{
	uint16_t t;

	if (imm)
		return emu_ir_const(ir, (int64_t)(1ull << (i->imm & 63)));
	t = emu_ir_temp(ir);
	emu_ir_2(ir, EMU_OP_SHL, t, emu_ir_const(ir, 1), rv_src(ir, i->rs2));
	return t;
}

static bool translate_bits(struct emu_ir *ir, const struct rv_insn *i)
{
	uint16_t a = rv_src(ir, i->rs1), b = rv_src(ir, i->rs2), zero = emu_ir_const(ir, 0), t;

	switch (i->op) {
	case RV_add_uw: shift_add(ir, i, 0, true); return true;
	case RV_sh1add: shift_add(ir, i, 1, false); return true;
	case RV_sh2add: shift_add(ir, i, 2, false); return true;
	case RV_sh3add: shift_add(ir, i, 3, false); return true;
	case RV_sh1add_uw: shift_add(ir, i, 1, true); return true;
	case RV_sh2add_uw: shift_add(ir, i, 2, true); return true;
	case RV_sh3add_uw: shift_add(ir, i, 3, true); return true;
	case RV_slli_uw:
		t = emu_ir_temp(ir);
		emu_ir_1(ir, EMU_OP_ZEXT32, t, a);
		emu_ir_2i(ir, EMU_OP_SHL, rv_dst(ir, i->rd), t, i->imm);
		return true;
	case RV_orn:
		then(ir, EMU_OP_NOT, b, EMU_NOTEMP, EMU_OP_OR, rv_dst(ir, i->rd), a);
		return true;
	case RV_xnor:
		then(ir, EMU_OP_XOR, a, b, EMU_OP_NOT, rv_dst(ir, i->rd), EMU_NOTEMP);
		return true;
	case RV_rol:
		then(ir, EMU_OP_SUB, zero, b, EMU_OP_ROTR, rv_dst(ir, i->rd), a);
		return true;
	case RV_rolw:
		t = emu_ir_temp(ir);
		then(ir, EMU_OP_SUB, zero, b, EMU_OP_ROTR32, t, a);
		emu_ir_1(ir, EMU_OP_SEXT32, rv_dst(ir, i->rd), t);
		return true;
	case RV_bclr:
	case RV_bclri:
		t = bit_mask(ir, i, i->op == RV_bclri);
		emu_ir_2(ir, EMU_OP_ANDN, rv_dst(ir, i->rd), a, t);
		return true;
	case RV_binv:
	case RV_binvi:
		t = bit_mask(ir, i, i->op == RV_binvi);
		emu_ir_2(ir, EMU_OP_XOR, rv_dst(ir, i->rd), a, t);
		return true;
	case RV_bset:
	case RV_bseti:
		t = bit_mask(ir, i, i->op == RV_bseti);
		emu_ir_2(ir, EMU_OP_OR, rv_dst(ir, i->rd), a, t);
		return true;
	case RV_bext:
	case RV_bexti:
		t = emu_ir_temp(ir);
		emu_ir_2(ir, EMU_OP_SHR, t, a, i->op == RV_bexti ? emu_ir_const(ir, i->imm) : b);
		emu_ir_2i(ir, EMU_OP_AND, rv_dst(ir, i->rd), t, 1);
		return true;
	case RV_czero_eqz:
		emu_ir_emit(ir, EMU_OP_SELECT, 0, rv_dst(ir, i->rd), b, a, zero, 0);
		return true;
	case RV_czero_nez:
		emu_ir_emit(ir, EMU_OP_SELECT, 0, rv_dst(ir, i->rd), b, zero, a, 0);
		return true;
	}
	return false;
}

static bool translate_integer(struct emu_ir *ir, const struct rv_insn *i, uint64_t pc)
{
	uint16_t a = rv_src(ir, i->rs1);

	switch (i->op) {
	case RV_lui:
		emu_ir_1(ir, EMU_OP_MOV, rv_dst(ir, i->rd), emu_ir_const(ir, i->imm));
		return true;
	case RV_auipc:
		emu_ir_1(ir, EMU_OP_MOV, rv_dst(ir, i->rd), emu_ir_const(ir, (int64_t)(pc + (uint64_t)i->imm)));
		return true;
	case RV_slt:
		set_cond(ir, EMU_LT, rv_dst(ir, i->rd), a, rv_src(ir, i->rs2));
		return true;
	case RV_sltu:
		set_cond(ir, EMU_LTU, rv_dst(ir, i->rd), a, rv_src(ir, i->rs2));
		return true;
	case RV_slti:
		set_cond(ir, EMU_LT, rv_dst(ir, i->rd), a, emu_ir_const(ir, i->imm));
		return true;
	case RV_sltiu:
		set_cond(ir, EMU_LTU, rv_dst(ir, i->rd), a, emu_ir_const(ir, i->imm));
		return true;
	}
	return translate_plain(ir, i) || translate_bits(ir, i);
}

/* ---- memory ---- */

static bool translate_memory(struct emu_ir *ir, const struct rv_insn *i)
{
	static const struct { uint16_t id; uint8_t size; } loads[] = {
		{ RV_lb, EMU_M8 | EMU_MSIGN }, { RV_lh, EMU_M16 | EMU_MSIGN },
		{ RV_lw, EMU_M32 | EMU_MSIGN }, { RV_ld, EMU_M64 }, { RV_lbu, EMU_M8 },
		{ RV_lhu, EMU_M16 }, { RV_lwu, EMU_M32 },
	}, stores[] = {
		{ RV_sb, EMU_M8 }, { RV_sh, EMU_M16 }, { RV_sw, EMU_M32 }, { RV_sd, EMU_M64 },
	};

	for (unsigned k = 0; k < sizeof(loads) / sizeof(*loads); k++)
		if (loads[k].id == i->op) {
			emu_ir_ld(ir, loads[k].size, rv_dst(ir, i->rd), rv_src(ir, i->rs1), i->imm);
			return true;
		}
	for (unsigned k = 0; k < sizeof(stores) / sizeof(*stores); k++)
		if (stores[k].id == i->op) {
			emu_ir_st(ir, stores[k].size, rv_src(ir, i->rs2), rv_src(ir, i->rs1), i->imm);
			return true;
		}
	return false;
}

/* aq and rl need no operations of their own: the IR's atomics are sequentially consistent. */
static bool translate_atomic(struct emu_ir *ir, const struct rv_insn *i)
{
	static const struct { uint16_t w, d; uint8_t op; } amo[] = {
		{ RV_amoswap_w, RV_amoswap_d, EMU_AMO_SWAP }, { RV_amoadd_w, RV_amoadd_d, EMU_AMO_ADD },
		{ RV_amoand_w, RV_amoand_d, EMU_AMO_AND },    { RV_amoor_w, RV_amoor_d, EMU_AMO_OR },
		{ RV_amoxor_w, RV_amoxor_d, EMU_AMO_XOR },    { RV_amomin_w, RV_amomin_d, EMU_AMO_MIN },
		{ RV_amomax_w, RV_amomax_d, EMU_AMO_MAX },    { RV_amominu_w, RV_amominu_d, EMU_AMO_MINU },
		{ RV_amomaxu_w, RV_amomaxu_d, EMU_AMO_MAXU },
	};
	uint16_t a = rv_src(ir, i->rs1), b = rv_src(ir, i->rs2);

	switch (i->op) {
	case RV_lr_w:
	case RV_lr_d:
		emu_ir_emit(ir, EMU_OP_LR, i->op == RV_lr_d ? EMU_M64 : EMU_M32 | EMU_MSIGN, rv_dst(ir, i->rd),
			    a, EMU_NOTEMP, EMU_NOTEMP, 0);
		return true;
	case RV_sc_w:
	case RV_sc_d:
		emu_ir_emit(ir, EMU_OP_SC, i->op == RV_sc_d ? EMU_M64 : EMU_M32, rv_dst(ir, i->rd), a, b,
			    EMU_NOTEMP, 0);
		return true;
	case RV_fence:
		/* The sets (predecessor in bits 7:4), for back ends that have weaker barriers. */
		emu_ir_emit(ir, EMU_OP_FENCE, (unsigned)i->imm, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP,
			    EMU_NOTEMP, 0);
		return true;
	case RV_fence_tso:
		emu_ir_emit(ir, EMU_OP_FENCE, 0x33, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, 0);
		return true;
	case RV_pause:
		return true;
	}
	for (unsigned k = 0; k < sizeof(amo) / sizeof(*amo); k++)
		if (i->op == amo[k].w || i->op == amo[k].d) {
			unsigned size = i->op == amo[k].d ? EMU_M64 : EMU_M32 | EMU_MSIGN;

			emu_ir_emit(ir, EMU_OP_AMO, (unsigned)amo[k].op << 4 | size, rv_dst(ir, i->rd), a, b,
				    EMU_NOTEMP, 0);
			return true;
		}
	return false;
}

/* ---- CSRs ---- */

/* False: an illegal instruction (unknown, or a write to what can only be read). */
static bool translate_csr(struct emu_xlat *x, const struct rv_insn *i)
{
	bool imm = i->op == RV_csrrwi || i->op == RV_csrrsi || i->op == RV_csrrci;
	bool swap = i->op == RV_csrrw || i->op == RV_csrrwi;
	bool set = i->op == RV_csrrs || i->op == RV_csrrsi;
	bool writes = swap || i->rs1, reads = !swap || i->rd;
	struct emu_ir *ir = x->ir;
	uint16_t number = emu_ir_const(ir, i->imm), old = EMU_NOTEMP, value;

	if (!rv_csr_name((unsigned)i->imm) || (writes && !rv_csr_writable((unsigned)i->imm)))
		return false;
	value = imm ? emu_ir_const(ir, i->rs1) : rv_src(ir, i->rs1);
	if (reads) {
		old = emu_ir_temp(ir);
		emu_ir_call(ir, rv_csr_read, old, number, number);
	}
	if (writes && !swap) {
		uint16_t t = emu_ir_temp(ir);

		emu_ir_2(ir, set ? EMU_OP_OR : EMU_OP_ANDN, t, old, value);
		value = t;
	}
	if (writes)
		emu_ir_call(ir, rv_csr_write, EMU_NOTEMP, number, value);
	if (reads)
		emu_ir_1(ir, EMU_OP_MOV, rv_dst(ir, i->rd), old);
	if (writes && (i->imm == RV_CSR_FRM || i->imm == RV_CSR_FCSR)) /* emu_cpu_special_rm */
		emu_x_stop(x);
	return true;
}

/* ---- control ---- */

/* x1 and x5 hold return addresses by convention (volume I, table "Return-address stack hints"). */
static bool is_link(unsigned r)
{
	return r == 1 || r == 5;
}

static void translate_jalr(struct emu_xlat *x, const struct rv_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t t = emu_ir_temp(ir), target = emu_ir_temp(ir);

	emu_ir_2i(ir, EMU_OP_ADD, t, rv_src(ir, i->rs1), i->imm);
	emu_ir_2i(ir, EMU_OP_AND, target, t, ~1);
	if (i->rd)
		emu_ir_1(ir, EMU_OP_MOV, EMU_R(i->rd), emu_ir_const(ir, (int64_t)x->next));
	emu_x_jump_reg(x, target, is_link(i->rd) ? EMU_JUMP_CALL :
		       !i->rd && is_link(i->rs1) ? EMU_JUMP_RET : EMU_JUMP_PLAIN);
}

static bool translate_control(struct emu_xlat *x, const struct rv_insn *i)
{
	static const struct { uint16_t id; uint8_t cond; } branches[] = {
		{ RV_beq, EMU_EQ }, { RV_bne, EMU_NE }, { RV_blt, EMU_LT }, { RV_bge, EMU_GE },
		{ RV_bltu, EMU_LTU }, { RV_bgeu, EMU_GEU },
	};
	uint64_t target = x->pc + (uint64_t)i->imm;

	switch (i->op) {
	case RV_jal:
		if (i->rd)
			emu_ir_1(x->ir, EMU_OP_MOV, EMU_R(i->rd), emu_ir_const(x->ir, (int64_t)x->next));
		if (is_link(i->rd))
			emu_x_call(x, target);
		else
			emu_x_jump(x, target);
		return true;
	case RV_jalr:
		translate_jalr(x, i);
		return true;
	case RV_ecall:
		emu_x_exception(x, EMU_EXC_SYSCALL);
		return true;
	case RV_ebreak:
		emu_x_exception(x, EMU_EXC_BREAK);
		return true;
	case RV_fence_i:
		emu_x_exception(x, EMU_EXC_FENCE_I);
		return true;
	}
	for (unsigned k = 0; k < sizeof(branches) / sizeof(*branches); k++)
		if (branches[k].id == i->op) {
			emu_x_branch(x, branches[k].cond, rv_src(x->ir, i->rs1), rv_src(x->ir, i->rs2), target);
			return true;
		}
	return false;
}

/* The bytes of one instruction, or false when there are not enough. */
static bool fetch(const uint8_t *code, unsigned avail, struct rv_insn *i)
{
	uint32_t bits = code[0] | (uint32_t)code[1] << 8;

	if (rv_length(bits) != 2) {
		if (avail < 4)
			return false;
		bits |= (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
	}
	rv_decode(bits, i);
	return true;
}

static unsigned translate(struct emu_xlat *x, const uint8_t *code, unsigned avail)
{
	struct rv_insn i;
	bool known;

	if (!fetch(code, avail, &i))
		return 0;
	x->next = x->pc + i.len;
	if (i.id >= RV_COUNT)
		known = false;
	else if (rv_rows[i.op].format == RV_FORMAT_CSR)
		known = translate_csr(x, &i);
	else
		known = translate_integer(x->ir, &i, x->pc) || translate_memory(x->ir, &i) ||
			translate_control(x, &i) || rv_translate_fp(x, &i) ||
			translate_atomic(x->ir, &i);
	if (!known)
		emu_x_exception(x, EMU_EXC_ILLEGAL);
	return i.len;
}

static unsigned disasm(const uint8_t *code, unsigned avail, uint64_t pc, char *buf, size_t size)
{
	struct rv_insn i;

	if (avail < RV_INSN_MIN || !fetch(code, avail, &i))
		return 0;
	rv_disasm(&i, pc, RV_STYLE_ALIASES, buf, size);
	for (char *p = buf; size && *p; p++)
		if (*p == '\t')
			*p = ' ';
	return i.len;
}

/* How often compilers use a register: arguments, saved registers, stack, link. */
static const uint16_t hot[] = { 15, 14, 10, 2, 13, 8, 11, 12, 9, 1, 16, 17, 18, 19, 6, 7, 5, 28, 29,
				20, 21, 22, 30, 31, 3, 4, 23, 24, 25, 26, 27, EMU_NOTEMP };
static const uint16_t hot_fp[] = { EMU_F(15), EMU_F(14), EMU_F(10), EMU_F(11), EMU_F(13), EMU_F(12),
				   EMU_F(0), EMU_F(1), EMU_F(8), EMU_F(9), EMU_F(2), EMU_F(3),
				   EMU_F(16), EMU_F(17), EMU_NOTEMP };

const struct emu_guest emu_guest_riscv64 = {
	.name = "riscv64",
	.elf_machine = 243,
	.insn_align = RV_INSN_MIN,
	.insn_max = RV_INSN_MAX,
	.vector_bits = 64,
	.reg = {
		"zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
		"a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
		"t5", "t6",
		"ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
		"fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
		"fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
	},
	.hot = hot,
	.hot_fp = hot_fp,
	.sys_nr = EMU_R(17),
	.sys_arg = { EMU_R(10), EMU_R(11), EMU_R(12), EMU_R(13), EMU_R(14), EMU_R(15) },
	.sys_ret = EMU_R(10),
	.sp = EMU_R(2),
	.tp = EMU_R(4),
	.linux_abi = &emu_linux_riscv64,
	.translate = translate,
	.disasm = disasm,
	.doc = rv_doc,
	.notation = N_("d, s, t and r are the numbers of the registers rd, rs1, rs2 and rs3 (frd, frs1, ... when "
		       "they hold floating point); i is the immediate, m the rounding mode, q and l are aq and rl, "
		       "and x is ignored. In effects, M32[a] is 32 bits of memory at address a, s32(v) the low 32 bits "
		       "of v with their sign extended, u32(v) with zeros above. \"= add\": the same as add."),
};
