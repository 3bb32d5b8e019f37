/* Beside the panes: the step's text, and below it the task: question, checks, hints. */
#include <stdio.h>
#include <string.h>

#include "tui/app.h"
#include "tui/text.h"

void tui_draw_text(struct tui_app *a, struct tui_area frame)
{
	struct tui_lesson *ls = &a->ls;
	const struct eng_step *s = tui_step(a);
	bool focus = ls->focus == TUI_FOCUS_TEXT;
	tui_auto_lines l = { 0 };
	char title[96];
	snprintf(title, sizeof(title), tui_app_tr(a, N_("step %u of %u")),
		 eng_session_step(ls->session) + 1, ls->lesson->steps);
	struct tui_area in = tui_draw_panel(frame, title, focus);
	tui_hit_add(a, frame, TUI_HIT_FOCUS, TUI_FOCUS_TEXT);
	if (in.w > 76) { /* long lines are hard to read */
		in.x += (in.w - 76) / 2;
		in.w = 76;
	}
	tui_lines_md(eng_text(&s->text, a->lang), in.w, &l);
	int rows = (int)l.n;
	ls->text_rows = rows;
	ls->text_page = in.h;
	if (ls->text_top > rows - in.h)
		ls->text_top = rows - in.h;
	if (ls->text_top < 0)
		ls->text_top = 0;
	tui_lines_draw(in, &l, ls->text_top);
	tui_draw_thumb(frame, rows, in.h, ls->text_top, focus);
	if (ls->text_top + in.h < rows) {
		const char *more = tui_app_tr(a, N_(" more ↓ "));
		tui_put_right(frame, frame.w - 2, frame.h - 1, focus ? TUI_S_ACCENT : TUI_S_DIM, more);
	}
}

/* The panel's content is written once, into rows from `y` on; with in.g NULL it is only measured. */
struct pen {
	struct tui_app *a;
	struct tui_area in;
	int y;              /* next row, may be negative when scrolled */
	bool measure;
	int check_from, check_to; /* rows of the selected check */
};

static void para(struct pen *p, int indent, enum tui_style s, const char *text)
{
	tui_auto_lines l = { 0 };
	eng_md_layout_text(text, p->in.w - indent, &l);
	for (unsigned i = 0; i < l.n; i++, p->y++)
		if (!p->measure)
			tui_put_line(p->in, indent, p->y, s, &l.v[i]);
}

/* Text with Markdown in it: questions, hints and reasons are lesson texts too. */
static void rich(struct pen *p, int indent, const char *text)
{
	tui_auto_lines l = { 0 };
	tui_lines_md(text, p->in.w - indent, &l);
	for (int i = 0; i < (int)l.n; i++, p->y++)
		if (!p->measure && p->y >= 0 && p->y < p->in.h)
			tui_lines_draw(tui_area_sub(p->in, indent, p->y, p->in.w - indent, 1), &l, i);
}

static void put(struct pen *p, int x, enum tui_style s, const char *text)
{
	if (!p->measure)
		tui_put(p->in, x, p->y, s, text);
}

static void mark(struct pen *p, int from, enum tui_hit_type type, int arg, bool selected)
{
	if (p->measure || p->y <= 0 || from >= p->in.h)
		return;
	int top = from < 0 ? 0 : from;
	struct tui_area at = tui_area_sub(p->in, 0, top, p->in.w, p->y - top);
	tui_hit_add(p->a, at, type, arg);
	if (selected)
		tui_back_area(at, p->a->ls.focus == TUI_FOCUS_TASK ? TUI_B_SELECT : TUI_B_SOFT);
}

