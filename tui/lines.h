/* Lines that cross and join: a canvas remembers through which sides of each cell lines leave, and puts
 * the fitting characters when all are there.
 */
#ifndef TUI_LINES_H
#define TUI_LINES_H

#include "tui/grid.h"

enum { TUI_UP = 1, TUI_RIGHT = 2, TUI_DOWN = 4, TUI_LEFT = 8 };
struct tui_pen {
	enum tui_style style;
	bool dashed;
};
struct tui_line_cell {
	uint8_t sides, style;
	bool solid;
	const char *head;
};
struct tui_lines {
	int w, h;
	struct tui_line_cell *cell;
};
void tui_lines_init(struct tui_lines *l, int w, int h);
void tui_lines_release(struct tui_lines *l);
/* What falls outside is left out. */
void tui_lines_mark(struct tui_lines *l, int x, int y, int sides, struct tui_pen p);
void tui_lines_head(struct tui_lines *l, int x, int y, const char *glyph, struct tui_pen p);
void tui_lines_across(struct tui_lines *l, int x0, int x1, int y, struct tui_pen p);
void tui_lines_along(struct tui_lines *l, int x, int y0, int y1, struct tui_pen p);
void tui_lines_put(struct tui_area a, const struct tui_lines *l);

#endif
