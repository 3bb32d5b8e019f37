/* What each action does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "tui/app.h"

static bool question_waits(const struct tui_app *a)
{
	const struct eng_step *s = tui_step(a);
	const struct eng_prediction *p =
		s ? eng_session_prediction(a->ls.session, eng_session_step(a->ls.session)) : NULL;
	return s && s->predict && p && !p->made;
}

static enum tui_run_state run_state(const struct tui_app *a)
{
	return a->ls.model ? a->ls.model->state : TUI_RUN_NONE;
}

static bool running(const struct tui_app *a)
{
	enum eng_phase p = a->ls.session ? eng_session_phase(a->ls.session) : ENG_IDLE;
	return p == ENG_BUILDING || p == ENG_RUNNING || p == ENG_PAUSED;
}

bool tui_act_enabled(const struct tui_app *a, enum tui_action action)
{
	const struct eng_step *s = tui_step(a);
	switch (action) {
	case TUI_A_RUN:
		return s && s->run;
	case TUI_A_PAUSE:
		return running(a) && eng_session_phase(a->ls.session) != ENG_BUILDING;
	case TUI_A_STEP:
	case TUI_A_RESTART:
		return s && s->run;
	case TUI_A_EDIT: {
		rs_auto_free char *file = tui_step_file(a);
		return file != NULL;
	}
	case TUI_A_HINT:
		return a->screen == TUI_IN_LESSON && tui_hint_check(a) >= 0;
	case TUI_A_OPEN:
		return tui_list_selected(a) != NULL;
	case TUI_A_ANSWER:
		return question_waits(a);
	case TUI_A_RESUME:
		return a->progress.n > 0;
	case TUI_A_NEXT_STEP:
		return a->screen == TUI_IN_LESSON && eng_session_step(a->ls.session) + 1 < a->ls.lesson->steps;
	case TUI_A_PREV_STEP:
		return a->screen == TUI_IN_LESSON && eng_session_step(a->ls.session) > 0;
	case TUI_A_ADDRESS:
		for (int i = 0; i < a->ls.views; i++)
			if (a->ls.view[i] == ENG_VIEW_memory)
				return true;
		return false;
	case TUI_A_LANGUAGE:
		return !a->ascii;
	default:
		return true;
	}
}

static unsigned pane_states(const struct tui_app *a, int view)
{
	const struct tui_lesson *ls = &a->ls;
	enum eng_view v = ls->view[view];
	const struct tui_pane p = { .m = ls->model, .lang = a->lang, .st = (struct tui_pane_state *)&ls->pane[v] };
	unsigned s = 0;
	if (tui_panes[v]->sides && tui_panes[v]->sides(&p, ls->pane[v].width) > 1)
		s |= TUI_IN_SIDES;
	if (v == ENG_VIEW_blocks && ls->model->tr.have_blocks)
		s |= TUI_IN_BLOCKS;
	if (v == ENG_VIEW_stages && ls->pane[v].picked)
		s |= TUI_IN_PICKED;
	if (v == ENG_VIEW_stages && tui_stages_passes(&p))
		s |= TUI_IN_PASSES;
	return s;
}

unsigned tui_act_screens(const struct tui_app *a, bool all)
{
	const struct eng_step *step = tui_step(a);
	unsigned s = a->screen;
	if (a->screen == TUI_IN_LESSON && step && step->run && !strcmp(eng_run_kind(step->run), "emu"))
		s |= TUI_IN_TRANSLATED;
	for (int i = 0; a->screen != TUI_IN_LIST && i < a->ls.views; i++)
		if (all || i == a->ls.focus)
			s |= pane_states(a, i);
	return s;
}

enum tui_action tui_act_of_key(const struct tui_app *a, int key)
{
	enum tui_action act = tui_action_of_key(key, tui_act_screens(a, false) & ~a->screen);
	return act != TUI_ACTIONS ? act : tui_action_of_key(key, a->screen);
}

const char *tui_act_name(const struct tui_app *a, enum tui_action action)
{
	switch (action) {
	case TUI_A_PAUSE:
		return run_state(a) == TUI_RUN_PAUSED ? N_("go on") : N_("pause");
	case TUI_A_PLAY:
		return a->ls.held ? N_("go on") : N_("pause");
	case TUI_A_RUN:
		return running(a) || run_state(a) == TUI_RUN_OVER ? N_("run again") : N_("run");
	case TUI_A_RESTART:
		return running(a) ? N_("stop") : N_("start paused");
	case TUI_A_ZOOM:
		return a->ls.zoom ? N_("unzoom") : N_("zoom");
	case TUI_A_QUIT:
		return a->screen == TUI_IN_LIST || (a->screen == TUI_IN_REPLAY && !a->have_catalog) ?
			       N_("quit") : N_("back");
	case TUI_A_LANGUAGE:
		return a->lang == RS_LANG_EN ? "中文" : "English";
	default:
		return tui_action_infos[action].name;
	}
}

static void run(struct tui_app *a, bool paused)
{
	struct rs_err err = RS_ERR_INIT;
	struct tui_lesson *ls = &a->ls;
	if (question_waits(a) && !ls->warned) {
		ls->warned = true;
		ls->focus = TUI_FOCUS_TASK;
		tui_app_say(a, 0, N_("First the question: what do you expect? (Press the key again to run without an answer.)"));
		return;
	}
	tui_model_reset(ls->model);
	ls->have_mem = ls->have_block = false;
	if (eng_session_run(ls->session, paused, &err) < 0)
		tui_app_fail(a, &err);
	/* a run that could not even begin is over by now */
	ls->seen_phase = ENG_IDLE;
	tui_app_sync(a);
}

