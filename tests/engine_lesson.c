/* The lesson loader: what a good lesson becomes, and a lesson with a mistake of every kind. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/kinds.h"

#define BAD "tests/lessons/bad"

static const char good[] =
	"schema: ringside/lesson/v1\n"
	"id: good\n"
	"aliases: [old-good, older-good]\n"
	"title: {en: Good, zh-TW: 好}\n"
	"summary: {en: It loads., zh-TW: 可以載入。}\n"
	"track: rings\n"
	"minutes: 15\n"
	"concepts: [ring, cpl]\n"
	"prerequisites: [first]\n"
	"requires: [x86-guest]\n"
	"engines: [kvm]\n"
	"files:\n"
	"  starter: [guest.S]\n"
	"steps:\n"
	"  - id: watch\n"
	"    text: {en: Look., zh-TW: 看。}\n"
	"    run:\n"
	"      vm:\n"
	"        source: guest.S\n"
	"        entry: prot32\n"
	"        memory: 2M\n"
	"        load: 0x20000\n"
	"        holes: [{at: 0x100000, size: 8K}]\n"
	"        tables: false\n"
	"        user-pages: false\n"
	"        trace: steps\n"
	"        input: \"hi\\n\"\n"
	"        memory-view: 0x21000\n"
	"    views: [rings, memory]\n"
	"    timeout: 1500ms\n"
	"  - id: guess\n"
	"    text: {en: Guess., zh-TW: 猜。}\n"
	"    predict:\n"
	"      ask: {en: Which?, zh-TW: 哪一個？}\n"
	"      answer: count(cpu.ring) % 2\n"
	"      choices: [{en: even, zh-TW: 偶數}, {en: odd, zh-TW: 奇數}]\n"
	"  - id: task\n"
	"    text: {en: Change., zh-TW: 改。}\n"
	"    task: {edit: guest.S}\n"
	"    views: [exits]\n"
	"    checks:\n"
	"      - id: three\n"
	"        points: 2\n"
	"        expect: count(cpu.ring where via == \"int\") == 3\n"
	"        why: {en: Three., zh-TW: 三。}\n"
	"        hint: [{en: a, zh-TW: 甲}, {en: b, zh-TW: 乙}]\n"
	"      - id: one-more\n"
	"        expect: exists(vm.end)\n";

static struct eng_lesson *load(const char *text)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_lesson *l = eng_lesson_parse(text, strlen(text), "good.yaml", NULL, &err);
	char buf[800];

	if (!l)
		print_error("%s\n", rs_err_format(&err, RS_LANG_EN, buf, sizeof(buf)));
	assert_non_null(l);
	return l;
}

static void a_good_lesson(void **state)
{
	struct eng_lesson *l = load(good);
	const struct vmm_desc *d;

	(void)state;
	assert_string_equal(l->id, "good");
	assert_int_equal(l->aliases.n, 2);
	assert_string_equal(l->aliases.v[1], "older-good");
	assert_string_equal(eng_text(&l->title, RS_LANG_EN), "Good");
	assert_string_equal(eng_text(&l->title, RS_LANG_ZH_TW), "好");
	assert_string_equal(l->track, "rings");
	assert_int_equal(l->minutes, 15);
	assert_int_equal(l->prerequisites.line, 9);
	assert_int_equal(l->points, 3);
	assert_int_equal(l->steps, 3);
	assert_string_equal(l->yaml.p, good);

	const struct eng_step *s = l->step;
	assert_true(s[0].own_run && !s[1].own_run && !s[2].own_run);
	assert_ptr_equal(s[0].run, s[2].run);
	assert_string_equal(eng_run_kind(s[0].run), "vm");
	assert_string_equal(eng_run_source(s[2].run), "guest.S");
	assert_int_equal(eng_run_memory_view(s[0].run), 0x21000);
	assert_int_equal(s[0].run->line, 18);
	assert_int_equal(s[0].run->col, 7);
	d = &s[0].run->vm.desc;
	assert_int_equal(d->entry, VMM_ENTRY_PROT32);
	assert_int_equal(d->memory, 2 << 20);
	assert_int_equal(d->load, 0x20000);
	assert_int_equal(d->holes, 1);
	assert_int_equal(d->hole[0].gpa, 0x100000);
	assert_int_equal(d->hole[0].size, 8192);
	assert_false(d->tables || d->user_pages);
	assert_int_equal(d->trace, VMM_TRACE_STEPS);
	assert_string_equal(d->serial_input, "hi\n");
	assert_int_equal(s[0].timeout_ns, 1500000000);
	assert_int_equal(s[1].timeout_ns, 10000000000);
	assert_int_equal(s[1].views, 2);
	assert_int_equal(s[1].view[1], ENG_VIEW_memory);
	assert_int_equal(s[2].views, 1);
	assert_int_equal(s[2].view[0], ENG_VIEW_exits);

	assert_int_equal(s[1].predict->choices, 2);
	assert_string_equal(s[1].predict->source, "count(cpu.ring) % 2");
	assert_string_equal(s[2].task->edit, "guest.S");
	const struct eng_check *c = s[2].check;
	assert_int_equal(s[2].checks, 2);
	assert_int_equal(c[0].points, 2);
	assert_int_equal(c[1].points, 1);
	assert_int_equal(c[0].hints, 2);
	assert_string_equal(eng_text(&c[0].hint[1], RS_LANG_ZH_TW), "乙");
	assert_string_equal(eng_text(c[0].why, RS_LANG_EN), "Three.");
	assert_null(c[1].why);
	assert_int_equal(c[0].line, 42);
	assert_string_equal(eng_view_infos[ENG_VIEW_rings].name, "rings");
	eng_lesson_free(l);
}

/* Everything that the loader leaves out is defined, too. */
static void defaults(void **state)
{
	struct eng_lesson *l = load(
		"{schema: ringside/lesson/v1, id: m, title: {en: a, zh-TW: b}, summary: {en: a, zh-TW: b},\n"
		" track: kvm, minutes: 1, steps: [{id: s, text: {en: a, zh-TW: b}}]}\n");

	(void)state;
	assert_int_equal(l->step[0].views + l->step[0].checks + l->points + l->engines.n, 0);
	assert_null(l->step[0].run);
	assert_string_equal(eng_run_kind(NULL), "");
	assert_string_equal(eng_run_source(NULL), "");
	assert_int_equal(eng_run_memory_view(NULL), 0);
	assert_string_equal(l->folder, "");
	assert_int_equal(l->number, 0);
	assert_int_equal(eng_lesson_runnable(l, NULL, NULL), 0); /* it asks for nothing */
	eng_lesson_free(l);
}

