/* Reading layers. libarchive undoes the compression and takes the archive apart; we hash what goes in
 * and what comes out of the first half, count, and stop at the limits:
 *
 *     blob -> [hash] -> decompress -> [hash, limit] -> tar -> entries
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers/layer.h"
#include "containers/libs.h"
#include "engine/base/cleanup.h"

#define STEP (256u << 10)
#define BYTES_DEFAULT (64ull << 30)
#define ENTRIES_DEFAULT 4000000ull
#define XATTRS_MAX 256

static const struct ctr_archive *lib; /* set by every ctr_inflate_open, to the same */

struct ctr_inflate {
	struct archive *a;
	int fd;
	char name[200];
	unsigned char *buf;
	const struct ctr_desc *desc;
	const char *diff_id;
	struct ctr_hash in, out;
	uint64_t in_bytes, out_bytes, max;
	char in_digest[CTR_DIGEST_SIZE], out_digest[CTR_DIGEST_SIZE];
	int error;               /* errno of the last read */
	bool too_long;           /* more bytes than the descriptor says */
};

struct ctr_layer_reader {
	struct ctr_inflate *z;
	struct archive *a;
	struct rs_err err;       /* of the half below, which libarchive does not pass on */
	uint64_t entries, bytes, max_entries, max_bytes;
	struct ctr_xattr xattr[XATTRS_MAX];
	struct rs_str path, link;
};

/* ---- the blob ---- */

static la_ssize_t read_blob(struct archive *a, void *arg, const void **buf)
{
	struct ctr_inflate *z = arg;
	ssize_t n;

	do
		n = read(z->fd, z->buf, STEP);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		z->error = errno;
		lib->archive_set_error(a, errno, "read error");
		return -1;
	}
	z->in_bytes += (uint64_t)n;
	if (z->desc && z->in_bytes > z->desc->size) {
		z->too_long = true;
		lib->archive_set_error(a, EBADMSG, "longer than its descriptor says");
		return -1;
	}
	if (n)
		ctr_hash_add(&z->in, z->buf, (size_t)n);
	*buf = z->buf;
	return n;
}

struct ctr_inflate *ctr_inflate_open(int fd, const char *name, const struct ctr_desc *desc, const char *diff_id,
				     const struct ctr_limits *limits, struct rs_err *err)
{
	struct ctr_inflate *z;

	lib = ctr_archive(err);
	if (!lib)
		return NULL;
	z = rs_xcalloc(1, sizeof(*z));
	z->fd = fd;
	z->desc = desc;
	z->diff_id = diff_id;
	/* headers and padding come on top of the contents */
	z->max = limits && limits->bytes ? limits->bytes : BYTES_DEFAULT;
	z->max = z->max > UINT64_MAX / 4 ? z->max : 2 * z->max + (1u << 20);
	snprintf(z->name, sizeof(z->name), "%s", name);
	z->buf = rs_xmalloc(STEP);
	ctr_hash_begin(&z->in);
	ctr_hash_begin(&z->out);
	z->a = lib->archive_read_new();
	if (!z->a)
		rs_oom();
	lib->archive_read_support_filter_gzip(z->a);
	lib->archive_read_support_filter_zstd(z->a);
	lib->archive_read_support_format_raw(z->a);
	lib->archive_read_support_format_empty(z->a);
	struct archive_entry *e;
	int r = lib->archive_read_open(z->a, z, NULL, read_blob, NULL);
	if (r == ARCHIVE_OK)
		r = lib->archive_read_next_header(z->a, &e);
	if (r != ARCHIVE_OK && r != ARCHIVE_EOF) {
		rs_err_set(err, -EBADMSG, "%s cannot be decompressed: %s", name, lib->archive_error_string(z->a));
		ctr_inflate_close(z);
		return NULL;
	}
	return z;
}

/* What libarchive did not need to read belongs to the blob, too. */
static int read_rest(struct ctr_inflate *z, struct rs_err *err)
{
	const void *p;
	la_ssize_t n;

	while ((n = read_blob(z->a, z, &p)) > 0)
		;
	if (n < 0 && z->too_long)
		return rs_err_set(err, -EBADMSG, "%s has more than the %llu bytes that its descriptor says", z->name,
				  (unsigned long long)z->desc->size);
	if (n < 0)
		return rs_err_errno(err, z->error, "cannot read %s", z->name);
	return 0;
}

