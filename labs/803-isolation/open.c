/* Nothing is taken away. */
#include "arena.h"

int main(void)
{
	service();
	attacks();
	return 0;
}
