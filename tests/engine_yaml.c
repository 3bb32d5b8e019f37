/* The YAML reader: places, limits, what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/str.h"
#include "engine/yaml.h"

static struct eng_node *parse(const char *text)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_node *n = eng_yaml_parse(text, strlen(text), "y", &err);
	char buf[800];

	if (!n)
		print_error("%s\n", rs_err_format(&err, RS_LANG_EN, buf, sizeof(buf)));
	assert_non_null(n);
	return n;
}

static void at(const struct eng_node *n, int line, int col)
{
	assert_non_null(n);
	assert_int_equal(n->line, line);
	assert_int_equal(n->col, col);
}

static void places(void **state)
{
	struct eng_node *n = parse("a: 1\n中文: {b: x,  c: [1, two]}\n\n  # comment\nd:\n  - e: 'q'\n    f: g\n");
	const struct eng_node *key, *m;

	(void)state;
	assert_int_equal(n->items, 3);
	at(eng_node_get(n, "a", &key), 1, 4);
	at(key, 1, 1);
	m = eng_node_get(n, "中文", &key);
	at(key, 2, 1);
	at(m, 2, 5);                             /* columns count characters, not bytes */
	at(eng_node_get(m, "b", NULL), 2, 9);
	at(eng_node_get(m, "c", NULL)->item[1], 2, 20);
	m = eng_node_get(n, "d", NULL);
	assert_int_equal(m->type, ENG_NODE_LIST);
	at(m->item[0], 6, 5);
	at(eng_node_get(m->item[0], "f", NULL), 7, 8);
	assert_true(eng_node_get(m->item[0], "e", NULL)->quoted);
	assert_false(eng_node_get(m->item[0], "f", NULL)->quoted);
	assert_null(eng_node_get(n, "z", NULL));
	assert_null(eng_node_get(m, "e", NULL)); /* not a map */
	assert_null(eng_node_get(NULL, "e", NULL));
	eng_node_free(n);
}

/* Where in the file is byte `byte` of the text of key k? */
static void place_is(const char *doc, size_t byte, int line, int col)
{
	struct eng_node *n = parse(doc);
	const struct eng_node *k = eng_node_get(n, "k", NULL);
	int l, c;

	assert_non_null(k);
	assert_true(byte <= k->n);
	eng_node_place(k, doc, strlen(doc), byte, &l, &c);
	if (l != line || c != col)
		print_error("%s\n  byte %zu of \"%s\" is at %d:%d, wanted %d:%d\n", doc, byte, k->s, l, c, line,
			    col);
	assert_int_equal(l, line);
	assert_int_equal(c, col);
	eng_node_free(n);
}

static void places_inside(void **state)
{
	(void)state;
	place_is("k: abc def\n", 4, 1, 8);
	place_is("k: 'abc def'\n", 4, 1, 9);
	place_is("k: \"abc def\"\n", 4, 1, 9);
	place_is("k: 中文 def\n", 7, 1, 7);
	place_is("k: abc\n  def ghi\n", 4, 2, 3);           /* folded: the line end became a blank */
	place_is("k: abc\n  def ghi\n", 8, 2, 7);
	place_is("k: \"abc\n  def ghi\"\n", 8, 2, 7);
	place_is("k: |\n  abc\n  def\n", 4, 3, 3);
	place_is("k: |\n  abc\n    def\n", 6, 3, 5);
	place_is("k: >\n  abc\n  def\n", 5, 3, 4);
	place_is("k: |\n\n\n  abc\n", 3, 4, 4);             /* the empty lines are text */
}

static void no(const char *text, size_t n, int line, int col, const char *sentence)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_node *node = eng_yaml_parse(text, n, "y", &err);

	if (node || err.line != line || err.col != col || !strstr(err.text[0], sentence))
		print_error("%.60s\n  gave   %d:%d: %s\n  wanted %d:%d: %s\n", text, err.line, err.col,
			    err.text[0], line, col, sentence);
	assert_null(node);
	assert_int_equal(err.line, line);
	assert_int_equal(err.col, col);
	assert_non_null(strstr(err.text[0], sentence));
	assert_string_equal(err.file, "y");
}
#define NO(text, line, col, sentence) no(text, strlen(text), line, col, sentence)

