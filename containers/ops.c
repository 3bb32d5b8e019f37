/* What is done with a container that exists: kill, pause, resume, delete. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/run.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* By pidfd, so that no other process that got the number since is meant. */
static int signal_first(struct ctr_container *c, int sig)
{
	rs_auto_close int fd = c->pidfd >= 0 ? fcntl(c->pidfd, F_DUPFD_CLOEXEC, 3) :
					       (int)syscall(SYS_pidfd_open, c->pid, 0);

	if (fd < 0 && errno != ENOSYS)
		return -errno;
	if (!ctr_alive(c))
		return -ESRCH;
	if (fd >= 0 && CTR_CALL(&c->t, "pidfd_send_signal", syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0), "%d, %d",
				(int)c->pid, sig) == 0)
		return 0;
	if (fd >= 0 && errno != ENOSYS && errno != EPERM)
		return -errno;
	return CTR_CALL(&c->t, "kill", kill(c->pid, sig), "%d, %d", (int)c->pid, sig) < 0 ? -errno : 0;
}

static bool has_cgroup(const struct ctr_container *c)
{
	return c->cg && ctr_cgroup_exists(c->cg);
}

int ctr_kill(struct ctr_container *c, int sig, bool all, struct rs_err *err)
{
	enum ctr_status now = ctr_status(c);
	int rc;

	if (all && has_cgroup(c) && (now == CTR_STOPPED || !c->cfg || !ctr_ns_new(c->cfg, CTR_NS_PID) || sig != SIGKILL))
		return ctr_cgroup_kill(c->cg, sig, err);
	if (now == CTR_STOPPED || !c->pid)
		return rs_err_set(err, -ESRCH, "container %s is not running, so it gets no signal", c->id);
	rc = signal_first(c, sig);
	return rc ? rs_err_errno(err, -rc, "container %s gets no signal", c->id) : 0;
}

static int freeze(struct ctr_container *c, bool frozen, struct rs_err *err)
{
	enum ctr_status now = ctr_status(c), want = frozen ? CTR_RUNNING : CTR_PAUSED;

	if (now != want && !(frozen && now == CTR_CREATED))
		return rs_err_set(err, -EINVAL, "container %s is %s, not %s", c->id, ctr_status_name(now), ctr_status_name(want));
	if (!has_cgroup(c))
		return rs_err_set(err, -EOPNOTSUPP, "container %s has no cgroup, and only a cgroup can be frozen", c->id);
	return ctr_cgroup_freeze(c->cg, frozen, err);
}

int ctr_pause(struct ctr_container *c, struct rs_err *err)
{
	return freeze(c, true, err);
}

int ctr_resume(struct ctr_container *c, struct rs_err *err)
{
	return freeze(c, false, err);
}

int ctr_pids(struct ctr_container *c, pid_t **pids, unsigned *n, struct rs_err *err)
{
	int count;

	if (has_cgroup(c)) {
		count = ctr_cgroup_pids(c->cg, pids, err);
		*n = count < 0 ? 0 : (unsigned)count;
		return count < 0 ? count : 0;
	}
	*pids = rs_xcalloc(1, sizeof(**pids)); /* without a group only the first one is known */
	*n = ctr_alive(c) ? 1 : 0;
	(*pids)[0] = c->pid;
	return 0;
}

/* Folders that were made for cgroups by a runtime that was killed before it had written what they are. */
static void sweep_made(struct ctr_container *c)
{
	rs_auto_free char *path = rs_xasprintf("%s/made", c->dir);
	rs_auto_str text = RS_STR_INIT;

	if (rs_file_read(path, 1 << 20, &text, NULL) < 0)
		return;
	while (text.len) { /* the last was made first below the others: backwards */
		char *line;

		while (text.len && text.p[text.len - 1] == '\n')
			text.p[--text.len] = '\0';
		line = strrchr(text.p, '\n');
		line = line ? line + 1 : text.p;
		if (strncmp(line, "/sys/fs/cgroup/", 15) == 0 && !strstr(line, "/../"))
			rmdir(line);
		ctr_gone(&c->t, CTR_MADE_CGROUP, line);
		text.len = (size_t)(line - text.p);
		*line = '\0';
	}
	unlink(path);
}

int ctr_destroy(struct ctr_container *c, struct rs_err *err)
{
	int rc = 0, r;

	if (c->cg) {
		rc = ctr_step_begin(&c->t, CTR_STEP_CGROUP_DELETE, 0, err, "%s", "");
		if (rc == 0)
			rc = ctr_cgroup_delete(c->cg, err);
		ctr_step_end(&c->t, rc);
	}
	if (c->dirfd < 0)
		return rc;
	if (rc == 0)
		sweep_made(c);
	r = ctr_step_begin(&c->t, CTR_STEP_STATE_DELETE, 0, err, "%s", "");
	if (r == 0 && rc == 0)
		rc = ctr_state_remove(c, err);
	ctr_step_end(&c->t, rc);
	return rc;
}

/* Until it is gone, for what is killed is not dead at once. */
static void await_end(struct ctr_container *c)
{
	if (c->child && !c->reaped) {
		ctr_wait(c, NULL, NULL);
		return;
	}
	for (unsigned i = 0; i < 1000 && ctr_alive(c); i++)
		usleep(i < 50 ? 1000 : 10000);
}

int ctr_delete(struct ctr_container *c, bool force, struct rs_err *err)
{
	enum ctr_status now = ctr_status(c);
	rs_auto_str state = RS_STR_INIT;
	int rc = 0;

	if (now != CTR_STOPPED && !force)
		return rs_err_set(err, -EBUSY, "container %s is %s; only one that is stopped can be deleted, others with --force",
				  c->id, ctr_status_name(now));
	if (now != CTR_STOPPED && c->pid) {
		rc = ctr_step_begin(&c->t, CTR_STEP_KILL, 0, err, "%s", "");
		if (rc == 0) {
			rc = signal_first(c, SIGKILL);
			rc = rc == -ESRCH ? 0 : rc;
			if (rc)
				rs_err_errno(err, -rc, "container %s cannot be killed", c->id);
			else if (now == CTR_PAUSED)
				ctr_cgroup_freeze(c->cg, false, NULL); /* v1: a frozen process does not die */
			await_end(c);
		}
		ctr_step_end(&c->t, rc);
	}
	if (c->child && !c->reaped)
		await_end(c);
	ctr_state_text(c, CTR_STOPPED, false, &state);
	if (rc == 0)
		rc = ctr_destroy(c, err);
	if (rc == 0 && c->cfg && c->cfg->hooks[CTR_HOOK_POSTSTOP].n)
		ctr_hooks(&c->t, c->cfg, CTR_HOOK_POSTSTOP, CTR_STEP_HOOKS_POSTSTOP, state.p, err);
	return rc;
}
