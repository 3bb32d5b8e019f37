/* The error object, and formats in two languages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <string.h>

#include "engine/base/err.h"
#include "engine/base/str.h"

static void test_set(void **state)
{
	struct rs_err e;
	char buf[600];
	(void)state;

	memset(&e, 0xff, sizeof(e)); /* what stood there before does not matter */
	assert_int_equal(rs_err_set(&e, -EINVAL, "memory size %s is %d", "5K", 7), -EINVAL);
	assert_int_equal(e.code, -EINVAL);
	assert_string_equal(e.text[RS_LANG_EN], "memory size 5K is 7");
	assert_string_equal(e.text[RS_LANG_ZH_TW], "memory size 5K is 7"); /* no translation */
	assert_string_equal(e.file, "");
	assert_string_equal(rs_err_format(&e, RS_LANG_EN, buf, sizeof(buf)), "memory size 5K is 7");
	assert_int_equal(rs_err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(rs_err_at(NULL, -EIO, "f", 1, 2, "x"), -EIO);
	assert_int_equal(rs_err_errno(NULL, EIO, "x"), -EIO);
	assert_int_equal(rs_err_wrap(NULL, "x"), 0);
}

static void test_place(void **state)
{
	struct rs_err e = RS_ERR_INIT;
	char buf[600], longest[400];
	(void)state;

	assert_int_equal(rs_err_at(&e, -EINVAL, "lesson.yaml", 3, 7, "unknown key %s", "titel"), -EINVAL);
	assert_string_equal(rs_err_format(&e, RS_LANG_EN, buf, sizeof(buf)),
			    "lesson.yaml:3:7: unknown key titel");
	rs_err_at(&e, -EINVAL, "lesson.yaml", 3, 0, "x");
	assert_string_equal(rs_err_format(&e, RS_LANG_EN, buf, sizeof(buf)), "lesson.yaml:3: x");
	rs_err_at(&e, -EINVAL, "lesson.yaml", 0, 9, "x");
	assert_string_equal(rs_err_format(&e, RS_LANG_EN, buf, sizeof(buf)), "lesson.yaml: x");
	rs_err_at(&e, -EINVAL, NULL, 0, 0, "x");
	assert_string_equal(rs_err_format(&e, RS_LANG_EN, buf, sizeof(buf)), "x");
	/* context goes before the sentence, behind the place */
	rs_err_at(&e, -ENOENT, "a.yaml", 1, 1, "no such step");
	assert_int_equal(rs_err_wrap(&e, "lesson %d", 202), -ENOENT);
	assert_string_equal(rs_err_format(&e, RS_LANG_EN, buf, sizeof(buf)),
			    "a.yaml:1:1: lesson 202: no such step");
	/* a place is forgotten when the error is replaced */
	rs_err_set(&e, -EIO, "y");
	assert_string_equal(rs_err_format(&e, RS_LANG_EN, buf, sizeof(buf)), "y");
	memset(longest, 'p', sizeof(longest));
	longest[399] = '\0';
	rs_err_at(&e, -EIO, longest, 1, 1, "z");
	assert_true(strlen(e.file) < sizeof(e.file));
	rs_err_format(&e, RS_LANG_EN, buf, 5);
	assert_string_equal(buf, "pppp");
	buf[0] = 'k';
	rs_err_format(&e, RS_LANG_EN, buf, 0);
	assert_int_equal(buf[0], 'k');
}

static void test_errno_in_both_languages(void **state)
{
	struct rs_err e;
	(void)state;

	setlocale(LC_ALL, "C.UTF-8");
	errno = 0;
	assert_int_equal(rs_err_errno(&e, ENOENT, "cannot open %s", "/x"), -ENOENT);
	assert_string_equal(e.text[RS_LANG_EN], "cannot open /x: No such file or directory");
	assert_string_equal(e.text[RS_LANG_ZH_TW], "無法開啟 /x：沒有這個檔案或資料夾");
	rs_err_wrap(&e, "cannot read %s", "y");
	assert_string_equal(e.text[RS_LANG_EN], "cannot read y: cannot open /x: No such file or directory");
	assert_string_equal(e.text[RS_LANG_ZH_TW], "無法讀取 y：無法開啟 /x：沒有這個檔案或資料夾");
	rs_err_errno(&e, 99999, "cannot open %s", "/x");
	assert_non_null(strstr(e.text[RS_LANG_EN], "99999"));
	/* the other order of arguments */
	rs_err_errno(&e, EBUSY, "cannot remove %s in %s", "a", "b");
	assert_string_equal(e.text[RS_LANG_ZH_TW], "無法刪除 b 裡的 a：裝置或資源忙碌中");
}

static void test_long_text_is_cut_between_characters(void **state)
{
	struct rs_err e;
	char longest[700];
	(void)state;

	for (unsigned shift = 0; shift < 3; shift++) {
		memset(longest, 'a', shift);
		for (unsigned i = shift; i + 3 < sizeof(longest); i += 3)
			memcpy(longest + i, "虛", 4);
		rs_err_set(&e, -EIO, "%s", longest);
		for (int l = 0; l < RS_LANGS; l++) {
			size_t n = strlen(e.text[l]);

			assert_in_range(n, sizeof(e.text[l]) - 6, sizeof(e.text[l]) - 1);
			assert_int_equal(rs_utf8_check(e.text[l], n), -1);
		}
		for (int i = 0; i < 5; i++)
			rs_err_wrap(&e, "%s", longest);
		assert_int_equal(rs_utf8_check(e.text[0], strlen(e.text[0])), -1);
		rs_err_at(&e, -EIO, longest, 1, 1, "x");
		assert_int_equal(rs_utf8_check(e.file, strlen(e.file)), -1);
	}
}

static void test_format_matches(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "", "", true },
		{ "100%%", "百分之百 %%", true },
		{ "%s has %d", "%s：%d", true },
		{ "%s has %d", "%2$d 個在 %1$s", true },
		{ "%s has %d", "%2$d", false },             /* one is missing */
		{ "%s has %d", "%2$s %1$d", false },
		{ "%s has %d", "%d %s", false },
		{ "%s", "%s %s", false },
		{ "%s", "", false },
		{ "%llu", "%lu", false },
		{ "%zu", "%u", false },
		{ "%zu", "%1$zu", true },
		{ "%s", "%1$s 和 %1$s", true },              /* twice the same is fine */
		{ "%d", "%x", true },                        /* printed otherwise, passed alike */
		{ "%*d", "%*d", true },
		{ "%*d", "%d", false },
		{ "%.*s", "%2$.*1$s", true },
		{ "%.3f", "%f", true },
		{ "%Lf", "%f", false },
		{ "%c", "%d", true },
		{ "%p", "%s", false },
		{ "%s", "%n", false },
		{ "%s", "%1$s %s", false },                  /* mixed: undefined */
		{ "%s", "%", false },
		{ "%s", "%5", false },
		{ "%s", "%99$s", false },
		{ "%hhu", "%u", true },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rs_format_matches(rows[i].a, rows[i].b) != rows[i].same)
			fail_msg("\"%s\" against \"%s\"", rows[i].a, rows[i].b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_errno_in_both_languages),
		cmocka_unit_test(test_long_text_is_cut_between_characters),
		cmocka_unit_test(test_format_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
