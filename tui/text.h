/* The small Markdown of lessons (assets/doc/lessons.md) as styled lines: paragraphs, - lists,
 * `code`, **bold**, *emphasis*, # headings and ``` fences. Anything else stays as it is.
 */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include "tui/grid.h"

struct tui_line {
	char *text;       /* not terminated */
	uint8_t *style;   /* enum tui_style of each byte */
	size_t n;
	int indent;
	const char *lead; /* "•" in front of a list item's first line, else NULL */
	bool fence;       /* a line of a ``` block */
};
struct tui_doc {
	struct tui_line *v;
	int n;
};
/* Lays `text` out for `width` columns. Release afterwards. */
void tui_doc_layout(struct tui_doc *d, const char *text, int width);
void tui_doc_release(struct tui_doc *d);
/* Draws lines top, top + 1, ... into the area. */
void tui_doc_draw(struct tui_area a, const struct tui_doc *d, int top);

#endif
