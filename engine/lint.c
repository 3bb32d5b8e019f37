#include "engine/lint.h"

#include <errno.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/copy.h"
#include "engine/grade.h"
#include "engine/kinds.h"
#include "vmm/vmm.h"

static void say(struct eng_lint *lt, enum eng_lint_kind kind, const struct rs_err *because,
		const char *file, int line, int col, const char *fmt, va_list ap)
{
	struct rs_err e = RS_ERR_INIT;

	e.code = kind == ENG_LINT_REFUSED ? -EINVAL : -ECANCELED;
	snprintf(e.file, sizeof(e.file), "%s", file ? file : "");
	e.line = line;
	e.col = col;
	for (unsigned l = 0; l < RS_LANGS; l++) {
		va_list again;
		size_t n;

		va_copy(again, ap);
		vsnprintf(e.text[l], sizeof(e.text[l]), rs_tr(l, fmt), again);
		va_end(again);
		n = strlen(e.text[l]);
		if (because)
			snprintf(e.text[l] + n, sizeof(e.text[l]) - n, "%s%s", rs_tr(l, N_(": ")),
				 because->text[l][0] ? because->text[l] : because->text[RS_LANG_EN]);
	}
	lt->count[kind]++;
	lt->say(lt->arg, kind, &e);
}

void eng_lint_say(struct eng_lint *lt, enum eng_lint_kind kind, const char *file, int line, int col,
		  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(lt, kind, NULL, file, line, col, fmt, ap);
	va_end(ap);
}

/* The same, with a second sentence behind a colon. */
static void say_because(struct eng_lint *lt, enum eng_lint_kind kind, const struct rs_err *because,
			const char *file, int line, int col, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));

static void say_because(struct eng_lint *lt, enum eng_lint_kind kind, const struct rs_err *because,
			const char *file, int line, int col, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(lt, kind, because, file, line, col, fmt, ap);
	va_end(ap);
}

/* What a check says, in every language. */
static struct rs_err sentence_of(const struct eng_grade_check *k)
{
	struct rs_err e = RS_ERR_INIT;

	for (unsigned l = 0; l < RS_LANGS; l++) {
		rs_auto_str s = RS_STR_INIT;

		eng_grade_sentence(k, l, &s);
		snprintf(e.text[l], sizeof(e.text[l]), "%s", s.p);
	}
	return e;
}

#define PROVED(lt, ...) eng_lint_say(lt, ENG_LINT_PROVED, NULL, 0, 0, __VA_ARGS__)
#define REFUSED(lt, l, line, col, ...)                                                             \
	eng_lint_say(lt, ENG_LINT_REFUSED, (l)->path, line, col, __VA_ARGS__)

/* Hands on an error of somebody else. */
static void pass_on(struct eng_lint *lt, enum eng_lint_kind kind, const struct rs_err *e)
{
	lt->count[kind]++;
	lt->say(lt->arg, kind, e);
}

struct proof {
	struct eng_lint *lt;
	const struct eng_lesson *l;
	const char *engine;      /* the one that starter and wrong answers run on */
	bool *reached;           /* a check by number: the starter or a wrong answer fails it */
};

/* Number of a check, counted over the whole lesson. */
static unsigned check_number(const struct eng_lesson *l, const struct eng_check *k)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->steps; i++) {
		if (k >= l->step[i].check && k < l->step[i].check + l->step[i].checks)
			return n + (unsigned)(k - l->step[i].check);
		n += l->step[i].checks;
	}
	return n;
}

/* Says why a run could not be judged. True: the caller need not go on. */
static bool undecided(struct proof *p, const struct eng_grade *g, const char *what)
{
	if (g->verdict == ENG_UNGRADABLE) {
		pass_on(p->lt, ENG_LINT_NEEDS, &g->reason);
		return true;
	}
	if (g->verdict == ENG_INCONCLUSIVE) {
		say_because(p->lt, ENG_LINT_REFUSED, &g->reason, what, 0, 0, N_("it could not be judged"));
		return true;
	}
	return false;
}

