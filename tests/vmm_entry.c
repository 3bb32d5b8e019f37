/* Entry modes: the tables in guest memory, read back as bytes, and the constants that guests use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/cleanup.h"
#include "vmm/machine.h"

struct fixture {
	struct vmm_desc d;
	struct vmm_machine *m;
	struct vmm_cpu_state s;
	struct rs_err err;
};

static void enter(struct fixture *f, uint64_t entry)
{
	f->err = (struct rs_err)RS_ERR_INIT;
	f->m = vmm_machine_new(&f->d, NULL, &f->err);
	assert_non_null(f->m);
	assert_int_equal(vmm_entry_setup(f->m, &f->d, entry, &f->s, &f->err), 0);
}

static uint64_t read64(const struct fixture *f, uint64_t gpa)
{
	uint64_t v;

	memcpy(&v, vmm_ram(f->m, gpa, 8), 8);
	return v;
}

/* Descriptors as Linux writes them for flat segments, accessed: an oracle from elsewhere
 * (arch/x86 GDT entries 0xa09b, 0xc093, 0xc0f3, 0xa0fb with base 0 and limit 0xfffff). */
static uint64_t flat_descriptor(unsigned flags)
{
	return 0x000f00000000ffff | (uint64_t)(flags & 0xff) << 40 | (uint64_t)(flags >> 12) << 52;
}

static void test_gdt64(void **state)
{
	struct fixture f;
	const unsigned char *tss;

	(void)state;
	vmm_desc_init(&f.d);
	enter(&f, 0x10000);
	assert_int_equal(read64(&f, VMM_GDT), 0);
	assert_int_equal(read64(&f, VMM_GDT + 0x08), flat_descriptor(0xa09b));
	assert_int_equal(read64(&f, VMM_GDT + 0x10), flat_descriptor(0xc093));
	assert_int_equal(read64(&f, VMM_GDT + 0x18), flat_descriptor(0xc0f3));
	assert_int_equal(read64(&f, VMM_GDT + 0x20), flat_descriptor(0xa0fb));
	/* TSS: limit 103, base 0x1100, present, busy 64-bit TSS */
	assert_int_equal(read64(&f, VMM_GDT + 0x28), 0x00008b0011000067);
	assert_int_equal(read64(&f, VMM_GDT + 0x30), 0);
	assert_int_equal(f.s.gdt_base, VMM_GDT);
	assert_int_equal(f.s.gdt_limit, 7 * 8 - 1);
	assert_int_equal(f.s.tr.selector, VMM_SEL_TSS);
	tss = vmm_ram(f.m, VMM_TSS, 104);
	assert_int_equal(read64(&f, VMM_TSS + 4), VMM_STACK0_TOP);
	assert_int_equal(tss[102] | tss[103] << 8, 104);
	assert_int_equal(f.s.idt_base, VMM_IDT);
	assert_int_equal(f.s.idt_limit, 4095);
	for (unsigned i = 0; i < 4096; i += 8)
		assert_int_equal(read64(&f, VMM_IDT + i), 0);
	vmm_machine_free(f.m);
}

static void test_gdt32(void **state)
{
	struct fixture f;

	(void)state;
	vmm_desc_init(&f.d);
	f.d.entry = VMM_ENTRY_PROT32;
	enter(&f, 0x10000);
	assert_int_equal(read64(&f, VMM_GDT + 0x08), flat_descriptor(0xc09b));
	assert_int_equal(read64(&f, VMM_GDT + 0x20), flat_descriptor(0xc0fb));
	assert_int_equal(f.s.gdt_limit, 6 * 8 - 1);
	assert_int_equal(f.s.idt_limit, 2047);
	assert_int_equal((uint32_t)read64(&f, VMM_TSS + 4), VMM_STACK0_TOP); /* ESP0 */
	assert_int_equal((uint16_t)read64(&f, VMM_TSS + 8), VMM_SEL_DATA0);  /* SS0 */
	assert_int_equal(f.s.cr0 & (CR0_PE | CR0_PG), CR0_PE);
	vmm_machine_free(f.m);
}

