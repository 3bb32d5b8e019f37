/* One row a technique of virtualization; the student's own runs fill them. */
#include "tui/pane.h"

static const struct {
	unsigned technique;
	const char *name, *sentence;
} rows[TUI_TECHNIQUES] = {
	{ RS_TECHNIQUE_TRAP, N_("full: trap"),
	  N_("Full virtualization: the guest kernel runs in ring 1 as it is; what traps is emulated, what does not trap is wrong.") },
	{ RS_TECHNIQUE_TRANSLATE, N_("full: translate"),
	  N_("Full virtualization: kernel code is rewritten before it runs, so that nothing sensitive is missed.") },
	{ RS_TECHNIQUE_PARA, N_("para"),
	  N_("Paravirtualization: the guest kernel knows that it runs in ring 1 and asks the monitor by hypercalls.") },
	{ RS_TECHNIQUE_ASSIST, N_("hardware"),
	  N_("Hardware assist: the guest has rings 0 to 3 of its own in non-root mode; only exits reach the monitor.") },
};

static int rows_of(const struct tui_pane *p, int width)
{
	(void)p, (void)width;
	return TUI_TECHNIQUES;
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	char t[32];
	tui_pane_window(p, &tui_pane_techniques, TUI_TECHNIQUES, a.h - 1);
	a = tui_pane_detail(a, NULL, tui_tr(p, rows[p->st->sel].sentence));
	bool narrow = a.w < 56;
	int ns = a.w, cross = a.w - (narrow ? 10 : 12), exits = cross - (narrow ? 10 : 11), name = exits - (narrow ? 6 : 9);
	tui_put_max(a, 0, 0, name, TUI_S_DIM, tui_tr(p, N_("technique")));
	tui_put_right(a, exits, 0, TUI_S_DIM, tui_tr(p, N_("exits")));
	tui_put_right(a, cross, 0, TUI_S_DIM, tui_tr(p, N_("crossings")));
	tui_put_right(a, ns, 0, TUI_S_DIM, tui_tr(p, N_("time")));
	p->st->head = 1;
	int top = tui_pane_window(p, &tui_pane_techniques, TUI_TECHNIQUES, a.h - 1);
	for (int y = 1; y < a.h && top + y - 1 < TUI_TECHNIQUES; y++) {
		int i = top + y - 1;
		const struct tui_technique *k = &p->m->technique[rows[i].technique];
		bool now = p->m->current == rows[i].technique && p->m->state != TUI_RUN_NONE;
		tui_put_max(a, 0, y, name, now ? TUI_S_STRONG : TUI_S_TEXT, tui_tr(p, rows[i].name));
		if (k->ran) {
			tui_put_right(a, exits, y, TUI_S_NUMBER, tui_fmt_count(k->exits, t, sizeof(t)));
			tui_put_right(a, cross, y, TUI_S_NUMBER, tui_fmt_count(k->crossings, t, sizeof(t)));
			tui_put_right(a, ns, y, TUI_S_TEXT, tui_fmt_time(k->ns, t, sizeof(t)));
		} else {
			tui_put_right(a, ns, y, TUI_S_FAINT, tui_tr(p, N_("not run yet")));
		}
		if (i == p->st->sel)
			tui_back_row(a, 0, y, a.w, p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	}
}

const struct tui_pane_ops tui_pane_techniques = { .draw = draw, .rows = rows_of, .select = true };
