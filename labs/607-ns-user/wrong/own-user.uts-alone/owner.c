/* A child in a user namespace of its own. It shall be root in there, and give its machine a name. */
#include "user.h"

/* In the child: which namespaces does it leave? */
static void leave(void)
{
	must(unshare(CLONE_NEWUTS), "unshare");
}

/* In the parent, when the child has left: who is the child, seen from inside? */
static void map_child(pid_t child)
{
	(void)child;
}

int main(void)
{
	int to_parent[2], to_child[2];
	pid_t child;

	must(pipe(to_parent), "pipe");
	must(pipe(to_child), "pipe");
	child = fork();
	must(child, "fork");
	if (child == 0) {
		leave();
		printf("before the map: I am user %d\n", (int)geteuid());
		fflush(stdout);
		tell(to_parent[1]);
		wait_for(to_child[0]);
		printf("with the map: I am user %d\n", (int)geteuid());
		printf("naming the machine: %s\n", sethostname("mine", 4) ? strerror(errno) : "done");
		return 0;
	}
	wait_for(to_parent[0]);
	map_child(child);
	tell(to_child[1]);
	waitpid(child, NULL, 0);
	return 0;
}
