/* Text in lines: the engine breaks it (eng_md_layout), here its lines meet the grid.
 */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include "engine/base/cleanup.h"
#include "engine/eng.h"
#include "tui/grid.h"

/* Lines that are released with their scope; begin with = { 0 }. */
#define tui_auto_lines rs_cleanup(eng_md_lines_release) struct eng_md_lines

/* The small Markdown of lessons (assets/doc/lessons.md) in lines; added to `out`. */
void tui_lines_md(const char *text, int width, struct eng_md_lines *out);
/* Puts one line at (x, y); `s` is the style of what has none of its own. Returns the columns used. */
int tui_put_line(struct tui_area a, int x, int y, enum tui_style s, const struct eng_md_line *l);
/* Draws lines top, top + 1, ... into the area, lines of code on a background of their own. */
void tui_lines_draw(struct tui_area a, const struct eng_md_lines *l, int top);

/* Sentences, without Markdown: from row y on, at most `rows`, "…" where text is left over.
 * Returns the rows used. */
int tui_put_wrapped(struct tui_area a, int x, int y, int width, int rows, enum tui_style s,
		    const char *text);
int tui_wrap_rows(const char *text, int width);
/* The same, all rows, each in the middle of the area. Returns the rows used. */
int tui_put_centered(struct tui_area a, int y, int width, enum tui_style s, const char *text);

#endif
