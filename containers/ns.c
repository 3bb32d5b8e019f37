/* Namespaces: born into new ones, joining others', the clock's offsets, the loopback interface. */
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "containers/run.h"
#include "engine/base/cleanup.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

pid_t ctr_clone(struct ctr_trace *t, uint64_t flags, int cgroup_fd, int *pidfd)
{
	struct clone_args a = {
		.flags = flags | (pidfd ? CLONE_PIDFD : 0) | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uintptr_t)pidfd, .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
	};
	uint64_t began = t->on ? ctr_now() : 0;
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));

	if (pid == 0)
		return 0;
	if (t->on)
		ctr_call_note(t, "clone3", began, pid, "{flags=0x%llx, cgroup=%d}", (unsigned long long)a.flags, cgroup_fd);
	if (pid > 0 || (errno != ENOSYS && errno != EPERM) || cgroup_fd >= 0)
		return pid;
	/* A filter may forbid clone3, for its flags lie in memory where no filter sees them: clone(2). What
	 * is really not permitted fails here, too. */
	began = t->on ? ctr_now() : 0;
	if (pidfd)
		*pidfd = -1;
	pid = (pid_t)syscall(SYS_clone, (unsigned long)(flags | (flags & CLONE_PARENT ? 0 : SIGCHLD)) |
			     (pidfd ? CLONE_PIDFD : 0), NULL, pidfd, NULL, 0);
	if (pid && t->on)
		ctr_call_note(t, "clone", began, pid, "0x%llx", (unsigned long long)flags);
	return pid;
}

/* The cgroup namespace shows the group that a process is in when the namespace is made: it comes after
 * cgroup.join. A time namespace takes its offsets before the first process enters: ctr_ns_time. */
#define LATER(ns) ((ns) == CTR_NS_CGROUP || (ns) == CTR_NS_TIME)

uint64_t ctr_ns_flags(const struct ctr_config *cfg)
{
	uint64_t flags = 0;

	for (unsigned i = 0; i < CTR_NAMESPACES; i++)
		if (ctr_ns_new(cfg, i) && !LATER(i))
			flags |= ctr_ns_infos[i].flag;
	return flags;
}

bool ctr_ns_join_first(const struct ctr_config *cfg)
{
	/* New namespaces belong to the user namespace of who makes them, and a process never changes its own
	 * pid namespace: both are joined before the first process is born. */
	return (cfg->ns[CTR_NS_USER] && cfg->ns[CTR_NS_USER]->path) ||
	       (cfg->ns[CTR_NS_PID] && cfg->ns[CTR_NS_PID]->path);
}

static int join(struct ctr_trace *t, const struct ctr_namespace *ns, int fd, struct rs_err *err)
{
	const struct ctr_ns_info *info = &ctr_ns_infos[ns->type];

	if (CTR_CALL(t, "setns", setns(fd, (int)info->flag), "%s, %s", ns->path, info->word) < 0)
		return CTR_FAIL(t, err, errno, "the %s namespace %s cannot be joined", info->word, ns->path);
	return 0;
}

/* before_clone: user and pid alone; else all others. Descriptors are opened first, for a joined mount
 * namespace has other paths. */
