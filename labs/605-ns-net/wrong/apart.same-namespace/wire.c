/* A child in a network namespace of its own, without a way in or out. Lay a cable. */
#include "net.h"

/* In the parent, when the child is in its namespace. The parent shall be 10.0.0.1. */
static void outside(pid_t child)
{
	(void)child;
	/* No cable at all: the address is given to the parent's own loopback, and a child of the
	 * parent's network answers. */
	switch_on("lo");
	address("lo", "10.0.0.2");
	if (fork() == 0) {
		answer();
		exit(0);
	}
}

/* In the child, when outside() is done. The child shall be 10.0.0.2. */
static void inside(void)
{
}

int main(void)
{
	int to_parent[2], to_child[2];
	char c;
	pid_t child;

	must(pipe(to_parent), "pipe");
	must(pipe(to_child), "pipe");
	child = fork();
	must(child, "fork");
	if (child == 0) {
		must(unshare(CLONE_NEWNET), "unshare");
		must((int)write(to_parent[1], "x", 1), "write");
		must((int)read(to_child[0], &c, 1), "read");
		inside();
		must((int)write(to_parent[1], "x", 1), "write");
		answer();
		return 0;
	}
	must((int)read(to_parent[0], &c, 1), "read");
	outside(child);
	must((int)write(to_child[1], "x", 1), "write");
	must((int)read(to_parent[0], &c, 1), "read");
	usleep(200000);
	call_the_child();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
