/* Translated programs in real sessions: compiled, run in their sandbox, ended, checked. (What a lab shows of
 * them: engine_emu_lab.c.) */
#include "tests/engine_emu.h"

static void both_engines(void **state)
{
	(void)state;
	need("riscv64-cc");
	for (int i = 0; i < 2; i++) {
		const char *engine = i ? "interp" : "jit";

		if (!i && eng_ability("emu-jit", NULL) < 0)
			continue;
		open_lesson("prog.S", rv_loop, "", rv_checks, engine, RS_FULL_BLOCK);
		run_and_pass();
		done();
	}
}

static void chains(void **state)
{
	(void)state;
	need("riscv64-cc");
	need("emu-jit");
	emu_lesson("prog.S", rv_loop, "", "    checks:\n"
		   "      - {id: self, expect: 'count(emu.chain where from == sym(\"loop\") and to == sym(\"loop\")) == 1'}\n"
		   "      - {id: exact, expect: 'counter(emu.chains) == count(emu.chain) and counter(emu.lookups) < 10'}\n");
	run_and_pass();
	done();
	emu_lesson("prog.S", rv_loop, "chain: false", "    checks:\n"
		   "      - {id: none, expect: 'count(emu.chain) == 0 and counter(emu.chains) == 0'}\n"
		   "      - {id: looked, expect: 'counter(emu.lookups) > 1000'}\n");
	run_and_pass();
}

static void arguments(void **state)
{
	(void)state;
	need("riscv64-cc");
	emu_lesson("prog.c",
		   "typedef unsigned long ul;\n"
		   "static long call(long n, long a, long b, long c) { register long r0 asm(\"a0\") = a, r1 asm(\"a1\") = b,\n"
		   " r2 asm(\"a2\") = c, nr asm(\"a7\") = n; asm volatile(\"ecall\" : \"+r\"(r0) : \"r\"(r1), \"r\"(r2), \"r\"(nr)\n"
		   " : \"memory\"); return r0; }\n"
		   "static void put(const char *s) { ul n = 0; while (s[n]) n++; call(64, 1, (long)s, n); call(64, 1, (long)\"|\", 1); }\n"
		   "void entry(ul *sp) { char b[9] = { 0 }; for (ul i = 1; i <= sp[0]; i++) put((char *)sp[i]);\n"
		   " char **e = (char **)(sp + sp[0] + 2); while (*e) put(*e++); call(63, 0, (long)b, 8); put(b); call(93, 0, 0, 0); }\n"
		   "asm(\".globl _start\\n_start: mv a0, sp\\n j entry\\n\");\n",
		   "args: [one, one], env: [A=1], input: 'in!', flags: [-O1]",
		   "    checks:\n"
		   "      - {id: c, expect: 'output(stdout) == \"./prog|one|one|A=1|in!|\" and code() == 0'}\n");
	run_and_pass();
}

static void aarch64(void **state)
{
	(void)state;
	need("aarch64-cc");
	emu_lesson("prog.S",
		   "	.globl _start\n_start:	mov	x0, #1\n	adr	x1, text\n	mov	x2, #3\n	mov	x8, #64\n"
		   "	svc	#0\n	mov	x0, #9\n	mov	x8, #93\n	svc	#0\ntext:	.ascii	\"arm\"\n",
		   "guest: aarch64", "    checks: [{id: c, expect: 'output(stdout) == \"arm\" and code() == 9'}]\n");
	run_and_pass();
}

static void does_not_compile(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned n;

	(void)state;
	need("riscv64-cc");
	emu_lesson("prog.c", "int x;\nvoid _start(void) { x = ; }\n", "",
		   "    checks: [{id: c, expect: 'ended() == \"exited\"'}]\n");
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	assert_int_equal(eng_session_results(session, 0, &n)[0].verdict, ENG_FAIL);
	assert_non_null(strstr(eng_session_evidence(session, 0)->out[RS_STREAM_BUILD].p, "prog.c:2:"));
	assert_non_null(strstr(eng_session_error(session)->text[0], "prog.c does not compile"));
}

static void no_compiler(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned n;

	(void)state;
	emu_lesson("prog.S", rv_loop, "", rv_checks);
	setenv("RISCV64_CC", "/nowhere/cc", 1);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	assert_int_equal(eng_lesson_runnable(fake.lesson, NULL, &err), -ENOENT);
	unsetenv("RISCV64_CC");
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	assert_int_equal(eng_session_results(session, 0, &n)[0].verdict, ENG_UNGRADABLE);
	assert_non_null(strstr(eng_session_error(session)->text[0], "no compiler for riscv64"));
}

