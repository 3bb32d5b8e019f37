/* The page walk, as the CPU does it, with every entry on the way kept for the reader
 * (SDM vol. 3A, 4.3 32-bit paging, 4.4 PAE paging, 4.5 4-level and 5-level paging).
 *
 * Pure over guest memory: nothing is cached, accessed and dirty bits are not set.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm/cpu.h"

/* One level of one paging mode. */
struct level {
	const char *name;
	const char *absent, *reserved, *outside; /* why the walk stops here; translation keys */
	uint8_t shift;   /* lowest linear-address bit that selects the entry */
	uint8_t bits;    /* how many do */
	bool large_ok;   /* PS = 1 ends the walk here; else PS is reserved (or ignored) */
	bool no_rights;  /* has no R/W and U/S bits: PAE's PDPTE */
};
#define LEVEL(name, shift, bits, large_ok, no_rights)                                              \
	{                                                                                          \
		name, "the " name " is not present (P = 0)",                                       \
			"the " name " has a reserved bit set",                                     \
			"the " name " lies outside the guest's memory", shift, bits, large_ok,     \
			no_rights                                                                  \
	}

struct paging {
	const char *name;
	unsigned levels;
	unsigned entry_size;
	struct level level[5];
};

static const struct paging paging_32 = {
	"32-bit paging", 2, 4,
	{LEVEL("PDE", 22, 10, true, false), LEVEL("PTE", 12, 10, false, false)},
};
static const struct paging paging_pae = {
	"PAE paging", 3, 8,
	{LEVEL("PDPTE", 30, 2, false, true), LEVEL("PDE", 21, 9, true, false),
	 LEVEL("PTE", 12, 9, false, false)},
};
static const struct paging paging_4 = {
	"4-level paging", 4, 8,
	{LEVEL("PML4E", 39, 9, false, false), LEVEL("PDPTE", 30, 9, true, false),
	 LEVEL("PDE", 21, 9, true, false), LEVEL("PTE", 12, 9, false, false)},
};
static const struct paging paging_5 = {
	"5-level paging", 5, 8,
	{LEVEL("PML5E", 48, 9, false, false), LEVEL("PML4E", 39, 9, false, false),
	 LEVEL("PDPTE", 30, 9, true, false), LEVEL("PDE", 21, 9, true, false),
	 LEVEL("PTE", 12, 9, false, false)},
};

/* NULL: paging is off. */
static const struct paging *paging_of(const struct vmm_cpu_state *s)
{
	if (!(s->cr0 & CR0_PG))
		return NULL;
	if (!(s->cr4 & CR4_PAE))
		return &paging_32;
	if (!(s->efer & EFER_LMA))
		return &paging_pae;
	return s->cr4 & CR4_LA57 ? &paging_5 : &paging_4;
}

static bool canonical(uint64_t linear, int bits)
{
	int64_t rest = (int64_t)linear >> (bits - 1);

	return rest == 0 || rest == -1;
}

#define ADDRESS 0x000ffffffffff000ull /* bits 51:12 of an entry */

static uint64_t table_base(const struct vmm_cpu_state *s, const struct paging *p)
{
	if (p == &paging_32)
		return s->cr3 & 0xfffff000;
	if (p == &paging_pae)
		return s->cr3 & 0xffffffe0;
	return s->cr3 & ADDRESS;
}

/* Does the entry map a page itself? */
static bool is_leaf(const struct vmm_cpu_state *s, const struct paging *p, const struct level *l,
		    uint64_t entry)
{
	if (l->shift == 12)
		return true;
	if (!l->large_ok || !(entry & PTE_PS))
		return false;
	return p != &paging_32 || (s->cr4 & CR4_PSE);
}

/* Address of the page that a leaf maps. */
static uint64_t leaf_address(const struct paging *p, const struct level *l, uint64_t entry)
{
	uint64_t size = 1ull << l->shift;

	if (p == &paging_32 && l->shift == 22) /* PSE-36: bits 20:13 are address bits 39:32 */
		return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
	return entry & ADDRESS & ~(size - 1);
}

static bool reserved_bits(const struct vmm_cpu_state *s, const struct paging *p,
			  const struct level *l, uint64_t entry)
{
	bool leaf = is_leaf(s, p, l, entry);

	if (p == &paging_32)
		return leaf && l->shift == 22 && (entry & (1u << 21));
	if ((entry & PTE_NX) && (!(s->efer & EFER_NXE) || l->no_rights))
		return true;
	if (p == &paging_pae && (entry & 0x7ff0000000000000ull))
		return true;
	if (l->no_rights) /* bits 2:1 and 8:5 */
		return entry & 0x1e6;
	if (leaf && l->shift > 12)
		return entry & ADDRESS & ((1ull << l->shift) - 1) & ~0x1000ull; /* bit 12 is PAT */
	return !leaf && !l->large_ok && (entry & PTE_PS);
}

