/* The old root is still mounted, below /old: a door with a sign on it. */
#include "jail.h"

static void lock_in(void)
{
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(mount("/jail", "/jail", NULL, MS_BIND, NULL), "bind");
	mkdir("/jail/old", 0700);
	must((int)syscall(SYS_pivot_root, "/jail", "/jail/old"), "pivot_root");
	must(chdir("/"), "chdir");
}

int main(void)
{
	build_jail();
	lock_in();
	try_to_escape();
	look_around("the prisoner");
	return 0;
}
