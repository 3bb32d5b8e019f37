/* Starts a child that uses 64 MiB, 4 at a time, and tells how it ended. */
#include "work.h"

int main(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		for (long n = 4; n <= 64; n += 4) {
			use(4);
			say("the child uses %ld MiB", n);
			usleep(20000);
		}
		return 0;
	}
	waitpid(child, &status, 0);
	report("the child", status);
	return 0;
}
