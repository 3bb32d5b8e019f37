/* Any bytes as x86 code: the decoder takes them in the three modes, reads nothing past their end, and says
 * the same of an instruction when more bytes follow; the front end makes IR of them that keeps the rules,
 * before and after the passes. Nothing runs. */
#include <stdlib.h>
#include <string.h>

#include "emu/ia_translate.h"
#include "emu/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const uint8_t *data, size_t size)
{
	static const unsigned modes[3] = { 16, 32, 64 };
	unsigned bits;

	bits = modes[data[0] % 3];
	for (size_t at = 1; at < size;) {
		size_t left = size - at;
		unsigned avail = left < IA_INSN_MAX ? (unsigned)left : IA_INSN_MAX;
		uint8_t *exact = malloc(avail);
		struct emu_ia_insn i, j;
		enum emu_ia_result r;
		char name[16];

		memcpy(exact, data + at, avail);
		r = emu_ia_decode(exact, avail, bits, &i);
		if (r == IA_DECODED) {
			if (!i.len || i.len > avail || !emu_ia_name(&i, name)[0])
				abort();
			for (unsigned n = 0; n < 3; n++)
				(void)emu_ia_size(&i, n);
			if (emu_ia_decode(exact, i.len, bits, &j) != IA_DECODED || j.row != i.row || j.len != i.len)
				abort();
		} else if (r == IA_SHORT && avail >= IA_INSN_MAX) {
			abort();
		}
		free(exact);
		at += r == IA_DECODED ? i.len : 1;
	}
}

/* One world a mode for all inputs: it is a lot of address space. */
static struct emu_world *world(unsigned mode)
{
	static struct emu_world *w[2];
	struct emu_options o = { .interp = true };
	struct rs_err err = RS_ERR_INIT;

	if (!w[mode])
		w[mode] = emu_world_new(mode ? &emu_guest_ia64 : &emu_guest_ia32, &o, NULL, &err);
	if (!w[mode])
		abort();
	return w[mode];
}

static void translate(struct emu_world *w, const uint8_t *data, size_t size)
{
	size_t n = size < 4096 ? size : 4096;
	uint32_t page[EMU_BLOCK_PAGES];
	unsigned pages;

	if (emu_mem_map(&w->mem, 0x10000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0) < 0)
		abort();
	emu_mem_write(&w->mem, 0x10000, data, n);
	emu_mem_protect(&w->mem, 0x10000, 8192, PROT_READ | PROT_EXEC);
	for (size_t at = 0; at < n && at < 64; at += 7) {
		if (emu_translate_raw(w, 0x10000 + at, w->ir, page, &pages) < 0)
			continue;
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
	decode(data, size);
	translate(world(data[0] & 1), data + 1, size - 1);
	return 0;
}
