/* The MMU of the software x86 CPU: random page tables of every paging mode, against the page walk that vmm/
 * shows to the student (walk.c, written apart from it) for what is mapped where, and against the rules of
 * SDM volume 3A, 4.6 and 4.7, for rights and error codes. Accessed and dirty bits; what the TLB keeps and
 * forgets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "emu/ia_mmu.h"
#include "vmm/cpu.h"
#include "vmm/machine.h"

#define TABLES 0x1000u  /* 15 pages of page tables */
#define TABLES_END 0x10000u

static uint64_t state_of_random = 1;
static uint64_t draw(void)
{
	uint64_t z = (state_of_random += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}
static unsigned below(unsigned n)
{
	return (unsigned)(draw() % n);
}

static struct vmm_machine *machine;

static uint8_t *ram(void *arg, uint64_t gpa, unsigned bytes)
{
	return vmm_ram(arg, gpa, bytes);
}

static void setup_machine(void)
{
	struct rs_err err = RS_ERR_INIT;
	struct vmm_desc d;

	vmm_desc_init(&d);
	d.memory = VMM_MEMORY_MIN;
	machine = vmm_machine_new(&d, NULL, &err);
	assert_non_null(machine);
}

/* An entry that leads to another table page, with random rights; sometimes a page, sometimes nonsense. */
static uint64_t random_entry(bool wide)
{
	uint64_t e = (uint64_t)(TABLES + 0x1000 * below(15)) | (draw() & 0x7e) | 1;

	if (below(3) == 0)
		e |= 0x80;
	if (e & 0x80 && below(4))
		e = (e & 0xfff) | (wide ? (draw() & 0xffffffffffull) << 21 : (uint64_t)below(1024) << 22);
	if (below(4))
		e |= 6;
	if (below(12) == 0)
		e &= ~1ull;
	if (wide && below(8) == 0)
		e |= PTE_NX;
	if (below(24) == 0)
		e ^= 1ull << (wide ? below(64) : below(32));
	return e;
}

static void fill_tables(bool wide)
{
	uint8_t *p = vmm_ram(machine, TABLES, TABLES_END - TABLES);

	for (unsigned k = 0; k < TABLES_END - TABLES; k += wide ? 8 : 4) {
		uint64_t e = random_entry(wide);

		memcpy(p + k, &e, wide ? 8 : 4);
	}
}

/* -- what the manual says -- */

static bool may(const struct vmm_walk *v, const struct vmm_cpu_state *s, enum emu_ia_access access, enum emu_ia_as as)
{
	bool user_page = v->user, supervisor = as != IA_AS_USER;

	if (supervisor) {
		switch (access) {
		case IA_READ: return !(user_page && (s->cr4 & CR4_SMAP) && as == IA_AS_KERNEL_SMAP);
		case IA_WRITE:
			if (user_page && (s->cr4 & CR4_SMAP) && as == IA_AS_KERNEL_SMAP)
				return false;
			return v->writable || !(s->cr0 & CR0_WP);
		default:
			if (user_page && (s->cr4 & CR4_SMEP))
				return false;
			return !v->nx;
		}
	}
	return user_page && (access == IA_READ || (access == IA_WRITE ? v->writable : !v->nx));
}

static uint32_t expected_error(const struct vmm_walk *v, const struct vmm_cpu_state *s, enum emu_ia_access access,
			       enum emu_ia_as as)
{
	bool absent = !v->mapped && strstr(v->why, "not present");
	bool nx_counts = ((s->cr4 & CR4_PAE) && (s->efer & EFER_NXE)) || (s->cr4 & CR4_SMEP);

	return (absent ? 0 : 1) | (access == IA_WRITE ? 2 : 0) | (as == IA_AS_USER ? 4 : 0) |
	       (!v->mapped && !absent ? 8 : 0) | (access == IA_FETCH && nx_counts ? 16 : 0);
}

static void random_state(struct vmm_cpu_state *s)
{
	unsigned mode = below(4); /* 32-bit, with 4 MiB pages, PAE, 4-level */

	memset(s, 0, sizeof(*s));
	s->cr0 = CR0_PE | CR0_PG | (below(2) ? CR0_WP : 0);
	s->cr4 = (mode == 1 ? CR4_PSE : mode >= 2 ? CR4_PAE : 0) | (below(2) ? CR4_SMEP : 0) |
		 (below(2) ? CR4_SMAP : 0);
	s->efer = (mode == 3 ? EFER_LMA | EFER_LME : 0) | (below(3) ? EFER_NXE : 0);
	s->cr3 = TABLES + 0x1000 * below(15);
}

/* A and D, and nothing else, changed in the tables: A on every entry of the walk, D on the last. */
static void check_bits(const uint8_t *before, const struct vmm_walk *v, bool write, bool pae)
{
	static uint8_t want[TABLES_END - TABLES];

	memcpy(want, before, sizeof(want));
	for (unsigned k = 0; k < v->steps; k++) {
		if (pae && k == 0)
			continue; /* PDPTEs have none */
		want[v->step[k].entry_gpa - TABLES] |= 0x20 | (write && k + 1 == v->steps ? 0x40 : 0);
	}
	assert_memory_equal(want, vmm_ram(machine, TABLES, sizeof(want)), sizeof(want));
}

static unsigned mapped, faults, reserved;

static void one(struct emu_ia_mmu *m, const struct vmm_cpu_state *s)
{
	static uint8_t before[TABLES_END - TABLES];
	uint64_t linear = draw(), gpa = 0, hits;
	enum emu_ia_access access = (enum emu_ia_access)below(3);
	enum emu_ia_as as = (enum emu_ia_as)below(3);
	enum emu_ia_translated got;
	struct vmm_walk v;
	uint32_t error = ~0u;
	uint8_t *host;

	if (s->efer & EFER_LMA)
		linear = (uint64_t)((int64_t)(linear << 16) >> 16);
	vmm_walk(machine, s, linear, &v);
	if (!v.mapped && strstr(v.why, "outside"))
		return; /* no memory is all ones for the CPU, and an answer of its own for the reader */
	memcpy(before, vmm_ram(machine, TABLES, sizeof(before)), sizeof(before));
	got = emu_ia_translate_address(m, linear, access, as, &gpa, &host, &error);
	if (!v.mapped || !may(&v, s, access, as)) {
		assert_int_equal(got, IA_PAGE_FAULT);
		assert_int_equal(error, expected_error(&v, s, access, as));
		assert_memory_equal(before, vmm_ram(machine, TABLES, sizeof(before)), sizeof(before));
		faults++;
		reserved += !!(error & IA_PF_RSVD);
		return;
	}
	assert_int_equal(got, IA_MAPPED);
	assert_true(gpa == v.gpa);
	assert_ptr_equal(host, vmm_ram(machine, gpa & ~0xfffull, 4096) ? vmm_ram(machine, gpa, 1) : NULL);
	check_bits(before, &v, access == IA_WRITE, (s->cr4 & CR4_PAE) && !(s->efer & EFER_LMA));
	hits = m->hits;
	assert_int_equal(emu_ia_translate_address(m, linear ^ 0x123, access, as, &gpa, NULL, &error), IA_MAPPED);
	assert_true(gpa == (v.gpa ^ 0x123) && m->hits == hits + 1);
	mapped++;
}

static void test_random_tables(void **state)
{
	struct emu_ia_mmu *m = malloc(sizeof(*m));

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct vmm_cpu_state s;

		random_state(&s);
		fill_tables(s.cr4 & CR4_PAE);
		emu_ia_mmu_init(m, ram, machine, 52);
		if (!emu_ia_mmu_control(m, (uint32_t)s.cr0, s.cr3, (uint32_t)s.cr4, (uint32_t)s.efer, true)) {
			assert_true((s.cr4 & CR4_PAE) && !(s.efer & EFER_LMA)); /* a bad PDPTE */
			continue;
		}
		for (unsigned k = 0; k < 40; k++) {
			/* tables are what the walk sees: nothing old may be in the TLB */
			emu_ia_mmu_flush(m, true);
			one(m, &s);
		}
	}
	print_message("%u mapped, %u faults, %u of them reserved bits\n", mapped, faults, reserved);
	assert_true(mapped > 5000 && faults > 5000 && reserved > 500);
	free(m);
}