static int compare(struct ctr_inflate *z, struct rs_err *err)
{
	int ret = read_rest(z, err);

	ctr_hash_end(&z->in, z->in_digest);
	ctr_hash_end(&z->out, z->out_digest);
	if (ret < 0)
		return ret;
	if (z->desc && z->in_bytes != z->desc->size)
		return rs_err_set(err, -EBADMSG, "the blob %s has %llu bytes, but its descriptor says %llu", z->name,
				  (unsigned long long)z->in_bytes, (unsigned long long)z->desc->size);
	if (z->desc && strcmp(z->in_digest, z->desc->digest) != 0)
		return rs_err_set(err, -EBADMSG, "the blob %s is damaged: its content hashes to %s", z->desc->digest, z->in_digest);
	if (z->diff_id && strcmp(z->out_digest, z->diff_id) != 0)
		return rs_err_set(err, -EBADMSG, "the layer %s uncompressed hashes to %s, but the configuration says %s", z->name,
				  z->out_digest, z->diff_id);
	return 0;
}

int ctr_inflate_read(struct ctr_inflate *z, const void **data, size_t *n, struct rs_err *err)
{
	la_int64_t offset;
	int r;

	do
		r = lib->archive_read_data_block(z->a, data, n, &offset);
	while (r == ARCHIVE_OK && *n == 0);
	if (r == ARCHIVE_EOF) {
		int ret = z->in.ctx ? compare(z, err) : 0;

		return ret;
	}
	if (r != ARCHIVE_OK && z->too_long)
		return read_rest(z, err);
	if (r != ARCHIVE_OK)
		return rs_err_set(err, -EBADMSG, "%s cannot be decompressed: %s (after %llu bytes)", z->name,
				  lib->archive_error_string(z->a), (unsigned long long)z->out_bytes);
	z->out_bytes += *n;
	if (z->out_bytes > z->max)
		return rs_err_set(err, -EFBIG, "%s becomes larger than %llu bytes when it is unpacked; more is not allowed", z->name,
				  (unsigned long long)z->max);
	ctr_hash_add(&z->out, *data, *n);
	return 1;
}

void ctr_inflate_close(struct ctr_inflate *z)
{
	if (!z)
		return;
	lib->archive_read_free(z->a);
	ctr_hash_drop(&z->in);
	ctr_hash_drop(&z->out);
	free(z->buf);
	free(z);
}

/* ---- the archive ---- */

static la_ssize_t read_tar(struct archive *a, void *arg, const void **buf)
{
	struct ctr_layer_reader *r = arg;
	size_t n = 0;
	int ret = ctr_inflate_read(r->z, buf, &n, &r->err);

	if (ret < 0) {
		lib->archive_set_error(a, EBADMSG, "see below");
		return -1;
	}
	return ret ? (la_ssize_t)n : 0;
}

/* The sentence of the half below is better than libarchive's. */
static int tar_error(struct ctr_layer_reader *r, struct rs_err *err)
{
	if (r->err.code) {
		if (err)
			*err = r->err;
		return r->err.code;
	}
	return rs_err_set(err, -EBADMSG, "%s is not a tar archive that can be read: %s (entry %llu, byte %llu)", r->z->name,
			  lib->archive_error_string(r->a), (unsigned long long)r->entries + 1,
			  (unsigned long long)r->z->out_bytes);
}

struct ctr_layer_reader *ctr_reader_open(int fd, const char *name, const struct ctr_desc *desc,
					 const char *diff_id, const struct ctr_limits *limits, struct rs_err *err)
{
	struct ctr_layer_reader *r;
	struct ctr_inflate *z = ctr_inflate_open(fd, name, desc, diff_id, limits, err);

	if (!z)
		return NULL;
	r = rs_xcalloc(1, sizeof(*r));
	r->z = z;
	r->path.p = r->link.p = rs_str_empty;
	r->max_bytes = limits && limits->bytes ? limits->bytes : BYTES_DEFAULT;
	r->max_entries = limits && limits->entries ? limits->entries : ENTRIES_DEFAULT;
	r->a = lib->archive_read_new();
	if (!r->a)
		rs_oom();
	lib->archive_read_support_format_tar(r->a);
	lib->archive_read_support_format_empty(r->a);
	/* names are bytes here, whatever the locale */
	lib->archive_read_set_option(r->a, "tar", "hdrcharset", "BINARY");
	if (lib->archive_read_open(r->a, r, NULL, read_tar, NULL) != ARCHIVE_OK) {
		tar_error(r, err);
		ctr_reader_close(r);
		return NULL;
	}
	return r;
}

/* "./usr//bin/" becomes "usr/bin"; a component ".." is an error. */
static int clean_path(struct ctr_layer_reader *r, const char *in, struct rs_str *out, struct rs_err *err)
{
	const char *p = in;

	rs_str_clear(out);
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return rs_err_set(err, -EBADMSG, "%s: the entry \"%s\" has \"..\" in its name and would lead out of the target", r->z->name, in);
		if (n > 255)
			return rs_err_set(err, -EBADMSG, "%s: the entry \"%.60s...\" has a name of %zu bytes; no file system takes it", r->z->name, in, n);
		if (n && !(n == 1 && *p == '.')) {
			if (out->len)
				rs_str_addc(out, '/');
			rs_str_addn(out, p, n);
		}
		p += n + (p[n] == '/');
	}
	if (out->len > 4095)
		return rs_err_set(err, -EBADMSG, "%s: the entry \"%.60s...\" has a name of %zu bytes; no file system takes it", r->z->name, in, out->len);
	return 0;
}

