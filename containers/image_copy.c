/* From anywhere to anywhere. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "containers/image_private.h"
#include "engine/base/cleanup.h"

enum kind { KIND_STORE, KIND_LAYOUT, KIND_OCI_ARCHIVE, KIND_DOCKER_ARCHIVE, KIND_REGISTRY };

static const struct {
	const char *prefix;
	enum kind kind;
} prefixes[] = {
	{ "oci:", KIND_LAYOUT },
	{ "oci-archive:", KIND_OCI_ARCHIVE },
	{ "docker-archive:", KIND_DOCKER_ARCHIVE },
	{ "docker://", KIND_REGISTRY },
};

struct place {
	enum kind kind;
	char *path;          /* or the name */
	const char *ref;     /* NULL: none was given */
};

static int parse(const char *text, struct place *p, struct rs_err *err)
{
	char *colon;

	p->kind = KIND_STORE;
	p->ref = NULL;
	for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(text, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0) {
			p->kind = prefixes[i].kind;
			text += strlen(prefixes[i].prefix);
			break;
		}
	p->path = rs_xstrdup(text);
	if (p->kind == KIND_STORE || p->kind == KIND_REGISTRY)
		return 0;
	colon = strchr(p->path, ':');
	if (colon) {
		*colon = '\0';
		p->ref = colon + 1;
	}
	if (!*p->path || (p->ref && !*p->ref)) {
		free(rs_steal(p->path));
		return rs_err_set(err, -EINVAL, "\"%s\" is no place of an image; \"ringside help image copy\" tells how they are written", text);
	}
	return 0;
}

/* In which store the image is, and which one it is. `own` is to be closed when it is not `s`. */
static int from_place(struct ctr_store *s, const struct place *p, struct ctr_store **own, struct ctr_desc *d, char name[400],
		      struct rs_err *err)
{
	struct ctr_tags tags;
	int ret;

	*own = s;
	*name = '\0';
	switch (p->kind) {
	case KIND_STORE:
		return ctr_store_find(s, p->path, d, name, err);
	case KIND_LAYOUT:
		*own = ctr_store_open(p->path, false, err);
		if (!*own) {
			*own = s;
			return -ENOENT;
		}
		if (p->ref)
			return ctr_store_find(*own, p->ref, d, name, err);
		ret = ctr_store_tags(*own, &tags, err);
		if (ret == 0 && tags.n != 1)
			ret = rs_err_set(err, -EINVAL, "there are %u images in %s; say which one", tags.n, p->path);
		else if (ret == 0) {
			*d = tags.v[0].desc;
			snprintf(name, 400, "%s", tags.v[0].name ? tags.v[0].name : "");
		}
		ctr_tags_release(&tags);
		return ret;
	case KIND_OCI_ARCHIVE:
	case KIND_DOCKER_ARCHIVE:
		return ctr_archive_load(s, p->path, p->ref, d, name, err);
	case KIND_REGISTRY:
		return ctr_registry_pull(s, p->path, d, name, err);
	}
	return -EINVAL;
}

struct both {
	struct ctr_store *from, *to;
};

static int copy_one(void *arg, const struct ctr_desc *d, struct rs_err *err)
{
	struct both *b = arg;

	return ctr_blob_copy(b->to, b->from, d, err);
}

static int exists_one(void *arg, const struct ctr_desc *d, struct rs_err *err)
{
	int fd = ctr_blob_open(arg, d, err);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Everything that the image reaches is in `to` afterwards, and hashes to its name. */
static int into_store(struct ctr_store *from, struct ctr_store *to, const struct ctr_desc *d, const char *name,
		      struct rs_err *err)
{
	struct both b = { from, to };
	int ret = from == to ? ctr_desc_walk(from, d, exists_one, from, err) : ctr_desc_walk(from, d, copy_one, &b, err);

	return ret < 0 ? ret : ctr_store_tag(to, name, d, err);
}

static int to_place(struct ctr_store *s, const struct place *p, struct ctr_store *from, const struct ctr_desc *d,
		    const char *name, struct rs_err *err)
{
	struct ctr_store *to;
	struct ctr_ref ref;
	int ret;

	switch (p->kind) {
	case KIND_STORE: {
		ret = ctr_ref_parse(p->path, &ref, err);
		if (ret == 0 && ref.digest[0])
			ret = rs_err_set(err, -EINVAL, "a name that is given to an image cannot have a digest");
		if (ret < 0)
			return ret;
		rs_auto_free char *full = rs_xasprintf("%s:%s", ref.name, ref.tag);
		return into_store(from, s, d, full, err);
	}
	case KIND_LAYOUT:
		to = ctr_store_open(p->path, true, err);
		if (!to)
			return -EIO;
		ret = into_store(from, to, d, p->ref ? p->ref : *name ? name : NULL, err);
		ctr_store_close(to);
		return ret;
	case KIND_OCI_ARCHIVE:
	case KIND_DOCKER_ARCHIVE:
		return ctr_archive_save(from, d, p->path, p->ref ? p->ref : *name ? name : NULL, p->kind == KIND_DOCKER_ARCHIVE, err);
	case KIND_REGISTRY:
		return ctr_registry_push(from, d, p->path, err);
	}
	return -EINVAL;
}

int ctr_image_copy(struct ctr_store *s, const char *from, const char *to, struct ctr_desc *out,
		   struct rs_err *err)
{
	struct place a = { .path = NULL }, b = { .path = NULL };
	struct ctr_store *source = s;
	struct ctr_desc d;
	char name[400];
	int ret = parse(from, &a, err);

	ret = ret < 0 ? ret : parse(to, &b, err);
	ret = ret < 0 ? ret : from_place(s, &a, &source, &d, name, err);
	/* without a name, an archive goes into the store under the name that it has there */
	if (ret == 0 && b.kind == KIND_STORE && !*b.path) {
		free(b.path);
		b.path = rs_xstrdup(name);
		if (!*name)
			ret = rs_err_set(err, -EINVAL, "the image in %s has no name; give it one", from);
	}
	ret = ret < 0 ? ret : to_place(s, &b, source, &d, name, err);
	if (ret == 0 && out)
		*out = d;
	if (source != s)
		ctr_store_close(source);
	free(a.path);
	free(b.path);
	return ret;
}
