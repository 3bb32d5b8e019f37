/* The page walk in every paging mode, on tables built by hand from the figures of SDM vol. 3A,
 * chapter 4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/machine.h"

struct fixture {
	struct vmm_machine *m;
	struct vmm_cpu_state s;
	struct rs_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct vmm_desc d;

	vmm_desc_init(&d);
	d.memory = 1 << 20;
	f->m = vmm_machine_new(&d, NULL, &f->err);
	f->s.cr0 = CR0_PE | CR0_PG;
	*state = f;
	return !f->m;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vmm_machine_free(f->m);
	free(f);
	return 0;
}

static void put32(struct fixture *f, uint64_t gpa, uint32_t v)
{
	memcpy(vmm_ram(f->m, gpa, 4), &v, 4);
}

static void put64(struct fixture *f, uint64_t gpa, uint64_t v)
{
	memcpy(vmm_ram(f->m, gpa, 8), &v, 8);
}

static void expect(struct fixture *f, uint64_t linear, uint64_t gpa, uint64_t size, unsigned steps)
{
	struct vmm_walk w;

	vmm_walk(f->m, &f->s, linear, &w);
	if (!w.mapped)
		fail_msg("0x%llx is not mapped: %s", (unsigned long long)linear, w.why);
	assert_int_equal(w.gpa, gpa);
	assert_int_equal(w.page_size, size);
	assert_int_equal(w.steps, steps);
}

static void expect_fault(struct fixture *f, uint64_t linear, unsigned steps, const char *why)
{
	struct vmm_walk w;

	vmm_walk(f->m, &f->s, linear, &w);
	assert_false(w.mapped);
	assert_int_equal(w.steps, steps);
	assert_string_equal(w.why, why);
}

static void test_off(void **state)
{
	struct fixture *f = *state;

	f->s.cr0 = 0;
	expect(f, 0x12345, 0x12345, 0, 0);
	expect(f, 0x100000000, 0, 0, 0); /* 32 bits are all there are */
}

static void test_32(void **state)
{
	struct fixture *f = *state;

	f->s.cr3 = 0x10018;                   /* PWT and PCD are no address bits */
	put32(f, 0x10000 + 0x345 * 4, 0x11007); /* linear bits 31:22 = 0x345 */
	put32(f, 0x11000 + 0x2bc * 4, 0x56067); /* bits 21:12 = 0x2bc */
	expect(f, 0xd16bcdef, 0x56def, 4096, 2);
	expect_fault(f, 0xd16bddef, 2, "the PTE is not present (P = 0)");
	expect_fault(f, 0x0, 1, "the PDE is not present (P = 0)");
	/* PS counts with CR4.PSE alone; bits 20:13 are address bits 39:32 */
	put32(f, 0x10000, 0x00d06083);
	expect_fault(f, 0x1234, 2, "the PTE lies outside the guest's memory");
	f->s.cr4 = CR4_PSE;
	expect(f, 0x1234, 0x8300c01234, 1 << 22, 1);
	put32(f, 0x10000, 0x00e00083);
	expect_fault(f, 0x1234, 1, "the PDE has a reserved bit set");
}

static void test_pae(void **state)
{
	struct fixture *f = *state;

	f->s.cr4 = CR4_PAE;
	f->s.cr3 = 0x10020;                     /* 32-byte aligned */
	put64(f, 0x10020 + 3 * 8, 0x11001);     /* PDPTE 3 */
	put64(f, 0x11000 + 0x8b * 8, 0x12003);  /* bits 29:21 */
	put64(f, 0x12000 + 0xbc * 8, 0x56003);  /* bits 20:12 */
	expect(f, 0xd16bcdef, 0x56def, 4096, 3);
	put64(f, 0x11000 + 0x8b * 8, 0x00400083);
	expect(f, 0xd16bcdef, 0x4bcdef, 1 << 21, 2);
	put64(f, 0x10020 + 3 * 8, 0x11003);
	expect_fault(f, 0xd16bcdef, 1, "the PDPTE has a reserved bit set");
	expect_fault(f, 0, 1, "the PDPTE is not present (P = 0)");
}

