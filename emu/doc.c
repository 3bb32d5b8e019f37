/* Reference pages: the instruction tables of the guests, and ops.def, as plain rows of text. */
#include <stdio.h>
#include <string.h>

#include "emu/emu.h"
#include "emu/guest.h"

void emu_doc_bits(uint32_t mask, uint32_t match, const char field[32], unsigned width, char *out)
{
	char last = 0;

	while (width--) {
		bool fixed = mask >> width & 1;
		char letter = fixed ? '0' : field[width] ? field[width] : 'x';

		if (last && letter != last)
			*out++ = ' ';
		last = letter;
		*out++ = fixed && match >> width & 1 ? '1' : letter;
	}
	*out = 0;
}

bool emu_doc_insn(const char *guest, unsigned i, struct emu_insn_doc *d)
{
	const struct emu_guest *g = emu_guest_by_name(guest);

	return g && g->doc && g->doc(i, d);
}

const char *emu_doc_notation(const char *guest)
{
	const struct emu_guest *g = emu_guest_by_name(guest);

	return g && g->notation ? g->notation : "";
}

bool emu_doc_op(unsigned i, struct emu_op_doc *d)
{
	const struct emu_op_info *info;
	size_t n = 0;

	if (i >= EMU_OPCODES)
		return false;
	info = emu_op_info(i);
	d->name = info->name;
	d->sentence = info->sentence;
	d->kind = info->flags & EMU_OPF_E ? N_("Leaves the block") :
		  info->flags & EMU_OPF_M ? N_("Guest memory: may fault") :
		  info->flags & EMU_OPF_L ? N_("Branches inside the block") :
		  info->flags & EMU_OPF_P ? N_("Pure: the result depends on the operands alone") :
					    N_("With another effect");
	d->operands[0] = 0;
	for (const char *p = info->operands; *p; p++)
		n += (size_t)snprintf(d->operands + n, sizeof(d->operands) - n, "%s%s", n ? ", " : "",
				      emu_op_operand_word(*p));
	return true;
}
