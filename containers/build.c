/* Stages in order, variables, the finished image. */
#include "containers/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define FILE_MAX (1u << 20)
#define PATH_ENV "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- variables ---- */

struct scope {
	struct ctr_stage *st;    /* NULL: before FROM */
	struct ctr_builder *b;
};

/* What every build knows (docs: "Automatic platform ARGs in the global scope"). */
static const char *automatic(const struct ctr_builder *b, const char *name, char buf[80])
{
	const char *p = strncmp(name, "BUILD", 5) == 0 || !b->b->platform ? ctr_platform_here() : b->b->platform;
	const char *what = strncmp(name, "TARGET", 6) == 0 ? name + 6 : strncmp(name, "BUILD", 5) == 0 ? name + 5 : "";
	const char *slash = strchr(p, '/'), *second = slash ? strchr(slash + 1, '/') : NULL;

	if (strcmp(what, "PLATFORM") == 0)
		snprintf(buf, 80, "%s", p);
	else if (strcmp(what, "OS") == 0)
		snprintf(buf, 80, "%.*s", (int)strcspn(p, "/"), p);
	else if (strcmp(what, "ARCH") == 0)
		snprintf(buf, 80, "%.*s", slash ? (int)strcspn(slash + 1, "/") : 0, slash ? slash + 1 : "");
	else if (strcmp(what, "VARIANT") == 0)
		snprintf(buf, 80, "%s", second ? second + 1 : "");
	else
		return NULL;
	return buf;
}

static const char *variable(void *arg, const char *name)
{
	struct scope *s = arg;
	const struct ctr_pair *p;
	const char *v = s->st ? ctr_stage_env(s->st, name) : NULL;

	if (v)
		return v;
	p = ctr_pairs_get(s->st ? &s->st->args : &s->b->global, name);
	return p ? p->value : NULL;
}

int ctr_build_expand(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, const char *s,
		     size_t at, struct rs_str *out, struct rs_err *err)
{
	struct scope scope = { st, b };
	struct ctr_expand x = { variable, &scope, b->file->escape, 0, NULL, "" };

	if (ctr_expand(&x, s, out) < 0)
		return ctr_df_fail(b->file, i, at + x.at, err, x.why, x.what);
	return 0;
}

int ctr_build_expand_doc(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i,
			 const struct ctr_df_heredoc *doc, struct rs_str *out, struct rs_err *err)
{
	struct scope scope = { st, b };
	struct ctr_expand x = { variable, &scope, b->file->escape, 0, NULL, "" };

	if (ctr_expand_text(&x, doc->text, out) == 0)
		return 0;
	ctr_df_fail(b->file, i, 0, err, x.why, x.what);
	if (err) { /* the place is in the document, not in the instruction */
		err->line = doc->line;
		err->col = 1;
		for (size_t k = 0; k < x.at; k++) {
			err->line += doc->text[k] == '\n';
			err->col = doc->text[k] == '\n' ? 1 : err->col + 1;
		}
	}
	return -EINVAL;
}

/* The value that an ARG takes; NULL: none. Marks a --build-arg as used. */
static const char *arg_value(struct ctr_builder *b, const char *name, const char *def, bool global, char buf[80])
{
	for (unsigned i = 0; i < b->given.n; i++)
		if (strcmp(b->given.v[i].name, name) == 0) {
			b->given_used[i] = true;
			return b->given.v[i].value;
		}
	if (def)
		return def;
	if (!global) {
		const struct ctr_pair *p = ctr_pairs_get(&b->global, name);

		if (p)
			return p->value;
	}
	return automatic(b, name, buf);
}

/* ARG NAME[=DEFAULT]... */
static int take_arg(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct ctr_words w;
	int ret = 0;

	ctr_words_split(i->text + i->args, true, b->file->escape, &w);
	for (unsigned k = 0; ret == 0 && k < w.n; k++) {
		char *eq = strchr(w.v[k], '='), buf[80];
		rs_auto_str def = RS_STR_INIT;

		if (eq)
			*eq = '\0';
		if (!w.v[k][0])
			ret = ctr_df_fail(b->file, i, i->args + w.at[k], err, N_("an argument without a name"));
		if (ret == 0 && eq)
			ret = ctr_build_expand(b, st, i, eq + 1, i->args + w.at[k] + (size_t)(eq + 1 - w.v[k]), &def, err);
		if (ret == 0)
			ctr_pairs_set(st ? &st->args : &b->global, w.v[k],
				      arg_value(b, w.v[k], eq ? def.p : NULL, !st, buf));
	}
	ctr_words_release(&w);
	return ret;
}

