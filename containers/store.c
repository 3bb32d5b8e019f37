/* Blobs: written, synced, renamed; and the store's folder. */
#include "containers/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/store_private.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define BLOBS "blobs/sha256/"
#define COPY_STEP (1u << 20)

static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
static const char empty_index[] = "{\"schemaVersion\":2,\"mediaType\":\"" CTR_MEDIA_INDEX "\",\"manifests\":[]}";

char *ctr_store_path(const struct ctr_store *s, const char *sub)
{
	return rs_xasprintf("%s/%s", s->dir, sub);
}

/* ---- opening ---- */

/* A file that must be there, made with this content when it is not. */
static int make_file(struct ctr_store *s, const char *name, const char *text, struct rs_err *err)
{
	rs_auto_free char *path = ctr_store_path(s, name);

	if (faccessat(s->fd, name, F_OK, 0) == 0)
		return 0;
	return rs_file_save(path, text, strlen(text), err);
}

static int make_layout(struct ctr_store *s, struct rs_err *err)
{
	static const char *const folders[] = { "blobs", "blobs/sha256", "tmp", "cache" };

	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (mkdirat(s->fd, folders[i], 0755) < 0 && errno != EEXIST)
			return rs_err_errno(err, errno, "cannot make the folder %s in the image store %s", folders[i], s->dir);
	if (make_file(s, "index.json", empty_index, err) < 0)
		return err ? err->code : -EIO;
	/* last: what has it is a whole layout */
	return make_file(s, "oci-layout", layout, err);
}

static int check_layout(struct ctr_store *s, struct rs_err *err)
{
	rs_auto_free char *path = ctr_store_path(s, "oci-layout");
	rs_auto_str text = RS_STR_INIT;
	struct ctr_json j;
	const char *version;
	int ret = rs_file_read(path, 4096, &text, err);

	if (ret == -ENOENT)
		return rs_err_set(err, -ENOENT, "%s is not an OCI image layout: there is no file oci-layout in it", s->dir);
	if (ret < 0)
		return ret;
	ret = ctr_json_parse(&j, path, text.p, text.len, err);
	if (ret < 0)
		return ret;
	ret = ctr_json_string(&j, "/imageLayoutVersion", true, &version, err);
	if (ret == 0 && strcmp(version, "1.0.0") != 0)
		ret = ctr_json_fail(&j, "/imageLayoutVersion", err, N_("only version 1.0.0 is known, not \"%s\""), version);
	ctr_json_release(&j);
	return ret;
}

struct ctr_store *ctr_store_open(const char *dir, bool create, struct rs_err *err)
{
	struct ctr_store *s = rs_xcalloc(1, sizeof(*s));
	int ret;

	s->fd = s->lock = -1;
	s->dir = dir ? rs_xstrdup(dir) : rs_dir_path(RS_DIR_DATA, "images", err);
	if (!s->dir) {
		free(s);
		return NULL;
	}
	ret = create ? rs_mkdirs(s->dir, err) : 0;
	if (ret == 0) {
		s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->fd < 0)
			ret = rs_err_errno(err, errno, "cannot open the image store %s", s->dir);
	}
	if (ret == 0) { /* names below it are handed to others, who may stand elsewhere */
		char *real = realpath(s->dir, NULL);

		if (real) {
			free(s->dir);
			s->dir = real;
		}
	}
	if (ret == 0 && create) {
		s->lock = openat(s->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (s->lock < 0 || flock(s->lock, LOCK_SH) < 0)
			ret = rs_err_errno(err, errno, "cannot lock the image store %s", s->dir);
	}
	if (ret == 0 && create && faccessat(s->fd, "oci-layout", F_OK, 0) < 0)
		ret = make_layout(s, err);
	if (ret == 0)
		ret = check_layout(s, err);
	if (ret < 0) {
		ctr_store_close(s);
		return NULL;
	}
	return s;
}

void ctr_store_close(struct ctr_store *s)
{
	if (!s)
		return;
	if (s->lock >= 0)
		close(s->lock);
	if (s->fd >= 0)
		close(s->fd);
	free(s->dir);
	free(s);
}