/* What SYSCALL and SYSRET make of STAR (SDM vol. 2B) are the monitor's selectors. */
static void test_star(void **state)
{
	(void)state;
	assert_int_equal(VMM_STAR_HIGH & 0xfffc, VMM_SEL_CODE0);
	assert_int_equal((VMM_STAR_HIGH & 0xffff) + 8, VMM_SEL_DATA0);
	assert_int_equal(((VMM_STAR_HIGH >> 16) + 16) | 3, VMM_SEL_CODE3);
	assert_int_equal((VMM_STAR_HIGH >> 16) + 8, VMM_SEL_DATA3);
}

static void test_tables_do_not_meet(void **state)
{
	static const struct { uint32_t at, end; } part[] = {
		{VMM_TABLES_BASE, VMM_TABLES_BASE}, {VMM_GDT, VMM_GDT + 56}, {VMM_TSS, VMM_TSS + 104},
		{VMM_IDT, VMM_IDT + 4096}, {VMM_STACK0_TOP - 4096, VMM_STACK0_TOP},
		{VMM_STACK_TOP - 4096, VMM_STACK_TOP}, {VMM_PAGE_TABLES, VMM_TABLES_END},
		{VMM_STACK3_TOP - 4096, VMM_STACK3_TOP}, {VMM_LOAD_DEFAULT, ~0u},
	};

	(void)state;
	for (unsigned i = 1; i < sizeof(part) / sizeof(part[0]); i++)
		assert_true(part[i - 1].end <= part[i].at);
}

static void check_map(uint64_t memory, bool user)
{
	struct fixture f;

	vmm_desc_init(&f.d);
	f.d.memory = memory;
	f.d.user_pages = user;
	enter(&f, 0x10000);
	for (uint64_t gpa = 0; gpa < memory; gpa += memory > (64 << 20) ? 0x7f000 : 0x1000) {
		struct vmm_walk w;

		vmm_walk(f.m, &f.s, gpa + 5, &w);
		assert_true(w.mapped && w.writable && !w.nx);
		assert_int_equal(w.gpa, gpa + 5);
		assert_int_equal(w.user, user && gpa >= VMM_TABLES_END);
		assert_int_equal(w.page_size, gpa < 0x200000 || gpa >= (memory & ~0x1fffffull) ?
						      0x1000 : 0x200000);
	}
	for (uint64_t beyond = memory; beyond < memory + 0x400000; beyond += 0x1000) {
		struct vmm_walk w;

		vmm_walk(f.m, &f.s, beyond, &w);
		assert_false(w.mapped);
	}
	vmm_machine_free(f.m);
}

static void test_identity_map(void **state)
{
	(void)state;
	check_map(VMM_MEMORY_MIN, true);
	check_map(4 << 20, true);
	check_map(4 << 20, false);
	check_map((8 << 20) + 0x3000, true);
	check_map(VMM_MEMORY_MAX, true);
	check_map(VMM_MEMORY_MAX - 0x1000, false);
}

/* A hole is mapped: the access shall leave the guest, not fault in it. */
static void test_hole_is_mapped(void **state)
{
	struct fixture f;
	struct vmm_walk w;

	(void)state;
	vmm_desc_init(&f.d);
	f.d.holes = 1;
	f.d.hole[0] = (struct vmm_hole){0x200000, 0x1000};
	enter(&f, 0x10000);
	assert_null(vmm_ram(f.m, 0x200000, 1));
	vmm_walk(f.m, &f.s, 0x200010, &w);
	assert_true(w.mapped);
	assert_int_equal(w.gpa, 0x200010);
	vmm_machine_free(f.m);
}

