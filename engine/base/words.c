/* Words that people type: near misses, sizes and durations. */
#include "engine/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64

/* A difference that a typist does not see costs nothing beside one that he does: costs count in
 * halves. */
static unsigned substitution(char a, char b)
{
	if (a == b)
		return 0;
	if (tolower((unsigned char)a) == tolower((unsigned char)b))
		return 1;
	return strchr("-_ ", a) && strchr("-_ ", b) ? 1 : 2;
}

static unsigned min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Damerau-Levenshtein distance (optimal string alignment: an exchange of neighbours is one
 * mistake), in halves. Both at most WORD_MAX long. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][WORD_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = 2 * (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = 2 * (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned d = up[j - 1] + substitution(a[i - 1], b[j - 1]);

			d = min2(d, min2(up[j], row[j - 1]) + 2);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = min2(d, up2[j - 2] + 2);
			row[j] = d;
		}
	}
	return rows[na % 3][nb];
}

const char *rs_did_you_mean(const char *word, const char *const *names)
{
	size_t n = strlen(word);
	const char *best = NULL;
	unsigned best_d;

	if (n == 0 || n > WORD_MAX)
		return NULL;
	/* One mistake in a word of up to five letters, then one more for each three; best_d is the
	 * first distance that is too much. */
	best_d = 2 * (n <= 5 ? 1 : (unsigned)n / 3) + 1;
	for (; *names; names++) {
		size_t m = strlen(*names);
		unsigned d;

		if (m > WORD_MAX || (m > n ? m - n : n - m) * 2 >= best_d)
			continue;
		/* the caps-lock key is one mistake */
		d = strcasecmp(word, *names) == 0 ? strcmp(word, *names) != 0 :
						    distance(word, n, *names, m);
		/* as many mistakes as letters is another word */
		if (d < best_d && d < 2 * min2((unsigned)n, (unsigned)m)) {
			best_d = d;
			best = *names;
		}
	}
	return best;
}

int rs_parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMGTPE";
	unsigned base = 10;
	uint64_t v = 0;
	const char *digits;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	for (digits = s; isxdigit((unsigned char)*s); s++) {
		unsigned d = isdigit((unsigned char)*s) ? (unsigned)(*s - '0') :
							  (unsigned)(tolower((unsigned char)*s) - 'a') + 10;

		if (d >= base)
			break;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return -ERANGE;
	}
	if (s == digits)
		return -EINVAL;
	if (*s == ' ' && s[1]) /* "4 KiB", as rs_unit_format writes it */
		s++;
	if (*s && strchr(units, toupper((unsigned char)*s))) {
		unsigned shift = 10 * (unsigned)(strchr(units, toupper((unsigned char)*s)) - units + 1);

		if (v > UINT64_MAX >> shift)
			return -ERANGE;
		v <<= shift;
		s++;
		if (*s == 'i' && s[1] == 'B')
			s += 2;
	} else if (*s == 'B') {
		s++;
	}
	if (*s)
		return -EINVAL;
	*out = v;
	return 0;
}

int rs_parse_duration(const char *s, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
		{ "m", 60000000000 }, { "min", 60000000000 }, { "h", 3600000000000 },
	};
	uint64_t whole = 0, fraction = 0, scale = 1;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return -ERANGE;
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return -EINVAL;
		for (; isdigit((unsigned char)*s); s++) {
			if (scale == 1000000000) /* digits below a nanosecond of a second */
				continue;
			fraction = fraction * 10 + (uint64_t)(*s - '0');
			scale *= 10;
		}
	}
	if (*s == ' ') /* "1.2 us", as rs_unit_format writes it */
		s++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		unsigned __int128 v;

		if (strcmp(s, units[i].name) != 0)
			continue;
		v = (unsigned __int128)whole * units[i].ns +
		    (unsigned __int128)fraction * units[i].ns / scale;
		if (v > UINT64_MAX)
			return -ERANGE;
		*ns = (uint64_t)v;
		return 0;
	}
	return -EINVAL;
}
