/* Code memory and the way in and out of it.
 *
 * Code memory is one memfd mapped twice: writable here, executable there, never both (W^X). The lab
 * writes through `rw`; the CPU runs in `rx`. Displacements are relative, so both mappings agree.
 */
#include "emu/x86.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "emu/x86_emit.h"
#include "emu/x86_gen.h"

#define CODE_BYTES (32u << 20)

static const uint8_t pin_order[EMU_PINS] = { RBX, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* The level x86-64-v3: AVX2, BMI, FMA, LZCNT; machines since 2013 (Intel), 2015 (AMD). */
static bool host_is_able(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
	       __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt");
}

int emu_x86_able(struct rs_err *err)
{
	if (host_is_able())
		return 0;
	return rs_err_set(err, -ENOSYS, N_("this CPU lacks AVX2, BMI2 or FMA, which the code generator uses; the "
					   "interpreter runs everywhere"));
}

static void choose_pins(struct emu_world *w)
{
	struct emu_x86 *x = w->x86;
	const uint16_t *hot = w->guest->hot, *hot_fp = w->guest->hot_fp;

	memset(x->pin, -1, sizeof(x->pin));
	memset(x->pinned, 0xff, sizeof(x->pinned));
	memset(x->pinned_fp, 0xff, sizeof(x->pinned_fp));
	for (unsigned i = 0; !w->opt.no_pin && i < EMU_PINS && hot[i] != EMU_NOTEMP; i++) {
		x->pin[hot[i]] = (int8_t)pin_order[i];
		x->pinned[i] = hot[i];
	}
	for (unsigned i = 0; !w->opt.no_pin && i < EMU_FPINS && hot_fp[i] != EMU_NOTEMP; i++) {
		x->pin[hot_fp[i]] = (int8_t)(4 + i);
		x->pinned_fp[i] = hot_fp[i];
	}
}

void emu_x86_pins(const struct emu_x86 *x, struct as *a, bool store, bool all)
{
	for (unsigned i = 0; i < EMU_PINS; i++) {
		bool kept = pin_order[i] == RBX || pin_order[i] >= R12; /* by a C function */

		if (x->pinned[i] == EMU_NOTEMP || (kept && !all))
			continue;
		as_rm(a, true, store ? 0x89 : 0x8b, pin_order[i], RBP, emu_x86_global(x->pinned[i]));
	}
	for (unsigned i = 0; i < EMU_FPINS; i++) {
		if (x->pinned_fp[i] != EMU_NOTEMP) /* vmovups */
			as_vrm(a, 0, 1, false, store ? 0x11 : 0x10, 4 + (int)i, 0, RBP, emu_x86_global(x->pinned_fp[i]));
	}
}

static const uint64_t konsts[X86_CONSTS][2] = {
#define X86_CONST(id, low, high) { low, high },
#include "emu/x86_const.def"
};

/* void enter(struct emu_cpu *cpu, const void *code) */
static void make_stubs(struct emu_world *w, struct as *a)
{
	static const uint8_t saved[6] = { RBX, RBP, R12, R13, R14, R15 };
	struct emu_x86 *x = w->x86;
	uint8_t *at, *kicked;

	x->enter = (uint32_t)(a->p - x->rw);
	for (unsigned i = 0; i < 6; i++) {
		as_rex(a, false, 0, 0, saved[i], false);
		as8(a, 0x50u | (saved[i] & 7u));
	}
	as_alu_ri(a, true, ALU_SUB, RSP, 8);
	as_lea(a, true, RBP, RDI, CPU_BIAS);
	as_store(a, RSP, RBP, CPU_OFF(host_sp));
	as_mov_rr(a, RAX, RSI);
	/* a kick that comes before this is seen here, one that comes after it by its handler */
	as_alu_mi(a, false, ALU_CMP, RBP, CPU_OFF(exit_request), 0);
	kicked = as_jcc(a, CC_NE);
	x->enter_pins = (uint32_t)(a->p - x->rw);
	emu_x86_pins(x, a, false, true);
	as8(a, 0xff); /* jmp rax */
	as8(a, 0xe0);
	x->leave_exit = (uint32_t)(a->p - x->rw);
	as_store(a, RAX, RBP, CPU_OFF(exit_site));
	x->leave = (uint32_t)(a->p - x->rw);
	emu_x86_pins(x, a, true, true);
	x->leave_fault = (uint32_t)(a->p - x->rw);
	as_patch(kicked, a->p);
	as8(a, 0xc5); /* vzeroupper */
	as8(a, 0xf8);
	as8(a, 0x77);
	as_alu_ri(a, true, ALU_ADD, RSP, 8);
	for (unsigned i = 6; i-- > 0;) {
		as_rex(a, false, 0, 0, saved[i], false);
		as8(a, 0x58u | (saved[i] & 7u));
	}
	as8(a, 0xc3);
	while ((uintptr_t)a->p % 64)
		as8(a, 0xcc);
	x->consts = (uint32_t)(a->p - x->rw);
	at = a->p;
	memcpy(at, konsts, sizeof(konsts));
	a->p += 16u * X86_CONSTS;
	x->start = (uint32_t)(a->p - x->rw);
}

int emu_x86_init(struct emu_world *w, struct rs_err *err)
{
	rs_auto_close int fd = -1;
	uint32_t size = w->opt.code_bytes ? w->opt.code_bytes : CODE_BYTES;
	struct emu_x86 *x;
	struct as a;

	if (emu_x86_able(err) < 0)
		return -ENOSYS;
	w->x86 = x = rs_xcalloc(1, sizeof(*x));
	fd = memfd_create("emu-code", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, size) < 0)
		return rs_err_errno(err, errno, N_("cannot make memory for translated code"));
	x->size = size;
	x->rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	x->rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (x->rw == MAP_FAILED || x->rx == MAP_FAILED) {
		int e = errno;

		x->rw = x->rw == MAP_FAILED ? NULL : x->rw;
		x->rx = x->rx == MAP_FAILED ? NULL : x->rx;
		return rs_err_errno(err, e, N_("cannot map memory for translated code"));
	}
	choose_pins(w);
	a = (struct as){ x->rw, x->rw + size, false };
	make_stubs(w, &a);
	x->used = x->start;
	return emu_x86_signals(err);
}

