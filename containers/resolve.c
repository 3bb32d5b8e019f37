/* Paths inside a root file system that somebody else wrote: a symbolic link there may point anywhere,
 * and must not lead out. openat2(2) with RESOLVE_IN_ROOT does it; where that call is missing or
 * forbidden, every part is walked here with O_NOFOLLOW and links are read.
 */
#include "containers/run.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

#define MAX_LINKS 40  /* as the kernel's own walk */
#define MAX_DEPTH 256

/* ---- without openat2 ---- */

struct walk {
	int fd[MAX_DEPTH]; /* the way from the root to here; fd[0] is the root and not ours */
	unsigned depth;
};

static void walk_up(struct walk *w, unsigned to)
{
	while (w->depth > to)
		close(w->fd[w->depth--]);
}

/* Enters one part; a link's text is put in front of `rest`. */
static int walk_part(struct walk *w, const char *name, struct rs_str *rest, unsigned *links)
{
	char target[PATH_MAX];
	struct stat st;
	int fd;

	if (!*name || strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		if (w->depth)
			walk_up(w, w->depth - 1);
		return 0;
	}
	fd = openat(w->fd[w->depth], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
		rs_auto_str joined = RS_STR_INIT;

		close(fd);
		if (n < 0)
			return -errno;
		if (++*links > MAX_LINKS)
			return -ELOOP;
		target[n] = '\0';
		if (*target == '/')
			walk_up(w, 0);
		rs_str_addf(&joined, "%s/%s", target, rest->p);
		rs_str_clear(rest);
		rs_str_add(rest, joined.p);
		return 0;
	}
	if (w->depth + 1 >= MAX_DEPTH) {
		close(fd);
		return -ENAMETOOLONG;
	}
	w->fd[++w->depth] = fd;
	return 0;
}

static int resolve_by_hand(int root, const char *path, int flags)
{
	struct walk w = { .fd = { root } };
	rs_auto_str rest = RS_STR_INIT;
	unsigned links = 0;
	int rc = 0, fd = -1;

	rs_str_add(&rest, path);
	while (rc == 0 && rest.len) {
		size_t n = strcspn(rest.p, "/");
		rs_auto_free char *name = strndup(rest.p, n);
		rs_auto_str tail = RS_STR_INIT;

		if (!name)
			rs_oom();
		rs_str_add(&tail, rest.p + n + (rest.p[n] == '/'));
		rs_str_clear(&rest);
		rs_str_add(&rest, tail.p);
		if ((flags & O_NOFOLLOW) && !rest.len) { /* the last part is wanted as it is */
			struct stat st;

			if (*name && strcmp(name, "..") && fstatat(w.fd[w.depth], name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			    S_ISLNK(st.st_mode)) {
				fd = openat(w.fd[w.depth], name, flags | O_CLOEXEC);
				rc = fd < 0 ? -errno : 0;
				break;
			}
		}
		rc = walk_part(&w, name, &rest, &links);
	}
	if (rc == 0 && fd < 0) {
		char self[40];

		/* the descriptor is a path already; another mode is a second open of the same file */
		snprintf(self, sizeof(self), "/proc/self/fd/%d", w.fd[w.depth]);
		if (flags & O_PATH)
			fd = fcntl(w.fd[w.depth], F_DUPFD_CLOEXEC, 3);
		else
			fd = open(self, (flags & ~O_NOFOLLOW) | O_CLOEXEC);
		rc = fd < 0 ? -errno : 0;
		if (rc == 0 && (flags & O_DIRECTORY)) {
			struct stat st;

			if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode)) {
				close(fd);
				rc = -ENOTDIR;
			}
		}
	}
	walk_up(&w, 0);
	return rc ? rc : fd;
}

/* ---- with it ---- */

int ctr_resolve(int root, const char *path, int flags)
{
	static bool missing;
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	while (*path == '/')
		path++;
	if (!*path)
		path = ".";
	for (unsigned tries = 0; !missing && tries < 64; tries++) {
		long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno == ENOSYS || errno == EPERM) {
			missing = true;
			break;
		}
		/* somebody renames things below us while we walk (openat2(2)) */
		if (errno != EAGAIN)
			return -errno;
	}
	return resolve_by_hand(root, path, flags);
}

int ctr_resolve_parent(int root, const char *path, char **name)
{
	rs_auto_free char *copy = rs_xstrdup(path);
	size_t n = strlen(copy);
	char *slash;
	int fd;

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	*name = rs_xstrdup(slash ? slash + 1 : copy);
	if (slash)
		*slash = '\0';
	if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) {
		free(*name);
		*name = NULL;
		return -EINVAL;
	}
	fd = ctr_resolve_make(root, slash ? copy : "/", true, 0755);
	if (fd < 0) {
		free(*name);
		*name = NULL;
	}
	return fd;
}

int ctr_resolve_make(int root, const char *path, bool folder, mode_t mode)
{
	int fd = ctr_resolve(root, path, O_PATH), parent;
	rs_auto_free char *name = NULL;

	if (fd != -ENOENT)
		return fd;
	parent = ctr_resolve_parent(root, path, &name);
	if (parent < 0)
		return parent;
	if (folder) {
		fd = mkdirat(parent, name, mode) < 0 && errno != EEXIST ? -errno : 0;
	} else {
		fd = openat(parent, name, O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
		if (fd >= 0)
			close(fd);
		fd = fd < 0 ? -errno : 0;
	}
	/* a link that points to nothing is not followed: that it could have been made is no reason to */
	if (fd == 0)
		fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		fd = -errno;
	close(parent);
	if (fd >= 0) {
		struct stat st;

		if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
			close(fd);
			return -ENOENT;
		}
	}
	return fd;
}