/* ---- mistakes ---- */

/* The first line of a broken lesson: "# expect: 12:5: sentence". */
static void one_mistake(const char *name, unsigned *wrong)
{
	rs_auto_free char *path = rs_xasprintf(BAD "/%s", name);
	rs_auto_str text = RS_STR_INIT;
	rs_auto_str got = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;

	assert_int_equal(rs_file_read(path, 1 << 21, &text, &err), 0);
	assert_int_equal(strncmp(text.p, "# expect: ", 10), 0);
	size_t n = strcspn(text.p, "\n");
	struct eng_lesson *l = eng_lesson_parse(text.p, text.len, name, BAD, &err);
	if (l)
		rs_str_add(&got, "it loads");
	else
		rs_str_addf(&got, "%d:%d: %s", err.line, err.col, err.text[RS_LANG_EN]);
	if (n - 10 != got.len || memcmp(text.p + 10, got.p, got.len)) {
		print_error("%s\n  gave   %s\n  wanted %.*s\n", name, got.p, (int)(n - 10), text.p + 10);
		++*wrong;
	}
	if (!l) {
		assert_string_equal(err.file, name);
		assert_int_equal(err.code == -EINVAL || err.code == -EFBIG, 1);
		assert_int_not_equal(err.text[RS_LANG_ZH_TW][0], 0);
	}
	eng_lesson_free(l);
}

static void every_mistake(void **state)
{
	rs_auto_closedir DIR *d = opendir(BAD);
	const struct dirent *e;
	unsigned n = 0, wrong = 0;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len < 6 || strcmp(e->d_name + len - 5, ".yaml"))
			continue;
		one_mistake(e->d_name, &wrong);
		n++;
	}
	print_message("%u broken lessons\n", n);
	assert_true(n > 100);
	assert_int_equal(wrong, 0);
}

/* Every sentence that a broken lesson gets is there in Chinese. */
static void mistakes_in_chinese(void **state)
{
	rs_auto_closedir DIR *d = opendir(BAD);
	const struct dirent *e;
	unsigned missing = 0;

	(void)state;
	while ((e = readdir(d))) {
		rs_auto_free char *path = rs_xasprintf(BAD "/%s", e->d_name);
		rs_auto_str text = RS_STR_INIT;
		struct rs_err err = RS_ERR_INIT;

		if (!strstr(e->d_name, ".yaml") || rs_file_read(path, 1 << 21, &text, NULL))
			continue;
		struct eng_lesson *l = eng_lesson_parse(text.p, text.len, e->d_name, BAD, &err);
		if (!l && !strcmp(err.text[RS_LANG_EN], err.text[RS_LANG_ZH_TW])) {
			print_error("no Chinese: %s\n", err.text[RS_LANG_EN]);
			missing++;
		}
		eng_lesson_free(l);
	}
	assert_int_equal(missing, 0);
}

