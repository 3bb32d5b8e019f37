/* AArch64: rows of the reference page, from the tables that the decoder and the disassembler use. */
#include <stdio.h>
#include <string.h>

#include "emu/a64_translate.h"
#include "emu/emu.h"

bool a64_doc(unsigned i, struct emu_insn_doc *d)
{
	static const char *const ext[A64_EXTS][2] = {
#define A64_EXT(id, name, bit, feature, text) [A64_EXT_##id] = { name, text },
#include "emu/a64_ext.def"
	};
	static const char field[32] = "dddddnnnnn";
	const struct a64_row *row;
	size_t n = 0;

	if (i >= A64_COUNT)
		return false;
	row = &a64_rows[i];
	d->name = row->name;
	d->group = ext[row->ext][0];
	d->group_text = ext[row->ext][1];
	d->effect[0] = d->operands[0] = 0;
	for (unsigned k = 0; k < A64_OPERANDS_MAX && row->operand[k] != A64_OPERAND_NONE; k++)
		n += (size_t)snprintf(d->operands + n, sizeof(d->operands) - n, "%s%s", k ? ", " : "",
				      a64_operand_texts[row->operand[k]]);
	emu_doc_bits(row->mask, row->match, field, 32, d->bits);
	return true;
}
