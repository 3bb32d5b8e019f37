/* What a PC is started with: a Linux kernel, placed as a boot loader does it (Linux
 * Documentation/arch/x86/boot.rst, "64-bit BOOT PROTOCOL"; offsets are of the setup header there), or
 * firmware at the end of the first 4 GiB.
 *
 *   0x00010000  boot_params    0x00020000  command line    0x000e0000  ACPI tables
 *   pref_address or 1 MiB      the kernel, init_size bytes of room
 *   end of RAM                 the RAM disk
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "vmm/machine.h"

#define bad(name, ...) rs_err_at(err, -ENOEXEC, name, 0, 0, __VA_ARGS__)
#define big(name, ...) rs_err_at(err, -EFBIG, name, 0, 0, __VA_ARGS__)
typedef unsigned long long ull;

enum { SETUP_SECTS = 0x1f1, BOOT_FLAG = 0x1fe, JUMP = 0x200, MAGIC = 0x202, VERSION = 0x206, LOADER = 0x210,
       LOADFLAGS = 0x211, RAMDISK = 0x218, RAMDISK_SIZE = 0x21c, CMD_LINE = 0x228, INITRD_MAX = 0x22c,
       XLOADFLAGS = 0x236, CMDLINE_SIZE = 0x238, PREF_ADDRESS = 0x258, INIT_SIZE = 0x260,
       HEADER_END = 0x268 };
/* boot_params (zero-page.rst) */
enum { P_RSDP = 0x070, P_E820_ENTRIES = 0x1e8, P_E820 = 0x2d0, P_SIZE = 0x1000 };
enum { XLF_KERNEL_64 = 1 };
enum { E820_RAM = 1, E820_RESERVED = 2 };
#define PARAMS 0x10000u
#define COMMAND 0x20000u
#define ENTRY_64 0x200u         /* startup_64 lies so far behind the start of the kernel */
#define BOOT_CS 0x10u
#define BOOT_DS 0x18u
#define LOW_RAM_END 0x9fc00u
#define HIGH_RAM 0x100000u
#define ROM_MAX (1u << 20)
#define SHADOW 0x40000u         /* the last 256 KiB of firmware stand at 0xc0000, too: RAM that can be written (pci.c) */

static uint64_t get(const uint8_t *p, unsigned at, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, p + at, size);
	return v;
}

static void put(uint8_t *p, unsigned at, unsigned size, uint64_t v)
{
	memcpy(p + at, &v, size);
}

bool vmm_is_linux(const void *data, size_t n)
{
	return n >= HEADER_END && !memcmp((const char *)data + MAGIC, "HdrS", 4) &&
	       get(data, BOOT_FLAG, 2) == 0xaa55;
}

struct kernel {
	const uint8_t *data;
	uint64_t code, size;    /* offset and bytes of the protected-mode kernel */
	uint64_t at, room;      /* where it goes, bytes that it needs there */
};

static int read_header(const uint8_t *data, size_t n, const char *name, struct kernel *k, struct rs_err *err)
{
	unsigned sects = data[SETUP_SECTS] ? data[SETUP_SECTS] : 4, version = (unsigned)get(data, VERSION, 2);

	if (version < 0x20c)
		return bad(name, N_("the boot protocol (offset 0x206) is version %u.%02u: 2.12 (Linux 3.8) is needed"),
			   version >> 8, version & 0xff);
	if (!(get(data, XLOADFLAGS, 2) & XLF_KERNEL_64))
		return bad(name, N_("xloadflags (offset 0x236) is 0x%x: this kernel has no 64-bit entry"),
			   (unsigned)get(data, XLOADFLAGS, 2));
	*k = (struct kernel){ .data = data, .code = (sects + 1) * 512ull };
	if (k->code >= n)
		return bad(name, N_("setup_sects (offset 0x1f1) is %u, but the file ends at 0x%llx"), sects, (ull)n);
	k->size = n - k->code;
	k->at = get(data, PREF_ADDRESS, 8);
	k->room = get(data, INIT_SIZE, 4);
	k->room = k->room < k->size ? k->size : k->room;
	return 0;
}

static int place_kernel(const struct vmm_machine *m, struct kernel *k, const char *name, struct rs_err *err)
{
	uint8_t *to = k->at >= HIGH_RAM ? vmm_ram(m, k->at, k->room) : NULL;

	if (!to)
		return big(name, N_("the kernel needs 0x%llx bytes at 0x%llx: give the machine more memory"),
			   (ull)k->room, (ull)k->at);
	memcpy(to, k->data + k->code, k->size);
	return 0;
}

/* As high as the kernel and its RAM allow. */
static int place_initrd(const struct vmm_machine *m, const struct vmm_desc *d, const struct kernel *k, uint8_t *params,
			struct vmm_image *out, struct rs_err *err)
{
	uint64_t limit = get(k->data, INITRD_MAX, 4) + 1, at;
	rs_auto_str file = RS_STR_INIT;
	uint8_t *to;
	int r = rs_file_read(d->initrd, d->memory, &file, err);

