/* Grades as JSON: our own, stable format (assets/schema/grade-v1.schema.json), and Gradescope's
 * results.json (gradescope-autograders.readthedocs.io, "Autograder Specifications"). */
#include <string.h>
#include <time.h>

#include "engine/base/cleanup.h"
#include "engine/grade.h"
#include "engine/json.h"

static void add(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add(o, key, v);
}

/* "a\nb\n" -> ["a", "b"] */
static struct json_object *lines(const char *s)
{
	struct json_object *a = json_object_new_array();

	while (*s) {
		size_t n = strcspn(s, "\n");

		json_object_array_add(a, eng_json_strn(s, n));
		s += n + (s[n] == '\n');
	}
	return a;
}

/* Points exist for what was decided. */
static struct json_object *points(enum eng_verdict v, unsigned n)
{
	return v == ENG_PASS || v == ENG_FAIL ? json_object_new_int64(n) : NULL;
}

struct json_object *eng_grade_check_json(const struct eng_grade_check *k)
{
	struct json_object *o = json_object_new_object();

	add(o, "id", eng_json_str(k->check->id));
	add(o, "step", eng_json_str(k->step->id));
	add(o, "verdict", eng_json_str(eng_verdict_name(k->verdict)));
	add(o, "points", points(k->verdict, k->points));
	add(o, "max", json_object_new_int64(k->check->points));
	add(o, "expression", eng_json_str(k->expression));
	add(o, "expected", eng_json_str(k->expected));
	add(o, "found", k->reason.code ? NULL : eng_json_str(k->found));
	add(o, "reason", k->reason.code ? eng_json_err(&k->reason) : NULL);
	add(o, "evidence", lines(k->note));
	add(o, "why", k->check->why ? eng_json_text(k->check->why) : NULL);
	return o;
}

static void timestamp(int64_t when, char buf[32])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(buf, "1970-01-01T00:00:00Z");
}

static struct json_object *lesson_json(const struct eng_grade *g)
{
	struct json_object *o = json_object_new_object(), *checks = json_object_new_array();
	char when[32];

	timestamp(g->when, when);
	add(o, "id", eng_json_str(g->lesson->id));
	add(o, "number", g->lesson->number ? json_object_new_int(g->lesson->number) : NULL);
	add(o, "title", eng_json_text(&g->lesson->title));
	add(o, "verdict", eng_json_str(eng_verdict_name(g->verdict)));
	add(o, "points", points(g->verdict, g->points));
	add(o, "max", json_object_new_int64(g->max));
	add(o, "engine", g->engine[0] ? eng_json_str(g->engine) : NULL);
	add(o, "workspace", g->workspace[0] ? eng_json_str(g->workspace) : NULL);
	add(o, "when", eng_json_str(when));
	add(o, "seconds", json_object_new_double((double)(g->wall_ns / 1000000) / 1e3));
	add(o, "reason", g->reason.code ? eng_json_err(&g->reason) : NULL);
	add(o, "build", lines(g->build));
	for (unsigned i = 0; i < g->checks; i++)
		json_object_array_add(checks, eng_grade_check_json(&g->check[i]));
	add(o, "checks", checks);
	return o;
}

static enum eng_verdict over_all(const struct eng_grade *g, unsigned n)
{
	switch (eng_grade_exit(g, n)) {
	case ENG_EXIT_OK:
		return ENG_PASS;
	case ENG_EXIT_FAILED:
		return ENG_FAIL;
	case ENG_EXIT_UNGRADABLE:
		return ENG_UNGRADABLE;
	default:
		return ENG_INCONCLUSIVE;
	}
}

void eng_grade_json(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		    struct rs_str *out)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	enum eng_verdict v = over_all(g, n);
	unsigned p, max;

	(void)lang;
	(void)color;
	eng_grade_sum(g, n, &p, &max);
	add(top, "format", eng_json_str("ringside/grade/v1"));
	add(top, "ringside", eng_json_str(eng_version));
	add(top, "verdict", eng_json_str(eng_verdict_name(v)));
	add(top, "points", points(v, p));
	add(top, "max", json_object_new_int64(max));
	for (unsigned i = 0; i < n; i++)
		json_object_array_add(list, lesson_json(&g[i]));
	add(top, "lessons", list);
	eng_json_add(out, top, true);
}

