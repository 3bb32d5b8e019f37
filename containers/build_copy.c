/* COPY and ADD: the layer is written straight from where the files lie. */
#include "containers/build_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

struct copy {
	struct ctr_builder *b;
	struct ctr_stage *st;
	const struct ctr_df_insn *i;
	struct ctr_words words;
	struct ctr_sources src;
	const char *from;          /* --from; NULL: the context */
	size_t from_at;
	struct ctr_stage *stage;   /* that it names */
	struct ctr_stage image;    /* ... or the image, as a stage of its own */
	char *chown;
	size_t chown_at;
	struct ctr_tree_opts tree;
	const char *dest_word;
	struct ctr_dirs have;
	bool link;
};

/* ---- options ---- */

static int refuse(struct copy *c, const struct ctr_df_flag *f, struct rs_err *err)
{
	return ctr_df_fail(c->b->file, c->i, f->at, err, N_("%s --%s is not supported"), ctr_df_name(c->i->op), f->name);
}

static int options(struct copy *c, struct rs_err *err)
{
	c->tree.owner = true; /* files of the context belong to root; those of a stage keep their owner */
	c->tree.epoch = c->b->b->epoch;
	for (unsigned k = 0; k < c->i->flags; k++) {
		const struct ctr_df_flag *f = &c->i->flag[k];
		rs_auto_str v = RS_STR_INIT;
		char *end;
		int ret;

		if (strcmp(f->name, "link") == 0) /* a hint how to build, with the same result */
			continue;
		if (!f->value)
			return ctr_df_fail(c->b->file, c->i, f->at, err, N_("the option --%s wants a value"), f->name);
		ret = ctr_build_expand(c->b, c->st, c->i, f->value, f->at + strlen(f->name) + 3, &v, err);
		if (ret < 0)
			return ret;
		if (strcmp(f->name, "chown") == 0) {
			free(c->chown);
			c->chown = rs_str_detach(&v);
			c->chown_at = f->at;
		} else if (strcmp(f->name, "chmod") == 0) {
			c->tree.chmod = true;
			c->tree.mode = (mode_t)strtoul(v.p, &end, 8);
			if (*end || !*v.p || c->tree.mode > 07777)
				return ctr_df_fail(c->b->file, c->i, f->at, err, N_("--chmod wants permissions such as 755, not \"%s\""), v.p);
		} else if (strcmp(f->name, "from") == 0) {
			c->from = f->value;
			c->from_at = f->at;
		} else {
			return refuse(c, f, err);
		}
	}
	return 0;
}

/* ---- sources ---- */

static struct ctr_stage *named_stage(struct copy *c, const char *name)
{
	for (unsigned k = c->st->index; k-- > 0;) {
		struct ctr_stage *s = &c->b->stage[k];
		char number[16];

		snprintf(number, sizeof(number), "%u", k);
		if (strcasecmp(s->name, name) == 0 || strcmp(number, name) == 0)
			return s;
	}
	return NULL;
}

static int find_from(struct copy *c, struct rs_err *err)
{
	struct ctr_image im;
	struct ctr_desc d;

	c->stage = named_stage(c, c->from);
	c->tree.owner = false;
	if (c->stage)
		return 0;
	if (ctr_store_find(c->b->store, c->from, &d, NULL, NULL) < 0)
		return ctr_df_fail(c->b->file, c->i, c->from_at, err, N_("--from=%s is neither a stage before this one nor an image in the store"), c->from);
	if (ctr_image_read(c->b->store, &d, c->b->b->platform, &im, err) < 0)
		return -EBADMSG;
	for (unsigned k = 0; k < im.layers; k++)
		ctr_stage_add(&c->image, &im.layer[k], im.artifact ? "" : im.diff_id[k]);
	c->stage = &c->image;
	ctr_image_release(&im);
	return 0;
}

static const struct ctr_df_heredoc *heredoc(const struct copy *c, const char *word)
{
	const char *name = word + 2 + (word[2] == '-');
	size_t n;

	name += *name == '"' || *name == '\'';
	n = strcspn(name, "\"'");
	for (unsigned k = 0; k < c->i->docs; k++)
		if (strlen(c->i->doc[k].name) == n && memcmp(c->i->doc[k].name, name, n) == 0)
			return &c->i->doc[k];
	return NULL;
}

