/* A container's group: its folders made in every hierarchy, and entered. */
#include "containers/cgroup_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

void ctr_cgroup_free(struct ctr_cgroup *cg)
{
	if (!cg)
		return;
	for (unsigned i = 0; i < cg->n; i++) {
		free(cg->f[i].controllers);
		free(cg->f[i].dir);
	}
	free(cg);
}

bool ctr_cgroup_exists(const struct ctr_cgroup *cg)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (cg->f[i].dir)
			return true;
	return false;
}

const char *ctr_cgroup_dir(const struct ctr_cgroup *cg, const char *controller)
{
	const struct ctr_cgroup_folder *f = ctr_cgroup_folder(cg, controller);

	return f ? f->dir : NULL;
}

void ctr_cgroup_emit_to(struct ctr_cgroup *cg, struct rs_emitter *em, uint32_t actor)
{
	cg->em = em;
	cg->actor = actor;
}

/* ---- where ---- */

/* "/a/b" without "." and with one slash between parts; NULL when ".." leads elsewhere. */
static char *clean(const char *path)
{
	rs_auto_str out = RS_STR_INIT;

	while (*path) {
		size_t n = strcspn(path, "/");

		if ((n == 2 && path[0] == '.' && path[1] == '.') || n > 255)
			return NULL;
		if (n && !(n == 1 && path[0] == '.')) {
			rs_str_addc(&out, '/');
			rs_str_addn(&out, path, n);
		}
		path += n;
		path += *path == '/';
	}
	return out.len ? rs_str_detach(&out) : NULL;
}

/* The folder below which a relative path lies. */
static char *base_dir(const struct ctr_hierarchy *h)
{
	char *dir = ctr_cgroup_own_dir(h), *slash = strrchr(dir, '/');

	/* v2's rule of no inner processes: this process is in that group, so it can have no groups with
	 * controllers below it; the root may. */
	if (h->v2 && strlen(dir) > strlen(h->mount) && slash)
		*slash = '\0';
	return dir;
}

/* ---- making ---- */

static bool occupied(const char *dir)
{
	rs_auto_str procs = RS_STR_INIT;

	return ctr_cgroup_read(dir, "cgroup.procs", &procs) == 0 && procs.len > 0;
}

/* A v1 cpuset is born without processors and memory, and nobody can enter such a group. */
static void fill_cpuset(const char *parent, const char *dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	rs_auto_str text = RS_STR_INIT;

	for (unsigned i = 0; i < 2; i++) {
		if (ctr_cgroup_read(dir, files[i], &text) < 0 || (text.len && text.p[0] != '\n'))
			continue;
		if (ctr_cgroup_read(parent, files[i], &text) == 0)
			ctr_cgroup_write(dir, files[i], text.p);
	}
}

/* Gives the controllers that are wanted to the groups below `dir`. What does not work is seen where a
 * limit finds no file. */
static void give_controllers(const char *dir, const char *wanted)
{
	rs_auto_free char *have = ctr_cgroup_words(dir, "cgroup.controllers");
	rs_auto_free char *given = ctr_cgroup_words(dir, "cgroup.subtree_control");

	for (char *save = NULL, *c = strtok_r(have, ",", &save); c; c = strtok_r(NULL, ",", &save)) {
		char order[64];

		if ((wanted && !ctr_cgroup_has_word(wanted, c)) || ctr_cgroup_has_word(given, c))
			continue;
		snprintf(order, sizeof(order), "+%s", c);
		ctr_cgroup_write(dir, "cgroup.subtree_control", order);
	}
}

static const char *cure(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return N_("run as root, or have the group delegated to you (systemd: Delegate=yes)");
	case EROFS:
		return N_("/sys/fs/cgroup is mounted read-only: mount it for writing, or begin outside of the container");
	case ENOSPC:
		return N_("the parent allows no more groups (cgroup.max.descendants, or an empty cpuset)");
	default:
		return N_("see ringside doctor for what this machine has");
	}
}

static int fail_make(struct rs_err *err, int error, const char *dir)
{
	struct rs_err why = RS_ERR_INIT, out = { .code = -error };

	rs_err_errno(&why, error, "the cgroup %s cannot be made", dir);
	for (int l = 0; l < RS_LANGS; l++)
		snprintf(out.text[l], sizeof(out.text[l]), "%.300s; %.200s", why.text[l], rs_tr((enum rs_lang)l, cure(error)));
	if (err)
		*err = out;
	return -error;
}

/* Makes the folder `rel` below base part by part. f->dir and f->made are set as it goes, so that what
 * was made can be removed. */
