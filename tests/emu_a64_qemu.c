/* The semantics of AArch64 instructions against QEMU's user mode: random programs, in which every row of the
 * table occurs that this test does not name below, end with the same registers, vectors, flags and memory in
 * QEMU, in the interpreter and in translated code.
 *
 *	SEED=n     the first program's seed (printed)     PROGRAMS=n    how many     INSNS=n    length of each
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "emu/a64.h"
#include "emu/world.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define INSNS 1000
#define PROGRAMS 110
#define TEXT 0x10000u
#define TEXT_SIZE 0x20000u
#define DATA 0x100000u          /* struct start; x18 points here and is never written */
#define BUFFER (DATA + 0x1000u) /* what loads and stores reach: two pages, pointers to the middle */
#define MIDDLE (BUFFER + 0x1000u)
#define OUT (BUFFER + 0x2000u)  /* struct state at the end */
#define DATA_SIZE 0x4000u

/* Registers in memory, at the start and at the end. */
struct state {
	uint64_t v[32][2];
	uint64_t x[31], sp;
	uint64_t nzcv, fpcr, fpsr;
};

#define BASE 18u                /* x18 */
#define INDEX 17u               /* x17: small offsets */
static const unsigned pointers[] = { 28, 29, 30, 31 }; /* x28 to x30, sp: the middle of the buffer */

struct program {
	uint32_t text[TEXT_SIZE / 4];
	unsigned words, body, epilogue, insns; /* indexes in text of the first instruction and of the epilogue */
	uint8_t data[DATA_SIZE];
	uint64_t random;
	unsigned used[A64_COUNT];
};

static uint64_t next(struct program *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random * 0x2545f4914f6cdd1dull;
}

static unsigned below(struct program *p, unsigned n)
{
	return (unsigned)(next(p) >> 33) % n;
}

/* ---- values ---- */

static uint64_t integer(struct program *p)
{
	static const uint64_t special[] = {
		0, 1, 2, 31, 32, 63, 64, ~0ull, 1ull << 63, ~0ull >> 1, 1u << 31, 0x7fffffff,
		0xffffffff, 0xffffffff80000000ull, 0x8000000080000000ull, 0x00ff00ff00ff00ffull,
		0x7f80ff0001807f81ull, 0x80007fff0001ffffull,
	};

	return below(p, 3) ? next(p) >> below(p, 64) : special[below(p, 18)];
}

static uint32_t single(struct program *p)
{
	static const uint32_t s[] = {
		0, 1u << 31, 0x3f800000, 0xbfc00000, 0x7f800000, 0xff800000, 0x7fc00001, 0x7fa00002, 0xffc00003, 0xff800004,
		1, 0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000001, 0x5f000000, 0x3f000000, 0x40200000,
		0x38800000, 0x477ff000, 0x33000001, 0x4effffff,
	};

	switch (below(p, 3)) {
	case 0: return s[below(p, sizeof(s) / sizeof(*s))];
	case 1: return 0x3f800000u + ((uint32_t)next(p) & 0x81ffffffu);
	default: return (uint32_t)next(p);
	}
}

static uint64_t floating(struct program *p)
{
	static const uint64_t d[] = {
		0, 1ull << 63, 0x3ff0000000000000, 0xbff8000000000000, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000001, 0x7ff4000000000002, 0xfff8000000000003, 0xfff0000000000004,
		1, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x41dfffffffc00000, 0x43e0000000000000,
		0xc1e0000000200000, 0x3fe0000000000000, 0x4004000000000000, 0x36a0000000000000, 0x47efffffe0000000,
		0x40effe0000000000, 0x3e70000000000001,
	};

	switch (below(p, 4)) {
	case 0: return d[below(p, sizeof(d) / sizeof(*d))];
	case 1: return 0x3ff0000000000000ull + (next(p) & 0x801fffffffffffffull);
	default: return single(p) | (uint64_t)single(p) << 32;
	}
}

/* ---- code ---- */

static void emit(struct program *p, uint32_t bits)
{
	p->text[p->words++] = bits;
}

