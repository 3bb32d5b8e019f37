/* Languages: tags, the environment, the compiled table, and the script that makes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/channel.h"
#include "engine/base/cleanup.h"
#include "engine/base/event.h"
#include "engine/base/file.h"
#include "engine/base/lang.h"

static const struct entry {
	const char *en, *tr;
} table[] = {
#include "i18n.inc"
	{ NULL, NULL },
};

static void test_parse(void **state)
{
	static const struct {
		const char *tag;
		int lang; /* -1: none of ours */
	} rows[] = {
		{ "en", RS_LANG_EN }, { "en_US.UTF-8", RS_LANG_EN }, { "en-GB", RS_LANG_EN },
		{ "C", RS_LANG_EN }, { "C.UTF-8", RS_LANG_EN }, { "POSIX", RS_LANG_EN },
		{ "zh-TW", RS_LANG_ZH_TW }, { "zh_TW", RS_LANG_ZH_TW }, { "zh_TW.UTF-8", RS_LANG_ZH_TW },
		{ "zh_TW.Big5@x", RS_LANG_ZH_TW }, { "ZH-tw", RS_LANG_ZH_TW },
		{ "zh-Hant-TW", RS_LANG_ZH_TW }, { "zh_HK.UTF-8", RS_LANG_ZH_TW },
		{ "zh_CN.UTF-8", -1 }, { "zh", -1 }, { "de_DE", -1 }, { "english", -1 }, { "", -1 },
		{ "e", -1 }, { "zh-TWX", -1 },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum rs_lang l = RS_LANGS;
		int ret = rs_lang_parse(rows[i].tag, &l);

		if (ret != (rows[i].lang < 0 ? -ENOENT : 0) || (ret == 0 && (int)l != rows[i].lang))
			fail_msg("\"%s\": %d, %d", rows[i].tag, ret, (int)l);
	}
	for (int l = 0; l < RS_LANGS; l++) { /* names parse back */
		enum rs_lang back;

		assert_int_equal(rs_lang_parse(rs_lang_name(l), &back), 0);
		assert_int_equal(back, l);
	}
	assert_null(rs_lang_name(RS_LANGS));
}

static void env(const char *ours, const char *all, const char *messages, const char *lang)
{
	const char *const v[] = { "RINGSIDE_LANG", ours, "LC_ALL", all, "LC_MESSAGES", messages, "LANG", lang };

	for (int i = 0; i < 8; i += 2) {
		if (v[i + 1])
			setenv(v[i], v[i + 1], 1);
		else
			unsetenv(v[i]);
	}
}

static void test_env(void **state)
{
	(void)state;
	env(NULL, NULL, NULL, NULL);
	assert_int_equal(rs_lang_from_env(), RS_LANG_EN);
	env(NULL, NULL, NULL, "zh_TW.UTF-8");
	assert_int_equal(rs_lang_from_env(), RS_LANG_ZH_TW);
	env(NULL, "", NULL, "zh_TW.UTF-8"); /* empty is unset */
	assert_int_equal(rs_lang_from_env(), RS_LANG_ZH_TW);
	env(NULL, "C.UTF-8", NULL, "zh_TW.UTF-8");
	assert_int_equal(rs_lang_from_env(), RS_LANG_EN);
	env(NULL, NULL, "zh_TW.UTF-8", "de_DE.UTF-8");
	assert_int_equal(rs_lang_from_env(), RS_LANG_ZH_TW);
	env(NULL, "de_DE.UTF-8", NULL, "zh_TW.UTF-8"); /* German is asked for, not Chinese */
	assert_int_equal(rs_lang_from_env(), RS_LANG_EN);
	env("zh-TW", "C", "C", "C");
	assert_int_equal(rs_lang_from_env(), RS_LANG_ZH_TW);
	env("en", NULL, NULL, "zh_TW.UTF-8");
	assert_int_equal(rs_lang_from_env(), RS_LANG_EN);
	env("klingon", NULL, NULL, "zh_TW.UTF-8");
	assert_int_equal(rs_lang_from_env(), RS_LANG_ZH_TW);
	env(NULL, NULL, NULL, NULL);
}