/* -- the TLB -- */

/* 4-level tables: one entry a level, and the PTE of a linear address below 2 MiB. */
static uint64_t *pte(uint64_t linear)
{
	return (uint64_t *)vmm_ram(machine, 0x4000 + linear / 4096 * 8, 8);
}

static void simple_tables(struct emu_ia_mmu *m)
{
	memset(vmm_ram(machine, TABLES, TABLES_END - TABLES), 0, TABLES_END - TABLES);
	*(uint64_t *)vmm_ram(machine, 0x1000, 8) = 0x2000 | 7;
	*(uint64_t *)vmm_ram(machine, 0x2000, 8) = 0x3000 | 7;
	*(uint64_t *)vmm_ram(machine, 0x3000, 8) = 0x4000 | 7;
	emu_ia_mmu_init(m, ram, machine, 40);
	assert_true(emu_ia_mmu_control(m, CR0_PE | IA_CR0_PG | IA_CR0_WP, 0x1000, IA_CR4_PAE | IA_CR4_PGE,
				       IA_EFER_LMA | IA_EFER_NXE, true));
}

static uint64_t look(struct emu_ia_mmu *m, uint64_t linear, enum emu_ia_access access)
{
	uint64_t gpa;
	uint32_t error;

	return emu_ia_translate_address(m, linear, access, IA_AS_KERNEL, &gpa, NULL, &error) == IA_MAPPED ? gpa : ~0ull;
}

