/* The loader: what is right is loaded to the byte, and a file that lies gets one sentence that names
 * the field. */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/machine.h"

struct fixture {
	struct vmm_desc d;
	struct vmm_machine *m;
	struct vmm_image image;
	struct rs_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	vmm_desc_init(&f->d);
	f->m = vmm_machine_new(&f->d, NULL, &f->err);
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

/* A new machine from the (changed) description. */
static void rebuild(struct fixture *f)
{
	vmm_machine_free(f->m);
	f->m = vmm_machine_new(&f->d, NULL, &f->err);
	assert_non_null(f->m);
}

static int load(struct fixture *f, const void *data, size_t n)
{
	f->err = (struct rs_err)RS_ERR_INIT;
	return vmm_load_bytes(f->m, &f->d, data, n, "guest.bin", &f->image, &f->err);
}

static void refuse(struct fixture *f, const void *data, size_t n, int code, const char *why)
{
	assert_int_equal(load(f, data, n), code);
	assert_string_equal(f->err.file, "guest.bin");
	if (!strstr(f->err.text[RS_LANG_EN], why))
		fail_msg("\"%s\" does not say \"%s\"", f->err.text[RS_LANG_EN], why);
	for (const char *p = vmm_ram(f->m, VMM_LOAD_DEFAULT, 0x1000), *e = p + 0x1000; p && p < e; p++)
		assert_int_equal(*p, 0); /* nothing half-done */
}

/* ---- flat ---- */

static void test_flat(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "\xf4\x90", 2), 0);
	assert_int_equal(f->image.entry, VMM_LOAD_DEFAULT);
	assert_int_equal(f->image.parts, 1);
	assert_int_equal(f->image.part[0].gpa, VMM_LOAD_DEFAULT);
	assert_int_equal(f->image.part[0].size, 2);
	assert_false(f->image.elf);
	assert_memory_equal(vmm_ram(f->m, VMM_LOAD_DEFAULT, 3), "\xf4\x90", 3);
}

static void test_flat_bad(void **state)
{
	struct fixture *f = *state;
	size_t big = f->d.memory - VMM_LOAD_DEFAULT + 1;
	char *zeros = calloc(1, big);

	refuse(f, "", 0, -ENOEXEC, "empty");
	refuse(f, zeros, big, -EFBIG, "does not fit");
	assert_int_equal(load(f, zeros, big - 1), 0);
	f->d.load = VMM_TABLES_BASE - 1;
	refuse(f, zeros, 2, -ENOEXEC, "tables");
	assert_int_equal(load(f, zeros, 1), 0);
	f->d.load = VMM_TABLES_END;
	assert_int_equal(load(f, zeros, 1), 0);
	f->d.entry = VMM_ENTRY_REAL16; /* no tables there: the boot sector's place is free */
	f->d.load = 0x7c00;
	assert_int_equal(load(f, zeros, 512), 0);
	f->d.load = ~0ull;
	refuse(f, zeros, 2, -EFBIG, "does not fit");
	f->d.load = 0;
	f->d.holes = 1;
	f->d.hole[0] = (struct vmm_hole){0x11000, 0x1000};
	rebuild(f);
	refuse(f, zeros, 0x1001, -EFBIG, "hole");
	assert_int_equal(load(f, zeros, 0x1000), 0);
	free(zeros);
}

/* ---- ELF ---- */

struct elf64 {
	Elf64_Ehdr h;
	Elf64_Phdr p[2];
	unsigned char text[32];
};

static struct elf64 good64(void)
{
	struct elf64 e = {
		.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		      .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		      .e_entry = 0x10004, .e_phoff = offsetof(struct elf64, p),
		      .e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2},
		.p = {{.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = offsetof(struct elf64, text),
		       .p_vaddr = 0x10000, .p_paddr = 0x10000, .p_filesz = 16, .p_memsz = 16},
		      {.p_type = PT_LOAD, .p_flags = PF_R | PF_W,
		       .p_offset = offsetof(struct elf64, text) + 16, .p_vaddr = 0x20000,
		       .p_paddr = 0x20000, .p_filesz = 16, .p_memsz = 64}},
	};

	memset(e.text, 0x90, 16);
	memset(e.text + 16, 0xab, 16);
	return e;
}

