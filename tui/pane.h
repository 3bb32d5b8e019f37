/* Panes: one file each, pane_<view>.c, for every row of engine/views.def. A pane draws the
 * model into an area and says how many rows it could scroll through; keys are handled
 * elsewhere (act_move.c), on struct tui_pane_state alone.
 */
#ifndef TUI_PANE_H
#define TUI_PANE_H

#include "engine/eng.h"
#include "tui/grid.h"
#include "tui/model.h"

/* What the student did to a pane. Zero: at its start, following the end if it has a tail. */
struct tui_pane_state {
	bool moved;   /* the student moved: do not follow */
	int sel;      /* selected row, or first row shown when rows cannot be selected */
	int top;      /* first row shown; kept by drawing */
	int page;     /* rows shown; kept by drawing */
};

struct tui_pane {
	const struct tui_model *m;
	enum rs_lang lang;
	bool focus;
	struct tui_pane_state *st;
};

struct tui_pane_ops {
	void (*draw)(struct tui_area a, const struct tui_pane *p);
	int (*rows)(const struct tui_pane *p, int width); /* NULL: nothing to move */
	bool select;  /* rows are selected one by one; else they scroll */
	bool tail;    /* follows the newest row until the student moves */
};
#define ENG_VIEW(id, title, sentence) extern const struct tui_pane_ops tui_pane_##id;
#include "engine/views.def"
extern const struct tui_pane_ops *const tui_panes[ENG_VIEW_COUNT];

/* -- for panes (pane.c) -- */
static inline const char *tui_tr(const struct tui_pane *p, const char *en)
{
	return rs_tr(p->lang, en);
}
/* Brings st->sel into 0..rows-1 and st->top so that it is visible on a page; returns the
 * first row to draw. */
int tui_pane_window(const struct tui_pane *p, const struct tui_pane_ops *ops, int rows, int page);
/* "Nothing here yet" in the middle of the area, with what would bring something. */
void tui_pane_empty(struct tui_area a, const struct tui_pane *p, const char *text);
/* The sentence box at the bottom of a pane: a rule and wrapped text. Returns what is left
 * of the area above it. Takes no more than a third of the area. */
struct tui_area tui_pane_detail(struct tui_area a, const char *title, const char *text);
/* Text of a stream from row `top` on, lines cut at the right edge. rows: out, all its rows. */
int tui_text_rows(const char *text, size_t n, int width);
void tui_text_draw(struct tui_area a, const char *text, size_t n, int top, enum tui_style s);

/* "12.3 µs", "4.56 ms", "7.890 s". Returns buf. */
const char *tui_fmt_time(uint64_t ns, char *buf, size_t size);
/* "1,234,567" */
const char *tui_fmt_count(uint64_t n, char *buf, size_t size);
/* "12.3k/s" */
const char *tui_fmt_rate(double r, char *buf, size_t size);
/* The style of a privilege level. */
enum tui_style tui_ring_style(unsigned cpl);
enum tui_back tui_ring_badge(unsigned cpl);
/* The glyph and the style of an event's family. */
const char *tui_family(unsigned kind, enum tui_style *s);
/* A hexadecimal number whose leading zeros are faint. Returns the columns. */
int tui_put_hex(struct tui_area a, int x, int y, int digits, uint64_t v, enum tui_style s);

#endif
