/* Private to the x86-64 back end: between its files of vector operations. */
#ifndef EMU_X86_VEC_H
#define EMU_X86_VEC_H

#include "emu/vec.h"
#include "emu/x86_gen.h"

/* Opcodes are map << 8 | opcode, with the prefix 66 (SDM vol. 2, VEX.128). d = op(a, b). */
static inline void v2(struct gen *g, unsigned op, int d, int a, int b)
{
	as_vrr(&g->as, 1, op >> 8, false, op & 0xff, d, a, b);
}
/* d = op(b): the operand that an instruction does not have is encoded as 0. */
static inline void v1(struct gen *g, unsigned op, int d, int b)
{
	v2(g, op, d, 0, b);
}
static inline void v2i(struct gen *g, unsigned op, int d, int a, int b, unsigned imm)
{
	v2(g, op, d, a, b);
	as8(&g->as, imm);
}
static inline void v1i(struct gen *g, unsigned op, int d, int b, unsigned imm)
{
	v2i(g, op, d, 0, b, imm);
}
/* Shift by an immediate: op 0x71 to 0x73, kind 2 psrl, 3 psrldq, 4 psra, 6 psll. */
static inline void vshift(struct gen *g, unsigned op, unsigned kind, int d, int a, unsigned n)
{
	as_vrr(&g->as, 1, 1, false, op, (int)kind, d, a);
	as8(&g->as, n);
}
static inline void v2c(struct gen *g, unsigned op, int d, int a, enum emu_x86_const c)
{
	as_vex(&g->as, 1, op >> 8, false, d, a, 0, 0);
	as8(&g->as, op & 0xff);
	as_rip(&g->as, gen_konst(g, c), (unsigned)d, 0);
}
static inline void vmov(struct gen *g, int d, int a)
{
	if (d != a)
		as_vrr(&g->as, 0, 1, false, 0x28, d, 0, a);
}
/* d = low 64 bits of a, 0 above */
static inline void vmovq(struct gen *g, int d, int a)
{
	as_vrr(&g->as, 2, 1, false, 0x7e, d, 0, a);
}
static inline void vones(struct gen *g, int d)
{
	v2(g, 0x176, d, d, d);
}
static inline void vzero(struct gen *g, int d)
{
	v2(g, 0x1ef, d, d, d);
}

/* Is the operation one on 128 bits? Of scalars of 64 bits it is one on 64. */
static inline bool vec_q(const struct emu_op *op)
{
	return op->aux & EMU_VQ;
}
/* The result of an operation that leaves anything above its 64 bits, or 128. `zeros`: where all operands have
 * zeros the result has zeros, too. */
void vec_set(struct gen *g, const struct emu_op *op, int reg, bool zeros);

/* False: no code for this one; nothing was emitted. */
bool vec_arith(struct gen *g, const struct emu_op *op);  /* x86_vec_int.c */
bool vec_move(struct gen *g, const struct emu_op *op);   /* x86_vec_move.c */
bool vec_reduce(struct gen *g, const struct emu_op *op); /* x86_vec_pair.c */
bool vec_float(struct gen *g, const struct emu_op *op);  /* x86_vec_fp.c */

#endif
