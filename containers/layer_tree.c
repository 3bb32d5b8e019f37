/* A directory tree as the entries of a layer: sorted by name, so that the order in which a file system
 * lists them does not show. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "containers/layer.h"
#include "engine/base/cleanup.h"

#define XATTRS_MAX 64
#define DEPTH_MAX 1000 /* each level has a descriptor and a list of names */

/* A file with several names: the first one met holds the content. */
struct linked {
	dev_t dev;
	ino_t ino;
	char *path;
	struct linked *next;
};
#define BUCKETS 1024

struct tree {
	struct ctr_layer *l;
	const struct ctr_tree_opts *o;
	const char *name;          /* of the tree, for messages */
	struct rs_str path;        /* below the tree's root */
	struct rs_str full;        /* in the image */
	struct linked *bucket[BUCKETS];
	char *values;              /* of the extended attributes of one entry */
	char *names;
};
#define XATTR_BYTES (64u << 10)  /* Linux' limit of a list, and of one value */

/* ---- names of one folder ---- */

struct names {
	char **v;
	size_t n;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_release(struct names *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

static int names_read(int fd, struct names *s)
{
	DIR *d = fdopendir(dup(fd));
	struct dirent *e;
	int saved;

	memset(s, 0, sizeof(*s));
	if (!d)
		return -errno;
	rewinddir(d);
	for (errno = 0; (e = readdir(d)); errno = 0) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if ((s->n & (s->n - 1)) == 0)
			s->v = rs_xrealloc(s->v, s->n ? 2 * s->n : 8, sizeof(*s->v));
		s->v[s->n++] = rs_xstrdup(e->d_name);
	}
	saved = errno;
	closedir(d);
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), compare);
	return -saved;
}

/* ---- attributes ---- */

/* What belongs to the file and not to where it lies: labels of the host's security modules and the
 * marks of OverlayFS stay behind. */
static bool keep_xattr(const char *name)
{
	return strncmp(name, "user.overlay.", 13) != 0 &&
	       (strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0);
}

static bool is_opaque(int fd)
{
	char v[4];

	return (fgetxattr(fd, "trusted.overlay.opaque", v, sizeof(v)) > 0 && *v == 'y') ||
	       (fgetxattr(fd, "user.overlay.opaque", v, sizeof(v)) > 0 && *v == 'y');
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ctr_xattr *)a)->name, ((const struct ctr_xattr *)b)->name);
}

/* Extended attributes of an open file, sorted. */
static int read_xattrs(struct tree *t, int fd, struct ctr_xattr *v, unsigned *n, struct rs_err *err)
{
	ssize_t len = flistxattr(fd, t->names, XATTR_BYTES);
	size_t used = 0;

	*n = 0;
	if (len < 0 && errno != ENOTSUP && errno != ENOSYS)
		return rs_err_errno(err, errno, "cannot read the extended attributes of %s", t->path.p);
	for (char *p = t->names; len > 0 && p < t->names + len; p += strlen(p) + 1) {
		ssize_t k;

		if (!keep_xattr(p))
			continue;
		if (*n == XATTRS_MAX)
			return rs_err_set(err, -E2BIG, "%s has more than %u extended attributes", t->path.p, XATTRS_MAX);
		if (!t->values)
			t->values = rs_xmalloc(4 * XATTR_BYTES);
		k = fgetxattr(fd, p, t->values + used, 4 * XATTR_BYTES - used);
		if (k < 0)
			return rs_err_errno(err, errno, "cannot read the extended attributes of %s", t->path.p);
		v[(*n)++] = (struct ctr_xattr){ p, t->values + used, (size_t)k };
		used += (size_t)k;
	}
	if (*n > 1)
		qsort(v, *n, sizeof(*v), by_name);
	return 0;
}

