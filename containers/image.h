/* Images: content, layers, documents, and what is done with them (OCI image-spec 1.1).
 *
 *   image.h            this file: what the commands and lessons use
 *   store.h store.c    blobs by digest, tags, collection of garbage, verify: an OCI image layout
 *   image_ref.c        names: "alpine:3.20", "host:5000/a/b@sha256:..."
 *   image_json.c       JSON with the place of every mistake
 *   image_doc.c        index, manifest and configuration: reading and checking
 *   image_new.c        ... and writing
 *   image_copy.c       from anywhere to anywhere: store, layouts, archives, registries
 *   registry.h ...     a registry's client; registry_serve.h ... its server
 *   pax.c              one entry of a tar archive as deterministic bytes
 *   layer.c            tar, hash, compress on all cores, hash, write: in one pass
 *   layer_tree.c       a directory tree as the entries of a layer
 *   layer_read.c       a layer as the entries of an archive, hashed on the way
 *   layer_apply.c      ... unpacked, without ever leaving the target
 *   libs.c             libarchive and libcurl, loaded when first needed
 *   dockerfile.c build.c ...  from a Dockerfile to an image
 */
#ifndef CONTAINERS_IMAGE_H
#define CONTAINERS_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/str.h"

#define CTR_DIGEST_SIZE 72 /* "sha256:", 64 hexadecimal digits, NUL */

/* What names a blob (image-spec, descriptor.md). */
struct ctr_desc {
	char media[128];
	char digest[CTR_DIGEST_SIZE];
	uint64_t size;     /* bytes */
};

enum ctr_compress { CTR_GZIP, CTR_ZSTD, CTR_PLAIN };
extern const char *const ctr_compress_names[]; /* "gzip", "zstd", "none", NULL */

/* ---- names ---- */

/* NAME[:TAG][@DIGEST] (distribution/reference). */
struct ctr_ref {
	char name[256];                /* with the registry's host, if one was given */
	char tag[129];                 /* "latest" when neither tag nor digest was given */
	char digest[CTR_DIGEST_SIZE];  /* "" when none was given */
};
int ctr_ref_parse(const char *text, struct ctr_ref *out, struct rs_err *err);
/* Is it "sha256:" and 64 lower-case hexadecimal digits? */
bool ctr_digest_ok(const char *digest);
/* "2024-05-01T10:20:30Z" (RFC 3339). */
const char *ctr_time_text(int64_t epoch, char buf[32]);
/* SOURCE_DATE_EPOCH (reproducible-builds.org), 0 when it is not set. -EINVAL when it is no number. */
int ctr_epoch_from_env(int64_t *epoch, struct rs_err *err);

/* ---- the store ---- */

struct ctr_store;
/* The store in `dir` (NULL: the user's own, $XDG_DATA_HOME/ringside/images), which is an OCI image
 * layout that other tools can read. Created when it is missing and `create`. Holds a shared lock
 * until ctr_store_close: as long as somebody works with the store nothing is collected. */
struct ctr_store *ctr_store_open(const char *dir, bool create, struct rs_err *err);
void ctr_store_close(struct ctr_store *s); /* NULL is fine */

/* One tag of the store. */
struct ctr_tag {
	char *name;              /* "alpine:3.20"; NULL: a manifest without a name */
	struct ctr_desc desc;    /* manifest or index */
};
struct ctr_tags {
	struct ctr_tag *v;
	unsigned n;
};
int ctr_store_tags(struct ctr_store *s, struct ctr_tags *out, struct rs_err *err); /* by name */
void ctr_tags_release(struct ctr_tags *t);
/* What `text` names: a tag, a digest, or the beginning of a digest (at least 4 digits) that only one
 * manifest or configuration has. `found` may be NULL; it gets the tag's full name or "". -ENOENT. */
int ctr_store_find(struct ctr_store *s, const char *text, struct ctr_desc *out, char found[400],
		   struct rs_err *err);
