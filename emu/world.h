/* Private to emu/: one translated process: guest memory, translated blocks, guest CPUs.
 *
 * Locks: `lock` guards blocks, chains, code memory, pages and the list of CPUs. Code runs without it.
 * Code memory is thrown away as a whole, and only while no CPU is in code (emu_exclusive).
 */
#ifndef EMU_WORLD_H
#define EMU_WORLD_H

#include <pthread.h>
#include <stdatomic.h>

#include "emu/guest.h"
#include "emu/mem.h"
#include "engine/base/channel.h"

/* Passes over the IR (passes.c), in the order in which they run. */
enum emu_pass { EMU_PASS_FOLD, EMU_PASS_COPY, EMU_PASS_FUSE, EMU_PASS_LOADS, EMU_PASS_DEAD, EMU_PASSES };
const char *emu_pass_name(enum emu_pass p);     /* "fold", "copy", ... */
const char *emu_pass_sentence(enum emu_pass p); /* translation key */
void emu_pass_run(struct emu_ir *ir, enum emu_pass p);

struct emu_options {
	bool interp;            /* interpret the IR instead of making host code */
	bool no_chain;          /* every block goes back to the run loop */
	bool no_jump_cache;     /* indirect jumps go back to the run loop */
	bool no_pin;            /* no guest register is kept in a host register */
	bool no_return_stack;   /* returns are indirect jumps like others (also with the two above) */
	bool no_superblock;     /* no joins and no loops in a block */
	bool count;             /* host code counts instructions and runs of blocks */
	unsigned passes_off;    /* bit of each enum emu_pass that is switched off */
	unsigned max_insns;     /* of a block; 0 = default */
	unsigned max_branches;  /* conditional branches in a block; 0 = default */
	uint32_t code_bytes;    /* of code memory; 0 = 32 MiB */
	uint64_t insn_limit;    /* interpreter: EMU_EXC_LIMIT after so many; 0 = none */
	bool no_low;            /* guest memory is not in the host's low 4 GiB (mem.h) */
	struct emu_soft *soft;  /* guest memory is behind a TLB (soft.h) instead of one range of the host */
	uint64_t soft_pages;    /* ... physical pages, RAM and what lies between */
	bool lab;               /* a lab watches: CPUs can be stepped, blocks know where in their code each
				   instruction begins */
};

struct emu_block;
/* One direct exit of a block. */
struct emu_exit {
	struct emu_block *from, *to;  /* to: chained, else NULL */
	struct emu_exit *next;        /* in to->incoming */
	uint64_t pc;                  /* guest address it leads to */
	uint32_t patch;               /* offset in code memory of the 32-bit displacement */
	uint32_t stub;                /* offset of what it jumps to while not chained */
	bool landing;                 /* no exit: the place where a call returns; patch: its conditional jump */
	bool loop;                    /* back to the start of its own block, with the registers of the block */
};
struct emu_iop;                       /* interp.h */
struct emu_pins;                      /* x86.h */
#define EMU_BLOCK_PAGES 4u
#define EMU_BLOCK_JUMPS 4u /* most computed jumps of a block */
struct emu_block {
	uint64_t pc, last;            /* first and last instruction, in the order of translation */
	struct emu_block *hash_next;
	uint32_t code, code_size;     /* offset and length in code memory; interpreter: 0 */
	uint32_t loop;                /* offset: where a jump back to its start leads */
	struct emu_pins *pins;        /* guest registers in host registers inside the block; NULL: as between
					 blocks (x86.h) */
	struct { uint32_t from, to; } jump[EMU_BLOCK_JUMPS]; /* offsets: looks into the indirect-branch cache */
	uint16_t jumps;
	uint16_t insns, exits, pages, maps;
	uint16_t ops, ops_left;       /* emu_ir_work before and after the passes */
	struct emu_exit *exit;
	struct emu_exit *incoming;    /* exits of other blocks that lead here */
	struct { uint32_t host, guest; uint16_t begun; bool write; } *map; /* offset in the code from which an access may
					   fault -> distance of its guest instruction from pc (signed);
					   instructions up to it that are not counted yet; the whole
					   instruction writes, though the host reads first */
	uint64_t runs;                /* options.count, or the interpreter */
	uint32_t page[EMU_BLOCK_PAGES];               /* guest pages it was translated from */
	struct emu_block *page_next[EMU_BLOCK_PAGES];
	struct emu_iop *iop;          /* interpreter */
	uint64_t *iconst;
	uint16_t iconsts;
	uint64_t key, span;           /* opt.soft: of what mode of the CPU; bits of an address inside the mapping */
	bool dead;
	bool indirect;                /* it can end by an address in a register, or by an exception */
	uint32_t *mark, tail;         /* opt.lab: offset from `code` at which each instruction begins; where
					 the code of the instructions ends (0: not known) */
};

#define EMU_HASH 16384u
#define EMU_BLOCK_INSNS 64u    /* most instructions of a block */
#define EMU_BLOCKS_MAX (1u << 20)
struct emu_x86;                       /* x86.h */
/* The entry of the indirect-branch cache for `pc`: a program's functions stand side by side there, and those that
 * are EMU_JUMPS instructions apart do not meet. */