/* The path of the file's first name, or NULL when this is it. */
static const char *first_name(struct tree *t, const struct stat *st)
{
	struct linked **b = &t->bucket[(st->st_ino ^ st->st_dev) % BUCKETS], *k;

	for (k = *b; k; k = k->next)
		if (k->ino == st->st_ino && k->dev == st->st_dev)
			return k->path;
	k = rs_xmalloc(sizeof(*k));
	*k = (struct linked){ st->st_dev, st->st_ino, rs_xstrdup(t->full.p), *b };
	*b = k;
	return NULL;
}

/* ---- entries ---- */

static int fail(struct tree *t, int e, struct rs_err *err)
{
	return rs_err_errno(err, e, "cannot read %s%s%s", t->name, t->path.len ? "/" : "", t->path.p);
}

static void fill(struct tree *t, const struct stat *st, struct ctr_entry *e)
{
	const struct ctr_tree_opts *o = t->o;

	memset(e, 0, sizeof(*e));
	e->path = t->full.p;
	e->mode = st->st_mode;
	if (o->chmod && !S_ISLNK(st->st_mode))
		e->mode = (st->st_mode & S_IFMT) | (o->mode & 07777);
	e->uid = o->owner ? o->uid : st->st_uid;
	e->gid = o->owner ? o->gid : st->st_gid;
	e->mtime = o->epoch;
	e->rdev = st->st_rdev;
}

static int put(struct tree *t, const struct ctr_entry *e, struct rs_err *err)
{
	return t->l ? ctr_layer_entry(t->l, e, err) : 0;
}

static void tell(struct tree *t, const struct stat *st, const struct ctr_entry *e, const unsigned char *sum)
{
	struct ctr_wrote w = { t->path.p, st, e->link, e->hard, sum };

	if (t->o->wrote)
		t->o->wrote(t->o->arg, &w);
}

/* The content's sum, and that of the extended attributes when there are any. */
static void with_xattrs(unsigned char sum[32], const struct ctr_entry *e)
{
	struct ctr_hash h;

	if (!e->xattrs)
		return;
	ctr_hash_begin(&h);
	ctr_hash_add(&h, sum, 32);
	for (unsigned i = 0; i < e->xattrs; i++) {
		ctr_hash_add(&h, e->xattr[i].name, strlen(e->xattr[i].name) + 1);
		ctr_hash_add(&h, e->xattr[i].value, e->xattr[i].n);
	}
	ctr_hash_raw(&h, sum);
}

static int hash_file(int fd, unsigned char sum[32])
{
	rs_auto_free char *buf = rs_xmalloc(256u << 10);
	struct ctr_hash h;
	ssize_t n;

	ctr_hash_begin(&h);
	while ((n = read(fd, buf, 256u << 10)) > 0)
		ctr_hash_add(&h, buf, (size_t)n);
	ctr_hash_raw(&h, sum);
	return n < 0 ? -errno : 0;
}

/* A whiteout beside or inside: an empty file with a special name. */
static int whiteout(struct tree *t, const char *dir, size_t dir_len, const char *name, struct rs_err *err)
{
	rs_auto_str path = RS_STR_INIT;
	struct ctr_entry e = { .mode = S_IFREG | 0600, .mtime = t->o->epoch };

	rs_str_addn(&path, dir, dir_len);
	if (dir_len)
		rs_str_addc(&path, '/');
	rs_str_add(&path, name);
	e.path = path.p;
	return put(t, &e, err);
}

static int write_whiteout(struct tree *t, struct rs_err *err)
{
	const char *slash = strrchr(t->full.p, '/');
	size_t dir = slash ? (size_t)(slash - t->full.p) : 0;
	rs_auto_free char *name = rs_xasprintf("%s%s", CTR_WHITEOUT, slash ? slash + 1 : t->full.p);

	return whiteout(t, t->full.p, dir, name, err);
}

static int folder(struct tree *t, int fd, unsigned depth, struct rs_err *err);