/* Classes whose registers are all read or written as numbers, nothing else. */
static bool is_computation(unsigned class)
{
	return class >= A64_CLASS_FP_DATA1 && class != A64_CLASS_FP_COMPARE && class != A64_CLASS_FP_COND_CMP && class != A64_CLASS_FP_SELECT;
}

/* Does the instruction write an integer register that must keep its value? */
static bool spoils(const struct a64_insn *i)
{
	bool to_x = i->class == A64_CLASS_FP_TO_INT || i->id == A64_fmov_ws || i->id == A64_fmov_xd ||
		    i->id == A64_fmov_x_high || i->id == A64_umov_v || i->id == A64_smov_v;

	return to_x && i->rd >= 8 && i->rd < 31; /* x8 and up feed refresh() */
}

/* An instruction of the row; 0: this draw does not fit. */
static uint32_t draw(struct program *p, unsigned id)
{
	const struct a64_row *r = &a64_rows[id];
	uint32_t bits = ((uint32_t)next(p) & ~r->mask) | r->match;
	struct a64_insn i;

	if (!a64_decode(bits, &i) || i.id != id || spoils(&i))
		return 0;
	return bits;
}

static void one(struct program *p)
{
	for (;;) {
		unsigned id = below(p, A64_COUNT);
		uint32_t bits;

		if (!is_computation(a64_rows[id].class))
			continue;
		bits = draw(p, id);
		if (!bits)
			continue;
		p->used[id]++;
		p->insns++;
		emit(p, bits);
		return;
	}
}

/* Random bits into a vector register: results of results tend to zeros and NaNs. */
static void refresh(struct program *p)
{
	unsigned v = below(p, 32);

	for (unsigned k = 0; k < 2; k++) /* ins v.d[k], x */
		emit(p, 0x4e081c00u | k << 20 | (8 + below(p, 8)) << 5 | v);
	p->insns += 2;
}

static uint32_t ldr_x(unsigned rt, unsigned rn, unsigned at)
{
	return 0xf9400000u | at / 8 << 10 | rn << 5 | rt;
}
static uint32_t str_x(unsigned rt, unsigned rn, unsigned at)
{
	return 0xf9000000u | at / 8 << 10 | rn << 5 | rt;
}

static void load_registers(struct program *p)
{
	emit(p, 0xd2a00000u | (DATA >> 16) << 5 | BASE); /* movz */
	emit(p, ldr_x(0, BASE, offsetof(struct state, nzcv)));
	emit(p, 0xd51b4200);                             /* msr nzcv, x0 */
	emit(p, ldr_x(0, BASE, offsetof(struct state, fpcr)));
	emit(p, 0xd51b4400);                             /* msr fpcr, x0 */
	emit(p, 0xd51b443f);                             /* msr fpsr, xzr */
	emit(p, ldr_x(0, BASE, offsetof(struct state, sp)));
	emit(p, 0x9100001f);                             /* mov sp, x0 */
	for (unsigned f = 0; f < 32; f++)
		emit(p, 0x3dc00000u | f << 10 | BASE << 5 | f); /* ldr q */
	for (unsigned r = 0; r < 31; r++)
		if (r != BASE)
			emit(p, ldr_x(r, BASE, offsetof(struct state, x) + 8 * r));
}

static void store_registers(struct program *p)
{
	emit(p, 0x91400000u | 3u << 10 | BASE << 5 | BASE); /* add x18, x18, #3, lsl 12: OUT */
	for (unsigned f = 0; f < 32; f++)
		emit(p, 0x3d800000u | f << 10 | BASE << 5 | f);
	for (unsigned r = 0; r < 31; r++)
		emit(p, str_x(r, BASE, offsetof(struct state, x) + 8 * r));
	emit(p, 0x910003e0);                             /* mov x0, sp */
	emit(p, str_x(0, BASE, offsetof(struct state, sp)));
	emit(p, 0xd53b4200);                             /* mrs x0, nzcv */
	emit(p, str_x(0, BASE, offsetof(struct state, nzcv)));
	emit(p, 0xd53b4400);
	emit(p, str_x(0, BASE, offsetof(struct state, fpcr)));
	emit(p, 0xd53b4420);
	emit(p, str_x(0, BASE, offsetof(struct state, fpsr)));
	emit(p, 0xd2800020);                             /* write(1, BUFFER, ...) */
	emit(p, 0xd1400000u | 2u << 10 | BASE << 5 | 1); /* sub x1, x18, #2, lsl 12 */
	emit(p, 0xd2800000u | 0x3000u << 5 | 2);
	emit(p, 0xd2800808);                             /* x8 = 64 */
	emit(p, 0xd4000001);
	emit(p, 0xd2800000);                             /* exit(0) */
	emit(p, 0xd2800ba8);
	emit(p, 0xd4000001);
}

