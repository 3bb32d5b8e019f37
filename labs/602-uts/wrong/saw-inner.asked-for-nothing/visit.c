/* A child lives in a UTS namespace of its own. Visit it, read its name there, and come home. */
#include "name.h"

/* Enter the namespace of process `pid`, say_name("visitor"), and return to your own. */
static void visit(pid_t pid)
{
	/* Reading a link of /proc enters nothing. */
	char path[64], text[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	must((int)readlink(path, text, sizeof(text) - 1), "readlink");
	say_name("visitor");
}

int main(void)
{
	int ready[2];
	char c;
	pid_t child;

	must(pipe(ready), "pipe");
	child = fork();
	must(child, "fork");
	if (child == 0) {
		must(unshare(CLONE_NEWUTS), "unshare");
		must(sethostname("inner", 5), "sethostname");
		must((int)write(ready[1], "r", 1), "write");
		pause();
	}
	must((int)read(ready[0], &c, 1), "read");
	visit(child);
	say_name("home");
	kill(child, 9);
	return 0;
}
