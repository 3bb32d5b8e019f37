/* A static ELF program goes into guest memory (System V gABI, chapters 4 and 5; RISC-V ELF psABI).
 *
 * The file is a stranger's. Nothing in it is believed: every number is checked against the file's
 * size and against guest memory, and all of it before the first byte is copied.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "emu/linux.h"

#define SEGMENTS_MAX 32
#define PIE_BASE 0x10000000ull  /* where a position-independent program goes */
#define ROOM_TOP (EMU_MEM_TOP - EMU_STACK_SIZE - 0x100000)

#ifndef EM_RISCV
#define EM_RISCV 243
#endif

typedef unsigned long long ull;

#define bad(ld, code, ...) rs_err_at((ld)->err, code, (ld)->name, 0, 0, __VA_ARGS__)

struct loader {
	const unsigned char *data;
	size_t size;
	const char *name;
	struct rs_err *err;
	Elf64_Ehdr h;
	Elf64_Phdr seg[SEGMENTS_MAX];
	unsigned index[SEGMENTS_MAX]; /* of seg[] in the file */
	unsigned segs;
	uint64_t bias, start, end;
};

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_386: return "i386";
	case EM_ARM: return "Arm (32-bit)";
	case EM_X86_64: return "x86-64";
	case EM_AARCH64: return "AArch64";
	case EM_PPC64: return "PowerPC";
	case EM_S390: return "s390";
	case EM_MIPS: return "MIPS";
	case EM_RISCV: return "RISC-V";
	}
	return NULL;
}

static int check_header(struct loader *ld)
{
	const Elf64_Ehdr *h = &ld->h;

	if (ld->size < EI_NIDENT || memcmp(ld->data, ELFMAG, SELFMAG))
		return bad(ld, -ENOEXEC, N_("this is not an ELF program"));
	if (ld->data[EI_CLASS] != ELFCLASS64)
		return bad(ld, -ENOEXEC, N_("EI_CLASS (offset 0x4) is %u: not a 64-bit program"),
			   ld->data[EI_CLASS]);
	if (ld->data[EI_DATA] != ELFDATA2LSB)
		return bad(ld, -ENOEXEC, N_("EI_DATA (offset 0x5) is %u, not 1 (little-endian)"),
			   ld->data[EI_DATA]);
	if (ld->size < sizeof(*h))
		return bad(ld, -ENOEXEC, N_("the ELF header is cut off: the file has only %llu bytes"),
			   (ull)ld->size);
	memcpy(&ld->h, ld->data, sizeof(ld->h));
	if (h->e_type == ET_REL)
		return bad(ld, -ENOEXEC, N_("this is an object file (e_type, offset 0x10, is 1): link it first"));
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return bad(ld, -ENOEXEC, N_("e_type (offset 0x10) is %u: this is not a program"), h->e_type);
	if (h->e_version != EV_CURRENT)
		return bad(ld, -ENOEXEC, N_("e_version (offset 0x14) is %u, not 1"), h->e_version);
	return 0;
}

const struct emu_guest *emu_load_guest(const void *data, size_t size, const char *name, struct rs_err *err)
{
	struct loader ld = { .data = data, .size = size, .name = name, .err = err };
	const struct emu_guest *g;
	const char *machine;

	if (check_header(&ld) < 0)
		return NULL;
	g = emu_guest_by_elf(ld.h.e_machine);
	if (g)
		return g;
	machine = machine_name(ld.h.e_machine);
	if (machine)
		bad(&ld, -ENOEXEC, N_("this is a program for %s, which no front end translates"), machine);
	else
		bad(&ld, -ENOEXEC, N_("e_machine (offset 0x12) is %u: no front end translates this machine"),
		    ld.h.e_machine);
	return NULL;
}

static int check_segment(struct loader *ld, const Elf64_Phdr *s, unsigned i)
{
	if (s->p_filesz > s->p_memsz)
		return bad(ld, -ENOEXEC, N_("program header %u: p_filesz 0x%llx is larger than p_memsz 0x%llx"),
			   i, (ull)s->p_filesz, (ull)s->p_memsz);
	if (s->p_offset > ld->size || s->p_filesz > ld->size - s->p_offset)
		return bad(ld, -ENOEXEC,
			   N_("program header %u: 0x%llx bytes at p_offset 0x%llx go beyond the end of the "
			   "file at 0x%llx"), i, (ull)s->p_filesz, (ull)s->p_offset, (ull)ld->size);
	if ((s->p_vaddr - s->p_offset) % EMU_PAGE)
		return bad(ld, -ENOEXEC,
			   N_("program header %u: p_vaddr 0x%llx and p_offset 0x%llx differ within a page"), i,
			   (ull)s->p_vaddr, (ull)s->p_offset);
	if (s->p_vaddr >= ROOM_TOP - ld->bias || s->p_memsz > ROOM_TOP - ld->bias - s->p_vaddr)
		return bad(ld, -ENOEXEC,
			   N_("program header %u: 0x%llx bytes at p_vaddr 0x%llx do not fit below the stack at "
			   "0x%llx"), i, (ull)s->p_memsz, (ull)s->p_vaddr, (ull)ROOM_TOP);
	if (s->p_vaddr + ld->bias < EMU_MEM_LOW)
		return bad(ld, -ENOEXEC,
			   N_("program header %u: p_vaddr 0x%llx is below 0x%llx, where nothing may be mapped"), i,
			   (ull)s->p_vaddr, (ull)EMU_MEM_LOW);
	if (ld->segs && s->p_vaddr < ld->seg[ld->segs - 1].p_vaddr + ld->seg[ld->segs - 1].p_memsz)
		return bad(ld, -ENOEXEC,
			   N_("program headers %u and %u overlap or are not in ascending order at 0x%llx"),
			   ld->index[ld->segs - 1], i, (ull)s->p_vaddr);
	return 0;
}

