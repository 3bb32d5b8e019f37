/* The walk through the KVM API: one call a row, its descriptor, arguments, result and time. */
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"

static const char *const call_sentences[] = {
#define TUI_CALL(id, sentence) [RS_CALL_##id] = sentence,
#include "tui/calls.def"
};

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	return (int)p->m->calls.n;
}

static const char *sentence_of(const struct tui_pane *p, const struct rs_event *ev)
{
	if (ev->kind == RS_EV_KVM_CALL &&
	    ev->arg[0] < sizeof(call_sentences) / sizeof(call_sentences[0]) &&
	    call_sentences[ev->arg[0]])
		return tui_tr(p, call_sentences[ev->arg[0]]);
	return tui_tr(p, rs_kind_info(ev->kind)->sentence);
}

/* What lies between the calls: memory and program that the monitor put in place. */
static void draw_note(struct tui_area a, int y, const struct rs_event *ev, const struct tui_pane *p)
{
	const struct rs_kind_info *k = rs_kind_info(ev->kind);
	char v[64];
	int x = 5 + tui_put(a, 5, y, TUI_S_F_VM, "■ ");
	x += tui_put(a, x, y, TUI_S_DIM,
		     tui_tr(p, ev->kind == RS_EV_VM_MEMORY ? N_("guest memory") : N_("program loaded"))) + 2;
	for (int i = 0; i < 3 && k->arg[i].name && x < a.w; i++) {
		if (ev->kind == RS_EV_VM_MEMORY && i == 0)
			continue;
		x += tui_putf(a, x, y, TUI_S_DIM, "%s ", k->arg[i].name);
		x += tui_put(a, x, y, TUI_S_TEXT,
			     rs_unit_format(k->arg[i].unit, ev->arg[i], v, sizeof(v))) + 2;
	}
}

static void draw_call(struct tui_area a, int y, unsigned number, const struct rs_event *ev)
{
	static const enum tui_style fd_style[] = { TUI_S_F_KVM, TUI_S_F_VM, TUI_S_F_CPU };
	char name[40], fd[16], t[32], result[32];
	bool failed = (int64_t)ev->arg[2] < 0;
	rs_unit_format(RS_UNIT_call, ev->arg[0], name, sizeof(name));
	rs_unit_format(RS_UNIT_fd, ev->arg[1], fd, sizeof(fd));
	snprintf(t, sizeof(t), "%u", number);
	tui_put_right(a, 3, y, TUI_S_FAINT, t);
	int end = tui_put_right(a, a.w, y, TUI_S_DIM, tui_fmt_time(ev->arg[3], t, sizeof(t)));
	end = a.w - 10 < end ? a.w - 10 : end;
	snprintf(result, sizeof(result), "= %lld", (long long)ev->arg[2]);
	int rx = end - 1 - tui_width(a.g, result);
	tui_put(a, rx, y, failed ? TUI_S_FAIL : TUI_S_NUMBER, result);
	int x = 5;
	enum tui_style s = ev->arg[1] < 3 ? fd_style[ev->arg[1]] : TUI_S_DIM;
	if (a.w >= 64)
		tui_put_max(a, x, y, 7, s, fd), x += 8;
	else
		tui_put(a, x, y, s, "◆"), x += 2;
	struct tui_area left = tui_area_sub(a, 0, y, rx - 1, 1);
	/* every ioctl's name begins with KVM_: where room is scarce, that goes first */
	const char *show = a.w < 64 && !strncmp(name, "KVM_", 4) ? name + 4 : name;
	x += tui_put(left, x, 0, failed ? TUI_S_FAIL : TUI_S_STRONG, show);
	if (ev->text[0] && x + 3 < left.w) {
		x += tui_put(left, x, 0, TUI_S_FAINT, "(");
		int w = left.w - x - 1;
		x += tui_put_max(left, x, 0, w, TUI_S_DIM, ev->text);
		tui_put(left, x, 0, TUI_S_FAINT, ")");
	}
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_ring *r = &p->m->calls;
	if (!r->n) {
		tui_pane_empty(a, p, N_("The calls of the KVM API appear here, one a line, when the guest is set up."));
		return;
	}
	tui_pane_window(p, &tui_pane_calls, (int)r->n, a.h);
	const struct rs_event *cur = tui_ring_at(r, (unsigned)p->st->sel);
	char name[40];
	a = tui_pane_detail(a, cur->kind == RS_EV_KVM_CALL ?
				       rs_unit_format(RS_UNIT_call, cur->arg[0], name, sizeof(name)) :
				       NULL,
			    sentence_of(p, cur));
	int top = tui_pane_window(p, &tui_pane_calls, (int)r->n, a.h);
	unsigned number = 0;
	for (unsigned i = 0; (int)i < top; i++)
		number += tui_ring_at(r, i)->kind == RS_EV_KVM_CALL;
	for (int y = 0; y < a.h && top + y < (int)r->n; y++) {
		const struct rs_event *ev = tui_ring_at(r, (unsigned)(top + y));
		if (ev->kind == RS_EV_KVM_CALL)
			draw_call(a, y, ++number, ev);
		else
			draw_note(a, y, ev, p);
		if (top + y == p->st->sel)
			tui_back_row(a, 0, y, a.w, p->focus ? TUI_B_SELECT : TUI_B_SOFT);
	}
}

const struct tui_pane_ops tui_pane_calls = { .draw = draw, .rows = rows_of, .select = true,
					     .tail = true };