/* ---- ends ---- */

static void endless_loop(void **state)
{
	(void)state;
	need("riscv64-cc");
	emu_lesson("prog.S", ".globl _start\n_start: j _start\n", "",
		   "    timeout: 1s\n    checks: [{id: c, expect: 'ended() == \"watchdog\"'}]\n");
	run_and_pass();
}

static void faults(void **state)
{
	(void)state;
	need("riscv64-cc");
	emu_lesson("prog.S", "	.globl _start\n_start:	li a0, 0x123000\nbad:	sd zero, 8(a0)\n	ebreak\n", "",
		   "    checks:\n"
		   "      - {id: fault, expect: 'count(emu.fault where pc == sym(\"bad\") and signal == \"SIGSEGV\" and address == 0x123008) == 1'}\n"
		   "      - {id: text, expect: 'first(emu.fault.text) == \"sd zero,8(a0)\"'}\n"
		   "      - {id: end, expect: 'ended() == \"killed\" and first(emu.end.signal) == \"SIGSEGV\"'}\n");
	run_and_pass();
}

/* ---- programs that mean harm ---- */

static const char *const guests[] = { "riscv64", "aarch64" };

/* Is there a compiler for it? */
static bool can_compile(const char *guest)
{
	rs_auto_free char *ability = rs_xasprintf("%s-cc", guest);
	struct rs_err err = RS_ERR_INIT;

	if (eng_ability(ability, &err) == 0)
		return true;
	print_message("skipped: %s\n", err.text[0]);
	return false;
}

/* The lesson on each guest and engine; `each` is called before the first run. */
static void on_all(const char *source, const char *keys, const char *rest, void (*each)(void))
{
	unsigned runs = 0;

	for (unsigned i = 0; i < 4; i++) {
		rs_auto_free char *emu = rs_xasprintf("guest: %s%s%s", guests[i / 2], *keys ? ", " : "", keys);

		if (!can_compile(guests[i / 2]) || (i % 2 == 0 && eng_ability("emu-jit", NULL) < 0))
			continue;
		open_lesson("prog.c", source, emu, rest, i % 2 ? "interp" : "jit", RS_FULL_BLOCK);
		if (!runs++ && each)
			each();
		run_and_pass();
		done();
	}
	if (!runs)
		skip();
}

/* Raw system calls, no library is in the way; text and numbers to the standard output. */
#define CALLS                                                                                       \
	"static long call(long n, long a, long b, long c, long d, long e) {\n"                     \
	"#ifdef __riscv\n"                                                                         \
	"	register long r0 asm(\"a0\") = a, r1 asm(\"a1\") = b, r2 asm(\"a2\") = c, r3 asm(\"a3\") = d,\n" \
	"		r4 asm(\"a4\") = e, r5 asm(\"a5\") = e, nr asm(\"a7\") = n;\n"             \
	"	asm volatile(\"ecall\"\n#else\n"                                                   \
	"	register long r0 asm(\"x0\") = a, r1 asm(\"x1\") = b, r2 asm(\"x2\") = c, r3 asm(\"x3\") = d,\n" \
	"		r4 asm(\"x4\") = e, r5 asm(\"x5\") = e, nr asm(\"x8\") = n;\n"             \
	"	asm volatile(\"svc #0\"\n#endif\n"                                                  \
	"		: \"+r\"(r0) : \"r\"(r1), \"r\"(r2), \"r\"(r3), \"r\"(r4), \"r\"(r5), \"r\"(nr) : \"memory\");\n" \
	"	return r0;\n}\n"                                                                    \
	"static void put(const char *s) { long n = 0; while (s[n]) n++; call(64, 1, (long)s, n, 0, 0); }\n" \
	"static void num(long v) { char b[24], *p = b + 23; int m = v < 0; *p = 0; if (m) v = -v;\n" \
	"	do *--p = '0' + v % 10; while (v /= 10); if (m) *--p = '-'; put(p); }\n"