/* Gives the manifest or index `d` the name `name` ("alpine:3.20"), taking it from another one. */
int ctr_store_tag(struct ctr_store *s, const char *name, const struct ctr_desc *d, struct rs_err *err);
/* Removes a name. What nothing refers to any more goes with the next ctr_store_gc. -ENOENT. */
int ctr_store_untag(struct ctr_store *s, const char *name, struct rs_err *err);

struct ctr_gc {
	unsigned blobs;          /* removed */
	uint64_t bytes;          /* freed */
	unsigned leftovers;      /* unfinished files of processes that died */
	unsigned kept;           /* blobs that stay */
};
/* Removes every blob that no tag reaches. Waits until nobody else works with the store; the caller's
 * own shared lock becomes an exclusive one meanwhile. */
int ctr_store_gc(struct ctr_store *s, struct ctr_gc *out, struct rs_err *err);

/* Re-hashes every blob, and reads every document that a tag reaches: sizes, digests, diff ids. Calls
 * `bad` for each fault. `blobs` and `bytes` (may be NULL) count what was read. Returns the number of
 * faults, or a negative errno when it could not go on. */
int ctr_store_verify(struct ctr_store *s, void (*bad)(void *arg, const struct rs_err *e), void *arg,
		     unsigned *blobs, uint64_t *bytes, struct rs_err *err);

/* ---- an image ---- */

/* One instruction in an image's history. */
struct ctr_history {
	char *created, *created_by, *comment;  /* NULL: not given */
	bool empty;                            /* made no layer */
	int layer;                             /* index of its layer; -1 */
};
struct ctr_image {
	struct ctr_desc manifest, config;
	struct ctr_desc *layer;                /* bottom first */
	char (*diff_id)[CTR_DIGEST_SIZE];      /* of the uncompressed layers */
	unsigned layers;
	struct ctr_history *history;
	unsigned histories;
	char os[32], arch[32], variant[32];
	char *artifact;                        /* artifactType; NULL for an image */
	struct json_object *manifest_json, *config_json; /* owned */
};
/* Reads and checks the image that `d` names. Of an index, the manifest for `platform`
 * ("linux/arm64"; NULL: this machine's) is taken. */
int ctr_image_read(struct ctr_store *s, const struct ctr_desc *d, const char *platform,
		   struct ctr_image *out, struct rs_err *err);
void ctr_image_release(struct ctr_image *im);
/* "linux/amd64" of this machine, in Go's words. */
const char *ctr_platform_here(void);
/* Bytes of the document that `d` names, hashed and compared; -EFBIG over 4 MiB. Appended to out. */
int ctr_store_doc(struct ctr_store *s, const struct ctr_desc *d, struct rs_str *out, struct rs_err *err);

/* ---- layers ---- */

/* What unpacking may make, so that a bomb ends early (0: the default). */
struct ctr_limits {
	uint64_t bytes;          /* of file contents in one layer; 64 GiB */
	uint64_t entries;        /* in one layer; 4 million */
};
/* Unpacks the image's layers, bottom first, into the empty or missing folder `dir`. Nothing outside
 * of it is touched, whatever the archives say. Without root, owners and devices are left out;
 * *skipped (may be NULL) counts what could not be made. */
int ctr_image_unpack(struct ctr_store *s, const struct ctr_image *im, const char *dir,
		     const struct ctr_limits *limits, unsigned *skipped, struct rs_err *err);
/* The image's tree as one tar archive, to `fd`: what `export` writes. */
int ctr_image_flatten(struct ctr_store *s, const struct ctr_image *im, int fd, struct rs_err *err);

/* One difference between two images: '+' the second has it alone, '-' the first has it alone, '~' both
 * have it and differ, in what `detail` says. */
typedef void ctr_change_fn(void *arg, unsigned layer, char what, const char *path, const struct rs_text *detail);
/* Compares two images, layer by layer (from 1); layers with the same diff id are passed over. `change`
 * gets every entry that differs. *first (may be NULL) is filled in when a layer differs: its first
 * byte that does, and what stands there. Returns the number of differences, or negative. */
