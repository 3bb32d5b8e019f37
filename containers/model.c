#include "containers/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"

#define LINKS_MAX 40 /* as the kernel's: path_resolution(7) */

/* ---- nodes ---- */

static unsigned hash_of(const struct ctr_node *parent, const char *name, size_t n)
{
	unsigned h = (unsigned)((uintptr_t)parent >> 4) * 2654435761u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h;
}

static void grow(struct ctr_model *m)
{
	size_t size = m->buckets ? 2 * m->buckets : 256;
	struct ctr_node **t = rs_xcalloc(size, sizeof(struct ctr_node *));

	for (size_t i = 0; i < m->buckets; i++)
		for (struct ctr_node *n = m->table[i], *next; n; n = next) {
			next = n->chain;
			n->chain = t[n->hash & (size - 1)];
			t[n->hash & (size - 1)] = n;
		}
	free(m->table);
	m->table = t;
	m->buckets = size;
}

static struct ctr_node *child_of(const struct ctr_model *m, const struct ctr_node *dir, const char *name, size_t n)
{
	unsigned h = hash_of(dir, name, n);

	for (struct ctr_node *k = m->table[h & (m->buckets - 1)]; k; k = k->chain)
		if (k->hash == h && k->parent == dir && strncmp(k->name, name, n) == 0 && !k->name[n])
			return k;
	return NULL;
}

static struct ctr_node *add_node(struct ctr_model *m, struct ctr_node *dir, const char *name, size_t n,
				 struct ctr_inode *inode)
{
	struct ctr_node *k = rs_xcalloc(1, sizeof(*k) + n + 1);

	if (m->nodes >= m->buckets)
		grow(m);
	memcpy(k->name, name, n);
	k->parent = dir;
	k->inode = inode;
	inode->names++;
	k->hash = hash_of(dir, name, n);
	k->chain = m->table[k->hash & (m->buckets - 1)];
	m->table[k->hash & (m->buckets - 1)] = k;
	if (dir) {
		k->next = dir->child;
		dir->child = k;
	}
	m->nodes++;
	return k;
}

static void drop_inode(struct ctr_inode *i)
{
	if (--i->names)
		return;
	free(i->link);
	free(i);
}

/* Removes what is in the folder. */
static void drop_children(struct ctr_model *m, struct ctr_node *n);

static void drop_node(struct ctr_model *m, struct ctr_node *n)
{
	struct ctr_node **p = &m->table[n->hash & (m->buckets - 1)];

	drop_children(m, n);
	while (*p != n)
		p = &(*p)->chain;
	*p = n->chain;
	if (n->parent) {
		for (p = &n->parent->child; *p != n; p = &(*p)->next)
			;
		*p = n->next;
	}
	drop_inode(n->inode);
	free(n);
	m->nodes--;
}

static void drop_children(struct ctr_model *m, struct ctr_node *n)
{
	while (n->child)
		drop_node(m, n->child);
}

static struct ctr_inode *new_inode(struct ctr_model *m, const struct ctr_entry *e)
{
	struct ctr_inode *i = rs_xcalloc(1, sizeof(*i));

	i->layer = m->layer;
	i->entry = UINT64_MAX;
	i->mode = S_IFDIR | 0755;
	if (!e)
		return i;
	i->mode = e->mode;
	i->uid = e->uid;
	i->gid = e->gid;
	i->size = e->size;
	i->mtime = e->mtime;
	i->rdev = e->rdev;
	i->link = e->link && !e->hard ? rs_xstrdup(e->link) : NULL;
	i->entry = m->entry;
	return i;
}

void ctr_model_begin(struct ctr_model *m)
{
	memset(m, 0, sizeof(*m));
	m->root = add_node(m, NULL, "", 0, new_inode(m, NULL));
}

void ctr_model_release(struct ctr_model *m)
{
	if (m->root)
		drop_node(m, m->root);
	free(m->table);
	memset(m, 0, sizeof(*m));
}

void ctr_node_path(const struct ctr_node *n, struct rs_str *out)
{
	if (!n->parent)
		return;
	ctr_node_path(n->parent, out);
	if (n->parent->parent)
		rs_str_addc(out, '/');
	rs_str_add(out, n->name);
}

/* ---- paths ---- */

