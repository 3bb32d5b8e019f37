/* Private to the interpreter: an operation of a block that has been prepared, and conditions. */
#ifndef EMU_INTERP_H
#define EMU_INTERP_H

#include "emu/world.h"

struct emu_iop {
	uint8_t op, aux;
	int32_t d, a, b, c;
	int64_t imm;            /* BRCOND, BR: index of the operation to go to */
};

/* Does a compare with b as the condition (enum emu_cond, perhaps with EMU_C32) says? */
static inline bool emu_holds(unsigned cond, uint64_t a, uint64_t b)
{
	if (cond & EMU_C32) {
		/* sign-extended both, so that signed and unsigned order stay what they are */
		cond &= ~EMU_C32;
		a = (uint64_t)(int32_t)a;
		b = (uint64_t)(int32_t)b;
	}
	switch (cond) {
	case EMU_EQ: return a == b;
	case EMU_NE: return a != b;
	case EMU_LT: return (int64_t)a < (int64_t)b;
	case EMU_GE: return (int64_t)a >= (int64_t)b;
	case EMU_LTU: return a < b;
	case EMU_GEU: return a >= b;
	case EMU_LE: return (int64_t)a <= (int64_t)b;
	case EMU_GT: return (int64_t)a > (int64_t)b;
	case EMU_LEU: return a <= b;
	case EMU_GTU: return a > b;
	case EMU_TSTEQ: return !(a & b);
	default: return a & b;
	}
}

#endif
