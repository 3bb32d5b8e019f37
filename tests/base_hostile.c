/* A channel whose producer dies or lies. */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/base_channel.h"

/* ---- death ---- */

/* A child is killed while its threads emit. What it committed arrives, in order; the slots that it
 * had claimed and not committed are skipped, and counted. */
static void killed_in_the_middle(enum rs_full full, unsigned seed)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(256, full, &em);
	uint64_t next[3] = { 0 }, got = 0;
	struct rs_event ev[64];
	unsigned n, status;
	uint64_t until;
	pid_t pid = fork();

	if (pid == 0) {
		struct producer p[3];
		pthread_t tid[3];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint32_t i = 0; i < 3; i++) {
			p[i] = (struct producer){ &em, i, ~0ull, 0 };
			pthread_create(&tid[i], NULL, produce, &p[i]);
		}
		pause();
		_exit(1);
	}
	until = rs_now_monotonic() + 3000000 + seed * 1000003 % 5000000;
	while (rs_now_monotonic() < until || got == 0) {
		n = rs_channel_read(ch, ev, 64);
		for (unsigned i = 0; i < n; i++) {
			assert_true(ev[i].actor < 3);
			if (full == RS_FULL_BLOCK)
				assert_int_equal(ev[i].arg[3], next[ev[i].actor]);
			else
				assert_true(ev[i].arg[3] >= next[ev[i].actor]);
			next[ev[i].actor] = ev[i].arg[3] + 1;
		}
		got += n;
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, (int *)&status, 0), pid);
	rs_channel_producer_died(ch);
	for (unsigned calls = 0; (n = rs_channel_read(ch, ev, 64)) > 0; calls++) {
		assert_true(calls < 10);
		for (unsigned i = 0; i < n; i++) {
			assert_true(ev[i].arg[3] >= next[ev[i].actor]);
			next[ev[i].actor] = ev[i].arg[3] + 1;
		}
	}
	assert_false(rs_channel_corrupt(ch));
	/* at most one claimed slot a thread */
	if (full == RS_FULL_BLOCK)
		assert_true(rs_channel_lost(ch) <= 3);
	close_pair(ch, &em);
}

static void test_killed_in_the_middle(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		killed_in_the_middle(i % 2 ? RS_FULL_BLOCK : RS_FULL_DROP, i);
}

/* The same without chance: a claimed slot, and committed ones behind it. */
static void test_uncommitted_slot_is_skipped(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_BLOCK, &em);
	struct rs_event ev[8];
	(void)state;

	send(&em, 0, 0);
	atomic_fetch_add(&em.shm->tail, 1); /* claimed, and then the thread died */
	send(&em, 0, 1);
	send(&em, 0, 2);
	assert_int_equal(rs_channel_read(ch, ev, 8), 1);
	assert_int_equal(rs_channel_read(ch, ev, 8), 0); /* it may still come */
	assert_true(rs_channel_sleep(ch));
	assert_int_equal(rs_channel_lost(ch), 0);
	rs_channel_producer_died(ch);
	assert_false(rs_channel_sleep(ch));
	assert_int_equal(rs_channel_read(ch, ev, 8), 2);
	assert_int_equal(ev[0].arg[3], 1);
	assert_int_equal(ev[0].seq, 3);
	assert_int_equal(rs_channel_lost(ch), 1);
	assert_int_equal(rs_channel_read(ch, ev, 8), 0);
	assert_true(rs_channel_sleep(ch));
	assert_false(rs_channel_corrupt(ch));
	close_pair(ch, &em);
}

/* Death in the middle of the last event: that one never became an event. */
static void test_torn_tail_is_not_lost(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_BLOCK, &em);
	struct rs_event ev[8];
	(void)state;

	send(&em, 0, 0);
	atomic_fetch_add(&em.shm->tail, 2);
	rs_channel_producer_died(ch);
	assert_int_equal(rs_channel_read(ch, ev, 8), 1);
	assert_int_equal(rs_channel_read(ch, ev, 8), 0);
	assert_int_equal(rs_channel_lost(ch), 0);
	assert_true(rs_channel_sleep(ch));
	assert_false(rs_channel_corrupt(ch));
	close_pair(ch, &em);
}

/* ---- lies ---- */

static void test_bad_records_are_rejected(void **state)
{
	static const struct {
		uint16_t kind, source;
		uint64_t a0, a2, a3;
	} bad[] = {
		{ RS_KIND_COUNT, RS_SRC_STEP, 0, 0, 0 },
		{ 65535, RS_SRC_STEP, 0, 0, 0 },
		{ RS_EV_CPU_RING, 1000, 0, 0, 0 },
		{ RS_EV_CPU_RING, RS_SRC_STEP, 3, 1000, 0 },       /* via */
		{ RS_EV_CPU_RING, RS_SRC_STEP, 4, 0, 0 },          /* from */
		{ RS_EV_OUT_DATA, RS_SRC_STEP, 1000, 1, 0 },       /* stream */
		{ RS_EV_OUT_DATA, RS_SRC_STEP, 0, 73, 0 },         /* longer than its text */
		{ RS_EV_OUT_DATA, RS_SRC_STEP, 0, ~0ull, 0 },
		{ RS_EV_STATE_BLOCK, RS_SRC_STEP, 0, 100, 73 },
		{ RS_EV_STATE_BLOCK, RS_SRC_STEP, ~0ull, 10, 10 }, /* block */
		{ RS_EV_VM_END, RS_SRC_STEP, 1000, 0, 0 },         /* outcome */
	};
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rs_emitter em;
		struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
		struct rs_event ev[8];

		rs_emit_slow(&em, bad[i].kind, bad[i].source, 0, bad[i].a0, 0, bad[i].a2, bad[i].a3, NULL);
		send(&em, 0, 9);
		assert_int_equal(rs_channel_read(ch, ev, 8), 1); /* the good one behind it */
		assert_int_equal(ev[0].arg[3], 9);
		assert_true(rs_channel_corrupt(ch));
		assert_int_equal(rs_channel_lost(ch), 1);
		close_pair(ch, &em);
	}
}