static void test_elf(void **state)
{
	struct fixture *f = *state;
	struct elf64 e = good64();
	const unsigned char *data;

	assert_int_equal(load(f, &e, sizeof(e)), 0);
	assert_true(f->image.elf);
	assert_int_equal(f->image.entry, 0x10004);
	assert_int_equal(f->image.parts, 2);
	assert_int_equal(f->image.part[1].gpa, 0x20000);
	assert_int_equal(f->image.part[1].size, 64);
	assert_memory_equal(vmm_ram(f->m, 0x10000, 16), e.text, 16);
	data = vmm_ram(f->m, 0x20000, 64);
	assert_memory_equal(data, e.text + 16, 16);
	assert_int_equal(data[16], 0);
	/* linked for a high address, loaded low: the guest starts where it was loaded */
	e.p[0].p_vaddr = e.h.e_entry = 0xffffffff80010000;
	e.h.e_entry += 4;
	assert_int_equal(load(f, &e, sizeof(e)), 0);
	assert_int_equal(f->image.entry, 0x10004);
}

static void test_elf32(void **state)
{
	struct fixture *f = *state;
	struct {
		Elf32_Ehdr h;
		Elf32_Phdr p;
		unsigned char text[4];
	} e = {
		.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
		      .e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
		      .e_entry = 0x10000, .e_phoff = sizeof(Elf32_Ehdr),
		      .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1},
		.p = {.p_type = PT_LOAD, .p_offset = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
		      .p_vaddr = 0x10000, .p_paddr = 0x10000, .p_filesz = 4, .p_memsz = 4},
		.text = {0xf4, 1, 2, 3},
	};

	refuse(f, &e, sizeof(e), -ENOEXEC, "long64");
	f->d.entry = VMM_ENTRY_PROT32;
	assert_int_equal(load(f, &e, sizeof(e)), 0);
	assert_memory_equal(vmm_ram(f->m, 0x10000, 4), e.text, 4);
	e.h.e_machine = EM_ARM;
	e.text[0] = 0;
	assert_int_equal(load(f, &e, sizeof(e)), -ENOEXEC);
	assert_non_null(strstr(f->err.text[RS_LANG_EN], "e_machine (offset 0x12) is 40"));
}

struct lie {
	const char *says;
	int code;
	void (*tell)(struct elf64 *e);
};