static void read_xattrs(struct ctr_layer_reader *r, struct archive_entry *ae, struct ctr_entry *e)
{
	const char *name;
	const void *value;
	size_t n;

	e->xattr = r->xattr;
	lib->archive_entry_xattr_reset(ae);
	while (e->xattrs < XATTRS_MAX && lib->archive_entry_xattr_next(ae, &name, &value, &n) == ARCHIVE_OK)
		r->xattr[e->xattrs++] = (struct ctr_xattr){ name, value, n };
}

int ctr_reader_next(struct ctr_layer_reader *r, struct ctr_entry *e, struct rs_err *err)
{
	struct archive_entry *ae;
	const char *path, *link;
	int ret = lib->archive_read_next_header(r->a, &ae);

	memset(e, 0, sizeof(*e));
	if (ret == ARCHIVE_EOF) {
		const void *p;
		size_t n;

		/* the digests are of everything, also of what stands behind the archive's end */
		while ((ret = ctr_inflate_read(r->z, &p, &n, err)) > 0)
			;
		return ret;
	}
	if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
		return tar_error(r, err);
	if (++r->entries > r->max_entries)
		return rs_err_set(err, -EFBIG, "%s has more than %llu entries; more are not allowed", r->z->name,
				  (unsigned long long)r->max_entries);
	path = lib->archive_entry_pathname(ae);
	if (!path)
		return rs_err_set(err, -EBADMSG, "%s: entry %llu has no name", r->z->name, (unsigned long long)r->entries);
	ret = clean_path(r, path, &r->path, err);
	if (ret < 0)
		return ret;
	e->path = r->path.p;
	e->mode = lib->archive_entry_mode(ae);
	link = lib->archive_entry_hardlink(ae);
	if (link) {
		ret = clean_path(r, link, &r->link, err);
		if (ret < 0)
			return ret;
		e->hard = true;
		e->link = r->link.p;
		e->mode = S_IFREG | (e->mode & 07777);
	} else if (S_ISLNK(e->mode)) {
		e->link = lib->archive_entry_symlink(ae);
		if (!e->link || !*e->link)
			return rs_err_set(err, -EBADMSG, "%s: the symbolic link \"%s\" has no target", r->z->name, path);
	} else if (S_ISREG(e->mode)) {
		if (lib->archive_entry_size(ae) < 0)
			return rs_err_set(err, -EBADMSG, "%s: the entry \"%s\" has an impossible size", r->z->name, path);
		e->size = (uint64_t)lib->archive_entry_size(ae);
	}
	if (e->size > r->max_bytes - r->bytes)
		return rs_err_set(err, -EFBIG, "%s becomes larger than %llu bytes when it is unpacked; more is not allowed", r->z->name,
				  (unsigned long long)r->max_bytes);
	r->bytes += e->size;
	if (lib->archive_entry_uid(ae) < 0 || lib->archive_entry_uid(ae) >= UINT32_MAX || lib->archive_entry_gid(ae) < 0 ||
	    lib->archive_entry_gid(ae) >= UINT32_MAX)
		return rs_err_set(err, -EBADMSG, "%s: the entry \"%s\" has an impossible owner", r->z->name, path);
	e->uid = (uint32_t)lib->archive_entry_uid(ae);
	e->gid = (uint32_t)lib->archive_entry_gid(ae);
	e->mtime = lib->archive_entry_mtime_is_set(ae) ? lib->archive_entry_mtime(ae) : 0;
	e->mtime_ns = lib->archive_entry_mtime_is_set(ae) ? (uint32_t)lib->archive_entry_mtime_nsec(ae) : 0;
	e->rdev = lib->archive_entry_rdev(ae);
	read_xattrs(r, ae, e);
	return 1;
}

int ctr_reader_data(struct ctr_layer_reader *r, const void **data, size_t *n, uint64_t *offset,
		    struct rs_err *err)
{
	la_int64_t at = 0;
	int ret = lib->archive_read_data_block(r->a, data, n, &at);

	*offset = (uint64_t)at;
	if (ret == ARCHIVE_EOF)
		return 0;
	if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
		return tar_error(r, err);
	return 1;
}

void ctr_reader_close(struct ctr_layer_reader *r)
{
	if (!r)
		return;
	lib->archive_read_free(r->a);
	ctr_inflate_close(r->z);
	rs_str_release(&r->path);
	rs_str_release(&r->link);
	free(r);
}