static void test_text_is_cleaned(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
	struct rs_event ev[8];
	(void)state;

	rs_emit(&em, RS_EV_EXP_ERROR, RS_SRC_ENGINE, 0, 1, 0, 0, 0, "a\x1b[2J\xc2\x9b\xff虛\n");
	rs_emit(&em, RS_EV_EXP_ERROR, RS_SRC_ENGINE, 0, 1, 0, 0, 0, NULL);
	memset(em.shm->slot[1].text, 'x', RS_TEXT_SIZE); /* no terminator */
	assert_int_equal(rs_channel_read(ch, ev, 8), 2);
	assert_string_equal(ev[0].text, "a?[2J???虛\n");
	assert_int_equal(strnlen(ev[1].text, RS_TEXT_SIZE), RS_TEXT_SIZE - 1);
	assert_false(rs_channel_corrupt(ch));
	close_pair(ch, &em);
}

static void test_impossible_positions(void **state)
{
	static const uint64_t seqs[] = { 2, 7, 100, ~0ull, 1ull << 63 };
	(void)state;

	for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
		struct rs_emitter em;
		struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
		struct rs_event ev[8];

		atomic_store(&em.shm->slot[0].seq, seqs[i]);
		assert_int_equal(rs_channel_read(ch, ev, 8), 0);
		assert_true(rs_channel_corrupt(ch));
		atomic_store(&em.shm->tail, ~0ull); /* and a tail far away */
		rs_channel_producer_died(ch);
		assert_int_equal(rs_channel_read(ch, ev, 8), 0);
		assert_int_equal(rs_channel_lost(ch), 1); /* the slot that lies; the rest were never claimed */
		close_pair(ch, &em);
	}
}

/* A hostile process scribbles over the whole memory while the consumer reads: each event that comes
 * out is a possible one, no call hangs, nothing crashes. */
static void test_scribbling_producer(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(64, RS_FULL_BLOCK, &em);
	static struct rs_event ev[64];
	uint64_t end = rs_now_monotonic() + 1500000000u, got = 0, last_time = 0;
	char line[400];
	pid_t pid = fork();
	(void)state;

	if (pid == 0) {
		unsigned seed = 1;
		uint64_t *w = (uint64_t *)em.shm;
		size_t words = rs_shm_size(64) / 8;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint64_t i = 0;; i++) {
			unsigned r = (unsigned)rand_r(&seed);

			if (r % 4 == 0) { /* look honest now and then */
				struct rs_slot *s = &em.shm->slot[(r >> 8) % 64];
				uint64_t seq = atomic_load(&s->seq);

				s->kind = (uint16_t)((r >> 4) % 40);
				atomic_store(&s->seq, seq + 1);
			} else {
				w[r % words] = (uint64_t)rand_r(&seed) * (uint64_t)rand_r(&seed);
			}
			if (i % 3 == 0)
				em.shm->slots = r; /* its own copy of the truth is worthless */
		}
	}
	while (rs_now_monotonic() < end) {
		unsigned n = rs_channel_read(ch, ev, 64);
		struct rs_counters c;

		for (unsigned i = 0; i < n; i++) {
			assert_true(ev[i].kind < RS_KIND_COUNT);
			assert_non_null(rs_unit_value_name(RS_UNIT_source, ev[i].source));
			assert_true(ev[i].time <= rs_now_monotonic());
			rs_event_format(&ev[i], line, sizeof(line));
			last_time = ev[i].time;
		}
		got += n;
		rs_channel_counters(ch, &c);
		rs_channel_lost(ch);
		rs_channel_want(ch, RS_EV_VM_EXIT, got & 1);
		rs_channel_sleep(ch);
		if (got > 64) /* stuck at a spoilt slot is fine: go on as after a death */
			rs_channel_producer_died(ch);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	rs_channel_producer_died(ch);
	for (int i = 0; i < 10; i++)
		rs_channel_read(ch, ev, 64);
	assert_true(rs_channel_corrupt(ch));
	(void)last_time;
	/* the emitter's own mapping is spoilt: restore what closing it needs */
	em.shm->slots = 64;
	close_pair(ch, &em);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_in_the_middle),
		cmocka_unit_test(test_uncommitted_slot_is_skipped),
		cmocka_unit_test(test_torn_tail_is_not_lost),
		cmocka_unit_test(test_bad_records_are_rejected),
		cmocka_unit_test(test_text_is_cleaned),
		cmocka_unit_test(test_impossible_positions),
		cmocka_unit_test(test_scribbling_producer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
