/* AArch64 disassembler: an instruction as text. */
#include "emu/a64.h"

#include <stdio.h>

const char *a64_disasm(const struct a64_insn *i, uint64_t pc, enum a64_style style, char *buf, size_t size)
{
	(void)pc;
	(void)style;
	if (i->id >= A64_COUNT)
		snprintf(buf, size, ".inst\t0x%08x ; undefined", i->bits);
	else
		snprintf(buf, size, "%s", a64_rows[i->id].name);
	return buf;
}
