/* Which layers are there already, and why one is not. In the store's folder cache/:
 *
 *     r-SLOT   what a step read the last time: a record a file, with its identity and its hash
 *     k-KEY    the layer that a step made, or that it needed none
 *     b-BUILD  the steps of the last build of this Dockerfile, to say what has changed
 *
 * SLOT is the hash of the parent's key and the instruction; KEY that of SLOT and of everything read. A
 * file whose inode, size and times are those of the record has the content of the record, if the record
 * is older than they could hide (as in git's index: a file changed in the tick in which it was read
 * would look the same). All of it may be lost at any time; then layers are made again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "containers/build.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define RECORD_MAX (1u << 30)
#define TICK_NS 20000000ll

/* One file as it was read. Its path and the text of its link follow, each with a NUL. */
struct rec {
	uint32_t section, mode;
	uint64_t size, ino, dev;
	int64_t mtime, ctime;    /* ns */
	uint8_t sum[32];
	uint32_t hard, path, link, pad; /* lengths with the NUL; link 0: none */
};

struct last_step {
	char key[CTR_DIGEST_SIZE]; /* of its parent */
	char *text;
};

struct ctr_cache {
	struct ctr_builder *b;
	char *dir;
	char build[80];            /* name of its b- file */
	struct last_step *last, *now;
	unsigned lasts, nows;
	/* the step */
	char slot[CTR_DIGEST_SIZE], parent[CTR_DIGEST_SIZE];
	struct rs_str old, rec;
	size_t cursor;             /* in old */
	int64_t old_time;          /* when it was made */
	const struct rec *match;   /* of the file that ctr_cache_need was asked about */
	uint32_t section;
	struct ctr_hash hash;
	char content[CTR_DIGEST_SIZE];
	bool have_old, restarted, hashed; /* hashed: a file again, though there was a record of it */
	struct rs_text why;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static int64_t ns_of(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000ll + ts->tv_nsec;
}

static char *path_of(struct ctr_cache *c, const char *kind, const char *digest)
{
	return rs_xasprintf("%s/%s-%s", c->dir, kind, digest + 7);
}

static void digest_of(char out[CTR_DIGEST_SIZE], const char *a, const char *b)
{
	struct ctr_hash h;

	ctr_hash_begin(&h);
	ctr_hash_add(&h, a, strlen(a) + 1);
	ctr_hash_add(&h, b, strlen(b) + 1);
	ctr_hash_end(&h, out);
}

/* ---- the last build ---- */

static void load_last(struct ctr_cache *c)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", c->dir, c->build);
	rs_auto_str text = RS_STR_INIT;
	char *p;

	if (rs_file_read(path, 16u << 20, &text, NULL) < 0)
		return;
	for (p = text.p; p + CTR_DIGEST_SIZE < text.p + text.len && p[71] == ' '; p += strlen(p) + 1) {
		p[71] = '\0';
		c->last = rs_xrealloc(c->last, c->lasts + 1, sizeof(*c->last));
		strcpy(c->last[c->lasts].key, p);
		c->last[c->lasts++].text = rs_xstrdup(p + 72);
		p += 72;
	}
}

static void save_now(struct ctr_cache *c)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", c->dir, c->build);
	rs_auto_str text = RS_STR_INIT;

	bool same = c->lasts == c->nows;

	for (unsigned i = 0; i < c->nows; i++) {
		same = same && strcmp(c->last[i].key, c->now[i].key) == 0 && strcmp(c->last[i].text, c->now[i].text) == 0;
		rs_str_addf(&text, "%s %s", c->now[i].key, c->now[i].text);
		rs_str_addc(&text, '\0');
	}
	if (!same)
		rs_file_save(path, text.p, text.len, NULL);
}

static void free_steps(struct last_step *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(v[i].text);
	free(v);
}

struct ctr_cache *ctr_cache_open(struct ctr_builder *b)
{
	struct ctr_cache *c = rs_xcalloc(1, sizeof(*c));
	rs_auto_free char *context = realpath(b->b->context, NULL);
	rs_auto_free char *what = rs_xasprintf("%s\n%s\n%s", context ? context : b->b->context, b->file->file,
					       b->b->target ? b->b->target : "");
	char digest[CTR_DIGEST_SIZE];

