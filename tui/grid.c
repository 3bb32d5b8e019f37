#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "tui/grid.h"

static void blank(struct tui_cell *c, enum tui_style s, enum tui_back b)
{
	memset(c, 0, sizeof(*c));
	c->ch[0] = ' ';
	c->width = 1;
	c->style = (uint8_t)s;
	c->back = (uint8_t)b;
}

void tui_grid_init(struct tui_grid *g, int w, int h, bool ascii)
{
	memset(g, 0, sizeof(*g));
	g->ascii = ascii;
	tui_grid_resize(g, w, h);
}

void tui_grid_release(struct tui_grid *g)
{
	free(g->cell);
	memset(g, 0, sizeof(*g));
}

void tui_grid_resize(struct tui_grid *g, int w, int h)
{
	w = w < 1 ? 1 : w > 4096 ? 4096 : w;
	h = h < 1 ? 1 : h > 2048 ? 2048 : h;
	free(g->cell);
	g->w = w;
	g->h = h;
	g->cell = rs_xcalloc((size_t)w * (size_t)h, sizeof(*g->cell));
	tui_grid_clear(g);
}

void tui_grid_clear(struct tui_grid *g)
{
	for (int i = 0; i < g->w * g->h; i++)
		blank(&g->cell[i], TUI_S_TEXT, TUI_B_BASE);
}

static struct tui_cell *at(const struct tui_grid *g, int x, int y)
{
	return x < 0 || y < 0 || x >= g->w || y >= g->h ? NULL : &g->cell[y * g->w + x];
}

const struct tui_cell *tui_grid_at(const struct tui_grid *g, int x, int y)
{
	return at(g, x, y);
}

static void dump_rows(const struct tui_grid *g, int layer, struct rs_str *out)
{
	for (int y = 0; y < g->h; y++) {
		size_t start = out->len, solid = out->len;
		for (int x = 0; x < g->w; x++) {
			const struct tui_cell *c = at(g, x, y);
			if (layer == 0)
				rs_str_add(out, c->ch);
			else if (layer == 1)
				rs_str_addc(out, c->ch[0] == ' ' ? ' ' : tui_style_letter(c->style));
			else
				rs_str_addc(out, tui_back_letter(c->back));
			if (out->len > start && out->p[out->len - 1] != ' ')
				solid = out->len;
		}
		out->len = solid;
		rs_str_addc(out, '\n');
	}
}

void tui_grid_dump(const struct tui_grid *g, bool styles, struct rs_str *out)
{
	dump_rows(g, 0, out);
	for (int layer = 1; styles && layer <= 2; layer++) {
		rs_str_add(out, layer == 1 ? "-- styles\n" : "-- backgrounds\n");
		dump_rows(g, layer, out);
	}
}

struct tui_area tui_area_all(struct tui_grid *g)
{
	return (struct tui_area){ g, 0, 0, g->w, g->h };
}

struct tui_area tui_area_sub(struct tui_area a, int x, int y, int w, int h)
{
	int x0 = x < 0 ? 0 : x, y0 = y < 0 ? 0 : y;
	int x1 = x + w > a.w ? a.w : x + w, y1 = y + h > a.h ? a.h : y + h;
	if (x1 < x0)
		x1 = x0;
	if (y1 < y0)
		y1 = y0;
	return (struct tui_area){ a.g, a.x + x0, a.y + y0, x1 - x0, y1 - y0 };
}

/* What stands for a character where only ASCII can be shown. */
static const char *ascii_for(uint32_t cp)
{
	static const struct {
		uint32_t cp;
		const char *s;
	} map[] = {
		{ 0x00a0, " " },  { 0x00b5, "u" },  { 0x00b7, "." },  { 0x00d7, "x" },
		{ 0x2013, "-" },  { 0x2014, "-" },  { 0x2018, "'" },  { 0x2019, "'" },
		{ 0x201c, "\"" }, { 0x201d, "\"" }, { 0x2022, "*" },  { 0x2026, "~" },
		{ 0x2190, "<" },  { 0x2191, "^" },  { 0x2192, ">" },  { 0x2193, "v" },
		{ 0x2260, "#" },  { 0x2264, "<" },  { 0x2265, ">" },  { 0x23f8, "=" },
		{ 0x2713, "+" },  { 0x2717, "x" },  { 0x25a0, "#" },  { 0x25a1, "-" },
		{ 0x25b2, "^" },  { 0x25b6, ">" },  { 0x25b8, ">" },  { 0x25bc, "v" },
		{ 0x25be, "v" },  { 0x25b4, "^" },  { 0x25c0, "<" },  { 0x25c6, "*" },
		{ 0x25c7, "o" },  { 0x25c9, "@" },  { 0x25cb, "o" },  { 0x25cf, "*" },
		{ 0x2588, "#" },  { 0x2591, ":" },  { 0x2592, "+" },  { 0x2593, "%" },  { 0x258c, "|" },  { 0x258f, "|" },
		{ 0x256d, "+" },  { 0x256e, "+" },  { 0x256f, "+" },  { 0x2570, "+" },
		{ 0x2500, "-" },  { 0x2501, "=" },  { 0x2502, "|" },  { 0x2503, "|" },
		{ 0x2504, "." },  { 0x2506, ":" },  { 0x2508, "." },  { 0x21ba, "@" },  { 0x2550, "=" },  { 0x2551, "|" },
	};
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i].cp == cp)
			return map[i].s;
	if (cp >= 0x2500 && cp <= 0x257f)
		return "+"; /* corners and crossings of lines */
	if (cp >= 0x2589 && cp <= 0x258f)
		return "#"; /* parts of a bar */
	return "?";
}

