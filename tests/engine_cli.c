/* The command line: parser, help, generated files, and what run, list, start and doc say. */
#include <fcntl.h>
#include <poll.h>

#include "tests/engine_script.h"

/* How often `mark` stands in s. */
static unsigned occurrences(const char *s, const char *mark)
{
	unsigned n = 0;

	for (; (s = strstr(s, mark)); s++)
		n++;
	return n;
}

/* ---- the table ---- */

static void test_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; eng_cmds[i]; i++) {
		const struct eng_cmd *cmd = eng_cmds[i];
		const char *space = strchr(cmd->name, ' ');

		assert_ptr_equal(eng_cmd_find(cmd->name), cmd);
		assert_non_null(cmd->brief);
		/* half a sentence */
		assert_int_not_equal(cmd->brief[strlen(cmd->brief) - 1], '.');
		if (space) {
			rs_auto_free char *group = rs_xasprintf("%.*s", (int)(space - cmd->name), cmd->name);

			assert_non_null(eng_cmd_find(group));
			assert_null(eng_cmd_find(group)->run);
		}
		for (const struct eng_opt *o = cmd->opts; o && o->name; o++) {
			assert_non_null(o->help);
			if (o->arg == ENG_ARG_CHOICE)
				assert_non_null(o->choices);
			for (const struct eng_opt *p = o + 1; p->name; p++) {
				assert_string_not_equal(o->name, p->name);
				if (o->letter)
					assert_int_not_equal(o->letter, p->letter);
			}
			for (const struct eng_opt *p = eng_common_opts; p->name; p++) {
				assert_string_not_equal(o->name, p->name);
				if (o->letter)
					assert_int_not_equal(o->letter, p->letter);
			}
		}
	}
}

static void test_parser(void **state)
{
	(void)state;
	/* forms of one option */
	expect("grade crossings --format=json --solution", 0, "\"ringside/grade/v1\"");
	expect("grade crossings --format json --solution", 0, "\"ringside/grade/v1\"");
	expect("grade -fjson crossings --solution", 0, "\"ringside/grade/v1\"");
	expect("grade -f json --solution -- crossings", 0, "\"ringside/grade/v1\"");
	expect("grade --for json --sol crossings", 0, "\"ringside/grade/v1\"");
	expect("grade -f text -f json --solution crossings", 0, "\"ringside/grade/v1\"");
	expect("--lang zh-TW grade crossings --solution", 0, "跨越");
	expect("grade crossings --solution --lang=zh_TW.UTF-8", 0, "跨越");
	/* mistakes */
	expect("graed 101", 2, "!did you mean \"grade\"?");
	expect("101", 2, "!ringside lab 101");
	expect("grade --fromat json 101", 2, "!did you mean --format?");
	expect("grade --s 101", 2, "!beginning of several options");
	expect("grade --format jsn 101", 2, "!did you mean \"json\"?");
	expect("grade --engine xen 101", 2, "!it can be: kvm, soft, jit, interp");
	expect("grade --format", 2, "!--format wants a value: FORMAT");
	expect("grade -f", 2, "!-f wants a value: FORMAT");
	expect("grade --solution=yes 101", 2, "!--solution takes no value");
	expect("grade -x 101", 2, "!there is no option -x");
	expect("grade", 2, "!an argument is missing: LESSON|DIR...");
	expect("list 101", 2, "!takes no argument");
	expect("start 101 102", 2, "!one argument too many: \"102\"");
	expect("doc", 2, "!wants the name of a command");
	expect("doc mna", 2, "!did you mean \"doc man\"?");
	expect("help graed", 2, "!did you mean \"grade\"?");
	expect("--format json grade 101", 2, "!the options of a command come behind its name");
	expect("list --lang fr", 2, "!it can be: en, zh-TW");
	expect("grade --workspace= 101", 2, "!--workspace wants a value that is not empty");
	expect("run --plain --json 101", 2, "!exclude each other");
	expect("replay x --speed fast", 2, "!--speed wants a factor");
	expect("grade crosings", 2, "!crossings");
	expect("run 101 --step tusk", 2, "!no step \"tusk\"");
	/* version and help win over everything */
	expect("--version", 0, "ringside " RS_VERSION "\n");
	expect("grade --version", 0, "ringside " RS_VERSION "\n");
	expect("grade --help", 0, "usage: ringside grade [OPTION...] LESSON|DIR...");
	expect("--help", 0, "Exit codes:");
}

