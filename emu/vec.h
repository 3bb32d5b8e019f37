/* Private to emu/: what vector operations mean (ops.def, vconst to vfcvtl), in plain C. The interpreter
 * runs them through here, and host code calls them when it has no instructions for one.
 */
#ifndef EMU_VEC_H
#define EMU_VEC_H

#include "emu/cpu.h"
#include "emu/ir.h"

/* Runs under the guest's MXCSR. `what` = opcode | aux << 8 | imm << 16 (the pattern of VCONST is in n). */
void emu_vec_eval(struct emu_cpu *cpu, uint64_t what, struct emu_vop *v);
static inline uint64_t emu_vec_what(unsigned op, unsigned aux, int64_t imm)
{
	return op | aux << 8 | (op == EMU_OP_VCONST ? 0 : (uint64_t)imm << 16);
}

static inline uint64_t emu_vec_lane(const union emu_vec *v, unsigned e, unsigned i)
{
	switch (e) {
	case EMU_V8: return v->b[i];
	case EMU_V16: return v->h[i];
	case EMU_V32: return v->w[i];
	default: return v->q[i];
	}
}
static inline void emu_vec_put(union emu_vec *v, unsigned e, unsigned i, uint64_t x)
{
	switch (e) {
	case EMU_V8: v->b[i] = (uint8_t)x; break;
	case EMU_V16: v->h[i] = (uint16_t)x; break;
	case EMU_V32: v->w[i] = (uint32_t)x; break;
	default: v->q[i] = x; break;
	}
}

/* -- floating point by Arm's rules (vec_fp.c, vec_est.c); e: EMU_V32, EMU_V64, halves where named -- */
void emu_vec_fp(struct emu_cpu *cpu, unsigned op, unsigned aux, int64_t imm, struct emu_vop *v);
/* DDI 0487, FPProcessNaNs: the NaN that comes of operands of which one is a NaN, quieted. */
uint64_t emu_arm_nan(const struct emu_cpu *cpu, unsigned e, uint64_t a, uint64_t b);
uint64_t emu_arm_fp2(const struct emu_cpu *cpu, unsigned op, unsigned aux, uint64_t a, uint64_t b);
uint64_t emu_arm_fma(const struct emu_cpu *cpu, unsigned e, uint64_t a, uint64_t b, uint64_t c);
uint64_t emu_arm_to_int(const struct emu_cpu *cpu, unsigned e, uint64_t x, unsigned aux, int64_t imm);
/* FPRecipEstimate, FPRSqrtEstimate, FPRecpX; UnsignedRecipEstimate, UnsignedRSqrtEstimate. */
uint64_t emu_arm_estimate(const struct emu_cpu *cpu, unsigned e, unsigned kind, uint64_t x);
uint32_t emu_arm_estimate_u32(uint32_t x, bool root);
#define EMU_FPCR_DN (1u << 25)

#endif
