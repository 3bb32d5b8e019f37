/* A layer on its way into the store: tar, hash, compress, hash, write, in one pass over the data.
 *
 * The archive is cut into chunks of 1 MiB, whatever is in it. Each chunk is compressed by itself, as a
 * gzip member (RFC 1952, 2.2: members simply follow one another) or a zstd frame (RFC 8878, 3), by
 * whichever thread is free; so the bytes do not depend on how many there are. The thread that finishes
 * a chunk writes it, and every finished one behind it, in order:
 *
 *     caller: fill slot, hash it  ->  any thread: compress  ->  one thread at a time: hash, write
 *
 * The caller's thread compresses, too, when it finds no free slot. Slots are few, so memory is bounded
 * whatever the size of the tree; a small layer starts no thread at all.
 */
#include <errno.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "containers/layer.h"
#include "engine/base/cleanup.h"

#define CHUNK (1u << 20)
#define THREADS_MAX 12u /* each has its compressor's tables and about one slot */

/* One compressor of either kind. */
struct squeezer {
	enum ctr_compress kind;
	struct libdeflate_compressor *gz;
	ZSTD_CCtx *zstd;
};

enum state { FREE, FILLED, BUSY, DONE };
struct slot {
	enum state state;
	unsigned char *in, *out;
	size_t n, out_n;
};

struct ctr_layer {
	struct ctr_blob blob;
	struct ctr_hash diff;
	enum ctr_compress kind;
	int level;
	unsigned threads, running;
	pthread_t thread[THREADS_MAX];
	struct squeezer own;          /* of the caller's thread */

	struct slot *slot;
	unsigned slots;
	size_t out_size;
	size_t fill;                  /* bytes in the slot of chunk `head` */
	uint64_t left;                /* content that the current entry still wants */
	unsigned pad;                 /* zeros behind it */
	bool raw;
	int (*watch)(void *arg, const struct ctr_entry *e, struct rs_err *err);
	void *watch_arg;

	pthread_mutex_t mutex;
	pthread_cond_t filled, freed;
	uint64_t head, next, tail;    /* chunks filled; taken for compression; written */
	bool writing, stop;
	int error;                    /* negative errno of the first failure; err says what */
	struct rs_err err;
};

int ctr_layer_compress(const char *media, enum ctr_compress *c)
{
	static const struct {
		const char *media;
		enum ctr_compress c;
	} rows[] = {
		{ CTR_MEDIA_LAYER, CTR_PLAIN },
		{ CTR_MEDIA_LAYER "+gzip", CTR_GZIP },
		{ CTR_MEDIA_LAYER "+zstd", CTR_ZSTD },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar", CTR_PLAIN },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", CTR_GZIP },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", CTR_ZSTD },
		{ "application/vnd.docker.image.rootfs.diff.tar", CTR_PLAIN },
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip", CTR_GZIP },
		{ "application/vnd.docker.image.rootfs.diff.tar.zstd", CTR_ZSTD },
		{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", CTR_GZIP },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(media, rows[i].media) == 0) {
			*c = rows[i].c;
			return 0;
		}
	return -EINVAL;
}

/* ---- compressing one chunk ---- */

static void squeezer_open(struct squeezer *q, enum ctr_compress kind, int level)
{
	memset(q, 0, sizeof(*q));
	q->kind = kind;
	if (kind == CTR_GZIP) {
		q->gz = libdeflate_alloc_compressor(level);
		if (!q->gz)
			rs_oom();
	} else if (kind == CTR_ZSTD) {
		q->zstd = ZSTD_createCCtx();
		if (!q->zstd)
			rs_oom();
		ZSTD_CCtx_setParameter(q->zstd, ZSTD_c_compressionLevel, level);
		ZSTD_CCtx_setParameter(q->zstd, ZSTD_c_checksumFlag, 1);
	}
}

static void squeezer_close(struct squeezer *q)
{
	libdeflate_free_compressor(q->gz);
	ZSTD_freeCCtx(q->zstd);
}

static size_t bound(enum ctr_compress kind)
{
	return kind == CTR_GZIP ? libdeflate_gzip_compress_bound(NULL, CHUNK) : kind == CTR_ZSTD ? ZSTD_compressBound(CHUNK) : 0;
}

