/* AArch64: rows of the reference page, from the tables that the decoder and the disassembler use. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "emu/a64_translate.h"
#include "emu/emu.h"

/* Bits of the encoding and the letter that stands for them; a bit that has one keeps it. */
static int take(char field[32], unsigned from, unsigned length, char letter)
{
	for (unsigned b = from; b < from + length; b++)
		field[b] = field[b] ? field[b] : letter;
	return 0;
}

/* Every field that a64_format.def reads is noted; the values that come out do not matter. */
static void fields_of(enum a64_format format, char field[32])
{
	const struct a64_insn dummy = { 0 }, *const i = &dummy;
	char letter;

	switch (format) {
#define U(from, length) take(field, from, length, letter)
#define S(from, length) take(field, from, length, letter)
#define bit_mask(bits) take(field, 10, 13, letter)
#define a64_fp_imm(imm8, size) (imm8)
#define vector_imm_size(cmode, op) (cmode)
#define vector_imm(imm8, cmode, op) (imm8)
#define A64_FORMAT(id, wide, bytes, number, value, require)                                        \
	case A64_FORMAT_##id:                                                                      \
		letter = 'i';                                                                      \
		(void)(value);                                                                     \
		letter = 'e';                                                                      \
		(void)(number);                                                                    \
		letter = 'z';                                                                      \
		(void)(wide);                                                                      \
		(void)(bytes);                                                                     \
		break;
#include "emu/a64_format.def"
#undef U
#undef S
#undef bit_mask
#undef a64_fp_imm
#undef vector_imm_size
#undef vector_imm
	}
}

/* The registers that an operand names: "Xd", "[Xn|SP]", "{Vt.T}". */
static void registers_of(const char *text, char field[32])
{
	static const struct {
		char letter;
		unsigned from;
	} regs[] = { { 'd', 0 }, { 't', 0 }, { 'n', 5 }, { 'a', 10 }, { 'm', 16 } };

	for (const char *p = text; *p; p++)
		for (unsigned k = 0; k < sizeof(regs) / sizeof(regs[0]); k++)
			if (isupper((unsigned char)*p) && p[1] == regs[k].letter)
				memset(field + regs[k].from, regs[k].letter, 5);
}

/* What an instruction of that name does; "": nobody has said it (a test). */
static const char *effect_of(const char *name)
{
	static const struct {
		const char *name, *effect;
	} effects[] = {
#define A64_EFFECT(name, effect) { name, effect },
#include "emu/a64_effect.def"
	};

	for (unsigned k = 0; k < sizeof(effects) / sizeof(effects[0]); k++)
		if (!strcmp(effects[k].name, name))
			return effects[k].effect;
	return "";
}

bool a64_doc(unsigned i, struct emu_insn_doc *d)
{
	static const char *const ext[A64_EXTS][2] = {
#define A64_EXT(id, name, bit, feature, text) [A64_EXT_##id] = { name, text },
#include "emu/a64_ext.def"
	};
	char field[32] = { 0 };
	const struct a64_row *row;
	size_t n = 0;

	if (i >= A64_COUNT)
		return false;
	row = &a64_rows[i];
	d->name = row->name;
	d->group = ext[row->ext][0];
	d->group_text = ext[row->ext][1];
	d->operands[0] = 0;
	snprintf(d->effect, sizeof(d->effect), "%s", effect_of(row->name));
	for (unsigned k = 0; k < A64_OPERANDS_MAX && row->operand[k] != A64_OPERAND_NONE; k++) {
		const char *text = a64_operand_texts[row->operand[k]];

		n += (size_t)snprintf(d->operands + n, sizeof(d->operands) - n, "%s%s", k ? ", " : "", text);
		registers_of(text, field);
	}
	fields_of((enum a64_format)row->format, field);
	emu_doc_bits(row->mask, row->match, field, 32, d->bits);
	return true;
}
