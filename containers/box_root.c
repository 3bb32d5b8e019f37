/* The box's first process: between its birth and the program. It runs on a copy of its parent's memory,
 * has nothing but what the plan holds, and says on one pipe what failed.
 */
#include "containers/box_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

static _Noreturn void fail(const struct box_plan *p, enum box_step step, const char *what)
{
	struct box_report r = { .step = (int32_t)step, .error = errno };

	snprintf(r.what, sizeof(r.what), "%s", what);
	if (write(p->report, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(126);
	_exit(127);
}

/* Not the end of it: the box is without something. */
static void misses(const struct box_plan *p, const char *what)
{
	struct box_report r = { .step = BOX_MISSES, .error = errno };

	snprintf(r.what, sizeof(r.what), "%s", what);
	if (write(p->report, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(126);
}

static void await(const struct box_plan *p)
{
	char c;
	ssize_t n;

	while ((n = read(p->sync, &c, 1)) < 0 && errno == EINTR)
		;
	if (n != 1)
		_exit(126); /* the lab is gone */
}

static int put_file(const char *path, const struct rs_str *data, unsigned mode)
{
	rs_auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t at = 0; fd >= 0 && at < data->len;) {
		ssize_t n = write(fd, data->p + at, data->len - at);

		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? (size_t)n : 0;
	}
	return fd < 0 ? -1 : fchmod(fd, mode);
}

static void put_text(const struct box_plan *p, const char *path, const char *text)
{
	struct rs_str s = { .p = (char *)(uintptr_t)text, .len = strlen(text) };

	if (put_file(path, &s, 0644) < 0)
		fail(p, BOX_FILES, path);
}

/* Where the new root is put together: a folder that is there on every system. In the box's own mount
 * namespace nobody else sees what is mounted on it. */
#define ROOT "/tmp"

static void mount_root(const struct box_plan *p)
{
	static const char *const folders[] = { "bin", "dev", "etc", "proc", "root", "tmp", "work", "mnt", "sys", "home", "usr", "var" };
	static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail(p, BOX_MOUNTS, "make-private /");
	if (mount("box", ROOT, "tmpfs", MS_NOSUID, "size=256m,mode=755") < 0)
		fail(p, BOX_MOUNTS, "tmpfs " ROOT);
	if (chdir(ROOT) < 0)
		fail(p, BOX_MOUNTS, ROOT);
	umask(022);
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (mkdir(folders[i], 0755) < 0)
			fail(p, BOX_MOUNTS, folders[i]);
	chmod("tmp", 01777);
	for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		char from[32], to[32];
		int fd;

		snprintf(from, sizeof(from), "/dev/%s", devices[i]);
		snprintf(to, sizeof(to), "dev/%s", devices[i]);
		/* A node of our own would not open: this file system belongs to the user namespace. */
		fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0)
			fail(p, BOX_MOUNTS, to);
		close(fd);
		if (mount(from, to, NULL, MS_BIND, NULL) < 0)
			misses(p, from);
	}
	if (symlink("/proc/self/fd", "dev/fd") < 0 || symlink("/proc/self/fd/0", "dev/stdin") < 0 ||
	    symlink("/proc/self/fd/1", "dev/stdout") < 0 || symlink("/proc/self/fd/2", "dev/stderr") < 0)
		fail(p, BOX_MOUNTS, "dev/fd");
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		misses(p, "/proc");
}

/* busybox makes its own links, in a child. */
static void install_busybox(const struct box_plan *p)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		execl("/bin/busybox", "busybox", "--install", "-s", "/bin", NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		fail(p, BOX_FILES, "busybox --install");
}

static void fill(const struct box_plan *p)
{
	if (put_file("bin/busybox", &p->busybox, 0755) < 0)
		fail(p, BOX_FILES, "bin/busybox");
	put_text(p, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
	put_text(p, "etc/group", "root:x:0:\nnogroup:x:65534:\n");
	put_text(p, "etc/hostname", "box\n");
	for (unsigned i = 0; i < p->files; i++) {
		char path[300], *slash;

		snprintf(path, sizeof(path), "work/%s", p->file[i].name);
		for (slash = strchr(path + 5, '/'); slash; slash = strchr(slash + 1, '/')) {
			*slash = '\0';
			mkdir(path, 0755);
			*slash = '/';
		}
		if (put_file(path, &p->file[i].data, p->file[i].mode) < 0)
			fail(p, BOX_FILES, p->file[i].name);
	}
}

static void pivot(const struct box_plan *p)
{
	/* pivot_root(2), "pivot_root(".", ".")": the old root lies on top of the new one and goes. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		fail(p, BOX_PIVOT, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		fail(p, BOX_PIVOT, "umount2");
	if (chdir("/work") < 0)
		fail(p, BOX_PIVOT, "/work");
}

static void loopback_up(void)
{
	rs_auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo" };

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return;
	r.ifr_flags |= IFF_UP;
	ioctl(fd, SIOCSIFFLAGS, &r);
}

/* ---- the filter: stops at the calls that are watched ---- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

/* Nothing in a lesson needs these, and they lead past the watcher or far into the kernel. */
static const int refused[] = {
	__NR_io_uring_setup, __NR_bpf, __NR_perf_event_open, __NR_userfaultfd, __NR_add_key, __NR_request_key, __NR_keyctl,
	__NR_fsopen, __NR_fspick, __NR_open_tree, __NR_move_mount, /* mount(2) is what lessons show; its name stands in the list */
};

#define STMT(c, v) ((struct sock_filter)BPF_STMT((unsigned short)(c), (unsigned)(v)))
#define JUMP(c, v, t, f) ((struct sock_filter)BPF_JUMP((unsigned short)(c), (unsigned)(v), (unsigned char)(t), (unsigned char)(f)))
#define DATA(member) offsetof(struct seccomp_data, member)

static void close_filter(const struct box_plan *p)
{
	struct sock_filter f[16 + 2 * (BOX_CALLS + sizeof(refused) / sizeof(refused[0]))];
	struct sock_fprog prog = { .filter = f };
	unsigned n = 0;

	f[n++] = STMT(BPF_LD | BPF_W | BPF_ABS, DATA(arch));
	f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	f[n++] = STMT(BPF_LD | BPF_W | BPF_ABS, DATA(nr));
#if defined(__x86_64__)
	f[n++] = JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1); /* x32: the same calls by other numbers */
	f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
#endif
	for (unsigned i = 0; i < BOX_CALLS; i++) {
		if (box_calls[i].nr < 0)
			continue;
		f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, box_calls[i].nr, 0, 1);
		f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
		f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = (unsigned short)n;
	/* Root of a user namespace needs no no_new_privs for it, and a lesson may look at that bit. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		fail(p, BOX_FILTER, "seccomp");
}

static void limits(void)
{
	struct rlimit r;

	/* Beside the cgroup's limit, which not every user may set: a program that forks without end. */
	if (getrlimit(RLIMIT_NPROC, &r) == 0) {
		r.rlim_cur = r.rlim_cur > 1024 ? 1024 : r.rlim_cur;
		r.rlim_max = r.rlim_cur;
		setrlimit(RLIMIT_NPROC, &r);
	}
}

void box_child(const struct box_plan *p)
{
	unsigned which;
	sigset_t none;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = ctr_cgroup_entry_join(&p->entry, &which);
	if (rc < 0) {
		errno = -rc;
		fail(p, BOX_CGROUP, "tasks");
	}
	await(p); /* user ids are mapped */
	/* Only now its cgroup is the root of what it sees of them. */
	if (unshare(CLONE_NEWCGROUP) < 0)
		misses(p, "cgroup namespace");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		fail(p, BOX_IDS, "setresuid");
	setsid();
	mount_root(p);
	fill(p);
	pivot(p);
	if (sethostname("box", 3) < 0)
		misses(p, "host name");
	loopback_up();
	install_busybox(p);
	limits();
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(p->input, 0) < 0)
		fail(p, BOX_FILES, "input");
	close_filter(p);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* changing ids took it away */
	struct box_report ready = { .step = BOX_READY };

	if (write(p->report, &ready, sizeof(ready)) != (ssize_t)sizeof(ready))
		_exit(126);
	await(p); /* the watcher is here, and the lab's own door is closed */
	execve(p->argv[0], p->argv, p->envp);
	fail(p, BOX_EXEC, p->argv[0]);
}
