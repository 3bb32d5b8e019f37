/* Entry modes: what the monitor puts into guest memory and into the CPU before the guest's first
 * instruction. The guest may replace all of it.
 *
 * A CPU that was switched on reaches long mode through real and protected mode, with tables that
 * its firmware and boot loader made. Here the monitor takes that walk for the guest: it writes the
 * tables, and the registers as they would stand afterwards. What must hold in the end is listed in
 * entry_check.c.
 */
#include <errno.h>
#include <string.h>

#include "vmm/cpu.h"

bool vmm_entry_has_tables(const struct vmm_desc *d)
{
	return d->entry != VMM_ENTRY_REAL16 && d->entry != VMM_ENTRY_RESET;
}

/* ---- segments: one description makes the hidden register and the descriptor in memory ---- */

enum { TYPE_DATA = 0x3, TYPE_CODE = 0xb, TYPE_TSS_BUSY = 0xb, TYPE_LDT = 0x2 };

/* A flat segment: base 0, limit 4 GiB, accessed (SDM vol. 3A, 3.4.5). bits: 32 or 64. */
static struct vmm_seg flat(unsigned selector, unsigned type, int bits)
{
	bool code = type == TYPE_CODE;

	return (struct vmm_seg){
		.limit = 0xffffffff,
		.selector = (uint16_t)selector,
		.type = (uint8_t)type,
		.s = 1,
		.dpl = selector & 3,
		.present = 1,
		.l = code && bits == 64,
		.db = !(code && bits == 64),
		.g = 1,
	};
}

/* A real-mode segment: base is 16 times the selector, 64 KiB (SDM vol. 3B, 21.1.1). */
static struct vmm_seg real(unsigned selector, unsigned type)
{
	return (struct vmm_seg){
		.base = selector * 16,
		.limit = 0xffff,
		.selector = (uint16_t)selector,
		.type = (uint8_t)type,
		.s = 1,
		.present = 1,
	};
}

static struct vmm_seg unusable(void)
{
	return (struct vmm_seg){.unusable = 1};
}

/* TR is never unusable: VM entry wants a busy TSS in it, also where nobody uses one. */
static struct vmm_seg task(unsigned selector, uint64_t base)
{
	return (struct vmm_seg){
		.base = base,
		.limit = 103,
		.selector = (uint16_t)selector,
		.type = TYPE_TSS_BUSY,
		.present = 1,
	};
}

/* The 8 bytes in a descriptor table (SDM vol. 3A, figure 3-8). */
static uint64_t descriptor(const struct vmm_seg *s)
{
	uint64_t limit = s->g ? s->limit >> 12 : s->limit;

	return (limit & 0xffff) | (s->base & 0xffffff) << 16 | (uint64_t)s->type << 40 |
	       (uint64_t)s->s << 44 | (uint64_t)s->dpl << 45 | (uint64_t)s->present << 47 |
	       (limit >> 16 & 0xf) << 48 | (uint64_t)s->avl << 52 | (uint64_t)s->l << 53 |
	       (uint64_t)s->db << 54 | (uint64_t)s->g << 55 | (s->base >> 24 & 0xff) << 56;
}

/* ---- the area of tables ---- */

static void *area(const struct vmm_machine *m, uint64_t gpa, uint64_t size, struct rs_err *err)
{
	void *p = vmm_ram(m, gpa, size);

	if (!p)
		rs_err_set(err, -EINVAL,
			   "the monitor's tables need memory at 0x%x-0x%x, but a hole is there",
			   VMM_TABLES_BASE, VMM_TABLES_END - 1);
	else
		memset(p, 0, size);
	return p;
}

static int make_gdt(const struct vmm_machine *m, const struct vmm_desc *d, int bits,
		    struct vmm_cpu_state *s, struct rs_err *err)
{
	uint64_t *gdt = area(m, VMM_GDT, 7 * 8, err);
	struct vmm_seg user_code = flat(VMM_SEL_CODE3, TYPE_CODE, bits);
	struct vmm_seg user_data = flat(VMM_SEL_DATA3, TYPE_DATA, bits);

