/* The channel: order, loss, blocking and waking, and the bus behind it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/bus.h"
#include "engine/base/state.h"
#include "tests/base_channel.h"

/* ---- one producer ---- */

static void test_new_refuses(void **state)
{
	static const unsigned bad[] = { 0, 1, 3, 1000, 1u << 25 };
	struct rs_err err;
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(rs_channel_new(bad[i], RS_FULL_DROP, &err));
		assert_int_equal(err.code, -EINVAL);
	}
	rs_channel_free(NULL);
}

static void test_open_refuses(void **state)
{
	struct rs_err err;
	struct rs_emitter em;
	int fd = memfd_create("x", 0), pipes[2];
	char page[65536] = "nothing of ours";
	(void)state;

	assert_int_equal(rs_emitter_open(&em, fd, -1, &err), -EPROTO);
	assert_int_equal(write(fd, page, sizeof(page)), sizeof(page));
	assert_int_equal(rs_emitter_open(&em, fd, -1, &err), -EPROTO);
	close(fd);
	assert_int_equal(rs_emitter_open(&em, fd, -1, &err), -EBADF);
	assert_int_equal(pipe(pipes), 0);
	assert_true(rs_emitter_open(&em, pipes[0], -1, &err) < 0);
	close(pipes[0]);
	close(pipes[1]);
	rs_emitter_close(&em); /* of a failed open: nothing */
}

static void test_memory_is_sealed(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(64, RS_FULL_DROP, &em);
	int fd = rs_channel_fd(ch);
	(void)state;

	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(rs_channel_wake_fd(ch), F_GETFD) & FD_CLOEXEC);
	close_pair(ch, &em);
}

static void test_fields_arrive(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
	struct rs_event ev[8];
	char longest[200];
	(void)state;

	rs_emit(&em, RS_EV_KVM_CALL, RS_SRC_MONITOR, 7, RS_CALL_RUN, RS_FD_VCPU, 3, 4, "text");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + 70, "虛", 3); /* bytes 70 to 72: would be split by the end of the field */
	longest[199] = '\0';
	rs_emit(&em, RS_EV_EXP_ERROR, RS_SRC_ENGINE, 0, 1, 0, 0, 0, longest);
	memset(longest, 'b', RS_TEXT_SIZE);
	rs_emit_data(&em, RS_EV_OUT_DATA, RS_SRC_MONITOR, 0, RS_STREAM_DEBUG, 0, RS_TEXT_SIZE, 0, longest, 500);
	assert_int_equal(rs_channel_read(ch, ev, 8), 3);
	assert_int_equal(ev[0].seq, 1);
	assert_int_equal(ev[0].kind, RS_EV_KVM_CALL);
	assert_int_equal(ev[0].source, RS_SRC_MONITOR);
	assert_int_equal(ev[0].actor, 7);
	assert_int_equal(ev[0].arg[0], RS_CALL_RUN);
	assert_int_equal(ev[0].arg[3], 4);
	assert_string_equal(ev[0].text, "text");
	for (int i = 4; i < RS_TEXT_SIZE; i++)
		assert_int_equal(ev[0].text[i], 0);
	assert_int_equal(ev[1].seq, 2);
	assert_int_equal(strlen(ev[1].text), 70); /* the whole character is left out */
	assert_memory_equal(ev[2].text, longest, RS_TEXT_SIZE); /* raw: no terminator */
	assert_int_equal(rs_channel_read(ch, ev, 8), 0);
	assert_false(rs_channel_corrupt(ch));
	close_pair(ch, &em);
}

static void test_wanted(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
	struct rs_event ev[8];
	(void)state;

	for (unsigned k = 0; k < RS_KIND_COUNT; k++)
		assert_int_equal(rs_wanted(&em, k), !rs_kind_info(k)->high_rate);
	rs_emit(&em, RS_EV_VM_EXIT, RS_SRC_EXIT, 0, 2, 0, 0, 0, NULL);
	rs_emit_data(&em, RS_EV_VM_PIO, RS_SRC_EXIT, 0, 0, 0, 0, 0, NULL, 0);
	assert_int_equal(rs_channel_read(ch, ev, 8), 0);
	rs_channel_want(ch, RS_EV_VM_EXIT, true);
	rs_emit(&em, RS_EV_VM_EXIT, RS_SRC_EXIT, 0, 2, 0, 0, 0, NULL);
	assert_int_equal(rs_channel_read(ch, ev, 8), 1);
	assert_int_equal(ev[0].kind, RS_EV_VM_EXIT);
	rs_channel_want(ch, RS_EV_VM_EXIT, false);
	rs_channel_want(ch, RS_EV_CPU_RING, false); /* LOW: stays */
	rs_channel_want(ch, RS_KIND_COUNT + 50, true);
	rs_emit(&em, RS_EV_VM_EXIT, RS_SRC_EXIT, 0, 2, 0, 0, 0, NULL);
	send(&em, 0, 0);
	assert_int_equal(rs_channel_read(ch, ev, 8), 1);
	assert_int_equal(ev[0].kind, RS_EV_CPU_RING);
	close_pair(ch, &em);
}