static int make_folder(struct ctr_cgroup_folder *f, const char *base, const char *rel, const char *wanted,
		       const struct ctr_cgroup_opts *o, struct rs_err *err)
{
	rs_auto_str dir = RS_STR_INIT;
	struct stat st;

	rs_str_add(&dir, base);
	for (const char *p = rel; *p;) {
		rs_auto_free char *parent = rs_xstrdup(dir.p);
		size_t n = 1 + strcspn(p + 1, "/");

		if (f->v2)
			give_controllers(parent, wanted);
		rs_str_addn(&dir, p, n);
		p += n;
		if (stat(dir.p, &st) < 0) {
			int rc = o->will_make ? o->will_make(o->arg, dir.p, err) : 0;

			if (rc < 0)
				return rc;
			if (mkdir(dir.p, 0755) < 0 && errno != EEXIST)
				return fail_make(err, errno, dir.p);
			f->made++;
			free(f->dir);
			f->dir = rs_xstrdup(dir.p);
		}
		if (!f->v2 && ctr_cgroup_has_word(f->controllers, "cpuset"))
			fill_cpuset(parent, dir.p);
	}
	free(f->dir);
	f->dir = rs_xstrdup(dir.p);
	if (!f->made && occupied(dir.p))
		return rs_err_set(err, -EEXIST, "the cgroup %s is there and has processes; choose another cgroupsPath, or end them "
				  "first", dir.p);
	return 0;
}

/* The names, as v2 has them, of the controllers that the resources need. NULL: all. */
static char *wanted_controllers(const struct ctr_resources *r)
{
	rs_auto_str out = RS_STR_INIT;

	if (!r)
		return NULL;
	rs_str_add(&out, "cpu,memory,pids,io,cpuset"); /* accounting wants them anyway */
	if (r->pageses)
		rs_str_add(&out, ",hugetlb");
	if (r->rdmas)
		rs_str_add(&out, ",rdma");
	for (unsigned i = 0; i < r->unifieds; i++)
		rs_str_addf(&out, ",%.*s", (int)strcspn(r->unified[i].file, "."), r->unified[i].file);
	return rs_str_detach(&out);
}

static void unmake(struct ctr_cgroup_folder *f)
{
	while (f->dir && f->made && (rmdir(f->dir) == 0 || errno == ENOENT)) {
		*strrchr(f->dir, '/') = '\0';
		f->made--;
	}
	free(f->dir);
	f->dir = NULL;
	f->made = 0;
}

#define TRIES 20 /* against other containers that remove the last group in a folder that they share with us */

static int make_in(struct ctr_cgroup *cg, const struct ctr_hierarchy *h, const char *rel, const char *wanted,
		   const struct ctr_cgroup_opts *o, struct rs_err *err)
{
	rs_auto_free char *base = o->path[0] == '/' ? rs_xstrdup(h->mount) : base_dir(h);
	struct ctr_cgroup_folder *f = &cg->f[cg->n++];
	int rc = 0;

	*f = (struct ctr_cgroup_folder){ .v2 = h->v2, .controllers = rs_xstrdup(h->controllers) };
	for (unsigned i = 0; i < TRIES; i++) {
		rc = make_folder(f, base, rel, wanted, o, err);
		if (rc == 0)
			break;
		unmake(f);
		if (rc != -ENOENT)
			break;
	}
	f->error = rc < 0 ? -rc : 0;
	if (rc < 0)
		return rc;
	if (h->v2) {
		free(f->controllers);
		f->controllers = ctr_cgroup_words(f->dir, "cgroup.controllers");
	}
	if (cg->em && f->made)
		rs_emit(cg->em, RS_EV_CGROUP_MAKE, RS_SRC_CTR, cg->actor, h->v2 ? 2 : 1, f->made, 0, 0, f->dir);
	return 0;
}

static bool no_right(int rc)
{
	return rc == -EACCES || rc == -EPERM || rc == -EROFS || rc == -ENOENT;
}

struct ctr_cgroup *ctr_cgroup_make(const struct ctr_cgroup_host *host, const struct ctr_cgroup_opts *o,
				   const struct ctr_resources *r, struct rs_err *err)
{
	rs_auto_free char *rel = o->path ? clean(o->path) : NULL, *wanted = wanted_controllers(r);
	struct ctr_cgroup *cg;
	int rc = 0;

	if (!rel) {
		rs_err_set(err, -EINVAL, "linux.cgroupsPath: \"%s\" names no group; give a path without \"..\"",
			   o->path ? o->path : "");
		return NULL;
	}
	if (host->layout == CTR_LAYOUT_NONE && !o->if_possible) {
		rs_err_set(err, -ENOTSUP, "this machine has no cgroups mounted; mount cgroup2 on /sys/fs/cgroup");
		return NULL;
	}
	cg = rs_xcalloc(1, sizeof(*cg));
	ctr_cgroup_emit_to(cg, o->em, o->actor);
	for (unsigned i = 0; rc == 0 && i < host->n; i++) {
		const struct ctr_hierarchy *h = &host->h[i];

		if (strncmp(h->controllers, "name=", 5) == 0)
			continue; /* it limits and counts nothing */
		rc = make_in(cg, h, rel, wanted, o, err);
		if (rc < 0 && o->if_possible && no_right(rc)) {
			rc = 0;
			if (err)
				*err = (struct rs_err)RS_ERR_INIT;
		}
	}
	if (rc == 0)
		return cg;
	for (unsigned i = 0; i < cg->n; i++)
		unmake(&cg->f[i]);
	ctr_cgroup_free(cg);
	return NULL;
}

