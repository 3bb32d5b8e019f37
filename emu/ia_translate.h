/* x86 front end, instructions into IR. The map:
 *
 *   ia_translate.c         modes, the dispatch, moves, stack
 *   ia_operands.c          registers of all sizes, addresses, memory operands
 *   ia_flags.c             lazy flags: writing, conditions, RFLAGS
 *   ia_translate_alu.c     add to cmpxchg      ia_translate_mul.c  products, quotients, decimal
 *   ia_translate_bits.c    single bits, counting them
 *   ia_translate_shift.c   shifts and rotates
 *   ia_translate_control.c jumps, calls, loops
 *   ia_translate_string.c  string instructions
 *   ia_translate_sse.c     moves and integer arithmetic on xmm registers
 *   ia_helpers.c           what the IR calls
 *
 * What is not translated (system instructions, segment loads, x87, SSE) leaves the block with
 * EMU_EXC_ASSIST for a C routine that works on the state of the CPU (ia_state.h); so each instruction has one definition.
 *
 * A value of 8, 16 or 32 bits in a temp is zero-extended. Every instruction writes registers and flags
 * after its last access to memory, so that a fault finds the state before it.
 *
 * LOCK changes nothing: the virtual processors of a machine take turns on one thread, block by block.
 *
 * Flags are kept lazily: an instruction notes what it computed (r[IA_CC_OP] which kind and size, _DST the
 * result, _SRC the second operand, _SRC2 a carry that went in), three moves of which most are overwritten
 * before anybody looks, and then removed. Who reads a flag in the same block knows the kind and compares
 * the operands themselves. Otherwise ia_flags() computes RFLAGS' six arithmetic flags.
 */
#ifndef EMU_IA_TRANSLATE_H
#define EMU_IA_TRANSLATE_H

#include "emu/guest.h"
#include "emu/ia.h"

/* r[] beyond the 16 general registers (rax ... r15, in the order of their numbers). */
enum {
	IA_G_CC_OP = 16, IA_G_CC_DST, IA_G_CC_SRC, IA_G_CC_SRC2,
	IA_G_SEGBASE,           /* es, cs, ss, ds, fs, gs */
	IA_G_DIR = IA_G_SEGBASE + 6, /* 1, or -1 when DF is set */
	IA_G_RFLAGS,            /* the other flags: IF, IOPL, TF, AC, ID ...; bit 1 is set */
	IA_G_SSE,               /* a whole CPU: not 0 when CR0 and CR4 let SSE instructions through */
	IA_G_CPL,               /* ... CPL << 12, to be compared with IOPL where RFLAGS has it */
	IA_G_WAITING,           /* ... not 0 when an interrupt or NMI may wait for IF: STI is for the C routine then */
	IA_G_SHADOW,            /* ... linear address behind an STI that set IF; else something old, or ~0 */
};

/* Kinds of lazy flags; + log2 of the bytes. SRC of: add, adc, sub, sbb the second operand (SRC2 the carry
 * that went in); inc, dec the old carry; shl, shr (also sar) the operand shifted one less; mul not 0 when the
 * product did not fit. */
enum { IA_CC_FLAGS, /* SRC holds RFLAGS' arithmetic flags */
       IA_CC_ADD = 4, IA_CC_ADC = 8, IA_CC_SUB = 12, IA_CC_SBB = 16, IA_CC_LOGIC = 20, IA_CC_INC = 24,
       IA_CC_DEC = 28, IA_CC_SHL = 32, IA_CC_SHR = 36, IA_CC_MUL = 40, IA_CC_COUNT = 44 };

/* What of the CPU's mode the code of a block relies on. */
struct emu_ia_mode {
	uint8_t bits;           /* 16, 32, 64 */
	bool flat;              /* the bases of ES, CS, SS, DS are 0 */
	bool user;              /* CPL 3 and IOPL 0; false for `system` */
	bool system;            /* a whole CPU (ia_sys.h): memory through the MMU, any CPL */
	bool checked;           /* ... whose segments have limits or rights to look at */
	uint8_t stack_bytes;    /* width of the stack pointer: 2, 4, 8 */
	uint32_t cs_base;       /* linear address of offset 0 of the code segment; 0 in 64-bit mode */
};
/* Translates one instruction of that mode, as struct emu_guest's `translate` does. */
unsigned emu_ia_translate(struct emu_xlat *x, const struct emu_ia_mode *mode, const uint8_t *code, unsigned avail);

/* One instruction being translated. */
struct ia {
	struct emu_xlat *x;
	struct emu_ir *ir;
	const struct emu_ia_mode *mode;
	struct emu_ia_insn i;
};

