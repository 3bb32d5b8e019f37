/* Lesson 407: the same main for every machine. reverse() is in assembly, once for each.
 * Reads lines and writes each of them backwards. */
#include "guest.h"

void reverse(char *text, long length);

static char text[256];

int main(void)
{
	long all = read_all(text, sizeof(text) - 1), start = 0;

	for (long i = 0; i < all; i++) {
		if (text[i] != '\n')
			continue;
		text[i] = 0;
		reverse(text + start, i - start);
		print(text + start);
		print("\n");
		start = i + 1;
	}
	return 0;
}