static int find_sources(struct copy *c, struct rs_err *err)
{
	int ret = 0;

	for (unsigned k = 0; ret == 0 && k + 1 < c->words.n; k++) {
		const char *w = c->words.v[k];

		if (strncmp(w, "<<", 2) == 0 && heredoc(c, w)) {
			c->src.v = rs_xrealloc(c->src.v, c->src.n + 1, sizeof(*c->src.v));
			c->src.v[c->src.n++] = (struct ctr_source){ .doc = heredoc(c, w), .name = heredoc(c, w)->name };
			continue;
		}
		if (c->i->op == DF_ADD && (strncmp(w, "http://", 7) == 0 || strncmp(w, "https://", 8) == 0 ||
					   strncmp(w, "git@", 4) == 0 || strncmp(w, "ftp://", 6) == 0))
			return ctr_df_fail(c->b->file, c->i, c->words.at[k], err, N_("ADD of a URL is not supported: a build here does not use the network; download it into the context first"));
		ret = ctr_source_find(c->b, c->i, w, c->words.at[k], &c->src, err);
	}
	return ret;
}

/* ---- the cache ---- */

/* Everything that the layer depends upon, except for contents. */
static void cache_step(struct copy *c)
{
	rs_auto_str key = RS_STR_INIT;

	rs_str_add(&key, ctr_df_name(c->i->op));
	if (c->from)
		rs_str_addf(&key, " --from=%s", c->from);
	if (c->chown)
		rs_str_addf(&key, " --chown=%s", c->chown);
	if (c->tree.chmod)
		rs_str_addf(&key, " --chmod=%o", (unsigned)c->tree.mode);
	for (unsigned k = 0; k < c->words.n; k++)
		rs_str_addf(&key, " %s", c->words.v[k]);
	rs_str_addf(&key, " (in %s, time %lld, %s level %d)", ctr_stage_string(c->st, "WorkingDir"), (long long)c->b->b->epoch,
		    ctr_compress_names[c->b->b->compress], c->b->b->level);
	ctr_cache_step(c->b->cache, c->st, key.p);
}

static void common_content(struct copy *c)
{
	for (unsigned k = 0; k < c->src.n; k++)
		if (c->src.v[k].doc)
			ctr_cache_content(c->b->cache, c->src.v[k].doc->text, strlen(c->src.v[k].doc->text) + 1);
		else
			ctr_cache_content(c->b->cache, c->src.v[k].path, strlen(c->src.v[k].path) + 1);
	for (unsigned k = 0; c->stage && k < c->stage->layers; k++)
		ctr_cache_content(c->b->cache, c->stage->layer[k].digest, CTR_DIGEST_SIZE);
}

/* Calls of the tree, passed on to the ignore list and to the cache. */
static bool want(void *arg, const char *path, bool folder, bool *prune)
{
	return ctr_ignore_want(((struct copy *)arg)->b->ignore, path, folder, prune);
}
static void wrote(void *arg, const struct ctr_wrote *w)
{
	ctr_cache_wrote(((struct copy *)arg)->b->cache, w);
}
static bool need(void *arg, const char *path, const struct stat *st)
{
	return ctr_cache_need(((struct copy *)arg)->b->cache, path, st);
}