/* -- short forms -- */
static inline uint16_t ia_k(struct ia *t, int64_t v) { return emu_ir_const(t->ir, v); }
static inline uint16_t ia_2(struct ia *t, enum emu_opcode op, uint16_t a, uint16_t b)
{
	uint16_t d = emu_ir_temp(t->ir);

	emu_ir_2(t->ir, op, d, a, b);
	return d;
}
static inline uint16_t ia_2k(struct ia *t, enum emu_opcode op, uint16_t a, int64_t b)
{
	return ia_2(t, op, a, ia_k(t, b));
}
static inline uint16_t ia_1(struct ia *t, enum emu_opcode op, uint16_t a)
{
	uint16_t d = emu_ir_temp(t->ir);

	emu_ir_1(t->ir, op, d, a);
	return d;
}
static inline uint16_t ia_set(struct ia *t, enum emu_cond cond, uint16_t a, uint16_t b)
{
	uint16_t d = emu_ir_temp(t->ir);

	emu_ir_emit(t->ir, EMU_OP_SETCOND, cond, d, a, b, EMU_NOTEMP, 0);
	return d;
}
static inline uint16_t ia_select(struct ia *t, uint16_t c, uint16_t a, uint16_t b)
{
	uint16_t d = emu_ir_temp(t->ir);

	emu_ir_emit(t->ir, EMU_OP_SELECT, 0, d, c, a, b, 0);
	return d;
}
static inline void ia_mov(struct ia *t, uint16_t d, uint16_t a) { emu_ir_1(t->ir, EMU_OP_MOV, d, a); }
/* Result of a helper that depends on a and b alone. */
static inline uint16_t ia_pure(struct ia *t, emu_helper *fn, uint16_t a, uint16_t b)
{
	uint16_t d = emu_ir_temp(t->ir);

	emu_ir_emit(t->ir, EMU_OP_CALL, EMU_CALL_PURE, d, a, b, EMU_NOTEMP, (int64_t)(uintptr_t)fn);
	return d;
}
static inline unsigned ia_log2(unsigned bytes) { return (unsigned)__builtin_ctz(bytes); }
/* A value cut to `bytes` (zero-extended), or sign-extended from there. */
uint16_t ia_zext(struct ia *t, uint16_t a, unsigned bytes);
uint16_t ia_sext(struct ia *t, uint16_t a, unsigned bytes);
/* A number as a constant of so many bytes. */
uint16_t ia_imm(struct ia *t, int64_t v, unsigned bytes);

/* -- ia_operands.c -- */
/* An address: temp + offset, ready for LD and ST. */
struct ia_address {
	uint16_t a;
	int64_t off;
	uint16_t effective;     /* offset in the segment; EMU_NOTEMP when nobody checks it */
	uint8_t seg;
};
/* The effective address of ModRM or an O operand, cut to the address size, without the segment. */
uint16_t ia_effective(struct ia *t);
/* Of the memory operand, segment and all. `add`: more bytes to add (EMU_NOTEMP: none). */
struct ia_address ia_address(struct ia *t, uint16_t add);
/* The address of an effective address in a segment (IA_ES ...). */
struct ia_address ia_linear(struct ia *t, uint16_t effective, unsigned seg);
uint16_t ia_load(struct ia *t, struct ia_address at, unsigned bytes);
/* ... of what will be written back. */
uint16_t ia_load_to_write(struct ia *t, struct ia_address at, unsigned bytes);
void ia_store(struct ia *t, struct ia_address at, unsigned bytes, uint16_t value);
/* Registers: `reg` as encoded; 8-bit 4 - 7 are AH, CH, DH, BH without REX. */
uint16_t ia_get(struct ia *t, unsigned reg, unsigned bytes);
void ia_put(struct ia *t, unsigned reg, unsigned bytes, uint16_t value);
/* Operand n of the instruction. A memory operand's address is kept in *at for ia_write (may be NULL when
 * the operand is not memory or not written). */
uint16_t ia_read(struct ia *t, unsigned n, struct ia_address *at);
void ia_write(struct ia *t, unsigned n, const struct ia_address *at, uint16_t value);
/* Width of the stack pointer in bytes; rSP cut to it, and rSP written. */
unsigned ia_stack_bytes(const struct ia *t);
uint16_t ia_stack_pointer(struct ia *t);
void ia_push(struct ia *t, uint16_t value, unsigned bytes);
/* Loads from the stack at rSP + off, stores there; rSP stays. */
uint16_t ia_stack_load(struct ia *t, int64_t off, unsigned bytes);
void ia_stack_store(struct ia *t, int64_t off, unsigned bytes, uint16_t value);
/* Faults when the stack at rSP + off cannot be written. */
void ia_stack_probe(struct ia *t, int64_t off, unsigned bytes);
/* rSP += n. */
void ia_stack_move(struct ia *t, uint16_t n);