static void test_hole_in_tables(void **state)
{
	struct fixture f;

	(void)state;
	vmm_desc_init(&f.d);
	f.d.holes = 1;
	for (uint64_t at = VMM_TABLES_BASE; at < VMM_TABLES_END; at += 0x1000) {
		int r;

		f.d.hole[0] = (struct vmm_hole){at, 0x1000};
		f.err = (struct rs_err)RS_ERR_INIT;
		f.m = vmm_machine_new(&f.d, NULL, &f.err);
		assert_non_null(f.m);
		r = vmm_entry_setup(f.m, &f.d, 0x10000, &f.s, &f.err);
		if (r) {
			assert_int_equal(r, -22);
			assert_non_null(strstr(f.err.text[RS_LANG_EN], "hole"));
		}
		/* GDT, IDT and the first five pages of page tables are needed for certain */
		if (at <= VMM_IDT || (at >= VMM_PAGE_TABLES && at < VMM_PAGE_TABLES + 0x4000))
			assert_int_equal(r, -22);
		vmm_machine_free(f.m);
	}
}

static void test_real16(void **state)
{
	struct fixture f;

	(void)state;
	vmm_desc_init(&f.d);
	f.d.entry = VMM_ENTRY_REAL16;
	enter(&f, 0x10008);
	assert_int_equal(f.s.cs.base + f.s.rip, 0x10008);
	assert_int_equal(f.s.cs.selector, 0x1000);
	assert_int_equal(f.s.rip, 8);
	assert_int_equal(vmm_cpl(&f.s), 0);
	assert_int_equal(vmm_mode_bits(&f.s), 16);
	for (unsigned i = VMM_TABLES_BASE; i < VMM_TABLES_END; i += 8)
		assert_int_equal(read64(&f, i), 0);
	assert_int_not_equal(vmm_entry_setup(f.m, &f.d, 0x100000, &f.s, &f.err), 0);
	assert_non_null(strstr(f.err.text[RS_LANG_EN], "0x100000"));
	vmm_machine_free(f.m);
}

static void test_without_tables(void **state)
{
	struct fixture f;

	(void)state;
	vmm_desc_init(&f.d);
	f.d.tables = false;
	enter(&f, 0x10000);
	assert_int_equal(f.s.gdt_limit, 3 * 8 - 1);
	assert_int_equal(f.s.idt_limit, 0);
	assert_int_equal(read64(&f, VMM_GDT + 0x18), 0);
	assert_int_equal(read64(&f, VMM_TSS + 4), 0);
	assert_int_equal(vmm_mode_bits(&f.s), 64);
	vmm_machine_free(f.m);
}

/* ---- the state in its other shapes ---- */

static void test_cpu_to_regs(void **state)
{
	static const char *const gpr[GPRS] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
					      "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"};
	struct vmm_cpu_state s = {
		.rip = 0x20, .rflags = 0x21, .cr0 = CR0_PE | 0x4000, .cr2 = 0x23, .cr3 = 0x24,
		.cr4 = 0x25, .efer = 0x26, .cs.selector = 0x27, .ss = {.selector = 0x28, .dpl = 3},
		.ds.selector = 0x29, .es.selector = 0x2a, .fs.selector = 0x2b, .gs.selector = 0x2c,
		.tr.selector = 0x2d, .ldtr.selector = 0x2e, .gdt_base = 0x2f, .idt_base = 0x30,
		.gdt_limit = 0x31, .idt_limit = 0x32,
	};
	const struct { const char *name; uint64_t value; } want[] = {
		{"RIP", 0x20}, {"RFLAGS", 0x21}, {"CPL", 3}, {"CR0", s.cr0}, {"CR2", 0x23},
		{"CR3", 0x24}, {"CR4", 0x25}, {"EFER", 0x26}, {"CS", 0x27}, {"SS", 0x28}, {"DS", 0x29},
		{"ES", 0x2a}, {"FS", 0x2b}, {"GS", 0x2c}, {"TR", 0x2d}, {"LDTR", 0x2e},
		{"GDTR", 0x2f}, {"IDTR", 0x30}, {"GDTL", 0x31}, {"IDTL", 0x32},
	};
	struct rs_x86_regs regs;
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < GPRS; i++)
		s.gpr[i] = 0x100 + i;
	vmm_cpu_to_regs(&s, &regs);
	for (unsigned i = 0; i < rs_x86_reg_count; i++) {
		uint64_t v;

		memcpy(&v, (char *)&regs + rs_x86_reg_infos[i].offset, 8);
		for (unsigned k = 0; k < GPRS; k++)
			if (!strcmp(gpr[k], rs_x86_reg_infos[i].name)) {
				assert_int_equal(v, 0x100 + k);
				seen++;
			}
		for (unsigned k = 0; k < sizeof(want) / sizeof(want[0]); k++)
			if (!strcmp(want[k].name, rs_x86_reg_infos[i].name)) {
				assert_int_equal(v, want[k].value);
				seen++;
			}
	}
	assert_int_equal(seen, rs_x86_reg_count);
}

