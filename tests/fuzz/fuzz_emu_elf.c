/* Any bytes as a program file: the loader refuses it with a sentence or loads it inside guest memory; the
 * symbol table is looked through; and any bytes as instructions of a guest: decoder, disassembler and
 * translator take them. Nothing runs. */
#include <stdlib.h>
#include <string.h>

#include "emu/linux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct emu_guest *const guests[2] = { &emu_guest_riscv64, &emu_guest_aarch64 };

/* One world a guest for all inputs: it is a lot of address space. */
static struct emu_world *world(const struct emu_guest *g)
{
	static struct emu_world *worlds[2];
	struct emu_world **w = &worlds[g == guests[1]];
	struct emu_options o = { .interp = true };
	struct rs_err err = RS_ERR_INIT;

	if (!*w)
		*w = emu_world_new(g, &o, NULL, &err);
	if (!*w)
		abort();
	(*w)->mem.limit = 64 << 20;
	return *w;
}

static void load(const uint8_t *data, size_t size)
{
	struct rs_err err = RS_ERR_INIT;
	const struct emu_guest *g = emu_load_guest(data, size, "input", &err);
	struct emu_world *w = world(g ? g : guests[0]);
	struct emu_image im;
	uint64_t addr;

	if (!g && (!err.code || !err.text[RS_LANG_EN][0]))
		abort(); /* refused without a sentence */
	if (g && g != guests[0] && g != guests[1])
		return; /* of a machine that does not run programs */
	err = (struct rs_err)RS_ERR_INIT;
	if (emu_load_bytes(w, data, size, "input", &im, &err) < 0) {
		if (!err.code || !err.text[RS_LANG_EN][0])
			abort(); /* refused without a sentence */
	} else if (im.start < EMU_MEM_LOW || im.end > EMU_MEM_TOP || im.entry < im.start || im.entry >= im.end) {
		abort();
	}
	emu_load_symbol(data, size, "main", &addr);
	emu_mem_unmap(&w->mem, EMU_MEM_LOW, EMU_MEM_TOP - EMU_MEM_LOW);
}

static void translate(struct emu_world *w, const uint8_t *data, size_t size)
{
	size_t n = size < 4096 ? size : 4096;
	uint32_t page[EMU_BLOCK_PAGES];
	unsigned pages;

	for (size_t at = 0; at + 4 <= n; at += w->guest->insn_align) {
		char text[128];
		unsigned len = w->guest->disasm(data + at, 4, 0x10000 + at, text, sizeof(text));

		if (len > w->guest->insn_max || strlen(text) >= sizeof(text))
			abort();
	}
	if (emu_mem_map(&w->mem, 0x10000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0) < 0)
		abort();
	emu_mem_write(&w->mem, 0x10000, data, n);
	emu_mem_protect(&w->mem, 0x10000, 8192, PROT_READ | PROT_EXEC);
	for (size_t at = 0; at < n && at < 512; at += 64)
		if (emu_translate_raw(w, 0x10000 + at, w->ir, page, &pages) == 0) {
			if (emu_ir_check(w->ir))
				abort(); /* the front end broke a rule of the IR */
			emu_passes(w, w->ir);
			if (emu_ir_check(w->ir))
				abort();
		}
	emu_mem_unmap(&w->mem, 0x10000, 8192);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] == 0x7f)
		load(data, size);
	else
		translate(world(guests[data[0] & 1]), data + 1, size - 1);
	return 0;
}
