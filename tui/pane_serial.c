/* What the guest wrote to its serial port, and to the debug port 0xe9 if it used that. */
#include "tui/pane.h"

static int rows_of(const struct tui_pane *p, int width)
{
	const struct rs_str *s = &p->m->text[RS_STREAM_SERIAL], *d = &p->m->text[RS_STREAM_DEBUG];
	int rows = tui_text_rows(s->p, s->len, width);
	if (d->len)
		rows += 1 + tui_text_rows(d->p, d->len, width);
	return rows;
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct rs_str *s = &p->m->text[RS_STREAM_SERIAL], *d = &p->m->text[RS_STREAM_DEBUG];
	if (!s->len && !d->len) {
		tui_pane_empty(a, p, N_("The guest has not written to its serial port yet."));
		return;
	}
	int rows = rows_of(p, a.w);
	int top = tui_pane_window(p, &tui_pane_serial, rows, a.h);
	tui_text_draw(a, s->p, s->len, top, TUI_S_TEXT);
	if (!d->len)
		return;
	int y = tui_text_rows(s->p, s->len, a.w) - top;
	if (y >= 0 && y < a.h) {
		int x = tui_put(a, 0, y, TUI_S_ACCENT, tui_tr(p, N_("port 0xe9")));
		tui_hline(a, x + 1, y, a.w - x - 1, TUI_S_BORDER, "─");
	}
	struct tui_area rest = y + 1 > 0 ? tui_area_sub(a, 0, y + 1, a.w, a.h - y - 1) : a;
	tui_text_draw(rest, d->p, d->len, y + 1 > 0 ? 0 : -(y + 1), TUI_S_TEXT);
}

const struct tui_pane_ops tui_pane_serial = { .draw = draw, .rows = rows_of, .tail = true };
