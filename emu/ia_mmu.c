/* Page walks and the TLB of an x86 guest CPU (ia_mmu.h). */
#include "emu/ia_mmu.h"

#include <string.h>

#define PAGE 4096ull
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX (1ull << 63)

void emu_ia_mmu_init(struct emu_ia_mmu *m, uint8_t *(*ram)(void *arg, uint64_t gpa, unsigned bytes), void *arg,
		     unsigned physical_bits)
{
	memset(m, 0, sizeof(*m));
	m->ram = ram;
	m->arg = arg;
	m->physical_bits = physical_bits;
	m->fills[0] = m->fills[1] = IA_TLB_FILLS + 1;
	emu_ia_mmu_flush(m, true);
	m->flushes = 0;
}

/* -- the walk -- */

struct walk {
	uint64_t at[4];         /* of the entries: where A and D are set */
	unsigned n, size;       /* how many; bytes of one */
	uint64_t leaf;
	uint64_t gpa;           /* of the address */
	uint64_t mask;          /* size of the page - 1 */
	bool writable, user, nx;
};

static uint64_t read_entry(struct emu_ia_mmu *m, uint64_t at, unsigned size)
{
	uint8_t *p = m->ram(m->arg, at, size);
	uint64_t e = 0;

	if (!p)
		return size == 8 ? ~0ull : ~0u;
	memcpy(&e, p, size);
	return e;
}

static bool has_nx(const struct emu_ia_mmu *m)
{
	return (m->efer & IA_EFER_NXE) && (m->cr4 & IA_CR4_PAE);
}

static uint64_t address_bits(const struct emu_ia_mmu *m)
{
	return ((1ull << m->physical_bits) - 1) & ~(PAGE - 1);
}

/* Bits that must be 0 in a present entry of 8 bytes (tables 4-9 to 4-19). `shift`: of the page it may map. */
static uint64_t reserved(const struct emu_ia_mmu *m, unsigned shift, bool leaf)
{
	uint64_t r = ~((1ull << m->physical_bits) - 1) & ((1ull << 52) - 1);

	if (!has_nx(m))
		r |= NX;
	if (!(m->efer & IA_EFER_LMA))
		r |= 0x7ff0000000000000ull; /* PAE: 62:52 */
	if (leaf && shift > 12)
		r |= ((1ull << shift) - 1) & ~0x1fffull; /* bit 12 is PAT */
	if (shift == 39)
		r |= PS;
	return r;
}

/* 0, or bits of the error code: 0x100 not present, IA_PF_RSVD. */
#define ABSENT 0x100u
static unsigned walk_long(struct emu_ia_mmu *m, uint64_t linear, struct walk *w)
{
	bool lma = m->efer & IA_EFER_LMA;
	unsigned shift = lma ? 39 : 21;
	uint64_t table = m->cr3 & address_bits(m), e;

	w->size = 8;
	if (!lma) {
		e = m->pdpte[linear >> 30 & 3];
		if (!(e & P))
			return ABSENT;
		table = e & address_bits(m);
	}
	for (;; shift -= 9) {
		bool leaf;

		w->at[w->n] = table + (linear >> shift & 511) * 8;
		e = read_entry(m, w->at[w->n++], 8);
		if (!(e & P))
			return ABSENT;
		leaf = shift == 12 || (shift < 39 && (e & PS));
		if (e & reserved(m, shift, leaf))
			return IA_PF_RSVD;
		w->writable &= !!(e & W);
		w->user &= !!(e & U);
		w->nx |= !!(e & NX);
		if (leaf) {
			w->leaf = e;
			w->mask = (1ull << shift) - 1;
			w->gpa = (e & address_bits(m) & ~w->mask) | (linear & w->mask);
			return 0;
		}
		table = e & address_bits(m);
	}
}