/* Every translation of every part: found, in order, UTF-8, and with the arguments of its format. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; table[i].en; i++) {
		const struct entry *e = &table[i];

		if (i && strcmp(table[i - 1].en, e->en) >= 0)
			fail_msg("\"%s\" stands before \"%s\"", table[i - 1].en, e->en);
		assert_string_equal(rs_tr(RS_LANG_ZH_TW, e->en), e->tr);
		assert_ptr_equal(rs_tr(RS_LANG_EN, e->en), e->en);
		assert_int_equal(rs_utf8_check(e->tr, strlen(e->tr)), -1);
		if (rs_format_matches(e->en, e->en) && !rs_format_matches(e->en, e->tr))
			fail_msg("the translation of \"%s\" takes other arguments: \"%s\"", e->en, e->tr);
	}
	assert_string_equal(rs_tr(RS_LANG_ZH_TW, "no such sentence"), "no such sentence");
	assert_string_equal(rs_tr(RS_LANG_ZH_TW, ""), "");
}

static void translated(const char *en)
{
	if (rs_tr(RS_LANG_ZH_TW, en) == en)
		fail_msg("no translation of \"%s\"", en);
}

static void test_vocabulary_is_translated(void **state)
{
	(void)state;
	for (unsigned k = 0; k < RS_KIND_COUNT; k++)
		translated(rs_kind_info(k)->sentence);
	for (unsigned i = 0; i < rs_counter_info_count; i++)
		translated(rs_counter_infos[i].sentence);
	for (unsigned i = 0; i < 256; i++) {
		if (rs_exit_info(i)) {
			translated(rs_exit_info(i)->sentence);
			translated(rs_exit_info(i)->handled);
		}
	}
}

/* ---- po2c.awk ---- */

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/ringside-base-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct rs_err err;
	(void)state;
	return rs_rmtree(dir, &err);
}

/* Runs the script with one awk on the files (relative to dir); what it prints into out. Its status. */
static int po2c(const char *awk, const char *files, struct rs_str *out)
{
	rs_auto_free char *cmd = rs_xasprintf("script=$PWD/tests/tools/po2c.awk; cd %s && "
					      "LC_ALL=C %s -f \"$script\" %s /dev/null 2>&1", dir, awk, files);
	FILE *p = popen(cmd, "r");
	char buf[4096];
	size_t n;

	assert_non_null(p);
	rs_str_clear(out);
	while ((n = fread(buf, 1, sizeof(buf), p)) > 0)
		rs_str_addn(out, buf, n);
	return pclose(p);
}

static void put(const char *name, const char *text)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", dir, name);
	struct rs_err err;

	assert_int_equal(rs_file_save(path, text, strlen(text), &err), 0);
}

static const char *const awks[] = { "mawk", "gawk", "gawk --posix", "original-awk", "busybox awk", "awk" };
#define AWKS (sizeof(awks) / sizeof(awks[0]))

static bool have(const char *awk)
{
	rs_auto_free char *cmd = rs_xasprintf("%s 'BEGIN { exit 0 }' >/dev/null 2>&1 </dev/null", awk);

	return system(cmd) == 0;
}

static void test_po2c(void **state)
{
	static const char first[] =
		"# a comment\n"
		"msgid \"\"\n"
		"msgstr \"\"\n"
		"\"Content-Type: text/plain\\n\"\n"
		"\n"
		"msgid \"b\"\n"
		"msgstr \"B\"\n"
		"#. no empty line between\n"
		"#: file.c:12\n"
		"msgid \"a \\\"quoted\\\" \\\\ tab\\t\"\n"
		"\"and \"\n"
		"  \"more\\n\"\n"
		"msgstr \"\"\n"
		"\"一 \\\"引號\\\"\"\n"
		"\"\\n二\"\n"
		"\n"
		"#, fuzzy, c-format\n"
		"msgid \"fuzzy\"\n"
		"msgstr \"not this\"\n"
		"\n"
		"#, c-format\n"
		"msgid \"after fuzzy %d\"\n"
		"msgstr \"this %d\"\n"
		"\n"
		"msgid \"untranslated\"\n"
		"msgstr \"\"\n"
		"\n"
		"#~ msgid \"obsolete\"\n"
		"#~ msgstr \"not this\"\n"
		"\n"
		"msgctxt \"menu\"\n"
		"msgid \"with context\"\n"
		"msgstr \"not this\"\n"
		"\n"
		"msgid \"file\"\n"
		"msgid_plural \"files\"\n"
		"msgstr[0] \"not this\"\n"
		"\n"
		"msgid \"octal \\101\\1012 \\x41!\"\n"
		"msgstr \"\\345\\255\\227\"\n"
		"msgid \"Z\"\r\n"
		"msgstr \"crlf\"\r\n"
		"\n"
		"msgid \"ab\"\n"
		"msgstr \"short\"\n"
		"\n"
		"msgid \"a\"\n"
		"msgstr \"shorter\"\n"
		"\n"
		"msgid \"10\"\n"
		"msgstr \"ten\"\n"
		"msgid \"9\"\n"
		"msgstr \"nine\"\n"
		"\n"
		"msgid \"\345\255\227\"\n"
		"msgstr \"bytes above 127 come last\"\n"
		"msgid \"last, without a newline\"\n"
		"msgstr \"x\"";
	static const char second[] =
		"msgid \"b\"\n"
		"msgstr \"the second loses\"\n"
		"\n"
		"msgid \"only here\"\n"
		"msgstr \"yes ?\?/ \\a\"\n";
	static const char want[] =
		"\t{ \"10\", \"ten\" },\n"
		"\t{ \"9\", \"nine\" },\n"
		"\t{ \"Z\", \"crlf\" },\n"
		"\t{ \"a\", \"shorter\" },\n"
		"\t{ \"a \\\"quoted\\\" \\\\ tab\\tand more\\n\", \"一 \\\"引號\\\"\\n二\" },\n"
		"\t{ \"ab\", \"short\" },\n"
		"\t{ \"after fuzzy %d\", \"this %d\" },\n"
		"\t{ \"b\", \"B\" },\n"
		"\t{ \"last, without a newline\", \"x\" },\n"
		"\t{ \"octal AA2 A!\", \"字\" },\n"
		"\t{ \"only here\", \"yes ?\\?/ \\007\" },\n"
		"\t{ \"字\", \"bytes above 127 come last\" },\n";
	rs_auto_str out = RS_STR_INIT;
	unsigned tried = 0;
	(void)state;

	put("a.po", first);
	put("b.po", second);
	for (size_t i = 0; i < AWKS; i++) {
		if (!have(awks[i]))
			continue;
		tried++;
		assert_int_equal(po2c(awks[i], "a.po b.po", &out), 0);
		if (strcmp(out.p, want) != 0)
			fail_msg("%s prints\n%s", awks[i], out.p);
		assert_int_equal(po2c(awks[i], "", &out), 0); /* no file at all */
		assert_string_equal(out.p, "");
	}
	print_message("tried %u versions of awk\n", tried);
	assert_true(tried > 0);
}