/* Every help text in both languages, within 80 columns. */
static void test_help(void **state)
{
	(void)state;
	for (unsigned l = 0; l < RS_LANGS; l++)
		for (int i = -1; i < 0 || eng_cmds[i]; i++) {
			rs_auto_str s = RS_STR_INIT;

			eng_help(i < 0 ? NULL : eng_cmds[i], l, 80, &s);
			assert_true(s.len > 40);
			assert_int_equal(rs_utf8_check(s.p, s.len), -1);
			for (const char *p = s.p; *p;) {
				size_t n = strcspn(p, "\n");

				if (rs_utf8_width(p, n) > 80)
					fail_msg("too wide: %.*s", (int)n, p);
				if (n && p[n - 1] == ' ')
					fail_msg("blank at the end: %.*s|", (int)n, p);
				p += n + (p[n] == '\n');
			}
		}
}

static void same_as_file(const char *command, const char *path)
{
	struct call c = call(command);
	rs_auto_str file = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;

	assert_int_equal(c.rc, 0);
	if (rs_file_read(path, 1 << 20, &file, &err) < 0)
		fail_msg("%s", err.text[0]);
	if (strcmp(file.p, c.out) != 0)
		fail_msg("%s is not what \"ringside %s\" makes: make it again", path, command);
	call_free(&c);
}

static void test_generated(void **state)
{
	rs_auto_str out = RS_STR_INIT;

	(void)state;
	same_as_file("doc man", "assets/man/ringside.1");
	same_as_file("doc bash", "assets/completions/ringside.bash");
	same_as_file("doc zsh", "assets/completions/_ringside");
	if (tool("bash -n assets/completions/ringside.bash", &out))
		fail_msg("%s", out.p);
	if (tool("command -v groff >/dev/null || exit 0; groff -man -ww -z assets/man/ringside.1", &out) ||
	    out.len)
		fail_msg("%s", out.p);
	if (tool("command -v zsh >/dev/null || exit 0; zsh -n assets/completions/_ringside", &out))
		fail_msg("%s", out.p);
}

