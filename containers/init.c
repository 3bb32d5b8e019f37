/* The container's first process, from its birth to the program. It is a copy of the runtime's process in
 * new namespaces, and works off one table of steps; what goes wrong it says over the wire.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "containers/run.h"
#include "containers/wire.h"
#include "engine/base/cleanup.h"

static _Noreturn void fail(struct ctr_init *in)
{
	ctr_wire_failed(in->t.wire, in->err);
	_exit(127);
}

/* ---- steps that are small ---- */

static int join_cgroup(struct ctr_init *in)
{
	unsigned which = 0;
	int rc = (int)CTR_CALL(&in->t, "write", ctr_cgroup_entry_join(&in->entry, &which), "%u hierarchies, \"0\"",
			       in->entry.n);

	ctr_cgroup_entry_close(&in->entry);
	return rc ? CTR_FAIL(&in->t, in->err, -rc, "it cannot enter its cgroup") : 0;
}

static int join_others(struct ctr_init *in)
{
	return ctr_ns_join(&in->t, in->cfg, false, in->err);
}

static int new_cgroup_ns(struct ctr_init *in)
{
	if (CTR_CALL(&in->t, "unshare", unshare(CLONE_NEWCGROUP), "CLONE_NEWCGROUP") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "a cgroup namespace cannot be made");
	return 0;
}

