/* The lesson list: tracks with their lessons, progress, and what the selected one is about. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tui/app.h"
#include "tui/text.h"

static const char *const track_titles[] = {
#define ENG_TRACK(id, title) title,
#include "engine/tracks.def"
};

/* ---- rows ---- */

static bool contains(const char *text, const char *word)
{
	return text && strcasestr(text, word);
}

static bool matches(const struct eng_lesson *l, const char *word)
{
	char number[16];
	snprintf(number, sizeof(number), "%d", l->number);
	if (!*word || strstr(number, word) || contains(l->id, word))
		return true;
	for (int lang = 0; lang < RS_LANGS; lang++)
		if (contains(l->title.s[lang], word) || contains(l->summary.s[lang], word))
			return true;
	for (unsigned i = 0; i < l->concepts.n; i++)
		if (contains(l->concepts.v[i], word))
			return true;
	return false;
}

const struct tui_entry *tui_list_selected(const struct tui_app *a)
{
	const struct tui_list *l = &a->list;
	return l->sel >= 0 && l->sel < l->rows && l->row[l->sel] >= 0 ? &l->all[l->row[l->sel]] : NULL;
}

void tui_list_build(struct tui_app *a)
{
	struct tui_list *l = &a->list;
	const struct tui_entry *was = tui_list_selected(a);
	int track = -1;
	l->rows = 0;
	l->sel = -1;
	for (int i = 0; i < l->alls; i++) {
		const struct tui_entry *e = &l->all[i];
		if (!matches(e->lesson, l->filter.p))
			continue;
		if (e->track != track)
			l->row[l->rows++] = -1 - (track = e->track);
		if (l->sel < 0 || e == was)
			l->sel = l->rows;
		l->row[l->rows++] = i;
	}
	a->dirty = true;
}

void tui_list_select(struct tui_app *a, const struct eng_lesson *lesson)
{
	struct tui_list *l = &a->list;
	for (int i = 0; i < l->rows; i++)
		if (l->row[i] >= 0 && l->all[l->row[i]].lesson == lesson)
			l->sel = i;
}

/* ---- drawing ---- */

static void track_progress(const struct tui_app *a, int track, unsigned *done, unsigned *of)
{
	*done = *of = 0;
	for (int i = 0; i < a->list.alls; i++) {
		if (a->list.all[i].track != track)
			continue;
		const struct eng_progress_entry *p =
			eng_progress_find(&a->progress, a->list.all[i].lesson->id);
		*of += 1;
		*done += p && p->done;
	}
}

static void draw_heading(struct tui_app *a, struct tui_area row, int track)
{
	unsigned done, of;
	char text[64];
	track_progress(a, track, &done, &of);
	snprintf(text, sizeof(text), tui_app_tr(a, N_("%u of %u done")), done, of);
	int end = tui_put_right(row, row.w - 1, 0, TUI_S_DIM, text);
	int x = 1 + tui_put_max(row, 1, 0, end - 3, TUI_S_ACCENT, tui_app_tr(a, track_titles[track])) + 1;
	tui_hline(row, x, 0, end - 1 - x, TUI_S_BORDER, "─");
}

/* A thin bar of `w` cells. */
static void draw_bar(struct tui_area row, int x, int w, unsigned part, unsigned whole, enum tui_style s)
{
	int full = whole ? (int)((uint64_t)part * (unsigned)w / whole) : 0;
	if (part && !full)
		full = 1;
	tui_hline(row, x, 0, full, s, "━");
	tui_hline(row, x + full, 0, w - full, TUI_S_BORDER, "─");
}

