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
#include "engine/doctor.h"
#include "engine/kinds.h"
#include "engine/schema.h"

static int can_engine(const char *engine, struct rs_err *err)
{
	return vmm_available(engine, err);
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
			rc = rs_err_set(err, -ENOSYS, "the probe guest %s says: %s", name, r ? r->detail : "-");
		p += n + (p[n] == ' ');
	}
	eng_doctor_release(&d);
	return rc;
}

/* Is a program in PATH? */
static bool program(const char *name)
{
	const char *path = getenv("PATH");

	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		rs_auto_free char *file = rs_xasprintf("%.*s/%s", (int)n, p, name);

		if (n && !access(file, X_OK))
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

static int can_build(const char *arg, struct rs_err *err)
{
	(void)arg;
	(void)err;
	return (program("cc") || program("gcc") || program("clang")) && program("ld") ? 0 : -ENOENT;
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

/* Some engine that the lesson claims works here. */
static int some_engine(const struct eng_lesson *l, const char *engine, struct rs_err *err)
{
	const char *const *names = eng_engine_names();
	int rc = 0;

	if (engine) {
		if (!listed(&l->engines, engine))
			return rs_err_set(err, -ENOTSUP, "the lesson %s is not made for the CPU engine %s", l->id,
					  engine);
		return vmm_available(engine, err);
	}
	for (unsigned i = 0; names[i]; i++) {
		struct rs_err e = RS_ERR_INIT;

		if (!listed(&l->engines, names[i]))
			continue;
		int one = vmm_available(names[i], &e);
		if (!one)
			return 0;
		if (!rc) { /* the engine named first is the one to repair */
			rc = one;
			*err = e;
		}
	}
	return rc;
}

int eng_lesson_runnable(const struct eng_lesson *l, const char *engine, struct rs_err *err)
{
	bool cpu = false, build = false;
	struct rs_err e = RS_ERR_INIT;
	int rc = 0;

	for (unsigned i = 0; i < l->steps; i++) {
		cpu |= l->step[i].run && l->step[i].run->kind->x86;
		build |= l->step[i].run && l->step[i].run->source;
	}
	for (unsigned i = 0; !rc && i < l->requires_.n; i++)
		rc = eng_ability(l->requires_.v[i], &e);
	if (!rc && build)
		rc = eng_ability("cc", &e);
	if (!rc && cpu)
		rc = some_engine(l, engine, &e);
	if (rc && err)
		*err = e;
	return rc;
}
