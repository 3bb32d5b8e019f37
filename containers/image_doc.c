/* Index, manifest and configuration, read and checked (image-spec: image-index.md, manifest.md,
 * config.md). Docker's own media types of the same documents (v2 schema 2) are read, too. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "containers/layer.h"
#include "containers/store_private.h"
#include "engine/base/cleanup.h"

#define LAYERS_MAX 4096
#define DEPTH_MAX 8 /* of an index in an index */

enum kind { KIND_OTHER, KIND_INDEX, KIND_MANIFEST };

static enum kind kind_of(const char *media)
{
	if (strcmp(media, CTR_MEDIA_INDEX) == 0 ||
	    strcmp(media, "application/vnd.docker.distribution.manifest.list.v2+json") == 0)
		return KIND_INDEX;
	if (strcmp(media, CTR_MEDIA_MANIFEST) == 0 ||
	    strcmp(media, "application/vnd.docker.distribution.manifest.v2+json") == 0)
		return KIND_MANIFEST;
	return KIND_OTHER;
}

bool ctr_desc_is_doc(const struct ctr_desc *d)
{
	return kind_of(d->media) != KIND_OTHER;
}

/* A document by its descriptor: parsed, and of the schema and media type that the descriptor says. */
static int doc_read(struct ctr_store *s, const struct ctr_desc *d, struct ctr_json *j, struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT;
	uint64_t schema;
	const char *media;
	int ret = ctr_store_doc(s, d, &text, err);

	memset(j, 0, sizeof(*j));
	if (ret == 0)
		ret = ctr_json_parse(j, d->digest, text.p, text.len, err);
	if (ret < 0 || kind_of(d->media) == KIND_OTHER)
		return ret;
	ret = ctr_json_number(j, "/schemaVersion", true, &schema, err);
	if (ret == 0 && schema != 2)
		ret = ctr_json_fail(j, "/schemaVersion", err, N_("only schema version 2 is known"));
	if (ret == 0)
		ret = ctr_json_string(j, "/mediaType", false, &media, err);
	/* a document that could be read as two kinds must be refused (CVE-2021-41190) */
	if (ret == 0 && media && strcmp(media, d->media) != 0)
		ret = ctr_json_fail(j, "/mediaType", err, N_("the descriptor of this document says %s"), d->media);
	if (ret == 0 && kind_of(d->media) == KIND_INDEX && (ctr_json_at(j, "/layers") || ctr_json_at(j, "/config")))
		ret = ctr_json_fail(j, ctr_json_at(j, "/layers") ? "/layers" : "/config", err,
				    N_("an index has no layers and no configuration"));
	if (ret == 0 && kind_of(d->media) == KIND_MANIFEST && ctr_json_at(j, "/manifests"))
		ret = ctr_json_fail(j, "/manifests", err, N_("a manifest has no list of manifests"));
	if (ret < 0)
		ctr_json_release(j);
	return ret;
}

/* ---- everything that a document reaches ---- */

struct walk {
	struct ctr_store *s;
	ctr_desc_fn *fn;
	void *arg;
	char (*seen)[CTR_DIGEST_SIZE];
	unsigned n;
};

static int walk(struct walk *w, const struct ctr_desc *d, unsigned depth, struct rs_err *err);

static int walk_pointer(struct walk *w, const struct ctr_json *j, const char *pointer, unsigned depth,
			struct rs_err *err)
{
	struct ctr_desc d;
	int ret = ctr_desc_read(j, pointer, &d, err);

	return ret < 0 ? ret : walk(w, &d, depth, err);
}

static int walk_list(struct walk *w, const struct ctr_json *j, const char *list, unsigned depth, struct rs_err *err)
{
	unsigned n;
	int ret = ctr_json_array(j, list, true, &n, err);

	if (ret == 0 && n > LAYERS_MAX)
		ret = ctr_json_fail(j, list, err, N_("more than %u entries"), (unsigned)LAYERS_MAX);
	for (unsigned i = 0; ret == 0 && i < n; i++) {
		char pointer[60];

		snprintf(pointer, sizeof(pointer), "%s/%u", list, i);
		ret = walk_pointer(w, j, pointer, depth, err);
	}
	return ret;
}

