/* Reading files, and writing them whole or not at all. */
#include "engine/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

int rs_file_read(const char *path, size_t max, struct rs_str *out, struct rs_err *err)
{
	/* Not blocking: opening a FIFO must not wait for a writer. */
	rs_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t before = out->len;
	char buf[16384];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return rs_err_errno(err, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return rs_err_errno(err, errno, "cannot look at %s", path);
	if (!S_ISREG(st.st_mode))
		return rs_err_set(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
				  "%s is not a regular file", path);
	/* The size is a hint only: files of /proc say 0, others may grow. */
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		int e = errno;

		if (n < 0 && e == EINTR)
			continue;
		if (n > 0 && (size_t)n <= max - (out->len - before)) {
			rs_str_addn(out, buf, (size_t)n);
			continue;
		}
		/* as it was before */
		if (out->len > before) {
			out->len = before;
			out->p[before] = '\0';
		}
		if (n < 0)
			return rs_err_errno(err, e, "cannot read %s", path);
		return rs_err_set(err, -EFBIG, "%s is larger than %zu bytes", path, max);
	}
	return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		if (w == 0)
			return -EIO;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* The file that becomes `path`. It has no name while it is written (O_TMPFILE), so that a kill
 * leaves nothing; where the file system cannot do that, it is called PATH.tmp-PID-N, and the next
 * save of PATH removes what a dead process left. */
struct new_file {
	int fd;
	char *name; /* NULL: none yet */
};

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? rs_xasprintf("%.*s", (int)(slash - path + 1), path) : rs_xstrdup(".");
}

/* A name beside `path` that nobody has now. */
static char *name_beside(const char *path)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return rs_xasprintf("%s.tmp-%d-%lx", path, (int)getpid(), (unsigned long)ts.tv_nsec);
}

#define NAMES_TRIED 100

static int new_file_open(struct new_file *f, const char *path)
{
	rs_auto_free char *folder = folder_of(path);

	f->name = NULL;
	f->fd = -1;
	if (access("/proc/self/fd", X_OK) == 0) /* new_file_link needs it */
		f->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	if (f->fd >= 0)
		return 0;
	for (unsigned try = 0; try < NAMES_TRIED; try++) {
		f->name = name_beside(path);
		f->fd = open(f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (f->fd >= 0)
			return 0;
		free(rs_steal(f->name));
		if (errno != EEXIST)
			break;
	}
	return -errno;
}

/* Gives a file without a name one. linkat cannot replace a file, so it takes two steps. */
static int new_file_link(struct new_file *f, const char *path)
{
	char self[40];

	if (f->name)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	for (unsigned try = 0; try < NAMES_TRIED; try++) {
		f->name = name_beside(path);
		if (linkat(AT_FDCWD, self, AT_FDCWD, f->name, AT_SYMLINK_FOLLOW) == 0)
			return 0;
		free(rs_steal(f->name));
		if (errno != EEXIST)
			break;
	}
	return -errno;
}

/* Removes the unfinished files of `path` whose process is dead. */
static void remove_stale(const char *path)
{
	rs_auto_free char *folder = folder_of(path);
	rs_auto_closedir DIR *d = opendir(folder);
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t n = strlen(base);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int pid;

		if (strncmp(e->d_name, base, n) == 0 && sscanf(e->d_name + n, ".tmp-%d-", &pid) == 1 &&
		    pid > 0 && kill(pid, 0) < 0 && errno == ESRCH)
			unlinkat(dirfd(d), e->d_name, 0);
	}
}

/* The renamed entry is on disk only when its folder is. Some file systems cannot do it: then the
 * rename is as safe as it gets. */
static void sync_folder_of(const char *path)
{
	rs_auto_free char *folder = folder_of(path);
	rs_auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)!fsync(fd);
}

int rs_file_save(const char *path, const void *data, size_t n, struct rs_err *err)
{
	/* Through a symbolic link the file behind it is written, as an editor would. */
	rs_auto_free char *real = realpath(path, NULL);
	const char *target = real ? real : path;
	struct new_file f;
	struct stat st;
	int ret;
	bool old = stat(target, &st) == 0;

	if (old && !S_ISREG(st.st_mode))
		return rs_err_set(err, -EINVAL, "%s is not a regular file", path);
	ret = new_file_open(&f, target);
	if (ret < 0)
		return rs_err_errno(err, -ret, "cannot write %s", path);
	ret = write_all(f.fd, data, n);
	if (ret == 0 && old && fchmod(f.fd, st.st_mode & 07777) < 0)
		ret = -errno;
	if (ret == 0 && fsync(f.fd) < 0)
		ret = -errno;
	if (ret == 0)
		ret = new_file_link(&f, target);
	/* close reports what a network file system could not write */
	if (close(f.fd) < 0 && ret == 0 && errno != EINTR)
		ret = -errno;
	if (ret == 0 && rename(f.name, target) < 0)
		ret = -errno;
	if (ret < 0 && f.name)
		unlink(f.name);
	free(f.name);
	if (ret < 0)
		return rs_err_errno(err, -ret, "cannot write %s", path);
	sync_folder_of(target);
	remove_stale(target);
	return 0;
}