static void stop(struct vmm_walk *out, const char *why)
{
	snprintf(out->why, sizeof(out->why), "%s", why);
}

void vmm_walk(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t linear,
	      struct vmm_walk *out)
{
	const struct paging *p = paging_of(s);
	uint64_t base;

	*out = (struct vmm_walk){.writable = true, .user = true};
	if (!(s->efer & EFER_LMA))
		linear &= 0xffffffff;
	if (!p) {
		out->mapped = true;
		out->gpa = linear;
		return;
	}
	if ((p == &paging_4 && !canonical(linear, 48)) || (p == &paging_5 && !canonical(linear, 57))) {
		stop(out, "the address is not canonical");
		return;
	}
	base = table_base(s, p);
	for (unsigned i = 0; i < p->levels; i++) {
		const struct level *l = &p->level[i];
		struct vmm_walk_step *step = &out->step[out->steps++];
		uint64_t index = linear >> l->shift & ((1u << l->bits) - 1);
		const void *mem;

		step->level = l->name;
		step->entry_gpa = base + index * p->entry_size;
		mem = vmm_ram(m, step->entry_gpa, p->entry_size);
		step->readable = mem != NULL;
		if (!mem) {
			stop(out, l->outside);
			return;
		}
		memcpy(&step->entry, mem, p->entry_size);
		if (!(step->entry & PTE_P)) {
			stop(out, l->absent);
			return;
		}
		if (reserved_bits(s, p, l, step->entry)) {
			stop(out, l->reserved);
			return;
		}
		if (!l->no_rights) {
			out->writable &= !!(step->entry & PTE_W);
			out->user &= !!(step->entry & PTE_U);
		}
		out->nx |= p->entry_size == 8 && (step->entry & PTE_NX);
		if (is_leaf(s, p, l, step->entry)) {
			out->mapped = true;
			out->page_size = 1ull << l->shift;
			out->gpa = leaf_address(p, l, step->entry) | (linear & (out->page_size - 1));
			return;
		}
		base = step->entry & (p == &paging_32 ? 0xfffff000ull : ADDRESS);
	}
}

static const char *size_name(uint64_t size)
{
	switch (size) {
	case 1ull << 12: return "4K";
	case 1ull << 21: return "2M";
	case 1ull << 22: return "4M";
	default: return "1G";
	}
}

void vmm_walk_format(const struct vmm_walk *w, uint64_t linear, struct rs_str *out)
{
	if (w->mapped && !w->steps) {
		rs_str_addf(out, "0x%" PRIx64 ": paging is off, physical address 0x%" PRIx64 "\n",
			    linear, w->gpa);
		return;
	}
	rs_str_addf(out, "0x%" PRIx64 "\n", linear);
	for (unsigned i = 0; i < w->steps; i++) {
		const struct vmm_walk_step *t = &w->step[i];

		if (!t->readable) {
			rs_str_addf(out, "  %-5s at %09" PRIx64 "\n", t->level, t->entry_gpa);
			continue;
		}
		rs_str_addf(out, "  %-5s at %09" PRIx64 " = %016" PRIx64 "  %s %s %s%s%s\n", t->level,
			    t->entry_gpa, t->entry, t->entry & PTE_P ? "P" : "-",
			    t->entry & PTE_W ? "W" : "-", t->entry & PTE_U ? "U" : "-",
			    i + 1 == w->steps && w->mapped && w->page_size > 4096 ? " PS" : "",
			    t->entry & PTE_NX ? " NX" : "");
	}
	if (w->mapped)
		rs_str_addf(out, "  -> physical 0x%" PRIx64 " (%s page), %s, %s, %s\n", w->gpa,
			    size_name(w->page_size), w->user ? "user" : "supervisor only",
			    w->writable ? "writable" : "read-only",
			    w->nx ? "no execute" : "executable");
	else
		rs_str_addf(out, "  -> not mapped: %s\n", w->why);
}

size_t vmm_read_linear(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t linear,
		       void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		uint64_t at = linear + done;
		size_t piece = 0x1000 - (at & 0xfff);
		struct vmm_walk w;
		const void *mem;

		if (piece > n - done)
			piece = n - done;
		vmm_walk(m, s, at, &w);
		mem = w.mapped ? vmm_ram(m, w.gpa, piece) : NULL;
		if (!mem)
			break;
		memcpy((char *)buf + done, mem, piece);
		done += piece;
	}
	return done;
}
