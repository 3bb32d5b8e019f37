#include <stdlib.h>

#include "engine/base/str.h"
#include "tui/lines.h"

void tui_lines_init(struct tui_lines *l, int w, int h)
{
	l->w = w < 0 ? 0 : w;
	l->h = h < 0 ? 0 : h;
	l->cell = rs_xcalloc((size_t)l->w * (size_t)l->h + 1, sizeof(*l->cell));
}

void tui_lines_release(struct tui_lines *l)
{
	free(l->cell);
	l->cell = NULL;
}

static struct tui_line_cell *at(struct tui_lines *l, int x, int y)
{
	return x < 0 || y < 0 || x >= l->w || y >= l->h ? NULL : &l->cell[y * l->w + x];
}

void tui_lines_mark(struct tui_lines *l, int x, int y, int sides, struct tui_pen p)
{
	struct tui_line_cell *c = at(l, x, y);
	if (!c)
		return;
	c->sides |= (uint8_t)sides;
	c->style = (uint8_t)p.style;
	c->solid |= !p.dashed;
}

void tui_lines_head(struct tui_lines *l, int x, int y, const char *glyph, struct tui_pen p)
{
	struct tui_line_cell *c = at(l, x, y);
	tui_lines_mark(l, x, y, 0, p);
	if (c)
		c->head = glyph;
}

void tui_lines_across(struct tui_lines *l, int x0, int x1, int y, struct tui_pen p)
{
	int dir = x0 < x1 ? 1 : -1;
	for (int x = x0; x != x1; x += dir) {
		tui_lines_mark(l, x, y, dir > 0 ? TUI_RIGHT : TUI_LEFT, p);
		tui_lines_mark(l, x + dir, y, dir > 0 ? TUI_LEFT : TUI_RIGHT, p);
	}
}

void tui_lines_along(struct tui_lines *l, int x, int y0, int y1, struct tui_pen p)
{
	int dir = y0 < y1 ? 1 : -1;
	for (int y = y0; y != y1; y += dir) {
		tui_lines_mark(l, x, y, dir > 0 ? TUI_DOWN : TUI_UP, p);
		tui_lines_mark(l, x, y + dir, dir > 0 ? TUI_UP : TUI_DOWN, p);
	}
}

static const char *glyph(int sides, bool solid)
{
	static const char *const lines[16] = { " ", "│", "─", "╰", "│", "│", "╭", "├",
					       "─", "╯", "─", "┴", "╮", "┤", "┬", "┼" };
	if (!solid && !(sides & (TUI_LEFT | TUI_RIGHT)))
		return "┆";
	if (!solid && !(sides & (TUI_UP | TUI_DOWN)))
		return "┄";
	return lines[sides & 15];
}

void tui_lines_put(struct tui_area a, const struct tui_lines *l)
{
	for (int i = 0; i < l->w * l->h; i++) {
		const struct tui_line_cell *c = &l->cell[i];
		if (c->sides || c->head)
			tui_put_raw(a, i % l->w, i / l->w, 1, (enum tui_style)c->style,
				    c->head ? c->head : glyph(c->sides, c->solid), 3);
	}
}
