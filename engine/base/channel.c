/* The consumer's side of a channel. Everything in the shared memory is a claim of somebody who may
 * be hostile: positions, times and limits that matter are kept in struct rs_channel, and each
 * record is copied before it is looked at. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/shm.h"
#include "engine/base/str.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

struct rs_channel {
	struct rs_channel_shm *shm;
	uint32_t slots;
	enum rs_full full;
	int fd, wake_fd;
	uint64_t head;      /* position of the next event to take */
	uint64_t end;       /* producer dead: no event at or behind this position */
	bool dead, corrupt;
	bool membarrier;    /* producers rely on our fence, see shm.h */
	bool more;          /* the last read stopped for want of room, not of events */
	bool armed;         /* announced sleep: the wake fd may hold a wake-up */
	uint32_t taken;     /* slots, since the last rs_channel_doze */
	uint64_t skipped;   /* events lost on our side: uncommitted, or rejected */
	struct rs_clock clock;
};

static int make_memfd(void)
{
	int fd = memfd_create("ringside-events", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("ringside-events", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

/* Linux 4.16; a container's seccomp filter may forbid it. */
static bool membarrier_works(void)
{
	long can = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	long need = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;

	return can >= 0 && (can & need) == need &&
	       syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
}

struct rs_channel *rs_channel_new(unsigned slots, enum rs_full full, struct rs_err *err)
{
	struct rs_channel *ch;
	struct rs_channel_shm *shm;

	if (slots < 2 || slots > 1u << 24 || (slots & (slots - 1))) {
		rs_err_set(err, -EINVAL, "an event ring of %u slots: not a power of two", slots);
		return NULL;
	}
	ch = rs_xcalloc(1, sizeof(*ch));
	ch->slots = slots;
	ch->full = full;
	ch->fd = ch->wake_fd = -1;
	ch->shm = MAP_FAILED;
	ch->fd = make_memfd();
	if (ch->fd < 0 || ftruncate(ch->fd, (off_t)rs_shm_size(slots)) < 0)
		goto fail;
	/* Sealed before it is mapped: no shrinking can take pages away from under the consumer
	 * (SIGBUS). */
	if (fcntl(ch->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto fail;
	ch->shm = mmap(NULL, rs_shm_size(slots), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       ch->fd, 0);
	if (ch->shm == MAP_FAILED)
		goto fail;
	ch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ch->wake_fd < 0)
		goto fail;
	shm = ch->shm;
	shm->magic = RS_SHM_MAGIC;
	shm->slots = slots;
	shm->block = full;
	rs_clock_start(&ch->clock, rs_stamp_choose());
	shm->stamp = ch->clock.stamp;
	ch->membarrier = membarrier_works();
	atomic_init(&shm->fence, !ch->membarrier);
	for (unsigned i = 0; i < slots; i++)
		atomic_init(&shm->slot[i].seq, i);
	for (unsigned k = 0; k < RS_KIND_COUNT; k++)
		rs_channel_want(ch, k, false); /* leaves the LOW kinds on */
	return ch;
fail:
	rs_err_errno(err, errno, "cannot make an event channel of %u slots", slots);
	rs_channel_free(ch);
	return NULL;
}

void rs_channel_free(struct rs_channel *ch)
{
	if (!ch)
		return;
	if (ch->shm != MAP_FAILED)
		munmap(ch->shm, rs_shm_size(ch->slots));
	if (ch->fd >= 0)
		close(ch->fd);
	if (ch->wake_fd >= 0)
		close(ch->wake_fd);
	free(ch);
}

int rs_channel_fd(const struct rs_channel *ch)
{
	return ch->fd;
}

int rs_channel_wake_fd(const struct rs_channel *ch)
{
	return ch->wake_fd;
}

uint64_t rs_channel_began(const struct rs_channel *ch)
{
	return ch->clock.start;
}

void rs_channel_want(struct rs_channel *ch, enum rs_kind kind, bool on)
{
	uint64_t bit = UINT64_C(1) << ((unsigned)kind % 64);

	if ((unsigned)kind >= RS_KIND_COUNT)
		return;
	if (on || !rs_kind_info(kind)->high_rate)
		atomic_fetch_or_explicit(&ch->shm->wanted[kind / 64], bit, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&ch->shm->wanted[kind / 64], ~bit, memory_order_relaxed);
}

/* A dead producer's uncommitted slots lie below the tail that it left; the tail is a claim like
 * all else. */
void rs_channel_producer_died(struct rs_channel *ch)
{
	uint64_t tail = atomic_load_explicit(&ch->shm->tail, memory_order_acquire);

	ch->dead = true;
	ch->end = tail;
	if (tail - ch->head > ch->slots) {
		ch->corrupt = true;
		ch->end = ch->head + ch->slots;
	}
	/* An event is one when it is committed: what death cut short at the very end is none. */
	while (ch->end > ch->head && atomic_load_explicit(&ch->shm->slot[(ch->end - 1) % ch->slots].seq,
							  memory_order_acquire) == ch->end - 1)
		ch->end--;
}

enum turn { TURN_NOTHING, TURN_EVENT, TURN_SKIP };

/* What stands at the consumer's position. */
static enum turn look(struct rs_channel *ch, const struct rs_slot *slot)
{
	uint64_t seq = atomic_load_explicit(&slot->seq, memory_order_acquire);

	if (seq == ch->head + 1)
		return TURN_EVENT;
	if (seq != ch->head)
		ch->corrupt = true; /* no order of correct steps leads here */
	return ch->dead && ch->head != ch->end ? TURN_SKIP : TURN_NOTHING;
}

static struct rs_slot *slot_at_head(const struct rs_channel *ch)
{
	return &ch->shm->slot[ch->head & (ch->slots - 1)];
}

static void drain_wake_fd(const struct rs_channel *ch)
{
	uint64_t count;
	struct iovec v = { &count, sizeof(count) };

	/* The producer shares the open file and could make it blocking: so ask not to wait. */
	if (preadv2(ch->wake_fd, &v, 1, -1, RWF_NOWAIT) < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		if (read(ch->wake_fd, &count, sizeof(count)) < 0)
			return; /* nothing there */
}

unsigned rs_channel_read(struct rs_channel *ch, struct rs_event *out, unsigned n)
{
	struct rs_channel_shm *shm = ch->shm;
	unsigned got = 0, taken = 0;

	if (ch->armed) {
		ch->armed = false;
		atomic_store_explicit(&shm->sleeping, 0, memory_order_relaxed);
		drain_wake_fd(ch);
	}
	/* A bound on what is skipped, too: a producer that keeps sending rubbish cannot hold us. */
	while (got < n && taken < ch->slots) {
		struct rs_slot *slot = slot_at_head(ch);
		enum turn turn = look(ch, slot);

		if (turn == TURN_NOTHING)
			break;
		if (turn == TURN_EVENT) {
			struct rs_event *ev = &out[got];

			memcpy(ev, slot, sizeof(*ev));
			ev->seq = ch->head + 1;
			if (rs_event_check(ev)) {
				ev->time = rs_clock_ns(&ch->clock, ev->time);
				got++;
			} else {
				ch->corrupt = true;
				ch->skipped++;
			}
		} else {
			ch->skipped++;
		}
		atomic_store_explicit(&slot->seq, ch->head + ch->slots, memory_order_release);
		ch->head++;
		taken++;
	}
	ch->more = got == n || taken == ch->slots;
	ch->taken = taken < UINT32_MAX - ch->taken ? ch->taken + taken : UINT32_MAX;
	if (taken && ch->full == RS_FULL_BLOCK) {
		atomic_thread_fence(memory_order_seq_cst); /* shm.h: the handshake */
		if (atomic_load_explicit(&shm->waiters, memory_order_seq_cst)) {
			atomic_fetch_add_explicit(&shm->space, 1, memory_order_seq_cst);
			syscall(SYS_futex, &shm->space, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		}
	}
	return got;
}

bool rs_channel_sleep(struct rs_channel *ch)
{
	atomic_store_explicit(&ch->shm->sleeping, 1, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	ch->armed = true;
	if (ch->membarrier && syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) < 0) {
		/* it worked before: a filter was put on us since. Producers fence from now on; one
		 * that is emitting right now may not have seen it, so this once stay awake. */
		ch->membarrier = false;
		atomic_store_explicit(&ch->shm->fence, 1, memory_order_seq_cst);
		return false;
	}
	return look(ch, slot_at_head(ch)) == TURN_NOTHING;
}

/* Long enough to save nearly all wake-ups, short beside the 16 ms of a frame. */
#define DOZE_MS 4

int rs_channel_doze(struct rs_channel *ch)
{
	uint32_t taken = ch->taken;

	if (ch->more)
		return 0;
	ch->taken = 0;
	if (taken > ch->slots / 4) /* it would fill within a few dozes */
		return 0;
	if (taken)
		return DOZE_MS;
	return rs_channel_sleep(ch) ? -1 : 0;
}

void rs_channel_counters(const struct rs_channel *ch, struct rs_counters *out)
{
	for (unsigned i = 0; i < RS_CTR_TOTAL; i++)
		out->v[i] = atomic_load_explicit(&ch->shm->counters[i], memory_order_relaxed);
	out->v[RS_CTR_EVENTS_LOST] += ch->skipped;
}

uint64_t rs_channel_lost(const struct rs_channel *ch)
{
	return atomic_load_explicit(&ch->shm->counters[RS_CTR_EVENTS_LOST], memory_order_relaxed) +
	       ch->skipped;
}

bool rs_channel_corrupt(const struct rs_channel *ch)
{
	return ch->corrupt;
}
