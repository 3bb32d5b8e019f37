/* A lesson as linear text: heading, texts, what happens as it happens, predictions, checks. */
#include "engine/kinds.h"
#include "engine/play.h"

#include <errno.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli_fill.h"
#include "engine/copy.h"
#include "engine/grade.h"
#include "engine/tell.h"

#define WIDTH 80

struct player {
	struct eng_cli *c;
	const struct eng_lesson *l;
	struct eng_session *s;
	struct eng_tell tell;
	const struct eng_play_opts *o;
	unsigned points, failed, undecided, ungradable, max;
};

static void text(struct player *p, const char *s, int indent)
{
	rs_auto_str out = RS_STR_INIT;

	eng_md_plain(s, indent, WIDTH, &out);
	fputs(out.p, p->c->out);
}

static void heading(struct player *p)
{
	const struct eng_lesson *l = p->l;
	enum rs_lang lang = p->c->lang;

	fputs(eng_cli_sgr(p->c, "1"), p->c->out);
	if (l->number)
		fprintf(p->c->out, "%d ", l->number);
	fprintf(p->c->out, "%s%s\n", eng_text(&l->title, lang), eng_cli_sgr(p->c, "0"));
	if (eng_text(&l->summary, lang)[0])
		text(p, eng_text(&l->summary, lang), 0);
	eng_cli_out(p->c, N_("%u steps, about %u minutes, %u points.\n"), l->steps, l->minutes, l->points);
}

void eng_play_want(struct eng_session *s, const struct eng_step *st)
{
	bool exits = false;

	for (unsigned i = 0; i < st->views; i++)
		exits |= st->view[i] == ENG_VIEW_exits || st->view[i] == ENG_VIEW_timeline;
	eng_session_want(s, RS_EV_VM_EXIT, exits);
	eng_session_want(s, RS_EV_VM_PIO, exits);
	eng_session_want(s, RS_EV_VM_MMIO, exits);
}

/* Asks at the terminal; an empty line or the end of the input is no guess. */
static void ask(struct player *p, const struct eng_predict *q)
{
	enum rs_lang lang = p->c->lang;
	char line[128];

	{
		rs_auto_str out = RS_STR_INIT;

		eng_fill(&out, eng_text(&q->ask, lang), rs_tr(lang, N_("Predict: ")), 2, WIDTH);
		fprintf(p->c->out, "\n%s", out.p);
	}
	for (unsigned i = 0; i < q->choices; i++) {
		rs_auto_free char *mark = rs_xasprintf("  %u) ", i + 1);
		rs_auto_str out = RS_STR_INIT;

		eng_fill(&out, eng_text(&q->choice[i], lang), mark, 5, WIDTH);
		fputs(out.p, p->c->out);
	}
	if (!p->c->in_tty || !p->c->in || eng_session_is_replay(p->s))
		return;
	for (;;) {
		struct rs_err err = RS_ERR_INIT;
		long long v;
		char *end;

		eng_cli_out(p->c, q->choices ? N_("Your choice (Enter: none): ") :
					       N_("Your guess (Enter: none): "));
		fflush(p->c->out);
		if (!fgets(line, sizeof(line), p->c->in) || line[strspn(line, " \t\n")] == 0)
			return;
		errno = 0;
		v = strtoll(line, &end, 0);
		if (errno || end == line || end[strspn(end, " \t\n")] ||
		    (q->choices && (v < 1 || v > (long long)q->choices))) {
			eng_cli_out(p->c, N_("That is not a number that fits.\n"));
			continue;
		}
		if (eng_session_predict(p->s, q->choices ? v - 1 : v, &err) < 0)
			eng_cli_fail(p->c, 0, &err);
		return;
	}
}

static const char *answer(const struct eng_predict *q, int64_t v, enum rs_lang lang, char buf[32])
{
	if (q->choices && v >= 0 && v < (int64_t)q->choices)
		return eng_text(&q->choice[v], lang);
	snprintf(buf, 32, "%lld", (long long)v);
	return buf;
}

