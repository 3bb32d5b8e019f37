/* The semantics of RISC-V instructions against QEMU's user mode: random programs, in which every row
 * of the table that QEMU knows occurs, end with the same registers, FP registers, fcsr and memory in
 * QEMU, in the interpreter and in translated code.
 *
 *	SEED=n     the first program's seed (printed)     PROGRAMS=n    how many
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "emu/emu.h"
#include "emu/rv.h"
#include "engine/base/file.h"
#include "engine/base/cleanup.h"

#define INSNS 2000
#define PROGRAMS 60
#define TEXT 0x10000u
#define DATA 0x100000u          /* initial registers */
#define BUFFER (DATA + 0x1000u) /* what loads and stores reach: two pages, pointers to the middle */
#define MIDDLE (BUFFER + 0x1000u)
#define OUT (BUFFER + 0x2000u)  /* registers at the end */
#define RESULT 0x3000u          /* bytes from BUFFER that the program writes */
#define DATA_SIZE 0x4000u

/* Registers that are never written: pointers to the middle of the buffer. */
#define POINTERS (1u << 0 | 1u << 2 | 1u << 8 | 1u << 30 | 1u << 31)

struct program {
	uint8_t text[INSNS * 8 + 4096];
	unsigned len, insns;
	uint8_t data[DATA_SIZE];
	uint64_t random;
	unsigned used[RV_COUNT]; /* how often each row occurs */
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
	};

	return below(p, 3) ? next(p) >> below(p, 64) : special[below(p, 16)];
}

static uint64_t floating(struct program *p)
{
	static const uint64_t d[] = {
		0, 1ull << 63, 0x3ff0000000000000, 0xbff8000000000000, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000000, 0x7ff4000000000000, 1, 0x000fffffffffffff, 0x0010000000000000,
		0x7fefffffffffffff, 0x41dfffffffc00000, 0x43e0000000000000, 0xc1e0000000200000,
		0x3fe0000000000000, 0x4004000000000000, 0x36a0000000000000, 0x47efffffe0000000,
	};
	static const uint32_t s[] = {
		0, 1u << 31, 0x3f800000, 0xbfc00000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00000, 1,
		0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000001, 0x5f000000, 0x3f000000, 0x40200000,
	};

	switch (below(p, 6)) {
	case 0:
		return d[below(p, sizeof(d) / sizeof(*d))];
	case 1:
		return 0xffffffff00000000ull | s[below(p, sizeof(s) / sizeof(*s))];
	case 2: /* a number near others, so that sums cancel */
		return 0x3ff0000000000000ull + (next(p) & 0x801fffffffffffffull);
	case 3:
		return 0xffffffff00000000ull | (0x3f800000u + ((uint32_t)next(p) & 0x81ffffffu));
	case 4: /* a single that is not boxed */
		return (uint32_t)next(p);
	}
	return next(p);
}

/* ---- code ---- */

static void emit(struct program *p, uint32_t bits)
{
	unsigned n = rv_length(bits);

	memcpy(p->text + p->len, &bits, n);
	p->len += n;
}

static uint32_t field(uint32_t bits, unsigned at, unsigned width, uint32_t value)
{
	uint32_t mask = ((1u << width) - 1) << at;

	return (bits & ~mask) | (value << at & mask);
}

static bool is_fp_rd(const struct rv_insn *i)
{
	return strchr(rv_rows[i->id].operands, 'D') != NULL;
}

/* Everything that needs care, or is tested elsewhere. */
static bool is_left_out(const struct rv_row *r)
{
	switch (r->op) {
	case RV_jalr: case RV_ecall: case RV_ebreak: case RV_fence_i: case RV_pause: case RV_c_unimp:
	case RV_lr_w: case RV_lr_d: case RV_sc_w: case RV_sc_d: /* in pairs: emit_pair() */
	case RV_ctzw: /* QEMU 7.2 counts beyond bit 31 (fixed later); tests/guests/corpus/zicond.c */
		return true;
	}
	return r->ext == RV_EXT_ZICOND; /* younger than Debian's QEMU */
}

static bool is_branch(const struct rv_row *r)
{
	return r->format == RV_FORMAT_B || r->format == RV_FORMAT_CB || r->op == RV_jal;
}

/* The CSRs of floating point, so that the rounding mode stays valid: QEMU refuses the others. */
static uint32_t csr_operands(struct program *p, const struct rv_row *r, uint32_t bits)
{
	if (r->op == RV_csrrwi && below(p, 2))
		return field(field(bits, 20, 12, RV_CSR_FRM), 15, 5, below(p, 5));
	if (r->op == RV_csrrwi)
		return field(bits, 20, 12, RV_CSR_FCSR);
	if (r->op == RV_csrrs && below(p, 2))
		return field(field(bits, 20, 12, RV_CSR_FCSR), 15, 5, 0);
	return field(bits, 20, 12, RV_CSR_FFLAGS);
}