static void squeeze(const struct ctr_layer *l, struct squeezer *q, struct slot *s)
{
	if (q->kind == CTR_GZIP)
		s->out_n = libdeflate_gzip_compress(q->gz, s->in, s->n, s->out, l->out_size);
	else if (q->kind == CTR_ZSTD)
		s->out_n = ZSTD_compress2(q->zstd, s->out, l->out_size, s->in, s->n);
	else
		s->out_n = s->n;
}

/* ---- the pipeline; these are called with the mutex held ---- */

/* Writes what is finished, in order. Nobody else does so meanwhile. */
static void drain(struct ctr_layer *l)
{
	if (l->writing)
		return;
	l->writing = true;
	while (l->tail < l->head && l->slot[l->tail % l->slots].state == DONE) {
		struct slot *s = &l->slot[l->tail % l->slots];
		bool skip = l->error < 0;

		pthread_mutex_unlock(&l->mutex);
		int ret = skip ? 0 : ctr_blob_write(&l->blob, l->kind == CTR_PLAIN ? s->in : s->out, s->out_n, &l->err);
		pthread_mutex_lock(&l->mutex);
		if (ret < 0)
			l->error = ret;
		s->state = FREE;
		l->tail++;
		pthread_cond_broadcast(&l->freed);
	}
	l->writing = false;
}

/* Compresses the next chunk that waits for it. */
static void compress_one(struct ctr_layer *l, struct squeezer *q)
{
	struct slot *s = &l->slot[l->next++ % l->slots];

	s->state = BUSY;
	pthread_mutex_unlock(&l->mutex);
	squeeze(l, q, s);
	pthread_mutex_lock(&l->mutex);
	s->state = DONE;
	drain(l);
}

static void *worker(void *arg)
{
	struct ctr_layer *l = arg;
	struct squeezer q;

	squeezer_open(&q, l->kind, l->level);
	pthread_mutex_lock(&l->mutex);
	for (;;) {
		while (l->next == l->head && !l->stop)
			pthread_cond_wait(&l->filled, &l->mutex);
		if (l->next == l->head)
			break;
		compress_one(l, &q);
	}
	pthread_mutex_unlock(&l->mutex);
	squeezer_close(&q);
	return NULL;
}

/* Fewer threads than wished for are enough: the caller's own does the work, too. */
static void start_threads(struct ctr_layer *l)
{
	while (l->running + 1 < l->threads) {
		if (pthread_create(&l->thread[l->running], NULL, worker, l) != 0) {
			l->threads = l->running + 1;
			break;
		}
		l->running++;
	}
}

static void make_room(struct ctr_layer *l, struct slot *s)
{
	if (!s->in) {
		s->in = rs_xmalloc(CHUNK);
		s->out = l->out_size ? rs_xmalloc(l->out_size) : NULL;
	}
}

/* Hands the chunk that was filled to the threads and makes the next slot free. */
static int submit(struct ctr_layer *l, struct rs_err *err)
{
	struct slot *s = &l->slot[l->head % l->slots];
	int ret;

	s->n = l->fill;
	l->fill = 0;
	ctr_hash_add(&l->diff, s->in, s->n);
	pthread_mutex_lock(&l->mutex);
	s->state = FILLED;
	l->head++;
	pthread_cond_signal(&l->filled);
	s = &l->slot[l->head % l->slots];
	while (s->state != FREE) {
		if (l->next < l->head)
			compress_one(l, &l->own);
		else
			pthread_cond_wait(&l->freed, &l->mutex);
	}
	ret = l->error;
	pthread_mutex_unlock(&l->mutex);
	if (ret < 0 && err)
		*err = l->err;
	start_threads(l);
	make_room(l, s);
	return ret;
}

/* ---- begin, end ---- */

struct ctr_layer *ctr_layer_begin(struct ctr_store *s, const struct ctr_layer_opts *opts, struct rs_err *err)
{
	struct ctr_layer *l = rs_xcalloc(1, sizeof(*l));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (ctr_blob_begin(s, &l->blob, err) < 0) {
		free(l);
		return NULL;
	}
	ctr_hash_begin(&l->diff);
	l->kind = opts->compress;
	l->level = opts->level ? opts->level : l->kind == CTR_GZIP ? 6 : 3;
	l->threads = opts->threads ? opts->threads : cpus > 0 ? (unsigned)cpus : 1;
	if (l->threads > THREADS_MAX)
		l->threads = THREADS_MAX;
	l->slots = l->threads + 2;
	l->slot = rs_xcalloc(l->slots, sizeof(*l->slot));
	l->out_size = bound(l->kind);
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->filled, NULL);
	pthread_cond_init(&l->freed, NULL);
	squeezer_open(&l->own, l->kind, l->level);
	make_room(l, &l->slot[0]);
	return l;
}

