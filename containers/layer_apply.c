/* Unpacking a layer. Every path is resolved by the kernel with the target as its root (openat2,
 * RESOLVE_IN_ROOT), so that no "..", absolute name or symbolic link leads out of it, also not one that
 * somebody puts there meanwhile. The last component is never followed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "containers/layer.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* A folder's times and permissions are set when nothing is put into it any more. */
struct later {
	char *path;
	mode_t mode;
	int64_t mtime;
	uint32_t mtime_ns;
	struct later *next;
};

/* What this layer made, for opaque whiteouts, which remove what lower layers made and nothing else. */
struct made {
	char *path;
	struct made *next;
};
#define BUCKETS 4096

struct apply {
	int root;
	struct ctr_apply_opts *o;
	bool privileged;
	struct ctr_layer_reader *r;
	int parent;                /* descriptor of the folder last used ... */
	struct rs_str parent_path; /* ... and its path */
	struct later *later;
	struct made *made[BUCKETS];
};

static int open_in(int root, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: a rename went on meanwhile */
	return fd < 0 ? -errno : fd;
}

static int fail(const char *path, int e, struct rs_err *err)
{
	if (e == EXDEV || e == ELOOP)
		return rs_err_set(err, -EBADMSG, "\"%s\" would lead out of the target folder, or in circles", path);
	if (e == ENOSYS)
		return rs_err_set(err, -ENOSYS, "this kernel has no openat2 (Linux 5.6); without it an archive cannot be unpacked safely");
	return rs_err_errno(err, e, "cannot unpack %s", path);
}

static unsigned hash(const char *s, size_t n)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h % BUCKETS;
}

static bool was_made(const struct apply *a, const char *path)
{
	for (const struct made *m = a->made[hash(path, strlen(path))]; m; m = m->next)
		if (strcmp(m->path, path) == 0)
			return true;
	return false;
}

/* Remembers the path and the folders that it is in. */
static void note_made(struct apply *a, const char *path)
{
	for (size_t n = strlen(path); n; ) {
		rs_auto_free char *p = strndup(path, n);
		struct made *m;

		if (!p)
			rs_oom();
		if (was_made(a, p))
			return;
		m = rs_xmalloc(sizeof(*m));
		m->path = rs_steal(p);
		m->next = a->made[hash(path, n)];
		a->made[hash(path, n)] = m;
		while (n && path[n - 1] != '/')
			n--;
		n -= n > 0;
	}
}

/* ---- the folder that an entry is in ---- */

