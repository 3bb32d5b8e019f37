/* What the tests of the channel share: both ends in one process, and producers. */
#ifndef TESTS_BASE_CHANNEL_H
#define TESTS_BASE_CHANNEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/shm.h"

static inline struct rs_channel *open_pair(unsigned slots, enum rs_full full, struct rs_emitter *em)
{
	struct rs_err err = RS_ERR_INIT;
	struct rs_channel *ch = rs_channel_new(slots, full, &err);

	assert_non_null(ch);
	assert_int_equal(rs_emitter_open(em, rs_channel_fd(ch), rs_channel_wake_fd(ch), &err), 0);
	return ch;
}

static inline void close_pair(struct rs_channel *ch, struct rs_emitter *em)
{
	rs_emitter_close(em);
	rs_channel_free(ch);
}

/* An event that a test can tell apart: who sent it, and which of his it is. */
static inline void send(struct rs_emitter *em, uint32_t who, uint64_t i)
{
	rs_emit(em, RS_EV_CPU_RING, RS_SRC_STEP, who, i % 4, 0, RS_VIA_INT, i, NULL);
}

static inline bool readable(struct rs_channel *ch, int timeout_ms)
{
	struct pollfd p = { rs_channel_wake_fd(ch), POLLIN, 0 };

	return poll(&p, 1, timeout_ms) == 1;
}

struct producer {
	struct rs_emitter *em;
	uint32_t who;
	uint64_t count;
	unsigned pause_ns; /* at most, between two events */
};

static inline void *produce(void *arg)
{
	struct producer *p = arg;
	unsigned seed = p->who;

	for (uint64_t i = 0; i < p->count; i++) {
		send(p->em, p->who, i);
		if (p->pause_ns) {
			uint64_t until = rs_now_monotonic() + (unsigned)rand_r(&seed) % p->pause_ns;

			while (rs_now_monotonic() < until)
				continue;
		}
	}
	return NULL;
}

#endif