static int walk(struct walk *w, const struct ctr_desc *d, unsigned depth, struct rs_err *err)
{
	struct ctr_json j;
	int ret;

	for (unsigned i = 0; i < w->n; i++)
		if (strcmp(w->seen[i], d->digest) == 0)
			return 0;
	w->seen = rs_xrealloc(w->seen, w->n + 1, sizeof(*w->seen));
	strcpy(w->seen[w->n++], d->digest);
	ret = w->fn(w->arg, d, err);
	if (ret < 0 || kind_of(d->media) == KIND_OTHER || !ctr_store_has(w->s, d->digest, NULL))
		return ret;
	if (depth == DEPTH_MAX)
		return rs_err_set(err, -EBADMSG, "%s: indexes inside of one another, more than %u deep", d->digest, DEPTH_MAX);
	ret = doc_read(w->s, d, &j, err);
	if (ret < 0)
		return ret;
	if (kind_of(d->media) == KIND_INDEX) {
		ret = walk_list(w, &j, "/manifests", depth + 1, err);
	} else {
		ret = walk_pointer(w, &j, "/config", depth + 1, err);
		if (ret == 0)
			ret = walk_list(w, &j, "/layers", depth + 1, err);
	}
	if (ret == 0 && ctr_json_at(&j, "/subject"))
		ret = walk_pointer(w, &j, "/subject", depth + 1, err);
	ctr_json_release(&j);
	return ret;
}

int ctr_desc_walk(struct ctr_store *s, const struct ctr_desc *d, ctr_desc_fn *fn, void *arg,
		  struct rs_err *err)
{
	struct walk w = { s, fn, arg, NULL, 0 };
	int ret = walk(&w, d, 0, err);

	free(w.seen);
	return ret;
}

/* ---- which manifest of an index ---- */

/* Is the platform of entry `i` the one asked for? A variant counts only when it was asked for. */
static bool platform_is(const struct ctr_json *j, unsigned i, const char *want)
{
	rs_auto_str text = RS_STR_INIT;
	static const char *const keys[] = { "os", "architecture", "variant" };

	for (unsigned k = 0; k < 3; k++) {
		char pointer[60];
		const char *v = NULL;

		snprintf(pointer, sizeof(pointer), "/manifests/%u/platform/%s", i, keys[k]);
		if (ctr_json_string(j, pointer, false, &v, NULL) < 0 || (!v && k < 2))
			return false;
		if (v)
			rs_str_addf(&text, "%s%s", k ? "/" : "", v);
	}
	return strncmp(text.p, want, strlen(want)) == 0 && (!text.p[strlen(want)] || text.p[strlen(want)] == '/');
}

static int choose(struct ctr_store *s, struct ctr_desc *d, const char *platform, unsigned depth, struct rs_err *err)
{
	rs_auto_str there = RS_STR_INIT;
	struct ctr_json j;
	unsigned n, hit = 0;
	int ret;

	if (kind_of(d->media) != KIND_INDEX)
		return 0;
	if (depth == DEPTH_MAX)
		return rs_err_set(err, -EBADMSG, "%s: indexes inside of one another, more than %u deep", d->digest, DEPTH_MAX);
	ret = doc_read(s, d, &j, err);
	if (ret < 0)
		return ret;
	ret = ctr_json_array(&j, "/manifests", true, &n, err);
	if (ret == 0 && n == 0)
		ret = ctr_json_fail(&j, "/manifests", err, N_("the index is empty"));
	for (hit = 0; ret == 0 && hit < n && !platform_is(&j, hit, platform); hit++) {
		char os[80], arch[80];
		const char *o = NULL, *a = NULL;

		snprintf(os, sizeof(os), "/manifests/%u/platform/os", hit);
		snprintf(arch, sizeof(arch), "/manifests/%u/platform/architecture", hit);
		ctr_json_string(&j, os, false, &o, NULL);
		ctr_json_string(&j, arch, false, &a, NULL);
		if (o && a && there.len < 200)
			rs_str_addf(&there, "%s%s/%s", there.len ? ", " : "", o, a);
	}
	if (ret == 0 && hit == n) {
		if (n == 1) /* the only one there is */
			hit = 0;
		else
			ret = ctr_json_fail(&j, "/manifests", err, N_("there is no image for %s, but for: %s"), platform,
					    there.p);
	}
	if (ret == 0) {
		char pointer[40];

		snprintf(pointer, sizeof(pointer), "/manifests/%u", hit);
		ret = ctr_desc_read(&j, pointer, d, err);
	}
	ctr_json_release(&j);
	return ret < 0 ? ret : choose(s, d, platform, depth + 1, err);
}

