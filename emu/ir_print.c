/* IR as text: for `ringside emu show`, the panes of the lab, and failing tests. */
#include "emu/ir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/guest.h"

static const char *const cond_names[EMU_CONDS] = {
	"eq", "ne", "lt", "ge", "ltu", "geu", "le", "gt", "leu", "gtu", "tsteq", "tstne",
};
static const char *const size_names[5] = { "8", "16", "32", "64", "128" };
static const char *const amo_names[] = { "swap", "add", "and", "or", "xor", "min", "max", "minu", "maxu" };
static const char *const rm_names[8] = { "rne", "rtz", "rdn", "rup", "rmm", "?", "?", "dyn" };
static const char *const jump_names[] = { "jump", "call", "ret" };

static void temp_text(const struct emu_ir *ir, const struct emu_guest *g, uint16_t t, char *buf, size_t size)
{
	if (t >= ir->temps)
		snprintf(buf, size, "-");
	else if (ir->temp[t].kind == EMU_TK_GLOBAL && g && g->reg[t])
		snprintf(buf, size, "%s", g->reg[t]);
	else if (ir->temp[t].kind == EMU_TK_GLOBAL)
		snprintf(buf, size, "g%u", t);
	else if (ir->temp[t].kind == EMU_TK_LOCAL)
		snprintf(buf, size, "%s%u", ir->temp[t].fp ? "f" : "t", t - EMU_GLOBALS);
	else if (ir->temp[t].value > -4096 && ir->temp[t].value < 4096)
		snprintf(buf, size, "%" PRId64, ir->temp[t].value);
	else
		snprintf(buf, size, "0x%" PRIx64, (uint64_t)ir->temp[t].value);
}

static void convert_text(unsigned aux, char *buf, size_t size)
{
	snprintf(buf, size, "f%s.%s%s%s", aux & EMU_CV_W64 ? "64" : "32", aux & EMU_CV_U ? "u" : "i",
		 aux & EMU_CV_I64 ? "64" : "32", aux & EMU_CV_TRUNC ? ".trunc" : "");
}

/* "4s.u": elements as Arm counts them, and the marks. */
static void arrangement_text(unsigned aux, char *buf, size_t size)
{
	snprintf(buf, size, "%u%c%s%s%s%s", aux & EMU_VSCALAR ? 1 : (aux & EMU_VQ ? 16 : 8) >> (aux & 3), "bhsd"[aux & 3],
		 aux & EMU_VU ? ".u" : "", aux & EMU_VR ? ".r" : "", aux & EMU_VHI ? ".hi" : "",
		 aux & EMU_VSAT ? ".sat" : "");
}

static void operand_text(const struct emu_ir *ir, const struct emu_op *op, char kind,
			 const struct emu_guest *g, char *buf, size_t size)
{
	switch (kind) {
	case 'd': case 'D': temp_text(ir, g, op->d, buf, size); return;
	case 'a': case 'A': temp_text(ir, g, op->a, buf, size); return;
	case 'b': case 'B': temp_text(ir, g, op->b, buf, size); return;
	case 'c': case 'C': temp_text(ir, g, op->c, buf, size); return;
	case 'i': snprintf(buf, size, "%" PRId64, op->imm); return;
	case 'p': snprintf(buf, size, "0x%" PRIx64, (uint64_t)op->imm); return;
	case 'l': snprintf(buf, size, "L%" PRId64, op->imm); return;
	case 'k': 
		snprintf(buf, size, "%s%s", emu_cond_ok(op->aux) ? cond_names[op->aux & ~EMU_C32] : "?",
			 op->aux & EMU_C32 ? "32" : "");
		return;
	case 'z': snprintf(buf, size, "%c%s", op->aux & EMU_MSIGN ? 'i' : 'u', size_names[(op->aux & 7) % 5]);
		return;
	case 'w': snprintf(buf, size, "f%s", size_names[2 + op->aux % 3]); return;
	case 'o': snprintf(buf, size, "%s.%s", (op->aux >> 4) < 9 ? amo_names[op->aux >> 4] : "?",
			   size_names[(op->aux & 7) % 5]);
		return;
	case 'v': convert_text(op->aux, buf, size); return;
	case 'e': arrangement_text(op->aux, buf, size); return;
	case 'r': snprintf(buf, size, "%s", rm_names[op->aux & 7]); return;
	case 'h': snprintf(buf, size, "helper"); return;
	case 'x': snprintf(buf, size, "%s", emu_exc_name((enum emu_exc)op->aux)); return;
	case 'j': snprintf(buf, size, "%s", jump_names[op->aux % 3]); return;
	case 's': snprintf(buf, size, "#%u", op->aux); return;
	default: snprintf(buf, size, "?"); return;
	}
}

const char *emu_op_operand_word(char letter)
{
	static const struct {
		char letter;
		const char *word;
	} words[] = {
		{ 'd', "d" }, { 'D', "fd" }, { 'a', "a" }, { 'b', "b" }, { 'c', "c" }, { 'A', "fa" }, { 'B', "fb" },
		{ 'C', "fc" }, { 'i', "imm" }, { 'p', "address" }, { 'l', "label" }, { 'k', "condition" },
		{ 'z', "size" }, { 'w', "width" }, { 'e', "arrangement" }, { 'o', "operation.size" }, { 'v', "conversion" },
		{ 'r', "rounding" }, { 'h', "helper" }, { 'x', "exception" }, { 'j', "kind" }, { 's', "#exit" },
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].letter == letter)
			return words[i].word;
	return "?";
}

void emu_op_print(const struct emu_ir *ir, const struct emu_op *op, const struct emu_guest *g, char *buf,
		  size_t size)
{
	const struct emu_op_info *info = emu_op_info(op->op);
	size_t n;

	snprintf(buf, size, "%s", info->name);
	for (const char *p = info->operands; *p; p++) {
		char text[40];

		operand_text(ir, op, *p, g, text, sizeof(text));
		n = strlen(buf);
		snprintf(buf + n, size - n, "%s%s", p == info->operands ? " " : ", ", text);
	}
}
