/* Kernel code is rewritten before it runs: block by block, as control first gets there, into the code cache.
 *
 * Most instructions are copied as they are. One that is sensitive and does not fault for sure becomes
 * INT VIRT_INT_CALLOUT, and so does a branch whose target only the CPU knows (RET, JMP EAX). Privileged ones
 * are copied: they fault by themselves. A block ends at a branch; its exits lead to the next blocks, and,
 * until those exist, into INT VIRT_INT_LINK behind the exit: then the next block is made and the exit is
 * patched to jump there. A call pushes the address of the original, so the guest never sees the cache.
 *
 * For every instruction in the cache the table `place` knows the original: faults are reported there.
 * When cache or tables are full everything is thrown away, as QEMU does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "vmm/virt.h"

#define INSNS_MAX 32u      /* of a block */
#define INSN_CODE_MAX 32u  /* bytes that one instruction and its exits become, at most */
#define PLACES 16384u
#define BLOCKS 4096u
#define HASH 8192u

struct place {
	uint32_t at;           /* in the cache; the table is sorted by it */
	uint32_t eip;          /* the original; of an exit: where it leads */
	uint32_t patch;        /* exits: the rel32 that shall lead there; 0: an instruction */
};
struct block {
	uint32_t eip, at;
	uint16_t insns, rewritten;
};
struct virt_cache {
	uint32_t used;         /* offset from the monitor's pages */
	unsigned places, blocks;
	unsigned emptied;      /* times */
	struct place place[PLACES];
	struct block block[BLOCKS];
	uint16_t hash[HASH];   /* 1 + index of a block; 0: free */
};

void virt_cache_new(struct vmm_virt *t)
{
	t->cache = rs_xcalloc(1, sizeof(*t->cache));
	t->cache->used = VIRT_CACHE;
}

void virt_cache_free(struct vmm_virt *t)
{
	free(rs_steal(t->cache));
}

static void empty(struct virt_cache *c)
{
	c->used = VIRT_CACHE;
	c->places = c->blocks = 0;
	c->emptied++;
	memset(c->hash, 0, sizeof(c->hash));
}

static uint16_t *slot_of(struct virt_cache *c, uint32_t eip)
{
	unsigned i = (eip * 2654435761u >> 16) % HASH;

	while (c->hash[i] && c->block[c->hash[i] - 1].eip != eip)
		i = (i + 1) % HASH;
	return &c->hash[i];
}

/* ---- code ---- */

struct maker {
	struct vmm_virt *t;
	struct virt_cache *c;
};

static uint32_t here(const struct maker *k)
{
	return k->t->base + k->c->used;
}

static void put(struct maker *k, const void *bytes, unsigned n)
{
	memcpy(k->t->pages + k->c->used, bytes, n);
	k->c->used += n;
}

static void put_interrupt(struct maker *k, unsigned vector)
{
	put(k, (uint8_t[]){ 0xcd, (uint8_t)vector }, 2);
}

static void note(struct maker *k, uint32_t eip, uint32_t patch)
{
	k->c->place[k->c->places++] = (struct place){ here(k), eip, patch };
}

static void wrote(struct vmm_virt *t, uint32_t at, uint32_t len)
{
	if (t->m->ops->wrote && t->m->have_vcpu)
		t->m->ops->wrote(t->v, at, len);
}

static void set_rel(struct vmm_virt *t, uint32_t patch, uint32_t to)
{
	uint32_t rel = to - (patch + 4);

	memcpy(t->pages + (patch - t->base), &rel, 4);
}

/* A branch with a 32-bit distance that ends in `op`; where its distance stands. */
static uint32_t put_branch(struct maker *k, const uint8_t *op, unsigned n)
{
	put(k, op, n);
	put(k, (uint8_t[4]){ 0 }, 4);
	return here(k) - 4;
}

/* Until the block at eip exists the branch leads here. */
static void put_link(struct maker *k, uint32_t patch, uint32_t eip)
{
	uint16_t known = *slot_of(k->c, eip);

	if (known) {
		set_rel(k->t, patch, k->c->block[known - 1].at);
		return;
	}
	set_rel(k->t, patch, here(k));
	note(k, eip, patch);
	put_interrupt(k, VIRT_INT_LINK);
}