/* ---- manifest and configuration ---- */

static int read_manifest(const struct ctr_json *j, struct ctr_image *im, struct rs_err *err)
{
	const char *artifact;
	int ret = ctr_desc_read(j, "/config", &im->config, err);

	if (ret == 0)
		ret = ctr_json_array(j, "/layers", true, &im->layers, err);
	if (ret == 0 && im->layers > LAYERS_MAX)
		ret = ctr_json_fail(j, "/layers", err, N_("more than %u entries"), (unsigned)LAYERS_MAX);
	if (ret < 0) {
		im->layers = 0;
		return ret;
	}
	im->layer = rs_xcalloc(im->layers + 1, sizeof(*im->layer));
	for (unsigned i = 0; ret == 0 && i < im->layers; i++) {
		char pointer[40];

		snprintf(pointer, sizeof(pointer), "/layers/%u", i);
		ret = ctr_desc_read(j, pointer, &im->layer[i], err);
	}
	if (ret == 0)
		ret = ctr_json_string(j, "/artifactType", false, &artifact, err);
	if (ret < 0)
		return ret;
	if (artifact)
		im->artifact = rs_xstrdup(artifact);
	else if (strcmp(im->config.media, CTR_MEDIA_CONFIG) != 0 &&
		 strcmp(im->config.media, "application/vnd.docker.container.image.v1+json") != 0)
		im->artifact = rs_xstrdup(im->config.media); /* manifest.md, "Guidelines for Artifact Usage" */
	for (unsigned i = 0; !im->artifact && i < im->layers; i++) {
		char pointer[60];
		enum ctr_compress c;

		snprintf(pointer, sizeof(pointer), "/layers/%u/mediaType", i);
		if (ctr_layer_compress(im->layer[i].media, &c) < 0)
			return ctr_json_fail(j, pointer, err, N_("%s is not a layer that is supported"), im->layer[i].media);
	}
	return 0;
}

static int copy_string(const struct ctr_json *j, const char *pointer, bool required, char *out, size_t size,
		       struct rs_err *err)
{
	const char *v;
	int ret = ctr_json_string(j, pointer, required, &v, err);

	if (ret == 0)
		snprintf(out, size, "%s", v ? v : "");
	return ret;
}

static int dup_string(const struct ctr_json *j, unsigned i, const char *key, char **out, struct rs_err *err)
{
	char pointer[60];
	const char *v;
	int ret;

	snprintf(pointer, sizeof(pointer), "/history/%u/%s", i, key);
	ret = ctr_json_string(j, pointer, false, &v, err);
	*out = ret == 0 && v ? rs_xstrdup(v) : NULL;
	return ret;
}

static int read_history(const struct ctr_json *j, struct ctr_image *im, struct rs_err *err)
{
	unsigned layer = 0;
	int ret = ctr_json_array(j, "/history", false, &im->histories, err);

	if (ret == 0 && im->histories > 4 * LAYERS_MAX)
		ret = ctr_json_fail(j, "/history", err, N_("more than %u entries"), 4 * LAYERS_MAX);
	if (ret < 0)
		im->histories = 0;
	im->history = rs_xcalloc(im->histories + 1, sizeof(*im->history));
	for (unsigned i = 0; ret == 0 && i < im->histories; i++) {
		struct ctr_history *h = &im->history[i];
		char pointer[60];
		struct json_object *o;

		ret = dup_string(j, i, "created", &h->created, err);
		ret = ret < 0 ? ret : dup_string(j, i, "created_by", &h->created_by, err);
		ret = ret < 0 ? ret : dup_string(j, i, "comment", &h->comment, err);
		snprintf(pointer, sizeof(pointer), "/history/%u/empty_layer", i);
		o = ctr_json_at(j, pointer);
		if (ret == 0 && o && !json_object_is_type(o, json_type_boolean))
			ret = ctr_json_fail(j, pointer, err, N_("this must be true or false"));
		h->empty = o && json_object_get_boolean(o);
		h->layer = h->empty ? -1 : (int)layer++;
		if (ret == 0 && layer > im->layers) {
			snprintf(pointer, sizeof(pointer), "/history/%u", i);
			ret = ctr_json_fail(j, pointer, err, N_("the history tells of more layers than the %u that there are"),
					    im->layers);
		}
	}
	return ret;
}

