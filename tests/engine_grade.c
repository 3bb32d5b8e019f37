/* Grading and its formats: they parse with readers that others wrote, and they agree. */
#include "engine/grade.h"
#include "tests/engine_script.h"

static bool has_tool(const char *name)
{
	rs_auto_free char *cmd = rs_xasprintf("command -v %s", name);
	rs_auto_str out = RS_STR_INIT;

	return tool(cmd, &out) == 0;
}

/* One call in one format, into a file of the test's folder. The exit code. */
static int into_file(const char *args, const char *format)
{
	rs_auto_free char *line = rs_xasprintf("grade %s --format %s --output ~/out.%s", args, format, format);
	struct call c = call(line);
	int rc = c.rc;

	assert_string_equal(c.out, "");
	call_free(&c);
	return rc;
}

/* out.json, .junit, .tap and .gradescope in the test's folder: validated one by one, then compared. */
static void validate(const char *verdict)
{
	rs_auto_str out = RS_STR_INIT;

	if (has_tool("xmllint")) {
		rs_auto_free char *cmd = rs_xasprintf("xmllint --noout --schema tests/data/junit.xsd %s/out.junit",
						      script_home);

		if (tool(cmd, &out))
			fail_msg("%s", out.p);
	}
	{
		rs_auto_free char *cmd = rs_xasprintf("perl tests/data/tap-points.pl %s/out.tap >%s/out.points",
						      script_home, script_home);

		rs_str_clear(&out);
		if (tool(cmd, &out))
			fail_msg("TAP::Parser: %s", out.p);
	}
	{
		rs_auto_free char *cmd = rs_xasprintf(
			"cd %s && python3 $OLDPWD/tests/data/grades-agree.py out.json out.junit out.points "
			"out.gradescope $OLDPWD/assets/schema/grade-v1.schema.json", script_home);
		rs_auto_free char *want = rs_xasprintf(" %s ", verdict);

		rs_str_clear(&out);
		if (tool(cmd, &out))
			fail_msg("%s", out.p);
		assert_says(out.p, want);
	}
}

static void all_formats(const char *args, int rc, const char *verdict)
{
	for (const struct eng_grade_format *f = eng_grade_formats + 1; f->name; f++)
		assert_int_equal(into_file(args, f->name), rc);
	validate(verdict);
}

/* Every byte that there is, in every text that a writer takes: whatever reaches it is written in the
 * format's own way. */
static void test_formats_raw_bytes(void **state)
{
	static const enum eng_verdict verdicts[] = { ENG_FAIL, ENG_INCONCLUSIVE, ENG_UNGRADABLE };
	struct rs_err err = RS_ERR_INIT;
	struct eng_lesson *l = eng_lesson_load("tests/lessons/cli/101-crossings", &err);
	char all[300];
	size_t n = 0;

	(void)state;
	assert_non_null(l);
	for (unsigned c = 1; c < 256; c++)
		all[n++] = (char)c;
	/* U+FFFE, a surrogate, the end of CDATA, a directive, a YAML end */
	strcpy(all + n, "\xef\xbf\xbe\xed\xa0\x80 ]]> # SKIP \n...\nnot ok 9\n1..4");
	for (unsigned v = 0; v < 3; v++) {
		struct eng_grade g = { .lesson = l, .verdict = verdicts[v], .max = 5 };
		struct eng_grade_check k[2] = { { 0 }, { 0 } };

		for (unsigned i = 0; i < 2; i++)
			k[i] = (struct eng_grade_check){
				.step = &l->step[2], .step_index = 2, .check = &l->step[2].check[i],
				.verdict = verdicts[v], .expression = all, .expected = all, .found = all,
				.note = all,
			};
		g.check = k;
		g.checks = 2;
		g.workspace = g.build = all;
		g.engine = all;
		g.reason.code = -EIO;
		for (unsigned i = 0; i < RS_LANGS; i++)
			snprintf(g.reason.text[i], sizeof(g.reason.text[i]), "%s", all);
		for (const struct eng_grade_format *f = eng_grade_formats; f->name; f++) {
			rs_auto_free char *name = rs_xasprintf("out.%s", f->name);
			rs_auto_str out = RS_STR_INIT;

			f->write(&g, 1, RS_LANG_EN, false, &out);
			put_file(name, out.p);
			if (strcmp(f->name, "text") == 0)
				assert_null(strchr(out.p, '\033')); /* nor may it reach a terminal */
			else
				assert_int_equal(rs_utf8_check(out.p, out.len), -1);
		}
		validate(eng_verdict_name(verdicts[v]));
	}
	eng_lesson_free(l);
}

