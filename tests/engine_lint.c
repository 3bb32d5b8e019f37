/* lint: what it proves, what it refuses and where, what it warns about. */
#include "engine/lint.h"
#include "tests/engine_script.h"

/* Lints tests/lessons/lint/NAME: exit code and a line that must be there. */
static void judge(const char *name, int rc, const char *says)
{
	rs_auto_free char *line = rs_xasprintf("lint tests/lessons/lint/%s", name);

	expect(line, rc, says);
}

static void test_good(void **state)
{
	struct call c = call("lint tests/lessons/lint/good");

	(void)state;
	if (c.rc)
		fail_msg("%s", c.out);
	assert_says(c.out, "proved  the schema holds (steps: 1, checks: 2, points: 2, wrong answers: 1)");
	assert_says(c.out, "every text is there in all languages (");
	assert_says(c.out, "proved  the starter fails 2 of 2 checks");
	assert_says(c.out, "proved  wrong/crossed.once fails crossed: expected count(cpu.ring) == 2, found 1");
	assert_says(c.out, "proved  every hint can be reached (1)");
	assert_says(c.out, "proved  the solution earns 2 of 2 points on the engine kvm");
	assert_says(c.out, "proved  nothing is left on the host");
	assert_says(c.out, "no wrong answer is about the check \"hello\"");
	call_free(&c);

	c = call_lang(RS_LANG_ZH_TW, "lint tests/lessons/lint/good");
	assert_int_equal(c.rc, 0);
	assert_says(c.out, "已證實");
	if (strstr(c.out, "proved") || strstr(c.out, "expected"))
		fail_msg("English in the Chinese text:\n%s", c.out);
	call_free(&c);
}

static void test_refused(void **state)
{
	(void)state;
	/* each with its place */
	judge("wrong-key", 2, "tests/lessons/lint/wrong-key/lesson.yaml:6:1: ");
	judge("wrong-key", 2, "\"minutes\"");
	judge("missing-translation", 2, "tests/lessons/lint/missing-translation/lesson.yaml:11:");
	judge("missing-translation", 2, "zh-TW");
	judge("bad-expression", 2, "tests/lessons/lint/bad-expression/lesson.yaml:17:23: ");
	judge("unreachable-hint", 2, "tests/lessons/lint/unreachable-hint/lesson.yaml:22:");
	judge("unreachable-hint", 2, "nobody can reach the hints of the check \"hello\"");
	judge("starter-passes", 2, "tests/lessons/lint/starter-passes/lesson.yaml:15:");
	judge("starter-passes", 2, "the starter passes every check of the step \"task\"");
	judge("wrong-passes", 2, "tests/lessons/lint/wrong-passes/wrong/hello.shouting: this wrong answer passes the "
				 "check \"hello\"");
	judge("wrong-broken", 2, "tests/lessons/lint/wrong-broken/wrong/crossed.once");
	judge("wrong-names-nothing", 2, "wrong/crosed");
	judge("solution-fails", 2, "tests/lessons/lint/solution-fails/lesson.yaml:15:");
	judge("solution-fails", 2, "the solution fails the check \"crossed\" on the engine kvm: expected "
				   "count(cpu.ring) == 2, found 1");
	judge("solution-hangs", 2, "the solution fails the check \"crossed\"");
	expect("lint tests/lessons/lint/none", 2, "none");
	expect("lint", 2, "!an argument is missing");
}

/* One refused lesson does not hide the others. */
static void test_folder(void **state)
{
	struct call c = call("lint --static tests/lessons/lint");

	(void)state;
	assert_int_equal(c.rc, 2);
	assert_says(c.out, "tests/lessons/lint/good\n");
	assert_says(c.out, "minuets");
	assert_says(c.out, "Lessons: 12; ");
	call_free(&c);
	expect("lint tests/lessons/cli", 0, "the lessons (2) agree with each other");
	expect("lint -q tests/lessons/cli", 0, "tests/lessons/cli\n\nLessons: 2;");
}

static void test_not_runnable(void **state)
{
	(void)state;
	script_available = -ENOENT;
	expect("lint tests/lessons/lint/good", 77,
	       "not proved  proved as far as possible without running on the engine kvm: ");
	expect("lint tests/lessons/lint/good", 77, "/dev/kvm");
	expect("lint --static tests/lessons/lint/good", 0, "nothing was run");
	/* what can be refused without running is */
	expect("lint tests/lessons/lint/wrong-key", 2, "\"minutes\"");
}

static void finds(const char *text, const char *part, const char *better)
{
	const char *what = NULL;
	char b[64];
	size_t len;
	long at = eng_lint_zh(text, 0, &what, b, &len);

	if (!part) {
		if (at >= 0)
			fail_msg("\"%s\": %s at %ld (%s)", text, what, at, b);
		return;
	}
	if (at < 0)
		fail_msg("nothing found in \"%s\"", text);
	if (strncmp(text + at, part, strlen(part)) != 0)
		fail_msg("\"%s\": found \"%.*s\"", text, (int)len, text + at);
	if (better)
		assert_string_equal(b, better);
}

static void test_chinese(void **state)
{
	(void)state;
	finds("這台虛擬機器的記憶體不夠。", NULL, NULL);
	finds("這台机器", "机", NULL);
	finds("内存不够", "内存", "記憶體");
	finds("這是默认值", "默认", "預設");
	finds("把信息寫到網絡", "信息", "訊息、資訊");
	finds("網絡", "網絡", "網路");
	finds("這個程序", "程序", NULL);
	finds("虚拟机", "虚拟", "虛擬");
	finds("用戶端沒有問題", NULL, NULL);
	finds("一個用戶", "用戶", "使用者");
	finds("用 GNU C, 寫的", NULL, NULL); /* after a Latin letter */
	finds("先看,再做", ",", "，");
	finds("先看這裡:", ":", "：");
	finds("先看這裡.", ".", "。");
	finds("版本 1.5 的程式", NULL, NULL);
	finds("第３章", "３", "3");
	finds("`內存,默认` 是程式碼", NULL, NULL);
	finds("```\n内存\n```\n好", NULL, NULL);
	finds("演算法、結束代碼、循環", NULL, NULL);
	finds("这", "这", NULL);
	finds("没有", "没", NULL);
}

static void test_typography(void **state)
{
	(void)state;
	judge("typography", 0, "warning  tests/lessons/lint/typography/lesson.yaml:11:");
	judge("typography", 0, "half-width punctuation after a Chinese character");
	judge("typography", 0, "a term that is not Taiwan's");
	judge("typography", 0, "a simplified character");
}

/* Warnings about all lessons of the repository are looked at by people; a mistake is one here. */
static void test_own_lessons(void **state)
{
	struct call c = call("lint --static labs");

	(void)state;
	if (c.rc)
		fail_msg("%s", c.out);
	call_free(&c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, script_setup, script_teardown)
	const struct CMUnitTest tests[] = {
		T(test_good), T(test_refused), T(test_folder), T(test_not_runnable), T(test_chinese),
		T(test_typography), T(test_own_lessons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
