/* The check language: precedence, types, every function, notes, errors at their place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/eng.h"

/* ---- a small run ---- */

static int read_file(void *arg, const char *name, struct rs_str *out)
{
	(void)arg;
	if (strcmp(name, "guest.S"))
		return -ENOENT;
	rs_str_add(out, "int $0x80\nhlt\n");
	return 0;
}

static void event(struct eng_evidence *e, unsigned kind, uint64_t a0, uint64_t a1, uint64_t a2,
		  uint64_t a3, const char *text)
{
	struct rs_event ev = { .seq = e->events + 1, .time = e->events * 1000, .kind = (uint16_t)kind,
			       .source = RS_SRC_STEP, .actor = 7, .arg = { a0, a1, a2, a3 } };

	if (kind == RS_EV_OUT_DATA)
		memcpy(ev.text, text, a2);
	else if (text)
		snprintf(ev.text, sizeof(ev.text), "%s", text);
	eng_evidence_event(e, &ev);
}

/* 1 start, 2 load, 3 reset, 4 3->0 int, 5 exit io, 6 0->3 iret, 7 exit io, 8 3->0 exception,
 * 9 fault #GP, 10 0->3 iret, 11 3->0 int, 12 out, 13 out, 14 memory, 15 end, 16 symbol */
static void fill(struct eng_evidence *e)
{
	memset(e, 0, sizeof(*e));
	eng_evidence_clear(e);
	e->file = read_file;
	event(e, RS_EV_EXP_START, 42, 0, 0, 0, "vm");
	event(e, RS_EV_VM_LOAD, 0x10000, 64, 0x10000, 0, NULL);
	event(e, RS_EV_CPU_RING, 0, 3, RS_VIA_IRET, 0x10000, NULL);
	event(e, RS_EV_CPU_RING, 3, 0, RS_VIA_INT, 0x10010, NULL);
	event(e, RS_EV_VM_EXIT, 2, 0x10012, 0, 0x3f8, NULL);
	event(e, RS_EV_CPU_RING, 0, 3, RS_VIA_IRET, 0x10012, NULL);
	event(e, RS_EV_VM_EXIT, 2, 0xffffffff80000000, 3, 0x3f9, "in al, dx");
	event(e, RS_EV_CPU_RING, 3, 0, RS_VIA_EXCEPTION, 0x10020, NULL);
	event(e, RS_EV_CPU_FAULT, 13, 0, 0x10020, 3, NULL);
	event(e, RS_EV_CPU_RING, 0, 3, RS_VIA_IRET, 0x10022, NULL);
	event(e, RS_EV_CPU_RING, 3, 0, RS_VIA_INT, 0x10030, NULL);
	event(e, RS_EV_OUT_DATA, RS_STREAM_SERIAL, 0, 6, 0, "Hello ");
	event(e, RS_EV_OUT_DATA, RS_STREAM_SERIAL, 6, 9, 0, "3\r\n42\n\"x\"");
	event(e, RS_EV_VM_MEMORY, 0, 0, 4 << 20, 1, NULL);
	event(e, RS_EV_VM_END, RS_OUT_DEBUG_EXIT, 5, 0x10040, 2, NULL);
	event(e, RS_EV_EMU_SYMBOL, 0x10100, 8, 0, 0, "loop");
	e->counters.v[RS_CTR_VM_EXITS + 2] = 12; /* KVM_EXIT_IO */
	e->counters.v[RS_CTR_VM_EXITS + 5] = 1;  /* KVM_EXIT_HLT */
	e->counters.v[RS_CTR_VM_STEPS] = 99;
	e->counters.v[RS_CTR_CPU_RING_CROSSINGS + 12] = 3;
}

struct state {
	struct eng_evidence e;
};

static int setup(void **state)
{
	static struct state s;

	fill(&s.e);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	eng_evidence_release(&s->e);
	return 0;
}

/* The value as text, or "error: sentence". */
static void evaluate(const struct eng_evidence *e, const char *text, struct rs_str *out)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_expr *x = eng_expr_parse(text, "t", 1, 1, &err);
	struct eng_value v;
	char buf[1200];

	if (!x) {
		rs_str_addf(out, "error: %s", rs_err_format(&err, RS_LANG_EN, buf, sizeof(buf)));
		return;
	}
	int rc = eng_expr_eval(x, e, &v, NULL, &err);
	if (rc) {
		assert_int_equal(rc, err.code);
		rs_str_addf(out, "%d: %s", rc == -ENODATA ? 0 : 1, err.text[RS_LANG_EN]);
	} else {
		assert_int_equal(v.type, eng_expr_type(x));
		eng_value_format(&v, out);
	}
	eng_value_release(&v);
	eng_expr_free(x);
}

struct row {
	const char *text, *value;
};

static void check_rows(void **state, const struct row *r, size_t n)
{
	const struct state *s = *state;
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct rs_str out = RS_STR_INIT;

		evaluate(&s->e, r[i].text, &out);
		if (strcmp(out.p, r[i].value)) {
			print_error("%s\n  gave   %s\n  wanted %s\n", r[i].text, out.p, r[i].value);
			bad++;
		}
		rs_str_release(&out);
	}
	assert_int_equal(bad, 0);
}
#define ROWS(state, rows) check_rows(state, rows, sizeof(rows) / sizeof((rows)[0]))

