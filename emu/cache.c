/* The block cache: finding blocks, chains between them, throwing them away. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "emu/soft.h"
#include "emu/symbols.h"
#include "emu/world.h"
#include "emu/x86.h"

/* key, page: of a guest behind an MMU (soft.h), else 0. */
static unsigned hash_of(uint64_t pc, uint64_t key, uint32_t page)
{
	return (unsigned)((pc >> 1 ^ pc >> 15 ^ key ^ key >> 32 ^ page * 0x9e37u) % EMU_HASH);
}

static unsigned hash_of_block(const struct emu_world *w, const struct emu_block *b)
{
	return w->soft ? hash_of(b->pc, b->key, b->page[0]) : hash_of(b->pc, 0, 0);
}

struct emu_block *emu_block_find(struct emu_world *w, uint64_t pc)
{
	uint32_t page = w->soft ? emu_soft_page(w, pc) : 0;
	struct emu_block *b = w->hash[hash_of(pc, w->soft ? w->soft->key : 0, page)];

	while (b && (b->pc != pc || (w->soft && (b->key != w->soft->key || b->page[0] != page || (b->span && b->span != w->soft->span)))))
		b = b->hash_next;
	return b;
}

static void forget_jumps(struct emu_world *w, uint64_t pc)
{
	for (struct emu_cpu *c = w->cpus; c; c = c->next) {
		unsigned at = (unsigned)(emu_jump_entry(w->guest, c, pc) - c->jumps) & (EMU_JUMPS - 1);

		for (unsigned half = 0; half < 2; half++)
			if (c->jumps[at + half * EMU_JUMPS].pc == pc)
				emu_jump_empty(c, at + half * EMU_JUMPS);
	}
}

/* Out of the list of a page's blocks; true when it was the last one. */
static void leave_page(struct emu_world *w, struct emu_block *b, unsigned i)
{
	struct emu_block **at = &w->page[b->page[i]];

	while (*at && *at != b) {
		unsigned k = 0;

		while ((*at)->page[k] != b->page[i])
			k++;
		at = &(*at)->page_next[k];
	}
	if (*at)
		*at = b->page_next[i];
}

void emu_block_invalidate(struct emu_world *w, struct emu_block *b)
{
	struct emu_block **at = &w->hash[hash_of_block(w, b)];

	while (*at && *at != b)
		at = &(*at)->hash_next;
	if (*at)
		*at = b->hash_next;
	for (unsigned i = 0; i < b->pages; i++)
		leave_page(w, b, i);
	for (struct emu_exit *e = b->incoming, *next; e; e = next) {
		next = e->next;
		e->to = NULL;
		e->next = NULL;
		emu_x86_patch(w, e, NULL);
		if (w->em)
			rs_count(w->em, RS_CTR_EMU_CHAIN_BREAKS, 1);
	}
	b->incoming = NULL;
	if (w->x86)
		emu_x86_close(w, b);
	forget_jumps(w, b->pc);
	b->dead = true;
	if (w->em) {
		rs_count(w->em, RS_CTR_EMU_INVALIDATED, 1);
		rs_emit(w->em, RS_EV_EMU_INVALIDATE, RS_SRC_EMU, 0, b->pc, b->insns, b->runs, 0, NULL);
	}
}

static void drop_page(struct emu_world *w, uint64_t p)
{
	uint8_t right = w->mem.right[p];

	while (w->page[p])
		emu_block_invalidate(w, w->page[p]);
	w->mem.right[p] = right & (uint8_t)~EMU_RIGHT_CODE;
	if ((right & EMU_RIGHT_CODE) && (right & PROT_WRITE))
		mprotect(w->mem.base + p * EMU_PAGE, EMU_PAGE, PROT_READ | PROT_WRITE);
}

void emu_code_changed(void *world, uint64_t addr, uint64_t len)
{
	struct emu_world *w = world;

	pthread_mutex_lock(&w->lock);
	for (uint64_t p = addr / EMU_PAGE; p < (addr + len + EMU_PAGE - 1) / EMU_PAGE; p++)
		drop_page(w, p);
	pthread_mutex_unlock(&w->lock);
}

