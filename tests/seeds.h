/* How long a test of random programs goes on, and with which seeds:
 *
 *	(nothing)       as many programs as `make test` has time for, from seed 1
 *	PROGRAMS=n      so many instead
 *	SEED=n          from this seed on; alone: this one program
 *	FUZZ_SECONDS=n  until so many seconds are over, from a seed that nobody had before (make fuzz)
 *
 * Which seeds they were is always said; a seed gives the same program on every machine.
 */
#ifndef TESTS_SEEDS_H
#define TESTS_SEEDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct seeds {
	uint64_t first, next;
	uint64_t programs;      /* how many; 0: until `end` */
	time_t end;
};

static inline uint64_t seeds_setting(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v && *v ? strtoull(v, NULL, 0) : otherwise;
}

static inline struct seeds seeds_begin(uint64_t programs)
{
	uint64_t seconds = seeds_setting("FUZZ_SECONDS", 0);
	struct timespec now;
	struct seeds s;

	clock_gettime(CLOCK_REALTIME, &now);
	s.first = s.next = seeds_setting("SEED", seconds ? (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 : 1);
	s.programs = seeds_setting("PROGRAMS", seconds ? 0 : getenv("SEED") ? 1 : programs);
	clock_gettime(CLOCK_MONOTONIC, &now);
	s.end = now.tv_sec + (time_t)seconds;
	printf("seeds from %llu on\n", (unsigned long long)s.first);
	fflush(stdout);
	return s;
}

/* False: it is enough. */
static inline bool seeds_next(struct seeds *s, uint64_t *seed)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (s->programs ? s->next - s->first == s->programs : now.tv_sec >= s->end)
		return false;
	*seed = s->next++;
	return true;
}

/* How many there were. */
static inline uint64_t seeds_done(const struct seeds *s)
{
	return s->next - s->first;
}

/* What is asked of a whole run (how many instructions, that each row occurs) is asked of those alone that
 * have as many programs as `make test`. */
static inline bool seeds_enough(const struct seeds *s, uint64_t programs)
{
	return seeds_done(s) >= programs;
}

#endif
