/* From a Dockerfile to an image. Private to containers/.
 *
 *   build.c         stages in order, variables, the finished image
 *   build_stage.c   one stage: configuration, layers, tree
 *   build_config.c  instructions that change the configuration alone
 *   build_copy.c    COPY and ADD: what goes where      build_source.c  globs, archives, other stages
 *   build_run.c     RUN
 *   build_cache.c   which layers are there already, and why one is not
 *   build_ignore.c  .dockerignore
 *
 * A step's key is the hash of its parent's key, its instruction with variables put in, and what it
 * reads. COPY writes its layer straight from the context: a tree is unpacked only for RUN and
 * COPY --from.
 */
#ifndef CONTAINERS_BUILD_H
#define CONTAINERS_BUILD_H

#include "containers/dockerfile.h"
#include "containers/image_private.h"
#include "containers/model.h"

struct ctr_ignore;

struct ctr_pair {
	char *name, *value;      /* value NULL: declared, without a value */
};
struct ctr_pairs {
	struct ctr_pair *v;
	unsigned n;
};
void ctr_pairs_set(struct ctr_pairs *p, const char *name, const char *value);
const struct ctr_pair *ctr_pairs_get(const struct ctr_pairs *p, const char *name);
void ctr_pairs_release(struct ctr_pairs *p);

struct ctr_dirs {
	char **v;
	unsigned n;
};

struct ctr_stage {
	unsigned index;
	char *name;              /* of AS, or the number */
	unsigned first, end;     /* its instructions: FROM is `first` */
	int base;                /* index of the stage that it begins with; -1 */
	bool needed, done;
	struct json_object *config;  /* the whole image configuration */
	struct ctr_desc *layer;
	char (*diff_id)[CTR_DIGEST_SIZE];
	unsigned layers;
	char key[CTR_DIGEST_SIZE];
	struct ctr_pairs args;
	struct ctr_words shell;
	bool cmd_set;            /* in this Dockerfile */
	struct ctr_model model;  /* of the first model_layers layers; see ctr_stage_model */
	bool has_model;
	char *rootfs;            /* where it is unpacked; NULL: not yet */
	struct ctr_dirs lower;   /* for RUN: folders for OverlayFS, bottom first ... */
	unsigned lower_layers;   /* ... and how many layers they add up to */
};

struct ctr_builder {
	struct ctr_store *store;
	const struct ctr_build *b;
	struct ctr_dockerfile *file;
	int context;             /* descriptor */
	struct ctr_ignore *ignore;
	struct ctr_stage *stage;
	unsigned stages;
	struct ctr_pairs global; /* ARG before the first FROM */
	struct ctr_pairs given;  /* --build-arg */
	bool *given_used;
	struct ctr_cache *cache;
	struct ctr_build_step step;
};

/* ---- what instructions use ---- */

/* Expands s of the instruction, whose text at `at` it is. */
int ctr_build_expand(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, const char *s,
		     size_t at, struct rs_str *out, struct rs_err *err);
/* Puts variables into a here-document. */
int ctr_build_expand_doc(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i,
			 const struct ctr_df_heredoc *doc, struct rs_str *out, struct rs_err *err);
/* The object `config` of the stage's configuration. */
struct json_object *ctr_stage_config(struct ctr_stage *st);
/* A string of it, "" when there is none. */
const char *ctr_stage_string(struct ctr_stage *st, const char *key);
const char *ctr_stage_env(struct ctr_stage *st, const char *name); /* NULL: not set */
/* The tree of the stage so far. NULL: err is set. */
struct ctr_model *ctr_stage_model(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err);
/* A path of the instruction made absolute by WORKDIR; without a "/" at the start. Appended to out. */
void ctr_stage_path(struct ctr_stage *st, const char *path, struct rs_str *out);
/* A layer for the stage, whose entries are watched by its model. */
struct ctr_layer *ctr_stage_layer(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err);
/* The same for RUN, whose command may well have replaced a folder by a file. */
struct ctr_layer *ctr_stage_layer_any(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err);
int ctr_stage_layer_done(struct ctr_builder *b, struct ctr_stage *st, struct ctr_layer *l, struct rs_err *err);
void ctr_stage_add(struct ctr_stage *st, const struct ctr_desc *layer, const char *diff_id);
/* Folders of `path` (without its last component when !last) that the layer does not have yet, with the
 * attributes that they have, or new. */
int ctr_build_parents(struct ctr_builder *b, struct ctr_stage *st, struct ctr_layer *l, const char *path, bool last,
		      struct ctr_dirs *have, struct rs_err *err);
void ctr_dirs_release(struct ctr_dirs *d);
/* Unpacks the stage, once. Returns the folder; NULL: err is set. */
const char *ctr_stage_rootfs(struct ctr_builder *b, struct ctr_stage *st, struct rs_err *err);

/* The owner that "USER[:GROUP]" means, by number or by the names in the stage's /etc/passwd and
 * /etc/group. A number without a group: `alone` tells whether the group has the same number, or is 0. */
int ctr_build_owner(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, size_t at,
		    const char *text, bool alone, uint32_t *uid, uint32_t *gid, struct rs_err *err);

/* The instructions. */
int ctr_build_config(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err);
int ctr_build_workdir(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err);
int ctr_build_copy(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err);
int ctr_build_run(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err);
/* Words of an instruction that takes a JSON list or words. *json tells which. */
int ctr_build_words(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, bool vars,
		    struct ctr_words *out, bool *json, struct rs_err *err);

/* ---- .dockerignore ---- */
struct ctr_ignore *ctr_ignore_parse(const char *text, size_t n);
void ctr_ignore_free(struct ctr_ignore *g);
/* For ctr_tree_opts.want, arg being the ignore list (NULL: everything is wanted). */
bool ctr_ignore_want(void *arg, const char *path, bool folder, bool *prune);

/* ---- the cache ---- */
struct ctr_cache *ctr_cache_open(struct ctr_builder *b);
/* Writes what the next build compares itself with, and frees. */
void ctr_cache_close(struct ctr_cache *c, bool keep);

/* The stage's next step is `text` (instruction with variables put in, and everything else that its layer
 * depends upon). Begins to record what it reads. */
void ctr_cache_step(struct ctr_cache *c, struct ctr_stage *st, const char *text);
/* Must the content be known before the step can be looked for? If there is no record of this step,
 * nothing is to be found, and the tree need not be read twice. */
bool ctr_cache_may_hit(struct ctr_cache *c);
/* What the step reads: a section begins ... */
void ctr_cache_section(struct ctr_cache *c);
/* ... and its entries, for ctr_tree_opts; arg is the cache. */
void ctr_cache_wrote(void *arg, const struct ctr_wrote *w);
bool ctr_cache_need(void *arg, const char *path, const struct stat *st);
/* Anything else that it reads. */
void ctr_cache_content(struct ctr_cache *c, const void *data, size_t n);
/* Forgets what was recorded of this step, before the tree is read again. */
void ctr_cache_restart(struct ctr_cache *c);
/* Is the step's layer there? Adds it to the stage: 1. 0: it has to be made, and step.why says why. */
int ctr_cache_find(struct ctr_cache *c, struct ctr_stage *st);
/* The step made this layer (NULL: it needed none). Moves the stage's key on. */
void ctr_cache_made(struct ctr_cache *c, struct ctr_stage *st, const struct ctr_desc *layer, const char *diff_id);

#endif
