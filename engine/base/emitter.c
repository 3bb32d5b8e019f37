/* The producer's side of a channel. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/shm.h"
#include "engine/base/state.h"
#include "engine/base/str.h"

int rs_emitter_open(struct rs_emitter *em, int channel_fd, int wake_fd, struct rs_err *err)
{
	struct rs_channel_shm *shm;
	struct stat st;
	size_t size;

	memset(em, 0, sizeof(*em));
	em->wake_fd = -1;
	if (fstat(channel_fd, &st) < 0)
		return rs_err_errno(err, errno, "cannot look at the event channel");
	if (st.st_size < (off_t)rs_shm_size(2))
		return rs_err_set(err, -EPROTO, "the event channel is too small");
	size = (size_t)st.st_size;
	/* Populated now: an event then meets no page fault. */
	shm = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, channel_fd, 0);
	if (shm == MAP_FAILED)
		return rs_err_errno(err, errno, "cannot map the event channel");
	if (shm->magic != RS_SHM_MAGIC || shm->slots < 2 || rs_shm_size(shm->slots) != size) {
		munmap(shm, size);
		return rs_err_set(err, -EPROTO, "the event channel belongs to another version of the lab");
	}
	/* Without a registration the consumer's membarrier does not reach this process. */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) < 0)
		atomic_store_explicit(&shm->fence, 1, memory_order_seq_cst);
	em->shm = shm;
	em->counters = shm->counters;
	em->wanted = shm->wanted;
	em->wake_fd = wake_fd;
	return 0;
}

void rs_emitter_close(struct rs_emitter *em)
{
	if (em->shm)
		munmap(em->shm, rs_shm_size(em->shm->slots));
	memset(em, 0, sizeof(*em));
	em->wake_fd = -1;
}

/* Waits until the slot of `pos` may be free. */
static void __attribute__((noinline)) wait_space(struct rs_channel_shm *shm, struct rs_slot *slot,
						  uint64_t pos)
{
	/* The consumer's death ends us (parent-death signal). The limit only bounds the damage if
	 * the two sides ever disagreed; the tests run with the wake-up alone. */
	static const struct timespec limit = { .tv_sec = 10 };
	uint32_t seen;

	atomic_fetch_add_explicit(&shm->waiters, 1, memory_order_seq_cst);
	seen = atomic_load_explicit(&shm->space, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	if ((int64_t)(atomic_load_explicit(&slot->seq, memory_order_acquire) - pos) < 0)
		syscall(SYS_futex, &shm->space, FUTEX_WAIT, seen, &limit, NULL, 0);
	atomic_fetch_sub_explicit(&shm->waiters, 1, memory_order_relaxed);
}

static void __attribute__((noinline)) wake(struct rs_emitter *em)
{
	static const uint64_t one = 1;

	/* Of several producers one wakes. A full eventfd is readable already. */
	if (atomic_exchange_explicit(&em->shm->sleeping, 0, memory_order_relaxed) == 1 &&
	    em->wake_fd >= 0)
		while (write(em->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			continue;
}

/* A slot for the next position, or NULL when the ring is full and may drop. */
static inline struct rs_slot *claim(struct rs_channel_shm *shm, uint64_t *at)
{
	uint64_t pos = atomic_load_explicit(&shm->tail, memory_order_relaxed);
	uint64_t mask = shm->slots - 1;

	for (;;) {
		struct rs_slot *slot = &shm->slot[pos & mask];
		int64_t turn = (int64_t)(atomic_load_explicit(&slot->seq, memory_order_acquire) - pos);

		if (turn == 0) {
			if (atomic_compare_exchange_weak_explicit(&shm->tail, &pos, pos + 1,
								  memory_order_relaxed,
								  memory_order_relaxed)) {
				*at = pos;
				return slot;
			}
		} else if (turn > 0) { /* another producer was faster */
			pos = atomic_load_explicit(&shm->tail, memory_order_relaxed);
		} else if (shm->block == RS_FULL_BLOCK) {
			wait_space(shm, slot, pos);
			pos = atomic_load_explicit(&shm->tail, memory_order_relaxed);
		} else {
			atomic_fetch_add_explicit(&shm->counters[RS_CTR_EVENTS_LOST], 1,
						  memory_order_relaxed);
			return NULL;
		}
	}
}

static inline void emit(struct rs_emitter *em, enum rs_kind kind, enum rs_source src, uint32_t actor,
			uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, const void *data, size_t n)
{
	struct rs_channel_shm *shm = em->shm;
	uint64_t pos;
	struct rs_slot *slot = claim(shm, &pos);

	if (!slot)
		return;
	slot->time = rs_stamp_now(shm->stamp);
	slot->kind = (uint16_t)kind;
	slot->source = (uint16_t)src;
	slot->actor = actor;
	slot->arg[0] = a0;
	slot->arg[1] = a1;
	slot->arg[2] = a2;
	slot->arg[3] = a3;
	/* all of it, so that no byte of an older event shows */
	memset(slot->text, 0, sizeof(slot->text));
	if (n)
		memcpy(slot->text, data, n);
	atomic_store_explicit(&slot->seq, pos + 1, memory_order_release);
	/* Commit, fence, look for a sleeper: see shm.h. */
	if (__builtin_expect(atomic_load_explicit(&shm->fence, memory_order_relaxed), 0))
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(atomic_load_explicit(&shm->sleeping, memory_order_relaxed), 0))
		wake(em);
}

void rs_emit_slow(struct rs_emitter *em, enum rs_kind kind, enum rs_source src, uint32_t actor,
		  uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, const char *text)
{
	size_t n = 0;

	if (text) {
		n = strnlen(text, RS_TEXT_SIZE);
		if (n == RS_TEXT_SIZE)
			n = rs_utf8_fit(text, n, RS_TEXT_SIZE - 1);
	}
	emit(em, kind, src, actor, a0, a1, a2, a3, text, n);
}

void rs_emit_data(struct rs_emitter *em, enum rs_kind kind, enum rs_source src, uint32_t actor,
		  uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, const void *data, size_t n)
{
	if (rs_wanted(em, kind))
		emit(em, kind, src, actor, a0, a1, a2, a3, data, n < RS_TEXT_SIZE ? n : RS_TEXT_SIZE);
}

void rs_emit_out(struct rs_emitter *em, enum rs_source src, uint32_t actor, enum rs_stream stream,
		 uint64_t *offset, const void *data, size_t n)
{
	for (const char *p = data; n;) {
		size_t len = n < RS_TEXT_SIZE ? n : RS_TEXT_SIZE;

		rs_emit_data(em, RS_EV_OUT_DATA, src, actor, stream, *offset, len, 0, p, len);
		*offset += len;
		p += len;
		n -= len;
	}
}

void rs_emit_state(struct rs_emitter *em, enum rs_source src, uint32_t actor, enum rs_block block,
		   const void *data, size_t n)
{
	const char *p = data;

	n = n < RS_STATE_MAX ? n : RS_STATE_MAX;
	for (size_t at = 0; at < n; at += RS_TEXT_SIZE) {
		size_t len = n - at < RS_TEXT_SIZE ? n - at : RS_TEXT_SIZE;

		rs_emit_data(em, RS_EV_STATE_BLOCK, src, actor, block, at, n, len, p + at, len);
	}
}