/* Operands for a row; 0: this draw does not fit. */
static uint32_t operands(struct program *p, const struct rv_row *r)
{
	uint32_t bits = ((uint32_t)next(p) & ~r->mask) | r->match;
	struct rv_insn i;

	if (r->format == RV_FORMAT_AMO)
		bits = field(bits, 15, 5, 30);
	else if (strstr(r->operands, "(s)") && rv_length(r->match) == 4)
		bits = field(bits, 15, 5, 31);
	else if (strstr(r->operands, "(s)") && (r->match & 3) == 0)
		bits = field(bits, 7, 3, 0);
	if (r->format == RV_FORMAT_CSR)
		bits = (csr_operands(p, r, bits) & ~r->mask) | r->match;
	if (!rv_decode(bits, &i) || &rv_rows[i.id] != r)
		return 0;
	bits = i.bits; /* 16 bits of a compressed one */
	/* x0 as a destination is worth a test, pointers are not to be lost */
	if (i.rd && !is_fp_rd(&i) && (POINTERS >> i.rd & 1))
		return 0;
	return bits;
}

static uint32_t draw_row(struct program *p, enum rv_id id)
{
	uint32_t bits;

	while (!(bits = operands(p, &rv_rows[id])))
		;
	p->used[id]++;
	return bits;
}

/* A row by chance; `four`: of four bytes; `branch`: a branch, or none. */
static uint32_t draw(struct program *p, bool four, bool branch)
{
	for (;;) {
		unsigned id = below(p, RV_COUNT);
		const struct rv_row *r = &rv_rows[id];
		uint32_t bits;

		if (is_left_out(r) || is_branch(r) != branch || (four && rv_length(r->match) != 4))
			continue;
		bits = operands(p, r); /* 0 for good when the row has no free operand (c.addi16sp) */
		if (bits) {
			p->used[id]++;
			return bits;
		}
	}
}

/* A branch of any kind over one instruction of four bytes. */
static void emit_branch(struct program *p)
{
	uint32_t bits = draw(p, false, true), over = draw(p, true, false);

	if (rv_length(bits) == 4 && (bits & 0x7f) == 0x6f) /* jal +8 */
		bits = (bits & 0xfff) | 8u << 20;
	else if (rv_length(bits) == 4) /* +8: imm[4:1] at bit 8 */
		bits = (bits & 0x01fff07f) | 4u << 8;
	else if ((bits >> 13) == 5) /* c.j +6: imm[3:1] at bit 3 */
		bits = (bits & 0xe003) | 3u << 3;
	else /* c.beqz +6: imm[2:1] at bit 3 */
		bits = (bits & 0xe383) | 3u << 3;
	emit(p, bits);
	emit(p, over);
}

/* A load-reserved, perhaps an instruction in between, and one or two store-conditionals, the second of
 * which fails. (What mixed widths do, and stores in between, is up to the implementation.) */
static void emit_pair(struct program *p)
{
	bool wide = below(p, 2);

	emit(p, draw_row(p, wide ? RV_lr_d : RV_lr_w));
	if (below(p, 2))
		emit(p, draw_row(p, RV_xor));
	emit(p, draw_row(p, wide ? RV_sc_d : RV_sc_w));
	if (below(p, 2))
		emit(p, draw_row(p, wide ? RV_sc_d : RV_sc_w));
}

static void load_registers(struct program *p)
{
	unsigned at = 0;

	emit(p, 0x00000fb7 | DATA);                        /* lui t6, DATA */
	emit(p, 0x000fb083 | (63 * 8u) << 20);             /* ld ra, 63*8(t6) */
	emit(p, 0x00309073);                               /* csrw fcsr, ra */
	for (unsigned f = 0; f < 32; f++, at += 8)
		emit(p, 0x000fb007 | f << 7 | at << 20);   /* fld f, at(t6) */
	for (unsigned r = 1; r < 32; r++, at += 8)
		if (!(POINTERS >> r & 1))
			emit(p, 0x000fb003 | r << 7 | at << 20); /* ld r, at(t6) */
	for (unsigned r = 1; r < 32; r++)
		if (POINTERS >> r & 1)
			emit(p, 0x37 | r << 7 | MIDDLE);   /* lui r, MIDDLE */
}

