/* Layers: the bytes that are written, and unpacking, also of archives that mean harm. */
#include "tests/containers_image.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* ---- writing ---- */

static char *layer_digest(enum ctr_compress c, unsigned threads, const char *tree)
{
	struct ctr_tree_opts o = { .root = true };
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l = begin(c, threads);
	rs_auto_close int fd = open(tree, O_RDONLY | O_DIRECTORY);
	char diff_id[CTR_DIGEST_SIZE];
	struct ctr_desc d;

	ok(ctr_layer_tree(l, fd, tree, &o, &err), &err);
	ok(ctr_layer_finish(l, &d, diff_id, &err), &err);
	return rs_xstrdup(d.digest);
}

static void make_tree(const char *at, bool backwards)
{
	mode_t mask = umask(backwards ? 077 : 0);

	assert_int_equal(mkdir(at, 0755), 0);
	chmod(at, 0755);
	for (int i = 0; i < 60; i++) {
		int k = backwards ? 59 - i : i;
		rs_auto_free char *p = rs_xasprintf("%s/file%02d", at, k);
		rs_auto_free char *text = rs_xmalloc((size_t)k * 2000 + 1);

		for (int j = 0; j < k * 2000; j++)
			text[j] = (char)('a' + (j * 7 + k + j / 100) % 26);
		text[k * 2000] = '\0';
		put(p, text);
		chmod(p, 0644);
	}
	rs_auto_free char *link = rs_xasprintf("%s/link", at), *first = rs_xasprintf("%s/file01", at);
	assert_int_equal(linkat(AT_FDCWD, first, AT_FDCWD, link, 0), 0);
	umask(mask);
}

/* The same tree, made in another order, with another umask and at another time, by any number of
 * threads, gives the same bytes. */
static void test_reproducible(void **state)
{
	(void)state;
	make_tree("one", false);
	make_tree("two", true);
	for (int c = 0; c <= CTR_PLAIN; c++) {
		rs_auto_free char *first = layer_digest(c, 1, "one");

		for (unsigned threads = 1; threads <= 5; threads += 2) {
			rs_auto_free char *again = layer_digest(c, threads, "two");

			assert_string_equal(first, again);
		}
	}
}

/* GNU tar reads every entry as it was meant; it is not the library that we read with. */
static void test_oracle_tar(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l = begin(CTR_GZIP, 1);
	rs_auto_free char *command = NULL;
	char diff_id[CTR_DIGEST_SIZE], name[300], deep[300] = "", line[1024];
	struct ctr_xattr x = { "user.mark", "a\nb", 3 };
	struct ctr_desc d;
	static const char *const want[] = {
		"drwxr-xr-t 7/8 0 1970-01-01 00:00 dir/",
		"-rwsr-xr-x 0/0 5 1970-01-01 00:00 dir/plain",
		"lrwxrwxrwx 0/0 0 1970-01-01 00:00 sym -> ../../etc",
		"crw-rw-rw- 0/0 1,3 1970-01-01 00:00 null",
		"prw-r--r-- 0/0 0 1970-01-01 00:00 fifo",
		"hrw-r--r-- 0/0 0 1970-01-01 00:00 hard link to dir/plain",
		"-rw-r--r-- 4000000000/3000000 3 2286-11-20 17:46 big",
		"-rw-r--r-- 0/0 1 1969-12-31 23:59 old",
	};
	unsigned found = 0;

	(void)state;
	add(l, "dir/plain", S_IFREG | 04755, "hello");
	add(l, "sym", S_IFLNK | 0777, "../../etc");
	add(l, "fifo", S_IFIFO | 0644, NULL);
	add(l, "hard", S_IFREG | 0644, "=dir/plain");
	struct ctr_entry e[] = {
		{ .path = "dir", .mode = S_IFDIR | 01755, .uid = 7, .gid = 8 },
		{ .path = "null", .mode = S_IFCHR | 0666, .rdev = makedev(1, 3) },
		{ .path = "big", .mode = S_IFREG | 0644, .uid = 4000000000u, .gid = 3000000, .size = 3, .mtime = 10000000000 - 800 },
		{ .path = "old", .mode = S_IFREG | 0644, .size = 1, .mtime = -2, .mtime_ns = 500000000, .xattr = &x, .xattrs = 1 },
	};
	e[2].mtime = 9999999999;
	for (unsigned i = 0; i < 4; i++) {
		ok(ctr_layer_entry(l, &e[i], &err), &err);
		ok(ctr_layer_data(l, "abc", e[i].size, &err), &err);
	}
	memset(name, 'n', 200);
	strcpy(name + 200, "\xe4\xb8\xad");
	add(l, name, S_IFREG | 0644, "long");
	for (int i = 0; i < 28; i++)
		strcat(deep, "12345678/");
	strcat(deep, "end");
	add(l, deep, S_IFREG | 0644, "deep");
	ok(ctr_layer_finish(l, &d, diff_id, &err), &err);
	command = rs_xasprintf("TZ=UTC tar --numeric-owner -tvzf store/blobs/sha256/%s | tr -s ' ' && tar --xattrs -xzOf store/blobs/sha256/%s %s",
			       d.digest + 7, d.digest + 7, deep);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
			if (strcmp(line, want[i]) == 0)
				found++;
		if ((strstr(line, name) || strstr(line, "nnnnnnnnnn\\344\\270\\255")) && strstr(line, " 4 "))
			found++;
		if (strstr(line, deep) || strcmp(line, "deep") == 0)
			found++;
	}
	assert_int_equal(pclose(f), 0);
	assert_int_equal(found, sizeof(want) / sizeof(want[0]) + 3);
}