static void test_formats_failed(void **state)
{
	(void)state;
	all_formats("crossings", 1, "failed");
	all_formats("101 102", 1, "failed");
	all_formats("tests/lessons/cli", 1, "failed");
}

static void test_formats_passed(void **state)
{
	(void)state;
	all_formats("crossings --solution", 0, "passed");
	all_formats("101 102 --solution", 0, "passed");
}

static void test_formats_ungradable(void **state)
{
	(void)state;
	script_available = -ENOENT;
	all_formats("crossings", 77, "ungradable");
	all_formats("crossings waiting --solution", 77, "ungradable");
	expect("grade crossings", 77, "this machine has no /dev/kvm");
}

static void test_formats_inconclusive(void **state)
{
	(void)state;
	put_file("ws/guest.txt", "error\n");
	all_formats("crossings --workspace ~/ws", 3, "inconclusive");
}

/* What a guest puts out may not break any format: control bytes, bad UTF-8, markup. */
static void test_formats_hostile(void **state)
{
	(void)state;
	put_file("ws/guest.txt", "serial \x01\x02\x1b[31m\x7f <a b=\"c\">&amp; ]]> # \\ \xff\xfe\xed\xa0\x80\n"
				 "serial \"quotes\" 'and' \xef\xbf\xbe ... --- not ok 1\n"
				 "ring 3 0 int\nend shutdown\n");
	all_formats("crossings --workspace ~/ws", 1, "failed");
	/* the work space's own name, too */
	put_file("w&<'x\"#/guest.txt", "end halted\n");
	all_formats("crossings --workspace ~/w&<'x\"#", 1, "failed");
}

static void test_text(void **state)
{
	struct call c = call("grade crossings");

	(void)state;
	assert_int_equal(c.rc, 1);
	assert_says(c.out, "101 Crossings (crossings)");
	assert_says(c.out, "FAILED  three-crossings  (0 of 2 points)");
	assert_says(c.out, "expected: count(cpu.ring where from == 3 and to == 0 and via == \"int\") ==\n"
			   "                3\n");
	assert_says(c.out, "found:    1\n");
	assert_says(c.out, "#"); /* the deciding event, by number */
	assert_says(c.out, "0 of 5 points");
	assert_says(c.err, "no workspace for crossings yet");
	call_free(&c);

	c = call_lang(RS_LANG_ZH_TW, "grade crossings");
	assert_says(c.out, "未通過");
	assert_says(c.out, "預期：");
	if (strstr(c.out, "expected") || strstr(c.out, "points"))
		fail_msg("English in the Chinese text:\n%s", c.out);
	call_free(&c);
}

/* The student's folder is as it was. */
static void test_workspace_untouched(void **state)
{
	rs_auto_str out = RS_STR_INIT;
	rs_auto_free char *cmd = rs_xasprintf("find %s/ws -printf '%%P %%s %%T@\\n' | sort", script_home);
	rs_auto_str before = RS_STR_INIT;

	(void)state;
	expect("start crossings --dir ~/ws", 0, NULL);
	put_file("ws/notes.md", "mine");
	tool(cmd, &before);
	expect("grade crossings --workspace ~/ws", 1, NULL);
	expect("grade ~/ws", 1, NULL);
	tool(cmd, &out);
	assert_string_equal(before.p, out.p);
}

