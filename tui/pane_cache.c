/* The code cache as a map: which pieces of code memory hold blocks, how hot they are, what is lost and
 * what is free; below it what the translator did so far.
 */
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"

/* One cell of the map. */
struct cell {
	bool live, dead, now;
	uint64_t runs; /* of the hottest span in it */
};

static const char *bytes_text(uint64_t n, char *buf, size_t size)
{
	if (n < 10240)
		snprintf(buf, size, "%llu B", (unsigned long long)n);
	else if (n < 10u << 20)
		snprintf(buf, size, "%llu KiB", (unsigned long long)(n >> 10));
	else
		snprintf(buf, size, "%llu MiB", (unsigned long long)(n >> 20));
	return buf;
}

/* Bytes of a cell: a power of two, so that what is used fills the map as far as it can. */
static uint64_t cell_bytes(const struct rs_emu_cache *c, int cells)
{
	uint64_t b = 16;
	while (cells > 0 && b * (uint64_t)cells < c->used + c->used / 16)
		b *= 2;
	return b;
}

static struct cell cell_at(const struct tui_translator *t, uint64_t from, uint64_t bytes, uint64_t pc)
{
	struct cell c = { 0 };
	for (unsigned i = 0; i < t->cache.n; i++) {
		const struct rs_emu_span *s = &t->span[i];
		if (s->code >= from + bytes)
			break;
		if ((uint64_t)s->code + s->size <= from)
			continue;
		bool live = s->dead < s->blocks;
		c.live |= live;
		c.dead |= !live;
		if (live && s->runs > c.runs)
			c.runs = s->runs;
	}
	for (unsigned i = 0; i < t->blocks.n && t->have_blocks; i++) {
		const struct rs_emu_block *b = &t->block[i];
		if (b->pc == pc && b->code < from + bytes && (uint64_t)b->code + b->code_size > from)
			c.now = true;
	}
	return c;
}

static uint64_t hottest(const struct tui_translator *t)
{
	uint64_t most = 0;
	for (unsigned i = 0; i < t->cache.n; i++)
		if (t->span[i].runs > most)
			most = t->span[i].runs;
	return most;
}

static void draw_map(struct tui_area a, const struct tui_translator *t)
{
	int label = 8, w = a.w - label;
	uint64_t most = hottest(t), bytes, now = ~0ull;
	if (w < 16)
		return;
	w -= w % 8;
	bytes = cell_bytes(&t->cache, w * a.h);
	/* the block that runs: the one whose entry the first CPU was last seen at */
	if (t->have_blocks && tui_translator_block(t, t->blocks.pc) >= 0)
		now = t->blocks.pc;
	for (int y = 0; y < a.h; y++) {
		tui_putf(a, 0, y, TUI_S_FAINT, "%6llx", (unsigned long long)((uint64_t)(y * w) * bytes));
		for (int x = 0; x < w; x++) {
			uint64_t from = (uint64_t)(y * w + x) * bytes;
			if (from >= t->cache.size)
				return;
			struct cell c = cell_at(t, from, bytes, now);
			int heat = tui_heat(c.runs, most);
			if (c.now) {
				tui_put(a, label + x, y, TUI_S_CHANGED, "◉");
				tui_back_row(a, label + x, y, 1, TUI_B_MARK);
			} else if (c.live) {
				tui_put(a, label + x, y, most ? tui_heat_style(heat) : TUI_S_F_OUT,
					most ? tui_heat_glyph(heat) : "▒");
			} else if (c.dead) {
				tui_put(a, label + x, y, TUI_S_FAIL, "×");
			} else {
				tui_put(a, label + x, y, TUI_S_FAINT, "·");
			}
		}
	}
}

static void draw_legend(struct tui_area a, int y, const struct tui_pane *p, uint64_t bytes)
{
	const struct tui_translator *t = &p->m->tr;
	char b[32];
	int x = 0;
	if (hottest(t)) {
		x += tui_put(a, x, y, TUI_S_DIM, tui_tr(p, N_("cold"))) + 1;
		for (int i = 0; i < TUI_HEATS; i++)
			if (!i || strcmp(tui_heat_glyph(i), tui_heat_glyph(i - 1)))
				x += tui_put(a, x, y, tui_heat_style(i), tui_heat_glyph(i));
		x += 1 + tui_put(a, x + 1, y, TUI_S_DIM, tui_tr(p, N_("hot"))) + 2;
	} else {
		x += tui_put(a, x, y, TUI_S_F_OUT, "▒") + 1;
		x += tui_put(a, x, y, TUI_S_DIM, tui_tr(p, N_("code"))) + 2;
	}
	static const struct {
		const char *glyph, *text;
		enum tui_style style;
	} rest[] = {
		{ "◉", N_("now"), TUI_S_CHANGED },
		{ "×", N_("lost"), TUI_S_FAIL },
		{ "·", N_("free"), TUI_S_FAINT },
	};
	for (size_t i = 0; i < 3; i++) {
		int w = 2 + tui_width(a.g, tui_tr(p, rest[i].text));
		if (x + w > a.w)
			return;
		tui_put(a, x, y, rest[i].style, rest[i].glyph);
		tui_put(a, x + 2, y, TUI_S_DIM, tui_tr(p, rest[i].text));
		x += w + 2;
	}
	rs_auto_str s = RS_STR_INIT;
	rs_str_addf(&s, tui_tr(p, N_("a cell: %s")), bytes_text(bytes, b, sizeof(b)));
	if (x + tui_width(a.g, s.p) <= a.w)
		tui_put_right(a, a.w, y, TUI_S_FAINT, s.p);
}

