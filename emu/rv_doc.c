/* RISC-V: rows of the reference page, from the tables that the decoder and the disassembler use. */
#include <stdio.h>
#include <string.h>

#include "emu/emu.h"
#include "emu/guest.h"
#include "emu/rv.h"

static void take(char field[32], unsigned from, unsigned length, char letter)
{
	memset(field + from, letter, length);
}

/* Which field each bit of a format belongs to: its operands in rv_format.def, and the few that the
 * decoder takes by hand. */
static void fields_of(enum rv_format format, char field[32])
{
	memset(field, 0, 32);
	switch (format) {
#define R(from) from, 5
#define C(from) from, 3
#define X(n) 0, 0
#define P(from, length, to) take(field, from, length, 'i');
#define RV_FORMAT(name, d, s, t, sign, require, pieces)                                            \
	case RV_FORMAT_##name:                                                                     \
		pieces                                                                             \
		take(field, t, 't');                                                               \
		take(field, s, 's');                                                               \
		take(field, d, 'd');                                                               \
		break;
#include "emu/rv_format.def"
#undef R
#undef C
#undef X
#undef P
	}
	if (format == RV_FORMAT_R4)
		take(field, 27, 5, 'r');
	if (format == RV_FORMAT_RM || format == RV_FORMAT_R4)
		take(field, 12, 3, 'm');
	if (format == RV_FORMAT_AMO) {
		field[26] = 'q';
		field[25] = 'l';
	}
}

/* An operand letter of rv_insn.def as a word. */
static const char *word(char letter)
{
	switch (letter) {
	case 'd': return "rd";
	case 's': return "rs1";
	case 't': return "rs2";
	case 'D': return "frd";
	case 'S': return "frs1";
	case 'T': return "frs2";
	case 'R': return "frs3";
	case 'j': return "imm";
	case 'o': return "offset";
	case 'h': return "shamt";
	case 'u': return "imm20";
	case 'p': return "target";
	case 'm': case 'n': return "rm";
	case 'E': return "csr";
	case 'Z': return "uimm";
	case 'P': return "pred";
	case 'Q': return "succ";
	}
	return NULL;
}

bool rv_doc(unsigned i, struct emu_insn_doc *d)
{
	static const char *const ext[RV_EXTS][2] = {
#define RV_EXT(id, name, text) [RV_EXT_##id] = { name, text },
#include "emu/rv_ext.def"
	};
	const struct rv_row *row;
	char field[32];
	size_t n = 0;

	if (i >= RV_COUNT)
		return false;
	row = &rv_rows[i];
	d->name = row->name;
	d->group = ext[row->ext][0];
	d->group_text = ext[row->ext][1];
	snprintf(d->effect, sizeof(d->effect), *row->effect ? "%s" : "= %s",
		 *row->effect ? row->effect : rv_rows[row->op].name);
	for (const char *p = row->operands; *p; p++) {
		const char one[2] = { *p, 0 };
		int w = snprintf(d->operands + n, sizeof(d->operands) - n, "%s", word(*p) ? word(*p) : one);

		n += (size_t)w;
	}
	d->operands[n] = 0;
	fields_of((enum rv_format)row->format, field);
	emu_doc_bits(row->mask, row->match, field, 8 * rv_length(row->match), d->bits);
	return true;
}
