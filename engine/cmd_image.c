/* ringside image: what is in the store. */
#include "engine/cmd_image.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/json.h"

/* ---- common ---- */

struct ctr_store *image_store(struct eng_cli *c, bool create, int *rc)
{
	struct rs_err err = RS_ERR_INIT;
	const char *dir = eng_cli_opt(c, "store");
	/* the user's own store is always there */
	struct ctr_store *s = ctr_store_open(dir, create || !dir, &err);

	if (!s)
		*rc = image_fail(c, &err);
	return s;
}

int image_fail(struct eng_cli *c, const struct rs_err *e)
{
	return eng_cli_fail(c, eng_cli_exit_of(e), e);
}

int image_find(struct eng_cli *c, struct ctr_store *s, const char *name, struct ctr_image *im)
{
	struct rs_err err = RS_ERR_INIT;
	const struct eng_opt *o = c->cmd->opts;
	struct ctr_desc d;

	while (o->name && strcmp(o->name, "platform") != 0)
		o++;
	if (ctr_store_find(s, name, &d, NULL, &err) < 0 ||
	    ctr_image_read(s, &d, o->name ? eng_cli_opt(c, "platform") : NULL, im, &err) < 0)
		return image_fail(c, &err);
	return ENG_EXIT_OK;
}

enum ctr_compress image_compress(const struct eng_cli *c)
{
	const char *v = eng_cli_opt(c, "compress");

	for (int i = 0; v && ctr_compress_names[i]; i++)
		if (strcmp(v, ctr_compress_names[i]) == 0)
			return (enum ctr_compress)i;
	return CTR_GZIP;
}

const char *image_size(uint64_t bytes, char buf[24])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 999.5 && u < 4) {
		v /= 1000;
		u++;
	}
	snprintf(buf, 24, u && v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

/* "sha256:" and the first 12 digits are left of a digest in tables. */
static const char *brief(const char *digest)
{
	return digest + 7;
}

/* ---- ls ---- */

static uint64_t size_of(const struct ctr_image *im)
{
	uint64_t n = im->manifest.size + im->config.size;

	for (unsigned i = 0; i < im->layers; i++)
		n += im->layer[i].size;
	return n;
}

/* One row. An image that cannot be read is listed with what is wrong with it. */
static void ls_row(struct eng_cli *c, const struct ctr_tag *t, const struct ctr_image *im, const struct rs_err *e,
		   int width)
{
	char size[24], buf[1024];

	fprintf(c->out, "%-*s  %.12s  ", width, t->name ? t->name : "-", brief(t->desc.digest));
	if (e->code)
		fprintf(c->out, "%s\n", rs_err_format(e, c->lang, buf, sizeof(buf)));
	else if (im->artifact)
		fprintf(c->out, "%9s  %6u  %s\n", image_size(size_of(im), size), im->layers, im->artifact);
	else
		fprintf(c->out, "%9s  %6u  %s/%s%s%s\n", image_size(size_of(im), size), im->layers, im->os, im->arch,
			im->variant[0] ? "/" : "", im->variant);
}

static struct json_object *ls_json(const struct ctr_tag *t, const struct ctr_image *im, const struct rs_err *e)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "name", eng_json_str(t->name));
	json_object_object_add(o, "digest", eng_json_str(t->desc.digest));
	if (e->code) {
		json_object_object_add(o, "error", eng_json_err(e));
		return o;
	}
	json_object_object_add(o, "size", json_object_new_int64((int64_t)size_of(im)));
	json_object_object_add(o, "layers", json_object_new_int64(im->layers));
	if (im->artifact) {
		json_object_object_add(o, "artifactType", eng_json_str(im->artifact));
	} else {
		json_object_object_add(o, "os", eng_json_str(im->os));
		json_object_object_add(o, "architecture", eng_json_str(im->arch));
	}
	return o;
}

static int ls(struct eng_cli *c)
{
	struct json_object *list = json_object_new_array();
	struct rs_err err = RS_ERR_INIT;
	struct ctr_tags tags;
	int rc = ENG_EXIT_OK, width = 5;
	struct ctr_store *s = image_store(c, false, &rc);

	if (!s)
		return rc;
	if (ctr_store_tags(s, &tags, &err) < 0) {
		ctr_store_close(s);
		json_object_put(list);
		return image_fail(c, &err);
	}
	for (unsigned i = 0; i < tags.n; i++)
		if (tags.v[i].name && (int)strlen(tags.v[i].name) > width)
			width = (int)strlen(tags.v[i].name);
	if (!eng_cli_flag(c, "json"))
		fprintf(c->out, "%-*s  %-12s  %9s  %6s  %s\n", width, rs_tr(c->lang, N_("IMAGE")), rs_tr(c->lang, N_("DIGEST")),
			rs_tr(c->lang, N_("SIZE")), rs_tr(c->lang, N_("LAYERS")), rs_tr(c->lang, N_("PLATFORM")));
	for (unsigned i = 0; i < tags.n; i++) {
		struct rs_err e = RS_ERR_INIT;
		struct ctr_image im;

		memset(&im, 0, sizeof(im));
		ctr_image_read(s, &tags.v[i].desc, NULL, &im, &e);
		if (eng_cli_flag(c, "json"))
			json_object_array_add(list, ls_json(&tags.v[i], &im, &e));
		else
			ls_row(c, &tags.v[i], &im, &e, width);
		ctr_image_release(&im);
	}
	if (eng_cli_flag(c, "json"))
		eng_json_print(c->out, json_object_get(list), true);
	json_object_put(list);
	ctr_tags_release(&tags);
	ctr_store_close(s);
	return rc;
}