/* Cut off anywhere, a lesson is refused at a place inside it. */
static void truncated(void **state)
{
	unsigned loaded = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		struct rs_err err = RS_ERR_INIT;
		struct eng_lesson *l = eng_lesson_parse(good, n, "cut", NULL, &err);

		loaded += l != NULL;
		if (!l) {
			assert_true(err.line >= 1 && err.line <= 50);
			assert_true(err.col >= 1);
			assert_int_not_equal(err.text[0][0], 0);
		}
		eng_lesson_free(l);
	}
	/* after a complete step the lesson is a lesson, and the last check needs only its head */
	print_message("%u of %zu beginnings are lessons\n", loaded, sizeof(good) - 1);
	assert_true(loaded > 20 && loaded < sizeof(good) / 4);
}

/* ---- folders ---- */

static char base[] = "/tmp/ringside-lesson-XXXXXX";

static void put(const char *name, const char *text)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", base, name);
	rs_auto_free char *dir = rs_xstrdup(path);

	*strrchr(dir, '/') = 0;
	assert_int_equal(rs_mkdirs(dir, NULL), 0);
	assert_int_equal(rs_file_save(path, text, strlen(text), NULL), 0);
}

static int folder_setup(void **state)
{
	(void)state;
	strcpy(base + strlen(base) - 6, "XXXXXX");
	if (!mkdtemp(base))
		return -1;
	put("202-good/lesson.yaml", good);
	put("202-good/guest.S", "hlt\n");
	return 0;
}

static int folder_teardown(void **state)
{
	(void)state;
	return rs_rmtree(base, NULL);
}

static struct eng_lesson *load_dir(const char *name, struct rs_err *err)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", base, name);

	return eng_lesson_load(path, err);
}

static void from_folder(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	static const char *const ways[] = { "202-good", "202-good/", "202-good//", "202-good/lesson.yaml" };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct eng_lesson *l = load_dir(ways[i], &err);

		assert_non_null(l);
		assert_string_equal(l->folder, "202-good");
		assert_int_equal(l->number, 202);
		eng_lesson_free(l);
	}
	char cwd[4096];
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	rs_auto_free char *dir = rs_xasprintf("%s/202-good", base);
	assert_int_equal(chdir(dir), 0);
	struct eng_lesson *l = eng_lesson_load("lesson.yaml", &err);
	assert_int_equal(chdir(cwd), 0);
	assert_non_null(l);
	assert_string_equal(l->folder, "202-good");
	eng_lesson_free(l);
	assert_null(load_dir("nothing", &err));
	assert_int_equal(err.code, -ENOENT);
	put("empty/x", "");
	assert_null(load_dir("empty", &err));
	assert_non_null(strstr(err.text[0], "there is no lesson.yaml in"));
}

static void wrong_answers(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	put("202-good/wrong/three/guest.S", "nop\n");
	put("202-good/wrong/three.no-iret/guest.S", "nop\n");
	put("202-good/wrong/.hidden/x", "");
	struct eng_lesson *l = load_dir("202-good", &err);
	assert_non_null(l);
	assert_int_equal(l->wrongs, 2);
	assert_string_equal(l->wrong[0].name, "three");
	assert_string_equal(l->wrong[1].name, "three.no-iret");
	assert_string_equal(l->wrong[1].check, "three");
	eng_lesson_free(l);

	put("202-good/wrong/thre/guest.S", "nop\n");
	assert_null(load_dir("202-good", &err));
	assert_non_null(strstr(err.file, "/wrong/thre"));
	assert_string_equal(err.text[0], "the folder names no check: there is no \"thre\"; did you mean "
					 "\"three\"?");
	rs_auto_free char *thre = rs_xasprintf("%s/202-good/wrong/thre", base);
	assert_int_equal(rs_rmtree(thre, NULL), 0);

	put("202-good/wrong/one-more/gust.S", "nop\n");
	assert_null(load_dir("202-good", &err));
	assert_string_equal(err.text[0], "\"gust.S\" is not one of the lesson's starter files");
	rs_auto_free char *more = rs_xasprintf("%s/202-good/wrong/one-more", base);
	assert_int_equal(rs_rmtree(more, NULL), 0);
	assert_int_equal(rs_mkdirs(more, NULL), 0);
	assert_null(load_dir("202-good", &err));
	assert_string_equal(err.text[0], "the folder holds no file");
	assert_int_equal(rs_rmtree(more, NULL), 0);
	put("202-good/wrong/one-more", "a file\n");
	assert_null(load_dir("202-good", &err));
	assert_string_equal(err.text[0], "wrong/ holds folders, each named after the check that it must fail");
}

static void file_is_a_link(void **state)
{
	rs_auto_free char *path = rs_xasprintf("%s/202-good/guest.S", base);
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_null(load_dir("202-good", &err));
	assert_string_equal(err.text[0], "\"guest.S\" is not a regular file");
}