int ctr_image_diff(struct ctr_store *s, const struct ctr_image *a, const struct ctr_image *b,
		   ctr_change_fn *change, void *arg, struct rs_text *first, struct rs_err *err);

/* Makes an image of one layer from a folder or a tar archive (plain or compressed). */
struct ctr_new {
	enum ctr_compress compress;
	int level;               /* 0: the default of the compressor */
	unsigned threads;        /* 0: as many as there are processors */
	int64_t epoch;           /* every time in the image; seconds */
	const char *platform;    /* NULL: this machine's */
	const char *comment;     /* of the history entry */
	const char *artifact;    /* artifactType: the file becomes the artifact's one blob */
	const char *artifact_media; /* its media type */
};
int ctr_image_import(struct ctr_store *s, const char *path, const char *name, const struct ctr_new *opts,
		     struct ctr_desc *out, struct rs_err *err);

/* ---- moving ---- */

/* Copies an image. A place is
 *     NAME[:TAG]                       in the store
 *     oci:DIR[:REF]                    an OCI image layout
 *     oci-archive:FILE[:REF]           the same in a tar archive
 *     docker-archive:FILE[:NAME:TAG]   what `docker save` writes
 *     docker://HOST[:PORT]/NAME[:TAG]  a registry
 * An index is copied whole. *out (may be NULL) is what was copied. */
int ctr_image_copy(struct ctr_store *s, const char *from, const char *to, struct ctr_desc *out,
		   struct rs_err *err);

/* ---- building ---- */

/* One step of a build, told when it begins and when it is done. */
struct ctr_build_step {
	unsigned number, total;  /* from 1 */
	const char *stage;       /* its name, or its number as text */
	const char *text;        /* the instruction */
	bool done;               /* the rest is known when it is true: */
	bool cached;             /* the layer was there already */
	struct rs_text why;      /* why not; empty for what makes no layer */
	struct ctr_desc layer;   /* size 0: none was made */
	uint64_t ns;
};
struct ctr_build {
	const char *context;     /* folder */
	const char *file;        /* the Dockerfile; NULL: Dockerfile in the context */
	const char *const *tag;  /* names for the result */
	unsigned tags;
	const char *target;      /* stage to stop at; NULL: the last one */
	const char *const *arg;  /* "NAME=VALUE"; "NAME" takes the value from the environment */
	unsigned args;
	enum ctr_compress compress;
	int level;
	unsigned threads;
	int64_t epoch;           /* every time in new layers; seconds */
	const char *platform;    /* NULL: this machine's */
	bool no_cache;
	void (*step)(void *arg, const struct ctr_build_step *s); /* may be NULL */
	void *step_arg;
};
/* Builds the image and tags it. *unused (may be NULL, appended to) names build arguments that no ARG
 * took. A mistake in the Dockerfile has file, line and column. */
int ctr_image_build(struct ctr_store *s, const struct ctr_build *b, struct ctr_desc *out, struct rs_str *unused,
		    struct rs_err *err);

/* ---- a registry ---- */

struct ctr_serve {
	const char *address;     /* numeric: "127.0.0.1" */
	unsigned port;           /* 0: any that is free */
	const volatile int *stop; /* looked at five times a second; not 0: the server ends */
	void (*ready)(void *arg, unsigned port);
	/* One request was answered. Calls come one after the other, from several threads. */
	void (*log)(void *arg, const char *method, const char *path, int status, uint64_t bytes);
	void *arg;
};
/* Serves the store as a registry (OCI distribution-spec 1.1, without authentication) until it is stopped.
 * Connections that still wait may outlive the call by IDLE_SECONDS: the process should end then. */
int ctr_registry_serve(struct ctr_store *s, const struct ctr_serve *o, struct rs_err *err);

#endif
