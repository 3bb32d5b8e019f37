/* New images: configuration, manifest, and an image from a folder or a tar archive. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/image_private.h"
#include "engine/base/cleanup.h"

static void add(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, ctr_json_str(value));
}

struct json_object *ctr_config_new(const char *platform, int64_t epoch)
{
	struct json_object *o = json_object_new_object();
	rs_auto_free char *p = rs_xstrdup(platform ? platform : ctr_platform_here());
	char *os = p, *arch, *variant, time[32];

	arch = strchr(os, '/');
	if (arch)
		*arch++ = '\0';
	variant = arch ? strchr(arch, '/') : NULL;
	if (variant)
		*variant++ = '\0';
	add(o, "created", ctr_time_text(epoch, time));
	add(o, "architecture", arch ? arch : "unknown");
	if (variant)
		add(o, "variant", variant);
	add(o, "os", os);
	return o;
}

void ctr_config_history(struct json_object *config, int64_t epoch, const char *created_by, const char *comment,
			bool empty)
{
	struct json_object *list, *h = json_object_new_object();
	char time[32];

	if (!json_object_object_get_ex(config, "history", &list)) {
		list = json_object_new_array();
		json_object_object_add(config, "history", list);
	}
	add(h, "created", ctr_time_text(epoch, time));
	if (created_by)
		add(h, "created_by", created_by);
	if (comment)
		add(h, "comment", comment);
	if (empty)
		json_object_object_add(h, "empty_layer", json_object_new_boolean(true));
	json_object_array_add(list, h);
}

static int put_json(struct ctr_store *s, const char *media, struct json_object *o, struct ctr_desc *d,
		    struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT;

	ctr_json_text(o, false, &text);
	return ctr_blob_put(s, media, text.p, text.len, d, err);
}

/* manifest.md; with a title annotation on an artifact's blob. */
static int put_manifest(struct ctr_store *s, const struct ctr_desc *config, const struct ctr_desc *layer, unsigned n,
			const char *artifact, const char *title, struct json_object *annotations,
			struct ctr_desc *out, struct rs_err *err)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	int ret;

	json_object_object_add(o, "schemaVersion", json_object_new_int(2));
	add(o, "mediaType", CTR_MEDIA_MANIFEST);
	if (artifact)
		add(o, "artifactType", artifact);
	json_object_object_add(o, "config", ctr_desc_json(config));
	for (unsigned i = 0; i < n; i++) {
		struct json_object *l = ctr_desc_json(&layer[i]);

		if (title) {
			struct json_object *a = json_object_new_object();

			add(a, "org.opencontainers.image.title", title);
			json_object_object_add(l, "annotations", a);
		}
		json_object_array_add(list, l);
	}
	json_object_object_add(o, "layers", list);
	if (annotations)
		json_object_object_add(o, "annotations", json_object_get(annotations));
	ret = put_json(s, CTR_MEDIA_MANIFEST, o, out, err);
	json_object_put(o);
	return ret;
}

int ctr_image_write(struct ctr_store *s, struct json_object *config, const struct ctr_desc *layer,
		    char (*const diff_id)[CTR_DIGEST_SIZE], unsigned layers, struct json_object *annotations,
		    struct ctr_desc *out, struct rs_err *err)
{
	struct json_object *rootfs = json_object_new_object(), *ids = json_object_new_array();
	struct ctr_desc d;
	int ret;

	for (unsigned i = 0; i < layers; i++)
		json_object_array_add(ids, json_object_new_string(diff_id[i]));
	add(rootfs, "type", "layers");
	json_object_object_add(rootfs, "diff_ids", ids);
	json_object_object_add(config, "rootfs", rootfs);
	ret = put_json(s, CTR_MEDIA_CONFIG, config, &d, err);
	return ret < 0 ? ret : put_manifest(s, &d, layer, layers, NULL, NULL, annotations, out, err);
}

/* ---- import ---- */

static int import_folder(struct ctr_layer *l, int fd, const char *path, const struct ctr_new *o, struct rs_err *err)
{
	struct ctr_tree_opts t = { .epoch = o->epoch, .root = true };

	return ctr_layer_tree(l, fd, path, &t, err);
}

/* The archive's own bytes, uncompressed. */
static int import_tar(struct ctr_layer *l, int fd, const char *path, struct rs_err *err)
{
	struct ctr_inflate *z = ctr_inflate_open(fd, path, NULL, NULL, NULL, err);
	const void *p;
	size_t n;
	int ret = z ? 0 : -EBADMSG;

	while (ret == 0 && (ret = ctr_inflate_read(z, &p, &n, err)) > 0)
		ret = ctr_layer_raw(l, p, n, err);
	ctr_inflate_close(z);
	return ret;
}

