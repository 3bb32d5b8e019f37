/* AArch64 guest, front end: instructions as a table (a64_insn.def and what it includes), where their
 * parts are (a64_format.def), how they are written (a64_operand.def, a64_alias.def), system registers
 * (a64_sysreg.def). From the rows come the decoder (a64_decode.c), the disassembler (a64_disasm.c) and
 * the reference page. a64_class.def names what turns them into IR (a64_translate*.c). Private to emu/.
 */
#ifndef EMU_A64_H
#define EMU_A64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every row of a64_insn.def. */
enum a64_id {
#define A64_INSN(id, name, mask, match, format, class, ext, operands) A64_##id,
#include "emu/a64_insn.def"
	A64_COUNT
};

enum a64_format {
#define A64_FORMAT(id, sf, size, index, imm, require) A64_FORMAT_##id,
#include "emu/a64_format.def"
};

enum a64_class {
#define A64_CLASS(id, translator, sentence) A64_CLASS_##id,
#include "emu/a64_class.def"
	A64_CLASSES
};

enum a64_ext {
#define A64_EXT(id, name, bit, feature, sentence) A64_EXT_##id,
#include "emu/a64_ext.def"
	A64_EXTS
};

enum a64_operand {
#define A64_OPERAND(id, text) A64_OPERAND_##id,
#include "emu/a64_operand.def"
	A64_OPERANDS
};
#define A64_OPERANDS_MAX 5

struct a64_row {
	const char *name;
	uint32_t mask, match;
	uint8_t format;         /* enum a64_format */
	uint8_t class;          /* enum a64_class */
	uint8_t ext;            /* enum a64_ext */
	uint8_t operand[A64_OPERANDS_MAX]; /* enum a64_operand, until NONE */
};
extern const struct a64_row a64_rows[A64_COUNT];
extern const char *const a64_operand_texts[A64_OPERANDS];

/* One decoded instruction. */
struct a64_insn {
	uint32_t bits;
	uint16_t id;            /* enum a64_id of its row; A64_COUNT: none */
	uint8_t class;          /* enum a64_class */
	uint8_t rd, rn, rm, ra; /* bits 4:0, 9:5, 20:16, 14:10; 31 is zr or sp. By an element of 16
				   bits: rm is bits 19:16 */
	bool sf;                /* integer registers are X */
	uint8_t q;              /* bit 30: vectors have 128 bits, else 64 */
	uint8_t size;           /* log2 of bytes: of the access, scalar or element (of the narrow ones) */
	uint8_t index;          /* of an element; a condition; see a64_format.def */
	int64_t imm;
};

/* Conditions: bits 15:12 or 3:0. An odd one is the contrary of the even one below it, but 14 and 15
 * both are "always". */
enum a64_cond { A64_CEQ, A64_CNE, A64_CCS, A64_CCC, A64_CMI, A64_CPL, A64_CVS, A64_CVC, A64_CHI, A64_CLS, A64_CGE,
		A64_CLT, A64_CGT, A64_CLE, A64_CAL, A64_CNV };

/* System registers that user mode has, or that Linux emulates (a64_sysreg.def). */
enum a64_sysreg {
#define A64_SYSREG(id, op0, op1, crn, crm, op2, name, access, text)                                \
	A64_SYSREG_##id = (op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2),
#include "emu/a64_sysreg.def"
};

enum a64_access { A64_ACCESS_RW, A64_ACCESS_RO, A64_ACCESS_ID };
/* Name of a system register of a64_sysreg.def and how it may be accessed; NULL: not one of them. */
const char *a64_sysreg_name(unsigned number, enum a64_access *access);

/* Decodes an instruction. False: reserved or unknown; out->bits is set so that it can be shown. */
bool a64_decode(uint32_t bits, struct a64_insn *out);

/* A floating-point immediate of 8 bits (VFPExpandImm) as the bits of a number of 1 << size bytes, and
 * as a number. */
uint64_t a64_fp_imm(unsigned imm8, unsigned size);
double a64_fp_imm_value(unsigned imm8);

/* "add	sp, sp, #0x10", as binutils' objdump writes it, with the preferred names of special cases:
 * the mnemonic, a tab, operands. Targets of branches are absolute for an instruction at `pc`.
 * Always terminated. Returns buf. A64_TEXT_MAX is enough for any. An instruction that a64_decode()
 * refused is written as ".inst	0x00000001 ; undefined". */
#define A64_TEXT_MAX 96
enum a64_style {
	A64_STYLE_ALIASES, /* "mov", "cmp", "lsl" */
	A64_STYLE_EXACT,   /* the row's own name and operands */
};
const char *a64_disasm(const struct a64_insn *i, uint64_t pc, enum a64_style style, char *buf,
		       size_t size);

#endif
