/* Floating-point kernels. */
#include "kernels.h"

/* linear equations: LU with pivots */
static uint64_t k_lu(unsigned n)
{
	static double a[64][64];
	double sum = 0;

	for (unsigned r = 0; r < n * 5; r++) {
		for (unsigned i = 0; i < 64; i++)
			for (unsigned j = 0; j < 64; j++)
				a[i][j] = (double)(int64_t)(rnd() >> 40) / 65536 + (i == j ? 4 : 0);
		for (unsigned k = 0; k < 64; k++) {
			unsigned p = k;

			for (unsigned i = k + 1; i < 64; i++)
				if (__builtin_fabs(a[i][k]) > __builtin_fabs(a[p][k]))
					p = i;
			for (unsigned j = 0; j < 64; j++) {
				double t = a[k][j];

				a[k][j] = a[p][j];
				a[p][j] = t;
			}
			for (unsigned i = k + 1; i < 64; i++) {
				double f = a[i][k] / a[k][k];

				for (unsigned j = k; j < 64; j++)
					a[i][j] -= f * a[k][j];
			}
		}
		for (unsigned i = 0; i < 64; i++)
			sum += a[i][i];
	}
	return (uint64_t)(int64_t)sum;
}

/* a Fourier transform; its roots of unity come from a recurrence, so no libm */
static uint64_t k_fft(unsigned n)
{
	enum { N = 1024 };
	static double re[N], im[N];
	double sum = 0;

	for (unsigned r = 0; r < n * 5; r++) {
		for (unsigned i = 0; i < N; i++) {
			re[i] = (double)(i * 7 % 64) - 32;
			im[i] = 0;
		}
		for (unsigned i = 0, j = 0; i < N; i++) {
			if (i < j) {
				double t = re[i];

				re[i] = re[j];
				re[j] = t;
			}
			for (unsigned bit = N >> 1; (j ^= bit) < bit && bit; bit >>= 1)
				;
		}
		for (unsigned len = 2; len <= N; len <<= 1) {
			/* cos and sin of 2 pi / len by halving the angle from pi */
			double c = -1, s = 0;

			for (unsigned l = 2; l < len; l <<= 1) {
				s = __builtin_sqrt((1 - c) / 2);
				c = __builtin_sqrt((1 + c) / 2);
			}
			for (unsigned at = 0; at < N; at += len) {
				double wr = 1, wi = 0;

				for (unsigned k = at; k < at + len / 2; k++) {
					unsigned o = k + len / 2;
					double xr = re[o] * wr - im[o] * wi, xi = re[o] * wi + im[o] * wr, t = wr;

					re[o] = re[k] - xr;
					im[o] = im[k] - xi;
					re[k] += xr;
					im[k] += xi;
					wr = wr * c - wi * s;
					wi = t * s + wi * c;
				}
			}
		}
		sum += re[r % N] + im[r % N];
	}
	return (uint64_t)(int64_t)(sum * 1024);
}

/* single precision: filters over sound, with conversions from and to integers */
static uint64_t k_filter(unsigned n)
{
	static int16_t sound[8192];
	float low = 0, high = 0, echo[256] = { 0 };
	uint64_t sum = 0;

	for (unsigned i = 0; i < 8192; i++)
		sound[i] = (int16_t)rnd();
	for (unsigned r = 0; r < n * 20; r++)
		for (unsigned i = 0; i < 8192; i++) {
			float x = (float)sound[i] / 32768.0f;

			low += 0.1f * (x - low);
			high = 0.7f * high + (x - low) * 0.3f;
			x = low * 0.5f + high * 0.4f + echo[i & 255] * 0.2f;
			echo[i & 255] = x;
			x = x > 0.9f ? 0.9f : x < -0.9f ? -0.9f : x;
			sum += (uint64_t)(int64_t)(int)(x * 32767.0f) + (unsigned)(x * 100.0f + 200.0f);
		}
	return sum;
}

/* heat over a grid */
static uint64_t k_stencil(unsigned n)
{
	static double grid[2][66][66];
	double sum = 0;

	memset(grid, 0, sizeof(grid));
	for (unsigned i = 0; i < 66; i++)
		grid[0][0][i] = grid[1][0][i] = 100;
	for (unsigned r = 0; r < n * 100; r++) {
		double(*from)[66] = grid[r & 1], (*to)[66] = grid[!(r & 1)];

		for (unsigned y = 1; y < 65; y++)
			for (unsigned x = 1; x < 65; x++)
				to[y][x] = 0.25 * (from[y - 1][x] + from[y + 1][x] + from[y][x - 1] + from[y][x + 1]);
	}
	for (unsigned y = 0; y < 66; y++)
		sum += grid[0][y][y];
	return (uint64_t)(int64_t)(sum * 65536);
}

/* rays against spheres: branches on numbers, square roots */
static uint64_t k_rays(unsigned n)
{
	double x[8], y[8], z[8];
	uint64_t sum = 0;

	for (unsigned i = 0; i < 8; i++) {
		x[i] = (double)(rnd() % 200) / 100 - 1;
		y[i] = (double)(rnd() % 200) / 100 - 1;
		z[i] = 3 + (double)(rnd() % 200) / 100;
	}
	for (unsigned p = 0; p < n * 10000; p++) {
		double dx = (double)(p % 100) / 50 - 1, dy = (double)(p / 100 % 100) / 50 - 1;
		double len = __builtin_sqrt(dx * dx + dy * dy + 1), best = 1e9;
		unsigned hit = 9;

		dx /= len;
		dy /= len;
		for (unsigned i = 0; i < 8; i++) {
			double b = x[i] * dx + y[i] * dy + z[i] / len;
			double disc = b * b - (x[i] * x[i] + y[i] * y[i] + z[i] * z[i] - 0.2);

			if (disc > 0 && b - __builtin_sqrt(disc) < best) {
				best = b - __builtin_sqrt(disc);
				hit = i;
			}
		}
		sum = sum * 3 + hit + (uint64_t)(best < 1e8 ? best * 1000 : 0);
	}
	return sum;
}

const struct kernel kernels_float[] = {
	{ "lu", "90", k_lu }, { "fft", "300", k_fft }, { "filter", "35", k_filter }, { "stencil", "120", k_stencil },
	{ "rays", "100", k_rays }, { NULL, NULL, NULL },
};