static void put_jump(struct maker *k, uint32_t eip)
{
	uint32_t patch = put_branch(k, (const uint8_t[]){ 0xe9 }, 1);

	put_link(k, patch, eip);
}

static void put_callout(struct maker *k, uint32_t eip)
{
	note(k, eip, 0);
	put_interrupt(k, VIRT_INT_CALLOUT);
}

/* Two ways: taken, and on behind the instruction. */
static void put_conditional(struct maker *k, const struct virt_insn *in, uint32_t eip)
{
	uint32_t taken, next;

	note(k, eip, 0);
	if (in->branch == VIRT_COND) {
		taken = put_branch(k, (const uint8_t[]){ 0x0f, (uint8_t)(0x80 | (in->opcode & 15)) }, 2);
		next = put_branch(k, (const uint8_t[]){ 0xe9 }, 1);
	} else { /* LOOP and JECXZ have a short form only: over the way that is not taken */
		if (in->short_address)
			put(k, (const uint8_t[]){ 0x67 }, 1);
		put(k, (const uint8_t[]){ in->opcode, 5 }, 2);
		next = put_branch(k, (const uint8_t[]){ 0xe9 }, 1);
		taken = put_branch(k, (const uint8_t[]){ 0xe9 }, 1);
	}
	put_link(k, taken, in->target);
	put_link(k, next, eip + in->len);
}

static void put_near(struct maker *k, const struct virt_insn *in, uint32_t eip)
{
	uint32_t back = eip + in->len;

	if (!in->direct) {
		put_callout(k, eip);
	} else if (in->branch == VIRT_JUMP) {
		note(k, eip, 0);
		put_jump(k, in->target);
	} else if (in->branch == VIRT_CALL) {
		note(k, eip, 0);
		put(k, (const uint8_t[]){ 0x68 }, 1); /* push imm32 */
		put(k, &back, 4);
		put_jump(k, in->target);
	} else {
		put_conditional(k, in, eip);
	}
}

/* Is it rewritten? */
static bool rewritten(const struct virt_insn *in)
{
	return in->op != VIRT_PLAIN && in->how != VIRT_TRAPS;
}

static void tell_rewritten(struct maker *k, const struct virt_insn *in, uint32_t eip)
{
	char text[RS_TEXT_SIZE];

	rs_count(k->t->m->em, RS_CTR_VIRT_REWRITTEN, 1);
	if (!rs_wanted(k->t->m->em, RS_EV_VIRT_REWRITE))
		return;
	snprintf(text, sizeof(text), "%.40s -> int 0x%x", in->text, VIRT_INT_CALLOUT);
	rs_emit(k->t->m->em, RS_EV_VIRT_REWRITE, RS_SRC_MONITOR, k->t->v->index, eip, here(k), 0, 0, text);
}

static unsigned fetch(struct vmm_virt *t, uint32_t eip, struct virt_insn *in, uint8_t code[15])
{
	unsigned n = 15;

	while (n && !virt_read(t, eip, code, n))
		n--;
	virt_decode(code, n, 32, eip, in);
	return in->len;
}

static void make_block(struct maker *k, struct block *b)
{
	uint32_t eip = b->eip;
	struct virt_insn in;
	uint8_t code[15];

	while (b->insns < INSNS_MAX) {
		if (!fetch(k->t, eip, &in, code)) {
			/* The CPU shall say what is wrong with it: UD2 in its place. */
			note(k, eip, 0);
			put(k, (const uint8_t[]){ 0x0f, 0x0b }, 2);
			return;
		}
		b->insns++;
		if (rewritten(&in)) {
			tell_rewritten(k, &in, eip);
			put_callout(k, eip);
			b->rewritten++;
		} else if (in.branch != VIRT_NO_BRANCH) {
			put_near(k, &in, eip);
		} else {
			note(k, eip, 0);
			put(k, code, in.len);
		}
		eip += in.len;
		if (in.ends)
			return;
	}
	put_jump(k, eip);
}