struct glyph {
	char ch[TUI_CELL_BYTES];
	int width; /* 0: a combining mark */
	int bytes; /* consumed */
};

/* The next character as the grid shows it. False at the end. */
static bool glyph_next(const struct tui_grid *g, const char *s, size_t n, struct glyph *o)
{
	uint32_t cp;
	o->bytes = rs_utf8_decode(s, n, &cp);
	if (!o->bytes)
		return false;
	memset(o->ch, 0, sizeof(o->ch));
	o->width = rs_utf8_cp_width(cp);
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
		memcpy(o->ch, g->ascii ? "." : "\xc2\xb7", g->ascii ? 1 : 2);
		o->width = 1;
	} else if (g->ascii && cp >= 0x80) {
		int columns = o->width;
		if (columns) {
			o->ch[0] = *ascii_for(cp);
			o->ch[1] = columns == 2 ? o->ch[0] : 0; /* split into two cells by put_glyph */
		}
	} else if (cp == 0xfffd && o->bytes == 1) {
		memcpy(o->ch, "\xef\xbf\xbd", 3);
		o->width = 1;
	} else {
		memcpy(o->ch, s, (size_t)o->bytes);
	}
	return true;
}

int tui_width(const struct tui_grid *g, const char *text)
{
	(void)g; /* a replaced character keeps its columns, so that layouts do not depend on it */
	int w = 0;
	struct glyph o;
	for (size_t n = strlen(text); glyph_next(g, text, n, &o); text += o.bytes, n -= (size_t)o.bytes)
		w += o.width;
	return w;
}

/* A cell is about to be overwritten: the other half of a wide character goes blank. */
static void unpair(struct tui_grid *g, int x, int y)
{
	struct tui_cell *c = at(g, x, y);
	if (!c)
		return;
	if (c->width == 0 && x > 0)
		blank(c - 1, c[-1].style, c[-1].back);
	if (c->width == 2 && x + 1 < g->w)
		blank(c + 1, c[1].style, c[1].back);
}

static void cell_set(struct tui_grid *g, int x, int y, enum tui_style s, const char *ch, int width)
{
	struct tui_cell *c = at(g, x, y);
	if (!c)
		return;
	unpair(g, x, y);
	memset(c->ch, 0, sizeof(c->ch));
	memcpy(c->ch, ch, strnlen(ch, sizeof(c->ch) - 1));
	c->width = (uint8_t)width;
	c->style = (uint8_t)s;
}

static void put_glyph(struct tui_area a, int x, int y, enum tui_style s, const struct glyph *o)
{
	int gx = a.x + x, gy = a.y + y;
	if (o->width == 0) { /* joins the character before it */
		struct tui_cell *c = at(a.g, gx - 1, gy);
		if (c && c->width == 0)
			c = at(a.g, gx - 2, gy);
		if (c && x > 0 && strlen(c->ch) + strlen(o->ch) < sizeof(c->ch))
			strcat(c->ch, o->ch);
	} else if (o->width == 2 && a.g->ascii) {
		char one[2] = { o->ch[0], 0 };
		cell_set(a.g, gx, gy, s, one, 1);
		cell_set(a.g, gx + 1, gy, s, one, 1);
	} else if (o->width == 2) {
		unpair(a.g, gx + 1, gy);
		cell_set(a.g, gx, gy, s, o->ch, 2);
		struct tui_cell *r = at(a.g, gx + 1, gy);
		if (r) {
			memset(r->ch, 0, sizeof(r->ch));
			r->width = 0;
			r->style = (uint8_t)s;
			r->back = at(a.g, gx, gy)->back;
		}
	} else {
		cell_set(a.g, gx, gy, s, o->ch, 1);
	}
}

