/* The service must work. No attack may. */
#include "arena.h"

static void confine(void)
{
	const long calls[] = { SYS_unshare };

	keep_only(0);
	refuse(calls, 1);
}

int main(void)
{
	confine();
	service();
	attacks();
	return 0;
}
