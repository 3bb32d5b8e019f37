/* Between the files that turn Advanced SIMD and floating point of AArch64 into IR. Private to them. */
#ifndef EMU_A64_TRANSLATE_SIMD_H
#define EMU_A64_TRANSLATE_SIMD_H

#include "emu/a64_translate.h"

/* The scalar half of the table comes after the vector half (a64_class.def). */
static inline bool a64_is_scalar(const struct a64_insn *i)
{
	return i->class >= A64_CLASS_S_SAME;
}
/* aux of an operation over elements of this size. */
static inline unsigned a64_vec(const struct a64_insn *i, unsigned size)
{
	return size | (a64_is_scalar(i) ? EMU_VSCALAR : i->q ? EMU_VQ : 0);
}
/* FP scalars of the base set. */
static inline unsigned a64_fp(const struct a64_insn *i)
{
	return i->size | EMU_VSCALAR;
}
/* A new temp that holds OPERATION(a, b). */
static inline uint16_t a64_v2(struct emu_ir *ir, unsigned op, unsigned aux, uint16_t a, uint16_t b)
{
	uint16_t t = emu_ir_ftemp(ir);

	emu_ir_emit(ir, (enum emu_opcode)op, aux, t, a, b, EMU_NOTEMP, 0);
	return t;
}
static inline uint16_t a64_v1(struct emu_ir *ir, unsigned op, unsigned aux, uint16_t a, int64_t imm)
{
	uint16_t t = emu_ir_ftemp(ir);

	emu_ir_emit(ir, (enum emu_opcode)op, aux, t, a, EMU_NOTEMP, EMU_NOTEMP, imm);
	return t;
}
/* The pattern in every 64 bits; of 64 bits when `q` is not set. */
static inline uint16_t a64_vconst(struct emu_ir *ir, uint64_t pattern, bool q)
{
	return a64_v1(ir, EMU_OP_VCONST, EMU_V64 | (q ? EMU_VQ : 0), EMU_NOTEMP, (int64_t)pattern);
}
/* The sign bits of all elements of such an operation, 0 above a scalar. */
static inline uint16_t a64_signs(struct emu_ir *ir, unsigned aux, bool others)
{
	uint64_t one = (aux & 3) == EMU_V64 ? 1ull << 63 : aux & EMU_VSCALAR ? 1ull << 31 : 0x8000000080000000ull;
	uint64_t all = (aux & 3) == EMU_V64 || !(aux & EMU_VSCALAR) ? ~0ull : 0xffffffff;

	return a64_vconst(ir, others ? all ^ one : one, aux & EMU_VQ);
}
static inline uint16_t a64_fabs(struct emu_ir *ir, unsigned aux, uint16_t a)
{
	return a64_v2(ir, EMU_OP_VAND, EMU_V64 | (aux & EMU_VQ), a, a64_signs(ir, aux, true));
}
/* OPERATION(a) has 64 bits, which go to rd: into the lower half, or of an instruction of the upper half
 * ("xtn2") into that one, which leaves the lower half as it is (a64_translate_simd.c). */
void a64_put_narrow(struct emu_ir *ir, const struct a64_insn *i, unsigned op, unsigned aux, uint16_t a, int64_t imm);

#endif