static void tell_prediction(struct player *p, unsigned step, const struct eng_predict *q)
{
	const struct eng_prediction *a = eng_session_prediction(p->s, step);
	char x[32], y[32];

	if (!a || !a->known)
		return;
	if (!a->made)
		eng_cli_out(p->c, N_("The answer: %s.\n"), answer(q, a->actual, p->c->lang, x));
	else if (a->right)
		eng_cli_out(p->c, N_("You predicted %s, and so it was.\n"),
			    answer(q, a->guess, p->c->lang, x));
	else
		eng_cli_out(p->c, N_("You predicted %s; it was %s.\n"),
			    answer(q, a->guess, p->c->lang, x), answer(q, a->actual, p->c->lang, y));
}

static void tell_check(struct player *p, unsigned step, unsigned index)
{
	enum rs_lang lang = p->c->lang;
	rs_cleanup(eng_grade_check_release) struct eng_grade_check k;
	rs_auto_str out = RS_STR_INIT;
	const char *sgr = "33", *word = rs_tr(lang, N_("inconclusive"));

	eng_grade_check_take(&k, p->s, step, index);
	p->max += k.check->points;
	p->points += k.points;
	switch (k.verdict) {
	case ENG_PASS:
		sgr = "32";
		word = rs_tr(lang, N_("passed"));
		break;
	case ENG_FAIL:
		sgr = "31";
		word = rs_tr(lang, N_("FAILED"));
		p->failed++;
		break;
	case ENG_UNGRADABLE:
		word = rs_tr(lang, N_("not graded"));
		p->ungradable++;
		break;
	default:
		p->undecided++;
	}
	fprintf(p->c->out, rs_tr(lang, N_("Check %s: ")), k.check->id);
	fprintf(p->c->out, "%s%s%s", eng_cli_sgr(p->c, sgr), word, eng_cli_sgr(p->c, "0"));
	if (k.verdict == ENG_PASS || k.verdict == ENG_FAIL)
		eng_cli_out(p->c, N_(", %u of %u points"), k.points, k.check->points);
	fputc('\n', p->c->out);
	if (k.verdict == ENG_FAIL) {
		eng_fill(&out, k.expected, rs_tr(lang, N_("  expected: ")), 12, WIDTH);
		eng_fill(&out, eng_grade_found(&k, lang), rs_tr(lang, N_("  found:    ")), 12, WIDTH);
	} else if (k.verdict != ENG_PASS) {
		eng_fill(&out, eng_grade_found(&k, lang), NULL, 2, WIDTH);
	}
	for (const char *s = k.verdict == ENG_PASS ? "" : k.note; *s;) {
		size_t n = strcspn(s, "\n");

		rs_str_add(&out, "    ");
		eng_add_clean(&out, s, n);
		rs_str_addc(&out, '\n');
		s += n + (s[n] == '\n');
	}
	if (k.check->why && (k.verdict == ENG_PASS || k.verdict == ENG_FAIL))
		eng_md_plain(eng_text(k.check->why, lang), 2, WIDTH, &out);
	if (k.verdict == ENG_FAIL && k.check->hints) {
		unsigned shown = p->o->hints ? k.check->hints : 1;

		for (unsigned i = 0; i < shown; i++)
			eng_fill(&out, eng_text(&k.check->hint[i], lang), rs_tr(lang, N_("  hint: ")), 8,
				 WIDTH);
		if (shown < k.check->hints)
			rs_str_addf(&out, rs_tr(lang, N_("  (%u more: --hints)\n")),
				    k.check->hints - shown);
	}
	fputs(out.p, p->c->out);
}

/* What a failed build or lab left to say. */
static void tell_failure(struct player *p, unsigned step)
{
	const struct rs_err *e = eng_session_step_error(p->s, step);
	rs_auto_str out = RS_STR_INIT;
	char buf[1024];

	if (!e->code)
		return;
	eng_fill(&out, rs_err_format(e, p->c->lang, buf, sizeof(buf)), NULL, 2, WIDTH);
	fputs(out.p, p->c->out);
	/* a step without checks that the lab could not run is no success either */
	p->undecided += !p->l->step[step].checks;
}

