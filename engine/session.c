/* Sessions: making one, what it shows, which step it is at.
 */
#include "engine/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"

struct eng_session *session_alloc(const struct eng_lesson *l)
{
	struct eng_session *s = rs_xcalloc(1, sizeof(*s));

	s->lesson = l;
	s->born = eng_now();
	s->state = rs_xcalloc(l->steps ? l->steps : 1, sizeof(*s->state));
	for (unsigned i = 0; i < l->steps; i++) {
		struct eng_step_state *st = &s->state[i];

		for (unsigned k = 0; k < 8; k++)
			st->evidence.out[k] = (struct rs_str)RS_STR_INIT;
		st->evidence.file = session_file;
		st->evidence.file_arg = s;
		st->result = rs_xcalloc(l->step[i].checks + 1, sizeof(*st->result));
		for (unsigned k = 0; k < l->step[i].checks; k++)
			st->result[k] = (struct eng_check_result){ .check = &l->step[i].check[k],
								   .wanted = RS_STR_INIT,
								   .found = RS_STR_INIT,
								   .note = RS_STR_INIT };
	}
	return s;
}

/* The lesson's own name for a folder beside it. */
static char *include_dir(const struct eng_lesson *l)
{
	rs_auto_free char *up = l->dir ? rs_xasprintf("%s/../include", l->dir) : NULL;

	return up ? realpath(up, NULL) : NULL;
}

struct eng_session *eng_session_new(const struct eng_session_opts *o, struct rs_err *err)
{
	rs_auto_free char *work = realpath(o->workspace, NULL);

	if (!work) {
		rs_err_errno(err, errno, "the workspace %s cannot be opened", o->workspace);
		return NULL;
	}
	if (o->lesson->steps == 0) {
		rs_err_set(err, -EINVAL, "the lesson has no steps");
		return NULL;
	}
	struct eng_session *s = session_alloc(o->lesson);

	s->workspace = rs_steal(work);
	s->include = include_dir(o->lesson);
	const char *engine = o->engine ? o->engine : eng_lesson_engine(o->lesson);

	s->engine = engine ? rs_xstrdup(engine) : NULL;
	s->full = o->full;
	s->trace = o->all_steps_trace;
	/* A verdict needs what its checks look at; screens and recordings also what views show. */
	s->views_matter = o->full == RS_FULL_DROP || o->record;
	if (o->record) {
		s->rec = eng_recorder_new(s, o->record, err);
		if (!s->rec) {
			eng_session_free(s);
			return NULL;
		}
	}
	session_set_step(s, 0);
	return s;
}

void eng_session_free(struct eng_session *s)
{
	if (!s)
		return;
	session_kill(s);
	eng_recorder_free(s->rec);
	eng_replay_free(s->rp);
	eng_journal_unscratch(s->journal, s->scratch, s->scratch_id);
	eng_journal_close(s->journal);
	for (unsigned i = 0; i < s->lesson->steps; i++) {
		struct eng_step_state *st = &s->state[i];

		eng_evidence_release(&st->evidence);
		for (unsigned k = 0; k < s->lesson->step[i].checks; k++) {
			rs_str_release(&st->result[k].wanted);
			rs_str_release(&st->result[k].found);
			rs_str_release(&st->result[k].note);
		}
		free(st->result);
	}
	free(s->state);
	eng_keep_release(&s->files);
	free(s->scratch);
	free(s->workspace);
	free(s->include);
	free(s->engine);
	eng_lesson_free(s->own_lesson);
	free(s);
}

/* ---- accessors ---- */

struct rs_bus *eng_session_bus(struct eng_session *s)
{
	return &s->bus;
}

const struct eng_lesson *eng_session_lesson(const struct eng_session *s)
{
	return s->lesson;
}

const char *eng_session_workspace(const struct eng_session *s)
{
	return s->workspace ? s->workspace : "";
}

bool eng_session_is_replay(const struct eng_session *s)
{
	return s->rp != NULL;
}

bool eng_session_replay_done(const struct eng_session *s)
{
	return s->rp && eng_replay_done(s->rp);
}

unsigned eng_session_step(const struct eng_session *s)
{
	return s->step;
}

enum eng_phase eng_session_phase(const struct eng_session *s)
{
	return s->state[s->step].phase;
}

const struct rs_err *eng_session_error(const struct eng_session *s)
{
	return &s->state[s->step].error;
}