/* The first `insns` instructions of the program that the seed makes. */
static void generate(struct program *p, uint64_t seed, unsigned insns)
{
	struct state *s = (struct state *)p->data;

	memset(p, 0, sizeof(*p));
	p->random = seed * 0x9e3779b97f4a7c15ull + 1;
	for (unsigned at = 0; at < DATA_SIZE - 0x1000; at += 8) {
		uint64_t v = (at < sizeof(s->v) ? below(p, 4) : below(p, 2)) ? floating(p) : integer(p);

		memcpy(p->data + at, &v, 8);
	}
	for (unsigned r = 0; r < 31; r++)
		s->x[r] = below(p, 3) ? integer(p) : floating(p);
	for (unsigned k = 0; k < 3; k++)
		s->x[pointers[k]] = MIDDLE;
	s->sp = MIDDLE;
	s->x[INDEX] = 0;
	s->x[BASE] = DATA;
	s->nzcv = (uint64_t)below(p, 16) << 28;
	s->fpcr = (uint64_t)below(p, 4) << 22 | (below(p, 4) ? 0 : 1u << 25);
	load_registers(p);
	p->body = p->words;
	while (p->insns < insns) {
		one(p);
		if (below(p, 6) == 0)
			refresh(p);
	}
	p->epilogue = p->words;
	store_registers(p);
}

/* ---- running ---- */

static char dir[] = "/tmp/ringside-a64q.XXXXXX";

struct result {
	int status;
	struct state end;
	uint8_t buffer[0x2000];
};

static void write_elf(const struct program *p, const char *path)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = 183, .e_version = EV_CURRENT, .e_entry = TEXT,
		.e_phoff = sizeof(h), .e_ehsize = sizeof(h), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
	};
	unsigned text_at = 0x10000, data_at = text_at + ((p->words * 4 + 0xffff) & ~0xffffu);
	Elf64_Phdr s[2] = {
		{ PT_LOAD, PF_R | PF_X, text_at, TEXT, TEXT, p->words * 4, p->words * 4, 0x1000 },
		{ PT_LOAD, PF_R | PF_W, data_at, DATA, DATA, DATA_SIZE, DATA_SIZE, 0x1000 },
	};
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	fwrite(&h, sizeof(h), 1, f);
	fwrite(s, sizeof(s), 1, f);
	fseek(f, text_at, SEEK_SET);
	fwrite(p->text, p->words * 4, 1, f);
	fseek(f, data_at, SEEK_SET);
	fwrite(p->data, sizeof(p->data), 1, f);
	assert_int_equal(fclose(f), 0);
	chmod(path, 0755);
}

