/* Two images, layer by layer; and the first byte in which two layers differ, which matters when two builds
 * should have made the same one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers/image_private.h"
#include "engine/base/cleanup.h"

/* ---- entries ---- */

struct item {
	char *path, *link;
	mode_t mode;
	bool hard;
	uint32_t uid, gid;
	uint64_t size;
	int64_t mtime;
	unsigned char sum[32];   /* of content and extended attributes */
};
struct items {
	struct item *v;
	size_t n;
};

static void items_release(struct items *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].path);
		free(l->v[i].link);
	}
	free(l->v);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

static int take(struct ctr_layer_reader *r, const struct ctr_entry *e, struct item *it, struct rs_err *err)
{
	struct ctr_hash h;
	const void *p;
	uint64_t at;
	size_t n;
	int ret = 0;

	*it = (struct item){ rs_xstrdup(e->path), e->link ? rs_xstrdup(e->link) : NULL, e->mode, e->hard, e->uid, e->gid, e->size,
			     e->mtime, { 0 } };
	ctr_hash_begin(&h);
	for (unsigned i = 0; i < e->xattrs; i++) {
		ctr_hash_add(&h, e->xattr[i].name, strlen(e->xattr[i].name) + 1);
		ctr_hash_add(&h, e->xattr[i].value, e->xattr[i].n);
	}
	while (S_ISREG(e->mode) && !e->hard && (ret = ctr_reader_data(r, &p, &n, &at, err)) > 0) {
		ctr_hash_add(&h, &at, sizeof(at));
		ctr_hash_add(&h, p, n);
	}
	ctr_hash_raw(&h, it->sum);
	return ret;
}

static int read_items(struct ctr_store *s, const struct ctr_image *im, unsigned i, struct items *l, struct rs_err *err)
{
	rs_auto_close int fd = ctr_blob_open(s, &im->layer[i], err);
	struct ctr_layer_reader *r;
	struct ctr_entry e;
	int ret;

	memset(l, 0, sizeof(*l));
	if (fd < 0)
		return fd;
	r = ctr_reader_open(fd, im->layer[i].digest, &im->layer[i], im->diff_id[i], NULL, err);
	if (!r)
		return -EBADMSG;
	while ((ret = ctr_reader_next(r, &e, err)) > 0) {
		if ((l->n & (l->n - 1)) == 0)
			l->v = rs_xrealloc(l->v, l->n ? 2 * l->n : 16, sizeof(*l->v));
		ret = take(r, &e, &l->v[l->n++], err);
		if (ret < 0)
			break;
	}
	ctr_reader_close(r);
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
	return ret;
}

/* In what two entries of the same path differ; false: in nothing. */
static bool differ(const struct item *a, const struct item *b, struct rs_text *t)
{
	if (((a->mode ^ b->mode) & S_IFMT) || a->hard != b->hard)
		rs_text_set(t, N_("another kind of entry"));
	else if (a->mode != b->mode)
		rs_text_set(t, N_("permissions %04o and %04o"), a->mode & 07777, b->mode & 07777);
	else if (a->uid != b->uid || a->gid != b->gid)
		rs_text_set(t, N_("owner %u:%u and %u:%u"), a->uid, a->gid, b->uid, b->gid);
	else if (strcmp(a->link ? a->link : "", b->link ? b->link : "") != 0)
		rs_text_set(t, N_("it leads to %s and to %s"), a->link, b->link);
	else if (a->size != b->size)
		rs_text_set(t, N_("%llu bytes and %llu bytes"), (unsigned long long)a->size, (unsigned long long)b->size);
	else if (memcmp(a->sum, b->sum, 32) != 0)
		rs_text_set(t, N_("other content of the same size"));
	else if (a->mtime != b->mtime)
		rs_text_set(t, N_("time %lld and %lld"), (long long)a->mtime, (long long)b->mtime);
	else
		return false;
	return true;
}

