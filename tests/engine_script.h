/* The whole command line without KVM: this test double of vmm_run "runs" the guest image as a script,
 * a line a deed. What a lesson's guest.txt says happens, through the real child process, ring,
 * evidence, checks and formats.
 *
 *   ring FROM TO VIA     call NAME      exit REASON     fault VECTOR
 *   serial TEXT          end OUTCOME [CODE]             sleep MS
 *   hang                 abort          error           fork
 */
#ifndef TESTS_ENGINE_SCRIPT_H
#define TESTS_ENGINE_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/cli.h"
#include "vmm/vmm.h"

/* What vmm_available answers: 0, or -ENOENT as on a machine without KVM. soft is never there. */
static int script_available;

int vmm_available(const char *engine, struct rs_err *err)
{
	if (engine && strcmp(engine, "soft") == 0)
		return rs_err_set(err, -ENOSYS, "the software CPU is not part of this test");
	if (script_available < 0)
		return rs_err_set(err, script_available, "this machine has no /dev/kvm");
	return 0;
}

unsigned vmm_probe(struct vmm_ability *out, unsigned max)
{
	assert_true(max >= 2);
	out[0] = (struct vmm_ability){ "kvm.device", VMM_REAL, { { "opened" } }, NULL };
	out[1] = (struct vmm_ability){ "kvm.ring3.syscall", VMM_BROKEN, { { "CPL stays 3" } }, "Use int 0x80." };
	return 2;
}

