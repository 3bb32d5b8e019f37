/* What a PC is started with: a Linux kernel by the boot protocol, its parameters and ACPI tables as the documents
 * have them (boot.rst, zero-page.rst, ACPI 6.4), firmware and its shadow, and kernels that lie. No KVM.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/cleanup.h"
#include "vmm/machine.h"

static struct vmm_machine *m;
static struct vmm_desc d;
static struct vmm_image image;
static struct rs_err err;
static uint8_t kernel[0x3000];
static char path[64];

static void put(unsigned at, unsigned size, uint64_t v)
{
	memcpy(kernel + at, &v, size);
}

static uint64_t get(uint64_t gpa, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, vmm_ram(m, gpa, size), size);
	return v;
}

static void write_file(const void *data, size_t n)
{
	int fd;

	strcpy(path, "/tmp/ringside-boot-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	memset(kernel, 0, sizeof(kernel));
	memset(&image, 0, sizeof(image));
	err = (struct rs_err)RS_ERR_INIT;
	put(0x1f1, 1, 1);         /* one sector of setup: the kernel begins at 0x400 */
	put(0x1fe, 2, 0xaa55);
	put(0x200, 2, 0x66eb);
	memcpy(kernel + 0x202, "HdrS", 4);
	put(0x206, 2, 0x20f);
	put(0x22c, 4, 0x7fffffff);
	put(0x236, 2, 1);
	put(0x238, 4, 255);
	put(0x258, 8, 0x1000000);
	put(0x260, 4, 0x200000);
	memset(kernel + 0x400, 0xc3, sizeof(kernel) - 0x400);
	vmm_desc_init(&d);
	d.pc = true;
	d.memory = 64ull << 20;
	d.append = "console=ttyS0 quiet";
	m = vmm_machine_new(&d, NULL, &err);
	assert_non_null(m);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vmm_machine_free(m);
	if (path[0])
		unlink(path);
	path[0] = 0;
	return 0;
}

static int load(size_t n)
{
	return vmm_load_bytes(m, &d, kernel, n, "vmlinuz", &image, &err);
}

static void boots(void **state)
{
	struct vmm_cpu_state s;
	static const char disk[] = "a RAM disk";

	(void)state;
	write_file(disk, sizeof(disk));
	d.initrd = path;
	assert_int_equal(load(sizeof(kernel)), 0);
	assert_int_equal(image.entry, 0x1000200);
	assert_int_equal(image.boot_params, 0x10000);
	assert_int_equal(get(0x1000000, 1), 0xc3);
	assert_int_equal(image.part[0].size, sizeof(kernel) - 0x400);
	/* boot_params: the header and what a loader fills in */
	assert_memory_equal(vmm_ram(m, 0x10202, 4), "HdrS", 4);
	assert_int_equal(get(0x10210, 1), 0xff);
	assert_string_equal(vmm_ram(m, get(0x10228, 4), 64), "console=ttyS0 quiet");
	assert_int_equal(get(0x10218, 4) % 4096, 0);
	assert_int_equal(get(0x1021c, 4), sizeof(disk));
	assert_memory_equal(vmm_ram(m, get(0x10218, 4), sizeof(disk)), disk, sizeof(disk));
	/* E820: 640 KiB without the last KiB, and from 1 MiB to the end */
	assert_int_equal(get(0x101e8, 1), 4);
	assert_int_equal(get(0x102d0, 8), 0);
	assert_int_equal(get(0x102d8, 8), 0x9fc00);
	assert_int_equal(get(0x102e0, 4), 1);
	assert_int_equal(get(0x102d0 + 60, 8), 0x100000);
	assert_int_equal(get(0x102d0 + 68, 8), (64u << 20) - 0x100000);
	assert_int_equal(vmm_entry_setup(m, &d, image.entry, &s, &err), 0);
	vmm_enter_linux(m, &s);
	assert_int_equal(s.gpr[RSI], 0x10000);
	assert_int_equal(s.cs.selector, 0x10);
	assert_int_equal(s.ds.selector, 0x18);
	assert_int_equal(get(VMM_GDT + 0x10, 8) >> 40 & 0xff, 0x9b); /* 64-bit code */
	assert_int_equal(get(VMM_GDT + 0x18, 8) >> 40 & 0xff, 0x93);
}

static uint8_t sum(uint64_t gpa, unsigned n)
{
	const uint8_t *p = vmm_ram(m, gpa, n);
	uint8_t s = 0;

	for (unsigned i = 0; i < n; i++)
		s = (uint8_t)(s + p[i]);
	return s;
}

static void table(uint64_t gpa, const char *signature)
{
	assert_memory_equal(vmm_ram(m, gpa, 4), signature, 4);
	assert_int_equal(sum(gpa, (unsigned)get(gpa + 4, 4)), 0);
}