static void prediction(struct pen *p, const struct eng_predict *q, const struct eng_prediction *r)
{
	struct tui_app *a = p->a;
	char t[96];
	rich(p, 0, eng_text(&q->ask, a->lang));
	for (unsigned i = 0; i < q->choices; i++) {
		int from = p->y;
		bool mine = r->made && r->guess == (int64_t)i;
		bool right = r->known && r->actual == (int64_t)i;
		snprintf(t, sizeof(t), "%u", i + 1);
		put(p, 1, right ? TUI_S_OK : mine ? TUI_S_ACCENT : TUI_S_DIM,
		    right ? "✓" : mine && r->known ? "✗" : mine ? "●" : t);
		rich(p, 3, eng_text(&q->choice[i], a->lang));
		mark(p, from, TUI_HIT_CHOICE, (int)i, !r->known && a->ls.choice == (int)i);
	}
	if (!r->made) {
		const char *how = q->choices ? N_("Choose with the digits or arrows, then Enter.") :
					       N_("Type a number and press Enter.");
		para(p, 0, TUI_S_ACCENT, tui_app_tr(a, how));
		return;
	}
	if (!r->known) {
		if (!q->choices) {
			snprintf(t, sizeof(t), tui_app_tr(a, N_("You expect %lld.")), (long long)r->guess);
			para(p, 0, TUI_S_STRONG, t);
		}
		para(p, 0, TUI_S_ACCENT, tui_app_tr(a, N_("Now run it: r")));
		return;
	}
	if (q->choices)
		snprintf(t, sizeof(t), "%s", tui_app_tr(a, r->right ? N_("You were right.") :
								       N_("It came out differently.")));
	else if (r->right)
		snprintf(t, sizeof(t), tui_app_tr(a, N_("You were right: %lld.")), (long long)r->actual);
	else
		snprintf(t, sizeof(t), tui_app_tr(a, N_("You expected %lld. It was %lld.")),
			 (long long)r->guess, (long long)r->actual);
	put(p, 0, r->right ? TUI_S_OK : TUI_S_WARN, r->right ? "✓" : "✗");
	para(p, 2, r->right ? TUI_S_OK : TUI_S_WARN, t);
}

static const char *verdict_glyph(enum eng_verdict v, enum tui_style *s)
{
	switch (v) {
	case ENG_PASS: *s = TUI_S_OK; return "✓";
	case ENG_FAIL: *s = TUI_S_FAIL; return "✗";
	case ENG_INCONCLUSIVE: *s = TUI_S_WARN; return "?";
	case ENG_UNGRADABLE: *s = TUI_S_WARN; return "-";
	default: *s = TUI_S_DIM; return "○";
	}
}

static void labelled(struct pen *p, const char *label, enum tui_style s, const char *text)
{
	const char *l = tui_app_tr(p->a, label);
	int w = rs_utf8_width(l, strlen(l));
	put(p, 2, TUI_S_DIM, l);
	para(p, 3 + w, s, text);
}

static void check(struct pen *p, const struct eng_check_result *r, int index)
{
	struct tui_app *a = p->a;
	enum tui_style s;
	char t[64];
	int from = p->y;
	const char *glyph = verdict_glyph(r->verdict, &s);
	put(p, 0, s, glyph);
	int room = p->in.w;
	if (r->check->points) {
		snprintf(t, sizeof(t), "%u/%u", r->points, r->check->points);
		if (!p->measure)
			tui_put_right(p->in, p->in.w, p->y, r->points ? TUI_S_OK : TUI_S_DIM, t);
		room -= 5;
	}
	struct pen q = *p;
	q.in.w = room;
	if (r->check->why && eng_text(r->check->why, a->lang)[0])
		rich(&q, 2, eng_text(r->check->why, a->lang));
	else
		para(&q, 2, TUI_S_TEXT, r->check->id);
	p->y = q.y;
	mark(p, from, TUI_HIT_CHECK, index, index == a->ls.check);
	if (r->verdict == ENG_FAIL) {
		labelled(p, N_("wanted"), TUI_S_CODE, r->wanted.len ? r->wanted.p : r->check->source);
		if (r->found.len && !r->why.code)
			labelled(p, N_("found"), TUI_S_FAIL, r->found.p);
	}
	if (r->why.code && r->verdict != ENG_PASS)
		para(p, 2, TUI_S_WARN, r->why.text[a->lang]);
	for (unsigned i = 0; i < r->hints_shown && i < r->check->hints; i++) {
		put(p, 2, TUI_S_WARN, "▸");
		rich(p, 4, eng_text(&r->check->hint[i], a->lang));
	}
	if (index == a->ls.check && a->ls.focus == TUI_FOCUS_TASK && r->note.len &&
	    r->verdict != ENG_PASS) { /* the events that decided it, for the selected check */
		int rows = p->y + (a->ls.zoom ? 1000 : 4);
		for (const char *s0 = r->note.p; *s0; s0 += strcspn(s0, "\n"), s0 += *s0 == '\n') {
			int in = (int)strspn(s0, " ");
			if (p->y >= rows) {
				para(p, 2, TUI_S_FAINT, tui_app_tr(a, N_("… (z shows all)")));
				break;
			}
			rs_auto_str line = RS_STR_INIT;
			rs_str_addn(&line, s0 + in, strcspn(s0 + in, "\n"));
			para(p, 2 + in, TUI_S_FAINT, line.p);
		}
	}
}

