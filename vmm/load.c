/* The guest's program goes into guest memory: a flat binary as it is, an ELF executable segment by
 * segment (System V gABI, chapters 4 and 5).
 *
 * The file is a stranger's. Nothing in it is believed: every number is checked against the file's
 * size and against the machine, and all of it before the first byte is copied.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "vmm/cpu.h"

/* An image larger than the machine cannot be right, but ELF files carry debug information. */
#define FILE_SLACK (64ull << 20)

/* Fails with a sentence about the file. */
#define bad(ld, code, ...) rs_err_at((ld)->err, code, (ld)->name, 0, 0, __VA_ARGS__)

typedef unsigned long long ull;

/* A program header, whatever its class. */
struct segment {
	uint64_t offset, vaddr, paddr, filesz, memsz;
	uint32_t type;
	unsigned index; /* in the file */
};

struct loader {
	const struct vmm_machine *m;
	const struct vmm_desc *d;
	const unsigned char *data;
	size_t size;
	const char *name;
	struct rs_err *err;
	/* ELF */
	bool wide; /* ELFCLASS64 */
	uint64_t entry, phoff;
	unsigned phnum;
	struct segment seg[VMM_IMAGE_PARTS_MAX];
	unsigned segs;
};

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* ---- flat ---- */

static int load_flat(struct loader *ld, struct vmm_image *out)
{
	uint64_t at = ld->d->load ? ld->d->load : VMM_LOAD_DEFAULT;
	void *ram = vmm_ram(ld->m, at, ld->size);

	if (!ram)
		return bad(ld, -EFBIG,
			   "the binary (%llu bytes at 0x%llx) does not fit: its place is beyond the "
			   "guest's memory or in a hole", (ull)ld->size, (ull)at);
	if (vmm_entry_has_tables(ld->d) &&
	    overlaps(at, ld->size, VMM_TABLES_BASE, VMM_TABLES_END - VMM_TABLES_BASE))
		return bad(ld, -ENOEXEC,
			   "the binary (%llu bytes at 0x%llx) would cover the monitor's tables at "
			   "0x%x-0x%x", (ull)ld->size, (ull)at, VMM_TABLES_BASE, VMM_TABLES_END - 1);
	memcpy(ram, ld->data, ld->size);
	out->part[0].gpa = at;
	out->part[0].size = ld->size;
	out->parts = 1;
	out->entry = at;
	return 0;
}

/* ---- ELF ---- */

#define FIELD(ld, type32, type64, base, field)                                                     \
	((ld)->wide ? ((const type64 *)(base))->field : ((const type32 *)(base))->field)
#define FIELD_OFFSET(ld, type32, type64, field)                                                    \
	((unsigned)((ld)->wide ? offsetof(type64, field) : offsetof(type32, field)))

static int check_ident(struct loader *ld)
{
	const unsigned char *e = ld->data;

	if (ld->size < EI_NIDENT)
		return bad(ld, -ENOEXEC, "the ELF header is cut off: the file has only %llu bytes",
			   (ull)ld->size);
	if (e[EI_CLASS] != ELFCLASS32 && e[EI_CLASS] != ELFCLASS64)
		return bad(ld, -ENOEXEC,
			   "EI_CLASS (offset 0x4) is %u: neither 1 (32-bit) nor 2 (64-bit)",
			   e[EI_CLASS]);
	if (e[EI_DATA] != ELFDATA2LSB)
		return bad(ld, -ENOEXEC, "EI_DATA (offset 0x5) is %u, not 1 (little-endian)",
			   e[EI_DATA]);
	if (e[EI_VERSION] != EV_CURRENT)
		return bad(ld, -ENOEXEC, "EI_VERSION (offset 0x6) is %u, not 1", e[EI_VERSION]);
	ld->wide = e[EI_CLASS] == ELFCLASS64;
	return 0;
}