static int collect_segments(struct loader *ld)
{
	const Elf64_Ehdr *h = &ld->h;

	if (h->e_phentsize != sizeof(Elf64_Phdr))
		return bad(ld, -ENOEXEC, N_("e_phentsize (offset 0x36) is %u, not %u"), h->e_phentsize,
			   (unsigned)sizeof(Elf64_Phdr));
	if (h->e_phoff > ld->size || h->e_phnum > (ld->size - h->e_phoff) / sizeof(Elf64_Phdr))
		return bad(ld, -ENOEXEC,
			   N_("%u program headers at 0x%llx (e_phnum, e_phoff) go beyond the end of the file at "
			   "0x%llx"), h->e_phnum, (ull)h->e_phoff, (ull)ld->size);
	for (unsigned i = 0; i < h->e_phnum; i++) {
		Elf64_Phdr s;
		int r;

		memcpy(&s, ld->data + h->e_phoff + i * sizeof(s), sizeof(s));
		if (s.p_type == PT_INTERP)
			return bad(ld, -ENOEXEC,
				   N_("this program needs a dynamic loader (program header %u is PT_INTERP): link "
				   "it with -static"), i);
		if (s.p_type != PT_LOAD || !s.p_memsz)
			continue;
		if (ld->segs == SEGMENTS_MAX)
			return bad(ld, -ENOEXEC, N_("more than %d segments to load"), SEGMENTS_MAX);
		r = check_segment(ld, &s, i);
		if (r < 0)
			return r;
		ld->index[ld->segs] = i;
		ld->seg[ld->segs++] = s;
	}
	if (!ld->segs)
		return bad(ld, -ENOEXEC, N_("no program header is PT_LOAD: there is nothing to load"));
	ld->start = ld->seg[0].p_vaddr + ld->bias;
	ld->end = ld->seg[ld->segs - 1].p_vaddr + ld->seg[ld->segs - 1].p_memsz + ld->bias;
	return 0;
}

static int check_entry(struct loader *ld)
{
	for (unsigned i = 0; i < ld->segs; i++)
		if (ld->h.e_entry - ld->seg[i].p_vaddr < ld->seg[i].p_memsz && (ld->seg[i].p_flags & PF_X))
			return 0;
	return bad(ld, -ENOEXEC, N_("the entry point 0x%llx (e_entry) lies in no executable segment"),
		   (ull)ld->h.e_entry);
}

static int prot_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

static uint64_t page_down(uint64_t a)
{
	return a & ~(uint64_t)(EMU_PAGE - 1);
}

static uint64_t page_up(uint64_t a)
{
	return page_down(a + EMU_PAGE - 1);
}

/* Maps [from, to) unless the segment before mapped its first page already, and gives the rights of
 * both to a page that two segments share. */
static int map_segments(struct loader *ld, struct emu_mem *m)
{
	uint64_t mapped = 0;
	int last = 0;

	for (unsigned i = 0; i < ld->segs; i++) {
		const Elf64_Phdr *s = &ld->seg[i];
		uint64_t at = s->p_vaddr + ld->bias, from = page_down(at), to = page_up(at + s->p_memsz);
		int r = 0, prot = prot_of(s->p_flags);
		bool shared = from < mapped;
		void *host;

		if (to > (shared ? mapped : from))
			r = emu_mem_map(m, shared ? mapped : from, to - (shared ? mapped : from),
					PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0);
		if (!r && shared)
			r = emu_mem_protect(m, from, EMU_PAGE, PROT_READ | PROT_WRITE);
		if (r < 0)
			return bad(ld, r, N_("program header %u: 0x%llx bytes of guest memory at 0x%llx cannot be had"),
				   ld->index[i], (ull)s->p_memsz, (ull)at);
		host = emu_mem_host(m, at, s->p_filesz, PROT_WRITE);
		if (s->p_filesz && host)
			memcpy(host, ld->data + s->p_offset, s->p_filesz); /* the rest, .bss, is zero already */
		r = emu_mem_protect(m, from, to - from, prot);
		if (!r && shared && (prot | last) != prot)
			r = emu_mem_protect(m, from, EMU_PAGE, prot | last);
		if (r < 0)
			return bad(ld, r, N_("program header %u: its memory cannot be protected"), ld->index[i]);
		mapped = to;
		last = prot;
	}
	return 0;
}

