/* Manifests and lists of a registry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers/registry_serve.h"
#include "engine/base/cleanup.h"

static int find_manifest(struct ctr_conn *c, struct ctr_desc *d)
{
	rs_auto_free char *name = rs_xasprintf("%s:%s", c->name, c->rest);
	struct ctr_tags tags;
	int found = 0;

	if (ctr_store_tags(c->sv->s, &tags, NULL) < 0)
		return 0;
	for (unsigned i = 0; !found && i < tags.n; i++)
		if ((tags.v[i].name && strcmp(tags.v[i].name, name) == 0) || strcmp(tags.v[i].desc.digest, c->rest) == 0) {
			*d = tags.v[i].desc;
			found = 1;
		}
	ctr_tags_release(&tags);
	return found;
}

/* A manifest that only an index refers to is in no list; its own text says what it is. */
static int find_by_digest(struct ctr_conn *c, struct ctr_desc *d)
{
	rs_auto_str text = RS_STR_INIT;
	struct ctr_json j;
	const char *media = NULL;
	int found;

	memset(d, 0, sizeof(*d));
	if (!ctr_store_has(c->sv->s, c->rest, &d->size))
		return 0;
	strcpy(d->digest, c->rest);
	if (ctr_store_doc(c->sv->s, d, &text, NULL) < 0 || ctr_json_parse(&j, "", text.p, text.len, NULL) < 0)
		return 0;
	if (ctr_json_string(&j, "/mediaType", false, &media, NULL) == 0 && media && strlen(media) < sizeof(d->media))
		strcpy(d->media, media);
	else
		strcpy(d->media, ctr_json_at(&j, "/manifests") ? CTR_MEDIA_INDEX : CTR_MEDIA_MANIFEST);
	found = ctr_desc_is_doc(d);
	ctr_json_release(&j);
	return found;
}

static void get_manifest(struct ctr_conn *c)
{
	rs_auto_str text = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;
	struct ctr_desc d;
	char headers[200];

	if (!find_manifest(c, &d) && !find_by_digest(c, &d)) {
		ctr_refuse(c, 404, "MANIFEST_UNKNOWN", "there is no such manifest");
		return;
	}
	if (ctr_store_doc(c->sv->s, &d, &text, &err) < 0) {
		ctr_refuse_err(c, 500, "UNKNOWN", &err);
		return;
	}
	snprintf(headers, sizeof(headers), "Docker-Content-Digest: %s\r\n", d.digest);
	ctr_answer(c, 200, d.media, text.p, text.len, headers);
}

