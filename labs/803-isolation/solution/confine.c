/* The service must work. No attack may. */
#include "arena.h"

static void confine(void)
{
	const long calls[] = { SYS_unshare, SYS_setns, SYS_mount, SYS_chroot, SYS_pivot_root };

	keep_only(1ull << CAP_NET_BIND_SERVICE); /* ports below 1024 */
	refuse(calls, sizeof(calls) / sizeof(calls[0])); /* whoever needs none of these loses nothing */
}

int main(void)
{
	confine();
	service();
	attacks();
	return 0;
}