static void order_failed(struct tui_app *a, int rc)
{
	if (rc == -ESRCH)
		tui_app_say(a, 0, N_("No guest runs now; r starts one."));
	else if (rc == -EAGAIN)
		tui_app_say(a, rc, N_("The guest does not take orders right now."));
}

static void single_step(struct tui_app *a, bool blocks)
{
	unsigned n = a->ls.count ? a->ls.count : 1;
	a->ls.count = 0;
	if (!running(a))
		run(a, true);
	else if (run_state(a) == TUI_RUN_PAUSED)
		order_failed(a, blocks ? eng_session_step_blocks(a->ls.session, n) :
					 eng_session_single_step(a->ls.session, n));
	else
		order_failed(a, eng_session_pause(a->ls.session));
}

static void hint(struct tui_app *a)
{
	unsigned n;
	int i = tui_hint_check(a);
	struct eng_check_result *r = eng_session_results(a->ls.session, eng_session_step(a->ls.session), &n);
	if (i < 0) {
		tui_app_say(a, 0, N_("There is no further hint."));
		return;
	}
	a->ls.check = i;
	a->ls.focus = TUI_FOCUS_TASK;
	a->ls.show_check = true;
	r[i].hints_shown++;
}

int tui_hint_check(const struct tui_app *a)
{
	unsigned n;
	const struct eng_check_result *r;
	if (!a->ls.session)
		return -1;
	r = eng_session_results(a->ls.session, eng_session_step(a->ls.session), &n);
	int sel = a->ls.check;
	if (sel >= 0 && sel < (int)n && r[sel].verdict != ENG_PASS && r[sel].hints_shown < r[sel].check->hints)
		return sel;
	for (unsigned i = 0; i < n; i++)
		if (r[i].verdict != ENG_PASS && r[i].hints_shown < r[i].check->hints)
			return (int)i;
	return -1;
}

void tui_answer(struct tui_app *a, int64_t guess)
{
	struct rs_err err = RS_ERR_INIT;
	if (eng_session_predict(a->ls.session, guess, &err) < 0)
		tui_app_fail(a, &err);
	else if (tui_step(a)->run)
		tui_app_say(a, 0, N_("Noted. Press r and see."));
	a->dirty = true;
}

static void answer(struct tui_app *a)
{
	const struct eng_step *s = tui_step(a);
	if (!s->predict)
		return;
	a->ls.focus = TUI_FOCUS_TASK;
	if (s->predict->choices) {
		tui_answer(a, a->ls.choice);
	} else {
		a->prompt = TUI_PROMPT_GUESS;
		rs_str_clear(&a->input);
	}
}

static void resume_lesson(struct tui_app *a)
{
	int64_t when = -1;
	const struct eng_lesson *l = NULL;
	for (int i = 0; i < a->list.alls; i++) {
		const struct eng_progress_entry *p =
			eng_progress_find(&a->progress, a->list.all[i].lesson->id);
		if (p && p->when > when)
			when = p->when, l = a->list.all[i].lesson;
	}
	if (!l) {
		tui_app_say(a, 0, N_("No lesson was begun yet. Enter opens the selected one."));
		return;
	}
	tui_list_select(a, l);
	tui_app_open(a, l);
}

/* Text, task if there is one, then the views. */
static void pane_next(struct tui_app *a, int dir)
{
	struct tui_lesson *ls = &a->ls;
	int f = ls->focus;
	do {
		f += dir;
		if (f >= ls->views)
			f = TUI_FOCUS_TEXT;
		if (f < TUI_FOCUS_TEXT)
			f = ls->views - 1;
	} while (f == TUI_FOCUS_TASK && !tui_has_task(a));
	ls->focus = f;
}