static void precedence(void **state)
{
	static const struct row rows[] = {
		{ "1 + 2 * 3", "7" },
		{ "(1 + 2) * 3", "9" },
		{ "10 - 4 - 3", "3" },
		{ "64 / 4 / 2", "8" },
		{ "17 % 5 * 2", "4" },
		{ "1 + 1 << 3", "16" },
		{ "1 << 2 + 1", "8" },
		{ "6 & 3 << 1", "6" },
		{ "1 | 6 & 3", "3" },
		{ "1 | 2 ^ 3", "0" },       /* one level, from the left: (1 | 2) ^ 3 */
		{ "5 & 4 == 4", "yes" },    /* looser than in C: (5 & 4) == 4 */
		{ "1 + 1 == 2 and 2 < 3", "yes" },
		{ "true or true and false", "yes" },
		{ "(true or true) and false", "no" },
		{ "not 1 == 2", "yes" },
		{ "not true or true", "yes" },
		{ "not (true or true)", "no" },
		{ "not not true", "yes" },
		{ "-2 * 3", "-6" },
		{ "~0 & 0xff", "255" },
		{ "- -3", "3" },
		{ "~-1", "0" },
		{ "-7 / 2", "-3" },
		{ "-7 % 2", "-1" },
		{ "-8 >> 1", "-4" },
		{ "2 - -2", "4" },
		{ "1 in [1, 2] == true", "error: t:1:13: comparisons cannot be chained; join two of them "
					  "with \"and\"" },
		{ "1 < 2 < 3", "error: t:1:7: comparisons cannot be chained; join two of them with "
			       "\"and\"" },
		{ "1 + not 2", "error: t:1:5: put \"not\" and what follows it in parentheses" },
	};

	ROWS(state, rows);
}

static void literals(void **state)
{
	static const struct row rows[] = {
		{ "0x3f8", "1016" }, { "4K", "4096" }, { "4M", "4194304" }, { "1G", "1073741824" },
		{ "10ms", "10000000" }, { "2s", "2000000000" }, { "3us", "3000" }, { "7ns", "7" },
		{ "'A'", "65" }, { "'\\n'", "10" }, { "'\\''", "39" }, { "'\\x7f'", "127" },
		{ "\"a\\tb\\\\ \\\"q\\\" \\x41\"", "\"a\\tb\\\\ \\\"q\\\" A\"" },
		{ "\"\"", "\"\"" }, { "\"\\xff\"", "\"\\xff\"" }, { "\"中文\"", "\"中文\"" },
		{ "[1, 2, \"x\"]", "[1, 2, \"x\"]" }, { "[]", "[]" }, { "[true, false]", "[yes, no]" },
		{ "[1 + 1]", "[2]" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "9223372036854775808", "error: t:1:1: 9223372036854775808 does not fit in 64 bits" },
		{ "0xffffffffffffffff", "-1" },
		{ "0x1ffffffffffffffff", "error: t:1:1: 0x1ffffffffffffffff does not fit in 64 bits" },
		{ "8589934592G", "error: t:1:1: 8589934592G does not fit in 64 bits" },
		{ "010", "error: t:1:1: a number does not start with 0; octal is not known here" },
		{ "0x", "error: t:1:1: a hexadecimal number needs digits after 0x" },
		{ "12q", "error: t:1:3: \"12q\" is not a number; sizes end in K, M or G, times in ns, us, ms "
			 "or s" },
		{ "\"a", "error: t:1:1: this text has no closing quote" },
		{ "\"\\q\"", "error: t:1:2: unknown escape in text; \\n \\t \\r \\\\ \\\" \\' and \\xHH are "
			     "known" },
		{ "\"\\x4\"", "error: t:1:2: \\x needs two hexadecimal digits" },
		{ "'ab'", "error: t:1:1: '...' is the number of one character; write text in double quotes" },
	};

	ROWS(state, rows);
}

static void arithmetic_errors(void **state)
{
	static const struct row rows[] = {
		{ "1 / 0", "0: division by zero in 1 / 0" },
		{ "1 % (2 - 2)", "0: division by zero in 1 % (2 - 2)" },
		{ "9223372036854775807 + 1", "0: the result does not fit in 64 bits: 9223372036854775807 + 1" },
		{ "-9223372036854775807 - 2", "0: the result does not fit in 64 bits: -9223372036854775807 - 2" },
		{ "0x4000000000000000 * 2", "0: the result does not fit in 64 bits: 0x4000000000000000 * 2" },
		{ "0x8000000000000000 / -1", "0: the result does not fit in 64 bits: 0x8000000000000000 / -1" },
		{ "0x8000000000000000 % -1", "0: the result does not fit in 64 bits: 0x8000000000000000 % -1" },
		{ "-0x8000000000000000", "0: the result does not fit in 64 bits: -0x8000000000000000" },
		{ "1 << 63", "0: the result does not fit in 64 bits: 1 << 63" },
		{ "1 << 62", "4611686018427387904" },
		{ "1 << 64", "0: a shift by less than 0 or more than 63 bits in 1 << 64" },
		{ "1 >> -1", "0: a shift by less than 0 or more than 63 bits in 1 >> -1" },
		/* what is not reached does not fail */
		{ "false and 1 / 0 == 1", "no" },
		{ "true or 1 / 0 == 1", "yes" },
	};

	ROWS(state, rows);
}

