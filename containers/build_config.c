/* Instructions that change the image's configuration (image-spec, config.md; names that Docker adds to
 * it: Healthcheck, Shell, OnBuild). */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "containers/build.h"
#include "engine/base/cleanup.h"

int ctr_build_words(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, bool vars,
		    struct ctr_words *out, bool *json, struct rs_err *err)
{
	const char *text = i->text + i->args;
	struct ctr_words w;
	size_t bad;
	int ret = 0;

	*json = ctr_words_json(text, &w, &bad);
	if (!*json) {
		/* what begins as a list and is none was meant to be one, nine times out of ten */
		if (*text == '[' && bad != SIZE_MAX && strchr(text, ']') && !strchr(text, '\''))
			return ctr_df_fail(b->file, i, i->args + bad, err, N_("this is no JSON list of strings; it is written [\"a\", \"b\"] with double quotes"));
		ctr_words_split(text, false, b->file->escape, &w);
	}
	memset(out, 0, sizeof(*out));
	for (unsigned k = 0; ret == 0 && k < w.n; k++) {
		rs_auto_str s = RS_STR_INIT;

		if (vars && !(w.v[k][0] == '<' && w.v[k][1] == '<'))
			ret = ctr_build_expand(b, st, i, w.v[k], i->args + w.at[k], &s, err);
		else
			rs_str_add(&s, w.v[k]);
		if (ret == 0)
			ctr_words_add(out, s.p, s.len, i->args + w.at[k]);
	}
	ctr_words_release(&w);
	if (ret < 0)
		ctr_words_release(out);
	return ret;
}

static void set(struct ctr_stage *st, const char *key, struct json_object *v)
{
	json_object_object_add(ctr_stage_config(st), key, v);
}

/* The object or array with this name, made when it is missing. */
static struct json_object *part(struct ctr_stage *st, const char *key, bool array)
{
	struct json_object *o;

	if (!json_object_object_get_ex(ctr_stage_config(st), key, &o) || !o) {
		o = array ? json_object_new_array() : json_object_new_object();
		set(st, key, o);
	}
	return o;
}

/* ---- ENV, LABEL ---- */

static void set_env(struct ctr_stage *st, const char *name, const char *value)
{
	struct json_object *env = part(st, "Env", true);
	rs_auto_free char *text = rs_xasprintf("%s=%s", name, value);
	size_t n = strlen(name);

	for (size_t i = 0; i < json_object_array_length(env); i++) {
		const char *e = json_object_get_string(json_object_array_get_idx(env, i));

		if (e && strncmp(e, name, n) == 0 && e[n] == '=') {
			json_object_array_put_idx(env, i, ctr_json_str(text));
			return;
		}
	}
	json_object_array_add(env, ctr_json_str(text));
}

static void take_pair(struct ctr_stage *st, enum ctr_df_op op, const char *name, const char *value)
{
	if (op == DF_ENV)
		set_env(st, name, value);
	else
		json_object_object_add(part(st, "Labels", false), name, ctr_json_str(value));
}

/* NAME=VALUE..., or the old form NAME VALUE, whose value is the rest of the line. Variables have the
 * values that they had before the instruction. */