/* Makes the folders of `path` that are missing; layers need not have entries for them. */
static int make_parents(struct apply *a, const char *path, struct rs_err *err)
{
	rs_auto_free char *p = rs_xstrdup(path);

	for (char *at = p;; at++) {
		at += strcspn(at, "/");
		char keep = *at;

		*at = '\0';
		int fd = open_in(a->root, p, O_PATH | O_DIRECTORY);
		if (fd == -ENOENT) {
			char *slash = strrchr(p, '/');
			rs_auto_close int up = -1;

			if (slash)
				*slash = '\0';
			up = open_in(a->root, slash ? p : "", O_PATH | O_DIRECTORY);
			if (up < 0)
				return fail(path, -up, err);
			if (mkdirat(up, slash ? slash + 1 : p, 0755) < 0 && errno == EEXIST)
				return rs_err_set(err, -EBADMSG, "cannot unpack %s: %s is a symbolic link that leads nowhere", path, p);
			if (faccessat(up, slash ? slash + 1 : p, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
				return fail(path, errno, err);
			if (slash)
				*slash = '/';
		} else if (fd < 0) {
			return fail(path, -fd, err);
		} else {
			close(fd);
		}
		*at = keep;
		if (!keep)
			return 0;
	}
}

/* Opens the folder of `path` into a->parent. Returns the last component. */
static const char *enter(struct apply *a, const char *path, struct rs_err *err)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	size_t n = slash ? (size_t)(slash - path) : 0;
	rs_auto_free char *dir = NULL;
	int fd;

	if (a->parent >= 0 && a->parent_path.len == n && memcmp(a->parent_path.p, path, n) == 0)
		return last;
	dir = strndup(path, n);
	if (!dir)
		rs_oom();
	fd = open_in(a->root, dir, O_PATH | O_DIRECTORY);
	if (fd == -ENOENT) {
		if (make_parents(a, dir, err) < 0)
			return NULL;
		fd = open_in(a->root, dir, O_PATH | O_DIRECTORY);
	}
	if (fd < 0) {
		if (-fd == ENOTDIR)
			rs_err_set(err, -EBADMSG, "cannot unpack %s: a part of its path is not a folder", path);
		else
			fail(path, -fd, err);
		return NULL;
	}
	if (a->parent >= 0)
		close(a->parent);
	a->parent = fd;
	rs_str_clear(&a->parent_path);
	rs_str_add(&a->parent_path, dir);
	return last;
}

/* What is removed or replaced may be, or be above, the folder that is held open. */
static void forget_parent(struct apply *a)
{
	if (a->parent >= 0)
		close(a->parent);
	a->parent = -1;
}

/* ---- removing ---- */

/* Removes `name` of the folder, and everything in it. */
static int remove_at(int dir, const char *name, const char *path, struct rs_err *err)
{
	char self[64];
	rs_auto_free char *full = NULL;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return fail(path, errno, err);
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
	full = rs_xasprintf("%s/%s", self, name);
	return rs_rmtree(full, err);
}

/* OverlayFS: a character device 0/0 stands for what is gone (kernel, overlayfs.rst). */
static int overlay_whiteout(struct apply *a, const char *name, const char *path, struct rs_err *err)
{
	int ret = remove_at(a->parent, name, path, err);

	if (ret == 0 && mknodat(a->parent, name, S_IFCHR, makedev(0, 0)) < 0)
		ret = fail(path, errno, err);
	return ret;
}

static int overlay_opaque(struct apply *a, const char *path, struct rs_err *err)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", a->parent);
	if (setxattr(self, a->privileged ? "trusted.overlay.opaque" : "user.overlay.opaque", "y", 1, 0) < 0)
		return fail(path, errno, err);
	return 0;
}

/* Removes from the folder `name` in `dir`, whose path is `path`, what lower layers put there: a folder
 * that this layer has entered keeps what this layer put into it. */
static int clear_lower(struct apply *a, int dir, const char *name, const char *path, struct rs_err *err)
{
	rs_auto_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(dup(fd));
	struct dirent *e;
	int ret = 0;

	if (!d)
		return fail(path, errno, err);
	while (ret == 0 && (e = readdir(d))) {
		rs_auto_free char *p = NULL;
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		p = *path ? rs_xasprintf("%s/%s", path, e->d_name) : rs_xstrdup(e->d_name);
		if (!was_made(a, p))
			ret = remove_at(fd, e->d_name, p, err);
		else if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			ret = clear_lower(a, fd, e->d_name, p, err);
	}
	closedir(d);
	return ret;
}

/* 1: the entry was a whiteout and is done. */
static int take_whiteout(struct apply *a, const char *path, const char *name, struct rs_err *err)
{
	int ret;

	if (strncmp(name, CTR_WHITEOUT, 4) != 0)
		return 0;
	if (strcmp(name, CTR_OPAQUE) == 0) {
		rs_auto_free char *dir = rs_xstrdup(a->parent_path.p);

		ret = a->o->overlay ? overlay_opaque(a, path, err) : clear_lower(a, a->parent, ".", dir, err);
		return ret < 0 ? ret : 1;
	}
	if (strncmp(name, ".wh..wh.", 8) == 0) /* other marks of AUFS mean nothing here */
		return 1;
	name += 4;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return rs_err_set(err, -EBADMSG, "the whiteout \"%s\" names no file", path);
	ret = a->o->overlay ? overlay_whiteout(a, name, path, err) : remove_at(a->parent, name, path, err);
	forget_parent(a);
	return ret < 0 ? ret : 1;
}

/* ---- making ---- */

static bool only_root(int e)
{
	return e == EPERM || e == EINVAL || e == EACCES;
}

/* Owner, extended attributes, permissions, times, in this order: a change of owner clears setuid and
 * capabilities. `self` is a path to the thing itself. */