static int compare_items(const struct items *a, const struct items *b, unsigned layer, ctr_change_fn *change, void *arg)
{
	static const struct rs_text none;
	size_t i = 0, k = 0;
	int found = 0;

	while (i < a->n || k < b->n) {
		int c = i == a->n ? 1 : k == b->n ? -1 : strcmp(a->v[i].path, b->v[k].path);
		struct rs_text t;

		if (c == 0) {
			memset(&t, 0, sizeof(t));
			if (differ(&a->v[i], &b->v[k], &t)) {
				change(arg, layer, '~', a->v[i].path, &t);
				found++;
			}
		} else {
			change(arg, layer, c < 0 ? '-' : '+', c < 0 ? a->v[i].path : b->v[k].path, &none);
			found++;
		}
		i += c <= 0;
		k += c >= 0;
	}
	return found;
}

/* ---- bytes ---- */

/* Where a byte of a tar archive stands. Fed with everything up to that byte. */
struct where {
	unsigned char head[CTR_TAR_BLOCK];
	size_t in_head;          /* bytes of the header so far */
	uint64_t content, left;  /* of the entry: size; what is still to come, with padding */
	char path[300], pax[300];
	struct rs_str records;   /* of an extended header */
	bool extended;
};

static const struct {
	unsigned at;
	const char *name;
} fields[] = {
	{ 0, "name" }, { 100, "mode" }, { 108, "uid" }, { 116, "gid" }, { 124, "size" }, { 136, "mtime" },
	{ 148, "chksum" }, { 156, "typeflag" }, { 157, "linkname" }, { 257, "magic" }, { 263, "version" },
	{ 265, "uname" }, { 297, "gname" }, { 329, "devmajor" }, { 337, "devminor" }, { 345, "prefix" }, { 500, "padding" },
};

static void header_done(struct where *w)
{
	const char *h = (const char *)w->head;
	uint64_t size = 0;

	for (unsigned i = 124; i < 135 && h[i] >= '0' && h[i] <= '7'; i++)
		size = size * 8 + (uint64_t)(h[i] - '0');
	w->content = size;
	w->left = size + ctr_tar_padding(size);
	w->extended = h[156] == 'x';
	if (w->extended) {
		rs_str_clear(&w->records);
		return;
	}
	if (w->pax[0])
		strcpy(w->path, w->pax);
	else
		snprintf(w->path, sizeof(w->path), "%.155s%s%.100s", h + 345, h[345] ? "/" : "", h);
	w->pax[0] = '\0';
}

static void feed(struct where *w, const unsigned char *p, size_t n)
{
	while (n) {
		size_t k;

		if (!w->left) {
			k = CTR_TAR_BLOCK - w->in_head < n ? CTR_TAR_BLOCK - w->in_head : n;
			memcpy(w->head + w->in_head, p, k);
			w->in_head += k;
			if (w->in_head == CTR_TAR_BLOCK) {
				header_done(w);
				w->in_head = 0;
			}
		} else {
			k = w->left < n ? (size_t)w->left : n;
			if (w->extended && w->records.len < 65536)
				rs_str_addn(&w->records, p, k);
			w->left -= k;
			if (!w->left && w->extended) {
				const char *at = strstr(w->records.p, " path=");

				if (at)
					snprintf(w->pax, sizeof(w->pax), "%.*s", (int)strcspn(at + 6, "\n"), at + 6);
			}
		}
		p += k;
		n -= k;
	}
}

static void say(struct where *w, uint64_t at, unsigned layer, unsigned x, unsigned y, struct rs_text *first)
{
	uint64_t done = w->content + ctr_tar_padding(w->content) - w->left;
	unsigned f = 0;

	if (w->left && done < w->content) {
		const char *fmt = w->extended ? N_("layer %u, byte %llu: %02x and %02x, which is byte %llu of the pax records after %s") :
						N_("layer %u, byte %llu: %02x and %02x, which is byte %llu of the content of %s");

		rs_text_set(first, fmt, layer, (unsigned long long)at, x, y, (unsigned long long)done, w->path);
		return;
	}
	while (f + 1 < sizeof(fields) / sizeof(fields[0]) && fields[f + 1].at <= w->in_head)
		f++;
	if (f && w->in_head >= 100) { /* the name is known already */
		char name[101];

		snprintf(name, sizeof(name), "%.100s", (const char *)w->head);
		rs_text_set(first, N_("layer %u, byte %llu: %02x and %02x, in the field %s of the header of %s"), layer, (unsigned long long)at, x, y,
			    fields[f].name, name);
		return;
	}
	rs_text_set(first, N_("layer %u, byte %llu: %02x and %02x, in the name that follows %s"), layer, (unsigned long long)at, x, y,
		    w->path[0] ? w->path : "-");
}

