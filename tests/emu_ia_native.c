/* x86 instructions against the processor of this machine, integer, x87, MMX to SSSE3. Random sequences of user-level instructions, built
 * from the rows of ia_insn.def, run natively in a child process and translated, on the IR interpreter and on
 * the back end: registers, flags, memory, the exception and its address must be equal. 64-bit code;
 * 32-bit code where the kernel lets a process have a 32-bit code segment; and 16-bit code in segments of a
 * local descriptor table that do not begin at 0, with a 16-bit stack.
 *
 * Flags that the SDM leaves undefined (the column of ia_op.def, and counts of shifts) are not compared, and
 * nothing reads them.
 *
 * EMU_IA_NATIVE=n runs so many instructions; EMU_IA_SEED=n begins elsewhere; EMU_IA_OP=name prefers rows of one
 * operation. A difference prints the seed that repeats it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/ldt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "emu/ia_state.h"
#include "emu/ia_translate.h"
#include "emu/world.h"
#include "tests/emu_ia_sequence.h"

/* -- the hardware: a child process whose signal handler is the loader -- */

static const int gregs[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9,
			       REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
static struct sequence *batch;
static volatile int current = -1;

#define SEGMENTS32 0x23ull | 0x2bull << 48      /* CS and SS of 32-bit code, Linux' own */
#define SEGMENTS64 0x33ull | 0x2bull << 48
#define SEGMENTS16 0x07ull | 0x0full << 48      /* of the LDT, below */

/* Code at CODE, data and stack at DATA, 16 bits; the limit is 4 GiB. */
static void make_segments16(void)
{
	struct user_desc d = { .entry_number = 0, .base_addr = CODE, .limit = 0xfffff, .limit_in_pages = 1,
			       .contents = MODIFY_LDT_CONTENTS_CODE };

	if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)) != 0)
		_exit(5);
	d.entry_number = 1;
	d.base_addr = DATA;
	d.contents = MODIFY_LDT_CONTENTS_DATA;
	if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)) != 0)
		_exit(5);
}

/* The FXSAVE area of a signal frame (SDM volume 1, 10.5.1); the word at 512 says what the kernel restores. */
static void save_fp(const uint8_t *area, struct machine *m)
{
	memcpy(&m->cw, area, 2);
	memcpy(&m->sw, area + 2, 2);
	m->tags = area[4];
	memcpy(&m->mxcsr, area + 24, 4);
	for (unsigned k = 0; k < 8; k++)
		memcpy(m->st[k], area + 32 + 16 * k, 10);
	memcpy(m->xmm, area + 160, sizeof(m->xmm));
}

static void load_fp(uint8_t *area, const struct machine *m)
{
	memcpy(area, &m->cw, 2);
	memcpy(area + 2, &m->sw, 2);
	area[4] = m->tags;
	memcpy(area + 24, &m->mxcsr, 4);
	for (unsigned k = 0; k < 8; k++)
		memcpy(area + 32 + 16 * k, m->st[k], 10);
	memcpy(area + 160, m->xmm, sizeof(m->xmm));
	area[512] |= 3;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	greg_t *g = u->uc_mcontext.gregs;
	struct sequence *s;

	if (current >= 0) {
		s = &batch[current];
		for (unsigned k = 0; k < 16; k++)
			s->out.r[k] = (uint64_t)g[gregs[k]];
		s->out.rflags = (uint64_t)g[REG_EFL];
		s->out.rip = (uint64_t)g[REG_RIP] + (s->bits == 16 ? CODE : 0);
		s->out.signal = signal;
		s->out.addr = signal == SIGSEGV ? (uint64_t)(uintptr_t)info->si_addr : 0;
		save_fp((const uint8_t *)u->uc_mcontext.fpregs, &s->out);
		s->out.write = signal == SIGSEGV && (g[REG_ERR] & 2);
		memcpy(s->out.data, (void *)(uintptr_t)DATA, DATA_SIZE);
	}
	if (++current == (int)BATCH)
		_exit(0);
	s = &batch[current];
	memcpy((void *)(uintptr_t)DATA, s->in.data, DATA_SIZE);
	memcpy((void *)(uintptr_t)CODE, s->code, s->len);
	for (unsigned k = 0; k < 16; k++)
		g[gregs[k]] = (greg_t)s->in.r[k];
	g[REG_EFL] = (greg_t)s->in.rflags;
	g[REG_RIP] = (greg_t)s->in.rip;
	load_fp((uint8_t *)u->uc_mcontext.fpregs, &s->in);
	g[REG_CSGSFS] = (greg_t)(s->bits == 64 ? SEGMENTS64 : s->bits == 32 ? SEGMENTS32 : SEGMENTS16);
}

