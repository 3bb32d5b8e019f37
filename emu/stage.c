/* The stages of one block as text. */
#include "emu/stage.h"

#include "emu/x86.h"

#define NONE (~0u)

static void number(struct rs_str *out, bool numbered, unsigned n)
{
	if (!numbered)
		return;
	if (n == NONE)
		rs_str_add(out, "-\t");
	else
		rs_str_addf(out, "%u\t", n);
}

unsigned emu_stage_insn(struct emu_world *w, uint64_t pc, struct rs_str *out)
{
	unsigned max = w->guest->insn_max, avail = max, n;
	const uint8_t *code = NULL;
	char text[96];

	while (avail && !(code = emu_mem_host(&w->mem, pc, avail, PROT_EXEC)))
		avail--;
	n = code ? w->guest->disasm(code, avail, pc, text, sizeof(text)) : 0;
	if (!n)
		return 0;
	rs_str_addf(out, "%8llx:  ", (unsigned long long)pc);
	for (unsigned k = 0; k < max; k++) {
		if (k < n)
			rs_str_addf(out, "%02x", code[n - 1 - k]);
		else
			rs_str_add(out, "  ");
	}
	rs_str_addf(out, "  %s\n", text);
	return n;
}

void emu_stage_guest(struct emu_world *w, const struct emu_ir *ir, bool numbered, struct rs_str *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ir->ops; i++) {
		size_t before = out->len;

		if (ir->op[i].op != EMU_OP_INSN)
			continue;
		number(out, numbered, n++);
		if (!emu_stage_insn(w, (uint64_t)ir->op[i].imm, out))
			out->p[out->len = before] = 0;
	}
}

void emu_stage_ir(struct emu_world *w, const struct emu_ir *ir, bool numbered, struct rs_str *out)
{
	unsigned at = NONE, insns = 0, from[256];

	for (unsigned i = 0; i < 256; i++)
		from[i] = NONE;
	for (unsigned i = 0; i < ir->ops; i++) {
		const struct emu_op *op = &ir->op[i];
		char line[160];

		if (op->op == EMU_OP_INSN)
			at = insns++;
		if ((op->op == EMU_OP_BRCOND || op->op == EMU_OP_BR) && (uint64_t)op->imm < 256)
			from[op->imm] = at;
		/* a side exit belongs to its branch; that is what stands behind a label until an instruction begins */
		if (op->op == EMU_OP_LABEL && (uint64_t)op->imm < 256 && from[op->imm] != NONE)
			at = from[op->imm];
		number(out, numbered, at);
		emu_op_print(ir, op, w->guest, line, sizeof(line));
		rs_str_addf(out, "%s%s\n", op->op == EMU_OP_INSN || op->op == EMU_OP_LABEL ? "" : "  ", line);
	}
}

/* The guest instruction whose host code holds the offset (from the block's start). */
static unsigned insn_of(const struct emu_block *b, uint32_t offset)
{
	unsigned n = b->insns;

	if (!b->mark || (b->tail && offset >= b->tail))
		return NONE;
	while (n && b->mark[n - 1] > offset)
		n--;
	return n ? n - 1 : NONE;
}

void emu_stage_host(struct emu_world *w, const struct emu_block *b, emu_host_text *host, bool numbered,
		    struct rs_str *out)
{
	const uint8_t *code = w->x86->rx + b->code;

	for (uint32_t at = 0; at < b->code_size;) {
		uint32_t left = b->code_size - at;
		unsigned n = 0;

		number(out, numbered, insn_of(b, at));
		rs_str_addf(out, "%8x:  ", at);
		if (host)
			n = host(code + at, left < 15 ? left : 15, (uintptr_t)code + at, out);
		if (!n) {
			n = 1;
			rs_str_addf(out, ".byte 0x%02x", code[at]);
		}
		rs_str_addc(out, '\n');
		at += n;
	}
}