static void test_4_levels(void **state)
{
	struct fixture *f = *state;
	struct vmm_walk w;
	/* indices 0x1ff, 0x1fe, 0x001, 0x123 */
	const uint64_t linear = 0xffffffff80323456;

	f->s.cr4 = CR4_PAE;
	f->s.efer = EFER_LME | EFER_LMA | EFER_NXE;
	f->s.cr3 = 0x10000;
	put64(f, 0x10000 + 0x1ff * 8, 0x11007);
	put64(f, 0x11000 + 0x1fe * 8, 0x12007);
	put64(f, 0x12000 + 0x001 * 8, 0x13007);
	put64(f, 0x13000 + 0x123 * 8, 0x45067);
	expect(f, linear, 0x45456, 4096, 4);
	vmm_walk(f->m, &f->s, linear, &w);
	assert_true(w.writable && w.user && !w.nx);
	assert_int_equal(w.step[1].entry_gpa, 0x11ff0);
	assert_string_equal(w.step[1].level, "PDPTE");
	/* rights are what all levels allow */
	put64(f, 0x11000 + 0x1fe * 8, 0x12005 | PTE_NX);
	vmm_walk(f->m, &f->s, linear, &w);
	assert_true(!w.writable && w.user && w.nx);
	put64(f, 0x12000 + 0x001 * 8, 0x13003);
	vmm_walk(f->m, &f->s, linear, &w);
	assert_false(w.user);
	f->s.efer &= ~EFER_NXE;
	expect_fault(f, linear, 2, "the PDPTE has a reserved bit set");
	/* large pages */
	put64(f, 0x11000 + 0x1fe * 8, 0x12007);
	put64(f, 0x12000 + 0x001 * 8, 0x40e00083 | 1 << 12); /* PAT is bit 12 there */
	expect(f, linear, 0x40f23456, 1 << 21, 3);
	put64(f, 0x12000 + 0x001 * 8, 0x40e02083);
	expect_fault(f, linear, 3, "the PDE has a reserved bit set");
	put64(f, 0x11000 + 0x1fe * 8, 0x80000083);
	expect(f, linear, 0x80323456, 1 << 30, 2);
	put64(f, 0x10000 + 0x1ff * 8, 0x11087);
	expect_fault(f, linear, 1, "the PML4E has a reserved bit set");
	put64(f, 0x10000 + 0x1ff * 8, 0x7fffffffff007);
	expect_fault(f, linear, 2, "the PDPTE lies outside the guest's memory");
	expect_fault(f, 1ull << 47, 0, "the address is not canonical");
	f->s.cr3 = 1 << 20;
	expect_fault(f, 0, 1, "the PML4E lies outside the guest's memory");
}

static void test_5_levels(void **state)
{
	struct fixture *f = *state;
	const uint64_t linear = 0x00ab8000deadb000; /* beyond 48 bits */

	f->s.cr4 = CR4_PAE | CR4_LA57;
	f->s.efer = EFER_LME | EFER_LMA;
	f->s.cr3 = 0x10000;
	put64(f, 0x10000 + (linear >> 48 & 511) * 8, 0x11007);
	put64(f, 0x11000 + (linear >> 39 & 511) * 8, 0x12007);
	put64(f, 0x12000 + (linear >> 30 & 511) * 8, 0x13007);
	put64(f, 0x13000 + (linear >> 21 & 511) * 8, 0x14007);
	put64(f, 0x14000 + (linear >> 12 & 511) * 8, 0x77007);
	expect(f, linear, 0x77000, 4096, 5);
	f->s.cr4 = CR4_PAE;
	expect_fault(f, linear, 0, "the address is not canonical");
}

static void test_read_linear(void **state)
{
	struct fixture *f = *state;
	char buf[0x3000];

	f->s.cr4 = CR4_PAE;
	f->s.efer = EFER_LME | EFER_LMA;
	f->s.cr3 = 0x10000;
	put64(f, 0x10000, 0x11007);
	put64(f, 0x11000, 0x12007);
	put64(f, 0x12000, 0x13007);
	put64(f, 0x13000 + 8, 0x40007);     /* 0x1000 -> 0x40000 */
	put64(f, 0x13000 + 16, 0x30007);    /* 0x2000 -> 0x30000 */
	memset(vmm_ram(f->m, 0x40000, 0x1000), 'a', 0x1000);
	memset(vmm_ram(f->m, 0x30000, 0x1000), 'b', 0x1000);
	assert_int_equal(vmm_read_linear(f->m, &f->s, 0x1ffe, buf, 4), 4);
	assert_memory_equal(buf, "aabb", 4);
	assert_int_equal(vmm_read_linear(f->m, &f->s, 0x1000, buf, sizeof(buf)), 0x2000);
	assert_int_equal(vmm_read_linear(f->m, &f->s, 0, buf, 1), 0);
	assert_int_equal(vmm_read_linear(f->m, &f->s, ~0ull - 2, buf, 8), 0);
}

static void test_format(void **state)
{
	struct fixture *f = *state;
	rs_auto_str text = RS_STR_INIT;
	struct vmm_walk w;

	f->s.cr4 = CR4_PAE;
	f->s.efer = EFER_LME | EFER_LMA;
	f->s.cr3 = 0x10000;
	put64(f, 0x10000, 0x11007);
	put64(f, 0x11000, 0x12007);
	put64(f, 0x12000, 0x00200085);
	vmm_walk(f->m, &f->s, 0x1234, &w);
	vmm_walk_format(&w, 0x1234, &text);
	assert_string_equal(text.p,
			    "0x1234\n"
			    "  PML4E at 000010000 = 0000000000011007  P W U\n"
			    "  PDPTE at 000011000 = 0000000000012007  P W U\n"
			    "  PDE   at 000012000 = 0000000000200085  P - U PS\n"
			    "  -> physical 0x201234 (2M page), user, read-only, executable\n");
	rs_str_clear(&text);
	vmm_walk(f->m, &f->s, 0x200000, &w);
	vmm_walk_format(&w, 0x200000, &text);
	assert_non_null(strstr(text.p, "-> not mapped: the PDE is not present (P = 0)"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_off), T(test_32), T(test_pae), T(test_4_levels), T(test_5_levels),
		T(test_read_linear), T(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