	c->b = b;
	c->old.p = c->rec.p = rs_str_empty;
	c->dir = ctr_store_path(b->store, "cache");
	rs_mkdirs(c->dir, NULL);
	ctr_digest_of(what, strlen(what), digest);
	snprintf(c->build, sizeof(c->build), "b-%s", digest + 7);
	load_last(c);
	return c;
}

void ctr_cache_close(struct ctr_cache *c, bool keep)
{
	if (!c)
		return;
	if (keep)
		save_now(c);
	free_steps(c->last, c->lasts);
	free_steps(c->now, c->nows);
	rs_str_release(&c->old);
	rs_str_release(&c->rec);
	ctr_hash_drop(&c->hash);
	free(c->dir);
	free(c);
}

/* ---- one step ---- */

static void restart(struct ctr_cache *c)
{
	rs_str_clear(&c->rec);
	c->cursor = sizeof(int64_t);
	c->section = 0;
	c->match = NULL;
	ctr_hash_drop(&c->hash);
	ctr_hash_begin(&c->hash);
}

void ctr_cache_restart(struct ctr_cache *c)
{
	int64_t start = now_ns();

	restart(c);
	c->restarted = true;
	rs_str_addn(&c->rec, &start, sizeof(start));
}

void ctr_cache_step(struct ctr_cache *c, struct ctr_stage *st, const char *text)
{
	rs_auto_free char *path = NULL;

	strcpy(c->parent, st->key);
	digest_of(c->slot, st->key, text);
	c->now = rs_xrealloc(c->now, c->nows + 1, sizeof(*c->now));
	strcpy(c->now[c->nows].key, st->key);
	c->now[c->nows++].text = rs_xstrdup(text);
	memset(&c->why, 0, sizeof(c->why));
	rs_str_clear(&c->old);
	path = path_of(c, "r", c->slot);
	c->have_old = !c->b->b->no_cache && rs_file_read(path, RECORD_MAX, &c->old, NULL) == 0 &&
		      c->old.len >= sizeof(int64_t);
	if (c->have_old)
		memcpy(&c->old_time, c->old.p, sizeof(c->old_time));
	ctr_cache_restart(c);
	c->restarted = c->hashed = false;
}

bool ctr_cache_may_hit(struct ctr_cache *c)
{
	return c->have_old;
}

/* The record at the cursor; NULL at the end, or where the file is damaged. */
static const struct rec *at(struct ctr_cache *c, struct rec *buf)
{
	size_t left = c->old.len - c->cursor;

	if (!c->have_old || c->cursor > c->old.len || left < sizeof(*buf))
		return NULL;
	memcpy(buf, c->old.p + c->cursor, sizeof(*buf));
	if (!buf->path || buf->path > left - sizeof(*buf) || buf->link > left - sizeof(*buf) - buf->path ||
	    c->old.p[c->cursor + sizeof(*buf) + buf->path - 1])
		return NULL;
	return buf;
}

static const char *rec_path(const struct ctr_cache *c)
{
	return c->old.p + c->cursor + sizeof(struct rec);
}

/* The order in which a tree is gone through: a folder, what is in it, then what follows its name. */
static int order(const char *a, const char *b)
{
	for (;; a++, b++) {
		unsigned char x = *a == '/' ? 1 : (unsigned char)*a, y = *b == '/' ? 1 : (unsigned char)*b;

		if (x != y || !x)
			return (x > y) - (x < y);
	}
}

/* Moves the cursor to this path, or to what follows it; tells what was passed. True when it is there. */
static bool seek(struct ctr_cache *c, const char *path, struct rec *r)
{
	while (at(c, r)) {
		int o = r->section != c->section ? (r->section < c->section ? -1 : 1) : order(rec_path(c), path);

		if (o == 0)
			return true;
		if (o > 0)
			return false;
		if (!c->why.in[0][0] && !c->restarted)
			rs_text_set(&c->why, N_("%s is gone"), rec_path(c));
		c->cursor += sizeof(*r) + r->path + r->link;
	}
	return false;
}