/* Everything that was handed over is written afterwards, and no thread is left. */
static void settle(struct ctr_layer *l)
{
	pthread_mutex_lock(&l->mutex);
	while (l->next < l->head)
		compress_one(l, &l->own);
	l->stop = true;
	pthread_cond_broadcast(&l->filled);
	pthread_mutex_unlock(&l->mutex);
	for (unsigned i = 0; i < l->running; i++)
		pthread_join(l->thread[i], NULL);
	pthread_mutex_lock(&l->mutex);
	drain(l);
	pthread_mutex_unlock(&l->mutex);
}

static void release(struct ctr_layer *l)
{
	squeezer_close(&l->own);
	for (unsigned i = 0; i < l->slots; i++) {
		free(l->slot[i].in);
		free(l->slot[i].out);
	}
	free(l->slot);
	ctr_hash_drop(&l->diff);
	pthread_mutex_destroy(&l->mutex);
	pthread_cond_destroy(&l->filled);
	pthread_cond_destroy(&l->freed);
	free(l);
}

void ctr_layer_drop(struct ctr_layer *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->mutex);
	l->error = l->error ? l->error : -ECANCELED; /* what is compressed now is not written */
	pthread_mutex_unlock(&l->mutex);
	settle(l);
	ctr_blob_drop(&l->blob);
	release(l);
}

int ctr_layer_finish(struct ctr_layer *l, struct ctr_desc *blob, char diff_id[CTR_DIGEST_SIZE],
		     struct rs_err *err)
{
	static const char *const suffix[] = { "+gzip", "+zstd", "" };
	static const char zero[2 * CTR_TAR_BLOCK];
	int ret = 0;

	memset(blob, 0, sizeof(*blob));
	if (!l->raw) /* two blocks of zeros end an archive */
		ret = ctr_layer_raw(l, zero, sizeof(zero), err);
	if (ret == 0 && l->fill)
		ret = submit(l, err);
	if (ret < 0) {
		ctr_layer_drop(l);
		return ret;
	}
	settle(l);
	ret = l->error;
	if (ret < 0) {
		if (err)
			*err = l->err;
		ctr_blob_drop(&l->blob);
	} else {
		snprintf(blob->media, sizeof(blob->media), "%s%s", CTR_MEDIA_LAYER, suffix[l->kind]);
		ctr_hash_end(&l->diff, diff_id);
		ret = ctr_blob_commit(&l->blob, NULL, blob, err);
	}
	release(l);
	return ret;
}

/* ---- what goes in ---- */

