/* AArch64: operands of the disassembler, as binutils' objdump writes them. */
#include "emu/a64_text.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- registers ---- */

static void put_reg(struct a64_text *t, unsigned r, bool wide, bool sp)
{
	if (r == 31)
		a64_put(t, "%s", sp ? (wide ? "sp" : "wsp") : wide ? "xzr" : "wzr");
	else
		a64_put(t, "%c%u", wide ? 'x' : 'w', r);
}

static void put_scalar(struct a64_text *t, unsigned r, unsigned size)
{
	a64_put(t, "%c%u", "bhsdq"[size < 5 ? size : 4], r);
}

static void put_vector(struct a64_text *t, unsigned r, unsigned size, unsigned q)
{
	if (size == 4)
		a64_put(t, "v%u.1q", r);
	else
		a64_put(t, "v%u.%u%c", r, (q ? 16u : 8u) >> size, "bhsd"[size]);
}

static void put_element(struct a64_text *t, unsigned r, unsigned size, unsigned index)
{
	a64_put(t, "v%u.%c[%u]", r, "bhsd"[size & 3], index);
}

/* {v0.4s, v1.4s} or {v0.4s-v3.4s}; `lane`: {v0.s, v1.s}[1]. */
static void put_list(struct a64_text *t, const struct a64_insn *i, unsigned n, bool lane)
{
	unsigned last = (i->rd + n - 1) & 31;
	char suffix[8];

	if (lane)
		snprintf(suffix, sizeof(suffix), "%c", "bhsd"[i->size & 3]);
	else
		snprintf(suffix, sizeof(suffix), "%u%c", (i->q ? 16u : 8u) >> i->size, "bhsd"[i->size & 3]);
	a64_put(t, "{");
	if (n > 2 && last > i->rd) {
		a64_put(t, "v%u.%s-v%u.%s", i->rd, suffix, last, suffix);
	} else {
		for (unsigned k = 0; k < n; k++)
			a64_put(t, "%sv%u.%s", k ? ", " : "", (i->rd + k) & 31, suffix);
	}
	a64_put(t, "}");
	if (lane)
		a64_put(t, "[%u]", i->index);
}

static void put_table(struct a64_text *t, const struct a64_insn *i)
{
	unsigned n = i->index, last = (i->rn + n - 1) & 31;

	if (n > 2 && last > i->rn) {
		a64_put(t, "{v%u.16b-v%u.16b}", i->rn, last);
		return;
	}
	for (unsigned k = 0; k < n; k++)
		a64_put(t, "%sv%u.16b", k ? ", " : "{", (i->rn + k) & 31);
	a64_put(t, "}");
}

static void put_shifted(struct a64_text *t, const struct a64_insn *i)
{
	static const char *const names[4] = { "lsl", "lsr", "asr", "ror" };

	put_reg(t, i->rm, i->sf, false);
	if (i->imm || i->index)
		a64_put(t, ", %s #%" PRId64, names[i->index & 3], i->imm);
}

static const char *const extensions[8] = { "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx" };

/* With sp as another operand the extension that does nothing is written as a shift. */
static void put_extended(struct a64_text *t, const struct a64_insn *i)
{
	bool flags = i->bits >> 29 & 1, sp = i->rn == 31 || (!flags && i->rd == 31);

	put_reg(t, i->rm, i->sf && (i->index & 3) == 3, false);
	if (sp && i->index == (i->sf ? 3 : 2)) {
		if (i->imm)
			a64_put(t, ", lsl #%" PRId64, i->imm);
		return;
	}
	a64_put(t, ", %s", extensions[i->index & 7]);
	if (i->imm)
		a64_put(t, " #%" PRId64, i->imm);
}

/* ---- memory ---- */

static void put_index(struct a64_text *t, const struct a64_insn *i)
{
	bool wide = (i->index & 3) == 3;

	a64_put(t, "[");
	put_reg(t, i->rn, true, true);
	a64_put(t, ", ");
	put_reg(t, i->rm, wide, false);
	if (i->index == 3) {
		if (i->imm)
			a64_put(t, ", lsl #%u", i->size);
	} else {
		a64_put(t, ", %s", extensions[i->index & 7]);
		if (i->imm)
			a64_put(t, " #%u", i->size);
	}
	a64_put(t, "]");
}

static void put_memory(struct a64_text *t, const struct a64_insn *i, unsigned operand)
{
	a64_put(t, "[");
	put_reg(t, i->rn, true, true);
	switch (operand) {
	case A64_OPERAND_MEM_OFFSET:
		if (i->imm)
			a64_put(t, ", #%" PRId64, i->imm);
		a64_put(t, "]");
		break;
	case A64_OPERAND_MEM_PRE:
		a64_put(t, ", #%" PRId64 "]!", i->imm);
		break;
	case A64_OPERAND_MEM_POST:
		a64_put(t, "], #%" PRId64, i->imm);
		break;
	default:
		a64_put(t, "]");
		break;
	}
}

