/* The registry's server, between its files. Private to containers/.
 *
 *   registry_http.c    the head of a request
 *   registry_serve.c   connections, bodies, answers, which request is whose
 *   registry_docs.c    manifests and lists       registry_blobs.c  blobs and uploads
 */
#ifndef CONTAINERS_REGISTRY_SERVE_H
#define CONTAINERS_REGISTRY_SERVE_H

#include <pthread.h>

#include "containers/image_private.h"
#include "containers/registry_http.h"

#define UPLOADS_MAX 256u

struct ctr_upload {
	char id[33];
	struct ctr_blob blob;
	bool busy;               /* a request works on it */
};

struct ctr_server {
	struct ctr_store *s;
	const struct ctr_serve *o;
	pthread_mutex_t mutex;
	pthread_cond_t left;
	unsigned connections;
	struct ctr_upload *upload[UPLOADS_MAX];
	unsigned long serial;
};

struct ctr_conn {
	struct ctr_server *sv;
	int fd;
	char buf[CTR_HTTP_HEAD_MAX];
	size_t n;                /* bytes in buf that are not used up */
	struct ctr_http h;
	char name[256], rest[512]; /* of the path: repository, what follows "manifests/" and so on */
	/* of the body */
	uint64_t left;
	bool in_chunk, done;
	/* of the answer */
	bool answered;
	int status;
	uint64_t sent;
};

/* The next piece of the request's body, in c->buf. Its size; 0: the end; -1: the connection broke. */
ssize_t ctr_conn_body(struct ctr_conn *c);
void ctr_conn_took(struct ctr_conn *c, size_t n); /* ... n bytes of which were used */
/* The answer; `headers` are whole lines, or NULL. _head alone: the caller sends `length` bytes itself. */
void ctr_answer(struct ctr_conn *c, int status, const char *type, const void *data, size_t n, const char *headers);
void ctr_answer_head(struct ctr_conn *c, int status, const char *type, uint64_t length, const char *headers);
/* distribution-spec, "Error Codes". */
void ctr_refuse(struct ctr_conn *c, int status, const char *code, const char *message);
void ctr_refuse_err(struct ctr_conn *c, int status, const char *code, const struct rs_err *err);

void ctr_serve_manifest(struct ctr_conn *c);       /* NAME/manifests/REST */
void ctr_serve_list(struct ctr_conn *c, const char *name); /* tags of a repository; NULL: repositories */
void ctr_serve_blob(struct ctr_conn *c);           /* NAME/blobs/REST */

#endif