static unsigned walk_32(struct emu_ia_mmu *m, uint64_t linear, struct walk *w)
{
	uint64_t e;

	w->size = 4;
	w->at[w->n] = (m->cr3 & 0xfffff000) + (linear >> 22 & 1023) * 4;
	e = read_entry(m, w->at[w->n++], 4);
	if (!(e & P))
		return ABSENT;
	w->writable &= !!(e & W);
	w->user &= !!(e & U);
	w->leaf = e;
	if ((e & PS) && (m->cr4 & IA_CR4_PSE)) {
		/* PSE-36 (table 4-4): bits 20:13 are address bits 39:32 as far as those exist */
		unsigned above = m->physical_bits < 40 ? m->physical_bits - 32 : 8;

		if (e & (1u << 21 | (0xffu << 13 & ~((1u << (13 + above)) - 1))))
			return IA_PF_RSVD;
		w->mask = 0x3fffff;
		w->gpa = (e & 0xffc00000) | (e >> 13 & 0xff) << 32 | (linear & w->mask);
		return 0;
	}
	w->at[w->n] = (e & 0xfffff000) + (linear >> 12 & 1023) * 4;
	e = read_entry(m, w->at[w->n++], 4);
	if (!(e & P))
		return ABSENT;
	w->writable &= !!(e & W);
	w->user &= !!(e & U);
	w->leaf = e;
	w->mask = PAGE - 1;
	w->gpa = (e & 0xfffff000) | (linear & w->mask);
	return 0;
}

/* SDM volume 3A, 4.6.1. */
static bool allowed(const struct emu_ia_mmu *m, const struct walk *w, enum emu_ia_access access, enum emu_ia_as as)
{
	if (as == IA_AS_USER && !w->user)
		return false;
	if (access == IA_FETCH)
		return !(w->nx && has_nx(m)) && !(as != IA_AS_USER && w->user && (m->cr4 & IA_CR4_SMEP));
	if (as == IA_AS_KERNEL_SMAP && w->user && (m->cr4 & IA_CR4_SMAP))
		return false;
	return access == IA_READ || w->writable || (as != IA_AS_USER && !(m->cr0 & IA_CR0_WP));
}

static void set_bits(struct emu_ia_mmu *m, struct walk *w, bool write)
{
	for (unsigned k = 0; k < w->n; k++) {
		uint8_t *p = m->ram(m->arg, w->at[k], w->size), set = A | (write && k + 1 == w->n ? D : 0);

		if (m->page && (m->page(m->arg, w->at[k]) & IA_PAGE_ROM))
			continue;
		if (p && (*p & set) != set) /* A and D are in the lowest byte */
			*p |= set;
	}
}

/* -- the TLB -- */

static unsigned large_hash(uint64_t linear)
{
	return (unsigned)((linear >> 21 ^ linear >> 31) % 1024);
}

static void fill(struct emu_ia_mmu *m, struct emu_ia_tlb *t, uint64_t linear, const struct walk *w, const bool may[3])
{
	uint64_t page = linear & ~(PAGE - 1);
	unsigned how = m->page ? m->page(m->arg, w->gpa) : 0;
	bool watched = m->watched && m->watched(m->arg, page);

	t->gpa = w->gpa & ~(PAGE - 1);
	t->host = m->ram(m->arg, t->gpa, PAGE);
	t->addend = (uint64_t)(uintptr_t)t->host - page;
	t->mask = w->mask;
	t->global = (w->leaf & G) && (m->cr4 & IA_CR4_PGE);
	t->large = w->mask >= PAGE;
	if (t->large && (m->cr0 & IA_CR0_PG)) {
		unsigned h = large_hash(linear);

		m->large[h / 64] |= 1ull << h % 64;
		m->huge |= w->mask > 0x1fffff;
	}
	if (m->fills[t->global] < IA_TLB_FILLS)
		m->filled[t->global][m->fills[t->global]] = (uint16_t)(t - m->tlb[0]);
	m->fills[t->global]++;
	for (unsigned k = 0; k < 3; k++)
		t->tag[k] = may[k] ? page | (!t->host || watched || (k == IA_WRITE && how) ? IA_TLB_SLOW : 0) : ~0ull;
}

static void remember(struct emu_ia_mmu *m, uint64_t linear, enum emu_ia_access access, enum emu_ia_as as,
		     const struct walk *w)
{
	/* the first write to a page that is not dirty walks again, to set D */
	bool dirty = access == IA_WRITE || (w->leaf & D), may[3];

	for (unsigned k = 0; k < 3; k++)
		may[k] = allowed(m, w, (enum emu_ia_access)k, as) && (k != IA_WRITE || dirty);
	fill(m, &m->tlb[as][linear / PAGE % EMU_IA_TLB], linear, w, may);
}