static void *map(uint64_t at, uint64_t size, int prot)
{
	void *p = mmap((void *)(uintptr_t)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return p == (void *)(uintptr_t)at ? p : NULL;
}

static void child(unsigned bits)
{
	static char stack[65536] __attribute__((aligned(16)));
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sa.sa_sigaction = on_signal;
	if (!map(CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) || !map(DATA, DATA_SIZE, PROT_READ | PROT_WRITE) ||
	    !map(DATA + DATA_SIZE, 4096, PROT_READ))
		_exit(3);
	sigaltstack(&alternative, NULL);
	for (unsigned k = 0; k < sizeof(signals) / sizeof(signals[0]); k++)
		sigaction(signals[k], &sa, NULL);
	/* a 64-bit process has empty DS and ES, which 32-bit code cannot use */
	if (bits == 16)
		make_segments16();
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(bits == 16 ? 0x0f : 0x2b));
	alarm(60);
	raise(SIGTRAP);
	_exit(4);
}

/* False: the child died (a kernel without 32-bit code, say). */
static bool run_natively(unsigned bits)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		child(bits);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail_msg("no child process");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* -- translated -- */

static unsigned translate16(struct emu_xlat *x, const uint8_t *code, unsigned avail)
{
	static const struct emu_ia_mode mode = { .bits = 16, .user = true, .stack_bytes = 2, .cs_base = CODE };

	return emu_ia_translate(x, &mode, code, avail);
}

static enum emu_exc assist16(struct emu_cpu *cpu)
{
	return emu_ia_assist(cpu, 16);
}

static const struct emu_guest *guest(unsigned bits)
{
	static struct emu_guest g16;

	if (bits != 16)
		return bits == 64 ? &emu_guest_ia64 : &emu_guest_ia32;
	g16 = emu_guest_ia32;
	g16.name = "i386, 16 bits";
	g16.translate = translate16;
	g16.assist = assist16;
	return &g16;
}

static struct emu_world *worlds[3][2];

static struct emu_world *world(unsigned bits, bool interp)
{
	struct emu_world **at = &worlds[bits / 32][interp];
	struct emu_options o = { .interp = interp, .no_low = true }; /* what runs natively stands there */
	struct rs_err err = RS_ERR_INIT;
	int rwx = PROT_READ | PROT_WRITE | PROT_EXEC;

	if (*at)
		return *at;
	*at = emu_world_new(guest(bits), &o, NULL, &err);
	assert_non_null(*at);
	assert_int_equal(emu_mem_map(&(*at)->mem, CODE, CODE_SIZE, rwx, MAP_PRIVATE, -1, 0), 0);
	assert_int_equal(emu_mem_map(&(*at)->mem, DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0), 0);
	assert_int_equal(emu_mem_map(&(*at)->mem, DATA + DATA_SIZE, 4096, PROT_READ, MAP_PRIVATE, -1, 0), 0);
	return *at;
}

static void fp_to_cpu(const struct machine *m, struct emu_cpu *cpu, struct emu_ia_cpu *state)
{
	emu_ia_fpu_init(state);
	for (unsigned k = 0; k < 16; k++)
		memcpy(cpu->v[k].q, m->xmm[k], 16);
	state->mxcsr = m->mxcsr;
	state->x87.cw = m->cw;
	state->x87.sw = m->sw;
	state->x87.tag = 0;
	for (unsigned k = 0; k < 8; k++)
		state->x87.tag |= (uint16_t)((m->tags >> k & 1 ? 0u : 3u) << 2 * k);
	memcpy(state->x87.st, m->st, sizeof(m->st));
}

