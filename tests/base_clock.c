/* The time that the stamps of events mean. */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/base_channel.h"

static void test_time(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch;
	struct rs_event ev[64];
	uint64_t start = rs_now_monotonic(), last = 0;
	(void)state;

	ch = open_pair(64, RS_FULL_DROP, &em);
	for (unsigned i = 0; i < 400; i++) {
		uint64_t before = rs_now_monotonic(), after;
		unsigned burst = 1 + i % 5, n;

		for (unsigned j = 0; j < burst; j++)
			send(&em, 0, j);
		after = rs_now_monotonic();
		if (i % 3)
			usleep(i % 7 * 300); /* read later, or at once */
		n = rs_channel_read(ch, ev, 64);
		assert_int_equal(n, burst);
		for (unsigned j = 0; j < n; j++) {
			/* run time 0 lies between `start` and the first event: some 10 ms of slack
			 * would hide a wrong rate, so the difference is bounded by the set-up */
			assert_true(ev[j].time >= last);
			assert_true(rs_channel_began(ch) + ev[j].time + 100000 >= before);
			assert_true(rs_channel_began(ch) + ev[j].time <= after + 100000);
			assert_true(ev[j].time <= after - start + 2000);
			assert_true(ev[j].time + 20000000 >= before - start);
			last = ev[j].time;
		}
	}
	close_pair(ch, &em);
}

/* Stamps against CLOCK_MONOTONIC: 20 us of error are allowed for a busy machine, 2 us for most. */
static void test_time_is_accurate(void **state)
{
	struct rs_clock c;
	unsigned bad = 0, total = 3000;
	(void)state;

	rs_clock_start(&c, rs_stamp_choose());
	print_message("stamps are %s\n", c.stamp == RS_STAMP_TSC ? "TSC" : "CLOCK_MONOTONIC");
	for (unsigned i = 0; i < total; i++) {
		uint64_t t0 = rs_now_monotonic(), stamp = rs_stamp_now(c.stamp), t1 = rs_now_monotonic(), ns;

		if (i % 3 == 0)
			usleep(i % 5 * 200);
		ns = rs_clock_ns(&c, stamp) + c.start;
		if (ns + 2000 < t0 || ns > t1 + 2000)
			bad++;
	}
	if (bad > total / 50)
		fail_msg("%u of %u stamps were off by more than 2 us", bad, total);
}

/* The mapping itself, on made-up anchors. */
static void test_clock_mapping(void **state)
{
	struct rs_clock c = { RS_STAMP_TSC, 1000, { 5000, 1000 }, { 5000 + 3000000, 1000 + 1000000 } };
	(void)state;

#ifndef __x86_64__
	skip();
#endif
	assert_int_equal(rs_clock_ns(&c, 5000), 0);
	assert_int_equal(rs_clock_ns(&c, 5000 + 3000), 1000);
	assert_int_equal(rs_clock_ns(&c, 5000 + 3000000), 1000000);
	assert_int_equal(rs_clock_ns(&c, 0), 0); /* before the start */
	c.start = 0;
	assert_int_equal(rs_clock_ns(&c, 5000 - 300), 900); /* the segment, extended backwards */
	assert_int_equal(rs_clock_ns(&c, 0), 0);
	/* from the future: now */
	rs_clock_start(&c, RS_STAMP_TSC);
	assert_true(rs_clock_ns(&c, ~0ull) < 1000000000);
	rs_clock_start(&c, RS_STAMP_MONOTONIC);
	usleep(1000);
	assert_in_range(rs_clock_ns(&c, c.start + 700000), 700000, 700000);
	assert_in_range(rs_clock_ns(&c, ~0ull), 1000000, 1000000000);
	assert_int_equal(rs_clock_ns(&c, 0), 0);
}

/* Where RDTSC is forbidden it must not even be tried: it would be a SIGSEGV. Nothing more is done in
 * the child: clock_gettime() of the vDSO reads the TSC itself, so no program could take the time. */
static void test_forbidden_tsc(void **state)
{
#ifdef __x86_64__
	int status;
	pid_t pid = fork();
	(void)state;

	if (pid == 0) {
		if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) < 0)
			_exit(77);
		_exit(rs_stamp_choose() == RS_STAMP_MONOTONIC ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		puts("skip: PR_SET_TSC is not possible here");
		skip();
	}
	assert_int_equal(status, 0);
#else
	(void)state;
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_is_accurate),
		cmocka_unit_test(test_clock_mapping),
		cmocka_unit_test(test_forbidden_tsc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
