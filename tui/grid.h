/* The cell grid: what panes and screens draw to. It knows no terminal, so a screen can be
 * tested as text. Drawing goes through an area: a rectangle of the grid with coordinates of
 * its own; whatever falls outside is clipped.
 */
#ifndef TUI_GRID_H
#define TUI_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/str.h"
#include "tui/theme.h"

#define TUI_CELL_BYTES 12 /* one character and a few combining marks, terminated */

struct tui_cell {
	char ch[TUI_CELL_BYTES]; /* UTF-8; "" in the right half of a wide character */
	uint8_t width;           /* 1 or 2; 0: right half of a wide character */
	uint8_t style, back;
};

struct tui_grid {
	int w, h;
	bool ascii;              /* only ASCII may be shown: everything else is replaced */
	struct tui_cell *cell;   /* w * h, row by row */
};

void tui_grid_init(struct tui_grid *g, int w, int h, bool ascii); /* blank */
void tui_grid_release(struct tui_grid *g);
void tui_grid_resize(struct tui_grid *g, int w, int h);           /* blank afterwards */
void tui_grid_clear(struct tui_grid *g);
const struct tui_cell *tui_grid_at(const struct tui_grid *g, int x, int y);
/* The text of the grid, a line a row, blanks at the end cut off; with `styles`, after it
 * a second picture of style letters and a third of background letters. */
void tui_grid_dump(const struct tui_grid *g, bool styles, struct rs_str *out);

/* A rectangle of a grid. Plain value. */
struct tui_area {
	struct tui_grid *g;
	int x, y, w, h;
};
struct tui_area tui_area_all(struct tui_grid *g);
/* A part of an area, clipped to it. */
struct tui_area tui_area_sub(struct tui_area a, int x, int y, int w, int h);

/* Puts text at (x, y), at most up to the area's right edge, "…" where it is cut. Returns the
 * columns used. Control characters show as "·". */
int tui_put(struct tui_area a, int x, int y, enum tui_style s, const char *text);
/* The same, at most `max` columns. */
int tui_put_max(struct tui_area a, int x, int y, int max, enum tui_style s, const char *text);
/* n bytes, not terminated; cut hard at `max` columns, without "…". */
int tui_put_raw(struct tui_area a, int x, int y, int max, enum tui_style s, const char *text,
		size_t n);
int tui_putf(struct tui_area a, int x, int y, enum tui_style s, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Text whose last column is x_end - 1. Returns the first column. */
int tui_put_right(struct tui_area a, int x_end, int y, enum tui_style s, const char *text);
/* Repeats a character of width 1. */
void tui_hline(struct tui_area a, int x, int y, int n, enum tui_style s, const char *ch);
void tui_fill(struct tui_area a, enum tui_style s, enum tui_back b); /* blanks */
/* Changes the background of n cells of a row and keeps their text. */
void tui_back_row(struct tui_area a, int x, int y, int n, enum tui_back b);
void tui_back_area(struct tui_area a, enum tui_back b);
/* Fades everything to one style: what lies behind an overlay. */
void tui_restyle(struct tui_area a, enum tui_style s, enum tui_back b);
/* A frame with rounded corners around the whole area; `heavy` lines instead of light ones. */
void tui_frame(struct tui_area a, enum tui_style s, bool heavy);

/* Columns of terminated text as the grid will show it. */
int tui_width(const struct tui_grid *g, const char *text);

#endif
