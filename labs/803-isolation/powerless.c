/* Every capability is taken away but the one that the service needs. */
#include "arena.h"

int main(void)
{
	keep_only(1ull << CAP_NET_BIND_SERVICE);
	service();
	attacks();
	return 0;
}