/* bash itself completes. */
static void test_bash_completion(void **state)
{
	static const struct {
		const char *words, *want;
	} rows[] = {
		{ "ringside gr", "grade" },
		{ "ringside grade --format j", "json junit" },
		{ "ringside grade --engine ''", "kvm soft jit interp linux" },
		{ "ringside doc ma", "man" },
		{ "ringside --lang z", "zh-TW" },
		{ "ringside list --js", "--json" },
		{ "ringside help gra", "grade" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rs_auto_str out = RS_STR_INIT;
		rs_auto_free char *cmd = rs_xasprintf(
			"bash -c '. assets/completions/ringside.bash; eval \"COMP_WORDS=($0)\"; "
			"COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _ringside; echo ${COMPREPLY[*]}' \"%s\"",
			rows[i].words);

		assert_int_equal(tool(cmd, &out), 0);
		out.p[strcspn(out.p, "\n")] = 0;
		assert_string_equal(out.p, rows[i].want);
	}
}

static void test_doc(void **state)
{
	(void)state;
	for (unsigned k = 0; k < RS_KIND_COUNT; k++) {
		rs_auto_free char *head = rs_xasprintf("\n## %s\n", rs_kind_info(k)->name);

		expect("doc events", 0, head);
	}
	for (unsigned i = 0; i < rs_counter_info_count; i++)
		expect("doc counters", 0, rs_counter_infos[i].name);
	expect("doc exits", 0, "`io`");
	expect("doc schema", 0, "ringside/lesson/v1");
	expect("doc insns", 0, "riscv64\n");
	expect("doc insns riscv64", 0, "0000000 ttttt sssss 000 ddddd 0110011    rd = rs1 + rs2\n");
	expect("doc insns pdp11", 2, "!pdp11");
	expect("doc ir", 0, "brcond     a, b, condition, label");
	expect("--lang zh-TW doc ir", 0, "純運算");
}

/* ---- list, start, run ---- */

static void test_list(void **state)
{
	rs_auto_str out = RS_STR_INIT;
	struct call c;

	(void)state;
	expect("list", 0, "Crossings");
	expect("list --names", 0, "101\ncrossings\n102\nwaiting\n");
	expect("--lang zh-TW list", 0, "跨越");
	script_available = -ENOENT;
	expect("list", 0, "cannot run here: ");
	script_available = 0;
	c = call("list --json");
	put_file("list.json", c.out);
	call_free(&c);
	{
		rs_auto_free char *cmd = rs_xasprintf(
			"python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); l=d[\"lessons\"][0]; "
			"assert l[\"id\"]==\"crossings\" and l[\"max\"]==5 and l[\"runnable\"] is True and not "
			"l[\"begun\"]' %s/list.json", script_home);

		if (tool(cmd, &out))
			fail_msg("%s", out.p);
	}
	/* progress shows */
	expect("grade crossings", 1, "0 of 5");
	expect("list", 0, "0/5");
}

static void test_start(void **state)
{
	rs_auto_free char *file = rs_xasprintf("%s/ws/guest.txt", script_home);
	rs_auto_str text = RS_STR_INIT;

	(void)state;
	expect("start 101 --dir ~/ws", 0, "ringside watch crossings --workspace");
	assert_int_equal(access(file, R_OK), 0);
	/* what the student did stays, unless it is to be reset; then it is kept aside */
	put_file("ws/guest.txt", "mine\n");
	expect("start 101 --dir ~/ws", 0, NULL);
	assert_int_equal(rs_file_read(file, 100, &text, NULL), 0);
	assert_string_equal(text.p, "mine\n");
	expect("start 101 --dir ~/ws --reset", 0, NULL);
	rs_str_clear(&text);
	assert_int_equal(rs_file_read(file, 1000, &text, NULL), 0);
	assert_string_not_equal(text.p, "mine\n");
	/* a marked workspace stands for its lesson */
	expect("run ~/ws", 1, "FAILED");
	expect("start 999", 2, "!999");
}

static void test_run_plain(void **state)
{
	struct call c;

	(void)state;
	c = call("run crossings --solution");
	assert_int_equal(c.rc, 0);
	assert_says(c.out, "101 Crossings");
	assert_says(c.out, "Step 1 of 3: watch");
	assert_says(c.out, "Watch this.");
	assert_says(c.out, "Ring 3 to ring 0 by int");
	assert_says(c.out, "VM exit io from ring 0");
	assert_says(c.out, "serial| hello");
	assert_says(c.out, "The answer: 1."); /* the starter's: the solution comes with the task */
	assert_says(c.out, "Check three-crossings: passed, 2 of 2 points");
	assert_says(c.out, "5 of 5 points.");
	assert_string_equal(c.err, "ringside: played with the lesson's own solution\n");
	call_free(&c);

	c = call("run crossings");
	assert_int_equal(c.rc, 1);
	assert_says(c.out, "Task: change guest.txt in ");
	assert_says(c.out, "Check three-crossings: FAILED, 0 of 2 points");
	assert_says(c.out, "expected: count(cpu.ring where from == 3 and to == 0 and via == \"int\")");
	assert_says(c.out, "found:    1");
	assert_says(c.out, "hint: Count the lines.");
	assert_says(c.out, "(1 more: --hints)");
	call_free(&c);
	expect("run crossings --hints", 1, "hint: Add one line.");
	expect("run crossings --step task", 1, "Step 3 of 3: task");

	c = call_lang(RS_LANG_ZH_TW, "run crossings");
	assert_int_equal(c.rc, 1);
	assert_says(c.out, "101 跨越");
	if (strstr(c.out, "FAILED") || strstr(c.out, "expected") || strstr(c.out, "Check"))
		fail_msg("English in the Chinese text:\n%s", c.out);
	call_free(&c);

	script_available = -ENOENT;
	expect("run crossings", 77, "!no /dev/kvm");
	expect("lab", 77, "!no terminal here");
	script_available = 0;
	expect("lab", 0, "5 of 5 points."); /* no terminal: told with its solution */
	expect("run crossings --workspace ~/none", 2, "!there is no workspace");
}

static void test_run_json(void **state)
{
	rs_auto_str out = RS_STR_INIT;
	struct call c = call("run crossings --json");

	(void)state;
	assert_int_equal(c.rc, 1);
	put_file("run.json", c.out);
	call_free(&c);
	{
		rs_auto_free char *cmd = rs_xasprintf(
			"python3 -c '\nimport json,sys\nl=[json.loads(x) for x in open(sys.argv[1])]\n"
			"t=[x[\"type\"] for x in l]\n"
			"assert t[0]==\"lesson\" and t[-1]==\"end\", t\n"
			"assert t.count(\"step\")==3 and t.count(\"check\")==2 and t.count(\"prediction\")==1\n"
			"r=[x for x in l if x[\"type\"]==\"event\" and x[\"kind\"]==\"cpu.ring\"]\n"
			"assert r[0][\"args\"][\"via\"]==\"int\" and r[0][\"args\"][\"from\"]==3, r\n"
			"k=[x for x in l if x[\"type\"]==\"check\"][0]\n"
			"assert k[\"verdict\"]==\"failed\" and k[\"found\"]==\"1\" and k[\"points\"]==0, k\n"
			"assert l[-1][\"verdict\"]==\"failed\"\n' %s/run.json", script_home);

		if (tool(cmd, &out))
			fail_msg("%s", out.p);
	}
}

/* Bytes of a guest must not command the terminal. */
static void test_control_bytes(void **state)
{
	struct call c;

	(void)state;
	put_file("ws/guest.txt", "serial \033]0;owned\a\xff hello\nend halted\n");
	c = call("run crossings --workspace ~/ws");
	assert_int_equal(c.rc, 1);
	assert_says(c.out, "serial| \\x1b]0;owned\\x07\\xff hello");
	assert_null(strchr(c.out, '\033'));
	call_free(&c);
	c = call("grade crossings --workspace ~/ws");
	assert_null(strchr(c.out, '\033'));
	call_free(&c);
}

static void test_record_replay(void **state)
{
	struct call a, b;

	(void)state;
	/* told again in the same words; and a replay needs no KVM */
	a = call("record crossings ~/s.rec --solution");
	assert_int_equal(a.rc, 0);
	script_available = -ENOENT;
	b = call("replay ~/s.rec");
	assert_int_equal(b.rc, 0);
	assert_string_equal(a.out, b.out);
	call_free(&a);
	call_free(&b);
	script_available = 0;
	expect("record crossings ~/r.rec", 1, "FAILED");
	a = call("replay ~/r.rec");
	assert_int_equal(a.rc, 1);
	assert_says(a.out, "Ring 3 to ring 0 by int");
	assert_says(a.out, "found:    1");
	call_free(&a);
	/* a run that failed is told as such */
	put_file("ws/guest.txt", "error\n");
	a = call("record crossings ~/e.rec --workspace ~/ws");
	assert_int_equal(a.rc, 3);
	b = call("replay ~/e.rec");
	assert_int_equal(b.rc, 3);
	assert_says(b.out, "the engine failed on purpose");
	assert_int_equal(occurrences(a.out, "the engine failed on purpose"),
			 occurrences(b.out, "the engine failed on purpose"));
	call_free(&a);
	call_free(&b);
	a = call("replay ~/r.rec --grade");
	b = call("grade crossings");
	assert_int_equal(a.rc, b.rc);
	/* the same but for the line with the workspace */
	assert_says(a.out, "expected: ");
	assert_says(b.out, strstr(a.out, "  FAILED"));
	call_free(&a);
	call_free(&b);
	expect("replay ~/r.rec --json", 1, "\"type\":\"end\"");
	expect("replay ~/none.rec", 2, "!none.rec");
	put_file("bad.rec", "this is no recording");
	expect("replay ~/bad.rec", 2, "!bad.rec");
	expect("record crossings /dev/full --solution", 3, "!");
}

/* Predictions are asked for at a terminal; nonsense is asked again, an empty line is no guess. */
static void test_predict(void **state)
{
	static const struct {
		const char *typed, *says;
	} rows[] = {
		{ "1\n", "You predicted 1, and so it was." },
		{ "x\n 7 \n", "You predicted 7; it was 1." },
		{ "\n", "The answer: 1." },
		{ "", "The answer: 1." },
	};
	static const struct eng_ui none;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char *argv[] = { (char *)"ringside", (char *)"run", (char *)"crossings",
				 (char *)"--solution", NULL };
		char *out = NULL, *err = NULL;
		size_t n = 0, m = 0;
		struct eng_cli c = { .ui = &none, .in_tty = true };
		FILE *in = tmpfile();

		fputs(rows[i].typed, in);
		rewind(in);
		c.in = in;
		c.out = open_memstream(&out, &n);
		c.err = open_memstream(&err, &m);
		assert_int_equal(eng_cli_main(&c, 4, argv), 0);
		fclose(c.out);
		fclose(c.err);
		fclose(in);
		assert_says(out, "Your guess (Enter: none): ");
		if (i == 1)
			assert_says(out, "That is not a number that fits.");
		assert_says(out, rows[i].says);
		free(out);
		free(err);
	}
}

