/* x86 guest ("IA": Intel 64 and IA-32; emu/x86*.c is the back end for x86 hosts). The map:
 *
 *   ia_op.def, ia_op_x87.def, ia_op_sse.def   operations: name, feature, privilege, flags, one sentence
 *   ia_insn.def, ia_insn_0f.def, ia_insn_x87.def   encodings: the opcode maps
 *   ia_operand.def, ia_feature.def   the SDM's operand notation; CPUID
 *   ia_decode.c   bytes -> struct emu_ia_insn
 *   ia_translate.h   instructions -> IR; its own map
 *   ia_state.h    the rest of a CPU's state, and instructions done in C
 *   ia_mmu.h      page walks and the TLB
 *   ia_cpu.h      a whole CPU for others (public); ia_sys.h: the map of its parts, ia_*.c
 *
 * Documents: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM). Private to emu/ and to
 * the engine `soft` of vmm/.
 */
#ifndef EMU_IA_H
#define EMU_IA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum emu_ia_op {
#define IA_OP(id, name, feature, privilege, reads, writes, undefined, text) IA_##id,
#include "emu/ia_op.def"
#undef IA_OP
	IA_OPS
};

enum emu_ia_feature {
#define IA_FEATURE(id, name, leaf, reg, bit) IA_FEATURE_##id,
#include "emu/ia_feature.def"
#undef IA_FEATURE
	IA_FEATURES
};

enum emu_ia_operand {
#define IA_OPERAND(name, place, size) IA_O_##name,
#include "emu/ia_operand.def"
#undef IA_OPERAND
	IA_OPERANDS
};
enum emu_ia_place { /* ia_operand.def */
	IA_PLACE_NONE, IA_PLACE_E, IA_PLACE_G, IA_PLACE_R, IA_PLACE_M, IA_PLACE_Z, IA_PLACE_I, IA_PLACE_H,
	IA_PLACE_J, IA_PLACE_O, IA_PLACE_A, IA_PLACE_S, IA_PLACE_C, IA_PLACE_D, IA_PLACE_X, IA_PLACE_Y,
	IA_PLACE_V, IA_PLACE_W, IA_PLACE_U, IA_PLACE_P, IA_PLACE_Q, IA_PLACE_N, IA_PLACE_T, IA_PLACE_L
};

/* RFLAGS (SDM volume 1, 3.4.3). */
enum {
	IA_CF = 1, IA_PF = 1 << 2, IA_AF = 1 << 4, IA_ZF = 1 << 6, IA_SF = 1 << 7, IA_TF = 1 << 8, IA_IF = 1 << 9,
	IA_DF = 1 << 10, IA_OF = 1 << 11, IA_IOPL = 3 << 12, IA_NT = 1 << 14, IA_RF = 1 << 16, IA_VM = 1 << 17,
	IA_AC = 1 << 18, IA_VIF = 1 << 19, IA_VIP = 1 << 20, IA_ID = 1 << 21,
	IA_ARITH = IA_CF | IA_PF | IA_AF | IA_ZF | IA_SF | IA_OF
};

enum emu_ia_privilege { IA_USER, IA_RING0, IA_IOPRIV, IA_SENSITIVE };

struct emu_ia_op_info {
	const char *name;       /* with its variants: use emu_ia_name */
	uint8_t feature;        /* enum emu_ia_feature */
	uint8_t privilege;      /* enum emu_ia_privilege */
	uint16_t reads, writes, undefined; /* of RFLAGS */
	const char *sentence;   /* a translation key */
};
extern const struct emu_ia_op_info emu_ia_ops[IA_OPS];

struct emu_ia_feature_info {
	const char *name;
	uint32_t leaf;          /* of CPUID, subleaf 0; 0: always there */
	char reg;               /* 'a' to 'd' */
	uint8_t bit;
};
extern const struct emu_ia_feature_info emu_ia_features[IA_FEATURES];

