/* The probes: what they say without KVM, and that on a KVM each of them comes to a verdict in time.
 * Which verdict depends on the host; those that every lesson needs must not be missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/vmm_kvm.h"

static const struct vmm_ability *find(const struct vmm_ability *a, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(a[i].name, name))
			return &a[i];
	fail_msg("no row %s", name);
	return NULL;
}

static void check_rows(const struct vmm_ability *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (int l = 0; l < RS_LANGS; l++)
			assert_true(a[i].detail.in[l][0] && strlen(a[i].detail.in[l]) < sizeof(a[i].detail.in[l]));
		assert_true((a[i].state == VMM_REAL) == (a[i].advice == NULL));
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(a[i].name, a[k].name);
	}
}

static void test_all(void **state)
{
	static const char *const needed[] = {"kvm.real16", "kvm.prot32", "kvm.long64", "kvm.ring3",
					     "kvm.port"};
	static struct vmm_ability a[VMM_ABILITIES_MAX];
	uint64_t start = vmm_now_ns();
	unsigned n = vmm_probe(a, VMM_ABILITIES_MAX);

	(void)state;
	check_rows(a, n);
	if (find(a, n, "kvm.vm")->state != VMM_REAL) {
		assert_int_equal(vmm_available("kvm", NULL) == 0, 0);
		print_message("no KVM here: %s\n", find(a, n, "kvm.device")->detail.in[0]);
		skip();
	}
	assert_int_equal(vmm_available("kvm", NULL), 0);
	for (unsigned i = 0; i < n; i++)
		print_message("  %-22s %d %s\n", a[i].name, a[i].state, a[i].detail.in[0]);
	if (!sound_kvm())
		skip();
	for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		assert_true(find(a, n, needed[i])->state >= VMM_EMULATED);
	assert_true(vmm_now_ns() - start < 120 * 1000000000ull);
}

static void test_few_rows(void **state)
{
	struct vmm_ability a[2];

	(void)state;
	memset(a, 0xff, sizeof(a));
	assert_int_equal(vmm_probe(a, 1), 1);
	assert_int_equal((unsigned char)a[1].detail.in[0][0], 0xff);
}

static void test_fits(void **state)
{
	(void)state;
	assert_true(vmm_probe_guest_count + 6 <= VMM_ABILITIES_MAX);
	for (unsigned i = 0; i < vmm_probe_guest_count; i++) {
		const struct probe_guest *g = &vmm_probe_guests[i];
		size_t size = (size_t)((const char *)g->end - (const char *)g->code);

		assert_in_range(size, 1, PROBE_STUBS - PROBE_CODE);
		assert_non_null(g->advice);
	}
}

static bool have_kvm(void)
{
	return access("/dev/kvm", R_OK | W_OK) == 0 && vmm_available("kvm", NULL) == 0;
}

/* A guest that never leaves is stopped, and the next one runs. */
static void test_endless_guest(void **state)
{
	static const unsigned char loop[] = {0xeb, 0xfe};
	const struct probe_guest g = {.name = "loop", .code = loop, .end = loop + sizeof(loop),
				      .entry = VMM_ENTRY_LONG64, .code_wanted = PROBE_OK};
	uint64_t start = vmm_now_ns();
	struct vmm_probe_run *r;

	(void)state;
	if (!have_kvm())
		skip();
	r = vmm_probe_run_guest(&g);
	assert_int_equal(r->end, PROBE_END_TIME);
	assert_int_equal(r->state.rip, PROBE_CODE);
	assert_in_range(vmm_now_ns() - start, 900000000, 10000000000);
	vmm_probe_run_free(r);
	r = vmm_probe_run_guest(&vmm_probe_speed);
	assert_int_equal(r->end, PROBE_END_CODE);
	assert_int_equal(r->code, PROBE_OK);
	vmm_probe_run_free(r);
}

/* What goes wrong is seen, not just what goes right. */
static void test_bad_guests(void **state)
{
	static const unsigned char fault[] = {0x0f, 0x0b};       /* ud2, caught by a stub */
	static const unsigned char halt[] = {0xf4};
	static const unsigned char dead[] = {0x0f, 0x01, 0x1c, 0x25, 0, 0, 3, 0, /* lidt [0x30000] */
					     0x0f, 0x0b};
	const struct {
		const unsigned char *code;
		size_t n;
		enum vmm_probe_end end;
	} guest[] = {
		{fault, sizeof(fault), PROBE_END_CODE},
		{halt, sizeof(halt), PROBE_END_HALT},
		{dead, sizeof(dead), PROBE_END_SHUTDOWN},
	};

	(void)state;
	if (!have_kvm())
		skip();
	for (unsigned i = 0; i < sizeof(guest) / sizeof(guest[0]); i++) {
		const struct probe_guest g = {.name = "bad", .code = guest[i].code,
					      .end = guest[i].code + guest[i].n,
					      .entry = VMM_ENTRY_LONG64, .code_wanted = PROBE_OK};
		struct vmm_probe_run *r = vmm_probe_run_guest(&g);

		assert_int_equal(r->end, guest[i].end);
		if (r->end == PROBE_END_CODE)
			assert_int_equal(r->code, PROBE_VECTOR + 6);
		vmm_probe_run_free(r);
	}
}

/* The words of lab.inc do on a real CPU what they say. */
static void test_lab_macros(void **state)
{
	char image[] = "/tmp/ringside-macros-XXXXXX", command[512];
	struct rs_err err = RS_ERR_INIT;
	struct vmm_result res;
	struct vmm_desc d;
	int fd, built;

	(void)state;
	if (!sound_kvm() || access("tests/guests/macros.S", R_OK))
		skip();
	fd = mkstemp(image);
	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command),
		 "cc -c -x assembler-with-cpp -Ilabs/include tests/guests/macros.S -o %s.o && "
		 "ld -Ttext=0x10000 -e _start -o %s %s.o; r=$?; rm -f %s.o; exit $r",
		 image, image, image, image);
	built = system(command);
	vmm_desc_init(&d);
	d.image = image;
	d.trace = VMM_TRACE_EXITS;
	if (!built && vmm_run(&d, NULL, -1, NULL, NULL, &res, &err))
		print_error("%s\n", err.text[RS_LANG_EN]);
	unlink(image);
	assert_int_equal(built, 0);
	assert_int_equal(res.outcome, RS_OUT_DEBUG_EXIT);
	assert_int_equal(res.code, 0x13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits), cmocka_unit_test(test_few_rows),
		cmocka_unit_test(test_all), cmocka_unit_test(test_endless_guest),
		cmocka_unit_test(test_bad_guests), cmocka_unit_test(test_lab_macros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
