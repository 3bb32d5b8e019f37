/* An image's tree: unpacked into a folder, or as one archive. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/image_private.h"
#include "containers/model.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* ---- unpack ---- */

/* The folder, made when it is missing (*made), and empty. */
static int target(const char *dir, bool *made, struct rs_err *err)
{
	rs_auto_closedir DIR *d = NULL;
	struct dirent *e;
	int fd;

	*made = mkdir(dir, 0755) == 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return rs_err_errno(err, errno, "cannot open the folder %s", dir);
	d = fdopendir(dup(fd));
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			close(fd);
			return rs_err_set(err, -EINVAL, "the folder %s is not empty; an image is unpacked into an empty one", dir);
		}
	return fd;
}

static void empty_again(const char *dir, bool made)
{
	rs_auto_closedir DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			rs_auto_free char *p = rs_xasprintf("%s/%s", dir, e->d_name);

			rs_rmtree(p, NULL);
		}
	if (made)
		rmdir(dir);
}

int ctr_image_unpack(struct ctr_store *s, const struct ctr_image *im, const char *dir,
		     const struct ctr_limits *limits, unsigned *skipped, struct rs_err *err)
{
	struct ctr_apply_opts o = { .limits = limits };
	rs_auto_close int fd = -1;
	bool made;
	int ret = 0;

	if (im->artifact)
		return rs_err_set(err, -EINVAL, "%s is an artifact (%s), not an image; it has no tree", im->manifest.digest, im->artifact);
	fd = target(dir, &made, err);
	if (fd < 0)
		return fd;
	for (unsigned i = 0; ret == 0 && i < im->layers; i++) {
		ret = ctr_layer_apply(s, &im->layer[i], im->diff_id[i], fd, &o, err);
		if (ret < 0)
			rs_err_wrap(err, "layer %u of %u", i + 1, im->layers);
	}
	if (ret < 0)
		empty_again(dir, made);
	if (skipped)
		*skipped = o.skipped;
	return ret;
}

/* ---- one archive ---- */

struct flat {
	int fd;
	struct rs_str buf;
	struct rs_err *err;
};

static int out(struct flat *f, bool all)
{
	const char *p = f->buf.p;
	size_t n = f->buf.len;

	if (!all && n < (1u << 20))
		return 0;
	while (n) {
		ssize_t w = write(f->fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return rs_err_errno(f->err, w < 0 ? errno : EIO, "cannot write the archive");
		p += w;
		n -= (size_t)w;
	}
	rs_str_clear(&f->buf);
	return 0;
}

static void zeros(struct flat *f, uint64_t n)
{
	static const char zero[4096];

	for (; n; n -= n < sizeof(zero) ? n : sizeof(zero))
		rs_str_addn(&f->buf, zero, n < sizeof(zero) ? (size_t)n : sizeof(zero));
}

/* The entry under its first name, with its content, and then its other names as hard links. */
static int flat_entry(struct flat *f, struct ctr_layer_reader *r, struct ctr_entry *e, const struct ctr_named *v,
		      size_t names)
{
	const void *data;
	uint64_t at, done = 0;
	size_t n;
	int ret;

	e->path = v[0].path;
	ret = ctr_pax_header(e, &f->buf, f->err);
	while (ret == 0 && S_ISREG(e->mode) && (ret = ctr_reader_data(r, &data, &n, &at, f->err)) > 0) {
		while (done < at) { /* a hole */
			uint64_t k = at - done < (1u << 20) ? at - done : 1u << 20;

			zeros(f, k);
			done += k;
			if ((ret = out(f, false)) < 0)
				return ret;
		}
		rs_str_addn(&f->buf, data, n);
		done += n;
		ret = out(f, false);
	}
	while (ret == 0 && S_ISREG(e->mode) && done < e->size) {
		uint64_t k = e->size - done < (1u << 20) ? e->size - done : 1u << 20;

		zeros(f, k);
		done += k;
		ret = out(f, false);
	}
	if (ret == 0 && S_ISREG(e->mode))
		zeros(f, ctr_tar_padding(e->size));
	for (size_t i = 1; ret == 0 && i < names; i++) {
		struct ctr_entry link = *e;

		link.path = v[i].path;
		link.hard = true;
		link.link = v[0].path;
		link.xattrs = 0;
		ret = ctr_pax_header(&link, &f->buf, f->err);
	}
	return ret < 0 ? ret : out(f, false);
}

static int flat_layer(struct flat *f, struct ctr_store *s, const struct ctr_image *im, unsigned layer,
		      const struct ctr_named **v, const struct ctr_named *end)
{
	rs_auto_close int fd = ctr_blob_open(s, &im->layer[layer], f->err);
	struct ctr_layer_reader *r;
	struct ctr_entry e;
	uint64_t number = 0;
	int ret;

	if (fd < 0)
		return fd;
	r = ctr_reader_open(fd, im->layer[layer].digest, &im->layer[layer], im->diff_id[layer], NULL, f->err);
	if (!r)
		return f->err->code;
	for (; (ret = ctr_reader_next(r, &e, f->err)) > 0; number++) {
		const struct ctr_named *first = *v;

		while (*v < end && (*v)->inode->layer == layer && (*v)->inode->entry == number)
			++*v;
		if (*v > first) {
			ret = flat_entry(f, r, &e, first, (size_t)(*v - first));
			if (ret < 0)
				break;
		}
	}
	/* folders that no layer has an entry for */
	while (ret == 0 && *v < end && (*v)->inode->layer == layer) {
		struct ctr_entry dir = { .path = (*v)->path, .mode = S_IFDIR | 0755 };

		ret = ctr_pax_header(&dir, &f->buf, f->err);
		++*v;
	}
	ctr_reader_close(r);
	return ret;
}

int ctr_image_flatten(struct ctr_store *s, const struct ctr_image *im, int fd, struct rs_err *err)
{
	struct rs_err own = RS_ERR_INIT;
	struct flat f = { .fd = fd, .buf = RS_STR_INIT, .err = &own };
	struct ctr_model m;
	struct ctr_named *v;
	const struct ctr_named *at;
	size_t n;
	int ret;

	if (im->artifact)
		return rs_err_set(err, -EINVAL, "%s is an artifact (%s), not an image; it has no tree", im->manifest.digest, im->artifact);
	ctr_model_begin(&m);
	ret = ctr_model_image(&m, s, im, &own);
	v = ctr_model_names(&m, &n);
	at = v;
	for (unsigned i = 0; ret == 0 && i < im->layers; i++)
		ret = flat_layer(&f, s, im, i, &at, v + n);
	zeros(&f, 2 * CTR_TAR_BLOCK);
	if (ret == 0)
		ret = out(&f, true);
	ctr_names_free(v, n);
	ctr_model_release(&m);
	rs_str_release(&f.buf);
	if (ret < 0 && err)
		*err = own;
	return ret;
}
