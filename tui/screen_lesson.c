/* The lesson screen: steps, text, task, panes, the state of the run. */
#include <stdio.h>
#include <string.h>

#include "tui/app.h"

static struct tui_area sub(struct tui_area a, struct tui_rect r)
{
	return tui_area_sub(a, r.x, r.y, r.w, r.h);
}

/* ---- steps ---- */

static const char *step_kind(const struct eng_step *s)
{
	return s->predict ? N_("predict") : s->task || s->checks ? N_("change") : N_("watch");
}

/* Did the student get everything that this step can give? */
static bool step_done(const struct tui_app *a, unsigned i)
{
	const struct eng_step *s = &a->ls.lesson->step[i];
	unsigned n;
	const struct eng_check_result *r = eng_session_results(a->ls.session, i, &n);
	for (unsigned k = 0; k < n; k++)
		if (r[k].verdict != ENG_PASS)
			return false;
	const struct eng_prediction *p = eng_session_prediction(a->ls.session, i);
	if (s->predict)
		return p->known;
	const struct eng_evidence *e = eng_session_evidence(a->ls.session, i);
	return n || (s->run && e && e->ended);
}

static int draw_step(struct tui_app *a, struct tui_area row, int x, unsigned i, bool full, bool measure)
{
	unsigned now = eng_session_step(a->ls.session);
	char text[64];
	if (full || i == now)
		snprintf(text, sizeof(text), " %u %s%s ", i + 1,
			 tui_app_tr(a, step_kind(&a->ls.lesson->step[i])), step_done(a, i) ? " ✓" : "");
	else
		snprintf(text, sizeof(text), " %u ", i + 1);
	int w = tui_width(row.g, text);
	if (measure)
		return w;
	if (i == now)
		tui_back_row(row, x, 0, w, TUI_B_B_ACCENT);
	tui_put(row, x, 0, i == now ? TUI_S_INK : step_done(a, i) ? TUI_S_OK : TUI_S_DIM, text);
	tui_hit_add(a, tui_area_sub(row, x, 0, w, 1), TUI_HIT_STEP, (int)i);
	return w;
}

static void draw_steps(struct tui_app *a, struct tui_area row)
{
	unsigned n = a->ls.lesson->steps, now = eng_session_step(a->ls.session);
	int all = 0;
	for (unsigned i = 0; i < n; i++)
		all += draw_step(a, row, 0, i, true, true) + 1;
	bool full = all < row.w - 2;
	unsigned first = 0;
	if (!full) { /* numbers alone; the current one stays in sight */
		int w = 0;
		for (unsigned i = 0; i <= now; i++)
			w += draw_step(a, row, 0, i, false, true) + 1;
		while (w > row.w - 8 && first < now)
			w -= draw_step(a, row, 0, first++, false, true) + 1;
	}
	int x = 1;
	for (unsigned i = first; i < n; i++) {
		int w = draw_step(a, row, 0, i, full, true);
		if (x + w > row.w - 1) {
			tui_put(row, row.w - 1, 0, TUI_S_DIM, "…");
			break;
		}
		x += draw_step(a, row, x, i, full, false) + 1;
	}
}

/* ---- panes ---- */