static void types(void **state)
{
	static const struct row rows[] = {
		{ "1 == \"1\"", "error: t:1:6: 1 is a number; compare it with a number, not with text" },
		{ "output(serial) == 3", "error: t:1:19: output(serial) is text; compare it with text in double "
					 "quotes, or use number(...)" },
		{ "\"a\" < \"b\"", "error: t:1:1: \"a\" is text; texts are compared with == and != only" },
		{ "1 and true", "error: t:1:1: 1 is neither true nor false; a condition is needed here" },
		{ "true + 1", "error: t:1:1: true is not a number; a number is needed here" },
		{ "not 3", "error: t:1:5: 3 is neither true nor false; a condition is needed here" },
		{ "1 in 2", "error: t:1:6: 2 is not a list; a list is needed here" },
		{ "[1] in [1]", "error: t:1:1: a list is not an item of a list" },
		{ "[[1]]", "error: t:1:2: a list cannot hold a list" },
		{ "[1] == 1", "error: t:1:5: [1] and 1 cannot be compared: they are not of one type" },
		{ "\"a\" in [1, 2]", "error: t:1:5: \"a\" and [1, 2] cannot be compared: they are not of one "
				     "type" },
		{ "true == 1", "error: t:1:6: true and 1 cannot be compared: they are not of one type" },
		{ "length(3)", "error: t:1:8: 3 is not text; text is needed here" },
		{ "true == true", "yes" },
		{ "\"a\" == \"a\"", "yes" }, { "\"a\" != \"a\"", "no" },
		{ "[1, 2] == [1, 2]", "yes" }, { "[1, 2] != [2, 1]", "yes" }, { "[1] == [1, 2]", "no" },
		{ "2 in [1, 2]", "yes" }, { "3 in [1, 2]", "no" }, { "1 in [\"x\", 1]", "yes" },
	};

	ROWS(state, rows);
}

static void named_values(void **state)
{
	static const struct row rows[] = {
		{ "count(cpu.ring where via == \"int\")", "2" },
		{ "count(cpu.ring where via == 5)", "2" },
		{ "count(cpu.ring where via != \"int\")", "4" },
		{ "count(cpu.ring where \"int\" == via)", "2" },
		{ "count(cpu.ring where via in [\"int\", \"exception\"])", "3" },
		{ "count(vm.exit where reason == \"io\")", "2" },
		{ "count(cpu.fault where vector == \"#GP\")", "1" },
		{ "count(cpu.fault where vector == 13)", "1" },
		{ "count(cpu.ring where source == \"step\")", "6" },
		{ "first(cpu.ring.via) == \"iret\"", "yes" },
		{ "first(cpu.ring.via)", "\"iret\"" },
		{ "first(cpu.ring.via) == 8", "yes" },
		{ "first(cpu.ring.via) in [\"int\", \"iret\"]", "yes" },
		{ "values(cpu.ring.via where to == 0) == [\"int\", \"exception\", \"int\"]", "yes" },
		{ "\"exception\" in values(cpu.ring.via)", "yes" },
		{ "\"syscall\" in values(cpu.ring.via)", "no" },
		{ "contains(first(cpu.ring.via), \"re\")", "yes" },
		{ "trim(\"iret\") == first(cpu.ring.via)", "yes" },
		{ "count(vm.memory where readonly)", "1" },
		{ "count(vm.memory where readonly == \"yes\")", "1" },
		{ "count(vm.memory where readonly == 0)", "0" },
		{ "count(vm.memory where not readonly)", "0" },
		{ "first(vm.memory.readonly)", "yes" },
		{ "ended() == \"debug-exit\"", "yes" },
		{ "ended() in [\"halted\", \"none\"]", "no" },
		{ "count(cpu.ring where via == \"intt\")",
		  "error: t:1:29: via is never \"intt\"; did you mean \"int\"?" },
		{ "count(cpu.ring where via == \"xyzzy\")",
		  "error: t:1:29: via is never \"xyzzy\"; it is one of: reset, syscall, sysret, "
		  "sysenter, sysexit, int, exception, interrupt, iret, callgate, retf, unseen" },
		{ "count(cpu.ring where via in [\"int\", \"sycall\"])",
		  "error: t:1:37: via is never \"sycall\"; did you mean \"syscall\"?" },
		{ "values(cpu.ring.via) == [\"irett\"]",
		  "error: t:1:26: values(cpu.ring.via) is never \"irett\"; did you mean \"iret\"?" },
		{ "\"irett\" in values(cpu.ring.via)",
		  "error: t:1:1: values(cpu.ring.via) is never \"irett\"; did you mean \"iret\"?" },
		{ "ended() == \"halte\"", "error: t:1:12: ended() is never \"halte\"; did you mean \"halted\"?" },
		{ "count(cpu.ring where via == int)",
		  "error: t:1:29: int is a value of via; write it in double quotes" },
		{ "count(cpu.ring where from == \"3\")",
		  "error: t:1:30: from is a number; compare it with a number, not with text" },
		{ "count(cpu.ring where via + 1 == 2)",
		  "error: t:1:22: via is a name, not a number to count with" },
		{ "first(cpu.ring.via) == first(vm.exit.reason)",
		  "error: t:1:21: first(cpu.ring.via) and first(vm.exit.reason) cannot be compared: they are "
		  "not of one type" },
	};

	ROWS(state, rows);
}