static int put(struct ctr_layer *l, const void *data, size_t n, struct rs_err *err)
{
	const char *p = data;

	while (n) {
		size_t room = CHUNK - l->fill, k = n < room ? n : room;

		memcpy(l->slot[l->head % l->slots].in + l->fill, p, k);
		l->fill += k;
		p += k;
		n -= k;
		if (l->fill == CHUNK) {
			int ret = submit(l, err);

			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

int ctr_layer_raw(struct ctr_layer *l, const void *data, size_t n, struct rs_err *err)
{
	l->raw = true;
	return put(l, data, n, err);
}

int ctr_layer_entry(struct ctr_layer *l, const struct ctr_entry *e, struct rs_err *err)
{
	rs_auto_str head = RS_STR_INIT;
	int ret = ctr_pax_header(e, &head, err);

	if (ret == 0 && l->watch)
		ret = l->watch(l->watch_arg, e, err);
	if (ret < 0)
		return ret;
	l->left = S_ISREG(e->mode) && !e->hard ? e->size : 0;
	l->pad = ctr_tar_padding(l->left);
	return put(l, head.p, head.len, err);
}

/* Zeros up to the next block once the content is complete. */
static int content_done(struct ctr_layer *l, struct rs_err *err)
{
	static const char zero[CTR_TAR_BLOCK];
	unsigned pad = l->pad;

	if (l->left)
		return 0;
	l->pad = 0;
	return put(l, zero, pad, err);
}

void *ctr_layer_room(struct ctr_layer *l, size_t *n, struct rs_err *err)
{
	if (l->fill == CHUNK && submit(l, err) < 0)
		return NULL;
	*n = CHUNK - l->fill;
	if (*n > l->left)
		*n = (size_t)l->left;
	return l->slot[l->head % l->slots].in + l->fill;
}

void ctr_layer_took(struct ctr_layer *l, size_t n)
{
	l->fill += n;
	l->left -= n;
}

int ctr_layer_data(struct ctr_layer *l, const void *data, size_t n, struct rs_err *err)
{
	int ret;

	if (n > l->left)
		return rs_err_set(err, -EINVAL, "a file in the archive has more content than its header says");
	ret = put(l, data, n, err);
	l->left -= n;
	return ret < 0 ? ret : content_done(l, err);
}

/* The content before `data_at` is a hole: zeros, without reading them. */
static int file_hole(struct ctr_layer *l, uint64_t n, struct ctr_hash *h, struct rs_err *err)
{
	while (n) {
		size_t room;
		void *p = ctr_layer_room(l, &room, err);

		if (!p)
			return l->error;
		if (room > n)
			room = (size_t)n;
		memset(p, 0, room);
		if (h)
			ctr_hash_add(h, p, room);
		ctr_layer_took(l, room);
		n -= room;
	}
	return 0;
}

static int file_part(struct ctr_layer *l, int fd, uint64_t n, const char *name, struct ctr_hash *h,
		     struct rs_err *err)
{
	while (n) {
		size_t room;
		void *p = ctr_layer_room(l, &room, err);
		ssize_t k;

		if (!p)
			return l->error;
		k = read(fd, p, room < n ? room : (size_t)n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return rs_err_errno(err, errno, "cannot read %s", name);
		if (k == 0)
			return rs_err_set(err, -EBUSY, "%s became shorter while it was read", name);
		if (h)
			ctr_hash_add(h, p, (size_t)k);
		ctr_layer_took(l, (size_t)k);
		n -= (uint64_t)k;
	}
	return 0;
}

#define SPARSE_MIN (64u << 10) /* below it, to look for holes costs more than it saves */

/* Holes are skipped where the file system tells of them. */
static int file_body(struct ctr_layer *l, int fd, uint64_t size, const char *name, struct ctr_hash *h,
		     struct rs_err *err)
{
	uint64_t at = 0;
	int ret = 0;

	while (ret == 0 && at < size) {
		off_t data = size < SPARSE_MIN ? (off_t)at : lseek(fd, (off_t)at, SEEK_DATA);
		off_t hole = size < SPARSE_MIN ? -1 : data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		uint64_t from = data >= 0 ? (uint64_t)data : errno == ENXIO ? size : at;
		uint64_t to = hole >= 0 && (uint64_t)hole < size ? (uint64_t)hole : size;

		if (from > size)
			from = size;
		ret = file_hole(l, from - at, h, err);
		if (ret == 0 && from < to) {
			if (size >= SPARSE_MIN && lseek(fd, (off_t)from, SEEK_SET) < 0)
				return rs_err_errno(err, errno, "cannot read %s", name);
			ret = file_part(l, fd, to - from, name, h, err);
		}
		at = to;
	}
	return ret;
}

int ctr_layer_file(struct ctr_layer *l, int fd, uint64_t size, const char *name, unsigned char sum[32],
		   struct rs_err *err)
{
	struct ctr_hash h = { NULL };
	int ret;

	if (size != l->left)
		return rs_err_set(err, -EINVAL, "a file in the archive has more content than its header says");
	if (sum)
		ctr_hash_begin(&h);
	ret = file_body(l, fd, size, name, sum ? &h : NULL, err);
	if (ret == 0)
		ret = content_done(l, err);
	if (sum && ret == 0)
		ctr_hash_raw(&h, sum);
	else
		ctr_hash_drop(&h);
	return ret;
}

void ctr_layer_watch(struct ctr_layer *l, int (*fn)(void *arg, const struct ctr_entry *e, struct rs_err *err),
		     void *arg)
{
	l->watch = fn;
	l->watch_arg = arg;
}