static void test_drop_counts_exactly(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
	struct rs_event ev[16];
	struct rs_counters c;
	uint64_t sent = 0, got = 0, next_seq = 1;
	(void)state;

	for (unsigned round = 0; round < 1000; round++) {
		unsigned burst = (unsigned)rand() % 20, take = (unsigned)rand() % 16, n;

		for (unsigned i = 0; i < burst; i++)
			send(&em, 0, sent++);
		n = rs_channel_read(ch, ev, take);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(ev[i].seq, next_seq++);
		got += n;
	}
	got += rs_channel_read(ch, ev, 16);
	assert_int_equal(rs_channel_read(ch, ev, 16), 0);
	assert_true(rs_channel_lost(ch) > 0);
	assert_int_equal(got + rs_channel_lost(ch), sent);
	rs_channel_counters(ch, &c);
	assert_int_equal(c.v[RS_CTR_EVENTS_LOST], rs_channel_lost(ch));
	assert_false(rs_channel_corrupt(ch));
	close_pair(ch, &em);
}

static void test_counters(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
	struct rs_counters c;
	(void)state;

	for (unsigned i = 0; i < RS_CTR_TOTAL; i++)
		rs_count(&em, i, i == RS_CTR_EVENTS_LOST ? 0 : i + 1);
	rs_count(&em, RS_CTR_VM_EXITS + 2, 10);
	rs_channel_counters(ch, &c);
	for (unsigned i = 0; i < RS_CTR_TOTAL; i++) {
		uint64_t want = i == RS_CTR_EVENTS_LOST ? 0 : i + 1 + (i == RS_CTR_VM_EXITS + 2 ? 10 : 0);

		assert_int_equal(c.v[i], want);
	}
	close_pair(ch, &em);
}

static void test_out_and_state(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(1024, RS_FULL_DROP, &em);
	static struct rs_event ev[1024];
	static struct rs_state_assembler a;
	unsigned char data[1000];
	uint64_t offset = 5;
	unsigned n;
	size_t size = 0;
	(void)state;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7);
	rs_emit_out(&em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &offset, data, 100);
	rs_emit_out(&em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &offset, data, 0);
	assert_int_equal(offset, 105);
	n = rs_channel_read(ch, ev, 1024);
	assert_int_equal(n, 2);
	assert_int_equal(ev[0].arg[1], 5);
	assert_int_equal(ev[0].arg[2], RS_TEXT_SIZE);
	assert_int_equal(ev[1].arg[1], 5 + RS_TEXT_SIZE);
	assert_int_equal(ev[1].arg[2], 100 - RS_TEXT_SIZE);
	assert_memory_equal(ev[0].text, data, RS_TEXT_SIZE);
	assert_memory_equal(ev[1].text, data + RS_TEXT_SIZE, 100 - RS_TEXT_SIZE);

	rs_emit_state(&em, RS_SRC_MONITOR, 0, RS_BLOCK_MEMORY, data, sizeof(data));
	n = rs_channel_read(ch, ev, 1024);
	assert_int_equal(n, (sizeof(data) + RS_TEXT_SIZE - 1) / RS_TEXT_SIZE);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(size, 0);
		size = rs_state_feed(&a, &ev[i]);
	}
	assert_int_equal(size, sizeof(data));
	assert_memory_equal(a.buf, data, sizeof(data));
	close_pair(ch, &em);
}

/* ---- sleeping and waking ---- */

