/* Lesson 301: a million steps in a loop. */
#include "guest.h"

#define STEP x = x * 5 + 3; x ^= x >> 7;

noinline unsigned long mix(unsigned long x)
{
	for (long i = 0; i < 1000000; i++) {
		STEP
	}
	return x;
}

int main(void)
{
	unsigned long x = 1;

	unknown(x);             /* so that the compiler does not work it all out in advance */
	print_number((long)(mix(x) % 1000000));
	print("\n");
	return 0;
}
