/* Private to emu/: floating-point operations that are more than one host instruction. They run under
 * the guest's MXCSR (rounding, sticky flags), which is loaded while a guest CPU runs. Numbers are
 * passed as bits; 32-bit ones have 0 above.
 */
#ifndef EMU_FP_H
#define EMU_FP_H

#include <stdbool.h>
#include <stdint.h>

#define EMU_NAN64 0x7ff8000000000000ull  /* canonical NaNs: RISC-V unprivileged ISA, 11.3 */
#define EMU_NAN32 0x7fc00000ull

/* aux: EMU_CV_* of ir.h. */
uint64_t emu_fp_ftoi(uint64_t bits, unsigned aux);
uint64_t emu_fp_itof(uint64_t value, unsigned aux);
/* w: EMU_W32, EMU_W64. */
uint64_t emu_fp_class(uint64_t bits, unsigned w);
uint64_t emu_fp_minmax(uint64_t a, uint64_t b, unsigned w, bool max);
uint64_t emu_fp_fma(uint64_t a, uint64_t b, uint64_t c, unsigned w); /* a * b + c */
/* One of EMU_OP_FADD ... FSQRT, FTOF (w: of the result). */
uint64_t emu_fp_arith(unsigned op, uint64_t a, uint64_t b, unsigned w);
/* EMU_OP_FEQ, FLT, FLE. */
uint64_t emu_fp_compare(unsigned op, uint64_t a, uint64_t b, unsigned w);
static inline uint64_t emu_fp_canon(uint64_t bits, unsigned w)
{
	if (w)
		return (bits & ~(1ull << 63)) > 0x7ff0000000000000ull ? EMU_NAN64 : bits;
	return (bits & 0x7fffffff) > 0x7f800000 ? EMU_NAN32 : (uint32_t)bits;
}
uint64_t emu_fp_sign(unsigned op, uint64_t a, uint64_t b, unsigned w); /* FSGNJ, FSGNJN, FSGNJX */

#endif