static void selections(void **state)
{
	static const struct row rows[] = {
		{ "count(cpu.ring)", "6" }, { "count(cpu.ring where from == 3 and to == 0)", "3" },
		{ "count(vm.hypercall)", "0" },
		{ "exists(cpu.fault)", "yes" }, { "exists(vm.hypercall)", "no" },
		{ "exists(cpu.fault where cpl == 0)", "no" },
		{ "first(cpu.ring.rip where to == 0)", "65552" },
		{ "last(cpu.ring.rip where to == 0)", "65584" },
		{ "first(vm.exit.text where cpl == 3)", "\"in al, dx\"" },
		{ "first(vm.exit.text)", "\"\"" },
		{ "sum(cpu.ring.from)", "9" }, { "sum(vm.hypercall.nr)", "0" },
		{ "min(cpu.ring.rip)", "65536" }, { "max(cpu.ring.rip)", "65584" },
		/* addresses are unsigned: a kernel address is a large one */
		{ "min(vm.exit.rip)", "65554" }, { "max(vm.exit.rip) == 0xffffffff80000000", "yes" },
		{ "count(vm.exit where rip > 0x20000)", "1" },
		{ "count(vm.exit where rip < 0x20000)", "1" },
		{ "count(cpu.ring where seq > 8)", "2" },
		{ "count(cpu.ring where time <= 3us)", "2" },
		{ "count(cpu.ring where actor == 7)", "6" },
		{ "count(vm.exit where contains(text, \"al\"))", "1" },
		{ "count(vm.exit where matches(text, \"^in .l\"))", "1" },
		{ "count(vm.exit where length(text) > 3)", "1" },
		{ "count(out.data where text == \"Hello \")", "1" },
		{ "values(cpu.ring.to)", "[3, 0, 3, 0, 3, 0]" },
		{ "values(vm.hypercall.nr)", "[]" },
		{ "distinct(cpu.ring.via)", "[\"iret\", \"int\", \"exception\"]" },
		{ "distinct(cpu.ring.to where from == 3)", "[0]" },
		{ "length(distinct(cpu.ring.rip))", "6" },
		/* a value of the whole run inside a condition */
		{ "count(cpu.ring where rip == first(vm.load.entry))", "1" },
		{ "count(cpu.ring where seq > first(cpu.fault.seq))", "2" },
		{ "count(cpu.ring where exists(cpu.fault where rip == 0x10020))", "6" },
		{ "first(vm.hypercall.nr)", "0: no such event: vm.hypercall.nr" },
		{ "last(cpu.ring.rip where from == 1)", "0: no such event: cpu.ring.rip where from == 1" },
		{ "max(cpu.step.len)", "0: no such event: cpu.step.len" },
		{ "exists(vm.hypercall) and first(vm.hypercall.nr) == 1", "no" },
		{ "count(cpu.ringg)", "error: t:1:7: unknown kind of event \"cpu.ringg\"; did you mean "
				      "\"cpu.ring\"?" },
		{ "count(foo)", "error: t:1:7: unknown kind of event \"foo\"; see ringside doc events" },
		{ "count(cpu.ring.to)", "error: t:1:7: count takes a kind of event without a field: cpu.ring" },
		{ "first(cpu.ring)", "error: t:1:7: first needs a field of the event: cpu.ring.from" },
		{ "first(cpu.ring.fron)", "error: t:1:16: cpu.ring has no field \"fron\"; did you mean "
					  "\"from\"?" },
		{ "first(cpu.ring.zzzzzz)", "error: t:1:16: cpu.ring has no field \"zzzzzz\"" },
		{ "count(cpu.ring where form == 3)", "error: t:1:22: cpu.ring has no field \"form\"; did you "
						     "mean \"from\"?" },
		{ "count(cpu.ring where to)", "error: t:1:22: to is neither true nor false; a condition is "
					      "needed here" },
		{ "sum(cpu.ring.via)", "error: t:1:5: sum needs a number, and cpu.ring.via is none" },
		{ "min(vm.exit.text)", "error: t:1:5: min needs a number, and vm.exit.text is none" },
		{ "count(cpu.ring where rip in values(vm.load.entry))",
		  "error: t:1:29: values(...) cannot be used inside a condition" },
		{ "count(vm.exit where contains(output(serial), text))",
		  "error: t:1:30: output(...) cannot be used inside a condition" },
		{ "count(cpu.ring where to in [from, 1])",
		  "error: t:1:29: a list inside a condition cannot hold fields of the event" },
	};

	ROWS(state, rows);
}

