/* Where lessons are, which ones there are, and which one a name means. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/eng.h"

static bool is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Cuts the last part off; false at the root. */
static bool up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return false;
	*slash = 0;
	return true;
}

/* The folder of the running program, or NULL. */
static char *program_dir(void)
{
	rs_auto_free char *exe = realpath("/proc/self/exe", NULL);

	return exe && up(exe) ? rs_steal(exe) : NULL;
}

char *eng_labs_dir(struct rs_err *err)
{
	const char *env = getenv("RINGSIDE_LABS");
	rs_auto_free char *dir = program_dir();

	if (env && *env) {
		if (is_dir(env))
			return rs_xstrdup(env);
		rs_err_set(err, -ENOENT, "RINGSIDE_LABS names %s, which is not a folder", env);
		return NULL;
	}
	/* installed, wherever the whole tree was moved to: bin/ringside, share/ringside/labs */
	if (dir) {
		rs_auto_free char *path = rs_xasprintf("%s/../share/ringside/labs", dir);

		if (is_dir(path))
			return realpath(path, NULL);
	}
	/* in the source tree: build/ringside, build/tests/..., labs/ beside engine/ */
	for (int i = 0; dir && i < 3; i++) {
		rs_auto_free char *path = rs_xasprintf("%s/labs", dir);
		rs_auto_free char *mark = rs_xasprintf("%s/engine/eng.h", dir);

		if (is_dir(path) && !access(mark, F_OK))
			return rs_steal(path);
		if (!up(dir))
			break;
	}
	if (is_dir(RS_PREFIX "/share/ringside/labs"))
		return rs_xstrdup(RS_PREFIX "/share/ringside/labs");
	rs_err_set(err, -ENOENT, "no lessons found; set RINGSIDE_LABS to the folder that holds them");
	return NULL;
}

static int by_number(const void *a, const void *b)
{
	const struct eng_lesson *x = *(struct eng_lesson *const *)a, *y = *(struct eng_lesson *const *)b;

	/* lessons without a number come last */
	unsigned m = (unsigned)x->number - 1, n = (unsigned)y->number - 1;
	if (m != n)
		return m < n ? -1 : 1;
	return strcmp(x->folder, y->folder);
}

int eng_catalog_load(struct eng_catalog *c, const char *labs_dir,
		     void (*bad)(void *arg, const struct rs_err *e), void *arg, struct rs_err *err)
{
	rs_auto_closedir DIR *d = opendir(labs_dir);
	const struct dirent *e;

	*c = (struct eng_catalog){ 0 };
	if (!d)
		return rs_err_errno(err, errno, "cannot open the lessons folder %s", labs_dir);
	while ((e = readdir(d))) {
		rs_auto_free char *dir = rs_xasprintf("%s/%s", labs_dir, e->d_name);
		rs_auto_free char *file = rs_xasprintf("%s/lesson.yaml", dir);
		struct rs_err le = RS_ERR_INIT;

		if (e->d_name[0] == '.' || access(file, F_OK))
			continue;
		struct eng_lesson *l = eng_lesson_load(dir, &le);
		if (!l) {
			if (bad)
				bad(arg, &le);
			continue;
		}
		c->v = rs_xrealloc(c->v, c->n + 1, sizeof(*c->v));
		c->v[c->n++] = l;
	}
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), by_number);
	return 0;
}

void eng_catalog_release(struct eng_catalog *c)
{
	for (unsigned i = 0; i < c->n; i++)
		eng_lesson_free(c->v[i]);
	free(c->v);
	*c = (struct eng_catalog){ 0 };
}

static bool has(const struct eng_strings *s, const char *word)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->v[i], word))
			return true;
	return false;
}

static struct eng_lesson *by_id(const struct eng_catalog *c, const char *id)
{
	for (unsigned i = 0; i < c->n; i++)
		if (!strcmp(c->v[i]->id, id))
			return c->v[i];
	/* an old id yields to a lesson that has it now */
	for (unsigned i = 0; i < c->n; i++)
		if (has(&c->v[i]->aliases, id))
			return c->v[i];
	return NULL;
}

static const char *near_name(const struct eng_catalog *c, const char *name)
{
	rs_auto_free const char **names = rs_xcalloc((size_t)c->n * 2 + 1, sizeof(*names));

	for (unsigned i = 0; i < c->n; i++) {
		names[2 * i] = c->v[i]->id;
		names[2 * i + 1] = c->v[i]->folder;
	}
	return rs_did_you_mean(name, names);
}

struct eng_lesson *eng_catalog_find(const struct eng_catalog *c, const char *name, struct rs_err *err)
{
	struct eng_lesson *l = by_id(c, name);
	char *end;
	unsigned long n = strtoul(name, &end, 10);

