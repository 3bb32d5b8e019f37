/* What the benchmarks share: timing, medians over rounds, and a table of ratios.
 *
 * A machine that others use, too, disturbs single measurements, so each figure is the median of
 * many short rounds, and figures that are compared are measured in turn within each round.
 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_ROUNDS_MAX 1001

/* CLOCK_MONOTONIC in ns. */
static inline uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Keeps the compiler from moving memory accesses across, or removing a loop. */
#define bench_barrier() __asm__ volatile("" ::: "memory")

/* One row: a name, and the samples taken for it. */
struct bench_row {
	const char *name;
	double sample[BENCH_ROUNDS_MAX];
	unsigned n;
};

static inline void bench_add(struct bench_row *row, double value)
{
	if (row->n < BENCH_ROUNDS_MAX)
		row->sample[row->n++] = value;
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value that the share `q` (0..1) of the samples does not exceed; sorts them. */
static inline double bench_quantile(struct bench_row *row, double q)
{
	if (row->n == 0)
		return 0;
	qsort(row->sample, row->n, sizeof(row->sample[0]), bench_compare);
	return row->sample[(unsigned)(q * (row->n - 1) + 0.5)];
}
static inline double bench_median(struct bench_row *row)
{
	return bench_quantile(row, 0.5);
}

static inline void bench_head(const char *title, const char *unit)
{
	printf("%s\n  %-44s %10s %10s %8s\n", title, "", unit, "10 %", "ratio");
}
/* Prints the row: median, the lower tenth, and its median over that of `base` (may be NULL). */
static inline void bench_print(struct bench_row *row, struct bench_row *base)
{
	double m = bench_median(row), b = base ? bench_median(base) : 0;

	printf("  %-44s %10.2f %10.2f", row->name, m, bench_quantile(row, 0.1));
	if (b > 0)
		printf(" %7.2fx", m / b);
	printf("\n");
}
/* Prints a budget's line. Returns whether it is kept. */
static inline int bench_budget(const char *what, double value, double limit, const char *unit)
{
	printf("  budget: %s: %.2f %s of %.2f %s: %s\n", what, value, unit, limit, unit,
	       value <= limit ? "kept" : "MISSED");
	return value <= limit;
}

#endif