/* After a structure: by a register, or by the bytes that were accessed. */
static void put_vector_post(struct a64_text *t, const struct a64_insn *i)
{
	unsigned bytes = i->class == A64_CLASS_VMEM_MULTI ? i->index * (i->q ? 16u : 8u) : (unsigned)i->imm << i->size;

	put_memory(t, i, A64_OPERAND_MEM);
	if (i->rm == 31)
		a64_put(t, ", #%u", bytes);
	else
		a64_put(t, ", x%u", i->rm);
}

static void put_prefetch(struct a64_text *t, const struct a64_insn *i)
{
	unsigned type = i->rd >> 3, level = i->rd >> 1 & 3;

	if (type < 3 && level < 3)
		a64_put(t, "%s%u%s", type == 0 ? "pldl" : type == 1 ? "plil" : "pstl", level + 1,
			i->rd & 1 ? "strm" : "keep");
	else
		a64_put(t, "#0x%02x", i->rd);
}

/* ---- system ---- */

static bool put_barrier(struct a64_text *t, const struct a64_insn *i)
{
	static const char *const domains[4] = { "osh", "nsh", "ish", "" };
	static const char *const kinds[4] = { NULL, "ld", "st", "" };
	const char *kind = kinds[i->imm & 3], *domain = domains[i->imm >> 2 & 3];

	if (!kind)
		a64_put(t, "#0x%02" PRIx64, i->imm);
	else if (!*domain && !*kind)
		a64_put(t, "sy");
	else
		a64_put(t, "%s%s", domain, kind);
	return true;
}

static void put_sysreg(struct a64_text *t, const struct a64_insn *i)
{
	unsigned n = (unsigned)i->imm & 0xffff;
	enum a64_access access;
	const char *name = a64_sysreg_name(n, &access);

	if (name)
		a64_put(t, "%s", name);
	else
		a64_put(t, "s%u_%u_c%u_c%u_%u", n >> 14, n >> 11 & 7, n >> 7 & 15, n >> 3 & 15, n & 7);
}

static const char *cache_name(int64_t op)
{
	switch (op & 0x3fff) {
	case 3 << 11 | 7 << 7 | 5 << 3 | 1: return "ic\tivau";
	case 3 << 11 | 7 << 7 | 4 << 3 | 1: return "dc\tzva";
	case 3 << 11 | 7 << 7 | 10 << 3 | 1: return "dc\tcvac";
	case 3 << 11 | 7 << 7 | 11 << 3 | 1: return "dc\tcvau";
	case 3 << 11 | 7 << 7 | 14 << 3 | 1: return "dc\tcivac";
	}
	return NULL;
}

bool a64_put_cache(struct a64_text *t, const struct a64_insn *i)
{
	const char *name = cache_name(i->imm);

	if (!name)
		return false;
	a64_put(t, "%s, ", name);
	put_reg(t, i->rd, true, false);
	return true;
}

/* ---- immediates ---- */

/* movi and its relatives: cmode says where the 8 bits go. */
static void put_imm8(struct a64_text *t, const struct a64_insn *i, bool shift)
{
	unsigned cmode = i->bits >> 12 & 15, imm8 = (i->bits >> 16 & 7) << 5 | (i->bits >> 5 & 31), amount;

	a64_put(t, "#0x%x", imm8);
	if (!shift)
		return;
	if (cmode >= 12) {
		a64_put(t, ", msl #%u", cmode & 1 ? 16 : 8);
		return;
	}
	amount = 8 * (cmode >> 1 & (cmode < 8 ? 3 : 1));
	if (amount)
		a64_put(t, ", lsl #%u", amount);
}

static void put_fp_imm(struct a64_text *t, const struct a64_insn *i)
{
	unsigned imm8 = i->class == A64_CLASS_FP_IMM ? i->bits >> 13 & 255 :
						       (i->bits >> 16 & 7) << 5 | (i->bits >> 5 & 31);

	a64_put(t, "#%.18e", a64_fp_imm_value(imm8));
}