static int attributes(struct apply *a, const struct ctr_entry *e, int dir, const char *name, struct rs_err *err)
{
	struct timespec ts[2] = { { e->mtime, e->mtime_ns }, { e->mtime, e->mtime_ns } };
	rs_auto_free char *self = rs_xasprintf("/proc/self/fd/%d/%s", dir, name);

	if (fchownat(dir, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0) {
		if (a->privileged || !only_root(errno))
			return fail(e->path, errno, err);
		a->o->skipped++;
	}
	for (unsigned i = 0; i < e->xattrs; i++)
		if (lsetxattr(self, e->xattr[i].name, e->xattr[i].value, e->xattr[i].n, 0) < 0) {
			/* a file system, or a user, that cannot have it */
			if (errno != ENOTSUP && errno != EPERM)
				return fail(e->path, errno, err);
			a->o->skipped++;
		}
	if (S_ISLNK(e->mode))
		return utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) < 0 ? fail(e->path, errno, err) : 0;
	if (S_ISDIR(e->mode)) {
		struct later *k = rs_xmalloc(sizeof(*k));

		*k = (struct later){ rs_xstrdup(e->path), e->mode & 07777, e->mtime, e->mtime_ns, a->later };
		a->later = k;
		/* until then we must be able to work in it */
		return fchmodat(dir, name, (e->mode & 07777) | 0700, 0) < 0 ? fail(e->path, errno, err) : 0;
	}
	if (fchmodat(dir, name, e->mode & 07777, 0) < 0 || utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e->path, errno, err);
	return 0;
}

static bool all_zero(const char *p, size_t n)
{
	return n && *p == 0 && memcmp(p, p + 1, n - 1) == 0;
}

#define HOLE 4096u

/* Writes one piece; blocks of zeros stay holes. */
static int write_piece(int fd, const char *p, size_t n, uint64_t at)
{
	while (n) {
		size_t k = HOLE - (at % HOLE) < n ? HOLE - (at % HOLE) : n;
		size_t run = k;
		bool zero = all_zero(p, k); /* the file is new: what is not written reads as zeros */

		/* a run of the same kind in one call */
		while (run < n) {
			size_t more = n - run < HOLE ? n - run : HOLE;

			if (all_zero(p + run, more) != zero)
				break;
			run += more;
		}
		for (size_t done = 0; !zero && done < run;) {
			ssize_t w = pwrite(fd, p + done, run - done, (off_t)(at + done));

			if (w < 0 && errno == EINTR)
				continue;
			if (w <= 0)
				return w < 0 ? -errno : -EIO;
			done += (size_t)w;
		}
		p += run;
		n -= run;
		at += run;
	}
	return 0;
}

static int make_file(struct apply *a, const struct ctr_entry *e, const char *name, struct rs_err *err)
{
	rs_auto_close int fd = openat(a->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const void *data;
	uint64_t at;
	size_t n;
	int ret;

	if (fd < 0)
		return fail(e->path, errno, err);
	while ((ret = ctr_reader_data(a->r, &data, &n, &at, err)) > 0) {
		if (at + n > e->size)
			return rs_err_set(err, -EBADMSG, "%s has more content than its header says", e->path);
		ret = write_piece(fd, data, n, at);
		if (ret < 0)
			return fail(e->path, -ret, err);
	}
	if (ret < 0)
		return ret;
	if (ftruncate(fd, (off_t)e->size) < 0)
		return fail(e->path, errno, err);
	return 0;
}

/* A hard link to something inside the target, never through a symbolic link at its end. */
static int make_link(struct apply *a, const struct ctr_entry *e, const char *name, struct rs_err *err)
{
	const char *slash = strrchr(e->link, '/');
	rs_auto_free char *dir = strndup(e->link, slash ? (size_t)(slash - e->link) : 0);
	rs_auto_close int fd = -1;

	if (!dir)
		rs_oom();
	fd = open_in(a->root, dir, O_PATH | O_DIRECTORY);
	if (fd < 0 || linkat(fd, slash ? slash + 1 : e->link, a->parent, name, 0) < 0) {
		int x = fd < 0 ? -fd : errno;

		if (x == ENOENT)
			return rs_err_set(err, -EBADMSG, "the hard link %s leads to %s, which is not there", e->path, e->link);
		return fail(e->path, x, err);
	}
	return 0;
}

static int make_node(struct apply *a, const struct ctr_entry *e, const char *name, struct rs_err *err)
{
	if (mknodat(a->parent, name, (e->mode & S_IFMT) | 0600, S_ISFIFO(e->mode) ? 0 : e->rdev) == 0)
		return 0;
	if (a->privileged || !only_root(errno))
		return fail(e->path, errno, err);
	a->o->skipped++;
	return 1;
}

/* An entry that stands where something else is replaces it; only a folder on a folder changes it. */
static int make(struct apply *a, const struct ctr_entry *e, const char *name, struct rs_err *err)
{
	struct stat st;
	int ret = 0;

	if (fstatat(a->parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode) && S_ISDIR(e->mode))
			return attributes(a, e, a->parent, name, err);
		ret = remove_at(a->parent, name, e->path, err);
		if (ret < 0)
			return ret;
	}
	if (e->hard)
		return make_link(a, e, name, err);
	switch (e->mode & S_IFMT) {
	case S_IFDIR:
		ret = mkdirat(a->parent, name, 0700) < 0 ? fail(e->path, errno, err) : 0;
		break;
	case S_IFREG:
		ret = make_file(a, e, name, err);
		break;
	case S_IFLNK:
		ret = symlinkat(e->link, a->parent, name) < 0 ? fail(e->path, errno, err) : 0;
		break;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
		ret = make_node(a, e, name, err);
		break;
	default:
		ret = rs_err_set(err, -EBADMSG, "%s is of a kind that no layer has", e->path);
	}
	return ret ? (ret > 0 ? 0 : ret) : attributes(a, e, a->parent, name, err);
}

