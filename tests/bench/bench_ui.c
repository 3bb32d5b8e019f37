/* What the terminal UI costs: start to first screen (50 ms), key to screen (16 ms), CPU of the open
 * lab that nobody touches (1 % of a core). The real program on a pseudo-terminal; a peer is measured
 * beside it, so that the machine's own speed can be told apart: the time until a shell's `printf`
 * arrives through such a terminal, and a key through `cat`.
 */
#include "tests/bench/bench.h"
#include "tests/pty_lab.h"

#define STARTS 31
#define KEYS 201

static struct bench_row peer_start = { .name = "start to output: /bin/sh -c 'printf x'" };
static struct bench_row start = { .name = "start to first screen: the lab" };
static struct bench_row peer_key = { .name = "key to screen: cat" };
static struct bench_row key_list = { .name = "key to screen: lesson list" };
static struct bench_row key_lesson = { .name = "key to screen: lesson, 200x60, other language" };

/* Reads until `quiet` ms pass without a byte; the time of the last byte. 0: none came. */
static double read_burst(struct pty_lab *l, int first_ms, int quiet)
{
	static char buf[1 << 16];
	double last = 0;
	int ms = first_ms;
	while (pty_lab_read(l, buf, sizeof(buf), ms) > 0) {
		last = pty_now_ms();
		ms = quiet;
	}
	return last;
}

/* The time when `text` has arrived; 0: never. */
static double read_until(struct pty_lab *l, const char *text)
{
	static char buf[1 << 18];
	size_t n = 0;
	ssize_t k;
	while (n + 4096 < sizeof(buf) && (k = pty_lab_read(l, buf + n, 4096, 5000)) > 0) {
		n += (size_t)k;
		buf[n] = 0;
		if (strstr(buf, text))
			return pty_now_ms();
	}
	return 0;
}

static void finish(struct pty_lab *l)
{
	char cmd[128];
	pty_lab_close(l);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", l->home);
	if (system(cmd) != 0)
		perror(l->home);
}

/* `last` is the last thing of the screen. */
static void measure_start(const char *const *args, const char *last, struct bench_row *row)
{
	struct pty_lab l;
	double t = pty_now_ms();
	if (pty_lab_start(&l, 120, 40, NULL, args) < 0)
		return;
	double end = read_until(&l, last);
	if (end > 0)
		bench_add(row, end - t);
	finish(&l);
}

static void measure_keys(struct pty_lab *l, const char *const *keys, struct bench_row *row)
{
	for (unsigned i = 0; i < KEYS; i++) {
		double t = pty_now_ms();
		pty_lab_write(l, keys[i % 2]);
		double end = read_burst(l, 1000, 3);
		if (end > 0)
			bench_add(row, end - t);
	}
}

/* CPU time of a process in ms (proc(5): utime + stime, clock ticks). */
static double cpu_ms(pid_t pid)
{
	char path[64], text[1024];
	unsigned long u = 0, s = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	char *p = strrchr(text, ')');
	if (p)
		sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s);
	return (double)(u + s) * 1000.0 / (double)sysconf(_SC_CLK_TCK);
}

int main(void)
{
	static const char *const move[] = { "\033[B", "\033[A" };
	static const char *const language[] = { "L", "L" };
	static const char *const letters[] = { "a", "b" };
	const char *lab = getenv("RINGSIDE");
	if (!lab)
		lab = "build/ringside";
	if (access(lab, X_OK) < 0) {
		printf("skip: %s is not there\n", lab);
		return 77;
	}
	setenv("RINGSIDE", lab, 1);
	for (unsigned i = 0; i < STARTS; i++) {
		setenv("RINGSIDE", "/bin/sh", 1);
		measure_start((const char *const[]){ "-c", "printf x; sleep 0.1", NULL }, "x", &peer_start);
		setenv("RINGSIDE", lab, 1);
		measure_start(NULL, "quit", &start);
	}
	struct pty_lab l;
	setenv("RINGSIDE", "/bin/cat", 1);
	if (pty_lab_start(&l, 120, 40, NULL, NULL) == 0) {
		usleep(100000);
		measure_keys(&l, letters, &peer_key);
		finish(&l);
	}
	setenv("RINGSIDE", lab, 1);
	if (pty_lab_start(&l, 120, 40, NULL, NULL) < 0)
		return 1;
	read_burst(&l, 5000, 1500); /* also lets the child find out what can run here */
	measure_keys(&l, move, &key_list);
	double before = cpu_ms(l.pid), t = pty_now_ms();
	usleep(3000000);
	double idle = (cpu_ms(l.pid) - before) / (pty_now_ms() - t) * 100;
	finish(&l);
	if (pty_lab_start(&l, 200, 60, NULL, (const char *const[]){ "lab", "202", NULL }) < 0)
		return 1;
	read_burst(&l, 5000, 500);
	measure_keys(&l, language, &key_lesson);
	finish(&l);

	bench_head("The terminal UI", "ms");
	bench_print(&peer_start, NULL);
	bench_print(&start, &peer_start);
	bench_print(&peer_key, NULL);
	bench_print(&key_list, &peer_key);
	bench_print(&key_lesson, &peer_key);
	printf("  %-44s %10.2f\n", "CPU of the open lab, % of a core", idle);
	int ok = bench_budget("start to first screen", bench_median(&start), 50, "ms");
	ok &= bench_budget("key to screen", bench_median(&key_lesson), 16, "ms");
	ok &= bench_budget("idle CPU", idle, 1, "%");
	return ok ? 0 : 1;
}