/* The next view that the lesson did not ask for. */
static void view_next(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	int first = ls->extra >= 0 ? ls->extra + 1 : 0;
	const struct eng_step *s = tui_step(a);
	for (int i = 0; i <= ENG_VIEW_COUNT; i++) {
		int v = (first + i) % (ENG_VIEW_COUNT + 1);
		bool used = v == ENG_VIEW_COUNT; /* one place in the round without an added view */
		used |= !used && !eng_view_fits((enum eng_view)v, s->run);
		for (unsigned k = 0; k < s->views; k++)
			used |= (int)s->view[k] == v;
		if (used)
			continue;
		ls->extra = v;
		tui_app_sync(a);
		ls->focus = ls->views - 1;
		return;
	}
}

/* The stages of the block that is selected in the pane of blocks, in the pane of stages. */
static void pick(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	int at = -1;
	ls->pane[ENG_VIEW_stages] = (struct tui_pane_state){ .picked = true, .key = ls->pane[ENG_VIEW_blocks].key };
	ls->have_block = false; /* tui_app_pump asks for it */
	for (int i = 0; i < ls->views; i++)
		if (ls->view[i] == ENG_VIEW_stages)
			at = i;
	if (at < 0) {
		ls->extra = ENG_VIEW_stages;
		tui_app_sync(a);
		at = ls->views - 1;
	}
	ls->focus = at;
	if (!running(a) && !tui_translator_stages(&ls->model->tr, ls->pane[ENG_VIEW_stages].key, false))
		tui_app_say(a, 0, N_("A block can be looked at while the program runs or stands still: x starts it standing still."));
}

/* The pass whose work is shown: all, the first, ... the last, all. */
static void pass(struct tui_app *a, int by)
{
	struct tui_pane_state *st = &a->ls.pane[ENG_VIEW_stages];
	const struct tui_pane p = { .m = a->ls.model, .lang = a->lang, .st = st };
	int n = tui_stages_passes(&p) + 1;
	st->pass = (st->pass + by + n) % n;
}

static void speed(struct tui_app *a, double factor)
{
	double v = (a->ls.speed > 0 ? a->ls.speed : 1) * factor;
	if (v < 1.0 / 64 || v > 1024)
		return;
	a->ls.speed = v;
	eng_session_replay_speed(a->ls.session, v);
}

static void play_again(struct tui_app *a)
{
	struct rs_err err = RS_ERR_INIT;
	struct tui_lesson *ls = &a->ls;
	if (!ls->recording)
		return;
	struct eng_session *s = eng_session_replay(ls->recording, ls->speed, &err);
	if (!s) {
		tui_app_fail(a, &err);
		return;
	}
	rs_bus_detach(eng_session_bus(ls->session), &ls->model->sink);
	eng_session_free(ls->session);
	ls->session = s;
	ls->lesson = eng_session_lesson(s);
	ls->held = false;
	ls->seen_step = ~0u;
	tui_model_reset(ls->model);
	rs_bus_attach(eng_session_bus(s), &ls->model->sink);
	tui_app_sync(a);
}

static void quit(struct tui_app *a)
{
	if (a->help) {
		a->help = false;
	} else if (a->screen != TUI_IN_LIST && a->ls.zoom) {
		a->ls.zoom = false;
	} else if (a->screen == TUI_IN_LESSON && a->have_catalog) {
		tui_app_close_lesson(a);
	} else if (a->screen == TUI_IN_LIST && a->list.filter.len) {
		rs_str_clear(&a->list.filter);
		tui_list_build(a);
	} else {
		a->want = TUI_WANT_LEAVE;
	}
}

static void language(struct tui_app *a)
{
	if (a->ascii) {
		tui_app_say(a, -EINVAL, N_("This terminal shows ASCII only, so Chinese cannot be shown. A UTF-8 locale (LANG=C.UTF-8) and a graphical terminal can."));
		return;
	}
	a->lang = (enum rs_lang)((a->lang + 1) % RS_LANGS);
}

static void edit(struct tui_app *a)
{
	free(a->edit_path);
	a->edit_path = tui_step_file(a);
	if (!a->edit_path) {
		tui_app_say(a, 0, N_("This step has no file to edit."));
		return;
	}
	if (run_state(a) == TUI_RUN_GOING)
		eng_session_pause(a->ls.session);
	a->want = TUI_WANT_EDIT;
}