static void draw_row(struct tui_app *a, struct tui_area row, const struct tui_entry *e, bool sel)
{
	const struct eng_lesson *l = e->lesson;
	const struct eng_progress_entry *p = eng_progress_find(&a->progress, l->id);
	bool no = e->runnable == TUI_RUN_NO, done = p && p->done;
	char text[64];
	int x = 2;
	if (done)
		tui_put(row, x, 0, TUI_S_OK, "✓");
	else if (p)
		tui_put(row, x, 0, TUI_S_WARN, "●");
	x += 2;
	if (l->number)
		tui_putf(row, x, 0, sel ? TUI_S_ACCENT : TUI_S_DIM, "%d", l->number);
	x += 5;
	int end = row.w - 1;
	snprintf(text, sizeof(text), tui_app_tr(a, N_("%u min")), l->minutes);
	tui_put_right(row, end, 0, TUI_S_DIM, text);
	end -= 9;
	bool bar = row.w >= 76;
	if (no && !p) { /* instead of points that cannot be earned here */
		const char *mark = tui_app_tr(a, N_("not here"));
		tui_put_right(row, end, 0, TUI_S_WARN, mark);
		end -= 10;
	} else if (l->points) { /* points, and how far they go */
		unsigned got = p ? p->points : 0;
		snprintf(text, sizeof(text), "%u/%u", got, l->points);
		tui_put_right(row, end, 0, got ? TUI_S_TEXT : TUI_S_FAINT, text);
		if (bar)
			draw_bar(row, end - 14, 8, got, l->points, done ? TUI_S_OK : TUI_S_WARN);
		end -= bar ? 16 : 6;
	}
	tui_put_max(row, x, 0, end - x - 1, no ? TUI_S_DIM : sel ? TUI_S_STRONG : TUI_S_TEXT,
		    eng_text(&l->title, a->lang));
	if (sel)
		tui_back_area(row, TUI_B_SELECT);
}

static void draw_rows(struct tui_app *a, struct tui_area in)
{
	struct tui_list *l = &a->list;
	l->page = in.h;
	if (l->sel < l->top + 1) /* the heading above a lesson stays in sight */
		l->top = l->sel - 1;
	if (l->sel >= l->top + in.h)
		l->top = l->sel - in.h + 1;
	if (l->top > l->rows - in.h)
		l->top = l->rows - in.h;
	if (l->top < 0)
		l->top = 0;
	if (!l->rows) {
		tui_put(in, 2, 1, TUI_S_DIM, tui_app_tr(a, N_("No lesson matches.")));
		return;
	}
	/* room permitting, a blank row before each heading */
	int headings = 0, y = 0;
	for (int i = 0; i < l->rows; i++)
		headings += l->row[i] < 0;
	bool airy = l->rows + headings <= in.h;
	for (int i = l->top; i < l->rows && y < in.h; i++, y++) {
		if (airy && l->row[i] < 0 && i)
			y++;
		struct tui_area row = tui_area_sub(in, 0, y, in.w, 1);
		if (l->row[i] < 0) {
			draw_heading(a, row, -1 - l->row[i]);
		} else {
			draw_row(a, row, &l->all[l->row[i]], i == l->sel);
			tui_hit_add(a, row, TUI_HIT_LESSON, i);
		}
	}
}

static int draw_field(const struct tui_app *a, struct tui_area in, int y, const char *name,
		      const char *value, enum tui_style s)
{
	int x = tui_put(in, 0, y, TUI_S_DIM, tui_app_tr(a, name)) + 1;
	int most = in.h > 9 ? 10 : 3;
	return y + tui_put_wrapped(in, x, y, in.w - x, in.h - y < most ? in.h - y : most, s, value);
}

static void join(const struct eng_strings *v, struct rs_str *out)
{
	for (unsigned i = 0; i < v->n; i++)
		rs_str_addf(out, "%s%s", i ? ", " : "", v->v[i]);
}

/* Names a lesson's prerequisites by number where they are known. */
static void prerequisites(const struct tui_app *a, const struct eng_lesson *l, struct rs_str *out)
{
	for (unsigned i = 0; i < l->prerequisites.n; i++) {
		const char *id = l->prerequisites.v[i], *name = id;
		int number = 0;
		for (int k = 0; k < a->list.alls; k++)
			if (!strcmp(a->list.all[k].lesson->id, id)) {
				name = eng_text(&a->list.all[k].lesson->title, a->lang);
				number = a->list.all[k].lesson->number;
			}
		rs_str_add(out, i ? ", " : "");
		if (number)
			rs_str_addf(out, "%d ", number);
		rs_str_add(out, name);
	}
}

