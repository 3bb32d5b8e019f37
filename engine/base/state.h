/* Snapshots of machine state. They travel as STATE_BLOCK events, so a recording
 * shows the same registers and memory as the live run.
 */
#ifndef RS_BASE_STATE_H
#define RS_BASE_STATE_H

#include "engine/base/event.h"

/* BLOCK_REGS */
struct rs_x86_regs {
#define RS_X86_REG(field, name, group, bits) uint64_t field;
#include "engine/base/x86regs.def"
};
enum rs_x86_group { RS_X86_general, RS_X86_control, RS_X86_segment, RS_X86_system };
struct rs_x86_reg_info {
	const char *name;
	enum rs_x86_group group;
	int bits;
	size_t offset;           /* of a uint64_t in struct rs_x86_regs */
};
extern const struct rs_x86_reg_info rs_x86_reg_infos[];
extern const unsigned rs_x86_reg_count;

/* BLOCK_MEMORY: this head, then `len` bytes. */
struct rs_mem_head {
	uint64_t addr;           /* as asked for */
	uint64_t gpa;            /* what it translated to; ~0 when not mapped */
	uint32_t len;            /* bytes that follow */
	uint32_t is_virtual;     /* addr is linear (translated through CR3), not physical */
};

/* BLOCK_REWRITE, text: a first line  PC TAB CODE TAB INSTRUCTIONS TAB REWRITTEN NL  (hex, hex, decimal,
 * decimal), then a line an instruction:  PC TAB ORIGINAL TAB CODE TAB = or ! TAB WHAT IT BECAME NL, where !
 * marks one that was replaced. */

/* ---- the translator (emu/) ----
 *
 * Sent when the program is paused, when it ends, on an order to inspect, and, while somebody watches
 * it run, a few times a second (blocks, cache, and the stages when another block is shown; registers
 * only when the program stands still). Every count is exact for its moment. Names end with a NUL;
 * what does not fit is cut.
 */

/* BLOCK_EMU_STAGE: one stage of one block: this head, then its text to the end of the snapshot. The
 * stages of a block come one after the other, index 0 .. of - 1: "guest", "ir", then the IR after each
 * pass that is switched on ("fold", "copy", ...; the last of them is what code is made from), "host".
 * "host" is missing when there is no host code: the interpreter runs the program, or the block has
 * not been translated yet. A snapshot with index 0 begins another set.
 *
 * A line of the text is  NUMBER TAB TEXT NL:  NUMBER says to which guest instruction of the block it
 * belongs, counted from 0 in the order of the stage "guest"; "-" when to none (exits, the way in). */
struct rs_emu_stage {
	uint64_t pc;             /* guest address of the block's first instruction */
	uint64_t runs;           /* how often it was entered; ~0: not counted */
	char name[16];           /* of the stage */
	char symbol[48];         /* where pc is: "loop", "main+0x1c", "" */
	uint16_t index, of;
	uint16_t insns;          /* guest instructions of the block */
	uint16_t cut;            /* 1: the text was too long, its end is missing */
	uint32_t code, code_size;/* place in the code cache and bytes of host code; 0, 0: none */
};

/* BLOCK_EMU_BLOCKS: this head, then `n` blocks, the one that ran most first (by address while nothing
 * is counted); the block whose stages are shown is always among them when it is in the cache. */
#define RS_EMU_BLOCKS_MAX 64
#define RS_EMU_EXITS_MAX 8
struct rs_emu_blocks {
	uint32_t n;
	uint32_t total;          /* blocks in the cache */
	uint32_t counted;        /* 1: `runs` are counted */
	uint32_t pad;
	uint64_t pc;             /* where the first guest CPU was last seen (block entry or exact) */
	uint64_t shown;          /* the block whose stages are shown; ~0: none */
};
struct rs_emu_block {
	uint64_t pc, runs;
	uint32_t code, code_size; /* bytes from the start of the code cache; 0, 0: the interpreter */
	uint16_t insns;
	uint8_t exits;           /* direct exits that follow in `exit` ... */
	uint8_t more;            /* ... and how many more the block has */
	uint8_t chained;         /* bit i: exit[i] leads directly to its block */
	uint8_t indirect;        /* 1: it can also end with a jump to an address in a register, a system
				    call or a fault (that is: not only through the exits) */
	uint16_t pad;
	uint64_t exit[RS_EMU_EXITS_MAX]; /* guest addresses that they lead to */
	char symbol[24];
};