static void test_sleep_and_wake(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
	struct rs_event ev[8];
	(void)state;

	send(&em, 0, 0);
	assert_false(rs_channel_sleep(ch)); /* something is there */
	assert_int_equal(rs_channel_read(ch, ev, 8), 1);
	send(&em, 0, 1); /* nobody sleeps: no system call, no wake-up */
	assert_false(readable(ch, 0));
	assert_int_equal(rs_channel_read(ch, ev, 8), 1);
	assert_true(rs_channel_sleep(ch));
	assert_false(readable(ch, 0));
	send(&em, 0, 2);
	assert_true(readable(ch, 0));
	assert_int_equal(rs_channel_read(ch, ev, 8), 1);
	assert_false(readable(ch, 0)); /* drained */
	assert_true(rs_channel_sleep(ch));
	assert_true(rs_channel_sleep(ch)); /* twice is fine */
	send(&em, 0, 3);
	assert_true(readable(ch, 0));
	close_pair(ch, &em);
}

/* A producer that makes the shared eventfd blocking cannot hang the consumer. */
static void test_blocking_wake_fd_does_not_hang(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(8, RS_FULL_DROP, &em);
	struct rs_event ev[8];
	int fd = rs_channel_wake_fd(ch);
	(void)state;

	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
	assert_true(rs_channel_sleep(ch));
	alarm(5);
	assert_int_equal(rs_channel_read(ch, ev, 8), 0);
	alarm(0);
	close_pair(ch, &em);
}

static void test_doze(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(64, RS_FULL_DROP, &em);
	struct rs_event ev[64];
	(void)state;

	assert_int_equal(rs_channel_doze(ch), -1); /* quiet: asleep */
	send(&em, 0, 0);
	assert_true(readable(ch, 0));
	assert_int_equal(rs_channel_read(ch, ev, 64), 1);
	assert_true(rs_channel_doze(ch) > 0); /* events flow: nobody is to wake us */
	send(&em, 0, 1);
	assert_false(readable(ch, 0));
	assert_int_equal(rs_channel_read(ch, ev, 64), 1);
	assert_true(rs_channel_doze(ch) > 0);
	assert_int_equal(rs_channel_read(ch, ev, 64), 0);
	assert_int_equal(rs_channel_doze(ch), -1); /* and quiet again */
	for (int i = 0; i < 3; i++)
		send(&em, 0, 2);
	assert_int_equal(rs_channel_read(ch, ev, 2), 2);
	assert_int_equal(rs_channel_doze(ch), 0); /* more is there */
	assert_int_equal(rs_channel_read(ch, ev, 2), 1);
	assert_true(rs_channel_doze(ch) > 0);
	for (int i = 0; i < 40; i++)
		send(&em, 0, 2);
	assert_int_equal(rs_channel_read(ch, ev, 64), 40);
	assert_int_equal(rs_channel_doze(ch), 0); /* the ring fills fast */
	assert_int_equal(rs_channel_read(ch, ev, 64), 0);
	send(&em, 0, 3);
	assert_int_equal(rs_channel_doze(ch), 0); /* one came just now */
	close_pair(ch, &em);
}

/* The consumer sleeps whenever it can, with producers that pause at random around the moment of
 * falling asleep: one missed wake-up and poll times out. `fence`: as on a kernel without
 * membarrier. */
static void no_missed_wakeups(bool fence)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(64, RS_FULL_BLOCK, &em);
	struct producer p[2] = { { &em, 0, 60000, 20000 }, { &em, 1, 60000, 20000 } };
	uint64_t next[2] = { 0, 0 }, sleeps = 0;
	struct rs_event ev[64];
	pthread_t tid[2];

	if (fence)
		atomic_store(&em.shm->fence, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&tid[i], NULL, produce, &p[i]), 0);
	while (next[0] + next[1] < 120000) {
		unsigned n = rs_channel_read(ch, ev, 64);

		for (unsigned i = 0; i < n; i++)
			assert_int_equal(ev[i].arg[3], next[ev[i].actor]++);
		if (n == 0 && rs_channel_sleep(ch)) {
			sleeps++;
			if (!readable(ch, 5000))
				fail_msg("missed wake-up after %llu sleeps", (unsigned long long)sleeps);
		}
	}
	for (int i = 0; i < 2; i++)
		pthread_join(tid[i], NULL);
	assert_true(sleeps > 100);
	assert_int_equal(rs_channel_lost(ch), 0);
	close_pair(ch, &em);
}

static void test_no_missed_wakeups(void **state)
{
	(void)state;
	no_missed_wakeups(false);
}

