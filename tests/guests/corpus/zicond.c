/* Instructions that Debian's QEMU does not have, or has wrong: Zicond, and ctzw of 0. */
#include <stdint.h>
#include <stdio.h>

#ifdef __riscv
#define INSN(name, word)                                                                           \
	static uint64_t name(uint64_t a, uint64_t b)                                               \
	{                                                                                          \
		register uint64_t x __asm__("a0") = a, y __asm__("a1") = b;                        \
                                                                                                   \
		__asm__(".word " #word : "+r"(x) : "r"(y));                                        \
		return x;                                                                          \
	}
INSN(czero_eqz, 0x0eb55533) /* a0, a0, a1 */
INSN(czero_nez, 0x0eb57533)
INSN(ctzw, 0x6015151b)      /* a0, a0 */
#else
static uint64_t czero_eqz(uint64_t a, uint64_t b)
{
	return b ? a : 0;
}
static uint64_t czero_nez(uint64_t a, uint64_t b)
{
	return b ? 0 : a;
}
static uint64_t ctzw(uint64_t a, uint64_t b)
{
	(void)b;
	return (uint32_t)a ? (uint64_t)__builtin_ctz((uint32_t)a) : 32;
}
#endif

int main(void)
{
	static const uint64_t v[] = { 0, 1, 0x80000000, 0xffffffff00000000, 0x1234567800000100, ~0ull };

	for (unsigned i = 0; i < 6; i++)
		for (unsigned k = 0; k < 6; k++)
			printf("%llx %llx %llx\n", (unsigned long long)czero_eqz(v[i], v[k]),
			       (unsigned long long)czero_nez(v[i], v[k]), (unsigned long long)ctzw(v[i], v[k]));
	return 0;
}
