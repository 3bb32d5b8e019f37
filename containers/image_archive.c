/* Images in one file: an OCI image layout in a tar archive (image-layout.md), and what `docker save`
 * writes (docker/docs, image spec v1.2: manifest.json, a configuration, layers uncompressed). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/image_private.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* ---- writing ---- */

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

/* ---- reading ---- */

/* Files of the archive, as blobs of a store; links lead to other files. */
struct file {
	char *path, *link;
	struct ctr_desc d;
};
struct files {
	struct file *v;
	unsigned n;
	bool oci;
};
#define FILES_MAX 100000u

static void files_release(struct files *f)
{
	for (unsigned i = 0; i < f->n; i++) {
		free(f->v[i].path);
		free(f->v[i].link);
	}
	free(f->v);
}

static int take_file(struct ctr_store *s, struct ctr_layer_reader *r, const struct ctr_entry *e, struct ctr_desc *d,
		     struct rs_err *err)
{
	static const char zero[65536];
	struct ctr_blob b;
	struct ctr_desc expect = { .size = e->size };
	const struct ctr_desc *want = NULL;
	const void *p;
	uint64_t at, done = 0;
	size_t n;
	int ret = ctr_blob_begin(s, &b, err);

	if (ret < 0)
		return ret;
	while ((ret = ctr_reader_data(r, &p, &n, &at, err)) > 0) {
		while (ret > 0 && done < at) {
			size_t k = at - done < sizeof(zero) ? (size_t)(at - done) : sizeof(zero);

			ret = ctr_blob_write(&b, zero, k, err) < 0 ? -EIO : 1;
			done += k;
		}
		if (ret < 0 || (ret = ctr_blob_write(&b, p, n, err)) < 0)
			break;
		done += n;
	}
	if (ret < 0) {
		ctr_blob_drop(&b);
		return ret;
	}
	if (strncmp(e->path, "blobs/sha256/", 13) == 0) {
		snprintf(expect.digest, sizeof(expect.digest), "sha256:%.64s", e->path + 13);
		want = ctr_digest_ok(expect.digest) ? &expect : NULL;
	}
	memset(d, 0, sizeof(*d));
	return ctr_blob_commit(&b, want, d, err);
}

static int read_files(struct ctr_store *s, const char *file, struct files *f, struct rs_err *err)
{
	rs_auto_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct ctr_layer_reader *r;
	struct ctr_entry e;
	int ret;

	if (fd < 0)
		return rs_err_errno(err, errno, "cannot open %s", file);
	r = ctr_reader_open(fd, file, NULL, NULL, NULL, err);
	if (!r)
		return -EBADMSG;
	while ((ret = ctr_reader_next(r, &e, err)) > 0) {
		struct file k = { 0 };

		if (!S_ISREG(e.mode) && !S_ISLNK(e.mode) && !e.hard)
			continue;
		if (f->n == FILES_MAX) {
			ret = rs_err_set(err, -EFBIG, "%s has more than %llu entries; more are not allowed", file, (unsigned long long)FILES_MAX);
			break;
		}
		if (!e.link && take_file(s, r, &e, &k.d, err) < 0) {
			ret = err && err->code ? err->code : -EIO;
			break;
		}
		k.path = rs_xstrdup(e.path);
		if (S_ISLNK(e.mode) && !e.hard) { /* beside the folder that the link is in */
			const char *slash = strrchr(e.path, '/');
			rs_auto_free char *full = rs_xasprintf("%.*s%s", slash ? (int)(slash - e.path + 1) : 0, e.path, e.link);
			rs_auto_str clean = RS_STR_INIT;

			for (char *p = full; *p;) {
				size_t n = strcspn(p, "/");

				if (n == 2 && memcmp(p, "..", 2) == 0) {
					while (clean.len && clean.p[--clean.len] != '/')
						;
					if (clean.cap)
						clean.p[clean.len] = '\0';
				} else if (n && !(n == 1 && *p == '.')) {
					rs_str_addf(&clean, "%s%.*s", clean.len ? "/" : "", (int)n, p);
				}
				p += n + (p[n] == '/');
			}
			k.link = rs_str_detach(&clean);
		} else if (e.hard) {
			k.link = rs_xstrdup(e.link);
		}
		if ((f->n & (f->n - 1)) == 0)
			f->v = rs_xrealloc(f->v, f->n ? 2 * f->n : 16, sizeof(*f->v));
		f->v[f->n++] = k;
	}
	ctr_reader_close(r);
	return ret;
}