static bool put_immediate(struct a64_text *t, const struct a64_insn *i, unsigned operand)
{
	unsigned size = i->sf ? 64 : 32;
	int64_t v = i->imm;

	switch (operand) {
	case A64_OPERAND_IMM: case A64_OPERAND_IMMS: break;
	case A64_OPERAND_IMMR: case A64_OPERAND_INDEX: case A64_OPERAND_BF_LSB: v = i->index; break;
	case A64_OPERAND_BF_SHIFT_LEFT: v = size - 1 - i->imm; break;
	case A64_OPERAND_BF_LSB_INSERT: v = (size - i->index) & (size - 1); break;
	case A64_OPERAND_BF_WIDTH: v = i->imm - i->index + 1; break;
	case A64_OPERAND_BF_WIDTH_INSERT: v = i->imm + 1; break;
	case A64_OPERAND_SHLL: v = 8 << i->size; break;
	case A64_OPERAND_ZERO: v = 0; break;
	case A64_OPERAND_IMM_HEX: case A64_OPERAND_NZCV:
		a64_put(t, "#0x%" PRIx64, i->imm);
		return true;
	case A64_OPERAND_IMM5: a64_put(t, "#0x%x", i->rm); return true;
	case A64_OPERAND_IMM12:
		a64_put(t, "#0x%x", i->bits >> 10 & 0xfff);
		if (i->bits >> 22 & 1)
			a64_put(t, ", lsl #12");
		return true;
	case A64_OPERAND_IMM16_SHIFT:
		a64_put(t, "#0x%" PRIx64, i->imm);
		if (i->index)
			a64_put(t, ", lsl #%u", i->index);
		return true;
	case A64_OPERAND_IMM_MOVE:
		v = (int64_t)((uint64_t)i->imm << i->index);
		if (i->id == A64_movn)
			v = ~v;
		a64_put(t, "#0x%" PRIx64, i->sf ? (uint64_t)v : (uint32_t)v);
		return true;
	case A64_OPERAND_CRM_15:
		a64_put(t, "#0x%" PRIx64, i->imm);
		return i->imm != 15;
	case A64_OPERAND_FPIMM: put_fp_imm(t, i); return true;
	case A64_OPERAND_FZERO: a64_put(t, "#0.0"); return true;
	case A64_OPERAND_IMM8: put_imm8(t, i, false); return true;
	case A64_OPERAND_IMM8_SHIFT: put_imm8(t, i, true); return true;
	default: return false;
	}
	a64_put(t, "#%" PRId64, v);
	return true;
}

/* ---- all ---- */

static bool put_register(struct a64_text *t, const struct a64_insn *i, unsigned operand)
{
	switch (operand) {
	case A64_OPERAND_RD: put_reg(t, i->rd, i->sf, false); break;
	case A64_OPERAND_RN: put_reg(t, i->rn, i->sf, false); break;
	case A64_OPERAND_RM: put_reg(t, i->rm, i->sf, false); break;
	case A64_OPERAND_RA: put_reg(t, i->ra, i->sf, false); break;
	case A64_OPERAND_RD_SP: put_reg(t, i->rd, i->sf, true); break;
	case A64_OPERAND_RN_SP: put_reg(t, i->rn, i->sf, true); break;
	case A64_OPERAND_WD: put_reg(t, i->rd, false, false); break;
	case A64_OPERAND_WN: put_reg(t, i->rn, false, false); break;
	case A64_OPERAND_WM: put_reg(t, i->rm, false, false); break;
	case A64_OPERAND_XD: put_reg(t, i->rd, true, false); break;
	case A64_OPERAND_XN: put_reg(t, i->rn, true, false); break;
	case A64_OPERAND_XM: put_reg(t, i->rm, true, false); break;
	case A64_OPERAND_XA: put_reg(t, i->ra, true, false); break;
	case A64_OPERAND_XD_OPTIONAL: put_reg(t, i->rd, true, false); return i->rd != 31;
	case A64_OPERAND_RD_PAIR:
	case A64_OPERAND_RM_PAIR: {
		unsigned r = operand == A64_OPERAND_RD_PAIR ? i->rd : i->rm;

		put_reg(t, r, i->sf, false);
		a64_put(t, ", ");
		put_reg(t, r + 1, i->sf, false);
		break;
	}
	case A64_OPERAND_RD_Q: put_reg(t, i->rd, i->q, false); break;
	case A64_OPERAND_RN_EL: put_reg(t, i->rn, i->size == 3, false); break;
	case A64_OPERAND_RM_SHIFT: put_shifted(t, i); break;
	case A64_OPERAND_RM_EXTEND: put_extended(t, i); break;
	case A64_OPERAND_FD: put_scalar(t, i->rd, i->size); break;
	case A64_OPERAND_FN: put_scalar(t, i->rn, i->size); break;
	case A64_OPERAND_FM: put_scalar(t, i->rm, i->size); break;
	case A64_OPERAND_FA: put_scalar(t, i->ra, i->size); break;
	case A64_OPERAND_FD_CVT: put_scalar(t, i->rd, i->index); break;
	case A64_OPERAND_FD_W: put_scalar(t, i->rd, i->size + 1); break;
	case A64_OPERAND_FN_W: put_scalar(t, i->rn, i->size + 1); break;
	default: return false;
	}
	return true;
}

