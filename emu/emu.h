/* emu/: the translator: RISC-V and AArch64 programs for Linux run on x86-64. The one public header; the map:
 *
 *   emu.h       describe a program and its engine, run it, look at the stages of a block
 *   ops.def, ir.h     the IR: operations, temps, builder    ir.c, ir_print.c
 *   guest.h     what a guest front end fills: decode, translate, disassemble
 *   rv_*.def, rv_*.c  RISC-V: one table of instructions drives decoder, disassembler, translator
 *   a64.h, a64_*.def, a64_*.c  AArch64, likewise; a64_translate.h: the parts of its front end
 *   ia.h, ia_*.def, ia_*.c    x86: its own map; ia_cpu.h: a whole CPU, public, too
 *   cpu.h       the guest CPU's state, which everything shares
 *   mem.h       guest memory: 4 GiB, rights, the one door     mem.c
 *   soft.h      ... or behind a TLB, for a guest with an MMU     soft.c, x86_soft.c
 *   xlat.c      guest code -> IR: where a block ends
 *   passes.c    IR -> better IR; each pass can be switched off     passes_fuse.c, passes_canon.c
 *   interp.c    the IR interpreter, oracle of the back ends     interp_prepare.c, eval.h; fp.c  its floating point
 *   vec.h       what vector operations mean     vec.c, vec_fp.c, vec_est.c (Arm's rules for numbers)
 *   x86.h       the x86-64 back end; its own map
 *   world.h     one translated process: blocks, chains, locks     cache.c
 *   run.c       the run loop of a CPU
 *   load.c, linux.h, linux*.c   loading a program, and the system calls it makes
 *   confine.def, confine.c      what a program of a lesson may ask of Linux
 *   orders.h, orders.c   pause, step, inspect, stop; the watchdog     snapshot.c   what the lab is shown
 *   stage.c     the stages of a block as text
 *   emu.c       emu_run, emu_show        doc.c, rv_doc.c  reference pages from the tables
 *
 * Guest memory is one 4 GiB range of its own: a guest address is the low 32 bits of what the guest
 * computed, so a guest cannot reach the lab's memory. A wild address with high bits set faults where it
 * is checked for free (jumps, system calls) and wraps elsewhere.
 */
#ifndef EMU_EMU_H
#define EMU_EMU_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/channel.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

/* Host code as text: the caller brings the disassembler of its host (emu/ has none). Appends one
 * instruction's text to `out`; returns its length in bytes, 0 when it cannot be decoded. */
typedef unsigned emu_host_text(const uint8_t *code, unsigned avail, uint64_t address, struct rs_str *out);

#define EMU_BLOCK_INSNS_MAX 200
#define EMU_BLOCK_BRANCHES_MAX 14
#define EMU_MEMORY_MIN (8ull << 20)     /* the stack alone may grow so large */

/* Plain data; the strings stay the caller's until emu_run returns. */
struct emu_desc {
	const char *program;          /* path of a static Linux ELF executable */
	char *const *argv;            /* argv[0] first, NULL at the end; NULL: the program's path alone */
	char *const *envp;            /* NULL: none */
	const char *engine;           /* "jit", "interp", or NULL for the best one here */
	const char *passes_off;       /* names of passes, separated by commas, or "all"; NULL = none */
	bool no_chain, no_jump_cache, no_pin;   /* what host code leaves out */
	bool no_return_stack;         /* returns are looked up like other indirect jumps; so they are with
					 no_chain and no_jump_cache */
	bool no_superblock;           /* a block has no joins and no loops: each branch is an exit */
	bool count;                   /* host code counts instructions and runs of blocks */
	unsigned block_insns;         /* most instructions of a block; 0 = 64 */
	unsigned block_branches;      /* most conditional branches of a block; 0 = 12 */
	uint64_t memory;              /* most bytes that the guest may map; 0 = 1 GiB */
	uint64_t timeout_ns;          /* watchdog; 0 = none */
	void (*warn)(void *arg, const struct rs_err *e); /* told once of each system call that is not
					 supported; any thread; NULL: nobody */
	void *warn_arg;
	bool capture;                 /* the guest's standard output and error become events (out.data)
					 instead of going to file descriptors 1 and 2 */
	/* For a lab that watches; they need `em` and a control socket. */
	const char *at;               /* the block whose stages are shown (symbol or hexadecimal address);
					 NULL: the one that runs */
	emu_host_text *host;          /* for the stage "host"; NULL: bytes */
	bool start_paused;            /* stand still before the first instruction */
	bool watched;                 /* snapshots a few times a second while it runs */
	bool confined;                /* the program may do only what confine.def lists: compute, say
					 something, use memory, time, signals and threads of its own, read
					 files below the working directory. Anything else fails with EPERM
					 and is an event (emu.refused) */
};
void emu_desc_init(struct emu_desc *d);
/* 0, or -EINVAL with the field and the value in err. */
int emu_desc_check(const struct emu_desc *d, struct rs_err *err);

