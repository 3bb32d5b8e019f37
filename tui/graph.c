#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/base/str.h"
#include "tui/graph.h"
#include "tui/lines.h"

#define PLACES 160 /* boxes and the narrow places of long edges */
#define LAYERS 24
#define ROWS_MAX 4 /* in which edges between two layers turn */

/* A place in a layer: a box, or where a long edge passes. */
struct place {
	int node;       /* -1: an edge passes */
	int layer, x, w;
	double want;    /* order in the layer */
};
/* A piece of an edge between a layer and the next. */
struct link {
	int from, to;   /* places */
	int edge;
	int x0, x1;     /* columns where it leaves and arrives */
	int row;        /* in which it turns */
};
struct plan {
	const struct tui_graph *g;
	struct place p[PLACES];
	struct link l[2 * PLACES];
	int places, links, layer[TUI_GRAPH_NODES], rows[LAYERS], y[LAYERS];
	int lanes;
};

/* ---- cycles and layers ---- */

static void visit(struct tui_graph *g, int n, char *mark)
{
	mark[n] = 1;
	for (int i = 0; i < g->edges; i++) {
		struct tui_graph_edge *e = &g->edge[i];
		if (e->from != n)
			continue;
		if (mark[e->to] == 1)
			e->back = true;
		else if (!mark[e->to])
			visit(g, e->to, mark);
	}
	mark[n] = 2;
}

static void find_back_edges(struct tui_graph *g)
{
	char mark[TUI_GRAPH_NODES] = { 0 };
	bool entered[TUI_GRAPH_NODES] = { false };
	for (int i = 0; i < g->edges; i++) {
		g->edge[i].back = false;
		if (g->edge[i].from != g->edge[i].to)
			entered[g->edge[i].to] = true;
	}
	for (int pass = 0; pass < 2; pass++) /* first where nothing leads to */
		for (int n = 0; n < g->nodes; n++)
			if (!mark[n] && (pass || !entered[n]))
				visit(g, n, mark);
}

static int layer_all(struct plan *p)
{
	int layers = 1;
	for (int again = 1, guard = 0; again && guard <= p->g->nodes; guard++) {
		again = 0;
		for (int i = 0; i < p->g->edges; i++) {
			const struct tui_graph_edge *e = &p->g->edge[i];
			if (!e->back && p->layer[e->to] <= p->layer[e->from]) {
				p->layer[e->to] = p->layer[e->from] + 1;
				again = 1;
			}
		}
	}
	for (int n = 0; n < p->g->nodes; n++)
		if (p->layer[n] + 1 > layers)
			layers = p->layer[n] + 1;
	return layers;
}

/* ---- places ---- */

static int add_place(struct plan *p, int node, int layer, int w)
{
	if (p->places == PLACES)
		return -1;
	p->p[p->places] = (struct place){ .node = node, .layer = layer, .w = w, .want = p->places };
	return p->places++;
}

static bool add_links(struct plan *p)
{
	for (int i = 0; i < p->g->edges; i++) {
		const struct tui_graph_edge *e = &p->g->edge[i];
		if (e->back || e->from == e->to)
			continue;
		int at = e->from;
		for (int l = p->layer[e->from] + 1; l <= p->layer[e->to]; l++) {
			int next = l == p->layer[e->to] ? e->to : add_place(p, -1, l, 3);
			if (next < 0 || p->links == 2 * PLACES)
				return false;
			p->l[p->links++] = (struct link){ .from = at, .to = next, .edge = i };
			at = next;
		}
	}
	return true;
}

static int by_want(const void *a, const void *b)
{
	const struct place *x = *(struct place *const *)a, *y = *(struct place *const *)b;
	return x->want < y->want ? -1 : x->want > y->want ? 1 : x < y ? -1 : 1;
}

static int layer_width(const struct plan *p, int layer)
{
	int wide = -2;
	for (int i = 0; i < p->places; i++)
		if (p->p[i].layer == layer)
			wide += p->p[i].w + 2;
	return wide;
}