/* Goes along `path` from `at`. Where a folder is missing, it is made when `make`; else what is left of
 * the path goes to *rest and the last folder that exists is returned. NULL: -ELOOP, -ENOTDIR, -ENOENT. */
static struct ctr_node *follow_path(struct ctr_model *m, struct ctr_node *at, const char *path, bool make,
				    bool last, unsigned *links, struct rs_str *rest, int *error)
{
	while (*path) {
		size_t n = strcspn(path, "/");
		const char *behind = path + n + strspn(path + n, "/");
		struct ctr_node *k;

		if (n == 0) {
			path = behind;
			continue;
		}
		if (n == 1 && *path == '.') {
			path = behind;
			continue;
		}
		if (n == 2 && memcmp(path, "..", 2) == 0) {
			at = at->parent ? at->parent : at; /* the root's parent is the root */
			path = behind;
			continue;
		}
		k = S_ISDIR(at->inode->mode) ? child_of(m, at, path, n) : NULL;
		if (!S_ISDIR(at->inode->mode)) {
			*error = -ENOTDIR;
			return NULL;
		}
		if (k && S_ISLNK(k->inode->mode) && (*behind || last)) {
			if (++*links > LINKS_MAX) {
				*error = -ELOOP;
				return NULL;
			}
			at = follow_path(m, k->inode->link[0] == '/' ? m->root : at, k->inode->link, false, true, links, rest,
					 error);
			if (!at)
				return NULL;
			if (rest && rest->len) {
				if (*behind)
					rs_str_addf(rest, "/%s", behind);
				return at;
			}
			path = behind;
			continue;
		}
		if (!k && !make) {
			if (!rest) {
				*error = -ENOENT;
				return NULL;
			}
			rs_str_add(rest, path);
			return at;
		}
		at = k ? k : add_node(m, at, path, n, new_inode(m, NULL));
		path = behind;
	}
	return at;
}

struct ctr_node *ctr_model_find(const struct ctr_model *m, const char *path, bool follow)
{
	unsigned links = 0;
	int error = 0;

	/* nothing is made, so nothing changes */
	return follow_path((struct ctr_model *)m, m->root, path, false, follow, &links, NULL, &error);
}

int ctr_model_resolve(const struct ctr_model *m, const char *path, bool follow, struct rs_str *out,
		      struct rs_err *err)
{
	rs_auto_str rest = RS_STR_INIT;
	unsigned links = 0;
	int error = 0;
	struct ctr_node *n = follow_path((struct ctr_model *)m, m->root, path, false, follow, &links, &rest, &error);

	if (!n)
		return rs_err_set(err, error, error == -ELOOP ? N_("the symbolic links of %s lead in circles") : N_("a part of the path %s is a file, not a folder"), path);
	ctr_node_path(n, out);
	for (const char *p = rest.p; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && memcmp(p, "..", 2) == 0) {
			while (out->len && out->p[out->len - 1] != '/')
				out->len--;
			out->len -= out->len > 0;
			if (out->cap)
				out->p[out->len] = '\0';
		} else if (len && !(len == 1 && *p == '.')) {
			if (out->len)
				rs_str_addc(out, '/');
			rs_str_addn(out, p, len);
		}
		p += len + strspn(p + len, "/");
	}
	return 0;
}

/* ---- adding a layer ---- */

/* Removes what earlier layers put into the folder. */
static void drop_lower(struct ctr_model *m, struct ctr_node *dir)
{
	for (struct ctr_node *k = dir->child, *next; k; k = next) {
		next = k->next;
		if (k->inode->layer == m->layer)
			drop_lower(m, k);
		else
			drop_node(m, k);
	}
}

static int bad(const char *path, int error, struct rs_err *err)
{
	if (error == -ELOOP)
		return rs_err_set(err, -EBADMSG, "the symbolic links of %s lead in circles", path);
	if (error == -ENOENT)
		return rs_err_set(err, -EBADMSG, "cannot unpack %s: a part of its path is a symbolic link that leads nowhere", path);
	return rs_err_set(err, -EBADMSG, "cannot unpack %s: a part of its path is not a folder", path);
}

static int add_hard(struct ctr_model *m, struct ctr_node *dir, const char *name, const struct ctr_entry *e,
		    struct rs_err *err)
{
	struct ctr_node *target = ctr_model_find(m, e->link, false), *old;
	struct ctr_inode *i;