static int read_config(const struct ctr_json *j, struct ctr_image *im, struct rs_err *err)
{
	const char *type;
	unsigned n = 0;
	int ret = copy_string(j, "/os", true, im->os, sizeof(im->os), err);

	ret = ret < 0 ? ret : copy_string(j, "/architecture", true, im->arch, sizeof(im->arch), err);
	ret = ret < 0 ? ret : copy_string(j, "/variant", false, im->variant, sizeof(im->variant), err);
	ret = ret < 0 ? ret : ctr_json_string(j, "/rootfs/type", true, &type, err);
	if (ret == 0 && strcmp(type, "layers") != 0)
		ret = ctr_json_fail(j, "/rootfs/type", err, N_("this must be \"layers\""));
	ret = ret < 0 ? ret : ctr_json_array(j, "/rootfs/diff_ids", true, &n, err);
	if (ret == 0 && n != im->layers)
		ret = ctr_json_fail(j, "/rootfs/diff_ids", err, N_("there are %u diff ids, but the manifest has %u layers"), n,
				    im->layers);
	im->diff_id = rs_xcalloc(im->layers + 1, sizeof(*im->diff_id));
	for (unsigned i = 0; ret == 0 && i < n; i++) {
		char pointer[60];
		const char *v;

		snprintf(pointer, sizeof(pointer), "/rootfs/diff_ids/%u", i);
		ret = ctr_json_string(j, pointer, true, &v, err);
		if (ret == 0 && !ctr_digest_ok(v))
			ret = ctr_json_fail(j, pointer, err, N_("this is not a digest that is supported; it must be sha256: and 64 hexadecimal digits"));
		if (ret == 0)
			strcpy(im->diff_id[i], v);
	}
	return ret < 0 ? ret : read_history(j, im, err);
}

int ctr_image_read(struct ctr_store *s, const struct ctr_desc *d, const char *platform,
		   struct ctr_image *out, struct rs_err *err)
{
	struct ctr_json j;
	int ret;

	memset(out, 0, sizeof(*out));
	out->manifest = *d;
	ret = choose(s, &out->manifest, platform ? platform : ctr_platform_here(), 0, err);
	if (ret < 0)
		return ret;
	if (kind_of(out->manifest.media) != KIND_MANIFEST)
		return rs_err_set(err, -EBADMSG, "%s is neither an image nor an index, but %s", d->digest, out->manifest.media);
	ret = doc_read(s, &out->manifest, &j, err);
	if (ret < 0)
		return ret;
	ret = read_manifest(&j, out, err);
	out->manifest_json = json_object_get(j.root);
	ctr_json_release(&j);
	if (ret == 0 && !out->artifact) {
		ret = doc_read(s, &out->config, &j, err);
		if (ret == 0) {
			ret = read_config(&j, out, err);
			out->config_json = json_object_get(j.root);
			ctr_json_release(&j);
		}
	}
	if (ret < 0)
		ctr_image_release(out);
	return ret;
}

void ctr_image_release(struct ctr_image *im)
{
	for (unsigned i = 0; i < im->histories; i++) {
		free(im->history[i].created);
		free(im->history[i].created_by);
		free(im->history[i].comment);
	}
	free(im->history);
	free(im->layer);
	free(im->diff_id);
	free(im->artifact);
	json_object_put(im->manifest_json);
	json_object_put(im->config_json);
	memset(im, 0, sizeof(*im));
}
