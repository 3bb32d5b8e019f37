/* doctor: the probe in its child, the cache, and what is said about it. */
#include <signal.h>
#include <sys/mman.h>

#include "engine/doctor.h"
#include "engine/journal.h"
#include "tests/engine_script.h"

static unsigned good(struct vmm_ability *out, unsigned max)
{
	assert_true(max >= 1);
	out[0] = (struct vmm_ability){ "kvm.vm", VMM_REAL, { { "made one" } }, NULL };
	return 1;
}

static unsigned crashing(struct vmm_ability *out, unsigned max)
{
	(void)out;
	(void)max;
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 0;
}

static pid_t *grandchild; /* in memory shared with the probe process */

static unsigned hanging(struct vmm_ability *out, unsigned max)
{
	(void)out;
	(void)max;
	pid_t pid = fork();

	if (pid > 0)
		*grandchild = pid;
	script_sleep(60000); /* both: the grandchild must go, too */
	return 0;
}

static void test_child(void **state)
{
	struct eng_doctor d = { 0 };

	(void)state;
	grandchild = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(grandchild, MAP_FAILED);
	eng_doctor_probe_child(&d, good, 5000);
	assert_int_equal(d.n, 1);
	assert_string_equal(d.v[0].name, "kvm.vm");
	assert_int_equal(d.v[0].state, VMM_REAL);
	eng_doctor_release(&d);

	eng_doctor_probe_child(&d, crashing, 5000);
	assert_non_null(eng_doctor_find(&d, "probe"));
	assert_says(eng_doctor_find(&d, "probe")->detail.in[0], "egmentation");
	eng_doctor_release(&d);

	{
		struct timespec a, b;

		clock_gettime(CLOCK_MONOTONIC, &a);
		eng_doctor_probe_child(&d, hanging, 300);
		clock_gettime(CLOCK_MONOTONIC, &b);
		assert_true(b.tv_sec - a.tv_sec < 5);
		assert_says(eng_doctor_find(&d, "probe")->detail.in[0], "time limit");
		eng_doctor_release(&d);
		/* gone, or waiting to be reaped by whoever inherited it */
		assert_true(*grandchild > 0);
		for (unsigned i = 0;; i++) {
			uint64_t start;
			char st;

			if (eng_proc_stat(*grandchild, &start, &st, NULL) < 0 || st == 'Z')
				break;
			assert_true(i < 100);
			script_sleep(20);
		}
	}
}

static char *cache(void)
{
	return rs_xasprintf("%s/cache/ringside/doctor.json", script_home);
}

static void test_cache(void **state)
{
	rs_auto_free char *path = cache();
	struct eng_doctor d = { 0 };
	rs_auto_str text = RS_STR_INIT;

	(void)state;
	eng_doctor_cpu(&d, false);
	assert_false(d.cached);
	eng_doctor_release(&d);
	eng_doctor_cpu(&d, false);
	assert_true(d.cached);
	assert_int_equal(d.n, 2);
	assert_int_equal(eng_doctor_find(&d, "kvm.ring3.syscall")->state, VMM_BROKEN);
	assert_string_equal(eng_doctor_find(&d, "kvm.ring3.syscall")->advice, "Use int 0x80.");
	eng_doctor_release(&d);
	eng_doctor_cpu(&d, true);
	assert_false(d.cached);
	eng_doctor_release(&d);

	/* another boot, another version: not this answer */
	assert_int_equal(rs_file_read(path, 1 << 20, &text, NULL), 0);
	{
		char *key = strstr(text.p, "\"key\"");

		assert_non_null(key);
		key = strchr(strchr(key, ':'), '"') + 1;
		*key = 'X';
		assert_int_equal(rs_file_save(path, text.p, text.len, NULL), 0);
	}
	eng_doctor_cpu(&d, false);
	assert_false(d.cached);
	eng_doctor_release(&d);
}

/* The file is anybody's: whatever stands in it, there is an answer. */
static void test_damaged_cache(void **state)
{
	static const char *const junk[] = { "", "{", "[]", "null", "{\"key\": 5, \"rows\": {}}", "\xff\xfe",
					    "{\"key\": \"\", \"rows\": [1, null, {}]}" };
	rs_auto_free char *path = cache();
	rs_auto_str text = RS_STR_INIT;
	struct eng_doctor d = { 0 };

	(void)state;
	eng_doctor_cpu(&d, false);
	eng_doctor_release(&d);
	assert_int_equal(rs_file_read(path, 1 << 20, &text, NULL), 0);
	for (unsigned i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		assert_int_equal(rs_file_save(path, junk[i], strlen(junk[i]), NULL), 0);
		eng_doctor_cpu(&d, false);
		assert_false(d.cached);
		assert_int_equal(d.n, 2);
		eng_doctor_release(&d);
	}
	/* cut at every place */
	for (size_t n = 0; n < text.len; n += 7) {
		assert_int_equal(rs_file_save(path, text.p, n, NULL), 0);
		eng_doctor_cpu(&d, false);
		assert_int_equal(d.n, 2);
		eng_doctor_release(&d);
	}
}

static void test_command(void **state)
{
	rs_auto_str out = RS_STR_INIT;
	struct call c = call("doctor");

	(void)state;
	assert_int_equal(c.rc, 0);
	/* the summary comes first */
	assert_ptr_equal(strstr(c.out, "All is well: this machine runs every lesson (2)."), c.out);
	assert_says(c.out, "real     kvm.device");
	assert_says(c.out, "broken   kvm.ring3.syscall");
	assert_says(c.out, "Use int 0x80.");
	assert_says(c.out, "cc ");
	assert_says(c.out, "2 lessons in tests/lessons/cli");
	call_free(&c);
	script_available = -ENOENT;
	expect("doctor", 0, "This machine runs 0 of the 2 lessons");
	expect("doctor", 0, "examined earlier since this boot");
	script_available = 0;
	c = call("doctor --json");
	put_file("doctor.json", c.out);
	call_free(&c);
	{
		rs_auto_free char *cmd = rs_xasprintf(
			"python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); a={x[\"name\"]:x for x in "
			"d[\"abilities\"]}; assert a[\"kvm.device\"][\"state\"]==\"real\"; assert "
			"a[\"kvm.ring3.syscall\"][\"advice\"]; assert a[\"cc\"][\"part\"]==\"tools\"; "
			"assert d[\"runnable\"]==2' %s/doctor.json", script_home);

		if (tool(cmd, &out))
			fail_msg("%s", out.p);
	}
	c = call_lang(RS_LANG_ZH_TW, "doctor");
	assert_says(c.out, "一切正常");
	call_free(&c);
}

/* No compiler in PATH: said so, with what to do. */
static void test_no_compiler(void **state)
{
	rs_auto_free char *path = rs_xstrdup(getenv("PATH"));

	(void)state;
	setenv("PATH", script_home, 1);
	expect("doctor", 0, "missing  cc                     cc is not installed");
	expect("doctor", 0, "Install a C compiler and binutils");
	setenv("PATH", path, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, script_setup, script_teardown)
	const struct CMUnitTest tests[] = {
		T(test_child), T(test_cache), T(test_damaged_cache), T(test_command), T(test_no_compiler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