	if (!gdt)
		return -EINVAL;
	gdt[VMM_SEL_CODE0 / 8] = descriptor(&s->cs);
	gdt[VMM_SEL_DATA0 / 8] = descriptor(&s->ss);
	s->gdt_base = VMM_GDT;
	s->gdt_limit = 3 * 8 - 1;
	if (!d->tables)
		return 0;
	gdt[VMM_SEL_DATA3 / 8] = descriptor(&user_data);
	gdt[VMM_SEL_CODE3 / 8] = descriptor(&user_code);
	gdt[VMM_SEL_TSS / 8] = descriptor(&s->tr);
	gdt[VMM_SEL_TSS / 8 + 1] = s->tr.base >> 32; /* 64-bit mode: upper half of the base */
	s->gdt_limit = bits == 64 ? 7 * 8 - 1 : 6 * 8 - 1;
	return 0;
}

/* The task state segment only says where the ring-0 stack is (SDM vol. 3A, 8.2.1 and 8.7). The I/O
 * map base lies beyond the limit: there is no bitmap, so ring 3 may use no port unless IOPL is 3. */
static int make_tss(const struct vmm_machine *m, int bits, struct rs_err *err)
{
	unsigned char *tss = area(m, VMM_TSS, 104, err);
	uint64_t stack = VMM_STACK0_TOP;
	uint16_t ss0 = VMM_SEL_DATA0, io_map = 104;

	if (!tss)
		return -EINVAL;
	memcpy(tss + 4, &stack, bits == 64 ? 8 : 4);
	if (bits != 64)
		memcpy(tss + 8, &ss0, 2);
	memcpy(tss + 102, &io_map, 2);
	return 0;
}

/* ---- page tables: 4 levels, identity map (SDM vol. 3A, 4.5) ---- */

#define PAGE_4K 0x1000ull
#define PAGE_2M 0x200000ull
#define PAGE_MASK 0x000ffffffffff000ull

struct mapper {
	const struct vmm_machine *m;
	uint64_t next;    /* next free page of the area */
	bool user;
	struct rs_err *err;
};

static uint64_t *new_table(struct mapper *p)
{
	uint64_t gpa = p->next;

	/* PML4, PDPT, PD and two PTs, at the start and at the end, map VMM_MEMORY_MAX */
	if (gpa >= VMM_TABLES_END) {
		rs_err_set(p->err, -EINVAL, "the page tables do not fit into 0x%x-0x%x",
			   VMM_PAGE_TABLES, VMM_TABLES_END - 1);
		return NULL;
	}
	p->next += PAGE_4K;
	return area(p->m, gpa, PAGE_4K, p->err);
}

/* The table behind an entry, made when it is missing. Upper levels allow everything that is asked
 * for somewhere below; the last level decides. */
static uint64_t *table_behind(struct mapper *p, uint64_t *entry)
{
	uint64_t gpa = p->next;
	uint64_t *table;

	if (*entry & PTE_P)
		return vmm_ram(p->m, *entry & PAGE_MASK, PAGE_4K);
	table = new_table(p);
	if (table)
		*entry = gpa | PTE_P | PTE_W | (p->user ? PTE_U : 0);
	return table;
}

static uint64_t leaf(const struct mapper *p, uint64_t gpa)
{
	bool user = p->user && gpa >= VMM_TABLES_END;

	return gpa | PTE_P | PTE_W | (user ? PTE_U : 0);
}

/* Maps the piece at gpa that one entry can map. Returns its size, 0 on error. */
static uint64_t map_piece(struct mapper *p, uint64_t *pml4, uint64_t gpa, uint64_t end)
{
	uint64_t *table = pml4;

	for (int shift = 39; shift >= 21; shift -= 9) {
		uint64_t *entry = &table[gpa >> shift & 511];

		/* The first 2 MiB hold pages of both kinds, the monitor's and the guest's. */
		if (shift == 21 && gpa && gpa % PAGE_2M == 0 && end - gpa >= PAGE_2M) {
			*entry = leaf(p, gpa) | PTE_PS;
			return PAGE_2M;
		}
		table = table_behind(p, entry);
		if (!table)
			return 0;
	}
	table[gpa >> 12 & 511] = leaf(p, gpa);
	return PAGE_4K;
}

/* Holes are mapped like the RAM around them: an access shall reach the monitor, not fault in the
 * guest. */
static int make_page_tables(const struct vmm_machine *m, const struct vmm_desc *d,
			    struct rs_err *err)
{
	struct mapper p = {m, VMM_PAGE_TABLES, d->user_pages, err};
	uint64_t *pml4 = new_table(&p);
	uint64_t n;