static void run_qemu(const struct program *p, struct result *out)
{
	rs_auto_free char *path = rs_xasprintf("%s/program", dir), *to = rs_xasprintf("%s/out", dir);
	rs_auto_close int fd = -1;
	uint8_t bytes[0x3000];
	pid_t pid;
	int status;

	write_elf(p, path);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int o = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(o, 1);
		execlp("qemu-aarch64", "qemu-aarch64", "-cpu", "max", path, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	memset(out, 0, sizeof(*out));
	out->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fd = open(to, O_RDONLY);
	if (read(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes)) {
		memcpy(out->buffer, bytes, sizeof(out->buffer));
		memcpy(&out->end, bytes + 0x2000, sizeof(out->end));
		out->end.x[BASE] -= OUT - DATA;
	} else if (!out->status) {
		out->status = 98;
	}
}

static void start(struct emu_world *w, struct emu_cpu *cpu, const struct program *p)
{
	const struct state *s = (const struct state *)p->data;
	uint32_t stop = 0; /* udf, where the epilogue would begin */

	assert_int_equal(emu_mem_map(&w->mem, TEXT, TEXT_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, -1, 0), 0);
	assert_int_equal(emu_mem_map(&w->mem, DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0), 0);
	assert_true(emu_mem_write(&w->mem, TEXT, p->text, p->words * 4));
	assert_true(emu_mem_write(&w->mem, TEXT + 4 * p->epilogue, &stop, 4));
	assert_true(emu_mem_write(&w->mem, DATA, p->data, DATA_SIZE));
	memcpy(cpu->v, s->v, sizeof(s->v));
	memcpy(cpu->r, s->x, sizeof(s->x));
	cpu->r[31] = s->sp;
	cpu->pc = TEXT + 4 * p->body;
	emu_cpu_set_fpcr(cpu, (unsigned)s->fpcr);
}

static void run_here(const struct program *p, bool interp, struct result *out)
{
	const struct emu_options opt = { .interp = interp };
	struct rs_err err = RS_ERR_INIT;
	struct emu_world *w = emu_world_new(emu_guest_by_name("aarch64"), &opt, NULL, &err);
	struct emu_cpu *cpu;
	enum emu_exc exc;

	if (!w)
		fail_msg("%s", err.text[0]);
	cpu = emu_cpu_new(w, NULL);
	start(w, cpu, p);
	exc = emu_cpu_run(cpu);
	memset(out, 0, sizeof(*out));
	out->status = exc == EMU_EXC_ILLEGAL && cpu->pc == TEXT + 4 * p->epilogue ? 0 : 100 + (int)exc;
	if (out->status)
		printf("%s: %s at instruction %u\n", interp ? "interp" : "jit", emu_exc_name(exc),
		       ((unsigned)cpu->pc - TEXT) / 4 - p->body);
	memcpy(out->end.v, cpu->v, sizeof(out->end.v));
	memcpy(out->end.x, cpu->r, sizeof(out->end.x));
	out->end.sp = cpu->r[31];
	out->end.fpcr = emu_cpu_fpcr(cpu);
	out->end.fpsr = emu_cpu_fpsr(cpu);
	assert_true(emu_mem_read(&w->mem, BUFFER, out->buffer, sizeof(out->buffer)));
	emu_world_free(w);
}

/* IDC belongs to flushing, which is not tested; whether a number that rounds up to the smallest normal one
 * was tiny is seen after rounding on the host and before it by Arm. */
#define FPSR_SAME (1u << 27 | 0x17)

static bool same(const struct result *a, const struct result *b)
{
	return a->status == b->status && !memcmp(a->end.v, b->end.v, sizeof(a->end.v)) &&
	       !memcmp(a->end.x, b->end.x, sizeof(a->end.x)) && a->end.sp == b->end.sp &&
	       (a->end.fpsr & FPSR_SAME) == (b->end.fpsr & FPSR_SAME) && !memcmp(a->buffer, b->buffer, sizeof(a->buffer));
}

static void print_word(const char *what, unsigned n, const char *half, uint64_t theirs, uint64_t ours)
{
	if (theirs != ours)
		printf("  %s%u%s: qemu 0x%016llx, here 0x%016llx\n", what, n, half, (unsigned long long)theirs,
		       (unsigned long long)ours);
}

static void print_difference(const struct program *p, const struct result *a, const struct result *b, const struct result *before)
{
	printf("  status: qemu %d, here %d; fpcr 0x%llx\n", a->status, b->status, (unsigned long long)a->end.fpcr);
	for (unsigned k = 0; k < sizeof(a->buffer); k += 8)
		if (memcmp(a->buffer + k, b->buffer + k, 8))
			printf("  memory at 0x%x differs\n", BUFFER + k);
	for (unsigned r = 0; r < 32; r++) {
		print_word("v", r, " low", a->end.v[r][0], b->end.v[r][0]);
		print_word("v", r, " high", a->end.v[r][1], b->end.v[r][1]);
		if (r < 31)
			print_word("x", r, "", a->end.x[r], b->end.x[r]);
	}
	print_word("sp", 0, "", a->end.sp, b->end.sp);
	print_word("fpsr", 0, "", a->end.fpsr, b->end.fpsr);
	for (unsigned k = p->epilogue - 3; k < p->epilogue; k++) {
		char text[A64_TEXT_MAX];
		struct a64_insn i;

		a64_decode(p->text[k], &i);
		printf("  %08x  %s\n", i.bits, a64_disasm(&i, TEXT + 4 * k, A64_STYLE_ALIASES, text, sizeof(text)));
		if (k + 1 < p->epilogue)
			continue;
		for (unsigned r = 0; r < 4; r++) {
			unsigned n = r == 0 ? i.rd : r == 1 ? i.rn : r == 2 ? i.rm : i.ra;

			printf("    before: v%u 0x%016llx%016llx x%u 0x%llx\n", n, (unsigned long long)before->end.v[n][1],
			       (unsigned long long)before->end.v[n][0], n, n < 31 ? (unsigned long long)before->end.x[n] : 0);
		}
	}
}

/* The shortest beginning of the program that shows the difference. */
static void explain(struct program *p, uint64_t seed, bool interp, unsigned high)
{
	struct result theirs, ours, before;
	unsigned low = 0;

	while (low + 1 < high) {
		unsigned mid = (low + high) / 2;

		generate(p, seed, mid);
		run_qemu(p, &theirs);
		run_here(p, interp, &ours);
		if (same(&theirs, &ours))
			low = mid;
		else
			high = mid;
	}
	generate(p, seed, high - 1);
	run_qemu(p, &before);
	generate(p, seed, high);
	run_qemu(p, &theirs);
	run_here(p, interp, &ours);
	printf("seed %llu, %s: the results differ after %u instructions:\n", (unsigned long long)seed,
	       interp ? "interpreter" : "host code", high);
	print_difference(p, &theirs, &ours, &before);
}

static unsigned long number(const char *name, unsigned long fallback)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 0) : fallback;
}

