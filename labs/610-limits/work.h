/* What lesson 610's programs have in common. */
#ifndef WORK_H
#define WORK_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024 * 1024)

static inline void say(const char *text, long n)
{
	printf(text, n);
	putchar('\n');
	fflush(stdout);
}

/* How a child ended, in words. */
static inline void report(const char *who, int status)
{
	if (WIFSIGNALED(status))
		printf("%s: killed by signal %d\n", who, WTERMSIG(status));
	else
		printf("%s: ended by itself, status %d\n", who, WEXITSTATUS(status));
	fflush(stdout);
}

/* Memory that is asked for is only a promise. It is used when it is written. */
static inline void use(long mib)
{
	volatile char *p = malloc((size_t)mib * MIB);

	if (!p) {
		say("malloc gives no %ld MiB", mib);
		exit(1);
	}
	for (long i = 0; i < mib * MIB; i += 4096)
		p[i] = 1;
}

static inline double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