static int check_header(struct loader *ld)
{
	union { Elf32_Ehdr h32; Elf64_Ehdr h64; } h;
	unsigned need = ld->wide ? sizeof(h.h64) : sizeof(h.h32);
	unsigned ph_size = ld->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	unsigned machine, type, entsize;

	if (ld->size < need)
		return bad(ld, -ENOEXEC, "the ELF header is cut off: the file has only %llu bytes",
			   (ull)ld->size);
	memcpy(&h, ld->data, need); /* for alignment */
#define HEADER(field) FIELD(ld, Elf32_Ehdr, Elf64_Ehdr, &h, field)
#define HEADER_AT(field) FIELD_OFFSET(ld, Elf32_Ehdr, Elf64_Ehdr, field)
	machine = HEADER(e_machine);
	if (machine != (ld->wide ? EM_X86_64 : EM_386))
		return bad(ld, -ENOEXEC,
			   "e_machine (offset 0x%x) is %u: this is not a program for %s (%u)",
			   HEADER_AT(e_machine), machine, ld->wide ? "x86-64" : "i386",
			   ld->wide ? EM_X86_64 : EM_386);
	type = HEADER(e_type);
	if (type == ET_REL)
		return bad(ld, -ENOEXEC,
			   "this is an object file (e_type, offset 0x%x, is 1): link it first",
			   HEADER_AT(e_type));
	if (type != ET_EXEC)
		return bad(ld, -ENOEXEC,
			   "e_type (offset 0x%x) is %u, not 2: link with -static -no-pie, a guest "
			   "has no dynamic loader", HEADER_AT(e_type), type);
	if (HEADER(e_version) != EV_CURRENT)
		return bad(ld, -ENOEXEC, "e_version (offset 0x%x) is %u, not 1",
			   HEADER_AT(e_version), (unsigned)HEADER(e_version));
	if (!ld->wide && ld->d->entry == VMM_ENTRY_LONG64)
		return bad(ld, -ENOEXEC,
			   "this is a 32-bit program, but the entry mode is long64: use prot32");
	ld->phnum = HEADER(e_phnum);
	if (!ld->phnum)
		return bad(ld, -ENOEXEC, "e_phnum (offset 0x%x) is 0: there is nothing to load",
			   HEADER_AT(e_phnum));
	entsize = HEADER(e_phentsize);
	if (entsize != ph_size)
		return bad(ld, -ENOEXEC, "e_phentsize (offset 0x%x) is %u, not %u",
			   HEADER_AT(e_phentsize), entsize, ph_size);
	ld->phoff = HEADER(e_phoff);
	if (ld->phoff > ld->size || ld->phnum > (ld->size - ld->phoff) / ph_size)
		return bad(ld, -ENOEXEC,
			   "%u program headers at 0x%llx (e_phnum, e_phoff) go beyond the end of the "
			   "file at 0x%llx", ld->phnum, (ull)ld->phoff, (ull)ld->size);
	ld->entry = HEADER(e_entry);
	return 0;
}

static void read_segment(const struct loader *ld, unsigned i, struct segment *s)
{
	union { Elf32_Phdr h32; Elf64_Phdr h64; } h;
	size_t size = ld->wide ? sizeof(h.h64) : sizeof(h.h32);

	memcpy(&h, ld->data + ld->phoff + i * size, size);
#define SEGMENT(field) FIELD(ld, Elf32_Phdr, Elf64_Phdr, &h, field)
	*s = (struct segment){
		.offset = SEGMENT(p_offset),
		.vaddr = SEGMENT(p_vaddr),
		.paddr = SEGMENT(p_paddr),
		.filesz = SEGMENT(p_filesz),
		.memsz = SEGMENT(p_memsz),
		.type = SEGMENT(p_type),
		.index = i,
	};
}

static int check_segment(struct loader *ld, const struct segment *s)
{
	if (s->filesz > s->memsz)
		return bad(ld, -ENOEXEC,
			   "program header %u: p_filesz 0x%llx is larger than p_memsz 0x%llx", s->index,
			   (ull)s->filesz, (ull)s->memsz);
	if (s->offset > ld->size || s->filesz > ld->size - s->offset)
		return bad(ld, -ENOEXEC,
			   "program header %u: 0x%llx bytes at p_offset 0x%llx go beyond the end of "
			   "the file at 0x%llx", s->index, (ull)s->filesz, (ull)s->offset,
			   (ull)ld->size);
	if (s->paddr + s->memsz < s->paddr || s->vaddr + s->memsz < s->vaddr)
		return bad(ld, -ENOEXEC,
			   "program header %u: 0x%llx + 0x%llx (p_paddr, p_memsz) wraps around the "
			   "end of the address space", s->index, (ull)s->paddr, (ull)s->memsz);
	if (!vmm_ram(ld->m, s->paddr, s->memsz))
		return bad(ld, -EFBIG,
			   "program header %u: 0x%llx bytes at p_paddr 0x%llx do not fit: the place is "
			   "beyond the guest's memory or in a hole", s->index, (ull)s->memsz,
			   (ull)s->paddr);
	if (vmm_entry_has_tables(ld->d) && overlaps(s->paddr, s->memsz, VMM_TABLES_BASE,
						   VMM_TABLES_END - VMM_TABLES_BASE))
		return bad(ld, -ENOEXEC,
			   "program header %u: 0x%llx bytes at p_paddr 0x%llx would cover the "
			   "monitor's tables at 0x%x-0x%x", s->index, (ull)s->memsz, (ull)s->paddr,
			   VMM_TABLES_BASE, VMM_TABLES_END - 1);
	for (unsigned i = 0; i < ld->segs; i++)
		if (overlaps(s->paddr, s->memsz, ld->seg[i].paddr, ld->seg[i].memsz))
			return bad(ld, -ENOEXEC,
				   "program headers %u and %u load to the same memory at 0x%llx",
				   ld->seg[i].index, s->index,
				   (ull)(s->paddr > ld->seg[i].paddr ? s->paddr : ld->seg[i].paddr));
	return 0;
}