static void content(struct pen *p)
{
	struct tui_app *a = p->a;
	const struct eng_step *s = tui_step(a);
	unsigned step = eng_session_step(a->ls.session), n;
	const struct eng_check_result *r = eng_session_results(a->ls.session, step, &n);
	if (s->predict)
		prediction(p, s->predict, eng_session_prediction(a->ls.session, step));
	if (s->task && s->task->edit && a->screen == TUI_IN_LESSON) {
		char t[160];
		snprintf(t, sizeof(t), tui_app_tr(a, N_("Change %s: e opens it, r runs it.")), s->task->edit);
		if (s->predict)
			p->y++;
		para(p, 0, TUI_S_ACCENT, t);
	}
	for (unsigned i = 0; i < n; i++) {
		int from = p->y;
		check(p, &r[i], (int)i);
		if ((int)i == a->ls.check) {
			p->check_from = from;
			p->check_to = p->y;
		}
	}
}

int tui_task_wanted(struct tui_app *a, int width)
{
	struct pen p = { .a = a, .in = { .w = width, .h = 1000 }, .measure = true };
	content(&p);
	return p.y;
}

/* "checks 1 of 3" or "question". */
static void task_title(struct tui_app *a, char *buf, size_t size)
{
	unsigned n, passed = 0;
	const struct eng_step *s = tui_step(a);
	const struct eng_check_result *r =
		eng_session_results(a->ls.session, eng_session_step(a->ls.session), &n);
	for (unsigned i = 0; i < n; i++)
		passed += r[i].verdict == ENG_PASS;
	if (n)
		snprintf(buf, size, tui_app_tr(a, N_("checks: %u of %u passed")), passed, n);
	else
		snprintf(buf, size, "%s", tui_app_tr(a, s->predict ? N_("what do you expect?") : N_("task")));
}

void tui_draw_task(struct tui_app *a, struct tui_area frame)
{
	struct tui_lesson *ls = &a->ls;
	bool focus = ls->focus == TUI_FOCUS_TASK;
	char title[96];
	task_title(a, title, sizeof(title));
	struct tui_area in = tui_draw_panel(frame, title, focus);
	tui_hit_add(a, frame, TUI_HIT_FOCUS, TUI_FOCUS_TASK);
	struct pen m = { .a = a, .in = { .w = in.w, .h = 1000 }, .measure = true };
	content(&m);
	ls->task_rows = m.y;
	ls->task_page = in.h;
	if (ls->show_check) {
		if (m.check_to > ls->task_top + in.h)
			ls->task_top = m.check_to - in.h;
		if (m.check_from < ls->task_top) /* its beginning matters most */
			ls->task_top = m.check_from;
		ls->show_check = false;
	}
	if (ls->task_top > ls->task_rows - in.h)
		ls->task_top = ls->task_rows - in.h;
	if (ls->task_top < 0)
		ls->task_top = 0;
	struct pen p = { .a = a, .in = in, .y = -ls->task_top };
	content(&p);
	tui_draw_thumb(frame, ls->task_rows, in.h, ls->task_top, focus);
}
