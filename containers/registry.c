/* One request to a registry. */
#include "containers/registry.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "containers/libs.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define CONNECT_SECONDS 10L
#define STALL_SECONDS 30L
#define REDIRECTS 5L

static const struct ctr_curl *lib; /* set by every ctr_registry_open, to the same */

/* ---- where ---- */

static bool loopback(const char *host)
{
	return strncmp(host, "localhost", 9) == 0 || strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0;
}

/* The credentials that `docker login` and `skopeo login` leave (containers-auth.json(5)). */
static char *credentials(const char *host)
{
	const char *home = getenv("HOME"), *run = getenv("XDG_RUNTIME_DIR"), *file = getenv("REGISTRY_AUTH_FILE");
	char *paths[] = {
		file ? rs_xstrdup(file) : NULL,
		run ? rs_xasprintf("%s/containers/auth.json", run) : NULL,
		home ? rs_xasprintf("%s/.docker/config.json", home) : NULL,
	};
	char *found = NULL;

	for (unsigned i = 0; i < 3; i++) {
		rs_auto_str text = RS_STR_INIT, pointer = RS_STR_INIT;
		struct ctr_json j;
		const char *v = NULL;

		if (!found && paths[i] && rs_file_read(paths[i], 1u << 20, &text, NULL) == 0 &&
		    ctr_json_parse(&j, paths[i], text.p, text.len, NULL) == 0) {
			rs_str_addf(&pointer, "/auths/%s/auth", host);
			if (ctr_json_string(&j, pointer.p, false, &v, NULL) == 0 && v && strpbrk(v, "\r\n") == NULL)
				found = rs_xstrdup(v);
			ctr_json_release(&j);
		}
		free(paths[i]);
	}
	return found;
}

int ctr_registry_open(struct ctr_registry *r, const char *name, const char *scope, struct rs_err *err)
{
	struct ctr_ref ref;
	const char *slash;
	size_t n;
	int ret = ctr_ref_parse(name, &ref, err);

	memset(r, 0, sizeof(*r));
	if (ret < 0)
		return ret;
	slash = strchr(ref.name, '/');
	n = slash ? (size_t)(slash - ref.name) : 0;
	if (n && (memchr(ref.name, '.', n) || memchr(ref.name, ':', n) || (n == 9 && memcmp(ref.name, "localhost", 9) == 0))) {
		r->host = strndup(ref.name, n);
		r->name = rs_xstrdup(slash + 1);
	} else { /* what docker calls by one word */
		r->host = rs_xstrdup("registry-1.docker.io");
		r->name = slash ? rs_xstrdup(ref.name) : rs_xasprintf("library/%s", ref.name);
	}
	snprintf(r->ref, sizeof(r->ref), "%s", ref.digest[0] ? ref.digest : ref.tag);
	r->base = rs_xasprintf("%s://%s", loopback(r->host) ? "http" : "https", r->host);
	r->basic = credentials(r->host);
	r->scope = scope;
	lib = ctr_curl(err);
	if (!lib) {
		ctr_registry_close(r);
		return -ENOENT;
	}
	r->curl = lib->curl_easy_init();
	if (!r->curl)
		rs_oom();
	return 0;
}

void ctr_registry_close(struct ctr_registry *r)
{
	if (r->curl)
		lib->curl_easy_cleanup(r->curl);
	free(r->base);
	free(r->host);
	free(r->name);
	free(r->bearer);
	free(r->basic);
	memset(r, 0, sizeof(*r));
}

void ctr_request_release(struct ctr_request *q)
{
	rs_str_release(&q->answer);
}

/* ---- the transfer ---- */

struct transfer {
	struct ctr_request *q;
	CURL *curl;
	size_t sent;
	bool refused, too_long;
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	long status = 0;

	n *= size;
	lib->curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	/* what comes with an error is a sentence, not the blob */
	if (t->q->take && (status == 200 || status == 206)) {
		t->q->status = status;
		if (t->q->take(t->q->arg, data, n) < 0) {
			t->refused = true;
			return 0;
		}
		return n;
	}
	if (t->q->answer.len + n > CTR_DOC_MAX) {
		t->too_long = true;
		return 0;
	}
	if (!t->q->answer.p)
		t->q->answer = (struct rs_str)RS_STR_INIT;
	rs_str_addn(&t->q->answer, data, n);
	return n;
}

