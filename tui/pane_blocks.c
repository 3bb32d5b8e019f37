/* The translated blocks: as a graph of the hottest ones where there is room, else as a list in address
 * order with arrows; on a second page as a list, hottest first. Solid arrows are chained exits, dashed
 * ones go through the run loop. The selected block is the same one on every page.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/graph.h"
#include "tui/lines.h"
#include "tui/pane.h"

static const char *const pages[] = { N_("ways"), N_("hottest first") };

static int sides_of(const struct tui_pane *p, int width)
{
	(void)width;
	return p->m->tr.have_blocks ? 2 : 1;
}

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	return p->m->tr.have_blocks ? (int)p->m->tr.blocks.n : 0;
}

/* ---- order and selection ---- */

struct rank {
	uint64_t pc, runs;
	int block;
};

static int by_address(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	return x->pc < y->pc ? -1 : x->pc > y->pc;
}

static int by_runs(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	return x->runs > y->runs ? -1 : x->runs < y->runs ? 1 : by_address(a, b);
}

/* The `n` blocks whose numbers stand in order[], sorted. */
static void sort_some(const struct tui_translator *t, int *order, int n, bool heat)
{
	struct rank r[RS_EMU_BLOCKS_MAX];
	for (int i = 0; i < n; i++)
		r[i] = (struct rank){ t->block[order[i]].pc, t->block[order[i]].runs, order[i] };
	qsort(r, (size_t)n, sizeof(r[0]), heat && t->blocks.counted ? by_runs : by_address);
	for (int i = 0; i < n; i++)
		order[i] = r[i].block;
}

/* All of them. Returns how many there are. */
static int sort(const struct tui_translator *t, int *order, bool heat)
{
	for (unsigned i = 0; i < t->blocks.n; i++)
		order[i] = (int)i;
	sort_some(t, order, (int)t->blocks.n, heat);
	return (int)t->blocks.n;
}

/* Until the student moves: the hottest block, or, when nobody counts, the one whose stages are shown. */
static uint64_t natural(const struct tui_translator *t)
{
	unsigned best = 0;
	for (unsigned i = 0; i < t->blocks.n; i++)
		if (t->blocks.counted ? t->block[i].runs > t->block[best].runs :
					t->block[i].pc == t->blocks.shown)
			best = i;
	return t->block[best].pc;
}

/* Row of the selected block in `order`; the selection follows the block when rows move. */
static void select_row(const struct tui_pane *p, const int *order, int n)
{
	struct tui_pane_state *st = p->st;
	const struct tui_translator *t = &p->m->tr;
	if (!st->moved)
		st->key = natural(t);
	else if (st->sel != st->drawn)
		st->key = t->block[order[st->sel < 0 ? 0 : st->sel >= n ? n - 1 : st->sel]].pc;
	st->sel = 0;
	for (int i = 0; i < n; i++)
		if (t->block[order[i]].pc == st->key)
			st->sel = i;
	st->key = t->block[order[st->sel]].pc;
	st->drawn = st->sel;
}

/* tui_pane_window takes the row as one that the student chose: it was settled above. */
static int window(const struct tui_pane *p, int rows, int page)
{
	bool moved = p->st->moved;
	p->st->moved = true;
	int top = tui_pane_window(p, &tui_pane_blocks, rows, page);
	p->st->moved = moved;
	return top;
}

/* ---- one block in words ---- */

static const char *name_of(const struct rs_emu_block *b, char *buf, size_t size)
{
	if (b->symbol[0])
		snprintf(buf, size, "%s", b->symbol);
	else
		snprintf(buf, size, "0x%llx", (unsigned long long)b->pc);
	return buf;
}

static bool loops(const struct rs_emu_block *b)
{
	for (int i = 0; i < b->exits; i++)
		if (b->exit[i] == b->pc)
			return true;
	return false;
}