static int collect_segments(struct loader *ld)
{
	for (unsigned i = 0; i < ld->phnum; i++) {
		struct segment s;
		int r;

		read_segment(ld, i, &s);
		if (s.type == PT_INTERP || s.type == PT_DYNAMIC)
			return bad(ld, -ENOEXEC,
				   "program header %u is %s: link with -static -no-pie, a guest has no "
				   "dynamic loader", i, s.type == PT_INTERP ? "PT_INTERP" : "PT_DYNAMIC");
		if (s.type != PT_LOAD || !s.memsz)
			continue;
		if (ld->segs == VMM_IMAGE_PARTS_MAX)
			return bad(ld, -ENOEXEC, "more than %d segments to load",
				   VMM_IMAGE_PARTS_MAX);
		r = check_segment(ld, &s);
		if (r)
			return r;
		ld->seg[ld->segs++] = s;
	}
	if (!ld->segs)
		return bad(ld, -ENOEXEC, "no program header is PT_LOAD: there is nothing to load");
	return 0;
}

static int load_elf(struct loader *ld, struct vmm_image *out)
{
	const struct segment *start = NULL;
	int r = check_ident(ld);

	if (!r)
		r = check_header(ld);
	if (!r)
		r = collect_segments(ld);
	if (r)
		return r;
	for (unsigned i = 0; i < ld->segs; i++)
		if (ld->entry - ld->seg[i].vaddr < ld->seg[i].memsz)
			start = &ld->seg[i];
	if (!start)
		return bad(ld, -ENOEXEC, "the entry point 0x%llx (e_entry) lies in no loaded segment",
			   (ull)ld->entry);
	for (unsigned i = 0; i < ld->segs; i++) {
		const struct segment *s = &ld->seg[i];
		unsigned char *ram = vmm_ram(ld->m, s->paddr, s->memsz);

		memcpy(ram, ld->data + s->offset, s->filesz); /* the rest, .bss, is zero already */
		out->part[i].gpa = s->paddr;
		out->part[i].size = s->memsz;
	}
	out->parts = ld->segs;
	/* The guest starts with linear = physical addresses, wherever it was linked to run later. */
	out->entry = ld->entry - start->vaddr + start->paddr;
	out->elf = true;
	return 0;
}

int vmm_load_bytes(const struct vmm_machine *m, const struct vmm_desc *d, const void *data, size_t n,
		   const char *name, struct vmm_image *out, struct rs_err *err)
{
	struct loader ld = {.m = m, .d = d, .data = data, .size = n, .name = name, .err = err};

	memset(out, 0, sizeof(*out));
	if (!n)
		return bad(&ld, -ENOEXEC, "the file is empty: there is nothing to run");
	if (n >= SELFMAG && !memcmp(data, ELFMAG, SELFMAG))
		return load_elf(&ld, out);
	if (d->pc && vmm_is_linux(data, n))
		return vmm_load_linux(m, d, data, n, name, out, err);
	return load_flat(&ld, out);
}

int vmm_load(const struct vmm_machine *m, const struct vmm_desc *d, struct vmm_image *out,
	     struct rs_err *err)
{
	rs_auto_str file = RS_STR_INIT;
	int r = rs_file_read(d->image, d->memory + FILE_SLACK, &file, err);

	return r ? r : vmm_load_bytes(m, d, file.p, file.len, d->image, out, err);
}