#define EMU_JUMP_FOLD 14
static inline unsigned emu_jump_shift(const struct emu_guest *g)
{
	return g->insn_align >= 4 ? 2 : 1;
}
static inline struct emu_jump *emu_jump_entry(const struct emu_guest *g, struct emu_cpu *cpu, uint64_t pc)
{
	return &cpu->jumps[(((pc ^ pc >> EMU_JUMP_FOLD) >> emu_jump_shift(g)) & (EMU_JUMPS - 1)) + (cpu->jump_half >> emu_jump_shift(g))];
}
/* No address, also where 0 would be looked for. */
static inline void emu_jump_empty(struct emu_cpu *cpu, unsigned at)
{
	__atomic_store_n(&cpu->jumps[at].pc, at & (EMU_JUMPS - 1) ? 0 : ~0ull, __ATOMIC_RELAXED);
}
struct emu_world {
	const struct emu_guest *guest;
	struct emu_soft *soft;        /* opt.soft */
	struct emu_options opt;
	struct emu_mem mem;
	struct rs_emitter *em;        /* may be NULL */
	pthread_mutex_t lock;
	pthread_cond_t idle;          /* a CPU left code while somebody waits */
	atomic_uint exclusive;        /* somebody wants all CPUs out of code */
	struct emu_cpu *cpus;
	struct emu_block *hash[EMU_HASH];
	struct emu_block **page;      /* by guest page: blocks translated from it; demand-zero */
	uint64_t shared_from, shared_to; /* pages between which those lie that code was translated from and
					 that may be written elsewhere; to 0: none */
	struct emu_block **order;     /* EMU_BLOCKS_MAX; blocks by place in code memory, for the fault
					 handler, which reads it without the lock; demand-zero */
	unsigned blocks;
	uint32_t next_id;             /* of CPUs */
	struct emu_ir *ir;            /* of the block being translated */
	struct emu_x86 *x86;
	bool special_rm;              /* a CPU has had such a rounding mode: emu_xlat.special_rm */
	atomic_bool stale;            /* blocks were translated before that: they go before the next one runs */
	uint64_t translator_ns;
	uint64_t flushes;
	uint64_t insns;               /* executed by CPUs that are gone */
	struct emu_symbols *symbols;  /* of the program; NULL: none */
	struct emu_lab *lab;          /* orders.h; NULL: nobody gives orders */
	struct emu_cpu *let;          /* atomic; this CPU may step while the lab holds all others */
};

/* NULL with err. `em` may be NULL and must outlive the world. */
struct emu_world *emu_world_new(const struct emu_guest *g, const struct emu_options *opt,
				struct rs_emitter *em, struct rs_err *err);
/* No CPU may be running. Frees the CPUs, too. */
void emu_world_free(struct emu_world *w);

/* -- xlat.c -- */
/* Guest code at pc into `ir`, without passes; page[EMU_BLOCK_PAGES] gets the guest pages it came from.
 * 0; -EFAULT: pc cannot be executed. */
int emu_translate_raw(struct emu_world *w, uint64_t pc, struct emu_ir *ir, uint32_t *page, unsigned *pages);
/* The same of as many instructions, wherever a block would end by the translator's choice: one instruction, or
 * a block that was translated before. */
int emu_translate_again(struct emu_world *w, uint64_t pc, unsigned insns, struct emu_ir *ir);
/* The passes that are switched on. */
void emu_passes(struct emu_world *w, struct emu_ir *ir);

/* -- cache.c (with w->lock held) -- */
struct emu_block *emu_block_find(struct emu_world *w, uint64_t pc);
/* Finds or translates. NULL: pc cannot be executed. */
struct emu_block *emu_block_get(struct emu_world *w, struct emu_cpu *cpu, uint64_t pc);
void emu_block_invalidate(struct emu_world *w, struct emu_block *b);
void emu_cache_flush(struct emu_world *w, struct emu_cpu *cpu);
void emu_cache_release(struct emu_world *w);
/* The block whose host code holds this offset, or NULL. */
struct emu_block *emu_block_by_code(struct emu_world *w, uint32_t offset);
/* pc cannot be executed: the fault of that, with the CPU's fields set. (run.c) */
enum emu_exc emu_fetch_fault(struct emu_cpu *cpu);
/* Throws away everything translated from [addr, addr + len). Takes the lock. */
void emu_code_changed(void *world, uint64_t addr, uint64_t len);
/* FENCE.I, IC IVAU: the guest says that code was written. What was written through the page that it runs from
 * is gone already (write protection); this throws away what may have been written in another way: through
 * another mapping of the same file or shared memory, by write(2), by another process. Takes the lock. */
void emu_code_fence(struct emu_world *w);
/* All other CPUs are out of code until emu_exclusive_end. The lock is held and may be let go. */
void emu_exclusive_begin(struct emu_world *w, struct emu_cpu *self);
void emu_exclusive_end(struct emu_world *w);

/* -- run.c -- */
/* With the lock held: the counters get what the CPU did since they last heard of it. */
void emu_cpu_tell(struct emu_cpu *cpu);
/* Empties the indirect-branch cache. Async-signal-safe. */
void emu_cpu_forget_jumps(struct emu_cpu *cpu);
/* Its dynamic rounding mode is one that the host lacks: what was translated so far did not look. The block that
 * runs must end behind the instruction that set it. */
void emu_cpu_special_rm(struct emu_cpu *cpu);
/* Makes that CPU leave code; its run loop may enter again. Nothing happens when it is not in code. */
void emu_cpu_nudge(struct emu_cpu *cpu);

/* -- interp.c, interp_prepare.c -- */
void emu_interp_prepare(struct emu_world *w, struct emu_block *b, const struct emu_ir *ir);
void emu_interp_release(struct emu_block *b);
/* Runs the block; sets cpu->pc, and cpu->exc when it left for the run loop. */
void emu_interp_run(struct emu_cpu *cpu, struct emu_block *b);
/* The value of a pure integer operation (EMU_OP_MOV ... EMU_OP_MAXU). */
uint64_t emu_eval(unsigned op, unsigned aux, uint64_t a, uint64_t b, uint64_t c);

#endif
