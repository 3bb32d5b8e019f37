/* CSRs of RISC-V user mode, called from translated code. */
#include <time.h>

#include "emu/rv_translate.h"

/* The clock behind `time` runs at 10 MHz, as on QEMU's and SiFive's machines; "cycle" and "instret"
 * tick once a nanosecond where instructions are not counted. */
static uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t rv_frm(struct emu_cpu *cpu, uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	return emu_cpu_frm(cpu);
}

uint64_t rv_csr_read(struct emu_cpu *cpu, uint64_t number, uint64_t unused)
{
	(void)unused;
	switch (number) {
	case RV_CSR_FFLAGS:
		return emu_cpu_fflags(cpu);
	case RV_CSR_FRM:
		return emu_cpu_frm(cpu);
	case RV_CSR_FCSR:
		return emu_cpu_frm(cpu) << 5 | emu_cpu_fflags(cpu);
	case RV_CSR_TIME:
		return nanoseconds() / 100;
	case RV_CSR_INSTRET:
		return cpu->insns ? cpu->insns : nanoseconds();
	}
	return nanoseconds();
}

uint64_t rv_csr_write(struct emu_cpu *cpu, uint64_t number, uint64_t value)
{
	if (number != RV_CSR_FRM)
		emu_cpu_set_fflags(cpu, value & 31);
	if (number == RV_CSR_FRM)
		emu_cpu_set_frm(cpu, value & 7);
	else if (number == RV_CSR_FCSR)
		emu_cpu_set_frm(cpu, value >> 5 & 7);
	return 0;
}
