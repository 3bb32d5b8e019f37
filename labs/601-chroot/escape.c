/* You are root, and locked into /jail. Get out: after your code, / must be the real one again. */
#include "jail.h"

static void escape(void)
{
	/* your code */
}

int main(void)
{
	build_jail();
	must(chroot("/jail"), "chroot");
	must(chdir("/"), "chdir"); /* this jailer is careful: no foot stays outside */
	escape();
	look_around("the prisoner");
	return 0;
}
