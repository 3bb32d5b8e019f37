/* Guest memory behind a TLB: what the translator asks of a CPU that has an MMU. Private to emu/.
 *
 * Loads and stores look into the TLB that cpu->tlb points to; what is not there goes to emu_soft_slow. Blocks
 * are found by linear address, mode (`key`) and physical page. A block lies inside one mapping (a page of the
 * guest, small or large), so that chains between blocks of one mapping need no look at the page tables; other
 * jumps go through the indirect-branch cache, which is emptied with the TLB. An instruction that crosses into
 * another mapping is a block of its own, which nobody is chained to.
 *
 * A page from which code was translated is not in the TLB for writes: a write there throws the blocks that it
 * hits away.
 */
#ifndef EMU_SOFT_H
#define EMU_SOFT_H

#include "emu/world.h"

/* Entries of cpu->tlb: EMU_SOFT_TLB of 64 bytes; the first four words are these. */
#define EMU_SOFT_TLB 4096u
struct emu_soft_entry {
	uint64_t tag[3];        /* read, write, fetch: linear page that can be accessed so at once */
	uint64_t addend;        /* linear + this = host */
	uint64_t more[4];       /* of the owner */
};

/* The block to be found or made, and code for it; set by the owner before emu_block_get. */
struct emu_soft {
	uint64_t key;
	uint64_t base, gpa;     /* start of the mapping, linear and physical */
	uint64_t span;          /* its bytes - 1; ~0: all */
	uint64_t limit;         /* last linear address that can be fetched */
	const uint8_t *(*host)(void *arg, uint64_t gpa); /* of a byte of RAM, up to the end of its page; NULL: none */
	void *arg;
	/* An instruction goes on in the mapping that begins at `linear`: fills next_page and next (its first bytes, at
	 * least 15); false: that faults, which the owner has noted. */
	bool (*cross)(void *arg, uint64_t linear);
	bool second;            /* `next` belongs to the block that was made last */
	uint64_t next_page;     /* physical page */
	const uint8_t *next;
	uint8_t bytes[32];      /* code put together */
	void (*protect)(void *arg, uint64_t page); /* code is about to be read from that physical page */
	/* Translated code came to an instruction for C (EMU_EXC_ASSIST): does it, on the thread's own stack, with all state
	 * in memory and cpu->pc set. 0: code goes on at cpu->pc; else it leaves with cpu->exc. Never called for a block
	 * that is one instruction because it was asked to be. */
	uint32_t (*assist)(struct emu_cpu *cpu);
};
/* Code at pc for the translator: *avail bytes, at most max; 0: none in this mapping. */
const uint8_t *emu_soft_code(struct emu_world *w, uint64_t pc, unsigned max, unsigned *avail);
/* ... of an instruction that goes on in the next mapping. NULL: it does not, or may not. */
const uint8_t *emu_soft_cross(struct emu_world *w, uint64_t pc, unsigned max, unsigned *avail);
/* Physical page of pc. */
uint32_t emu_soft_page(const struct emu_world *w, uint64_t pc);

/* An access of translated code that the TLB could not do. info: size (EMU_M8 ...), EMU_MSIGN, EMU_MSTACK,
 * EMU_MWRITE as in the operation, and these. 0: done, a loaded value in cpu->slow_value (a store takes it from
 * there); else cpu->exc and cpu->pc are set, and code leaves. `a` is the linear address, or the offset in
 * the segment. */
#define EMU_SOFT_STORE 64u
#define EMU_SOFT_SEG 128u       /* EMU_OP_SEG; segment in bits 8 and above */
#define EMU_SOFT_MAP 16         /* shift: index in the block's map of instructions */
uint32_t emu_soft_slow(struct emu_cpu *cpu, uint64_t a, uint64_t info);
/* The same for the interpreter, which knows the instruction. */
uint32_t emu_soft_access(struct emu_cpu *cpu, uint64_t a, unsigned info, uint64_t pc);

#endif
