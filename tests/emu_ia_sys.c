/* The system level of the software x86 CPU: small guests whose results are written from the SDM, on both engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/ia_machine.h"

/* GUEST(name, bits, text): bytes guest_<name> .. guest_<name>_end; position-independent. */
#define GUEST(name, bits, text)                                                                    \
	__asm__(".pushsection .rodata\n.intel_syntax noprefix\n.code" #bits "\n"                   \
		"guest_" #name ":\n" text "\nguest_" #name "_end:\n"                               \
		".code64\n.att_syntax\n.popsection\n");                                            \
	extern const unsigned char guest_##name[], guest_##name##_end[];
#define CODE 0x10000

static const char *engine;

static struct ia_machine *load(const unsigned char *code, const unsigned char *end)
{
	struct ia_machine *m = machine_new(engine, 16u << 20);

	assert_non_null(m);
	memcpy(m->ram + CODE, code, (size_t)(end - code));
	return m;
}
#define LOAD(name) load(guest_##name, guest_##name##_end)

static void expect_log(const struct ia_machine *m, unsigned n, const uint32_t *want)
{
	for (unsigned k = 0; k < n && k < m->logged; k++)
		if (m->log[k] != want[k])
			print_message("value %u is %x, not %x\n", k, m->log[k], want[k]);
	assert_int_equal(m->logged, n);
	assert_memory_equal(m->log, want, n * sizeof(*want));
}
#define EXPECT(m, ...) expect_log(m, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, (uint32_t[]){ __VA_ARGS__ })

static void runs_to_exit(struct ia_machine *m)
{
	assert_string_equal(emu_ia_exit_name(emu_ia_run(m->cpu, 0)), "stop");
}

GUEST(flat, 64,
      "mov eax, 42; mov ecx, 1000; 1: add eax, ecx; dec ecx; jnz 1b; mov [0x20000], eax; mov eax, [0x20000]\n"
      "out 0xe9, eax; mov rbx, 0xfe000000; mov dword ptr [rbx], 0x1234; mov eax, [rbx]; out 0xe9, eax\n"
      "call 2f; out 0xe9, eax; mov eax, 7; out 0xf4, eax; 2: inc eax; ret\n")
static void test_flat(void **state)
{
	struct ia_machine *m = LOAD(flat);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0x7a33e, 0x1234, 0x1235);
	assert_int_equal(m->code, 7);
	assert_int_equal(m->mmios, 2);
	machine_free(m);
}

static int with_jit(void **state)
{
	(void)state;
	engine = "jit";
	return 0;
}

static int with_interp(void **state)
{
	(void)state;
	engine = "interp";
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flat),
	};
	int failed = cmocka_run_group_tests_name("interp", tests, with_interp, NULL);

	return failed + cmocka_run_group_tests_name("jit", tests, with_jit, NULL);
}
