/* Any bytes as the code of a guest, run: the interpreter, without passes, and host code, made in several ways,
 * come to the same end with the same registers and memory. After a fault or an unknown instruction both go
 * on behind it. The first byte chooses the guest and the ways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CODE 0x20000u
#define DATA 0x100000u
#define DATA_SIZE 0x2000u
#define MOST 3000u      /* instructions; programs that do not end by then are left */
#define STOPS 8u        /* faults and the like */

static const struct emu_guest *const guests[2] = { &emu_guest_riscv64, &emu_guest_aarch64 };

enum { GUEST = 1, PASSES = 2, ONE_BRANCH = 4, NO_SUPERBLOCK = 8, COUNT = 16, NO_RETURNS = 32, SHORT = 64 };

/* One world a guest and kind for all inputs: it is a lot of address space. */
static struct emu_world *world(const struct emu_guest *g, unsigned kind)
{
	static const struct emu_options kinds[3] = {
		{ .interp = true, .passes_off = ~0u }, { .code_bytes = 1 << 20 }, { .no_return_stack = true, .no_pin = true },
	};
	static struct emu_world *worlds[2][3];
	struct emu_world **w = &worlds[g == guests[1]][kind];
	struct rs_err err = RS_ERR_INIT;

	if (!*w)
		*w = emu_world_new(g, &kinds[kind], NULL, &err);
	if (!*w)
		abort();
	return *w;
}

static struct emu_cpu *start(struct emu_world *w, const uint8_t *code, size_t n)
{
	struct emu_cpu *cpu;
	uint8_t *p;

	if (emu_mem_map(&w->mem, CODE, EMU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0) < 0 ||
	    emu_mem_map(&w->mem, DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0) < 0)
		abort();
	emu_mem_write(&w->mem, CODE, code, n);
	emu_mem_protect(&w->mem, CODE, EMU_PAGE, PROT_READ | PROT_EXEC);
	p = emu_mem_host(&w->mem, DATA, DATA_SIZE, PROT_WRITE);
	for (unsigned i = 0; i < DATA_SIZE; i++)
		p[i] = (uint8_t)(i * 37 ^ i >> 5);
	cpu = emu_cpu_new(w, NULL);
	if (!cpu)
		abort();
	for (unsigned i = 1; i < 32; i++)
		cpu->r[i] = i % 3 ? DATA + DATA_SIZE / 2 + 8 * i : 0x123456789abcdefull * i;
	for (unsigned i = 0; i < 32; i++) {
		cpu->v[i].q[0] = i % 2 ? 0x3ff0000000000000ull + i * 0x123456789abull : 0xffffffff3f800000ull + i;
		cpu->v[i].q[1] = w->guest->vector_bits > 64 ? 0x4010000040a00000ull * i : 0;
	}
	cpu->pc = CODE;
	return cpu;
}

static void differ(const char *what, const struct emu_cpu *a, const struct emu_cpu *b)
{
	fprintf(stderr, "%s: interpreter at %llx, host code at %llx\n", what, (unsigned long long)a->pc,
		(unsigned long long)b->pc);
	abort();
}

static void compare(struct emu_cpu *a, struct emu_cpu *b, enum emu_exc exc, bool counted)
{
	const uint64_t flags = EMU_FLAG_N | EMU_FLAG_Z | EMU_FLAG_C | EMU_FLAG_V;

	if (a->pc != b->pc)
		differ("pc", a, b);
	if (memcmp(a->r, b->r, sizeof(a->r)))
		differ("registers", a, b);
	if (memcmp(a->v, b->v, sizeof(a->v)))
		differ("vectors", a, b);
	if ((a->x[0] ^ b->x[0]) & flags || memcmp(a->x + 1, b->x + 1, sizeof(a->x) - sizeof(a->x[0])))
		differ("flags", a, b);
	if (emu_cpu_fflags(a) != emu_cpu_fflags(b) || a->qc != b->qc || a->rm != b->rm || a->fpcr != b->fpcr)
		differ("floating point", a, b);
	if ((exc == EMU_EXC_SEGV || exc == EMU_EXC_MISALIGNED) && (a->fault_addr != b->fault_addr || a->fault_write != b->fault_write))
		differ("fault", a, b);
	if (counted && a->insns != b->insns)
		differ("count", a, b);
	if (memcmp(a->world->mem.base + DATA, b->world->mem.base + DATA, DATA_SIZE))
		differ("memory", a, b);
}

/* Reads a clock, or a count that the engines do not have in common. */
static bool tells_time(const uint8_t *code, size_t n, unsigned align)
{
	for (size_t at = 0; at + 4 <= n; at += align) {
		uint32_t w;

		memcpy(&w, code + at, 4);
		if (align == 4 ? (w & 0xffffffe0) == 0xd53be040 : (w & 0x7f) == 0x73 && w >> 20 >= 0xc00 && w >> 20 < 0xc03)
			return true;
	}
	return false;
}

/* No input finds blocks of an earlier one, and the sanitizer, which does not look into the table of blocks, no
 * leaks. */
static void finish(struct emu_world *w, struct emu_cpu *cpu)
{
	emu_cpu_free(cpu);
	pthread_mutex_lock(&w->lock);
	emu_cache_flush(w, NULL);
	pthread_mutex_unlock(&w->lock);
}

static void run(const struct emu_guest *g, unsigned ways, const uint8_t *code, size_t n)
{
	struct emu_world *wa = world(g, 0), *wb = world(g, ways & NO_RETURNS ? 2 : 1);
	struct emu_cpu *a = start(wa, code, n), *b = start(wb, code, n);
	uint32_t here;

	wb->opt.passes_off = ways & PASSES ? ~0u : 0;
	wb->opt.max_branches = ways & ONE_BRANCH ? 1 : 0;
	wb->opt.no_superblock = ways & NO_SUPERBLOCK;
	wb->opt.count = ways & COUNT;
	wb->opt.max_insns = ways & SHORT ? 3 : 0;
	wa->opt.insn_limit = MOST;
	for (unsigned stops = 0; stops < STOPS; stops++) {
		enum emu_exc ea = emu_cpu_run(a), eb;

		if (ea == EMU_EXC_LIMIT)
			break;
		eb = emu_cpu_run(b);
		if (ea != eb)
			differ(emu_exc_name(eb), a, b);
		compare(a, b, ea, wb->opt.count);
		if (!emu_mem_read(&wa->mem, a->pc, &here, sizeof(here)))
			break;
		if (ea != EMU_EXC_SYSCALL)
			a->pc = b->pc = a->pc + (g->insn_align == 2 && (here & 3) != 3 ? 2 : 4);
	}
	finish(wa, a);
	finish(wb, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct emu_guest *g;

	if (size < 3 || size > EMU_PAGE)
		return 0;
	g = guests[data[0] & GUEST];
	if (!tells_time(data + 1, size - 1, g->insn_align))
		run(g, data[0], data + 1, size - 1);
	return 0;
}
