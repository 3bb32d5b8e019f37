/* Private to the x86-64 back end: one block in the making.
 *
 * Guest registers that are pinned stand in their host register all through the block. The others live in struct
 * emu_cpu: a result is stored at once (so that a fault finds it), and the scratch register in which it was
 * made goes on holding a clean copy. Local temps live in scratch registers, or in cpu->spill when those
 * run out.
 */
#ifndef EMU_X86_GEN_H
#define EMU_X86_GEN_H

#include <stddef.h>

#include "emu/x86.h"
#include "emu/x86_emit.h"

#define CPU_BIAS ((int32_t)offsetof(struct emu_cpu, r[16]))
#define CPU_OFF(field) ((int32_t)offsetof(struct emu_cpu, field) - CPU_BIAS)

/* 16 bytes each, from x86_const.def. */
enum emu_x86_const {
#define X86_CONST(id, low, high) X86_##id,
#include "emu/x86_const.def"
	X86_CONSTS
};

/* Displacement from rbp of a global; its place in memory. */
static inline int32_t emu_x86_global(uint16_t g)
{
	return g < 32 ? 8 * (g - 16) : g < 64 ? CPU_OFF(v) + 16 * (g - 32) : CPU_OFF(x) + 8 * (g - 64);
}
static inline uint64_t *emu_x86_slot(struct emu_cpu *cpu, uint16_t g)
{
	return (uint64_t *)(void *)((char *)cpu + CPU_BIAS + emu_x86_global(g));
}
/* Is the guest address in `reg` in the indirect-branch cache? "Equal" if it is. t: another
 * register, which finds the entry. Where the comparison's code begins (x86.c). */
uint8_t *as_jump_cache(struct as *a, const struct emu_world *w, int reg, int t);
/* op reg, [the entry that t finds + disp] */
void as_jump_to(struct as *a, unsigned shift, unsigned op, int reg, int t, int32_t disp);
/* The end of a stub: on to the guest address in RAX, through the cache or by the run loop. Uses RCX. */
void emu_x86_look(struct emu_world *w, struct as *a);
/* -- x86_pins.c -- */
void emu_x86_pins_init(struct emu_world *w); /* those between blocks: as the guest's front end prefers */
/* Stores (or loads) pinned registers: all, or only those that a C function may change. */
void emu_x86_pins(const struct emu_pins *p, struct as *a, bool store, bool all);
extern _Thread_local struct emu_cpu *emu_x86_current; /* the CPU that this thread runs */

#define SCRATCH 3          /* rax, rcx, rdx */
#define FSCRATCH 4         /* xmm0..xmm3 */
#define BIT(n) (1u << (n))

/* Code that is rarely run stands after the block. */
enum cold_kind { COLD_NAN, COLD_HELPER1, COLD_HELPER2, COLD_UNBOX, COLD_MISALIGNED, COLD_VECTOR,
		  COLD_FULL, COLD_CALL, COLD_SOFT };
struct cold {
	uint8_t kind, w, to, a, b, c;  /* registers; w: width */
	bool fp_to;                 /* the result goes to an xmm register */
	unsigned aux;
	unsigned insn;              /* how many began and are not counted yet */
	uint64_t fn, pc;
	uint8_t *from[2];           /* displacements of the jumps that lead here */
	uint8_t *back;
};
#define COLDS 192

struct gen {
	struct as as;
	struct emu_world *w;
	struct emu_x86 *x;
	struct emu_ir *ir;
	struct emu_block *b;
	const struct emu_pins *pins; /* in the block */
	const struct emu_op *op;    /* being translated */
	const struct emu_op *link;  /* LINK of the call that comes next, or NULL */
	unsigned at;                /* its index */
	uint8_t *compare;           /* where the code of the last comparison begins */
	uint64_t pc;                /* of the guest instruction */
	unsigned begun;             /* guest instructions so far */
	unsigned insn;              /* how many began and are not counted yet */
	unsigned skip;              /* operations that follow and have been done with this one */
	/* An address that the next access computes itself: base + (index << shift) for the local `temp`,
	 * which is read nowhere else. EMU_NOTEMP: none. */
	struct { uint16_t temp, base, index; uint8_t shift; } fold;
	uint16_t last[EMU_TEMPS_MAX];   /* index of the last operation that reads a local */
	int8_t reg[EMU_TEMPS_MAX];      /* scratch register of a local, or -1 */
	int8_t spill[EMU_TEMPS_MAX];    /* slot in cpu->spill, or -1 */
	uint8_t clean[EMU_TEMPS_MAX];   /* of FP temps: 1 bits 127:64 are 0, 2 bits 127:32; 0 unknown */
	uint16_t hold[SCRATCH], fhold[FSCRATCH]; /* temp or global in the register, or EMU_NOTEMP */
	unsigned busy, fbusy;           /* registers in use by the operation being translated */
	unsigned turn, fturn;
	uint64_t spills;                /* slots in use */
	uint8_t *label_from[256];       /* jumps to a label that is not there yet: chained through their
					   displacements */
	uint16_t label_insn[256];       /* `insn` where it is jumped from, for the count at a side exit */
	int16_t label_exit[256];        /* the label's code is only this exit: jump straight there, or -1 */
	struct cold cold[COLDS];
	unsigned colds;
	struct { uint32_t host, guest; uint16_t begun; bool write; } map[EMU_OPS_MAX]; /* as in struct emu_block */
	unsigned maps;
	bool failed;
};

