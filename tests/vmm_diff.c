/* Lock-step: equal guests, planted differences, guests that look at time, endless ones. Two software CPUs stand in for
 * two engines, so that it runs everywhere; kvm beside soft where there is a KVM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/vmm_kvm.h"

static struct rs_str out = RS_STR_INIT;
static struct rs_err err;
static struct vmm_difference found;

static int run(const char *a, const void *code, size_t n, uint64_t plant, uint64_t after, uint64_t timeout_ms)
{
	const struct vmm_diff_opts o = { .a = a, .b = "soft", .plant = plant, .plant_after = after };
	char path[] = "/tmp/ringside-diff-XXXXXX";
	struct vmm_desc d;
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, code, n), n);
	close(fd);
	vmm_desc_init(&d);
	d.image = path;
	d.timeout_ns = timeout_ms * 1000000;
	rs_str_clear(&out);
	err = (struct rs_err)RS_ERR_INIT;
	r = vmm_diff(&d, &o, NULL, NULL, &found, &out, &err);
	unlink(path);
	return r;
}

static void says(const char *text)
{
	if (!strstr(out.p, text))
		fail_msg("\"%s\" is not in:\n%s", text, out.p);
}

/* mov edx, 0x3f8; mov rbx, 0x20000; mov ecx, 4; again: mov al, [rbx]; inc byte [rbx]; out dx, al; loop again; hlt */
static const unsigned char counts[] = "\xba\xf8\x03\x00\x00\x48\xc7\xc3\x00\x00\x02\x00\xb9\x04\x00\x00\x00"
				      "\x8a\x03\xfe\x03\xee\xe2\xf9\xf4";

static void equal(void **state)
{
	(void)state;
	assert_int_equal(run("soft", counts, sizeof(counts) - 1, 0, 0, 5000), 0);
	assert_false(found.found);
	assert_int_equal(found.exits, 5);
	says("no difference: 5 exits");
}

static void planted(void **state)
{
	(void)state;
	assert_int_equal(run("soft", counts, sizeof(counts) - 1, 0x20000, 2, 5000), 0);
	assert_true(found.found);
	assert_int_equal(found.exits, 2);
	says("out 0x3f8 (1 B) 0x2");
	says("out 0x3f8 (1 B) 0x3");
	says("memory was changed from outside");
	says("[00020000]");
	/* a place that the guest never looks at */
	assert_int_equal(run("soft", counts, sizeof(counts) - 1, 0x3ffff8, 1, 5000), 0);
	assert_true(found.found);
	says("[003ffff8]");
}

/* nop; rdtsc; mov [0x20000], eax; out 0xf4, al: the second instruction is the one. */
static void clock_reader(void **state)
{
	static const unsigned char code[] = "\x90\x0f\x31\x89\x04\x25\x00\x00\x02\x00\xe6\xf4";

	(void)state;
	assert_int_equal(run("soft", code, sizeof(code) - 1, 0, 0, 5000), 0);
	assert_true(found.found);
	assert_true(found.exact);
	assert_int_equal(found.rip, 0x10001);
	says("\"rdtsc\"");
	says("time passes differently");
}

static void endless(void **state)
{
	(void)state;
	assert_int_equal(run("soft", "\xeb\xfe", 2, 0, 0, 300), 0);
	assert_false(found.found);
	says("time limit");
}

static void refused(void **state)
{
	(void)state;
	assert_true(run("nonsense", counts, sizeof(counts) - 1, 0, 0, 300) < 0);
	assert_true(err.code < 0);
}

static void beside_kvm(void **state)
{
	/* mov eax, 1; cpuid; hlt */
	static const unsigned char cpuid[] = "\xb8\x01\x00\x00\x00\x0f\xa2\xf4";

	(void)state;
	if (!sound_kvm())
		skip();
	assert_int_equal(run("kvm", counts, sizeof(counts) - 1, 0, 0, 5000), 0);
	assert_false(found.found);
	assert_int_equal(run("kvm", cpuid, sizeof(cpuid) - 1, 0, 0, 5000), 0);
	assert_true(found.found);
	says("RAX");
	if (found.exact) { /* where KVM shows its steps */
		assert_int_equal(found.rip, 0x10005);
		says("a CPU of its own");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal),
		cmocka_unit_test(planted),
		cmocka_unit_test(clock_reader),
		cmocka_unit_test(endless),
		cmocka_unit_test(refused),
		cmocka_unit_test(beside_kvm),
	};
	int failed = cmocka_run_group_tests_name("vmm_diff", tests, NULL, NULL);

	rs_str_release(&out);
	return failed;
}