static bool identical(const struct ctr_cache *c, const struct rec *r, const struct stat *st)
{
	return r->ino == st->st_ino && r->dev == st->st_dev && r->size == (uint64_t)st->st_size &&
	       r->mtime == ns_of(&st->st_mtim) && r->ctime == ns_of(&st->st_ctim) &&
	       r->ctime + TICK_NS < c->old_time;
}

bool ctr_cache_need(void *arg, const char *path, const struct stat *st)
{
	struct ctr_cache *c = arg;
	struct rec r;

	return !(seek(c, path, &r) && S_ISREG(r.mode) && !r.hard && identical(c, &r, st));
}

static const char *kind(mode_t mode)
{
	return S_ISREG(mode) ? N_("a file") : S_ISDIR(mode) ? N_("a folder") : S_ISLNK(mode) ? N_("a symbolic link") : N_("a device");
}

static void compare(struct ctr_cache *c, const struct ctr_wrote *w, const struct rec *r, const struct rec *n)
{
	const char *old_link = r->link ? rec_path(c) + r->path : "";

	if ((r->mode ^ n->mode) & S_IFMT) {
		const char *was = kind(r->mode), *is = kind(n->mode);

		for (int l = 0; l < RS_LANGS; l++)
			snprintf(c->why.in[l], sizeof(c->why.in[l]), rs_tr(l, N_("%s was %s and is %s now")), w->path,
				 rs_tr(l, was), rs_tr(l, is));
	} else if (r->mode != n->mode) {
		rs_text_set(&c->why, N_("%s: permissions %04o instead of %04o"), w->path, n->mode & 07777, r->mode & 07777);
	} else if (r->hard != n->hard || strcmp(old_link, w->link ? w->link : "") != 0) {
		rs_text_set(&c->why, N_("%s leads to \"%s\" instead of \"%s\""), w->path, w->link ? w->link : "", old_link);
	} else if (memcmp(r->sum, n->sum, 32) != 0) {
		if (S_ISREG(n->mode) && r->size != n->size)
			rs_text_set(&c->why, N_("%s: other content, %llu bytes instead of %llu"), w->path,
				    (unsigned long long)n->size, (unsigned long long)r->size);
		else
			rs_text_set(&c->why, N_("%s: other content of the same size"), w->path);
	}
}

void ctr_cache_section(struct ctr_cache *c)
{
	c->section++;
}

void ctr_cache_content(struct ctr_cache *c, const void *data, size_t n)
{
	ctr_hash_add(&c->hash, data, n);
}

void ctr_cache_wrote(void *arg, const struct ctr_wrote *w)
{
	struct ctr_cache *c = arg;
	struct rec r, n = {
		.section = c->section,
		.mode = w->st->st_mode,
		.size = S_ISREG(w->st->st_mode) ? (uint64_t)w->st->st_size : 0,
		.ino = w->st->st_ino,
		.dev = w->st->st_dev,
		.mtime = ns_of(&w->st->st_mtim),
		.ctime = ns_of(&w->st->st_ctim),
		.hard = w->hard,
		.path = (uint32_t)strlen(w->path) + 1,
		.link = w->link ? (uint32_t)strlen(w->link) + 1 : 0,
	};
	bool there = seek(c, w->path, &r);

	if (S_ISREG(n.mode) && !w->hard) {
		c->hashed |= w->sum != NULL;
		if (w->sum)
			memcpy(n.sum, w->sum, 32);
		else if (there)
			memcpy(n.sum, r.sum, 32); /* it was identical: ctr_cache_need */
	}
	if (!c->why.in[0][0] && c->have_old && !c->restarted) {
		if (there)
			compare(c, w, &r, &n);
		else
			rs_text_set(&c->why, N_("%s is new"), w->path);
	}
	if (there)
		c->cursor += sizeof(r) + r.path + r.link;
	rs_str_addn(&c->rec, &n, sizeof(n));
	rs_str_addn(&c->rec, w->path, n.path);
	if (w->link)
		rs_str_addn(&c->rec, w->link, n.link);
	/* the identity is no part of the content; the size of a file is in its sum */
	ctr_hash_add(&c->hash, &n.section, sizeof(n.section));
	ctr_hash_add(&c->hash, &n.mode, sizeof(n.mode));
	ctr_hash_add(&c->hash, n.sum, sizeof(n.sum));
	ctr_hash_add(&c->hash, &n.hard, sizeof(n.hard));
	ctr_hash_add(&c->hash, w->path, n.path);
	if (w->link)
		ctr_hash_add(&c->hash, w->link, n.link);
	if (S_ISCHR(n.mode) || S_ISBLK(n.mode))
		ctr_hash_add(&c->hash, &w->st->st_rdev, sizeof(w->st->st_rdev));
}