static void sequence_and_order(void **state)
{
	static const struct row rows[] = {
		/* rings: iret int iret exc iret int, with exits and a fault in between */
		{ "sequence(cpu.ring where via == \"int\", cpu.ring where via == \"iret\")", "yes" },
		{ "sequence(cpu.ring where via == \"exception\", cpu.ring where via == \"iret\", "
		  "cpu.ring where via == \"int\")", "yes" },
		{ "sequence(cpu.ring where via == \"int\", cpu.ring where via == \"exception\")", "no" },
		{ "order(cpu.ring where via == \"int\", cpu.ring where via == \"exception\")", "yes" },
		/* naming a kind makes its events count: an exit stands between int and iret */
		{ "sequence(cpu.ring where via == \"int\", vm.exit, cpu.ring where via == \"iret\")", "yes" },
		{ "sequence(cpu.ring where to == 0, cpu.ring where to == 3, vm.hypercall)", "no" },
		{ "sequence(cpu.ring where via == \"int\", cpu.ring where to == 3) and "
		  "not sequence(cpu.ring where via == \"int\", cpu.ring where to == 3, cpu.ring where via == "
		  "\"int\")", "yes" },
		{ "sequence(cpu.ring where via == \"int\", cpu.fault)", "no" },
		{ "sequence(cpu.ring where to == 0, cpu.fault)", "yes" },
		/* overlapping beginnings: iret x iret is found at the second iret */
		{ "sequence(cpu.ring where to == 3, cpu.ring where via == \"exception\")", "yes" },
		{ "sequence(cpu.ring, cpu.ring, cpu.ring, cpu.ring, cpu.ring, cpu.ring)", "yes" },
		{ "sequence(cpu.ring, cpu.ring, cpu.ring, cpu.ring, cpu.ring, cpu.ring, cpu.ring)", "no" },
		{ "sequence(cpu.fault)", "yes" }, { "order(cpu.fault)", "yes" },
		{ "order(cpu.fault, cpu.fault)", "no" },   /* one event is not two */
		{ "sequence(cpu.fault, cpu.fault)", "no" },
		{ "order(vm.load, vm.exit, cpu.fault, vm.end)", "yes" },
		{ "order(vm.end, vm.load)", "no" },
		{ "sequence()", "error: t:1:10: a kind of event such as cpu.ring is missing here" },
	};

	ROWS(state, rows);
}

static void texts(void **state)
{
	static const struct row rows[] = {
		{ "output(serial)", "\"Hello 3\\x0d\\n42\\n\\\"x\\\"\"" },
		{ "output(debug) == \"\"", "yes" },
		{ "output(\"serial\") == output(serial)", "yes" },
		{ "contains(output(serial), \"Hello\")", "yes" },
		{ "contains(output(serial), \"hello\")", "no" },
		{ "contains(output(debug), \"\")", "yes" },
		{ "matches(output(serial), \"^42$\")", "yes" },
		{ "matches(output(serial), \"^Hello [0-9]\")", "yes" },
		{ "matches(output(serial), \"^4$\")", "no" },
		{ "matches(output(debug), \"^$\")", "yes" },
		{ "lines(output(serial))", "[\"Hello 3\", \"42\", \"\\\"x\\\"\"]" },
		{ "lines(\"\")", "[]" }, { "lines(\"a\\n\\nb\")", "[\"a\", \"\", \"b\"]" },
		{ "length(lines(output(serial)))", "3" }, { "length(\"中\")", "3" }, { "length([1, 2])", "2" },
		{ "\"42\" in lines(output(serial))", "yes" },
		{ "trim(\"  a b\\n\")", "\"a b\"" }, { "trim(\" \\t\")", "\"\"" },
		{ "number(\" 42\\n\")", "42" }, { "number(\"0x2a\")", "42" }, { "number(\"-7\")", "-7" },
		{ "number(\"42x\")", "0: \"42x\" is not a number" },
		{ "number(\"\")", "0: \"\" is not a number" }, { "number(\"+3\")", "0: \"+3\" is not a number" },
		{ "number(\"99999999999999999999\")", "0: \"99999999999999999999\" is not a number" },
		{ "file(\"guest.S\")", "\"int $0x80\\nhlt\\n\"" },
		{ "contains(file(\"guest.S\"), \"int\")", "yes" },
		{ "file(\"gone.S\")", "0: the file \"gone.S\" cannot be read in the workspace" },
		{ "code()", "5" }, { "sym(\"loop\") == 0x10100", "yes" }, { "code() == 5", "yes" },
		{ "counter(vm.steps)", "99" }, { "counter(vm.exits)", "13" }, { "counter(vm.exits, io)", "12" },
		{ "counter(vm.exits, 5)", "1" }, { "counter(vm.exits, \"hlt\")", "1" },
		{ "counter(cpu.crossings, \"3->0\")", "3" }, { "counter(vm.exits, io) + 1", "13" },
		{ "file(\"../x\")", "error: t:1:6: \"../x\" must be the name of a file inside the workspace" },
		{ "file(\"/etc/passwd\")", "error: t:1:6: \"/etc/passwd\" must be the name of a file inside the "
					   "workspace" },
		{ "file(trim(\"x\"))", "error: t:1:6: file needs a text in double quotes here" },
		{ "matches(\"a\", \"(\")", "error: t:1:14: this is not a regular expression: Unmatched ( or \\(" },
		{ "matches(\"a\", \"(a)\\\\1\")", "error: t:1:14: back references (\\1) are not part of extended "
						  "regular expressions" },
		{ "matches(\"a\", \"((a{1,99}){1,99}){1,99}\")", "error: t:1:14: the repetitions {n} of this "
								 "pattern multiply to more than 1000" },
		{ "matches(\"a\", trim(\"a\"))", "error: t:1:14: matches needs a text in double quotes here" },
		{ "counter(vm.exitss)", "error: t:1:9: unknown counter \"vm.exitss\"; did you mean "
					"\"vm.exits\"?" },
		{ "counter(vm.exits, iox)", "error: t:1:19: counter vm.exits has no entry \"iox\"; did you mean "
					    "\"io\"?" },
		{ "counter(vm.exits, 64)", "error: t:1:19: counter vm.exits has entries 0 to 63" },
		{ "counter(vm.steps, io)", "error: t:1:19: counter vm.steps is a single number, it has no "
					   "entries" },
		{ "output(serail)", "error: t:1:8: unknown stream \"serail\"; did you mean \"serial\"?" },
	};

	ROWS(state, rows);
}