	for (unsigned i = 0; i < c->n && !l; i++)
		if (!strcmp(c->v[i]->folder, name) ||
		    (*name && !*end && n && (unsigned long)c->v[i]->number == n))
			l = c->v[i];
	if (l)
		return l;
	const char *near = near_name(c, name);
	if (near)
		rs_err_set(err, -ENOENT, "there is no lesson \"%s\"; did you mean \"%s\"?", name, near);
	else
		rs_err_set(err, -ENOENT, "there is no lesson \"%s\"; ringside list shows them all", name);
	return NULL;
}

/* ---- what lessons mean for each other ---- */

struct walk {
	const struct eng_catalog *c;
	unsigned char *state;     /* 0 not seen, 1 on the way, 2 done */
	unsigned *path, depth;
	void (*bad)(void *arg, const struct rs_err *e);
	void *arg;
	unsigned found;
};

static void report(struct walk *w, const struct rs_err *e)
{
	w->found++;
	if (w->bad)
		w->bad(w->arg, e);
}

static unsigned index_of(const struct eng_catalog *c, const struct eng_lesson *l)
{
	unsigned i = 0;

	while (c->v[i] != l)
		i++;
	return i;
}

static void circle(struct walk *w, unsigned from)
{
	rs_auto_str names = RS_STR_INIT;
	struct rs_err e = RS_ERR_INIT;
	const struct eng_lesson *l = w->c->v[w->path[w->depth - 1]];
	unsigned k = 0;

	while (w->path[k] != from)
		k++;
	for (; k < w->depth; k++)
		rs_str_addf(&names, "%s -> ", w->c->v[w->path[k]]->id);
	rs_str_add(&names, w->c->v[from]->id);
	rs_err_at(&e, -EINVAL, l->path, l->prerequisites.line, l->prerequisites.col,
		  "the prerequisites form a circle: %s", names.p);
	report(w, &e);
}

static void visit(struct walk *w, unsigned i)
{
	const struct eng_lesson *l = w->c->v[i];

	w->state[i] = 1;
	w->path[w->depth++] = i;
	for (unsigned k = 0; k < l->prerequisites.n; k++) {
		const struct eng_lesson *before = by_id(w->c, l->prerequisites.v[k]);

		if (!before)
			continue; /* unknown: reported apart */
		unsigned j = index_of(w->c, before);
		if (w->state[j] == 1)
			circle(w, j);
		else if (!w->state[j])
			visit(w, j);
	}
	w->depth--;
	w->state[i] = 2;
}

static void unknown_prerequisites(struct walk *w, const struct eng_lesson *l)
{
	for (unsigned k = 0; k < l->prerequisites.n; k++) {
		const char *id = l->prerequisites.v[k], *near;
		struct rs_err e = RS_ERR_INIT;

		if (by_id(w->c, id))
			continue;
		near = near_name(w->c, id);
		if (near)
			rs_err_at(&e, -EINVAL, l->path, l->prerequisites.line, l->prerequisites.col,
				  "the prerequisite \"%s\" is no lesson; did you mean \"%s\"?", id, near);
		else
			rs_err_at(&e, -EINVAL, l->path, l->prerequisites.line, l->prerequisites.col,
				  "the prerequisite \"%s\" is no lesson", id);
		report(w, &e);
	}
}

static void same_names(struct walk *w, const struct eng_lesson *a, const struct eng_lesson *b)
{
	struct rs_err e = RS_ERR_INIT;

	if (!strcmp(a->id, b->id)) {
		rs_err_at(&e, -EINVAL, b->path, 1, 1, "the id \"%s\" belongs to %s already", b->id, a->path);
		report(w, &e);
	}
	if (a->number && a->number == b->number) {
		rs_err_at(&e, -EINVAL, b->path, 1, 1, "the number %d belongs to %s already", b->number,
			  a->path);
		report(w, &e);
	}
	for (int turn = 0; turn < 2; turn++) {
		const struct eng_lesson *x = turn ? b : a, *y = turn ? a : b;

		for (unsigned i = 0; i < x->aliases.n; i++) {
			if (strcmp(x->aliases.v[i], y->id) && (turn || !has(&y->aliases, x->aliases.v[i])))
				continue;
			rs_err_at(&e, -EINVAL, x->path, x->aliases.line, x->aliases.col,
				  "the alias \"%s\" is a name of %s", x->aliases.v[i], y->path);
			report(w, &e);
		}
	}
}

unsigned eng_catalog_check(const struct eng_catalog *c, void (*bad)(void *arg, const struct rs_err *e),
			   void *arg)
{
	rs_auto_free unsigned char *state = rs_xcalloc(c->n + 1, 1);
	rs_auto_free unsigned *path = rs_xcalloc(c->n + 1, sizeof(*path));
	struct walk w = { .c = c, .state = state, .path = path, .bad = bad, .arg = arg };

	for (unsigned i = 0; i < c->n; i++) {
		unknown_prerequisites(&w, c->v[i]);
		for (unsigned k = 0; k < i; k++)
			same_names(&w, c->v[k], c->v[i]);
	}
	for (unsigned i = 0; i < c->n; i++)
		if (!state[i])
			visit(&w, i);
	return w.found;
}
