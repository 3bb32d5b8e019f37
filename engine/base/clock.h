/* Private to engine/base: what time the stamps of events mean.
 *
 * On x86-64 a producer stamps with the time-stamp counter where that is cheap and steady, for it
 * costs a third of clock_gettime. The consumer knows both clocks at a few moments (anchors) and
 * interpolates between them, so no calibration delays the start and drift cannot grow.
 */
#ifndef RS_BASE_CLOCK_H
#define RS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "engine/base/shm.h"

static inline uint64_t rs_now_monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t rs_now_tsc(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static inline uint64_t rs_stamp_now(uint32_t stamp)
{
	return stamp == RS_STAMP_TSC ? rs_now_tsc() : rs_now_monotonic();
}

/* One moment on both clocks. */
struct rs_anchor {
	uint64_t stamp, ns;
};
struct rs_clock {
	enum rs_stamp stamp;
	uint64_t start;            /* CLOCK_MONOTONIC of the run's time 0 */
	struct rs_anchor from, to; /* the segment that stamps are mapped through */
};

/* The best stamp for this machine and this process. */
enum rs_stamp rs_stamp_choose(void);
void rs_clock_start(struct rs_clock *c, enum rs_stamp stamp);
/* The ns since rs_clock_start that a stamp means. A stamp is what a producer says: one from the
 * future means now, one from before the start means 0. */
uint64_t rs_clock_ns(struct rs_clock *c, uint64_t stamp);

#endif