/* ---- Gradescope ---- */

static struct json_object *gradescope_test(const struct eng_grade *g, const struct eng_grade_check *k,
					   unsigned lesson, unsigned number, enum rs_lang lang)
{
	struct json_object *o = json_object_new_object(), *extra = json_object_new_object();
	rs_auto_free char *name = eng_grade_name(g, k);
	rs_auto_free char *num = rs_xasprintf("%u.%u", lesson, number);
	rs_auto_str text = RS_STR_INIT;

	eng_grade_sentence(k, lang, &text);
	if (k->note[0] && k->verdict != ENG_PASS)
		rs_str_addf(&text, "\n%s", k->note);
	if (k->verdict == ENG_FAIL && k->check->why)
		rs_str_addf(&text, "\n%s", eng_text(k->check->why, lang));
	/* a test without a score is shown, and not counted */
	if (k->verdict == ENG_PASS || k->verdict == ENG_FAIL) {
		add(o, "score", json_object_new_int64(k->points));
		add(o, "max_score", json_object_new_int64(k->check->points));
		add(o, "status", eng_json_str(eng_verdict_name(k->verdict)));
	}
	add(o, "name", eng_json_str(name));
	add(o, "number", eng_json_str(num));
	add(o, "output", eng_json_strn(text.p, text.len));
	add(o, "output_format", eng_json_str("text"));
	add(o, "visibility", eng_json_str("visible"));
	add(extra, "verdict", eng_json_str(eng_verdict_name(k->verdict)));
	add(extra, "expected", eng_json_str(k->expected));
	add(extra, "found", eng_json_str(eng_grade_found(k, lang)));
	add(o, "extra_data", extra);
	return o;
}

void eng_grade_gradescope(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
			  struct rs_str *out)
{
	struct json_object *top = json_object_new_object(), *tests = json_object_new_array();
	struct json_object *extra = json_object_new_object();
	enum eng_verdict v = over_all(g, n);
	rs_auto_str text = RS_STR_INIT;
	uint64_t ns = 0;
	unsigned p, max;

	(void)color;
	eng_grade_sum(g, n, &p, &max);
	for (unsigned i = 0; i < n; i++) {
		ns += g[i].wall_ns;
		for (unsigned k = 0; k < g[i].checks; k++)
			json_object_array_add(tests, gradescope_test(&g[i], &g[i].check[k], i + 1, k + 1,
								     lang));
		if (g[i].reason.code) {
			char buf[1024];

			rs_str_addf(&text, "%s: %s\n", g[i].lesson->id,
				    rs_err_format(&g[i].reason, lang, buf, sizeof(buf)));
		}
		if (g[i].build[0] && g[i].verdict != ENG_PASS)
			rs_str_add(&text, g[i].build);
	}
	if (v == ENG_PASS || v == ENG_FAIL) {
		rs_auto_free char *sum = rs_xasprintf(rs_tr(lang, N_("%u of %u points\n")), p, max);

		rs_str_add(&text, sum);
		/* without a score Gradescope reports that the autograder failed: that is right for a
		 * verdict that could not be reached */
		add(top, "score", json_object_new_int64(p));
	}
	add(top, "execution_time", json_object_new_int64((int64_t)((ns + 999999999) / 1000000000)));
	add(top, "output", eng_json_strn(text.p, text.len));
	add(top, "output_format", eng_json_str("text"));
	add(top, "visibility", eng_json_str("visible"));
	add(top, "stdout_visibility", eng_json_str("visible"));
	add(extra, "ringside", eng_json_str(eng_version));
	add(extra, "verdict", eng_json_str(eng_verdict_name(v)));
	add(extra, "max_score", json_object_new_int64(max));
	add(top, "extra_data", extra);
	add(top, "tests", tests);
	eng_json_add(out, top, true);
}
