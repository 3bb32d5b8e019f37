/* The calls that containers are made of, one a row, with where the time went: each bar begins where the
 * call did and is as long as it took.
 */
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"

static const char *const sentences[] = {
#define RS_BOXCALL(id, name, args, sentence) [RS_LCALL_##id] = sentence,
#include "engine/base/boxcalls.def"
};

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	return (int)p->m->calls.n;
}

static const char *sentence_of(const struct tui_pane *p, const struct rs_event *ev)
{
	if (ev->kind == RS_EV_BOX_CALL && ev->arg[0] < sizeof(sentences) / sizeof(sentences[0]))
		return tui_tr(p, sentences[ev->arg[0]]);
	return tui_tr(p, rs_kind_info(ev->kind)->sentence);
}

static void draw_row(struct tui_area a, int y, const struct rs_event *ev, uint64_t from, uint64_t span)
{
	char t[32], name[40], v[64];
	int bar = a.w > 90 ? 24 : 0, x = 0;
	int64_t result = (int64_t)ev->arg[1];
	struct tui_area left = tui_area_sub(a, 0, y, a.w - bar - 12, 1);
	if (ev->kind == RS_EV_BOX_CALL) {
		snprintf(t, sizeof(t), "%llu", (unsigned long long)ev->arg[2]);
		tui_put_right(left, 4, 0, TUI_S_DIM, t);
		x = 5 + tui_put(left, 5, 0, result < 0 ? TUI_S_FAIL : TUI_S_STRONG, rs_unit_format(RS_UNIT_lcall, ev->arg[0], name, sizeof(name)));
		x += tui_put(left, x, 0, TUI_S_FAINT, "(");
		x += tui_put(left, x, 0, TUI_S_DIM, ev->text);
		x += tui_put(left, x, 0, TUI_S_FAINT, ")");
		if (result < 0)
			tui_putf(left, x + 1, 0, TUI_S_FAIL, "%s", rs_unit_format(RS_UNIT_errno, (uint64_t)-result, v, sizeof(v)));
		tui_put_right(a, a.w - bar - (bar > 0), y, TUI_S_DIM, tui_fmt_time(ev->arg[3], t, sizeof(t)));
		if (bar && span) {
			uint64_t start = ev->time > ev->arg[3] ? ev->time - ev->arg[3] : 0;
			int at = (int)((start > from ? start - from : 0) * (uint64_t)bar / span), n = (int)(ev->arg[3] * (uint64_t)bar / span);
			at = at < bar ? at : bar - 1;
			tui_hline(a, a.w - bar + at, y, n < 1 ? 1 : n > bar - at ? bar - at : n, result < 0 ? TUI_S_FAIL : TUI_S_RING3, "▬");
		}
		return;
	}
	/* what a call changed */
	const struct rs_kind_info *k = rs_kind_info(ev->kind);
	x = 7 + tui_put(left, 7, 0, TUI_S_F_LAB, ev->kind == RS_EV_BOX_NAMESPACE ? "◇ " : "/ ");
	for (unsigned i = 0; i < 4 && k->arg[i].name; i++) {
		x += tui_putf(left, x, 0, TUI_S_DIM, "%s ", k->arg[i].name);
		x += tui_put(left, x, 0, TUI_S_TEXT, rs_unit_format(k->arg[i].unit, ev->arg[i], v, sizeof(v))) + 1;
	}
	tui_put(left, x, 0, TUI_S_CODE, ev->text);
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_ring *r = &p->m->calls;
	if (!r->n) {
		tui_pane_empty(a, p, N_("The calls that containers are made of appear here: namespaces, mounts, roots, host names."));
		return;
	}
	tui_pane_window(p, &tui_pane_syscalls, (int)r->n, a.h);
	const struct rs_event *cur = tui_ring_at(r, (unsigned)p->st->sel), *first = tui_ring_at(r, 0), *last = tui_ring_at(r, r->n - 1);
	a = tui_pane_detail(a, rs_kind_info(cur->kind)->name, sentence_of(p, cur));
	int top = tui_pane_window(p, &tui_pane_syscalls, (int)r->n, a.h);
	for (int y = 0; y < a.h && top + y < (int)r->n; y++) {
		draw_row(a, y, tui_ring_at(r, (unsigned)(top + y)), first->time, last->time > first->time ? last->time - first->time : 1);
		if (top + y == p->st->sel)
			tui_back_row(a, 0, y, a.w, p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	}
}

const struct tui_pane_ops tui_pane_syscalls = { .draw = draw, .rows = rows_of, .select = true, .tail = true };
