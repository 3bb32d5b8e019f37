/* Blobs of a registry, and uploads of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "containers/registry_serve.h"
#include "engine/base/cleanup.h"

/* ---- blobs ---- */

static void get_blob(struct ctr_conn *c)
{
	struct ctr_desc d = { .size = 0 };
	unsigned long long from = 0, to = 0;
	char headers[300];
	rs_auto_close int fd = -1;
	int n = sscanf(c->h.range, "bytes=%llu-%llu", &from, &to);
	off_t at;

	snprintf(d.digest, sizeof(d.digest), "%.71s", c->rest);
	if (!ctr_digest_ok(c->rest) || !ctr_store_has(c->sv->s, c->rest, &d.size) || (fd = ctr_blob_open(c->sv->s, &d, NULL)) < 0) {
		ctr_refuse(c, 404, "BLOB_UNKNOWN", "there is no such blob");
		return;
	}
	if (n < 1)
		from = 0;
	if (n < 2 || to >= d.size)
		to = d.size ? d.size - 1 : 0;
	if (n >= 1 && (from > to || from >= d.size)) {
		ctr_refuse(c, 416, "RANGE_INVALID", "the blob is not that long");
		return;
	}
	snprintf(headers, sizeof(headers), "Docker-Content-Digest: %s\r\nAccept-Ranges: bytes\r\n", d.digest);
	if (n >= 1)
		snprintf(headers + strlen(headers), sizeof(headers) - strlen(headers), "Content-Range: bytes %llu-%llu/%llu\r\n", from, to,
			 (unsigned long long)d.size);
	ctr_answer_head(c, n >= 1 ? 206 : 200, "application/octet-stream", d.size ? to - from + 1 : 0, headers);
	if (strcmp(c->h.method, "HEAD") == 0)
		return;
	for (at = (off_t)from; (uint64_t)at < d.size && (unsigned long long)at <= to;) {
		ssize_t w = sendfile(c->fd, fd, &at, (size_t)(to - (unsigned long long)at + 1));

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			c->h.close = true;
			return;
		}
		c->sent += (uint64_t)w;
	}
}

/* ---- uploads ---- */

static struct ctr_upload *upload_find(struct ctr_conn *c, const char *id, bool remove)
{
	struct ctr_upload *u = NULL;

	pthread_mutex_lock(&c->sv->mutex);
	for (unsigned i = 0; i < UPLOADS_MAX; i++)
		if (c->sv->upload[i] && strcmp(c->sv->upload[i]->id, id) == 0 && !c->sv->upload[i]->busy) {
			u = c->sv->upload[i];
			u->busy = true;
			if (remove)
				c->sv->upload[i] = NULL;
		}
	pthread_mutex_unlock(&c->sv->mutex);
	if (!u)
		ctr_refuse(c, 404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload, or another request works on it");
	return u;
}

static void upload_rest(struct ctr_conn *c, struct ctr_upload *u)
{
	pthread_mutex_lock(&c->sv->mutex);
	u->busy = false;
	pthread_mutex_unlock(&c->sv->mutex);
}

static struct ctr_upload *upload_new(struct ctr_conn *c, struct rs_err *err)
{
	struct ctr_upload *u = rs_xcalloc(1, sizeof(*u));
	unsigned i = 0;

