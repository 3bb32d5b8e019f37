/* Rounding modes and exceptions. */
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdint.h>

static volatile double one = 1, three = 3, huge = 1e308, tiny = 1e-308, zero = 0, big = 1e10, nan_;
static volatile float fone = 1, fthree = 3;

static void flags(const char *what)
{
	int f = fetestexcept(FE_ALL_EXCEPT);

	printf("%s:%s%s%s%s%s\n", what, f & FE_INVALID ? " invalid" : "", f & FE_DIVBYZERO ? " divide" : "",
	       f & FE_OVERFLOW ? " overflow" : "", f & FE_UNDERFLOW ? " underflow" : "", f & FE_INEXACT ? " inexact" : "");
	feclearexcept(FE_ALL_EXCEPT);
}

int main(void)
{
	static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
	volatile double r;
	volatile int i;
	fenv_t env;

	nan_ = NAN;
	feclearexcept(FE_ALL_EXCEPT);
	for (unsigned m = 0; m < 4; m++) {
		fesetround(modes[m]);
		printf("%d %a %a %a %a\n", fegetround() == modes[m], one / three, -one / three, sqrt(three), (double)(fone / fthree));
		printf("%.0f %.0f %ld %ld %a\n", rint(2.5), rint(-2.5), lrint(1.5), lrint(-1.5), (double)(float)(one / three));
		printf("%a %a\n", (double)(int64_t)0x7fffffffffffffff, huge * 10);
	}
	fesetround(FE_TONEAREST);
	feclearexcept(FE_ALL_EXCEPT);
	r = one / three; flags("1/3");
	r = one / zero; flags("1/0");
	r = zero / zero; flags("0/0");
	r = huge * huge; flags("overflow");
	r = tiny * tiny; flags("underflow");
	r = one + one; flags("1+1");
	r = sqrt(-one); flags("sqrt");
	i = nan_ < one; flags("nan <");
	i = nan_ == one; flags("nan ==");
	r = (double)(int)(big / 1e9); i = (int)big; flags("convert");
	r = (double)(float)(one / three); flags("narrow");
	r = fmax(nan_, one); flags("fmax");
	printf("%g %d\n", r, i != 12345);
	feraiseexcept(FE_DIVBYZERO | FE_INVALID);
	feholdexcept(&env);
	r = one / three;
	feupdateenv(&env);
	flags("updated");
	return 0;
}
