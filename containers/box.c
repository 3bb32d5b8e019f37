/* The box: put together, let run, watched over, and taken away.
 */
#include "containers/box_private.h"
#include "containers/config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/control.h"
#include "engine/base/file.h"

#define MS 1000000ull
#define TICK (100 * MS)            /* accounting: ten times a second */
#define LOOK (200 * MS)            /* snapshots of a watched box, at most this often */
/* Root of the box is this user of the host, whom nothing belongs to; 65,536 of them. */
#define HOST_IDS (1u << 30)

uint64_t box_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- limits ---- */

static int read_resources(const struct ctr_box_desc *d, struct ctr_resources *r, struct rs_err *err)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", d->workspace, d->resources);
	rs_auto_str text = RS_STR_INIT;
	int rc = rs_file_read(path, 1u << 20, &text, err);

	return rc < 0 ? rc : ctr_resources_parse(text.p, text.len, d->resources, r, err);
}

static int make_group(struct box *b, struct rs_err *err)
{
	const struct ctr_box_desc *d = b->d;
	rs_auto_free char *name = rs_xasprintf("ringside-box-%d", (int)getpid());
	struct ctr_cgroup_opts o = { .path = name, .if_possible = true, .will_make = d->will_make, .arg = d->arg, .em = b->em };
	struct ctr_resources r = { 0 };
	int rc = d->resources ? read_resources(d, &r, err) : 0;

	if (rc == 0)
		rc = ctr_cgroup_host_read(&b->host, err);
	if (rc == 0) {
		b->cg = ctr_cgroup_make(&b->host, &o, &r, err);
		rc = b->cg ? 0 : err && err->code ? err->code : -EIO;
	}
	/* A box that forks without end or eats all memory must not hurt the machine. */
	bool own_pids = !r.v[CTR_SET_PIDS_LIMIT].set, own_memory = !r.v[CTR_SET_MEMORY_LIMIT].set;

	if (own_pids) {
		r.v[CTR_SET_PIDS_LIMIT].set = true;
		r.v[CTR_SET_PIDS_LIMIT].i = 512;
	}
	if (own_memory) {
		r.v[CTR_SET_MEMORY_LIMIT].set = true;
		r.v[CTR_SET_MEMORY_LIMIT].i = 1ll << 30;
	}
	/* A quota is to be felt on a busy machine, too: what the box may use it gets before others do. */
	if (r.v[CTR_SET_CPU_QUOTA].set && !r.v[CTR_SET_CPU_SHARES].set) {
		r.v[CTR_SET_CPU_SHARES].set = true;
		r.v[CTR_SET_CPU_SHARES].u = 262144;
	}
	if (rc == 0) {
		ctr_cgroup_plan(b->cg, &r, &b->plan);
		/* What the lesson did not ask for may be missing. */
		rc = ctr_cgroup_apply(b->cg, &b->plan, !d->resources, err);
	}
	ctr_resources_release(&r);
	return rc;
}

/* ---- the first process ---- */

static int write_map(pid_t pid, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	rs_auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ? -errno : 0;
}

/* user_namespaces(7), "Defining user and group ID mappings" */
static int map_ids(pid_t pid, struct rs_err *err)
{
	char text[64];
	int rc = 0;

	if (geteuid() == 0) {
		snprintf(text, sizeof(text), "0 %u 65536\n", HOST_IDS);
		rc = write_map(pid, "uid_map", text);
		if (rc == 0)
			rc = write_map(pid, "gid_map", text);
	}
	if (geteuid() != 0 || rc == -EPERM) {
		/* Oneself alone, and then no other groups. */
		write_map(pid, "setgroups", "deny");
		snprintf(text, sizeof(text), "0 %u 1\n", (unsigned)geteuid());
		rc = write_map(pid, "uid_map", text);
		snprintf(text, sizeof(text), "0 %u 1\n", (unsigned)getegid());
		if (rc == 0)
			rc = write_map(pid, "gid_map", text);
	}
	return rc < 0 ? rs_err_errno(err, -rc, "the user ids of the container cannot be mapped") : 0;
}

