/* A group that runs: its processes stopped and let go, signalled, counted; and the group removed. */
#include "containers/cgroup_dir.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

#define WAIT_MS 10000 /* for the kernel to freeze, or to bury what was killed */

static void nap(unsigned round)
{
	/* Quick at first: most things are done within a millisecond. */
	nanosleep(&(struct timespec){ .tv_nsec = round < 20 ? 200000 : 5000000 }, NULL);
}

/* ---- the freezer ---- */

/* v2's is a file of every group and freezes so that a kill still works; v1's is a controller. */
static const struct ctr_cgroup_folder *freezer(const struct ctr_cgroup *cg)
{
	const struct ctr_cgroup_folder *f = ctr_cgroup_folder(cg, "");

	if (f && f->dir && ctr_cgroup_has(f->dir, "cgroup.freeze"))
		return f;
	f = ctr_cgroup_folder(cg, "freezer");
	return f && f->dir && !f->v2 ? f : NULL;
}

static int is_frozen(const struct ctr_cgroup_folder *f, bool *frozen)
{
	rs_auto_str text = RS_STR_INIT;
	int rc = ctr_cgroup_read(f->dir, f->v2 ? "cgroup.events" : "freezer.state", &text);

	if (rc == 0)
		*frozen = f->v2 ? ctr_cgroup_line(text.p, "frozen") == 1 : strncmp(text.p, "FROZEN", 6) == 0;
	return rc;
}

int ctr_cgroup_frozen(const struct ctr_cgroup *cg, bool *frozen, struct rs_err *err)
{
	const struct ctr_cgroup_folder *f = freezer(cg);
	int rc;

	*frozen = false;
	if (!f)
		return 0; /* what cannot freeze does not stand still */
	rc = is_frozen(f, frozen);
	return rc < 0 ? rs_err_errno(err, -rc, "the freezer of %s cannot be read", f->dir) : 0;
}

