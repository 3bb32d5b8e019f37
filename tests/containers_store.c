/* The content store: names, documents, concurrent writers, kills, the collector, verify. */
#include "tests/containers_image.h"

#include <signal.h>

static void test_names(void **state)
{
	static const struct {
		const char *text, *name, *tag; /* NULL: refused */
	} rows[] = {
		{ "alpine", "alpine", "latest" }, { "alpine:3.20", "alpine", "3.20" },
		{ "host:5000/a/b-c__d.e:x_Y.1-2", "host:5000/a/b-c__d.e", "x_Y.1-2" },
		{ "localhost/x", "localhost/x", "latest" }, { "a--b", "a--b", "latest" },
		{ "Alpine", NULL, NULL }, { "", NULL, NULL }, { "a/", NULL, NULL }, { "/a", NULL, NULL },
		{ "a:", NULL, NULL }, { "a:.b", NULL, NULL }, { "a..b", NULL, NULL }, { "a_", NULL, NULL },
		{ "a@sha256:12", NULL, NULL }, { "a b", NULL, NULL }, { "../a", NULL, NULL },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rs_err err = RS_ERR_INIT;
		struct ctr_ref r;
		int ret = ctr_ref_parse(rows[i].text, &r, &err);

		if ((ret == 0) != (rows[i].name != NULL))
			fail_msg("\"%s\": %d", rows[i].text, ret);
		if (ret < 0)
			continue;
		assert_string_equal(r.name, rows[i].name);
		assert_string_equal(r.tag, rows[i].tag);
	}
}