/* Where the program headers stand in memory, or 0. */
static uint64_t phdr_address(const struct loader *ld)
{
	uint64_t size = (uint64_t)ld->h.e_phnum * sizeof(Elf64_Phdr);

	for (unsigned i = 0; i < ld->segs; i++) {
		const Elf64_Phdr *s = &ld->seg[i];

		if (ld->h.e_phoff >= s->p_offset && ld->h.e_phoff - s->p_offset + size <= s->p_filesz)
			return ld->h.e_phoff - s->p_offset + s->p_vaddr + ld->bias;
	}
	return 0;
}

int emu_load_bytes(struct emu_world *w, const void *data, size_t size, const char *name,
		   struct emu_image *out, struct rs_err *err)
{
	struct loader ld = { .data = data, .size = size, .name = name, .err = err };
	int r;

	memset(out, 0, sizeof(*out));
	if (emu_load_guest(data, size, name, err) != w->guest)
		return err && err->code ? err->code : -ENOEXEC;
	r = check_header(&ld);
	if (ld.h.e_type == ET_DYN)
		ld.bias = PIE_BASE;
	if (!r)
		r = collect_segments(&ld);
	if (!r)
		r = check_entry(&ld);
	if (!r)
		r = map_segments(&ld, &w->mem);
	if (r < 0)
		return r;
	out->bias = ld.bias;
	out->start = ld.start;
	out->end = ld.end;
	out->entry = ld.h.e_entry + ld.bias;
	out->phdr = phdr_address(&ld);
	out->phnum = ld.h.e_phnum;
	w->mem.brk_start = w->mem.brk = page_up(ld.end);
	return 0;
}

/* ---- symbols ---- */

static bool section(const struct loader *ld, unsigned i, Elf64_Shdr *s)
{
	const Elf64_Ehdr *h = &ld->h;

	if (h->e_shentsize != sizeof(*s) || h->e_shoff > ld->size ||
	    i >= (ld->size - h->e_shoff) / sizeof(*s))
		return false;
	memcpy(s, ld->data + h->e_shoff + i * sizeof(*s), sizeof(*s));
	return s->sh_type != SHT_NOBITS && s->sh_offset <= ld->size && s->sh_size <= ld->size - s->sh_offset;
}

/* A file may claim millions of symbols with one endless name. */
#define NAME_MAX_BYTES 1024u

/* True when `each` did, which ends the walk. */
static bool walk_table(const struct loader *ld, const Elf64_Shdr *table, emu_symbol_fn *each, void *arg)
{
	Elf64_Shdr strings;

	if (!section(ld, table->sh_link, &strings))
		return false;
	for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table->sh_size; at += sizeof(Elf64_Sym)) {
		const char *name;
		Elf64_Sym s;
		uint64_t left;

		memcpy(&s, ld->data + table->sh_offset + at, sizeof(s));
		if (s.st_shndx == SHN_UNDEF || s.st_name >= strings.sh_size)
			continue;
		name = (const char *)ld->data + strings.sh_offset + s.st_name;
		left = strings.sh_size - s.st_name;
		if (memchr(name, 0, left < NAME_MAX_BYTES ? left : NAME_MAX_BYTES) && each(arg, name, s.st_value, s.st_size, s.st_info))
			return true;
	}
	return false;
}

void emu_load_symbols(const void *data, size_t size, emu_symbol_fn *each, void *arg)
{
	struct loader ld = { .data = data, .size = size, .name = "" };
	Elf64_Shdr s;

	if (check_header(&ld) < 0)
		return;
	for (unsigned i = 0; i < ld.h.e_shnum; i++)
		if (section(&ld, i, &s) && (s.sh_type == SHT_SYMTAB || s.sh_type == SHT_DYNSYM) &&
		    walk_table(&ld, &s, each, arg))
			return;
}

struct wanted {
	const char *name;
	uint64_t *addr;
	bool found;
};

static bool is_wanted(void *arg, const char *name, uint64_t addr, uint64_t size, unsigned info)
{
	struct wanted *w = arg;

	(void)size;
	(void)info;
	if (strcmp(name, w->name))
		return false;
	*w->addr = addr;
	return w->found = true;
}

bool emu_load_symbol(const void *data, size_t size, const char *symbol, uint64_t *addr)
{
	struct wanted w = { symbol, addr, false };

	emu_load_symbols(data, size, is_wanted, &w);
	return w.found;
}