static void syntax(void **state)
{
	static const struct row rows[] = {
		{ "", "error: t:1:1: the expression is empty" },
		{ "   ", "error: t:1:1: the expression is empty" },
		{ "1 +", "error: t:1:4: the expression breaks off: a value is missing at the end" },
		{ "1 2", "error: t:1:3: \"2\" does not belong here" },
		{ "(1", "error: t:1:3: \")\" is missing at the end" },
		{ "(1 2)", "error: t:1:4: \")\" is missing before \"2\"" },
		{ "* 2", "error: t:1:1: a value is missing before \"*\"" },
		{ "true && false", "error: t:1:6: write \"and\" instead of \"&&\"" },
		{ "true || false", "error: t:1:6: write \"or\" instead of \"||\"" },
		{ "!true", "error: t:1:1: write \"not\" instead of \"!\"" },
		{ "1 = 1", "error: t:1:3: write \"==\" instead of \"=\"" },
		{ "coutn(cpu.ring)", "error: t:1:1: unknown function \"coutn\"; did you mean \"count\"?" },
		{ "frobnicate(1)", "error: t:1:1: unknown function \"frobnicate\"" },
		{ "count", "error: t:1:1: count is a function; write count(...)" },
		{ "cpu.ring", "error: t:1:1: cpu.ring is a kind of event; write count(cpu.ring) or "
			      "exists(cpu.ring)" },
		{ "halted", "error: t:1:1: unknown name \"halted\"; text needs double quotes" },
		{ "count(cpu.ring, vm.exit)", "error: t:1:15: too many arguments of count" },
		{ "count()", "error: t:1:7: a kind of event such as cpu.ring is missing here" },
		{ "contains(\"a\")", "error: t:1:13: \",\" is missing before \")\"" },
		{ "contains(\"a\", )", "error: t:1:15: contains needs 2 arguments, separated by commas" },
		{ "code(1)", "error: t:1:6: \")\" is missing before \"1\"" },
		{ "@", "error: t:1:1: \"@\" does not belong here" },
		{ "中", "error: t:1:1: \"中\" does not belong here" },
		{ "\"中文\" == 中", "error: t:1:9: \"中\" does not belong here" },
		{ "1 ==\n  2 +", "error: t:2:6: the expression breaks off: a value is missing at the end" },
	};

	ROWS(state, rows);
}

static void limits(void **state)
{
	const struct state *s = *state;
	struct rs_str text = RS_STR_INIT, out = RS_STR_INIT;

	for (int i = 0; i < 70; i++)
		rs_str_add(&text, "(");
	evaluate(&s->e, text.p, &out);
	assert_string_equal(out.p, "error: t:1:65: the expression is nested too deeply");
	rs_str_clear(&text);
	rs_str_clear(&out);
	for (int i = 0; i < 70; i++)
		rs_str_add(&text, "not ");
	evaluate(&s->e, text.p, &out);
	assert_non_null(strstr(out.p, "nested too deeply"));
	rs_str_clear(&text);
	rs_str_clear(&out);
	for (int i = 0; i < 2500; i++)
		rs_str_add(&text, "1+");
	evaluate(&s->e, text.p, &out);
	assert_string_equal(out.p, "error: t:1:1: the expression is longer than 4096 bytes");
	rs_str_clear(&text);
	rs_str_clear(&out);
	for (int i = 0; i < 2000; i++)
		rs_str_add(&text, "1+");
	rs_str_add(&text, "1");
	evaluate(&s->e, text.p, &out);
	assert_string_equal(out.p, "2001");
	rs_str_clear(&out);
	evaluate(&s->e, "\"\xff\"", &out);
	assert_string_equal(out.p, "error: t:1:2: this is not valid UTF-8");
	rs_str_release(&text);
	rs_str_release(&out);
}

