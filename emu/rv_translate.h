/* Between rv_translate.c (integers, control) and rv_translate_fp.c. Private to the RISC-V front end. */
#ifndef EMU_RV_TRANSLATE_H
#define EMU_RV_TRANSLATE_H

#include "emu/guest.h"
#include "emu/rv.h"

/* x0 reads as a constant, and writes to it go to a local temp that nobody reads. */
static inline uint16_t rv_src(struct emu_ir *ir, unsigned r)
{
	return r ? EMU_R(r) : emu_ir_const(ir, 0);
}
static inline uint16_t rv_dst(struct emu_ir *ir, unsigned r)
{
	return r ? EMU_R(r) : emu_ir_temp(ir);
}

/* Appends the IR of a floating-point instruction. False: it is none, nothing was done. */
bool rv_translate_fp(struct emu_xlat *x, const struct rv_insn *i);

/* Helpers (rv_helpers.c). A CSR: its value; and a new value (a: number, b: value). */
emu_helper rv_csr_read, rv_csr_write;
emu_helper rv_frm; /* the dynamic rounding mode */

/* Operations rounded to nearest, ties away from zero (rmm), which no host has (rv_rmm.c). Operands
 * and result are bits. Rows by width: EMU_W32, EMU_W64. */
enum rv_rmm { RV_RMM_ADD, RV_RMM_SUB, RV_RMM_MUL, RV_RMM_DIV, RV_RMM_FMADD, RV_RMM_FMSUB, RV_RMM_FNMSUB,
	      RV_RMM_FNMADD, RV_RMM_FROM_F, RV_RMM_FROM_W, RV_RMM_FROM_WU, RV_RMM_FROM_L,
	      RV_RMM_FROM_LU, RV_RMM_TO_W, RV_RMM_TO_WU, RV_RMM_TO_L, RV_RMM_TO_LU, RV_RMM_OPS };
extern emu_helper *const rv_rmm_helpers[RV_RMM_OPS][2];
/* Puts the third operand of a fused operation aside. */
emu_helper rv_rmm_third;

#endif
