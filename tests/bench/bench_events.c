/* What an event costs its producer. Budget: 20 ns an event that is wanted; one predictable branch
 * for a kind that nobody wants.
 *
 * A wanted event is measured in bursts that fit the ring, while a consumer drains it on another
 * CPU; between bursts the producer waits for the ring to be empty, unmeasured. So neither a full
 * ring nor a dropped event (which would be cheaper) is in the figure.
 */
#include <poll.h>
#include <signal.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/channel.h"
#include "tests/bench/bench.h"

#define SLOTS 8192u
#define BURST 2048u
#define ROUNDS 301
#define LOOPS 20000u

static struct bench_row empty = { .name = "empty loop" };
static struct bench_row unwanted = { .name = "event of a kind that nobody wants" };
static struct bench_row copy = { .name = "bare memcpy of 128 bytes into a ring" };
static struct bench_row alone = { .name = "wanted event, drained between bursts" };
static struct bench_row texted = { .name = "  the same with 40 bytes of text" };
static struct bench_row thread = { .name = "wanted event, drained by another thread" };
static struct bench_row process = { .name = "wanted event, drained by another process" };
static struct bench_row woken = { .name = "wanted event that wakes a sleeping thread" };
static struct bench_row hot = { .name = "wanted event, a thread spins on the ring" };

static void loops(struct rs_emitter *em)
{
	static unsigned char ring[SLOTS][128];
	unsigned char record[128] = { 1 };
	uint64_t t = bench_now();

	for (unsigned i = 0; i < LOOPS; i++)
		bench_barrier();
	bench_add(&empty, (double)(bench_now() - t) / LOOPS);

	t = bench_now();
	for (unsigned i = 0; i < LOOPS; i++) {
		rs_emit(em, RS_EV_CPU_STEP, RS_SRC_STEP, 0, i, 0, 0, 0, NULL);
		bench_barrier();
	}
	bench_add(&unwanted, (double)(bench_now() - t) / LOOPS);

	t = bench_now();
	for (unsigned i = 0; i < LOOPS; i++) {
		memcpy(record, &i, sizeof(i));
		memcpy(ring[i % SLOTS], record, sizeof(record));
		__asm__ volatile("" : : "r"(ring) : "memory");
	}
	bench_add(&copy, (double)(bench_now() - t) / LOOPS);
}

static void burst(struct rs_emitter *em, struct bench_row *row, const char *text, unsigned n)
{
	uint64_t t = bench_now();

	for (unsigned i = 0; i < n; i++)
		rs_emit(em, RS_EV_VM_EXIT, RS_SRC_EXIT, 0, 2, 0x10000 + i, 0, 0x3f8, text);
	bench_add(row, (double)(bench_now() - t) / n);
}

/* How a consumer waits: as the lab does while events flow (it looks again a millisecond later), asleep
 * until it is woken, or not at all. */
enum manner { NAP, SLEEP, SPIN };

static unsigned drain(struct rs_channel *ch, struct rs_event *ev, enum manner manner)
{
	struct pollfd p = { rs_channel_wake_fd(ch), POLLIN, 0 };
	unsigned n = rs_channel_read(ch, ev, SLOTS);

	if (manner == NAP)
		usleep(1000);
	else if (manner == SLEEP && n == 0 && rs_channel_sleep(ch))
		poll(&p, 1, 20);
	return n;
}

struct consumer {
	struct rs_channel *ch;
	struct rs_event *ev;
	_Atomic uint64_t drained; /* so that the producer knows when a burst is gone */
	_Atomic bool stop;
	enum manner manner;
};

static void *consume(void *arg)
{
	struct consumer *c = arg;

	while (!atomic_load(&c->stop))
		atomic_fetch_add(&c->drained, drain(c->ch, c->ev, c->manner));
	return NULL;
}