static void store_registers(struct program *p)
{
	unsigned at = 0;

	emit(p, 0x00000fb7 | OUT); /* lui t6, OUT */
	for (unsigned r = 1; r < 31; r++, at += 8)
		emit(p, 0x000fb023 | r << 20 | (at & 31) << 7 | (at >> 5) << 25); /* sd r, at(t6) */
	for (unsigned f = 0; f < 32; f++, at += 8)
		emit(p, 0x000fb027 | f << 20 | (at & 31) << 7 | (at >> 5) << 25); /* fsd f, at(t6) */
	emit(p, 0x003020f3);                                                      /* csrr ra, fcsr */
	emit(p, 0x000fb023 | 1u << 20 | (at & 31) << 7 | (at >> 5) << 25);
	emit(p, 0x00100513);            /* li a0, 1 */
	emit(p, 0x000005b7 | BUFFER);   /* lui a1, BUFFER */
	emit(p, 0x00000637 | RESULT);   /* lui a2, RESULT */
	emit(p, 0x04000893);            /* li a7, 64: write */
	emit(p, 0x00000073);
	emit(p, 0x00000513);
	emit(p, 0x05d00893);            /* exit */
	emit(p, 0x00000073);
}

/* The first `insns` instructions of the program that the seed makes. */
static void generate(struct program *p, uint64_t seed, unsigned insns)
{
	uint64_t fcsr;

	memset(p, 0, sizeof(*p));
	p->random = seed * 0x9e3779b97f4a7c15ull + 1;
	for (unsigned at = 0; at < DATA_SIZE - 0x1000; at += 8) {
		uint64_t v = at < 32 * 8 || (at > 0x1000 && below(p, 2)) ? floating(p) : integer(p);

		memcpy(p->data + at, &v, 8);
	}
	fcsr = (uint64_t)below(p, 5) << 5;
	memcpy(p->data + 63 * 8, &fcsr, 8);
	load_registers(p);
	while (p->insns < insns) {
		if (below(p, 12) == 0) {
			emit_branch(p);
			p->insns += 2;
		} else if (below(p, 40) == 0) {
			emit_pair(p);
			p->insns += 2;
		} else {
			emit(p, draw(p, false, false));
			p->insns++;
		}
	}
	store_registers(p);
}

static void write_elf(const struct program *p, const char *path)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = 243, .e_version = EV_CURRENT, .e_entry = TEXT,
		.e_phoff = sizeof(h), .e_flags = 5, .e_ehsize = sizeof(h), .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	unsigned text_at = 0x1000, data_at = (text_at + p->len + 0xfff) & ~0xfffu;
	Elf64_Phdr s[2] = {
		{ PT_LOAD, PF_R | PF_X, text_at, TEXT, TEXT, p->len, p->len, 0x1000 },
		{ PT_LOAD, PF_R | PF_W, data_at, DATA, DATA, DATA_SIZE, DATA_SIZE, 0x1000 },
	};
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	fwrite(&h, sizeof(h), 1, f);
	fwrite(s, sizeof(s), 1, f);
	fseek(f, text_at, SEEK_SET);
	fwrite(p->text, p->len, 1, f);
	fseek(f, data_at, SEEK_SET);
	fwrite(p->data, sizeof(p->data), 1, f);
	assert_int_equal(fclose(f), 0);
	chmod(path, 0755);
}

/* ---- running ---- */

static char dir[] = "/tmp/ringside-rvq.XXXXXX";

struct result {
	uint8_t bytes[RESULT];
	int status;
};

static int run_here(const char *engine, const char *path)
{
	struct emu_desc d;
	struct emu_result res;
	struct rs_err err = RS_ERR_INIT;

	emu_desc_init(&d);
	d.program = path;
	d.engine = engine;
	if (emu_run(&d, NULL, -1, NULL, NULL, &res, &err) < 0) {
		fprintf(stderr, "%s\n", err.text[RS_LANG_EN]);
		return 99;
	}
	if (res.signal)
		fprintf(stderr, "%s: signal %d at 0x%llx %s\n", engine, res.signal, (unsigned long long)res.pc,
			res.insn);
	return res.signal ? 128 + res.signal : res.status;
}

/* engine NULL: QEMU. */
static void run(const char *engine, const char *path, struct result *out)
{
	rs_auto_free char *to = rs_xasprintf("%s/out", dir);
	rs_auto_close int fd = -1;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		int o = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(o, 1);
		if (!engine)
			execlp("qemu-riscv64", "qemu-riscv64", "-cpu", "rv64,zba=true,zbb=true,zbs=true", path, NULL);
		_exit(engine ? run_here(engine, path) : 127);
	}
	waitpid(pid, &status, 0);
	memset(out, 0, sizeof(*out));
	out->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fd = open(to, O_RDONLY);
	if (read(fd, out->bytes, sizeof(out->bytes)) < (ssize_t)sizeof(out->bytes) && !out->status)
		out->status = 98;
}