/* A step is told in three parts; a recording is told by the same ones. */
static void step_open(struct player *p, unsigned i)
{
	const struct eng_step *st = &p->l->step[i];
	bool own = !eng_session_is_replay(p->s) && !p->o->solution;

	fprintf(p->c->out, "\n%s", eng_cli_sgr(p->c, "1"));
	eng_cli_out(p->c, N_("Step %u of %u: %s"), i + 1, p->l->steps, st->id);
	fprintf(p->c->out, "%s\n\n", eng_cli_sgr(p->c, "0"));
	text(p, eng_text(&st->text, p->c->lang), 0);
	if (st->predict)
		ask(p, st->predict);
	if (st->task && own)
		eng_cli_out(p->c, N_("\nTask: change %s in %s\n"), st->task->edit,
			    eng_session_workspace(p->s));
	else if (st->task)
		eng_cli_out(p->c, N_("\nTask: change %s\n"), st->task->edit);
}

static void step_begins(struct player *p)
{
	eng_cli_out(p->c, N_("\nWhat happens:\n"));
	fflush(p->c->out);
}

/* Counts beside the events. */
static void tell_counts(struct player *p, unsigned step)
{
	const struct eng_run *run = p->l->step[step].run;
	rs_auto_str text = RS_STR_INIT;
	rs_auto_str out = RS_STR_INIT;
	rs_auto_str stages = RS_STR_INIT;

	/* a block that nobody chose is just the one that ran last */
	eng_stages_tell(&p->tell.stages, p->c->lang, &stages);
	for (const char *s = run && run->kind == eng_kind_by_name("emu") && run->emu.desc.at ? stages.p : ""; *s;) {
		size_t n = strcspn(s, "\n");

		rs_str_add(&out, "  ");
		eng_add_clean(&out, s, n);
		rs_str_addc(&out, '\n');
		s += n + (s[n] == '\n');
	}
	eng_tell_emu_counts(&eng_session_evidence(p->s, step)->counters, p->c->lang, &text);
	for (char *save, *line = strtok_r(text.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		eng_fill(&out, line, NULL, 2, WIDTH);
	fputs(out.p, p->c->out);
}

static void step_close(struct player *p, unsigned i)
{
	const struct eng_step *st = &p->l->step[i];

	eng_tell_finish(&p->tell);
	tell_counts(p, i);
	tell_failure(p, i);
	if (st->predict)
		tell_prediction(p, i, st->predict);
	if (st->checks)
		fputc('\n', p->c->out);
	for (unsigned k = 0; k < st->checks; k++)
		tell_check(p, i, k);
}

int eng_play_arrive(struct eng_session *s, const struct eng_play_opts *o, unsigned i,
		    struct rs_err *err)
{
	const struct eng_lesson *l = eng_session_lesson(s);
	/* the scratch copy that find_workspace made; its owner is eng_play */
	struct eng_copy copy = { .path = (char *)eng_session_workspace(s) };

	if (o->solution && (l->step[i].task || l->step[i].checks) && eng_copy_solve(&copy, l, err) < 0)
		return err->code;
	return eng_session_goto(s, i, err);
}

static int play_step(struct player *p, unsigned i)
{
	const struct eng_step *st = &p->l->step[i];
	struct rs_err err = RS_ERR_INIT;

	/* before the text: a prediction belongs to the step that is current */
	if (eng_play_arrive(p->s, p->o, i, &err) < 0)
		return eng_cli_fail(p->c, ENG_EXIT_INTERNAL, &err);
	step_open(p, i);
	if (st->run && (st->own_run || st->predict || st->checks)) {
		step_begins(p);
		eng_play_want(p->s, st);
		if (eng_session_run(p->s, false, &err) < 0)
			return eng_cli_fail(p->c, ENG_EXIT_INTERNAL, &err);
		eng_session_wait(p->s);
	}
	step_close(p, i);
	return ENG_EXIT_OK;
}

static int verdict(struct player *p)
{
	if (p->max)
		eng_cli_out(p->c, N_("\n%u of %u points.\n"), p->points, p->max);
	if (p->undecided)
		return ENG_EXIT_INTERNAL;
	return p->failed ? ENG_EXIT_FAILED : p->ungradable ? ENG_EXIT_UNGRADABLE : ENG_EXIT_OK;
}

static void note_progress(struct player *p, unsigned furthest)
{
	struct eng_progress prog = { 0 };
	struct rs_err err = RS_ERR_INIT;

	if (eng_progress_load(&prog, &err) < 0)
		eng_cli_fail(p->c, 0, &err);
	eng_progress_note(&prog, p->l, furthest, p->points);
	if (eng_progress_save(&prog, &err) < 0)
		eng_cli_fail(p->c, 0, &err);
	eng_progress_release(&prog);
}

static int play_text(struct player *p)
{
	int rc = ENG_EXIT_OK;
	bool any = false;

	eng_tell_init(&p->tell, p->c->out, p->c->lang);
	rs_bus_attach(eng_session_bus(p->s), &p->tell.sink);
	heading(p);
	for (unsigned i = 0; i < p->l->steps && rc == ENG_EXIT_OK; i++) {
		if (p->o->step && strcmp(p->l->step[i].id, p->o->step) != 0)
			continue;
		any = true;
		rc = play_step(p, i);
	}
	if (rc == ENG_EXIT_OK && any) {
		rc = verdict(p);
		if (!p->o->solution && !p->o->step)
			note_progress(p, p->l->steps - 1);
	}
	rs_bus_detach(eng_session_bus(p->s), &p->tell.sink);
	eng_tell_release(&p->tell);
	return rc;
}

/* The folder to run in: the one that was named, a scratch copy to solve in, or the student's own. */
static int find_workspace(const struct eng_lesson *l, const struct eng_play_opts *o,
			  struct eng_copy *copy, char **path, struct rs_err *err)
{
	int rc;

	if (o->solution) {
		rc = eng_copy_new(copy, err);
		if (rc == 0)
			rc = eng_copy_starter(copy, l, err);
		*path = rc < 0 ? NULL : rs_xstrdup(copy->path);
		return rc;
	}
	*path = o->workspace ? rs_xstrdup(o->workspace) : eng_workspace_path(l, err);
	if (!*path)
		return err->code;
	if (o->workspace) {
		if (!eng_is_dir(o->workspace))
			return rs_err_set(err, -ENOENT, N_("there is no workspace %s; \"ringside start %s "
							   "--dir %s\" makes it"),
					  o->workspace, l->id, o->workspace);
		return 0;
	}
	return eng_workspace_prepare(l, *path, false, err);
}

int eng_play(struct eng_cli *c, const struct eng_lesson *l, const struct eng_play_opts *o)
{
	rs_cleanup(eng_copy_release) struct eng_copy copy = ENG_COPY_INIT;
	rs_auto_free char *workspace = NULL;
	struct player p = { .c = c, .l = l, .o = o };
	struct rs_err err = RS_ERR_INIT;
	struct eng_session_opts so;
	int rc;

	if (o->step && !eng_lesson_has_step(l, o->step)) {
		rs_err_set(&err, -EINVAL, N_("lesson %s has no step \"%s\""), l->id, o->step);
		return eng_cli_fail(c, ENG_EXIT_USAGE, &err);
	}
	if (eng_lesson_runnable(l, o->engine, &err) < 0) {
		if (o->json)
			eng_play_json_ungradable(c, l, &err);
		return eng_cli_fail(c, ENG_EXIT_UNGRADABLE, &err);
	}
	if (o->solution)
		eng_cli_note(c, N_("ringside: played with the lesson's own solution\n"));
	if (find_workspace(l, o, &copy, &workspace, &err) < 0)
		return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	so = (struct eng_session_opts){
		.lesson = l, .workspace = workspace, .engine = o->engine, .full = RS_FULL_BLOCK,
		.record = o->record,
	};
	p.s = eng_session_new(&so, &err);
	if (!p.s)
		return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	rc = o->json ? eng_play_json(c, p.s, o) : play_text(&p);
	if (eng_session_record_error(p.s))
		rc = eng_cli_fail(c, ENG_EXIT_INTERNAL, eng_session_record_error(p.s));
	eng_session_free(p.s);
	return rc;
}

/* Steps of a recording begin where the recording says so; one may come back to a step. */
struct replay_sink {
	struct rs_sink sink;
	struct player *p;
	unsigned step;    /* the open one; steps: none */
	bool begun;
	bool *visited;
};

static void on_replay_event(struct rs_sink *self, const struct rs_event *ev)
{
	struct replay_sink *r = (struct replay_sink *)self; /* sink is the first member */
	struct player *p = r->p;

	if (ev->kind == RS_EV_LESSON_STEP && ev->arg[0] < p->l->steps) {
		if (r->step < p->l->steps)
			step_close(p, r->step);
		r->step = (unsigned)ev->arg[0];
		r->visited[r->step] = true;
		r->begun = false;
		step_open(p, r->step);
	} else if (!r->begun && ev->kind != RS_EV_LESSON_STEP && ev->kind != RS_EV_LESSON_PREDICT &&
		   ev->kind != RS_EV_CHECK_RESULT) {
		r->begun = true;
		step_begins(p);
	}
}

/* The sum is over what the recording ended with, not over each time a step was told. */
static void sum_up(struct player *p, const bool *visited)
{
	p->points = p->max = p->failed = p->undecided = p->ungradable = 0;
	for (unsigned i = 0; i < p->l->steps; i++)
		for (unsigned n = 0; visited[i] && n < p->l->step[i].checks; n++) {
			rs_cleanup(eng_grade_check_release) struct eng_grade_check k;

			eng_grade_check_take(&k, p->s, i, n);
			p->max += k.check->points;
			p->points += k.points;
			p->failed += k.verdict == ENG_FAIL;
			p->ungradable += k.verdict == ENG_UNGRADABLE;
			p->undecided += k.verdict == ENG_INCONCLUSIVE;
		}
}

static int replay_text(struct player *p)
{
	rs_auto_free bool *visited = rs_xcalloc(p->l->steps + 1, sizeof(*visited));
	struct replay_sink steps = { .sink = { .event = on_replay_event }, .p = p, .step = p->l->steps,
				     .visited = visited };

	eng_tell_init(&p->tell, p->c->out, p->c->lang);
	rs_bus_attach(eng_session_bus(p->s), &steps.sink);
	rs_bus_attach(eng_session_bus(p->s), &p->tell.sink);
	heading(p);
	eng_session_wait(p->s);
	if (steps.step < p->l->steps)
		step_close(p, steps.step);
	rs_bus_detach(eng_session_bus(p->s), &p->tell.sink);
	rs_bus_detach(eng_session_bus(p->s), &steps.sink);
	eng_tell_release(&p->tell);
	sum_up(p, visited);
	return verdict(p);
}

int eng_play_recording(struct eng_cli *c, const char *path, double speed, bool json, bool hints)
{
	struct eng_play_opts o = { .json = json, .hints = hints };
	struct player p = { .c = c, .o = &o };
	struct rs_err err = RS_ERR_INIT;
	int rc;

	p.s = eng_session_replay(path, speed, &err);
	if (!p.s)
		return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	p.l = eng_session_lesson(p.s);
	rc = json ? eng_play_json_replay(c, p.s) : replay_text(&p);
	if (eng_session_record_error(p.s)) /* it was cut off: what was there has been told */
		rc = eng_cli_fail(c, rc, eng_session_record_error(p.s));
	eng_session_free(p.s);
	return rc;
}
