/* What Linux fixes for AArch64: struct sigcontext and its records (arch/arm64/include/uapi/asm/
 * sigcontext.h, kernel/signal.c), open flags (fcntl.h), AT_HWCAP (hwcap.h), /proc/cpuinfo
 * (kernel/cpuinfo.c). */
#include <string.h>

#include "emu/linux.h"

/* Records in sigcontext.__reserved: a magic number, the record's size, its content; a zero ends them. */
#define FPSIMD_MAGIC 0x46508001u
#define ESR_MAGIC 0x45535201u
struct record {
	uint32_t magic, size;
};

struct fpsimd {
	struct record head;
	uint32_t fpsr, fpcr;
	union emu_vec v[32];
};

struct esr {
	struct record head;
	uint64_t esr;
};

struct context {
	uint64_t fault_address;
	uint64_t x[31], sp, pc, pstate;
	uint64_t align;
	uint8_t records[4096];
};
_Static_assert(offsetof(struct context, records) == 288, "sigcontext");
_Static_assert(sizeof(struct fpsimd) == 528 && sizeof(struct esr) == 16, "records");

/* Syndrome of a fault of a load, store or fetch (Arm ARM, ESR_ELx): exception class from EL0, a 32-bit
 * instruction, write not read, and a translation or permission fault of the last level. */
#define ESR_EC_DATA (0x24ull << 26)
#define ESR_EC_FETCH (0x20ull << 26)
#define ESR_IL (1ull << 25)
#define ESR_WNR (1ull << 6)
#define ESR_TRANSLATION 0x07ull
#define ESR_PERMISSION 0x0full

static uint64_t syndrome(const struct emu_cpu *cpu, const struct emu_siginfo *info)
{
	bool fetch = info->addr == cpu->pc;

	return (fetch ? ESR_EC_FETCH : ESR_EC_DATA) | ESR_IL | (!fetch && info->write ? ESR_WNR : 0) |
	       (info->code == SEGV_MAPERR ? ESR_TRANSLATION : ESR_PERMISSION);
}

/* N Z C V stand packed in the global x[0] (ir.h). */
static uint32_t a64_nzcv(const struct emu_cpu *cpu)
{
	return (cpu->x[0] & EMU_FLAG_N ? 1u << 31 : 0) | (cpu->x[0] & EMU_FLAG_Z ? 1u << 30 : 0) |
	       (cpu->x[0] & EMU_FLAG_C ? 1u << 29 : 0) | (cpu->x[0] & EMU_FLAG_V ? 1u << 28 : 0);
}

static void a64_set_nzcv(struct emu_cpu *cpu, uint32_t nzcv)
{
	cpu->x[0] = (nzcv >> 31 ? EMU_FLAG_N : 0) | (nzcv >> 30 & 1 ? EMU_FLAG_Z : 0) |
		    (nzcv >> 29 & 1 ? EMU_FLAG_C : 0) | (nzcv >> 28 & 1 ? EMU_FLAG_V : 0);
}

static void save(struct emu_thread *t, const struct emu_siginfo *info, void *context)
{
	struct context *c = context;
	struct emu_cpu *cpu = t->cpu;
	struct fpsimd f = { .head = { FPSIMD_MAGIC, sizeof(f) } };
	struct esr e = { .head = { ESR_MAGIC, sizeof(e) } };

	memcpy(c->x, cpu->r, sizeof(c->x));
	c->sp = cpu->r[31];
	c->pc = cpu->pc;
	c->pstate = a64_nzcv(cpu);
	f.fpsr = emu_cpu_fpsr(cpu);
	f.fpcr = emu_cpu_fpcr(cpu);
	memcpy(f.v, cpu->v, sizeof(f.v));
	memcpy(c->records, &f, sizeof(f));
	if (info->signo == SIGSEGV && info->code > 0) {
		c->fault_address = info->addr;
		e.esr = syndrome(cpu, info);
		memcpy(c->records + sizeof(f), &e, sizeof(e));
	}
}

/* The kernel takes the record of the floating-point state wherever it stands, and wants it. */
static bool find_fpsimd(const struct context *c, struct fpsimd *f)
{
	struct record r;

	for (size_t at = 0; at + sizeof(r) <= sizeof(c->records); at += r.size) {
		memcpy(&r, c->records + at, sizeof(r));
		if (!r.magic || r.size < sizeof(r) || r.size % 16 || r.size > sizeof(c->records) - at)
			return false;
		if (r.magic == FPSIMD_MAGIC && r.size == sizeof(*f)) {
			memcpy(f, c->records + at, sizeof(*f));
			return true;
		}
	}
	return false;
}

static bool load(struct emu_thread *t, const void *context)
{
	const struct context *c = context;
	struct emu_cpu *cpu = t->cpu;
	struct fpsimd f;

	if (!find_fpsimd(c, &f))
		return false;
	memcpy(cpu->r, c->x, sizeof(c->x));
	cpu->r[31] = c->sp;
	cpu->pc = c->pc;
	a64_set_nzcv(cpu, (uint32_t)c->pstate);
	emu_cpu_set_fpsr(cpu, f.fpsr);
	emu_cpu_set_fpcr(cpu, f.fpcr);
	memcpy(cpu->v, f.v, sizeof(f.v));
	return true;
}

/* O_DIRECTORY and O_NOFOLLOW stand where the others have O_DIRECT and O_LARGEFILE, and back. */
static uint64_t open_flags(uint64_t flags)
{
	return (flags & ~0x3c000ull) | (flags & 0xc000) << 2 | (flags >> 2 & 0xc000);
}

/* A processor of no known maker: MIDR_EL1 is 0 for it. */
static void cpuinfo(struct rs_str *out, unsigned cpu)
{
	rs_str_addf(out,
		    "processor\t: %u\n"
		    "BogoMIPS\t: 100.00\n"
		    "Features\t:"
#define A64_EXT(id, name, bit, feature, sentence) feature
#include "emu/a64_ext.def"
		    "\n"
		    "CPU implementer\t: 0x00\n"
		    "CPU architecture: 8\n"
		    "CPU variant\t: 0x0\n"
		    "CPU part\t: 0x000\n"
		    "CPU revision\t: 0\n\n", cpu);
}

const struct emu_linux_abi emu_linux_aarch64 = {
	.hwcap = 0
#define A64_EXT(id, name, bit, feature, sentence) | (bit >= 0 ? 1ull << (bit & 63) : 0)
#include "emu/a64_ext.def"
	,
	.platform = "aarch64",
	.signal_stack = 5120,
	.restorer = true,
	.sigreturn = { 0xd2801168 /* mov x8, #139 */, 0xd4000001 /* svc #0 */ },
	.link = EMU_R(30),
	.frame_pointer = EMU_R(29),
	.context_size = sizeof(struct context),
	.save = save,
	.load = load,
	.open_flags = open_flags,
	.cpuinfo = cpuinfo,
};
