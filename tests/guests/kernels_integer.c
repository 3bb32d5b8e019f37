/* Integer kernels: checksums, ciphers, text, big numbers, bits. */
#include "kernels.h"

/* CRC-32 by table */
static uint64_t k_crc(unsigned n)
{
	static uint32_t table[256];
	static uint8_t data[4096];
	uint32_t crc = ~0u;

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (unsigned k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		table[i] = c;
	}
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rnd();
	for (unsigned r = 0; r < n * 1000; r++)
		for (unsigned i = 0; i < sizeof(data); i++)
			crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
	return crc;
}

/* base64, there and back */
static uint64_t k_base64(unsigned n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static uint8_t in[3072], back[3072], value[256];
	static char out[4096];
	uint64_t sum = 0;

	for (unsigned i = 0; i < 64; i++)
		value[(uint8_t)digits[i]] = (uint8_t)i;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)rnd();
	for (unsigned r = 0; r < n * 400; r++) {
		char *o = out;
		uint8_t *b = back;

		in[r % sizeof(in)]++;
		for (unsigned i = 0; i < sizeof(in); i += 3) {
			uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

			*o++ = digits[v >> 18];
			*o++ = digits[v >> 12 & 63];
			*o++ = digits[v >> 6 & 63];
			*o++ = digits[v & 63];
		}
		for (unsigned i = 0; i < sizeof(out); i += 4) {
			uint32_t v = (uint32_t)value[(uint8_t)out[i]] << 18 | (uint32_t)value[(uint8_t)out[i + 1]] << 12 |
				     (uint32_t)value[(uint8_t)out[i + 2]] << 6 | value[(uint8_t)out[i + 3]];

			*b++ = (uint8_t)(v >> 16);
			*b++ = (uint8_t)(v >> 8);
			*b++ = (uint8_t)v;
		}
		sum = sum * 31 + (uint64_t)memcmp(in, back, sizeof(in)) + back[r % sizeof(back)];
	}
	return sum;
}

/* SHA-256 */
static uint32_t rotr(uint32_t v, unsigned k)
{
	return v >> k | v << (32 - k);
}
static void sha_block(uint32_t *h, const uint32_t *k, const uint8_t *p)
{
	uint32_t w[64], v[8];

	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (unsigned i = 16; i < 64; i++)
		w[i] = w[i - 16] + (rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
		       (rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, h, sizeof(v));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t t1 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
			      k[i] + w[i];
		uint32_t t2 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22)) +
			      ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		for (unsigned j = 7; j > 0; j--)
			v[j] = v[j - 1];
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] += v[i];
}
static uint64_t k_sha256(unsigned n)
{
	uint32_t h[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, k[64];
	uint8_t block[64];

	for (unsigned i = 0; i < 64; i++) {
		k[i] = (uint32_t)rnd();
		block[i] = (uint8_t)rnd();
	}
	for (unsigned r = 0; r < n * 10000; r++) {
		block[r & 63] ^= (uint8_t)h[0];
		sha_block(h, k, block);
	}
	return (uint64_t)h[0] << 32 | h[7];
}

/* big numbers: schoolbook product and sum, 64-bit limbs */
static uint64_t k_bignum(unsigned n)
{
	static uint64_t a[64], b[64], c[128];
	uint64_t sum = 0;

	for (unsigned i = 0; i < 64; i++) {
		a[i] = rnd();
		b[i] = rnd();
	}
	for (unsigned r = 0; r < n * 700; r++) {
		memset(c, 0, sizeof(c));
		for (unsigned i = 0; i < 64; i++) {
			uint64_t carry = 0;

			for (unsigned j = 0; j < 64; j++) {
				unsigned __int128 t = (unsigned __int128)a[i] * b[j] + c[i + j] + carry;

				c[i + j] = (uint64_t)t;
				carry = (uint64_t)(t >> 64);
			}
			c[i + 64] = carry;
		}
		a[r & 63] ^= c[r & 127];
		sum += c[127];
	}
	return sum;
}

/* branches: the 3n + 1 problem */
static uint64_t k_collatz(unsigned n)
{
	uint64_t sum = 0;

	for (uint64_t i = 1; i < n * 30000ull; i++)
		for (uint64_t v = i; v != 1; sum++)
			v = v & 1 ? 3 * v + 1 : v / 2;
	return sum;
}

/* bits: queens on a board, counted with masks */
static unsigned NOINLINE queens(uint32_t all, uint32_t cols, uint32_t left, uint32_t right)
{
	unsigned count = 0;

	if (cols == all)
		return 1;
	for (uint32_t open = all & ~(cols | left | right); open;) {
		uint32_t bit = open & -open;

		open ^= bit;
		count += queens(all, cols | bit, (left | bit) << 1, (right | bit) >> 1);
	}
	return count;
}
static uint64_t k_queens(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += queens((1u << (10 + (i & 1))) - 1, 0, 0, 0);
	return sum;
}

/* bits: counts, reversals, Morton numbers, without the instructions for them */
static uint64_t k_bits(unsigned n)
{
	uint64_t x = 0x123456789abcdef1ull, sum = 0;

	for (unsigned i = 0; i < n * 400000u; i++) {
		uint64_t v = x, m = x & 0xffffffff;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		v -= v >> 1 & 0x5555555555555555ull;
		v = (v & 0x3333333333333333ull) + (v >> 2 & 0x3333333333333333ull);
		v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
		sum += v * 0x0101010101010101ull >> 56;
		m = (m | m << 16) & 0x0000ffff0000ffffull;
		m = (m | m << 8) & 0x00ff00ff00ff00ffull;
		m = (m | m << 4) & 0x0f0f0f0f0f0f0f0full;
		m = (m | m << 2) & 0x3333333333333333ull;
		m = (m | m << 1) & 0x5555555555555555ull;
		sum ^= m;
		if ((int64_t)x < 0)
			sum = sum << 1 | sum >> 63;
	}
	return sum;
}

/* dynamic programming: edit distance */
static uint64_t k_edit(unsigned n)
{
	static uint16_t row[513];
	char a[512], b[512];
	uint64_t sum = 0;

	for (unsigned i = 0; i < 512; i++) {
		a[i] = (char)('a' + rnd() % 4);
		b[i] = (char)('a' + rnd() % 4);
	}
	for (unsigned r = 0; r < n * 5; r++) {
		a[r % 512]++;
		for (unsigned j = 0; j <= 512; j++)
			row[j] = (uint16_t)j;
		for (unsigned i = 0; i < 512; i++) {
			unsigned corner = row[0];

			row[0] = (uint16_t)(i + 1);
			for (unsigned j = 0; j < 512; j++) {
				unsigned best = corner + (a[i] != b[j]);

				corner = row[j + 1];
				if (corner + 1 < best)
					best = corner + 1;
				if (row[j] + 1u < best)
					best = row[j] + 1u;
				row[j + 1] = (uint16_t)best;
			}
		}
		sum += row[512];
	}
	return sum;
}

const struct kernel kernels_integer[] = {
	{ "crc", "5", k_crc }, { "base64", "25", k_base64 }, { "sha256", "9", k_sha256 }, { "bignum", "10", k_bignum },
	{ "collatz", "6", k_collatz }, { "queens", "24", k_queens }, { "bits", "30", k_bits }, { "edit", "20", k_edit },
	{ NULL, NULL, NULL },
};
