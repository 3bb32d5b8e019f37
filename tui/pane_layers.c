/* The layers of an overlay: what is mounted, the upper layer with what happened there, the lower ones. */
#include <string.h>

#include "tui/pane.h"

static int rows_of(const struct tui_pane *p, int width)
{
	int n = 0;
	(void)width;
	for (const char *s = p->m->box.layers.p; *s; s += strcspn(s, "\n"), s += *s == '\n')
		n++;
	return n;
}

static const struct {
	enum rs_layer what;
	const char *glyph, *words;
	enum tui_style style;
} looks[] = {
	{ RS_LAYER_CREATED, "+", N_("created here"), TUI_S_OK },
	{ RS_LAYER_COPIED, "↑", N_("copied up"), TUI_S_CHANGED },
	{ RS_LAYER_WHITEOUT, "✗", N_("whiteout: hides what lies below"), TUI_S_FAIL },
	{ RS_LAYER_OPAQUE, "▣", N_("opaque: hides the directory below"), TUI_S_FAIL },
	{ RS_LAYER_CHANGED, "~", N_("changed"), TUI_S_CHANGED },
};

static void draw_line(struct tui_area a, int y, const char *line, unsigned layer, const struct tui_pane *p)
{
	size_t key = strcspn(line, "\t\n"), n = strcspn(line, "\n");
	const char *text = line + key + (line[key] == '\t');
	size_t len = n - (size_t)(text - line);
	if (*line == '@') {
		int x = tui_put(a, 0, y, TUI_S_DIM, tui_tr(p, N_("seen together at"))) + 1;
		tui_put_raw(a, x, y, a.w - x, TUI_S_STRONG, text, len);
		return;
	}
	if (*line == '=') {
		const char *title = layer == 1 ? N_("upper layer, written to:") : N_("lower layer, never written to:");
		int x = tui_put(a, 0, y, layer == 1 ? TUI_S_ACCENT : TUI_S_DIM, tui_tr(p, title)) + 1;
		x += tui_put_raw(a, x, y, a.w - x, TUI_S_STRONG, text, len) + 1;
		tui_hline(a, x, y, a.w - x, TUI_S_BORDER, "─");
		return;
	}
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		const char *name = rs_unit_value_name(RS_UNIT_layer, looks[i].what);
		if (strlen(name) != key || strncmp(line, name, key))
			continue;
		int x = 2 + tui_put(a, 2, y, looks[i].style, looks[i].glyph) + 1;
		x += tui_put_raw(a, x, y, a.w - x, TUI_S_TEXT, text, len) + 2;
		tui_put(a, x, y, looks[i].style, tui_tr(p, looks[i].words));
		return;
	}
	tui_put_raw(a, 4, y, a.w - 4, TUI_S_DIM, text, len);
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	int rows = rows_of(p, a.w), row = 0;
	unsigned layer = 0;
	if (!rows) {
		tui_pane_empty(a, p, N_("When the container mounts an overlay, its layers appear here."));
		return;
	}
	int top = tui_pane_window(p, &tui_pane_layers, rows, a.h);
	for (const char *s = p->m->box.layers.p; *s; s += strcspn(s, "\n"), s += *s == '\n', row++) {
		layer += *s == '=';
		if (row >= top && row - top < a.h)
			draw_line(a, row - top, s, layer, p);
	}
}

const struct tui_pane_ops tui_pane_layers = { .draw = draw, .rows = rows_of };