static void test_no_missed_wakeups_with_fences(void **state)
{
	(void)state;
	no_missed_wakeups(true);
}

/* The same question as a litmus test: both sides act at the same moment, over and over. Either the
 * consumer sees the event or the event wakes it. */
struct litmus {
	struct rs_emitter *em;
	_Atomic unsigned round, done; /* round ~0: the end */
};

/* Waits for a word to change, with a yield now and then: the other side may not be running. */
static unsigned await(const _Atomic unsigned *word, unsigned old)
{
	for (unsigned i = 1;; i++) {
		unsigned v = atomic_load(word);

		if (v != old)
			return v;
		if (i % 2000 == 0)
			sched_yield();
	}
}

static void spin(unsigned *seed, unsigned most)
{
	for (volatile unsigned i = (unsigned)rand_r(seed) % most; i; i--)
		continue;
}

static void *litmus_produce(void *arg)
{
	struct litmus *l = arg;
	unsigned seed = 7;

	for (unsigned r = 0; (r = await(&l->round, r)) != ~0u;) {
		spin(&seed, 60);
		send(l->em, 0, r);
		atomic_store(&l->done, r);
	}
	return NULL;
}

static void test_wakeup_litmus(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(64, RS_FULL_DROP, &em);
	struct litmus l = { .em = &em };
	struct rs_event ev;
	unsigned seed = 11, woken = 0, r = 0, delay = 60;
	uint64_t end = rs_now_monotonic() + 2000000000u;
	pthread_t tid;
	(void)state;

	assert_int_equal(pthread_create(&tid, NULL, litmus_produce, &l), 0);
	while (rs_now_monotonic() < end) {
		bool asleep;

		atomic_store(&l.round, ++r);
		spin(&seed, delay);
		asleep = rs_channel_sleep(ch);
		await(&l.done, r - 1);
		if (asleep && !readable(ch, 0))
			fail_msg("round %u: neither seen nor woken", r);
		woken += asleep;
		/* too early or too late half of the time each: so the two meet most often */
		if (asleep && delay < 5000)
			delay += 1 + delay / 64;
		else if (!asleep && delay > 10)
			delay -= delay / 64 + 1;
		assert_int_equal(rs_channel_read(ch, &ev, 1), 1);
	}
	atomic_store(&l.round, ~0u);
	pthread_join(tid, NULL);
	print_message("woken in %u rounds of %u\n", woken, r);
	close_pair(ch, &em);
}

/* ---- several producers ---- */

/* A small ring, four threads, a consumer that dawdles: all arrive, each producer's in its order. */
static void test_blocking_loses_nothing(void **state)
{
	enum { THREADS = 4, EACH = 100000 };
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(16, RS_FULL_BLOCK, &em);
	struct producer p[THREADS];
	pthread_t tid[THREADS];
	uint64_t next[THREADS] = { 0 }, got = 0, seq = 1;
	struct rs_event ev[16];
	time_t start = time(NULL);
	(void)state;

	for (uint32_t i = 0; i < THREADS; i++) {
		p[i] = (struct producer){ &em, i, EACH, 0 };
		assert_int_equal(pthread_create(&tid[i], NULL, produce, &p[i]), 0);
	}
	while (got < THREADS * EACH) {
		unsigned n = rs_channel_read(ch, ev, 1 + (unsigned)rand() % 16);

		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(ev[i].seq, seq++);
			assert_true(ev[i].actor < THREADS);
			assert_int_equal(ev[i].arg[3], next[ev[i].actor]++);
		}
		got += n;
		if (n == 0 && rs_channel_sleep(ch))
			assert_true(readable(ch, 5000));
		/* wait_space's limit of 10 s would repair a missed futex wake: do not let it */
		assert_true(time(NULL) - start < 60);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(tid[i], NULL);
	assert_int_equal(rs_channel_read(ch, ev, 16), 0);
	assert_int_equal(rs_channel_lost(ch), 0);
	assert_false(rs_channel_corrupt(ch));
	close_pair(ch, &em);
}

