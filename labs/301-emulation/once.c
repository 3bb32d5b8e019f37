/* Lesson 301: four hundred steps, one after the other. Each instruction runs once. */
#include "guest.h"

#define STEP    x = x * 5 + 3; x ^= x >> 7;
#define TEN     STEP STEP STEP STEP STEP STEP STEP STEP STEP STEP
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

noinline unsigned long mix(unsigned long x)
{
	HUNDRED HUNDRED HUNDRED HUNDRED
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
