/* The runtime's side of creating and starting a container. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/run.h"
#include "containers/wire.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* ---- before it is born ---- */

static char *absolute(const char *path)
{
	char *full = realpath(path, NULL);

	return full ? full : rs_xstrdup(path);
}

static int load(struct ctr_container *c, const struct ctr_options *o, struct rs_err *err)
{
	int rc;

	c->bundle = absolute(o->bundle ? o->bundle : ".");
	rc = ctr_step_begin(&c->t, CTR_STEP_CONFIG, 0, err, "%s", "");
	if (rc)
		return rc;
	c->cfg = o->config;
	if (!c->cfg) {
		c->cfg = ctr_config_load(c->bundle, err);
		c->own_cfg = true;
	}
	if (!c->cfg) {
		ctr_step_end(&c->t, err ? err->code : -EINVAL);
		return err && err->code ? err->code : -EINVAL;
	}
	c->t.cfg = c->cfg;
	ctr_caps_warn(&c->t, &c->cfg->process);
	if (c->cfg->process.terminal && !c->o.attached && !c->o.console_socket)
		rc = rs_err_set(err, -EINVAL, "process.terminal needs --console-socket when the container runs on its own");
	if (!c->cfg->process.terminal && c->o.console_socket)
		rc = rs_err_set(err, -EINVAL, "--console-socket is for a container with process.terminal");
	/* the last word on the root: a folder must be there (config.md, "Root") */
	if (rc == 0) {
		rs_auto_free char *root = *c->cfg->root.path == '/' ? rs_xstrdup(c->cfg->root.path) :
								      rs_xasprintf("%s/%s", c->bundle, c->cfg->root.path);
		struct stat st;

		snprintf(c->t.place, sizeof(c->t.place), "root.path");
		if (stat(root, &st) < 0)
			rc = CTR_FAIL(&c->t, err, errno, "the root %s cannot be looked at", root);
		else if (!S_ISDIR(st.st_mode))
			rc = CTR_FAIL(&c->t, err, ENOTDIR, "the root %s is no folder", root);
		c->rootfs = absolute(root);
	}
	ctr_step_end(&c->t, rc);
	return rc;
}