static int hostname(struct ctr_init *in)
{
	const struct ctr_config *c = in->cfg;

	snprintf(in->t.place, sizeof(in->t.place), "hostname");
	if (c->hostname && CTR_CALL(&in->t, "sethostname", sethostname(c->hostname, strlen(c->hostname)), "\"%s\"", c->hostname) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the hostname cannot become %s", c->hostname);
	snprintf(in->t.place, sizeof(in->t.place), "domainname");
	if (c->domainname &&
	    CTR_CALL(&in->t, "setdomainname", setdomainname(c->domainname, strlen(c->domainname)), "\"%s\"", c->domainname) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the domainname cannot become %s", c->domainname);
	return 0;
}

static int hooks_runtime(struct ctr_init *in)
{
	/* the runtime's process runs them; it says itself what went wrong */
	if (ctr_wire_ask(in->t.wire, CTR_SAY_HOOKS, -1) < 0)
		_exit(127);
	return 0;
}

static int hooks_container(struct ctr_init *in, enum ctr_hook_kind kind, enum ctr_step step, enum ctr_status status)
{
	rs_auto_str state = RS_STR_INIT;

	ctr_state_text(in->c, status, true, &state);
	return ctr_hooks(&in->t, in->cfg, kind, step, state.p, in->err);
}

static int hooks_create(struct ctr_init *in)
{
	return hooks_container(in, CTR_HOOK_CREATE_CONTAINER, CTR_STEP_HOOKS_CREATE, CTR_CREATING);
}

static int capabilities(struct ctr_init *in)
{
	int rc = ctr_caps_set(in, false);

	if (rc == 0 && in->p->no_new_privs) {
		snprintf(in->t.place, sizeof(in->t.place), "process.noNewPrivileges");
		if (CTR_CALL(&in->t, "prctl", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS, 1") < 0)
			rc = CTR_FAIL(&in->t, in->err, errno, "new privileges cannot be given up");
	}
	return rc;
}

static int user(struct ctr_init *in)
{
	int rc = ctr_caps_bounding(in); /* needs CAP_SETPCAP, which goes with the user */

	return rc ? rc : ctr_process_user(in);
}

static int rlimits(struct ctr_init *in)
{
	return ctr_process_rlimits(&in->t, in->p, 0, in->err);
}

static int attributes(struct ctr_init *in)
{
	int rc = ctr_process_attributes(in);

	return rc || in->user_ns || in->exec ? rc : ctr_process_oom(&in->t, in->p, 0, in->err);
}

static int set_cwd(struct ctr_init *in)
{
	/* as the program's user: what that one may not enter is no working folder; before that, as root, for
	 * a folder that only root may enter is allowed as well (runc does the same) */
	return ctr_process_cwd(in);
}

/* ---- which steps there are ---- */

static bool has_entry(const struct ctr_init *in) { return in->entry.n > 0; }
static bool has_joined(const struct ctr_init *in)
{
	for (unsigned i = 0; i < CTR_NAMESPACES; i++)
		if (i != CTR_NS_USER && i != CTR_NS_PID && in->cfg->ns[i] && in->cfg->ns[i]->path)
			return true;
	return false;
}
static bool new_cgroup(const struct ctr_init *in) { return ctr_ns_new(in->cfg, CTR_NS_CGROUP); }
static bool new_time(const struct ctr_init *in) { return ctr_ns_new(in->cfg, CTR_NS_TIME); }
static bool new_net(const struct ctr_init *in) { return ctr_ns_new(in->cfg, CTR_NS_NETWORK); }
static bool new_mount(const struct ctr_init *in) { return in->cfg->ns[CTR_NS_MOUNT] != NULL; }
static bool has_terminal(const struct ctr_init *in) { return in->p->terminal; }
static bool has_hooks_runtime(const struct ctr_init *in)
{
	return in->cfg->hooks[CTR_HOOK_PRESTART].n || in->cfg->hooks[CTR_HOOK_CREATE_RUNTIME].n;
}
static bool has_hooks_create(const struct ctr_init *in) { return in->cfg->hooks[CTR_HOOK_CREATE_CONTAINER].n; }
static bool has_name(const struct ctr_init *in) { return in->cfg->hostname || in->cfg->domainname; }
static bool has_sysctl(const struct ctr_init *in) { return in->cfg->sysctl.n; }
static bool has_readonly(const struct ctr_init *in) { return in->cfg->readonly.n; }
static bool has_rlimits(const struct ctr_init *in) { return in->p->rlimits.n && !in->user_ns; }
static bool has_masked(const struct ctr_init *in) { return in->cfg->masked.n; }

/* The order is that of steps.def. */
static const struct row {
	enum ctr_step step;
	const char *place;
	bool (*needed)(const struct ctr_init *in); /* NULL: always */
	int (*take)(struct ctr_init *in);
	bool many;                                 /* begins and ends a step for each element itself */
	bool exec;                                 /* also of a process that is added later */
} rows[] = {
	{ CTR_STEP_CGROUP_JOIN, "linux.cgroupsPath", has_entry, join_cgroup, false, false },
	{ CTR_STEP_JOIN, "", has_joined, join_others, true, false },
	{ CTR_STEP_JOIN, "linux.namespaces", new_cgroup, new_cgroup_ns, false, false },
	{ CTR_STEP_TIME, "linux.timeOffsets", new_time, ctr_ns_time, false, false },
	{ CTR_STEP_IDENTITY, "", NULL, ctr_identity, false, true },
	{ CTR_STEP_LOOPBACK, "", new_net, ctr_ns_loopback, false, false },
	{ CTR_STEP_PROPAGATION, "linux.rootfsPropagation", new_mount, ctr_root_propagation, false, false },
	{ CTR_STEP_ROOT, "root.path", NULL, ctr_root_bind, false, false },
	{ CTR_STEP_MOUNT, "", NULL, ctr_mounts, true, false },
	{ CTR_STEP_DEVICES, "linux.devices", new_mount, ctr_devices, false, false },
	{ CTR_STEP_TERMINAL, "process.terminal", has_terminal, ctr_terminal_make, false, true },
	{ CTR_STEP_HOOKS_RUNTIME, "", has_hooks_runtime, hooks_runtime, true, false },
	{ CTR_STEP_HOOKS_CREATE, "", has_hooks_create, hooks_create, true, false },
	{ CTR_STEP_HOSTNAME, "hostname", has_name, hostname, false, false },
	{ CTR_STEP_SYSCTL, "linux.sysctl", has_sysctl, ctr_sysctl, false, false },
	{ CTR_STEP_READONLY, "linux.readonlyPaths", has_readonly, ctr_paths_readonly, false, false },
	{ CTR_STEP_MASK, "linux.maskedPaths", has_masked, ctr_paths_masked, false, false },
	{ CTR_STEP_PROCESS, "process", NULL, attributes, false, true },
	{ CTR_STEP_PIVOT, "root.path", NULL, ctr_root_pivot, false, false },
	{ CTR_STEP_ROOT_ATTR, "linux.rootfsPropagation", new_mount, ctr_root_attr, false, false },
	/* late, for a limit of open files would hold for the steps before, too */
	{ CTR_STEP_LIMITS, "process.rlimits", has_rlimits, rlimits, false, false },
	{ CTR_STEP_USER, "process.cwd", NULL, set_cwd, false, true },
	{ CTR_STEP_USER, "process.user", NULL, user, false, true },
	{ CTR_STEP_CAPABILITIES, "process.capabilities", NULL, capabilities, false, true },
};

static void take(struct ctr_init *in, const struct row *row)
{
	int rc = row->many ? 0 : ctr_step_begin(&in->t, row->step, 0, in->err, "%s", row->place);

	if (rc == 0)
		rc = row->take(in);
	if (!row->many)
		ctr_step_end(&in->t, rc);
	if (rc)
		fail(in);
}

/* Everything but 0, 1, 2 and what was promised is closed when the program begins. */
static void close_at_exec(const struct ctr_init *in)
{
	unsigned first = 3 + in->c->o.preserve_fds;

	if (syscall(SYS_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		for (int fd = (int)first; fd < 65536; fd++)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The three descriptors of the caller's choice. Above 2 first: one of them may be 0, 1 or 2. */
static int take_stdio(struct ctr_init *in)
{
	int fd[3];

	for (unsigned i = 0; i < 3; i++) {
		fd[i] = fcntl(in->c->o.stdio[i], F_DUPFD_CLOEXEC, 3);
		if (fd[i] < 0)
			return CTR_FAIL(&in->t, in->err, errno, "standard input and output cannot be set");
	}
	for (int i = 0; i < 3; i++)
		if (dup2(fd[i], i) < 0)
			return CTR_FAIL(&in->t, in->err, errno, "standard input and output cannot be set");
	return 0;
}

/* Another wire than the one that created it: the next `start` calls. */
static int wait_start(struct ctr_init *in)
{
	if (in->listen < 0)
		return ctr_wire_wait(in->t.wire, CTR_SAY_START);
	close(in->t.wire);
	for (;;) {
		in->t.wire = accept4(in->listen, NULL, NULL, SOCK_CLOEXEC);
		if (in->t.wire < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			return -errno;
		}
		if (ctr_wire_wait(in->t.wire, CTR_SAY_START) == 0)
			break;
		close(in->t.wire);
	}
	/* whoever looks on now need not be who looked on then */
	in->t.on = false;
	return 0;
}

_Noreturn void ctr_init(struct ctr_init *in, int wire)
{
	static struct rs_err err = RS_ERR_INIT;

	in->err = &err;
	in->t.wire = wire;
	in->t.pid = getpid();
	close(in->c->wire); /* the runtime's end: only without it is the runtime's death heard */
	if (in->say_pid && ctr_wire_say(wire, CTR_SAY_PID) < 0)
		_exit(127);
	if (in->user_ns && ctr_ns_new(in->cfg, CTR_NS_USER) && !in->exec && ctr_wire_wait(wire, CTR_SAY_GO) < 0) /* until the ids are mapped */
		_exit(127);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((!in->exec || rows[i].exec) && (!rows[i].needed || rows[i].needed(in)))
			take(in, &rows[i]);
	ctr_init_start(in);
}

_Noreturn void ctr_init_start(struct ctr_init *in)
{
	sigset_t none;
	int rc;

	in->t.open = false;
	if (in->p->set && in->p->args.n && ctr_process_find(in))
		fail(in);
	if (!in->at_once && (ctr_wire_say(in->t.wire, CTR_SAY_CREATED) < 0 || wait_start(in) < 0))
		_exit(127);
	if (!in->p->set || !in->p->args.n) {
		ctr_step_begin(&in->t, CTR_STEP_EXEC, 0, in->err, "process");
		rs_err_set(in->err, -EINVAL, "the configuration has no program to run: process.args is missing");
		ctr_fail_finish(&in->t, in->err);
		fail(in);
	}
	if (!in->exec && in->cfg->hooks[CTR_HOOK_START_CONTAINER].n &&
	    hooks_container(in, CTR_HOOK_START_CONTAINER, CTR_STEP_HOOKS_START, CTR_CREATED))
		fail(in);
	if (in->terminal >= 0 ? ctr_terminal_take(in) : in->c->o.stdio ? take_stdio(in) : 0)
		fail(in);
	close_at_exec(in);
	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* From the filter on, a message could be the call that it forbids: what is to be told is told before. */
	rc = in->filter ? ctr_step_begin(&in->t, CTR_STEP_SECCOMP, 0, in->err, "linux.seccomp") : 0;
	ctr_step_end(&in->t, rc);
	if (rc == 0)
		rc = ctr_step_begin(&in->t, CTR_STEP_EXEC, 0, in->err, "process.args");
	in->t.on = false;
	if (rc == 0 && in->filter) {
		in->t.step = CTR_STEP_SECCOMP;
		rc = ctr_seccomp_load(in);
		if (rc == 0 && !in->p->no_new_privs) /* CAP_SYS_ADMIN was kept for it */
			rc = ctr_caps_set(in, true);
		in->t.step = CTR_STEP_EXEC;
	}
	if (rc == 0)
		ctr_process_exec(in);
	fail(in);
}