static void acpi(void **state)
{
	uint64_t rsdp, xsdt, fadt, madt;

	(void)state;
	assert_int_equal(load(sizeof(kernel)), 0);
	rsdp = get(0x10070, 8);
	assert_in_range(rsdp, 0xe0000, 0xfffff);
	assert_memory_equal(vmm_ram(m, rsdp, 8), "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	xsdt = get(rsdp + 24, 8);
	table(xsdt, "XSDT");
	fadt = get(xsdt + 36, 8);
	madt = get(xsdt + 44, 8);
	table(fadt, "FACP");
	table(madt, "APIC");
	table(get(fadt + 140, 8), "DSDT");
	assert_int_equal(get(fadt + 36, 4) % 64, 0); /* the FACS is aligned */
	assert_int_equal(get(fadt + 64, 4), VMM_PM_BASE + 4); /* PM1a control */
	assert_int_equal(get(fadt + 76, 4), VMM_PM_BASE + 8);
	assert_int_equal(get(fadt + 116 + 4, 8), 0xcf9);
	assert_int_equal(get(madt + 36, 4), VMM_LAPIC_BASE);
	assert_int_equal(get(madt + 44, 2), 0x0800); /* a processor */
	assert_int_equal(get(madt + 52, 2), 0x0c01);
	assert_int_equal(get(madt + 56, 4), VMM_IOAPIC_BASE);
	assert_int_equal(get(madt + 64, 8), 0x200000a02); /* IRQ 0 is pin 2 ... */
}

static void refused(size_t n, int code, const char *word)
{
	err = (struct rs_err)RS_ERR_INIT;
	assert_int_equal(load(n), code);
	if (!strstr(err.text[RS_LANG_EN], word))
		fail_msg("\"%s\" is not in \"%s\"", word, err.text[RS_LANG_EN]);
}

static void liars(void **state)
{
	(void)state;
	put(0x206, 2, 0x20b);
	refused(sizeof(kernel), -ENOEXEC, "0x206");
	put(0x206, 2, 0x20f);
	put(0x236, 2, 0);
	refused(sizeof(kernel), -ENOEXEC, "0x236");
	put(0x236, 2, 1);
	put(0x1f1, 1, 200);
	refused(sizeof(kernel), -ENOEXEC, "0x1f1");
	put(0x1f1, 1, 1);
	put(0x258, 8, 0x80000); /* where the parameters are */
	refused(sizeof(kernel), -EFBIG, "more memory");
	put(0x258, 8, 0xfffffffffffff000);
	refused(sizeof(kernel), -EFBIG, "more memory");
	put(0x258, 8, 0x1000000);
	put(0x260, 4, 0x7f000000);
	refused(sizeof(kernel), -EFBIG, "more memory");
	put(0x260, 4, 0x200000);
	put(0x238, 4, 10);
	refused(sizeof(kernel), -EFBIG, "command line");
	put(0x238, 4, 255);
	put(0x22c, 4, 0x1000000); /* a RAM disk has no room below the kernel's end */
	write_file(kernel, sizeof(kernel));
	d.initrd = path;
	refused(sizeof(kernel), -EFBIG, "RAM disk");
	d.initrd = "/nonexistent";
	refused(sizeof(kernel), -ENOENT, "/nonexistent");
}

static void firmware(void **state)
{
	static uint8_t rom[0x20000];
	struct vmm_cpu_state s;

	(void)state;
	for (unsigned i = 0; i < sizeof(rom); i++)
		rom[i] = (uint8_t)(i >> 8);
	write_file(rom, sizeof(rom));
	vmm_machine_free(m);
	d.entry = VMM_ENTRY_RESET;
	d.image = path;
	m = vmm_machine_new(&d, NULL, &err);
	assert_non_null(m);
	assert_int_equal(vmm_load_firmware(m, &image, &err), 0);
	assert_memory_equal(vmm_ram(m, 0xfffe0000, sizeof(rom)), rom, sizeof(rom));
	assert_memory_equal(vmm_ram(m, 0xe0000, sizeof(rom)), rom, sizeof(rom));
	assert_null(vmm_ram(m, 0xfffdffff, 1));
	assert_true(m->slot[m->slots - 1].readonly);
	assert_int_equal(vmm_entry_setup(m, &d, image.entry, &s, &err), 0);
	assert_int_equal(s.cs.base + s.rip, 0xfffffff0);
	assert_int_equal(s.cr0, 0x60000010);
	vmm_machine_free(m);
	assert_int_equal(truncate(path, 100), 0);
	m = vmm_machine_new(&d, NULL, &err);
	assert_int_equal(vmm_load_firmware(m, &image, &err), -ENOEXEC);
	d.pc = false;
	assert_int_equal(vmm_desc_check(&d, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(boots, setup, teardown),
		cmocka_unit_test_setup_teardown(acpi, setup, teardown),
		cmocka_unit_test_setup_teardown(liars, setup, teardown),
		cmocka_unit_test_setup_teardown(firmware, setup, teardown),
	};

	return cmocka_run_group_tests_name("vmm_boot", tests, NULL, NULL);
}
