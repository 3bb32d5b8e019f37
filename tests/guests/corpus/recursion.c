/* Deep recursion, alloca, large frames, mutual recursion, arrays of variable length. */
#include <alloca.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned calls;
static unsigned ackermann(unsigned m, unsigned n)
{
	calls++;
	return !m ? n + 1 : !n ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static int odd(int n);
static int even(int n) { return n ? odd(n - 1) : 1; }
static int odd(int n) { return n ? even(n - 1) : 0; }

static uint32_t frames(int n)
{
	char *p = alloca((size_t)n % 97 + 16);
	int v[n % 13 + 1];
	uint32_t r;

	memset(p, n, (size_t)n % 97 + 16);
	v[n % 13] = n;
	r = n ? frames(n - 1) : 1;
	return r * 33 + (unsigned char)p[n % 16] + (uint32_t)v[n % 13];
}

static int large(int depth)
{
	volatile char room[1 << 18];

	room[0] = 1;
	room[sizeof(room) - 1] = (char)depth;
	return depth ? large(depth - 1) + room[0] + room[sizeof(room) - 1] : 0;
}

static void hanoi(int n, int a, int b, int c, uint32_t *sum)
{
	if (!n)
		return;
	hanoi(n - 1, a, c, b, sum);
	*sum = *sum * 31 + (uint32_t)(a * 3 + b);
	hanoi(n - 1, c, b, a, sum);
}

static int queens(unsigned n, unsigned row, unsigned cols, unsigned l, unsigned r)
{
	int found = 0;

	if (row == n)
		return 1;
	for (unsigned free = ((1u << n) - 1) & ~(cols | l | r); free; free &= free - 1) {
		unsigned bit = free & -free;

		found += queens(n, row + 1, cols | bit, (l | bit) << 1, (r | bit) >> 1);
	}
	return found;
}

int main(void)
{
	uint32_t sum = 0;

	printf("%u", ackermann(2, 60));
	printf(" %u calls\n", calls);
	printf("%d %d\n", even(3000), odd(3001));
	printf("%08x\n", frames(2000));
	printf("%d\n", large(8));
	hanoi(12, 1, 2, 3, &sum);
	printf("%08x %d\n", sum, queens(8, 0, 0, 0, 0));
	return 0;
}
