/* Upwards alone: ".." of the root is the root. */
#include "jail.h"

static void escape(void)
{
	for (int i = 0; i < 16; i++)
		must(chdir(".."), "chdir");
	must(chroot("."), "chroot");
}

int main(void)
{
	build_jail();
	must(chroot("/jail"), "chroot");
	must(chdir("/"), "chdir");
	escape();
	look_around("the prisoner");
	return 0;
}
