/* An image in one file: an OCI image layout in a tar archive (image-layout.md), or what `docker save`
 * writes (docker's image spec v1.2: manifest.json, a configuration, layers uncompressed). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/image_private.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

struct out {
	int fd;
	const char *file;
	char *tmp;
};

static int put(struct out *o, const void *data, size_t n, struct rs_err *err)
{
	const char *p = data;

	while (n) {
		ssize_t w = write(o->fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return rs_err_errno(err, w < 0 ? errno : EIO, "cannot write %s", o->file);
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int put_header(struct out *o, const char *path, mode_t mode, uint64_t size, struct rs_err *err)
{
	struct ctr_entry e = { .path = path, .mode = mode, .size = size };
	rs_auto_str head = RS_STR_INIT;
	int ret = ctr_pax_header(&e, &head, err);

	return ret < 0 ? ret : put(o, head.p, head.len, err);
}

static int put_padding(struct out *o, uint64_t size, struct rs_err *err)
{
	static const char zero[CTR_TAR_BLOCK];

	return put(o, zero, ctr_tar_padding(size), err);
}

static int put_text(struct out *o, const char *path, const char *text, size_t n, struct rs_err *err)
{
	int ret = put_header(o, path, S_IFREG | 0644, n, err);

	ret = ret < 0 ? ret : put(o, text, n, err);
	return ret < 0 ? ret : put_padding(o, n, err);
}

static int begin(struct out *o, const char *file, struct rs_err *err)
{
	o->file = file;
	o->tmp = rs_xasprintf("%s.tmp-%d", file, (int)getpid());
	o->fd = open(o->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	return o->fd < 0 ? rs_err_errno(err, errno, "cannot write %s", file) : 0;
}

/* Renamed when it is complete; removed when it is not. */
static int end(struct out *o, int ret, struct rs_err *err)
{
	static const char zero[2 * CTR_TAR_BLOCK];

	if (ret == 0)
		ret = put(o, zero, sizeof(zero), err);
	if (ret == 0 && (fsync(o->fd) < 0 || rename(o->tmp, o->file) < 0))
		ret = rs_err_errno(err, errno, "cannot write %s", o->file);
	if (o->fd >= 0) {
		close(o->fd);
		if (ret < 0)
			unlink(o->tmp);
	}
	free(o->tmp);
	return ret;
}

struct list {
	struct ctr_desc *v;
	unsigned n;
};