/* "─▶ main+0x1c  ┄▶ 0x10632 (run loop)": the ways out of the selected block. */
static void ways_text(const struct tui_pane *p, const struct rs_emu_block *b, struct rs_str *out)
{
	const struct tui_translator *t = &p->m->tr;
	char n[40];
	for (int i = 0; i < b->exits; i++) {
		int to = tui_translator_block(t, b->exit[i]);
		rs_str_add(out, i ? "   " : "");
		rs_str_add(out, b->chained >> i & 1 ? "─▶ " : "┄▶ ");
		if (b->exit[i] == b->pc)
			rs_str_add(out, tui_tr(p, N_("itself")));
		else if (to >= 0)
			rs_str_add(out, name_of(&t->block[to], n, sizeof(n)));
		else
			rs_str_addf(out, "0x%llx", (unsigned long long)b->exit[i]);
		rs_str_addf(out, " (%s)", tui_tr(p, b->chained >> i & 1 ? N_("chained") : N_("run loop")));
	}
	if (b->more)
		rs_str_addf(out, "   +%u", b->more);
	if (b->indirect)
		rs_str_addf(out, "%s┄▶ %s", b->exits ? "   " : "",
			    tui_tr(p, N_("where a register points, or a system call")));
}

static struct tui_area draw_detail(struct tui_area a, const struct tui_pane *p, const struct rs_emu_block *b)
{
	rs_auto_str title = RS_STR_INIT, ways = RS_STR_INIT;
	char n[40];
	rs_str_addf(&title, tui_tr(p, N_("%s at 0x%llx: %u instructions, %u bytes of host code")),
		    name_of(b, n, sizeof(n)), (unsigned long long)b->pc, b->insns, b->code_size);
	if (tui_width(a.g, title.p) > a.w) {
		rs_str_clear(&title);
		rs_str_addf(&title, tui_tr(p, N_("%s: %u instructions, %u bytes")), name_of(b, n, sizeof(n)), b->insns, b->code_size);
	}
	ways_text(p, b, &ways);
	return tui_pane_detail(a, title.p, ways.len ? ways.p : " ");
}

static void draw_head(struct tui_area a, const struct tui_pane *p)
{
	const struct rs_emu_blocks *h = &p->m->tr.blocks;
	char t[160], x1[32], x2[32];
	int x = 0;
	for (int i = 0; i < 2; i++) {
		bool on = i == p->st->side;
		int w = tui_width(a.g, tui_tr(p, pages[i])) + 2;
		tui_put(a, x + 1, 0, on ? TUI_S_INK : TUI_S_DIM, tui_tr(p, pages[i]));
		if (on)
			tui_back_row(a, x, 0, w, p->focus ? TUI_B_B_ACCENT : TUI_B_B_IDLE);
		x += w + 1;
	}
	snprintf(t, sizeof(t), tui_tr(p, h->n < h->total ? N_("%s of %s blocks") : N_("%s blocks")),
		 tui_fmt_count(h->n, x1, sizeof(x1)), tui_fmt_count(h->total, x2, sizeof(x2)));
	if (x + tui_width(a.g, t) <= a.w)
		tui_put_right(a, a.w, 0, TUI_S_DIM, t);
}

/* A way from one block to another: backwards, chained, through the run loop. */
static enum tui_style way_style(bool back, bool dashed)
{
	return back ? TUI_S_HEAT3 : dashed ? TUI_S_DIM : TUI_S_F_KVM;
}

/* ---- lists ---- */

/* Heat, name, size, runs. Returns the column behind the name. */
static void draw_row(struct tui_area a, int y, const struct tui_pane *p, const struct rs_emu_block *b, uint64_t most,
		     bool bars)
{
	const struct tui_translator *t = &p->m->tr;
	int heat = tui_heat(b->runs, most), runs_w = 12, x = 0;
	char n[48];
	enum tui_style s = most ? tui_heat_style(heat) : TUI_S_TEXT;
	if (most)
		tui_put(a, x, y, s, tui_heat_glyph(heat));
	if (b->pc == t->blocks.pc)
		tui_put(a, x + 1, y, TUI_S_CHANGED, "▶");
	x += 2;
	int right = most ? a.w - runs_w - 1 : a.w, name_w = a.w >= 60 ? 26 : right - x - 8;
	tui_put_max(a, x, y, name_w, TUI_S_TEXT, name_of(b, n, sizeof(n)));
	snprintf(n, sizeof(n), "%u %s", b->insns, loops(b) ? "↺" : " ");
	tui_put_right(a, x + name_w + 7, y, TUI_S_DIM, n);
	if (bars && a.w >= 60)
		tui_bar(a, x + name_w + 9, y, right - x - name_w - 10, s, b->runs, most);
	if (most) {
		rs_auto_str r = RS_STR_INIT;
		rs_str_addf(&r, "×%s", tui_fmt_count(b->runs, n, sizeof(n)));
		tui_put_right(a, a.w, y, b->runs == most ? TUI_S_STRONG : TUI_S_TEXT, r.p);
	}
}

