/* A small registry for a classroom: OCI distribution-spec 1.1 upon an image store, whose names are
 * NAME:TAG. One thread a connection, a bounded number of them, and nobody is waited for longer than
 * IDLE_SECONDS. Blobs belong to the store, not to a repository: whoever knows a digest may have it.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "containers/registry_serve.h"
#include "engine/base/cleanup.h"

#define CONNECTIONS_MAX 32u
#define IDLE_SECONDS 30

/* ---- bytes ---- */

static bool write_all(struct ctr_conn *c, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t w = send(c->fd, p, n, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

static ssize_t more(struct ctr_conn *c)
{
	ssize_t n;

	if (c->n == sizeof(c->buf))
		return 0;
	do
		n = recv(c->fd, c->buf + c->n, sizeof(c->buf) - c->n, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		c->n += (size_t)n;
	return n;
}

static void used(struct ctr_conn *c, size_t n)
{
	memmove(c->buf, c->buf + n, c->n - n);
	c->n -= n;
}

/* Up to the empty line. Bytes of the head, 0 when there is none. */
static size_t read_head(struct ctr_conn *c)
{
	for (;;) {
		const char *end = memmem(c->buf, c->n, "\r\n\r\n", 4);

		if (end)
			return (size_t)(end - c->buf) + 4;
		/* a client that tries TLS first must not wait for an answer that never comes */
		if (c->n && (c->buf[0] < 'A' || c->buf[0] > 'z'))
			return 0;
		if (more(c) <= 0)
			return 0;
	}
}

/* One line of chunked encoding; false: the connection is of no use any more. */
static bool chunk_size(struct ctr_conn *c)
{
	for (;;) {
		const char *nl = memchr(c->buf, '\n', c->n);

		if (nl) {
			char *end;

			if (nl == c->buf || (nl == c->buf + 1 && c->buf[0] == '\r')) { /* behind the last chunk */
				used(c, (size_t)(nl - c->buf) + 1);
				continue;
			}
			if (nl - c->buf > 30)
				return false;
			c->left = strtoull(c->buf, &end, 16);
			if (end == c->buf || c->left > (1ull << 50))
				return false;
			used(c, (size_t)(nl - c->buf) + 1);
			c->in_chunk = true;
			if (!c->left)
				c->done = true;
			return true;
		}
		if (more(c) <= 0)
			return false;
	}
}

/* The next piece of the body in c->buf. Its size; 0: the end; -1: it broke. Call used() on it. */
ssize_t ctr_conn_body(struct ctr_conn *c)
{
	if (c->h.chunked && !c->done && !c->left && !chunk_size(c))
		return -1;
	if (c->done || !c->left)
		return 0;
	if (!c->n && more(c) <= 0)
		return -1;
	return (ssize_t)(c->n < c->left ? c->n : (size_t)c->left);
}

void ctr_conn_took(struct ctr_conn *c, size_t n)
{
	used(c, n);
	c->left -= n;
	if (!c->left && !c->h.chunked)
		c->done = true;
}

/* ---- answers ---- */

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 206, "Partial Content" },
		{ 400, "Bad Request" }, { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 413, "Content Too Large" },
		{ 416, "Range Not Satisfiable" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "Error";
}

/* The head of the answer; `headers` are whole lines. */
void ctr_answer_head(struct ctr_conn *c, int status, const char *type, uint64_t length, const char *headers)
{
	rs_auto_str s = RS_STR_INIT;

	rs_str_addf(&s, "HTTP/1.1 %d %s\r\nDocker-Distribution-Api-Version: registry/2.0\r\n", status, reason(status));
	if (status != 204)
		rs_str_addf(&s, "Content-Length: %llu\r\n", (unsigned long long)length);
	if (type)
		rs_str_addf(&s, "Content-Type: %s\r\n", type);
	rs_str_addf(&s, "%s%s\r\n", headers ? headers : "", c->h.close ? "Connection: close\r\n" : "");
	c->answered = true;
	c->status = status;
	if (!write_all(c, s.p, s.len))
		c->h.close = true;
}

void ctr_answer(struct ctr_conn *c, int status, const char *type, const void *data, size_t n, const char *headers)
{
	ctr_answer_head(c, status, type, n, headers);
	if (strcmp(c->h.method, "HEAD") != 0 && n) {
		c->sent += n;
		if (!write_all(c, data, n))
			c->h.close = true;
	}
}

/* distribution-spec, "Error Codes". */
void ctr_refuse(struct ctr_conn *c, int status, const char *code, const char *message)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array(), *e = json_object_new_object();
	rs_auto_str s = RS_STR_INIT;

	json_object_object_add(e, "code", json_object_new_string(code));
	json_object_object_add(e, "message", ctr_json_str(message));
	json_object_array_add(list, e);
	json_object_object_add(o, "errors", list);
	ctr_json_text(o, false, &s);
	json_object_put(o);
	ctr_answer(c, status, "application/json", s.p, s.len, NULL);
}

void ctr_refuse_err(struct ctr_conn *c, int status, const char *code, const struct rs_err *err)
{
	ctr_refuse(c, status, code, err->text[RS_LANG_EN]);
}

/* ---- one request ---- */

/* "/v2/NAME/WHAT/REST": NAME may have slashes, so WHAT is looked for from the right. */
static bool split(struct ctr_conn *c, const char *what)
{
	const char *p = c->h.path + 4, *at = NULL;
	struct ctr_ref ref;

	for (const char *k = p; (k = strstr(k, what)); k++)
		at = k;
	if (!at || at == p || (size_t)(at - p) >= sizeof(c->name) || strlen(at + strlen(what)) >= sizeof(c->rest))
		return false;
	memcpy(c->name, p, (size_t)(at - p));
	c->name[at - p] = '\0';
	strcpy(c->rest, at + strlen(what));
	return !strpbrk(c->name, ":@") && ctr_ref_parse(c->name, &ref, NULL) == 0;
}

static bool tag_ok(const char *tag)
{
	struct ctr_ref ref;
	rs_auto_free char *full = rs_xasprintf("x:%s", tag);

	return ctr_digest_ok(tag) || (!strchr(tag, '@') && ctr_ref_parse(full, &ref, NULL) == 0);
}

static void dispatch(struct ctr_conn *c)
{
	const char *m = c->h.method;
	bool get = strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0;

	if (strncmp(c->h.path, "/v2/", 4) != 0 && strcmp(c->h.path, "/v2") != 0) {
		ctr_refuse(c, 404, "UNSUPPORTED", "a registry answers below /v2/");
	} else if (get && (strcmp(c->h.path, "/v2/") == 0 || strcmp(c->h.path, "/v2") == 0)) {
		ctr_answer(c, 200, "application/json", "{}", 2, NULL);
	} else if (get && strcmp(c->h.path, "/v2/_catalog") == 0) {
		ctr_serve_list(c, NULL);
	} else if (split(c, "/blobs/")) {
		ctr_serve_blob(c);
	} else if (split(c, "/manifests/") && tag_ok(c->rest)) {
		ctr_serve_manifest(c);
	} else if (get && split(c, "/tags/list")) {
		ctr_serve_list(c, c->name);
	} else {
		ctr_refuse(c, 404, "NAME_INVALID", "there is nothing of this name");
	}
}

/* False: the connection ends. */
static bool request(struct ctr_conn *c)
{
	size_t n = read_head(c);
	int bad;

	if (!n)
		return false;
	bad = ctr_http_parse(c->buf, n, &c->h);
	used(c, n);
	c->left = c->h.has_length ? c->h.length : 0;
	c->in_chunk = false;
	c->done = !c->h.chunked && !c->left;
	c->answered = false;
	c->status = 0;
	c->sent = 0;
	if (bad) {
		c->h.close = true;
		ctr_refuse(c, bad, "UNSUPPORTED", "this request cannot be understood");
	} else {
		if (c->h.expect && !write_all(c, "HTTP/1.1 100 Continue\r\n\r\n", 25))
			return false;
		dispatch(c);
	}
	if (c->sv->o->log) {
		pthread_mutex_lock(&c->sv->mutex);
		c->sv->o->log(c->sv->o->arg, c->h.method, c->h.path, c->status, c->sent);
		pthread_mutex_unlock(&c->sv->mutex);
	}
	/* a body that nobody wanted */
	while (c->answered && !c->h.close && !c->done) {
		ssize_t k = ctr_conn_body(c);

		if (k < 0)
			return false;
		if (k == 0)
			break;
		ctr_conn_took(c, (size_t)k);
	}
	return c->answered && !c->h.close;
}

static void *serve_one(void *arg)
{
	struct ctr_conn *c = arg;
	struct ctr_server *sv = c->sv;

	while (!*sv->o->stop && request(c))
		;
	close(c->fd);
	free(c);
	pthread_mutex_lock(&sv->mutex);
	sv->connections--;
	pthread_cond_broadcast(&sv->left);
	pthread_mutex_unlock(&sv->mutex);
	return NULL;
}

/* ---- the server ---- */

static int listen_at(const struct ctr_serve *o, unsigned *port, struct rs_err *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *ai = NULL;
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	char service[16], got[16];
	int fd, one = 1, e;

	snprintf(service, sizeof(service), "%u", o->port);
	e = getaddrinfo(o->address, service, &hints, &ai);
	if (e)
		return rs_err_set(err, -EINVAL, "\"%s\" is not an address to listen at: %s", o->address, gai_strerror(e));
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 64) < 0) {
		e = errno;
		freeaddrinfo(ai);
		if (fd >= 0)
			close(fd);
		return rs_err_errno(err, e, "cannot listen at %s port %u", o->address, o->port);
	}
	freeaddrinfo(ai);
	getsockname(fd, (struct sockaddr *)&at, &len);
	getnameinfo((struct sockaddr *)&at, len, NULL, 0, got, sizeof(got), NI_NUMERICSERV);
	*port = (unsigned)atoi(got);
	return fd;
}

