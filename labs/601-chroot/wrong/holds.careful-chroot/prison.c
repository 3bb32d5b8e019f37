/* Two chroots, one in the other, hold no better than one. */
#include "jail.h"

static void lock_in(void)
{
	must(chroot("/jail"), "chroot");
	must(chdir("/"), "chdir");
	mkdir("/cell", 0755);
	must(chroot("/cell"), "chroot");
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