int ctr_ns_join(struct ctr_trace *t, const struct ctr_config *cfg, bool before_clone, struct rs_err *err)
{
	int fd[CTR_NAMESPACES], rc = 0;

	for (unsigned i = 0; i < CTR_NAMESPACES; i++)
		fd[i] = -1;
	for (unsigned i = 0; rc == 0 && i < CTR_NAMESPACES; i++) {
		const struct ctr_namespace *ns = cfg->ns[i];
		bool first = i == CTR_NS_USER || i == CTR_NS_PID;

		if (!ns || !ns->path || first != before_clone)
			continue;
		rc = ctr_step_begin(t, CTR_STEP_JOIN, i, err, "linux.namespaces[%u].path",
				    (unsigned)(ns - cfg->namespaces.v));
		if (rc == 0) {
			fd[i] = (int)CTR_CALL(t, "open", open(ns->path, O_RDONLY | O_CLOEXEC), "%s", ns->path);
			if (fd[i] < 0)
				rc = CTR_FAIL(t, err, errno, "the %s namespace %s cannot be opened", ctr_ns_infos[i].word,
					      ns->path);
		}
		if (rc == 0 && i == CTR_NS_USER) {
			/* the kernel refuses to join the own one again; it is joined already */
			struct stat a, b;

			if (fstat(fd[i], &a) == 0 && stat("/proc/self/ns/user", &b) == 0 && a.st_ino == b.st_ino &&
			    a.st_dev == b.st_dev) {
				close(fd[i]);
				fd[i] = -1;
			}
		}
		ctr_step_end(t, rc);
	}
	/* The pid namespace may belong to the user namespace, or to the host: whichever comes first works. */
	for (unsigned pass = 0; rc == 0 && pass < 2; pass++)
		for (unsigned i = 0; rc == 0 && i < CTR_NAMESPACES; i++) {
			bool other = before_clone && i == CTR_NS_PID && cfg->ns[CTR_NS_USER] && cfg->ns[CTR_NS_USER]->path;

			if (fd[i] < 0 || (i == CTR_NS_MOUNT && pass == 0))
				continue;
			ctr_step_begin(t, CTR_STEP_JOIN, i, err, "linux.namespaces[%u].path",
				       (unsigned)(cfg->ns[i] - cfg->namespaces.v));
			if (other && pass == 0 && setns(fd[i], CLONE_NEWPID) == 0) {
				close(fd[i]);
				fd[i] = -1;
				continue;
			}
			rc = join(t, cfg->ns[i], fd[i], err);
			ctr_step_end(t, rc);
			close(fd[i]);
			fd[i] = -1;
		}
	for (unsigned i = 0; i < CTR_NAMESPACES; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return rc;
}

/* ---- time ---- */

static int write_file(struct ctr_trace *t, const char *path, const char *text)
{
	rs_auto_close int fd = (int)CTR_CALL(t, "open", open(path, O_WRONLY | O_CLOEXEC), "%s", path);
	size_t n = strlen(text);

	if (fd < 0)
		return -errno;
	return CTR_CALL(t, "write", write(fd, text, n), "%s, \"%s\"", path, text) == (long)n ? 0 : -errno;
}

int ctr_ns_time(struct ctr_init *in)
{
	const struct ctr_config *c = in->cfg;
	const struct {
		const char *clock;
		const struct ctr_time_offset *o;
	} rows[] = { { "monotonic", &c->monotonic }, { "boottime", &c->boottime } };
	rs_auto_close int fd = -1;
	int rc;

	if (CTR_CALL(&in->t, "unshare", unshare(CLONE_NEWTIME), "CLONE_NEWTIME") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "a time namespace cannot be made");
	for (unsigned i = 0; i < 2; i++) {
		char text[80];

		if (!rows[i].o->secs.set && !rows[i].o->nanosecs.set)
			continue;
		snprintf(text, sizeof(text), "%s %lld %llu", rows[i].clock, (long long)rows[i].o->secs.i,
			 (unsigned long long)rows[i].o->nanosecs.u);
		rc = write_file(&in->t, "/proc/self/timens_offsets", text);
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "the offset of the clock %s cannot be set", rows[i].clock);
	}
	/* unshare moves only children; the first process itself enters now */
	fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || CTR_CALL(&in->t, "setns", setns(fd, CLONE_NEWTIME), "time_for_children") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "a time namespace cannot be made");
	return 0;
}

/* ---- network ---- */

int ctr_ns_loopback(struct ctr_init *in)
{
	rs_auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo" };

	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || CTR_CALL(&in->t, "ioctl", ioctl(fd, SIOCSIFFLAGS, &r), "SIOCSIFFLAGS, {lo, UP}") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the interface lo cannot be set up");
	return 0;
}