static const struct eng_opt ls_opts[] = {
	IMAGE_STORE_OPT,
	{ 0, "json", NULL, N_("write JSON"), 0, NULL },
	IMAGE_OPTS_END,
};

/* ---- inspect ---- */

static int inspect(struct eng_cli *c)
{
	const char *part = eng_cli_opt(c, "part");
	struct ctr_image im;
	int rc = ENG_EXIT_OK;
	struct ctr_store *s = image_store(c, false, &rc);

	if (!s)
		return rc;
	rc = image_find(c, s, c->arg[0], &im);
	if (rc == ENG_EXIT_OK) {
		struct json_object *o = json_object_new_object();

		if (part && strcmp(part, "config") == 0) {
			json_object_put(o);
			o = json_object_get(im.config_json);
		} else if (part) {
			json_object_put(o);
			o = json_object_get(im.manifest_json);
		} else {
			json_object_object_add(o, "digest", eng_json_str(im.manifest.digest));
			json_object_object_add(o, "manifest", json_object_get(im.manifest_json));
			json_object_object_add(o, "config", json_object_get(im.config_json));
		}
		eng_json_print(c->out, o, true);
		ctr_image_release(&im);
	}
	ctr_store_close(s);
	return rc;
}

static const char *const parts[] = { "manifest", "config", NULL };
static const struct eng_opt inspect_opts[] = {
	IMAGE_STORE_OPT,
	IMAGE_PLATFORM_OPT,
	{ 0, "part", N_("PART"), N_("manifest or config alone"), ENG_ARG_CHOICE, parts },
	IMAGE_OPTS_END,
};

/* ---- history ---- */

static int history(struct eng_cli *c)
{
	struct ctr_image im;
	int rc = ENG_EXIT_OK;
	struct ctr_store *s = image_store(c, false, &rc);

	if (!s)
		return rc;
	rc = image_find(c, s, c->arg[0], &im);
	if (rc == ENG_EXIT_OK) {
		fprintf(c->out, "%-12s  %9s  %-20s  %s\n", rs_tr(c->lang, N_("LAYER")), rs_tr(c->lang, N_("SIZE")),
			rs_tr(c->lang, N_("CREATED")), rs_tr(c->lang, N_("INSTRUCTION")));
		for (unsigned i = 0; i < im.histories; i++) {
			const struct ctr_history *h = &im.history[i];
			char size[24];

			fprintf(c->out, "%-12.12s  %9s  %-20.20s  %s%s%s\n", h->layer < 0 ? "-" : brief(im.layer[h->layer].digest),
				h->layer < 0 ? "-" : image_size(im.layer[h->layer].size, size), h->created ? h->created : "-",
				h->created_by ? h->created_by : "", h->comment ? "  # " : "", h->comment ? h->comment : "");
		}
		ctr_image_release(&im);
	}
	ctr_store_close(s);
	return rc;
}

static const struct eng_opt common_opts[] = {
	IMAGE_STORE_OPT,
	IMAGE_PLATFORM_OPT,
	IMAGE_OPTS_END,
};
static const struct eng_opt store_opts[] = {
	IMAGE_STORE_OPT,
	IMAGE_OPTS_END,
};

/* ---- tag, rm, prune ---- */

static int tag(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_ref ref;
	struct ctr_desc d;
	int rc = ENG_EXIT_OK;
	struct ctr_store *s = image_store(c, false, &rc);

	if (!s)
		return rc;
	if (ctr_store_find(s, c->arg[0], &d, NULL, &err) < 0 || ctr_ref_parse(c->arg[1], &ref, &err) < 0) {
		rc = image_fail(c, &err);
	} else if (ref.digest[0]) {
		rc = eng_cli_usage(c, N_("a name that is given to an image cannot have a digest"));
	} else {
		rs_auto_free char *name = rs_xasprintf("%s:%s", ref.name, ref.tag);

		if (ctr_store_tag(s, name, &d, &err) < 0)
			rc = image_fail(c, &err);
	}
	ctr_store_close(s);
	return rc;
}

