/* Events in order, one a row; the selected one explained below. */
#include "tui/pane.h"

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	return (int)p->m->events.n;
}

/* "from 3  to 0  via int": names dim, values plain. */
static void arguments(struct tui_area a, int x, int y, const struct rs_event *ev)
{
	const struct rs_kind_info *k = rs_kind_info(ev->kind);
	char v[64];
	if (ev->kind == RS_EV_CPU_STEP || ev->kind == RS_EV_KVM_CALL) { /* the text says it best */
		if (ev->kind == RS_EV_KVM_CALL)
			x += 1 + tui_put(a, x, y, TUI_S_TEXT,
					 rs_unit_format(RS_UNIT_call, ev->arg[0], v, sizeof(v)));
		tui_put(a, x, y, TUI_S_TEXT, ev->text);
		return;
	}
	for (int i = 0; i < 4 && k->arg[i].name && x < a.w; i++) {
		x += tui_put(a, x, y, TUI_S_DIM, k->arg[i].name) + 1;
		enum tui_style s = TUI_S_TEXT;
		if (ev->kind == RS_EV_CPU_RING && i < 2)
			s = tui_ring_style((unsigned)ev->arg[i]);
		x += tui_put(a, x, y, s, rs_unit_format(k->arg[i].unit, ev->arg[i], v, sizeof(v))) + 2;
	}
	if (ev->text[0] && x < a.w)
		tui_put(a, x, y, TUI_S_TEXT, ev->text);
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_model *m = p->m;
	int n = (int)m->events.n;
	char t[32];
	if (!n) {
		tui_pane_empty(a, p, N_("Events appear here in the order they happen."));
		return;
	}
	tui_pane_window(p, &tui_pane_timeline, n, a.h);
	const struct rs_event *cur = tui_ring_at(&m->events, (unsigned)p->st->sel);
	rs_auto_str why = RS_STR_INIT;
	if (!eng_sentence(cur, p->lang, &why))
		rs_str_add(&why, tui_tr(p, rs_kind_info(cur->kind)->sentence));
	a = tui_pane_detail(a, NULL, why.p);
	int top = tui_pane_window(p, &tui_pane_timeline, n, a.h);
	for (int y = 0; y < a.h && top + y < n; y++) {
		const struct rs_event *ev = tui_ring_at(&m->events, (unsigned)(top + y));
		enum tui_style s;
		const char *glyph = tui_family(ev->kind, &s);
		int x = tui_put_right(a, 9, y, TUI_S_DIM, tui_fmt_time(ev->time, t, sizeof(t)));
		tui_put(a, 10, y, s, glyph);
		x = 12 + tui_put_max(a, 12, y, 12, s, rs_kind_info(ev->kind)->name);
		arguments(a, x + 1 < 23 ? 23 : x + 1, y, ev);
		if (top + y == p->st->sel)
			tui_back_row(a, 0, y, a.w, p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	}
}

const struct tui_pane_ops tui_pane_timeline = { .draw = draw, .rows = rows_of, .select = true,
						.tail = true };
