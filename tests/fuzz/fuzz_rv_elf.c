/* Any bytes as a RISC-V program file: the loader refuses it with a sentence or loads it inside guest
 * memory; the symbol table is looked through; and any bytes as instructions: decoder, disassembler
 * and translator take them. Nothing runs. */
#include <stdlib.h>
#include <string.h>

#include "emu/linux.h"
#include "emu/rv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One world for all inputs: it is a lot of address space. */
static struct emu_world *world(void)
{
	static struct emu_world *w;
	struct emu_options o = { .interp = true };
	struct rs_err err = RS_ERR_INIT;

	if (!w)
		w = emu_world_new(&emu_guest_riscv64, &o, NULL, &err);
	if (!w)
		abort();
	w->mem.limit = 64 << 20;
	return w;
}

static void load(struct emu_world *w, const uint8_t *data, size_t size)
{
	struct rs_err err = RS_ERR_INIT;
	struct emu_image im;
	uint64_t addr;

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

	for (size_t at = 0; at + 4 <= n; at += 2) {
		char text[RV_TEXT_MAX];
		struct rv_insn i;
		uint32_t bits;

		memcpy(&bits, data + at, 4);
		if (rv_decode(bits, &i) && i.op >= RV_COUNT)
			abort();
		rv_disasm(&i, 0x10000 + at, RV_STYLE_ALIASES, text, sizeof(text));
		rv_disasm(&i, 0x10000 + at, RV_STYLE_EXACT, text, sizeof(text));
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
	struct emu_world *w = world();

	if (!size)
		return 0;
	if (data[0] == 0x7f)
		load(w, data, size);
	else
		translate(w, data + 1, size - 1);
	return 0;
}