static void fp_from_cpu(struct machine *m, const struct emu_cpu *cpu, const struct emu_ia_cpu *state)
{
	for (unsigned k = 0; k < 16; k++)
		memcpy(m->xmm[k], cpu->v[k].q, 16);
	m->mxcsr = state->mxcsr;
	m->cw = state->x87.cw;
	m->sw = state->x87.sw;
	for (unsigned k = 0; k < 8; k++)
		m->tags |= (uint8_t)(((state->x87.tag >> 2 * k & 3) != 3) << k);
	memcpy(m->st, state->x87.st, sizeof(m->st));
}

static void run_translated(const struct sequence *s, bool interp, struct machine *out)
{
	struct emu_world *w = world(s->bits, interp);
	struct emu_cpu *cpu = w->cpus ? w->cpus : emu_cpu_new(w, NULL);
	struct emu_ia_cpu state = { 0 };
	enum emu_exc exc;

	cpu->tls = (uint64_t)(uintptr_t)&state;
	fp_to_cpu(&s->in, cpu, &state);
	memset(out, 0, sizeof(*out));
	memcpy(cpu->r, s->in.r, sizeof(s->in.r));
	emu_ia_set_rflags(cpu, s->in.rflags);
	for (unsigned k = IA_ES; k <= IA_GS; k++)
		cpu->r[IA_G_SEGBASE + k] = s->bits != 16 ? 0 : k == IA_CS ? CODE : DATA;
	cpu->pc = s->in.rip + cpu->r[IA_G_SEGBASE + IA_CS];
	assert_true(emu_mem_write(&w->mem, DATA, s->in.data, DATA_SIZE));
	assert_true(emu_mem_write(&w->mem, CODE, s->code, s->len));
	exc = emu_cpu_run(cpu);
	memcpy(out->r, cpu->r, sizeof(out->r));
	out->rflags = emu_ia_rflags(cpu);
	out->rip = cpu->pc;
	out->signal = exc == EMU_EXC_SEGV ? SIGSEGV : exc == EMU_EXC_VECTOR + 13 ? SIGSEGV
		      : exc == EMU_EXC_VECTOR + 0 ? SIGFPE : exc == EMU_EXC_VECTOR + 6 ? SIGILL
		      : exc == EMU_EXC_VECTOR + 3 ? SIGTRAP : 1000 + (int)exc;
	out->addr = exc == EMU_EXC_SEGV ? cpu->fault_addr : 0;
	out->write = exc == EMU_EXC_SEGV && cpu->fault_write;
	fp_from_cpu(out, cpu, &state);
	assert_true(emu_mem_read(&w->mem, DATA, out->data, DATA_SIZE));
}

/* -- comparing -- */

static uint16_t compared_flags(const struct sequence *s, uint64_t rip, int signal)
{
	uint64_t at = rip - CODE - (signal == SIGTRAP);

	for (unsigned k = 0; k < s->insns; k++)
		if (s->insn[k].at == at) /* REPE CMPS puts the flags back when it faults; they are of no use then */
			return s->insn[k].rep_compare ? IA_DF : (IA_ARITH | IA_DF) & ~s->insn[k].undefined;
	return IA_ARITH | IA_DF;
}

static void show_fp(const struct machine *in, const struct machine *want, const struct machine *got)
{
	for (unsigned k = 0; k < 16; k++)
		if (memcmp(want->xmm[k], got->xmm[k], 16) != 0)
			print_message("xmm%u %016llx%016llx native %016llx%016llx translated %016llx%016llx\n", k,
				      (unsigned long long)in->xmm[k][1], (unsigned long long)in->xmm[k][0],
				      (unsigned long long)want->xmm[k][1], (unsigned long long)want->xmm[k][0],
				      (unsigned long long)got->xmm[k][1], (unsigned long long)got->xmm[k][0]);
	for (unsigned k = 0; k < 8; k++) {
		uint64_t w, g;

		memcpy(&w, want->st[k], 8);
		memcpy(&g, got->st[k], 8);
		if (memcmp(want->st[k], got->st[k], 10) != 0)
			print_message("st%u native %02x%02x %016llx translated %02x%02x %016llx\n", k, want->st[k][9],
				      want->st[k][8], (unsigned long long)w, got->st[k][9], got->st[k][8],
				      (unsigned long long)g);
	}
	print_message("mxcsr %x %x; cw %x %x; sw %x %x; tags %x %x\n", want->mxcsr, got->mxcsr, want->cw, got->cw,
		      want->sw, got->sw, want->tags, got->tags);
}

