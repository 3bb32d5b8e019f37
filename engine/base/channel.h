/* The channel between one experiment (producer, a child process that may be
 * hostile or dead) and the lab (consumer): a ring of events and a page of exact
 * counters in one sealed memfd.
 *
 * Producers may be several threads. A producer never allocates and makes no
 * system call except to wake a sleeping consumer or, in blocking mode, to wait
 * for space. The consumer trusts nothing in the shared memory: it copies a record
 * before it looks at it, and range-checks kind, source and text.
 */
#ifndef RS_BASE_CHANNEL_H
#define RS_BASE_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/err.h"
#include "engine/base/event.h"

enum rs_counter {
#define RS_COUNTER(id, name, len, unit, sentence)                                                  \
	RS_CTR_##id, RS_CTR_##id##_LAST_ = RS_CTR_##id + (len) - 1,
#include "engine/base/counters.def"
	RS_CTR_TOTAL
};

struct rs_counter_info {
	const char *name;
	unsigned first, len;      /* slots in the page */
	enum rs_unit unit;
	const char *sentence;
};
extern const struct rs_counter_info rs_counter_infos[];
extern const unsigned rs_counter_info_count;
const struct rs_counter_info *rs_counter_by_name(const char *name); /* NULL if none */
const char *const *rs_counter_names(void);

/* A copy of all counters at one moment. */
struct rs_counters {
	uint64_t v[RS_CTR_TOTAL];
};

struct rs_channel_shm; /* layout in channel.c */

/* What to do when the ring is full. */
enum rs_full { RS_FULL_DROP, RS_FULL_BLOCK };

/* -- consumer side -- */
struct rs_channel;
/* Makes the memfd (ring of `slots` records, a power of two), sealed against resizing,
 * and the eventfd that wakes the consumer. NULL on error. The owner frees. */
struct rs_channel *rs_channel_new(unsigned slots, enum rs_full full, struct rs_err *err);
void rs_channel_free(struct rs_channel *ch); /* NULL is fine */
int rs_channel_fd(const struct rs_channel *ch);       /* to hand to the producer */
int rs_channel_wake_fd(const struct rs_channel *ch);  /* poll for POLLIN after rs_channel_sleep */
/* When time 0 of its events was: CLOCK_MONOTONIC, ns. */
uint64_t rs_channel_began(const struct rs_channel *ch);
/* Asks for (or stops) a kind; takes effect at once. LOW kinds are always wanted. */
void rs_channel_want(struct rs_channel *ch, enum rs_kind kind, bool on);
/* Takes up to n events, oldest first. Returns how many. Also drains the wake fd. */
unsigned rs_channel_read(struct rs_channel *ch, struct rs_event *out, unsigned n);
/* Announces that the consumer will poll. Returns false when events are already there
 * (do not sleep). The producer of the next event pays for the wake-up: a system call, 3 to 20 us. */
bool rs_channel_sleep(struct rs_channel *ch);
/* For how long to poll, in ms: while events flow, a few, and no producer pays for a wake-up; 0 when
 * events are there or the ring fills fast; -1, as after rs_channel_sleep, when it has become quiet. */
int rs_channel_doze(struct rs_channel *ch);
void rs_channel_counters(const struct rs_channel *ch, struct rs_counters *out);
/* Events dropped so far because the ring was full (0 in blocking mode). */
uint64_t rs_channel_lost(const struct rs_channel *ch);
/* True when a torn or impossible record was met: the producer is corrupt. */
bool rs_channel_corrupt(const struct rs_channel *ch);
/* The producer's process is known to be dead: slots it claimed and never committed are
 * skipped (counted as lost) so that the events behind them can be read. Uncommitted slots with
 * nothing behind them are no events, and not lost. */
void rs_channel_producer_died(struct rs_channel *ch);

/* -- producer side -- */
struct rs_emitter {
	struct rs_channel_shm *shm;
	_Atomic uint64_t *counters;     /* RS_CTR_TOTAL slots */
	const _Atomic uint64_t *wanted; /* 4 words, one bit a kind */
	int wake_fd;
};
/* Maps the channel. The descriptors stay the caller's. */
int rs_emitter_open(struct rs_emitter *em, int channel_fd, int wake_fd, struct rs_err *err);
void rs_emitter_close(struct rs_emitter *em);

static inline bool rs_wanted(const struct rs_emitter *em, enum rs_kind kind)
{
	uint64_t w = atomic_load_explicit(&em->wanted[kind / 64], memory_order_relaxed);
	return __builtin_expect((w >> (kind % 64)) & 1, 0);
}

/* Sends one event if its kind is wanted. text may be NULL; at most RS_TEXT_SIZE - 1
 * bytes of it are kept (n bytes, RS_TEXT_SIZE at most, in the _data form). */
void rs_emit_slow(struct rs_emitter *em, enum rs_kind kind, enum rs_source src, uint32_t actor,
		  uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, const char *text);
void rs_emit_data(struct rs_emitter *em, enum rs_kind kind, enum rs_source src, uint32_t actor,
		  uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, const void *data, size_t n);
static inline void rs_emit(struct rs_emitter *em, enum rs_kind kind, enum rs_source src,
			   uint32_t actor, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
			   const char *text)
{
	if (rs_wanted(em, kind))
		rs_emit_slow(em, kind, src, actor, a0, a1, a2, a3, text);
}
static inline void rs_count(struct rs_emitter *em, unsigned slot, uint64_t by)
{
	/* one writer a slot: a relaxed load and store are exact, and cheaper than an atomic add */
	uint64_t v = atomic_load_explicit(&em->counters[slot], memory_order_relaxed);
	atomic_store_explicit(&em->counters[slot], v + by, memory_order_relaxed);
}
/* For what is read elsewhere and may also become less. */
static inline void rs_count_set(struct rs_emitter *em, unsigned slot, uint64_t v)
{
	atomic_store_explicit(&em->counters[slot], v, memory_order_relaxed);
}
/* Sends a text stream as OUT_DATA events; *offset counts the bytes sent before. */
void rs_emit_out(struct rs_emitter *em, enum rs_source src, uint32_t actor, enum rs_stream stream,
		 uint64_t *offset, const void *data, size_t n);
/* Sends a snapshot as STATE_BLOCK events. */
void rs_emit_state(struct rs_emitter *em, enum rs_source src, uint32_t actor, enum rs_block block,
		   const void *data, size_t n);

#endif