/* Each call is made, and its result written down: "name=result ". */
static const char hostile[] = CALLS
	"static void tell(const char *s, long r) { put(s); put(\"=\"); num(r > 0 ? 1 : r); put(\" \"); }\n"
	"void _start(void) {\n"
	"	static const char *const none[] = { 0 };\n"
	"	long mine = call(172, 0, 0, 0, 0, 0), parent = call(173, 0, 0, 0, 0, 0), sum = 0;\n"
	"	tell(\"exec\", call(221, (long)\"/bin/true\", (long)none, (long)none, 0, 0));\n"
	"	tell(\"fork\", call(220, 17, 0, 0, 0, 0));\n"
	"	tell(\"kill\", call(129, parent, 9, 0, 0, 0));\n"
	"	tell(\"all\", call(129, -1, 9, 0, 0, 0));\n"
	"	tell(\"group\", call(129, 0, 9, 0, 0, 0));\n"
	"	tell(\"stop\", call(129, mine, 19, 0, 0, 0));\n"
	"	tell(\"socket\", call(198, 1, 1, 0, 0, 0));\n"
	"	tell(\"passwd\", call(56, -100, (long)\"/etc/passwd\", 0, 0, 0));\n"
	"	tell(\"up\", call(56, -100, (long)\"../state\", 0, 0, 0));\n"
	"	tell(\"link\", call(56, -100, (long)\"out\", 0, 0, 0));\n"
	"	tell(\"own\", call(56, -100, (long)\"prog.c\", 0, 0, 0));\n"
	"	tell(\"write\", call(56, -100, (long)\"prog.c\", 1, 0, 0));\n"
	"	tell(\"create\", call(56, -100, (long)\"new\", 0101, 0644, 0));\n"
	"	tell(\"unlink\", call(35, -100, (long)\"prog.c\", 0, 0, 0));\n"
	"	tell(\"chdir\", call(49, (long)\"/\", 0, 0, 0, 0));\n"
	"	for (long fd = 4; fd < 6; fd++) {\n"
	"		sum += call(57, fd, 0, 0, 0, 0) == -9;\n"
	"		sum += call(64, fd, (long)none, 8, 0, 0) == -9;\n"
	"		sum += call(24, 1, fd, 0, 0, 0) == -9;\n"
	"		sum += call(24, fd, 100, 0, 0, 0) == -9;\n"
	"		sum += call(222, 0, 4096, 3, 1, fd) == -9;\n"
	"	}\n"
	"	tell(\"lab\", sum - 10);\n"
	"	while (call(222, 0, 16 << 20, 3, 0x22, -1) > 0) sum++;\n"
	"	tell(\"memory\", sum < 100);\n"
	"	for (unsigned long at = 1ul << 32; at; at <<= 1)\n"
	"		tell(\"far\", call(63, 0, at, 8, 0, 0));\n"
	"	call(93, 3, 0, 0, 0, 0);\n}\n";

static void link_out(void)
{
	rs_auto_free char *link = rs_xasprintf("%s/out", fake.work);

	assert_int_equal(symlink("/etc/passwd", link), 0);
}

static void harm(void **state)
{
	(void)state;
	on_all(hostile, "input: none, memory: 64M",
	       "    checks:\n"
	       "      - {id: end, expect: 'ended() == \"exited\" and code() == 3'}\n"
	       "      - {id: files, expect: 'contains(output(stdout), \"passwd=-13 up=-13 link=-13 own=1 write=-30 create=-30 unlink=-1 chdir=-1 \")'}\n"
	       "      - {id: calls, expect: 'contains(output(stdout), \"exec=-1 fork=-1 kill=-1 all=-1 group=-1 stop=-1 socket=-1 \")'}\n"
	       "      - {id: lab, expect: 'contains(output(stdout), \"lab=0 memory=1 far=-14 far=-14\")'}\n"
	       "      - {id: said, expect: 'exists(emu.refused where text == \"execve\" and error == \"EPERM\") and exists(emu.refused where text == \"socket\")'}\n"
	       "      - {id: once, expect: 'count(emu.refused where text == \"kill\") == 1'}\n", link_out);
}

/* What confine.def allows is done: it is not refused when its arguments are 0, and the second door, the host's
 * filter, does not kill for it, with any arguments. (A thread, and what does not return, are made elsewhere.) */
