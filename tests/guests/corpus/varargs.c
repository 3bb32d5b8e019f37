/* Arguments of every kind and number: registers, stack, structures by value, variadic. */
#include <complex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct one { char c; };
struct two { long a, b; };
struct three { long a, b, c; };
struct mixed { int i; double d; };
struct floats { float x, y, z; };
struct nested { struct { short s; char c[3]; } in; unsigned bits : 5, more : 11; };
union u { double d; long l; };

static double sum(const char *kinds, ...)
{
	double s = 0;
	va_list ap, copy;

	va_start(ap, kinds);
	va_copy(copy, ap);
	for (const char *k = kinds; *k; k++)
		switch (*k) {
		case 'i': s = s * 1.25 + va_arg(ap, int); break;
		case 'l': s = s * 1.25 + (double)va_arg(ap, long); break;
		case 'd': s = s * 1.25 + va_arg(ap, double); break;
		case 'L': s = s * 1.25 + (double)va_arg(ap, long double); break;
		case 's': s = s * 1.25 + (double)strlen(va_arg(ap, char *)); break;
		case '1': s = s * 1.25 + va_arg(ap, struct one).c; break;
		case '2': { struct two t = va_arg(ap, struct two); s = s * 1.25 + (double)(t.a - t.b); break; }
		case '3': { struct three t = va_arg(ap, struct three); s = s * 1.25 + (double)(t.a * t.b - t.c); break; }
		case 'm': { struct mixed t = va_arg(ap, struct mixed); s = s * 1.25 + t.i * t.d; break; }
		case 'f': { struct floats t = va_arg(ap, struct floats); s = s * 1.25 + t.x * t.y - t.z; break; }
		}
	s += *kinds == 'i' ? va_arg(copy, int) : 0;
	va_end(copy);
	va_end(ap);
	return s;
}

static struct nested make(int a, struct mixed m, struct floats f, long b, struct three t, double d, union u u)
{
	struct nested n = { { (short)(a + m.i), { 'x', 'y', 'z' } }, (unsigned)b & 31, (unsigned)(t.a + t.b + t.c) & 2047 };

	n.in.c[1] = (char)('a' + (int)(m.d + f.x + f.y + f.z + d + u.d) % 26);
	return n;
}

static long many(char a, short b, int c, long d, unsigned char e, float f, double g, long h, int i, short j, char k, long l,
		 double m, float n, struct two o, int p)
{
	return a + b * 2 + c * 3 + d * 4 + e * 5 + (long)f * 6 + (long)g * 7 + h * 8 + i * 9 + j * 10 + k * 11 + l * 12 +
	       (long)m * 13 + (long)n * 14 + o.a * 15 + o.b * 16 + p * 17;
}

static double complex turn(double complex z, float complex w)
{
	return z * w + conj(z) / (1 + w);
}

int main(void)
{
	struct two two = { 100, 42 };
	struct three three = { 5, 6, 7 };
	struct mixed mixed = { 3, 2.5 };
	struct floats floats = { 1.5f, 2.5f, 0.25f };
	struct one one = { 'A' };
	struct nested n;
	double complex z;
	union u u = { .d = 7.0 };

	printf("%.10g\n", sum("iiiiiiiiiiii", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
	printf("%.10g\n", sum("dddddddddddd", 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12.));
	printf("%.10g\n", sum("idsLldmi", 1, 2.5, "abc", 3.25L, 4L, 5.5, mixed, 6));
	printf("%.10g\n", sum("1232f1m3Ldi", one, two, three, two, floats, one, mixed, three, 9.5L, 2.0, 3));
	n = make(1, mixed, floats, 77, three, 9.0, u);
	printf("%d %.3s %u %u\n", n.in.s, n.in.c, n.bits, n.more);
	printf("%ld\n", many('a', -2, 3, -4, 200, 6.5f, 7.5, 8, 9, -10, 'k', 12, 13.5, -14.5f, two, 17));
	z = turn(1.5 + 2.0 * I, 0.5f - 1.0f * I);
	printf("%.12g %.12g\n", creal(z), cimag(z));
	printf("%d %ld %s %c %5.2f %#x %%|%-8s|%8s|%*d|%.*s\n", -1, 1L << 40, "text", 'c', 3.14159, 255, "left", "right", 6, 42, 3,
	       "precision");
	return 0;
}