/* Orders one layer by its neighbours above and gives it columns. */
static void place_layer(struct plan *p, int layer, int w, int wide)
{
	struct place *in[PLACES];
	int n = 0;
	for (int i = 0; i < p->places; i++)
		if (p->p[i].layer == layer) {
			double sum = 0, k = 0;
			for (int j = 0; j < p->links; j++)
				if (p->l[j].to == i)
					sum += p->p[p->l[j].from].x + p->p[p->l[j].from].w / 2.0, k++;
			if (layer)
				p->p[i].want = k ? sum / k : w / 2.0;
			in[n++] = &p->p[i];
		}
	qsort(in, (size_t)n, sizeof(in[0]), by_want);
	int x = 0, left = wide;
	for (int i = 0; i < n; i++) { /* where its neighbours want it, as far as the others leave room */
		int at = layer ? (int)in[i]->want - in[i]->w / 2 : (w - wide) / 2 + x;
		if (at < x)
			at = x;
		if (at > w - left)
			at = w - left;
		in[i]->x = at;
		x = at + in[i]->w + 2;
		left -= in[i]->w + 2;
	}
}

/* ---- the rows between layers ---- */

static int out_rank(const struct plan *p, int link, int *of)
{
	int rank = 0;
	*of = 0;
	for (int i = 0; i < p->links; i++) {
		if (p->l[i].from != p->l[link].from)
			continue;
		int a = p->p[p->l[i].to].x, b = p->p[p->l[link].to].x;
		rank += a < b || (a == b && i < link);
		++*of;
	}
	return rank;
}

static bool meet(const struct link *a, const struct link *b)
{
	int a0 = a->x0 < a->x1 ? a->x0 : a->x1, a1 = a->x0 < a->x1 ? a->x1 : a->x0;
	int b0 = b->x0 < b->x1 ? b->x0 : b->x1, b1 = b->x0 < b->x1 ? b->x1 : b->x0;
	return a0 <= b1 && b0 <= a1;
}

static void route(struct plan *p)
{
	for (int i = 0; i < p->links; i++) {
		struct link *l = &p->l[i];
		const struct place *a = &p->p[l->from], *b = &p->p[l->to];
		int of, rank = out_rank(p, i, &of);
		l->x1 = b->x + b->w / 2;
		l->x0 = a->node < 0 ? a->x + a->w / 2 : a->x + a->w * (rank + 1) / (of + 1);
		if (of == 1 && l->x1 > a->x + 1 && l->x1 < a->x + a->w - 2)
			l->x0 = l->x1; /* straight down */
	}
	for (int i = 0; i < p->links; i++) {
		struct link *l = &p->l[i];
		int layer = p->p[l->from].layer;
		for (l->row = 0; l->row < ROWS_MAX - 1; l->row++) {
			bool taken = false;
			for (int j = 0; j < i && l->x0 != l->x1; j++) {
				const struct link *o = &p->l[j];
				taken |= p->p[o->from].layer == layer && o->row == l->row && o->x0 != o->x1 &&
					 o->to != l->to && meet(o, l);
			}
			if (!taken)
				break;
		}
		if (l->row + 1 > p->rows[layer])
			p->rows[layer] = l->row + 1;
	}
}