static void test_po2c_names_mistakes(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "msgid \"a\"\nmsgstr \"b\n", "a.po:2:" },
		{ "msgid \"a\"\n\nmsgstr \"b\"\n", "a.po:3: msgstr without a msgid" },
		{ "msgid \"a\"\nmsgstr \"b\"\nrubbish\n", "a.po:3: not a line of a PO file" },
		{ "\"alone\"\n", "a.po:1: a string without" },
		{ "msgid \"a\"b\"\nmsgstr \"b\"\n", "a.po:1: a double quote" },
		{ "msgid \"a\\q\"\nmsgstr \"b\"\n", "a.po:1: unknown escape \\q" },
		{ "msgid a\n", "a.po:1: a string must stand" },
	};
	rs_auto_str out = RS_STR_INIT;
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put("a.po", rows[i].text);
		for (size_t j = 0; j < AWKS; j++) {
			if (!have(awks[j]))
				continue;
			if (po2c(awks[j], "a.po", &out) == 0 || strncmp(out.p, rows[i].want, strlen(rows[i].want)) != 0)
				fail_msg("%s: \"%s\" gives %s", awks[j], rows[i].text, out.p);
		}
	}
}

static uint32_t word(const struct rs_str *mo, size_t at)
{
	uint32_t v;

	assert_true(at + 4 <= mo->len);
	memcpy(&v, mo->p + at, 4);
	return v;
}

/* gettext as the oracle: what msgfmt makes of our PO files is what the program finds. */
static void test_against_msgfmt(void **state)
{
	rs_auto_free char *mo_path = rs_xasprintf("%s/x.mo", dir);
	size_t compared = 0;
	glob_t g;
	(void)state;

	if (system("msgfmt --version >/dev/null 2>&1") != 0) {
		puts("skip: msgfmt (package gettext) is not installed");
		skip();
	}
	assert_int_equal(glob("assets/i18n/zh-TW/*.po", 0, NULL, &g), 0);
	for (size_t f = 0; f < g.gl_pathc; f++) {
		rs_auto_free char *cmd = rs_xasprintf("msgfmt --check-format -o %s %s", mo_path, g.gl_pathv[f]);
		rs_auto_str mo = RS_STR_INIT;
		struct rs_err err;

		if (system(cmd) != 0)
			fail_msg("msgfmt refuses %s", g.gl_pathv[f]);
		assert_int_equal(rs_file_read(mo_path, 1 << 24, &mo, &err), 0);
		assert_int_equal(word(&mo, 0), 0x950412de);
		for (uint32_t i = 0; i < word(&mo, 8); i++) {
			const char *id = mo.p + word(&mo, word(&mo, 12) + i * 8 + 4);
			const char *str = mo.p + word(&mo, word(&mo, 16) + i * 8 + 4);

			if (!*id)
				continue;
			/* a sentence of two parts may have two translations: the first file's counts */
			if (strcmp(rs_tr(RS_LANG_ZH_TW, id), str) != 0) {
				if (rs_tr(RS_LANG_ZH_TW, id) == id || f == 0)
					fail_msg("%s: \"%s\" is not found", g.gl_pathv[f], id);
				print_message("%s: \"%s\" has another translation elsewhere\n", g.gl_pathv[f], id);
			}
			compared++;
		}
	}
	globfree(&g);
	assert_true(compared + 1 >= sizeof(table) / sizeof(table[0])); /* no row from elsewhere */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_vocabulary_is_translated),
		cmocka_unit_test_setup_teardown(test_po2c, setup, teardown),
		cmocka_unit_test_setup_teardown(test_po2c_names_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_against_msgfmt, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
