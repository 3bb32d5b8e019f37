/* The tree that an image's layers add up to, without its contents: paths, attributes, and for each file
 * in which layer and at which entry its content stands. Private to containers/. */
#ifndef CONTAINERS_MODEL_H
#define CONTAINERS_MODEL_H

#include "containers/layer.h"

/* A file, which may have several names. */
struct ctr_inode {
	mode_t mode;
	uint32_t uid, gid;
	uint64_t size;
	int64_t mtime;
	dev_t rdev;
	char *link;              /* of a symbolic link */
	unsigned layer;          /* where it comes from, counted from 0 ... */
	uint64_t entry;          /* ... and the number of its entry there; ~0: implied by a path below it */
	unsigned names;
};

struct ctr_node {
	struct ctr_node *parent, *child, *next, *chain;
	struct ctr_inode *inode;
	unsigned hash;
	char name[];             /* of the root: "" */
};

struct ctr_model {
	struct ctr_node *root;
	struct ctr_node **table;
	size_t buckets, nodes;
	unsigned layer;          /* that is being added */
	uint64_t entry;          /* and the number of its next entry */
};

void ctr_model_begin(struct ctr_model *m);
void ctr_model_release(struct ctr_model *m);
/* Adds one entry, or one whiteout, of the current layer. -EBADMSG when it cannot be. */
int ctr_model_entry(struct ctr_model *m, const struct ctr_entry *e, struct rs_err *err);
void ctr_model_next_layer(struct ctr_model *m);
/* Adds a whole layer, and goes on to the next one. */
int ctr_model_layer(struct ctr_model *m, struct ctr_store *s, const struct ctr_desc *layer, const char *diff_id,
		    struct rs_err *err);
int ctr_model_image(struct ctr_model *m, struct ctr_store *s, const struct ctr_image *im, struct rs_err *err);

/* The node of a path; symbolic links are followed inside the tree, the last one when `follow`. NULL:
 * there is none, or links lead in circles. */
struct ctr_node *ctr_model_find(const struct ctr_model *m, const char *path, bool follow);
/* The path with the symbolic links of all its existing folders (and, when `follow`, of itself) resolved:
 * where something written to `path` really goes. "a/b", without a "/" at either end. Appended to out.
 * -ELOOP in circles. */
int ctr_model_resolve(const struct ctr_model *m, const char *path, bool follow, struct rs_str *out,
		      struct rs_err *err);
void ctr_node_path(const struct ctr_node *n, struct rs_str *out); /* appended */

/* One name of the tree, with its path. */
struct ctr_named {
	char *path;
	struct ctr_inode *inode;
};
/* Every name, in the order in which the layers hold their files: by layer, entry, path. The caller
 * releases it before the model. *n is their number. */
struct ctr_named *ctr_model_names(const struct ctr_model *m, size_t *n);
void ctr_names_free(struct ctr_named *v, size_t n);

#endif