static int collect(void *arg, const struct ctr_desc *d, struct rs_err *err)
{
	struct list *l = arg;

	(void)err;
	l->v = rs_xrealloc(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = *d;
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	return strcmp(((const struct ctr_desc *)a)->digest, ((const struct ctr_desc *)b)->digest);
}

/* A blob as it is, hashed on the way. */
static int put_blob(struct out *o, struct ctr_store *s, const struct ctr_desc *d, struct rs_err *err)
{
	rs_auto_close int fd = ctr_blob_open(s, d, err);
	rs_auto_free char *path = rs_xasprintf("blobs/sha256/%s", d->digest + 7);
	rs_auto_free char *buf = rs_xmalloc(1u << 20);
	char digest[CTR_DIGEST_SIZE];
	struct ctr_hash h;
	ssize_t n;
	int ret = fd < 0 ? fd : put_header(o, path, S_IFREG | 0644, d->size, err);

	if (ret < 0)
		return ret;
	ctr_hash_begin(&h);
	while (ret == 0 && (n = read(fd, buf, 1u << 20)) > 0) {
		ctr_hash_add(&h, buf, (size_t)n);
		ret = put(o, buf, (size_t)n, err);
	}
	ctr_hash_end(&h, digest);
	if (ret == 0 && strcmp(digest, d->digest) != 0)
		return rs_err_set(err, -EBADMSG, "the blob %s is damaged: its content hashes to %s", d->digest, digest);
	return ret < 0 ? ret : put_padding(o, d->size, err);
}

static int save_oci(struct out *o, struct ctr_store *s, const struct ctr_desc *d, const char *ref, struct rs_err *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	struct json_object *index = json_object_new_object(), *list = json_object_new_array(), *e = ctr_desc_json(d), *a;
	rs_auto_str text = RS_STR_INIT;
	struct list blobs = { NULL, 0 };
	int ret = ctr_desc_walk(s, d, collect, &blobs, err);

	if (ref) {
		a = json_object_new_object();
		json_object_object_add(a, CTR_REF_NAME, ctr_json_str(ref));
		json_object_object_add(e, "annotations", a);
	}
	json_object_array_add(list, e);
	json_object_object_add(index, "schemaVersion", json_object_new_int(2));
	json_object_object_add(index, "mediaType", json_object_new_string(CTR_MEDIA_INDEX));
	json_object_object_add(index, "manifests", list);
	ctr_json_text(index, false, &text);
	json_object_put(index);
	if (blobs.n)
		qsort(blobs.v, blobs.n, sizeof(*blobs.v), by_digest);
	ret = ret < 0 ? ret : put_header(o, "blobs", S_IFDIR | 0755, 0, err);
	ret = ret < 0 ? ret : put_header(o, "blobs/sha256", S_IFDIR | 0755, 0, err);
	for (unsigned i = 0; ret == 0 && i < blobs.n; i++)
		ret = put_blob(o, s, &blobs.v[i], err);
	ret = ret < 0 ? ret : put_text(o, "index.json", text.p, text.len, err);
	ret = ret < 0 ? ret : put_text(o, "oci-layout", layout, strlen(layout), err);
	free(blobs.v);
	return ret;
}

/* A layer uncompressed; read twice, because its size stands before it. */
static int put_layer(struct out *o, struct ctr_store *s, const struct ctr_image *im, unsigned i, const char *path,
		     struct rs_err *err)
{
	uint64_t size = 0;
	int ret = 0;

	for (int pass = 0; ret == 0 && pass < 2; pass++) {
		rs_auto_close int fd = ctr_blob_open(s, &im->layer[i], err);
		struct ctr_inflate *z = fd < 0 ? NULL : ctr_inflate_open(fd, im->layer[i].digest, &im->layer[i], im->diff_id[i], NULL, err);
		const void *p;
		size_t n;

		if (!z)
			return -EBADMSG;
		if (pass)
			ret = put_header(o, path, S_IFREG | 0644, size, err);
		while (ret == 0 && (ret = ctr_inflate_read(z, &p, &n, err)) > 0) {
			size += pass ? 0 : n;
			ret = pass ? put(o, p, n, err) : 0;
		}
		ctr_inflate_close(z);
	}
	return ret < 0 ? ret : put_padding(o, size, err);
}

static int save_docker(struct out *o, struct ctr_store *s, const struct ctr_desc *d, const char *ref, struct rs_err *err)
{
	struct json_object *list = json_object_new_array(), *m = json_object_new_object(), *tags = json_object_new_array(),
			   *layers = json_object_new_array();
	rs_auto_str text = RS_STR_INIT, config = RS_STR_INIT;
	struct ctr_image im;
	int ret = ctr_image_read(s, d, NULL, &im, err);

	if (ret == 0 && im.artifact) {
		ret = rs_err_set(err, -EINVAL, "%s is an artifact (%s), not an image; it has no tree", d->digest, im.artifact);
		ctr_image_release(&im);
	}
	if (ret < 0) {
		json_object_put(list);
		json_object_put(m);
		json_object_put(tags);
		json_object_put(layers);
		return ret;
	}
	ret = ctr_store_doc(s, &im.config, &config, err);
	rs_auto_free char *name = rs_xasprintf("%s.json", im.config.digest + 7);
	json_object_object_add(m, "Config", json_object_new_string(name));
	if (ref)
		json_object_array_add(tags, ctr_json_str(ref));
	json_object_object_add(m, "RepoTags", tags);
	for (unsigned i = 0; ret == 0 && i < im.layers; i++) {
		rs_auto_free char *path = rs_xasprintf("%s.tar", im.diff_id[i] + 7);
		bool again = false;

		for (unsigned k = 0; k < i; k++)
			again |= strcmp(im.diff_id[k], im.diff_id[i]) == 0;
		json_object_array_add(layers, json_object_new_string(path));
		if (!again)
			ret = put_layer(o, s, &im, i, path, err);
	}
	json_object_object_add(m, "Layers", layers);
	json_object_array_add(list, m);
	ctr_json_text(list, false, &text);
	json_object_put(list);
	ret = ret < 0 ? ret : put_text(o, name, config.p, config.len, err);
	ret = ret < 0 ? ret : put_text(o, "manifest.json", text.p, text.len, err);
	ctr_image_release(&im);
	return ret;
}

int ctr_archive_save(struct ctr_store *s, const struct ctr_desc *d, const char *file, const char *ref, bool docker,
		     struct rs_err *err)
{
	struct out o = { .fd = -1 };
	int ret = begin(&o, file, err);

	if (ret == 0)
		ret = docker ? save_docker(&o, s, d, ref, err) : save_oci(&o, s, d, ref, err);
	return end(&o, ret, err);
}