static int pairs(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct ctr_pairs p = { NULL, 0 };
	struct ctr_words w;
	int ret = 0;

	ctr_words_split(i->text + i->args, true, b->file->escape, &w);
	if (!strchr(w.v[0], '=')) {
		rs_auto_str value = RS_STR_INIT;
		size_t at = i->args + (w.n > 1 ? w.at[1] : strlen(w.v[0]));

		if (w.n < 2)
			ret = ctr_df_fail(b->file, i, i->args, err, N_("%s wants NAME=VALUE"), ctr_df_name(i->op));
		if (ret == 0)
			ret = ctr_build_expand(b, st, i, i->text + at, at, &value, err);
		if (ret == 0)
			ctr_pairs_set(&p, w.v[0], value.p);
	} else {
		for (unsigned k = 0; ret == 0 && k < w.n; k++) {
			char *eq = strchr(w.v[k], '=');
			rs_auto_str name = RS_STR_INIT, value = RS_STR_INIT;

			if (!eq) {
				ret = ctr_df_fail(b->file, i, i->args + w.at[k], err, N_("\"%s\" has no \"=\"; a value with spaces needs quotes"), w.v[k]);
				break;
			}
			*eq = '\0';
			ret = ctr_build_expand(b, st, i, w.v[k], i->args + w.at[k], &name, err);
			if (ret == 0)
				ret = ctr_build_expand(b, st, i, eq + 1, i->args + w.at[k] + (size_t)(eq + 1 - w.v[k]), &value, err);
			if (ret == 0 && !name.len)
				ret = ctr_df_fail(b->file, i, i->args + w.at[k], err, N_("%s wants a name before the \"=\""), ctr_df_name(i->op));
			if (ret == 0)
				ctr_pairs_set(&p, name.p, value.p);
		}
	}
	for (unsigned k = 0; ret == 0 && k < p.n; k++)
		take_pair(st, i->op, p.v[k].name, p.v[k].value);
	ctr_pairs_release(&p);
	ctr_words_release(&w);
	return ret;
}

/* ---- commands ---- */

static struct json_object *list(const struct ctr_words *w)
{
	struct json_object *o = json_object_new_array();

	for (unsigned i = 0; i < w->n; i++)
		json_object_array_add(o, ctr_json_str(w->v[i]));
	return o;
}

/* The exec form as it stands; the shell form as one argument for the stage's shell. */
static int command(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, size_t at,
		   struct json_object **out, struct rs_err *err)
{
	struct ctr_words w;
	size_t bad;

	if (ctr_words_json(i->text + at, &w, &bad)) {
		*out = list(&w);
		ctr_words_release(&w);
		return 0;
	}
	if (i->text[at] == '[' && bad != SIZE_MAX && i->text[strlen(i->text) - 1] == ']' && !strchr("[ ", i->text[at + 1]))
		return ctr_df_fail(b->file, i, at + bad, err, N_("this is no JSON list of strings; it is written [\"a\", \"b\"] with double quotes"));
	*out = list(&st->shell);
	json_object_array_add(*out, ctr_json_str(i->text + at));
	return 0;
}

static int take_command(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct json_object *o = NULL;
	int ret = command(b, st, i, i->args, &o, err);

	if (ret < 0)
		return ret;
	set(st, i->op == DF_CMD ? "Cmd" : "Entrypoint", o);
	if (i->op == DF_CMD)
		st->cmd_set = true;
	else if (!st->cmd_set) /* the base's arguments are not for this program */
		json_object_object_del(ctr_stage_config(st), "Cmd");
	return 0;
}

static int shell(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct ctr_words w;

	if (!ctr_words_json(i->text + i->args, &w, NULL) || !w.n) {
		ctr_words_release(&w);
		return ctr_df_fail(b->file, i, i->args, err, N_("SHELL wants a JSON list of strings, such as [\"/bin/sh\", \"-c\"]"));
	}
	ctr_words_release(&st->shell);
	st->shell = w;
	set(st, "Shell", list(&w));
	return 0;
}

