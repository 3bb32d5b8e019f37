/* The content store, seen from inside containers/.
 *
 *     DIR/oci-layout, index.json, blobs/sha256/HEX   an OCI image layout (image-layout.md)
 *     DIR/tmp/            files that are being written; they have no other name yet
 *     DIR/cache/          what builds remember (build_cache.c)
 *     DIR/lock            shared by whoever works with blobs, exclusive for the collector
 *     DIR/index.lock      held for the moment in which index.json is replaced
 *
 * What must stay true: a file under blobs/ is complete, synced, and hashes to its name, because it
 * gets that name only by rename after both. A kill leaves files in tmp/ at worst; whoever holds the
 * exclusive lock knows that nobody writes them any more. Locks end with their process (flock).
 */
#ifndef CONTAINERS_STORE_H
#define CONTAINERS_STORE_H

#include <openssl/evp.h>

#include "containers/image.h"

#define CTR_DOC_MAX (4u << 20) /* distribution-spec: registries must take manifests of 4 MiB */

#define CTR_MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define CTR_MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define CTR_MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define CTR_MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"
#define CTR_MEDIA_EMPTY "application/vnd.oci.empty.v1+json"
#define CTR_REF_NAME "org.opencontainers.image.ref.name"

/* -- sha256 -- */
struct ctr_hash {
	EVP_MD_CTX *ctx;
};
void ctr_hash_begin(struct ctr_hash *h);
void ctr_hash_add(struct ctr_hash *h, const void *data, size_t n);
void ctr_hash_end(struct ctr_hash *h, char digest[CTR_DIGEST_SIZE]); /* and frees */
void ctr_hash_raw(struct ctr_hash *h, unsigned char sum[32]);         /* the same, as bytes */
void ctr_hash_drop(struct ctr_hash *h);                               /* frees; unused is fine */
void ctr_digest_of(const void *data, size_t n, char digest[CTR_DIGEST_SIZE]);

/* -- blobs -- */
bool ctr_store_has(const struct ctr_store *s, const char *digest, uint64_t *size);
/* Opens the blob, whose size must be that of `d`. Its content is not checked here. */
int ctr_blob_open(const struct ctr_store *s, const struct ctr_desc *d, struct rs_err *err);

/* A blob that is being written. */
struct ctr_blob {
	struct ctr_store *store;
	int fd;                  /* -1: none */
	char *tmp;               /* its name under tmp/ */
	uint64_t size;
	struct ctr_hash hash;
};
int ctr_blob_begin(struct ctr_store *s, struct ctr_blob *b, struct rs_err *err);
int ctr_blob_write(struct ctr_blob *b, const void *data, size_t n, struct rs_err *err);
/* Syncs it and gives it its name. `d` is filled in but for the media type. When `expect` is not
 * NULL its digest and size must match (-EBADMSG). The blob is released in any case. */
int ctr_blob_commit(struct ctr_blob *b, const struct ctr_desc *expect, struct ctr_desc *d,
		    struct rs_err *err);
void ctr_blob_drop(struct ctr_blob *b);
/* Stores bytes as a blob of this media type. */
int ctr_blob_put(struct ctr_store *s, const char *media, const void *data, size_t n, struct ctr_desc *d,
		 struct rs_err *err);
/* Copies a blob from another store, hashing it on the way. Nothing to do when it is here. */
int ctr_blob_copy(struct ctr_store *to, const struct ctr_store *from, const struct ctr_desc *d,
		  struct rs_err *err);

/* A new empty folder or file under tmp/, gone at the latest when the collector comes. Caller frees. */
char *ctr_store_tmp(struct ctr_store *s, const char *what);
char *ctr_store_path(const struct ctr_store *s, const char *sub); /* DIR/sub; caller frees */

/* Is it a manifest or an index, that is: a document that refers to others? */
bool ctr_desc_is_doc(const struct ctr_desc *d);
/* Calls `fn` for every descriptor that the document `d` refers to, itself first, each once a call;
 * reads manifests and indexes and checks them. A descriptor whose blob is missing is passed on, too,
 * and not followed. `fn` returns 0 or an error that ends the walk. */
typedef int ctr_desc_fn(void *arg, const struct ctr_desc *d, struct rs_err *err);
int ctr_desc_walk(struct ctr_store *s, const struct ctr_desc *d, ctr_desc_fn *fn, void *arg,
		  struct rs_err *err);

#endif
