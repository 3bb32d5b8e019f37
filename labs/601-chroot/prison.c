/* Now you are the jailer. The prisoner is root and knows the trick. Make a jail that holds. */
#include "jail.h"

static void lock_in(void)
{
	must(chroot("/jail"), "chroot");
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
