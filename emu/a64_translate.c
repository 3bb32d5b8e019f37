/* AArch64 instructions into IR: the way in, and the guest as a table. */
#include "emu/a64_translate.h"

static a64_translate_fn *const translators[A64_CLASSES] = {
#define A64_CLASS(id, translator, sentence) translator,
#include "emu/a64_class.def"
};

static uint32_t fetch(const uint8_t *code)
{
	return code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
}

static unsigned translate(struct emu_xlat *x, const uint8_t *code, unsigned avail)
{
	struct a64_insn i;

	if (avail < 4)
		return 0;
	x->next = x->pc + 4;
	if (!a64_decode(fetch(code), &i) || !translators[i.class](x, &i))
		emu_x_exception(x, EMU_EXC_ILLEGAL);
	return 4;
}

static unsigned disasm(const uint8_t *code, unsigned avail, uint64_t pc, char *buf, size_t size)
{
	struct a64_insn i;

	if (avail < 4)
		return 0;
	a64_decode(fetch(code), &i);
	a64_disasm(&i, pc, A64_STYLE_ALIASES, buf, size);
	for (char *p = buf; size && *p; p++)
		if (*p == '\t')
			*p = ' ';
	return 4;
}

/* How often compilers use a register: arguments and temporaries, stack, saved registers. */
static const uint16_t hot[] = { 0, 1, 2, 3, 4, 31, 5, 19, 6, 20, 7, 29, 8, 21, 9, 10, 30, 22, 11, 12, 23, 13, 14,
				24, 15, 16, 17, 25, 26, 27, 28, 18, EMU_NOTEMP };
static const uint16_t hot_fp[] = { EMU_F(0), EMU_F(1), EMU_F(2), EMU_F(3), EMU_F(4), EMU_F(5), EMU_F(6), EMU_F(7),
				   EMU_F(16), EMU_F(17), EMU_F(18), EMU_F(31), EMU_NOTEMP };

const struct emu_guest emu_guest_aarch64 = {
	.name = "aarch64",
	.elf_machine = 183,
	.insn_align = 4,
	.insn_max = 4,
	.vector_bits = 128,
	.reg = {
		"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
		"x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29",
		"x30", "sp",
		"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
		"v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
		"v30", "v31",
		"nzcv", "tpidr_el0",
	},
	.hot = hot,
	.hot_fp = hot_fp,
	.sys_nr = EMU_R(8),
	.sys_arg = { EMU_R(0), EMU_R(1), EMU_R(2), EMU_R(3), EMU_R(4), EMU_R(5) },
	.sys_ret = EMU_R(0),
	.sp = A64_SP,
	.tp = A64_TPIDR,
	.linux_abi = &emu_linux_aarch64,
	.translate = translate,
	.assist = a64_assist,
	.settle = a64_flags_settle,
	.disasm = disasm,
	.doc = a64_doc,
	.notation = N_("d (or t), n, m and a are the numbers of registers, i is an immediate, z the size, e an "
		       "element, a condition or a kind of shift, and x another bit. R is an X or W register, F one "
		       "of B, H, S, D, Q, V a vector. In names, {bh} is the size of the access, {al} acquire and "
		       "release, {2} the upper half, {cond} a condition. In effects these letters are the registers: d = n + "
		       "op2 (op2: the second operand, src: the only one, however written); of vectors each element, "
		       "x[i] one of them, nm those of n and then those of m. M[addr] is memory of the size of the "
		       "access, NZCV: sets the flags. s(v), u(v): taken as a signed, an unsigned number, and shifted so; "
		       "a shift by a negative number goes the other way. sat_s, sat_u: kept in the range of such a "
		       "number of the result's size; rnd: rounded, where bits are shifted out; lo, hi: halves; near "
		       "(ties to even), away (ties away from 0), up, down, trunc, fpcr (as FPCR says): rounded to an "
		       "integer; fp: in the precision of the result; \"-\": nothing that a program sees."),
};
