#include "engine/grade.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine/base/cleanup.h"

const char *eng_verdict_name(enum eng_verdict v)
{
	switch (v) {
	case ENG_PASS:
		return "passed";
	case ENG_FAIL:
		return "failed";
	case ENG_UNGRADABLE:
		return "ungradable";
	default:
		return "inconclusive";
	}
}

/* The expression with white space made single blanks. */
static char *one_line(const char *s)
{
	rs_auto_str out = RS_STR_INIT;

	for (; *s; s++) {
		if (*s != ' ' && *s != '\n' && *s != '\t')
			rs_str_addc(&out, *s);
		else if (out.len && out.p[out.len - 1] != ' ')
			rs_str_addc(&out, ' ');
	}
	while (out.len && out.p[out.len - 1] == ' ')
		out.p[--out.len] = 0;
	return rs_str_detach(&out);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void eng_grade_check_release(struct eng_grade_check *k)
{
	free(k->expression);
	free(k->expected);
	free(k->found);
	free(k->note);
	*k = (struct eng_grade_check){ 0 };
}

static void check_init(struct eng_grade_check *k, const struct eng_lesson *l, unsigned step,
		       unsigned index)
{
	*k = (struct eng_grade_check){
		.step = &l->step[step],
		.step_index = step,
		.check = &l->step[step].check[index],
		.verdict = ENG_INCONCLUSIVE,
	};
	k->expression = one_line(k->check->source);
	k->expected = rs_xstrdup(k->expression);
	k->found = rs_xstrdup("");
	k->note = rs_xstrdup("");
}

static void set(char **where, const char *text)
{
	free(*where);
	*where = rs_xstrdup(text);
}

static void check_update(struct eng_grade_check *k, struct eng_session *s)
{
	const struct eng_evidence *e = eng_session_evidence(s, k->step_index);
	unsigned n = 0, at = (unsigned)(k->check - k->step->check);
	struct eng_check_result *r = eng_session_results(s, k->step_index, &n);

	if (at >= n)
		return;
	r += at;
	k->verdict = r->verdict == ENG_OPEN ? ENG_INCONCLUSIVE : r->verdict;
	k->points = k->verdict == ENG_PASS ? r->points : 0;
	k->reason = r->why;
	set(&k->found, r->why.code ? "" : r->found.p);
	set(&k->note, r->note.p);
	if (k->verdict == ENG_FAIL && !r->why.code && e) {
		rs_auto_str found = RS_STR_INIT, wanted = RS_STR_INIT;

		if (eng_expr_found(k->check->expr, e, &found, &wanted, NULL) == 0 && wanted.len) {
			free(k->expected);
			k->expected = one_line(wanted.p);
		}
	}
}

void eng_grade_check_take(struct eng_grade_check *k, struct eng_session *s, unsigned step,
			  unsigned index)
{
	check_init(k, eng_session_lesson(s), step, index);
	check_update(k, s);
}

static void begin(struct eng_grade *g, const struct eng_lesson *l, const char *only_step)
{
	unsigned n = 0;

	*g = (struct eng_grade){ .lesson = l, .verdict = ENG_PASS, .when = time(NULL) };
	for (unsigned s = 0; s < l->steps; s++)
		n += l->step[s].checks;
	g->check = rs_xcalloc(n + 1, sizeof(*g->check));
	for (unsigned s = 0; s < l->steps; s++) {
		if (only_step && strcmp(l->step[s].id, only_step) != 0)
			continue;
		for (unsigned i = 0; i < l->step[s].checks; i++) {
			check_init(&g->check[g->checks++], l, s, i);
			g->max += l->step[s].check[i].points;
		}
	}
}

void eng_grade_release(struct eng_grade *g)
{
	for (unsigned i = 0; i < g->checks; i++)
		eng_grade_check_release(&g->check[i]);
	free(g->check);
	free(g->workspace);
	free(g->engine);
	free(g->build);
	memset(g, 0, sizeof(*g));
}

/* Takes the results of one step out of a session. */
static void take_step(struct eng_grade *g, struct eng_session *s, unsigned step)
{
	const struct rs_err *e = eng_session_step_error(s, step);
	const struct eng_evidence *ev = eng_session_evidence(s, step);

	for (unsigned i = 0; i < g->checks; i++)
		if (g->check[i].step_index == step)
			check_update(&g->check[i], s);
	if (e->code && !g->reason.code)
		g->reason = *e;
	if (ev && ev->out[RS_STREAM_BUILD].len)
		set(&g->build, ev->out[RS_STREAM_BUILD].p);
}

static void all_are(struct eng_grade *g, enum eng_verdict v)
{
	for (unsigned i = 0; i < g->checks; i++) {
		g->check[i].verdict = v;
		g->check[i].points = 0;
	}
}

/* The whole from its parts. */
static void finish(struct eng_grade *g, uint64_t start)
{
	bool has[ENG_UNGRADABLE + 1] = { false };

	g->points = 0;
	for (unsigned i = 0; i < g->checks; i++) {
		has[g->check[i].verdict] = true;
		g->points += g->check[i].points;
	}
	g->verdict = has[ENG_INCONCLUSIVE] || has[ENG_OPEN] ? ENG_INCONCLUSIVE :
		     has[ENG_FAIL]			    ? ENG_FAIL :
		     has[ENG_UNGRADABLE]		    ? ENG_UNGRADABLE :
							      ENG_PASS;
	for (unsigned i = 0; i < g->checks && !g->reason.code; i++)
		g->reason = g->check[i].verdict == ENG_PASS || g->check[i].verdict == ENG_FAIL ?
				    g->reason :
				    g->check[i].reason;
	g->wall_ns = now_ns() - start;
	if (!g->workspace)
		g->workspace = rs_xstrdup("");
	if (!g->engine)
		g->engine = rs_xstrdup("");
	if (!g->build)
		g->build = rs_xstrdup("");
}

void eng_grade_run(struct eng_grade *g, const struct eng_lesson *l, const struct eng_grade_opts *o)
{
	struct eng_session_opts so = {
		.lesson = l, .workspace = o->workspace, .engine = o->engine, .full = RS_FULL_BLOCK,
	};
	uint64_t start = now_ns();
	struct eng_session *s;

	begin(g, l, o->step);
	g->workspace = rs_xstrdup(o->shown ? o->shown : o->workspace);
	g->engine = rs_xstrdup(o->engine ? o->engine : "");
	if (eng_lesson_runnable(l, o->engine, &g->reason) < 0) {
		all_are(g, ENG_UNGRADABLE);
		finish(g, start);
		return;
	}
	s = eng_session_new(&so, &g->reason);
	for (unsigned step = 0; s && step < l->steps; step++) {
		bool wanted = false;

		for (unsigned i = 0; i < g->checks; i++)
			wanted |= g->check[i].step_index == step;
		if (!wanted)
			continue;
		/* a step that cannot be run leaves its reason in the session */
		if (eng_session_goto(s, step, &g->reason) < 0)
			break;
		if (!l->step[step].run || eng_session_run(s, false, &g->reason) == 0)
			eng_session_wait(s);
		take_step(g, s, step);
	}
	eng_session_free(s);
	finish(g, start);
}

void eng_grade_session(struct eng_grade *g, struct eng_session *s)
{
	uint64_t start = now_ns();
	const struct eng_lesson *l = eng_session_lesson(s);

	begin(g, l, NULL);
	for (unsigned step = 0; step < l->steps; step++)
		take_step(g, s, step);
	finish(g, start);
}

int eng_grade_exit(const struct eng_grade *g, unsigned n)
{
	bool failed = false, ungradable = false;

	for (unsigned i = 0; i < n; i++) {
		if (g[i].verdict == ENG_INCONCLUSIVE || g[i].verdict == ENG_OPEN)
			return ENG_EXIT_INTERNAL;
		failed |= g[i].verdict == ENG_FAIL;
		ungradable |= g[i].verdict == ENG_UNGRADABLE;
	}
	return failed ? ENG_EXIT_FAILED : ungradable ? ENG_EXIT_UNGRADABLE : ENG_EXIT_OK;
}

void eng_grade_sum(const struct eng_grade *g, unsigned n, unsigned *points, unsigned *max)
{
	*points = *max = 0;
	for (unsigned i = 0; i < n; i++) {
		if (g[i].verdict == ENG_UNGRADABLE)
			continue;
		*points += g[i].points;
		*max += g[i].max;
	}
}

char *eng_grade_name(const struct eng_grade *g, const struct eng_grade_check *k)
{
	return rs_xasprintf("%s/%s/%s", g->lesson->id, k->step->id, k->check->id);
}

const char *eng_grade_found(const struct eng_grade_check *k, enum rs_lang lang)
{
	if (!k->reason.code)
		return k->found;
	return k->reason.text[lang][0] ? k->reason.text[lang] : k->reason.text[RS_LANG_EN];
}

void eng_grade_sentence(const struct eng_grade_check *k, enum rs_lang lang, struct rs_str *out)
{
	switch (k->verdict) {
	case ENG_PASS:
		rs_str_addf(out, rs_tr(lang, N_("found %s, as expected")), k->expected);
		break;
	case ENG_FAIL:
		rs_str_addf(out, rs_tr(lang, N_("expected %s, found %s")), k->expected,
			    eng_grade_found(k, lang));
		break;
	case ENG_UNGRADABLE:
		rs_str_add(out, rs_tr(lang, N_("not graded: this machine cannot run it")));
		break;
	default:
		rs_str_add(out, rs_tr(lang, N_("inconclusive")));
		if (k->reason.code || k->found[0])
			rs_str_addf(out, ": %s", eng_grade_found(k, lang));
	}
}

#define FORMATS(X) X(text) X(json) X(junit) X(tap) X(gradescope)
const struct eng_grade_format eng_grade_formats[] = {
#define X(f) { #f, eng_grade_##f },
	FORMATS(X)
#undef X
	{ NULL, NULL },
};
const char *const eng_grade_format_names[] = {
#define X(f) #f,
	FORMATS(X)
#undef X
	NULL,
};
