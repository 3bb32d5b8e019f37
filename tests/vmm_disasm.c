/* Disassembly: what the tracer needs to know of an instruction, lengths and mnemonics against
 * objdump, and reading backwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/machine.h"

static struct vmm_insn decode(int bits, const char *code, size_t n)
{
	struct vmm_insn in;

	assert_true(vmm_decode(code, n, bits, 0x10040, &in));
	return in;
}
#define DECODE(bits, bytes) decode(bits, bytes, sizeof(bytes) - 1)

static void test_text(void **state)
{
	(void)state;
	assert_string_equal(DECODE(64, "\xcd\x80").text, "int 0x80");
	assert_string_equal(DECODE(64, "\xe7\xf4").text, "out 0xf4, eax");
	assert_string_equal(DECODE(64, "\xeb\xfe").text, "jmp 0x10040");
	assert_string_equal(DECODE(64, "\x48\x8d\x05\x10\x00\x00\x00").text, "lea rax, [0x10057]");
	assert_string_equal(DECODE(32, "\x40").text, "inc eax");
	assert_string_equal(DECODE(16, "\xb8\x34\x12").text, "mov ax, 0x1234");
	assert_int_equal(DECODE(16, "\xb8\x34\x12").len, 3);
}

static void test_gates(void **state)
{
	(void)state;
	assert_int_equal(DECODE(64, "\xcd\x80").gate, VMM_INSN_INT);
	assert_int_equal(DECODE(64, "\xcd\x80").vector, 0x80);
	assert_int_equal(DECODE(64, "\xcc").vector, 3);
	assert_int_equal(DECODE(64, "\xf1").vector, 1);
	assert_int_equal(DECODE(32, "\xce").vector, 4);
	assert_int_equal(DECODE(64, "\x0f\x05").gate, VMM_INSN_SYSCALL);
	assert_int_equal(DECODE(64, "\x48\x0f\x07").gate, VMM_INSN_SYSRET);
	assert_int_equal(DECODE(64, "\x0f\x34").gate, VMM_INSN_SYSENTER);
	assert_int_equal(DECODE(64, "\x0f\x35").gate, VMM_INSN_SYSEXIT);
	assert_int_equal(DECODE(64, "\x48\xcf").gate, VMM_INSN_IRET);
	assert_int_equal(DECODE(16, "\xcf").gate, VMM_INSN_IRET);
	assert_int_equal(DECODE(64, "\xcb").gate, VMM_INSN_FAR);
	assert_int_equal(DECODE(32, "\xea\0\0\x01\0\x08\0").gate, VMM_INSN_FAR);
	assert_int_equal(DECODE(64, "\x48\xff\x28").gate, VMM_INSN_FAR); /* jmp far [rax] */
	assert_int_equal(DECODE(64, "\xc3").gate, VMM_INSN_PLAIN);
	assert_int_equal(DECODE(64, "\xe8\0\0\0\0").gate, VMM_INSN_PLAIN);
}

