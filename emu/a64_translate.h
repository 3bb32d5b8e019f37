/* Between the files that turn AArch64 instructions into IR. Private to the AArch64 front end.
 *
 * Globals: EMU_R(0..30) are x0 to x30, EMU_R(31) is sp, EMU_F(n) v0 to v31 (a scalar is the low part;
 * writing one clears the rest), A64_FLAGS the condition flags, A64_TPIDR tpidr_el0.
 */
#ifndef EMU_A64_TRANSLATE_H
#define EMU_A64_TRANSLATE_H

#include "emu/a64.h"
#include "emu/guest.h"

#define A64_SP EMU_R(31)
#define A64_FLAGS EMU_X(0)
#define A64_TPIDR EMU_X(1)

/* Appends the IR of one instruction. False: this guest does not have it. */
typedef bool a64_translate_fn(struct emu_xlat *x, const struct a64_insn *i);
#define A64_CLASS(id, translator, sentence) a64_translate_fn translator;
#include "emu/a64_class.def"

/* a64_doc.c */
struct emu_insn_doc;
bool a64_doc(unsigned i, struct emu_insn_doc *d);

/* Register 31 as zr: reads as the constant 0, and writes go to a local temp that nobody reads. A value
 * of W width is zero-extended in its register, always; as an operand, an operation of 64 bits must
 * look at its low half only. */
static inline uint16_t a64_src(struct emu_ir *ir, unsigned r)
{
	return r != 31 ? EMU_R(r) : emu_ir_const(ir, 0);
}
static inline uint16_t a64_dst(struct emu_ir *ir, unsigned r)
{
	return r != 31 ? EMU_R(r) : emu_ir_temp(ir);
}

/* `value` as the extension `option` of a register operand has it (uxtb ... sxtx), shifted left. */
uint16_t a64_extend(struct emu_ir *ir, unsigned option, uint16_t value, unsigned shift);

/* Helpers (a64_helpers.c). CRC-32 of an accumulator and 1 << n bytes; [1]: the Castagnoli polynomial. */
extern emu_helper *const a64_crc_helpers[2][4];
/* The value of a system register; a new value (a: enum a64_sysreg, b: value). */
emu_helper a64_sysreg_read, a64_sysreg_write;
/* Exclusives and compare-and-swap of 128 bits (a64_assist.c). */
enum emu_exc a64_assist(struct emu_cpu *cpu);
/* The reservation of this CPU ends. */
emu_helper a64_clear_exclusive;

/* The value of a register 31 as sp (Rn of an address; Rd and Rn of add, sub, and ... immediate). */
static inline uint16_t a64_sp(unsigned r)
{
	return EMU_R(r);
}

/* d = op(a, b), d new. */
static inline uint16_t a64_new(struct emu_ir *ir, enum emu_opcode op, uint16_t a, uint16_t b)
{
	uint16_t t = emu_ir_temp(ir);

	emu_ir_emit(ir, op, 0, t, a, b, EMU_NOTEMP, 0);
	return t;
}
static inline uint16_t a64_new_i(struct emu_ir *ir, enum emu_opcode op, uint16_t a, int64_t b)
{
	return a64_new(ir, op, a, emu_ir_const(ir, b));
}

/* ---- condition flags (a64_flags.c) ----
 *
 * An instruction that sets flags leaves them as an operation on two values. A condition that follows
 * in the block compares those values, and the packed flags (EMU_FLAG_*) are computed only where the
 * block may be left for code that reads them before it writes them. So at a fault, NZCV may be out of
 * date when nothing can read it.
 */
/* The flags are those of FLAGADD, FLAGSUB or FLAGLOGIC (then b: a & b is tested) on a and b. The temps
 * may change afterwards. */
void a64_flags_set(struct emu_xlat *x, enum emu_opcode op, bool wide, uint16_t a, uint16_t b);
/* ... as above if the temp c is not 0, else `nzcv` (bits 3 to 0). */
void a64_flags_set_if(struct emu_xlat *x, enum emu_opcode op, bool wide, uint16_t a, uint16_t b, uint16_t c,
		      unsigned nzcv);
/* ... packed in temp t (a floating-point comparison). */
void a64_flags_set_packed(struct emu_xlat *x, uint16_t t);
/* ... the four bits N Z C V in bits 3 to 0 of temp t. */
void a64_flags_set_bits(struct emu_xlat *x, uint16_t t);
/* Packed flags as a constant. */
unsigned a64_flags_pack(unsigned nzcv);
/* A64_FLAGS is going to be read or written as a whole. */
void a64_flags_settle(struct emu_xlat *x, uint64_t pc);
/* Before an instruction that may fault: flags that may be read later are put where they belong. */
void a64_flags_fault(struct emu_xlat *x);

/* A comparison that holds when the condition does. */
struct a64_test {
	uint16_t a, b;
	uint8_t cond;           /* enum emu_cond, perhaps EMU_C32 */
};
struct a64_test a64_condition(struct emu_xlat *x, unsigned cond);
/* The condition as 0 or 1 in a new temp. */
uint16_t a64_condition_value(struct emu_xlat *x, unsigned cond);
/* d = condition ? a : b. */
void a64_select(struct emu_xlat *x, unsigned cond, uint16_t d, uint16_t a, uint16_t b);

#endif