static void test_json_places(void **state)
{
	static const struct {
		const char *text, *pointer;
		int line, col;
	} rows[] = {
		{ "{\"a\": 1,\n  \"b\": [10, {\"c\": \"x\"}]}", "/a", 1, 7 },
		{ "{\"a\": 1,\n  \"b\": [10, {\"c\": \"x\"}]}", "/b/1/c", 2, 19 },
		{ "{\"a\": 1,\n  \"b\": [10, {\"c\": \"x\"}]}", "/b/7", 2, 8 },
		{ "{\"a~/\": {\"\\\"\": 2}, \"z\": 3}", "/z", 1, 25 },
		{ "{\"\xe4\xb8\xad\": 1, \"z\": 3}", "/z", 1, 15 },
	};
	static const struct {
		const char *text;
		int line, col;
	} bad[] = {
		{ "", 1, 1 }, { "{", 1, 2 }, { "{\"a\":1}\n x", 2, 2 }, { "{\"a\":\n tru}", 2, 2 }, { "{'a':1}", 1, 2 },
		{ "[1]", 1, 1 }, { "{\"a\":1,}", 1, 8 }, { "{\"a\":\"\xff\"}", 1, 7 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int line, col;

		ctr_json_place(rows[i].text, strlen(rows[i].text), rows[i].pointer, &line, &col);
		if (line != rows[i].line || col != rows[i].col)
			fail_msg("%s of %s: %d:%d", rows[i].pointer, rows[i].text, line, col);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rs_err err = RS_ERR_INIT;
		struct ctr_json j;

		if (ctr_json_parse(&j, "doc", bad[i].text, strlen(bad[i].text), &err) != -EBADMSG)
			fail_msg("%s was taken", bad[i].text);
		if (err.line != bad[i].line || err.col < bad[i].col || err.col > bad[i].col + 3)
			fail_msg("%s: %d:%d %s", bad[i].text, err.line, err.col, err.text[RS_LANG_EN]);
	}
}

static void test_blobs(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str text = RS_STR_INIT;
	struct ctr_desc d, wrong;
	struct ctr_blob b;

	(void)state;
	ok(ctr_blob_put(store, "text/plain", "hello\n", 6, &d, &err), &err);
	assert_string_equal(d.digest, "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
	assert_true(exists("store/blobs/sha256/5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"));
	ok(ctr_store_doc(store, &d, &text, &err), &err);
	assert_string_equal(text.p, "hello\n");
	/* a descriptor that lies */
	wrong = d;
	wrong.size = 7;
	assert_int_equal(ctr_store_doc(store, &wrong, &text, &err), -EBADMSG);
	assert_says(&err, "its descriptor says 7");
	ok(ctr_blob_begin(store, &b, &err), &err);
	ok(ctr_blob_write(&b, "hullo\n", 6, &err), &err);
	assert_int_equal(ctr_blob_commit(&b, &d, NULL, &err), -EBADMSG);
	assert_says(&err, "damaged");
	/* damage on disk */
	put("store/blobs/sha256/5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", "hullo\n");
	assert_int_equal(ctr_store_doc(store, &d, &text, &err), -EBADMSG);
	assert_says(&err, "damaged");
}

/* Many processes tag at the same time: every tag is there afterwards. */
static void test_concurrent_tags(void **state)
{
	enum { PROCESSES = 8, TAGS = 10 };
	struct rs_err err = RS_ERR_INIT;
	struct ctr_tags tags;

	(void)state;
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			struct ctr_store *s = ctr_store_open("store", true, &err);
			struct ctr_desc d;
			int bad = !s;

			for (int t = 0; !bad && t < TAGS; t++) {
				char name[40];

				snprintf(name, sizeof(name), "p%d:t%d", p, t);
				bad = ctr_blob_put(s, CTR_MEDIA_MANIFEST, name, strlen(name), &d, &err) < 0 ||
				      ctr_store_tag(s, name, &d, &err) < 0;
			}
			_exit(bad);
		}
	for (int p = 0; p < PROCESSES; p++) {
		int status;

		wait(&status);
		assert_int_equal(status, 0);
	}
	ok(ctr_store_tags(store, &tags, &err), &err);
	assert_int_equal(tags.n, PROCESSES * TAGS);
	ctr_tags_release(&tags);
}

/* An image, and one kept by nothing: the collector takes the second, and what a killed process left. */
static void test_gc(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l = begin(CTR_GZIP, 1);
	struct ctr_image im;
	struct ctr_desc d;
	struct ctr_gc gc;
	int ready[2], status;
	char c;

	(void)state;
	add(l, "a", S_IFREG | 0644, "kept");
	image_of(&l, 1, "kept:1", &im);
	ok(ctr_blob_put(store, "text/plain", "nobody's", 8, &d, &err), &err);
	/* a writer that dies in the middle */
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct ctr_store *s = ctr_store_open("store", true, &err);
		struct ctr_blob b;

		if (ctr_blob_begin(s, &b, &err) == 0 && ctr_blob_write(&b, "half", 4, &err) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(ctr_store_gc(store, &gc, &err), &err);
	assert_int_equal(gc.blobs, 1);
	assert_int_equal(gc.bytes, 8);
	assert_int_equal(gc.leftovers, 1);
	assert_int_equal(gc.kept, 3);
	assert_false(ctr_store_has(store, d.digest, NULL));
	ok(ctr_store_untag(store, "kept:1", &err), &err);
	ok(ctr_store_gc(store, &gc, &err), &err);
	assert_int_equal(gc.kept, 0);
	ctr_image_release(&im);
	close(ready[0]);
	close(ready[1]);
}

/* The collector waits for a writer, and so does not take what that one has not named yet. */
static void test_gc_waits(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_desc d;
	struct ctr_gc gc;
	int go[2], status;
	char c;

	(void)state;
	assert_int_equal(pipe(go), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct ctr_store *s = ctr_store_open("store", true, &err);

		if (ctr_blob_put(s, CTR_MEDIA_EMPTY, "{}", 2, &d, &err) < 0 || write(go[1], "x", 1) != 1)
			_exit(1);
		usleep(100000); /* the collector is at the door by now */
		_exit(ctr_store_tag(s, "late:1", &d, &err) < 0);
	}
	assert_int_equal(read(go[0], &c, 1), 1);
	ok(ctr_store_gc(store, &gc, &err), &err);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(gc.blobs, 0);
	assert_int_equal(gc.kept, 1);
	close(go[0]);
	close(go[1]);
}

static struct rs_err last_fault;
static void keep_fault(void *arg, const struct rs_err *e)
{
	(void)arg;
	last_fault = *e;
}

static int verify_now(void)
{
	struct rs_err err = RS_ERR_INIT;

	return ctr_store_verify(store, keep_fault, NULL, NULL, NULL, &err);
}

static void test_verify(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_layer *l = begin(CTR_ZSTD, 1);
	char path[120], other[CTR_DIGEST_SIZE];
	struct ctr_image im;
	struct json_object *config;
	struct ctr_desc m;

	(void)state;
	add(l, "a", S_IFREG | 0644, "content");
	image_of(&l, 1, "a:1", &im);
	assert_int_equal(verify_now(), 0);
	/* a configuration that lies about what the layer unpacks to */
	config = ctr_config_new(NULL, 0);
	strcpy(other, im.diff_id[0]);
	other[10] = other[10] == '0' ? '1' : '0';
	ok(ctr_image_write(store, config, im.layer, &other, 1, NULL, &m, &err), &err);
	json_object_put(config);
	ok(ctr_store_tag(store, "liar:1", &m, &err), &err);
	assert_int_equal(verify_now(), 1);
	assert_says(&last_fault, "but the configuration says");
	ok(ctr_store_untag(store, "liar:1", &err), &err);
	/* one bit of the layer */
	snprintf(path, sizeof(path), "store/blobs/sha256/%s", im.layer[0].digest + 7);
	rs_auto_close int fd = open(path, O_RDWR);
	char c;
	assert_int_equal(pread(fd, &c, 1, 20), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, 20), 1);
	assert_int_equal(verify_now(), 1);
	assert_says(&last_fault, "damaged");
	/* gone */
	unlink(path);
	assert_int_equal(verify_now(), 1);
	assert_says(&last_fault, "missing");
	ctr_image_release(&im);
}

/* Documents that are wrong: refused, with line and column. */
static void test_documents(void **state)
{
#define CONFIG "\"config\":{\"mediaType\":\"" CTR_MEDIA_CONFIG "\",\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}"
	static const struct {
		const char *text, *says;
		int line;
	} rows[] = {
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "this is missing", 1 }, /* the configuration is {} */
		{ "{\"schemaVersion\":1," CONFIG ",\"layers\":[]}", "version 2", 1 },
		{ "{\"schemaVersion\":\"2\"," CONFIG ",\"layers\":[]}", "type int, not string", 1 },
		{ "{\"schemaVersion\":2,\n" CONFIG "}", "/layers: this is missing", 1 },
		{ "{\"schemaVersion\":2,\n" CONFIG ",\n\"layers\":[{\"mediaType\":\"x\"}]}", "/layers/0/digest: this is missing", 3 },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\n\"digest\":\"md5:00\",\"size\":1}]}", "not a digest", 2 },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\n\"size\":-1}]}", "out of range", 2 },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\n\"size\":99999999999999999999}]}", "out of range", 2 },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[],\n\"manifests\":[]}", "no list of manifests", 2 },
		{ "{\"schemaVersion\":2,\n\"mediaType\":\"" CTR_MEDIA_INDEX "\"," CONFIG ",\"layers\":[]}", "the descriptor of this document says", 2 },
		{ "{\"schemaVersion\":2,\n\"config\":7,\"layers\":[]}", "is missing", 2 },
	};

	(void)state;
	struct rs_err err = RS_ERR_INIT;
	struct ctr_desc empty;
	ok(ctr_blob_put(store, CTR_MEDIA_CONFIG, "{}", 2, &empty, &err), &err);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctr_image im;
		struct ctr_desc d;

		memset(&err, 0, sizeof(err));
		ok(ctr_blob_put(store, CTR_MEDIA_MANIFEST, rows[i].text, strlen(rows[i].text), &d, &err), &err);
		assert_int_equal(ctr_image_read(store, &d, NULL, &im, &err), -EBADMSG);
		assert_says(&err, rows[i].says);
		if (err.line != rows[i].line)
			fail_msg("%s: line %d", rows[i].text, err.line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_json_places),
		cmocka_unit_test_setup_teardown(test_blobs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_concurrent_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gc_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_documents, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