	if (ctr_blob_begin(c->sv->s, &u->blob, err) < 0) {
		free(u);
		return NULL;
	}
	pthread_mutex_lock(&c->sv->mutex);
	while (i < UPLOADS_MAX && c->sv->upload[i])
		i++;
	if (i < UPLOADS_MAX) {
		snprintf(u->id, sizeof(u->id), "%08lx%08x", ++c->sv->serial, (unsigned)getpid());
		u->busy = true;
		c->sv->upload[i] = u;
	}
	pthread_mutex_unlock(&c->sv->mutex);
	if (i == UPLOADS_MAX) {
		ctr_blob_drop(&u->blob);
		free(u);
		rs_err_set(err, -EAGAIN, "too many uploads at the same time");
		return NULL;
	}
	return u;
}

static void upload_state(struct ctr_conn *c, const struct ctr_upload *u, int status)
{
	char headers[700];

	snprintf(headers, sizeof(headers), "Location: /v2/%s/blobs/uploads/%s\r\nDocker-Upload-UUID: %s\r\nRange: 0-%llu\r\n", c->name, u->id,
		 u->id, (unsigned long long)(u->blob.size ? u->blob.size - 1 : 0));
	ctr_answer(c, status, NULL, NULL, 0, headers);
}

/* The body behind what is there. False: it broke off; what came is kept for a client that comes back. */
static bool upload_body(struct ctr_conn *c, struct ctr_upload *u, struct rs_err *err)
{
	ssize_t n;

	while ((n = ctr_conn_body(c)) > 0) {
		if (ctr_blob_write(&u->blob, c->buf, (size_t)n, err) < 0)
			return false;
		ctr_conn_took(c, (size_t)n);
	}
	return n == 0;
}

static void upload_finish(struct ctr_conn *c, const char *id, const char *digest)
{
	struct ctr_desc want = { .size = 0 }, d = { .size = 0 };
	struct rs_err err = RS_ERR_INIT;
	char headers[700];
	struct ctr_upload *u;

	if (!ctr_digest_ok(digest)) {
		ctr_refuse(c, 400, "DIGEST_INVALID", "the digest must be sha256: and 64 hexadecimal digits");
		return;
	}
	u = upload_find(c, id, true);
	if (!u)
		return;
	if (!upload_body(c, u, &err)) {
		c->h.close = true;
		ctr_blob_drop(&u->blob);
		free(u);
		return;
	}
	strcpy(want.digest, digest);
	want.size = u->blob.size;
	if (ctr_blob_commit(&u->blob, &want, &d, &err) < 0) {
		ctr_refuse_err(c, err.code == -EBADMSG ? 400 : 500, err.code == -EBADMSG ? "DIGEST_INVALID" : "UNKNOWN", &err);
	} else {
		snprintf(headers, sizeof(headers), "Location: /v2/%s/blobs/%s\r\nDocker-Content-Digest: %s\r\n", c->name, digest, digest);
		ctr_answer(c, 201, NULL, NULL, 0, headers);
	}
	free(u);
}

static void upload_post(struct ctr_conn *c)
{
	struct rs_err err = RS_ERR_INIT;
	char digest[256], headers[900];
	struct ctr_upload *u;

	if (ctr_http_query(&c->h, "mount", digest, sizeof(digest)) && ctr_store_has(c->sv->s, digest, NULL)) {
		snprintf(headers, sizeof(headers), "Location: /v2/%s/blobs/%s\r\nDocker-Content-Digest: %s\r\n", c->name, digest, digest);
		ctr_answer(c, 201, NULL, NULL, 0, headers);
		return;
	}
	u = upload_new(c, &err);
	if (!u) {
		ctr_refuse_err(c, 500, "UNKNOWN", &err);
		return;
	}
	if (ctr_http_query(&c->h, "digest", digest, sizeof(digest))) { /* all at once */
		upload_rest(c, u);
		upload_finish(c, u->id, digest);
		return;
	}
	upload_state(c, u, 202);
	upload_rest(c, u);
}

static void upload_patch(struct ctr_conn *c, const char *id)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_upload *u = upload_find(c, id, false);
	unsigned long long from;

	if (!u)
		return;
	if (sscanf(c->h.content_range, "%llu-", &from) == 1 && from != u->blob.size) {
		c->h.close = true; /* its body is not read */
		upload_state(c, u, 416);
	} else if (upload_body(c, u, &err)) {
		upload_state(c, u, 202);
	} else {
		c->h.close = true;
		if (err.code)
			ctr_refuse_err(c, 500, "UNKNOWN", &err);
	}
	upload_rest(c, u);
}

static void upload(struct ctr_conn *c)
{
	const char *id = c->rest + strlen("uploads/");
	char digest[256];
	struct ctr_upload *u;

	if (strcmp(c->h.method, "POST") == 0) {
		upload_post(c);
	} else if (strcmp(c->h.method, "PATCH") == 0) {
		upload_patch(c, id);
	} else if (strcmp(c->h.method, "PUT") == 0) {
		if (!ctr_http_query(&c->h, "digest", digest, sizeof(digest)))
			digest[0] = '\0';
		upload_finish(c, id, digest);
	} else if (strcmp(c->h.method, "GET") == 0) {
		u = upload_find(c, id, false);
		if (u) {
			upload_state(c, u, 204);
			upload_rest(c, u);
		}
	} else if (strcmp(c->h.method, "DELETE") == 0) {
		u = upload_find(c, id, true);
		if (u) {
			ctr_blob_drop(&u->blob);
			free(u);
			ctr_answer(c, 204, NULL, NULL, 0, NULL);
		}
	} else {
		ctr_refuse(c, 405, "UNSUPPORTED", "this method is not for uploads");
	}
}

void ctr_serve_blob(struct ctr_conn *c)
{
	if (strncmp(c->rest, "uploads/", 8) == 0)
		upload(c);
	else if (strcmp(c->h.method, "GET") == 0 || strcmp(c->h.method, "HEAD") == 0)
		get_blob(c);
	else
		ctr_refuse(c, 405, "UNSUPPORTED", "blobs are not removed one by one");
}
