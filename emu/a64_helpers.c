/* AArch64: what translated code calls. */
#include <pthread.h>
#include <time.h>

#include "emu/a64_translate.h"

/* ---- CRC-32 (Arm ARM, CRC32B): bits of the message and of the sum are reversed, least significant
 * first, without the complements around it ---- */

static uint32_t table[2][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	static const uint32_t polynomial[2] = { 0xedb88320, 0x82f63b78 };

	for (unsigned p = 0; p < 2; p++) {
		for (uint32_t n = 0; n < 256; n++) {
			uint32_t v = n;

			for (unsigned k = 0; k < 8; k++)
				v = v >> 1 ^ (v & 1 ? polynomial[p] : 0);
			table[p][n] = v;
		}
	}
}

static uint64_t crc(unsigned p, uint64_t sum, uint64_t value, unsigned bytes)
{
	uint32_t v = (uint32_t)sum;

	pthread_once(&table_once, make_table);
	for (; bytes; bytes--, value >>= 8)
		v = v >> 8 ^ table[p][(v ^ value) & 0xff];
	return v;
}

#define CRC(name, p, bytes)                                                                        \
	static uint64_t name(struct emu_cpu *cpu, uint64_t a, uint64_t b)                          \
	{                                                                                          \
		(void)cpu;                                                                         \
		return crc(p, a, b, bytes);                                                        \
	}
CRC(crc_b, 0, 1)
CRC(crc_h, 0, 2)
CRC(crc_w, 0, 4)
CRC(crc_x, 0, 8)
CRC(crc_cb, 1, 1)
CRC(crc_ch, 1, 2)
CRC(crc_cw, 1, 4)
CRC(crc_cx, 1, 8)
emu_helper *const a64_crc_helpers[2][4] = { { crc_b, crc_h, crc_w, crc_x }, { crc_cb, crc_ch, crc_cw, crc_cx } };

/* ---- system registers ---- */

#define COUNTER_HZ 62500000u

static uint64_t counter(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * COUNTER_HZ + (uint64_t)t.tv_nsec / (1000000000u / COUNTER_HZ);
}

uint64_t a64_sysreg_read(struct emu_cpu *cpu, uint64_t number, uint64_t unused)
{
	(void)unused;
	switch (number) {
	case A64_SYSREG_FPCR: return emu_cpu_fpcr(cpu);
	case A64_SYSREG_FPSR: return emu_cpu_fpsr(cpu);
	case A64_SYSREG_CTR_EL0: return 0x84448004;   /* lines of 64 bytes */
	case A64_SYSREG_DCZID_EL0: return 4;          /* 16 words */
	case A64_SYSREG_CNTFRQ_EL0: return COUNTER_HZ;
	case A64_SYSREG_CNTVCT_EL0: return counter();
	case A64_SYSREG_MPIDR_EL1: return 0x80000000;
	case A64_SYSREG_ID_AA64PFR0_EL1: return 0x11; /* user mode and the kernel; FP and Advanced SIMD are 0 */
	/* CRC32, LSE, RDM, DotProd */
	case A64_SYSREG_ID_AA64ISAR0_EL1: return 1ull << 16 | 2ull << 20 | 1ull << 28 | 1ull << 44;
	case A64_SYSREG_ID_AA64ISAR1_EL1: return 1ull << 20; /* LRCPC */
	}
	return 0;
}

uint64_t a64_sysreg_write(struct emu_cpu *cpu, uint64_t number, uint64_t value)
{
	if (number == A64_SYSREG_FPCR)
		emu_cpu_set_fpcr(cpu, (uint32_t)value);
	else if (number == A64_SYSREG_FPSR)
		emu_cpu_set_fpsr(cpu, (uint32_t)value);
	return 0;
}

uint64_t a64_clear_exclusive(struct emu_cpu *cpu, uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	cpu->res_addr = ~0ull;
	return 0;
}