	if (!target || S_ISDIR(target->inode->mode))
		return rs_err_set(err, -EBADMSG, "the hard link %s leads to %s, which is not there", e->path, e->link);
	i = target->inode;
	i->names++; /* keeps it while what is in the way goes */
	old = child_of(m, dir, name, strlen(name));
	if (old)
		drop_node(m, old);
	add_node(m, dir, name, strlen(name), i);
	i->names--;
	return 0;
}

int ctr_model_entry(struct ctr_model *m, const struct ctr_entry *e, struct rs_err *err)
{
	const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
	rs_auto_free char *dirs = strndup(e->path, slash ? (size_t)(slash - e->path) : 0);
	struct ctr_node *dir, *old;
	struct ctr_inode *i;
	unsigned links = 0;
	int error = 0;

	if (!dirs)
		rs_oom();
	dir = follow_path(m, m->root, dirs, true, true, &links, NULL, &error);
	if (!dir || !S_ISDIR(dir->inode->mode))
		return bad(e->path, error, err);
	if (strncmp(name, CTR_WHITEOUT, 4) == 0) {
		if (strcmp(name, CTR_OPAQUE) == 0)
			drop_lower(m, dir);
		else if ((old = child_of(m, dir, name + 4, strlen(name + 4))))
			drop_node(m, old);
		m->entry++;
		return 0;
	}
	if (e->hard) {
		int ret = add_hard(m, dir, name, e, err);

		m->entry++;
		return ret;
	}
	old = *name ? child_of(m, dir, name, strlen(name)) : m->root;
	i = new_inode(m, e);
	if (old && S_ISDIR(old->inode->mode) && S_ISDIR(e->mode)) {
		i->names++;
		drop_inode(old->inode);
		old->inode = i;
	} else {
		if (old)
			drop_node(m, old);
		add_node(m, dir, name, strlen(name), i);
	}
	m->entry++;
	return 0;
}

void ctr_model_next_layer(struct ctr_model *m)
{
	m->layer++;
	m->entry = 0;
}

int ctr_model_layer(struct ctr_model *m, struct ctr_store *s, const struct ctr_desc *layer, const char *diff_id,
		    struct rs_err *err)
{
	rs_auto_close int fd = ctr_blob_open(s, layer, err);
	struct ctr_layer_reader *r;
	struct ctr_entry e;
	int ret;

	if (fd < 0)
		return fd;
	r = ctr_reader_open(fd, layer->digest, layer, diff_id, NULL, err);
	if (!r)
		return err && err->code ? err->code : -EBADMSG;
	while ((ret = ctr_reader_next(r, &e, err)) > 0 && (ret = ctr_model_entry(m, &e, err)) == 0)
		;
	ctr_reader_close(r);
	ctr_model_next_layer(m);
	return ret;
}

int ctr_model_image(struct ctr_model *m, struct ctr_store *s, const struct ctr_image *im, struct rs_err *err)
{
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < im->layers; i++)
		ret = ctr_model_layer(m, s, &im->layer[i], im->diff_id[i], err);
	return ret;
}

/* ---- every name ---- */

static int by_place(const void *a, const void *b)
{
	const struct ctr_named *x = a, *y = b;

	if (x->inode->layer != y->inode->layer)
		return x->inode->layer < y->inode->layer ? -1 : 1;
	if (x->inode->entry != y->inode->entry)
		return x->inode->entry < y->inode->entry ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void collect(const struct ctr_node *dir, struct ctr_named *v, size_t *n)
{
	for (const struct ctr_node *k = dir->child; k; k = k->next) {
		struct rs_str path = RS_STR_INIT;

		ctr_node_path(k, &path);
		v[*n].path = rs_str_detach(&path);
		v[(*n)++].inode = k->inode;
		collect(k, v, n);
	}
}

struct ctr_named *ctr_model_names(const struct ctr_model *m, size_t *n)
{
	struct ctr_named *v = rs_xcalloc(m->nodes, sizeof(*v));

	*n = 0;
	collect(m->root, v, n);
	if (*n)
		qsort(v, *n, sizeof(*v), by_place);
	return v;
}

void ctr_names_free(struct ctr_named *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].path);
	free(v);
}