static void test_random_programs(void **state)
{
	rs_auto_free struct program *p = rs_xcalloc(1, sizeof(*p));
	unsigned long seed = number("SEED", 1), programs = number("PROGRAMS", PROGRAMS), length = number("INSNS", INSNS);
	unsigned long insns = 0, bad = 0;
	unsigned used[A64_COUNT] = { 0 }, rows = 0;

	(void)state;
	if (system("qemu-aarch64 --version >/dev/null 2>&1") != 0) {
		printf("skip: no qemu-aarch64 (qemu-user)\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	for (unsigned long k = 0; k < programs && bad < number("MOST", 1); k++) {
		struct result theirs, ours;

		generate(p, seed + k, (unsigned)length);
		for (unsigned r = 0; r < A64_COUNT; r++)
			used[r] += p->used[r];
		insns += p->insns;
		run_qemu(p, &theirs);
		for (unsigned interp = 2; interp-- > 0;) {
			run_here(p, interp, &ours);
			if (same(&theirs, &ours))
				continue;
			explain(p, seed + k, interp, (unsigned)length);
			bad++;
			break;
		}
	}
	assert_int_equal(rs_rmtree(dir, NULL), 0);
	for (unsigned r = 0; r < A64_COUNT; r++)
		rows += used[r] > 0;
	printf("%lu instructions in %lu programs from seed %lu, %u rows of %u\n", insns, programs, seed, rows, A64_COUNT);
	assert_int_equal(bad, 0);
	for (unsigned r = 0; r < A64_COUNT && programs >= PROGRAMS; r++)
		if (is_computation(a64_rows[r].class) && !used[r])
			fail_msg("%s does not occur", a64_rows[r].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_programs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