/* A file of 1 GiB with a few bytes in it: written in no time, unpacked as a sparse file. */
static void test_sparse(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_new o = { .compress = CTR_ZSTD };
	rs_auto_close int fd = -1;
	struct ctr_image im;
	struct ctr_desc d;
	struct stat st;
	char text[8] = "";

	(void)state;
	assert_int_equal(mkdir("tree", 0755), 0);
	fd = open("tree/sparse", O_RDWR | O_CREAT, 0644);
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	assert_int_equal(pwrite(fd, "middle", 6, 33 << 20), 6);
	ok(ctr_image_import(store, "tree", "sparse", &o, &d, &err), &err);
	ok(ctr_image_read(store, &d, NULL, &im, &err), &err);
	ok(ctr_image_unpack(store, &im, "out", NULL, NULL, &err), &err);
	assert_int_equal(stat("out/sparse", &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
	rs_auto_close int back = open("out/sparse", O_RDONLY);
	assert_int_equal(pread(back, text, 6, 33 << 20), 6);
	assert_string_equal(text, "middle");
	ctr_image_release(&im);
}

/* ---- unpacking ---- */

static void test_whiteouts(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l[3];
	struct ctr_image im;
	struct stat st;

	(void)state;
	l[0] = begin(CTR_GZIP, 1);
	add(l[0], "etc", S_IFDIR | 0755, NULL);
	add(l[0], "etc/a", S_IFREG | 0644, "a");
	add(l[0], "etc/b", S_IFREG | 0644, "b");
	add(l[0], "var/x/deep", S_IFREG | 0644, "x");
	add(l[0], "var/y", S_IFREG | 0644, "y");
	add(l[0], "swap", S_IFDIR | 0755, NULL);
	add(l[0], "swap/in", S_IFREG | 0644, "in");
	l[1] = begin(CTR_GZIP, 1);
	add(l[1], "etc/.wh.a", S_IFREG | 0644, NULL);
	add(l[1], "var/new", S_IFREG | 0644, "new"); /* before the mark: stays */
	add(l[1], "var/.wh..wh..opq", S_IFREG | 0644, NULL);
	add(l[1], "swap", S_IFREG | 0600, "a file now");
	l[2] = begin(CTR_GZIP, 1);
	add(l[2], "etc", S_IFDIR | 0700, NULL);
	add(l[2], "etc/.wh.nothing", S_IFREG | 0644, NULL);
	image_of(l, 3, NULL, &im);
	ok(ctr_image_unpack(store, &im, "out", NULL, NULL, &err), &err);
	assert_false(exists("out/etc/a"));
	assert_true(exists("out/etc/b"));
	assert_false(exists("out/var/x"));
	assert_false(exists("out/var/y"));
	assert_true(exists("out/var/new"));
	assert_false(exists("out/etc/.wh.a"));
	assert_int_equal(lstat("out/swap", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat("out/etc", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* the archive of the same image holds the same tree */
	rs_auto_close int fd = open("flat.tar", O_RDWR | O_CREAT, 0644);
	ok(ctr_image_flatten(store, &im, fd, &err), &err);
	assert_int_equal(system("mkdir flat && tar -xf flat.tar -C flat && diff -r out flat"), 0);
	ctr_image_release(&im);
}

/* Each of these must end in a sentence, or unpack inside the target; "outside" stays as it is. */
static void test_hostile(void **state)
{
	static const struct {
		struct {
			const char *path;
			mode_t mode;
			const char *text;
		} e[4];
		const char *says;    /* NULL: unpacked, inside */
		const char *inside;  /* what is then there */
	} rows[] = {
		{ { { "../outside/new", S_IFREG | 0644, "x" } }, "\"..\" in its name", NULL },
		{ { { "a/../../outside/new", S_IFREG | 0644, "x" } }, "\"..\" in its name", NULL },
		{ { { "/outside/new", S_IFREG | 0644, "x" } }, NULL, "out/outside/new" },
		{ { { "l", S_IFLNK | 0777, "../outside" }, { "l/new", S_IFREG | 0644, "x" } }, "leads nowhere", NULL },
		{ { { "outside", S_IFDIR | 0755, NULL }, { "l", S_IFLNK | 0777, "../../outside" }, { "l/new", S_IFREG | 0644, "x" } },
		  NULL, "out/outside/new" },
		{ { { "etc", S_IFDIR | 0755, NULL }, { "l", S_IFLNK | 0777, "/etc" }, { "l/passwd", S_IFREG | 0644, "x" } }, NULL, "out/etc/passwd" },
		{ { { "l", S_IFLNK | 0777, "../outside/file" }, { "l", S_IFREG | 0644, "replaced" } }, NULL, "out/l" },
		{ { { "h", S_IFREG | 0644, "=../outside/file" } }, "\"..\" in its name", NULL },
		{ { { "h", S_IFREG | 0644, "=nothing" } }, "which is not there", NULL },
		{ { { "l", S_IFLNK | 0777, "../outside/file" }, { "h", S_IFREG | 0644, "=l" }, { "h", S_IFREG | 0600, "own" } }, NULL, "out/h" },
		{ { { "a", S_IFLNK | 0777, "b" }, { "b", S_IFLNK | 0777, "a" }, { "a/x", S_IFREG | 0644, "x" } }, "in circles", NULL },
		{ { { "f", S_IFREG | 0644, "x" }, { "f/x", S_IFREG | 0644, "x" } }, "not a folder", NULL },
		{ { { ".wh...", S_IFREG | 0644, NULL } }, "names no file", NULL },
		{ { { ".wh.", S_IFREG | 0644, NULL } }, "names no file", NULL },
		{ { { "outside", S_IFDIR | 0755, NULL }, { "l", S_IFLNK | 0777, "../outside" }, { "l/.wh.file", S_IFREG | 0644, NULL } },
		  NULL, "out/outside" },
		{ { { "outside", S_IFDIR | 0755, NULL }, { "l", S_IFLNK | 0777, "../outside" }, { "l/.wh..wh..opq", S_IFREG | 0644, NULL } },
		  NULL, "out/outside" },
		{ { { ".", S_IFREG | 0644, "x" } }, "not a folder", NULL },
	};

	(void)state;
	assert_int_equal(mkdir("outside", 0755), 0);
	put("outside/file", "untouched");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rs_err err = RS_ERR_INIT;
		struct ctr_layer *l = begin(CTR_PLAIN, 1);
		rs_auto_str text = RS_STR_INIT;
		struct ctr_image im;
		int ret;

		for (unsigned k = 0; k < 4 && rows[i].e[k].path; k++)
			add(l, rows[i].e[k].path, rows[i].e[k].mode, rows[i].e[k].text);
		image_of(&l, 1, NULL, &im);
		ret = ctr_image_unpack(store, &im, "out", NULL, NULL, &err);
		if (rows[i].says) {
			if (ret >= 0)
				fail_msg("row %u was unpacked", i);
			assert_says(&err, rows[i].says);
			assert_false(exists("out")); /* nothing half-done */
		} else {
			if (ret < 0)
				fail_msg("row %u: %s", i, err.text[RS_LANG_EN]);
			if (!exists(rows[i].inside))
				fail_msg("row %u: no %s", i, rows[i].inside);
		}
		assert_false(exists("outside/new"));
		ok(rs_file_read("outside/file", 100, &text, &err), &err);
		assert_string_equal(text.p, "untouched");
		ctr_image_release(&im);
		rs_rmtree("out", NULL);
	}
}

/* A bomb, and too many entries: stopped at the limit. */
static void test_limits(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l = begin(CTR_GZIP, 0);
	struct ctr_entry e = { .path = "bomb", .mode = S_IFREG | 0644, .size = 40 << 20 };
	rs_auto_free char *zero = rs_xcalloc(1, 40 << 20);
	struct ctr_limits bytes = { 10 << 20, 0 }, entries = { 0, 1 };
	struct ctr_image im;

	(void)state;
	ok(ctr_layer_entry(l, &e, &err), &err);
	ok(ctr_layer_data(l, zero, e.size, &err), &err);
	add(l, "second", S_IFREG | 0644, "x");
	image_of(&l, 1, NULL, &im);
	assert_true(im.layer[0].size < 100000);
	assert_int_equal(ctr_image_unpack(store, &im, "out", &bytes, NULL, &err), -EFBIG);
	assert_says(&err, "more is not allowed");
	assert_int_equal(ctr_image_unpack(store, &im, "out", &entries, NULL, &err), -EFBIG);
	assert_false(exists("out"));
	ok(ctr_image_unpack(store, &im, "out", NULL, NULL, &err), &err);
	ctr_image_release(&im);
}

/* 120 archives with one byte changed, with digests that match: unpacked inside, or a sentence. */
static void test_corrupted(void **state)
{
	rs_auto_str good = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l = begin(CTR_PLAIN, 1);
	char diff_id[CTR_DIGEST_SIZE], path[120];
	unsigned refused = 0;
	struct ctr_desc d;

	(void)state;
	assert_int_equal(mkdir("outside", 0755), 0);
	add(l, "usr/bin/tool", S_IFREG | 0755, "content of the tool");
	add(l, "link", S_IFLNK | 0777, "../outside");
	add(l, "hard", S_IFREG | 0644, "=usr/bin/tool");
	add(l, "a-name-that-is-too-long-for-the-hundred-bytes-of-a-ustar-header-and-so-needs-a-record-of-its-own-in-a-pax-header",
	    S_IFREG | 0644, "long");
	ok(ctr_layer_finish(l, &d, diff_id, &err), &err);
	snprintf(path, sizeof(path), "store/blobs/sha256/%s", d.digest + 7);
	ok(rs_file_read(path, 1 << 20, &good, &err), &err);
	for (unsigned i = 0; i < 120; i++) {
		struct ctr_image im;
		size_t at = (i * 2654435761u) % good.len;
		char was = good.p[at];

		memset(&err, 0, sizeof(err));
		good.p[at] = (char)(i % 3 == 0 ? was ^ (1 << (i % 8)) : i % 3 == 1 ? 0xff : '/');
		/* a header's checksum does not protect it from somebody who means it */
		for (size_t h = 0; i % 2 && h + 512 <= good.len; h += 512) {
			unsigned sum = 0;

			if (memcmp(good.p + h + 257, "ustar", 5) != 0)
				continue;
			memset(good.p + h + 148, ' ', 8);
			for (unsigned k = 0; k < 512; k++)
				sum += (unsigned char)good.p[h + k];
			snprintf(good.p + h + 148, 8, "%06o", sum);
		}
		l = begin(CTR_PLAIN, 1);
		ok(ctr_layer_raw(l, good.p, good.len, &err), &err);
		image_of(&l, 1, NULL, &im);
		if (ctr_image_unpack(store, &im, "out", NULL, NULL, &err) < 0) {
			refused++;
			assert_true(err.code < 0 && err.text[RS_LANG_EN][0]);
			assert_false(exists("out"));
		}
		assert_int_equal(rmdir("outside"), 0); /* still empty */
		assert_int_equal(mkdir("outside", 0755), 0);
		ctr_image_release(&im);
		rs_rmtree("out", NULL);
		good.p[at] = was;
	}
	assert_true(refused > 20);
}

/* With root: owners, devices, extended attributes, times. */
static void test_attributes(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l = begin(CTR_GZIP, 1);
	struct ctr_xattr x = { "user.mark", "v", 1 };
	struct ctr_entry e[] = {
		{ .path = "d", .mode = S_IFDIR | 0500, .uid = 12, .gid = 34, .mtime = 1000 },
		{ .path = "d/f", .mode = S_IFREG | 06711, .uid = 56, .gid = 78, .mtime = 2000, .xattr = &x, .xattrs = 1 },
		{ .path = "n", .mode = S_IFCHR | 0620, .rdev = makedev(5, 1), .mtime = 3000 },
	};
	struct ctr_image im;
	struct stat st;
	char v[4];

	(void)state;
	if (geteuid() != 0) {
		printf("skip: owners and devices need root\n");
		skip();
	}
	for (unsigned i = 0; i < 3; i++)
		ok(ctr_layer_entry(l, &e[i], &err), &err);
	image_of(&l, 1, NULL, &im);
	ok(ctr_image_unpack(store, &im, "out", NULL, NULL, &err), &err);
	ctr_image_release(&im);
	assert_int_equal(stat("out/d", &st), 0);
	assert_true(st.st_uid == 12 && st.st_gid == 34 && st.st_mtime == 1000 && (st.st_mode & 07777) == 0500);
	assert_int_equal(stat("out/d/f", &st), 0);
	assert_true(st.st_uid == 56 && st.st_gid == 78 && st.st_mtime == 2000 && (st.st_mode & 07777) == 06711);
	if (getxattr("out/d/f", "user.mark", v, 4) != 1)
		printf("skip: no user attributes in /tmp here\n");
	if (lstat("out/n", &st) == 0) {
		assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 1) && (st.st_mode & 07777) == 0620);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reproducible, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oracle_tar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sparse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whiteouts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_corrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