/* Goes through one source: with a layer, it is copied there as `to`. */
static int walk(struct copy *c, const struct ctr_source *s, struct ctr_layer *l, const char *to, struct rs_err *err)
{
	const char *slash = strrchr(s->path, '/');
	rs_auto_free char *dir = s->folder ? rs_xstrdup(s->path) : strndup(s->path, slash ? (size_t)(slash - s->path) : 0);
	rs_auto_close int fd = -1;
	struct ctr_tree_opts o = c->tree;

	if (!dir)
		rs_oom();
	fd = ctr_source_open(c->src.root, dir, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return rs_err_errno(err, -fd, "cannot open %s", s->path);
	o.prefix = to;
	o.base = s->path;
	if (!c->stage) {
		o.want = want;
		ctr_cache_section(c->b->cache);
	}
	return s->folder ? ctr_layer_tree(l, fd, s->path, &o, err) : ctr_layer_one(l, fd, slash ? slash + 1 : s->path, to, &o, err);
}

static int scan(struct copy *c, struct rs_err *err)
{
	int ret = 0;

	common_content(c);
	for (unsigned k = 0; ret == 0 && !c->stage && k < c->src.n; k++)
		if (!c->src.v[k].doc)
			ret = walk(c, &c->src.v[k], NULL, c->src.v[k].path, err);
	return ret;
}

/* ---- the layer ---- */

/* Where the files go: *folder tells whether `to` is a folder. */
static int destination(struct copy *c, struct rs_str *to, bool *folder, struct rs_err *err)
{
	const char *d = c->dest_word;
	size_t n = strlen(d);
	rs_auto_str path = RS_STR_INIT;
	struct ctr_node *node;
	int ret;

	*folder = n == 0 || d[n - 1] == '/' || strcmp(d, ".") == 0 || strcmp(d, "..") == 0 ||
		  (n > 1 && (strcmp(d + n - 2, "/.") == 0));
	if (c->src.n > 1 && !*folder)
		return ctr_df_fail(c->b->file, c->i, c->words.at[c->words.n - 1], err, N_("several files can only go into a folder: write %s/ with a slash at its end"), d);
	ctr_stage_path(c->st, d, &path);
	ret = ctr_model_resolve(&c->st->model, path.p, true, to, err);
	if (ret < 0)
		return ret;
	node = ctr_model_find(&c->st->model, to->p, false);
	if (node && S_ISDIR(node->inode->mode))
		*folder = true;
	else if (node && *folder)
		return ctr_df_fail(c->b->file, c->i, c->words.at[c->words.n - 1], err, N_("%s is a file in the image, not a folder"), d);
	return 0;
}

static int put_heredoc(struct copy *c, struct ctr_layer *l, const struct ctr_df_heredoc *doc, const char *to, struct rs_err *err)
{
	struct ctr_entry e = { .path = to, .mode = S_IFREG | (c->tree.chmod ? c->tree.mode : 0644), .uid = c->tree.uid,
			       .gid = c->tree.gid, .mtime = c->tree.epoch };
	rs_auto_str text = RS_STR_INIT;
	int ret = 0;

	if (doc->expand) {
		ret = ctr_build_expand_doc(c->b, c->st, c->i, doc, &text, err);
	} else {
		rs_str_add(&text, doc->text);
	}
	if (ret < 0)
		return ret;
	e.size = text.len;
	ret = ctr_layer_entry(l, &e, err);
	return ret < 0 ? ret : ctr_layer_data(l, text.p, text.len, err);
}

/* The folder that a folder's content goes into takes that one's permissions when it is new. */
static int put_folder(struct copy *c, struct ctr_layer *l, const struct ctr_source *s, const char *to, struct rs_err *err)
{
	struct ctr_entry e = { .path = to, .mode = S_IFDIR | 0755, .uid = c->tree.uid, .gid = c->tree.gid, .mtime = c->tree.epoch };
	int ret = ctr_build_parents(c->b, c->st, l, to, false, &c->have, err);

	if (ret < 0)
		return ret;
	if (*to && !ctr_model_find(&c->st->model, to, false)) {
		rs_auto_close int fd = ctr_source_open(c->src.root, s->path, O_RDONLY | O_DIRECTORY);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			return rs_err_errno(err, fd < 0 ? -fd : errno, "cannot open %s", s->path);
		e.mode = S_IFDIR | (c->tree.chmod ? c->tree.mode : st.st_mode & 07777);
		if (!c->tree.owner) {
			e.uid = st.st_uid;
			e.gid = st.st_gid;
		}
		ret = ctr_layer_entry(l, &e, err);
	} else if (*to) {
		ret = ctr_build_parents(c->b, c->st, l, to, true, &c->have, err);
	}
	return ret < 0 ? ret : walk(c, s, l, to, err);
}

static int put(struct copy *c, struct ctr_layer *l, const struct ctr_source *s, const char *dest, bool folder,
	       struct rs_err *err)
{
	rs_auto_free char *to = folder ? (*dest ? rs_xasprintf("%s/%s", dest, s->name) : rs_xstrdup(s->name)) : rs_xstrdup(dest);
	rs_auto_str real = RS_STR_INIT;
	int ret;

	if (s->folder)
		return put_folder(c, l, s, dest, err);
	if (!s->doc && c->i->op == DF_ADD && ctr_source_is_archive(c->src.root, s->path)) {
		ret = ctr_build_parents(c->b, c->st, l, dest, true, &c->have, err);
		if (ret == 0 && !c->stage) /* what was read, for the cache */
			ret = walk(c, s, NULL, s->path, err);
		return ret < 0 ? ret : ctr_source_unpack(l, c->src.root, s->path, dest, err);
	}
	/* a file over a symbolic link goes where that one leads */
	ret = ctr_model_resolve(&c->st->model, to, true, &real, err);
	if (ret == 0)
		ret = ctr_build_parents(c->b, c->st, l, real.p, false, &c->have, err);
	if (ret < 0)
		return ret;
	return s->doc ? put_heredoc(c, l, s->doc, real.p, err) : walk(c, s, l, real.p, err);
}

static int write_layer(struct copy *c, struct rs_err *err)
{
	struct ctr_layer *l = ctr_stage_layer(c->b, c->st, err);
	rs_auto_str dest = RS_STR_INIT;
	bool folder;
	int ret = l ? 0 : err && err->code ? err->code : -EIO;

	if (ret == 0 && c->chown) {
		c->tree.owner = true;
		ret = ctr_build_owner(c->b, c->st, c->i, c->chown_at, c->chown, true, &c->tree.uid, &c->tree.gid, err);
	}
	ret = ret < 0 ? ret : destination(c, &dest, &folder, err);
	if (!c->stage)
		common_content(c);
	for (unsigned k = 0; ret == 0 && k < c->src.n; k++)
		ret = put(c, l, &c->src.v[k], dest.p, folder, err);
	if (ret < 0) {
		ctr_layer_drop(l);
		return ret;
	}
	return ctr_stage_layer_done(c->b, c->st, l, err);
}

static int copy(struct copy *c, struct rs_err *err)
{
	const char *rootfs;
	bool json;
	int ret = options(c, err);

	ret = ret < 0 ? ret : ctr_build_words(c->b, c->st, c->i, true, &c->words, &json, err);
	if (ret < 0)
		return ret;
	if (c->words.n < 2)
		return ctr_df_fail(c->b->file, c->i, c->i->args, err, N_("%s needs a source and a destination"), ctr_df_name(c->i->op));
	c->dest_word = c->words.v[c->words.n - 1];
	if (c->from && (ret = find_from(c, err)) < 0)
		return ret;
	c->tree.arg = c;
	c->tree.need = need;
	c->src.root = c->b->context;
	cache_step(c);
	if (!c->stage) {
		c->tree.wrote = wrote;
		ret = find_sources(c, err);
		if (ret == 0 && ctr_cache_may_hit(c->b->cache))
			ret = scan(c, err);
	} else {
		/* what another stage made is known by its layers; nothing need be unpacked to know it */
		common_content(c);
	}
	if (ret < 0 || ctr_cache_find(c->b->cache, c->st))
		return ret;
	ctr_cache_restart(c->b->cache);
	if (c->stage) {
		common_content(c); /* as it was when it was looked for: before the sources are known */
		rootfs = ctr_stage_rootfs(c->b, c->stage, err);
		if (!rootfs)
			return err && err->code ? err->code : -EIO;
		c->src.root = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		c->src.close_root = true;
		if (c->src.root < 0)
			return rs_err_errno(err, errno, "cannot open %s", rootfs);
		ret = find_sources(c, err);
	}
	return ret < 0 ? ret : write_layer(c, err);
}

int ctr_build_copy(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct copy c = { .b = b, .st = st, .i = i };
	int ret = copy(&c, err);

	if (c.stage == &c.image) {
		if (c.image.rootfs)
			rs_rmtree(c.image.rootfs, NULL);
		free(c.image.rootfs);
		free(c.image.layer);
		free(c.image.diff_id);
	}
	ctr_dirs_release(&c.have);
	ctr_sources_release(&c.src);
	ctr_words_release(&c.words);
	free(c.chown);
	return ret;
}
