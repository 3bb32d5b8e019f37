/* no call any more, but a thousand turns */
#include "guest.h"

static inline unsigned long next(unsigned long x)
{
	return x * 5 + (x >> 7) + 3;
}

int main(void)
{
	unsigned long x = 1;

	for (int i = 0; i < 1000; i++)
		x = next(x);
	print_number((long)(x % 1000000));
	print("\n");
	return 0;
}
