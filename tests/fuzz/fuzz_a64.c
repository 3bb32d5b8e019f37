/* Any bytes as AArch64 instructions: decoder, disassembler and translator take them, and the IR keeps
 * its rules before and after the passes. Nothing runs. */
#include <stdlib.h>
#include <string.h>

#include "emu/a64.h"
#include "emu/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CODE 0x10000u

/* One world for all inputs: it is a lot of address space. */
static struct emu_world *world(void)
{
	static struct emu_world *w;
	struct emu_options o = { .interp = true };
	struct rs_err err = RS_ERR_INIT;

	if (!w)
		w = emu_world_new(&emu_guest_aarch64, &o, NULL, &err);
	if (!w)
		abort();
	w->mem.limit = 64 << 20;
	return w;
}

static void look(uint32_t bits, uint64_t pc)
{
	char text[A64_TEXT_MAX], small[9];
	struct a64_insn i;

	bool known = a64_decode(bits, &i);

	if (known != (i.id < A64_COUNT) || (known && (i.size > 4 || i.q > 1)))
		abort();
	a64_disasm(&i, pc, A64_STYLE_ALIASES, text, sizeof(text));
	if (strlen(text) >= sizeof(text) - 1)
		abort(); /* A64_TEXT_MAX is not enough */
	a64_disasm(&i, pc, A64_STYLE_EXACT, small, sizeof(small));
	if (!memchr(small, 0, sizeof(small)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct emu_world *w = world();
	size_t n = size < EMU_PAGE ? size & ~(size_t)3 : EMU_PAGE;
	uint32_t page[EMU_BLOCK_PAGES], bits;
	unsigned pages;

	for (size_t at = 0; at < n; at += 4) {
		memcpy(&bits, data + at, 4);
		look(bits, CODE + at);
	}
	if (emu_mem_map(&w->mem, CODE, 2 * EMU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0) < 0)
		abort();
	emu_mem_write(&w->mem, CODE, data, n);
	emu_mem_protect(&w->mem, CODE, 2 * EMU_PAGE, PROT_READ | PROT_EXEC);
	for (size_t at = 0; at < n && at < 512; at += 64) {
		if (emu_translate_raw(w, CODE + at, w->ir, page, &pages) < 0)
			continue;
		if (emu_ir_check(w->ir))
			abort(); /* the front end broke a rule of the IR */
		emu_passes(w, w->ir);
		if (emu_ir_check(w->ir))
			abort();
	}
	emu_mem_unmap(&w->mem, CODE, 2 * EMU_PAGE);
	return 0;
}
