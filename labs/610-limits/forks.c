/* Has children until the kernel says no. */
#include "work.h"

int main(void)
{
	long n = 0;

	for (; n < 100; n++) {
		pid_t child = fork();

		if (child < 0) {
			printf("fork number %ld fails: %s\n", n + 1, strerror(errno));
			break;
		}
		if (child == 0)
			for (;;)
				pause();
	}
	say("I have %ld children", n);
	return 0;
}
