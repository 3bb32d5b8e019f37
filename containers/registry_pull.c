/* Pulling. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "containers/registry.h"
#include "engine/base/cleanup.h"

#define TRIES 5

static const char accept_all[] = CTR_MEDIA_INDEX ", " CTR_MEDIA_MANIFEST
	", application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/* The document behind a tag or digest. What the registry says about its digest is checked. */
static int get_manifest(struct ctr_registry *r, struct ctr_store *s, const char *ref, const struct ctr_desc *expect,
			struct ctr_desc *out, struct rs_err *err)
{
	rs_auto_free char *url = rs_xasprintf("/v2/%s/manifests/%s", r->name, ref);
	struct ctr_request q = { .method = "GET", .url = url, .accept = accept_all };
	char digest[CTR_DIGEST_SIZE];
	int ret = ctr_registry_do(r, &q, err);

	if (ret == 0 && q.status != 200)
		ret = ctr_registry_fail(r, &q, err);
	if (ret == 0) {
		const char *want = expect ? expect->digest : strncmp(ref, "sha256:", 7) == 0 ? ref : *q.digest ? q.digest : NULL;

		ctr_digest_of(q.answer.p, q.answer.len, digest);
		q.media[strcspn(q.media, ";")] = '\0';
		if (want && strcmp(want, digest) != 0)
			ret = rs_err_set(err, -EBADMSG, "the registry %s sends a manifest that hashes to %s, not to %s", r->host, digest, want);
		else if (expect && q.answer.len != expect->size)
			ret = rs_err_set(err, -EBADMSG, "the blob %s has %llu bytes, but its descriptor says %llu", digest,
					 (unsigned long long)q.answer.len, (unsigned long long)expect->size);
		else
			ret = ctr_blob_put(s, expect ? expect->media : q.media, q.answer.p, q.answer.len, out, err);
	}
	ctr_request_release(&q);
	return ret;
}

struct download {
	struct ctr_registry *r;
	struct ctr_store *store;
	struct ctr_blob blob;
	const struct ctr_desc *d;
	struct ctr_request *q;
	struct rs_err *err;
};

static int take(void *arg, const void *data, size_t n)
{
	struct download *l = arg;

	if (l->q->from && l->q->status == 200) { /* asked for the rest, and given the whole */
		int ret;

		ctr_blob_drop(&l->blob);
		l->q->from = 0;
		ret = ctr_blob_begin(l->store, &l->blob, l->err);
		if (ret < 0)
			return ret;
	}
	if (l->blob.size + n > l->d->size)
		return rs_err_set(l->err, -EBADMSG, "the registry %s sends more than the %llu bytes of %s", l->r->host,
				  (unsigned long long)l->d->size, l->d->digest);
	return ctr_blob_write(&l->blob, data, n, l->err);
}

static void pause_before(unsigned try)
{
	struct timespec ts = { try > 3 ? 2 : 0, try > 3 ? 0 : 100000000l * (1l << try) };

	nanosleep(&ts, NULL);
}

static int get_blob(struct ctr_registry *r, struct ctr_store *s, const struct ctr_desc *d, struct rs_err *err)
{
	rs_auto_free char *url = rs_xasprintf("/v2/%s/blobs/%s", r->name, d->digest);
	struct ctr_request q = { .method = "GET", .url = url, .accept = "*/*", .take = take };
	struct download l = { .r = r, .store = s, .d = d, .q = &q, .err = err };
	uint64_t size;
	int ret;

	if (ctr_store_has(s, d->digest, &size) && size == d->size)
		return 0;
	ret = ctr_blob_begin(s, &l.blob, err);
	if (ret < 0)
		return ret;
	q.arg = &l;
	for (unsigned try = 0;; try++) {
		q.from = l.blob.size;
		ret = ctr_registry_do(r, &q, err);
		if (ret == 0 && q.status != 200 && q.status != 206)
			ret = ctr_registry_fail(r, &q, err);
		/* a connection that broke is taken up where it ended */
		if (ret == 0 || !q.broken || try + 1 == TRIES)
			break;
		pause_before(try);
	}
	ctr_request_release(&q);
	if (ret < 0) {
		ctr_blob_drop(&l.blob);
		return ret;
	}
	return ctr_blob_commit(&l.blob, d, NULL, err);
}

struct pull {
	struct ctr_registry *r;
	struct ctr_store *s;
};

static int get_one(void *arg, const struct ctr_desc *d, struct rs_err *err)
{
	struct pull *p = arg;
	struct ctr_desc got;
	uint64_t size;

	if (ctr_store_has(p->s, d->digest, &size) && size == d->size)
		return 0;
	if (ctr_desc_is_doc(d))
		return get_manifest(p->r, p->s, d->digest, d, &got, err);
	return get_blob(p->r, p->s, d, err);
}

int ctr_registry_pull(struct ctr_store *s, const char *name, struct ctr_desc *out, char found[400], struct rs_err *err)
{
	struct ctr_registry r;
	struct pull p = { &r, s };
	int ret = ctr_registry_open(&r, name, "pull", err);

	ret = ret < 0 ? ret : get_manifest(&r, s, r.ref, NULL, out, err);
	if (ret == 0)
		ret = ctr_desc_walk(s, out, get_one, &p, err);
	snprintf(found, 400, "%s", name);
	ctr_registry_close(&r);
	return ret;
}
