/* The catalog: which lesson a name means, where lessons are, what lessons mean for each other. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/eng.h"

static char base[] = "/tmp/ringside-find-XXXXXX";

/* A minimal lesson in a folder; `more` is added to its head. */
static void put(const char *folder, const char *id, const char *more)
{
	rs_auto_free char *dir = rs_xasprintf("%s/%s", base, folder);
	rs_auto_free char *path = rs_xasprintf("%s/lesson.yaml", dir);
	rs_auto_free char *text = rs_xasprintf(
		"schema: ringside/lesson/v1\nid: %s\ntitle: {en: a, zh-TW: b}\n"
		"summary: {en: a, zh-TW: b}\ntrack: kvm\nminutes: 1\n%s\n"
		"steps: [{id: s, text: {en: a, zh-TW: b}}]\n", id, more);

	assert_int_equal(rs_mkdirs(dir, NULL), 0);
	assert_int_equal(rs_file_save(path, text, strlen(text), NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(base + strlen(base) - 6, "XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	unsetenv("RINGSIDE_LABS");
	return rs_rmtree(base, NULL);
}

/* Collects the sentences. */
static void note(void *arg, const struct rs_err *e)
{
	char buf[800];

	rs_str_addf(arg, "%s\n", rs_err_format(e, RS_LANG_EN, buf, sizeof(buf)));
}

static void by_every_name(void **state)
{
	struct eng_catalog c;
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str bad = RS_STR_INIT;

	(void)state;
	put("302-walk", "ioctl-walk", "aliases: [walk, kvm-walk]");
	put("9-first", "first", "");
	put("201-rings", "rings", "");
	put("extra", "extra", "");
	put("202-broken", "broken", "x: 1");
	put("include", "ignored", "");
	rs_auto_free char *none = rs_xasprintf("%s/include/lesson.yaml", base);
	assert_int_equal(unlink(none), 0);
	assert_int_equal(eng_catalog_load(&c, base, note, &bad, &err), 0);
	assert_int_equal(c.n, 4);
	assert_string_equal(c.v[0]->id, "first"); /* by number, not by spelling */
	assert_string_equal(c.v[1]->id, "rings");
	assert_string_equal(c.v[3]->id, "extra"); /* without a number: last */
	assert_non_null(strstr(bad.p, "202-broken/lesson.yaml:7:1: unknown key \"x\""));

	static const struct {
		const char *name, *id;
	} rows[] = {
		{ "302", "ioctl-walk" }, { "ioctl-walk", "ioctl-walk" }, { "302-walk", "ioctl-walk" },
		{ "walk", "ioctl-walk" }, { "kvm-walk", "ioctl-walk" }, { "9", "first" }, { "extra", "extra" },
		{ "0", NULL }, { "30", NULL }, { "", NULL }, { "302x", NULL }, { "nothing-like-it", NULL },
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct eng_lesson *l = eng_catalog_find(&c, rows[i].name, &err);

		if (rows[i].id) {
			assert_non_null(l);
			assert_string_equal(l->id, rows[i].id);
		} else {
			assert_null(l);
			assert_int_equal(err.code, -ENOENT);
		}
	}
	assert_null(eng_catalog_find(&c, "ioctl-wolk", &err));
	assert_string_equal(err.text[0], "there is no lesson \"ioctl-wolk\"; did you mean \"ioctl-walk\"?");
	assert_null(eng_catalog_find(&c, "zzz", &err));
	assert_string_equal(err.text[0], "there is no lesson \"zzz\"; ringside list shows them all");
	eng_catalog_release(&c);
	assert_int_equal(c.n, 0);
}

static void no_lessons(void **state)
{
	struct eng_catalog c;
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	assert_int_equal(eng_catalog_load(&c, base, NULL, NULL, &err), 0);
	assert_int_equal(c.n, 0);
	assert_null(eng_catalog_find(&c, "1", &err));
	assert_int_equal(eng_catalog_check(&c, NULL, NULL), 0);
	eng_catalog_release(&c);
	rs_auto_free char *gone = rs_xasprintf("%s/gone", base);
	assert_int_equal(eng_catalog_load(&c, gone, NULL, NULL, &err), -ENOENT);
	assert_int_equal(c.n, 0);
}

static void check(const char *wanted)
{
	struct eng_catalog c;
	rs_auto_str got = RS_STR_INIT;
	unsigned lines = 0;

	assert_int_equal(eng_catalog_load(&c, base, note, &got, NULL), 0);
	assert_int_equal(got.len, 0);
	unsigned n = eng_catalog_check(&c, note, &got);
	for (const char *p = got.p; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, n);
	eng_catalog_release(&c);
	/* the paths begin with the temporary folder */
	rs_auto_str plain = RS_STR_INIT;
	for (const char *p = got.p; *p;)
		if (!strncmp(p, base, strlen(base)))
			p += strlen(base) + 1;
		else
			rs_str_addc(&plain, *p++);
	assert_string_equal(plain.p, wanted);
}

static void sound(void **state)
{
	(void)state;
	put("1-a", "a", "");
	put("2-b", "b", "prerequisites: [a]");
	put("3-c", "c", "prerequisites: [a, b]\naliases: [old]");
	put("4-d", "d", "prerequisites: [old, c]"); /* by an old id */
	check("");
}

static void unknown_prerequisite(void **state)
{
	(void)state;
	put("1-lesson", "lesson", "");
	put("2-b", "b", "prerequisites: [lession, zzz]");
	check("2-b/lesson.yaml:7:16: the prerequisite \"lession\" is no lesson; did you mean \"lesson\"?\n"
	      "2-b/lesson.yaml:7:16: the prerequisite \"zzz\" is no lesson\n");
}

static void circles(void **state)
{
	(void)state;
	put("1-a", "a", "prerequisites: [c]");
	put("2-b", "b", "prerequisites: [a]");
	put("3-c", "c", "prerequisites: [b]");
	put("4-d", "d", "prerequisites: [a]"); /* leads into the circle, is no part of it */
	check("2-b/lesson.yaml:7:16: the prerequisites form a circle: a -> c -> b -> a\n");
}

static void same_names(void **state)
{
	(void)state;
	put("1-a", "a", "aliases: [b, old]");
	put("1-b", "b", "aliases: [old]");
	put("2-c", "a", "");
	check("1-b/lesson.yaml:1:1: the number 1 belongs to 1-a/lesson.yaml already\n"
	      "1-a/lesson.yaml:7:10: the alias \"b\" is a name of 1-b/lesson.yaml\n"
	      "1-a/lesson.yaml:7:10: the alias \"old\" is a name of 1-b/lesson.yaml\n"
	      "2-c/lesson.yaml:1:1: the id \"a\" belongs to 1-a/lesson.yaml already\n");
}

static void labs_folder(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	setenv("RINGSIDE_LABS", base, 1);
	rs_auto_free char *dir = eng_labs_dir(&err);
	assert_string_equal(dir, base);
	setenv("RINGSIDE_LABS", "/nonexistent/labs", 1);
	assert_null(eng_labs_dir(&err));
	assert_string_equal(err.text[0], "RINGSIDE_LABS names /nonexistent/labs, which is not a folder");
	unsetenv("RINGSIDE_LABS");
	/* this program runs from the build folder of a source tree */
	rs_auto_free char *ours = eng_labs_dir(&err);
	assert_non_null(ours);
	rs_auto_free char *include = rs_xasprintf("%s/include/lab.inc", ours);
	assert_int_equal(access(include, R_OK), 0);
}

/* The lessons of this repository. */
static void our_lessons(void **state)
{
	struct eng_catalog c;
	rs_auto_str bad = RS_STR_INIT;

	(void)state;
	assert_int_equal(eng_catalog_load(&c, "labs", note, &bad, NULL), 0);
	eng_catalog_check(&c, note, &bad);
	assert_string_equal(bad.p, "");
	assert_true(c.n >= 3);
	static const char *const must[] = { "201", "202", "302" };
	for (unsigned i = 0; i < 3; i++) {
		const struct eng_lesson *l = eng_catalog_find(&c, must[i], NULL);

		assert_non_null(l);
		assert_true(l->points > 0 && l->wrongs > 0 && l->solution.n > 0);
	}
	eng_catalog_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_every_name, setup, teardown),
		cmocka_unit_test_setup_teardown(no_lessons, setup, teardown),
		cmocka_unit_test_setup_teardown(sound, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_prerequisite, setup, teardown),
		cmocka_unit_test_setup_teardown(circles, setup, teardown),
		cmocka_unit_test_setup_teardown(same_names, setup, teardown),
		cmocka_unit_test_setup_teardown(labs_folder, setup, teardown),
		cmocka_unit_test(our_lessons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
