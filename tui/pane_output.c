/* Messages of the build, output of the program, and the report on a run that ended badly. */
#include "tui/pane.h"

static const struct {
	enum rs_stream stream;
	const char *title;
	enum tui_style style;
} parts[] = {
	{ RS_STREAM_BUILD, N_("build"), TUI_S_TEXT },
	{ RS_STREAM_STDOUT, N_("output"), TUI_S_TEXT },
	{ RS_STREAM_STDERR, N_("errors"), TUI_S_WARN },
	{ RS_STREAM_REPORT, N_("report"), TUI_S_TEXT },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static int rows_of(const struct tui_pane *p, int width)
{
	int rows = 0;
	for (size_t i = 0; i < PARTS; i++) {
		const struct rs_str *s = &p->m->text[parts[i].stream];
		if (s->len)
			rows += 1 + tui_text_rows(s->p, s->len, width);
	}
	return rows;
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	int rows = rows_of(p, a.w);
	if (!rows) {
		tui_pane_empty(a, p, p->m->seen[RS_EV_BUILD_DONE] ?
					     N_("The build had nothing to say.") :
					     N_("What the program prints, messages of the build and reports appear here."));
		return;
	}
	int y = -tui_pane_window(p, &tui_pane_output, rows, a.h);
	for (size_t i = 0; i < PARTS; i++) {
		const struct rs_str *s = &p->m->text[parts[i].stream];
		if (!s->len)
			continue;
		if (y >= 0 && y < a.h) {
			int x = tui_put(a, 0, y, TUI_S_ACCENT, tui_tr(p, parts[i].title));
			tui_hline(a, x + 1, y, a.w - x - 1, TUI_S_BORDER, "─");
		}
		y++;
		int n = tui_text_rows(s->p, s->len, a.w), skip = y < 0 ? -y : 0;
		if (y + skip < a.h)
			tui_text_draw(tui_area_sub(a, 0, y + skip, a.w, a.h - y - skip), s->p, s->len,
				      skip, parts[i].style);
		y += n;
	}
}

const struct tui_pane_ops tui_pane_output = { .draw = draw, .rows = rows_of };
