/* What a guest front end fills: one table for each guest architecture. */
#ifndef EMU_GUEST_H
#define EMU_GUEST_H

#include "emu/cpu.h"
#include "emu/ir.h"

/* One block in the making. The front end appends the IR of one instruction at a time; the calls below
 * decide where the block ends, so that the policy (superblocks) stands in one place. */
struct emu_xlat {
	struct emu_ir *ir;
	const struct emu_guest *guest;
	uint64_t pc;            /* of the instruction being translated */
	uint64_t next;          /* of the one after it: set by the front end before the calls below */
	bool end;               /* the block is complete; set by the calls below */
	unsigned branches;      /* conditional branches so far */
	unsigned max_branches, max_insns; /* policy: 1 and 1 make the simplest blocks */
	const uint8_t *page;    /* host address of the guest page that `pc` is in; NULL: not to be read */
	/* The front end's own, all 0 at the start of a block: condition flags that it knows as an
	 * operation `op` of width `w` on a and b, if the temp c is not 0 (EMU_NOTEMP: always), else
	 * `nzcv`. late: they do not stand in their global yet. */
	struct emu_x_flags {
		uint16_t a, b, c;
		uint8_t op, w, nzcv;
		bool known, late;
		bool compared;  /* those in the global are of a floating-point comparison */
	} flags;
	uint64_t reversed_pc;   /* ... the instruction after one that reversed the bits of reversed_src */
	uint16_t reversed_src;
	uint8_t reversed_reg;
	bool special_rm;        /* RISC-V: the dynamic rounding mode may be one that the host lacks (cpu.h, rm) */
	uint16_t note[4];       /* the front end's own, about the block so far; 0 at its start */
};
/* soft.arg of the world (soft.h): the CPU whose code it is. */
void *emu_x_owner(const struct emu_xlat *x);
/* The instruction is a conditional branch to `target` (cond: enum emu_cond, perhaps
 * EMU_C32); otherwise control goes to x->next. */
void emu_x_branch(struct emu_xlat *x, unsigned cond, uint16_t a, uint16_t b, uint64_t target);
/* ... jumps to `target`. */
void emu_x_jump(struct emu_xlat *x, uint64_t target);
/* ... calls `target`; the link register was written by the front end; returns to x->next. */
void emu_x_call(struct emu_xlat *x, uint64_t target);
/* ... jumps to the address in temp `a`, kind EMU_JUMP_*. */
void emu_x_jump_reg(struct emu_xlat *x, uint16_t a, unsigned kind);
/* ... raises `exc` (SYSCALL and FENCE_I: pc afterwards = x->next; BREAK, ILLEGAL: x->pc). */
void emu_x_exception(struct emu_xlat *x, enum emu_exc exc);
/* Raises `exc` with pc = x->pc when the condition holds; else the instruction goes on, and local temps
 * live. At most four in one instruction. */
void emu_x_except_if(struct emu_xlat *x, enum emu_cond cond, uint16_t a, uint16_t b, unsigned exc);
/* ... is ordinary, but the block must end after it (it changed something translation relies on). */
void emu_x_stop(struct emu_xlat *x);

#define EMU_ANYWHERE (~0ull)

struct emu_insn_doc; /* emu.h */
/* linux.h; linux_rv.c, linux_a64.c */
struct emu_linux_abi;
extern const struct emu_linux_abi emu_linux_riscv64, emu_linux_aarch64;

struct emu_guest {
	const char *name;               /* "riscv64"; also what uname says */
	uint16_t elf_machine;           /* EM_RISCV (243), EM_AARCH64 (183) */
	unsigned insn_align, insn_max;  /* bytes: 2 and 4 for RV64GC */
	const char *reg[EMU_GLOBALS];   /* ABI names of the globals for people; NULL: not used */
	uint16_t vector_bits;           /* of EMU_F registers: 64 or 128 */
	/* Order of preference for host registers, hottest first, ended by EMU_NOTEMP. */
	const uint16_t *hot, *hot_fp;
	/* Linux: number and arguments of a system call, its result, stack pointer, thread pointer
	 * (any integer global: on AArch64 TPIDR_EL0 is none of the general registers). */
	uint16_t sys_nr, sys_arg[6], sys_ret, sp, tp;
	const struct emu_linux_abi *linux_abi;  /* what else Linux fixes for the machine */
	/* Translates the instruction at x->pc whose bytes are code[0..avail), avail >= insn_align; appends
	 * IR after an INSN mark that the caller made. Returns its length in bytes, or 0 when more than
	 * `avail` bytes are needed (the rest is not executable: the caller raises the fault). An encoding
	 * that it does not know becomes EMU_EXC_ILLEGAL and has a length all the same. */
	unsigned (*translate)(struct emu_xlat *x, const uint8_t *code, unsigned avail);
	/* Does the instruction at cpu->pc, which translated code left to C (EMU_EXC_ASSIST): registers, memory,
	 * pc. NONE, or the exception that it raises instead, with pc as it was. NULL: there are none. */
	enum emu_exc (*assist)(struct emu_cpu *cpu);
	/* Control may go to `pc`, or anywhere (EMU_ANYWHERE): globals whose new value the front end held
	 * back are written if they may be read there. NULL: nothing is ever held back. */
	void (*settle)(struct emu_xlat *x, uint64_t pc);
	/* Text of the instruction ("addi a0,a0,1", as objdump prints it). Returns its length in bytes,
	 * 0 when avail is too short. */
	unsigned (*disasm)(const uint8_t *code, unsigned avail, uint64_t pc, char *buf, size_t size);
	/* Reference page: row `i` of the instruction table, emu_doc_insn of emu.h; NULL: none yet. */
	bool (*doc)(unsigned i, struct emu_insn_doc *d);
	const char *notation;           /* what letters and effects in it mean (translation key) */
};
/* Where an integer global of the guest stands (EMU_R, EMU_X). */
static inline uint64_t *emu_guest_global(struct emu_cpu *cpu, uint16_t g)
{
	return g < EMU_F(0) ? &cpu->r[g] : &cpu->x[g - EMU_X(0)];
}

extern const struct emu_guest emu_guest_riscv64;  /* rv_translate.c */
extern const struct emu_guest emu_guest_aarch64;  /* a64_translate.c */

/* Writes an encoding for a reader: `width` bits, highest first; a bit of `mask` as it is in `match`, any
 * other as field[bit] ('x' when that is 0); a blank between fields. `out`: 2 * width bytes. */
void emu_doc_bits(uint32_t mask, uint32_t match, const char field[32], unsigned width, char *out);

/* The front end of an ELF machine number, or NULL. */
const struct emu_guest *emu_guest_by_elf(unsigned machine);
const struct emu_guest *emu_guest_by_name(const char *name);

#endif
