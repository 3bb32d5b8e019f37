/* The lab and its program: orders, the watchdog, and what is shown. Private to emu/.
 *
 * Orders come in on a thread of their own, which alone sends snapshots. To pause is to want all CPUs out
 * of code and not to let go (emu_exclusive_begin); they stand in emu_lab_stand. A step lets one of them
 * through (world.let), which interprets: so the state is exact after each instruction, and code that was
 * made for whole blocks stays as it is.
 */
#ifndef EMU_ORDERS_H
#define EMU_ORDERS_H

#include "emu/emu.h"
#include "emu/linux.h"
#include "engine/base/state.h"

#define EMU_SHOWN_MAX 256u

struct emu_lab {
	struct emu_world *w;
	struct emu_linux *l;
	emu_host_text *host;            /* may be NULL */
	int control_fd, quit_fd, wake_fd; /* -1: none; wake_fd: a step is done */
	pthread_t thread;
	bool started, watched;
	uint64_t timeout_ns;            /* 0: none */

	bool paused;                    /* this thread holds all CPUs */
	uint64_t left;                  /* lock: steps that `let` still has */
	bool by_block;                  /* ... and what one is */

	/* what is shown (snapshot.c) */
	bool chosen;                    /* somebody chose the block; else it follows the program */
	uint64_t shown;                 /* its pc; ~0: none yet */
	uint64_t insn[EMU_SHOWN_MAX];   /* of its instructions */
	unsigned insns;
	uint32_t sent_code;             /* its place when it was sent, and the generation: sent again when */
	uint64_t sent_flushes;          /* they change */
	uint64_t sent_shown;
	unsigned char buf[RS_STATE_MAX]; /* of the snapshot in the making */
};

/* The thread that takes orders on control_fd and watches over timeout_ns. With `paused` the program does
 * not begin by itself. l->w->lab is set. NULL only with err. */
struct emu_lab *emu_lab_start(struct emu_linux *l, const struct emu_desc *d, int control_fd, struct rs_err *err);
/* Before a CPU of the ending program is freed: its registers are shown. */
void emu_lab_last(struct emu_lab *lab, struct emu_cpu *cpu);
/* The program ended: the thread is joined, the last snapshots go out. */
void emu_lab_end(struct emu_lab *lab);
void emu_lab_free(struct emu_lab *lab); /* NULL is fine */

/* A CPU that found everybody wanted out of code waits here, or steps. NONE: it may go on; else as
 * emu_cpu_run. */
enum emu_exc emu_lab_stand(struct emu_world *w, struct emu_cpu *cpu);
/* With the lock held: the CPU will be freed. */
void emu_lab_gone(struct emu_cpu *cpu);

/* -- snapshot.c: all with the world's lock held -- */
/* What does not need CPUs out of code: blocks, cache, and the stages when another block is shown. */
void emu_snapshot_blocks(struct emu_lab *lab);
/* The CPU is out of code: its registers, and the instructions around. */
void emu_snapshot_cpu(struct emu_lab *lab, struct emu_cpu *cpu);
/* Follows the program to pc (unless a block was chosen), and shows its stages. */
void emu_snapshot_follow(struct emu_lab *lab, uint64_t pc);
/* Shows the stages of the block at pc; `always`: also when they were shown already. */
void emu_snapshot_stages(struct emu_lab *lab, uint64_t pc, bool always);
void emu_snapshot_memory(struct emu_lab *lab, uint64_t addr, uint64_t len);
/* The first thread's CPU, or the one that steps; NULL: all are gone. */
struct emu_cpu *emu_lab_focus(struct emu_lab *lab);

#endif