uint32_t virt_translated(struct vmm_virt *t, uint32_t eip)
{
	struct virt_cache *c = t->cache;
	struct maker k = { t, c };
	uint16_t *slot = slot_of(c, eip);
	struct block *b;

	if (*slot)
		return c->block[*slot - 1].at;
	if (!virt_ram(t, eip, 1))
		return 0;
	if (c->used + (INSNS_MAX + 1) * INSN_CODE_MAX > VIRT_SIZE || c->places + 3 * (INSNS_MAX + 1) > PLACES ||
	    c->blocks == BLOCKS) {
		empty(c);
		slot = slot_of(c, eip);
	}
	b = &c->block[c->blocks];
	*b = (struct block){ .eip = eip, .at = here(&k) };
	*slot = (uint16_t)++c->blocks; /* first, so that it may lead to itself */
	make_block(&k, b);
	wrote(t, b->at, here(&k) - b->at); /* another block may have stood there */
	rs_count(t->m->em, RS_CTR_VIRT_BLOCKS, 1);
	rs_emit(t->m->em, RS_EV_VIRT_BLOCK, RS_SRC_MONITOR, t->v->index, b->eip, b->insns, b->rewritten, b->at, NULL);
	return b->at;
}

/* ---- back ---- */

/* The last row at or before `at`. */
static const struct place *place_of(const struct virt_cache *c, uint32_t at)
{
	unsigned lo = 0, hi = c->places;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (c->place[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &c->place[lo - 1] : NULL;
}

bool virt_original(struct vmm_virt *t, uint32_t at, uint32_t *eip)
{
	const struct place *p = place_of(t->cache, at);

	if (!p || at >= t->base + t->cache->used)
		return false;
	*eip = p->eip;
	return true;
}

bool virt_link(struct vmm_virt *t, uint32_t at, uint32_t *eip)
{
	const struct place *p = place_of(t->cache, at - 2);
	unsigned emptied = t->cache->emptied;
	uint32_t patch, to;

	if (!p || !p->patch || p->at != at - 2)
		return false;
	*eip = p->eip;
	patch = p->patch;
	to = virt_translated(t, *eip);
	if (to && t->cache->emptied == emptied) {
		set_rel(t, patch, to);
		wrote(t, patch, 4);
	}
	return true;
}

/* ---- for the screens ---- */

/* The code of the cache from `at` to `end`, one line an instruction. */
static void list_made(struct vmm_virt *t, uint32_t at, uint32_t end, struct rs_str *out)
{
	struct virt_insn in;

	while (at < end) {
		virt_decode(t->pages + (at - t->base), end - at, 32, at, &in);
		if (!in.len)
			break;
		rs_str_addf(out, "%s%s", out->len && out->p[out->len - 1] != '\t' ? "; " : "", in.text);
		at += in.len;
	}
}

void virt_show(struct vmm_virt *t)
{
	const struct virt_cache *c = t->cache;
	const struct block *b = NULL;
	rs_auto_str text = RS_STR_INIT;
	struct virt_insn in;
	uint8_t code[15];
	uint32_t eip;

	if (!c)
		return;
	for (unsigned i = 0; i < c->blocks; i++)
		if (!b || c->block[i].rewritten > b->rewritten)
			b = &c->block[i];
	if (!b)
		return;
	rs_str_addf(&text, "%x\t%x\t%u\t%u\n", b->eip, b->at, b->insns, b->rewritten);
	eip = b->eip;
	for (const struct place *p = place_of(c, b->at); p && p < c->place + c->places; p++) {
		uint32_t end = p + 1 < c->place + c->places ? p[1].at : t->base + c->used;

		if (p->patch || p->eip != eip || !fetch(t, eip, &in, code))
			break;
		rs_str_addf(&text, "%x\t%s\t%x\t%c\t", eip, in.text, p->at, rewritten(&in) ? '!' : '=');
		list_made(t, p->at, end, &text);
		rs_str_add(&text, "\n");
		eip += in.len;
		if (in.ends)
			break;
	}
	rs_emit_state(t->m->em, RS_SRC_MONITOR, t->v->index, RS_BLOCK_REWRITE, text.p, text.len);
}