static void allowed(void **state)
{
	static const struct { const char *name; unsigned number; } calls[] = {
#define PASS(number, name, shape) { #name, number },
#define CALL(number, name) { #name, number },
#define QUIET(number, name)
#define NAMED(number, name)
#include "emu/linux_calls.def"
	};
	static const char *const allowed[] = {
#define CONFINE(name, how, why) #name,
#include "emu/confine.def"
	};
	static const char *const not_so[] = { "exit", "exit_group", "rt_sigreturn", "rt_sigsuspend", "ppoll", "pselect6", "clone" };
	rs_auto_str source = RS_STR_INIT;

	(void)state;
	rs_str_add(&source, CALLS "static const struct { const char *name; int nr; } calls[] = {\n");
	for (unsigned i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
		unsigned c = 0, n = 0;

		while (c < sizeof(calls) / sizeof(*calls) && strcmp(calls[c].name, allowed[i]))
			c++;
		if (c == sizeof(calls) / sizeof(*calls))
			fail_msg("confine.def allows %s, which linux_calls.def does not make", allowed[i]);
		while (n < sizeof(not_so) / sizeof(*not_so) && strcmp(not_so[n], allowed[i]))
			n++;
		if (n == sizeof(not_so) / sizeof(*not_so))
			rs_str_addf(&source, "	{ \"%s\", %u },\n", allowed[i], calls[c].number);
	}
	rs_str_add(&source,
		   "};\n"
		   "static long room[1024];\n"
		   "void _start(void) {\n"
		   "	long mine = call(172, 0, 0, 0, 0, 0), r;\n"
		   "	(void)num;\n"
		   "	for (int way = 0; way < 3; way++)\n"
		   "		for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {\n"
		   "			long a = way ? (long)(room + 1) : 0, n = way == 2 ? 8 : a;\n"
		   "			int own = calls[i].nr == 129 || calls[i].nr == 131 || calls[i].nr == 138 || calls[i].nr == 261;\n"
		   "			for (unsigned k = 0; k < 1024; k++) room[k] = 0;\n"
		   "			r = call(calls[i].nr, own ? mine : a, own ? 0 : way == 2 ? 0 : n, own ? 0 : way == 2 ? a : n, n, n);\n"
		   "			if (!way && r == -1) { put(calls[i].name); put(\" \"); }\n"
		   "		}\n"
		   "	put(\"done\"); call(93, 0, 0, 0, 0, 0);\n}\n");
	on_all(source.p, "input: none", "    checks:\n"
	       "      - {id: end, expect: 'ended() == \"exited\" and code() == 0'}\n"
	       "      - {id: all, expect: 'output(stdout) == \"done\"'}\n"
	       "      - {id: sealed, expect: 'count(exp.ready where sandboxed == \"yes\") == 1'}\n", NULL);
}

/* A copy of a captured descriptor is captured, whatever made it, until it is closed. */
static void copies(void **state)
{
	static const char source[] = CALLS
		"static void to(long fd, const char *s) { long n = 0; while (s[n]) n++; call(64, fd, (long)s, n, 0, 0); }\n"
		"void _start(void) {\n"
		"	long d = call(23, 1, 0, 0, 0, 0), f = call(25, 1, 0, 20, 0, 0), c = call(25, 2, 1030, 20, 0, 0);\n"
		"	to(d, \"dup \"); to(f, \"fcntl \"); to(c, \"error\"); call(24, d, 30, 0, 0, 0); to(30, \"dup3 \");\n"
		"	call(57, 1, 0, 0, 0, 0); to(1, \"closed \"); to(30, \"still \");\n"
		"	call(23, 30, 0, 0, 0, 0); to(1, \"again\"); call(57, d, 0, 0, 0, 0);\n"
		"	long own = call(56, -100, (long)\"prog.c\", 0, 0, 0);\n"
		"	call(93, call(64, own, (long)\"x\", 1, 0, 0) == -9 ? 0 : 1, 0, 0, 0, 0); }\n";

	(void)state;
	on_all(source, "", "    checks:\n"
	       "      - {id: out, expect: 'output(stdout) == \"dup fcntl dup3 still again\" and code() == 0'}\n"
	       "      - {id: err, expect: 'output(stderr) == \"error\"'}\n", NULL);
}

/* Writes everywhere it can, and then where it cannot. */
static void wild_writes(void **state)
{
	static char guard[1 << 16];
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	need("riscv64-cc");
	memset(guard, 0x5a, sizeof(guard));
	emu_lesson("prog.S",
		   "	.globl _start\n_start:	la t0, _start\n	li t1, -1\n	li t2, 4096\n	mv t3, sp\n"
		   "1:	sd t1, 0(t3)\n	add t3, t3, t2\n	j 1b\n", "",
		   "    checks: [{id: c, expect: 'ended() == \"killed\" and exists(emu.fault where signal == \"SIGSEGV\")'}]\n");
	run_and_pass();
	done();
	/* host addresses are no guest addresses: the high bits do not count, or fault */
	emu_lesson("prog.S",
		   "	.globl _start\n_start:	li t0, 1\n	slli t0, t0, 47\n1:	addi t0, t0, -2048\n	sd t0, 0(t0)\n"
		   "	j 1b\n", "", "    checks: [{id: c, expect: 'ended() == \"killed\"'}]\n");
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	must_pass();
	for (size_t i = 0; i < sizeof(guard); i++)
		assert_int_equal(guard[i], 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(both_engines), T(chains), T(arguments), T(aarch64), T(does_not_compile), T(no_compiler),
		T(endless_loop), T(faults), T(harm), T(allowed), T(copies), T(wild_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
