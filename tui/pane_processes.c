/* The process tree across PID namespaces: one row a process, its number in each namespace that sees it. */
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	return p->m->box.have_procs ? (int)p->m->box.head.n : 0;
}

static const char *state_words(char c)
{
	switch (c) {
	case 'R':
		return N_("runs, or could run");
	case 'S':
		return N_("sleeps until something happens");
	case 'D':
		return N_("sleeps in the kernel and cannot be woken by a signal");
	case 'Z':
		return N_("has ended; nobody has asked for its status yet");
	case 't':
		return N_("stands still for the lab");
	case 'T':
		return N_("was stopped by a signal");
	default:
		return N_("in a state that the kernel alone knows");
	}
}

static void describe(const struct tui_pane *p, const struct rs_box_proc *r, unsigned row, struct rs_str *out)
{
	unsigned n = 0;
	while (n < RS_BOX_PIDS_MAX && r->pid[n])
		n++;
	if (!row)
		rs_str_add(out, tui_tr(p, N_("The lab's own process on the host: what the others are compared with. ")));
	else
		rs_str_addf(out, tui_tr(p, N_("The host sees process %d of user %u. ")), r->host, r->uid);
	for (unsigned i = 0; i < n; i++)
		rs_str_addf(out, tui_tr(p, i ? N_("One PID namespace further in it is %d. ") : N_("In the container it is %d. ")), r->pid[i]);
	if (r->root[0])
		rs_str_addf(out, tui_tr(p, N_("Its root directory is %s. ")), r->root);
	if (row && p->m->box.head.past)
		rs_str_add(out, tui_tr(p, N_("It has ended; this is the container when it had the most processes.")));
	else
		rs_str_addf(out, tui_tr(p, N_("%c: %s.")), r->state, tui_tr(p, state_words(r->state)));
}

static void draw_row(struct tui_area a, int y, const struct tui_container *c, unsigned row)
{
	static const enum tui_style depth_style[] = { TUI_S_RING3, TUI_S_RING2, TUI_S_RING1, TUI_S_RING0 };
	const struct rs_box_proc *r = &c->row[row];
	unsigned depth = tui_container_depth(c, row);
	char t[24];
	int x = 0;
	snprintf(t, sizeof(t), "%d", r->host);
	tui_put_right(a, 7, y, TUI_S_DIM, t);
	x = 8;
	for (unsigned i = 0; i < RS_BOX_PIDS_MAX; i++) {
		if (!r->pid[i])
			break;
		snprintf(t, sizeof(t), "%d", r->pid[i]);
		tui_put(a, x, y, TUI_S_FAINT, "›");
		tui_put_right(a, x + 6, y, depth_style[i], t);
		x += 7;
	}
	x = 8 + 7 * 2 + 2;
	for (unsigned i = 1; i < depth; i++)
		x += tui_put(a, x, y, TUI_S_BORDER, "  ");
	if (depth)
		x += tui_put(a, x, y, TUI_S_BORDER, "└ ");
	x += tui_put(a, x, y, row && !c->head.past ? TUI_S_STRONG : TUI_S_DIM, r->comm) + 1;
	if (r->root[0])
		x += tui_putf(a, x, y, TUI_S_CODE, "/ = %s ", r->root);
	t[0] = row && c->head.past ? '-' : r->state;
	t[1] = 0;
	tui_put_right(a, a.w, y, r->state == 'Z' ? TUI_S_WARN : TUI_S_FAINT, t);
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_container *c = &p->m->box;
	rs_auto_str text = RS_STR_INIT;
	int rows = rows_of(p, a.w);
	if (!rows) {
		tui_pane_empty(a, p, N_("The container's processes appear here, by their numbers outside and inside."));
		return;
	}
	tui_pane_window(p, &tui_pane_processes, rows, a.h);
	describe(p, &c->row[p->st->sel], (unsigned)p->st->sel, &text);
	a = tui_pane_detail(a, c->row[p->st->sel].comm, text.p);
	tui_put_right(a, 7, 0, TUI_S_FAINT, tui_tr(p, N_("host")));
	tui_put(a, 9, 0, TUI_S_FAINT, tui_tr(p, N_("inside ›")));
	a = tui_area_sub(a, 0, 1, a.w, a.h - 1);
	p->st->head = 1;
	int top = tui_pane_window(p, &tui_pane_processes, rows, a.h);
	for (int y = 0; y < a.h && top + y < rows; y++) {
		draw_row(a, y, c, (unsigned)(top + y));
		if (top + y == p->st->sel)
			tui_back_row(a, 0, y, a.w, p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	}
}

const struct tui_pane_ops tui_pane_processes = { .draw = draw, .rows = rows_of, .select = true };
