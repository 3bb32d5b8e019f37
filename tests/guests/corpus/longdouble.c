/* long double: software on both guests, another format on the native machine. The numbers are chosen so
 * that every format gives the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	long double sum = 0, product = 1, x = 1;
	volatile long double half = 0.5L;

	for (int i = 1; i <= 1000; i++) {
		sum += i * half;
		product = i <= 20 ? product * i : product;
	}
	printf("%.3Lf %.0Lf\n", sum, product);
	for (int i = 0; i < 60; i++)
		x = i % 2 ? x * 2 : x * 3 / 2;
	printf("%.2Lf %d\n", floorl(x), half * 3 > 1);
	printf("%d %d %d %d\n", sum > product, sum < product, sum != sum, isinf(1 / (half - half)) != 0);
	printf("%.1Lf %.1Lf %.1Lf %.1Lf\n", fabsl(-half), ceill(2.25L), truncl(-7.75L), roundl(2.5L));
	printf("%ld %llu %d %g %g\n", (long)(sum / 3), (unsigned long long)product, (int)-half, (double)(sum * half), (double)(float)(product));
	printf("%.6Lf %.6Lf\n", sqrtl(2.25L), fmodl(17.5L, 4));
	printf("%.10Lf %.4Le\n", strtold("3.14159", NULL) * 100000, strtold("1e3000", NULL));
	return 0;
}
