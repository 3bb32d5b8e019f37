/* A first process with its own /proc: ps inside must show what is inside, and nothing else. */
#include "count.h"

/* Process numbers that /proc shows, in order. */
static void list(void)
{
	int n = 0;

	for (int pid = 1; pid < 100; pid++) {
		char path[32];

		snprintf(path, sizeof(path), "/proc/%d", pid);
		if (access(path, F_OK) == 0)
			n++;
	}
	printf("/proc shows %d processes; I am number %d\n", n, getpid());
	fflush(stdout);
}

/* Runs list() in a process that is number 1 of its PID namespace and sees only itself in /proc. */
static void contain(void)
{
	pid_t child;

	must(unshare(CLONE_NEWPID | CLONE_NEWNS), "unshare");
	child = fork(); /* the caller stays where it is: its children are in the new namespace */
	must(child, "fork");
	if (child == 0) {
		/* A /proc of this namespace, in a mount table of its own. */
		must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
		must(mount("proc", "/proc", "proc", 0, NULL), "mount");
		list();
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

int main(void)
{
	pid_t neighbour = fork();

	must(neighbour, "fork");
	if (neighbour == 0)
		for (;;)
			pause(); /* somebody else who lives outside */
	contain();
	list();
	return 0;
}
