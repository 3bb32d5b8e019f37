/* VM exits by reason: the counts are counters, so they are exact whatever the rate. */
#include <stdio.h>
#include <stdlib.h>

#include "tui/pane.h"

struct row {
	unsigned reason;
	uint64_t n;
};

static int by_count(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return (int)x->reason - (int)y->reason;
}

static int collect(const struct tui_model *m, struct row *r)
{
	int n = 0;
	for (unsigned i = 0; i < TUI_EXITS; i++) {
		uint64_t c = tui_model_exits(m, i);
		if (c)
			r[n++] = (struct row){ i, c };
	}
	qsort(r, (size_t)n, sizeof(*r), by_count);
	return n;
}

static int rows_of(const struct tui_pane *p, int width)
{
	struct row r[TUI_EXITS];
	(void)width;
	return collect(p->m, r);
}

static const char *reason_name(unsigned reason, char *buf, size_t size)
{
	const struct rs_exit_info *x = rs_exit_info(reason);
	if (x)
		return x->name;
	snprintf(buf, size, "%u", reason);
	return buf;
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_model *m = p->m;
	struct row r[TUI_EXITS];
	int n = collect(m, r);
	char t[32], name[16];
	if (!n) {
		tui_pane_empty(a, p, N_("VM exits appear here, counted by reason, when the guest runs."));
		return;
	}
	tui_pane_window(p, &tui_pane_exits, n, a.h - 2);
	const struct rs_exit_info *x = rs_exit_info(r[p->st->sel].reason);
	if (x) {
		rs_auto_str why = RS_STR_INIT;
		/* Chinese sentences follow each other without a space */
		rs_str_addf(&why, "%s%s%s", tui_tr(p, x->sentence), p->lang == RS_LANG_ZH_TW ? "" : " ",
			    tui_tr(p, x->handled));
		rs_auto_str title = RS_STR_INIT;
		rs_str_addf(&title, "KVM_EXIT_");
		for (const char *c = x->name; *c; c++)
			rs_str_addc(&title, *c == '-' ? '_' : (char)(*c >= 'a' ? *c - 32 : *c));
		a = tui_pane_detail(a, title.p, why.p);
	}
	bool rates = a.w >= 46;
	int count_x = rates ? a.w - 9 : a.w; /* right edge of the counts */
	tui_put(a, 0, 0, TUI_S_DIM, tui_tr(p, N_("reason")));
	tui_put_right(a, count_x, 0, TUI_S_DIM, tui_tr(p, N_("count")));
	if (rates)
		tui_put_right(a, a.w, 0, TUI_S_DIM, tui_tr(p, N_("rate")));
	struct tui_area list = tui_area_sub(a, 0, 1, a.w, a.h - 2);
	int top = tui_pane_window(p, &tui_pane_exits, n, list.h);
	p->st->head = 1;
	int bar_x = a.w >= 60 ? 18 : 15, bar_w = count_x - 12 - bar_x;
	for (int i = 0; i < list.h && top + i < n; i++) {
		const struct row *e = &r[top + i];
		bool sel = top + i == p->st->sel;
		tui_put_max(list, 0, i, bar_x - 1, sel ? TUI_S_STRONG : TUI_S_TEXT,
			    reason_name(e->reason, name, sizeof(name)));
		tui_bar(list, bar_x, i, bar_w, TUI_S_F_VM, e->n, r[0].n);
		tui_put_right(list, count_x, i, TUI_S_STRONG, tui_fmt_count(e->n, t, sizeof(t)));
		if (rates && m->rate[e->reason] > 0)
			tui_put_right(list, a.w, i, TUI_S_DIM, tui_fmt_rate(m->rate[e->reason], t, sizeof(t)));
		if (sel)
			tui_back_row(list, 0, i, list.w, p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	}
	int y = a.h - 1;
	uint64_t quiet = m->have_counters ? m->counters.v[RS_CTR_VM_KERNEL_EXITS] : 0;
	if (quiet && list.h > n) { /* a row is free above the sum */
		tui_put_max(a, 0, y - 1, count_x - 12, TUI_S_DIM, tui_tr(p, N_("besides: in the host's kernel")));
		tui_put_right(a, count_x, y - 1, TUI_S_NUMBER, tui_fmt_count(quiet, t, sizeof(t)));
	}
	tui_put(a, 0, y, TUI_S_DIM, tui_tr(p, N_("all exits")));
	tui_put_right(a, count_x, y, TUI_S_STRONG, tui_fmt_count(tui_model_exits_total(m), t, sizeof(t)));
	if (rates && m->rate_total > 0)
		tui_put_right(a, a.w, y, TUI_S_DIM, tui_fmt_rate(m->rate_total, t, sizeof(t)));
}

const struct tui_pane_ops tui_pane_exits = { .draw = draw, .rows = rows_of, .select = true };
