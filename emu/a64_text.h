/* Between a64_disasm.c (names) and a64_operand.c (operands). Private to the AArch64 disassembler. */
#ifndef EMU_A64_TEXT_H
#define EMU_A64_TEXT_H

#include "emu/a64.h"

/* Text into a buffer, cut when it is full; always terminated. */
struct a64_text {
	char *p;
	size_t size, len;
};
__attribute__((format(printf, 2, 3))) void a64_put(struct a64_text *t, const char *fmt, ...);

/* Appends one operand. False: it is left out here (what was appended does not count). */
bool a64_put_operand(struct a64_text *t, const struct a64_insn *i, unsigned operand, uint64_t pc);
/* dc, ic: the whole instruction, mnemonic first. False: it is another sys. */
bool a64_put_cache(struct a64_text *t, const struct a64_insn *i);
const char *a64_condition_name(unsigned cond);

#endif