static bool same(const struct result *a, const struct result *b)
{
	return a->status == b->status && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static bool agrees(struct program *p, uint64_t seed, unsigned insns, const char *engine)
{
	rs_auto_free char *path = rs_xasprintf("%s/program", dir);
	struct result theirs, ours;

	generate(p, seed, insns);
	write_elf(p, path);
	run(NULL, path, &theirs);
	run(engine, path, &ours);
	return same(&theirs, &ours);
}

static void print_word(const char *what, unsigned n, uint64_t theirs, uint64_t ours)
{
	if (theirs != ours)
		printf("  %s%u: qemu 0x%016llx, here 0x%016llx\n", what, n, (unsigned long long)theirs,
		       (unsigned long long)ours);
}

/* Which values differ after a program, and its last instructions. */
static void print_difference(struct program *p, const char *engine)
{
	rs_auto_free char *path = rs_xasprintf("%s/program", dir);
	struct result theirs, ours;
	uint64_t a[RESULT / 8], b[RESULT / 8];
	unsigned at = 0, last[4] = { 0 };

	run(NULL, path, &theirs);
	run(engine, path, &ours);
	printf("  status: qemu %d, here %d\n", theirs.status, ours.status);
	memcpy(a, theirs.bytes, RESULT);
	memcpy(b, ours.bytes, RESULT);
	for (unsigned i = 0; i < 1024; i++)
		print_word("memory word ", i, a[i], b[i]);
	for (unsigned i = 0; i < 30; i++)
		print_word("x", i + 1, a[1024 + i], b[1024 + i]);
	for (unsigned i = 0; i < 33; i++)
		print_word(i < 32 ? "f" : "fcsr ", i, a[1054 + i], b[1054 + i]);
	/* up to the epilogue: 72 instructions of 4 bytes */
	for (unsigned end = p->len - 72 * 4; at < end && at < p->len;) {
		uint32_t bits;

		memcpy(&bits, p->text + at, 4);
		memmove(last, last + 1, sizeof(last) - sizeof(*last));
		last[3] = at;
		at += rv_length(bits);
	}
	for (unsigned i = 0; i < 4; i++) {
		char text[RV_TEXT_MAX];
		struct rv_insn in;
		uint32_t bits;

		memcpy(&bits, p->text + last[i], 4);
		rv_decode(bits, &in);
		printf("  %08x  %s\n", in.bits, rv_disasm(&in, TEXT + last[i], RV_STYLE_ALIASES, text, sizeof(text)));
	}
}

/* The shortest beginning of the program that shows the difference. */
static void explain(struct program *p, uint64_t seed, const char *engine)
{
	unsigned low = 0, high = INSNS;

	while (low + 1 < high) {
		unsigned mid = (low + high) / 2;

		if (agrees(p, seed, mid, engine))
			low = mid;
		else
			high = mid;
	}
	agrees(p, seed, high, engine);
	printf("seed %llu, engine %s: the results differ after %u instructions:\n", (unsigned long long)seed, engine,
	       high);
	print_difference(p, engine);
}

static unsigned long number(const char *name, unsigned long fallback)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 0) : fallback;
}

static void test_random_programs(void **state)
{
	static const char *const engines[] = { "interp", "jit" };
	rs_auto_free struct program *p = rs_xcalloc(1, sizeof(*p));
	rs_auto_free char *path = NULL;
	unsigned long seed = number("SEED", 1), programs = number("PROGRAMS", PROGRAMS), insns = 0, bad = 0;
	unsigned used[RV_COUNT] = { 0 }, rows = 0;

	(void)state;
	if (system("qemu-riscv64 --version >/dev/null 2>&1") != 0) {
		printf("skip: no qemu-riscv64 (qemu-user)\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	path = rs_xasprintf("%s/program", dir);
	for (unsigned long n = 0; n < programs && bad < 3; n++) {
		struct result theirs, ours;

		generate(p, seed + n, INSNS);
		write_elf(p, path);
		run(NULL, path, &theirs);
		if (theirs.status) {
			printf("seed %lu: qemu ends with %d\n", seed + n, theirs.status);
			bad++;
		}
		insns += p->insns;
		for (unsigned i = 0; i < RV_COUNT; i++)
			used[i] += p->used[i];
		for (unsigned e = 0; e < 2; e++) {
			run(engines[e], path, &ours);
			if (!same(&theirs, &ours)) {
				bad++;
				explain(p, seed + n, engines[e]);
				generate(p, seed + n, INSNS);
				write_elf(p, path);
			}
		}
	}
	for (unsigned i = 0; i < RV_COUNT; i++)
		rows += used[i] != 0;
	printf("seeds %lu to %lu: %lu instructions, %u rows of the table, %lu differences\n", seed,
	       seed + programs - 1, insns, rows, bad);
	if (!getenv("KEEP"))
		assert_int_equal(rs_rmtree(dir, NULL), 0);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_programs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