/* An arc at the left side of an address list, between two rows. */
struct arc {
	int from, to;       /* rows */
	bool dashed;
	int lane;           /* 0: next to the rows */
};
#define ARCS 96
#define LANES 5

static int span_of(const struct arc *a)
{
	return abs(a->to - a->from);
}

static int by_span(const void *a, const void *b)
{
	const struct arc *x = a, *y = b;
	return span_of(x) != span_of(y) ? span_of(x) - span_of(y) : x->from - y->from;
}

/* All arcs of the list, short ones inside; those that find no lane are not drawn. */
static int find_arcs(const struct tui_translator *t, const int *order, int n, struct arc *arc)
{
	int row_of[RS_EMU_BLOCKS_MAX], arcs = 0;
	for (int i = 0; i < n; i++)
		row_of[order[i]] = i;
	for (int i = 0; i < n; i++) {
		const struct rs_emu_block *b = &t->block[order[i]];
		for (int k = 0; k < b->exits && arcs < ARCS; k++) {
			int to = tui_translator_block(t, b->exit[k]);
			if (to >= 0 && row_of[to] != i)
				arc[arcs++] = (struct arc){ i, row_of[to], !(b->chained >> k & 1), 0 };
		}
	}
	qsort(arc, (size_t)arcs, sizeof(*arc), by_span);
	for (int i = 0; i < arcs; i++) {
		int lo = arc[i].from < arc[i].to ? arc[i].from : arc[i].to, hi = lo + span_of(&arc[i]);
		for (bool taken = true; taken && arc[i].lane < LANES; arc[i].lane += taken) {
			taken = false;
			for (int j = 0; j < i; j++) {
				int jl = arc[j].from < arc[j].to ? arc[j].from : arc[j].to;
				taken |= arc[j].lane == arc[i].lane && lo <= jl + span_of(&arc[j]) && jl <= hi;
			}
		}
	}
	return arcs;
}

static void draw_arcs(struct tui_area a, const struct arc *arc, int arcs, int top, int gutter)
{
	struct tui_lines l;
	tui_lines_init(&l, gutter, a.h);
	for (int i = arcs; i-- > 0;) { /* short ones last: their colour stays */
		const struct arc *c = &arc[i];
		const struct tui_pen pen = { way_style(c->to < c->from, c->dashed), c->dashed };
		int x = gutter - 3 - c->lane, from = c->from - top, to = c->to - top;
		if (c->lane >= LANES)
			continue;
		tui_lines_across(&l, gutter - 2, x, from, pen);
		tui_lines_along(&l, x, from, to, pen);
		tui_lines_across(&l, x, gutter - 2, to, pen);
		tui_lines_head(&l, gutter - 2, to, "▶", pen);
	}
	tui_lines_put(a, &l);
	tui_lines_release(&l);
}