static void header(const char *line, size_t n, const char *name, char *out, size_t size)
{
	size_t k = strlen(name);

	if (n <= k || strncasecmp(line, name, k) != 0)
		return;
	line += k;
	n -= k;
	while (n && isspace((unsigned char)*line)) {
		line++;
		n--;
	}
	while (n && isspace((unsigned char)line[n - 1]))
		n--;
	snprintf(out, size, "%.*s", (int)(n < size ? n : size - 1), line);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct ctr_request *q = ((struct transfer *)arg)->q;
	char ranges[32] = "";

	n *= size;
	header(line, n, "location:", q->location, sizeof(q->location));
	header(line, n, "docker-content-digest:", q->digest, sizeof(q->digest));
	header(line, n, "content-type:", q->media, sizeof(q->media));
	header(line, n, "range:", q->have, sizeof(q->have));
	header(line, n, "www-authenticate:", q->challenge, sizeof(q->challenge));
	header(line, n, "accept-ranges:", ranges, sizeof(ranges));
	if (strcasecmp(ranges, "bytes") == 0)
		q->accept_ranges = true;
	return n;
}

static size_t on_send(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t k = t->q->body_n - t->sent;

	n *= size;
	if (k > n)
		k = n;
	memcpy(data, (const char *)t->q->body + t->sent, k);
	t->sent += k;
	return k;
}

static int on_rewind(void *arg, curl_off_t offset, int origin)
{
	struct transfer *t = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > t->q->body_n)
		return CURL_SEEKFUNC_FAIL;
	t->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
	rs_auto_free char *line = value ? rs_xasprintf("%s: %s", name, value) : NULL;

	return line ? lib->curl_slist_append(list, line) : list;
}

static int once(struct ctr_registry *r, struct ctr_request *q, const char *auth, struct rs_err *err)
{
	CURL *c = r->curl;
	struct transfer t = { .q = q, .curl = c };
	rs_auto_free char *url = q->url[0] == '/' ? rs_xasprintf("%s%s", r->base, q->url) : rs_xstrdup(q->url);
	struct curl_slist *headers = NULL;
	char range[40], message[CURL_ERROR_SIZE] = "";
	CURLcode e;

	rs_str_release(&q->answer);
	q->location[0] = q->digest[0] = q->media[0] = q->have[0] = q->challenge[0] = '\0';
	q->broken = false;
	lib->curl_easy_reset(c);
	lib->curl_easy_setopt(c, CURLOPT_URL, url);
	lib->curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	lib->curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, strncmp(r->base, "https", 5) == 0 ? "https" : "http,https");
	lib->curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	lib->curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	lib->curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	lib->curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	lib->curl_easy_setopt(c, CURLOPT_USERAGENT, "ringside");
	lib->curl_easy_setopt(c, CURLOPT_ERRORBUFFER, message);
	lib->curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	lib->curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
	lib->curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	lib->curl_easy_setopt(c, CURLOPT_HEADERDATA, &t);
	if (strcmp(q->method, "HEAD") == 0) {
		lib->curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	} else if (strcmp(q->method, "GET") == 0) {
		lib->curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
		lib->curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS);
	} else {
		lib->curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		lib->curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
		lib->curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send);
		lib->curl_easy_setopt(c, CURLOPT_READDATA, &t);
		lib->curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_rewind);
		lib->curl_easy_setopt(c, CURLOPT_SEEKDATA, &t);
		lib->curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_n);
		headers = lib->curl_slist_append(headers, "Expect:");
	}
	headers = add_header(headers, "Accept", q->accept);
	headers = add_header(headers, "Content-Type", q->type);
	headers = add_header(headers, "Content-Range", q->range);
	headers = add_header(headers, "Authorization", auth);
	lib->curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (q->from) {
		snprintf(range, sizeof(range), "%llu-", (unsigned long long)q->from);
		lib->curl_easy_setopt(c, CURLOPT_RANGE, range);
	}
	e = lib->curl_easy_perform(c);
	lib->curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &q->status);
	lib->curl_slist_free_all(headers);
	if (!q->answer.p)
		q->answer = (struct rs_str)RS_STR_INIT;
	if (e == CURLE_OK)
		return 0;
	if (t.refused)
		return -EBADMSG; /* whoever refused has said why */
	if (t.too_long)
		return rs_err_set(err, -EFBIG, "the registry %s sends more than %u bytes where a document should be", r->host, CTR_DOC_MAX);
	q->broken = e == CURLE_PARTIAL_FILE || e == CURLE_RECV_ERROR || e == CURLE_SEND_ERROR || e == CURLE_GOT_NOTHING ||
		    e == CURLE_OPERATION_TIMEDOUT;
	return rs_err_set(err, -EIO, "the registry %s: %s", r->host, *message ? message : lib->curl_easy_strerror(e));
}

/* ---- authentication ---- */

