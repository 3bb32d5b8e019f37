#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "tui/app.h"

const char *tui_app_tr(const struct tui_app *a, const char *en)
{
	return rs_tr(a->lang, en);
}

/* ---- notices ---- */

void tui_app_fail(struct tui_app *a, const struct rs_err *err)
{
	a->notice = *err;
	a->have_notice = true;
	a->notice_until = a->now + TUI_NOTICE_MS * 1000000ull;
	a->dirty = true;
}

void tui_app_say(struct tui_app *a, int code, const char *fmt, ...)
{
	struct rs_err e = RS_ERR_INIT;
	va_list ap;
	for (int lang = 0; lang < RS_LANGS; lang++) {
		rs_auto_str s = RS_STR_INIT;
		va_start(ap, fmt);
		rs_str_vaddf(&s, rs_tr((enum rs_lang)lang, fmt), ap);
		va_end(ap);
		strncpy(e.text[lang], s.p, sizeof(e.text[lang]) - 1);
	}
	e.code = code;
	tui_app_fail(a, &e);
}

/* ---- making and freeing ---- */

static struct tui_app *app_new(enum rs_lang lang, bool ascii)
{
	struct tui_app *a = rs_xcalloc(1, sizeof(*a));
	a->lang = ascii ? RS_LANG_EN : lang;
	a->ascii = ascii;
	a->w = 80;
	a->h = 24;
	a->dirty = true;
	a->screen = TUI_IN_LIST;
	a->list.filter = a->input = a->probe_in = (struct rs_str)RS_STR_INIT;
	a->probe_fd = -1;
	a->list.sel = -1;
	a->ls.extra = -1;
	return a;
}

static void on_bad_lesson(void *arg, const struct rs_err *e)
{
	struct tui_app *a = arg;
	if (!a->bads++)
		a->bad = *e;
}

static const char *const track_names[] = {
#define ENG_TRACK(id, title) #id,
#include "engine/tracks.def"
};
#define TRACKS (int)(sizeof(track_names) / sizeof(track_names[0]))

static int track_of(const struct eng_lesson *l)
{
	for (int i = 0; i < TRACKS; i++)
		if (!strcmp(track_names[i], l->track))
			return i;
	return 0;
}

static void list_fill(struct tui_app *a)
{
	struct tui_list *l = &a->list;
	l->all = rs_xcalloc(a->catalog.n + 1, sizeof(*l->all));
	l->row = rs_xcalloc(a->catalog.n + (size_t)TRACKS + 1, sizeof(*l->row));
	for (int t = 0; t < TRACKS; t++)
		for (unsigned i = 0; i < a->catalog.n; i++)
			if (track_of(a->catalog.v[i]) == t)
				l->all[l->alls++] = (struct tui_entry){ .lesson = a->catalog.v[i],
									.track = t };
	tui_list_build(a);
}

/* The lesson that was worked on last, else the first that is not done. */
static const struct eng_lesson *last_lesson(const struct tui_app *a)
{
	const struct eng_lesson *best = NULL;
	int64_t when = 0;
	for (int i = 0; i < a->list.alls; i++) {
		const struct eng_progress_entry *p =
			eng_progress_find(&a->progress, a->list.all[i].lesson->id);
		if (p && p->when > when)
			when = p->when, best = a->list.all[i].lesson;
	}
	for (int i = 0; i < a->list.alls && !best; i++)
		if (!a->list.all[i].lesson->prerequisites.n)
			best = a->list.all[i].lesson;
	return best;
}

struct tui_app *tui_app_new(enum rs_lang lang, bool ascii, const char *lesson, struct rs_err *err)
{
	rs_auto_free char *dir = eng_labs_dir(err);
	if (!dir)
		return NULL;
	struct tui_app *a = app_new(lang, ascii);
	struct rs_err e = RS_ERR_INIT;
	if (eng_catalog_load(&a->catalog, dir, on_bad_lesson, a, err) < 0) {
		tui_app_free(a);
		return NULL;
	}
	a->have_catalog = true;
	if (!a->catalog.n) {
		if (a->bads)
			*err = a->bad;
		else
			rs_err_set(err, -ENOENT, N_("there is no lesson in %s"), dir);
		tui_app_free(a);
		return NULL;
	}
	if (eng_progress_load(&a->progress, &e) < 0)
		tui_app_fail(a, &e);
	list_fill(a);
	const struct eng_lesson *l = last_lesson(a);
	if (lesson) {
		l = eng_catalog_find(&a->catalog, lesson, err);
		if (!l) {
			tui_app_free(a);
			return NULL;
		}
	}
	if (l)
		tui_list_select(a, l);
	if (lesson)
		tui_app_open(a, l);
	return a;
}

