/* The service must work. No attack may. */
#include "arena.h"

static void confine(void)
{
	keep_only(1ull << CAP_NET_BIND_SERVICE); /* ports below 1024 */
}

int main(void)
{
	confine();
	service();
	attacks();
	return 0;
}