/* ---- watch ---- */

static pid_t start_watch(int *fd)
{
	int pipes[2];
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		static const struct eng_ui none;
		rs_auto_free char *ws = rs_xasprintf("%s/ws", script_home);
		char *argv[] = { (char *)"ringside", (char *)"watch", (char *)"crossings",
				 (char *)"--workspace", ws, (char *)"--until-done", NULL };
		struct eng_cli c = { .ui = &none };

		close(pipes[0]);
		c.out = fdopen(pipes[1], "w");
		c.err = fdopen(dup(pipes[1]), "w");
		setvbuf(c.err, NULL, _IONBF, 0);
		_exit(eng_cli_main(&c, 6, argv));
	}
	close(pipes[1]);
	*fd = pipes[0];
	return pid;
}

/* Reads until `mark` has come `times` times, or 20 s have gone. */
static void read_until(int fd, struct rs_str *s, const char *mark, unsigned times)
{
	for (unsigned ms = 0; ms < 20000; ms += 50) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		unsigned n = 0;
		char buf[4096];

		for (const char *q = s->p; (q = strstr(q, mark)); q++)
			n++;
		if (n >= times)
			return;
		if (poll(&p, 1, 50) > 0) {
			ssize_t k = read(fd, buf, sizeof(buf));

			if (k <= 0)
				break;
			rs_str_addn(s, buf, (size_t)k);
		}
	}
	fail_msg("\"%s\" did not come %u times:\n%s", mark, times, s->p);
}

