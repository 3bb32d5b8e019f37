/* two numbers in a turn are not enough */
#include "guest.h"

#define N 1000

static long numbers[N];

/* Adds `step` to each of n numbers. */
noinline void work(long *v, long n, long step)
{
	for (long i = 0; i < n; i += 2) {
		v[i] += step;
		v[i + 1] += step;
	}
}

int main(void)
{
	work(numbers, N, 7);
	print_number(numbers[0] + numbers[N / 2] + numbers[N - 1]);
	print("\n");
	return 0;
}
