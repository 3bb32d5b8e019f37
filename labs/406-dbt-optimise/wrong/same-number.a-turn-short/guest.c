/* ten steps are missing */
#include "guest.h"

static inline unsigned long next(unsigned long x)
{
	return x * 5 + (x >> 7) + 3;
}

int main(void)
{
	unsigned long x = 1;

	for (int i = 0; i < 990; i += 10) {
		x = next(next(next(next(next(x)))));
		x = next(next(next(next(next(x)))));
	}
	print_number((long)(x % 1000000));
	print("\n");
	return 0;
}
