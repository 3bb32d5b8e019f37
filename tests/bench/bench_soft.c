/* The software x86 CPU against QEMU's TCG on the same guests: loops in a firmware of our own (tests/guests/firmware), and
 * Debian's kernel from its first instruction until the machine is switched off. Both run as processes in turn; time
 * is the processor time of the process, which other load disturbs least. From the loops the time of the same
 * firmware without a loop is taken off.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define ROUNDS 3
#define LIMIT "120"      /* seconds, of timeout(1) */

static char dir[] = "/tmp/bench-soft-XXXXXX";
static const struct {
	const char *name;
	unsigned turns;
	double budget;   /* of QEMU's time */
} loop[] = {
	{ "nothing", 1, 0 },
	{ "computing", 100000000, 1 },
	{ "system calls", 2000000, 0.5 },
	{ "page faults", 400000, 1 },
	{ "port output", 2000000, 0.5 },
};
#define LOOPS (sizeof(loop) / sizeof(loop[0]))

/* Processor seconds; negative: it failed. */
static double run(char *const argv[], int good)
{
	struct rusage use;
	int status;
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != good)
		return -1;
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static bool build(unsigned kind)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cc -c -DKIND=%u -DTURNS=%u tests/guests/firmware/loops.S -o %s/o && "
		 "ld -Ttext=0xffff0000 --oformat binary -e start16 %s/o -o %s/%u 2>/dev/null",
		 kind, loop[kind].turns, dir, dir, dir, kind);
	return system(command) == 0;
}

static double ours(const char *ringside, unsigned kind)
{
	char image[64];

	snprintf(image, sizeof(image), "%s/%u", dir, kind);
	return run((char *[]){ "timeout", LIMIT, (char *)ringside, "vm", "run", "--engine", "soft", "--pc", "--entry", "reset",
			       image, NULL }, 0);
}

static double theirs(unsigned kind)
{
	char image[64];

	snprintf(image, sizeof(image), "%s/%u", dir, kind);
	return run((char *[]){ "timeout", LIMIT, "qemu-system-x86_64", "-accel", "tcg", "-M", "pc", "-m", "256", "-display",
			       "none", "-nodefaults", "-no-reboot", "-bios", image, "-device",
			       "isa-debug-exit,iobase=0xf4,iosize=4", NULL }, 1);
}

static double boot(const char *ringside, const char *guest, bool qemu)
{
	char kernel[256], initrd[256];
	char *append = "console=ttyS0 quiet ringside.run=poweroff,-f";

	snprintf(kernel, sizeof(kernel), "%s/vmlinuz", guest);
	snprintf(initrd, sizeof(initrd), "%s/initrd", guest);
	if (qemu)
		return run((char *[]){ "timeout", LIMIT, "qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nographic",
				       "-no-reboot", "-kernel", kernel, "-initrd", initrd, "-append", append, NULL }, 0);
	return run((char *[]){ "timeout", LIMIT, (char *)ringside, "vm", "run", "--engine", "soft", kernel, "--initrd", initrd,
			       "--append", append, NULL }, 0);
}

static bool row(const char *name, struct bench_row *a, struct bench_row *b, double less_a, double less_b, double budget)
{
	double x = bench_median(a) - less_a, y = bench_median(b) - less_b;

	printf("  %-14s ours %7.3f s   QEMU TCG %7.3f s   %5.2fx\n", name, x, y, x / y);
	return bench_budget(name, x / y, budget, "x");
}

int main(void)
{
	static struct bench_row a[LOOPS + 1], b[LOOPS + 1];
	const char *ringside = getenv("RINGSIDE") ? getenv("RINGSIDE") : "build/ringside";
	char command[512], guest[256];
	bool with_linux, good = true;

	printf("the software x86 CPU, processor time against QEMU's TCG\n");
	if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0) {
		printf("  skipped: qemu-system-x86_64 is not installed\n");
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	snprintf(guest, sizeof(guest), "%.*s/linux", (int)(strrchr(ringside, '/') ? strrchr(ringside, '/') - ringside : 0), ringside);
	snprintf(command, sizeof(command), "tests/tools/linux-guest %s 2>/dev/null", guest);
	with_linux = system(command) == 0;
	for (unsigned k = 0; k < LOOPS; k++)
		good &= build(k);
	for (unsigned r = 0; good && r < ROUNDS; r++) {
		for (unsigned k = 0; k < LOOPS; k++) {
			double x = ours(ringside, k), y = theirs(k);

			good &= x >= 0 && y >= 0;
			bench_add(&a[k], x);
			bench_add(&b[k], y);
		}
		if (!with_linux)
			continue;
		bench_add(&a[LOOPS], boot(ringside, guest, false));
		bench_add(&b[LOOPS], boot(ringside, guest, true));
		good &= a[LOOPS].sample[r] >= 0 && b[LOOPS].sample[r] >= 0;
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) || !good) {
		printf("  a guest failed\n");
		return 1;
	}
	for (unsigned k = 1; k < LOOPS; k++)
		good &= row(loop[k].name, &a[k], &b[k], bench_median(&a[0]), bench_median(&b[0]), loop[k].budget);
	if (with_linux)
		good &= row("Linux boots", &a[LOOPS], &b[LOOPS], 0, 0, 1);
	return !good;
}