/* A blocked producer is woken promptly, not by the limit of its wait. */
static void test_blocked_producer_wakes_at_once(void **state)
{
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(2, RS_FULL_BLOCK, &em);
	struct producer p = { &em, 0, 3000, 0 };
	struct rs_event ev;
	uint64_t got = 0, start = rs_now_monotonic();
	pthread_t tid;
	(void)state;

	assert_int_equal(pthread_create(&tid, NULL, produce, &p), 0);
	while (got < 3000) {
		if (rs_channel_read(ch, &ev, 1))
			assert_int_equal(ev.arg[3], got++);
		if (got % 16 == 0)
			usleep(100); /* the ring is full now, and the producer waits */
		assert_true(rs_now_monotonic() - start < 8000000000u);
	}
	pthread_join(tid, NULL);
	close_pair(ch, &em);
}

static void test_drop_with_threads_counts_exactly(void **state)
{
	enum { THREADS = 4, EACH = 100000 };
	struct rs_emitter em;
	struct rs_channel *ch = open_pair(64, RS_FULL_DROP, &em);
	struct producer p[THREADS];
	pthread_t tid[THREADS];
	uint64_t got = 0, seq = 1, last[THREADS] = { 0 };
	struct rs_event ev[64];
	bool running = true;
	(void)state;

	for (uint32_t i = 0; i < THREADS; i++) {
		p[i] = (struct producer){ &em, i, EACH, 0 };
		assert_int_equal(pthread_create(&tid[i], NULL, produce, &p[i]), 0);
	}
	while (running || got) {
		unsigned n = rs_channel_read(ch, ev, 64);

		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(ev[i].seq, seq++);
			/* later ones only, whatever was dropped between */
			assert_true(ev[i].arg[3] + 1 > last[ev[i].actor]);
			last[ev[i].actor] = ev[i].arg[3] + 1;
		}
		got += n;
		if (n == 0 && got + rs_channel_lost(ch) == THREADS * EACH)
			running = false;
		if (!running)
			break;
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(tid[i], NULL);
	assert_int_equal(got + rs_channel_lost(ch), THREADS * EACH);
	assert_false(rs_channel_corrupt(ch));
	close_pair(ch, &em);
}

/* ---- the bus ---- */

struct log {
	struct rs_sink sink;
	unsigned events, counters;
	unsigned *order, at;
};

static void log_event(struct rs_sink *self, const struct rs_event *ev)
{
	struct log *l = (struct log *)self;

	l->events += (unsigned)ev->arg[0];
	l->at = ++*l->order;
}

static void log_counters(struct rs_sink *self, const struct rs_counters *c, uint64_t ns)
{
	((struct log *)self)->counters += (unsigned)(c->v[0] + ns);
}

static void test_bus(void **state)
{
	unsigned order = 0;
	struct log a = { .sink = { .event = log_event, .counters = log_counters }, .order = &order };
	struct log b = { .sink = { .event = log_event }, .order = &order };
	struct rs_bus bus = { NULL };
	struct rs_event ev = { .arg = { 2 } };
	struct rs_counters c = { .v = { 3 } };
	(void)state;

	rs_bus_event(&bus, &ev); /* nobody listens */
	rs_bus_attach(&bus, &a.sink);
	rs_bus_attach(&bus, &b.sink);
	rs_bus_event(&bus, &ev);
	rs_bus_counters(&bus, &c, 4);
	assert_int_equal(a.events, 2);
	assert_int_equal(a.counters, 7);
	assert_true(a.at < b.at); /* in the order of attaching */
	rs_bus_detach(&bus, &a.sink);
	rs_bus_detach(&bus, &a.sink); /* not attached: nothing */
	rs_bus_event(&bus, &ev);
	assert_int_equal(a.events, 2);
	assert_int_equal(b.events, 4);
	rs_bus_detach(&bus, &b.sink);
	assert_null(bus.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_refuses),
		cmocka_unit_test(test_open_refuses),
		cmocka_unit_test(test_memory_is_sealed),
		cmocka_unit_test(test_fields_arrive),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_drop_counts_exactly),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_out_and_state),
		cmocka_unit_test(test_sleep_and_wake),
		cmocka_unit_test(test_doze),
		cmocka_unit_test(test_blocking_wake_fd_does_not_hang),
		cmocka_unit_test(test_no_missed_wakeups),
		cmocka_unit_test(test_no_missed_wakeups_with_fences),
		cmocka_unit_test(test_wakeup_litmus),
		cmocka_unit_test(test_blocking_loses_nothing),
		cmocka_unit_test(test_blocked_producer_wakes_at_once),
		cmocka_unit_test(test_drop_with_threads_counts_exactly),
		cmocka_unit_test(test_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