char *ctr_store_tmp(struct ctr_store *s, const char *what)
{
	mkdirat(s->fd, "tmp", 0755); /* a layout that another tool made has none */
	return rs_xasprintf("%s/tmp/%s-%d-%p-%u", s->dir, what, (int)getpid(), (void *)s, s->serial++);
}

/* ---- reading ---- */

static void blob_name(const char *digest, char name[96])
{
	strcpy(name, BLOBS);
	strcat(name, digest + 7);
}

bool ctr_store_has(const struct ctr_store *s, const char *digest, uint64_t *size)
{
	char name[96];
	struct stat st;

	if (!ctr_digest_ok(digest))
		return false;
	blob_name(digest, name);
	if (fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (size)
		*size = (uint64_t)st.st_size;
	return true;
}

int ctr_blob_open(const struct ctr_store *s, const struct ctr_desc *d, struct rs_err *err)
{
	char name[96];
	struct stat st;
	int fd;

	if (!ctr_digest_ok(d->digest))
		return rs_err_set(err, -EBADMSG, "\"%s\" is not a digest that is supported; it must be sha256: and 64 hexadecimal digits", d->digest);
	blob_name(d->digest, name);
	fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return rs_err_set(err, -ENOENT, "the blob %s is missing in %s; load or pull the image again", d->digest, s->dir);
	if (fd < 0)
		return rs_err_errno(err, errno, "cannot open the blob %s", d->digest);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != d->size) {
		close(fd);
		return rs_err_set(err, -EBADMSG, "the blob %s has %llu bytes, but its descriptor says %llu", d->digest,
				  (unsigned long long)st.st_size, (unsigned long long)d->size);
	}
	return fd;
}

int ctr_store_doc(struct ctr_store *s, const struct ctr_desc *d, struct rs_str *out, struct rs_err *err)
{
	rs_auto_close int fd = -1;
	char digest[CTR_DIGEST_SIZE], buf[16384];
	size_t before = out->len;
	ssize_t n;

	if (d->size > CTR_DOC_MAX)
		return rs_err_set(err, -EFBIG, "the document %s has %llu bytes; more than %u are not read", d->digest,
				  (unsigned long long)d->size, CTR_DOC_MAX);
	fd = ctr_blob_open(s, d, err);
	if (fd < 0)
		return fd;
	while ((n = read(fd, buf, sizeof(buf))) > 0 && out->len - before <= CTR_DOC_MAX)
		rs_str_addn(out, buf, (size_t)n);
	if (n < 0)
		return rs_err_errno(err, errno, "cannot read the blob %s", d->digest);
	ctr_digest_of(out->p + before, out->len - before, digest);
	if (strcmp(digest, d->digest) != 0)
		return rs_err_set(err, -EBADMSG, "the blob %s is damaged: its content hashes to %s", d->digest, digest);
	return 0;
}

/* ---- writing ---- */

