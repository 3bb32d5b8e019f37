/* COPY and ADD, between build_copy.c and build_source.c. */
#ifndef CONTAINERS_BUILD_COPY_H
#define CONTAINERS_BUILD_COPY_H

#include "containers/build.h"

/* One thing to be copied. */
struct ctr_source {
	char *path;              /* below the root of the sources, without links: "src/a" */
	const char *name;        /* its last component, as it was named: where it goes inside a folder */
	bool folder;             /* what is in it is copied, not itself */
	const struct ctr_df_heredoc *doc; /* a here-document instead of a file */
	char *own_name;
};
struct ctr_sources {
	struct ctr_source *v;
	unsigned n;
	int root;                /* descriptor */
	bool close_root;
	bool wild;               /* a pattern was among them */
};
void ctr_sources_release(struct ctr_sources *s);
/* What the word names below s->root: itself, or what its pattern fits, in order. */
int ctr_source_find(struct ctr_builder *b, const struct ctr_df_insn *i, const char *word, size_t at,
		    struct ctr_sources *s, struct rs_err *err);
/* Opens a path below the root; links are followed inside of it. Negative errno on failure. */
int ctr_source_open(int root, const char *path, int flags);
/* Is this file an archive that ADD unpacks? */
bool ctr_source_is_archive(int root, const char *path);
/* Unpacks it into the layer, below the folder `to`. */
int ctr_source_unpack(struct ctr_layer *l, int root, const char *path, const char *to, struct rs_err *err);

#endif