static void show(const struct sequence *s, const struct machine *got, const char *engine)
{
	static const char *const names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9",
					       "r10", "r11", "r12", "r13", "r14", "r15" };
	const struct machine *want = &s->out;

	for (unsigned k = 0; k < s->insns; k++) {
		unsigned at = s->insn[k].at, n = k + 1 < s->insns ? s->insn[k + 1].at - at : 1;
		struct emu_ia_insn i;
		char name[16];

		emu_ia_decode(s->code + at, IA_INSN_MAX, s->bits, &i);
		print_message("%08x %-8s", CODE + at, emu_ia_name(&i, name));
		for (unsigned m = 0; m < n; m++)
			print_message(" %02x", s->code[at + m]);
		print_message("\n");
	}
	print_message("%s, %u bits, EMU_IA_SEED=%llu\n", engine, s->bits, (unsigned long long)s->seed);
	for (unsigned k = 0; k < 16; k++)
		print_message("%4s %16llx native %16llx translated %16llx%s\n", names[k], (unsigned long long)s->in.r[k],
			      (unsigned long long)want->r[k], (unsigned long long)got->r[k],
			      want->r[k] == got->r[k] ? "" : "  <--");
	print_message("flags %llx native %llx translated %llx compared %x\n", (unsigned long long)s->in.rflags,
		      (unsigned long long)want->rflags, (unsigned long long)got->rflags,
		      compared_flags(s, want->rip, want->signal));
	print_message("rip native %llx translated %llx; signal %d, %d; address %llx, %llx\n",
		      (unsigned long long)want->rip, (unsigned long long)got->rip, want->signal, got->signal,
		      (unsigned long long)want->addr, (unsigned long long)got->addr);
	show_fp(&s->in, want, got);
	for (unsigned k = 0; k < DATA_SIZE; k++)
		if (want->data[k] != got->data[k]) {
			print_message("memory %x: was %02x native %02x translated %02x\n", DATA + k, s->in.data[k],
				      want->data[k], got->data[k]);
			break;
		}
}

/* The instruction that faulted, or -1. */
static int faulting(const struct sequence *s)
{
	for (unsigned k = 0; k < s->insns; k++)
		if (s->insn[k].at == s->out.rip - CODE && s->out.signal != SIGTRAP)
			return (int)k;
	return -1;
}

/* An instruction that reads and writes one operand has it checked for both before it reads, in hardware; here
 * the read comes first: the fault may be another one, on the other page, and only its kind differs. */
static bool same_fault(const struct sequence *s, const struct machine *got)
{
	const struct machine *want = &s->out;

	/* over the end of a segment of 4 GiB: #GP there; limits are no business of translated code */
	if (s->bits == 16 && !want->addr && got->addr < DATA && got->addr >= DATA - 16)
		return true;
	if (want->write && !got->write)
		return want->addr == got->addr || (got->addr == DATA + DATA_SIZE + 4096 && want->addr > got->addr - 16 &&
						   want->addr < got->addr);
	return want->addr == got->addr && want->write == got->write;
}

/* An MMX instruction that faults may have turned the x87's registers already, or not: hardware has. */
static bool same_x87(const struct sequence *s, const struct machine *got)
{
	const struct machine *want = &s->out;

	int k = faulting(s);

	if (k >= 0 && s->insn[k].mmx)
		return true;
	return memcmp(want->st, got->st, sizeof(want->st)) == 0 && want->cw == got->cw && want->sw == got->sw &&
	       want->tags == got->tags;
}

/* A store of 10 bytes over the end of the last page leaves its first 8 in memory, in hardware. */
static bool same_memory(const struct sequence *s, const struct machine *got)
{
	int k = faulting(s);

	if (k >= 0 && s->out.addr == DATA + DATA_SIZE && (s->insn[k].op == IA_fstp || s->insn[k].op == IA_fbstp))
		return memcmp(s->out.data, got->data, DATA_SIZE - 10) == 0;
	return memcmp(s->out.data, got->data, DATA_SIZE) == 0;
}

