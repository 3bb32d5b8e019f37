/* The semantics of AArch64 instructions against QEMU's user mode: random programs, in which every row of the
 * table occurs that this test does not name below, end with the same registers, vectors, flags and memory in
 * QEMU, in the interpreter and in translated code. Without QEMU the last two are compared with each other.
 * Seeds: tests/seeds.h; INSNS=n is the length of each program.
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
#include "tests/a64_program.h"
#include "tests/seeds.h"

#define INSNS 1000
#define PROGRAMS 110

/* ---- running ---- */

static char dir[] = "/tmp/ringside-a64q.XXXXXX";

struct result {
	int status;
	struct state end;
	uint8_t buffer[0x2000];
	uint64_t insns;         /* executed, if they were counted */
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

/* PSTATE's flags and the packed ones (ir.h). */
static uint64_t packed(uint64_t nzcv)
{
	return (nzcv >> 31 & 1 ? EMU_FLAG_N : 0) | (nzcv >> 30 & 1 ? EMU_FLAG_Z : 0) | (nzcv >> 29 & 1 ? EMU_FLAG_C : 0) |
	       (nzcv >> 28 & 1 ? EMU_FLAG_V : 0);
}
static uint64_t unpacked(uint64_t x)
{
	return (x & EMU_FLAG_N ? 1u << 31 : 0) | (x & EMU_FLAG_Z ? 1u << 30 : 0) | (x & EMU_FLAG_C ? 1u << 29 : 0) |
	       (x & EMU_FLAG_V ? 1u << 28 : 0);
}

static void start(struct emu_world *w, struct emu_cpu *cpu, const struct program *p)
{
	const struct state *s = (const struct state *)p->data;
	uint32_t stop = 0xd4000001; /* svc, where the epilogue would begin */

	assert_int_equal(emu_mem_map(&w->mem, TEXT, TEXT_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, -1, 0), 0);
	assert_int_equal(emu_mem_map(&w->mem, DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0), 0);
	assert_true(emu_mem_write(&w->mem, TEXT, p->text, p->words * 4));
	assert_true(emu_mem_write(&w->mem, TEXT + 4 * p->epilogue, &stop, 4));
	assert_true(emu_mem_write(&w->mem, DATA, p->data, DATA_SIZE));
	memcpy(cpu->v, s->v, sizeof(s->v));
	memcpy(cpu->r, s->x, sizeof(s->x));
	cpu->r[31] = s->sp;
	cpu->pc = TEXT + 4 * p->body;
	cpu->x[0] = packed(s->nzcv);
	emu_cpu_set_fpcr(cpu, (unsigned)s->fpcr);
}

static bool have_qemu;
static uint64_t executed; /* instructions, by the interpreter's count */

/* Translated code in several ways: without registers kept, without passes, chains, joins ... */
static void run_here(const struct program *p, uint64_t seed, bool interp, struct result *out)
{
	const struct emu_options opt = {
		.interp = interp, .no_pin = seed % 4 == 0, .passes_off = seed % 5 == 0 || (interp && !have_qemu) ? ~0u : 0,
		.max_branches = seed % 3 ? 0 : 1, .count = seed % 7 == 0, .no_superblock = seed % 11 == 0,
		.no_return_stack = seed % 13 == 0, .no_chain = seed % 17 == 0, .no_jump_cache = seed % 19 == 0,
		.code_bytes = seed % 6 ? 0 : 256u << 10,
	};
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
	out->status = exc == EMU_EXC_SYSCALL && cpu->pc == TEXT + 4 * p->epilogue + 4 ? 0 : 100 + (int)exc;
	if (out->status)
		printf("%s: %s at instruction %u\n", interp ? "interp" : "jit", emu_exc_name(exc),
		       ((unsigned)cpu->pc - TEXT) / 4 - p->body);
	memcpy(out->end.v, cpu->v, sizeof(out->end.v));
	memcpy(out->end.x, cpu->r, sizeof(out->end.x));
	out->end.sp = cpu->r[31];
	out->end.nzcv = unpacked(cpu->x[0]);
	out->end.fpcr = emu_cpu_fpcr(cpu);
	out->end.fpsr = emu_cpu_fpsr(cpu);
	assert_true(emu_mem_read(&w->mem, BUFFER, out->buffer, sizeof(out->buffer)));
	out->insns = interp || opt.count ? cpu->insns : 0;
	emu_world_free(w);
}

/* What the others are held against. */
static void run_oracle(const struct program *p, uint64_t seed, struct result *out)
{
	if (have_qemu)
		run_qemu(p, out);
	else
		run_here(p, seed, true, out);
}

/* IDC belongs to flushing, which is not tested; whether a number that rounds up to the smallest normal one
 * was tiny is seen after rounding on the host and before it by Arm. */
#define FPSR_SAME (1u << 27 | 0x17)

static bool same(const struct result *a, const struct result *b)
{
	return a->status == b->status && !memcmp(a->end.v, b->end.v, sizeof(a->end.v)) &&
	       !memcmp(a->end.x, b->end.x, sizeof(a->end.x)) && a->end.sp == b->end.sp && a->end.nzcv == b->end.nzcv &&
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
	for (unsigned k = 0, n = 0; k < sizeof(a->buffer) && n < 8; k += 8) {
		if (memcmp(a->buffer + k, b->buffer + k, 8)) {
			printf("  memory at 0x%x differs\n", BUFFER + k);
			n++;
		}
	}
	for (unsigned r = 0; r < 32 && !a->status; r++) {
		print_word("v", r, " low", a->end.v[r][0], b->end.v[r][0]);
		print_word("v", r, " high", a->end.v[r][1], b->end.v[r][1]);
		if (r < 31)
			print_word("x", r, "", a->end.x[r], b->end.x[r]);
	}
	print_word("sp", 0, "", a->end.sp, b->end.sp);
	print_word("nzcv", 0, "", a->end.nzcv, b->end.nzcv);
	print_word("fpsr", 0, "", a->end.fpsr, b->end.fpsr);
	for (unsigned k = p->epilogue - 6; k < p->epilogue - 3; k++) {
		char text[A64_TEXT_MAX];
		struct a64_insn i;

		a64_decode(p->text[k], &i);
		printf("  %08x  %s\n", i.bits, a64_disasm(&i, TEXT + 4 * k, A64_STYLE_ALIASES, text, sizeof(text)));
		if (k + 4 < p->epilogue)
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
		run_oracle(p, seed, &theirs);
		run_here(p, seed, interp, &ours);
		if (same(&theirs, &ours))
			low = mid;
		else
			high = mid;
	}
	generate(p, seed, high - 1);
	run_oracle(p, seed, &before);
	generate(p, seed, high);
	run_oracle(p, seed, &theirs);
	run_here(p, seed, interp, &ours);
	printf("seed %llu, %s: the results differ after %u instructions:\n", (unsigned long long)seed,
	       interp ? "interpreter" : "host code", high);
	print_difference(p, &theirs, &ours, &before);
}

/* The program on both engines; false when something differs. */
static bool agree(struct program *p, uint64_t seed, unsigned length)
{
	struct result theirs, ours[2];

	generate(p, seed, length);
	run_oracle(p, seed, &theirs);
	for (unsigned interp = 2; interp-- > 0;) {
		run_here(p, seed, interp, &ours[interp]);
		if (same(&theirs, &ours[interp]))
			continue;
		explain(p, seed, interp, length);
		return false;
	}
	executed += ours[1].insns;
	if (ours[0].insns && ours[0].insns != ours[1].insns) {
		printf("seed %llu: %llu instructions in the interpreter, host code counts %llu\n", (unsigned long long)seed,
		       (unsigned long long)ours[1].insns, (unsigned long long)ours[0].insns);
		return false;
	}
	return true;
}

static void test_random_programs(void **state)
{
	rs_auto_free struct program *p = rs_xcalloc(1, sizeof(*p));
	uint64_t seed, length = seeds_setting("INSNS", INSNS), insns = 0;
	unsigned used[A64_COUNT] = { 0 }, rows = 0, bad = 0;
	struct seeds s = seeds_begin(PROGRAMS);

	(void)state;
	have_qemu = system("qemu-aarch64 --version >/dev/null 2>&1") == 0;
	if (!have_qemu)
		printf("skipped: no qemu-aarch64 (qemu-user): interpreter and host code are compared with each other\n");
	assert_non_null(mkdtemp(dir));
	while (bad < seeds_setting("MOST", 1) && seeds_next(&s, &seed)) {
		bad += !agree(p, seed, (unsigned)length);
		for (unsigned r = 0; r < A64_COUNT; r++)
			used[r] += p->used[r];
		insns += p->insns;
	}
	assert_int_equal(rs_rmtree(dir, NULL), 0);
	for (unsigned r = 0; r < A64_COUNT; r++)
		rows += used[r] > 0;
	printf("%llu programs from seed %llu: %llu instructions, %llu executed, %u rows of %u, %u differences\n",
	       (unsigned long long)seeds_done(&s), (unsigned long long)s.first, (unsigned long long)insns,
	       (unsigned long long)executed, rows, A64_COUNT, bad);
	assert_int_equal(bad, 0);
	if (!seeds_enough(&s, PROGRAMS))
		return;
	assert_true(insns >= 100000 && executed >= 100000);
	for (unsigned r = 0; r < A64_COUNT; r++)
		if (!is_left_out(&a64_rows[r]) && !used[r])
			fail_msg("%s does not occur", a64_rows[r].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_programs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