static void draw_pane(struct tui_app *a, struct tui_area frame, int view, const struct tui_layout *l)
{
	struct tui_lesson *ls = &a->ls;
	enum eng_view v = ls->view[view];
	struct tui_pane_state *st = &ls->pane[v];
	const struct tui_pane_ops *ops = tui_panes[v];
	struct tui_pane p = { .m = ls->model, .lang = a->lang, .focus = ls->focus == view, .st = st };
	struct tui_area in = tui_draw_panel(frame, tui_app_tr(a, eng_view_infos[v].title), p.focus);
	tui_hit_add(a, frame, TUI_HIT_FOCUS, view);
	if (l) { /* this place is shared: the views without one are named in the border */
		int x = 5 + tui_width(frame.g, tui_app_tr(a, eng_view_infos[v].title));
		for (int i = 0; i < ls->views; i++) {
			const char *name = tui_app_tr(a, eng_view_infos[ls->view[i]].title);
			bool shown = false;
			for (int k = 0; k < l->panes; k++)
				shown |= l->pane[k].view == i;
			if (shown || x + tui_width(frame.g, name) + 5 > frame.w)
				continue;
			x += tui_put(frame, x, 0, TUI_S_BORDER, "· ");
			tui_hit_add(a, tui_area_sub(frame, x, 0, tui_width(frame.g, name), 1),
				    TUI_HIT_FOCUS, i);
			x += tui_put(frame, x, 0, TUI_S_DIM, name);
			x += tui_put(frame, x, 0, TUI_S_BORDER, " ");
		}
	}
	st->head = 0;
	st->width = in.w;
	ops->draw(in, &p);
	if (ops->select && st->head >= 0)
		tui_hit_add(a, tui_area_sub(in, 0, st->head, in.w, st->page), TUI_HIT_ROW, view);
	if (ops->rows)
		tui_draw_thumb(frame, ops->rows(&p, in.w), st->page, st->top, p.focus);
}

/* ---- the state of the run ---- */

static uint64_t lost_events(const struct tui_app *a)
{
	const struct tui_model *m = a->ls.model;
	uint64_t lost = m->have_counters ? m->counters.v[RS_CTR_EVENTS_LOST] : 0;
	if (m->have_exit && m->exit.arg[3] > lost)
		lost = m->exit.arg[3];
	return lost;
}

static const char *state_name(const struct tui_app *a, enum tui_back *back)
{
	const struct tui_model *m = a->ls.model;
	if (a->screen == TUI_IN_REPLAY && a->ls.held) {
		*back = TUI_B_B_WARN;
		return N_("held");
	}
	switch (m->state) {
	case TUI_RUN_BUILDING:
		*back = TUI_B_B_ACCENT;
		return N_("building");
	case TUI_RUN_GOING:
		*back = TUI_B_B_OK;
		return N_("running");
	case TUI_RUN_PAUSED:
		*back = TUI_B_B_WARN;
		return N_("paused");
	case TUI_RUN_OVER:
		break;
	default:
		*back = eng_session_phase(a->ls.session) == ENG_FAILED ? TUI_B_B_FAIL : TUI_B_B_IDLE;
		return eng_session_phase(a->ls.session) == ENG_FAILED ? N_("failed") : N_("ready");
	}
	*back = TUI_B_B_IDLE;
	if (m->build_failed || eng_session_phase(a->ls.session) == ENG_FAILED) {
		*back = TUI_B_B_FAIL;
		return m->build_failed ? N_("build failed") : N_("failed");
	}
	if (m->have_outcome) {
		uint64_t o = m->outcome.arg[0];
		if (o != RS_OUT_HALTED && o != RS_OUT_DEBUG_EXIT && o != RS_OUT_STOPPED &&
		    o != RS_OUT_RESET && o != RS_OUT_REACHED && o != RS_OUT_EXITED)
			*back = TUI_B_B_FAIL;
	}
	return N_("ended");
}

static int draw_item(struct tui_area row, int x, const char *name, const char *value)
{
	int w = tui_width(row.g, name) + 1 + tui_width(row.g, value);
	if (x + w > row.w - 1)
		return 0;
	x += tui_put(row, x, 0, TUI_S_DIM, name) + 1;
	tui_put(row, x, 0, TUI_S_TEXT, value);
	return w + 3;
}

