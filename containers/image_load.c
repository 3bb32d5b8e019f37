/* Reading an image in one file, as image_save.c writes them and docker, too: either kind, found out from what is in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/image_private.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

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
