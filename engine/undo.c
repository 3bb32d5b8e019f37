/* One journal entry, undone: what it names is checked to be the lab's own before it is touched.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/journal.h"

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}
#define NAPS 400 /* two seconds: a killed process in an uninterruptible sleep may take a while */

/* ---- processes ---- */

static bool has_token(pid_t pid, const char *token)
{
	char path[64];
	rs_auto_str env = RS_STR_INIT;
	rs_auto_free char *want = rs_xasprintf("%s=%s", ENG_TOKEN_ENV, token);

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	rs_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		return false;
	while (env.len < (1u << 20) && (n = read(fd, buf, sizeof(buf))) > 0)
		rs_str_addn(&env, buf, (size_t)n);
	for (size_t i = 0; i < env.len; i += strlen(env.p + i) + 1)
		if (strcmp(env.p + i, want) == 0)
			return true;
	return false;
}

/* Kills what carries the token in its environment and belongs to the group. Returns how many live. */
static unsigned kill_marked(pid_t group, const char *token)
{
	rs_auto_closedir DIR *d = opendir("/proc");
	unsigned alive = 0;
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name), grp;
		uint64_t start;
		char state;

		if (pid <= 1 || eng_proc_stat(pid, &start, &state, &grp) < 0 || grp != group ||
		    state == 'Z' || state == 'X' || !has_token(pid, token))
			continue;
		kill(pid, SIGKILL);
		alive++;
	}
	return alive;
}

static bool leader_alive(pid_t pid, uint64_t start, pid_t *grp)
{
	uint64_t now;
	char state;

	return eng_proc_stat(pid, &now, &state, grp) == 0 && now == start && state != 'Z' &&
	       state != 'X';
}

static bool undo_proc(const char *arg, const char *token)
{
	int pid;
	uint64_t start;
	pid_t grp;

	if (sscanf(arg, "%d %" SCNu64, &pid, &start) != 2 || pid <= 1 || pid == getpid())
		return true; /* nothing of ours */
	for (int i = 0; i < NAPS; i++) {
		unsigned alive = 0;

		if (leader_alive(pid, start, &grp)) {
			/* While the leader lives, the group with its number is its own. */
			kill(grp == pid && grp != getpgrp() ? -pid : pid, SIGKILL);
			alive = 1;
		}
		if (alive + kill_marked(pid, token) == 0)
			return true;
		nap();
	}
	return false;
}

/* ---- directories and mounts ---- */

/* A relative path without "." and "..", or one name when `one`. */
static bool tame(const char *p, bool one)
{
	if (!*p || *p == '/' || strlen(p) > 4000)
		return false;
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 0 || p[0] == '.' || (one && p[n] == '/'))
			return false;
		p += n;
		if (*p == '/' && !*++p)
			return false;
	}
	return true;
}

static bool undo_dir(const char *arg)
{
	rs_auto_free char *root = NULL, *path = NULL;

	if (!tame(arg, true))
		return true;
	root = eng_scratch_root(NULL);
	if (!root)
		return false;
	path = rs_xasprintf("%s/%s", root, arg);
	return rs_rmtree(path, NULL) == 0;
}

static bool undo_mount(const char *arg)
{
	rs_auto_free char *root = NULL, *path = NULL, *real = NULL;

	if (!tame(arg, false))
		return true;
	root = eng_scratch_root(NULL);
	if (!root)
		return false;
	path = rs_xasprintf("%s/%s", root, arg);
	/* A symbolic link on the way could lead out of the scratch root. */
	rs_auto_free char *real_root = realpath(root, NULL);

	real = realpath(path, NULL);
	if (!real || !real_root)
		return true; /* no such place: no mount on it */
	size_t n = strlen(real_root);

	if (strncmp(real, real_root, n) != 0 || real[n] != '/')
		return true;
	for (int i = 0; i < 64; i++)
		if (umount2(real, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return errno == EINVAL || errno == ENOENT;
	return false;
}

/* ---- cgroups ---- */

static bool on_cgroupfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && ((unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC ||
					 (unsigned long)fs.f_type == CGROUP_SUPER_MAGIC);
}

static void kill_cgroup(int dir)
{
	char buf[65536];
	rs_auto_close int kfd = openat(dir, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (kfd >= 0 && write(kfd, "1", 1) == 1)
		return;
	rs_auto_close int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n <= 0)
		return;
	buf[n] = '\0';
	for (char *p = buf, *line; (line = strsep(&p, "\n")) != NULL && *line;) {
		pid_t pid = (pid_t)atoi(line);

		if (pid > 1 && pid != getpid())
			kill(pid, SIGKILL);
	}
}

/* Removes `name` in `parent` and the groups below it. */
static bool remove_cgroup(int parent, const char *name, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;

	if (fd < 0)
		return errno == ENOENT;
	if (!on_cgroupfs(fd) || depth > 16) {
		close(fd);
		return true;
	}
	rs_auto_closedir DIR *d = fdopendir(fd);

	if (!d) {
		close(fd);
		return false;
	}
	kill_cgroup(fd);
	while ((e = readdir(d)) != NULL)
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			remove_cgroup(fd, e->d_name, depth + 1);
	for (int i = 0; i < NAPS; i++) {
		if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return true;
		if (errno != EBUSY)
			return false;
		nap();
	}
	return false;
}

static bool undo_cgroup(const char *arg)
{
	static const char root[] = "/sys/fs/cgroup/";
	rs_auto_free char *path = rs_xstrdup(arg);
	char *slash = strrchr(path, '/');

	if (strncmp(arg, root, strlen(root)) != 0 || !tame(arg + strlen(root), false) ||
	    strncmp(slash + 1, ENG_PREFIX, strlen(ENG_PREFIX)) != 0)
		return true;
	*slash = '\0';
	rs_auto_close int parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return parent < 0 ? errno == ENOENT : remove_cgroup(parent, slash + 1, 0);
}

/* ---- network interfaces (rtnetlink(7), RTM_DELLINK) ---- */

static bool undo_link(const char *arg)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} req = {
		.h = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_DELLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK, .nlmsg_seq = 1 },
		.i = { .ifi_family = AF_UNSPEC },
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} ack;

	if (strncmp(arg, ENG_LINK_PREFIX, strlen(ENG_LINK_PREFIX)) != 0 || strlen(arg) >= IFNAMSIZ)
		return true;
	req.i.ifi_index = (int)if_nametoindex(arg);
	if (req.i.ifi_index == 0)
		return true; /* it is gone */
	rs_auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &req, sizeof(req), 0) < 0 ||
	    recv(fd, &ack, sizeof(ack), 0) < (ssize_t)sizeof(ack))
		return false;
	return ack.h.nlmsg_type == NLMSG_ERROR && (ack.e.error == 0 || ack.e.error == -ENODEV);
}

bool eng_undo(enum eng_made kind, const char *arg, bool same_boot, const char *token)
{
	/* Only folders outlive a reboot; after one, the names of all else may mean something new. */
	if (kind == ENG_MADE_DIR)
		return undo_dir(arg);
	if (!same_boot)
		return true;
	switch (kind) {
	case ENG_MADE_PROC:
		return undo_proc(arg, token);
	case ENG_MADE_MOUNT:
		return undo_mount(arg);
	case ENG_MADE_CGROUP:
		return undo_cgroup(arg);
	case ENG_MADE_LINK:
		return undo_link(arg);
	default:
		return true;
	}
}
