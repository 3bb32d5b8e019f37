/* Registries (OCI distribution-spec 1.1). Private to containers/.
 *
 *   registry.c       one request: libcurl, authentication, limits
 *   registry_pull.c  manifests and blobs, resumed where a connection broke
 *   registry_push.c  what is missing there, in chunks
 *
 * The other side is not trusted: it may stall, lie, redirect, hang up, or never stop sending. Every
 * body has a limit, every blob is hashed, and a transfer that does not move for a while ends.
 */
#ifndef CONTAINERS_REGISTRY_H
#define CONTAINERS_REGISTRY_H

#include <stddef.h>

#include "containers/image_private.h"

struct ctr_registry {
	void *curl;              /* CURL * */
	char *base;              /* "http://localhost:5000" */
	char *host;              /* as it was given, "localhost:5000" */
	char *name;              /* "library/alpine" */
	char ref[160];           /* tag or digest */
	char *bearer;            /* token; NULL: none yet */
	char *basic;             /* base64 of USER:PASSWORD; NULL: none known */
	const char *scope;       /* "pull" or "pull,push" */
};

struct ctr_request {
	const char *method;      /* "GET" */
	const char *url;         /* whole, or "/v2/..." on the registry */
	const char *accept, *type; /* headers; NULL: none */
	const char *range;       /* Content-Range of what is sent; NULL */
	const void *body;        /* sent; NULL: nothing */
	size_t body_n;
	uint64_t from;           /* Range: bytes=from-; 0: all */
	/* What arrives: 0 goes on. NULL: kept in `answer`, at most CTR_DOC_MAX bytes. */
	int (*take)(void *arg, const void *data, size_t n);
	void *arg;
	/* the answer */
	long status;
	struct rs_str answer;
	char location[2048], digest[CTR_DIGEST_SIZE], media[128], have[64]; /* headers; "" when missing */
	char challenge[1024];
	bool broken;             /* the connection ended before the answer did: may be tried again */
	bool accept_ranges;
};

/* "HOST[:PORT]/NAME[:TAG|@DIGEST]". Plain HTTP on loopback, HTTPS elsewhere. */
int ctr_registry_open(struct ctr_registry *r, const char *name, const char *scope, struct rs_err *err);
void ctr_registry_close(struct ctr_registry *r);
/* One request, with authentication when it is asked for. 0 when an answer came, whatever its status. */
int ctr_registry_do(struct ctr_registry *r, struct ctr_request *q, struct rs_err *err);
void ctr_request_release(struct ctr_request *q);
/* An answer that is not the expected one, as an error: the registry's own words, when it gave any. */
int ctr_registry_fail(struct ctr_registry *r, const struct ctr_request *q, struct rs_err *err);

#endif
