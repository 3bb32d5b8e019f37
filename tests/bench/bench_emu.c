/* Translated code against native code: the kernels of tests/guests/kernels*.c, built for this machine and
 * for each guest, run as processes in turn: native, ours, QEMU user mode where it is installed, and one
 * round in the interpreter. All must print the same checksum. Time is the processor time of the process,
 * which other load on the machine disturbs least; memory is its largest resident set.
 */
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/emu.h"
#include "emu/guest.h"
#include "tests/bench/bench.h"

#define ROUNDS 3
#define START_ROUNDS 15
#define SOURCES "tests/guests/kernels*.c"
#define FLAGS "-O2 -fno-math-errno -ffp-contract=off -static"
#define KERNELS_MAX 100

/* Of each guest the program NAME-linux-gnu-gcc builds, and qemu-NAME runs. */
static const char *const guests[] = { "riscv64", "aarch64" };
#define GUESTS (sizeof(guests) / sizeof(guests[0]))

enum how { NATIVE, OURS, QEMU, INTERP, HOWS };
struct sample {
	double cpu;             /* seconds; negative: it failed */
	double wall;
	double memory;          /* bytes */
	char sum[64];
};
static struct { char name[32], rounds[16]; } kernel[KERNELS_MAX];
static unsigned kernels;
static char dir[] = "/tmp/bench-emu-XXXXXX";

/* The child's side: this program, started anew, as somebody would start ours. */
static int ours(char **argv)
{
	struct emu_desc d;
	struct emu_result res;
	struct rs_err err = RS_ERR_INIT;

	emu_desc_init(&d);
	d.engine = argv[0];
	d.program = argv[1];
	d.argv = argv + 1;
	if (emu_run(&d, NULL, -1, NULL, NULL, &res, &err) < 0)
		fprintf(stderr, "%s\n", err.text[0]);
	return res.outcome == RS_OUT_EXITED ? res.status : 1;
}

static void child(enum how how, const char *guest, const char *name, const char *rounds)
{
	char path[64], qemu[32];

	snprintf(path, sizeof(path), "%s/%s", dir, how == NATIVE ? "native" : guest);
	snprintf(qemu, sizeof(qemu), "qemu-%s", guest);
	if (how == NATIVE)
		execl(path, path, name, rounds, NULL);
	else if (how == QEMU)
		execlp(qemu, qemu, path, name, rounds, NULL);
	else
		execl("/proc/self/exe", "bench_emu", "--run", how == INTERP ? "interp" : "jit", path, name, rounds, NULL);
}

static struct sample run(enum how how, const char *guest, const char *name, const char *rounds)
{
	struct sample s = { .cpu = -1 };
	struct rusage u;
	int fd[2], status = -1;
	uint64_t t = bench_now();
	ssize_t n;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return s;
	if (pid == 0) {
		dup2(fd[1], 1);
		child(how, guest, name, rounds);
		_exit(127);
	}
	close(fd[1]);
	n = read(fd[0], s.sum, sizeof(s.sum) - 1);
	s.sum[n > 0 ? n : 0] = 0;
	close(fd[0]);
	wait4(pid, &status, 0, &u);
	if (status)
		return s;
	s.wall = (double)(bench_now() - t) / 1e9;
	s.cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	s.memory = (double)u.ru_maxrss * 1024;
	return s;
}

static bool shell(const char *format, const char *a, const char *b)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), format, a, b);
	return system(cmd) == 0;
}

static bool have_program(const char *format, const char *name)
{
	char program[64];

	snprintf(program, sizeof(program), format, name);
	return shell("command -v %s >/dev/null 2>&1%s", program, "");
}

/* Names and rounds, from the program itself. */
static bool list_kernels(void)
{
	char cmd[64];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "%s/native", dir);
	f = popen(cmd, "r");
	while (f && kernels < KERNELS_MAX && fscanf(f, "%31s %15s", kernel[kernels].name, kernel[kernels].rounds) == 2)
		kernels++;
	return f && pclose(f) == 0 && kernels > 0;
}

/* -- one guest -- */
struct totals {
	double log[HOWS];       /* sums of logarithms of ratios to native */
	double memory;          /* the largest ratio to QEMU */
	unsigned n, slower;
};

