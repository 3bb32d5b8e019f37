/* Private to emu/: the x86-64 back end.
 *
 *   x86_emit.h  instruction encodings         x86_gen.c  one IR block -> host code: the walk
 *   x86_regs.c  where temps are meanwhile     x86_int.c  integer operations
 *   x86_exit.c  branches, calls, exits        x86_cond.c  comparisons, flags, choices
 *   x86_pins.c  which guest registers stand in host registers
 *   x86_mem.c   loads, stores, atomics        x86_soft.c   ... behind a TLB      x86_fp.c   floating point
 *   x86_vec.h   vectors: x86_vec.c, x86_vec_int.c, x86_vec_move.c, x86_vec_pair.c, x86_vec_fp.c
 *   x86_const.def  constants in code memory
 *   x86.c       code memory (W^X: two mappings), entry and exit, chaining
 *   x86_signal.c  faults and kicks in host code
 *
 * Registers in translated code: rbp = &cpu->r[16]; rsp = the CPU's stack of return addresses; gs:0 = guest address 0, which may be host address 0;
 * rax, rcx, rdx and xmm0..xmm3 hold temps for a while; all others hold guest registers all the time: between
 * blocks those that the guest prefers, inside a block (above all a loop) those that it uses (x86_pins.c).
 */
#ifndef EMU_X86_H
#define EMU_X86_H

#include "emu/world.h"

#define EMU_PINS 11
#define EMU_FPINS 12
/* Which guest register (global) stands in which host register. */
struct emu_pins {
	int8_t host[EMU_GLOBALS];       /* of a global, or -1: GPR for integers, xmm for FP */
	uint16_t pinned[EMU_PINS], pinned_fp[EMU_FPINS]; /* global in each host register, or EMU_NOTEMP */
};
struct emu_x86 {
	uint8_t *rw, *rx;       /* the same memory, writable and executable */
	uint32_t size, used, start; /* bytes; blocks begin at `start` */
	uint32_t enter, enter_pins, leave, leave_exit, leave_fault, ret_miss, ret_miss_end, vector, vector_end, consts; /* offsets */
	uint32_t look, look_end, slow, slow_end, assist; /* with a TLB (soft.h) */
	bool returns;           /* guest calls are host calls */
	struct emu_pins pins;           /* between blocks */
	struct gen *gen;                /* of the block being made */
};

/* 0; -ENOSYS on another host; -ENOMEM. */
int emu_x86_init(struct emu_world *w, struct rs_err *err);
/* Has this CPU what the code needs? 0, or -ENOSYS and a sentence. */
int emu_x86_able(struct rs_err *err);
void emu_x86_release(struct emu_world *w);
/* Host code for w->ir; fills code, exits and map of the block. 0, or -ENOSPC: flush and try again. */
int emu_x86_gen(struct emu_world *w, struct emu_ir *ir, struct emu_block *b);
void emu_x86_reset(struct emu_world *w);        /* after a flush */
/* Sends the exit to `to`, or back to the run loop (NULL). Safe while other CPUs run there. */
void emu_x86_patch(struct emu_world *w, struct emu_exit *exit, const struct emu_block *to);
/* Calls do not return to this block any more, which is thrown away. */
void emu_x86_close(struct emu_world *w, struct emu_block *b);
/* Runs host code until it leaves; cpu->pc (through cpu->exit_site when that is set) and cpu->exc. */
void emu_x86_enter(struct emu_cpu *cpu, const struct emu_block *b);
/* ... code that the indirect-branch cache knows. */
void emu_x86_enter_at(struct emu_cpu *cpu, const void *code);
/* Faults and kicks of this process become those of the guest. Installs handlers; the signal of kicks
 * is EMU_KICK_SIGNAL. 0 or -errno. */
int emu_x86_signals(struct rs_err *err);
#define EMU_KICK_SIGNAL (SIGRTMAX - 1)

#endif