/* HEALTHCHECK NONE | [--interval=..] CMD command */
static int healthcheck(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	static const struct {
		const char *flag, *key;
	} times[] = { { "interval", "Interval" }, { "timeout", "Timeout" }, { "start-period", "StartPeriod" },
		      { "start-interval", "StartInterval" } };
	struct json_object *o = json_object_new_object(), *test = json_object_new_array(), *cmd;
	const char *text = i->text + i->args;
	size_t n = strcspn(text, " \t"), at = i->args + n + strspn(text + n, " \t");
	struct ctr_words w;
	int ret = 0;

	for (unsigned f = 0; ret == 0 && f < i->flags; f++) {
		uint64_t ns = 0;
		bool known = false;

		for (unsigned t = 0; t < 4; t++)
			if (strcmp(times[t].flag, i->flag[f].name) == 0) {
				known = true;
				if (!i->flag[f].value || rs_parse_duration(i->flag[f].value, &ns) < 0)
					ret = ctr_df_fail(b->file, i, i->flag[f].at, err, N_("--%s wants a time such as 30s"), i->flag[f].name);
				else
					json_object_object_add(o, times[t].key, json_object_new_int64((int64_t)ns));
			}
		if (!known)
			json_object_object_add(o, "Retries", json_object_new_int64(i->flag[f].value ? atoll(i->flag[f].value) : 0));
	}
	if (ret == 0 && n == 4 && strncasecmp(text, "NONE", 4) == 0) {
		json_object_array_add(test, json_object_new_string("NONE"));
	} else if (ret == 0 && n == 3 && strncasecmp(text, "CMD", 3) == 0 && i->text[at]) {
		bool json = ctr_words_json(i->text + at, &w, NULL);

		json_object_array_add(test, json_object_new_string(json ? "CMD" : "CMD-SHELL"));
		if (json) {
			cmd = list(&w);
			for (size_t k = 0; k < json_object_array_length(cmd); k++)
				json_object_array_add(test, json_object_get(json_object_array_get_idx(cmd, k)));
			json_object_put(cmd);
		} else {
			json_object_array_add(test, ctr_json_str(i->text + at));
		}
		ctr_words_release(&w);
	} else if (ret == 0) {
		ret = ctr_df_fail(b->file, i, i->args, err, N_("HEALTHCHECK is followed by NONE, or by CMD and a command"));
	}
	json_object_object_add(o, "Test", test);
	if (ret == 0)
		set(st, "Healthcheck", o);
	else
		json_object_put(o);
	return ret;
}

/* ---- the others ---- */

/* 80, 80/tcp, 8000-8010/udp */
static int expose(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct json_object *ports = part(st, "ExposedPorts", false);
	struct ctr_words w;
	rs_auto_str all = RS_STR_INIT;
	int ret = ctr_build_expand(b, st, i, i->text + i->args, i->args, &all, err);

	if (ret < 0)
		return ret;
	ctr_words_split(all.p, false, b->file->escape, &w);
	for (unsigned k = 0; ret == 0 && k < w.n; k++) {
		unsigned first, last;
		char proto[8] = "tcp";
		int n = 0;
		bool range = sscanf(w.v[k], "%u-%u%n", &first, &last, &n) == 2;

		if (!range && sscanf(w.v[k], "%u%n", &first, &n) == 1)
			last = first;
		if (n && w.v[k][n] == '/') {
			snprintf(proto, sizeof(proto), "%s", w.v[k] + n + 1);
			for (char *p = proto; *p; p++)
				*p = (char)tolower((unsigned char)*p);
			n = (int)strlen(w.v[k]);
		}
		if (!n || w.v[k][n] || first > last || last > 65535 ||
		    (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0 && strcmp(proto, "sctp") != 0))
			ret = ctr_df_fail(b->file, i, i->args + w.at[k], err, N_("\"%s\" is not a port such as 80, 53/udp or 8000-8010"), w.v[k]);
		for (; ret == 0 && first <= last; first++) {
			rs_auto_free char *key = rs_xasprintf("%u/%s", first, proto);

			json_object_object_add(ports, key, json_object_new_object());
		}
	}
	ctr_words_release(&w);
	return ret;
}

static int volume(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct json_object *v = part(st, "Volumes", false);
	struct ctr_words w;
	bool json;
	int ret = ctr_build_words(b, st, i, true, &w, &json, err);

	if (ret < 0)
		return ret;
	for (unsigned k = 0; k < w.n; k++) {
		if (!w.v[k][0])
			ret = ctr_df_fail(b->file, i, w.at[k], err, N_("the path of a volume is empty"));
		else
			json_object_object_add(v, w.v[k], json_object_new_object());
	}
	ctr_words_release(&w);
	return ret;
}

static int stopsignal(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, const char *v,
		      struct rs_err *err)
{
	const char *name = strncmp(v, "SIG", 3) == 0 ? v + 3 : v;
	bool ok = strspn(v, "0123456789") == strlen(v) && atoi(v) > 0 && atoi(v) <= SIGRTMAX;