static void draw_status(struct tui_app *a, struct tui_area row)
{
	const struct tui_model *m = a->ls.model;
	enum tui_back back;
	char t[96];
	tui_fill(row, TUI_S_TEXT, TUI_B_BAR);
	const char *state = tui_app_tr(a, state_name(a, &back));
	int x = tui_draw_badge(row, 1, 0, back, state) + 2;
	if (m->state == TUI_RUN_OVER && m->have_outcome) {
		char o[32];
		rs_unit_format(RS_UNIT_outcome, m->outcome.arg[0], o, sizeof(o));
		x += tui_put(row, x, 0, TUI_S_STRONG, o);
		if (m->outcome.arg[0] == RS_OUT_DEBUG_EXIT || m->outcome.arg[0] == RS_OUT_EXITED)
			x += tui_putf(row, x, 0, TUI_S_DIM, " %llu", (unsigned long long)m->outcome.arg[1]);
		x += 3;
	}
	if (m->cpl >= 0) {
		snprintf(t, sizeof(t), tui_app_tr(a, N_("ring %d")), m->cpl);
		x += tui_draw_badge(row, x, 0, tui_ring_badge((unsigned)m->cpl), t) + 2;
	}
	if (a->ls.count) {
		snprintf(t, sizeof(t), "%u", a->ls.count);
		x += draw_item(row, x, tui_app_tr(a, N_("count for s:")), t);
	}
	if (a->screen == TUI_IN_REPLAY) {
		if (eng_session_replay_done(a->ls.session))
			snprintf(t, sizeof(t), "%s", tui_app_tr(a, N_("at its end")));
		else if (a->ls.speed > 0)
			snprintf(t, sizeof(t), a->ls.speed >= 1 ? "%.0f×" : "1/%.0f×",
				 a->ls.speed >= 1 ? a->ls.speed : 1 / a->ls.speed);
		else
			snprintf(t, sizeof(t), "%s", tui_app_tr(a, N_("at once")));
		x += draw_item(row, x, tui_app_tr(a, N_("replay")), t);
	}
	uint64_t lost = lost_events(a);
	if (lost) {
		char n[32];
		snprintf(t, sizeof(t), tui_app_tr(a, N_("the live view dropped %s events")),
			 tui_fmt_count(lost, n, sizeof(n)));
		x += tui_put_max(row, x, 0, row.w - x - 1, TUI_S_WARN, t) + 3;
	}
	if (m->last_time)
		x += draw_item(row, x, tui_app_tr(a, N_("time")),
			       tui_fmt_time(m->end_time ? m->end_time : m->last_time > m->counters_time ?
						    m->last_time : m->counters_time, t, sizeof(t)));
	uint64_t exits = tui_model_exits_total(m);
	if (exits)
		x += draw_item(row, x, tui_app_tr(a, N_("exits")), tui_fmt_count(exits, t, sizeof(t)));
	if (m->rip && m->state == TUI_RUN_PAUSED) {
		snprintf(t, sizeof(t), "0x%llx", (unsigned long long)m->rip);
		x += draw_item(row, x, m->seen[RS_EV_EMU_LOAD] ? "PC" : "RIP", t);
	}
	if (m->have_counters && m->counters.v[RS_CTR_VM_STEPS])
		x += draw_item(row, x, tui_app_tr(a, N_("steps")),
			       tui_fmt_count(m->counters.v[RS_CTR_VM_STEPS], t, sizeof(t)));
	if (m->state == TUI_RUN_NONE && eng_session_phase(a->ls.session) == ENG_IDLE &&
	    tui_step(a)->run && a->screen == TUI_IN_LESSON)
		tui_put_max(row, x, 0, row.w - x - 1, TUI_S_DIM,
			    tui_app_tr(a, N_("press r to run this step")));
}

void tui_draw_lesson(struct tui_app *a, struct tui_area all)
{
	struct tui_lesson *ls = &a->ls;
	struct tui_layout l;
	struct tui_layout_in in = { .w = all.w, .h = all.h, .view = ls->view, .views = ls->views,
				    .focus = ls->focus, .zoom = ls->zoom };
	if (tui_has_task(a)) {
		in.task_rows = 1;
		tui_layout_make(&l, &in); /* the width is known only now */
		in.task_rows = tui_task_wanted(a, (l.task.w ? l.task.w : all.w) - 4);
	}
	tui_layout_make(&l, &in);
	draw_steps(a, tui_area_sub(all, 0, 1, all.w, 1));
	if (l.text.w)
		tui_draw_text(a, sub(all, l.text));
	if (l.task.w)
		tui_draw_task(a, sub(all, l.task));
	for (int i = 0; i < l.panes; i++)
		draw_pane(a, sub(all, l.pane[i].r), l.pane[i].view, i == l.panes - 1 ? &l : NULL);
	draw_status(a, tui_area_sub(all, 0, all.h - 2, all.w, 1));
}
