/* tmpcopyup: a tmpfs that begins with what its place held before. The old folder is kept open while the
 * tmpfs covers it, and copied through the two descriptors.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/mounts.h"
#include "engine/base/cleanup.h"

#define MAX_DEPTH 64

static int copy_tree(int from, int to, unsigned depth);

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	rs_auto_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	rs_auto_close int out = -1;
	ssize_t n;

	if (in < 0)
		return -errno;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	if (n < 0 || fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int copy_one(int from, int to, const char *name, unsigned depth)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st);
	if (S_ISLNK(st.st_mode)) {
		char target[4096];
		ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

		if (n < 0)
			return -errno;
		target[n] = '\0';
		return symlinkat(target, to, name) < 0 ||
		       fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	}
	if (S_ISDIR(st.st_mode)) {
		rs_auto_close int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rs_auto_close int out = -1;
		int rc;

		if (in < 0 || mkdirat(to, name, 0700) < 0)
			return -errno;
		out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rc = out < 0 ? -errno : copy_tree(in, out, depth + 1);
		if (rc == 0 && (fchown(out, st.st_uid, st.st_gid) < 0 || fchmod(out, st.st_mode & 07777) < 0))
			rc = -errno;
		return rc;
	}
	/* a device, pipe or socket */
	if (mknodat(to, name, st.st_mode, st.st_rdev) < 0)
		return -errno;
	return fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_tree(int from, int to, unsigned depth)
{
	int fd = fcntl(from, F_DUPFD_CLOEXEC, 3), rc = 0;
	struct dirent *e;
	DIR *d;

	if (depth > MAX_DEPTH)
		return -ELOOP;
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return -errno;
	while (rc == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			rc = copy_one(from, to, e->d_name, depth);
	closedir(d);
	return rc;
}

int ctr_mount_copyup(struct ctr_init *in, const struct ctr_mount *m, int target, unsigned long flags, const char *data)
{
	rs_auto_close int old = -1;
	rs_auto_close int new = -1;
	char path[40];
	int rc;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	old = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (old < 0)
		return -errno;
	rc = ctr_mount_at(&in->t, m->source ? m->source : "tmpfs", target, "tmpfs", flags, data);
	if (rc)
		return rc;
	new = ctr_resolve(in->root, m->destination, O_RDONLY | O_DIRECTORY);
	rc = new < 0 ? new : copy_tree(old, new, 0);
	return rc ? CTR_FAIL(&in->t, in->err, -rc, "what was at %s cannot be copied into the tmpfs", m->destination) : 0;
}
