/* Two children in a new PID namespace, and what they are called in there. */
#include "count.h"

int main(void)
{
	printf("I am process %d\n", getpid());
	fflush(stdout);
	must(unshare(CLONE_NEWPID), "unshare");
	printf("after unshare I am still process %d\n", getpid());
	fflush(stdout);
	for (int i = 1; i <= 2; i++) {
		pid_t child = fork();

		must(child, "fork");
		if (child == 0) {
			printf("child %d: I am process %d, my parent is process %d\n", i, getpid(), getppid());
			fflush(stdout);
			usleep(i * 150000); /* the first one ends before the second */
			printf("child %d: done\n", i);
			fflush(stdout);
			_exit(0);
		}
		printf("parent: my child is process %d\n", child);
		fflush(stdout);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
