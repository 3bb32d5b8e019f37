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

#endif