/* Is it an archive that every unpacker takes? */
static int check_layer(struct ctr_store *s, const struct ctr_desc *d, const char *path, struct rs_err *err)
{
	rs_auto_close int fd = ctr_blob_open(s, d, err);
	struct ctr_layer_reader *r = fd < 0 ? NULL : ctr_reader_open(fd, path, d, NULL, NULL, err);
	struct ctr_entry e;
	int ret = r ? 1 : -EBADMSG;
	bool any = false;

	while (ret > 0 && (ret = ctr_reader_next(r, &e, err)) > 0)
		any = true;
	ctr_reader_close(r);
	if (ret == 0 && !any)
		return rs_err_set(err, -EBADMSG, "%s is an empty archive", path);
	return ret;
}

static int import_artifact(struct ctr_store *s, int fd, const char *path, const struct ctr_new *o, struct ctr_desc *out,
			   struct rs_err *err)
{
	const char *slash = strrchr(path, '/');
	struct ctr_desc config, blob = { .size = 0 };
	rs_auto_free char *buf = rs_xmalloc(1u << 20);
	struct ctr_blob b;
	ssize_t n;
	int ret = ctr_blob_put(s, CTR_MEDIA_EMPTY, "{}", 2, &config, err); /* manifest.md, "empty descriptor" */

	if (ret == 0)
		ret = ctr_blob_begin(s, &b, err);
	if (ret < 0)
		return ret;
	while ((n = read(fd, buf, 1u << 20)) > 0)
		if ((ret = ctr_blob_write(&b, buf, (size_t)n, err)) < 0) {
			ctr_blob_drop(&b);
			return ret;
		}
	if (n < 0) {
		ret = rs_err_errno(err, errno, "cannot read %s", path);
		ctr_blob_drop(&b);
		return ret;
	}
	ret = ctr_blob_commit(&b, NULL, &blob, err);
	snprintf(blob.media, sizeof(blob.media), "%s", o->artifact_media ? o->artifact_media : "application/octet-stream");
	if (ret == 0)
		ret = put_manifest(s, &config, &blob, 1, o->artifact, slash ? slash + 1 : path, NULL, out, err);
	return ret;
}

static int import_image(struct ctr_store *s, int fd, bool folder, const char *path, const struct ctr_new *o,
			struct ctr_desc *out, struct rs_err *err)
{
	struct ctr_layer_opts opts = { o->compress, o->level, o->threads };
	struct ctr_layer *l = ctr_layer_begin(s, &opts, err);
	const char *slash = strrchr(path, '/');
	char diff_id[1][CTR_DIGEST_SIZE];
	struct json_object *config;
	struct ctr_desc d;
	int ret;

	if (!l)
		return err && err->code ? err->code : -EIO;
	ret = folder ? import_folder(l, fd, path, o, err) : import_tar(l, fd, path, err);
	if (ret < 0) {
		ctr_layer_drop(l);
		return ret;
	}
	ret = ctr_layer_finish(l, &d, diff_id[0], err);
	if (ret == 0 && !folder)
		ret = check_layer(s, &d, path, err);
	if (ret < 0)
		return ret;
	/* the folder's own name may differ from machine to machine; an image is the same everywhere */
	config = ctr_config_new(o->platform, o->epoch);
	rs_auto_free char *by = folder ? rs_xstrdup("ringside image import") :
					 rs_xasprintf("ringside image import %s", slash ? slash + 1 : path);
	ctr_config_history(config, o->epoch, by, o->comment, false);
	ret = ctr_image_write(s, config, &d, diff_id, 1, NULL, out, err);
	json_object_put(config);
	return ret;
}

int ctr_image_import(struct ctr_store *s, const char *path, const char *name, const struct ctr_new *opts,
		     struct ctr_desc *out, struct rs_err *err)
{
	rs_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct ctr_ref ref;
	struct stat st;
	int ret;

	if (name && ctr_ref_parse(name, &ref, err) < 0)
		return -EINVAL;
	if (fd < 0 || fstat(fd, &st) < 0)
		return rs_err_errno(err, errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode) && (!S_ISDIR(st.st_mode) || opts->artifact))
		return rs_err_set(err, -EINVAL, "%s is neither a folder nor a file", path);
	if (opts->artifact)
		ret = import_artifact(s, fd, path, opts, out, err);
	else
		ret = import_image(s, fd, S_ISDIR(st.st_mode), path, opts, out, err);
	if (ret == 0 && name) {
		rs_auto_free char *full = rs_xasprintf("%s:%s", ref.name, ref.tag[0] ? ref.tag : "latest");

		ret = ctr_store_tag(s, full, out, err);
	}
	return ret;
}
