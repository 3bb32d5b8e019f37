/* The first process of a PID namespace has a duty: orphans become its children, and when one of them ends,
 * somebody must ask for its status. This one does not. */
#include "count.h"

static void first_process(void)
{
	pid_t child = fork();

	must(child, "fork");
	if (child == 0)
		foreman();
	waitpid(child, NULL, 0); /* the foreman; his workers are still at it */
	usleep(300000);          /* by now they have ended */
}

int main(void)
{
	first_process();
	printf("zombies: %d\n", zombies());
	return 0;
}
