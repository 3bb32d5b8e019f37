/* The IR: three-address code over temps, one block at a time (emu/ops.def lists the operations).
 *
 * Temps are numbers. The first EMU_GLOBALS are the guest's registers, which live in struct emu_cpu
 * and keep their value from block to block; then come local temps and constants of the block.
 * Rules that every pass and back end relies on:
 *   - a local temp is written before it is read, and lives neither across a LABEL nor BR
 *     (after BRCOND, on the path that falls through, it still lives);
 *   - globals are current before every operation that may fault, branch or leave;
 *     an instruction writes its destination after its last operation that may fault;
 *   - a label is used forward only; the last operation of a block has flag E, and so has every path.
 * Integer constants may stand for any operand that is read as an integer.
 */
#ifndef EMU_IR_H
#define EMU_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/lang.h"
#include "engine/base/str.h"

enum emu_opcode {
#define EMU_OP(id, name, operands, flags, sentence) EMU_OP_##id,
#include "emu/ops.def"
	EMU_OPCODES
};
enum { EMU_OPF_P = 1, EMU_OPF_M = 2, EMU_OPF_S = 4, EMU_OPF_E = 8, EMU_OPF_L = 16 };
struct emu_op_info {
	const char *name, *operands;
	unsigned flags;
	const char *sentence;   /* a translation key */
};
const struct emu_op_info *emu_op_info(unsigned op); /* never NULL */

/* Conditions (aux of SETCOND and BRCOND). Bit 0 inverts. */
enum emu_cond {
	EMU_EQ, EMU_NE, EMU_LT, EMU_GE, EMU_LTU, EMU_GEU, EMU_LE, EMU_GT, EMU_LEU, EMU_GTU,
	EMU_TSTEQ, EMU_TSTNE,   /* a & b == 0, != 0 */
	EMU_CONDS
};
/* Added to a condition: it looks at the low 32 bits of its operands only. */
#define EMU_C32 16u
#define emu_cond_ok(aux) (((aux) & ~EMU_C32) < EMU_CONDS)
/* Packed condition flags (FLAGADD and its relatives), the bits of x86's LAHF and SETO in ax. */
#define EMU_FLAG_N 0x8000u
#define EMU_FLAG_Z 0x4000u
#define EMU_FLAG_C 0x0100u
#define EMU_FLAG_V 0x0001u
#define EMU_FLAGS_ALL (EMU_FLAG_N | EMU_FLAG_Z | EMU_FLAG_C | EMU_FLAG_V)
/* Memory size (aux of LD, ST, LR, SC, AMO): log2 of bytes, and sign extension. */
enum { EMU_M8, EMU_M16, EMU_M32, EMU_M64, EMU_M128, EMU_MSIGN = 8 };
/* LD and ST behind a TLB: the stack segment; LD: it will be written, and faults as a write does. */
enum { EMU_MSTACK = 16, EMU_MWRITE = 32 };
/* AMO: aux = operation << 4 | size (EMU_M8 to EMU_M64, perhaps EMU_MSIGN). */
enum { EMU_AMO_SWAP, EMU_AMO_ADD, EMU_AMO_AND, EMU_AMO_OR, EMU_AMO_XOR, EMU_AMO_MIN, EMU_AMO_MAX,
       EMU_AMO_MINU, EMU_AMO_MAXU };
/* Width of FP operations (aux). FLD/FST know EMU_W128, too. */
enum { EMU_W32, EMU_W64, EMU_W128 };
/* FTOI, ITOF: FP width in bit 0; EMU_CV_I64 the integer has 64 bits (else 32); EMU_CV_U it is
 * unsigned; FTOI only: EMU_CV_TRUNC rounds to zero, else the current mode. */
enum { EMU_CV_W64 = 1, EMU_CV_I64 = 2, EMU_CV_U = 4, EMU_CV_TRUNC = 8 };
/* FRM (aux): RISC-V numbers; 4 (rmm) and above 4 are not for FRM: use helpers or DYN. */
enum { EMU_RNE, EMU_RTZ, EMU_RDN, EMU_RUP, EMU_RMM, EMU_RDYN = 7 };
/* Vector operations (aux): log2 of the element's bytes in bits 0 and 1, and marks (ops.def). */
enum { EMU_V8, EMU_V16, EMU_V32, EMU_V64, EMU_VQ = 4, EMU_VSCALAR = 8, EMU_VU = 16, EMU_VR = 32, EMU_VHI = 64,
       EMU_VSAT = 128 };
/* VFTOI (imm): rounding mode, EMU_RMM and EMU_RDYN too, and EMU_VTO(fraction bits, log2 of result bytes) */
#define EMU_VTO(fbits, size) ((int64_t)(fbits) << 4 | (int64_t)(size) << 12)
static inline bool emu_op_is_vector(unsigned op)
{
	return op >= EMU_OP_VCONST && op <= EMU_OP_VFCVTL;
}
/* GOTO_REG (aux). CALL follows a LINK. */
enum { EMU_JUMP_PLAIN, EMU_JUMP_CALL, EMU_JUMP_RET };