const struct rs_err *eng_session_step_error(const struct eng_session *s, unsigned step)
{
	return &s->state[step < s->lesson->steps ? step : s->step].error;
}

const struct rs_err *eng_session_record_error(const struct eng_session *s)
{
	return s->rp ? eng_replay_note(s->rp) : eng_recorder_error(s->rec);
}

const struct eng_evidence *eng_session_evidence(const struct eng_session *s, unsigned step)
{
	return step < s->lesson->steps ? &s->state[step].evidence : NULL;
}

struct rs_counters eng_session_counters(const struct eng_session *s)
{
	struct rs_counters c;

	if (s->live.exp && s->live.job == ENG_JOB_RUN)
		eng_experiment_counters(s->live.exp, &c);
	else
		c = s->counters;
	return c;
}

struct eng_check_result *eng_session_results(struct eng_session *s, unsigned step, unsigned *n)
{
	*n = step < s->lesson->steps ? s->lesson->step[step].checks : 0;
	return step < s->lesson->steps ? s->state[step].result : NULL;
}

const struct eng_prediction *eng_session_prediction(const struct eng_session *s, unsigned step)
{
	return step < s->lesson->steps ? &s->state[step].prediction : NULL;
}

/* ---- steps and predictions ---- */

void session_set_step(struct eng_session *s, unsigned step)
{
	s->step = step;
	s->counters = s->state[step].evidence.counters;
	if (s->rp)
		return; /* the recording has the event */
	eng_recorder_step(s->rec, step);
	session_say(s, RS_EV_LESSON_STEP, step, 0, 0, 0, s->lesson->step[step].id);
}

int eng_session_goto(struct eng_session *s, unsigned step, struct rs_err *err)
{
	if (step >= s->lesson->steps)
		return rs_err_set(err, -EINVAL, "the lesson has %u steps, not %u", s->lesson->steps,
				  step + 1);
	if (step == s->step)
		return 0;
	session_kill(s);
	session_set_step(s, step);
	return 0;
}

int eng_session_predict(struct eng_session *s, int64_t guess, struct rs_err *err)
{
	struct eng_step_state *st = session_state(s);

	if (!s->lesson->step[s->step].predict)
		return rs_err_set(err, -EINVAL, "this step asks for no prediction");
	if (st->phase != ENG_IDLE && st->prediction.known)
		return rs_err_set(err, -EBUSY, "the answer is known already");
	st->prediction = (struct eng_prediction){ .made = true, .guess = guess };
	eng_recorder_guess(s->rec, guess);
	return 0;
}

/* ---- what must be sent ---- */

static const struct {
	enum eng_view view;
	enum rs_kind kind;
} view_kinds[] = {
	/* High-rate kinds that a pane draws. Low-rate ones are always sent. */
	{ ENG_VIEW_timeline, RS_EV_VM_EXIT },
	{ ENG_VIEW_timeline, RS_EV_VM_PIO },
	{ ENG_VIEW_timeline, RS_EV_VM_MMIO },
	{ ENG_VIEW_exits, RS_EV_VM_EXIT },
};

void session_wants(const struct eng_session *s, bool want[RS_KIND_COUNT])
{
	const struct eng_step *step = &s->lesson->step[s->step];

	memcpy(want, s->want_user, sizeof(s->want_user));
	for (unsigned i = 0; i < step->checks; i++)
		eng_expr_kinds(step->check[i].expr, want);
	if (step->predict)
		eng_expr_kinds(step->predict->answer, want);
	for (unsigned v = 0; s->views_matter && v < step->views; v++)
		for (size_t i = 0; i < sizeof(view_kinds) / sizeof(view_kinds[0]); i++)
			if (view_kinds[i].view == step->view[v])
				want[view_kinds[i].kind] = true;
	for (unsigned k = 0; s->trace && k < RS_KIND_COUNT; k++)
		want[k] = true;
}

void eng_session_want(struct eng_session *s, enum rs_kind kind, bool on)
{
	bool want[RS_KIND_COUNT];

	if ((unsigned)kind >= RS_KIND_COUNT)
		return;
	s->want_user[kind] = on;
	session_wants(s, want); /* switching off leaves what a check needs */
	if (s->live.exp)
		eng_experiment_want(s->live.exp, kind, want[kind]);
}
