/* Moving and scrolling: the list, the text, the checks, the panes. */
#include "tui/app.h"

static int step_of(enum tui_action how, int page)
{
	switch (how) {
	case TUI_A_UP: return -1;
	case TUI_A_DOWN: return 1;
	case TUI_A_PAGE_UP: return page > 2 ? 1 - page : -1;
	case TUI_A_PAGE_DOWN: return page > 2 ? page - 1 : 1;
	case TUI_A_FIRST: return -1000000;
	default: return 1000000;
	}
}

static int clamp(int v, int low, int high)
{
	if (v > high)
		v = high;
	return v < low ? low : v;
}

static void list_move(struct tui_app *a, int by)
{
	struct tui_list *l = &a->list;
	int want = clamp(l->sel + by, 0, l->rows - 1), dir = by < 0 ? -1 : 1;
	if (l->rows == 0)
		return;
	/* headings cannot be selected: go on in the same direction, else back */
	int i = want;
	while (i >= 0 && i < l->rows && l->row[i] < 0)
		i += dir;
	if (i < 0 || i >= l->rows)
		for (i = want; i >= 0 && i < l->rows && l->row[i] < 0;)
			i -= dir;
	if (i >= 0 && i < l->rows)
		l->sel = i;
}

static void pane_move(struct tui_app *a, int view, int by, bool end)
{
	struct tui_lesson *ls = &a->ls;
	enum eng_view v = ls->view[view];
	const struct tui_pane_ops *ops = tui_panes[v];
	struct tui_pane_state *st = &ls->pane[v];
	if (!ops->rows)
		return;
	st->moved = !(end && ops->tail); /* at the end again: follow what arrives */
	st->sel += by;
	if (st->sel < 0)
		st->sel = 0;
	/* drawing clamps the other end: it knows the width, and so the rows */
	if (st->sel > 100000000)
		st->sel = 100000000;
}

void tui_move_sideways(struct tui_app *a, int by)
{
	struct tui_lesson *ls = &a->ls;
	enum eng_view v = ls->view[ls->focus];
	struct tui_pane_state *st = &ls->pane[v];
	const struct tui_pane p = { .m = ls->model, .lang = a->lang, .st = st };
	st->side = clamp(st->side + by, 0, tui_panes[v]->sides(&p, st->width) - 1);
}

static int *task_row(struct tui_app *a, int *n)
{
	const struct eng_step *s = tui_step(a);
	const struct eng_prediction *p = eng_session_prediction(a->ls.session, eng_session_step(a->ls.session));
	if (s->predict && s->predict->choices && p && !p->known) {
		*n = (int)s->predict->choices;
		return &a->ls.choice;
	}
	*n = (int)s->checks;
	return &a->ls.check;
}

static void focus_move(struct tui_app *a, int focus, int by, bool end)
{
	struct tui_lesson *ls = &a->ls;
	if (focus == TUI_FOCUS_TEXT) {
		ls->text_top = clamp(ls->text_top + by, 0, ls->text_rows - ls->text_page);
	} else if (focus == TUI_FOCUS_TASK) {
		int n, *row = task_row(a, &n);
		/* select as long as there is something to select that way, then scroll */
		if (n > 1 && *row + by >= 0 && *row + by < n) {
			*row += by;
			ls->show_check = true;
		} else {
			ls->task_top = clamp(ls->task_top + by, 0, ls->task_rows - ls->task_page);
		}
	} else {
		pane_move(a, focus, by, end);
	}
}

void tui_move(struct tui_app *a, enum tui_action how)
{
	struct tui_lesson *ls = &a->ls;
	bool end = how == TUI_A_LAST;
	a->dirty = true;
	if (a->help) {
		a->help_top = clamp(a->help_top + step_of(how, a->help_page), 0, a->help_rows - a->help_page);
		return;
	}
	if (a->screen == TUI_IN_LIST) {
		list_move(a, step_of(how, a->list.page));
		return;
	}
	int page = ls->focus == TUI_FOCUS_TEXT ? ls->text_page :
		   ls->focus == TUI_FOCUS_TASK ? ls->task_page : ls->pane[ls->view[ls->focus]].page;
	focus_move(a, ls->focus, step_of(how, page), end);
}

void tui_scroll_at(struct tui_app *a, int x, int y, int rows)
{
	a->dirty = true;
	if (a->help) {
		a->help_top = clamp(a->help_top + rows, 0, a->help_rows - a->help_page);
		return;
	}
	if (a->screen == TUI_IN_LIST) {
		list_move(a, rows < 0 ? -1 : 1);
		return;
	}
	for (int i = a->hits; i-- > 0;) {
		const struct tui_hit *h = &a->hit[i];
		if ((h->type == TUI_HIT_FOCUS || h->type == TUI_HIT_ROW) && x >= h->r.x &&
		    x < h->r.x + h->r.w && y >= h->r.y && y < h->r.y + h->r.h) {
			if (h->arg == TUI_FOCUS_TASK && h->type == TUI_HIT_FOCUS)
				a->ls.task_top = clamp(a->ls.task_top + rows, 0,
						       a->ls.task_rows - a->ls.task_page);
			else
				focus_move(a, h->arg, rows, false);
			return;
		}
	}
}
