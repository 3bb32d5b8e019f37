/* Now you are the jailer. The prisoner is root and knows the trick. Make a jail that holds. */
#include "jail.h"

static void lock_in(void)
{
	must(unshare(CLONE_NEWNS), "unshare"); /* a mount table of one's own */
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(mount("/jail", "/jail", NULL, MS_BIND, NULL), "bind"); /* pivot_root wants a mount */
	must(chdir("/jail"), "chdir");
	must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount2"); /* the old root is gone: there is no outside */
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
