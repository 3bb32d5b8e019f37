/* Can this machine run a lesson? What `requires:` and `engines:` ask for, checked in the cheapest way
 * that tells the truth: by trying it.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/build_command.h"
#include "engine/doctor.h"
#include "engine/kinds.h"
#include "engine/schema.h"

static int can_engine(const char *engine, struct rs_err *err)
{
	return vmm_available(engine, err);
}

static int probe_says(struct rs_err *err, const char *name, const struct eng_doctor_row *r)
{
	if (!err)
		return -ENOSYS;
	*err = (struct rs_err){ .code = -ENOSYS };
	for (int l = 0; l < RS_LANGS; l++)
		snprintf(err->text[l], sizeof(err->text[l]), "%s", r ? r->detail.in[l] : "-");
	return rs_err_wrap(err, N_("the probe guest %s says"), name);
}

/* Do the probe guests of all these rows (names with blanks between) do what hardware does? */
static int can_probe(const char *rows, struct rs_err *err)
{
	struct eng_doctor d = { 0 };
	int rc = 0;

	eng_doctor_cpu(&d, false);
	for (const char *p = rows; !rc && *p;) {
		size_t n = strcspn(p, " ");
		rs_auto_free char *name = rs_xasprintf("%.*s", (int)n, p);
		const struct eng_doctor_row *r = eng_doctor_find(&d, name);

		if (!r || r->state < VMM_EMULATED)
			rc = probe_says(err, name, r);
		p += n + (p[n] == ' ');
	}
	eng_doctor_release(&d);
	return rc;
}

static int can_build(const char *arg, struct rs_err *err)
{
	(void)arg;
	(void)err;
	return eng_have_tool("CC", "cc") && eng_have_tool("LD", "ld") ? 0 : -ENOENT;
}

static int can_cross(const char *guest, struct rs_err *err)
{
	const struct eng_guest_tool *t = eng_guest_tool(guest);

	(void)err;
	return eng_have_tool(t->var, t->cc) ? 0 : -ENOENT;
}

static int can_translate(const char *engine, struct rs_err *err)
{
	return emu_available(engine, err);
}

static int can_root(const char *arg, struct rs_err *err)
{
	(void)arg;
	(void)err;
	return geteuid() ? -EPERM : 0;
}

/* In a child: unsharing changes the caller. */
static int can_userns(const char *arg, struct rs_err *err)
{
	int status = 0;
	pid_t pid = fork();

	(void)arg;
	if (pid < 0)
		return rs_err_errno(err, errno, "cannot start a process");
	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? 1 : 0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EPERM;
}

static int can_namespace(const char *name, struct rs_err *err)
{
	rs_auto_free char *path = rs_xasprintf("/proc/self/ns/%s", name);

	(void)err;
	return access(path, F_OK) ? -ENOENT : 0;
}

/* A word in a file of /proc or /sys, as a whole word. */
static bool word_in(const char *path, const char *word)
{
	rs_auto_str text = RS_STR_INIT;
	size_t n = strlen(word);

	if (rs_file_read(path, 1 << 16, &text, NULL))
		return false;
	for (const char *p = text.p; (p = strstr(p, word)); p += n) {
		bool from = p == text.p || strchr(" \t\n", p[-1]);

		if (from && (!p[n] || strchr(" \t\n", p[n])))
			return true;
	}
	return false;
}

static int can_filesystem(const char *name, struct rs_err *err)
{
	(void)err;
	return word_in("/proc/filesystems", name) ? 0 : -ENODEV;
}

static int can_cgroup(const char *name, struct rs_err *err)
{
	rs_auto_free char *v1 = rs_xasprintf("/sys/fs/cgroup/%s/cgroup.procs",
					     strcmp(name, "io") ? name : "blkio");

	(void)err;
	if (word_in("/sys/fs/cgroup/cgroup.controllers", name) ||
	    word_in("/sys/fs/cgroup/unified/cgroup.controllers", name))
		return 0;
	return access(v1, F_OK) ? -ENOENT : 0;
}

static const struct ability {
	const char *name;
	int (*check)(const char *arg, struct rs_err *err);
	const char *arg, *sentence, *advice;
} abilities[] = {
#define ENG_ABILITY(name, check, arg, sentence, advice) { name, check, arg, sentence, advice },
#include "engine/abilities.def"
};
#define ABILITIES (sizeof(abilities) / sizeof(*abilities))

const char *const *eng_ability_names(void)
{
	static const char *const names[] = {
#define ENG_ABILITY(name, check, arg, sentence, advice) name,
#include "engine/abilities.def"
		NULL
	};

	return names;
}

const struct eng_func_doc *eng_ability_docs(void)
{
	static const struct eng_func_doc docs[] = {
#define ENG_ABILITY(name, check, arg, sentence, advice) { name, advice, sentence },
#include "engine/abilities.def"
		{ 0 }
	};

	return docs;
}