static void content_digest(struct ctr_cache *c)
{
	ctr_hash_end(&c->hash, c->content);
}

/* Why there is no such step at all. */
static void explain(struct ctr_cache *c)
{
	unsigned i = c->nows - 1;

	if (c->why.in[0][0])
		return;
	if (c->b->b->no_cache)
		rs_text_set(&c->why, N_("the cache is not used"));
	else if (!c->lasts)
		rs_text_set(&c->why, N_("it is built for the first time"));
	else if (i >= c->lasts)
		rs_text_set(&c->why, N_("the instruction is new"));
	else if (strcmp(c->last[i].key, c->parent) != 0)
		rs_text_set(&c->why, N_("a step before it has changed"));
	else if (strcmp(c->last[i].text, c->now[i].text) != 0)
		rs_text_set(&c->why, N_("the instruction was \"%.120s\""), c->last[i].text);
	else
		rs_text_set(&c->why, N_("what it made is not in the store any more"));
}

static int missed(struct ctr_cache *c)
{
	explain(c);
	c->b->step.why = c->why;
	return 0;
}

int ctr_cache_find(struct ctr_cache *c, struct ctr_stage *st)
{
	rs_auto_free char *path = NULL;
	rs_auto_str text = RS_STR_INIT;
	char key[CTR_DIGEST_SIZE], diff_id[CTR_DIGEST_SIZE];
	struct ctr_desc d = { .size = 0 };
	unsigned long long size;
	uint64_t have;

	if (c->b->b->no_cache)
		return missed(c);
	content_digest(c);
	digest_of(key, c->slot, c->content);
	path = path_of(c, "k", key);
	if (rs_file_read(path, 4096, &text, NULL) < 0)
		return missed(c);
	if (strcmp(text.p, "none\n") == 0) {
		c->b->step.cached = true;
		strcpy(st->key, key);
		return 1;
	}
	if (sscanf(text.p, "%71s %llu %127s %71s", d.digest, &size, d.media, diff_id) != 4)
		return missed(c);
	d.size = size;
	if (!ctr_store_has(c->b->store, d.digest, &have) || have != d.size || !ctr_digest_ok(diff_id))
		return missed(c);
	ctr_stage_add(st, &d, diff_id);
	c->b->step.cached = true;
	c->b->step.layer = d;
	strcpy(st->key, key);
	/* identities have changed, though the content has not: the next build need not hash it again */
	if (c->hashed) {
		rs_auto_free char *rec = path_of(c, "r", c->slot);

		rs_file_save(rec, c->rec.p, c->rec.len, NULL);
	}
	return 1;
}

void ctr_cache_made(struct ctr_cache *c, struct ctr_stage *st, const struct ctr_desc *layer, const char *diff_id)
{
	rs_auto_free char *path = NULL, *rec = path_of(c, "r", c->slot);
	rs_auto_str text = RS_STR_INIT;
	char key[CTR_DIGEST_SIZE];

	if (c->hash.ctx)
		content_digest(c);
	digest_of(key, c->slot, c->content);
	path = path_of(c, "k", key);
	if (layer)
		rs_str_addf(&text, "%s %llu %s %s\n", layer->digest, (unsigned long long)layer->size, layer->media, diff_id);
	else
		rs_str_add(&text, "none\n");
	/* a cache that cannot be written costs time, and is no failure */
	rs_file_save(path, text.p, text.len, NULL);
	rs_file_save(rec, c->rec.p, c->rec.len, NULL);
	strcpy(st->key, key);
	if (layer)
		c->b->step.layer = *layer;
}