int tui_put_raw(struct tui_area a, int x, int y, int max, enum tui_style s, const char *text, size_t n)
{
	int used = 0;
	struct glyph o;
	if (y < 0 || y >= a.h)
		return 0;
	if (max > a.w - x)
		max = a.w - x;
	for (; glyph_next(a.g, text, n, &o) && used + o.width <= max; text += o.bytes, n -= (size_t)o.bytes) {
		if (x + used >= 0)
			put_glyph(a, x + used, y, s, &o);
		used += o.width;
	}
	return used;
}

int tui_put_max(struct tui_area a, int x, int y, int max, enum tui_style s, const char *text)
{
	if (max > a.w - x)
		max = a.w - x;
	if (max <= 0 || y < 0 || y >= a.h)
		return 0;
	if (tui_width(a.g, text) <= max)
		return tui_put_raw(a, x, y, max, s, text, strlen(text));
	int used = tui_put_raw(a, x, y, max - 1, s, text, strlen(text));
	return used + tui_put_raw(a, x + used, y, 1, s, "…", strlen("…"));
}

int tui_put(struct tui_area a, int x, int y, enum tui_style s, const char *text)
{
	return tui_put_max(a, x, y, a.w - x, s, text);
}

int tui_putf(struct tui_area a, int x, int y, enum tui_style s, const char *fmt, ...)
{
	rs_auto_str t = RS_STR_INIT;
	va_list ap;
	va_start(ap, fmt);
	rs_str_vaddf(&t, fmt, ap);
	va_end(ap);
	return tui_put(a, x, y, s, t.p);
}

int tui_put_right(struct tui_area a, int x_end, int y, enum tui_style s, const char *text)
{
	int x = x_end - tui_width(a.g, text);
	if (x < 0)
		x = 0;
	tui_put_max(a, x, y, x_end - x, s, text);
	return x;
}

void tui_hline(struct tui_area a, int x, int y, int n, enum tui_style s, const char *ch)
{
	for (int i = 0; i < n; i++)
		tui_put_raw(a, x + i, y, 1, s, ch, strlen(ch));
}

void tui_fill(struct tui_area a, enum tui_style s, enum tui_back b)
{
	for (int y = 0; y < a.h; y++)
		for (int x = 0; x < a.w; x++) {
			struct tui_cell *c = at(a.g, a.x + x, a.y + y);
			unpair(a.g, a.x + x, a.y + y);
			if (c)
				blank(c, s, b);
		}
}

void tui_back_row(struct tui_area a, int x, int y, int n, enum tui_back b)
{
	if (y < 0 || y >= a.h)
		return;
	for (int i = x < 0 ? 0 : x; i < x + n && i < a.w; i++)
		at(a.g, a.x + i, a.y + y)->back = (uint8_t)b;
}

void tui_back_area(struct tui_area a, enum tui_back b)
{
	for (int y = 0; y < a.h; y++)
		tui_back_row(a, 0, y, a.w, b);
}

void tui_restyle(struct tui_area a, enum tui_style s, enum tui_back b)
{
	for (int y = 0; y < a.h; y++)
		for (int x = 0; x < a.w; x++) {
			struct tui_cell *c = at(a.g, a.x + x, a.y + y);
			c->style = (uint8_t)s;
			c->back = (uint8_t)b;
		}
}

void tui_frame(struct tui_area a, enum tui_style s, bool heavy)
{
	static const char *const light[] = { "╭", "╮", "╰", "╯", "─", "│" };
	static const char *const strong[] = { "┏", "┓", "┗", "┛", "━", "┃" };
	const char *const *ch = heavy ? strong : light;
	if (a.w < 2 || a.h < 2)
		return;
	tui_hline(a, 1, 0, a.w - 2, s, ch[4]);
	tui_hline(a, 1, a.h - 1, a.w - 2, s, ch[4]);
	for (int y = 1; y < a.h - 1; y++) {
		tui_hline(a, 0, y, 1, s, ch[5]);
		tui_hline(a, a.w - 1, y, 1, s, ch[5]);
	}
	tui_hline(a, 0, 0, 1, s, ch[0]);
	tui_hline(a, a.w - 1, 0, 1, s, ch[1]);
	tui_hline(a, 0, a.h - 1, 1, s, ch[2]);
	tui_hline(a, a.w - 1, a.h - 1, 1, s, ch[3]);
}