/* CALL (aux): the result depends on the operands alone, and nothing else happens. */
enum { EMU_CALL_PURE = 1 };

#define EMU_GLOBALS 72
#define EMU_R(n) ((uint16_t)(n))         /* integer register: cpu->r[n] */
#define EMU_F(n) ((uint16_t)(32 + (n)))  /* FP or vector register: cpu->v[n] */
#define EMU_X(n) ((uint16_t)(64 + (n)))  /* cpu->x[n], integer */
#define EMU_NOTEMP 0xffffu

#define EMU_TEMPS_MAX 2048
#define EMU_OPS_MAX 2048

struct emu_op {
	uint8_t op;             /* enum emu_opcode */
	uint8_t aux;
	uint16_t d, a, b, c;    /* temps; EMU_NOTEMP when unused */
	int64_t imm;
};
enum emu_temp_kind { EMU_TK_GLOBAL, EMU_TK_LOCAL, EMU_TK_CONST };
/* Operands that an operation has. */
enum { EMU_HAS_A = 1, EMU_HAS_B = 2, EMU_HAS_C = 4, EMU_HAS_D = 8, EMU_HAS_FPD = 16, EMU_HAS_FPABC = 32 };
struct emu_temp {
	uint8_t kind;           /* enum emu_temp_kind */
	bool fp;
	int64_t value;          /* of a constant */
};
struct emu_ir {
	struct emu_op op[EMU_OPS_MAX];
	struct emu_temp temp[EMU_TEMPS_MAX];
	unsigned ops, temps, labels, exits, insns;
	uint64_t pc;            /* guest address of the first instruction */
	uint16_t const_hash[64]; /* finds constants again */
	uint8_t shape[EMU_OPCODES]; /* EMU_HAS_* of each operation */
	bool counted;           /* instructions are counted as they run: none may be left out or added */
	bool full;              /* something did not fit: the builder drops what follows */
};
void emu_ir_reset(struct emu_ir *ir, uint64_t pc);
uint16_t emu_ir_temp(struct emu_ir *ir);                  /* new local integer temp */
uint16_t emu_ir_ftemp(struct emu_ir *ir);                 /* new local FP temp */
uint16_t emu_ir_const(struct emu_ir *ir, int64_t value);
int64_t emu_ir_label(struct emu_ir *ir);                  /* a label, for BRCOND, BR, then LABEL */
/* Appends; unused operands EMU_NOTEMP. */
struct emu_op *emu_ir_emit(struct emu_ir *ir, enum emu_opcode op, unsigned aux, uint16_t d, uint16_t a,
			   uint16_t b, uint16_t c, int64_t imm);
/* Short forms. */
static inline void emu_ir_1(struct emu_ir *ir, enum emu_opcode op, uint16_t d, uint16_t a)
{
	emu_ir_emit(ir, op, 0, d, a, EMU_NOTEMP, EMU_NOTEMP, 0);
}
static inline void emu_ir_2(struct emu_ir *ir, enum emu_opcode op, uint16_t d, uint16_t a, uint16_t b)
{
	emu_ir_emit(ir, op, 0, d, a, b, EMU_NOTEMP, 0);
}
static inline void emu_ir_2i(struct emu_ir *ir, enum emu_opcode op, uint16_t d, uint16_t a, int64_t imm)
{
	emu_ir_emit(ir, op, 0, d, a, emu_ir_const(ir, imm), EMU_NOTEMP, 0);
}
static inline void emu_ir_ld(struct emu_ir *ir, unsigned size, uint16_t d, uint16_t a, int64_t off)
{
	emu_ir_emit(ir, EMU_OP_LD, size, d, a, EMU_NOTEMP, EMU_NOTEMP, off);
}
static inline void emu_ir_st(struct emu_ir *ir, unsigned size, uint16_t value, uint16_t a, int64_t off)
{
	emu_ir_emit(ir, EMU_OP_ST, size, EMU_NOTEMP, a, value, EMU_NOTEMP, off);
}

struct emu_cpu;
typedef uint64_t emu_helper(struct emu_cpu *cpu, uint64_t a, uint64_t b);
/* d may be EMU_NOTEMP. op->imm holds the pointer. */
void emu_ir_call(struct emu_ir *ir, emu_helper *fn, uint16_t d, uint16_t a, uint16_t b);

/* One operation: "add a0, a0, 1"; the guest names the globals. */
struct emu_guest;
void emu_op_print(const struct emu_ir *ir, const struct emu_op *op, const struct emu_guest *g,
		  char *buf, size_t size);
/* An operand letter of ops.def as a word for the reference page; "?" when it has none. */
const char *emu_op_operand_word(char letter);
/* Operations that do something: all but the marks `insn` and `label`. */
uint16_t emu_ir_work(const struct emu_ir *ir);
/* Does the block keep the rules above? NULL, or a sentence about the first breach. */
const char *emu_ir_check(const struct emu_ir *ir);

#endif