	if (r)
		return r;
	limit = limit < d->memory ? limit : d->memory;
	at = file.len < limit ? (limit - file.len) & ~4095ull : 0;
	to = at >= k->at + k->room ? vmm_ram(m, at, file.len) : NULL;
	if (!to)
		return big(d->initrd, N_("the RAM disk (0x%llx bytes) does not fit behind the kernel, which ends at 0x%llx: "
					 "give the machine more memory"), (ull)file.len, (ull)(k->at + k->room));
	memcpy(to, file.p, file.len);
	put(params, RAMDISK, 4, at);
	put(params, RAMDISK_SIZE, 4, file.len);
	out->part[out->parts].gpa = at;
	out->part[out->parts++].size = file.len;
	return 0;
}

static void add_e820(uint8_t *params, uint64_t from, uint64_t to, unsigned type)
{
	unsigned n = params[P_E820_ENTRIES]++;

	put(params, P_E820 + n * 20, 8, from);
	put(params, P_E820 + n * 20 + 8, 8, to - from);
	put(params, P_E820 + n * 20 + 16, 4, type);
}

static void fill_params(uint8_t *params, const struct kernel *k, const struct vmm_machine *m, const struct vmm_desc *d)
{
	unsigned end = JUMP + 2 + k->data[JUMP + 1]; /* the jump over the header tells its length */

	memcpy(params + SETUP_SECTS, k->data + SETUP_SECTS, (end > HEADER_END ? HEADER_END : end) - SETUP_SECTS);
	params[LOADER] = 0xff;
	params[LOADFLAGS] |= 0x01;
	put(params, CMD_LINE, 4, COMMAND);
	put(params, P_RSDP, 8, vmm_acpi_write(m, VMM_ACPI_BASE));
	add_e820(params, 0, LOW_RAM_END, E820_RAM);
	add_e820(params, LOW_RAM_END, 0xa0000, E820_RESERVED);
	add_e820(params, 0xe0000, HIGH_RAM, E820_RESERVED);
	add_e820(params, HIGH_RAM, d->memory, E820_RAM);
}

int vmm_load_linux(const struct vmm_machine *m, const struct vmm_desc *d, const void *data, size_t n, const char *name,
		   struct vmm_image *out, struct rs_err *err)
{
	const char *append = d->append ? d->append : "";
	uint8_t *params = vmm_ram(m, PARAMS, P_SIZE), *command = vmm_ram(m, COMMAND, 4096);
	struct kernel k = { 0 };
	int r;

	if (d->entry != VMM_ENTRY_LONG64)
		return bad(name, N_("a Linux kernel starts in the mode long64"));
	r = read_header(data, n, name, &k, err);
	if (r)
		return r;
	if (strlen(append) > get(data, CMDLINE_SIZE, 4) || strlen(append) >= 4096)
		return big(name, N_("the command line is longer than the %u bytes that this kernel takes"),
			   (unsigned)get(data, CMDLINE_SIZE, 4));
	if (!params || !command)
		return big(name, N_("a hole lies where the kernel's parameters go"));
	r = place_kernel(m, &k, name, err);
	if (r)
		return r;
	out->part[0].gpa = k.at;
	out->part[0].size = k.size;
	out->parts = 1;
	fill_params(params, &k, m, d);
	strcpy((char *)command, append);
	if (d->initrd) {
		r = place_initrd(m, d, &k, params, out, err);
		if (r)
			return r;
	}
	out->entry = k.at + ENTRY_64;
	out->boot_params = PARAMS;
	return 0;
}

/* Flat segments with the selectors that the protocol names, in the monitor's GDT. */
void vmm_enter_linux(const struct vmm_machine *m, struct vmm_cpu_state *s)
{
	uint64_t *gdt = vmm_ram(m, VMM_GDT, 7 * 8);

	gdt[BOOT_DS / 8] = gdt[VMM_SEL_DATA0 / 8];
	gdt[BOOT_CS / 8] = gdt[VMM_SEL_CODE0 / 8];
	s->cs.selector = BOOT_CS;
	s->ss.selector = s->ds.selector = s->es.selector = BOOT_DS;
	s->gpr[RSI] = PARAMS;
}

int vmm_load_firmware(struct vmm_machine *m, struct vmm_image *out, struct rs_err *err)
{
	const char *name = m->desc.image;
	rs_auto_str file = RS_STR_INIT;
	uint64_t gpa, shadow;
	uint8_t *low;
	void *rom;
	int r = rs_file_read(name, ROM_MAX, &file, err);

	if (r)
		return r;
	if (!file.len || file.len % 4096)
		return bad(name, N_("firmware is a multiple of 4 KiB, and not %llu bytes"), (ull)file.len);
	rom = mmap(NULL, file.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rom == MAP_FAILED)
		return rs_err_errno(err, errno, N_("no room for 0x%llx bytes of guest memory"), (ull)file.len);
	memcpy(rom, file.p, file.len);
	m->rom = rom;
	m->rom_size = file.len;
	gpa = (1ull << 32) - file.len;
	m->slot[m->slots++] = (struct vmm_slot){ .gpa = gpa, .size = file.len, .host = rom, .readonly = true };
	shadow = file.len < SHADOW ? file.len : SHADOW;
	low = vmm_ram(m, HIGH_RAM - shadow, shadow);
	if (!low)
		return big(name, N_("a hole lies where the firmware's shadow goes"));
	memcpy(low, file.p + file.len - shadow, shadow);
	memset(out, 0, sizeof(*out));
	out->part[0].gpa = gpa;
	out->part[0].size = file.len;
	out->parts = 1;
	out->entry = 0xfffffff0;
	return 0;
}