/* ---- as text ---- */

void ctr_cgroup_save(const struct ctr_cgroup *cg, struct rs_str *out)
{
	for (unsigned i = 0; i < cg->n; i++) {
		const struct ctr_cgroup_folder *f = &cg->f[i];

		rs_str_addf(out, "%d %u %d %s %s\n", f->v2 ? 2 : 1, f->made, f->error,
			    *f->controllers ? f->controllers : "-", f->dir ? f->dir : "-");
	}
}

struct ctr_cgroup *ctr_cgroup_restore(const char *text, struct rs_err *err)
{
	struct ctr_cgroup *cg = rs_xcalloc(1, sizeof(*cg));

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		struct ctr_cgroup_folder *f = &cg->f[cg->n < CTR_HIERARCHIES ? cg->n : 0];
		char controllers[256];
		int version = 0, at = 0;
		unsigned made = 0;
		size_t len = strcspn(p, "\n");

		if (cg->n < CTR_HIERARCHIES)
			sscanf(p, "%d %u %d %255s %n", &version, &made, &f->error, controllers, &at);
		/* "-" is no folder; a folder is absolute. */
		if (!at || (size_t)at >= len || (version != 1 && version != 2) || made > 64 || (p[at] != '/' && p[at] != '-')) {
			rs_err_set(err, -EINVAL, "the saved cgroup is not readable: \"%.*s\"", (int)(len < 80 ? len : 80), p);
			ctr_cgroup_free(cg);
			return NULL;
		}
		f->v2 = version == 2;
		f->made = made;
		f->controllers = rs_xstrdup(strcmp(controllers, "-") ? controllers : "");
		f->dir = p[at] == '/' ? rs_xasprintf("%.*s", (int)(len - (size_t)at), p + at) : NULL;
		cg->n++;
	}
	return cg;
}

/* ---- enter ---- */

void ctr_cgroup_entry_close(struct ctr_cgroup_entry *e)
{
	if (e->clone_fd >= 0)
		close(e->clone_fd);
	for (unsigned i = 0; i < e->n; i++)
		close(e->tasks[i]);
	*e = (struct ctr_cgroup_entry){ .clone_fd = -1 };
}

int ctr_cgroup_entry_open(const struct ctr_cgroup *cg, bool clone_into, struct ctr_cgroup_entry *e, struct rs_err *err)
{
	*e = (struct ctr_cgroup_entry){ .clone_fd = -1 };
	for (unsigned i = 0; i < cg->n; i++) {
		const struct ctr_cgroup_folder *f = &cg->f[i];
		bool born = f->v2 && clone_into;
		rs_auto_free char *path = NULL;
		int fd;

		if (!f->dir)
			continue;
		path = born ? rs_xstrdup(f->dir) : rs_xasprintf("%s/%s", f->dir, f->v2 ? "cgroup.procs" : "tasks");
		fd = open(path, (born ? O_RDONLY | O_DIRECTORY : O_WRONLY) | O_CLOEXEC);
		if (fd < 0) {
			int error = errno;

			ctr_cgroup_entry_close(e);
			return rs_err_errno(err, error, "the cgroup cannot be entered: %s", path);
		}
		if (born)
			e->clone_fd = fd;
		else
			e->tasks[e->n++] = fd;
	}
	return 0;
}

int ctr_cgroup_entry_join(const struct ctr_cgroup_entry *e, unsigned *which)
{
	for (unsigned i = 0; i < e->n; i++) {
		ssize_t n;

		*which = i;
		while ((n = write(e->tasks[i], "0", 1)) < 0 && errno == EINTR)
			;
		if (n < 0)
			return -errno;
	}
	return 0;
}

int ctr_cgroup_add(const struct ctr_cgroup *cg, pid_t pid, struct rs_err *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (unsigned i = 0; i < cg->n; i++) {
		int rc = cg->f[i].dir ? ctr_cgroup_write(cg->f[i].dir, "cgroup.procs", text) : 0;

		if (rc < 0)
			return rs_err_errno(err, -rc, "process %d cannot be moved into %s", (int)pid, cg->f[i].dir);
	}
	return 0;
}
