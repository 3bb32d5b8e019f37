/* Directories: making them, removing trees, and where XDG says that things are kept. */
#include "engine/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

int rs_mkdirs(const char *path, struct rs_err *err)
{
	rs_auto_free char *p = rs_xstrdup(path);
	struct stat st;

	for (char *at = p + (*p == '/'); *at; at++) {
		char *end = at + strcspn(at, "/"), keep = *end;

		*end = '\0';
		if (*at && mkdir(p, 0700) < 0) {
			int e = errno;

			/* There already, or on a read-only or forbidden level that is there. */
			if (stat(p, &st) < 0)
				return rs_err_errno(err, e, "cannot make the folder %s", p);
			if (!S_ISDIR(st.st_mode))
				return rs_err_set(err, -ENOTDIR, "%s is not a folder", p);
		}
		*end = keep;
		if (!keep)
			break;
		at = end;
	}
	return 0;
}

/* ---- removing a tree ----
 *
 * Everything is reached by descriptor, so a symbolic link put in the way is never followed. A
 * directory deeper than DEPTH_MAX is moved up to the top of the tree and removed from there: a
 * program may have nested deeper than descriptors, or our stack, would last.
 */
#define DEPTH_MAX 40

struct tree {
	int top;           /* the directory that is being removed */
	dev_t dev;
	unsigned moved;    /* for names of directories that were moved up */
	const char *path;  /* for messages */
	struct rs_err *err;
};

/* Opens a directory of the tree; -EXDEV if another file system is mounted there. */
static int open_inside(const struct tree *t, int dir, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	struct stat st;

	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* before Linux 5.6, or filtered */
		fd = openat(dir, name, (int)how.flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_dev != t->dev) {
		close(fd);
		return -EXDEV;
	}
	return fd;
}

static int failed(struct tree *t, const char *name, int e)
{
	if (e == EXDEV)
		return rs_err_set(t->err, -EXDEV,
				  "%s: another file system is mounted on %s; nothing there was removed",
				  t->path, name);
	return rs_err_errno(t->err, e, "cannot remove %s in %s", name, t->path);
}

static int empty(struct tree *t, int fd, unsigned depth);

static int move_up(struct tree *t, int dir, const char *name)
{
	for (unsigned try = 0; try < 10000; try++) {
		char up[40];

		snprintf(up, sizeof(up), ".ringside-rm-%u", t->moved++);
		if (renameat(dir, name, t->top, up) == 0)
			return 0;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			return -errno;
	}
	return -EEXIST;
}

static int remove_entry(struct tree *t, int dir, const char *name, unsigned depth)
{
	int fd, ret;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* Linux says EISDIR, POSIX EPERM */
	if (errno != EISDIR && errno != EPERM)
		return failed(t, name, errno);
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	fd = open_inside(t, dir, name);
	if (fd == -EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = open_inside(t, dir, name);
	if (fd < 0)
		return failed(t, name, -fd);
	if (depth >= DEPTH_MAX) {
		close(fd);
		ret = move_up(t, dir, name);
		return ret < 0 ? failed(t, name, -ret) : 0;
	}
	ret = empty(t, fd, depth + 1);
	if (ret < 0)
		return ret;
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return failed(t, name, errno);
	return 0;
}

/* Removes what is in the directory; takes the descriptor. */
static int empty(struct tree *t, int fd, unsigned depth)
{
	rs_auto_closedir DIR *d = fdopendir(fd);
	struct dirent *e;
	unsigned removed;
	struct stat st;

	if (!d) {
		int err = errno;

		close(fd);
		return failed(t, ".", err);
	}
	if (fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)!fchmod(fd, (st.st_mode & 07777) | 0700); /* our own but closed folder */
	/* Once more while there was something: removing while reading may skip entries, and
	 * folders may have been moved up here. */
	do {
		removed = 0;
		rewinddir(d);
		while (errno = 0, (e = readdir(d))) {
			int ret;

			if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
				continue;
			ret = remove_entry(t, fd, e->d_name, depth);
			if (ret < 0)
				return ret;
			removed++;
		}
		if (errno)
			return failed(t, ".", errno);
	} while (removed);
	return 0;
}

int rs_rmtree(const char *path, struct rs_err *err)
{
	struct tree t = { .path = path, .err = err };
	struct stat st;
	int fd, ret;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : rs_err_errno(err, errno, "cannot look at %s", path);
	if (!S_ISDIR(st.st_mode)) {
		if (unlink(path) < 0 && errno != ENOENT)
			return rs_err_errno(err, errno, "cannot remove %s", path);
		return 0;
	}
	t.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t.top < 0 && errno == EACCES && chmod(path, 0700) == 0)
		t.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t.top < 0)
		return errno == ENOENT ? 0 : rs_err_errno(err, errno, "cannot remove %s", path);
	if (fstat(t.top, &st) < 0)
		st.st_dev = 0;
	t.dev = st.st_dev;
	fd = fcntl(t.top, F_DUPFD_CLOEXEC, 0);
	ret = fd < 0 ? rs_err_errno(err, errno, "cannot remove %s", path) : empty(&t, fd, 0);
	close(t.top);
	if (ret < 0)
		return ret;
	if (rmdir(path) < 0 && errno != ENOENT)
		return rs_err_errno(err, errno, "cannot remove %s", path);
	return 0;
}

/* ---- XDG ---- */

static char *home(struct rs_err *err)
{
	const char *h = getenv("HOME");
	const struct passwd *pw;

	if (h && h[0] == '/')
		return rs_xstrdup(h);
	pw = getpwuid(getuid());
	if (pw && pw->pw_dir && pw->pw_dir[0] == '/')
		return rs_xstrdup(pw->pw_dir);
	rs_err_set(err, -ENOENT, "HOME is not set, so there is no place to keep things");
	return NULL;
}

char *rs_dir_path(enum rs_xdg which, const char *sub, struct rs_err *err)
{
	static const struct {
		const char *var, *under_home;
	} places[] = {
		[RS_DIR_STATE] = { "XDG_STATE_HOME", ".local/state" },
		[RS_DIR_DATA] = { "XDG_DATA_HOME", ".local/share" },
		[RS_DIR_CACHE] = { "XDG_CACHE_HOME", ".cache" },
	};
	const char *base = getenv(places[which].var);
	rs_auto_free char *h = NULL;
	rs_auto_str s = RS_STR_INIT;

	/* "All paths must be absolute. If [...] relative, [...] ignore it." */
	if (base && base[0] == '/') {
		rs_str_add(&s, base);
	} else {
		h = home(err);
		if (!h)
			return NULL;
		rs_str_addf(&s, "%s/%s", h, places[which].under_home);
	}
	rs_str_add(&s, "/ringside");
	if (sub[0])
		rs_str_addf(&s, "/%s", sub);
	if (rs_mkdirs(s.p, err) < 0)
		return NULL;
	return rs_str_detach(&s);
}