static void test_traits(void **state)
{
	static const struct { const char *code; size_t n; } privileged[] = {
		{"\xf4", 1}, {"\xfa", 1}, {"\xfb", 1}, {"\xe6\x80", 2}, {"\xec", 1}, {"\x6e", 1},
		{"\x0f\x22\xc0", 3}, {"\x0f\x30", 2}, {"\x0f\x32", 2}, {"\x0f\x01\x10", 3},
		{"\x0f\x01\x18", 3}, {"\x0f\x00\xd8", 3}, {"\x0f\x01\x38", 3}, {"\x0f\x09", 2},
		{"\x0f\x23\xf8", 3}, {"\x48\x0f\x07", 3}, {"\x0f\x06", 2}, {"\x0f\x01\xf0", 3},
		{"\x0f\x01\xf8", 3}, {"\x0f\x01\xca", 3}, {"\x0f\x00\xd0", 3}, {"\x0f\x08", 2},
		{"\x0f\x20\xc0", 3}, {"\x0f\x01\xd1", 3}, {"\x0f\x35", 2}, {"\x0f\x01\xf0", 3},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
		struct vmm_insn in = decode(64, privileged[i].code, privileged[i].n);

		if (!in.privileged)
			fail_msg("%s is privileged", in.text);
	}
	assert_false(DECODE(64, "\x0f\xa2").privileged); /* cpuid */
	assert_false(DECODE(64, "\x0f\x05").privileged);
	assert_false(DECODE(64, "\x9c").privileged);
	assert_true(DECODE(64, "\xf3\xa4").rep);
	assert_true(DECODE(64, "\xf2\xae").rep);
	assert_false(DECODE(64, "\xa4").rep);
	assert_true(DECODE(64, "\xf7\xf1").divides);
	assert_true(DECODE(64, "\xf7\xf9").divides);
	assert_true(DECODE(64, "\x9c").pushf && DECODE(64, "\x9d").popf);
	assert_true(DECODE(64, "\xed").io && DECODE(64, "\x6c").io);
	assert_true(DECODE(64, "\xd9\xe8").fpu && DECODE(64, "\x0f\x57\xc0").fpu);
	assert_true(DECODE(64, "\x9b").fpu);
	assert_false(DECODE(64, "\x90").fpu);
	assert_int_equal(DECODE(64, "\xeb\xfe").target, 0x10040);
	assert_int_equal(DECODE(64, "\x75\x10").target, 0x10052);
	assert_int_equal(DECODE(64, "\xe2\xfe").target, 0x10040);
	assert_true(DECODE(64, "\xc3").target == VMM_NO_TARGET);
}

static void test_bad_bytes(void **state)
{
	struct vmm_insn in;
	unsigned x = 1;

	(void)state;
	assert_false(vmm_decode("\x06", 1, 64, 0, &in)); /* push es */
	assert_int_equal(in.len, 0);
	assert_string_equal(in.text, "(bad)");
	assert_false(vmm_decode("\x48\x8b", 2, 64, 0, &in)); /* cut off */
	assert_false(vmm_decode("", 0, 64, 0, &in));
	for (int i = 0; i < 100000; i++) {
		unsigned char code[15];

		for (unsigned k = 0; k < sizeof(code); k++)
			code[k] = (unsigned char)((x = x * 1103515245 + 12345) >> 16);
		if (vmm_decode(code, sizeof(code), i % 3 ? i % 3 * 32 : 16, x, &in))
			assert_in_range(in.len, 1, 15);
		assert_true(strlen(in.text) < sizeof(in.text));
	}
}

/* ---- against objdump ---- */

static bool same_name_everywhere(const char *mnemonic)
{
	static const char *const names[] = {"mov", "lea", "push", "pop", "call", "add", "sub", "xor",
					    "test", "cmp", "and", "or", "jmp", "ret", "imul", "shl",
					    "shr", "sar", "movzx", "movsxd", "cdqe", "not", "neg"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(mnemonic, names[i]))
			return true;
	return false;
}

static void test_objdump(void **state)
{
	char self[512], command[600], line[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	unsigned compared = 0, named = 0;
	FILE *f;

	(void)state;
	assert_true(n > 0);
	self[n] = 0;
	snprintf(command, sizeof(command), "objdump -d -w -M intel -j .text '%s' 2>/dev/null", self);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && compared < 50000) {
		unsigned long long address;
		unsigned char code[16];
		unsigned len = 0, byte;
		char mnemonic[32];
		struct vmm_insn in;
		int used;
		char *p = line;

		if (sscanf(p, " %llx:%n", &address, &used) != 1)
			continue;
		p += used;
		while (len < 15 && sscanf(p, " %2x%n", &byte, &used) == 1 && *p != '\0') {
			if (p[0] == ' ' && p[1] == '\t')
				break;
			if (p[used] != ' ')
				break;
			code[len++] = (unsigned char)byte;
			p += used;
			if (p[0] == ' ' && (p[1] == ' ' || p[1] == '\t'))
				break;
		}
		if (!len || sscanf(p, " %31s", mnemonic) != 1 || strstr(line, "(bad)"))
			continue;
		if (!vmm_decode(code, len, 64, address, &in))
			fail_msg("objdump knows this, we do not: %s", line);
		if (in.len != len)
			fail_msg("%u bytes, objdump says %u: %s", in.len, len, line);
		compared++;
		if (same_name_everywhere(mnemonic)) {
			if (strncmp(in.text, mnemonic, strlen(mnemonic)))
				fail_msg("\"%s\", objdump says: %s", in.text, line);
			named++;
		}
	}
	pclose(f);
	if (!compared)
		skip(); /* no objdump here */
	assert_true(compared > 1000 && named > compared / 2);
	print_message("%u instructions compared with objdump, %u by name\n", compared, named);
}