/* BLOCK_EMU_CACHE: this head, then `n` spans of the code cache in order of address. Blocks that stand
 * side by side share a span when there are more of them than fit. */
#define RS_EMU_SPANS_MAX 640
struct rs_emu_cache {
	uint64_t size, used;     /* bytes; used: from the start */
	uint64_t flushes;        /* times that it was emptied: another number, another generation */
	uint32_t blocks, dead;   /* blocks in it; of which thrown away, whose place is lost until a flush */
	uint32_t n, pad;
};
struct rs_emu_span {
	uint32_t code, size;     /* bytes from the start of the code cache */
	uint32_t pc;             /* of its first block (guest addresses have 32 bits) */
	uint16_t blocks, dead;
	uint64_t runs;           /* sum over its blocks; 0 when nothing is counted */
};

/* BLOCK_EMU_REGS: this head, then `n` registers in the guest's own order. */
#define RS_EMU_REGS_MAX 80
enum rs_emu_reg_group { RS_EMU_REG_INT, RS_EMU_REG_FP, RS_EMU_REG_FLAG };
struct rs_emu_regs {
	uint64_t pc;
	uint64_t insns;          /* guest instructions executed; ~0: not counted */
	uint32_t cpu;            /* guest thread, from 0 */
	uint32_t n;
	char guest[16];          /* "riscv64", "aarch64" */
	char symbol[48];         /* where pc is */
	char insn[64];           /* the instruction there, "" when it cannot be read */
};
struct rs_emu_reg {
	char name[12];           /* as in assembly */
	uint16_t bits;           /* 32, 64, 128 */
	uint16_t group;          /* enum rs_emu_reg_group */
	uint64_t v[2];           /* low and high half */
};

/* ---- a lesson's container (containers/box.h) ----
 *
 * Sent when the container is paused, when it ends, and while somebody watches it run a few times a second. */

/* BLOCK_BOX_PROCS: this head, then `n` processes, a parent always before its children. The first row is
 * the lab's own process outside: what the others are compared with. */
#define RS_BOX_PROCS_MAX 90
#define RS_BOX_PIDS_MAX 4
struct rs_box_procs {
	uint32_t n, total;       /* rows that follow; processes that there are */
	uint32_t past, reserved; /* past: the container has ended, and this is when it had the most processes; 0 */
};
struct rs_box_proc {
	int32_t host, parent;    /* host pids */
	int32_t pid[RS_BOX_PIDS_MAX]; /* in each PID namespace from the box's inwards; 0: none further */
	uint32_t uid;            /* as the host sees it */
	char state;              /* as in /proc/PID/stat: R, S, D, Z, T, t */
	char comm[19];
	char root[32];           /* its root directory, "" when that is the box's */
	char hostname[24];       /* of its UTS namespace, as far as it is known */
	uint64_t ns[8];          /* enum rs_namespace: the kernel's numbers */
};

#define RS_STATE_MAX 16384 /* largest snapshot in bytes */
_Static_assert(sizeof(struct rs_emu_blocks) + RS_EMU_BLOCKS_MAX * sizeof(struct rs_emu_block) <= RS_STATE_MAX &&
		       sizeof(struct rs_emu_cache) + RS_EMU_SPANS_MAX * sizeof(struct rs_emu_span) <= RS_STATE_MAX &&
		       sizeof(struct rs_emu_regs) + RS_EMU_REGS_MAX * sizeof(struct rs_emu_reg) <= RS_STATE_MAX,
	       "a snapshot of the translator fits");
_Static_assert(sizeof(struct rs_box_procs) + RS_BOX_PROCS_MAX * sizeof(struct rs_box_proc) <= RS_STATE_MAX,
	       "a snapshot of a container fits");

/* Puts the pieces of one block kind back together. Zero-initialise. */
struct rs_state_assembler {
	uint32_t have, total;
	unsigned char buf[RS_STATE_MAX];
};
/* Feeds one STATE_BLOCK event. Returns the size of the snapshot when this piece
 * completed it (bytes in a->buf), else 0. Pieces out of order reset the assembly. */
size_t rs_state_feed(struct rs_state_assembler *a, const struct rs_event *ev);

#endif