static bool make(struct plan *p, struct tui_graph *g, int w, int h, int box_w, int box_h)
{
	int back = 0, y = 0;
	memset(p, 0, sizeof(*p));
	p->g = g;
	find_back_edges(g);
	for (int i = 0; i < g->edges; i++)
		back += g->edge[i].back && g->edge[i].from != g->edge[i].to;
	p->lanes = back > 4 ? 4 : back;
	g->box_w = box_w;
	g->box_h = box_h;
	g->layers = layer_all(p);
	if (g->layers > LAYERS || g->layers * (box_h + 2) - 2 > h)
		return false;
	for (int n = 0; n < g->nodes; n++)
		add_place(p, n, p->layer[n], box_w);
	if (!add_links(p))
		return false;
	int side = p->lanes ? 3 * p->lanes + 1 : 0, wide = 0;
	for (int l = 0; l < g->layers; l++)
		wide = layer_width(p, l) > wide ? layer_width(p, l) : wide;
	g->least_w = wide + side;
	if (g->least_w > w)
		return false;
	for (int l = 0; l < g->layers; l++)
		place_layer(p, l, w - side, layer_width(p, l));
	route(p);
	for (int l = 0; l < g->layers; l++) {
		p->y[l] = y;
		y += box_h + (l + 1 < g->layers ? p->rows[l] + 1 : 0);
	}
	if (y > h)
		return false;
	for (int n = 0; n < g->nodes; n++) {
		g->at[n].x = p->p[n].x;
		g->at[n].y = p->y[p->layer[n]];
	}
	return true;
}

bool tui_graph_layout(struct tui_graph *g, int w, int h, int box_w, int box_h)
{
	struct plan *p = rs_xcalloc(1, sizeof(*p));
	bool fits = make(p, g, w, h, box_w, box_h);
	free(p);
	return fits;
}

/* ---- drawing ---- */

static void draw_links(struct tui_lines *c, const struct plan *p)
{
	for (int i = 0; i < p->links; i++) {
		const struct link *l = &p->l[i];
		const struct tui_graph_edge *edge = &p->g->edge[l->edge];
		const struct tui_pen e = { edge->style, edge->dashed };
		const struct place *a = &p->p[l->from], *b = &p->p[l->to];
		int top = p->y[a->layer] + p->g->box_h, turn = top + l->row;
		int end = p->y[b->layer] - 1;
		if (a->node < 0) /* a long edge passes its layer as a line */
			tui_lines_along(c, l->x0, p->y[a->layer] - 1, top, e);
		tui_lines_mark(c, l->x0, top, TUI_UP, e);
		tui_lines_along(c, l->x0, top, turn, e);
		tui_lines_across(c, l->x0, l->x1, turn, e);
		tui_lines_along(c, l->x1, turn, end, e);
		if (b->node >= 0)
			tui_lines_head(c, l->x1, end, "▼", e);
	}
}

/* Up along the right side: out of the lower box, into the upper one, both through their right side. */
static void draw_back(struct tui_lines *c, const struct plan *p)
{
	int lane = 0;
	for (int i = 0; i < p->g->edges; i++) {
		const struct tui_graph_edge *edge = &p->g->edge[i];
		const struct tui_pen e = { edge->style, edge->dashed };
		if (!edge->back || edge->from == edge->to)
			continue;
		int x = c->w - 2 - 3 * (lane++ % 4), mid = p->g->box_h / 2;
		int x0 = p->g->at[edge->from].x + p->g->box_w, x1 = p->g->at[edge->to].x + p->g->box_w;
		int y0 = p->g->at[edge->from].y + mid, y1 = p->g->at[edge->to].y + mid;
		if (y0 == y1) /* the same layer */
			y0++;
		tui_lines_mark(c, x0, y0, TUI_LEFT, e);
		tui_lines_across(c, x0, x, y0, e);
		tui_lines_along(c, x, y0, y1, e);
		tui_lines_across(c, x, x1, y1, e);
		tui_lines_head(c, x1, y1, "◀", e);
	}
}

void tui_graph_draw(struct tui_area a, const struct tui_graph *g)
{
	struct tui_graph copy = *g;
	struct plan *p = rs_xcalloc(1, sizeof(*p));
	struct tui_lines l;
	tui_lines_init(&l, a.w, a.h);
	if (make(p, &copy, a.w, a.h, g->box_w, g->box_h)) {
		draw_back(&l, p);
		draw_links(&l, p);
		tui_lines_put(a, &l);
	}
	tui_lines_release(&l);
	free(p);
}