static void draw_list(struct tui_area a, const struct tui_pane *p, const int *order, int n, bool arcs)
{
	const struct tui_translator *t = &p->m->tr;
	uint64_t most = t->blocks.counted ? tui_translator_most(t) : 0;
	struct arc arc[ARCS];
	int gutter = 0, k = 0;
	select_row(p, order, n);
	struct tui_area all = a;
	a = draw_detail(tui_area_sub(a, 0, 1, a.w, a.h - 1), p, &t->block[order[p->st->sel]]);
	draw_head(all, p);
	int top = window(p, n, a.h);
	p->st->head = 1;
	if (arcs) {
		k = find_arcs(t, order, n, arc);
		for (int i = 0; i < k; i++)
			if (arc[i].lane < LANES && arc[i].lane + 3 > gutter)
				gutter = arc[i].lane + 3;
		draw_arcs(tui_area_sub(a, 0, 0, gutter, a.h), arc, k, top, gutter);
	}
	struct tui_area list = tui_area_sub(a, gutter, 0, a.w - gutter, a.h);
	for (int y = 0; y < a.h && top + y < n; y++) {
		draw_row(list, y, p, &t->block[order[top + y]], most, !arcs);
		if (top + y == p->st->sel)
			tui_back_row(a, 0, y, a.w, p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	}
}

/* ---- the graph ---- */

/* The blocks of the graph: the hottest `k` (nobody counts: those around the shown one, by address), and
 * the selected one. In address order. Returns their number. */
static int choose(const struct tui_pane *p, int *node, int k)
{
	const struct tui_translator *t = &p->m->tr;
	int order[RS_EMU_BLOCKS_MAX], n = sort(t, order, true), selected = tui_translator_block(t, p->st->key);
	if (!t->blocks.counted) { /* a window around the selected one */
		int at = 0;
		for (int i = 0; i < n; i++)
			if (order[i] == selected)
				at = i;
		int from = at - k / 2 > n - k ? n - k : at - k / 2;
		if (from > 0)
			memmove(order, order + from, (size_t)(n - from) * sizeof(*order));
		n = from > 0 ? n - from : n;
	}
	if (k > n)
		k = n;
	bool have = false;
	for (int i = 0; i < k; i++) {
		node[i] = order[i];
		have |= order[i] == selected;
	}
	if (!have && selected >= 0 && k)
		node[k - 1] = selected;
	sort_some(t, node, k, false);
	return k;
}

static void edges_of(const struct tui_translator *t, const int *node, struct tui_graph *g)
{
	g->edges = 0;
	for (int i = 0; i < g->nodes; i++) {
		const struct rs_emu_block *b = &t->block[node[i]];
		for (int k = 0; k < b->exits; k++)
			for (int j = 0; j < g->nodes; j++) {
				bool dashed = !(b->chained >> k & 1);
				if (t->block[node[j]].pc != b->exit[k] || g->edges == TUI_GRAPH_EDGES)
					continue;
				g->edge[g->edges++] = (struct tui_graph_edge){
					.from = i, .to = j, .dashed = dashed,
					.style = way_style(b->exit[k] <= b->pc, dashed) };
			}
	}
}

/* Ways out that lead to no box of the graph. */
static int outside(const struct tui_translator *t, const struct rs_emu_block *b, const int *node, int n)
{
	int out = b->more + (b->indirect != 0);
	for (int k = 0; k < b->exits; k++) {
		bool in = false;
		for (int j = 0; j < n; j++)
			in |= t->block[node[j]].pc == b->exit[k];
		out += !in;
	}
	return out;
}

/* "[▒ main+0x1c  ×4 ↺]" */
static void draw_small_box(struct tui_area a, const struct tui_pane *p, const struct rs_emu_block *b, uint64_t most)
{
	enum tui_style s = most ? tui_heat_style(tui_heat(b->runs, most)) : TUI_S_DIM;
	bool selected = b->pc == p->st->key;
	rs_auto_str runs = RS_STR_INIT;
	char n[48];
	int x = 1;
	tui_fill(a, TUI_S_TEXT, !selected ? TUI_B_CODE : p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	tui_put(a, 0, 0, s, "[");
	tui_put(a, a.w - 1, 0, s, "]");
	x += tui_put(a, x, 0, s, most ? tui_heat_glyph(tui_heat(b->runs, most)) : " ");
	x += tui_put(a, x, 0, TUI_S_CHANGED, b->pc == p->m->tr.blocks.pc ? "▶" : " ");
	if (most)
		rs_str_addf(&runs, "×%s", tui_fmt_count(b->runs, n, sizeof(n)));
	rs_str_add(&runs, loops(b) ? " ↺" : "");
	int end = tui_put_right(a, a.w - 1, 0, TUI_S_TEXT, runs.p);
	tui_put_max(a, x, 0, end - x - 1, selected ? TUI_S_STRONG : TUI_S_TEXT, name_of(b, n, sizeof(n)));
}

static void draw_box(struct tui_area a, const struct tui_pane *p, const struct rs_emu_block *b, uint64_t most, int out)
{
	const struct tui_translator *t = &p->m->tr;
	int heat = tui_heat(b->runs, most), x = 2;
	enum tui_style s = most ? tui_heat_style(heat) : TUI_S_DIM;
	bool selected = b->pc == p->st->key;
	char n[48];
	tui_fill(a, TUI_S_TEXT, selected ? (p->focus ? TUI_B_SELECT : TUI_B_SOFT) : TUI_B_BASE);
	tui_frame(a, s, most && heat == TUI_HEATS - 1);
	if (b->pc == t->blocks.pc)
		x += tui_put(a, x, 0, TUI_S_CHANGED, "▶");
	x += tui_put(a, x, 0, s, " ");
	x += tui_put_max(a, x, 0, a.w - x - 3, selected ? TUI_S_STRONG : TUI_S_TEXT, name_of(b, n, sizeof(n)));
	tui_put(a, x, 0, s, " ");
	x = 2;
	if (most) {
		x += tui_put(a, x, 1, s, tui_heat_glyph(heat)) + 1;
		x += tui_putf(a, x, 1, TUI_S_STRONG, "×%s", tui_fmt_count(b->runs, n, sizeof(n))) + 1;
	}
	if (loops(b))
		tui_put(a, x, 1, TUI_S_HEAT3, "↺");
	snprintf(n, sizeof(n), tui_tr(p, N_("%u insns")), b->insns);
	if (x + 2 + tui_width(a.g, n) < a.w - 1)
		tui_put_right(a, a.w - 2, 1, TUI_S_DIM, n);
	if (out) {
		snprintf(n, sizeof(n), " +%d ▸ ", out);
		tui_put_right(a, a.w - 1, a.h - 1, TUI_S_DIM, n);
	}
}

/* Boxes of that height, as wide as they can be; the graph no wider than it must be: short ways are read
 * well. */
static bool try_graph(struct tui_area a, struct tui_graph *g, int box_h, struct tui_area *at)
{
	for (int box = 30; box >= 22; box -= 4) {
		if (!tui_graph_layout(g, a.w, a.h, box, box_h))
			continue;
		int w = g->least_w;
		if (!tui_graph_layout(g, w, a.h, box, box_h)) /* more turns, more rows: then as wide as it can be */
			tui_graph_layout(g, w = a.w, a.h, box, box_h);
		*at = tui_area_sub(a, (a.w - w) / 2, 0, w, a.h);
		return true;
	}
	return false;
}

#define GRAPH_MIN 6 /* fewer boxes say less than a list does */

/* The largest graph that fits; false: a list shows more. */
static bool fit_graph(const struct tui_pane *p, struct tui_area a, int *node, struct tui_graph *g,
		      struct tui_area *at)
{
	int most = TUI_GRAPH_NODES < (int)p->m->tr.blocks.n ? TUI_GRAPH_NODES : (int)p->m->tr.blocks.n;
	for (int k = most; k >= GRAPH_MIN || k == most; k--) {
		g->nodes = choose(p, node, k);
		edges_of(&p->m->tr, node, g);
		if (try_graph(a, g, 3, at) || try_graph(a, g, 1, at))
			return true;
	}
	return false;
}

static bool draw_graph(struct tui_area all, const struct tui_pane *p)
{
	const struct tui_translator *t = &p->m->tr;
	int order[RS_EMU_BLOCKS_MAX], node[TUI_GRAPH_NODES], n = sort(t, order, false);
	struct tui_graph *g = rs_xcalloc(1, sizeof(*g));
	select_row(p, order, n);
	struct tui_area a = tui_area_sub(all, 0, 1, all.w, all.h - 1);
	struct tui_area rest = draw_detail(a, p, &t->block[order[p->st->sel]]);
	struct tui_area at;
	bool fits = fit_graph(p, rest, node, g, &at);
	if (fits) {
		uint64_t most = t->blocks.counted ? tui_translator_most(t) : 0;
		draw_head(all, p);
		tui_graph_draw(at, g);
		for (int i = 0; i < g->nodes; i++) {
			const struct rs_emu_block *b = &t->block[node[i]];
			struct tui_area box = tui_area_sub(at, g->at[i].x, g->at[i].y, g->box_w, g->box_h);
			if (box.h < 3)
				draw_small_box(box, p, b, most);
			else
				draw_box(box, p, b, most, outside(t, b, node, g->nodes));
		}
		window(p, n, n); /* nothing scrolls */
		p->st->head = -1;
	}
	free(g);
	return fits;
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_translator *t = &p->m->tr;
	int order[RS_EMU_BLOCKS_MAX];
	if (!t->have_blocks || !t->blocks.n) {
		tui_pane_empty(a, p, N_("Translated blocks appear here when the program runs: how often each ran, and which lead to which."));
		return;
	}
	if (p->st->side > 1)
		p->st->side = 1;
	if (p->st->side == 0 && draw_graph(a, p))
		return;
	tui_fill(a, TUI_S_TEXT, TUI_B_BASE);
	draw_list(a, p, order, sort(t, order, p->st->side == 1), p->st->side == 0);
}

const struct tui_pane_ops tui_pane_blocks = { .draw = draw, .rows = rows_of, .sides = sides_of, .select = true };