static void session_take(struct tui_app *a, struct eng_session *s)
{
	struct tui_lesson *ls = &a->ls;
	ls->session = s;
	ls->lesson = eng_session_lesson(s);
	ls->model = tui_model_new();
	rs_bus_attach(eng_session_bus(s), &ls->model->sink);
	ls->focus = TUI_FOCUS_TEXT;
	ls->extra = -1;
	ls->seen_step = ~0u;
	ls->seen_phase = ENG_IDLE;
	a->screen = eng_session_is_replay(s) ? TUI_IN_REPLAY : TUI_IN_LESSON;
	a->dirty = true;
	tui_app_sync(a);
}

struct tui_app *tui_app_session(enum rs_lang lang, bool ascii, struct eng_session *s)
{
	struct tui_app *a = app_new(lang, ascii);
	session_take(a, s);
	return a;
}

struct tui_app *tui_app_replay(enum rs_lang lang, bool ascii, const char *path, double speed,
			       struct rs_err *err)
{
	struct eng_session *s = eng_session_replay(path, speed, err);
	if (!s)
		return NULL;
	struct tui_app *a = tui_app_session(lang, ascii, s);
	a->ls.recording = rs_xstrdup(path);
	a->ls.speed = speed;
	const struct rs_err *note = eng_session_record_error(s);
	if (note)
		tui_app_fail(a, note);
	return a;
}

void tui_app_free(struct tui_app *a)
{
	if (!a)
		return;
	tui_probe_stop(a);
	tui_app_close_lesson(a);
	free(a->list.all);
	free(a->list.row);
	rs_str_release(&a->list.filter);
	rs_str_release(&a->input);
	eng_progress_release(&a->progress);
	if (a->have_catalog)
		eng_catalog_release(&a->catalog);
	free(a->edit_path);
	free(a);
}

/* ---- lessons ---- */

static void progress_save(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	struct rs_err err = RS_ERR_INIT;
	unsigned points = 0;
	if (a->screen != TUI_IN_LESSON || !a->have_catalog)
		return;
	for (unsigned i = 0; i < ls->lesson->steps; i++) {
		unsigned n;
		const struct eng_check_result *r = eng_session_results(ls->session, i, &n);
		for (unsigned k = 0; k < n; k++)
			points += r[k].points;
	}
	eng_progress_note(&a->progress, ls->lesson, eng_session_step(ls->session), points);
	if (eng_progress_save(&a->progress, &err) < 0)
		tui_app_fail(a, &err);
}

int tui_app_open(struct tui_app *a, const struct eng_lesson *l)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *dir = eng_workspace_path(l, &err);
	if (!dir || eng_workspace_prepare(l, dir, false, &err) < 0) {
		tui_app_fail(a, &err);
		return err.code;
	}
	struct eng_session_opts o = { .lesson = l, .workspace = dir, .full = RS_FULL_DROP };
	struct eng_session *s = eng_session_new(&o, &err);
	if (!s) {
		tui_app_fail(a, &err);
		return err.code;
	}
	tui_app_close_lesson(a);
	session_take(a, s);
	const struct eng_progress_entry *p = eng_progress_find(&a->progress, l->id);
	if (p && p->step < l->steps && !p->done)
		tui_app_goto(a, p->step);
	return 0;
}

void tui_app_close_lesson(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	if (ls->session) {
		rs_bus_detach(eng_session_bus(ls->session), &ls->model->sink);
		eng_session_free(ls->session);
	}
	tui_model_free(ls->model);
	free(ls->recording);
	memset(ls, 0, sizeof(*ls));
	ls->extra = -1;
	a->screen = TUI_IN_LIST;
	a->prompt = TUI_PROMPT_NONE;
	a->dirty = true;
}

