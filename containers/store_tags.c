/* index.json: names of images. Read without a lock, since it is only ever replaced as a whole; changed
 * under index.lock, so that two changes at the same time both count. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "containers/store_private.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define INDEX_MAX (64u << 20)

int ctr_index_read(struct ctr_store *s, struct ctr_json *out, struct rs_err *err)
{
	rs_auto_free char *path = ctr_store_path(s, "index.json");
	rs_auto_str text = RS_STR_INIT;
	unsigned n;
	int ret = rs_file_read(path, INDEX_MAX, &text, err);

	memset(out, 0, sizeof(*out));
	if (ret == 0)
		ret = ctr_json_parse(out, path, text.p, text.len, err);
	if (ret < 0)
		return ret;
	ret = ctr_json_array(out, "/manifests", true, &n, err);
	if (ret < 0)
		ctr_json_release(out);
	return ret;
}

int ctr_desc_read(const struct ctr_json *j, const char *pointer, struct ctr_desc *out, struct rs_err *err)
{
	char p[200];
	const char *s;
	int ret;

	memset(out, 0, sizeof(*out));
	snprintf(p, sizeof(p), "%s/mediaType", pointer);
	ret = ctr_json_string(j, p, true, &s, err);
	if (ret < 0)
		return ret;
	if (!*s || strlen(s) >= sizeof(out->media))
		return ctr_json_fail(j, p, err, N_("this is not a media type"));
	strcpy(out->media, s);
	snprintf(p, sizeof(p), "%s/digest", pointer);
	ret = ctr_json_string(j, p, true, &s, err);
	if (ret < 0)
		return ret;
	if (!ctr_digest_ok(s))
		return ctr_json_fail(j, p, err, N_("this is not a digest that is supported; it must be sha256: and 64 hexadecimal digits"));
	strcpy(out->digest, s);
	snprintf(p, sizeof(p), "%s/size", pointer);
	return ctr_json_number(j, p, true, &out->size, err);
}

struct json_object *ctr_desc_json(const struct ctr_desc *d)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "mediaType", json_object_new_string(d->media));
	json_object_object_add(o, "digest", json_object_new_string(d->digest));
	json_object_object_add(o, "size", json_object_new_int64((int64_t)d->size));
	return o;
}

static const char *name_of(struct json_object *entry)
{
	struct json_object *a, *v;

	if (!json_object_object_get_ex(entry, "annotations", &a) || !json_object_is_type(a, json_type_object) ||
	    !json_object_object_get_ex(a, CTR_REF_NAME, &v) || !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

static int by_name(const void *a, const void *b)
{
	const struct ctr_tag *x = a, *y = b;
	int c = strcmp(x->name ? x->name : "\x7f", y->name ? y->name : "\x7f");

	return c ? c : strcmp(x->desc.digest, y->desc.digest);
}

int ctr_store_tags(struct ctr_store *s, struct ctr_tags *out, struct rs_err *err)
{
	struct ctr_json j;
	struct json_object *list;
	int ret = ctr_index_read(s, &j, err);

	memset(out, 0, sizeof(*out));
	if (ret < 0)
		return ret;
	list = ctr_json_at(&j, "/manifests");
	for (size_t i = 0; ret == 0 && i < json_object_array_length(list); i++) {
		char pointer[40];
		struct ctr_desc d;
		const char *name;

		snprintf(pointer, sizeof(pointer), "/manifests/%zu", i);
		ret = ctr_desc_read(&j, pointer, &d, err);
		if (ret < 0)
			break;
		name = name_of(json_object_array_get_idx(list, i));
		out->v = rs_xrealloc(out->v, out->n + 1, sizeof(*out->v));
		out->v[out->n++] = (struct ctr_tag){ name ? rs_xstrdup(name) : NULL, d };
	}
	ctr_json_release(&j);
	if (ret < 0)
		ctr_tags_release(out);
	else if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_name);
	return ret;
}

void ctr_tags_release(struct ctr_tags *t)
{
	for (unsigned i = 0; i < t->n; i++)
		free(t->v[i].name);
	free(t->v);
	memset(t, 0, sizeof(*t));
}

/* ---- changing ---- */

/* A name in the index is either a reference of ours or, in a layout of other tools, any text. */
static struct json_object *without(struct json_object *list, const char *name, const struct ctr_desc *unnamed,
				   unsigned *removed)
{
	struct json_object *out = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *e = json_object_array_get_idx(list, i), *digest;
		const char *n = name_of(e);
		bool gone = n && name && strcmp(n, name) == 0;

		/* an entry without a name gives way to one with a name */
		if (!n && unnamed && json_object_object_get_ex(e, "digest", &digest) &&
		    strcmp(json_object_get_string(digest), unnamed->digest) == 0)
			gone = true;
		if (gone)
			++*removed;
		else
			json_object_array_add(out, json_object_get(e));
	}
	return out;
}