static int entry_folder(struct tree *t, int fd, const struct stat *st, unsigned depth, struct rs_err *err)
{
	struct ctr_xattr x[XATTRS_MAX];
	struct ctr_entry e;
	int ret;

	fill(t, st, &e);
	if (t->full.len || t->o->root) {
		ret = t->l ? read_xattrs(t, fd, x, &e.xattrs, err) : 0;
		e.xattr = x;
		if (ret == 0)
			ret = put(t, &e, err);
		if (ret < 0)
			return ret;
		tell(t, st, &e, NULL);
	}
	if (t->o->overlay && is_opaque(fd)) {
		ret = whiteout(t, t->full.p, t->full.len, CTR_OPAQUE, err);
		if (ret < 0)
			return ret;
	}
	return folder(t, fd, depth + 1, err);
}

static int entry_file(struct tree *t, int dir, const char *name, const struct stat *st, struct rs_err *err)
{
	rs_auto_close int fd = -1;
	struct ctr_xattr x[XATTRS_MAX];
	unsigned char sum[32];
	struct ctr_entry e;
	struct stat now;
	int ret;

	if (!t->l && !(t->o->need && t->o->need(t->o->arg, t->path.p, st))) {
		fill(t, st, &e);
		tell(t, st, &e, NULL);
		return 0;
	}
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &now) < 0)
		return fail(t, errno, err);
	if (!S_ISREG(now.st_mode))
		return fail(t, EBUSY, err);
	fill(t, &now, &e);
	e.size = (uint64_t)now.st_size;
	ret = read_xattrs(t, fd, x, &e.xattrs, err);
	e.xattr = x;
	if (ret == 0)
		ret = put(t, &e, err);
	if (ret == 0 && t->l)
		ret = ctr_layer_file(t->l, fd, e.size, t->path.p, t->o->wrote ? sum : NULL, err);
	else if (ret == 0 && (ret = hash_file(fd, sum)) < 0)
		ret = fail(t, -ret, err);
	if (ret == 0 && t->o->wrote) {
		with_xattrs(sum, &e);
		tell(t, &now, &e, sum);
	}
	return ret;
}

static int entry_other(struct tree *t, int dir, const char *name, const struct stat *st, struct rs_err *err)
{
	char target[4097];
	struct ctr_entry e;
	ssize_t n;
	int ret;

	fill(t, st, &e);
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, target, sizeof(target) - 1);
		if (n < 0)
			return fail(t, errno, err);
		target[n] = '\0';
		e.link = target;
		e.mode = S_IFLNK | 0777;
	}
	ret = put(t, &e, err);
	if (ret == 0)
		tell(t, st, &e, NULL);
	return ret;
}

static int entry_hard(struct tree *t, const struct stat *st, const char *first, struct rs_err *err)
{
	struct ctr_entry e;
	int ret;

	fill(t, st, &e);
	e.hard = true;
	e.link = first;
	ret = put(t, &e, err);
	if (ret == 0)
		tell(t, st, &e, NULL);
	return ret;
}

static void push(struct rs_str *s, const char *name)
{
	if (s->len)
		rs_str_addc(s, '/');
	rs_str_add(s, name);
}

static void pop(struct rs_str *s, size_t len)
{
	s->len = len;
	if (s->cap)
		s->p[len] = '\0';
}

