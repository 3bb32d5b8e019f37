/* Locks itself in, and tells where it stands. */
#include "jail.h"

int main(void)
{
	build_jail();
	must(chdir("/home"), "chdir");
	must(chroot("/jail"), "chroot");
	look_around("the prisoner");
	return 0;
}