	for (int s = 1; !ok && s < NSIG; s++)
		ok = sigabbrev_np(s) && strcmp(sigabbrev_np(s), name) == 0;
	if (!ok && strncmp(name, "RTM", 3) != 0)
		return ctr_df_fail(b->file, i, i->args, err, N_("there is no signal %s"), v);
	set(st, "StopSignal", ctr_json_str(v));
	return 0;
}

static void onbuild(struct ctr_stage *st, const struct ctr_df_insn *i)
{
	json_object_array_add(part(st, "OnBuild", true), ctr_json_str(i->text + i->args));
}

int ctr_build_config(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	rs_auto_str s = RS_STR_INIT;
	int ret = 0;

	switch (i->op) {
	case DF_ENV:
	case DF_LABEL:
		return pairs(b, st, i, err);
	case DF_CMD:
	case DF_ENTRYPOINT:
		return take_command(b, st, i, err);
	case DF_SHELL:
		return shell(b, st, i, err);
	case DF_HEALTHCHECK:
		return healthcheck(b, st, i, err);
	case DF_EXPOSE:
		return expose(b, st, i, err);
	case DF_VOLUME:
		return volume(b, st, i, err);
	case DF_ONBUILD:
		onbuild(st, i);
		return 0;
	default:
		break;
	}
	/* one value: the rest of the line */
	ret = ctr_build_expand(b, st, i, i->text + i->args, i->args, &s, err);
	if (ret < 0)
		return ret;
	if (!s.len)
		return ctr_df_fail(b->file, i, i->args, err, N_("%s needs an argument"), ctr_df_name(i->op));
	if (i->op == DF_STOPSIGNAL)
		return stopsignal(b, st, i, s.p, err);
	if (i->op == DF_USER)
		set(st, "User", ctr_json_str(s.p));
	else if (i->op == DF_MAINTAINER)
		json_object_object_add(st->config, "author", ctr_json_str(s.p));
	return 0;
}

/* The folder is made when it is not there yet, as a layer of its own. */
int ctr_build_workdir(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	rs_auto_str s = RS_STR_INIT, path = RS_STR_INIT, real = RS_STR_INIT, key = RS_STR_INIT;
	struct ctr_dirs have = { NULL, 0 };
	struct ctr_model *m;
	struct ctr_node *n;
	struct ctr_layer *l;
	int ret = ctr_build_expand(b, st, i, i->text + i->args, i->args, &s, err);

	if (ret < 0)
		return ret;
	if (!s.len)
		return ctr_df_fail(b->file, i, i->args, err, N_("%s needs an argument"), ctr_df_name(i->op));
	ctr_stage_path(st, s.p, &path);
	rs_auto_free char *full = rs_xasprintf("/%s", path.p);
	set(st, "WorkingDir", ctr_json_str(full));
	rs_str_addf(&key, "WORKDIR %s %lld %d %d", full, (long long)b->b->epoch, b->b->compress, b->b->level);
	ctr_cache_step(b->cache, st, key.p);
	if (ctr_cache_find(b->cache, st))
		return 0;
	m = ctr_stage_model(b, st, err);
	ret = m ? ctr_model_resolve(m, path.p, true, &real, err) : -EBADMSG;
	if (ret < 0)
		return ret;
	n = ctr_model_find(m, real.p, false);
	if (n && !S_ISDIR(n->inode->mode))
		return ctr_df_fail(b->file, i, i->args, err, N_("%s is a file in the image, not a folder"), full);
	if (n) {
		ctr_cache_made(b->cache, st, NULL, NULL);
		return 0;
	}
	l = ctr_stage_layer(b, st, err);
	if (!l)
		return -EIO;
	ret = ctr_build_parents(b, st, l, real.p, true, &have, err);
	ctr_dirs_release(&have);
	if (ret < 0) {
		ctr_layer_drop(l);
		return ret;
	}
	return ctr_stage_layer_done(b, st, l, err);
}