/* Is anything in this folder wanted, which itself is not? Then the folder must be there for it. */
static bool any_wanted(struct tree *t, int fd)
{
	size_t path = t->path.len;
	struct names names;
	bool found = false;

	if (names_read(fd, &names) < 0)
		return true; /* the error is met again */
	for (size_t i = 0; !found && i < names.n; i++) {
		bool prune = false;
		struct stat st;

		push(&t->path, names.v[i]);
		if (fstatat(fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0) {
			found = t->o->want(t->o->arg, t->path.p, S_ISDIR(st.st_mode), &prune);
			if (!found && S_ISDIR(st.st_mode) && !prune) {
				rs_auto_close int sub = openat(fd, names.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

				found = sub >= 0 && any_wanted(t, sub);
			}
		}
		pop(&t->path, path);
	}
	names_release(&names);
	return found;
}

/* The entry `name` of the open folder, whose path is t->path. */
static int entry(struct tree *t, int dir, const char *name, unsigned depth, struct rs_err *err)
{
	bool prune = false, wanted;
	const char *first;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(t, errno, err);
	wanted = !t->o->want || t->o->want(t->o->arg, t->path.p, S_ISDIR(st.st_mode), &prune);
	if (!wanted && (!S_ISDIR(st.st_mode) || prune))
		return 0;
	if (S_ISDIR(st.st_mode)) {
		rs_auto_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return fail(t, errno, err);
		if (!wanted && !any_wanted(t, fd))
			return 0;
		return entry_folder(t, fd, &st, depth, err);
	}
	if (t->o->overlay && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
		return write_whiteout(t, err);
	if (S_ISSOCK(st.st_mode)) /* a socket is nothing without its process; layer.md leaves it out */
		return 0;
	if (st.st_nlink > 1 && (first = first_name(t, &st)))
		return entry_hard(t, &st, first, err);
	if (S_ISREG(st.st_mode))
		return entry_file(t, dir, name, &st, err);
	return entry_other(t, dir, name, &st, err);
}

static int folder(struct tree *t, int fd, unsigned depth, struct rs_err *err)
{
	size_t path = t->path.len, full = t->full.len;
	struct names names;
	int ret = names_read(fd, &names);

	if (ret < 0)
		ret = fail(t, -ret, err);
	else if (depth > DEPTH_MAX)
		ret = rs_err_set(err, -ELOOP, "%s: folders inside of one another, more than %u deep", t->name, DEPTH_MAX);
	for (size_t i = 0; ret == 0 && i < names.n; i++) {
		push(&t->path, names.v[i]);
		push(&t->full, names.v[i]);
		ret = entry(t, fd, names.v[i], depth, err);
		pop(&t->path, path);
		pop(&t->full, full);
	}
	names_release(&names);
	return ret;
}

static void tree_begin(struct tree *t, struct ctr_layer *l, const char *name, const struct ctr_tree_opts *o)
{
	static const struct rs_str none = RS_STR_INIT;

	memset(t, 0, sizeof(*t));
	t->l = l;
	t->o = o;
	t->name = name;
	t->path = t->full = none;
	t->names = rs_xmalloc(XATTR_BYTES);
	if (o->base)
		rs_str_add(&t->path, o->base);
}

static void tree_end(struct tree *t)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct linked *k = t->bucket[i], *next; k; k = next) {
			next = k->next;
			free(k->path);
			free(k);
		}
	rs_str_release(&t->path);
	rs_str_release(&t->full);
	free(t->names);
	free(t->values);
}

int ctr_layer_tree(struct ctr_layer *l, int dirfd, const char *name, const struct ctr_tree_opts *o,
		   struct rs_err *err)
{
	struct tree t;
	struct stat st;
	int ret;

	tree_begin(&t, l, name, o);
	if (o->prefix)
		rs_str_add(&t.full, o->prefix);
	if (o->root || o->overlay) {
		ret = fstat(dirfd, &st) < 0 ? fail(&t, errno, err) : entry_folder(&t, dirfd, &st, 0, err);
	} else {
		ret = folder(&t, dirfd, 0, err);
	}
	tree_end(&t);
	return ret;
}

int ctr_layer_one(struct ctr_layer *l, int dirfd, const char *from, const char *to,
		  const struct ctr_tree_opts *o, struct rs_err *err)
{
	struct tree t;
	int ret;

	tree_begin(&t, l, from, o);
	rs_str_add(&t.full, to);
	ret = entry(&t, dirfd, from, 0, err);
	tree_end(&t);
	return ret;
}
