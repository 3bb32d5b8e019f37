/* The registers of the guest's own machine: integers first, floating point and vectors on a second page.
 * What changed since the snapshot before is marked.
 */
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"

static const char *const pages[] = { N_("integer"), N_("floating point, vectors") };

static int page_of(const struct rs_emu_reg *r)
{
	return r->group == RS_EMU_REG_FP;
}

static unsigned regs_on(const struct tui_translator *t, int page)
{
	unsigned n = 0;
	for (unsigned i = 0; i < t->regs.n; i++)
		n += page_of(&t->reg[i]) == page;
	return n;
}

static int sides_of(const struct tui_pane *p, int width)
{
	(void)width;
	return regs_on(&p->m->tr, 1) ? 2 : 1;
}

static int digits_of(const struct rs_emu_reg *r)
{
	return r->bits <= 4 ? 1 : r->bits / 4 > 32 ? 32 : r->bits / 4;
}

/* Columns of one register on this page: name, value, blank. */
static int cell_width(const struct tui_translator *t, int page)
{
	int w = 0;
	for (unsigned i = 0; i < t->regs.n; i++)
		if (page_of(&t->reg[i]) == page && t->reg[i].group != RS_EMU_REG_FLAG && digits_of(&t->reg[i]) > w)
			w = digits_of(&t->reg[i]);
	return 6 + w + 3;
}

static int columns_in(const struct tui_translator *t, int page, int width)
{
	int n = (width + 3) / cell_width(t, page);
	return n < 1 ? 1 : n > 4 ? 4 : n;
}

/* A page has its registers in columns from top to bottom, flags in a row below. */
static int page_rows(const struct tui_translator *t, int page, int width)
{
	unsigned flags = 0, all = regs_on(t, page);
	for (unsigned i = 0; i < t->regs.n; i++)
		flags += page_of(&t->reg[i]) == page && t->reg[i].group == RS_EMU_REG_FLAG;
	int k = columns_in(t, page, width);
	return ((int)(all - flags) + k - 1) / k + (flags != 0);
}

static int rows_of(const struct tui_pane *p, int width)
{
	return p->m->tr.have_regs ? page_rows(&p->m->tr, p->st->side, width) : 0;
}

static void put_reg(struct tui_area a, int x, int y, const struct tui_translator *t, unsigned i)
{
	const struct rs_emu_reg *r = &t->reg[i];
	bool changed = tui_translator_changed(t, i);
	enum tui_style s = changed ? TUI_S_CHANGED : TUI_S_TEXT;
	tui_put_max(a, x, y, 6, changed ? TUI_S_CHANGED : TUI_S_DIM, r->name);
	x += 6;
	if (r->bits > 64) {
		x += tui_put_hex(a, x, y, 16, r->v[1], s);
		/* the lower half has no faint zeros when the upper one is not zero */
		if (r->v[1])
			tui_putf(a, x, y, s, "%016llx", (unsigned long long)r->v[0]);
		else
			tui_put_hex(a, x, y, 16, r->v[0], s);
	} else {
		tui_put_hex(a, x, y, digits_of(r), r->v[0], s);
	}
}

static void draw_page(struct tui_area a, const struct tui_translator *t, int page, int top)
{
	int k = columns_in(t, page, a.w), w = cell_width(t, page), n = 0, total = 0, x = 0;
	for (unsigned i = 0; i < t->regs.n; i++)
		total += page_of(&t->reg[i]) == page && t->reg[i].group != RS_EMU_REG_FLAG;
	int rows = (total + k - 1) / k;
	for (unsigned i = 0; i < t->regs.n; i++) {
		const struct rs_emu_reg *r = &t->reg[i];
		if (page_of(r) != page)
			continue;
		if (r->group == RS_EMU_REG_FLAG) {
			bool changed = tui_translator_changed(t, i);
			x += tui_put(a, x, rows - top, TUI_S_DIM, r->name) + 1;
			x += tui_putf(a, x, rows - top, changed ? TUI_S_CHANGED : TUI_S_TEXT, "%llx",
				      (unsigned long long)r->v[0]) + 2;
			continue;
		}
		int y = n % rows - top;
		if (y >= 0 && y < a.h)
			put_reg(a, n / rows * w, y, t, i);
		n++;
	}
}

/* "pc 0x10646  main+0x1c   andi a4,a5,1" and, on a second row, the pages. */
static void draw_head(struct tui_area a, const struct tui_pane *p, bool tabs)
{
	const struct rs_emu_regs *r = &p->m->tr.regs;
	int x = tui_put(a, 0, 0, TUI_S_DIM, "pc ");
	x += tui_putf(a, x, 0, TUI_S_STRONG, "%llx", (unsigned long long)r->pc) + 2;
	if (r->symbol[0])
		x += tui_put_max(a, x, 0, a.w - x, TUI_S_ACCENT, r->symbol) + 2;
	if (r->insn[0])
		tui_put(a, x, 0, TUI_S_CODE, r->insn);
	x = 0;
	for (int i = 0; tabs && i < sides_of(p, a.w); i++) {
		bool on = i == p->st->side;
		int w = tui_width(a.g, tui_tr(p, pages[i])) + 2;
		tui_put(a, x + 1, 1, on ? TUI_S_INK : TUI_S_DIM, tui_tr(p, pages[i]));
		if (on)
			tui_back_row(a, x, 1, w, p->focus ? TUI_B_B_ACCENT : TUI_B_B_IDLE);
		x += w + 1;
	}
	const char *thread = tui_tr(p, N_("thread"));
	char t[64];
	snprintf(t, sizeof(t), "%s · %s %u", r->guest, thread, r->cpu);
	if (x + tui_width(a.g, t) + 1 < a.w)
		tui_put_right(a, a.w, 1, TUI_S_DIM, t);
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_translator *t = &p->m->tr;
	if (!t->have_regs) {
		tui_pane_empty(a, p, N_("The guest's registers appear here when the program stands still or ends."));
		return;
	}
	if (p->st->side >= sides_of(p, a.w))
		p->st->side = sides_of(p, a.w) - 1;
	struct tui_area body = tui_area_sub(a, 0, 3, a.w, a.h - 3);
	int first = page_rows(t, 0, a.w), second = page_rows(t, 1, a.w);
	if (regs_on(t, 1) && first + second + 2 <= body.h) { /* room for both pages */
		draw_head(a, p, false);
		draw_page(body, t, 0, 0);
		int x = tui_put(body, 0, first + 1, TUI_S_ACCENT, tui_tr(p, pages[1]));
		tui_hline(body, x + 1, first + 1, body.w - x - 1, TUI_S_BORDER, "─");
		draw_page(tui_area_sub(body, 0, first + 2, body.w, second), t, 1, 0);
		p->st->side = 0;
		return;
	}
	draw_head(a, p, true);
	int top = tui_pane_window(p, &tui_pane_guest, page_rows(t, p->st->side, a.w), body.h);
	draw_page(body, t, p->st->side, top);
}

const struct tui_pane_ops tui_pane_guest = { .draw = draw, .rows = rows_of, .sides = sides_of };
