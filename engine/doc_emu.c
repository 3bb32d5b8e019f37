/* The reference pages of the translator: a guest's instructions from its decode table, and the
 * operations of the IR. Plain text, one line a row, so that grep finds what it looks for. */
#include <stdlib.h>
#include <string.h>

#include "emu/emu.h"
#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/cli_fill.h"

#define PAGE_WIDTH 78

static void widen(int *w, const char *text)
{
	int n = (int)strlen(text);

	*w = n > *w ? n : *w;
}

/* All rows; the caller frees. */
static struct emu_insn_doc *all_insns(const char *guest, unsigned *n)
{
	struct emu_insn_doc *v = NULL, one;

	for (*n = 0; emu_doc_insn(guest, *n, &one); ++*n) {
		if (!(*n & (*n + 1))) /* room for twice as many */
			v = rs_xrealloc(v, 2 * (*n + 1ul), sizeof(*v));
		v[*n] = one;
	}
	return v;
}

/* By extension, in the order in which the table first names them. */
void eng_doc_insns(const char *guest, enum rs_lang l, struct rs_str *out)
{
	unsigned n;
	rs_auto_free struct emu_insn_doc *v = all_insns(guest, &n);
	int name = 0, operands = 0, bits = 0;

	for (unsigned i = 0; i < n; i++) {
		widen(&name, v[i].name);
		widen(&operands, v[i].operands);
		widen(&bits, v[i].bits);
	}
	rs_str_addf(out, rs_tr(l, N_("Instructions of the guest %s: %u\n\n")), guest, n);
	eng_fill(out, rs_tr(l, emu_doc_notation(guest)), NULL, 0, PAGE_WIDTH);
	for (unsigned i = 0; i < n; i++) {
		bool seen = false;

		for (unsigned k = 0; k < i && !seen; k++)
			seen = strcmp(v[k].group, v[i].group) == 0;
		if (seen)
			continue;
		rs_str_addf(out, "\n%s  %s\n", v[i].group, rs_tr(l, v[i].group_text));
		for (unsigned k = i; k < n; k++)
			if (strcmp(v[k].group, v[i].group) == 0)
				rs_str_addf(out, "  %-*s  %-*s  %-*s  %s\n", name, v[k].name, operands,
					    v[k].operands, bits, v[k].bits, rs_tr(l, v[k].effect));
	}
}

void eng_doc_ir(enum rs_lang l, struct rs_str *out)
{
	struct emu_op_doc d, k;
	int name = 0, operands = 0;

	for (unsigned i = 0; emu_doc_op(i, &d); i++) {
		widen(&name, d.name);
		widen(&operands, d.operands);
	}
	rs_str_addf(out, "%s\n\n", rs_tr(l, N_("Operations of the IR")));
	eng_fill(out, rs_tr(l, N_("d is the temp that is written; a, b and c are read. A temp is a guest register, "
				  "a value inside the block, or a constant; fd, fa, fb and fc are temps for floating "
				  "point. Integer temps have 64 bits.")), NULL, 0, PAGE_WIDTH);
	for (unsigned i = 0; emu_doc_op(i, &d); i++) {
		bool seen = false;

		for (unsigned j = 0; j < i && !seen; j++)
			seen = emu_doc_op(j, &k) && k.kind == d.kind;
		if (seen)
			continue;
		rs_str_addf(out, "\n%s\n", rs_tr(l, d.kind));
		for (unsigned j = i; emu_doc_op(j, &k); j++)
			if (k.kind == d.kind)
				rs_str_addf(out, "  %-*s  %-*s  %s\n", name, k.name, operands, k.operands,
					    rs_tr(l, k.sentence));
	}
}
