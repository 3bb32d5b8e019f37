/* Names of what stops a guest CPU, its floating-point environment, and the list of guests. */
#include "emu/cpu.h"

#include <string.h>
#include <xmmintrin.h>

#include "emu/emu.h"
#include "emu/guest.h"
#include "emu/world.h"

const char *emu_exc_name(enum emu_exc e)
{
	static const char *const names[EMU_EXC_COUNT] = {
		"none", "syscall", "break", "illegal", "fence.i", "assist", "segv", "bus", "misaligned", "kick", "limit",
		"complex", "alone", "assisted",
	};

	if ((unsigned)e >= EMU_EXC_VECTOR)
		return "exception";
	return (unsigned)e < EMU_EXC_COUNT ? names[e] : "?";
}

/* While a guest CPU runs (helpers), its MXCSR is in the host's register; else in cpu->mxcsr. */
static bool running(const struct emu_cpu *cpu)
{
	return cpu->in_code;
}

static uint32_t get(const struct emu_cpu *cpu)
{
	return running(cpu) ? _mm_getcsr() : cpu->mxcsr;
}

static void set(struct emu_cpu *cpu, uint32_t v)
{
	cpu->mxcsr = v;
	if (running(cpu))
		_mm_setcsr(v);
}

unsigned emu_cpu_fflags(struct emu_cpu *cpu)
{
	return emu_flags_from_mxcsr(get(cpu));
}

void emu_cpu_set_fflags(struct emu_cpu *cpu, unsigned fflags)
{
	set(cpu, (get(cpu) & ~0x3fu) | emu_flags_to_mxcsr(fflags));
}

/* RISC-V frm <-> MXCSR.RC: rne 0, rtz 3, rdn 1, rup 2. */
static const uint8_t rc_of_rm[8] = { 0, 3, 1, 2, 0, 0, 0, 0 };
static const uint8_t rm_of_rc[4] = { 0, 2, 3, 1 };

unsigned emu_cpu_frm(struct emu_cpu *cpu)
{
	return cpu->rm >= 4 ? cpu->rm : rm_of_rc[get(cpu) >> 13 & 3];
}

void emu_cpu_set_frm(struct emu_cpu *cpu, unsigned frm)
{
	cpu->rm = (uint8_t)((frm & 7) >= 4 ? frm & 7 : rc_of_rm[frm & 3]);
	set(cpu, (get(cpu) & ~0x6000u) | (uint32_t)rc_of_rm[frm & 7] << 13);
	if (cpu->rm >= 4)
		emu_cpu_special_rm(cpu);
}

unsigned emu_cpu_fpsr(struct emu_cpu *cpu)
{
	uint32_t m = get(cpu);

	return (m & 1) | (m >> 2 & 1) << 1 | (m >> 3 & 1) << 2 | (m >> 4 & 1) << 3 | (m >> 5 & 1) << 4 |
	       cpu->qc << 27;
}

void emu_cpu_set_fpsr(struct emu_cpu *cpu, unsigned fpsr)
{
	cpu->qc = fpsr >> 27 & 1;
	set(cpu, (get(cpu) & ~0x3fu) | (fpsr & 1) | (fpsr >> 1 & 15) << 2);
}

unsigned emu_cpu_fpcr(struct emu_cpu *cpu)
{
	return cpu->fpcr;
}

void emu_cpu_set_fpcr(struct emu_cpu *cpu, unsigned fpcr)
{
	static const uint32_t rc[4] = { 0, 2, 1, 3 }; /* nearest, up, down, zero */
	uint32_t flush = fpcr >> 24 & 1 ? 0x8040 : 0; /* FTZ and DAZ */

	cpu->fpcr = fpcr & 0x03c00000; /* DN, FZ, RMode */
	set(cpu, (get(cpu) & ~0xe040u) | flush | rc[fpcr >> 22 & 3] << 13);
}

/* The guests: emu_guest_<name>. */
#define GUESTS(X) X(riscv64) X(aarch64)
#define X(name) &emu_guest_##name,
static const struct emu_guest *const guests[] = { GUESTS(X) };
#undef X
#define X(name) #name,
const char *const emu_guest_names[] = { GUESTS(X) NULL };
#undef X

const struct emu_guest *emu_guest_by_elf(unsigned machine)
{
	for (unsigned i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
		if (guests[i]->elf_machine == machine)
			return guests[i];
	}
	return NULL;
}

const struct emu_guest *emu_guest_by_name(const char *name)
{
	for (unsigned i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
		if (strcmp(guests[i]->name, name) == 0)
			return guests[i];
	}
	return NULL;
}