/* -- registers (x86_regs.c) -- */
/* Host register with the value of integer temp `t`, marked busy. */
int gen_use(struct gen *g, uint16_t t);
/* A free scratch register, marked busy; gen_take: exactly this one. */
int gen_scratch(struct gen *g);
void gen_take(struct gen *g, int reg);
/* Where the result of the operation should be made: the pinned register, or a scratch one. `avoid` is a
 * mask of pinned registers that must keep their value until the result is complete. */
int gen_def(struct gen *g, uint16_t d, unsigned avoid);
/* The value of `d` is in `reg` now. */
void gen_set(struct gen *g, uint16_t d, int reg);
int gen_fuse(struct gen *g, uint16_t t);
int gen_fscratch(struct gen *g);
int gen_fdef(struct gen *g, uint16_t d, unsigned avoid);
void gen_fset(struct gen *g, uint16_t d, int reg);
/* ... and is known to be `clean` (struct gen). */
void gen_fset_clean(struct gen *g, uint16_t d, int reg, unsigned clean);
/* After an operation: registers of temps that were read for the last time become free. */
void gen_done(struct gen *g);
/* A temp's register and slot become free. */
void gen_drop(struct gen *g, uint16_t t);
/* At a label: nothing is held. */
void gen_forget(struct gen *g);
/* Before a call: locals that live on go to memory. */
void gen_spill_all(struct gen *g);
bool gen_const(const struct gen *g, uint16_t t, int64_t *v);
/* Displacement from rbp when the temp is in memory and in no register, else false. */
bool gen_in_memory(const struct gen *g, uint16_t t, int32_t *disp);
uint8_t *gen_konst(const struct gen *g, enum emu_x86_const c);
struct cold *gen_cold(struct gen *g, enum cold_kind kind);

/* Which globals the block keeps in registers (g->pins); and the way from one set to another (x86_pins.c). */
void gen_choose_pins(struct gen *g);
void gen_swap(struct gen *g, const struct emu_pins *from, const struct emu_pins *to);

static inline uint8_t *gen_rw(const struct gen *g, uint32_t offset)
{
	return g->x->rw + offset;
}

/* A jump back to the block's own start, with the registers as they are. */
static inline bool gen_is_loop(const struct gen *g, const struct emu_op *op)
{
	return op->op == EMU_OP_GOTO && (uint64_t)op->imm == g->b->pc && op[-1].op != EMU_OP_LINK;
}

/* A jump to another mapping of the guest's memory (soft.h). */
static inline bool gen_is_far(const struct gen *g, uint64_t pc)
{
	return g->w->soft && ((pc ^ g->b->pc) & ~g->b->span);
}

/* -- operands (x86_int.c) -- */
/* The second operand of a two-operand instruction: register, memory or immediate. */
struct gen_rhs {
	enum { RHS_REG, RHS_MEM, RHS_IMM } kind;
	int reg;
	int32_t v;              /* displacement or immediate */
};
struct gen_rhs gen_rhs(struct gen *g, uint16_t t, bool w32);
void gen_alu(struct gen *g, bool w, unsigned kind, int reg, const struct gen_rhs *r);
/* Where the result belongs when nothing but the zext32 that comes `ahead` operations later reads it (or NULL): then
 * an instruction of 32 bits makes both at once. */
const struct emu_op *gen_narrowed(struct gen *g, uint16_t d, unsigned ahead);

/* -- operations; false: not theirs -- */
bool gen_int(struct gen *g, const struct emu_op *op);   /* x86_int.c */
bool gen_cond(struct gen *g, const struct emu_op *op);  /* x86_cond.c */
bool gen_exit(struct gen *g, const struct emu_op *op);  /* x86_exit.c */
void gen_store_pc(struct gen *g, uint64_t pc);
void gen_store_exc(struct gen *g, unsigned exc);
bool gen_memory(struct gen *g, const struct emu_op *op); /* x86_mem.c */
bool gen_soft(struct gen *g, const struct emu_op *op); /* x86_soft.c: LD, ST, SEG behind a TLB */
void gen_soft_stubs(struct emu_world *w, struct as *a);
struct cold;
void gen_soft_cold(struct gen *g, const struct cold *c);
void gen_leave(struct gen *g); /* to the run loop; exc and pc are set (x86_exit.c) */
/* What emit_exc jumps to: `leave`, or with a TLB the way to soft->assist (x86_soft.c) */
uint32_t gen_way_out(const struct gen *g, unsigned exc);
/* reg = the value in it extended from 1 << size bytes (x86_mem.c) */
/* Notes that the instruction at hand may fault here; its index in the map (x86_mem.c). */
unsigned gen_note(struct gen *g);
/* Is this operation the sum (or the shift before it) that makes the address of the access that follows,
 * and of no other? Then that access takes it into its addressing mode, and nothing is to be done here. */
bool gen_fold_address(struct gen *g, const struct emu_op *op); /* x86_mem.c */
bool gen_fp(struct gen *g, const struct emu_op *op);    /* x86_fp.c */
bool gen_vector(struct gen *g, const struct emu_op *op); /* x86_vec.c */
/* Sets the flags for a compared with b, from g->compare on; the condition code (x86_cond.c). */
unsigned gen_compare(struct gen *g, unsigned cond, uint16_t a, uint16_t b);
/* jcc, where processors like it: the code from `compare` on, which sets the flags and does not depend on its
 * place, may be moved on for it. The place of the displacement (x86_exit.c). */
uint8_t *gen_jcc(struct gen *g, unsigned cc, uint8_t *compare);
/* rax = fn(args as they are in rdi, rsi, rdx), with pinned registers kept (x86_gen.c). */
void gen_call(struct gen *g, const void *fn);
/* emu_vec_eval(cpu, what, &cpu->vop); all registers keep their values (x86_gen.c). */
void gen_call_vector(struct gen *g, uint64_t what);

#endif