/* realm="...", service="...", scope="..." of the challenge; out is "" when there is none. */
static void parameter(const char *challenge, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	*out = '\0';
	for (const char *p = challenge; (p = strcasestr(p, name)); p += n) {
		if ((p > challenge && (isalnum((unsigned char)p[-1]) || p[-1] == '_')) || p[n] != '=' || p[n + 1] != '"')
			continue;
		snprintf(out, size, "%.*s", (int)strcspn(p + n + 2, "\""), p + n + 2);
		return;
	}
}

/* The token that the challenge asks for (distribution's token authentication). */
static int get_token(struct ctr_registry *r, const char *challenge, struct rs_err *err)
{
	char realm[512], service[256], scope[512];
	rs_auto_free char *auth = r->basic ? rs_xasprintf("Basic %s", r->basic) : NULL;
	rs_auto_str url = RS_STR_INIT;
	struct ctr_request q = { .method = "GET" };
	struct ctr_json j;
	const char *token = NULL;
	char *escaped;
	int ret;

	parameter(challenge, "realm", realm, sizeof(realm));
	parameter(challenge, "service", service, sizeof(service));
	parameter(challenge, "scope", scope, sizeof(scope));
	if (strncmp(realm, "https://", 8) != 0 && !(strncmp(realm, "http://", 7) == 0 && strncmp(r->base, "http:", 5) == 0))
		return rs_err_set(err, -EACCES, "the registry %s wants a token from \"%s\"; tokens are fetched over HTTPS alone", r->host, realm);
	if (!*scope)
		snprintf(scope, sizeof(scope), "repository:%s:%s", r->name, r->scope);
	rs_str_addf(&url, "%s%sservice=", realm, strchr(realm, '?') ? "&" : "?");
	escaped = lib->curl_easy_escape(r->curl, service, 0);
	rs_str_add(&url, escaped ? escaped : "");
	lib->curl_free(escaped);
	escaped = lib->curl_easy_escape(r->curl, scope, 0);
	rs_str_addf(&url, "&scope=%s", escaped ? escaped : "");
	lib->curl_free(escaped);
	q.url = url.p;
	ret = once(r, &q, auth, err);
	if (ret == 0 && q.status != 200)
		ret = rs_err_set(err, -EACCES, "the registry %s gives no token for %s (status %ld); log in first", r->host, r->name, q.status);
	if (ret == 0)
		ret = ctr_json_parse(&j, realm, q.answer.p, q.answer.len, err);
	if (ret == 0) {
		ret = ctr_json_string(&j, ctr_json_at(&j, "/token") ? "/token" : "/access_token", true, &token, err);
		if (ret == 0 && strpbrk(token, "\r\n"))
			ret = ctr_json_fail(&j, "/token", err, N_("this is not a token"));
		if (ret == 0) {
			free(r->bearer);
			r->bearer = rs_xstrdup(token);
		}
		ctr_json_release(&j);
	}
	ctr_request_release(&q);
	return ret;
}

int ctr_registry_do(struct ctr_registry *r, struct ctr_request *q, struct rs_err *err)
{
	rs_auto_free char *auth = r->bearer ? rs_xasprintf("Bearer %s", r->bearer) : NULL;
	int ret = once(r, q, auth, err);

	if (ret < 0 || q->status != 401)
		return ret;
	free(rs_steal(auth));
	if (strncasecmp(q->challenge, "Bearer", 6) == 0) {
		ret = get_token(r, q->challenge, err);
		auth = ret == 0 ? rs_xasprintf("Bearer %s", r->bearer) : NULL;
	} else if (r->basic) {
		auth = rs_xasprintf("Basic %s", r->basic);
	} else {
		return rs_err_set(err, -EACCES, "the registry %s wants a user and a password; log in first", r->host);
	}
	return ret < 0 ? ret : once(r, q, auth, err);
}

int ctr_registry_fail(struct ctr_registry *r, const struct ctr_request *q, struct rs_err *err)
{
	struct ctr_json j;
	const char *message = NULL, *code = NULL;
	int e = q->status == 404 ? -ENOENT : q->status == 401 || q->status == 403 ? -EACCES : -EIO;

	if (q->answer.len && ctr_json_parse(&j, "", q->answer.p, q->answer.len, NULL) == 0) {
		ctr_json_string(&j, "/errors/0/message", false, &message, NULL);
		ctr_json_string(&j, "/errors/0/code", false, &code, NULL);
		rs_err_set(err, e, "the registry %s refuses %s %s: status %ld, %.60s, %.120s", r->host, q->method, r->name, q->status,
			   code ? code : "", message ? message : "");
		ctr_json_release(&j);
		return e;
	}
	return rs_err_set(err, e, "the registry %s refuses %s %s: status %ld", r->host, q->method, r->name, q->status);
}