static int root_entry(struct apply *a, const struct ctr_entry *e, struct rs_err *err)
{
	if (!S_ISDIR(e->mode) || e->hard)
		return rs_err_set(err, -EBADMSG, "the archive's entry for its root is not a folder");
	return attributes(a, e, a->root, ".", err);
}

static int take(struct apply *a, const struct ctr_entry *e, struct rs_err *err)
{
	const char *name;
	int ret;

	if (!*e->path)
		return root_entry(a, e, err);
	name = enter(a, e->path, err);
	if (!name)
		return err && err->code ? err->code : -EBADMSG;
	ret = take_whiteout(a, e->path, name, err);
	if (ret)
		return ret < 0 ? ret : 0;
	note_made(a, e->path);
	return make(a, e, name, err);
}

/* Folders last made come first: a folder without permissions does not close the way to those in it. */
static int finish_folders(struct apply *a, struct rs_err *err)
{
	for (struct later *k = a->later; k; k = k->next) {
		struct timespec ts[2] = { { k->mtime, k->mtime_ns }, { k->mtime, k->mtime_ns } };
		rs_auto_close int fd = open_in(a->root, k->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue; /* a later entry replaced it */
		if (fd < 0)
			return fail(k->path, -fd, err);
		if (fchmod(fd, k->mode) < 0 || futimens(fd, ts) < 0)
			return fail(k->path, errno, err);
	}
	return 0;
}

static void release(struct apply *a)
{
	for (struct later *k = a->later, *next; k; k = next) {
		next = k->next;
		free(k->path);
		free(k);
	}
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct made *m = a->made[i], *next; m; m = next) {
			next = m->next;
			free(m->path);
			free(m);
		}
	forget_parent(a);
	rs_str_release(&a->parent_path);
	ctr_reader_close(a->r);
}

int ctr_layer_apply(struct ctr_store *s, const struct ctr_desc *layer, const char *diff_id, int dirfd,
		    struct ctr_apply_opts *o, struct rs_err *err)
{
	rs_auto_close int blob = ctr_blob_open(s, layer, err);
	struct apply *a;
	struct ctr_entry e;
	int ret;

	if (blob < 0)
		return blob;
	a = rs_xcalloc(1, sizeof(*a));
	a->root = dirfd;
	a->o = o;
	a->privileged = geteuid() == 0;
	a->parent = -1;
	a->parent_path.p = rs_str_empty;
	a->r = ctr_reader_open(blob, layer->digest, layer, diff_id, o->limits, err);
	ret = a->r ? 1 : -EBADMSG;
	while (ret > 0) {
		ret = ctr_reader_next(a->r, &e, err);
		if (ret > 0 && take(a, &e, err) < 0)
			ret = err && err->code ? err->code : -EBADMSG;
	}
	if (ret == 0)
		ret = finish_folders(a, err);
	release(a);
	free(a);
	return ret;
}
