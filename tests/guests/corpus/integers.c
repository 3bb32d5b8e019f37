/* Integer arithmetic of all widths, with the cases at the edges. */
#include <inttypes.h>
#include <stdio.h>

static const int64_t v[] = { 0, 1, -1, 2, 7, -13, 1000003, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN };
#define N (sizeof(v) / sizeof(v[0]))

__attribute__((noinline)) static uint64_t mix(uint64_t h, uint64_t x)
{
	h ^= x + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
	return h * 0xff51afd7ed558ccdu;
}

__attribute__((noinline)) static uint64_t pairs(int64_t a, int64_t b, uint64_t h)
{
	uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
	uint32_t wa = (uint32_t)a, wb = (uint32_t)b;

	h = mix(h, ua + ub);
	h = mix(h, ua * ub);
	h = mix(h, (uint64_t)((__int128)a * b >> 64));
	h = mix(h, (uint64_t)((unsigned __int128)ua * ub >> 64));
	if (b && !(a == INT64_MIN && b == -1)) {
		h = mix(h, (uint64_t)(a / b));
		h = mix(h, (uint64_t)(a % b));
	}
	if (ub) {
		h = mix(h, ua / ub);
		h = mix(h, ua % ub);
	}
	if (wb) {
		h = mix(h, wa / wb);
		h = mix(h, wa % wb);
	}
	h = mix(h, ua << (ub & 63) | ua >> (-ub & 63));
	h = mix(h, wa << (wb & 31) | wa >> (-wb & 31));
	h = mix(h, (uint64_t)(a >> (ub & 63)));
	h = mix(h, (uint64_t)((int32_t)a >> (wb & 31)));
	h = mix(h, (uint64_t)(a < b) | (uint64_t)(ua < ub) << 1 | (uint64_t)(wa < wb) << 2);
	h = mix(h, (uint64_t)(int8_t)a + (uint16_t)b + (uint64_t)(int16_t)b);
	h = mix(h, (uint64_t)__builtin_popcountll(ua ^ ub));
	return ua ? mix(h, (uint64_t)__builtin_clzll(ua) << 8 | (uint64_t)__builtin_ctzll(ua)) : h;
}

int main(void)
{
	uint64_t h = 1;

	for (unsigned i = 0; i < N; i++)
		for (unsigned k = 0; k < N; k++) {
			h = pairs(v[i], v[k], h);
			if (i == k)
				printf("%016" PRIx64 "\n", h);
		}
	for (unsigned i = 0; i < 20000; i++)
		h = pairs((int64_t)mix(h, i), (int64_t)(h >> (i % 64)), h);
	printf("%016" PRIx64 "\n", h);
	return 0;
}