/* ---- the JSON schema ---- */

static void committed_schema(void **state)
{
	rs_auto_str file = RS_STR_INIT;
	rs_auto_str made = RS_STR_INIT;

	(void)state;
	eng_schema_json(&made);
	assert_int_equal(rs_file_read("assets/schema/lesson-v1.schema.json", 1 << 20, &file, NULL), 0);
	/* after a change of the table: ringside doc schema >assets/schema/lesson-v1.schema.json */
	assert_string_equal(file.p, made.p);
}

/* Mistakes that a JSON schema cannot see: they need two keys, the file system, or the expression
 * language, or are about YAML itself. */
static bool beyond_schema(const char *name)
{
	static const char *const beyond[] = {
		"alias-", "answer-", "check-twice", "edit-", "expr-b", "expr-c", "expr-e", "expr-f", "expr-i",
		"expr-k", "expr-n", "expr-t", "expr-v", "fence-", "file-directory", "file-missing",
		"file-starter", "hint-repeats", "hint-without-run", "hole-", "load-", "predict-without-run",
		"prerequisite-itself", "size-", "source-not", "step-twice", "type-title-lines", "vm-",
		"view-twice", "view-other-kind", "file-twice", "duration-", "yaml-", "utf8", "control", "deep", "empty",
		"key-twice", "type-minutes-octal", "type-bool-yes", "type-bool-quoted", "file-hidden",
	};

	for (unsigned i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
		if (!strncmp(name, beyond[i], strlen(beyond[i])))
			return true;
	return false;
}

/* A validator of other people must accept our lessons and refuse what the schema can see. */
static void other_validator(void **state)
{
	FILE *p = popen("tests/tools/schema-check.py assets/schema/lesson-v1.schema.json "
			"labs/*/lesson.yaml " BAD "/*.yaml 2>/dev/null", "r");
	char buf[512];
	unsigned ok = 0, refused = 0, beyond = 0, wrong = 0;
	bool ours;

	(void)state;
	assert_non_null(p);
	while (fgets(buf, sizeof(buf), p)) {
		char *name = strrchr(buf, '/');

		buf[strcspn(buf, "\n")] = 0;
		if (!strncmp(buf, "skip: ", 6)) {
			print_message("%s\n", buf);
			pclose(p);
			skip();
		}
		ours = strstr(buf, " labs/") != NULL;
		ok += ours && !strncmp(buf, "ok", 2);
		refused += !ours && !strncmp(buf, "bad", 3);
		beyond += !ours && !strncmp(buf, "ok", 2);
		if (ours ? strncmp(buf, "ok", 2) : !strncmp(buf, "ok", 2) && !beyond_schema(name + 1)) {
			print_error("the validator says %s\n", buf);
			wrong++;
		}
	}
	assert_int_equal(pclose(p), 0);
	print_message("the validator accepts %u lessons, refuses %u broken ones, and cannot see what is wrong "
		      "with %u\n", ok, refused, beyond);
	assert_int_equal(wrong, 0);
	/* it must not refuse them all for one reason that is no mistake */
	assert_true(ok > 0 && refused > 50 && beyond > 30);
}

static void abilities(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	assert_int_equal(eng_ability("xyzzy", &err), -ENOENT);
	assert_int_equal(eng_ability("x86-gest", &err), -ENOENT);
	assert_string_equal(err.text[0], "unknown ability \"x86-gest\"; did you mean \"x86-guest\"?");
	int rc = eng_ability("root", &err);
	assert_int_equal(rc, geteuid() ? -EPERM : 0);
	/* an engine that the lesson does not claim */
	struct eng_lesson *l = load(good);
	rs_auto_free char *path = rs_xstrdup(getenv("PATH") ? getenv("PATH") : "");
	free(l->requires_.v[0]);
	l->requires_.n = 0;
	if (!eng_ability("cc", NULL)) {
		assert_int_equal(eng_lesson_runnable(l, "soft", &err), -ENOTSUP);
		assert_string_equal(err.text[0], "the lesson good is not made for the engine soft");
	}
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	assert_int_equal(eng_lesson_runnable(l, "kvm", &err), -ENOENT);
	setenv("PATH", path, 1);
	assert_string_equal(err.text[0], "this machine lacks cc (an assembler and a linker); install gcc and "
					 "binutils");
	eng_lesson_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_lesson),
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_mistake),
		cmocka_unit_test(mistakes_in_chinese),
		cmocka_unit_test(truncated),
		cmocka_unit_test_setup_teardown(from_folder, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(wrong_answers, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(file_is_a_link, folder_setup, folder_teardown),
		cmocka_unit_test(committed_schema),
		cmocka_unit_test(other_validator),
		cmocka_unit_test(abilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
