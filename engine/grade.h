/* Grading: a lesson's checks on one state of a workspace, as data; and the formats that say it.
 * Private to engine/.
 *
 *   grade.c         runs the steps, collects the results
 *   grade_text.c    for people          grade_json.c   assets/schema/grade-v1.schema.json
 *   grade_junit.c   JUnit XML           grade_tap.c    TAP 14
 *   grade_gradescope.c   results.json
 *
 * What must stay true: every format says the same. A check that was not decided (this machine cannot
 * run it, or events were lost) has no points in any of them, neither zero nor full.
 */
#ifndef ENGINE_GRADE_H
#define ENGINE_GRADE_H

#include "engine/eng.h"

struct eng_grade_check {
	const struct eng_step *step;
	unsigned step_index;
	const struct eng_check *check;
	enum eng_verdict verdict;   /* PASS, FAIL, INCONCLUSIVE or UNGRADABLE */
	unsigned points;            /* earned */
	char *expression;           /* as written in the lesson, on one line */
	char *expected;             /* the part of it that decided: count(cpu.ring ...) == 3 */
	char *found;                /* what was found; "" when there is no value: reason says why */
	char *note;                 /* sub-values and deciding events, one a line */
	struct rs_err reason;       /* code 0: none */
};

struct eng_grade {
	const struct eng_lesson *lesson; /* not owned */
	char *workspace;            /* as the user named it; "" for a replay's */
	char *engine;               /* the CPU engine asked for; "" when any */
	enum eng_verdict verdict;   /* the worst of the checks'; PASS when all passed */
	unsigned points, max;
	struct eng_grade_check *check;
	unsigned checks;
	struct rs_err reason;       /* why INCONCLUSIVE, UNGRADABLE, or the build failed; code 0: none */
	char *build;                /* the compiler's messages, "" if none */
	uint64_t wall_ns;           /* the grading took this long */
	int64_t when;               /* Unix time at its start */
};

struct eng_grade_opts {
	const char *workspace;      /* the folder that is run as it is */
	const char *shown;          /* how to name it; NULL: workspace */
	const char *engine;         /* NULL: any */
	const char *step;           /* id of the only step to grade; NULL: all */
};

/* Grades. Never fails: what went wrong is a verdict with a reason. */
void eng_grade_run(struct eng_grade *g, const struct eng_lesson *l, const struct eng_grade_opts *o);
/* Grades what a session has; used for recordings. The session's replay must be done. */
void eng_grade_session(struct eng_grade *g, struct eng_session *s);
void eng_grade_release(struct eng_grade *g);
const char *eng_verdict_name(enum eng_verdict v); /* "passed", "failed", "inconclusive", "ungradable" */
/* The exit code over all of them: 3 when one is inconclusive, else 1 when one failed, else 77 when
 * one is ungradable, else 0. */
int eng_grade_exit(const struct eng_grade *g, unsigned n);
/* Points and maximum over all that were decided. */
void eng_grade_sum(const struct eng_grade *g, unsigned n, unsigned *points, unsigned *max);
/* "rings-syscall/three-crossings" */
char *eng_grade_name(const struct eng_grade *g, const struct eng_grade_check *k);
/* What was found, or why there is no value. */
const char *eng_grade_found(const struct eng_grade_check *k, enum rs_lang lang);
/* One check of a session's step, as it stands now; eng_grade_check_release frees what it holds. */
void eng_grade_check_take(struct eng_grade_check *k, struct eng_session *s, unsigned step,
			  unsigned index);
void eng_grade_check_release(struct eng_grade_check *k);
/* "count(...) == 3" and what was found, in one sentence without a final newline. */
void eng_grade_sentence(const struct eng_grade_check *k, enum rs_lang lang, struct rs_str *out);

struct json_object;
/* One check as JSON, as it stands in a grade and in a run's stream. The caller puts it. */
struct json_object *eng_grade_check_json(const struct eng_grade_check *k);

struct eng_grade_format {
	const char *name;
	void (*write)(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		      struct rs_str *out);
};
extern const struct eng_grade_format eng_grade_formats[]; /* ends with name NULL */
extern const char *const eng_grade_format_names[];        /* NULL-terminated */

void eng_grade_text(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		    struct rs_str *out);
void eng_grade_json(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		    struct rs_str *out);
void eng_grade_junit(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		     struct rs_str *out);
void eng_grade_tap(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		   struct rs_str *out);
void eng_grade_gradescope(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
			  struct rs_str *out);

#endif