static const struct eng_grade_check *first_failed(const struct eng_grade *g, const char *step)
{
	for (unsigned i = 0; i < g->checks; i++)
		if (g->check[i].verdict == ENG_FAIL && (!step || strcmp(g->check[i].step->id, step) == 0))
			return &g->check[i];
	return NULL;
}

static void mark_reached(struct proof *p, const struct eng_grade *g)
{
	for (unsigned i = 0; i < g->checks; i++)
		if (g->check[i].verdict == ENG_FAIL)
			p->reached[check_number(p->l, g->check[i].check)] = true;
}

/* The starter fails at least one check of every step that has checks. */
static bool prove_starter(struct proof *p)
{
	rs_cleanup(eng_copy_release) struct eng_copy copy = ENG_COPY_INIT;
	struct eng_grade_opts o = { .engine = p->engine };
	const struct eng_lesson *l = p->l;
	struct rs_err err = RS_ERR_INIT;
	struct eng_grade g;
	unsigned steps = 0, failed = 0;
	bool ok = true;

	if (eng_copy_new(&copy, &err) < 0 || eng_copy_starter(&copy, l, &err) < 0) {
		pass_on(p->lt, ENG_LINT_REFUSED, &err);
		return false;
	}
	o.workspace = copy.path;
	eng_grade_run(&g, l, &o);
	if (undecided(p, &g, l->path)) {
		eng_grade_release(&g);
		return false;
	}
	mark_reached(p, &g);
	for (unsigned i = 0; i < l->steps; i++) {
		if (!l->step[i].checks)
			continue;
		steps++;
		if (!first_failed(&g, l->step[i].id)) {
			REFUSED(p->lt, l, l->step[i].check[0].line, l->step[i].check[0].col,
				N_("the starter passes every check of the step \"%s\": there is nothing left "
				   "to do"), l->step[i].id);
			ok = false;
		}
	}
	for (unsigned i = 0; i < g.checks; i++)
		failed += g.check[i].verdict == ENG_FAIL;
	if (ok && steps)
		PROVED(p->lt, N_("the starter fails %u of %u checks, at least one in each step that has any"),
		       failed, g.checks);
	eng_grade_release(&g);
	return ok;
}

/* Every folder in wrong/ fails the check it is named after, and builds. */
static bool prove_wrong(struct proof *p, const struct eng_wrong *w)
{
	rs_cleanup(eng_copy_release) struct eng_copy copy = ENG_COPY_INIT;
	rs_auto_free char *dir = rs_xasprintf("%s/wrong/%s", p->l->dir, w->name);
	struct eng_grade_opts o = { .engine = p->engine };
	const struct eng_grade_check *k = NULL;
	struct rs_err err = RS_ERR_INIT;
	struct eng_grade g;
	bool ok = false;

	for (unsigned i = 0; i < p->l->steps && !o.step; i++)
		for (unsigned n = 0; n < p->l->step[i].checks; n++)
			if (strcmp(p->l->step[i].check[n].id, w->check) == 0)
				o.step = p->l->step[i].id;
	if (eng_copy_new(&copy, &err) < 0 || eng_copy_solution(&copy, p->l, &err) < 0 ||
	    eng_copy_folder(&copy, dir, &err) < 0) {
		pass_on(p->lt, ENG_LINT_REFUSED, &err);
		return false;
	}
	o.workspace = copy.path;
	eng_grade_run(&g, p->l, &o);
	for (unsigned i = 0; i < g.checks; i++)
		if (strcmp(g.check[i].check->id, w->check) == 0)
			k = &g.check[i];
	if (undecided(p, &g, dir)) {
		eng_grade_release(&g);
		return false;
	}
	if (g.reason.code)
		say_because(p->lt, ENG_LINT_REFUSED, &g.reason, dir, 0, 0,
			    N_("this wrong answer does not run, so it proves nothing about its check"));
	else if (!k || k->verdict != ENG_FAIL)
		eng_lint_say(p->lt, ENG_LINT_REFUSED, dir, 0, 0,
			     N_("this wrong answer passes the check \"%s\" that it must fail"), w->check);
	else
		ok = true;
	if (ok) {
		struct rs_err why = sentence_of(k);

		mark_reached(p, &g);
		say_because(p->lt, ENG_LINT_PROVED, &why, NULL, 0, 0, N_("wrong/%s fails %s"), w->name,
			    w->check);
	}
	eng_grade_release(&g);
	return ok;
}

