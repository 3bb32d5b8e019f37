/* The mount table of each mount namespace in the container. */
#include <string.h>

#include "tui/pane.h"

static int rows_of(const struct tui_pane *p, int width)
{
	int n = 0;
	(void)width;
	for (const char *s = p->m->box.mounts.p; *s; s += strcspn(s, "\n"), s += *s == '\n')
		n++;
	return n;
}

/* The n-th TAB-separated field of a line. */
static const char *field(const char *s, unsigned n, size_t *len)
{
	while (n-- && *s && *s != '\n') {
		s += strcspn(s, "\t\n");
		s += *s == '\t';
	}
	*len = strcspn(s, "\t\n");
	return s;
}

static void draw_line(struct tui_area a, int y, const char *line, const struct tui_pane *p)
{
	static const enum tui_style style[] = { TUI_S_STRONG, TUI_S_NUMBER, TUI_S_DIM, TUI_S_FAINT };
	int at[] = { 0, a.w / 3, a.w / 3 + 10, a.w / 2 + 8 };
	size_t n;
	if (line[0] == '=') {
		rs_auto_str t = RS_STR_INIT;
		const char *pid = field(line, 1, &n);
		rs_str_addf(&t, tui_tr(p, N_("as process %.*s sees it")), (int)n, pid);
		int x = tui_put(a, 0, y, TUI_S_ACCENT, t.p);
		tui_hline(a, x + 1, y, a.w - x - 1, TUI_S_BORDER, "─");
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		const char *f = field(line, i, &n);
		int most = (i < 3 ? at[i + 1] : a.w) - at[i] - 1;
		if (most > 0)
			tui_put_raw(a, at[i], y, most, style[i], f, n);
	}
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	int rows = rows_of(p, a.w), row = 0;
	if (!rows) {
		tui_pane_empty(a, p, N_("What is mounted where in the container appears here."));
		return;
	}
	int top = tui_pane_window(p, &tui_pane_mounts, rows, a.h);
	for (const char *s = p->m->box.mounts.p; *s; s += strcspn(s, "\n"), s += *s == '\n', row++)
		if (row >= top && row - top < a.h)
			draw_line(a, row - top, s, p);
}

const struct tui_pane_ops tui_pane_mounts = { .draw = draw, .rows = rows_of };