/* Two selections in each other and a run of many events: linear, so fast enough not to notice. */
static void many_events(void **state)
{
	struct eng_evidence e = { 0 };
	struct rs_str out = RS_STR_INIT;

	(void)state;
	eng_evidence_clear(&e);
	for (uint64_t i = 0; i < 300000; i++)
		event(&e, RS_EV_CPU_STEP, i, i & 3, 1, 0, NULL);
	evaluate(&e, "count(cpu.step where rip > min(cpu.step.rip where cpl == 1) and "
		     "exists(cpu.step where rip == 299999) and cpl in [0, 1])", &out);
	assert_string_equal(out.p, "149998");
	rs_str_clear(&out);
	evaluate(&e, "values(cpu.step.rip)", &out);
	assert_string_equal(out.p, "1: values(...) has more than 65536 items; select fewer events");
	rs_str_clear(&out);
	evaluate(&e, "distinct(cpu.step.cpl)", &out);
	assert_string_equal(out.p, "[0, 1, 2, 3]");
	rs_str_clear(&out);
	evaluate(&e, "length(distinct(cpu.step.rip where rip < 65536))", &out);
	assert_string_equal(out.p, "65536");
	rs_str_clear(&out);
	evaluate(&e, "sequence(cpu.step where cpl == 3, cpu.step where cpl == 0, cpu.step where cpl == 2)", &out);
	assert_string_equal(out.p, "no");
	rs_str_release(&out);
	eng_evidence_release(&e);
}

static void evidence_bounds(void **state)
{
	struct eng_evidence e = { 0 };
	struct rs_event ev = { .kind = RS_EV_OUT_DATA, .arg = { 99, 0, 5 } };

	(void)state;
	eng_evidence_event(&e, &ev);               /* a stream that does not exist */
	ev = (struct rs_event){ .kind = RS_EV_OUT_DATA, .arg = { 0, 0, 1000 } };
	eng_evidence_event(&e, &ev);               /* longer than the record */
	assert_int_equal(e.out[0].len, 0);
	assert_int_equal(e.events, 2);
	ev = (struct rs_event){ .kind = 9999 };
	eng_evidence_event(&e, &ev);               /* a kind that does not exist */
	ev = (struct rs_event){ .kind = RS_EV_EXP_START };
	eng_evidence_event(&e, &ev);
	assert_true(e.ran && !e.ended);
	struct rs_str out = RS_STR_INIT;
	evaluate(&e, "sequence(exp.start, exp.exit) or count(out.data where length(text) == 72) == 1", &out);
	assert_string_equal(out.p, "yes");
	rs_str_release(&out);
	eng_evidence_release(&e);
}

static void kinds(void **state)
{
	bool want[RS_KIND_COUNT] = { false };
	struct eng_expr *x = eng_expr_parse("count(cpu.step where exists(vm.pio)) > 0 and ended() == \"halted\"",
					    "t", 1, 1, NULL);

	(void)state;
	assert_non_null(x);
	eng_expr_kinds(x, want);
	for (unsigned i = 0; i < RS_KIND_COUNT; i++)
		assert_int_equal(want[i], i == RS_EV_CPU_STEP || i == RS_EV_VM_PIO || i == RS_EV_VM_END ||
					      i == RS_EV_EMU_END || i == RS_EV_BOX_END);
	eng_expr_free(x);
}

static void note_of(const struct eng_evidence *e, const char *text, struct rs_str *note)
{
	struct eng_expr *x = eng_expr_parse(text, "t", 1, 1, NULL);
	struct eng_value v;

	assert_non_null(x);
	eng_expr_eval(x, e, &v, note, NULL);
	eng_value_release(&v);
	eng_expr_free(x);
}

