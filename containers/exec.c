/* exec: one more process in a container. An intermediate process joins the first one's namespaces and
 * bears the new one as its sibling, for a process does not change its own pid namespace. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/run.h"
#include "containers/wire.h"
#include "engine/base/cleanup.h"

/* ---- what it shall be ---- */

static void add(struct ctr_strings *l, char *s)
{
	l->v = rs_xrealloc(l->v, l->n + 2, sizeof(*l->v));
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

/* "UID[:GID]" */
static int user(struct ctr_process *p, const char *s, struct rs_err *err)
{
	char *end;
	unsigned long uid = strtoul(s, &end, 10), gid = p->gid.u;

	if (end == s || (*end && *end != ':') || uid > UINT32_MAX - 1)
		return rs_err_set(err, -EINVAL, "\"%s\" is no user: UID or UID:GID, as numbers", s);
	if (*end) {
		const char *g = end + 1;

		gid = strtoul(g, &end, 10);
		if (end == g || *end || gid > UINT32_MAX - 1)
			return rs_err_set(err, -EINVAL, "\"%s\" is no user: UID or UID:GID, as numbers", s);
	}
	p->uid.set = p->gid.set = true;
	p->uid.u = uid;
	p->gid.u = gid;
	return 0;
}

/* The configuration's process with what x says instead. The strings belong to others; the lists are
 * freed by `unmake`. */
static int make(const struct ctr_process *base, const struct ctr_exec *x, struct ctr_process *p, struct rs_err *err)
{
	*p = *base;
	p->args = p->env = (struct ctr_strings){ 0 };
	p->caps_unknown = (struct ctr_strings){ 0 };
	p->gids = (struct ctr_numbers){ 0 };
	p->set = true;
	p->terminal = x->tty;
	p->no_new_privs |= x->no_new_privs;
	for (unsigned i = 0; x->argv && x->argv[i]; i++)
		add(&p->args, x->argv[i]);
	for (unsigned i = 0; i < base->env.n; i++)
		add(&p->env, base->env.v[i]);
	for (unsigned i = 0; x->env && x->env[i]; i++)
		add(&p->env, x->env[i]);
	for (unsigned i = 0; i < base->gids.n + x->n_gids; i++) {
		p->gids.v = rs_xrealloc(p->gids.v, p->gids.n + 1, sizeof(*p->gids.v));
		p->gids.v[p->gids.n++] = i < base->gids.n ? base->gids.v[i] : x->gids[i - base->gids.n];
	}
	if (x->cwd)
		p->cwd = (char *)x->cwd;
	for (unsigned i = 0; x->caps && x->caps[i]; i++) {
		const struct ctr_word *w = ctr_word_find(ctr_words_cap, x->caps[i]);

		if (!w)
			return rs_err_set(err, -EINVAL, "there is no capability %s", x->caps[i]);
		p->caps_set = true;
		p->bounding.bits |= UINT64_C(1) << w->value;
		p->permitted.bits |= UINT64_C(1) << w->value;
		p->effective.bits |= UINT64_C(1) << w->value;
		p->inheritable.bits |= base->inheritable.bits ? UINT64_C(1) << w->value : 0;
	}
	return x->user ? user(p, x->user, err) : 0;
}

static void unmake(struct ctr_process *p)
{
	free(p->args.v);
	free(p->env.v);
	free(p->gids.v);
}

/* ---- the intermediate process ---- */

static int join_all(struct ctr_init *in, int pidfd)
{
	const struct ctr_config *cfg = in->cfg;
	rs_auto_close int root = -1;
	char path[64];
	int flags = 0;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)in->c->pid);
	if (!cfg->ns[CTR_NS_MOUNT])
		root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < CTR_NAMESPACES; i++)
		if (cfg->ns[i])
			flags |= (int)ctr_ns_infos[i].flag;
	if (CTR_CALL(&in->t, "setns", setns(pidfd, flags), "pidfd of %d, 0x%x", (int)in->c->pid, (unsigned)flags) < 0) {
		/* before Linux 5.8 one at a time, the user namespace first (words.def) */
		int fd[CTR_NAMESPACES];

		if (errno != EINVAL && errno != EBADF)
			return CTR_FAIL(&in->t, in->err, errno, "the namespaces of the container cannot be joined");
		for (unsigned i = 0; i < CTR_NAMESPACES; i++) {
			snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)in->c->pid, ctr_ns_infos[i].file);
			fd[i] = cfg->ns[i] ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		}
		for (unsigned i = 0; i < CTR_NAMESPACES; i++)
			if (fd[i] >= 0 && setns(fd[i], (int)ctr_ns_infos[i].flag) < 0 && errno != EINVAL)
				return CTR_FAIL(&in->t, in->err, errno, "the namespaces of the container cannot be joined");
	}
	if (root >= 0 && (fchdir(root) < 0 || chroot(".") < 0))
		return CTR_FAIL(&in->t, in->err, errno, "the root cannot be changed");
	return 0;
}