/* The solution earns every point. */
static bool prove_solution(struct proof *p, const char *engine)
{
	rs_cleanup(eng_copy_release) struct eng_copy copy = ENG_COPY_INIT;
	struct eng_grade_opts o = { .engine = engine };
	rs_auto_free char *dir = rs_xasprintf("%s/solution", p->l->dir);
	const struct eng_grade_check *k;
	struct rs_err err = RS_ERR_INIT;
	struct eng_grade g;
	bool ok = false;

	if (eng_copy_new(&copy, &err) < 0 || eng_copy_solution(&copy, p->l, &err) < 0) {
		pass_on(p->lt, ENG_LINT_REFUSED, &err);
		return false;
	}
	o.workspace = copy.path;
	eng_grade_run(&g, p->l, &o);
	if (undecided(p, &g, dir)) {
		eng_grade_release(&g);
		return false;
	}
	k = first_failed(&g, NULL);
	if (k) {
		struct rs_err why = sentence_of(k);

		say_because(p->lt, ENG_LINT_REFUSED, &why, p->l->path, k->check->line, k->check->col,
			    N_("the solution fails the check \"%s\" on the engine %s"), k->check->id, engine);
	} else {
		ok = true;
		PROVED(p->lt, N_("the solution earns %u of %u points on the engine %s"), g.points, g.max,
		       engine);
	}
	eng_grade_release(&g);
	return ok;
}

static bool prove_hints(struct proof *p)
{
	unsigned hints = 0;
	bool ok = true;

	for (unsigned i = 0; i < p->l->steps; i++)
		for (unsigned n = 0; n < p->l->step[i].checks; n++) {
			const struct eng_check *k = &p->l->step[i].check[n];

			hints += k->hints;
			if (!k->hints || p->reached[check_number(p->l, k)])
				continue;
			REFUSED(p->lt, p->l, k->hint[0].line ? k->hint[0].line : k->line,
				k->hint[0].line ? k->hint[0].col : k->col,
				N_("nobody can reach the hints of the check \"%s\": neither the starter nor a "
				   "wrong answer fails it"), k->id);
			ok = false;
		}
	if (ok && hints)
		PROVED(p->lt, N_("every hint can be reached (%u)"), hints);
	return ok;
}

static bool runs_kind(const struct eng_lesson *l, const struct eng_kind *kind)
{
	for (unsigned i = 0; i < l->steps; i++)
		if (l->step[i].run && l->step[i].run->kind == kind)
			return true;
	return false;
}

static bool is_asked(const struct eng_lint *lt, const char *engine)
{
	return !lt->engine || strcmp(lt->engine, engine) == 0;
}

/* The engines that the lesson claims and this machine has. Says what is missing. */
static unsigned usable_engines(struct eng_lint *lt, const struct eng_lesson *l, const char *out[8])
{
	const char *names[8];
	unsigned n = 0, found = 0;
	struct rs_err why[8] = { 0 };

	for (unsigned i = 0; i < l->engines.n && n < 8; i++)
		if (is_asked(lt, l->engines.v[i]))
			names[n++] = l->engines.v[i];
	for (unsigned k = 0; !l->engines.n && k < eng_kind_count; k++)
		for (unsigned i = 0; runs_kind(l, &eng_kinds[k]) && eng_kinds[k].engines[i] && n < 8; i++)
			if (is_asked(lt, eng_kinds[k].engines[i]))
				names[n++] = eng_kinds[k].engines[i];
	if (!n)
		eng_lint_say(lt, ENG_LINT_NOTE, NULL, 0, 0, N_("not tried: it does not run on the engine %s"), lt->engine);
	for (unsigned i = 0; i < n && i < 8; i++) {
		if (eng_lesson_runnable(l, names[i], &why[i]) == 0)
			out[found++] = names[i];
	}
	for (unsigned i = 0; i < n && i < 8; i++)
		if (why[i].code)
			say_because(lt, found ? ENG_LINT_NOTE : ENG_LINT_NEEDS, &why[i], NULL, 0, 0,
				    found ? N_("not tried on the engine %s") :
					    N_("proved as far as possible without running on the engine %s"),
				    names[i]);
	return found;
}

