/* What Linux fixes for RISC-V: struct sigcontext (arch/riscv/include/uapi/asm/sigcontext.h, ptrace.h),
 * AT_HWCAP (hwcap.h), /proc/cpuinfo (arch/riscv/kernel/cpu.c). */
#include <string.h>

#include "emu/linux.h"

/* One bit a letter of the base extensions. */
#define LETTER(c) (1ull << ((c) - 'A'))

struct context {
	uint64_t pc, x[31];
	uint64_t f[32];
	uint32_t fcsr, pad;
	uint8_t q[528 - 32 * 8 - 8]; /* room of the Q extension's state */
};
_Static_assert(sizeof(struct context) == 256 + 528, "sigcontext");

static void save(struct emu_thread *t, const struct emu_siginfo *info, void *context)
{
	struct context *c = context;
	struct emu_cpu *cpu = t->cpu;

	(void)info;
	c->pc = cpu->pc;
	memcpy(c->x, cpu->r + 1, sizeof(c->x));
	for (unsigned i = 0; i < 32; i++)
		c->f[i] = cpu->v[i].q[0];
	c->fcsr = emu_cpu_frm(cpu) << 5 | emu_cpu_fflags(cpu);
}

static bool load(struct emu_thread *t, const void *context)
{
	const struct context *c = context;
	struct emu_cpu *cpu = t->cpu;

	cpu->pc = c->pc;
	memcpy(cpu->r + 1, c->x, sizeof(c->x));
	for (unsigned i = 0; i < 32; i++)
		cpu->v[i].q[0] = c->f[i];
	emu_cpu_set_fflags(cpu, c->fcsr & 31);
	emu_cpu_set_frm(cpu, c->fcsr >> 5 & 7);
	return true;
}

static void cpuinfo(struct rs_str *out, unsigned cpu)
{
	rs_str_addf(out,
		    "processor\t: %u\n"
		    "hart\t\t: %u\n"
		    "isa\t\t: rv64imafdc_zicond_zicsr_zifencei_zba_zbb_zbs\n"
		    "mmu\t\t: sv39\n\n", cpu, cpu);
}

const struct emu_linux_abi emu_linux_riscv64 = {
	.hwcap = LETTER('I') | LETTER('M') | LETTER('A') | LETTER('F') | LETTER('D') | LETTER('C'),
	.signal_stack = 2048,
	.sigreturn = { 0x08b00893 /* li a7, 139 */, 0x00000073 /* ecall */ },
	.link = EMU_R(1),
	.frame_pointer = EMU_NOTEMP,
	.context_size = sizeof(struct context),
	.save = save,
	.load = load,
	.cpuinfo = cpuinfo,
};