static void notes(void **state)
{
	const struct state *s = *state;
	struct rs_str n = RS_STR_INIT;

	note_of(&s->e, "count(cpu.ring where  from == 3\n and via == \"int\") == 3", &n);
	assert_string_equal(n.p, "count(cpu.ring where from == 3 and via == \"int\") = 2\n"
				 "  #4  cpu.ring from=3 to=0 via=int rip=0x10010\n"
				 "  #11  cpu.ring from=3 to=0 via=int rip=0x10030\n");
	rs_str_clear(&n);
	note_of(&s->e, "count(cpu.ring where via == \"syscall\") > 0 and ended() == \"halted\"", &n);
	/* the right side was never looked at */
	assert_string_equal(n.p, "count(cpu.ring where via == \"syscall\") = 0   (cpu.ring: 6)\n");
	rs_str_clear(&n);
	note_of(&s->e, "first(vm.load.entry) == 3 or ended() == \"halted\"", &n);
	assert_string_equal(n.p, "first(vm.load.entry) = 0x10000\n"
				 "  #2  vm.load gpa=0x10000 size=64 B entry=0x10000\n"
				 "ended() = \"debug-exit\"\n");
	rs_str_clear(&n);
	note_of(&s->e, "order(vm.load, cpu.fault, vm.hypercall where nr == 1, vm.end)", &n);
	assert_string_equal(n.p, "order(vm.load, cpu.fault, vm.hypercall where nr == 1, vm.end) = no\n"
				 "  #2  vm.load gpa=0x10000 size=64 B entry=0x10000\n"
				 "  #9  cpu.fault vector=#GP error=0x0 rip=0x10020 cpl=3\n"
				 "  #?  vm.hypercall where nr == 1\n");
	rs_str_clear(&n);
	note_of(&s->e, "first(vm.hypercall.nr) == 1", &n);
	assert_string_equal(n.p, "first(vm.hypercall.nr) = ?\n");
	rs_str_release(&n);
}

static void many_in_a_note(void **state)
{
	struct eng_evidence e = { 0 };
	struct rs_str n = RS_STR_INIT;
	unsigned lines = 0;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		event(&e, RS_EV_CPU_STEP, i, 0, 1, 0, NULL);
	note_of(&e, "count(cpu.step) == 3", &n);
	for (const char *p = n.p; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 10); /* the value, eight events, and how many more */
	assert_non_null(strstr(n.p, "  ...  (+92)\n"));
	rs_str_release(&n);
	eng_evidence_release(&e);
}

static void found(void **state)
{
	static const struct {
		const char *text, *found, *wanted;
	} rows[] = {
		{ "count(cpu.fault) == 3", "1", "count(cpu.fault) == 3" },
		{ "3 == count(cpu.fault)", "1", "3 == count(cpu.fault)" },
		{ "count(cpu.fault) == 1 and ended() == \"halted\" and count(vm.exit) == 7",
		  "\"debug-exit\"", "ended() == \"halted\"" },
		{ "exists(vm.hypercall)", "no", "exists(vm.hypercall)" },
		{ "first(vm.load.entry) == 0x20000", "0x10000", "first(vm.load.entry) == 0x20000" },
		{ "not (count(cpu.fault) == 1)", "no", "not (count(cpu.fault) == 1)" },
	};
	const struct state *s = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rs_str f = RS_STR_INIT, w = RS_STR_INIT;
		struct eng_expr *x = eng_expr_parse(rows[i].text, "t", 1, 1, NULL);

		assert_non_null(x);
		assert_int_equal(eng_expr_found(x, &s->e, &f, &w, NULL), 0);
		assert_string_equal(f.p, rows[i].found);
		assert_string_equal(w.p, rows[i].wanted);
		rs_str_release(&f);
		rs_str_release(&w);
		eng_expr_free(x);
	}
}

/* Every function of the table can be called, and the page that lists them is complete. */
static void every_function(void **state)
{
	static const char *const calls[] = {
		"count(cpu.ring)", "exists(cpu.ring)", "first(cpu.ring.to)", "last(cpu.ring.to)",
		"sum(cpu.ring.to)", "min(cpu.ring.to)", "max(cpu.ring.to)", "values(cpu.ring.to)",
		"distinct(cpu.ring.to)", "sequence(cpu.ring)", "order(cpu.ring)", "counter(vm.exits)",
		"output(serial)", "file(\"guest.S\")", "contains(\"a\", \"b\")", "matches(\"a\", \"b\")",
		"length(\"a\")", "lines(\"a\")", "trim(\"a\")", "number(\"1\")", "ended()", "code()",
		"sym(\"loop\")",
	};
	const struct state *s = *state;
	const struct eng_func_doc *d = eng_func_docs();

	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++, d++) {
		struct rs_str out = RS_STR_INIT;

		assert_non_null(d->name);
		assert_int_equal(strncmp(calls[i], d->name, strlen(d->name)), 0);
		evaluate(&s->e, calls[i], &out);
		assert_null(strstr(out.p, "error"));
		rs_str_release(&out);
	}
	assert_null(d->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(precedence, setup, teardown),
		cmocka_unit_test_setup_teardown(literals, setup, teardown),
		cmocka_unit_test_setup_teardown(arithmetic_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(types, setup, teardown),
		cmocka_unit_test_setup_teardown(named_values, setup, teardown),
		cmocka_unit_test_setup_teardown(selections, setup, teardown),
		cmocka_unit_test_setup_teardown(sequence_and_order, setup, teardown),
		cmocka_unit_test_setup_teardown(texts, setup, teardown),
		cmocka_unit_test_setup_teardown(syntax, setup, teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test(many_events),
		cmocka_unit_test(evidence_bounds),
		cmocka_unit_test(kinds),
		cmocka_unit_test_setup_teardown(notes, setup, teardown),
		cmocka_unit_test(many_in_a_note),
		cmocka_unit_test_setup_teardown(found, setup, teardown),
		cmocka_unit_test_setup_teardown(every_function, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
