/* Floating point: arithmetic, conversions, rounding modes, exceptions, printing. */
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static volatile double d[] = { 0.0, -0.0, 1.0, -1.5, 0.1, 1e300, 5e-324, DBL_MAX, DBL_MIN, 3e9, -3e9, 1e19 };
static volatile float f[] = { 0.0f, 1.0f, -2.5f, 0.1f, 1e38f, 1e-45f, FLT_MAX };

static void flags(const char *what)
{
	printf("%s:%s%s%s%s%s\n", what, fetestexcept(FE_INVALID) ? " invalid" : "",
	       fetestexcept(FE_DIVBYZERO) ? " divbyzero" : "", fetestexcept(FE_OVERFLOW) ? " overflow" : "",
	       fetestexcept(FE_UNDERFLOW) ? " underflow" : "", fetestexcept(FE_INEXACT) ? " inexact" : "");
	feclearexcept(FE_ALL_EXCEPT);
}

int main(void)
{
	static const int modes[] = { FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD };
	const unsigned nd = sizeof(d) / sizeof(d[0]), nf = sizeof(f) / sizeof(f[0]);

	for (unsigned m = 0; m < 4; m++) {
		fesetround(modes[m]);
		for (unsigned i = 0; i < nd; i++)
			for (unsigned k = 0; k < nd; k++) {
				volatile double s = d[i] + d[k], p = d[i] * d[k], q = d[k] != 0 ? d[i] / d[k] : 0;

				printf("%a %a %a %a\n", s, p, q, fma(d[i], d[k], 1.0));
			}
		for (unsigned i = 0; i < nf; i++) {
			volatile float s = f[i] / 3.0f, t = (float)d[i];

			printf("%a %a %.9g %a\n", s, t, f[i] * 1.1f, rint(d[i]));
		}
		printf("%ld %ld %ld\n", lrint(2.5), lrint(-2.5), lrintf(0.7f));
	}
	fesetround(FE_TONEAREST);
	feclearexcept(FE_ALL_EXCEPT);
	d[0] = 1.0 / d[0];
	flags("1/0");
	d[1] = d[0] - d[0];
	flags("inf-inf");
	d[2] = d[5] * d[5];
	flags("overflow");
	d[3] = d[8] / 3;
	flags("underflow");
	printf("%d %d %d\n", isnan(d[1]), isinf(d[2]), fpclassify(d[6]) == FP_SUBNORMAL);
	printf("%ld %lu %d %u\n", (long)d[10], (unsigned long)d[11], (int)-2.9, (unsigned)2.9);
	printf("%.17g %.17g %.17g %.17g\n", sqrt(2.0), sin(1.0), exp(1.0), pow(2.0, 0.5));
	printf("%g %g %g %g\n", round(2.5), floor(-2.5), ceil(2.1), trunc(-7.9));
	printf("%.20g %s\n", strtod("0.1", NULL), atof("1e5") == 100000.0 ? "yes" : "no");
	return 0;
}
