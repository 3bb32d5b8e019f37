/* Pushing: blobs that the registry has not, then manifests, the outermost one last. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers/registry.h"
#include "engine/base/cleanup.h"

#define CHUNK (8u << 20)
#define TRIES 5

static int has_blob(struct ctr_registry *r, const char *digest, bool *has, struct rs_err *err)
{
	rs_auto_free char *url = rs_xasprintf("/v2/%s/blobs/%s", r->name, digest);
	struct ctr_request q = { .method = "HEAD", .url = url };
	int ret = ctr_registry_do(r, &q, err);

	*has = q.status == 200;
	if (ret == 0 && q.status != 200 && q.status != 404)
		ret = ctr_registry_fail(r, &q, err);
	ctr_request_release(&q);
	return ret;
}

/* How far an upload came: "0-1023". */
static uint64_t offset_of(const char *range)
{
	const char *dash = strchr(range, '-');

	return dash ? strtoull(dash + 1, NULL, 10) + 1 : 0;
}

static void keep(char *location, const struct ctr_request *q)
{
	if (q->location[0])
		snprintf(location, sizeof(q->location), "%s", q->location);
}

/* After a broken connection: asks how far it came. */
static int resume(struct ctr_registry *r, char *location, uint64_t *at, struct rs_err *err)
{
	struct ctr_request q = { .method = "GET", .url = location };
	int ret = ctr_registry_do(r, &q, err);

	if (ret == 0 && q.status != 204 && q.status != 202 && q.status != 200)
		ret = ctr_registry_fail(r, &q, err);
	if (ret == 0) {
		*at = q.have[0] && strcmp(q.have, "0-0") != 0 ? offset_of(q.have) : 0;
		keep(location, &q);
	}
	ctr_request_release(&q);
	return ret;
}

static int send_chunks(struct ctr_registry *r, int fd, const struct ctr_desc *d, char *location, struct rs_err *err)
{
	rs_auto_free char *buf = rs_xmalloc(CHUNK);
	uint64_t at = 0;
	unsigned broken = 0;

	while (at < d->size) {
		ssize_t n = pread(fd, buf, CHUNK, (off_t)at);
		char range[64];
		struct ctr_request q = { .method = "PATCH", .url = location, .type = "application/octet-stream", .range = range, .body = buf };
		int ret;

		if (n <= 0)
			return rs_err_errno(err, n < 0 ? errno : EIO, "cannot read the blob %s", d->digest);
		snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)at, (unsigned long long)at + (unsigned long long)n - 1);
		q.body_n = (size_t)n;
		ret = ctr_registry_do(r, &q, err);
		if (ret == 0 && (q.status == 202 || q.status == 204)) {
			uint64_t next = q.have[0] ? offset_of(q.have) : at + (uint64_t)n;

			if (next <= at || next > d->size)
				ret = rs_err_set(err, -EBADMSG, "the registry %s says that it has %llu bytes, of %llu that were sent", r->host,
						 (unsigned long long)next, (unsigned long long)at + (unsigned long long)n);
			at = next;
			keep(location, &q);
		} else if (ret == 0 && q.status == 416) { /* it has another part than we think */
			ret = ++broken < TRIES ? resume(r, location, &at, err) : ctr_registry_fail(r, &q, err);
		} else if (ret == 0) {
			ret = ctr_registry_fail(r, &q, err);
		} else if (q.broken && ++broken < TRIES) {
			usleep(100000u << broken);
			ret = resume(r, location, &at, err);
		}
		ctr_request_release(&q);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ... finished by its digest, which the registry checks. */
static int put_blob(struct ctr_registry *r, struct ctr_store *s, const struct ctr_desc *d, struct rs_err *err)
{
	rs_auto_close int fd = ctr_blob_open(s, d, err);
	rs_auto_free char *start = rs_xasprintf("/v2/%s/blobs/uploads/", r->name), *last = NULL;
	struct ctr_request q = { .method = "POST", .url = start };
	char location[2048];
	int ret = fd < 0 ? fd : ctr_registry_do(r, &q, err);

	if (ret == 0 && (q.status != 202 || !q.location[0]))
		ret = ctr_registry_fail(r, &q, err);
	snprintf(location, sizeof(location), "%s", q.location);
	ctr_request_release(&q);
	ret = ret < 0 ? ret : send_chunks(r, fd, d, location, err);
	if (ret < 0)
		return ret;
	last = rs_xasprintf("%s%sdigest=%s", location, strchr(location, '?') ? "&" : "?", d->digest);
	q = (struct ctr_request){ .method = "PUT", .url = last, .type = "application/octet-stream" };
	ret = ctr_registry_do(r, &q, err);
	if (ret == 0 && q.status != 201)
		ret = ctr_registry_fail(r, &q, err);
	ctr_request_release(&q);
	return ret;
}

static int put_manifest(struct ctr_registry *r, struct ctr_store *s, const struct ctr_desc *d, const char *ref,
			struct rs_err *err)
{
	rs_auto_free char *url = rs_xasprintf("/v2/%s/manifests/%s", r->name, ref);
	rs_auto_str text = RS_STR_INIT;
	struct ctr_request q = { .method = "PUT", .url = url, .type = d->media };
	int ret = ctr_store_doc(s, d, &text, err);

	if (ret < 0)
		return ret;
	q.body = text.p;
	q.body_n = text.len;
	ret = ctr_registry_do(r, &q, err);
	if (ret == 0 && q.status != 201)
		ret = ctr_registry_fail(r, &q, err);
	else if (ret == 0 && q.digest[0] && strcmp(q.digest, d->digest) != 0)
		ret = rs_err_set(err, -EBADMSG, "the registry %s stored %s as %s", r->host, d->digest, q.digest);
	ctr_request_release(&q);
	return ret;
}

struct push {
	struct ctr_registry *r;
	struct ctr_store *s;
	struct ctr_desc *doc;    /* manifests, outermost first */
	unsigned docs;
};

static int put_one(void *arg, const struct ctr_desc *d, struct rs_err *err)
{
	struct push *p = arg;
	bool has;
	int ret;

	if (ctr_desc_is_doc(d)) {
		p->doc = rs_xrealloc(p->doc, p->docs + 1, sizeof(*p->doc));
		p->doc[p->docs++] = *d;
		return 0;
	}
	ret = has_blob(p->r, d->digest, &has, err);
	return ret < 0 || has ? ret : put_blob(p->r, p->s, d, err);
}

int ctr_registry_push(struct ctr_store *s, const struct ctr_desc *d, const char *name, struct rs_err *err)
{
	struct ctr_registry r;
	struct push p = { &r, s, NULL, 0 };
	int ret = ctr_registry_open(&r, name, "pull,push", err);

	ret = ret < 0 ? ret : ctr_desc_walk(s, d, put_one, &p, err);
	for (unsigned i = p.docs; ret == 0 && i-- > 0;)
		ret = put_manifest(&r, s, &p.doc[i], i ? p.doc[i].digest : r.ref, err);
	free(p.doc);
	ctr_registry_close(&r);
	return ret;
}