/* The blob of a path; links are followed a few times. NULL: there is none. */
static const struct ctr_desc *find(const struct files *f, const char *path)
{
	for (unsigned hop = 0; path && hop < 8; hop++) {
		const char *next = NULL;

		for (unsigned i = f->n; i-- > 0;)
			if (strcmp(f->v[i].path, path) == 0) {
				if (!f->v[i].link)
					return &f->v[i].d;
				next = f->v[i].link;
				break;
			}
		path = next;
	}
	return NULL;
}

static int read_json(struct ctr_store *s, const struct files *f, const char *file, const char *path, struct rs_str *text,
		     struct rs_err *err)
{
	const struct ctr_desc *d = find(f, path);

	if (!d)
		return rs_err_set(err, -EBADMSG, "%s has no file %s; it is no archive of an image", file, path);
	return ctr_store_doc(s, d, text, err);
}

/* The entry of index.json that has this name, or the only one. */
static int choose_oci(struct ctr_store *s, const struct files *f, const char *file, const char *ref, struct ctr_desc *out,
		      char name[400], struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT;
	struct ctr_json j;
	unsigned n, hit = 0;
	int ret = read_json(s, f, file, "index.json", &text, err);
	rs_auto_free char *doc = rs_xasprintf("%s:index.json", file);

	ret = ret < 0 ? ret : ctr_json_parse(&j, doc, text.p, text.len, err);
	if (ret < 0)
		return ret;
	ret = ctr_json_array(&j, "/manifests", true, &n, err);
	for (hit = 0; ret == 0 && hit < n; hit++) {
		char p[100];
		const char *v = NULL;

		snprintf(p, sizeof(p), "/manifests/%u/annotations/" CTR_REF_NAME, hit);
		ctr_json_string(&j, p, false, &v, NULL);
		snprintf(name, 400, "%s", v ? v : "");
		if (ref ? v && strcmp(v, ref) == 0 : n == 1)
			break;
	}
	if (ret == 0 && hit == n) {
		if (ref)
			ret = ctr_json_fail(&j, "/manifests", err, N_("there is no image %s here"), ref);
		else
			ret = ctr_json_fail(&j, "/manifests", err, N_("there are %u images here; say which one"), n);
	}
	if (ret == 0) {
		char p[40];

		snprintf(p, sizeof(p), "/manifests/%u", hit);
		ret = ctr_desc_read(&j, p, out, err);
	}
	ctr_json_release(&j);
	return ret;
}

/* One layer of a docker archive, compressed into the store. */
static int take_layer(struct ctr_store *s, struct ctr_store *from, const struct ctr_desc *d, const char *diff_id,
		      struct ctr_desc *out, struct rs_err *err)
{
	struct ctr_layer_opts o = { CTR_GZIP, 0, 0 };
	rs_auto_close int fd = ctr_blob_open(from, d, err);
	struct ctr_inflate *z = fd < 0 ? NULL : ctr_inflate_open(fd, d->digest, NULL, diff_id, NULL, err);
	struct ctr_layer *l = z ? ctr_layer_begin(s, &o, err) : NULL;
	char made[CTR_DIGEST_SIZE];
	const void *p;
	size_t n;
	int ret = l ? 0 : -EBADMSG;

	while (ret == 0 && (ret = ctr_inflate_read(z, &p, &n, err)) > 0)
		ret = ctr_layer_raw(l, p, n, err);
	ctr_inflate_close(z);
	if (ret < 0) {
		ctr_layer_drop(l);
		return ret;
	}
	return ctr_layer_finish(l, out, made, err);
}