/* ---- FROM ---- */

static struct ctr_stage *stage_by_name(struct ctr_builder *b, const char *name, unsigned before)
{
	for (unsigned i = before; i-- > 0;)
		if (strcasecmp(b->stage[i].name, name) == 0)
			return &b->stage[i];
	return NULL;
}

/* FROM [--platform=P] IMAGE [AS NAME]: which stages there are, and their names. */
static int find_stages(struct ctr_builder *b, struct rs_err *err)
{
	struct ctr_dockerfile *d = b->file;

	for (unsigned k = 0; k < d->n; k++) {
		struct ctr_stage *st;
		struct ctr_words w;
		int ret = 0;

		if (d->v[k].op != DF_FROM) {
			if (b->stages)
				b->stage[b->stages - 1].end = k + 1;
			continue;
		}
		b->stage = rs_xrealloc(b->stage, b->stages + 1, sizeof(*b->stage));
		st = &b->stage[b->stages];
		memset(st, 0, sizeof(*st));
		st->index = b->stages++;
		st->first = k;
		st->end = k + 1;
		st->base = -1;
		st->name = rs_xasprintf("%u", st->index);
		ctr_words_split(d->v[k].text + d->v[k].args, false, d->escape, &w);
		if (w.n == 3 && strcasecmp(w.v[1], "AS") == 0) {
			if (stage_by_name(b, w.v[2], st->index))
				ret = ctr_df_fail(d, &d->v[k], d->v[k].args + w.at[2], err, N_("there are two stages with the name %s"), w.v[2]);
			free(st->name);
			st->name = rs_xstrdup(w.v[2]);
		} else if (w.n != 1) {
			ret = ctr_df_fail(d, &d->v[k], d->v[k].args + (w.n > 1 ? w.at[1] : 0), err,
					  N_("after FROM IMAGE only AS NAME can follow"));
		}
		ctr_words_release(&w);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The image's name, with variables put in; the stage that it is, or -1. */
static int base_of(struct ctr_builder *b, struct ctr_stage *st, struct rs_str *name, struct rs_err *err)
{
	const struct ctr_df_insn *i = &b->file->v[st->first];
	struct ctr_stage *other;
	struct ctr_words w;
	int ret;

	ctr_words_split(i->text + i->args, false, b->file->escape, &w);
	ret = ctr_build_expand(b, NULL, i, w.v[0], i->args, name, err);
	ctr_words_release(&w);
	if (ret < 0)
		return ret;
	if (!name->len)
		return ctr_df_fail(b->file, i, i->args, err, N_("the name of the image is empty: a variable has no value"));
	other = stage_by_name(b, name->p, st->index);
	st->base = other && strspn(name->p, "0123456789") != name->len ? (int)other->index : -1;
	return 0;
}

/* The stage that a COPY --from names; NULL: none, it is an image. */
static struct ctr_stage *from_stage(struct ctr_builder *b, struct ctr_stage *st, const char *name)
{
	if (strspn(name, "0123456789") == strlen(name) && *name) {
		unsigned long n = strtoul(name, NULL, 10);

		return n < st->index ? &b->stage[n] : NULL;
	}
	return stage_by_name(b, name, st->index);
}

static int mark(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err)
{
	rs_auto_str base = RS_STR_INIT;
	int ret;

	if (st->needed)
		return 0;
	st->needed = true;
	ret = base_of(b, st, &base, err);
	if (ret == 0 && st->base >= 0)
		ret = mark(b, &b->stage[st->base], err);
	for (unsigned k = st->first + 1; ret == 0 && k < st->end; k++)
		for (unsigned f = 0; ret == 0 && f < b->file->v[k].flags; f++) {
			const struct ctr_df_flag *flag = &b->file->v[k].flag[f];
			struct ctr_stage *other;

			if (strcmp(flag->name, "from") != 0 || !flag->value)
				continue;
			other = from_stage(b, st, flag->value);
			if (other)
				ret = mark(b, other, err);
		}
	return ret;
}

static void inherit(struct ctr_stage *st, struct json_object *config, const struct ctr_desc *layer,
		    char (*const diff_id)[CTR_DIGEST_SIZE], unsigned layers)
{
	st->config = NULL;
	json_object_deep_copy(config, &st->config, NULL);
	for (unsigned i = 0; i < layers; i++)
		ctr_stage_add(st, &layer[i], diff_id[i]);
}

static int onbuild(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err);

static int from(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err)
{
	const struct ctr_df_insn *i = &b->file->v[st->first];
	rs_auto_str name = RS_STR_INIT;
	struct json_object *shell;
	int ret = base_of(b, st, &name, err);

	if (ret < 0)
		return ret;
	for (unsigned f = 0; f < i->flags; f++)
		if (!i->flag[f].value)
			return ctr_df_fail(b->file, i, i->flag[f].at, err, N_("the option --%s wants a value"), i->flag[f].name);
	if (st->base >= 0) {
		struct ctr_stage *other = &b->stage[st->base];

		inherit(st, other->config, other->layer, other->diff_id, other->layers);
		strcpy(st->key, other->key);
	} else if (strcmp(name.p, "scratch") == 0) {
		struct json_object *env = json_object_new_array();

		st->config = ctr_config_new(b->b->platform, b->b->epoch);
		json_object_array_add(env, json_object_new_string(PATH_ENV));
		json_object_object_add(ctr_stage_config(st), "Env", env);
		ctr_digest_of("scratch", 7, st->key);
	} else {
		const char *platform = i->flags ? i->flag[0].value : b->b->platform;
		struct ctr_image im;
		struct ctr_desc d;
		struct rs_err why = RS_ERR_INIT;

		ret = ctr_store_find(b->store, name.p, &d, NULL, &why);
		if (ret < 0) {
			ctr_df_fail(b->file, i, i->args, err, N_("there is no image %s in the store; pull, load or import it first"), name.p);
			return ret;
		}
		ret = ctr_image_read(b->store, &d, platform, &im, err);
		if (ret < 0)
			return ret;
		if (im.artifact) {
			ret = ctr_df_fail(b->file, i, i->args, err, N_("%s is an artifact, not an image"), name.p);
			ctr_image_release(&im);
			return ret;
		}
		inherit(st, im.config_json, im.layer, im.diff_id, im.layers);
		strcpy(st->key, im.config.digest);
		ctr_image_release(&im);
	}
	if (json_object_object_get_ex(ctr_stage_config(st), "Shell", &shell))
		for (size_t k = 0; k < json_object_array_length(shell); k++) {
			const char *s = json_object_get_string(json_object_array_get_idx(shell, k));

			ctr_words_add(&st->shell, s, strlen(s), 0);
		}
	if (!st->shell.n) {
		ctr_words_add(&st->shell, "/bin/sh", 7, 0);
		ctr_words_add(&st->shell, "-c", 2, 0);
	}
	return st->base >= 0 ? 0 : onbuild(b, st, err);
}

/* ---- steps ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int dispatch(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	switch (i->op) {
	case DF_FROM:
		return from(b, st, err);
	case DF_ARG:
		return take_arg(b, st, i, err);
	case DF_COPY:
	case DF_ADD:
		return ctr_build_copy(b, st, i, err);
	case DF_RUN:
		return ctr_build_run(b, st, i, err);
	case DF_WORKDIR:
		return ctr_build_workdir(b, st, i, err);
	default:
		return ctr_build_config(b, st, i, err);
	}
}

/* Layers that the instruction made are told of in the history; so is one that made none. */
static void history(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, unsigned layers)
{
	if (i->op == DF_FROM || i->op == DF_ARG)
		return;
	ctr_config_history(st->config, b->b->epoch, i->text, "ringside", st->layers == layers);
}

static int step(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct rs_err own = RS_ERR_INIT;
	uint64_t begin = now_ns();
	unsigned layers = st->layers;
	int ret;

	b->step.number++;
	b->step.stage = st->name;
	b->step.text = i->text;
	b->step.done = b->step.cached = false;
	memset(&b->step.why, 0, sizeof(b->step.why));
	memset(&b->step.layer, 0, sizeof(b->step.layer));
	if (b->b->step)
		b->b->step(b->b->step_arg, &b->step);
	ret = dispatch(b, st, i, &own);
	if (ret < 0) {
		if (err)
			*err = own;
		if (err && !own.file[0]) {
			/* every mistake says which instruction it belongs to */
			ctr_df_fail(b->file, i, 0, err, "%s", "");
			memcpy(err->text, own.text, sizeof(err->text));
			err->code = own.code;
		}
		return own.code;
	}
	if (i->op != DF_FROM)
		history(b, st, i, layers);
	b->step.done = true;
	b->step.ns = now_ns() - begin;
	if (b->b->step)
		b->b->step(b->b->step_arg, &b->step);
	return 0;
}

/* What the base image asks for (ONBUILD), before the stage's own instructions. */
static int onbuild(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err)
{
	struct json_object *list, *keep = NULL;
	int ret = 0;

	if (!json_object_object_get_ex(ctr_stage_config(st), "OnBuild", &list) || !json_object_is_type(list, json_type_array))
		return 0;
	keep = json_object_get(list);
	json_object_object_del(ctr_stage_config(st), "OnBuild");
	for (size_t k = 0; ret == 0 && k < json_object_array_length(keep); k++) {
		struct ctr_df_insn i;

		ret = ctr_df_insn_parse(b->file->file, json_object_get_string(json_object_array_get_idx(keep, k)), '\\', &i, err);
		if (ret < 0)
			break;
		b->step.total++;
		ret = step(b, st, &i, err);
		ctr_df_insn_release(&i);
	}
	json_object_put(keep);
	return ret;
}

static int build_stage(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err)
{
	int ret = 0;

	for (unsigned k = st->first; ret == 0 && k < st->end; k++)
		ret = step(b, st, &b->file->v[k], err);
	st->done = ret == 0;
	return ret;
}

/* ---- the whole ---- */

static int load(struct ctr_builder *b, struct rs_err *err)
{
	rs_auto_free char *path = b->b->file ? rs_xstrdup(b->b->file) : rs_xasprintf("%s/Dockerfile", b->b->context);
	rs_auto_free char *own = rs_xasprintf("%s.dockerignore", path);
	rs_auto_free char *common = rs_xasprintf("%s/.dockerignore", b->b->context);
	rs_auto_str text = RS_STR_INIT, ignore = RS_STR_INIT;
	int ret;

	b->context = open(b->b->context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->context < 0)
		return rs_err_errno(err, errno, "cannot open the folder %s", b->b->context);
	ret = rs_file_read(path, FILE_MAX, &text, err);
	if (ret < 0)
		return ret;
	b->file = ctr_dockerfile_parse(path, text.p, text.len, err);
	if (!b->file)
		return err && err->code ? err->code : -EINVAL;
	if (rs_file_read(own, FILE_MAX, &ignore, NULL) == 0 || rs_file_read(common, FILE_MAX, &ignore, NULL) == 0)
		b->ignore = ctr_ignore_parse(ignore.p, ignore.len);
	return 0;
}

static int given_args(struct ctr_builder *b, struct rs_err *err)
{
	for (unsigned i = 0; i < b->b->args; i++) {
		const char *eq = strchr(b->b->arg[i], '=');
		rs_auto_free char *name = strndup(b->b->arg[i], eq ? (size_t)(eq - b->b->arg[i]) : strlen(b->b->arg[i]));
		const char *value = eq ? eq + 1 : name ? getenv(name) : NULL;

		if (!name || !*name)
			return rs_err_set(err, -EINVAL, "a build argument is NAME=VALUE, not \"%s\"", b->b->arg[i]);
		if (value)
			ctr_pairs_set(&b->given, name, value);
	}
	b->given_used = rs_xcalloc(b->given.n + 1, sizeof(bool));
	return 0;
}

static int plan(struct ctr_builder *b, struct ctr_stage **last, struct rs_err *err)
{
	int ret = 0;

	for (unsigned k = 0; ret == 0 && b->file->v[k].op == DF_ARG; k++)
		ret = take_arg(b, NULL, &b->file->v[k], err);
	ret = ret < 0 ? ret : find_stages(b, err);
	if (ret < 0)
		return ret;
	*last = &b->stage[b->stages - 1];
	if (b->b->target) {
		const char *t = b->b->target;

		*last = strspn(t, "0123456789") == strlen(t) && strtoul(t, NULL, 10) < b->stages ?
				&b->stage[strtoul(t, NULL, 10)] : stage_by_name(b, t, b->stages);
		if (!*last)
			return rs_err_at(err, -EINVAL, b->file->file, 1, 1, N_("there is no stage %s in this Dockerfile"), t);
	}
	ret = mark(b, *last, err);
	for (unsigned i = 0; i < b->stages; i++)
		if (b->stage[i].needed)
			b->step.total += b->stage[i].end - b->stage[i].first;
	return ret;
}

static void release_stage(struct ctr_stage *st)
{
	for (unsigned i = 0; i < st->lower.n; i++)
		rs_rmtree(st->lower.v[i], NULL);
	ctr_dirs_release(&st->lower);
	if (st->rootfs)
		rs_rmtree(st->rootfs, NULL);
	free(st->rootfs);
	free(st->name);
	json_object_put(st->config);
	free(st->layer);
	free(st->diff_id);
	ctr_pairs_release(&st->args);
	ctr_words_release(&st->shell);
	if (st->has_model)
		ctr_model_release(&st->model);
}

static void release(struct ctr_builder *b, bool ok)
{
	ctr_cache_close(b->cache, ok);
	for (unsigned i = 0; i < b->stages; i++)
		release_stage(&b->stage[i]);
	free(b->stage);
	ctr_pairs_release(&b->global);
	ctr_pairs_release(&b->given);
	free(b->given_used);
	ctr_ignore_free(b->ignore);
	ctr_dockerfile_free(b->file);
	if (b->context >= 0)
		close(b->context);
}

static int finish(struct ctr_builder *b, struct ctr_stage *st, struct ctr_desc *out, struct rs_err *err)
{
	char time[32];
	int ret;

	json_object_object_add(st->config, "created", json_object_new_string(ctr_time_text(b->b->epoch, time)));
	ret = ctr_image_write(b->store, st->config, st->layer, st->diff_id, st->layers, NULL, out, err);
	for (unsigned i = 0; ret == 0 && i < b->b->tags; i++) {
		struct ctr_ref ref;

		ret = ctr_ref_parse(b->b->tag[i], &ref, err);
		if (ret == 0) {
			rs_auto_free char *full = rs_xasprintf("%s:%s", ref.name, ref.tag);

			ret = ctr_store_tag(b->store, full, out, err);
		}
	}
	return ret;
}

int ctr_image_build(struct ctr_store *s, const struct ctr_build *desc, struct ctr_desc *out, struct rs_str *unused,
		    struct rs_err *err)
{
	struct ctr_builder b = { .store = s, .b = desc, .context = -1 };
	struct ctr_stage *last = NULL;
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < desc->tags; i++) {
		struct ctr_ref ref;

		ret = ctr_ref_parse(desc->tag[i], &ref, err);
		if (ret == 0 && ref.digest[0])
			ret = rs_err_set(err, -EINVAL, "a name that is given to an image cannot have a digest");
	}
	ret = ret < 0 ? ret : load(&b, err);
	ret = ret < 0 ? ret : given_args(&b, err);
	ret = ret < 0 ? ret : plan(&b, &last, err);
	if (ret == 0)
		b.cache = ctr_cache_open(&b);
	for (unsigned i = 0; ret == 0 && i < b.stages; i++)
		if (b.stage[i].needed)
			ret = build_stage(&b, &b.stage[i], err);
	if (ret == 0)
		ret = finish(&b, last, out, err);
	for (unsigned i = 0; ret == 0 && unused && i < b.given.n; i++)
		if (!b.given_used[i])
			rs_str_addf(unused, "%s%s", unused->len ? ", " : "", b.given.v[i].name);
	release(&b, ret == 0);
	return ret;
}