const struct eng_step *tui_step(const struct tui_app *a)
{
	return a->ls.session ? &a->ls.lesson->step[eng_session_step(a->ls.session)] : NULL;
}

bool tui_has_task(const struct tui_app *a)
{
	const struct eng_step *s = tui_step(a);
	return s && (s->predict || s->checks || s->task);
}

char *tui_step_file(const struct tui_app *a)
{
	const struct eng_step *s = tui_step(a);
	if (!s || a->screen != TUI_IN_LESSON)
		return NULL;
	const char *name = s->task && s->task->edit ? s->task->edit : eng_run_source(s->run);
	if (!name || !*name)
		return NULL;
	return rs_xasprintf("%s/%s", eng_session_workspace(a->ls.session), name);
}

static void views_of_step(struct tui_lesson *ls, const struct eng_step *s)
{
	ls->views = 0;
	for (unsigned i = 0; i < s->views && ls->views < ENG_VIEW_COUNT; i++) {
		ls->view[ls->views++] = s->view[i];
		if ((int)s->view[i] == ls->extra)
			ls->extra = -1;
	}
	if (ls->extra >= 0)
		ls->view[ls->views++] = (enum eng_view)ls->extra;
	if (ls->focus >= ls->views)
		ls->focus = TUI_FOCUS_TEXT;
	if (ls->focus == TUI_FOCUS_TASK && !(s->predict || s->checks || s->task))
		ls->focus = TUI_FOCUS_TEXT;
}

/* A build that failed and a guest that ended badly explain themselves in the output pane. */
static void show_output(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	for (int i = 0; i < ls->views; i++)
		if (ls->view[i] == ENG_VIEW_output) {
			ls->focus = i;
			return;
		}
	ls->extra = ENG_VIEW_output;
	views_of_step(ls, tui_step(a));
	ls->focus = ls->views - 1;
}

/* One sentence on how the checks of this step came out. */
static void say_verdict(struct tui_app *a)
{
	unsigned n, passed = 0, open = 0, step = eng_session_step(a->ls.session);
	const struct eng_check_result *r = eng_session_results(a->ls.session, step, &n);
	for (unsigned i = 0; i < n; i++) {
		passed += r[i].verdict == ENG_PASS;
		open += r[i].verdict == ENG_INCONCLUSIVE || r[i].verdict == ENG_UNGRADABLE;
	}
	if (!n)
		return;
	for (unsigned i = n; i-- > 0;)
		if (r[i].verdict != ENG_PASS)
			a->ls.check = (int)i; /* the first that did not pass */
	a->ls.show_check = true;
	if (passed == n && step + 1 < a->ls.lesson->steps)
		tui_app_say(a, 0, N_("All checks passed. n goes on to the next step."));
	else if (passed == n)
		tui_app_say(a, 0, N_("All checks passed. That was the last step."));
	else if (open)
		tui_app_say(a, -EAGAIN, N_("This run could not be judged; run it again."));
	else
		tui_app_say(a, 0, N_("%u of %u checks passed. The panel says what was found; h gives a hint."),
			    passed, n);
}

static void phase_changed(struct tui_app *a, enum eng_phase p)
{
	struct tui_lesson *ls = &a->ls;
	if (p == ENG_ENDED) {
		say_verdict(a);
		progress_save(a);
	}
	if (p == ENG_FAILED) {
		const struct rs_err *e = eng_session_error(ls->session);
		if (e->code)
			tui_app_fail(a, e);
		if (ls->model->text[RS_STREAM_BUILD].len || ls->model->text[RS_STREAM_REPORT].len)
			show_output(a);
	}
	if (p == ENG_ENDED && ls->model->text[RS_STREAM_REPORT].len)
		show_output(a);
	ls->seen_phase = p;
	a->dirty = true;
}

