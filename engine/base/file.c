/* Reading files, and writing them whole or not at all. */
#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* A new file beside `path`, with a name that nobody has; *name is the caller's. */
static int open_beside(const char *path, mode_t mode, char **name)
{
	for (unsigned try = 0; try < 100; try++) {
		struct timespec ts;
		int fd;

		clock_gettime(CLOCK_REALTIME, &ts);
		*name = rs_xasprintf("%s.tmp-%d-%lx", path, (int)getpid(),
				     (unsigned long)ts.tv_nsec + try);
		fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (fd >= 0)
			return fd;
		free(rs_steal(*name));
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* The renamed entry is on disk only when its folder is. Some file systems cannot do it: then the
 * rename is as safe as it gets. */
static void sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	rs_auto_free char *dir = slash ? rs_xasprintf("%.*s", (int)(slash - path + 1), path) :
					 rs_xstrdup(".");
	rs_auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)!fsync(fd);
}

int rs_file_save(const char *path, const void *data, size_t n, struct rs_err *err)
{
	/* Through a symbolic link the file behind it is written, as an editor would. */
	rs_auto_free char *real = realpath(path, NULL);
	rs_auto_free char *tmp = NULL;
	const char *target = real ? real : path;
	struct stat st;
	int fd, ret;
	bool old = stat(target, &st) == 0;

	if (old && !S_ISREG(st.st_mode))
		return rs_err_set(err, -EINVAL, "%s is not a regular file", path);
	fd = open_beside(target, 0666, &tmp);
	if (fd < 0)
		return rs_err_errno(err, -fd, "cannot write %s", path);
	ret = write_all(fd, data, n);
	if (ret == 0 && old && fchmod(fd, st.st_mode & 07777) < 0)
		ret = -errno;
	if (ret == 0 && fsync(fd) < 0)
		ret = -errno;
	/* close reports what a network file system could not write */
	if (close(fd) < 0 && ret == 0 && errno != EINTR)
		ret = -errno;
	if (ret == 0 && rename(tmp, target) < 0)
		ret = -errno;
	if (ret < 0) {
		unlink(tmp);
		return rs_err_errno(err, -ret, "cannot write %s", path);
	}
	sync_folder_of(target);
	return 0;
}