/* ---- around RIP ---- */

static void listing(const char *code, size_t n, size_t rip, unsigned before, unsigned after,
		    struct rs_str *out)
{
	struct rs_err err = RS_ERR_INIT;
	struct vmm_cpu_state s;
	struct vmm_machine *m;
	struct vmm_desc d;

	vmm_desc_init(&d);
	m = vmm_machine_new(&d, NULL, &err);
	assert_non_null(m);
	assert_int_equal(vmm_entry_setup(m, &d, 0x10000 + rip, &s, &err), 0);
	memcpy(vmm_ram(m, 0x10000, n), code, n);
	vmm_disasm_around(m, &s, before, after, out);
	vmm_machine_free(m);
}

static void test_around(void **state)
{
	/* mov eax, 0x80cd; out 0xf4, eax; nop; int 0x80; hlt - the first holds the bytes of INT */
	static const char code[] = "\xb8\xcd\x80\x00\x00\xe7\xf4\x90\xcd\x80\xf4";
	rs_auto_str text = RS_STR_INIT;

	(void)state;
	listing(code, sizeof(code) - 1, 8, 3, 1, &text);
	assert_string_equal(text.p,
			    "  0000000000010000  b8 cd 80 00 00           mov eax, 0x80cd\n"
			    "  0000000000010005  e7 f4                    out 0xf4, eax\n"
			    "  0000000000010007  90                       nop\n"
			    "> 0000000000010008  cd 80                    int 0x80\n"
			    "  000000000001000a  f4                       hlt\n");
}

static void test_around_edges(void **state)
{
	rs_auto_str text = RS_STR_INIT;

	(void)state;
	listing("\xf4", 1, 0, 4, 0, &text); /* nothing but zeros before */
	assert_string_equal(text.p, "> 0000000000010000  f4                       hlt\n");
	rs_str_clear(&text);
	listing("\x06\x90", 2, 0, 0, 1, &text);
	assert_string_equal(text.p,
			    "> 0000000000010000  06                       (bad)\n"
			    "  0000000000010001  90                       nop\n");
	rs_str_clear(&text);
	listing("", 0, 8 << 20, 4, 4, &text);
	assert_string_equal(text.p, "> 0000000000810000  (no memory here)\n");
}

/* From the middle of a real program the lines before RIP are the true instructions. */
static void test_backwards(void **state)
{
	const unsigned char *text = (const unsigned char *)(uintptr_t)vmm_decode;
	size_t at[64], n = 0, off = 0;
	rs_auto_str out = RS_STR_INIT;
	unsigned found = 0;
	const char *line;

	(void)state;
	while (n < 64) {
		struct vmm_insn in;

		assert_true(vmm_decode(text + off, 15, 64, off, &in));
		at[n++] = off;
		off += in.len;
	}
	listing((const char *)text, off, at[60], 12, 0, &out);
	line = out.p;
	for (unsigned i = 48; i <= 60; i++) {
		char want[32];

		snprintf(want, sizeof(want), "%016zx ", 0x10000 + at[i]);
		found += strstr(line, want) != NULL;
	}
	assert_in_range(found, 12, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_gates),
		cmocka_unit_test(test_traits), cmocka_unit_test(test_bad_bytes),
		cmocka_unit_test(test_objdump), cmocka_unit_test(test_around),
		cmocka_unit_test(test_around_edges), cmocka_unit_test(test_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