void emu_code_fence(struct emu_world *w)
{
	pthread_mutex_lock(&w->lock);
	for (uint64_t p = w->shared_from; p < w->shared_to; p++) {
		if ((w->mem.right[p] & (EMU_RIGHT_CODE | EMU_RIGHT_SHARED)) == (EMU_RIGHT_CODE | EMU_RIGHT_SHARED))
			drop_page(w, p);
	}
	w->shared_from = w->shared_to = 0;
	pthread_mutex_unlock(&w->lock);
}

/* Before the page is read: a write after this faults and throws the block away. */
static void protect_page(struct emu_world *w, uint64_t pc)
{
	uint64_t p = pc / EMU_PAGE;

	if (w->mem.right[p] & EMU_RIGHT_CODE)
		return;
	w->mem.right[p] |= EMU_RIGHT_CODE;
	if (w->mem.right[p] & EMU_RIGHT_SHARED) {
		w->shared_from = w->shared_to && w->shared_from < p ? w->shared_from : p;
		w->shared_to = w->shared_to > p ? w->shared_to : p + 1;
	}
	if (w->mem.right[p] & PROT_WRITE)
		mprotect(w->mem.base + p * EMU_PAGE, EMU_PAGE, PROT_READ);
}

static void free_block(struct emu_block *b)
{
	emu_interp_release(b);
	free(b->exit);
	free(b->map);
	free(b->mark);
	free(b->pins);
	free(b);
}

static void append_order(struct emu_world *w, struct emu_block *b)
{
	w->order[w->blocks] = b;
	__atomic_store_n(&w->blocks, w->blocks + 1, __ATOMIC_RELEASE);
}

struct emu_block *emu_block_by_code(struct emu_world *w, uint32_t offset)
{
	unsigned lo = 0, hi = w->blocks;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (w->order[mid]->code + w->order[mid]->code_size <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < w->blocks && w->order[lo]->code <= offset ? w->order[lo] : NULL;
}

static void insert(struct emu_world *w, struct emu_block *b)
{
	struct emu_block **h = &w->hash[hash_of_block(w, b)];

	b->hash_next = *h;
	*h = b;
	for (unsigned i = 0; i < b->pages; i++) {
		b->page_next[i] = w->page[b->page[i]];
		w->page[b->page[i]] = b;
	}
	append_order(w, b);
}

static void make(struct emu_world *w, struct emu_block *b, uint64_t pc, unsigned pages)
{
	b->pages = (uint16_t)pages;
	for (unsigned i = 0; i < pages; i++) {
		if (w->soft)
			w->soft->protect(w->soft->arg, b->page[i]);
		else
			protect_page(w, (uint64_t)b->page[i] * EMU_PAGE);
	}
	if (w->soft) {
		b->key = w->soft->key;
		b->span = w->soft->second ? 0 : w->soft->span;
	}
	b->pc = pc;
	b->insns = (uint16_t)w->ir->insns;
	for (unsigned i = 0; i < w->ir->ops; i++) {
		const struct emu_op *op = &w->ir->op[i];

		if (op->op == EMU_OP_INSN)
			b->last = (uint64_t)op->imm;
		b->indirect |= op->op == EMU_OP_GOTO_REG || op->op == EMU_OP_EXC;
	}
	if (w->opt.lab)
		b->mark = rs_xcalloc(b->insns + 1u, sizeof(*b->mark));
	b->ops = emu_ir_work(w->ir);
	emu_passes(w, w->ir);
	b->ops_left = emu_ir_work(w->ir);
}

/* The interpreter needs no exits; who looks at the graph of blocks does. */
static void note_exits(struct emu_block *b, const struct emu_ir *ir)
{
	b->exits = (uint16_t)ir->exits;
	b->exit = rs_xcalloc(ir->exits + 1, sizeof(*b->exit));
	for (unsigned i = 0; i < ir->ops; i++)
		if (ir->op[i].op == EMU_OP_GOTO)
			b->exit[ir->op[i].aux].pc = (uint64_t)ir->op[i].imm;
}

static struct emu_block *translate(struct emu_world *w, struct emu_cpu *cpu, uint64_t pc)
{
	unsigned pages = 0, max = w->opt.max_insns, limit = max ? max : EMU_BLOCK_INSNS;
	int made;

