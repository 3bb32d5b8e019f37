/* Translated code against native code: the kernels of tests/guests/kernels.c, built for this machine and
 * for riscv64, run as processes in turn: native, ours, QEMU user mode where it is installed, and once in
 * the interpreter. All must print the same checksum.
 */
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/emu.h"
#include "tests/bench/bench.h"

#define ROUNDS 3
#define SOURCE "tests/guests/kernels.c"
#define FLAGS "-O2 -fno-math-errno -ffp-contract=off -static"

/* Rounds that give native code about a fifth of a second. */
static const struct {
	const char *name, *rounds;
} kernels[] = {
	{ "hash", "20" }, { "gcd", "30" }, { "sieve", "20" }, { "chase", "6" }, { "sort", "8" }, { "fib", "24" },
	{ "indirect", "12" }, { "switch", "8" }, { "string", "60" }, { "matrix", "30" }, { "nbody", "12" },
	{ "mandel", "100" }, { "straight", "30" }, { "start", "1" },
};
#define KERNELS (sizeof(kernels) / sizeof(kernels[0]))

enum how { NATIVE, OURS, QEMU, INTERP, HOWS };
static char dir[] = "/tmp/bench-emu-XXXXXX";

static void child(enum how how, const char *kernel, const char *rounds)
{
	char native[64], guest[64];
	char *argv[] = { "qemu-riscv64", guest, (char *)kernel, (char *)rounds, NULL };
	struct emu_desc d;
	struct emu_result res;
	struct rs_err err = RS_ERR_INIT;

	snprintf(native, sizeof(native), "%s/native", dir);
	snprintf(guest, sizeof(guest), "%s/riscv64", dir);
	if (how == NATIVE)
		execv(native, (argv[1] = native, argv + 1));
	if (how == QEMU)
		execvp(argv[0], argv);
	emu_desc_init(&d);
	d.program = guest;
	d.argv = argv + 1;
	d.engine = how == INTERP ? "interp" : "jit";
	if (emu_run(&d, NULL, -1, NULL, NULL, &res, &err) < 0)
		fprintf(stderr, "%s\n", err.text[0]);
	_exit(res.outcome == RS_OUT_EXITED ? res.status : 1);
}

/* Seconds of one run; -1 when it failed. */
static double run(enum how how, const char *kernel, const char *rounds, char *sum, size_t size)
{
	int fd[2], status = -1;
	uint64_t t = bench_now();
	ssize_t n;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(fd[1], 1);
		child(how, kernel, rounds);
		_exit(127);
	}
	close(fd[1]);
	n = read(fd[0], sum, size - 1);
	sum[n > 0 ? n : 0] = 0;
	close(fd[0]);
	waitpid(pid, &status, 0);
	return status == 0 ? (double)(bench_now() - t) / 1e9 : -1;
}

static bool build(void)
{
	char cmd[512];

	if (!mkdtemp(dir) || system("command -v riscv64-linux-gnu-gcc cc >/dev/null 2>&1"))
		return false;
	snprintf(cmd, sizeof(cmd), "cc %s -o %s/native %s -lm && riscv64-linux-gnu-gcc %s -o %s/riscv64 %s -lm", FLAGS, dir,
		 SOURCE, FLAGS, dir, SOURCE);
	return access(SOURCE, R_OK) == 0 && system(cmd) == 0;
}

static double geo[HOWS];
static unsigned geos[HOWS], slower;

/* One kernel: medians of interleaved runs, as a line of the table. */
static bool measure(unsigned k, bool qemu)
{
	static struct bench_row row[HOWS];
	char sum[HOWS][64];
	double native, interp, ours;
	bool start = !strcmp(kernels[k].name, "start");

	for (unsigned h = 0; h < HOWS; h++)
		row[h].n = 0;
	for (unsigned r = 0; r < ROUNDS; r++) {
		for (unsigned h = NATIVE; h <= QEMU; h++) {
			double t = h == QEMU && !qemu ? 0 : run((enum how)h, kernels[k].name, kernels[k].rounds, sum[h], 64);

			if (t < 0 || (t > 0 && strcmp(sum[h], sum[NATIVE]))) {
				printf("  %-10s wrong result, or a failure\n", kernels[k].name);
				return false;
			}
			bench_add(&row[h], t);
		}
	}
	interp = run(INTERP, kernels[k].name, "1", sum[INTERP], 64);
	native = bench_median(&row[NATIVE]);
	ours = bench_median(&row[OURS]);
	printf("  %-10s %9.1f ms %8.2fx", kernels[k].name, native * 1e3, ours / native);
	if (qemu)
		printf(" %8.2fx", bench_median(&row[QEMU]) / native);
	/* the interpreter did one round only */
	printf(" %9.1fx\n", interp / native * atoi(kernels[k].rounds));
	if (start) {
		printf("  start-up: ours %.1f ms, QEMU %.1f ms\n", ours * 1e3, bench_median(&row[QEMU]) * 1e3);
		return true;
	}
	geo[OURS] += log(ours / native);
	geo[QEMU] += qemu ? log(bench_median(&row[QEMU]) / native) : 0;
	geo[INTERP] += log(interp / native * atoi(kernels[k].rounds));
	geos[OURS]++;
	slower += qemu && ours > bench_median(&row[QEMU]);
	return true;
}

int main(void)
{
	bool qemu = system("command -v qemu-riscv64 >/dev/null 2>&1") == 0, ok = true;
	char cmd[64];

	if (!build()) {
		printf("translated code: skipped, it needs cc, riscv64-linux-gnu-gcc with its libc, and the sources\n");
		return 77;
	}
	printf("translated code (riscv64) against native code, whole processes, medians of %d\n", ROUNDS);
	printf("  %-10s %12s %9s %9s %10s\n", "kernel", "native", "ours", qemu ? "QEMU" : "", "interp");
	for (unsigned k = 0; k < KERNELS; k++)
		ok &= measure(k, qemu);
	printf("  %-10s %12s %8.2fx", "geo. mean", "", exp(geo[OURS] / geos[OURS]));
	if (qemu)
		printf(" %8.2fx", exp(geo[QEMU] / geos[OURS]));
	printf(" %9.1fx\n", exp(geo[INTERP] / geos[OURS]));
	if (qemu)
		printf("  kernels slower than QEMU: %u\n", slower);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ok &= system(cmd) == 0;
	ok &= bench_budget("translated code over native, geometric mean", exp(geo[OURS] / geos[OURS]), 2.2, "x");
	return ok ? 0 : 1;
}