void emu_ia_mmu_protect(struct emu_ia_mmu *m, uint64_t gpa)
{
	for (unsigned as = 0; as < IA_AS_COUNT; as++)
		for (unsigned n = 0; n < EMU_IA_TLB; n++)
			if (m->tlb[as][n].gpa == (gpa & ~(PAGE - 1)))
				m->tlb[as][n].tag[IA_WRITE] |= IA_TLB_SLOW;
}

void emu_ia_mmu_unprotect(struct emu_ia_mmu *m, uint64_t gpa)
{
	for (unsigned as = 0; as < IA_AS_COUNT; as++)
		for (unsigned n = 0; n < EMU_IA_TLB; n++)
			if (m->tlb[as][n].gpa == (gpa & ~(PAGE - 1)))
				m->tlb[as][n].tag[IA_WRITE] = ~0ull;
}

uint64_t emu_ia_mapping(const struct emu_ia_mmu *m, uint64_t linear, enum emu_ia_as as, bool *global)
{
	const struct emu_ia_tlb *t = &m->tlb[as][linear / PAGE % EMU_IA_TLB];

	*global = t->global;
	for (unsigned k = 0; k < 3; k++)
		if ((t->tag[k] & ~IA_TLB_SLOW) == (linear & ~(PAGE - 1)))
			return t->mask;
	return PAGE - 1;
}

/* Forgets the entries that were filled for pages that are global, or not. */
static void flush_filled(struct emu_ia_mmu *m, bool global)
{
	unsigned n = m->fills[global];
	struct emu_ia_tlb *t = m->tlb[0];

	m->fills[global] = 0;
	if (n <= IA_TLB_FILLS) {
		for (unsigned k = 0; k < n; k++)
			if (t[m->filled[global][k]].global == global) /* else it was filled again since */
				memset(t[m->filled[global][k]].tag, 0xff, sizeof(t->tag));
		return;
	}
	for (unsigned k = 0; k < IA_AS_COUNT * EMU_IA_TLB; k++)
		if (t[k].global == global)
			memset(t[k].tag, 0xff, sizeof(t->tag));
}

void emu_ia_mmu_flush(struct emu_ia_mmu *m, bool globals_too)
{
	m->flushes++;
	if (globals_too) {
		memset(m->large, 0, sizeof(m->large));
		m->huge = false;
	}
	flush_filled(m, false);
	if (globals_too)
		flush_filled(m, true);
}

bool emu_ia_mmu_large(const struct emu_ia_mmu *m, uint64_t linear)
{
	unsigned h = large_hash(linear);

	return m->huge || (m->large[h / 64] >> h % 64 & 1);
}

void emu_ia_mmu_invalidate(struct emu_ia_mmu *m, uint64_t linear)
{
	if (!emu_ia_mmu_large(m, linear)) {
		for (unsigned as = 0; as < IA_AS_COUNT; as++)
			memset(m->tlb[as][linear / PAGE % EMU_IA_TLB].tag, 0xff, sizeof(m->tlb[as][0].tag));
		return;
	}
	for (unsigned as = 0; as < IA_AS_COUNT; as++)
		for (unsigned n = 0; n < EMU_IA_TLB; n++) /* any piece of a large page may be this one's */
			if ((m->tlb[as][n].large && !(((m->tlb[as][n].tag[0] & m->tlb[as][n].tag[1] & m->tlb[as][n].tag[2]) ^ linear) & ~m->tlb[as][n].mask)) || n == linear / PAGE % EMU_IA_TLB)
				memset(m->tlb[as][n].tag, 0xff, sizeof(m->tlb[as][n].tag));
}

enum emu_ia_translated emu_ia_translate_address(struct emu_ia_mmu *m, uint64_t linear, enum emu_ia_access access,
						enum emu_ia_as as, uint64_t *gpa, uint8_t **host, uint32_t *error)
{
	struct walk w = { .writable = true, .user = true };
	struct emu_ia_tlb *t;
	unsigned bad;

