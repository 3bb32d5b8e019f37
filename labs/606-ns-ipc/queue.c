/* One queue, and who finds it. */
#include "box.h"

int main(void)
{
	post("for all who find it");
	if (fork() == 0) {
		must(unshare(CLONE_NEWIPC), "unshare");
		fetch("a process in another IPC namespace");
		return 0;
	}
	wait(NULL);
	if (fork() == 0) {
		fetch("a process in the same one");
		return 0;
	}
	wait(NULL);
	return 0;
}
