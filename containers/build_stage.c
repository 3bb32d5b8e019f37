/* One stage while it is built: its configuration, its layers, its tree. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "containers/build.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* ---- pairs ---- */

void ctr_pairs_set(struct ctr_pairs *p, const char *name, const char *value)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0) {
			char *v = value ? rs_xstrdup(value) : NULL;

			free(p->v[i].value);
			p->v[i].value = v;
			return;
		}
	p->v = rs_xrealloc(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = (struct ctr_pair){ rs_xstrdup(name), value ? rs_xstrdup(value) : NULL };
}

const struct ctr_pair *ctr_pairs_get(const struct ctr_pairs *p, const char *name)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	return NULL;
}

void ctr_pairs_release(struct ctr_pairs *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		free(p->v[i].name);
		free(p->v[i].value);
	}
	free(p->v);
	memset(p, 0, sizeof(*p));
}

/* ---- the stage's configuration ---- */

struct json_object *ctr_stage_config(struct ctr_stage *st)
{
	struct json_object *c;

	if (!json_object_object_get_ex(st->config, "config", &c) || !json_object_is_type(c, json_type_object)) {
		c = json_object_new_object();
		json_object_object_add(st->config, "config", c);
	}
	return c;
}

const char *ctr_stage_string(struct ctr_stage *st, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(ctr_stage_config(st), key, &v) && json_object_is_type(v, json_type_string) ?
		       json_object_get_string(v) : "";
}

const char *ctr_stage_env(struct ctr_stage *st, const char *name)
{
	struct json_object *env;
	size_t n = strlen(name);

	if (!json_object_object_get_ex(ctr_stage_config(st), "Env", &env) || !json_object_is_type(env, json_type_array))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(env); i++) {
		const char *e = json_object_get_string(json_object_array_get_idx(env, i));

		if (e && strncmp(e, name, n) == 0 && e[n] == '=')
			return e + n + 1;
	}
	return NULL;
}

void ctr_stage_path(struct ctr_stage *st, const char *path, struct rs_str *out)
{
	rs_auto_str full = RS_STR_INIT;

	if (*path != '/')
		rs_str_addf(&full, "%s/", ctr_stage_string(st, "WorkingDir"));
	rs_str_add(&full, path);
	for (const char *p = full.p; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && memcmp(p, "..", 2) == 0) {
			while (out->len && out->p[out->len - 1] != '/')
				out->len--;
			out->len -= out->len > 0;
			if (out->cap)
				out->p[out->len] = '\0';
		} else if (n && !(n == 1 && *p == '.')) {
			if (out->len)
				rs_str_addc(out, '/');
			rs_str_addn(out, p, n);
		}
		p += n + strspn(p + n, "/");
	}
}

/* ---- layers ---- */

void ctr_stage_add(struct ctr_stage *st, const struct ctr_desc *layer, const char *diff_id)
{
	st->layer = rs_xrealloc(st->layer, st->layers + 1, sizeof(*st->layer));
	st->diff_id = rs_xrealloc(st->diff_id, st->layers + 1, sizeof(*st->diff_id));
	st->layer[st->layers] = *layer;
	strcpy(st->diff_id[st->layers++], diff_id);
}

struct ctr_model *ctr_stage_model(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err)
{
	if (!st->has_model) {
		ctr_model_begin(&st->model);
		st->has_model = true;
	}
	while (st->model.layer < st->layers) {
		unsigned i = st->model.layer;

		if (ctr_model_layer(&st->model, b->store, &st->layer[i], st->diff_id[i], err) < 0)
			return NULL;
	}
	return &st->model;
}

/* A folder and a file cannot take each other's place: what the image has there would be lost. */
static int watch(void *arg, const struct ctr_entry *e, struct rs_err *err)
{
	struct ctr_stage *st = arg;
	struct ctr_node *n = ctr_model_find(&st->model, e->path, false);

	if (n && S_ISDIR(n->inode->mode) != S_ISDIR(e->mode) && strncmp(n->name, CTR_WHITEOUT, 4) != 0)
		return rs_err_set(err, -EINVAL, S_ISDIR(e->mode) ? N_("the folder %s cannot replace what the image has there") :
								    N_("%s cannot replace the folder that the image has there"), e->path);
	return ctr_model_entry(&st->model, e, err);
}

static int watch_any(void *arg, const struct ctr_entry *e, struct rs_err *err)
{
	return ctr_model_entry(&((struct ctr_stage *)arg)->model, e, err);
}

static struct ctr_layer *new_layer(struct ctr_builder *b, struct ctr_stage *st, bool any, struct rs_err *err)
{
	struct ctr_layer_opts o = { b->b->compress, b->b->level, b->b->threads };
	struct ctr_layer *l;

	if (!ctr_stage_model(b, st, err))
		return NULL;
	l = ctr_layer_begin(b->store, &o, err);
	if (l)
		ctr_layer_watch(l, any ? watch_any : watch, st);
	return l;
}

struct ctr_layer *ctr_stage_layer(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err)
{
	return new_layer(b, st, false, err);
}

struct ctr_layer *ctr_stage_layer_any(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err)
{
	return new_layer(b, st, true, err);
}

int ctr_stage_layer_done(struct ctr_builder *b, struct ctr_stage *st, struct ctr_layer *l, struct rs_err *err)
{
	char diff_id[CTR_DIGEST_SIZE];
	struct ctr_desc d;
	int ret = ctr_layer_finish(l, &d, diff_id, err);

	if (ret < 0)
		return ret;
	ctr_stage_add(st, &d, diff_id);
	ctr_model_next_layer(&st->model);
	ctr_cache_made(b->cache, st, &d, diff_id);
	return 0;
}

void ctr_dirs_release(struct ctr_dirs *d)
{
	for (unsigned i = 0; i < d->n; i++)
		free(d->v[i]);
	free(d->v);
}

int ctr_build_parents(struct ctr_builder *b, struct ctr_stage *st, struct ctr_layer *l, const char *path, bool last,
		      struct ctr_dirs *have, struct rs_err *err)
{
	for (size_t n = strcspn(path, "/"); path[n] || last; n += 1 + strcspn(path + n + 1, "/")) {
		rs_auto_free char *p = strndup(path, n);
		struct ctr_entry e = { .mode = S_IFDIR | 0755, .mtime = b->b->epoch };
		struct ctr_node *node;
		bool done = false;
		int ret;

		if (!p)
			rs_oom();
		for (unsigned i = 0; i < have->n; i++)
			done |= strcmp(have->v[i], p) == 0;
		if (!done && n) {
			node = ctr_model_find(&st->model, p, false);
			e.path = p;
			if (node) {
				e.mode = node->inode->mode;
				e.uid = node->inode->uid;
				e.gid = node->inode->gid;
				e.mtime = node->inode->mtime;
			}
			ret = ctr_layer_entry(l, &e, err);
			if (ret < 0)
				return ret;
			have->v = rs_xrealloc(have->v, have->n + 1, sizeof(*have->v));
			have->v[have->n++] = rs_steal(p);
		}
		if (!path[n])
			break;
	}
	return 0;
}

const char *ctr_stage_rootfs(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err)
{
	struct ctr_image im = { .layer = st->layer, .diff_id = st->diff_id, .layers = st->layers };

	if (!st->rootfs) {
		char *dir = ctr_store_tmp(b->store, "rootfs");

		if (ctr_image_unpack(b->store, &im, dir, NULL, NULL, err) < 0) {
			free(dir);
			return NULL;
		}
		st->rootfs = dir;
	}
	return st->rootfs;
}
