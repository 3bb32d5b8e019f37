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
#include "emu/vec.h"
#include "emu/x86_emit.h"
#include "emu/x86_gen.h"

#define CODE_BYTES (32u << 20)

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

void as_jump_to(struct as *a, unsigned shift, unsigned op, int reg, int t, int32_t disp)
{
	as_rex(a, true, reg, t, RBP, false);
	as8(a, op);
	as8(a, 0x84u | (unsigned)(reg & 7) << 3);
	as8(a, (4 - shift) << 6 | (unsigned)(t & 7) << 3 | RBP); /* 16 bytes each */
	as32(a, (uint32_t)(CPU_OFF(jumps) + disp));
}

uint8_t *as_jump_cache(struct as *a, const struct emu_world *w, int reg, int t)
{
	unsigned shift = emu_jump_shift(w->guest);
	uint8_t *compare;

	as_rr(a, false, 0x8b, t, reg); /* emu_jump_entry */
	as_shift_ri(a, false, SH_SHR, t, EMU_JUMP_FOLD);
	as_alu_rr(a, false, ALU_XOR, t, reg);
	as_alu_ri(a, false, ALU_AND, t, (EMU_JUMPS - 1) << shift);
	if (w->soft)
		as_rm(a, false, 0x03, t, RBP, CPU_OFF(jump_half)); /* add */
	compare = a->p;
	as_jump_to(a, shift, 0x3b, reg, t, 0); /* cmp */
	return compare;
}

void emu_x86_look(struct emu_world *w, struct as *a)
{
	if (!w->opt.no_jump_cache) {
		as_jump_cache(a, w, RAX, RCX);
		uint8_t *miss = as_jcc8(a, CC_NE);

		as_jump_to(a, emu_jump_shift(w->guest), 0xff, 4, RCX, 8); /* jmp */
		as_here(a, miss);
	}
	as_store(a, RAX, RBP, CPU_OFF(pc));
	as_patch(as_jmp(a), w->x86->rw + w->x86->leave);
}

static const uint64_t konsts[X86_CONSTS][2] = {
#define X86_CONST(id, low, high) { low, high },
#include "emu/x86_const.def"
};

/* Where gen_call_vector jumps: rax = what, with its own value in cpu->save[0], rsp in cpu->ret_sp, and the place
 * to come back to in cpu->vop_back. */
static void make_vector_stub(struct emu_x86 *x, struct as *a)
{
	static const uint8_t saved[9] = { RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11 };

	x->vector = (uint32_t)(a->p - x->rw);
	for (int i = 1; i < 9; i++)
		as_store(a, saved[i], RBP, CPU_OFF(save) + 8 * i);
	for (int i = 0; i < 16; i++)
		as_vrm(a, 0, 1, false, 0x11, i, 0, RBP, CPU_OFF(vsave) + 16 * i);
	as_lea(a, true, RDI, RBP, -CPU_BIAS);
	as_mov_rr(a, RSI, RAX);
	as_lea(a, true, RDX, RBP, CPU_OFF(vop));
	as_alu_ri(a, true, ALU_AND, RSP, -16);
	as_mov_ri(a, RAX, (int64_t)(uintptr_t)emu_vec_eval);
	as8(a, 0xff); /* call rax */
	as8(a, 0xd0);
	as_load(a, RSP, RBP, CPU_OFF(ret_sp));
	for (int i = 0; i < 9; i++)
		as_load(a, saved[i], RBP, CPU_OFF(save) + 8 * i);
	for (int i = 0; i < 16; i++)
		as_vrm(a, 0, 1, false, 0x10, i, 0, RBP, CPU_OFF(vsave) + 16 * i);
	as_rm(a, false, 0xff, 4, RBP, CPU_OFF(vop_back)); /* jmp */
	x->vector_end = (uint32_t)(a->p - x->rw);
}

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
	emu_x86_pins(&x->pins, a, false, true);
	as_load(a, RSP, RBP, CPU_OFF(ret_sp));
	as8(a, 0xff); /* jmp rax */
	as8(a, 0xe0);
	x->leave_exit = (uint32_t)(a->p - x->rw);
	as_store(a, RAX, RBP, CPU_OFF(exit_site));
	x->leave = (uint32_t)(a->p - x->rw);
	emu_x86_pins(&x->pins, a, true, true);
	as_store(a, RSP, RBP, CPU_OFF(ret_sp));
	as_load(a, RSP, RBP, CPU_OFF(host_sp));
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
	/* a return that was not foreseen, guest address in rax: what is on the stack is of no use any more */
	x->ret_miss = (uint32_t)(a->p - x->rw);
	as_load(a, RSP, RBP, CPU_OFF(ret_base));
	emu_x86_look(w, a);
	x->ret_miss_end = (uint32_t)(a->p - x->rw);
	make_vector_stub(x, a);
	if (w->soft)
		gen_soft_stubs(w, a);
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
	x->returns = !w->opt.no_chain && !w->opt.no_jump_cache && !w->opt.no_return_stack;
	emu_x86_pins_init(w);
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
	/* back to the block's own start: past the code that brings its registers */
	uint32_t target = !to ? exit->stub : exit->loop ? to->loop : to->code;

	if (!w->x86)
		return;
	/* never across a cache line (x86_gen.c), so a CPU that runs here sees the old or the new one */
	__atomic_store_n((int32_t *)(w->x86->rw + exit->patch), (int32_t)(target - (exit->patch + 4)),
			 __ATOMIC_RELEASE);
}

void emu_x86_close(struct emu_world *w, struct emu_block *b)
{
	static const uint8_t always[2] = { 0x90, 0xe9 }; /* jne becomes nop, jmp: same length, same displacement */
	uint16_t code;

	memcpy(&code, always, sizeof(code));
	for (unsigned i = 0; i < b->exits; i++) {
		if (b->exit[i].landing)
			__atomic_store_n((uint16_t *)(w->x86->rw + b->exit[i].patch), code, __ATOMIC_RELEASE);
	}
}

/* Each thread points gs at the guest memory that it runs in. */
static _Thread_local const uint8_t *gs_base;
_Thread_local struct emu_cpu *emu_x86_current;

void emu_x86_enter_at(struct emu_cpu *cpu, const void *code)
{
	struct emu_x86 *x = cpu->world->x86;
	void (*enter)(struct emu_cpu *, const void *);
	const void *at = x->rx + x->enter;

	if (cpu->world->mem.base && gs_base != cpu->world->mem.base) {
		gs_base = cpu->world->mem.base;
		syscall(SYS_arch_prctl, ARCH_SET_GS, gs_base);
	}
	memcpy(&enter, &at, sizeof(enter));
	emu_x86_current = cpu;
	enter(cpu, code);
	emu_x86_current = NULL; /* a kick may come late, when the CPU is gone */
	if (cpu->exit_site)
		cpu->pc = ((const struct emu_exit *)cpu->exit_site)->pc;
}

void emu_x86_enter(struct emu_cpu *cpu, const struct emu_block *b)
{
	emu_x86_enter_at(cpu, cpu->world->x86->rx + b->code);
}