static void accept_one(struct ctr_server *sv, int fd)
{
	struct timeval idle = { IDLE_SECONDS, 0 };
	struct ctr_conn *c;
	pthread_t t;
	int k = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (k < 0)
		return;
	setsockopt(k, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	setsockopt(k, SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof(idle));
	c = rs_xcalloc(1, sizeof(*c));
	c->sv = sv;
	c->fd = k;
	pthread_mutex_lock(&sv->mutex);
	while (sv->connections == CONNECTIONS_MAX && !*sv->o->stop)
		pthread_cond_wait(&sv->left, &sv->mutex);
	sv->connections++;
	pthread_mutex_unlock(&sv->mutex);
	if (pthread_create(&t, NULL, serve_one, c) == 0) {
		pthread_detach(t);
		return;
	}
	close(k);
	free(c);
	pthread_mutex_lock(&sv->mutex);
	sv->connections--;
	pthread_mutex_unlock(&sv->mutex);
}

int ctr_registry_serve(struct ctr_store *s, const struct ctr_serve *o, struct rs_err *err)
{
	struct ctr_server sv = { .s = s, .o = o };
	unsigned port = 0;
	int fd = listen_at(o, &port, err);

	if (fd < 0)
		return fd;
	pthread_mutex_init(&sv.mutex, NULL);
	pthread_cond_init(&sv.left, NULL);
	if (o->ready)
		o->ready(o->arg, port);
	while (!*o->stop) {
		struct pollfd p = { fd, POLLIN, 0 };

		if (poll(&p, 1, 200) > 0)
			accept_one(&sv, fd);
	}
	close(fd);
	/* connections that wait for a request end by themselves; those at work are let finish */
	pthread_mutex_lock(&sv.mutex);
	while (sv.connections) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 2;
		if (pthread_cond_timedwait(&sv.left, &sv.mutex, &until) == ETIMEDOUT)
			break;
	}
	pthread_mutex_unlock(&sv.mutex);
	return 0;
}