void emu_x86_release(struct emu_world *w)
{
	if (!w->x86)
		return;
	if (w->x86->rw)
		munmap(w->x86->rw, w->x86->size);
	if (w->x86->rx)
		munmap(w->x86->rx, w->x86->size);
	free(w->x86->gen);
	free(w->x86);
	w->x86 = NULL;
}

void emu_x86_reset(struct emu_world *w)
{
	w->x86->used = w->x86->start;
}

void emu_x86_patch(struct emu_world *w, struct emu_exit *exit, const struct emu_block *to)
{
	uint32_t target = to ? to->code : exit->stub;

	if (!w->x86)
		return;
	/* never across a cache line (x86_gen.c), so a CPU that runs here sees the old or the new one */
	__atomic_store_n((int32_t *)(w->x86->rw + exit->patch), (int32_t)(target - (exit->patch + 4)),
			 __ATOMIC_RELEASE);
}

/* Each thread points gs at the guest memory that it runs in. */
static _Thread_local const uint8_t *gs_base;
_Thread_local struct emu_cpu *emu_x86_current;

void emu_x86_enter(struct emu_cpu *cpu, const struct emu_block *b)
{
	struct emu_x86 *x = cpu->world->x86;
	void (*enter)(struct emu_cpu *, const void *);
	const void *at = x->rx + x->enter;

	if (gs_base != cpu->world->mem.base) {
		gs_base = cpu->world->mem.base;
		syscall(SYS_arch_prctl, ARCH_SET_GS, gs_base);
	}
	memcpy(&enter, &at, sizeof(enter));
	emu_x86_current = cpu;
	enter(cpu, x->rx + b->code);
	emu_x86_current = NULL; /* a kick may come late, when the CPU is gone */
	if (cpu->exit_site)
		cpu->pc = ((const struct emu_exit *)cpu->exit_site)->pc;
}