int eng_ability(const char *name, struct rs_err *err)
{
	for (unsigned i = 0; i < ABILITIES; i++) {
		const struct ability *a = &abilities[i];
		struct rs_err e = RS_ERR_INIT;

		if (strcmp(a->name, name))
			continue;
		int rc = a->check(a->arg, &e);
		if (!rc)
			return 0;
		/* sentence and advice in each language: the error holds all of them */
		struct rs_err out = RS_ERR_INIT;
		for (int l = 0; l < RS_LANGS; l++) {
			struct rs_err one = RS_ERR_INIT;
			const char *what = rs_tr((enum rs_lang)l, a->sentence);
			const char *how = rs_tr((enum rs_lang)l, a->advice);

			if (e.code)
				rs_err_set(&one, rc, "this machine lacks %s (%s): %s; %s", name, what, e.text[l],
					   how);
			else
				rs_err_set(&one, rc, "this machine lacks %s (%s); %s", name, what, how);
			memcpy(out.text[l], one.text[l], sizeof(out.text[l]));
		}
		out.code = rc;
		if (err)
			*err = out;
		return rc;
	}
	const char *near = rs_did_you_mean(name, eng_ability_names());
	return rs_err_set(err, -ENOENT, "unknown ability \"%s\"; did you mean \"%s\"?", name,
			  near ? near : abilities[0].name);
}

static bool listed(const struct eng_strings *s, const char *word)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->v[i], word))
			return true;
	return !s->n;
}

static bool any_kind_has(const struct eng_lesson *l, const char *engine)
{
	bool runs = false;

	for (unsigned i = 0; i < l->steps; i++) {
		runs |= l->step[i].run != NULL;
		if (l->step[i].run && eng_kind_has_engine(l->step[i].run->kind, engine))
			return listed(&l->engines, engine);
	}
	return !runs; /* a lesson that runs nothing runs everywhere */
}

/* Does the lesson name engines of this kind? If not, it claims all of them. */
static bool claims(const struct eng_lesson *l, const struct eng_kind *kind, const char *engine)
{
	bool named = false;

	for (unsigned i = 0; i < l->engines.n; i++)
		named |= eng_kind_has_engine(kind, l->engines.v[i]);
	return !named || listed(&l->engines, engine);
}

/* Some engine of the run's kind that the lesson claims works here; `engine`, if it is one of the kind's,
 * and the one that the run itself asks for must. */
static int some_engine(const struct eng_lesson *l, const struct eng_run *run, const char *engine,
		       struct rs_err *err)
{
	const struct eng_kind *k = run->kind;
	const char *fixed = eng_run_engine(run);
	int rc = 0;

	if (fixed)
		return k->available(fixed, err);
	if (engine && eng_kind_has_engine(k, engine)) {
		if (!claims(l, k, engine))
			return rs_err_set(err, -ENOTSUP, "the lesson %s is not made for the engine %s", l->id, engine);
		return k->available(engine, err);
	}
	for (unsigned i = 0; k->engines[i]; i++) {
		struct rs_err e = RS_ERR_INIT;

		if (!claims(l, k, k->engines[i]))
			continue;
		int one = k->available(k->engines[i], &e);
		if (!one)
			return 0;
		if (!rc) { /* the engine named first is the one to repair */
			rc = one;
			*err = e;
		}
	}
	return rc;
}

/* Abilities that an engine has by itself, whatever the host's KVM does. */
static bool inborn(const char *engine, const char *ability)
{
	static const struct { const char *engine, *ability; } rows[] = {
		{ "soft", "exact-rings" },
		{ "soft", "ring1" },
	};

	for (unsigned i = 0; engine && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].engine, engine) && !strcmp(rows[i].ability, ability))
			return true;
	return false;
}

static int runnable_on(const struct eng_lesson *l, const char *engine, struct rs_err *err)
{
	struct rs_err e = RS_ERR_INIT;
	int rc = 0;

	for (unsigned i = 0; !rc && i < l->requires_.n; i++)
		rc = inborn(engine, l->requires_.v[i]) ? 0 : eng_ability(l->requires_.v[i], &e);
	for (unsigned i = 0; !rc && i < l->steps; i++) {
		const struct eng_run *run = l->step[i].run;

		if (run && l->step[i].own_run && run->source)
			rc = eng_ability(run->kind->tool(run), &e);
		if (!rc && run && l->step[i].own_run)
			rc = some_engine(l, run, engine, &e);
	}
	if (!rc && engine && !any_kind_has(l, engine))
		rc = rs_err_set(&e, -ENOTSUP, "the lesson %s is not made for the engine %s", l->id, engine);
	if (rc && err)
		*err = e;
	return rc;
}

const char *eng_lesson_engine(const struct eng_lesson *l)
{
	for (unsigned k = 0; k < eng_kind_count; k++)
		for (unsigned i = 0; eng_kinds[k].engines[i]; i++)
			if (l->requires_.n && any_kind_has(l, eng_kinds[k].engines[i]) &&
			    runnable_on(l, eng_kinds[k].engines[i], NULL) == 0)
				return eng_kinds[k].engines[i];
	return NULL;
}

int eng_lesson_runnable(const struct eng_lesson *l, const char *engine, struct rs_err *err)
{
	int rc = runnable_on(l, engine, err);

	/* What the machine lacks one engine may bring along. */
	if (rc && !engine && eng_lesson_engine(l)) {
		if (err)
			*err = (struct rs_err)RS_ERR_INIT;
		return 0;
	}
	return rc;
}