/* One kernel: medians of interleaved runs, as a line of the table. */
static bool measure(const char *guest, unsigned k, bool qemu, struct totals *t)
{
	static struct bench_row row[HOWS], memory[HOWS];
	const char *name = kernel[k].name;
	double ratio[HOWS];
	struct sample s[HOWS];

	for (unsigned h = 0; h < HOWS; h++)
		row[h].n = memory[h].n = 0;
	for (unsigned r = 0; r < ROUNDS; r++) {
		for (unsigned h = NATIVE; h <= (qemu ? QEMU : OURS); h++) {
			s[h] = run((enum how)h, guest, name, kernel[k].rounds);
			if (s[h].cpu < 0 || strcmp(s[h].sum, s[NATIVE].sum)) {
				printf("  %-10s wrong result, or a failure\n", name);
				return false;
			}
			bench_add(&row[h], s[h].cpu);
			bench_add(&memory[h], s[h].memory);
		}
	}
	s[INTERP] = run(INTERP, guest, name, "1");
	for (unsigned h = 0; h < INTERP; h++)
		ratio[h] = bench_median(&row[h]) / bench_median(&row[NATIVE]);
	/* the interpreter did one round only */
	ratio[INTERP] = s[INTERP].cpu / bench_median(&row[NATIVE]) * atoi(kernel[k].rounds);
	printf("  %-10s %9.1f ms %8.2fx", name, bench_median(&row[NATIVE]) * 1e3, ratio[OURS]);
	if (qemu)
		printf(" %8.2fx", ratio[QEMU]);
	printf(" %9.1fx %8.1f MiB", ratio[INTERP], bench_median(&memory[OURS]) / 1048576);
	if (qemu)
		printf(" %8.1f MiB", bench_median(&memory[QEMU]) / 1048576);
	printf("\n");
	for (unsigned h = 0; h < HOWS; h++)
		t->log[h] += ratio[h] > 0 ? log(ratio[h]) : 0;
	t->n++;
	t->slower += qemu && ratio[OURS] > ratio[QEMU];
	if (qemu && bench_median(&memory[OURS]) / bench_median(&memory[QEMU]) > t->memory)
		t->memory = bench_median(&memory[OURS]) / bench_median(&memory[QEMU]);
	return true;
}

/* A program that does nothing, from exec to its end. */
static double start_up(const char *guest, bool qemu)
{
	static struct bench_row row[HOWS];

	for (unsigned h = 0; h < HOWS; h++)
		row[h].n = 0;
	for (unsigned r = 0; r < START_ROUNDS; r++) {
		for (unsigned h = NATIVE; h <= (qemu ? QEMU : OURS); h++)
			bench_add(&row[h], run((enum how)h, guest, "start", "1").wall);
	}
	printf("  start-up: native %.1f ms, ours %.1f ms", bench_median(&row[NATIVE]) * 1e3, bench_median(&row[OURS]) * 1e3);
	if (qemu)
		printf(", QEMU %.1f ms", bench_median(&row[QEMU]) * 1e3);
	printf("\n");
	return qemu ? bench_median(&row[OURS]) / bench_median(&row[QEMU]) : 0;
}

static bool guest_table(const char *guest)
{
	bool qemu = have_program("qemu-%s", guest), ok = true;
	struct totals t = { .n = 0 };
	double start;

	printf("translated code (%s) against native code, processor time, medians of %d\n", guest, ROUNDS);
	printf("  %-10s %12s %9s%s %10s %12s%s\n", "kernel", "native", "ours", qemu ? "      QEMU" : "", "interp", "memory",
	       qemu ? "         QEMU" : "");
	for (unsigned k = 0; k < kernels; k++) {
		if (strcmp(kernel[k].name, "start"))
			ok &= measure(guest, k, qemu, &t);
	}
	printf("  %-10s %12s %8.2fx", "geo. mean", "", exp(t.log[OURS] / t.n));
	if (qemu)
		printf(" %8.2fx", exp(t.log[QEMU] / t.n));
	printf(" %9.1fx\n", exp(t.log[INTERP] / t.n));
	start = start_up(guest, qemu);
	ok &= bench_budget("translated code over native, geometric mean", exp(t.log[OURS] / t.n), 2.2, "x");
	if (!qemu) {
		printf("  no comparison with QEMU user mode: qemu-%s is not installed\n", guest);
		return ok;
	}
	ok &= bench_budget("kernels slower than under QEMU", t.slower, 0, "kernels");
	ok &= bench_budget("start-up over QEMU's", start, 1, "x");
	ok &= bench_budget("memory over QEMU's, the worst kernel", t.memory, 0.5, "x");
	return ok;
}

int main(int argc, char **argv)
{
	unsigned measured = 0;
	bool ok = true, kept = true;

	if (argc > 3 && !strcmp(argv[1], "--run"))
		return ours(argv + 2);
	if (access("tests/guests/kernels.c", R_OK) < 0 || !have_program("%s", "cc") || !mkdtemp(dir)) {
		printf("translated code: skipped, it needs cc and the sources\n");
		return 77;
	}
	ok = shell("cc " FLAGS " -o %s/native " SOURCES "%s", dir, "") && list_kernels();
	for (unsigned i = 0; ok && i < GUESTS; i++) {
		if (!emu_guest_by_name(guests[i]) || !have_program("%s-linux-gnu-gcc", guests[i])) {
			printf("translated code (%s): skipped, it needs %s-linux-gnu-gcc with its libc\n", guests[i], guests[i]);
			continue;
		}
		ok = shell("%2$s-linux-gnu-gcc " FLAGS " -o %1$s/%2$s " SOURCES, dir, guests[i]);
		kept = ok && guest_table(guests[i]) && kept;
		measured++;
	}
	shell("rm -rf %s%s", dir, "");
	return ok && !measured ? 77 : ok && kept ? 0 : 1;
}
