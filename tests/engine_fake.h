/* For tests of sessions without KVM: a throw-away home, a lesson from text, and a kind of
 * experiment whose work is a function of the test's own.
 */
#ifndef TESTS_ENGINE_FAKE_H
#define TESTS_ENGINE_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/eng.h"
#include "engine/kinds.h"

struct fake {
	char home[64];          /* XDG_*_HOME lie here */
	char work[80];          /* a workspace */
	struct eng_kind kind;
	struct eng_lesson *lesson;
};

static inline void fake_home(struct fake *f)
{
	char path[128];

	snprintf(f->home, sizeof(f->home), "/tmp/ringside-test-XXXXXX");
	assert_non_null(mkdtemp(f->home));
	snprintf(f->work, sizeof(f->work), "%s/work", f->home);
	assert_int_equal(mkdir(f->work, 0700), 0);
	snprintf(path, sizeof(path), "%s/state", f->home);
	setenv("XDG_STATE_HOME", path, 1);
	snprintf(path, sizeof(path), "%s/data", f->home);
	setenv("XDG_DATA_HOME", path, 1);
	snprintf(path, sizeof(path), "%s/cache", f->home);
	setenv("XDG_CACHE_HOME", path, 1);
}

static inline void fake_write(const struct fake *f, const char *name, const char *text)
{
	char path[512];
	FILE *o;

	snprintf(path, sizeof(path), "%s/%s", f->work, name);
	o = fopen(path, "w");
	assert_non_null(o);
	fputs(text, o);
	assert_int_equal(fclose(o), 0);
}

/* `steps` is the YAML below `steps:`; its runs are `vm` with image: image.bin, done by `exec`. */
static inline void fake_lesson(struct fake *f, const char *steps,
			       int (*exec)(const struct eng_exec *x, struct rs_err *err))
{
	struct rs_err err = RS_ERR_INIT;
	char *yaml;
	char buf[600];
	int n = asprintf(&yaml, "schema: ringside/lesson/v1\nid: fake-lesson\n"
				"title: {en: T, zh-TW: T}\nsummary: {en: S, zh-TW: S}\n"
				"track: rings\nminutes: 1\nfiles: {starter: [image.bin, guest.S]}\n"
				"steps:\n%s", steps);

	f->lesson = eng_lesson_parse(yaml, (size_t)n, "fake.yaml", NULL, &err);
	if (!f->lesson)
		fail_msg("%s", rs_err_format(&err, RS_LANG_EN, buf, sizeof(buf)));
	free(yaml);
	f->kind = *eng_kind_by_name("vm");
	f->kind.exec = exec;
	for (unsigned i = 0; i < f->lesson->steps; i++)
		if (f->lesson->step[i].run)
			f->lesson->step[i].run->kind = &f->kind;
	fake_write(f, "image.bin", "\xf4");
}

static inline void fake_done(struct fake *f)
{
	eng_lesson_free(f->lesson);
	f->lesson = NULL;
	if (f->home[0])
		assert_int_equal(rs_rmtree(f->home, NULL), 0);
}

/* Files below a folder of the test's home, hidden ones left out; 0 when it is not there. */
static inline unsigned fake_count(const struct fake *f, const char *sub)
{
	char cmd[256];
	unsigned n = 0;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "find %s/%s -mindepth 1 2>/dev/null | wc -l", f->home, sub);
	p = popen(cmd, "r");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%u", &n), 1);
	pclose(p);
	return n;
}

#endif