struct emu_result {
	enum rs_outcome outcome;      /* exited, killed, watchdog, stopped, error */
	int status;                   /* exited: the exit status */
	int signal;                   /* killed: the signal, Linux number */
	uint64_t pc;                  /* of the guest when it ended */
	uint64_t fault_addr;          /* killed by a fault: the address that was accessed */
	char insn[64];                /* ... and the instruction; "" when it cannot be read */
	uint64_t blocks, translator_ns, flushes;
	uint64_t insns;               /* executed: by the interpreter, or with `count` */
};

/* Loads the program and runs it to its end on the calling thread; guest threads become threads of this
 * process. Before the first guest instruction, and after all set-up, `seal` is called once (may be
 * NULL). control_fd takes pause, resume, step, inspect and stop (control.h); -1 = none. `em` may be NULL.
 * What a lab is shown: events emu.*, counters, and the snapshots of state.h (emu-stage, emu-blocks,
 * emu-cache, emu-regs, and code and memory as a machine gives them).
 * Signal handlers for SIGSEGV, SIGBUS and one real-time signal become the translator's: one run at a
 * time in a process.
 * 0 with *res filled, also when a signal killed the guest; negative when it could not be run:
 *   -ENOENT, -EACCES the file, -ENOEXEC not a program for a guest that we know (err says why),
 *   -EINVAL bad description, -ENOSYS no such engine on this host, -ENOMEM. */
int emu_run(const struct emu_desc *d, struct rs_emitter *em, int control_fd,
	    int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct emu_result *res,
	    struct rs_err *err);

/* Can this machine run that engine ("jit", "interp"; NULL: any)? 0, -ENOSYS and why not, -EINVAL. */
int emu_available(const char *engine, struct rs_err *err);
const char *const *emu_pass_names(void);   /* of the passes over the IR, in their order; NULL at the end */

/* Stages of a block. */
enum emu_stage { EMU_STAGE_GUEST, EMU_STAGE_IR, EMU_STAGE_OPT, EMU_STAGE_HOST, EMU_STAGES };
const char *emu_stage_name(enum emu_stage s);  /* "guest", "ir", "opt", "host" */
int emu_stage_by_name(const char *name);       /* -ENOENT */
/* The block at `at` (a symbol, a hexadecimal address, or NULL for the entry point) of the description's
 * program, as text, one line an instruction or operation. `host` may be NULL: bytes in hexadecimal.
 * Errors as emu_run; -ESRCH: no such symbol; -EFAULT: no code there. */
int emu_show(const struct emu_desc *d, const char *at, enum emu_stage stage, emu_host_text *host,
	     struct rs_str *out, struct rs_err *err);

/* ---- reference pages: the tables as text; pointers are to constants ---- */

extern const char *const emu_guest_names[];    /* "riscv64", ..., NULL */
/* One row of a guest's instruction table. */
struct emu_insn_doc {
	const char *name;             /* mnemonic */
	char operands[64];            /* "rd,offset(rs1)" */
	char bits[80];                /* the encoding, highest bit first: 0 and 1 are fixed, a letter is a bit
					 of the field that it stands for; a blank between fields */
	const char *group, *group_text; /* extension; what it is (translation key) */
	char effect[112];             /* "rd = rs1 + rs2", or the same as another row: "= add" (translation key) */
};
/* Row `i` (from 0) of that guest; false: there is no such guest or row. */
bool emu_doc_insn(const char *guest, unsigned i, struct emu_insn_doc *d);
const char *emu_doc_notation(const char *guest); /* what letters and effects mean (translation key) */
/* One operation of the IR. */
struct emu_op_doc {
	const char *name;
	char operands[48];            /* "d, a, b, cond" */
	const char *kind, *sentence;  /* translation keys */
};
bool emu_doc_op(unsigned i, struct emu_op_doc *d);

#endif