/* Replaces the list of manifests by one without `name` and, when d is not NULL, with it for d. */
static int change(struct ctr_store *s, const char *name, const struct ctr_desc *d, struct rs_err *err)
{
	rs_auto_close int lock = openat(s->fd, "index.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	rs_auto_free char *path = ctr_store_path(s, "index.json");
	rs_auto_str text = RS_STR_INIT;
	struct ctr_json j;
	struct json_object *list, *e;
	unsigned removed = 0;
	int ret;

	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return rs_err_errno(err, errno, "cannot lock the image store %s", s->dir);
	ret = ctr_index_read(s, &j, err);
	if (ret < 0)
		return ret;
	list = without(ctr_json_at(&j, "/manifests"), name, d, &removed);
	if (d) {
		e = ctr_desc_json(d);
		if (name) {
			struct json_object *a = json_object_new_object();

			json_object_object_add(a, CTR_REF_NAME, ctr_json_str(name));
			json_object_object_add(e, "annotations", a);
		}
		json_object_array_add(list, e);
	}
	json_object_object_add(j.root, "manifests", list);
	ctr_json_text(j.root, false, &text);
	if (!d && !removed)
		ret = rs_err_set(err, -ENOENT, "there is no image %s in %s", name, s->dir);
	else if (text.len != j.n || memcmp(text.p, j.text, j.n) != 0)
		ret = rs_file_save(path, text.p, text.len, err);
	ctr_json_release(&j);
	return ret;
}

int ctr_store_tag(struct ctr_store *s, const char *name, const struct ctr_desc *d, struct rs_err *err)
{
	return change(s, name, d, err);
}

int ctr_store_untag(struct ctr_store *s, const char *name, struct rs_err *err)
{
	return change(s, name, NULL, err);
}

/* ---- finding ---- */

static bool is_hex(const char *s, size_t min)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n >= min && n <= 64 && !s[n];
}

/* The configuration's digest of a manifest, "" when it cannot be read or is an index. */
static void config_of(struct ctr_store *s, const struct ctr_desc *d, char digest[CTR_DIGEST_SIZE])
{
	rs_auto_str text = RS_STR_INIT;
	struct ctr_json j;
	const char *v = NULL;

	*digest = '\0';
	if (ctr_store_doc(s, d, &text, NULL) < 0 || ctr_json_parse(&j, "", text.p, text.len, NULL) < 0)
		return;
	if (ctr_json_string(&j, "/config/digest", false, &v, NULL) == 0 && v && ctr_digest_ok(v))
		strcpy(digest, v);
	ctr_json_release(&j);
}

/* By the beginning of a manifest's or a configuration's digest. */
static int find_hex(struct ctr_store *s, const struct ctr_tags *tags, const char *hex, struct ctr_desc *out,
		    const char **found, struct rs_err *err)
{
	const struct ctr_tag *hit = NULL;
	size_t n = strlen(hex);

	for (unsigned i = 0; i < tags->n; i++) {
		char config[CTR_DIGEST_SIZE];
		const struct ctr_tag *t = &tags->v[i];

		config_of(s, &t->desc, config);
		if (strncmp(t->desc.digest + 7, hex, n) != 0 && (!*config || strncmp(config + 7, hex, n) != 0))
			continue;
		if (hit && strcmp(hit->desc.digest, t->desc.digest) != 0)
			return rs_err_set(err, -ENOENT, "%s is the beginning of several digests; give more of it", hex);
		hit = hit ? hit : t;
	}
	if (!hit)
		return -ENOENT;
	*out = hit->desc;
	*found = hit->name;
	return 0;
}

static int find_name(const struct ctr_tags *tags, const char *name, struct ctr_desc *out, const char **found)
{
	for (unsigned i = 0; i < tags->n; i++)
		if (tags->v[i].name && strcmp(tags->v[i].name, name) == 0) {
			*out = tags->v[i].desc;
			*found = tags->v[i].name;
			return 0;
		}
	return -ENOENT;
}

static int not_found(const struct ctr_tags *tags, const struct ctr_store *s, const char *text, struct rs_err *err)
{
	const char **names = rs_xcalloc(tags->n + 1, sizeof(*names));
	const char *near;
	unsigned k = 0;

	for (unsigned i = 0; i < tags->n; i++)
		if (tags->v[i].name)
			names[k++] = tags->v[i].name;
	near = rs_did_you_mean(text, names);
	free(names);
	if (near)
		return rs_err_set(err, -ENOENT, "there is no image %s in %s; did you mean %s?", text, s->dir, near);
	return rs_err_set(err, -ENOENT, "there is no image %s in %s; \"ringside image ls\" lists them", text, s->dir);
}

int ctr_store_find(struct ctr_store *s, const char *text, struct ctr_desc *out, char found[400],
		   struct rs_err *err)
{
	const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text, *name = NULL;
	struct ctr_tags tags;
	struct ctr_ref ref;
	int ret = ctr_store_tags(s, &tags, err);

	if (ret < 0)
		return ret;
	ret = find_name(&tags, text, out, &name); /* as it stands */
	if (ret < 0 && ctr_ref_parse(text, &ref, NULL) == 0) {
		rs_auto_free char *full = rs_xasprintf("%s:%s", ref.name, ref.tag);

		if (ref.digest[0])
			ret = find_hex(s, &tags, ref.digest + 7, out, &name, err);
		else
			ret = find_name(&tags, full, out, &name);
	}
	if (ret < 0 && is_hex(hex, 4)) {
		if (err)
			err->code = 0;
		ret = find_hex(s, &tags, hex, out, &name, err);
		if (ret < 0 && err && err->code) {
			ctr_tags_release(&tags);
			return ret;
		}
	}
	if (ret < 0)
		ret = not_found(&tags, s, text, err);
	else if (found)
		snprintf(found, 400, "%s", name ? name : "");
	ctr_tags_release(&tags);
	return ret;
}
