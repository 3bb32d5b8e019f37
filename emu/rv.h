/* RISC-V guest, front end: instructions as a table (rv_insn.def), their operands (rv_format.def),
 * names of special cases (rv_alias.def), user-mode CSRs (rv_csr.def). From the rows come the decoder
 * (rv_decode.c), the disassembler (rv_disasm.c) and the reference page. rv_translate*.c turn
 * instructions into IR. Private to emu/.
 */
#ifndef EMU_RV_H
#define EMU_RV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every row of rv_insn.def. */
enum rv_id {
#define RV_INSN(id, name, mask, match, format, ext, op, text, effect) RV_##id,
#include "emu/rv_insn.def"
	RV_COUNT
};

enum rv_format {
#define RV_FORMAT(id, rd, rs1, rs2, sign, require, imm) RV_FORMAT_##id,
#include "emu/rv_format.def"
};

enum rv_ext {
#define RV_EXT(id, name, text) RV_EXT_##id,
#include "emu/rv_ext.def"
	RV_EXTS
};

enum rv_csr {
#define RV_CSR(id, number, name, writable, text) RV_CSR_##id = number,
#include "emu/rv_csr.def"
};

/* Rounding modes, field rm and CSR frm (volume I, "F" chapter). */
enum rv_rm { RV_RM_RNE, RV_RM_RTZ, RV_RM_RDN, RV_RM_RUP, RV_RM_RMM, RV_RM_DYN = 7 };

#define RV_INSN_MIN 2 /* bytes of the shortest instruction */
#define RV_INSN_MAX 4

struct rv_row {
	const char *name, *operands, *effect;
	uint32_t mask, match;
	uint8_t format; /* enum rv_format */
	uint8_t ext;    /* enum rv_ext */
	uint16_t op;    /* enum rv_id of the operation */
};
extern const struct rv_row rv_rows[RV_COUNT];

/* One decoded instruction. Registers that its format does not have are 0. */
struct rv_insn {
	uint32_t bits;      /* the encoding, zero-extended */
	uint16_t id;        /* enum rv_id of its row */
	uint16_t op;        /* enum rv_id of the operation: what to translate */
	uint8_t len;        /* 2 or 4 bytes */
	uint8_t rd, rs1, rs2, rs3;
	uint8_t rm;         /* enum rv_rm; bits 14:12, also of instructions without rounding mode */
	bool aq, rl;        /* of atomic instructions */
	int64_t imm;        /* sign-extended where the format says so; number of the CSR; sets of a
			       fence. The 5-bit immediate of csrrwi, csrrsi, csrrci is in rs1 */
};

/* The place of an encoding in the order of the table: quadrant and funct3 of a compressed
 * instruction (0..23), else 24 + major opcode. */
#define RV_KEYS 56
#define rv_key(bits)                                                                               \
	(((bits) & 3) == 3 ? 24 + ((bits) >> 2 & 31) : ((bits) & 3) * 8 + ((bits) >> 13 & 7))

/* Length in bytes of the instruction that starts with these 16 bits: 2, 4, or 0 for the longer
 * encodings, of which none is defined. */
static inline unsigned rv_length(uint32_t bits)
{
	return (bits & 3) != 3 ? 2 : (bits & 0x1f) == 0x1f ? 0 : 4;
}

/* Decodes the instruction at the start of `bits` (little-endian; of a 16-bit instruction the upper
 * half is ignored). Returns its length, or 0: reserved or unknown, out->bits and out->len are set
 * so that it can be shown. */
unsigned rv_decode(uint32_t bits, struct rv_insn *out);

/* "addi	sp,sp,-16", as binutils' objdump writes it: the mnemonic, a tab, operands. Targets of
 * branches are absolute, with a leading 0x, for an instruction at `pc`. Always terminated. Returns
 * buf. RV_TEXT_MAX is enough for any. An instruction that rv_decode() refused is written as
 * ".2byte	0x1234" or ".4byte	0x12345678". */
#define RV_TEXT_MAX 64
enum rv_style {
	RV_STYLE_ALIASES, /* "ret", "li", compressed instructions as what they expand to */
	RV_STYLE_EXACT,   /* the row's own name and operands */
};
const char *rv_disasm(const struct rv_insn *i, uint64_t pc, enum rv_style style, char *buf,
		      size_t size);

struct emu_insn_doc; /* emu.h */
bool rv_doc(unsigned i, struct emu_insn_doc *d); /* emu_guest.doc; rv_doc.c */

/* "a0", "fa0". */
const char *rv_reg_name(unsigned r);
const char *rv_freg_name(unsigned r);
/* "fcsr"; NULL for one that user mode does not have. */
const char *rv_csr_name(unsigned number);
bool rv_csr_writable(unsigned number);

#endif
