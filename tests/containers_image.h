/* What the tests of images share: a folder of their own, a store in it, archives made entry by entry. */
#ifndef TESTS_CONTAINERS_IMAGE_H
#define TESTS_CONTAINERS_IMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/image_private.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

static char dir[64]; /* each test runs in its own */
static struct ctr_store *store;

static inline int setup(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	strcpy(dir, "/tmp/ringside-image-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return -1;
	store = ctr_store_open("store", true, &err);
	return store ? 0 : -1;
}

static inline int teardown(void **state)
{
	(void)state;
	ctr_store_close(store);
	return chdir("/") == 0 && rs_rmtree(dir, NULL) == 0 ? 0 : -1;
}

static inline void ok(int ret, const struct rs_err *err)
{
	if (ret < 0)
		fail_msg("%s", err->text[RS_LANG_EN]);
}

static inline void assert_says(const struct rs_err *err, const char *part)
{
	if (!strstr(err->text[RS_LANG_EN], part))
		fail_msg("\"%s\" does not say \"%s\"", err->text[RS_LANG_EN], part);
}

static inline void put(const char *path, const char *text)
{
	rs_auto_fclose FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
}

static inline bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline struct ctr_layer *begin(enum ctr_compress c, unsigned threads)
{
	struct ctr_layer_opts o = { c, 0, threads };
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l = ctr_layer_begin(store, &o, &err);

	ok(l ? 0 : -1, &err);
	return l;
}

/* One entry; `text` is the content of a file, or where a link leads ("=PATH": a hard link). */
static inline void add(struct ctr_layer *l, const char *path, mode_t mode, const char *text)
{
	struct ctr_entry e = { .path = path, .mode = mode };
	struct rs_err err = RS_ERR_INIT;

	if (text && *text == '=') {
		e.hard = true;
		e.link = text + 1;
	} else if (S_ISLNK(mode)) {
		e.link = text;
	} else if (S_ISREG(mode) && text) {
		e.size = strlen(text);
	}
	ok(ctr_layer_entry(l, &e, &err), &err);
	if (e.size)
		ok(ctr_layer_data(l, text, e.size, &err), &err);
}

/* Ends the layers and makes an image of them, named `name`. */
static inline void image_of(struct ctr_layer **l, unsigned n, const char *name, struct ctr_image *im)
{
	struct json_object *config = ctr_config_new(NULL, 0);
	struct ctr_desc d[8], m;
	char diff_id[8][CTR_DIGEST_SIZE];
	struct rs_err err = RS_ERR_INIT;

	for (unsigned i = 0; i < n; i++)
		ok(ctr_layer_finish(l[i], &d[i], diff_id[i], &err), &err);
	ok(ctr_image_write(store, config, d, diff_id, n, NULL, &m, &err), &err);
	json_object_put(config);
	if (name)
		ok(ctr_store_tag(store, name, &m, &err), &err);
	ok(ctr_image_read(store, &m, NULL, im, &err), &err);
}

#endif
