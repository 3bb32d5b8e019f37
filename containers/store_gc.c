/* The collector, and the check of everything. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/layer.h"
#include "containers/store_private.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* ---- a set of digests ---- */

struct set {
	char (*v)[CTR_DIGEST_SIZE];
	size_t n;
};

static void set_add(struct set *s, const char *digest)
{
	if ((s->n & (s->n - 1)) == 0)
		s->v = rs_xrealloc(s->v, s->n ? 2 * s->n : 16, sizeof(*s->v));
	strcpy(s->v[s->n++], digest);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool set_has(const struct set *s, const char *digest)
{
	return s->n && bsearch(digest, s->v, s->n, sizeof(*s->v), compare);
}

static int mark(void *arg, const struct ctr_desc *d, struct rs_err *err)
{
	(void)err;
	set_add(arg, d->digest);
	return 0;
}

/* Everything that a tag reaches. A document that cannot be read stops the collector: what it refers
 * to is not known. */
static int reach(struct ctr_store *s, struct set *live, struct rs_err *err)
{
	struct ctr_tags tags;
	int ret = ctr_store_tags(s, &tags, err);

	for (unsigned i = 0; ret == 0 && i < tags.n; i++) {
		ret = ctr_desc_walk(s, &tags.v[i].desc, mark, live, err);
		if (ret < 0)
			rs_err_wrap(err, "image %s", tags.v[i].name ? tags.v[i].name : tags.v[i].desc.digest);
	}
	ctr_tags_release(&tags);
	if (live->n)
		qsort(live->v, live->n, sizeof(*live->v), compare);
	return ret;
}

/* ---- collecting ---- */

static void clear_tmp(struct ctr_store *s, struct ctr_gc *out)
{
	int fd = openat(s->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rs_auto_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		rs_auto_free char *path = rs_xasprintf("%s/tmp/%s", s->dir, e->d_name);

		if (rs_rmtree(path, NULL) == 0)
			out->leftovers++;
	}
}

/* What builds remember of layers that are gone (build_cache.c: a k- file begins with the layer's digest). */
static void clear_cache(struct ctr_store *s)
{
	int fd = openat(s->fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rs_auto_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		rs_auto_close int k = strncmp(e->d_name, "k-", 2) == 0 ? openat(fd, e->d_name, O_RDONLY | O_CLOEXEC) : -1;
		char digest[CTR_DIGEST_SIZE] = "";

		if (k >= 0 && read(k, digest, CTR_DIGEST_SIZE - 1) == CTR_DIGEST_SIZE - 1 && ctr_digest_ok(digest) &&
		    !ctr_store_has(s, digest, NULL))
			unlinkat(fd, e->d_name, 0);
	}
}

static int sweep(struct ctr_store *s, const struct set *live, struct ctr_gc *out, struct rs_err *err)
{
	int fd = openat(s->fd, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rs_auto_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return rs_err_errno(err, errno, "cannot open the image store %s", s->dir);
	while ((e = readdir(d))) {
		char digest[CTR_DIGEST_SIZE + 256];
		struct stat st;

		snprintf(digest, sizeof(digest), "sha256:%s", e->d_name);
		if (!ctr_digest_ok(digest))
			continue;
		if (set_has(live, digest)) {
			out->kept++;
		} else if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && unlinkat(fd, e->d_name, 0) == 0) {
			out->blobs++;
			out->bytes += (uint64_t)st.st_size;
		}
	}
	return 0;
}

int ctr_store_gc(struct ctr_store *s, struct ctr_gc *out, struct rs_err *err)
{
	struct set live = { NULL, 0 };
	int ret = 0;

	memset(out, 0, sizeof(*out));
	/* flock(2): the change is not atomic, but nothing of ours is open in between */
	if (s->lock < 0 || flock(s->lock, LOCK_EX) < 0)
		return rs_err_errno(err, s->lock < 0 ? EROFS : errno, "cannot lock the image store %s", s->dir);
	ret = reach(s, &live, err);
	if (ret == 0) {
		ret = sweep(s, &live, out, err);
		clear_tmp(s, out);
		clear_cache(s);
	}
	flock(s->lock, LOCK_SH);
	free(live.v);
	return ret;
}

/* ---- verify ---- */

struct check {
	struct ctr_store *s;
	void (*bad)(void *arg, const struct rs_err *e);
	void *arg;
	unsigned faults, blobs;
	uint64_t bytes;
	struct set damaged;
};

static void fault(struct check *c, const struct rs_err *e)
{
	c->faults++;
	c->bad(c->arg, e);
}

static void hash_blob(struct check *c, const char *digest, uint64_t size)
{
	struct ctr_desc d = { .size = size };
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *buf = rs_xmalloc(1u << 20);
	rs_auto_close int fd = -1;
	char sum[CTR_DIGEST_SIZE];
	struct ctr_hash h;
	ssize_t n;

	strcpy(d.digest, digest);
	fd = ctr_blob_open(c->s, &d, &err);
	if (fd < 0) {
		fault(c, &err);
		return;
	}
	ctr_hash_begin(&h);
	while ((n = read(fd, buf, 1u << 20)) > 0) {
		ctr_hash_add(&h, buf, (size_t)n);
		c->bytes += (uint64_t)n;
	}
	ctr_hash_end(&h, sum);
	c->blobs++;
	if (n < 0)
		rs_err_errno(&err, errno, "cannot read the blob %s", digest);
	else if (strcmp(sum, digest) != 0)
		rs_err_set(&err, -EBADMSG, "the blob %s is damaged: its content hashes to %s", digest, sum);
	if (err.code) {
		set_add(&c->damaged, digest);
		fault(c, &err);
	}
}

static int check_reached(void *arg, const struct ctr_desc *d, struct rs_err *err)
{
	struct check *c = arg;
	struct rs_err e = RS_ERR_INIT;
	int fd = ctr_blob_open(c->s, d, &e);

	(void)err;
	if (fd >= 0)
		close(fd);
	else
		fault(c, &e);
	return 0;
}

/* The uncompressed layers against the configuration. */
static void check_image(struct check *c, const struct ctr_desc *d)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_image im;

	if (ctr_image_read(c->s, d, NULL, &im, &err) < 0) {
		fault(c, &err);
		return;
	}
	for (unsigned i = 0; !im.artifact && i < im.layers; i++) {
		rs_auto_close int fd = ctr_store_has(c->s, im.layer[i].digest, NULL) ? ctr_blob_open(c->s, &im.layer[i], &err) : -1;
		struct ctr_inflate *z;
		const void *p;
		size_t n;

		if (fd < 0 || (c->damaged.n && set_has(&c->damaged, im.layer[i].digest)))
			continue; /* told already */
		z = ctr_inflate_open(fd, im.layer[i].digest, &im.layer[i], im.diff_id[i], NULL, &err);
		while (z && ctr_inflate_read(z, &p, &n, &err) > 0)
			;
		ctr_inflate_close(z);
		if (err.code)
			fault(c, &err);
		err.code = 0;
	}
	ctr_image_release(&im);
}