/* By name, its name goes; by digest, every name of it. */
static int rm_one(struct ctr_store *s, const char *arg, struct rs_err *err)
{
	char found[400];
	struct ctr_desc d;
	struct ctr_tags tags;
	bool by_name;
	int ret = ctr_store_find(s, arg, &d, found, err);

	if (ret < 0)
		return ret;
	by_name = *found && strncmp(found, arg, strlen(arg)) == 0;
	if (by_name)
		return ctr_store_untag(s, found, err);
	ret = ctr_store_tags(s, &tags, err);
	for (unsigned i = 0; ret == 0 && i < tags.n; i++)
		if (strcmp(tags.v[i].desc.digest, d.digest) == 0 && tags.v[i].name)
			ret = ctr_store_untag(s, tags.v[i].name, err);
	ctr_tags_release(&tags);
	return ret;
}

static void tell_gc(struct eng_cli *c, const struct ctr_gc *gc)
{
	char size[24];

	eng_cli_note(c, N_("%u blobs removed, %s freed, %u blobs kept\n"), gc->blobs, image_size(gc->bytes, size), gc->kept);
	if (gc->leftovers)
		eng_cli_note(c, N_("%u unfinished files of processes that died were removed\n"), gc->leftovers);
}

static int collect(struct eng_cli *c, struct ctr_store *s)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_gc gc;

	if (ctr_store_gc(s, &gc, &err) < 0)
		return image_fail(c, &err);
	tell_gc(c, &gc);
	return ENG_EXIT_OK;
}

static int rm(struct eng_cli *c)
{
	int rc = ENG_EXIT_OK;
	struct ctr_store *s = image_store(c, true, &rc);

	for (unsigned i = 0; s && i < c->args; i++) {
		struct rs_err err = RS_ERR_INIT;

		if (rm_one(s, c->arg[i], &err) < 0)
			rc = image_fail(c, &err);
	}
	if (s && rc == ENG_EXIT_OK)
		rc = collect(c, s);
	ctr_store_close(s);
	return rc;
}

static int prune(struct eng_cli *c)
{
	int rc = ENG_EXIT_OK;
	struct ctr_store *s = image_store(c, true, &rc);

	if (s)
		rc = collect(c, s);
	ctr_store_close(s);
	return rc;
}

/* ---- verify ---- */

static void tell_fault(void *arg, const struct rs_err *e)
{
	eng_cli_fail(arg, 0, e);
}

static int verify(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned blobs;
	uint64_t bytes;
	char size[24];
	int rc = ENG_EXIT_OK, n;
	struct ctr_store *s = image_store(c, false, &rc);

	if (!s)
		return rc;
	n = ctr_store_verify(s, tell_fault, c, &blobs, &bytes, &err);
	ctr_store_close(s);
	if (n < 0)
		return image_fail(c, &err);
	eng_cli_out(c, N_("%u blobs, %s, read again and hashed: %d faults\n"), blobs, image_size(bytes, size), n);
	return n ? ENG_EXIT_FAILED : ENG_EXIT_OK;
}

/* ---- rows ---- */

const struct eng_cmd eng_cmd_image = {
	.name = "image",
	.brief = N_("images of containers: layers, manifests, archives"),
};
const struct eng_cmd eng_cmd_image_ls = {
	.name = "image ls", .opts = ls_opts, .pure = true, .run = ls,
	.brief = N_("list the images in the store"),
};
const struct eng_cmd eng_cmd_image_inspect = {
	.name = "image inspect", .args = N_("IMAGE"), .args_min = 1, .args_max = 1, .opts = inspect_opts, .pure = true,
	.run = inspect,
	.brief = N_("show an image's manifest and configuration"),
	.help = N_("IMAGE is a name with or without a tag, a digest, or at least four digits that a digest begins with."),
};
const struct eng_cmd eng_cmd_image_history = {
	.name = "image history", .args = N_("IMAGE"), .args_min = 1, .args_max = 1, .opts = common_opts, .pure = true,
	.run = history,
	.brief = N_("show which instruction made which layer"),
};
const struct eng_cmd eng_cmd_image_tag = {
	.name = "image tag", .args = N_("IMAGE NAME[:TAG]"), .args_min = 2, .args_max = 2, .opts = store_opts, .pure = true,
	.run = tag,
	.brief = N_("give an image another name"),
};
const struct eng_cmd eng_cmd_image_rm = {
	.name = "image rm", .args = N_("IMAGE..."), .args_min = 1, .opts = store_opts, .pure = true, .run = rm,
	.brief = N_("remove names of images, and what no name reaches any more"),
	.help = N_("A name removes that name. A digest removes every name of that image."),
};
const struct eng_cmd eng_cmd_image_prune = {
	.name = "image prune", .opts = store_opts, .pure = true, .run = prune,
	.brief = N_("remove what no name reaches"),
	.help = N_("Waits until no other command works with the store."),
};
const struct eng_cmd eng_cmd_image_verify = {
	.name = "image verify", .opts = store_opts, .pure = true, .run = verify,
	.brief = N_("read everything in the store again and check it"),
	.help = N_("Every blob is hashed and compared with its name, every document is checked, every layer is "
		   "uncompressed and compared with the configuration's diff id. Exit code 1: something is damaged."),
};