	if (!pml4)
		return -EINVAL;
	for (uint64_t gpa = 0; gpa < d->memory; gpa += n) {
		n = map_piece(&p, pml4, gpa, d->memory);
		if (!n)
			return -EINVAL;
	}
	return 0;
}

/* ---- the three modes ---- */

static int enter_real16(uint64_t entry, struct vmm_cpu_state *s, struct rs_err *err)
{
	unsigned selector = (unsigned)(entry >> 4);

	if (entry > 0xfffff)
		return rs_err_set(err, -EINVAL,
				  "a real16 guest must start below 1M, not at 0x%llx",
				  (unsigned long long)entry);
	s->cr0 = CR0_ET | CR0_NE;
	s->cs = real(selector, TYPE_CODE);
	s->ds = s->es = s->fs = s->gs = real(selector, TYPE_DATA);
	s->ss = real(0, TYPE_DATA);
	s->tr = task(0, 0);
	s->tr.limit = 0xffff;
	s->rip = entry & 15;
	s->idt_limit = 0x3ff; /* 256 vectors of 4 bytes at address 0 */
	s->gdt_limit = 0xffff;
	return 0;
}

/* The first instruction lies 16 bytes below the end of the firmware, at the end of the first 4 GiB (SDM
 * vol. 3A, 9.1.4 and table 9-1). */
static int enter_reset(struct vmm_cpu_state *s)
{
	s->cr0 = CR0_ET | CR0_NW | CR0_CD;
	s->cs = real(0xf000, TYPE_CODE);
	s->cs.base = 0xffff0000;
	s->ss = s->ds = s->es = s->fs = s->gs = real(0, TYPE_DATA);
	s->tr = task(0, 0);
	s->tr.limit = 0xffff;
	s->ldtr = (struct vmm_seg){ .limit = 0xffff, .type = TYPE_LDT, .present = 1 };
	s->gpr[RSP] = 0;
	s->gpr[RDX] = 0x600; /* family 6 */
	s->rip = 0xfff0;
	s->idt_limit = s->gdt_limit = 0xffff;
	return 0;
}

static int enter_protected(const struct vmm_machine *m, const struct vmm_desc *d, uint64_t entry,
			   int bits, struct vmm_cpu_state *s, struct rs_err *err)
{
	int r;

	if (bits == 32 && entry > 0xffffffff)
		return rs_err_set(err, -EINVAL,
				  "a prot32 guest must start below 4G, not at 0x%llx",
				  (unsigned long long)entry);
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE;
	s->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
	s->cs = flat(VMM_SEL_CODE0, TYPE_CODE, bits);
	s->ss = s->ds = s->es = flat(VMM_SEL_DATA0, TYPE_DATA, bits);
	s->fs = s->gs = bits == 64 ? unusable() : s->ds;
	s->tr = d->tables ? task(VMM_SEL_TSS, VMM_TSS) : task(0, 0);
	s->rip = entry;
	r = make_gdt(m, d, bits, s, err);
	if (!r && d->tables) {
		if (!area(m, VMM_IDT, 256 * 16, err))
			return -EINVAL;
		s->idt_base = VMM_IDT;
		s->idt_limit = bits == 64 ? 256 * 16 - 1 : 256 * 8 - 1;
		r = make_tss(m, bits, err);
	}
	if (!r && bits == 64) {
		s->cr0 |= CR0_PG | CR0_WP;
		s->cr4 |= CR4_PAE;
		s->efer = EFER_LME | EFER_LMA | EFER_NXE;
		s->cr3 = VMM_PAGE_TABLES;
		r = make_page_tables(m, d, err);
	}
	return r;
}

int vmm_entry_setup(const struct vmm_machine *m, const struct vmm_desc *d, uint64_t entry,
		    struct vmm_cpu_state *s, struct rs_err *err)
{
	memset(s, 0, sizeof(*s));
	s->rflags = RFLAGS_FIXED;
	s->gpr[RSP] = VMM_STACK_TOP;
	s->ldtr = unusable();
	switch (d->entry) {
	case VMM_ENTRY_REAL16:
		return enter_real16(entry, s, err);
	case VMM_ENTRY_PROT32:
		return enter_protected(m, d, entry, 32, s, err);
	case VMM_ENTRY_LONG64:
		return enter_protected(m, d, entry, 64, s, err);
	case VMM_ENTRY_RESET:
		return enter_reset(s);
	default:
		return rs_err_set(err, -EINVAL, "there is no entry mode number %d", (int)d->entry);
	}
}
