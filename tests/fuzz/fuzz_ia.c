/* Any bytes as x86 code in the three modes: the decoder takes them, reads nothing past their end, and says
 * the same of an instruction when more bytes follow. Nothing runs. */
#include <stdlib.h>
#include <string.h>

#include "emu/ia.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned modes[3] = { 16, 32, 64 };
	unsigned bits;

	if (!size)
		return 0;
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
	return 0;
}
