/* the number is known already */
#include "guest.h"

int main(void)
{
	print("823229\n");
	return 0;
}