static int with_thread(struct rs_emitter *em, struct rs_channel *ch, struct rs_event *ev,
		       enum manner manner, struct bench_row *row)
{
	struct consumer c = { .ch = ch, .ev = ev, .manner = manner };
	unsigned burst_of = manner == SLEEP ? 1 : BURST;
	pthread_t tid;

	if (pthread_create(&tid, NULL, consume, &c) != 0)
		return -1;
	for (uint64_t sent = 0; row->n < ROUNDS;) {
		burst(em, row, NULL, burst_of);
		sent += burst_of;
		while (atomic_load(&c.drained) < sent)
			usleep(50);
		if (manner == SLEEP)
			usleep(200); /* it falls asleep */
	}
	atomic_store(&c.stop, true);
	pthread_join(tid, NULL);
	return 0;
}

/* The producer is a child process, as an experiment is; it sends its samples back. */
static int with_process(struct rs_emitter *em, struct rs_channel *ch, struct rs_event *ev,
			struct bench_row *row)
{
	_Atomic uint64_t *drained = mmap(NULL, sizeof(*drained), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int back[2], status;
	pid_t pid;

	if (drained == MAP_FAILED || pipe(back) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int r = 0; r < ROUNDS; r++) {
			burst(em, row, NULL, BURST);
			while (atomic_load(drained) < (r + 1ull) * BURST)
				usleep(50);
		}
		_exit(write(back[1], row->sample, sizeof(double) * row->n) < 0);
	}
	close(back[1]);
	while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0)
		atomic_fetch_add(drained, drain(ch, ev, NAP));
	for (double v; read(back[0], &v, sizeof(v)) == sizeof(v);)
		bench_add(row, v);
	close(back[0]);
	munmap(drained, sizeof(*drained));
	return row->n == ROUNDS ? 0 : -1;
}

int main(void)
{
	struct rs_err err = RS_ERR_INIT;
	struct rs_channel *ch = rs_channel_new(SLOTS, RS_FULL_DROP, &err);
	struct rs_event *ev = calloc(SLOTS, sizeof(*ev));
	struct rs_emitter em;

	if (!ch || !ev || rs_emitter_open(&em, rs_channel_fd(ch), rs_channel_wake_fd(ch), &err) < 0) {
		fprintf(stderr, "bench_events: %s\n", err.text[RS_LANG_EN]);
		return 3;
	}
	rs_channel_want(ch, RS_EV_VM_EXIT, true);
	for (int r = 0; r < ROUNDS; r++) {
		loops(&em);
		burst(&em, &alone, NULL, BURST);
		rs_channel_read(ch, ev, SLOTS);
		burst(&em, &texted, "0123456789012345678901234567890123456789", BURST);
		rs_channel_read(ch, ev, SLOTS);
	}
	if (with_thread(&em, ch, ev, NAP, &thread) < 0 || with_thread(&em, ch, ev, SPIN, &hot) < 0 ||
	    with_thread(&em, ch, ev, SLEEP, &woken) < 0 || with_process(&em, ch, ev, &process) < 0) {
		fprintf(stderr, "bench_events: no second thread or process\n");
		return 3;
	}

	bench_head("Events: cost to the producer", "ns");
	bench_print(&empty, NULL);
	bench_print(&unwanted, &empty);
	bench_print(&copy, &empty);
	bench_print(&alone, &copy);
	bench_print(&texted, &copy);
	bench_print(&thread, &copy);
	bench_print(&process, &copy);
	bench_print(&hot, &copy);
	bench_print(&woken, &copy);
	printf("  (ratio: the first three over the empty loop, the others over the memcpy; lost: %llu)\n",
	       (unsigned long long)rs_channel_lost(ch));
	int kept = bench_budget("a wanted event", bench_median(&process), 20, "ns");
	kept &= bench_budget("an unwanted event, over the empty loop",
		     bench_median(&unwanted) - bench_median(&empty), 1, "ns");
	rs_emitter_close(&em);
	rs_channel_free(ch);
	free(ev);
	return !kept;
}
