/* The channel: order, loss, blocking, waking, death and lies of the producer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/bus.h"
#include "engine/base/channel.h"
#include "engine/base/clock.h"
#include "engine/base/shm.h"
#include "engine/base/state.h"

static struct rs_channel *open_pair(unsigned slots, enum rs_full full, struct rs_emitter *em)
{
	struct rs_err err = RS_ERR_INIT;
	struct rs_channel *ch = rs_channel_new(slots, full, &err);

	assert_non_null(ch);
	assert_int_equal(rs_emitter_open(em, rs_channel_fd(ch), rs_channel_wake_fd(ch), &err), 0);
	return ch;
}

static void close_pair(struct rs_channel *ch, struct rs_emitter *em)
{
	rs_emitter_close(em);
	rs_channel_free(ch);
}

/* An event that a test can tell apart: who sent it, and which of his it is. */
static void send(struct rs_emitter *em, uint32_t who, uint64_t i)
{
	rs_emit(em, RS_EV_CPU_RING, RS_SRC_STEP, who, i % 4, 0, RS_VIA_INT, i, NULL);
}

static bool readable(struct rs_channel *ch, int timeout_ms)
{
	struct pollfd p = { rs_channel_wake_fd(ch), POLLIN, 0 };

	return poll(&p, 1, timeout_ms) == 1;
}

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

struct producer {
	struct rs_emitter *em;
	uint32_t who;
	uint64_t count;
	unsigned pause_ns; /* at most, between two events */
};

static void *produce(void *arg)
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
		assert_int_equal(rs_channel_lost(ch), 8); /* one lap, no more */
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

/* ---- time ---- */

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

/* Where RDTSC is forbidden it must not even be tried: it would be a SIGSEGV. */
static void test_forbidden_tsc(void **state)
{
#ifdef __x86_64__
	int status;
	pid_t pid = fork();
	(void)state;

	if (pid == 0) {
		struct rs_channel *ch;
		struct rs_emitter em;
		struct rs_event ev;

		if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) < 0)
			_exit(77);
		if (rs_stamp_choose() != RS_STAMP_MONOTONIC)
			_exit(1);
		ch = open_pair(8, RS_FULL_DROP, &em);
		send(&em, 0, 0);
		_exit(rs_channel_read(ch, &ev, 1) == 1 && ev.time < 1000000000 ? 0 : 2);
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
		cmocka_unit_test(test_blocking_wake_fd_does_not_hang),
		cmocka_unit_test(test_no_missed_wakeups),
		cmocka_unit_test(test_no_missed_wakeups_with_fences),
		cmocka_unit_test(test_wakeup_litmus),
		cmocka_unit_test(test_blocking_loses_nothing),
		cmocka_unit_test(test_blocked_producer_wakes_at_once),
		cmocka_unit_test(test_drop_with_threads_counts_exactly),
		cmocka_unit_test(test_killed_in_the_middle),
		cmocka_unit_test(test_uncommitted_slot_is_skipped),
		cmocka_unit_test(test_bad_records_are_rejected),
		cmocka_unit_test(test_text_is_cleaned),
		cmocka_unit_test(test_impossible_positions),
		cmocka_unit_test(test_scribbling_producer),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_is_accurate),
		cmocka_unit_test(test_clock_mapping),
		cmocka_unit_test(test_forbidden_tsc),
		cmocka_unit_test(test_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