static void script_sleep(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

int vmm_run(const struct vmm_desc *d, struct rs_emitter *em, int control_fd,
	    int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct vmm_result *res,
	    struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT;
	uint64_t serial = 0;
	int rc = rs_file_read(d->image, 1 << 16, &text, err);

	(void)control_fd;
	(void)seal;
	(void)seal_arg;
	memset(res, 0, sizeof(*res));
	res->outcome = RS_OUT_HALTED;
	for (char *s = text.p, *nl; rc == 0 && *s; s = nl) {
		char word[32] = "", name[64] = "";
		unsigned a = 0, b = 0;
		uint64_t v = 0;

		nl = strchrnul(s, '\n');
		if (*nl)
			*nl++ = 0;
		sscanf(s, "%31s", word);
		if (sscanf(s, "ring %u %u %63s", &a, &b, name) == 3) {
			rs_unit_value(RS_UNIT_via, name, &v);
			rs_emit(em, RS_EV_CPU_RING, RS_SRC_STEP, 0, a, b, v, 0x10000 + (uint64_t)(s - text.p),
				NULL);
		} else if (sscanf(s, "call %63s", name) == 1) {
			rs_unit_value(RS_UNIT_call, name, &v);
			rs_emit(em, RS_EV_KVM_CALL, RS_SRC_MONITOR, 0, v, 0, 7, 1200, "type=0");
		} else if (sscanf(s, "exit %63s", name) == 1) {
			rs_unit_value(RS_UNIT_exit, name, &v);
			rs_count(em, RS_CTR_VM_EXITS + (unsigned)v, 1);
			rs_emit(em, RS_EV_VM_EXIT, RS_SRC_EXIT, 0, v, 0x10000, 0, 0x3f8, NULL);
			res->exits++;
		} else if (sscanf(s, "fault %u", &a) == 1) {
			rs_emit(em, RS_EV_CPU_FAULT, RS_SRC_STEP, 0, a, 0, 0x10000, 3, NULL);
		} else if (strcmp(word, "serial") == 0) {
			rs_emit_out(em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &serial, s + 7, strlen(s + 7));
			rs_emit_out(em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &serial, "\n", 1);
		} else if (sscanf(s, "end %63s %u", name, &a) >= 1) {
			rs_unit_value(RS_UNIT_outcome, name, &v);
			res->outcome = (enum rs_outcome)v;
			res->code = a;
		} else if (sscanf(s, "sleep %u", &a) == 1) {
			script_sleep(a);
		} else if (strcmp(word, "hang") == 0) {
			for (;;)
				script_sleep(1000);
		} else if (strcmp(word, "abort") == 0) {
			abort();
		} else if (strcmp(word, "error") == 0) {
			return rs_err_set(err, -EIO, "the engine failed on purpose");
		}
	}
	rs_emit(em, RS_EV_VM_END, RS_SRC_MONITOR, 0, res->outcome, res->code, 0x10000, res->exits, NULL);
	return rc;
}

/* ---- one call of the program ---- */

struct call {
	int rc;
	char *out, *err;
	size_t out_n, err_n;
};

static char script_home[64];

static inline int script_setup(void **state)
{
	char path[128];

	(void)state;
	snprintf(script_home, sizeof(script_home), "/tmp/ringside-cli-XXXXXX");
	assert_non_null(mkdtemp(script_home));
	snprintf(path, sizeof(path), "%s/state", script_home);
	setenv("XDG_STATE_HOME", path, 1);
	snprintf(path, sizeof(path), "%s/data", script_home);
	setenv("XDG_DATA_HOME", path, 1);
	snprintf(path, sizeof(path), "%s/cache", script_home);
	setenv("XDG_CACHE_HOME", path, 1);
	setenv("RINGSIDE_LABS", "tests/lessons/cli", 1);
	script_available = 0;
	return 0;
}

static inline void call_free(struct call *c)
{
	free(c->out);
	free(c->err);
	memset(c, 0, sizeof(*c));
}

/* Nothing that a test makes stays, and no child process of it lives. */
static inline int script_teardown(void **state)
{
	(void)state;
	assert_int_equal(rs_rmtree(script_home, NULL), 0);
	return 0;
}

/* Words are separated by single blanks; "~" stands for the test's own folder. */
static inline struct call call_lang(enum rs_lang lang, const char *line)
{
	static const struct eng_ui none;
	rs_auto_free char *copy = rs_xstrdup(line);
	struct call r = { 0 };
	struct eng_cli c = { .lang = lang, .ui = &none };
	char *argv[32] = { (char *)"ringside" }, *owned[32];
	int argc = 1, n = 0;

	for (char *w = strtok(copy, " "); w && argc < 31; w = strtok(NULL, " ")) {
		const char *home = strchr(w, '~');

		if (home) {
			owned[n] = rs_xasprintf("%.*s%s%s", (int)(home - w), w, script_home, home + 1);
			w = owned[n++];
		}
		argv[argc++] = w;
	}
	c.out = open_memstream(&r.out, &r.out_n);
	c.err = open_memstream(&r.err, &r.err_n);
	r.rc = eng_cli_main(&c, argc, argv);
	fclose(c.out);
	fclose(c.err);
	while (n)
		free(owned[--n]);
	return r;
}

static inline struct call call(const char *line)
{
	return call_lang(RS_LANG_EN, line);
}

static inline void assert_says(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text ? text : "");
}

/* One call that must end with `rc` and say `part` on its output (`!part`: on its error output). */
static inline void expect(const char *line, int rc, const char *part)
{
	struct call c = call(line);

	if (c.rc != rc)
		fail_msg("ringside %s: exit code %d, not %d\n%s%s", line, c.rc, rc, c.out, c.err);
	if (part && *part == '!')
		assert_says(c.err, part + 1);
	else if (part)
		assert_says(c.out, part);
	call_free(&c);
}

static inline void put_file(const char *name, const char *text)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", script_home, name);
	rs_auto_free char *dir = rs_xstrdup(path);

	*strrchr(dir, '/') = 0;
	rs_mkdirs(dir, NULL);
	assert_int_equal(rs_file_save(path, text, strlen(text), NULL), 0);
}

/* Runs a program of the machine; its exit status, output in `out`. 127: not installed. */
static inline int tool(const char *command, struct rs_str *out)
{
	rs_auto_free char *quiet = rs_xasprintf("{ %s\n} 2>&1", command);
	FILE *p = popen(quiet, "re");
	char buf[1024];
	size_t n;
	int rc;

	assert_non_null(p);
	while ((n = fread(buf, 1, sizeof(buf), p)) > 0)
		rs_str_addn(out, buf, n);
	rc = pclose(p);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

#endif