static void test_watch(void **state)
{
	rs_auto_str out = RS_STR_INIT, solution = RS_STR_INIT;
	rs_auto_free char *file = rs_xasprintf("%s/ws/guest.txt", script_home);
	int fd, status;
	pid_t pid;
	FILE *f;

	(void)state;
	expect("start crossings --dir ~/ws", 0, NULL);
	pid = start_watch(&fd);
	read_until(fd, &out, "of 5 points", 1);
	/* an editor that writes in place, in several pieces: one run */
	f = fopen(file, "w");
	fputs("serial hello\n", f);
	fflush(f);
	script_sleep(30);
	fputs("ring 3 0 int\nend halted\n", f);
	fclose(f);
	read_until(fd, &out, "3 of 5 points", 1);
	/* a save that changes nothing, and another file: no run */
	f = fopen(file, "a");
	fclose(f);
	put_file("ws/.guest.txt.swp", "x");
	put_file("ws/4913", "x");
	script_sleep(600);
	assert_int_equal(occurrences(out.p, "--- "), 2);
	/* a file that comes from elsewhere by a rename alone, and one written beside and renamed */
	put_file("elsewhere", "serial hello\nring 3 0 int\nring 3 0 int\nend halted\n");
	{
		rs_auto_free char *from = rs_xasprintf("%s/elsewhere", script_home);

		assert_int_equal(rename(from, file), 0);
	}
	read_until(fd, &out, "found:    2", 1);
	assert_int_equal(rs_file_read("tests/lessons/cli/101-crossings/solution/guest.txt", 4096, &solution,
				      NULL), 0);
	put_file("ws/guest.txt", solution.p);
	read_until(fd, &out, "5 of 5 points", 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(occurrences(out.p, "--- "), 4);
	close(fd);

	/* the folder goes: so does the watch */
	put_file("ws/guest.txt", "end halted\n");
	rs_str_clear(&out);
	pid = start_watch(&fd);
	read_until(fd, &out, "0 of 5 points", 1);
	{
		rs_auto_free char *ws = rs_xasprintf("%s/ws", script_home);

		assert_int_equal(rs_rmtree(ws, NULL), 0);
	}
	read_until(fd, &out, "is gone", 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 3);
	close(fd);
}

/* A result that could not be written is no result. */
static void test_full_disk(void **state)
{
	static const struct eng_ui none;
	char *argv[] = { (char *)"ringside", (char *)"list", NULL };
	struct eng_cli c = { .ui = &none };
	char *err = NULL;
	size_t n = 0;

	(void)state;
	c.out = fopen("/dev/full", "w");
	c.err = open_memstream(&err, &n);
	assert_int_equal(eng_cli_main(&c, 2, argv), ENG_EXIT_INTERNAL);
	fclose(c.out);
	fclose(c.err);
	assert_says(err, "could not be written");
	free(err);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, script_setup, script_teardown)
	const struct CMUnitTest tests[] = {
		T(test_rows), T(test_parser), T(test_help), T(test_generated), T(test_bash_completion),
		T(test_doc), T(test_list), T(test_start), T(test_run_plain), T(test_run_json),
		T(test_control_bytes), T(test_predict), T(test_watch), T(test_record_replay), T(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