static int will_make(void *arg, const char *dir, struct rs_err *err)
{
	struct ctr_container *c = arg;
	rs_auto_close int fd = openat(c->dirfd, "made", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	rs_auto_str line = RS_STR_INIT;

	rs_str_addf(&line, "%s\n", dir);
	if (fd < 0 || write(fd, line.p, line.len) != (ssize_t)line.len)
		return rs_err_errno(err, errno, "%s/%s cannot be written", c->dir, "made");
	return ctr_made(&c->t, CTR_MADE_CGROUP, dir, err);
}

static int make_cgroup(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_free char *own = NULL;
	bool rootless = geteuid() != 0;
	struct ctr_cgroup_opts opts = {
		.if_possible = rootless || !c->cfg->cgroups_path, .will_make = will_make, .arg = c,
		.em = c->t.watch->events,
	};
	struct ctr_plan plan = { 0 };
	bool shown = false;
	int rc = 0;

	for (unsigned i = 0; i < c->cfg->mounts.n; i++)
		shown |= c->cfg->mounts.v[i].type && strncmp(c->cfg->mounts.v[i].type, "cgroup", 6) == 0;
	if (!c->o.no_cgroup || shown)
		rc = ctr_cgroup_host_read(&c->host, err);
	if (rc || c->o.no_cgroup || c->host.layout == CTR_LAYOUT_NONE)
		return rc;
	rc = ctr_step_begin(&c->t, CTR_STEP_CGROUP, 0, err, "linux.resources");
	if (rc)
		return rc;
	own = rs_xasprintf("/ringside-oci-%s", c->id); /* no folder that containers share: nobody would remove it */
	opts.path = c->cfg->cgroups_path && *c->cfg->cgroups_path ? c->cfg->cgroups_path : own;
	c->cg = ctr_cgroup_make(&c->host, &opts, &c->cfg->resources, err);
	if (!c->cg)
		rc = ctr_fail_finish(&c->t, err);
	if (rc == 0)
		rc = ctr_state_cgroup(c, err);
	if (rc == 0) {
		ctr_cgroup_plan(c->cg, &c->cfg->resources, &plan);
		rc = ctr_cgroup_apply(c->cg, &plan, rootless, err);
		if (rc)
			ctr_fail_finish(&c->t, err);
		ctr_plan_release(&plan);
	}
	ctr_step_end(&c->t, rc);
	return rc;
}

/* ---- birth ---- */

/* The intermediate process: it joins the user and pid namespaces, bears the first process as its sibling
 * (CLONE_PARENT) and ends. */
static _Noreturn void intermediate(struct ctr_init *in, int wire)
{
	static struct rs_err err = RS_ERR_INIT;
	uint64_t flags = ctr_ns_flags(in->cfg) | CLONE_PARENT;
	bool own_user = in->cfg->ns[CTR_NS_USER] && in->cfg->ns[CTR_NS_USER]->path;
	pid_t pid;
	int rc;

	in->err = &err;
	in->t.wire = wire;
	rc = ctr_ns_join(&in->t, in->cfg, true, &err);
	if (rc) {
		ctr_wire_failed(wire, &err);
		_exit(127);
	}
	in->t.on = false; /* two processes must not speak at once */
	if (own_user) {
		in->user_ns = true;
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			(void)0; /* said in the step `identity` */
	}
	pid = ctr_clone(&in->t, flags, -1, NULL);
	if (pid == 0) {
		in->t.on = in->c->t.on;
		in->say_pid = true;
		ctr_init(in, wire);
	}
	if (pid < 0) {
		in->t.step = CTR_STEP_CLONE;
		CTR_FAIL(&in->t, &err, errno, "the first process cannot be born");
		ctr_wire_failed(wire, &err);
		_exit(127);
	}
	_exit(0);
}

pid_t ctr_clone_in(struct ctr_container *c, struct ctr_init *in, uint64_t flags, int *pidfd)
{
	pid_t pid = ctr_clone(&c->t, flags, in->entry.clone_fd, pidfd);
	int e = errno;

	if (pid >= 0 || in->entry.clone_fd < 0)
		return pid;
	/* no clone3, or not into this group: the child enters it by itself */
	ctr_cgroup_entry_close(&in->entry);
	if (ctr_cgroup_entry_open(c->cg, false, &in->entry, NULL) < 0) {
		errno = e;
		return -1;
	}
	return ctr_clone(&c->t, flags, -1, pidfd);
}

static int born(struct ctr_container *c, struct ctr_init *in, int theirs, struct rs_err *err)
{
	bool first = ctr_ns_join_first(c->cfg);
	uint64_t flags = first ? 0 : ctr_ns_flags(c->cfg);
	pid_t pid;
	int rc = ctr_step_begin(&c->t, CTR_STEP_CLONE, 0, err, "linux.namespaces");

	if (rc)
		return rc;
	if (first) {
		setsockopt(c->wire, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
		pid = ctr_clone_in(c, in, 0, NULL);
		if (pid == 0)
			intermediate(in, theirs);
	} else {
		pid = ctr_clone_in(c, in, flags, &c->pidfd);
		if (pid == 0)
			ctr_init(in, theirs);
	}
	if (pid < 0)
		rc = CTR_FAIL(&c->t, err, errno, "the first process cannot be born");
	ctr_step_end(&c->t, rc);
	if (rc)
		return rc;
	c->child = true;
	c->pid = first ? 0 : pid;
	if (first) {
		int status;

		rc = ctr_serve(c, CTR_SAY_PID, err);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	c->t.pid = c->pid;
	if (c->pid && c->pidfd < 0)
		c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (rc == 0 && ctr_proc_start(c->pid, &c->start, NULL) < 0)
		c->start = 0;
	return rc;
}

static int map_ids(struct ctr_container *c, struct rs_err *err)
{
	int rc = ctr_step_begin(&c->t, CTR_STEP_IDMAP, 0, err, "linux.uidMappings");

	if (rc == 0)
		rc = ctr_idmap_write(&c->t, c->cfg, c->pid, err);
	ctr_step_end(&c->t, rc);
	return rc;
}

/* Where the first process cannot do it: its user namespace gives no right to raise them. */
static int limits(struct ctr_container *c, struct rs_err *err)
{
	const struct ctr_process *p = &c->cfg->process;
	int rc;

	if (!c->cfg->ns[CTR_NS_USER] || (!p->rlimits.n && !p->oom_score_adj.set))
		return 0;
	rc = ctr_step_begin(&c->t, CTR_STEP_LIMITS, 0, err, "process.rlimits");
	if (rc == 0)
		rc = ctr_process_rlimits(&c->t, p, c->pid, err);
	if (rc == 0)
		rc = ctr_process_oom(&c->t, p, c->pid, err);
	ctr_step_end(&c->t, rc);
	return rc;
}

/* May the first process go on to the program without a word? Only when nobody looks on and nothing is to
 * be done outside on the way. */
static bool at_once(const struct ctr_container *c, const struct ctr_init *in)
{
	const struct ctr_config *f = c->cfg;

	return c->o.at_once && c->o.attached && !c->t.on && !f->ns[CTR_NS_USER] && !ctr_ns_join_first(f) && f->process.set &&
	       f->process.args.n && !f->process.terminal && !in->filter_notifies && !f->hooks[CTR_HOOK_PRESTART].n &&
	       !f->hooks[CTR_HOOK_CREATE_RUNTIME].n && !f->hooks[CTR_HOOK_POSTSTART].n;
}

static int pid_file(const char *path, pid_t pid, struct rs_err *err)
{
	char text[24];
	rs_auto_free char *tmp = rs_xasprintf("%s.new", path);
	rs_auto_close int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int n = snprintf(text, sizeof(text), "%d", (int)pid);

	if (fd < 0 || write(fd, text, (size_t)n) != n || rename(tmp, path) < 0)
		return rs_err_errno(err, errno, "the pid file %s cannot be written", path);
	return 0;
}

int ctr_pid_file(const char *path, pid_t pid, struct rs_err *err)
{
	return path ? pid_file(path, pid, err) : 0;
}

/* Everything from the folder to CREATED. */
static int build(struct ctr_container *c, struct ctr_init *in, struct rs_err *err)
{
	int pair[2] = { -1, -1 }, rc;

	in->err = err;
	in->t = c->t;
	rc = c->cfg->seccomp.set ? ctr_seccomp_compile(in) : 0;
	if (rc == 0)
		rc = ctr_mount_idmap_prepare(in);
	if (rc)
		return rc;
	if (!c->o.attached) {
		in->listen = ctr_state_listen(c, err);
		if (in->listen < 0)
			return in->listen;
	}
	rc = make_cgroup(c, err);
	if (rc == 0 && c->cg && ctr_cgroup_exists(c->cg))
		rc = ctr_cgroup_entry_open(c->cg, !ctr_ns_join_first(c->cfg), &in->entry, err);
	if (rc)
		return rc;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return rs_err_errno(err, errno, "a socket cannot be made");
	c->wire = pair[0];
	in->t = c->t;
	in->user_ns = ctr_ns_new(c->cfg, CTR_NS_USER);
	in->at_once = c->at_once = at_once(c, in);
	rc = born(c, in, pair[1], err);
	close(pair[1]);
	if (rc == 0 && in->user_ns) {
		rc = map_ids(c, err);
		ctr_wire_answer(c, rc);
	}
	if (rc == 0 && !c->at_once)
		rc = ctr_serve(c, CTR_SAY_CREATED, err);
	if (rc == 0)
		rc = limits(c, err);
	if (rc == 0)
		rc = ctr_step_begin(&c->t, CTR_STEP_CREATED, 0, err, "%s", "");
	if (rc == 0)
		rc = ctr_state_write(c, err);
	if (rc == 0)
		rc = ctr_pid_file(c->o.pid_file, c->pid, err);
	ctr_step_end(&c->t, rc);
	return rc;
}

static void undo(struct ctr_container *c)
{
	struct rs_err ignored = RS_ERR_INIT;

	if (c->pid > 0) {
		if (c->pidfd < 0 || syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0) < 0)
			kill(c->pid, SIGKILL);
		while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
			;
		c->reaped = true;
	}
	ctr_destroy(c, &ignored);
}

struct ctr_container *ctr_create(const struct ctr_options *o, struct rs_err *err)
{
	struct ctr_container *c = rs_xcalloc(1, sizeof(*c));
	struct ctr_init in = { .c = c, .listen = -1, .root = -1, .terminal = -1, .entry = { .clone_fd = -1 } };
	struct rs_err own = RS_ERR_INIT;
	int rc;

	if (!err)
		err = &own;
	c->dirfd = c->pidfd = c->wire = c->terminal = -1;
	c->o = *o;
	c->root = o->root ? rs_xstrdup(o->root) : ctr_default_root();
	c->id = rs_xstrdup(o->id);
	c->dir = rs_xasprintf("%s/%s", c->root, c->id);
	ctr_trace_init(&c->t, o->watch, NULL);
	rc = load(c, o, err);
	if (rc == 0)
		rc = ctr_step_begin(&c->t, CTR_STEP_STATE, 0, err, "%s", "");
	if (rc == 0) {
		rc = ctr_state_make(c, err);
		ctr_step_end(&c->t, rc);
	}
	if (rc == 0) {
		in.cfg = c->cfg;
		in.p = &c->cfg->process;
		in.preserve = getenv("LISTEN_FDS");
		if (in.preserve && c->o.preserve_fds < (unsigned)atoi(in.preserve))
			c->o.preserve_fds = (unsigned)atoi(in.preserve);
		rc = build(c, &in, err);
		free(in.filter);
		ctr_mount_idmap_done(&in);
		if (in.listen >= 0)
			close(in.listen);
		ctr_cgroup_entry_close(&in.entry);
		if (rc)
			undo(c);
	}
	if (rc == 0 && !c->o.attached) {
		close(c->wire);
		c->wire = -1;
	}
	if (rc) {
		ctr_free(c);
		return NULL;
	}
	return c;
}

int ctr_start(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_str state = RS_STR_INIT;
	enum ctr_status now;
	int rc;

	if (c->at_once) /* ctr_outcome says whether it could */
		return 0;
	now = ctr_status(c);
	if (now != CTR_CREATED)
		return rs_err_set(err, -EINVAL, "container %s is %s; only one that is created can be started", c->id,
				  ctr_status_name(now));
	if (c->wire < 0) {
		c->wire = ctr_state_call(c, err);
		if (c->wire < 0)
			return c->wire;
	}
	rc = ctr_wire_say(c->wire, CTR_SAY_START);
	rc = rc ? rs_err_errno(err, -rc, "the first process of %s does not answer", c->id) : ctr_serve(c, 0, err);
	close(c->wire);
	c->wire = -1;
	ctr_state_started(c);
	if (rc == 0 && c->cfg && c->cfg->hooks[CTR_HOOK_POSTSTART].n) {
		ctr_state_text(c, CTR_RUNNING, false, &state);
		rc = ctr_hooks(&c->t, c->cfg, CTR_HOOK_POSTSTART, CTR_STEP_HOOKS_POSTSTART, state.p, err);
		if (rc) /* runtime.md, "Lifecycle" 9: the container is stopped */
			ctr_kill(c, SIGKILL, true, NULL);
	}
	return rc;
}

int ctr_outcome(struct ctr_container *c, struct rs_err *err)
{
	int rc = 0;

	if (c->at_once && c->wire >= 0) {
		rc = ctr_serve(c, 0, err);
		close(c->wire);
		c->wire = -1;
	}
	return rc;
}

int ctr_wait(struct ctr_container *c, int *status, struct rs_err *err)
{
	if (!c->child)
		return rs_err_set(err, -ECHILD, "container %s was created by another process", c->id);
	while (!c->reaped) {
		pid_t pid = waitpid(c->pid, &c->status, 0);

		if (pid == c->pid)
			c->reaped = true;
		else if (errno != EINTR)
			return rs_err_errno(err, errno, "the end of container %s cannot be waited for", c->id);
	}
	if (status)
		*status = c->status;
	return 0;
}

pid_t ctr_pid(const struct ctr_container *c)
{
	return c->pid;
}
int ctr_pidfd(const struct ctr_container *c)
{
	return c->pidfd;
}
int ctr_terminal(const struct ctr_container *c)
{
	return c->terminal;
}

void ctr_reaped(struct ctr_container *c)
{
	c->reaped = true;
}