static void refused(void **state)
{
	(void)state;
	NO("", 1, 1, "the file is empty");
	NO("# only a comment\n", 1, 1, "the file is empty");
	NO("a: 1\na: 2\n", 2, 1, "a second time; the first is in line 1");
	NO("{a: 1, b: 2, a: 3}", 1, 14, "a second time");
	NO("a: &x 1\n", 1, 4, "anchors");
	NO("a: *x\n", 1, 4, "aliases");
	NO("a: &x [1]\n", 1, 4, "anchors");
	NO("a: &x {b: 1}\n", 1, 4, "anchors");
	NO("a: !!str 1\n", 1, 4, "tags");
	NO("a: !x [1]\n", 1, 4, "tags");
	NO("<<: {a: 1}\n", 1, 1, "merge keys");
	NO("? {a: 1}\n: 2\n", 1, 3, "a key must be a word");
	NO("a: 1\n---\nb: 2\n", 2, 1, "a second document");
	NO("a: b: c\n", 1, 5, "a colon is out of place");
	NO("a: @x\n", 1, 4, "text that starts with @");
	NO("a: [1, 2\n", 2, 1, "to close the list that starts in line 1");
	NO("a: \"x\n", 2, 1, "inside the quotes that start in line 1");
	NO("a: \"\\q\"\n", 1, 5, "unknown escape");
	NO("a: x\x01\n", 1, 5, "a control character");
	NO("a: 1\nb: 中\xff\n", 2, 5, "not valid UTF-8 (byte 0xff)");
	no("\xff\xfe" "a\0:\0", 6, 1, 1, "not valid UTF-8");    /* UTF-16 */
	no("a: \"\\0\"\n", 8, 1, 4, "a NUL byte");
	no("a: x\0y\n", 7, 1, 5, "a control character");
	NO("%YAML 9.9\n---\na: 1\n", 1, 1, "found incompatible YAML document");
}

static void limits(void **state)
{
	struct rs_str s = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	for (int i = 0; i < 200000; i++)
		rs_str_addc(&s, '[');
	no(s.p, s.len, 1, 26, "nested too deeply");
	rs_str_clear(&s);
	for (int i = 0; i < 100000; i++)
		rs_str_addf(&s, "- %d\n", i % 10);
	no(s.p, s.len, 20000, 3, "too many parts");
	rs_str_clear(&s);
	rs_str_add(&s, "a: ");
	for (unsigned i = 0; i < ENG_YAML_MAX; i++)
		rs_str_addc(&s, 'x');
	assert_null(eng_yaml_parse(s.p, s.len, "y", &err));
	assert_int_equal(err.code, -EFBIG);
	rs_str_release(&s);
}

static void plain(void **state)
{
	static const struct {
		const char *s;
		enum eng_plain p;
	} rows[] = {
		{ "word", ENG_PLAIN_TEXT }, { "no way", ENG_PLAIN_TEXT }, { "", ENG_PLAIN_NULL },
		{ "~", ENG_PLAIN_NULL }, { "Null", ENG_PLAIN_NULL }, { "no", ENG_PLAIN_BOOL },
		{ "Yes", ENG_PLAIN_BOOL }, { "OFF", ENG_PLAIN_BOOL }, { "y", ENG_PLAIN_BOOL },
		{ "true", ENG_PLAIN_BOOL }, { "12", ENG_PLAIN_NUMBER }, { "-12", ENG_PLAIN_NUMBER },
		{ "1.5", ENG_PLAIN_NUMBER }, { ".5", ENG_PLAIN_NUMBER }, { "1e3", ENG_PLAIN_NUMBER },
		{ "1_000", ENG_PLAIN_NUMBER }, { "0x1f", ENG_PLAIN_NUMBER }, { "0b11", ENG_PLAIN_NUMBER },
		{ "017", ENG_PLAIN_NUMBER }, { "12:30", ENG_PLAIN_NUMBER }, { ".inf", ENG_PLAIN_NUMBER },
		{ "2024-01-31", ENG_PLAIN_DATE }, { "2024-01-31 10:00:00", ENG_PLAIN_DATE },
		{ "4M", ENG_PLAIN_TEXT }, { "10s", ENG_PLAIN_TEXT }, { "3 times", ENG_PLAIN_TEXT },
		{ "0xzz", ENG_PLAIN_TEXT }, { "-", ENG_PLAIN_TEXT }, { "...", ENG_PLAIN_TEXT },
		{ "1e", ENG_PLAIN_TEXT }, { "24-bit", ENG_PLAIN_TEXT },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (eng_yaml_plain(rows[i].s) != rows[i].p)
			print_error("\"%s\" is %d, wanted %d\n", rows[i].s, (int)eng_yaml_plain(rows[i].s),
				    (int)rows[i].p);
		assert_int_equal(eng_yaml_plain(rows[i].s), rows[i].p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places), cmocka_unit_test(places_inside), cmocka_unit_test(refused),
		cmocka_unit_test(limits), cmocka_unit_test(plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