/* Attributes of an encoding (ia_insn.def). */
enum { IA_A_LOCK = 1, IA_A_I64 = 2, IA_A_O64 = 4, IA_A_D64 = 8, IA_A_F64 = 16, IA_A_MODRM = 32, IA_A_PROT = 64,
       IA_A_W0 = 128, IA_A_W1 = 256, IA_A_NOB = 512 };
enum { IA_P_NP = 1, IA_P_P66 = 2, IA_P_PF3 = 4, IA_P_PF2 = 8, IA_P_NP66 = 3, IA_P_ANY = 15 };

struct emu_ia_row {
	uint8_t map, opcode;    /* 1 one byte, 2 0F, 3 0F 38, 4 0F 3A */
	uint8_t prefix;         /* IA_P_* that fit */
	uint8_t mod;            /* of ModRM: 0 any (or no ModRM), 1 memory, 2 register */
	uint8_t reg, rm;        /* 8: any */
	uint16_t op;            /* enum emu_ia_op */
	uint8_t operand[3];     /* enum emu_ia_operand */
	uint16_t attr;          /* IA_A_* */
};
extern const struct emu_ia_row emu_ia_rows[];
extern const unsigned emu_ia_row_count;

/* Numbers of registers as the encodings have them. */
enum { IA_RAX, IA_RCX, IA_RDX, IA_RBX, IA_RSP, IA_RBP, IA_RSI, IA_RDI };
enum { IA_ES, IA_CS, IA_SS, IA_DS, IA_FS, IA_GS };
#define IA_NOREG 0xff
#define IA_RIP 0xfe     /* base of a RIP-relative address: the address of the next instruction */

/* One decoded instruction. */
struct emu_ia_insn {
	const struct emu_ia_row *row;
	uint16_t op;            /* row->op */
	uint8_t len;            /* bytes */
	uint8_t bits;           /* 16, 32, 64: mode of the code segment */
	uint8_t opcode;         /* last byte of the opcode */
	uint8_t osize, asize;   /* operand and address size, bytes: 2, 4, 8 */
	uint8_t rex;            /* 0: none */
	bool lock, repe, repne, p66;    /* prefixes; of repe and repne the last one alone */
	uint8_t seg;            /* segment of the memory operand, override or default; IA_ES ... */
	bool memory;            /* ModRM names memory */
	uint8_t mod, reg, rm;   /* of ModRM; reg and rm with their REX bit */
	uint8_t base, index;    /* registers, IA_NOREG, IA_RIP */
	uint8_t scale;          /* index << scale */
	int64_t disp;           /* displacement, or the offset of an O operand */
	int64_t imm, imm2;      /* immediates, relative target (sign-extended), far offset and selector */
};

enum emu_ia_result {
	IA_DECODED,
	IA_SHORT,       /* more than `avail` bytes are needed */
	IA_UNDEFINED,   /* #UD: no such instruction in this mode, or a prefix that it may not have */
	IA_TOO_LONG,    /* #GP: more than 15 bytes (SDM volume 2A, 2.3.11) */
};
#define IA_INSN_MAX 15

/* Decodes the instruction at code[0..avail) of a code segment of `bits`. out->len is set unless IA_SHORT:
 * for IA_UNDEFINED to the bytes that were looked at. What the CPU's state forbids (CR0, CPUID, privilege,
 * real mode) is not decided here. */
enum emu_ia_result emu_ia_decode(const uint8_t *code, unsigned avail, unsigned bits, struct emu_ia_insn *out);

/* The mnemonic: "cmovnz", "movsq", "iretd". buf needs 16 bytes. Returns buf. */
const char *emu_ia_name(const struct emu_ia_insn *i, char buf[16]);
/* Place and bytes of operand n of the instruction; bytes 0: none, or not a simple size. */
enum emu_ia_place emu_ia_place(const struct emu_ia_insn *i, unsigned n);
unsigned emu_ia_size(const struct emu_ia_insn *i, unsigned n);

#endif
