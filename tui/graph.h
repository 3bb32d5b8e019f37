/* A small graph drawn in layers: boxes from top to bottom, arrows between them, the ways back up in
 * lanes at the right side. Pure arithmetic and lines; what stands in a box is the caller's.
 *
 *   1. edges that close a cycle are found (depth first) and left out of the layering
 *   2. each node stands one layer below its lowest predecessor; a long edge passes the layers between
 *      in a narrow place of its own
 *   3. the order within a layer follows the neighbours above
 *   4. edges between two layers turn in rows of their own where they would run into each other
 */
#ifndef TUI_GRAPH_H
#define TUI_GRAPH_H

#include "tui/grid.h"

#define TUI_GRAPH_NODES 24
#define TUI_GRAPH_EDGES 96

struct tui_graph_edge {
	int from, to;     /* nodes; a node's edge to itself is not drawn */
	bool dashed;
	enum tui_style style;
	bool back;        /* out: leads upwards, along the right side */
};
struct tui_graph {
	int nodes, edges;
	struct tui_graph_edge edge[TUI_GRAPH_EDGES];
	/* out */
	struct { int x, y; } at[TUI_GRAPH_NODES];
	int box_w, box_h;
	int layers;
	int least_w;      /* columns that the widest layer needs; known unless there are too many layers */
};
/* Places boxes of box_w x box_h in a w x h area. False: they do not fit. Nodes should be in the order in
 * which control flows (by address): the first ones are looked at first. */
bool tui_graph_layout(struct tui_graph *g, int w, int h, int box_w, int box_h);
/* Draws the edges. Boxes drawn afterwards hide what passes behind them. */
void tui_graph_draw(struct tui_area a, const struct tui_graph *g);

#endif
