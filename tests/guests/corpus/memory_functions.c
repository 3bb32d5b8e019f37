/* memcpy and its family at every alignment, against loops of bytes. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static unsigned char a[512], b[512], want[512];

static void reset(void)
{
	for (unsigned i = 0; i < sizeof(a); i++) {
		a[i] = (unsigned char)(i * 7 + (i >> 3));
		b[i] = want[i] = (unsigned char)~i;
	}
}

int main(void)
{
	unsigned bad = 0, runs = 0;
	uint32_t sum = 0;

	for (unsigned from = 0; from < 17; from++)
		for (unsigned to = 0; to < 17; to += 1 + from % 3)
			for (unsigned n = 0; n < 140; n += n < 18 ? 1 : 29) {
				reset();
				memcpy(b + to, a + from, n);
				for (unsigned i = 0; i < n; i++)
					want[to + i] = a[from + i];
				bad += memcmp(b, want, sizeof(b)) != 0;
				memmove(b + to, b + from, n);
				if (from < to)
					for (unsigned i = n; i--;)
						want[to + i] = want[from + i];
				else
					for (unsigned i = 0; i < n; i++)
						want[to + i] = want[from + i];
				bad += memcmp(b, want, sizeof(b)) != 0;
				memset(b + to, (int)n, n);
				for (unsigned i = 0; i < n; i++)
					want[to + i] = (unsigned char)n;
				bad += memcmp(b, want, sizeof(b)) != 0;
				runs += 3;
			}
	printf("%u runs, %u differ\n", runs, bad);
	for (unsigned at = 0; at < 33; at++) {
		char s[96], t[96];

		memset(s, 0, sizeof(s));
		memset(t, 0, sizeof(t));
		for (unsigned i = 0; i < 20 + at; i++)
			s[at + i] = (char)('a' + i % 26);
		strcpy(t + at / 2, s + at);
		sum = sum * 31 + (uint32_t)strlen(t + at / 2);
		sum = sum * 31 + (uint32_t)(strchr(s + at, 'k') - s);
		sum = sum * 31 + (uint32_t)(strrchr(s + at, 'c') - s);
		sum = sum * 31 + (uint32_t)(memchr(s, 'z', sizeof(s)) ? (char *)memchr(s, 'z', sizeof(s)) - s : 77);
		sum = sum * 31 + (uint32_t)(strcmp(s + at, t + at / 2) + 5);
		t[at / 2 + 9] ^= 1;
		sum = sum * 31 + (uint32_t)((strcmp(s + at, t + at / 2) > 0) + (memcmp(s + at, t + at / 2, 15) < 0));
		sum = sum * 31 + (uint32_t)strspn(s + at, "abcdefghi") + (uint32_t)strcspn(s + at, "xyz");
		sum = sum * 31 + (uint32_t)(strstr(s + at, "hij") - s) + (uint32_t)strnlen(s + at, 7);
		sum = sum * 31 + (uint32_t)(strcasecmp("HeLLo", "hEllP") < 0);
	}
	printf("%08x\n", sum);
	return bad != 0;
}
