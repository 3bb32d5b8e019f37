/* Checks and predictions, once a run has ended.
 */
#include "engine/session.h"

#include <errno.h>
#include <string.h>

int session_file(void *session, const char *name, struct rs_str *out)
{
	struct eng_session *s = session;
	const struct eng_kept *f = eng_keep_find(&s->files, name);

	if (!f) {
		rs_auto_str text = RS_STR_INIT;

		/* A recording has all that was read when it was made. */
		int rc = s->rp ? -ENOENT : eng_file_beneath(s->workspace, name, &text);

		if (rc == 0)
			rc = eng_keep_put(&s->files, name, text.p, text.len);
		if (rc < 0)
			return rc;
		eng_recorder_file(s->rec, name, &text);
		f = eng_keep_find(&s->files, name);
	}
	rs_str_addn(out, f->data.p, f->data.len);
	return 0;
}

/* A verdict without a value: why not. */
static void settle(struct eng_check_result *r, enum eng_verdict v, const struct rs_err *why)
{
	r->verdict = v;
	r->points = 0;
	r->why = *why;
	rs_str_clear(&r->found);
	rs_str_add(&r->found, why->text[RS_LANG_EN]);
}

static void evaluate_check(const struct eng_evidence *e, struct eng_check_result *r)
{
	struct eng_value v = { .type = ENG_T_NONE, .s = RS_STR_INIT };
	struct rs_err err = RS_ERR_INIT;

	rs_str_clear(&r->wanted);
	rs_str_clear(&r->note);
	if (e->lost) {
		rs_err_set(&err, -EOVERFLOW, "%llu events were lost, so nothing can be said for sure",
			   (unsigned long long)e->lost);
		settle(r, ENG_INCONCLUSIVE, &err);
		return;
	}
	int rc = eng_expr_eval(r->check->expr, e, &v, &r->note, &err);

	if (rc < 0) {
		/* The run lacks what the expression asks for: that is a wrong answer. Anything else
		 * could not be decided. */
		settle(r, rc == -ENODATA ? ENG_FAIL : ENG_INCONCLUSIVE, &err);
	} else {
		bool pass = v.type == ENG_T_BOOL && v.i;

		r->verdict = pass ? ENG_PASS : ENG_FAIL;
		r->points = pass ? r->check->points : 0;
		r->why = (struct rs_err)RS_ERR_INIT;
		rs_str_clear(&r->found);
		if (eng_expr_found(r->check->expr, e, &r->found, pass ? NULL : &r->wanted, &err) < 0) {
			rs_str_clear(&r->wanted);
			rs_str_clear(&r->found);
			eng_value_format(&v, &r->found);
		}
	}
	eng_value_release(&v);
}

static void evaluate_prediction(struct eng_session *s)
{
	const struct eng_predict *p = s->lesson->step[s->step].predict;
	struct eng_step_state *st = session_state(s);
	struct eng_value v = { .type = ENG_T_NONE, .s = RS_STR_INIT };

	if (!p || st->evidence.lost)
		return;
	if (eng_expr_eval(p->answer, &st->evidence, &v, NULL, NULL) == 0 &&
	    (v.type == ENG_T_INT || v.type == ENG_T_BOOL)) {
		st->prediction.known = true;
		st->prediction.actual = v.i;
		st->prediction.right = st->prediction.made && st->prediction.guess == v.i;
	}
	eng_value_release(&v);
}

void session_evaluate(struct eng_session *s)
{
	struct eng_step_state *st = session_state(s);

	for (unsigned i = 0; i < s->lesson->step[s->step].checks; i++)
		evaluate_check(&st->evidence, &st->result[i]);
	evaluate_prediction(s);
}

/* There was no run to judge. Whose fault it was decides: the student's program, this machine, or
 * the lab. */
static enum eng_verdict blame(int code)
{
	switch (code) {
	case -ENOEXEC: /* does not build, is no image */
	case -EFBIG:   /* does not fit into the machine */
		return ENG_FAIL;
	case -ENOENT:  /* no /dev/kvm, no compiler */
	case -EACCES:
	case -ENOSYS:
		return ENG_UNGRADABLE;
	default:
		return ENG_INCONCLUSIVE;
	}
}

void session_unfit(struct eng_session *s, const struct rs_err *why)
{
	struct eng_step_state *st = session_state(s);

	for (unsigned i = 0; i < s->lesson->step[s->step].checks; i++) {
		rs_str_clear(&st->result[i].note);
		settle(&st->result[i], blame(why->code), why);
	}
}
