#include <string.h>

#include "tui/layout.h"

/* Columns, frame included, from which on a view may share a row with another one. */
static int wanted_width(enum eng_view v)
{
	switch (v) {
	case ENG_VIEW_rings:
	case ENG_VIEW_code:
	case ENG_VIEW_exits:
		return 36;
	case ENG_VIEW_serial:
		return 30;
	case ENG_VIEW_stages: /* four columns */
		return 116;
	case ENG_VIEW_output:
		return 40;
	case ENG_VIEW_rewrite:
	case ENG_VIEW_techniques:
		return 56;
	case ENG_VIEW_guest:
	case ENG_VIEW_cache:
		return 44;
	case ENG_VIEW_registers:
		return 52;
	case ENG_VIEW_blocks:
		return 60;
	default: /* lines with many words: events, calls, 16 bytes of memory */
		return 72;
	}
}

#define ROW_MIN 13

/* Rows, frame included, after which a view has little more to show; 0: it can use any number. */
static int enough_rows(enum eng_view v)
{
	switch (v) {
	case ENG_VIEW_rings:
		return 22;
	case ENG_VIEW_registers:
		return 26;
	case ENG_VIEW_code:
		return 20;
	case ENG_VIEW_exits:
		return 18;
	case ENG_VIEW_guest:
		return 24;
	case ENG_VIEW_cache:
		return 22;
	case ENG_VIEW_techniques:
		return 14;
	case ENG_VIEW_serial:
	case ENG_VIEW_output:
		return 13;
	default:
		return 0;
	}
}

/* Shares `h` rows out among `n` rows of panes: evenly, except that what one row does not need goes
 * to the others. enough[i] 0: needs whatever there is. */
static void share(int h, int n, const int *enough, int *out)
{
	bool fixed[3] = { false };
	int left = h, open = n;
	for (bool again = true; again && open > 1;) {
		again = false;
		for (int i = 0; i < n && open > 1; i++)
			if (!fixed[i] && enough[i] && enough[i] < left / open) {
				out[i] = enough[i];
				left -= enough[i];
				open--;
				fixed[i] = again = true;
			}
	}
	for (int i = 0; i < n; i++)
		if (!fixed[i]) {
			out[i] = left / open;
			left -= out[i];
			open--;
		}
}

/* Shares an area out to the views in their order: narrow ones may stand side by side. Returns
 * how many got a place. */
static int place(struct tui_layout *l, struct tui_rect a, const struct tui_layout_in *in)
{
	bool used[64] = { false };
	int rows = a.h / ROW_MIN < 1 ? 1 : a.h / ROW_MIN > 3 ? 3 : a.h / ROW_MIN;
	int first[3] = { 0 }, count[3] = { 0 }, n = 0, r = 0;
	for (int i = 0; i < in->views && i < 64 && r < rows; i++) {
		if (used[i])
			continue;
		used[i] = true;
		first[r] = n;
		count[r] = 1;
		l->pane[n++].view = i;
		for (int k = i + 1; k < in->views && k < 64; k++) {
			if (used[k] || wanted_width(in->view[i]) > a.w / 2 ||
			    wanted_width(in->view[k]) > a.w / 2)
				continue;
			used[k] = true;
			count[r] = 2;
			l->pane[n++].view = k;
			break;
		}
		r++;
	}
	int enough[3] = { 0 }, height[3] = { 0 };
	for (int i = 0; i < r; i++)
		for (int k = 0; k < count[i]; k++) {
			int e = enough_rows(in->view[l->pane[first[i] + k].view]);
			enough[i] = k && (!e || !enough[i]) ? 0 : e > enough[i] ? e : enough[i];
		}
	share(a.h, r, enough, height);
	for (int i = 0, y = a.y; i < r; i++) {
		int h = height[i];
		for (int k = 0; k < count[i]; k++) {
			int w = count[i] == 2 ? a.w / 2 : a.w;
			int x = a.x + k * w;
			l->pane[first[i] + k].r =
				(struct tui_rect){ x, y, k + 1 == count[i] ? a.x + a.w - x : w, h };
		}
		y += h;
	}
	return n;
}

/* The focused view has no place: it takes that of the last pane with enough room. */
static void bring_in(struct tui_layout *l, const struct tui_layout_in *in)
{
	int best = l->panes - 1;
	if (in->focus < 0 || in->focus >= in->views || !l->panes)
		return;
	for (int i = 0; i < l->panes; i++)
		if (l->pane[i].view == in->focus)
			return;
	for (int i = 0; i < l->panes; i++)
		if (l->pane[i].r.w >= wanted_width(in->view[in->focus]))
			best = i;
	l->pane[best].view = in->focus;
}

void tui_layout_make(struct tui_layout *l, const struct tui_layout_in *in)
{
	struct tui_rect body = { 0, 2, in->w, in->h - 4 };
	memset(l, 0, sizeof(*l));
	if (in->zoom || in->w < 76) {
		if (in->focus >= 0 && in->views) {
			l->panes = 1;
			l->pane[0].view = in->focus < in->views ? in->focus : 0;
			l->pane[0].r = body;
		} else if (in->focus == TUI_FOCUS_TASK && in->task_rows) {
			l->task = body;
		} else {
			l->text = body;
		}
		return;
	}
	int left = in->w * 44 / 100;
	if (in->w >= 112 && left > in->w - 76) /* two narrow panes beside it */
		left = in->w - 76;
	if (left > 66)
		left = 66;
	if (!in->views)
		left = in->w;
	l->text = (struct tui_rect){ 0, body.y, left, body.h };
	if (in->task_rows) {
		int most = in->focus == TUI_FOCUS_TASK ? body.h * 2 / 3 : body.h / 2;
		int h = in->task_rows + 2 < most ? in->task_rows + 2 : most;
		if (h < 4)
			h = 4;
		l->text.h -= h;
		l->task = (struct tui_rect){ 0, body.y + l->text.h, left, h };
	}
	if (!in->views)
		return;
	struct tui_rect right = { left, body.y, in->w - left, body.h };
	l->panes = place(l, right, in);
	bring_in(l, in);
}