static _Noreturn void intermediate(struct ctr_init *in, int wire, int pidfd)
{
	static struct rs_err err = RS_ERR_INIT;
	unsigned which;
	pid_t pid;
	int rc;

	in->err = &err;
	in->t.wire = wire;
	in->t.on = false;
	in->t.step = CTR_STEP_CGROUP_JOIN;
	rc = ctr_process_cpus(in, in->p->cpus_initial, "execCPUAffinity.initial");
	if (rc == 0) {
		rc = ctr_cgroup_entry_join(&in->entry, &which);
		if (rc)
			CTR_FAIL(&in->t, &err, -rc, "it cannot enter its cgroup");
	}
	ctr_cgroup_entry_close(&in->entry);
	in->entry.n = 0;
	if (rc == 0)
		rc = ctr_process_cpus(in, in->p->cpus_final, "execCPUAffinity.final");
	/* The container's processes see this one from here on: nothing of it is for them, also where they
	 * have CAP_SYS_PTRACE, for the binary behind /proc/PID/exe cannot be written (binary.c). */
	if (geteuid() == 0 && !in->user_ns)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	in->t.step = CTR_STEP_JOIN;
	if (rc == 0)
		rc = join_all(in, pidfd);
	if (rc == 0) {
		pid = ctr_clone(&in->t, CLONE_PARENT, -1, NULL);
		if (pid == 0) {
			in->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
			in->say_pid = true;
			ctr_init(in, wire);
		}
		if (pid > 0)
			_exit(0);
		rc = CTR_FAIL(&in->t, &err, errno, "the process cannot be born");
	}
	ctr_wire_failed(wire, &err);
	_exit(127);
}

/* ---- */

static int entry(struct ctr_container *c, const struct ctr_exec *x, struct ctr_init *in, struct rs_err *err)
{
	(void)x;
	return c->cg && ctr_cgroup_exists(c->cg) ? ctr_cgroup_entry_open(c->cg, true, &in->entry, err) : 0;
}

static int check(struct ctr_container *c, const struct ctr_exec *x, struct rs_err *err)
{
	enum ctr_status now = ctr_status(c);

	if (!c->cfg)
		return rs_err_set(err, -ENOENT, "container %s has no configuration", c->id);
	if (now == CTR_PAUSED && !x->ignore_paused)
		return rs_err_set(err, -EBUSY, "container %s is paused: what is added stands still, too", c->id);
	if (now != CTR_RUNNING && now != CTR_CREATED && now != CTR_PAUSED)
		return rs_err_set(err, -ESRCH, "container %s is %s, so no process can be added", c->id, ctr_status_name(now));
	return 0;
}

pid_t ctr_exec(struct ctr_container *c, const struct ctr_exec *x, int *terminal, struct rs_err *err)
{
	/* a container of its own for this one process: the same folder and groups, another wire */
	struct ctr_container one = { 0 };
	struct ctr_init in = { .c = &one, .cfg = c->cfg, .listen = -1, .root = -1, .terminal = -1, .exec = true,
			       .entry = { .clone_fd = -1 } };
	struct rs_err own = RS_ERR_INIT;
	struct ctr_process p = { 0 };
	int pair[2] = { -1, -1 }, status, rc;
	rs_auto_close int pidfd = -1;
	pid_t pid = -1;

	if (!err)
		err = &own;
	rc = check(c, x, err);
	if (rc)
		return rc;
	one = *c;
	one.wire = one.terminal = one.pidfd = -1;
	one.o.console_socket = x->console_socket;
	one.o.preserve_fds = x->preserve_fds;
	one.o.stdio = x->stdio;
	if (x->process_json)
		rc = ctr_process_parse(x->process_json, strlen(x->process_json), "process.json", &p, err);
	else
		rc = make(&c->cfg->process, x, &p, err);
	if (rc == 0 && p.terminal && !x->console_socket && !terminal)
		rc = rs_err_set(err, -EINVAL, "process.terminal needs --console-socket when the container runs on its own");
	ctr_caps_warn(&one.t, &p);
	in.p = &p;
	in.user_ns = c->cfg->ns[CTR_NS_USER] != NULL;
	in.t = c->t;
	in.err = err;
	if (rc == 0 && c->cfg->seccomp.set)
		rc = ctr_seccomp_compile(&in);
	if (rc == 0)
		rc = entry(c, x, &in, err);
	if (rc == 0) {
		pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
		if (pidfd < 0 || !ctr_alive(c))
			rc = rs_err_set(err, -ESRCH, "container %s is %s, so no process can be added", c->id, "stopped");
	}
	if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		rc = rs_err_errno(err, errno, "a socket cannot be made");
	if (rc == 0) {
		one.wire = pair[0];
		setsockopt(one.wire, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
		pid = ctr_clone_in(&one, &in, 0, NULL);
		if (pid == 0)
			intermediate(&in, pair[1], pidfd);
		if (pid < 0)
			rc = rs_err_errno(err, errno, "the process cannot be born");
	}
	if (pair[1] >= 0)
		close(pair[1]);
	one.pid = 0;
	if (rc == 0) {
		rc = ctr_serve(&one, CTR_SAY_PID, err);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (rc == 0)
		rc = ctr_serve(&one, CTR_SAY_CREATED, err);
	if (rc == 0)
		rc = ctr_process_rlimits(&one.t, &p, one.pid, err);
	if (rc == 0)
		rc = ctr_process_oom(&one.t, &p, one.pid, err);
	if (rc == 0)
		rc = ctr_pid_file(x->pid_file, one.pid, err);
	if (rc == 0)
		rc = ctr_wire_say(one.wire, CTR_SAY_START);
	if (rc == 0)
		rc = ctr_serve(&one, 0, err);
	if (rc && one.pid > 0) {
		kill(one.pid, SIGKILL);
		while (waitpid(one.pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (one.wire >= 0)
		close(one.wire);
	ctr_cgroup_entry_close(&in.entry);
	free(in.filter);
	if (x->process_json)
		ctr_process_release(&p);
	else
		unmake(&p);
	if (terminal)
		*terminal = one.terminal;
	return rc ? rc : one.pid;
}