static void prove_by_running(struct eng_lint *lt, const struct eng_lesson *l)
{
	struct proof p = { .lt = lt, .l = l };
	const char *engines[8];
	unsigned n = usable_engines(lt, l, engines), checks = 0;
	struct eng_lint_host host;
	rs_auto_str left = RS_STR_INIT;
	rs_auto_free bool *reached = NULL;
	bool ok;

	if (!n)
		return;
	for (unsigned i = 0; i < l->steps; i++)
		checks += l->step[i].checks;
	reached = rs_xcalloc(checks + 1, sizeof(*reached));
	p.reached = reached;
	p.engine = engines[0];
	eng_lint_host_before(&host);
	ok = prove_starter(&p);
	for (unsigned i = 0; i < l->wrongs; i++)
		ok &= prove_wrong(&p, &l->wrong[i]);
	if (ok)
		prove_hints(&p);
	for (unsigned i = 0; i < n; i++)
		prove_solution(&p, engines[i]);
	if (eng_lint_host_after(&host, &left) < 0)
		eng_lint_say(lt, ENG_LINT_REFUSED, l->path, 0, 0, N_("its runs leave behind: %s"), left.p);
	else
		PROVED(lt, N_("nothing is left on the host"));
	eng_lint_host_release(&host);
}

/* Each check is named by a wrong answer, or the lesson says nothing about what it tells apart. */
static void look_at_wrongs(struct eng_lint *lt, const struct eng_lesson *l)
{
	for (unsigned i = 0; i < l->steps; i++)
		for (unsigned n = 0; n < l->step[i].checks; n++) {
			const struct eng_check *k = &l->step[i].check[n];
			bool named = false;

			for (unsigned w = 0; w < l->wrongs; w++)
				named |= strcmp(l->wrong[w].check, k->id) == 0;
			if (!named)
				eng_lint_say(lt, ENG_LINT_NOTE, l->path, k->line, k->col,
					     N_("no wrong answer is about the check \"%s\""), k->id);
		}
}

void eng_lint_lesson(struct eng_lint *lt, const char *path)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_lesson *l = eng_lesson_load(path, &err);
	unsigned texts, checks = 0;

	if (!l) {
		pass_on(lt, ENG_LINT_REFUSED, &err);
		return;
	}
	for (unsigned i = 0; i < l->steps; i++)
		checks += l->step[i].checks;
	PROVED(lt, N_("the schema holds (steps: %u, checks: %u, points: %u, wrong answers: %u)"), l->steps, checks,
	       l->points, l->wrongs);
	texts = eng_lint_texts(lt, l);
	PROVED(lt, N_("every text is there in all languages (%u in %u)"), texts, (unsigned)RS_LANGS);
	look_at_wrongs(lt, l);
	if (lt->is_static)
		eng_lint_say(lt, ENG_LINT_NOTE, NULL, 0, 0, N_("nothing was run (--static)"));
	else
		prove_by_running(lt, l);
	eng_lesson_free(l);
}

static void catalog_bad(void *arg, const struct rs_err *e)
{
	pass_on(arg, ENG_LINT_REFUSED, e);
}

void eng_lint_catalog(struct eng_lint *lt, const char *labs_dir)
{
	struct eng_catalog cat = { 0 };
	struct rs_err err = RS_ERR_INIT;

	if (eng_catalog_load(&cat, labs_dir, NULL, NULL, &err) < 0) {
		pass_on(lt, ENG_LINT_REFUSED, &err);
		return;
	}
	if (eng_catalog_check(&cat, catalog_bad, lt) == 0)
		PROVED(lt, N_("the lessons (%u) agree with each other: ids, numbers, prerequisites"), cat.n);
	eng_catalog_release(&cat);
}

int eng_lint_exit(const struct eng_lint *lt)
{
	if (lt->count[ENG_LINT_REFUSED])
		return ENG_EXIT_USAGE;
	return lt->count[ENG_LINT_NEEDS] ? ENG_EXIT_UNGRADABLE : ENG_EXIT_OK;
}
