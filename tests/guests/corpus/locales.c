/* Wide and multibyte characters, conversions, formatted input. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

int main(void)
{
	wchar_t wide[64];
	char text[128], word[20], rest[20];
	mbstate_t state;
	int a, b, n;
	unsigned classes = 0;
	double d;
	long long ll;
	char *end;

	printf("%s\n", setlocale(LC_ALL, "C"));
	printf("%s\n", setlocale(LC_CTYPE, "C.UTF-8") ? "C.UTF-8" : "C.UTF-8"); /* built in since glibc 2.35 */
	n = (int)mbstowcs(wide, "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z", 64);
	printf("%d", n);
	for (int i = 0; i < n; i++)
		printf(" %x", (unsigned)wide[i]);
	printf(" %d\n", (int)wcstombs(text, wide, sizeof(text)));
	memset(&state, 0, sizeof(state));
	printf("%d", (int)mbrtowc(wide, "\xe4\xb8", 2, &state));
	printf(" %d\n", (int)mbrtowc(wide, "\xad", 1, &state));
	printf("%d\n", (int)mbstowcs(wide, "\xff", 4));
	swprintf(wide, 64, L"%ls|%5d|%-6s|%lc", L"w\u00efde", 42, "abc", L'\u4e2d');
	printf("%d %ls\n", (int)wcslen(wide), wide);
	printf("%ld %x %x %d\n", wcstol(L"  -0x7fz", NULL, 0), (unsigned)towupper(L'\u00e9'), (unsigned)towlower(L'Q'), iswalpha(L'\u00e9') != 0);
	for (int c = 0; c < 128; c++)
		classes = classes * 5 + (unsigned)(!!isalpha(c) + 2 * !!isdigit(c) + 4 * !!isspace(c) + 8 * !!ispunct(c) + 16 * !!isxdigit(c) + toupper(c));
	printf("%08x\n", classes);
	n = sscanf("12 0x1f word  rest 2.5e3 -99", "%d %i %19s %[a-z] %lf %lld", &a, &b, word, rest, &d, &ll);
	printf("%d: %d %d %s %s %g %lld\n", n, a, b, word, rest, d, ll);
	errno = 0;
	printf("%ld", strtol("-9223372036854775809", &end, 10));
	printf(" %d %lu\n", errno == ERANGE, strtoul("0777", NULL, 8));
	ll = strtoimax("zz9;", &end, 36);
	printf("%lld %s\n", ll, end);
	printf("%d %d %.3f\n", atoi(" +17x"), abs(-5), atof("1.25abc"));
	strcpy(text, "one,two;;three");
	for (char *s = text, *t; (t = strsep(&s, ",;"));)
		printf("<%s>", t);
	puts("");
	printf("%s %s\n", strerror(ENOENT), strerror(EAGAIN));
	return 0;
}
