/* Runs while.sh and compares the time that passed with the processor time that it got. */
#include "work.h"

int main(void)
{
	double began = now(CLOCK_MONOTONIC), passed, used;
	struct rusage u;
	pid_t child = fork();
	int status;

	if (child == 0) {
		execl("/bin/sh", "sh", "/work/while.sh", NULL);
		return 1;
	}
	waitpid(child, &status, 0);
	passed = now(CLOCK_MONOTONIC) - began;
	getrusage(RUSAGE_CHILDREN, &u);
	used = (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 + (double)u.ru_stime.tv_sec +
	       (double)u.ru_stime.tv_usec / 1e6;
	printf("the loop took %.2f s and got %.2f s of processor time\n", passed, used);
	printf("ratio: %.2f\n", passed / used);
	return 0;
}