static pid_t clone_box(int cgroup_fd)
{
	struct clone_args a = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};

	if (cgroup_fd >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

static const char *step_sentence(int step)
{
	switch (step) {
	case BOX_IDS:
		return N_("the container's first process cannot become its root (%s)");
	case BOX_CGROUP:
		return N_("the container's first process cannot enter its cgroup (%s)");
	case BOX_MOUNTS:
		return N_("the container's root file system cannot be mounted (%s)");
	case BOX_FILES:
		return N_("the container's root file system cannot be filled (%s)");
	case BOX_PIVOT:
		return N_("the container cannot get its own root (%s)");
	case BOX_FILTER:
		return N_("the container's calls cannot be watched (%s)");
	default:
		return N_("the container's program cannot be started (%s)");
	}
}

/* Reads reports until the box is ready. */
static int await_ready(struct box *b, int report, struct rs_err *err)
{
	struct box_report r;
	ssize_t n;

	while ((n = read(report, &r, sizeof(r))) == (ssize_t)sizeof(r)) {
		r.what[sizeof(r.what) - 1] = '\0';
		if (r.step == BOX_READY)
			return 0;
		if (r.step != BOX_MISSES)
			return rs_err_errno(err, r.error, step_sentence(r.step), r.what);
		if (b->em)
			rs_emit(b->em, RS_EV_BOX_MISSING, RS_SRC_CTR, (uint32_t)b->first, (uint64_t)r.error, 0, 0, 0, r.what);
	}
	return rs_err_set(err, -ECHILD, "the container's first process ended before it was ready");
}

static int begin(struct box *b, struct box_plan *p, int *sync, int *report, struct rs_err *err)
{
	int s[2], r[2], rc;

	if (pipe2(s, O_CLOEXEC) < 0)
		return rs_err_errno(err, errno, "no descriptors for a container");
	if (pipe2(r, O_CLOEXEC) < 0) {
		rc = rs_err_errno(err, errno, "no descriptors for a container");
		close(s[0]);
		close(s[1]);
		return rc;
	}
	p->sync = s[0];
	p->report = r[1];
	b->first = clone_box(p->entry.clone_fd);
	if (b->first == 0) {
		close(s[1]);
		close(r[0]);
		box_child(p);
	}
	int e = errno;

	close(s[0]);
	close(r[1]);
	*sync = s[1];
	*report = r[0];
	if (b->first < 0)
		return rs_err_errno(err, e, "a process in namespaces of its own cannot be started; see ringside doctor for what is missing");
	rc = map_ids(b->first, err);
	if (rc == 0 && write(*sync, "m", 1) != 1)
		rc = rs_err_errno(err, errno, "the container's first process cannot be reached");
	return rc ? rc : await_ready(b, *report, err);
}

#define TRACE_OPTIONS                                                                                                          \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |      \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT)

static int watch(struct box *b, struct rs_err *err)
{
	struct box_proc *p;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	b->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (b->signal_fd < 0)
		return rs_err_errno(err, errno, "no descriptors for a container");
	if (ptrace(PTRACE_SEIZE, b->first, NULL, (void *)(uintptr_t)TRACE_OPTIONS) < 0)
		return rs_err_errno(err, errno, "the container cannot be watched (ptrace); allow it with sysctl kernel.yama.ptrace_scope=1");
	p = box_trace_adopt(b, b->first, getpid());
	p->known = true;
	b->root_ino = p->root_ino;
	b->root_dev = p->root_dev;
	return 0;
}

/* ---- the loop ---- */

static void resume(struct box *b)
{
	if (!b->paused)
		return;
	b->paused = false;
	if (b->deadline)
		b->deadline += box_now() - b->paused_at;
	box_trace_release(b);
}

static void stop(struct box *b)
{
	b->stopped = true;
	kill(b->first, SIGKILL);
}

static int carry_out(struct box *b, const struct rs_control *c)
{
	switch (c->op) {
	case RS_CONTROL_PAUSE:
		if (!b->paused) {
			b->paused = true;
			b->paused_at = box_now();
			b->stepping = false;
			rs_emit(b->em, RS_EV_EXP_PAUSED, RS_SRC_CTR, (uint32_t)b->first, 0, 0, 0, 0, NULL);
			box_trace_hold(b);
			box_look(b);
		}
		return 0;
	case RS_CONTROL_RESUME:
		if (b->paused || b->stepping)
			rs_emit(b->em, RS_EV_EXP_RESUMED, RS_SRC_CTR, (uint32_t)b->first, 0, 0, 0, 0, NULL);
		b->stepping = false;
		resume(b);
		return 0;
	case RS_CONTROL_STEP:
		b->stepping = true;
		b->steps = c->a ? c->a : 1;
		resume(b);
		return 0;
	case RS_CONTROL_INSPECT:
		box_look(b);
		return 0;
	case RS_CONTROL_STOP:
		stop(b);
		return 0;
	default:
		return -EINVAL;
	}
}

static void take_orders(struct box *b)
{
	struct rs_control c;
	int rc;

	while (b->control_fd >= 0 && (rc = rs_control_recv(b->control_fd, &c)) != -EAGAIN) {
		if (rc < 0) { /* nobody there any more */
			b->control_fd = -1;
			break;
		}
		c.result = carry_out(b, &c);
		rs_control_send(b->control_fd, &c);
	}
}

static void account(struct box *b)
{
	struct ctr_stats now;

	if (!b->em || !b->cg || !ctr_cgroup_exists(b->cg))
		return;
	ctr_cgroup_stats(b->cg, &now);
	ctr_cgroup_report(b->cg, &b->stats, &now, b->em);
	b->stats = now;
}

static void tick(struct box *b)
{
	uint64_t now = box_now();

	if (now >= b->next_tick) {
		account(b);
		ctr_overlay_look(&b->overlay, b->em, (uint32_t)b->first);
		b->next_tick = now + TICK;
	}
	if (b->d->watched && now >= b->next_look) {
		box_look(b);
		b->next_look = now + LOOK;
	}
	if (b->deadline && !b->paused && now >= b->deadline && !b->timed_out) {
		b->timed_out = true;
		kill(b->first, SIGKILL);
	}
}

static int wait_ms(const struct box *b)
{
	uint64_t now = box_now(), at = b->next_tick;

	if (b->d->watched && b->next_look < at)
		at = b->next_look;
	if (b->deadline && !b->paused && b->deadline < at)
		at = b->deadline;
	return at > now ? (int)((at - now + MS - 1) / MS) : 0;
}

static void loop(struct box *b)
{
	while (!b->ended) {
		struct pollfd p[] = { { b->signal_fd, POLLIN, 0 }, { b->control_fd, POLLIN, 0 }, { b->oom_fd, POLLIN, 0 } };
		struct signalfd_siginfo si;
		pid_t pid;
		int status;

		poll(p, 3, wait_ms(b));
		while (read(b->signal_fd, &si, sizeof(si)) > 0)
			;
		while (!b->ended && (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
			box_trace_event(b, pid, status);
		if (b->ended)
			break;
		take_orders(b);
		if (p[2].revents & POLLIN) {
			ctr_cgroup_oom_taken(b->oom_fd);
			account(b);
		}
		tick(b);
	}
}

static void tell_end(struct box *b)
{
	enum rs_outcome o = b->timed_out ? RS_OUT_WATCHDOG : b->stopped ? RS_OUT_STOPPED : WIFSIGNALED(b->status) ? RS_OUT_KILLED : RS_OUT_EXITED;

	rs_emit(b->em, RS_EV_BOX_END, RS_SRC_CTR, (uint32_t)b->first, o, WIFEXITED(b->status) ? (uint64_t)WEXITSTATUS(b->status) : 0,
		WIFSIGNALED(b->status) ? (uint64_t)WTERMSIG(b->status) : 0, 0, NULL);
}

/* The namespace's first process is gone, and so is everything else in it; what is left of it is reaped. */
static void reap(struct box *b)
{
	int status;

	if (b->first > 0 && !b->ended)
		kill(b->first, SIGKILL);
	for (unsigned i = 0; i < 2000; i++) {
		pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);

		if (pid < 0)
			break;
		if (pid > 0)
			box_trace_event(b, pid, status);
		else
			poll(NULL, 0, 1);
	}
}

static int run(struct box *b, struct box_plan *p, int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct rs_err *err)
{
	rs_auto_close int sync = -1, report = -1;
	struct box_report r;
	int rc = make_group(b, err);

	if (rc == 0)
		rc = ctr_cgroup_entry_open(b->cg, true, &p->entry, err);
	if (rc == 0)
		rc = begin(b, p, &sync, &report, err);
	if (rc == 0)
		rc = watch(b, err);
	if (rc < 0)
		return rc;
	b->oom_fd = ctr_cgroup_dir(b->cg, "memory") ? ctr_cgroup_oom_fd(b->cg, NULL) : -1;
	rs_emit(b->em, RS_EV_BOX_START, RS_SRC_CTR, (uint32_t)b->first, (uint64_t)b->first, 1, ctr_cgroup_exists(b->cg), 0, p->argv[0]);
	rc = seal ? seal(seal_arg, err) : 0;
	if (rc < 0)
		return rc;
	b->t0 = box_now();
	b->deadline = b->d->timeout_ns ? b->t0 + b->d->timeout_ns : 0;
	b->next_tick = b->t0 + TICK;
	b->next_look = b->t0;
	if (b->d->start_paused) {
		b->paused = true;
		b->paused_at = b->t0;
		rs_emit(b->em, RS_EV_EXP_PAUSED, RS_SRC_CTR, (uint32_t)b->first, 0, 0, 0, 0, NULL);
		box_look(b);
	}
	if (write(sync, "g", 1) != 1)
		return rs_err_errno(err, errno, "the container's first process cannot be reached");
	loop(b);
	account(b);
	if (!b->stopped && !b->timed_out && WIFEXITED(b->status) && WEXITSTATUS(b->status) == 127 &&
	    fcntl(report, F_SETFL, O_NONBLOCK) == 0 && read(report, &r, sizeof(r)) == (ssize_t)sizeof(r) && r.step == BOX_EXEC)
		return rs_err_errno(err, r.error, step_sentence(r.step), p->argv[0]);
	tell_end(b);
	return 0;
}

int ctr_box_run(const struct ctr_box_desc *d, struct rs_emitter *em, int control_fd,
		int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct rs_err *err)
{
	struct box *b = rs_xcalloc(1, sizeof(*b));
	struct box_plan p = { .busybox = RS_STR_INIT, .input = -1, .entry = { .clone_fd = -1 } };
	int rc;

	*b = (struct box){ .d = d, .em = em, .control_fd = control_fd, .signal_fd = -1, .oom_fd = -1 };
	b->proc = rs_xcalloc(BOX_PROCS_MAX, sizeof(*b->proc));
	memset(&b->stats, 0xff, sizeof(b->stats));
	rc = box_plan_make(&p, d, err);
	if (rc == 0)
		rc = run(b, &p, seal, seal_arg, err);
	reap(b);
	if (d->watched)
		box_look(b);
	if (b->cg) {
		struct rs_err e = RS_ERR_INIT;
		int gone = ctr_cgroup_delete(b->cg, &e);

		if (gone == 0 && d->all_gone)
			d->all_gone(d->arg);
		if (gone < 0 && rc == 0) {
			rc = gone;
			if (err)
				*err = e;
		}
	}
	ctr_plan_release(&b->plan);
	ctr_cgroup_free(b->cg);
	ctr_cgroup_host_release(&b->host);
	ctr_overlay_close(&b->overlay);
	box_plan_release(&p);
	if (b->signal_fd >= 0)
		close(b->signal_fd);
	if (b->oom_fd >= 0)
		close(b->oom_fd);
	free(b->fullest);
	free(b->proc);
	free(b);
	return rc;
}

int ctr_box_limits(struct rs_text *layout, struct rs_err *err)
{
	static const char *const needed[] = { "memory", "cpu", "pids" };
	struct ctr_cgroup_host host;
	int rc = ctr_cgroup_host_read(&host, err);

	for (unsigned i = 0; rc == 0 && i < 3; i++) {
		const struct ctr_hierarchy *h = ctr_cgroup_host_find(&host, needed[i]);

		if (!h) {
			rc = rs_err_set(err, -ENOENT, "no cgroup hierarchy has the controller %s", needed[i]);
		} else {
			rc = ctr_hierarchy_writable(h);
			if (rc < 0)
				rs_err_errno(err, -rc, "this user may not make groups below %s", h->mount);
		}
	}
	if (rc == 0)
		rs_text_set(layout, "cgroups: %s", ctr_layout_name(host.layout));
	ctr_cgroup_host_release(&host);
	return rc;
}

int ctr_box_available(struct rs_err *err)
{
	char path[4096];
	int status;
	pid_t pid;

	if (!ctr_box_busybox(path, sizeof(path)))
		return rs_err_set(err, -ENOENT, "no statically linked busybox was found; install one (Debian, Ubuntu: apt-get install "
				  "busybox-static) or name one in BUSYBOX");
	pid = clone_box(-1);
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return rs_err_errno(err, errno, "this user cannot make namespaces; allow it with sysctl "
				    "kernel.unprivileged_userns_clone=1 and user.max_user_namespaces, or run as root");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return 0;
}