	/* a block that does not fit the host's registers or tables is made again, shorter */
	for (;;) {
		struct emu_block *b = rs_xcalloc(1, sizeof(*b));

		if (w->blocks == EMU_BLOCKS_MAX)
			emu_cache_flush(w, cpu);
		w->opt.max_insns = limit;
		made = emu_translate_raw(w, pc, w->ir, b->page, &pages);
		w->opt.max_insns = max;
		if (made == 0) {
			make(w, b, pc, pages);
			if (!w->opt.interp)
				made = emu_x86_gen(w, w->ir, b);
			else
				emu_interp_prepare(w, b, w->ir);
			if (w->opt.interp && w->opt.lab)
				note_exits(b, w->ir);
		}
		if (made == 0) {
			insert(w, b);
			return b;
		}
		free_block(b);
		if (made == -ENOSPC)
			emu_cache_flush(w, cpu);
		else if (made == -EFAULT || limit == 1)
			return NULL;
		else
			limit = limit / 4 ? limit / 4 : 1;
	}
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct emu_block *emu_block_get(struct emu_world *w, struct emu_cpu *cpu, uint64_t pc)
{
	struct emu_block *b = emu_block_find(w, pc);
	uint64_t start;

	if (b)
		return b;
	start = now();
	b = translate(w, cpu, pc);
	start = now() - start;
	w->translator_ns += start;
	if (b && w->em) {
		rs_count(w->em, RS_CTR_EMU_BLOCKS, 1);
		rs_count(w->em, RS_CTR_EMU_TRANSLATED, b->insns);
		rs_count(w->em, RS_CTR_EMU_OPS, b->ops);
		rs_count(w->em, RS_CTR_EMU_OPS_LEFT, b->ops_left);
		rs_count(w->em, RS_CTR_EMU_TRANSLATOR_NS, start);
		if (rs_wanted(w->em, RS_EV_EMU_BLOCK)) {
			char place[RS_TEXT_SIZE];

			rs_emit(w->em, RS_EV_EMU_BLOCK, RS_SRC_EMU, cpu->id, pc, b->insns, b->code_size, b->last,
				emu_symbols_text(w->symbols, pc, place, sizeof(place)));
		}
	}
	return b;
}

static struct emu_cpu *one_in_code(struct emu_world *w, const struct emu_cpu *self)
{
	for (struct emu_cpu *c = w->cpus; c; c = c->next) {
		if (c != self && __atomic_load_n(&c->in_code, __ATOMIC_SEQ_CST))
			return c;
	}
	return NULL;
}

void emu_exclusive_begin(struct emu_world *w, struct emu_cpu *self)
{
	struct emu_cpu *c;

	atomic_fetch_add(&w->exclusive, 1);
	/* CPUs enter code with the lock held, so the last look, when nobody is there, is final; all are looked
	 * at again after each wait, for the lock was free in between */
	while ((c = one_in_code(w, self))) {
		struct timespec ts;

		/* the nudge only makes it leave code: its run loop then waits */
		emu_cpu_nudge(c);
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec += 1000000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&w->idle, &w->lock, &ts);
	}
}

void emu_exclusive_end(struct emu_world *w)
{
	atomic_fetch_sub(&w->exclusive, 1);
	pthread_cond_broadcast(&w->idle);
}

static void forget_all(struct emu_world *w)
{
	for (struct emu_cpu *c = w->cpus; c; c = c->next) {
		emu_cpu_forget(c);
		c->exit_site = NULL;
	}
	for (unsigned i = 0; i < w->blocks; i++) {
		struct emu_block *b = w->order[i];

		for (unsigned k = 0; k < b->pages; k++)
			w->page[b->page[k]] = NULL;
		free_block(b);
	}
	memset(w->hash, 0, sizeof(w->hash));
	w->blocks = 0;
}

void emu_cache_flush(struct emu_world *w, struct emu_cpu *cpu)
{
	unsigned blocks;

	emu_exclusive_begin(w, cpu);
	blocks = w->blocks;
	forget_all(w);
	if (w->x86)
		emu_x86_reset(w);
	w->flushes++;
	if (w->em) {
		rs_count(w->em, RS_CTR_EMU_FLUSHES, 1);
		rs_emit(w->em, RS_EV_EMU_FLUSH, RS_SRC_EMU, cpu ? cpu->id : 0, blocks, 0, 0, 0, NULL);
	}
	emu_exclusive_end(w);
}

void emu_cache_release(struct emu_world *w)
{
	if (w->order)
		forget_all(w);
}