int ctr_store_verify(struct ctr_store *s, void (*bad)(void *arg, const struct rs_err *e), void *arg,
		     unsigned *blobs, uint64_t *bytes, struct rs_err *err)
{
	struct check c = { .s = s, .bad = bad, .arg = arg };
	int fd = openat(s->fd, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rs_auto_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct ctr_tags tags;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char digest[CTR_DIGEST_SIZE + 256];
		uint64_t size;

		snprintf(digest, sizeof(digest), "sha256:%s", e->d_name);
		if (ctr_store_has(s, digest, &size))
			hash_blob(&c, digest, size);
	}
	if (c.damaged.n)
		qsort(c.damaged.v, c.damaged.n, sizeof(*c.damaged.v), compare);
	if (ctr_store_tags(s, &tags, err) < 0) {
		free(c.damaged.v);
		return err && err->code ? err->code : -EBADMSG;
	}
	for (unsigned i = 0; i < tags.n; i++) {
		struct rs_err x = RS_ERR_INIT;
		unsigned before = c.faults;

		if (ctr_desc_walk(s, &tags.v[i].desc, check_reached, &c, &x) < 0)
			fault(&c, &x);
		else if (c.faults == before)
			check_image(&c, &tags.v[i].desc);
	}
	ctr_tags_release(&tags);
	free(c.damaged.v);
	if (blobs)
		*blobs = c.blobs;
	if (bytes)
		*bytes = c.bytes;
	return (int)c.faults;
}