static void test_tlb(void **state)
{
	struct emu_ia_mmu *m = malloc(sizeof(*m));
	uint64_t gpa;
	uint32_t error;

	(void)state;
	simple_tables(m);
	*pte(0x5000) = 0x8000 | 3;
	*pte(0x6000) = 0x9000 | 0x103; /* global */
	assert_int_equal(look(m, 0x5010, IA_READ), 0x8010);
	assert_int_equal(look(m, 0x6010, IA_READ), 0x9010);
	assert_int_equal(*pte(0x5000) & 0x60, 0x20);
	/* the first write sets D, although a read has filled the TLB */
	assert_int_equal(look(m, 0x5010, IA_WRITE), 0x8010);
	assert_int_equal(*pte(0x5000) & 0x60, 0x60);
	/* a changed entry is not seen before INVLPG */
	*pte(0x5000) = 0xa000 | 3;
	*pte(0x6000) = 0xb000 | 0x103;
	assert_int_equal(look(m, 0x5010, IA_READ), 0x8010);
	emu_ia_mmu_invalidate(m, 0x5fff);
	assert_int_equal(look(m, 0x5010, IA_READ), 0xa010);
	/* MOV to CR3 forgets all but the global pages; CR4.PGE all */
	*pte(0x5000) = 0xc000 | 3;
	emu_ia_mmu_control(m, m->cr0, m->cr3, m->cr4, m->efer, true);
	assert_int_equal(look(m, 0x5010, IA_READ), 0xc010);
	assert_int_equal(look(m, 0x6010, IA_READ), 0x9010);
	emu_ia_mmu_control(m, m->cr0, m->cr3, m->cr4 & ~(uint32_t)IA_CR4_PGE, m->efer, false);
	assert_int_equal(look(m, 0x6010, IA_READ), 0xb010);
	/* a page that became present needs no INVLPG */
	assert_int_equal(look(m, 0x7000, IA_READ), ~0ull);
	*pte(0x7000) = 0xd000 | 3;
	assert_int_equal(look(m, 0x7000, IA_READ), 0xd000);
	/* INVLPG of any address in a large page forgets all of it */
	*(uint64_t *)vmm_ram(machine, 0x3008, 8) = 0x200000 | 0x83;
	assert_int_equal(look(m, 0x201000, IA_READ), 0x201000);
	*(uint64_t *)vmm_ram(machine, 0x3008, 8) = 0x400000 | 0x83;
	assert_int_equal(look(m, 0x201000, IA_READ), 0x201000);
	emu_ia_mmu_invalidate(m, 0x3ff000);
	assert_int_equal(look(m, 0x201000, IA_READ), 0x401000);
	/* not canonical; paging off */
	assert_int_equal(emu_ia_translate_address(m, 1ull << 47, IA_READ, IA_AS_KERNEL, &gpa, NULL, &error),
			 IA_NOT_CANONICAL);
	emu_ia_mmu_control(m, CR0_PE, 0, 0, 0, false);
	assert_int_equal(look(m, 0x5010, IA_WRITE), 0x5010);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_tables),
		cmocka_unit_test(test_tlb),
	};

	setup_machine();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