	if (!(m->efer & IA_EFER_LMA))
		linear &= 0xffffffff;
	else if ((int64_t)(linear << 16) >> 16 != (int64_t)linear)
		return IA_NOT_CANONICAL;
	t = &m->tlb[as][linear / PAGE % EMU_IA_TLB];
	if ((t->tag[access] & ~IA_TLB_SLOW) == (linear & ~(PAGE - 1))) {
		m->hits++;
	} else if (!(m->cr0 & IA_CR0_PG)) { /* no page is large then: it is all one */
		static const bool all[3] = { true, true, true };

		w.gpa = linear;
		w.mask = 0xffffffff;
		fill(m, t, linear, &w, all);
	} else {
		m->walks++;
		bad = m->cr4 & IA_CR4_PAE ? walk_long(m, linear, &w) : walk_32(m, linear, &w);
		if (bad || !allowed(m, &w, access, as)) {
			*error = (bad == ABSENT ? 0u : bad | IA_PF_P) | (access == IA_WRITE ? IA_PF_W : 0u) |
				 (as == IA_AS_USER ? IA_PF_U : 0u) |
				 (access == IA_FETCH && (has_nx(m) || (m->cr4 & IA_CR4_SMEP)) ? IA_PF_I : 0u);
			/* the processor looks again at what it knew of this page (4.10.4.1) */
			memset(t->tag, 0xff, sizeof(t->tag));
			return IA_PAGE_FAULT;
		}
		set_bits(m, &w, access == IA_WRITE);
		remember(m, linear, access, as, &w);
	}
	*gpa = t->gpa | (linear & (PAGE - 1));
	if (host)
		*host = t->host ? t->host + (linear & (PAGE - 1)) : NULL;
	return IA_MAPPED;
}

bool emu_ia_mmu_peek(struct emu_ia_mmu *m, uint64_t linear, uint64_t *gpa)
{
	struct walk w = { .writable = true, .user = true };

	if (!(m->efer & IA_EFER_LMA))
		linear &= 0xffffffff;
	else if ((int64_t)(linear << 16) >> 16 != (int64_t)linear)
		return false;
	if (!(m->cr0 & IA_CR0_PG))
		w.gpa = linear;
	else if (m->cr4 & IA_CR4_PAE ? walk_long(m, linear, &w) : walk_32(m, linear, &w))
		return false;
	*gpa = w.gpa;
	return true;
}

/* -- control registers -- */

static bool load_pdptes(struct emu_ia_mmu *m, uint64_t cr3, uint64_t to[4])
{
	for (unsigned k = 0; k < 4; k++) {
		to[k] = read_entry(m, (cr3 & 0xffffffe0) + 8 * k, 8);
		/* reserved: 2:1, 8:5, and what is above the physical address (table 4-8) */
		if ((to[k] & P) && (to[k] & (0x1e6 | ~((1ull << m->physical_bits) - 1))))
			return false;
	}
	return true;
}

bool emu_ia_mmu_control(struct emu_ia_mmu *m, uint32_t cr0, uint64_t cr3, uint32_t cr4, uint32_t efer,
			bool cr3_written)
{
	const uint32_t in_cr4 = IA_CR4_PSE | IA_CR4_PAE | IA_CR4_PGE | IA_CR4_SMEP;
	bool all = ((m->cr0 ^ cr0) & (IA_CR0_PG | IA_CR0_WP)) || ((m->cr4 ^ cr4) & (in_cr4 | IA_CR4_SMAP)) ||
		   ((m->efer ^ efer) & (IA_EFER_NXE | IA_EFER_LMA));
	uint64_t pdpte[4];

	if ((cr0 & IA_CR0_PG) && (cr4 & IA_CR4_PAE) && !(efer & IA_EFER_LMA) &&
	    (all || cr3_written || cr3 != m->cr3)) {
		if (!load_pdptes(m, cr3, pdpte))
			return false;
		memcpy(m->pdpte, pdpte, sizeof(pdpte));
	}
	if (all)
		emu_ia_mmu_flush(m, true);
	else if (cr3_written || cr3 != m->cr3)
		emu_ia_mmu_flush(m, false);
	m->cr0 = cr0;
	m->cr3 = cr3;
	m->cr4 = cr4;
	m->efer = efer;
	return true;
}
