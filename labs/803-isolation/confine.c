/* The service must work. No attack may. */
#include "arena.h"

static void confine(void)
{
}

int main(void)
{
	confine();
	service();
	attacks();
	return 0;
}
