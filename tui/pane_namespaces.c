/* Who shares which namespace: processes against the eight kinds. Each namespace has a letter; the same
 * letter in a column is the same namespace, "A" that of the lab outside.
 */
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"

#define KINDS 8

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	return p->m->box.have_procs ? (int)p->m->box.head.n : 0;
}

/* Which of its kind this namespace is, in order of appearance from the outside inwards. */
static unsigned letter(const struct tui_container *c, unsigned row, unsigned kind)
{
	unsigned n = 0;
	for (unsigned i = 0; i <= row; i++) {
		bool seen = false;
		for (unsigned k = 0; k < i; k++)
			seen |= c->row[k].ns[kind] == c->row[i].ns[kind];
		if (c->row[i].ns[kind] == c->row[row].ns[kind])
			return n;
		n += !seen;
	}
	return n;
}

static enum tui_style style_of(unsigned n)
{
	static const enum tui_style s[] = { TUI_S_FAINT, TUI_S_RING3, TUI_S_RING2, TUI_S_RING1, TUI_S_RING0, TUI_S_F_VM };
	return s[n < sizeof(s) / sizeof(s[0]) ? n : sizeof(s) / sizeof(s[0]) - 1];
}

static void describe(const struct tui_pane *p, unsigned row, struct rs_str *out)
{
	const struct tui_container *c = &p->m->box;
	unsigned own = 0;
	if (!row) {
		rs_str_add(out, tui_tr(p, N_("The lab's own process: its namespaces are the host's.")));
		return;
	}
	rs_str_add(out, tui_tr(p, N_("Not shared with its parent:")));
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < row; i++)
			if (c->row[i].host == c->row[row].parent && c->row[i].ns[k] != c->row[row].ns[k]) {
				rs_str_addf(out, " %s:[%llu]", rs_unit_value_name(RS_UNIT_namespace, k),
					    (unsigned long long)c->row[row].ns[k]);
				own++;
			}
	if (!own)
		rs_str_add(out, tui_tr(p, N_(" nothing; it sees what its parent sees.")));
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_container *c = &p->m->box;
	rs_auto_str text = RS_STR_INIT;
	int rows = rows_of(p, a.w), names = a.w > 76 ? 26 : 18, wide = (a.w - names) / KINDS;
	if (!rows) {
		tui_pane_empty(a, p, N_("Which namespaces the container's processes share appears here."));
		return;
	}
	tui_pane_window(p, &tui_pane_namespaces, rows, a.h);
	describe(p, (unsigned)p->st->sel, &text);
	a = tui_pane_detail(a, c->row[p->st->sel].comm, text.p);
	for (unsigned k = 0; k < KINDS && wide > 2; k++)
		tui_put_max(a, names + (int)k * wide, 0, wide - 1, TUI_S_DIM, rs_unit_value_name(RS_UNIT_namespace, k));
	a = tui_area_sub(a, 0, 1, a.w, a.h - 1);
	p->st->head = 1;
	int top = tui_pane_window(p, &tui_pane_namespaces, rows, a.h);
	for (int y = 0; y < a.h && top + y < rows; y++) {
		unsigned row = (unsigned)(top + y), depth = tui_container_depth(c, row);
		int x = 0;
		for (unsigned i = 0; i < depth && i < 6; i++)
			x += tui_put(a, x, y, TUI_S_BORDER, i + 1 == depth ? "└" : " ");
		tui_put_max(a, x, y, names - x - 1, row ? TUI_S_STRONG : TUI_S_DIM, c->row[row].comm);
		for (unsigned k = 0; k < KINDS && wide > 2; k++) {
			unsigned n = letter(c, row, k);
			char t[2] = { (char)('A' + (n < 25 ? n : 25)), 0 };
			tui_put(a, names + (int)k * wide + (wide > 3), y, style_of(n), t);
		}
		if ((int)row == p->st->sel)
			tui_back_row(a, 0, y, a.w, p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	}
}

const struct tui_pane_ops tui_pane_namespaces = { .draw = draw, .rows = rows_of, .select = true };