int ctr_blob_begin(struct ctr_store *s, struct ctr_blob *b, struct rs_err *err)
{
	memset(b, 0, sizeof(*b));
	b->store = s;
	b->tmp = ctr_store_tmp(s, "blob");
	b->fd = open(b->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (b->fd < 0) {
		int e = errno;

		free(rs_steal(b->tmp));
		return rs_err_errno(err, e, "cannot write into the image store %s", s->dir);
	}
	ctr_hash_begin(&b->hash);
	return 0;
}

int ctr_blob_write(struct ctr_blob *b, const void *data, size_t n, struct rs_err *err)
{
	const char *p = data;

	ctr_hash_add(&b->hash, data, n);
	b->size += n;
	while (n) {
		ssize_t w = write(b->fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return rs_err_errno(err, w < 0 ? errno : EIO, "cannot write into the image store %s", b->store->dir);
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

void ctr_blob_drop(struct ctr_blob *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	if (b->tmp)
		unlink(b->tmp);
	free(rs_steal(b->tmp));
	ctr_hash_drop(&b->hash);
}

/* The new name is on disk only when its folder is; where a file system cannot do that, it is as safe
 * as it gets. */
static void sync_blobs(struct ctr_store *s)
{
	rs_auto_close int fd = openat(s->fd, BLOBS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)!fsync(fd);
}

/* An earlier copy counts only when it has the right size: a file system that lost power may keep
 * the name of a file without its content. */
static int publish(struct ctr_blob *b, const char *digest, struct rs_err *err)
{
	char name[96];
	uint64_t size;

	if (ctr_store_has(b->store, digest, &size) && size == b->size)
		return 0;
	mkdirat(b->store->fd, "blobs", 0755);
	mkdirat(b->store->fd, "blobs/sha256", 0755);
	blob_name(digest, name);
	if (fsync(b->fd) < 0)
		return rs_err_errno(err, errno, "cannot write into the image store %s", b->store->dir);
	if (renameat(AT_FDCWD, b->tmp, b->store->fd, name) < 0)
		return rs_err_errno(err, errno, "cannot write into the image store %s", b->store->dir);
	free(rs_steal(b->tmp));
	sync_blobs(b->store);
	return 0;
}

int ctr_blob_commit(struct ctr_blob *b, const struct ctr_desc *expect, struct ctr_desc *d,
		    struct rs_err *err)
{
	char digest[CTR_DIGEST_SIZE];
	int ret = 0;

	ctr_hash_end(&b->hash, digest);
	if (expect && b->size != expect->size)
		ret = rs_err_set(err, -EBADMSG, "the blob %s has %llu bytes, but its descriptor says %llu", expect->digest,
				 (unsigned long long)b->size, (unsigned long long)expect->size);
	else if (expect && strcmp(expect->digest, digest) != 0)
		ret = rs_err_set(err, -EBADMSG, "the blob %s is damaged: its content hashes to %s", expect->digest, digest);
	if (ret == 0)
		ret = publish(b, digest, err);
	if (ret == 0 && d) {
		strcpy(d->digest, digest);
		d->size = b->size;
	}
	ctr_blob_drop(b);
	return ret;
}

int ctr_blob_put(struct ctr_store *s, const char *media, const void *data, size_t n, struct ctr_desc *d,
		 struct rs_err *err)
{
	struct ctr_blob b;
	uint64_t size;
	int ret;

	memset(d, 0, sizeof(*d));
	snprintf(d->media, sizeof(d->media), "%s", media);
	ctr_digest_of(data, n, d->digest);
	d->size = n;
	if (ctr_store_has(s, d->digest, &size) && size == n)
		return 0;
	ret = ctr_blob_begin(s, &b, err);
	if (ret < 0)
		return ret;
	ret = ctr_blob_write(&b, data, n, err);
	if (ret < 0) {
		ctr_blob_drop(&b);
		return ret;
	}
	return ctr_blob_commit(&b, NULL, d, err);
}

int ctr_blob_copy(struct ctr_store *to, const struct ctr_store *from, const struct ctr_desc *d,
		  struct rs_err *err)
{
	rs_auto_close int fd = -1;
	rs_auto_free char *buf = NULL;
	struct ctr_blob b;
	uint64_t size;
	ssize_t n;
	int ret;

	if (ctr_store_has(to, d->digest, &size) && size == d->size)
		return 0;
	fd = ctr_blob_open(from, d, err);
	if (fd < 0)
		return fd;
	ret = ctr_blob_begin(to, &b, err);
	if (ret < 0)
		return ret;
	buf = rs_xmalloc(COPY_STEP);
	while ((n = read(fd, buf, COPY_STEP)) > 0) {
		ret = ctr_blob_write(&b, buf, (size_t)n, err);
		if (ret < 0) {
			ctr_blob_drop(&b);
			return ret;
		}
	}
	if (n < 0) {
		ret = rs_err_errno(err, errno, "cannot read the blob %s", d->digest);
		ctr_blob_drop(&b);
		return ret;
	}
	return ctr_blob_commit(&b, d, NULL, err);
}