static bool same(const struct sequence *s, const struct machine *got)
{
	const struct machine *want = &s->out;
	uint64_t diff = want->rflags ^ got->rflags;
	unsigned n = s->bits == 64 ? 16 : 8;
	struct machine m = *want;

	if (s->bits == 16) /* the kernel does not keep the upper half of a 16-bit stack pointer */
		m.r[IA_RSP] = (m.r[IA_RSP] & 0xffff) | (got->r[IA_RSP] & ~0xffffull);
	return memcmp(m.r, got->r, n * sizeof(m.r[0])) == 0 && want->rip == got->rip &&
	       want->signal == got->signal && same_fault(s, got) &&
	       memcmp(want->xmm, got->xmm, (s->bits == 64 ? 16 : 8) * sizeof(want->xmm[0])) == 0 &&
	       same_x87(s, got) && want->mxcsr == got->mxcsr && !(diff & compared_flags(s, want->rip, want->signal)) &&
	       same_memory(s, got);
}

/* How many instructions of the sequence ran, those that a branch skipped among them. */
static unsigned reached(const struct sequence *s)
{
	unsigned k = 0;

	while (k + 1 < s->insns && s->insn[k].at < s->out.rip - CODE)
		k++;
	return k;
}

static bool met[IA_OPS];

static unsigned long run_batch(unsigned bits, uint64_t seed, unsigned long *ended)
{
	unsigned long insns = 0;
	struct machine *got = malloc(sizeof(*got));

	for (unsigned k = 0; k < BATCH; k++)
		build(&batch[k], bits, seed + k);
	if (!run_natively(bits)) {
		free(got);
		return 0;
	}
	for (unsigned k = 0; k < BATCH; k++) {
		for (unsigned interp = 0; interp < 2; interp++) {
			run_translated(&batch[k], interp, got);
			if (!same(&batch[k], got)) {
				show(&batch[k], got, interp ? "interpreter" : "back end");
				fail_msg("a difference");
			}
		}
		for (unsigned n = 0; n <= reached(&batch[k]); n++) /* the one that faulted, too */
			met[batch[k].insn[n].op] = true;
		insns += reached(&batch[k]);
		ended[batch[k].out.signal == SIGTRAP ? 0 : batch[k].out.signal == SIGSEGV ? 1
		      : batch[k].out.signal == SIGFPE ? 2 : 3]++;
	}
	free(got);
	return insns;
}

static void test_native(unsigned bits)
{
	uint64_t want = setting("EMU_IA_NATIVE", 150000) / 3, seed = setting("EMU_IA_SEED", 1);
	unsigned long done = 0, ended[4] = { 0 };

	while (done < want) {
		unsigned long n = run_batch(bits, seed, ended);

		if (!n && !done && bits != 64) {
			print_message("skipped: this kernel runs no %u-bit code\n", bits);
			skip();
		}
		assert_true(n > 0);
		done += n;
		seed += BATCH;
	}
	print_message("%u bits: %lu instructions, ended by int3 %lu, page fault %lu, #DE %lu, #UD %lu; no difference\n",
		      bits, done, ended[0], ended[1], ended[2], ended[3]);
	if (want < 50000 || getenv("EMU_IA_OP"))
		return;
	assert_true(ended[0] && ended[1] && ended[2] && ended[3]);
	for (unsigned k = 0; k < emu_ia_row_count; k++)
		if (tested(&emu_ia_rows[k]) && !(emu_ia_rows[k].attr & (bits == 64 ? IA_A_I64 : IA_A_O64 | IA_A_W1)) &&
		    !met[emu_ia_rows[k].op])
			fail_msg("%s was never met", emu_ia_ops[emu_ia_rows[k].op].name);
}

static void test_64(void **state)
{
	(void)state;
	test_native(64);
}

static void test_32(void **state)
{
	(void)state;
	test_native(32);
}

static void test_16(void **state)
{
	(void)state;
	test_native(16);
}

static int setup(void **state)
{
	(void)state;
	batch = mmap(NULL, BATCH * sizeof(*batch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return batch == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 6; k++)
		emu_world_free(worlds[k / 2][k % 2]);
	munmap(batch, BATCH * sizeof(*batch));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_64),
		cmocka_unit_test(test_32),
		cmocka_unit_test(test_16),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