struct side {
	int fd;
	struct ctr_inflate *z;
	const unsigned char *p;
	size_t n;
};

static int side_open(struct side *d, struct ctr_store *s, const struct ctr_image *im, unsigned i, struct rs_err *err)
{
	memset(d, 0, sizeof(*d));
	d->fd = ctr_blob_open(s, &im->layer[i], err);
	d->z = d->fd < 0 ? NULL : ctr_inflate_open(d->fd, im->layer[i].digest, &im->layer[i], NULL, NULL, err);
	return d->z ? 0 : -EBADMSG;
}

/* More bytes, if there are none left. 0: the end. */
static int side_fill(struct side *d, struct rs_err *err)
{
	const void *p;

	if (d->n)
		return 1;
	int ret = ctr_inflate_read(d->z, &p, &d->n, err);
	if (ret <= 0)
		d->n = 0;
	d->p = p;
	return ret;
}

static void side_close(struct side *d)
{
	ctr_inflate_close(d->z);
	if (d->fd >= 0)
		close(d->fd);
}

static int first_byte(struct ctr_store *s, const struct ctr_image *a, const struct ctr_image *b, unsigned layer,
		      struct rs_text *first, struct rs_err *err)
{
	struct side x, y = { .fd = -1 };
	struct where w = { .records = RS_STR_INIT };
	uint64_t at = 0;
	int ret = side_open(&x, s, a, layer, err);

	if (ret == 0)
		ret = side_open(&y, s, b, layer, err);
	while (ret == 0) {
		int i = side_fill(&x, err), k = side_fill(&y, err);
		size_t n = x.n < y.n ? x.n : y.n, same = 0;

		if (i < 0 || k < 0) {
			ret = -EBADMSG;
		} else if (!i || !k) {
			if (i || k)
				rs_text_set(first, N_("layer %u: one archive ends at byte %llu, the other goes on"), layer + 1, (unsigned long long)at);
			break;
		} else {
			while (same < n && x.p[same] == y.p[same])
				same++;
			feed(&w, x.p, same);
			at += same;
			if (same < n) {
				say(&w, at, layer + 1, x.p[same], y.p[same], first);
				break;
			}
			x.p += n;
			y.p += n;
			x.n -= n;
			y.n -= n;
		}
	}
	rs_str_release(&w.records);
	side_close(&x);
	side_close(&y);
	return ret;
}

int ctr_image_diff(struct ctr_store *s, const struct ctr_image *a, const struct ctr_image *b,
		   ctr_change_fn *change, void *arg, struct rs_text *first, struct rs_err *err)
{
	unsigned n = a->layers > b->layers ? a->layers : b->layers;
	bool told = false;
	int found = 0;

	if (first)
		memset(first, 0, sizeof(*first));
	if (a->artifact || b->artifact)
		return rs_err_set(err, -EINVAL, "an artifact has no layers that could be compared");
	for (unsigned i = 0; i < n; i++) {
		struct items x = { NULL, 0 }, y = { NULL, 0 };
		int ret = 0;

		if (i < a->layers && i < b->layers && strcmp(a->diff_id[i], b->diff_id[i]) == 0)
			continue;
		if (i < a->layers)
			ret = read_items(s, a, i, &x, err);
		if (ret == 0 && i < b->layers)
			ret = read_items(s, b, i, &y, err);
		if (ret == 0)
			found += compare_items(&x, &y, i + 1, change, arg);
		items_release(&x);
		items_release(&y);
		if (ret == 0 && first && !told && i < a->layers && i < b->layers) {
			ret = first_byte(s, a, b, i, first, err);
			told = true;
			found += !found; /* the same entries, in other bytes */
		}
		if (ret < 0)
			return ret;
	}
	return found;
}