/* -- ia_flags.c -- */
/* Flags of an operation (IA_CC_*) of `bytes`. `first`: the first operand of sub for comparisons in this
 * block, a temp that nobody writes again, or EMU_NOTEMP. */
void ia_flags_write(struct ia *t, unsigned kind, unsigned bytes, uint16_t dst, uint16_t src, uint16_t first);
/* ... when `when` is not 0; else they stay. */
void ia_flags_write_if(struct ia *t, uint16_t when, unsigned kind, unsigned bytes, uint16_t dst, uint16_t src);
/* The six arithmetic flags as RFLAGS has them, and setting them. */
uint16_t ia_flags(struct ia *t);
void ia_flags_set(struct ia *t, uint16_t flags);
/* Replaces the flags of `mask` by those of `flags` (other bits of it are 0). */
void ia_flags_change(struct ia *t, unsigned mask, uint16_t flags);
/* The carry that was just set stands in a temp that nobody writes again, as 0 or 1. */
void ia_flags_carry(struct ia *t, uint16_t carry);
/* Condition number (0 o, 1 no, 2 b ... 15 nle) as a comparison. */
void ia_condition(struct ia *t, unsigned cc, enum emu_cond *cond, uint16_t *a, uint16_t *b);
uint16_t ia_condition_value(struct ia *t, unsigned cc); /* 0 or 1 */
#define IA_CC_B 2
#define IA_CC_Z 4
#define IA_CC_NZ 5
/* After a LABEL: no local temp lives any more. */
void ia_flags_forget(struct ia *t);

/* -- one family each; false: not of this family -- */
bool ia_translate_alu(struct ia *t);
bool ia_translate_mul(struct ia *t);
bool ia_translate_bits(struct ia *t);
bool ia_translate_shift(struct ia *t);
bool ia_translate_control(struct ia *t);
bool ia_translate_string(struct ia *t);
bool ia_translate_sse(struct ia *t);
/* Leaves the block in front of this instruction, for a C routine. */
void ia_complex(struct ia *t);
/* Where execution goes: a linear address whose offset in the code segment is cut to `bytes`. x->pc, x->next
 * and the CPU's pc are linear; what the guest sees is the offset. */
uint64_t ia_target(const struct ia *t, uint64_t linear, unsigned bytes);

/* -- ia_helpers.c: pure, except emu_ia_stash -- */
/* The arithmetic flags of a kind of lazy flags; SRC2 and dynamic kinds through emu_ia_stash. */
uint32_t emu_ia_compute_flags(unsigned cc_op, uint64_t dst, uint64_t src, uint64_t src2);
extern emu_helper *const emu_ia_flags_of[IA_CC_COUNT]; /* (dst, src); NULL for adc, sbb */
emu_helper emu_ia_stash;        /* notes a and b for the next helper */
emu_helper emu_ia_flags_stashed; /* a = kind, b = SRC2; DST and SRC from the stash */
emu_helper emu_ia_rotate_carry; /* a = value, b = IA_ROTATE(...): result */
emu_helper emu_ia_rotate_carry_out; /* ... the carry that comes out */
emu_helper emu_ia_div128, emu_ia_idiv128, emu_ia_idiv128_fits; /* low half, divisor; high half stashed */
emu_helper emu_ia_decimal; /* a = AX | flags << 16, b = opcode: AX | flags << 16 */
emu_helper emu_ia_crc32;   /* a = CRC, b = value; bytes stashed */
/* b of emu_ia_rotate_carry: count, carry, bits, direction. */
#define IA_ROTATE_CARRY 8
#define IA_ROTATE_BITS 16
#define IA_ROTATE_LEFT 31

/* Turns of REP MOVS, REP STOS: a = how many at most, b = log2 of their bytes and IA_BULK_*; destination, and source or
 * value, stashed. How many were done (ia_mem.c). */
emu_helper emu_ia_bulk;
enum { IA_BULK_MOVE = 16, IA_BULK_DOWN = 256 };

/* The whole RFLAGS of a CPU that is not running, and setting it. */
uint64_t emu_ia_rflags(const struct emu_cpu *cpu);
void emu_ia_set_rflags(struct emu_cpu *cpu, uint64_t rflags);

/* Does the software CPU offer that (ia_cpuid.c)? */
bool ia_has(enum emu_ia_feature f);

/* User-level guests in the flat 4 GiB; not yet programs that can be loaded. */
extern const struct emu_guest emu_guest_ia64, emu_guest_ia32;

#endif
