/* Layers: a tar archive on its way into the store, and out of it. Private to containers/. */
#ifndef CONTAINERS_LAYER_H
#define CONTAINERS_LAYER_H

#include <sys/stat.h>
#include <sys/types.h>

#include "containers/image.h"
#include "containers/store.h"

/* ---- entries ---- */

struct ctr_xattr {
	const char *name;
	const void *value;
	size_t n;
};

/* One entry of a layer. Pointers belong to the caller. */
struct ctr_entry {
	const char *path;        /* "usr/bin/env": relative, without "." and "..", no "/" at the end */
	mode_t mode;             /* type and permissions */
	const char *link;        /* of a symbolic link: its text; of a hard link: the path linked to */
	bool hard;               /* a hard link, whatever the type in `mode` */
	uint64_t size;           /* of a regular file */
	uint32_t uid, gid;
	int64_t mtime;           /* seconds; layers have no fractions */
	uint32_t mtime_ns;
	dev_t rdev;
	const struct ctr_xattr *xattr;
	unsigned xattrs;
};

/* The entry's header blocks (POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended
 * Header"), as few and as plain as the entry allows: the same entry always gives the same bytes.
 * Appended to out. -EINVAL: the entry cannot be written. */
int ctr_pax_header(const struct ctr_entry *e, struct rs_str *out, struct rs_err *err);

#define CTR_TAR_BLOCK 512u
static inline unsigned ctr_tar_padding(uint64_t size)
{
	return (unsigned)(-size & (CTR_TAR_BLOCK - 1));
}

#define CTR_WHITEOUT ".wh."              /* layer.md, "Whiteouts" */
#define CTR_OPAQUE ".wh..wh..opq"

/* ---- writing: layer.c ---- */

struct ctr_layer_opts {
	enum ctr_compress compress;
	int level;               /* 0: the default (gzip 6, zstd 3) */
	unsigned threads;        /* 0: as many as there are processors */
};

struct ctr_layer;
/* The bytes of the result depend on entries, compressor and level alone, not on the number of threads. */
struct ctr_layer *ctr_layer_begin(struct ctr_store *s, const struct ctr_layer_opts *opts, struct rs_err *err);
int ctr_layer_entry(struct ctr_layer *l, const struct ctr_entry *e, struct rs_err *err);
/* The content of the regular file that was just begun, `size` bytes in all: from memory, or from a
 * descriptor. `sum` (may be NULL) gets the SHA-256 of the content. A file that ends early is an error. */
int ctr_layer_data(struct ctr_layer *l, const void *data, size_t n, struct rs_err *err);
int ctr_layer_file(struct ctr_layer *l, int fd, uint64_t size, const char *name, unsigned char sum[32],
		   struct rs_err *err);
/* Where the next bytes of content go, and how many fit; ctr_layer_took says how many were put there.
 * For content that is produced in place. */
void *ctr_layer_room(struct ctr_layer *l, size_t *n, struct rs_err *err); /* NULL: err is set */
void ctr_layer_took(struct ctr_layer *l, size_t n);
/* Bytes that are already an archive (import of a tar file). */
int ctr_layer_raw(struct ctr_layer *l, const void *data, size_t n, struct rs_err *err);
/* Ends the archive and stores the blob. Frees l in any case. */
int ctr_layer_finish(struct ctr_layer *l, struct ctr_desc *blob, char diff_id[CTR_DIGEST_SIZE],
		     struct rs_err *err);
void ctr_layer_drop(struct ctr_layer *l); /* NULL is fine */
/* Called with every entry that is put in. */
void ctr_layer_watch(struct ctr_layer *l, int (*fn)(void *arg, const struct ctr_entry *e, struct rs_err *err),
		     void *arg);

/* How a layer of this media type is compressed; -EINVAL when it is no layer. */
int ctr_layer_compress(const char *media, enum ctr_compress *c);

/* ---- a directory tree as a layer: layer_tree.c ---- */

struct ctr_wrote;
struct ctr_tree_opts {
	const char *prefix;      /* where the tree stands in the image, "" at the top */
	bool owner;              /* uid and gid below instead of those of the files */
	uint32_t uid, gid;
	bool chmod;              /* these permissions instead of those of the files */
	mode_t mode;
	int64_t epoch;           /* every time */
	bool overlay;            /* an OverlayFS upper layer: its whiteouts become the layer's */
	bool root;               /* with an entry for the tree's root */
	const char *base;        /* what the paths below begin with, "" or NULL: nothing */
	/* Is this path wanted? A folder that is not and `prune` is not entered. NULL: everything. */
	bool (*want)(void *arg, const char *path, bool folder, bool *prune);
	/* Told of every entry. */
	void (*wrote)(void *arg, const struct ctr_wrote *w);
	/* Only without a layer: must the file's content be read? NULL: never. */
	bool (*need)(void *arg, const char *path, const struct stat *st);
	void *arg;
};
struct ctr_wrote {
	const char *path;
	const struct stat *st;
	const char *link;            /* of a symbolic link its text; of a hard link the path of its first name */
	bool hard;
	const unsigned char *sum;    /* SHA-256 of a regular file's content and extended attributes; NULL: not
					read, or no regular file */
};
/* Entries in the order of their names, byte by byte, a folder before what is in it. Without a layer
 * (NULL) the tree is only gone through. */
int ctr_layer_tree(struct ctr_layer *l, int dirfd, const char *name, const struct ctr_tree_opts *o,
		   struct rs_err *err);
/* One file or folder (and what is in it) under another name. */
int ctr_layer_one(struct ctr_layer *l, int dirfd, const char *from, const char *to,
		  const struct ctr_tree_opts *o, struct rs_err *err);

/* ---- reading: layer_read.c ---- */

struct ctr_layer_reader;
/* Reads the entries of a layer's blob, or of an archive in a file. `desc` (may be NULL) and `diff_id`
 * (may be NULL) are compared at the end. `fd` stays the caller's. */
struct ctr_layer_reader *ctr_reader_open(int fd, const char *name, const struct ctr_desc *desc,
					 const char *diff_id, const struct ctr_limits *limits, struct rs_err *err);
/* 1: *e is the next entry, valid until the next call; 0: the end, and everything matched; negative: error. */
int ctr_reader_next(struct ctr_layer_reader *r, struct ctr_entry *e, struct rs_err *err);
/* The next bytes of the entry's content, at *offset of the file (holes are left out). 1, 0 at its end. */
int ctr_reader_data(struct ctr_layer_reader *r, const void **data, size_t *n, uint64_t *offset,
		    struct rs_err *err);
void ctr_reader_close(struct ctr_layer_reader *r);
/* Uncompressed bytes of a blob, one piece after the other, hashed on the way. */
struct ctr_inflate;
struct ctr_inflate *ctr_inflate_open(int fd, const char *name, const struct ctr_desc *desc, const char *diff_id,
				     const struct ctr_limits *limits, struct rs_err *err);
int ctr_inflate_read(struct ctr_inflate *z, const void **data, size_t *n, struct rs_err *err); /* 1, 0 at the end */
void ctr_inflate_close(struct ctr_inflate *z);

/* ---- unpacking: layer_apply.c ---- */

struct ctr_apply_opts {
	const struct ctr_limits *limits;
	bool overlay;            /* whiteouts as OverlayFS wants them, instead of removing things */
	unsigned skipped;        /* out: what could not be made without root */
};
/* Unpacks one layer into the folder. */
int ctr_layer_apply(struct ctr_store *s, const struct ctr_desc *layer, const char *diff_id, int dirfd,
		    struct ctr_apply_opts *o, struct rs_err *err);

#endif