/* "code memory  ██▌········  3 % of 32 MiB". */
static void draw_fill(struct tui_area a, const struct tui_pane *p)
{
	const struct rs_emu_cache *c = &p->m->tr.cache;
	rs_auto_str text = RS_STR_INIT;
	char used[32], size[32];
	double share = c->size ? 100.0 * (double)c->used / (double)c->size : 0;
	rs_str_addf(&text, tui_tr(p, N_("%s of %s")), bytes_text(c->used, used, sizeof(used)),
		    bytes_text(c->size, size, sizeof(size)));
	rs_str_addf(&text, share >= 10 || share == 0 ? "  %.0f %%" : "  %.1f %%", share);
	int x = tui_put(a, 0, 0, TUI_S_DIM, tui_tr(p, N_("filled"))) + 2;
	int w = a.w - x - tui_width(a.g, text.p) - 2;
	if (w > 8) {
		tui_hline(a, x, 0, w, TUI_S_FAINT, "░");
		tui_bar(a, x, 0, w, TUI_S_F_KVM, c->used, c->size);
	}
	tui_put_right(a, a.w, 0, TUI_S_STRONG, text.p);
}

static const struct {
	unsigned counter;
	const char *name;
} numbers[] = {
	{ RS_CTR_EMU_BLOCKS, N_("blocks translated") },
	{ RS_CTR_EMU_CHAINS, N_("exits chained") },
	{ RS_CTR_EMU_TRANSLATED, N_("instructions in them") },
	{ RS_CTR_EMU_CHAIN_BREAKS, N_("chains cut again") },
	{ RS_CTR_EMU_INVALIDATED, N_("blocks thrown away") },
	{ RS_CTR_EMU_LOOKUPS, N_("run loop: next block looked up") },
	{ RS_CTR_EMU_FLUSHES, N_("cache emptied") },
	{ RS_CTR_EMU_INSNS, N_("instructions executed") },
};
#define NUMBERS (int)(sizeof(numbers) / sizeof(numbers[0]))

/* Columns of the numbers: two where both fit. */
static int number_columns(int width)
{
	return width >= 70 ? 2 : 1;
}

static void draw_numbers(struct tui_area a, const struct tui_pane *p)
{
	int k = number_columns(a.w), w = (a.w + 3) / k;
	char t[32];
	for (int i = 0; i < NUMBERS; i++) {
		struct tui_area c = tui_area_sub(a, i % k * w, i / k, k == 1 ? a.w : w - 3, 1);
		uint64_t v = p->m->counters.v[numbers[i].counter];
		tui_fmt_count(v, t, sizeof(t));
		tui_put_max(c, 0, 0, c.w - tui_width(a.g, t) - 1, TUI_S_DIM, tui_tr(p, numbers[i].name));
		tui_put_right(c, c.w, 0, v ? TUI_S_STRONG : TUI_S_FAINT, t);
	}
}

/* Time in the translator against time in code, as one bar of two parts. */
static void draw_time(struct tui_area a, const struct tui_pane *p)
{
	uint64_t tr = p->m->counters.v[RS_CTR_EMU_TRANSLATOR_NS], code = p->m->counters.v[RS_CTR_EMU_CODE_NS];
	rs_auto_str left = RS_STR_INIT, right = RS_STR_INIT;
	char t[32];
	if (!(tr + code))
		return;
	rs_str_addf(&left, "%s %s", tui_tr(p, N_("translator")), tui_fmt_time(tr, t, sizeof(t)));
	rs_str_addf(&right, "%s %s", tui_tr(p, N_("code")), tui_fmt_time(code, t, sizeof(t)));
	tui_put(a, 0, 0, TUI_S_F_VM, left.p);
	tui_put_right(a, a.w, 0, TUI_S_OK, right.p);
	int w = (int)((double)tr / (double)(tr + code) * a.w + 0.5);
	if (tr && !w)
		w = 1;
	if (code && w == a.w)
		w--;
	tui_hline(a, 0, 1, w, TUI_S_F_VM, "█");
	tui_hline(a, w, 1, a.w - w, TUI_S_OK, "░");
}

static bool counted(const struct tui_model *m)
{
	return m->have_counters && m->counters.v[RS_CTR_EMU_BLOCKS];
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_translator *t = &p->m->tr;
	bool map = t->have_cache && t->cache.size;
	if (!map && !counted(p->m)) {
		tui_pane_empty(a, p, N_("The code cache appears here when the program runs: where its blocks lie, how hot they are, and what the translator did."));
		return;
	}
	int numbers_h = (NUMBERS + number_columns(a.w) - 1) / number_columns(a.w), below = counted(p->m) ? numbers_h + 3 : 0;
	if (below && a.h - below < 6) { /* the map comes first, then time, then what fits of the numbers */
		numbers_h = a.h - 6 - 3 > 0 ? a.h - 6 - 3 : 0;
		below = numbers_h + 3;
	}
	if (!map)
		below = a.h;
	if (map) {
		int h = a.h - below - 2;
		struct tui_area grid = tui_area_sub(a, 0, 1, a.w, h);
		uint64_t bytes = cell_bytes(&t->cache, (a.w - 8 - (a.w - 8) % 8) * h);
		draw_fill(a, p);
		draw_map(grid, t);
		draw_legend(a, 1 + h, p, bytes);
	}
	if (!counted(p->m))
		return;
	struct tui_area rest = tui_area_sub(a, 0, a.h - below, a.w, below);
	if (map)
		tui_hline(rest, 0, 0, rest.w, TUI_S_BORDER, "─");
	draw_time(tui_area_sub(rest, 0, map, rest.w, 2), p);
	draw_numbers(tui_area_sub(rest, 0, 2 + map, rest.w, numbers_h), p);
}

const struct tui_pane_ops tui_pane_cache = { .draw = draw };
