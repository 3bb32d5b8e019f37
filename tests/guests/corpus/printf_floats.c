/* printf and strtod of many numbers: exact decimal conversion in the C library. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 12345;
static uint64_t rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed ^ seed >> 29;
}

int main(void)
{
	static const char *const formats[] = { "%f", "%e", "%g", "%a", "%.0f", "%.17g", "%+.3e", "%012.4f", "%-14.2e|", "%#g", "% .9G" };
	static const double some[] = { 0.0, -0.0, 1.0, 0.1, 1e21, 123456789.123456789, DBL_MIN, DBL_MAX, DBL_TRUE_MIN,
				       1e-5, 9.5, 10.5, 0.5, 1.5, 2.5, 1.0 / 3, M_PI, -M_E * 1e100 };
	char text[512];
	unsigned bad = 0;

	for (unsigned f = 0; f < sizeof(formats) / sizeof(*formats); f++)
		for (unsigned i = 0; i < sizeof(some) / sizeof(*some); i++) {
			snprintf(text, sizeof(text), formats[f], some[i]);
			printf("%.60s%c", text, i % 6 == 5 ? '\n' : ' ');
		}
	printf("%f %f %f %e\n", INFINITY, -INFINITY, (double)NAN, (double)-INFINITY);
	for (int i = 0; i < 400; i++) {
		union { uint64_t u; double d; } v = { .u = rnd() }, w;

		if (!isfinite(v.d))
			continue;
		snprintf(text, sizeof(text), "%.17g", v.d);
		w.d = strtod(text, NULL);
		bad += w.u != v.u;
		if (i % 10 == 0)
			printf("%s %a\n", text, (double)strtof(text, NULL));
	}
	printf("%u differ\n", bad);
	printf("%.15g %.15g %.15g\n", strtod("0x1.8p3", NULL), strtod("1e400", NULL), strtod("-4.9e-324", NULL));
	return bad != 0;
}