#define LIES(X)                                                                                    \
	X(class, "EI_CLASS", -ENOEXEC, e->h.e_ident[EI_CLASS] = 3)                                 \
	X(data, "EI_DATA", -ENOEXEC, e->h.e_ident[EI_DATA] = ELFDATA2MSB)                          \
	X(ident, "EI_VERSION", -ENOEXEC, e->h.e_ident[EI_VERSION] = 0)                             \
	X(machine, "e_machine (offset 0x12) is 183", -ENOEXEC, e->h.e_machine = EM_AARCH64)        \
	X(object, "object file", -ENOEXEC, e->h.e_type = ET_REL)                                   \
	X(pie, "no-pie", -ENOEXEC, e->h.e_type = ET_DYN)                                           \
	X(core, "e_type", -ENOEXEC, e->h.e_type = ET_CORE)                                         \
	X(version, "e_version", -ENOEXEC, e->h.e_version = 9)                                      \
	X(phnum0, "e_phnum", -ENOEXEC, e->h.e_phnum = 0)                                           \
	X(phnum, "65535 program headers", -ENOEXEC, e->h.e_phnum = 0xffff)                         \
	X(phentsize, "e_phentsize", -ENOEXEC, e->h.e_phentsize = 32)                               \
	X(phoff, "beyond the end", -ENOEXEC, e->h.e_phoff = ~0ull - 8)                             \
	X(phoff_end, "beyond the end", -ENOEXEC, e->h.e_phoff = sizeof(*e) - 8)                    \
	X(interp, "PT_INTERP", -ENOEXEC, e->p[1].p_type = PT_INTERP)                               \
	X(dynamic, "PT_DYNAMIC", -ENOEXEC, e->p[1].p_type = PT_DYNAMIC)                            \
	X(filesz, "larger than p_memsz", -ENOEXEC, e->p[0].p_filesz = 17)                          \
	X(offset, "program header 0: 0x10 bytes at p_offset", -ENOEXEC, e->p[0].p_offset = sizeof(*e)) \
	X(offset_wrap, "p_offset", -ENOEXEC, e->p[0].p_offset = ~0ull - 4)                         \
	X(wrap, "wraps", -ENOEXEC, e->p[0].p_paddr = ~0ull - 4)                                    \
	X(vwrap, "wraps", -ENOEXEC, e->p[0].p_vaddr = ~0ull - 4)                                   \
	X(memsz, "program header 1", -EFBIG, e->p[1].p_memsz = 1ull << 40)                         \
	X(outside, "do not fit", -EFBIG, e->p[1].p_paddr = 4 << 20)                                \
	X(tables, "tables", -ENOEXEC, e->p[1].p_paddr = VMM_TABLES_END - 1)                        \
	X(overlap, "0 and 1 load to the same memory at 0x1000f", -ENOEXEC, e->p[1].p_paddr = 0x1000f) \
	X(no_load, "PT_LOAD", -ENOEXEC, e->p[0].p_type = e->p[1].p_type = PT_NOTE)                 \
	X(empty, "PT_LOAD", -ENOEXEC,                                                              \
	  e->p[0].p_filesz = e->p[0].p_memsz = e->p[1].p_filesz = e->p[1].p_memsz = 0)             \
	X(entry, "e_entry", -ENOEXEC, e->h.e_entry = 0x30000)                                      \
	X(entry_end, "e_entry", -ENOEXEC, e->h.e_entry = 0x10010)
#define X(id, says, code, what)                                                                    \
	static void tell_##id(struct elf64 *e)                                                     \
	{                                                                                          \
		what;                                                                              \
	}
LIES(X)
#undef X
#define X(id, says, code, what) {says, code, tell_##id},
static const struct lie lies[] = {LIES(X)};
#undef X

static void test_lies(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct elf64 e = good64();

		lies[i].tell(&e);
		refuse(f, &e, sizeof(e), lies[i].code, lies[i].says);
	}
}

static void test_truncated(void **state)
{
	struct fixture *f = *state;
	struct elf64 e = good64();

	for (size_t n = SELFMAG; n < sizeof(e); n++)
		assert_int_equal(load(f, &e, n), -ENOEXEC);
}

static void test_too_many_segments(void **state)
{
	struct fixture *f = *state;
	enum { N = VMM_IMAGE_PARTS_MAX + 1 };
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p[N];
	} *e = calloc(1, sizeof(*e));

	e->h = good64().h;
	e->h.e_phnum = N;
	for (unsigned i = 0; i < N; i++)
		e->p[i] = (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 0x10000 + i * 16,
				       .p_paddr = 0x10000 + i * 16, .p_memsz = 16};
	refuse(f, e, sizeof(*e), -ENOEXEC, "more than 64");
	e->h.e_phnum = N - 1;
	assert_int_equal(load(f, e, sizeof(*e)), 0);
	free(e);
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/ringside-load-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\xf4", 1), 1);
	close(fd);
	f->d.image = path;
	assert_int_equal(vmm_load(f->m, &f->d, &f->image, &f->err), 0);
	assert_int_equal(*(unsigned char *)vmm_ram(f->m, VMM_LOAD_DEFAULT, 1), 0xf4);
	unlink(path);
	assert_int_equal(vmm_load(f->m, &f->d, &f->image, &f->err), -ENOENT);
	f->d.image = "/tmp";
	assert_true(vmm_load(f->m, &f->d, &f->image, &f->err) < 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_flat), T(test_flat_bad), T(test_elf), T(test_elf32), T(test_lies),
		T(test_truncated), T(test_too_many_segments), T(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
