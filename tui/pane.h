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
	int width;    /* columns; kept by drawing */
	int head;     /* rows above the first one, -1: rows cannot be clicked; kept by drawing */
	int side;     /* place sideways: column, page */
	int drawn;    /* sel as the last draw left it: another one means that the student moved */
	int pass;     /* stages: 0 all passes together, else the pass whose work is shown, from 1 */
	bool picked;  /* the student chose what `key` names; else the pane follows what is reported */
	uint64_t key; /* of the selected or shown thing: a block's guest address */
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
	int (*sides)(const struct tui_pane *p, int width); /* places sideways; NULL: one */
	bool select;  /* rows are selected one by one; else they scroll */
	bool tail;    /* follows the newest row until the student moves */
};
#define ENG_VIEW(id, name, kinds, title, sentence) extern const struct tui_pane_ops tui_pane_##id;
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

/* How many passes the pane of stages can show one by one (pane_stages.c). */
int tui_stages_passes(const struct tui_pane *p);

/* "12.3 µs", "4.56 ms", "7.890 s". Returns buf. */
const char *tui_fmt_time(uint64_t ns, char *buf, size_t size);
/* "1,234,567" */
const char *tui_fmt_count(uint64_t n, char *buf, size_t size);
/* "12.3k/s" */
const char *tui_fmt_rate(double r, char *buf, size_t size);
/* A bar of n of `most` in `width` columns, in eighths of a cell; something is never nothing. */
void tui_bar(struct tui_area a, int x, int y, int width, enum tui_style s, uint64_t n, uint64_t most);
/* How hot something is that ran n times, where the hottest ran `most` times: 0 cold to 4 hot, by the
 * logarithm; what ran a few times is never hot. Colour and glyph of a level; each tells it without the other. */
#define TUI_HEATS 5
int tui_heat(uint64_t n, uint64_t most);
static inline enum tui_style tui_heat_style(int level)
{
	return (enum tui_style)(TUI_S_HEAT0 + level);
}
const char *tui_heat_glyph(int level);
/* The style of a privilege level. */
enum tui_style tui_ring_style(unsigned cpl);
enum tui_back tui_ring_badge(unsigned cpl);
/* The glyph and the style of an event's family. */
const char *tui_family(unsigned kind, enum tui_style *s);
/* A line of disassembly as emu/ writes it, "10632:  86aa      mv a3,a0" (the bytes may be missing): where the
 * instruction's text begins; its address, and the digits of that. 0 with 0 digits: not such a line. */
size_t tui_asm_place(const char *s, size_t n, uint64_t *addr, size_t *digits);
/* A hexadecimal number whose leading zeros are faint. Returns the columns. */
int tui_put_hex(struct tui_area a, int x, int y, int digits, uint64_t v, enum tui_style s);

#endif