static bool put_vectors(struct a64_text *t, const struct a64_insn *i, unsigned operand)
{
	switch (operand) {
	case A64_OPERAND_VD: put_vector(t, i->rd, i->size, i->q); break;
	case A64_OPERAND_VN: put_vector(t, i->rn, i->size, i->q); break;
	case A64_OPERAND_VM: put_vector(t, i->rm, i->size, i->q); break;
	case A64_OPERAND_VD_W: put_vector(t, i->rd, i->size + 1, 1); break;
	case A64_OPERAND_VN_W: put_vector(t, i->rn, i->size + 1, 1); break;
	case A64_OPERAND_VM_W: put_vector(t, i->rm, i->size + 1, 1); break;
	case A64_OPERAND_VD_LP: put_vector(t, i->rd, i->size + 1, i->q); break;
	case A64_OPERAND_VN_B: put_vector(t, i->rn, 0, i->q); break;
	case A64_OPERAND_VM_B: put_vector(t, i->rm, 0, i->q); break;
	case A64_OPERAND_VD_EL: put_element(t, i->rd, i->size, i->index); break;
	case A64_OPERAND_VN_EL: put_element(t, i->rn, i->size, i->index); break;
	case A64_OPERAND_VN_EL2: put_element(t, i->rn, i->size, (unsigned)i->imm); break;
	case A64_OPERAND_VM_EL: put_element(t, i->rm, i->size, i->index); break;
	case A64_OPERAND_VM_EL4B: a64_put(t, "v%u.4b[%u]", i->rm, i->index); break;
	case A64_OPERAND_VD_D1: put_element(t, i->rd, 3, 1); break;
	case A64_OPERAND_VN_D1: put_element(t, i->rn, 3, 1); break;
	case A64_OPERAND_VN_PAIR: a64_put(t, "v%u.2%c", i->rn, "bhsd"[i->size & 3]); break;
	case A64_OPERAND_VLIST1: case A64_OPERAND_VLIST2: case A64_OPERAND_VLIST3: case A64_OPERAND_VLIST4:
		put_list(t, i, operand - A64_OPERAND_VLIST1 + 1, false);
		break;
	case A64_OPERAND_VLIST1_EL: case A64_OPERAND_VLIST2_EL: case A64_OPERAND_VLIST3_EL: case A64_OPERAND_VLIST4_EL:
		put_list(t, i, operand - A64_OPERAND_VLIST1_EL + 1, true);
		break;
	case A64_OPERAND_VLIST_TBL: put_table(t, i); break;
	default: return false;
	}
	return true;
}

bool a64_put_operand(struct a64_text *t, const struct a64_insn *i, unsigned operand, uint64_t pc)
{
	switch (operand) {
	case A64_OPERAND_LABEL:
		a64_put(t, "0x%" PRIx64, (i->id == A64_adrp ? pc & ~(uint64_t)0xfff : pc) + (uint64_t)i->imm);
		return true;
	case A64_OPERAND_COND: a64_put(t, "%s", a64_condition_name(i->index)); return true;
	case A64_OPERAND_COND_INVERTED: a64_put(t, "%s", a64_condition_name(i->index ^ 1u)); return true;
	case A64_OPERAND_BARRIER: return put_barrier(t, i);
	case A64_OPERAND_SYS_OP:
		a64_put(t, "#%u, C%u, C%u, #%u", i->bits >> 16 & 7, i->bits >> 12 & 15, i->bits >> 8 & 15, i->bits >> 5 & 7);
		return true;
	case A64_OPERAND_SYSREG: put_sysreg(t, i); return true;
	case A64_OPERAND_PRFOP: put_prefetch(t, i); return true;
	case A64_OPERAND_MEM: case A64_OPERAND_MEM_OFFSET: case A64_OPERAND_MEM_PRE: case A64_OPERAND_MEM_POST:
		put_memory(t, i, operand);
		return true;
	case A64_OPERAND_MEM_INDEX: put_index(t, i); return true;
	case A64_OPERAND_MEM_VPOST: put_vector_post(t, i); return true;
	case A64_OPERAND_XD_OPTIONAL: case A64_OPERAND_CRM_15:
		return operand == A64_OPERAND_CRM_15 ? put_immediate(t, i, operand) : put_register(t, i, operand);
	}
	return put_register(t, i, operand) || put_vectors(t, i, operand) || put_immediate(t, i, operand);
}