int ctr_cgroup_freeze(struct ctr_cgroup *cg, bool frozen, struct rs_err *err)
{
	const struct ctr_cgroup_folder *f = freezer(cg);
	bool now = !frozen;
	int rc;

	if (!f)
		return rs_err_set(err, -EOPNOTSUPP, "the container cannot be paused: its cgroup has no freezer; mount cgroup2, or the "
				  "v1 controller freezer");
	for (unsigned round = 0; now != frozen; round++) {
		/* v1 gives up when a process is in an uninterruptible sleep, and wants to be asked again. */
		rc = round == 0 || (!f->v2 && round % 16 == 0) ?
			     ctr_cgroup_write(f->dir, f->v2 ? "cgroup.freeze" : "freezer.state",
					      f->v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED")) :
			     0;
		if (rc == 0)
			rc = is_frozen(f, &now);
		if (rc < 0)
			return rs_err_errno(err, -rc, frozen ? N_("the processes of %s cannot be frozen") :
						      N_("the processes of %s cannot be thawed"), f->dir);
		if (now == frozen)
			break;
		if (round > WAIT_MS / 5)
			return rs_err_set(err, -ETIMEDOUT, "not all processes of %s stand still after %d s: one is in an "
					  "uninterruptible sleep", f->dir, WAIT_MS / 1000);
		nap(round);
	}
	if (cg->em)
		rs_emit(cg->em, RS_EV_CGROUP_FREEZE, RS_SRC_CTR, cg->actor, frozen, 0, 0, 0, f->v2 ? "cgroup.freeze" : "freezer.state");
	return 0;
}

/* ---- processes ---- */

struct pids {
	pid_t *v;
	unsigned n, cap;
};

static void take_pids(struct pids *p, const char *dir, unsigned depth)
{
	rs_auto_str text = RS_STR_INIT;
	rs_auto_closedir DIR *d = NULL;
	struct dirent *e;

	if (ctr_cgroup_read(dir, "cgroup.procs", &text) == 0)
		for (char *s = NULL, *w = strtok_r(text.p, "\n", &s); w; w = strtok_r(NULL, "\n", &s)) {
			pid_t pid = (pid_t)atoi(w);

			if (pid <= 0)
				continue; /* 0: of another PID namespace */
			if (p->n == p->cap) {
				p->cap = p->cap ? 2 * p->cap : 64;
				p->v = rs_xrealloc(p->v, p->cap, sizeof(*p->v));
			}
			p->v[p->n++] = pid;
		}
	d = depth < 32 ? opendir(dir) : NULL;
	while (d && (e = readdir(d)) != NULL)
		if (e->d_type == DT_DIR && e->d_name[0] != '.') {
			rs_auto_free char *sub = rs_xasprintf("%s/%s", dir, e->d_name);

			take_pids(p, sub, depth + 1);
		}
}

/* The folder that shows all of the group's processes: v2's, or any other. */
static const struct ctr_cgroup_folder *any_folder(const struct ctr_cgroup *cg)
{
	const struct ctr_cgroup_folder *f = freezer(cg);

	for (unsigned i = 0; !f && i < cg->n; i++)
		f = cg->f[i].dir ? &cg->f[i] : NULL;
	return f;
}

int ctr_cgroup_pids(const struct ctr_cgroup *cg, pid_t **out, struct rs_err *err)
{
	const struct ctr_cgroup_folder *f = any_folder(cg);
	struct pids p = { 0 };

	if (!f) {
		*out = NULL;
		return rs_err_set(err, -EOPNOTSUPP, "the container has no cgroup, so its processes cannot be listed");
	}
	take_pids(&p, f->dir, 0);
	*out = p.v;
	return (int)p.n;
}

static unsigned kill_each(const char *dir, int sig)
{
	struct pids p = { 0 };
	unsigned n = 0;

	take_pids(&p, dir, 0);
	for (unsigned i = 0; i < p.n; i++)
		if (p.v[i] != getpid())
			n += kill(p.v[i], sig) == 0;
	free(p.v);
	return n;
}

int ctr_cgroup_kill(struct ctr_cgroup *cg, int sig, struct rs_err *err)
{
	const struct ctr_cgroup_folder *f = any_folder(cg), *v2 = ctr_cgroup_folder(cg, "");
	unsigned n = 0;

	if (!f)
		return rs_err_set(err, -EOPNOTSUPP, "the container has no cgroup, so only its first process can be signalled");
	if (sig == SIGKILL && v2 && v2->dir && ctr_cgroup_write(v2->dir, "cgroup.kill", "1") == 0) {
		if (cg->em)
			rs_emit(cg->em, RS_EV_CGROUP_KILL, RS_SRC_CTR, cg->actor, (uint64_t)sig, 0, 0, 0, "cgroup.kill");
		return 0;
	}
	/* Standing still, nobody forks between the list and the signal. Without a freezer the round is
	 * repeated until nobody new is there. */
	bool held = freezer(cg) && ctr_cgroup_freeze(cg, true, NULL) == 0;

	for (unsigned round = 0; round < (held || sig != SIGKILL ? 1 : 100); round++) {
		unsigned now = kill_each(f->dir, sig);

		n += now;
		if (!now)
			break;
		if (!held)
			nap(round);
	}
	if (held)
		ctr_cgroup_freeze(cg, false, NULL);
	if (cg->em)
		rs_emit(cg->em, RS_EV_CGROUP_KILL, RS_SRC_CTR, cg->actor, (uint64_t)sig, n, 0, 0, held ? "frozen" : "one by one");
	return 0;
}

/* ---- the end ---- */

/* Groups that the container made below its own. */
static void remove_below(const char *dir, unsigned depth)
{
	rs_auto_closedir DIR *d = opendir(dir);
	struct dirent *e;

	while (d && depth < 32 && (e = readdir(d)) != NULL)
		if (e->d_type == DT_DIR && e->d_name[0] != '.') {
			rs_auto_free char *sub = rs_xasprintf("%s/%s", dir, e->d_name);

			remove_below(sub, depth + 1);
			rmdir(sub);
		}
}

static int remove_folder(struct ctr_cgroup_folder *f, struct rs_err *err)
{
	unsigned round = 0;
	bool leaf = true;

	while (f->made) {
		if (rmdir(f->dir) == 0 || errno == ENOENT) {
			*strrchr(f->dir, '/') = '\0';
			f->made--;
			leaf = false;
			continue;
		}
		int e = errno;

		if (!leaf && (e == EBUSY || e == ENOTEMPTY))
			return 0; /* somebody else's group is in it by now */
		if (e != EBUSY && e != ENOTEMPTY)
			return rs_err_errno(err, e, "the cgroup %s cannot be removed", f->dir);
		/* A killed process leaves its group only when it is gone. */
		if (round++ > WAIT_MS / 5)
			return rs_err_set(err, -EBUSY, "the cgroup %s still has processes after SIGKILL and %d s: one is in an "
					  "uninterruptible sleep", f->dir, WAIT_MS / 1000);
		kill_each(f->dir, SIGKILL);
		remove_below(f->dir, 0);
		nap(round);
	}
	return 0;
}

int ctr_cgroup_delete(struct ctr_cgroup *cg, struct rs_err *err)
{
	const struct ctr_cgroup_folder *f = any_folder(cg);
	struct pids p = { 0 };
	unsigned n = 0;
	int rc = 0;

	if (f)
		take_pids(&p, f->dir, 0);
	free(p.v);
	if (p.n) {
		bool frozen = false;

		ctr_cgroup_frozen(cg, &frozen, NULL);
		ctr_cgroup_kill(cg, SIGKILL, NULL);
		if (frozen)
			ctr_cgroup_freeze(cg, false, NULL); /* v1: the frozen do not die */
	}
	for (unsigned i = 0; i < cg->n; i++) {
		struct rs_err e = RS_ERR_INIT;

		if (!cg->f[i].dir)
			continue;
		n += cg->f[i].made;
		if (remove_folder(&cg->f[i], &e) < 0 && rc == 0) {
			rc = e.code;
			if (err)
				*err = e;
		}
	}
	if (cg->em && n)
		rs_emit(cg->em, RS_EV_CGROUP_DELETE, RS_SRC_CTR, cg->actor, n, p.n, 0, 0, "");
	return rc;
}
