/* Dependencies point one way: tui -> engine -> {vmm, emu, containers} -> engine/base, and
 * vmm -> emu. Reads every source file's #include lines and holds them against one table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/base/str.h"

/* One row a folder: what its files may include besides their own folder and engine/base. */
static const struct {
	const char *folder;
	const char *may[6];
} arrows[] = {
	{ "engine/base", { NULL } },
	{ "emu", { NULL } },
	{ "containers", { NULL } },
	{ "vmm", { "emu/emu.h", "emu/ia_cpu.h" } },
	{ "engine", { "vmm/vmm.h", "emu/emu.h", "containers/ctr.h", "containers/image.h", "containers/box.h" } },
	{ "tui", { "engine/eng.h", "engine/views.def", "engine/tracks.def" } },
};

/* Headers that these files alone may include. */
static const struct {
	const char *header;
	const char *only_file;
} doors[] = {
	{ "curses", "tui/term.c" },
	{ "yaml.h", "engine/yaml.c" },
	{ "Zydis", "vmm/disasm.c" }, /* its text and the tracer's questions */
	{ "Zydis", "vmm/virt_decode.c" }, /* operands of sensitive instructions */
	{ "seccomp.h", "engine/sandbox.c" },
	{ "seccomp.h", "containers/seccomp.c" },
};

static const char *folder_of(const char *path)
{
	const char *best = NULL;
	for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++) {
		size_t n = strlen(arrows[i].folder);
		if (!strncmp(path, arrows[i].folder, n) && path[n] == '/' &&
		    (!best || n > strlen(best)))
			best = arrows[i].folder;
	}
	return best;
}

/* Why `path` may not include "target", or NULL when it may. */
static const char *objection(const char *path, const char *target)
{
	bool guarded = false, open = false;
	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++)
		/* engine/yaml.h is our own, <yaml.h> is the library's; <linux/seccomp.h> is the kernel's */
		if (!folder_of(target) && strncmp(target, "linux/", 6) && strstr(target, doors[i].header)) {
			guarded = true;
			open |= !strcmp(path, doors[i].only_file);
		}
	if (guarded && !open)
		return "only the files named in this test may include this header";
	const char *from = folder_of(path), *to = folder_of(target);
	if (!from || !to || !strcmp(from, to) || !strcmp(to, "engine/base"))
		return NULL;
	for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++) {
		if (strcmp(arrows[i].folder, from))
			continue;
		for (unsigned k = 0; k < 6 && arrows[i].may[k]; k++)
			if (!strcmp(arrows[i].may[k], target))
				return NULL;
	}
	return "this include points against the arrows, or past the folder's public header";
}

static struct rs_str findings;
static unsigned files_read, includes_read;
static const char *root;

static void check_file(const char *path)
{
	const char *rel = path + strlen(root) + 1;
	rs_auto_str text = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;

	if (rs_file_read(path, 4 << 20, &text, &err) < 0) {
		rs_str_addf(&findings, "%s: %s\n", rel, err.text[RS_LANG_EN]);
		return;
	}
	files_read++;
	int line = 0;
	for (char *p = text.p, *next; p && *p; p = next) {
		char target[256], close;
		line++;
		next = strchr(p, '\n');
		if (next)
			*next++ = '\0';
		if (sscanf(p, " # include %*[\"<]%255[^\">]%c", target, &close) != 2 &&
		    sscanf(p, " #include %*[\"<]%255[^\">]%c", target, &close) != 2)
			continue;
		includes_read++;
		const char *why = objection(rel, target);
		if (why)
			rs_str_addf(&findings, "%s:%d: includes %s: %s\n", rel, line, target, why);
	}
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)f;
	const char *dot = strrchr(path, '.');
	if (type == FTW_F && dot && (!strcmp(dot, ".c") || !strcmp(dot, ".h") || !strcmp(dot, ".def")) &&
	    folder_of(path + strlen(root) + 1))
		check_file(path);
	return 0;
}

static unsigned scan(const char *dir)
{
	rs_str_clear(&findings);
	files_read = includes_read = 0;
	root = dir;
	for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++) {
		if (!strcmp(arrows[i].folder, "engine/base")) /* engine's walk reads it */
			continue;
		rs_auto_free char *sub = rs_xasprintf("%s/%s", dir, arrows[i].folder);
		nftw(sub, visit, 16, FTW_PHYS);
	}
	return files_read;
}

static void includes_follow_the_arrows(void **state)
{
	(void)state;
	assert_true(scan(".") > 40);
	assert_true(includes_read > 200);
	if (findings.len)
		print_error("%s", findings.p);
	assert_int_equal(findings.len, 0);
}

static void plant(const char *dir, const char *file, const char *line)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *path = rs_xasprintf("%s/%s", dir, file);
	rs_auto_free char *folder = rs_xstrdup(path);
	*strrchr(folder, '/') = '\0';
	assert_int_equal(rs_mkdirs(folder, &err), 0);
	assert_int_equal(rs_file_save(path, line, strlen(line), &err), 0);
}

/* The test itself is tested: each planted include is found, each allowed one is not. */
static void planted_includes_are_found(void **state)
{
	(void)state;
	static const struct {
		const char *file, *line;
		bool wrong;
	} plants[] = {
		{ "vmm/a.c", "#include \"engine/eng.h\"\n", true },
		{ "engine/base/a.c", "#include \"vmm/vmm.h\"\n", true },
		{ "engine/a.c", "#include \"vmm/cpu.h\"\n", true },
		{ "engine/b.c", "#  include \"tui/grid.h\"\n", true },
		{ "emu/a.c", "#include \"vmm/vmm.h\"\n", true },
		{ "containers/a.c", "#include \"emu/emu.h\"\n", true },
		{ "tui/pane.c", "#include <curses.h>\n", true },
		{ "tui/a.c", "#include \"engine/kinds.h\"\n", true },
		{ "engine/a.c", "#include \"vmm/vmm.h\"\n", false },
		{ "vmm/a.c", "#include \"emu/emu.h\"\n", false },
		{ "tui/a.c", "#include \"engine/eng.h\"\n", false },
		{ "tui/term.c", "#include <curses.h>\n", false },
		{ "vmm/a.c", "#include \"engine/base/err.h\"\n", false },
	};
	char dir[] = "/tmp/rs-layering-XXXXXX";
	struct rs_err err = RS_ERR_INIT;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		plant(dir, plants[i].file, plants[i].line);
		assert_int_equal(scan(dir), 1);
		if ((findings.len > 0) != plants[i].wrong)
			fail_msg("%s with %s: %s", plants[i].file, plants[i].line, findings.p);
		rs_auto_free char *path = rs_xasprintf("%s/%s", dir, plants[i].file);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rs_rmtree(dir, &err), 0);
}

static int setup(void **state)
{
	(void)state;
	findings = (struct rs_str)RS_STR_INIT;
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rs_str_release(&findings);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(includes_follow_the_arrows),
		cmocka_unit_test(planted_includes_are_found),
	};
	return cmocka_run_group_tests_name("layering", tests, setup, teardown);
}
