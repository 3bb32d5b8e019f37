/* Choosing the clock that stamps events, and mapping stamps to time. */
#include "engine/base/clock.h"

#include <stdbool.h>
#include <sys/prctl.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

/* Reads take some 10 ns on hardware; a hypervisor that traps them makes them 100 times slower. */
#define TSC_READ_MAX_NS 60

/* Invariant TSC (SDM vol. 3B, 18.17.1; CPUID.80000007H:EDX[8]): it runs at one rate in all power
 * states, and the kernel keeps CPUs synchronous or marks the TSC unstable. */
static bool tsc_invariant(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
}

/* A kernel that found the TSC unstable has left it for one of these. */
static bool tsc_abandoned(void)
{
	static const char *const others[] = { "hpet", "acpi_pm", "jiffies", "refined-jiffies" };
	rs_auto_close int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
				    O_RDONLY | O_CLOEXEC);
	char name[40];
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);

	if (n <= 0)
		return false; /* not told: the measurement decides */
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(name, others[i]) == 0)
			return true;
	return false;
}

enum rs_stamp rs_stamp_choose(void)
{
	uint64_t before, last, best = UINT64_MAX;
	int mode = 0;

	/* where PR_SET_TSC forbids it, RDTSC is a SIGSEGV (PR_SET_TSC(2const)) */
	if (prctl(PR_GET_TSC, &mode) != 0 || mode != PR_TSC_ENABLE || !tsc_invariant() ||
	    tsc_abandoned())
		return RS_STAMP_MONOTONIC;
	for (int round = 0; round < 5; round++) {
		uint64_t ns;

		before = rs_now_monotonic();
		last = rs_now_tsc();
		for (int i = 0; i < 64; i++) {
			uint64_t t = rs_now_tsc();

			if (t < last) /* backwards: CPUs are not synchronous, or it is emulated */
				return RS_STAMP_MONOTONIC;
			last = t;
		}
		ns = rs_now_monotonic() - before;
		best = ns < best ? ns : best;
	}
	return best / 64 <= TSC_READ_MAX_NS ? RS_STAMP_TSC : RS_STAMP_MONOTONIC;
}
#else
enum rs_stamp rs_stamp_choose(void)
{
	return RS_STAMP_MONOTONIC;
}
#endif

/* Both clocks at one moment: of a few tries the one with the least time between the readings,
 * since a try may be interrupted. */
static struct rs_anchor anchor_now(enum rs_stamp stamp)
{
	struct rs_anchor a = { 0, 0 };
	uint64_t best = UINT64_MAX;

	if (stamp == RS_STAMP_MONOTONIC) {
		a.stamp = a.ns = rs_now_monotonic();
		return a;
	}
	for (int i = 0; i < 3; i++) {
		uint64_t t0 = rs_now_tsc();
		uint64_t ns = rs_now_monotonic();
		uint64_t t1 = rs_now_tsc();

		if (t1 - t0 < best) {
			best = t1 - t0;
			a.stamp = t0 + (t1 - t0) / 2;
			a.ns = ns;
		}
	}
	return a;
}

void rs_clock_start(struct rs_clock *c, enum rs_stamp stamp)
{
	c->stamp = stamp;
	c->from = c->to = anchor_now(stamp);
	c->start = c->from.ns;
}

/* A segment shorter than this is lengthened rather than left behind: the reading error of its
 * ends, some 20 ns, would tilt it. */
#define SEGMENT_MIN_NS 1000000

uint64_t rs_clock_ns(struct rs_clock *c, uint64_t stamp)
{
	uint64_t ns, span, d;

	if (stamp > c->to.stamp) {
		struct rs_anchor now = anchor_now(c->stamp);

		/* The segments join, so time never steps; if a clock went backwards, stay. */
		if (now.stamp > c->to.stamp && now.ns >= c->to.ns) {
			if (c->to.ns - c->from.ns >= SEGMENT_MIN_NS)
				c->from = c->to;
			c->to = now;
		}
		if (stamp > c->to.stamp)
			stamp = c->to.stamp;
	}
	span = c->to.stamp - c->from.stamp;
	if (span == 0)
		ns = c->to.ns;
	else if (stamp >= c->from.stamp)
		ns = c->from.ns + (uint64_t)((unsigned __int128)(stamp - c->from.stamp) *
					     (c->to.ns - c->from.ns) / span);
	else { /* older than the segment: extended backwards */
		unsigned __int128 back = (unsigned __int128)(c->from.stamp - stamp) *
					 (c->to.ns - c->from.ns) / span;

		d = back > c->from.ns ? c->from.ns : (uint64_t)back;
		ns = c->from.ns - d;
	}
	return ns > c->start ? ns - c->start : 0;
}
