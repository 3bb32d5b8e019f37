/* The service must work. No attack may. */
#include "arena.h"

static void confine(void)
{
	const long calls[] = { SYS_unshare, SYS_sethostname, SYS_mount, SYS_chroot };

	refuse(calls, 4);
}

int main(void)
{
	confine();
	service();
	attacks();
	return 0;
}