void tui_act(struct tui_app *a, enum tui_action action)
{
	struct tui_lesson *ls = &a->ls;
	a->dirty = true;
	if (a->help && action != TUI_A_HELP && action != TUI_A_QUIT && action != TUI_A_LANGUAGE &&
	    action != TUI_A_LEAVE && action != TUI_A_SUSPEND && action != TUI_A_REDRAW) {
		if (action >= TUI_A_UP && action <= TUI_A_LAST)
			tui_move(a, action);
		return;
	}
	switch (action) {
	case TUI_A_RUN:
		if (tui_step(a)->run)
			run(a, false);
		else
			tui_app_say(a, 0, N_("There is nothing to run in this step."));
		break;
	case TUI_A_PAUSE:
		if (run_state(a) == TUI_RUN_PAUSED)
			order_failed(a, eng_session_resume(ls->session));
		else
			order_failed(a, eng_session_pause(ls->session));
		break;
	case TUI_A_STEP:
		if (tui_step(a)->run)
			single_step(a, false);
		break;
	case TUI_A_BLOCK:
		single_step(a, true);
		break;
	case TUI_A_RESTART:
		if (running(a))
			order_failed(a, eng_session_stop(ls->session));
		else if (tui_step(a)->run)
			run(a, true);
		break;
	case TUI_A_EDIT:
		edit(a);
		break;
	case TUI_A_HINT:
		hint(a);
		break;
	case TUI_A_OPEN:
		if (tui_list_selected(a))
			tui_app_open(a, tui_list_selected(a)->lesson);
		break;
	case TUI_A_ANSWER:
		answer(a);
		break;
	case TUI_A_RESUME:
		resume_lesson(a);
		break;
	case TUI_A_SEARCH:
		a->prompt = TUI_PROMPT_SEARCH;
		rs_str_clear(&a->input);
		rs_str_add(&a->input, a->list.filter.p);
		break;
	case TUI_A_PLAY:
		ls->held = !ls->held;
		if (ls->held)
			eng_session_pause(ls->session);
		else
			eng_session_resume(ls->session);
		break;
	case TUI_A_FASTER:
		speed(a, 2);
		break;
	case TUI_A_SLOWER:
		speed(a, 0.5);
		break;
	case TUI_A_AGAIN:
		play_again(a);
		break;
	case TUI_A_NEXT_STEP:
	case TUI_A_PREV_STEP:
		if (tui_act_enabled(a, action))
			tui_app_goto(a, eng_session_step(ls->session) +
						(action == TUI_A_NEXT_STEP ? 1u : ~0u));
		break;
	case TUI_A_NEXT_PANE:
		pane_next(a, 1);
		break;
	case TUI_A_PREV_PANE:
		pane_next(a, -1);
		break;
	case TUI_A_ZOOM:
		ls->zoom = !ls->zoom;
		break;
	case TUI_A_VIEW:
		view_next(a);
		break;
	case TUI_A_PICK:
		pick(a);
		break;
	case TUI_A_FOLLOW:
		ls->pane[ENG_VIEW_stages] = (struct tui_pane_state){ 0 };
		eng_session_inspect(ls->session, RS_BLOCK_EMU_STAGE, 0, 0, false);
		break;
	case TUI_A_PASS:
	case TUI_A_PASS_BACK:
		pass(a, action == TUI_A_PASS ? 1 : -1);
		break;
	case TUI_A_LEFT:
	case TUI_A_RIGHT:
		tui_move_sideways(a, action == TUI_A_LEFT ? -1 : 1);
		break;
	case TUI_A_ADDRESS:
		a->prompt = TUI_PROMPT_ADDRESS;
		rs_str_clear(&a->input);
		break;
	case TUI_A_UP:
	case TUI_A_DOWN:
	case TUI_A_PAGE_UP:
	case TUI_A_PAGE_DOWN:
	case TUI_A_FIRST:
	case TUI_A_LAST:
		tui_move(a, action);
		break;
	case TUI_A_LANGUAGE:
		language(a);
		break;
	case TUI_A_HELP:
		a->help = !a->help;
		a->help_top = 0;
		break;
	case TUI_A_QUIT:
		quit(a);
		break;
	case TUI_A_SUSPEND:
		a->want = TUI_WANT_SUSPEND;
		break;
	case TUI_A_REDRAW:
		a->want = TUI_WANT_REDRAW;
		break;
	case TUI_A_LEAVE:
		a->want = TUI_WANT_LEAVE;
		break;
	case TUI_ACTIONS:
		break;
	}
}