static void test_find_workspaces(void **state)
{
	(void)state;
	/* a class's folder: one folder a lesson, by id, number or folder name */
	put_file("class/crossings/guest.txt", "serial hello\nring 3 0 int\nring 3 0 int\nring 3 0 int\nend halted\n");
	put_file("class/102/guest.txt", "call KVM_CREATE_VM\nend halted\n");
	expect("grade 101 102 --workspace ~/class", 0, "All 2 lessons: 6 of 6 points");
	expect("grade waiting --workspace ~/class", 0, "1 of 1");
	/* the folder itself */
	expect("grade waiting --workspace ~/class/102", 0, "1 of 1");
	/* marked workspaces below a folder */
	expect("start 101 --dir ~/all/a", 0, NULL);
	expect("start 102 --dir ~/all/b", 0, NULL);
	expect("grade ~/all", 1, "All 2 lessons: 0 of 6 points");
	/* what is missing */
	put_file("some/101/guest.txt", "end halted\n");
	expect("grade 101 102 --workspace ~/some", 2, "!has no folder 102-waiting");
	expect("grade 101 --workspace ~/nowhere", 2, "!nowhere");
	expect("grade nothing-such", 2, "!nothing-such");
	/* a submission without the file */
	put_file("empty/readme", "x");
	expect("grade 101 --workspace ~/empty", 1, "guest.txt");
	expect("grade 101 --workspace ~/empty", 1, "0 of 5 points");
}

static void test_exit_codes(void **state)
{
	static const struct {
		enum eng_verdict v[4];
		int rc;
	} rows[] = {
		{ { ENG_PASS, ENG_PASS }, 0 },
		{ { ENG_PASS, ENG_FAIL }, 1 },
		{ { ENG_PASS, ENG_UNGRADABLE }, 77 },
		{ { ENG_UNGRADABLE, ENG_FAIL }, 1 },
		{ { ENG_FAIL, ENG_INCONCLUSIVE }, 3 },
		{ { ENG_UNGRADABLE, ENG_OPEN }, 3 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct eng_grade g[2] = { { .verdict = rows[i].v[0] }, { .verdict = rows[i].v[1] } };

		assert_int_equal(eng_grade_exit(g, 2), rows[i].rc);
	}
	/* an argument that is no lesson outweighs them; the rest is graded all the same */
	expect("grade 101 nosuch --solution", 2, "5 of 5");
}

/* A guest that hangs or dies is the student's affair: the checks fail, and say how it ended. */
static void test_bad_guests(void **state)
{
	(void)state;
	put_file("ws/guest.txt", "hang\n");
	expect("grade waiting --workspace ~/ws", 1, "expected: exists(kvm.call where");
	put_file("ws/guest.txt", "abort\n");
	expect("grade waiting --workspace ~/ws", 3, "inconclusive");
}

static void test_output(void **state)
{
	(void)state;
	expect("grade crossings --solution --output /dev/null/x", 3, "!/dev/null/x");
	expect("grade crossings --solution --format tap --output -", 0, "TAP version 14\n1..2\n");
	expect("grade crossings --solution --step nope", 2, "!no step \"nope\"");
	expect("grade crossings --solution --engine soft", 77, NULL);
	expect("grade crossings --solution --engine kvm", 0, "5 of 5");
}

static void test_limits(void **state)
{
	rs_auto_free char *cmd = rs_xasprintf("mkdir -p %s/big && truncate -s 100M %s/big/blob && ln -s / %s/big/l "
					      "&& mkfifo %s/big/p && touch %s/big/guest.txt",
					      script_home, script_home, script_home, script_home, script_home);
	rs_auto_str out = RS_STR_INIT;

	(void)state;
	assert_int_equal(tool(cmd, &out), 0);
	expect("grade crossings --workspace ~/big", 2, "!holds more than 64 MiB");
	/* links and pipes are passed over */
	cmd[0] = 0;
	{
		rs_auto_free char *rm = rs_xasprintf("rm %s/big/blob", script_home);

		assert_int_equal(tool(rm, &out), 0);
	}
	expect("grade crossings --workspace ~/big", 1, "0 of 5");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, script_setup, script_teardown)
	const struct CMUnitTest tests[] = {
		T(test_formats_failed), T(test_formats_passed), T(test_formats_ungradable),
		T(test_formats_inconclusive), T(test_formats_hostile), T(test_formats_raw_bytes),
		T(test_text),
		T(test_workspace_untouched), T(test_find_workspaces), T(test_exit_codes), T(test_bad_guests),
		T(test_output), T(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