static void draw_detail(struct tui_app *a, struct tui_area in)
{
	const struct tui_entry *e = tui_list_selected(a);
	if (!e)
		return;
	const struct eng_lesson *l = e->lesson;
	const struct eng_progress_entry *p = eng_progress_find(&a->progress, l->id);
	bool tall = in.h > 9;
	int y = 0;
	if (tall)
		y += tui_put_wrapped(in, 0, y, in.w, 2, TUI_S_STRONG, eng_text(&l->title, a->lang)) + 1;
	y += tui_put_wrapped(in, 0, y, in.w, tall ? 8 : 2, TUI_S_TEXT, eng_text(&l->summary, a->lang));
	y += tall;
	if (e->runnable == TUI_RUN_NO)
		y = draw_field(a, in, y, N_("not here:"), e->why.text[a->lang], TUI_S_WARN);
	else if (e->runnable == TUI_RUN_YES && tall)
		y = draw_field(a, in, y, N_("this machine:"), tui_app_tr(a, N_("can run it")), TUI_S_OK);
	rs_auto_str s = RS_STR_INIT;
	if (p) {
		rs_str_addf(&s, tui_app_tr(a, N_("%u of %u points, step %u of %u")), p->points,
			    l->points, p->step + 1, l->steps);
		y = draw_field(a, in, y, N_("so far:"), s.p, p->done ? TUI_S_OK : TUI_S_WARN);
		rs_str_clear(&s);
	}
	if (l->prerequisites.n) {
		prerequisites(a, l, &s);
		y = draw_field(a, in, y, N_("first:"), s.p, TUI_S_TEXT);
		rs_str_clear(&s);
	}
	if (l->concepts.n) {
		join(&l->concepts, &s);
		y = draw_field(a, in, y, N_("about:"), s.p, TUI_S_DIM);
		rs_str_clear(&s);
	}
	if (a->bads && y < in.h) {
		char t[700];
		rs_err_format(&a->bad, a->lang, t, sizeof(t));
		rs_str_addf(&s, tui_app_tr(a, N_("%u lessons cannot be loaded. The first: %s")), a->bads, t);
		tui_put_wrapped(in, 0, y + tall, in.w, in.h - y - tall, TUI_S_FAIL, s.p);
	}
}

void tui_draw_list(struct tui_app *a, struct tui_area body)
{
	struct tui_area left = body, right;
	if (body.w >= 100) {
		int w = body.w * 58 / 100 > 96 ? 96 : body.w * 58 / 100;
		left = tui_area_sub(body, 0, 0, w, body.h);
		right = tui_area_sub(body, w, 0, body.w - w, body.h);
	} else {
		int h = body.h >= 22 ? 9 : 7;
		left = tui_area_sub(body, 0, 0, body.w, body.h - h);
		right = tui_area_sub(body, 0, body.h - h, body.w, h);
	}
	rs_auto_str title = RS_STR_INIT;
	rs_str_add(&title, tui_app_tr(a, N_("Lessons")));
	if (a->list.filter.len)
		rs_str_addf(&title, "  /%s", a->list.filter.p);
	struct tui_area in = tui_draw_panel(left, title.p, true);
	in.x -= 1; /* rows reach the frame, so that the selection is a whole bar */
	in.w += 2;
	draw_rows(a, in);
	tui_draw_thumb(left, a->list.rows, a->list.page, a->list.top, true);
	const struct tui_entry *e = tui_list_selected(a);
	char number[32] = "";
	if (e)
		snprintf(number, sizeof(number), "%d", e->lesson->number);
	draw_detail(a, tui_draw_panel(right, number, false));
}