/* ---- labs/include/lab.inc has the same numbers ---- */

static const struct {
	const char *name;
	unsigned long value;
} constants[] = {
	{"GDT", VMM_GDT}, {"TSS", VMM_TSS}, {"IDT", VMM_IDT}, {"STACK0_TOP", VMM_STACK0_TOP},
	{"STACK_TOP", VMM_STACK_TOP}, {"PAGE_TABLES", VMM_PAGE_TABLES},
	{"STACK3_TOP", VMM_STACK3_TOP}, {"LOAD", VMM_LOAD_DEFAULT}, {"SEL_CODE0", VMM_SEL_CODE0},
	{"SEL_DATA0", VMM_SEL_DATA0}, {"SEL_DATA3", VMM_SEL_DATA3}, {"SEL_CODE3", VMM_SEL_CODE3},
	{"SEL_TSS", VMM_SEL_TSS}, {"COM1", VMM_PORT_COM1}, {"DEBUGCON", VMM_PORT_DEBUGCON},
	{"DEBUG_EXIT", VMM_PORT_DEBUG_EXIT}, {"HYPERCALL", VMM_PORT_HYPERCALL},
	{"MSR_EFER", MSR_EFER}, {"MSR_STAR", MSR_STAR}, {"MSR_LSTAR", MSR_LSTAR},
	{"MSR_FMASK", MSR_FMASK}, {"STAR_HIGH", VMM_STAR_HIGH},
};
#define N_CONSTANTS (sizeof(constants) / sizeof(constants[0]))

static void test_lab_inc(void **state)
{
	rs_auto_fclose FILE *f = fopen("labs/include/lab.inc", "re");
	char line[256];
	unsigned seen = 0;

	(void)state;
	if (!f)
		skip(); /* not run from the top of the tree */
	while (fgets(line, sizeof(line), f)) {
		char name[32];
		unsigned long value;
		unsigned i = 0;

		if (sscanf(line, "#define %31s %li", name, (long *)&value) != 2)
			continue;
		while (i < N_CONSTANTS && strcmp(constants[i].name, name))
			i++;
		if (i == N_CONSTANTS)
			fail_msg("lab.inc defines %s, the monitor does not", name);
		if (constants[i].value != value)
			fail_msg("lab.inc says %s = 0x%lx, the monitor 0x%lx", name, value,
				 constants[i].value);
		seen++;
	}
	assert_int_equal(seen, N_CONSTANTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gdt64), cmocka_unit_test(test_gdt32),
		cmocka_unit_test(test_star), cmocka_unit_test(test_tables_do_not_meet),
		cmocka_unit_test(test_identity_map), cmocka_unit_test(test_hole_is_mapped),
		cmocka_unit_test(test_hole_in_tables), cmocka_unit_test(test_real16),
		cmocka_unit_test(test_without_tables), cmocka_unit_test(test_cpu_to_regs),
		cmocka_unit_test(test_lab_inc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
