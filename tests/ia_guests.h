/* What the tests with guests of the software x86 CPU share; after cmocka.h. */
#ifndef TESTS_IA_GUESTS_H
#define TESTS_IA_GUESTS_H

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
	enum emu_ia_exit e = emu_ia_run(m->cpu, 0);

	if (e != IA_EXIT_STOP) {
		print_message("ended at %llx:", (unsigned long long)emu_ia_rip(m->cpu));
		for (unsigned k = 0; k < m->logged; k++)
			print_message(" %x", m->log[k]);
		for (unsigned k = 0; k < m->crossings; k++)
			print_message("\n%u vector %u error %x: %llx -> %llx", m->cross[k].cause, m->cross[k].vector, m->cross[k].error,
				      (unsigned long long)m->cross[k].from.rip, (unsigned long long)m->cross[k].to.rip);
		print_message("\n");
	}
	assert_string_equal(emu_ia_exit_name(e), "stop");
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

#endif