static int is_here(void *arg, const struct ctr_desc *d, struct rs_err *err)
{
	int fd = ctr_blob_open(arg, d, err);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void put_manifest(struct ctr_conn *c)
{
	rs_auto_str text = RS_STR_INIT;
	rs_auto_free char *name = NULL;
	struct rs_err err = RS_ERR_INIT;
	struct ctr_desc d;
	char headers[700], digest[CTR_DIGEST_SIZE];
	bool by_digest = ctr_digest_ok(c->rest);
	ssize_t n;

	while ((n = ctr_conn_body(c)) > 0) {
		rs_str_addn(&text, c->buf, (size_t)n);
		ctr_conn_took(c, (size_t)n);
		if (text.len > CTR_DOC_MAX) {
			c->h.close = true;
			ctr_refuse(c, 413, "MANIFEST_INVALID", "a manifest has at most 4 MiB");
			return;
		}
	}
	if (n < 0)
		return;
	ctr_digest_of(text.p, text.len, digest);
	c->h.type[strcspn(c->h.type, "; ")] = '\0';
	snprintf(d.media, sizeof(d.media), "%s", c->h.type);
	if (by_digest && strcmp(digest, c->rest) != 0) {
		ctr_refuse(c, 400, "DIGEST_INVALID", "the manifest has another digest");
		return;
	}
	if (!ctr_desc_is_doc(&d)) {
		ctr_refuse(c, 400, "MANIFEST_INVALID", "this content type is no manifest and no index");
		return;
	}
	if (ctr_blob_put(c->sv->s, c->h.type, text.p, text.len, &d, &err) < 0) {
		ctr_refuse_err(c, 500, "UNKNOWN", &err);
		return;
	}
	if (ctr_desc_walk(c->sv->s, &d, is_here, c->sv->s, &err) < 0) {
		ctr_refuse_err(c, err.code == -ENOENT ? 404 : 400, err.code == -ENOENT ? "MANIFEST_BLOB_UNKNOWN" : "MANIFEST_INVALID", &err);
		return;
	}
	name = by_digest ? NULL : rs_xasprintf("%s:%s", c->name, c->rest);
	/* by digest alone: an index that comes later will name it; until then nobody collects */
	if (name && ctr_store_tag(c->sv->s, name, &d, &err) < 0) {
		ctr_refuse_err(c, 500, "UNKNOWN", &err);
		return;
	}
	snprintf(headers, sizeof(headers), "Location: /v2/%s/manifests/%s\r\nDocker-Content-Digest: %s\r\n", c->name, digest, digest);
	ctr_answer(c, 201, NULL, NULL, 0, headers);
}

static void delete_manifest(struct ctr_conn *c)
{
	rs_auto_free char *name = rs_xasprintf("%s:%s", c->name, c->rest);
	struct rs_err err = RS_ERR_INIT;

	if (ctr_digest_ok(c->rest))
		ctr_refuse(c, 405, "UNSUPPORTED", "only tags are removed here");
	else if (ctr_store_untag(c->sv->s, name, &err) < 0)
		ctr_refuse_err(c, 404, "MANIFEST_UNKNOWN", &err);
	else
		ctr_answer(c, 202, NULL, NULL, 0, NULL);
}

void ctr_serve_manifest(struct ctr_conn *c)
{
	if (strcmp(c->h.method, "GET") == 0 || strcmp(c->h.method, "HEAD") == 0)
		get_manifest(c);
	else if (strcmp(c->h.method, "PUT") == 0)
		put_manifest(c);
	else if (strcmp(c->h.method, "DELETE") == 0)
		delete_manifest(c);
	else
		ctr_refuse(c, 405, "UNSUPPORTED", "this method is not for manifests");
}

/* ---- lists ---- */

/* Tags of one repository, or (name NULL) the names of all. */
void ctr_serve_list(struct ctr_conn *c, const char *name)
{
	struct json_object *o = json_object_new_object(), *v = json_object_new_array();
	rs_auto_str s = RS_STR_INIT;
	struct ctr_tags tags = { NULL, 0 };
	char last[300] = "", count[16] = "", previous[400] = "";
	unsigned long n = ctr_http_query(&c->h, "n", count, sizeof(count)) ? strtoul(count, NULL, 10) : 100000;
	bool any = false;

	ctr_http_query(&c->h, "last", last, sizeof(last));
	ctr_store_tags(c->sv->s, &tags, NULL);
	for (unsigned i = 0; i < tags.n; i++) {
		const char *full = tags.v[i].name, *colon = full ? strrchr(full, ':') : NULL;
		char key[400];

		if (!colon)
			continue;
		if (name && (strncmp(full, name, strlen(name)) != 0 || full + strlen(name) != colon))
			continue;
		any = true;
		snprintf(key, sizeof(key), "%.*s", name ? (int)strlen(colon + 1) : (int)(colon - full), name ? colon + 1 : full);
		if (strcmp(key, last) > 0 && strcmp(key, previous) != 0 && json_object_array_length(v) < n)
			json_object_array_add(v, ctr_json_str(key));
		strcpy(previous, key);
	}
	ctr_tags_release(&tags);
	if (name)
		json_object_object_add(o, "name", ctr_json_str(name));
	json_object_object_add(o, name ? "tags" : "repositories", v);
	ctr_json_text(o, false, &s);
	json_object_put(o);
	if (name && !any)
		ctr_refuse(c, 404, "NAME_UNKNOWN", "there is no such repository");
	else
		ctr_answer(c, 200, "application/json", s.p, s.len, NULL);
}