void tui_app_sync(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	unsigned step = eng_session_step(ls->session);
	if (step != ls->seen_step) {
		ls->seen_step = step;
		/* in a replay a whole step may go by between two looks: its end is news all the same */
		ls->seen_phase = eng_session_is_replay(ls->session) ? ENG_IDLE :
								      eng_session_phase(ls->session);
		ls->text_top = ls->task_top = 0;
		ls->check = ls->choice = 0;
		ls->count = 0;
		ls->warned = false;
		ls->extra = -1;
		ls->have_mem = ls->have_block = false;
		ls->mem_addr = eng_run_memory_view(tui_step(a)->run);
		ls->mem_virtual = false;
		memset(ls->pane, 0, sizeof(ls->pane));
		a->dirty = true;
	}
	views_of_step(ls, tui_step(a));
	enum eng_phase p = eng_session_phase(ls->session);
	if (p != ls->seen_phase)
		phase_changed(a, p);
}

/* What this step's last run left, as if it had just happened. */
static void model_refill(struct tui_app *a)
{
	struct tui_model *m = a->ls.model;
	const struct eng_evidence *e =
		eng_session_evidence(a->ls.session, eng_session_step(a->ls.session));
	tui_model_reset(m);
	for (size_t i = 0; e && i < e->events; i++)
		m->sink.event(&m->sink, &e->event[i]);
	if (e && e->ran)
		m->sink.counters(&m->sink, &e->counters, m->last_time);
}

void tui_app_goto(struct tui_app *a, unsigned step)
{
	struct rs_err err = RS_ERR_INIT;
	if (eng_session_goto(a->ls.session, step, &err) < 0) {
		tui_app_fail(a, &err);
		return;
	}
	model_refill(a);
	tui_app_sync(a);
	progress_save(a);
}

/* ---- time ---- */

/* The memory pane is looked at again whenever the guest stands still. */
static void look_at_memory(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	bool shown = false;
	for (int i = 0; i < ls->views; i++)
		shown |= ls->view[i] == ENG_VIEW_memory;
	if (!shown || a->screen != TUI_IN_LESSON)
		return;
	if (ls->model->state != TUI_RUN_PAUSED) {
		ls->have_mem = false;
		return;
	}
	if (ls->have_mem)
		return;
	ls->have_mem = true;
	const struct tui_translator *t = &ls->model->tr;
	for (unsigned i = 0; !ls->mem_addr && t->have_regs && i < t->regs.n; i++)
		if (!strcmp(t->reg[i].name, "sp")) /* no place was chosen: the program's stack */
			ls->mem_addr = t->reg[i].v[0];
	eng_session_inspect(ls->session, RS_BLOCK_MEMORY, ls->mem_addr, 1024, ls->mem_virtual);
}

/* The block that the student picked is asked for once in every run. */
static void look_at_block(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	const struct tui_pane_state *st = &ls->pane[ENG_VIEW_stages];
	bool runs = ls->model->state == TUI_RUN_GOING || ls->model->state == TUI_RUN_PAUSED;
	if (a->screen == TUI_IN_LESSON && st->picked && runs && !ls->have_block)
		ls->have_block = eng_session_inspect(ls->session, RS_BLOCK_EMU_STAGE, st->key, 0, false) == 0;
}

void tui_app_pump(struct tui_app *a)
{
	if (a->have_notice && a->now >= a->notice_until) {
		a->have_notice = false;
		a->dirty = true;
	}
	if (!a->ls.session)
		return;
	uint64_t rev = a->ls.model->rev;
	if (eng_session_pump(a->ls.session) || rev != a->ls.model->rev)
		a->dirty = true;
	tui_app_sync(a);
	look_at_memory(a);
	look_at_block(a);
}

int tui_app_timeout(const struct tui_app *a)
{
	int ms = -1;
	if (a->have_notice)
		ms = a->notice_until > a->now ? (int)((a->notice_until - a->now) / 1000000) + 1 : 0;
	if (a->ls.model && !a->ls.held &&
	    (a->ls.model->state == TUI_RUN_GOING || a->ls.model->state == TUI_RUN_BUILDING) &&
	    (ms < 0 || ms > 100))
		ms = 100;
	return ms;
}

void tui_app_edited(struct tui_app *a, bool changed, int status)
{
	if (status)
		tui_app_say(a, -EIO, N_("The editor ended with status %d. Set $EDITOR to the one you like."),
			    status);
	else if (changed)
		tui_app_say(a, 0, N_("Saved. Press r to run it."));
	else
		tui_app_say(a, 0, N_("The file is as it was."));
}