/* manifest.json: [{"Config": FILE, "RepoTags": [...], "Layers": [FILE, ...]}] */
static int load_docker(struct ctr_store *s, struct ctr_store *from, const struct files *f, const char *file, const char *ref,
		       struct ctr_desc *out, char name[400], struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT, config = RS_STR_INIT, wrapped = RS_STR_INIT;
	rs_auto_free char *doc = rs_xasprintf("%s:manifest.json", file);
	rs_auto_free struct ctr_desc *layer = NULL;
	rs_auto_free void *ids = NULL;
	struct ctr_json j, c;
	unsigned images, layers = 0, hit;
	const char *v;
	char p[120];
	int ret = read_json(from, f, file, "manifest.json", &text, err);

	if (ret < 0)
		return ret;
	/* our reader takes objects; positions stay those of the document */
	rs_str_addf(&wrapped, "{\"x\":%s}", text.p);
	ret = ctr_json_parse(&j, doc, wrapped.p, wrapped.len, err);
	if (ret < 0)
		return ret;
	ret = ctr_json_array(&j, "/x", true, &images, err);
	for (hit = 0; ret == 0 && hit < images; hit++) {
		unsigned tags, k;

		snprintf(p, sizeof(p), "/x/%u/RepoTags", hit);
		ret = ctr_json_array(&j, p, false, &tags, err);
		*name = '\0';
		for (k = 0; ret == 0 && k < tags; k++) {
			snprintf(p, sizeof(p), "/x/%u/RepoTags/%u", hit, k);
			ret = ctr_json_string(&j, p, true, &v, err);
			if (ret == 0)
				snprintf(name, 400, "%s", v);
			if (!ref || (ret == 0 && strcmp(v, ref) == 0))
				break;
		}
		if (ref ? k < tags : images == 1)
			break;
	}
	if (ret == 0 && hit == images) {
		if (ref)
			ret = ctr_json_fail(&j, "/x", err, N_("there is no image %s here"), ref);
		else
			ret = ctr_json_fail(&j, "/x", err, N_("there are %u images here; say which one"), images);
	}
	snprintf(p, sizeof(p), "/x/%u/Config", hit);
	ret = ret < 0 ? ret : ctr_json_string(&j, p, true, &v, err);
	ret = ret < 0 ? ret : read_json(from, f, file, v, &config, err);
	snprintf(p, sizeof(p), "/x/%u/Layers", hit);
	ret = ret < 0 ? ret : ctr_json_array(&j, p, true, &layers, err);
	if (ret == 0 && (ret = ctr_json_parse(&c, v, config.p, config.len, err)) == 0) {
		unsigned n;

		ret = ctr_json_array(&c, "/rootfs/diff_ids", true, &n, err);
		if (ret == 0 && n != layers)
			ret = ctr_json_fail(&c, "/rootfs/diff_ids", err, N_("there are %u diff ids, but the manifest has %u layers"), n, layers);
		layer = rs_xcalloc(layers + 1, sizeof(*layer));
		ids = rs_xcalloc(layers + 1, CTR_DIGEST_SIZE);
		for (unsigned i = 0; ret == 0 && i < layers; i++) {
			const struct ctr_desc *d;
			const char *path, *id;

			snprintf(p, sizeof(p), "/x/%u/Layers/%u", hit, i);
			ret = ctr_json_string(&j, p, true, &path, err);
			snprintf(p, sizeof(p), "/rootfs/diff_ids/%u", i);
			ret = ret < 0 ? ret : ctr_json_string(&c, p, true, &id, err);
			if (ret == 0 && !ctr_digest_ok(id))
				ret = ctr_json_fail(&c, p, err, N_("this is not a digest that is supported; it must be sha256: and 64 hexadecimal digits"));
			d = ret == 0 ? find(f, path) : NULL;
			if (ret == 0 && !d)
				ret = rs_err_set(err, -EBADMSG, "%s has no file %s; it is no archive of an image", file, path);
			if (ret == 0) {
				strcpy((char *)ids + (size_t)i * CTR_DIGEST_SIZE, id);
				ret = take_layer(s, from, d, id, &layer[i], err);
			}
		}
		if (ret == 0)
			ret = ctr_image_write(s, c.root, layer, ids, layers, NULL, out, err);
		ctr_json_release(&c);
	}
	ctr_json_release(&j);
	return ret;
}

/* Is it a layout, or docker's? Both have names that the other has not; newer archives of docker are both. */
static int look(const char *file, bool *oci, struct rs_err *err)
{
	rs_auto_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct ctr_layer_reader *r;
	struct ctr_entry e;
	bool index = false, layout = false;
	int ret;

	if (fd < 0)
		return rs_err_errno(err, errno, "cannot open %s", file);
	r = ctr_reader_open(fd, file, NULL, NULL, NULL, err);
	if (!r)
		return -EBADMSG;
	while ((ret = ctr_reader_next(r, &e, err)) > 0) {
		index |= strcmp(e.path, "index.json") == 0;
		layout |= strcmp(e.path, "oci-layout") == 0;
	}
	ctr_reader_close(r);
	*oci = index && layout;
	return ret;
}

int ctr_archive_load(struct ctr_store *s, const char *file, const char *ref, struct ctr_desc *out, char name[400],
		     struct rs_err *err)
{
	rs_auto_free char *tmp = NULL;
	struct ctr_store *side = NULL;
	struct files f = { NULL, 0, false };
	int ret = look(file, &f.oci, err);

	if (ret == 0 && !f.oci) { /* files that do not stay */
		tmp = ctr_store_tmp(s, "load");
		side = ctr_store_open(tmp, true, err);
		ret = side ? 0 : -EIO;
	}
	ret = ret < 0 ? ret : read_files(side ? side : s, file, &f, err);
	if (ret == 0)
		ret = f.oci ? choose_oci(s, &f, file, ref, out, name, err) : load_docker(s, side, &f, file, ref, out, name, err);
	files_release(&f);
	ctr_store_close(side);
	if (tmp)
		rs_rmtree(tmp, NULL);
	return ret;
}
