/* Lesson texts: blocks, spans, and lines that keep the rules of Chinese layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/eng.h"
#include "engine/markdown.h"

/* Blocks as one line each: type, level, marker, and spans as <style>text. */
static void show(const char *text, struct rs_str *out)
{
	static const char *const types[] = { "p", "li", "code", "h" };
	struct eng_md md;

	eng_md_parse(text, &md);
	for (unsigned i = 0; i < md.n; i++) {
		const struct eng_md_block *b = &md.v[i];

		rs_str_addf(out, "%s%s%u%s%s:", i ? " | " : "", types[b->type], b->level, b->marker,
			    b->tight ? "^" : "");
		for (unsigned k = 0; k < b->spans; k++)
			rs_str_addf(out, "<%u>%s", b->span[k].style, b->span[k].text);
	}
	eng_md_release(&md);
}

static void blocks(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "one\ntwo\n\nthree", "p0:<0>one two | p0:<0>three" },
		{ "one  \ntwo\\\nthree\\", "p0:<0>one\ntwo\nthree" },
		{ "# Head\ntext", "h1:<8>Head | p0:<0>text" },
		{ "###### six\n####### seven", "h6:<8>six | p0:<0>####### seven" },
		{ "#not", "p0:<0>#not" },
		{ "- a\n- b", "li1- :<0>a | li1- ^:<0>b" },
		{ "- a\n\n- b", "li1- :<0>a | li1- :<0>b" },
		{ "* a\n+ b", "li1- :<0>a | li1- ^:<0>b" },
		{ "- a\n  more\n- b", "li1- :<0>a more | li1- ^:<0>b" },
		{ "- a\nlazy", "li1- :<0>a lazy" },
		{ "- a\n\nout", "li1- :<0>a | p0:<0>out" },
		{ "- a\n\n  in", "li1- :<0>a | p1:<0>in" },
		{ "- a\n  - b\n    - c\n- d", "li1- :<0>a | li2- ^:<0>b | li3- ^:<0>c | li1- ^:<0>d" },
		{ "1. a\n2. b\n   - c", "li11. :<0>a | li12. ^:<0>b | li2- ^:<0>c" },
		{ "2007. not an item", "p0:<0>2007. not an item" },
		{ "-5 is a number\n-", "p0:<0>-5 is a number -" },
		{ "```\na\n  b\n\nc\n```\nout", "code0:<4>a\n  b\n\nc | p0:<0>out" },
		{ "```asm\nhlt\n```", "code0:<4>hlt" },
		{ "```\nnever closed\n", "code0:<4>never closed" },
		{ "```\n```", "code0:" },
		{ "````\n```\n````", "code0:<4>```" },
		{ "- a\n  ```\n  x\n    y\n  ```\n- b", "li1- :<0>a | code1:<4>x\n  y | li1- :<0>b" },
		{ "a\n```\nb\n```", "p0:<0>a | code0:<4>b" },
		{ "a\r\nb\r\n\r\nc\r\n", "p0:<0>a b | p0:<0>c" },
		{ "```inline``` code", "p0:<4>inline<0> code" },
	};
	unsigned bad = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rs_str out = RS_STR_INIT;

		show(rows[i].text, &out);
		if (strcmp(out.p, rows[i].wanted)) {
			print_error("%s\n  gave   %s\n  wanted %s\n", rows[i].text, out.p, rows[i].wanted);
			bad++;
		}
		rs_str_release(&out);
	}
	assert_int_equal(bad, 0);
}

static void spans(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "a `b` c", "<0>a <4>b<0> c" },
		{ "`` ` ``", "<4>`" },
		{ "`` a`b ``", "<4>a`b" },
		{ "a ` b", "<0>a ` b" },
		{ "`a\nb`", "<4>a b" },
		{ "**a** b", "<1>a<0> b" },
		{ "*a* b", "<2>a<0> b" },
		{ "_a_ b", "<2>a<0> b" },
		{ "__a__", "<1>a" },
		{ "a_b_c __d", "<0>a_b_c __d" },
		{ "***a***", "<3>a" },
		{ "**a *b* c**", "<1>a <3>b<1> c" },
		{ "*a **b** c*", "<2>a <3>b<2> c" },
		{ "**a `b*` c**", "<1>a <5>b*<1> c" },
		{ "** a**", "<0>** a**" },
		{ "**a **", "<0>**a **" },
		{ "**a", "<0>**a" },
		{ "2 * 3 * 4", "<0>2 * 3 * 4" },
		{ "**a *b** c*", "<0>**a <2>b<0>* c*" }, /* the inner mark is closed first */
		{ "\\*a\\* \\`b\\` \\\\", "<0>*a* `b` \\" },
		{ "\\q", "<0>\\q" },
		{ "`a\\`", "<4>a\\" },             /* no escapes in code */
		{ "這是**系統呼叫**。", "<0>這是<1>系統呼叫<0>。" },
		{ "「**跨越**」", "<0>「<1>跨越<0>」" },
		{ "_中_文", "<0>_中_文" },
	};
	unsigned bad = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rs_str out = RS_STR_INIT, wanted = RS_STR_INIT;

		show(rows[i].text, &out);
		rs_str_addf(&wanted, "p0:%s", rows[i].wanted);
		if (strcmp(out.p, wanted.p)) {
			print_error("%s\n  gave   %s\n  wanted %s\n", rows[i].text, out.p, wanted.p);
			bad++;
		}
		rs_str_release(&out);
		rs_str_release(&wanted);
	}
	assert_int_equal(bad, 0);
}

/* A line break in the source is a blank, but nothing between Chinese characters. */
static void joins(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "跨進\n特權環", "p0:<0>跨進特權環" },
		{ "跨進\nring", "p0:<0>跨進 ring" },
		{ "ring\n跨進", "p0:<0>ring 跨進" },
		{ "跨進，\nring", "p0:<0>跨進，ring" },
		{ "ring\n（環）", "p0:<0>ring（環）" },
		{ "這是\n**系統呼叫**", "p0:<0>這是<1>系統呼叫" },
		{ "這是**系統**\n呼叫", "p0:<0>這是<1>系統<0>呼叫" },
		{ "這是\n`int`", "p0:<0>這是 <4>int" },
		{ "跨進\\\n特權環", "p0:<0>跨進\n特權環" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rs_str out = RS_STR_INIT;

		show(rows[i].text, &out);
		assert_string_equal(out.p, rows[i].wanted);
		rs_str_release(&out);
	}
}

static void plain_is(const char *text, int indent, int width, const char *wanted)
{
	struct rs_str out = RS_STR_INIT;

	eng_md_plain(text, indent, width, &out);
	if (strcmp(out.p, wanted))
		print_error("%s\n gave\n%s wanted\n%s", text, out.p, wanted);
	assert_string_equal(out.p, wanted);
	rs_str_release(&out);
}

static void lines(void **state)
{
	(void)state;
	plain_is("", 0, 20, "");
	plain_is("one two three four", 0, 9, "one two\nthree\nfour\n");
	plain_is("one two three four", 2, 11, "  one two\n  three\n  four\n");
	plain_is("exactly10 x", 0, 9, "exactly10\nx\n");
	plain_is("abcdefghijklmnop", 0, 8, "abcdefgh\nijklmnop\n");      /* one long word */
	plain_is("ab abcdefghijklm", 0, 8, "ab\nabcdefgh\nijklm\n");
	plain_is("a   b", 0, 8, "a   b\n");
	plain_is("12345678  b", 0, 8, "12345678\nb\n");                  /* the blanks are swallowed */
	plain_is("12345678\\\nb", 0, 8, "12345678\nb\n");                /* one break, not two */
	plain_is("1234567  \nb", 0, 8, "1234567\nb\n");
	plain_is("a\n\nb", 0, 8, "a\n\nb\n");
	plain_is("- one two\n- three", 0, 8, "- one\n  two\n- three\n");
	plain_is("10. a bb cc dd", 0, 9, "10. a bb\n    cc dd\n");
	plain_is("- a\n  - b c d e f", 0, 8, "- a\n  - b c\n    d e\n    f\n");
	plain_is("- a\n\n  b", 0, 10, "- a\n\n  b\n");
	plain_is("# H\ntext", 0, 10, "H\n\ntext\n");
	plain_is("```\nint 0x80\n\tx\n```", 0, 20, "  int 0x80\n          x\n");
	plain_is("```\nabcdefghij\n```", 0, 8, "  abcdef\n  ghij\n");
	plain_is("use `int 0x80` now", 0, 8, "use int\n0x80 now\n");
}

static void chinese_lines(void **state)
{
	(void)state;
	plain_is("特權環三的程式", 0, 8, "特權環三\n的程式\n");
	/* no line starts with closing punctuation: the character before goes along */
	plain_is("特權環三，程式", 0, 8, "特權環\n三，程式\n");
	plain_is("特權環三。", 0, 8, "特權環\n三。\n");
	plain_is("特權環三。」好", 0, 8, "特權環\n三。」好\n");
	plain_is("特權環三！？", 0, 8, "特權環\n三！？\n");
	plain_is("一二三、四", 0, 9, "一二三、\n四\n");
	/* none ends with an opening mark */
	plain_is("特權環「三」", 0, 8, "特權環\n「三」\n");
	plain_is("特權環（三）四", 0, 8, "特權環\n（三）四\n");
	plain_is("特權環(ab)", 0, 8, "特權環\n(ab)\n");
	/* Latin words stay whole, and a line may end beside them */
	plain_is("跨進 ring 三的", 0, 9, "跨進 ring\n三的\n");
	plain_is("跨進ring三的", 0, 8, "跨進ring\n三的\n");
	plain_is("特權環ring三", 0, 8, "特權環\nring三\n");
	/* the two halves of a dash and of an ellipsis */
	plain_is("特權環三——好", 0, 9, "特權環\n三——好\n");
	plain_is("特權環三……好", 0, 8, "特權環\n三……好\n");
	/* punctuation alone, wider than the line: cut, not lost and no endless loop */
	plain_is("。。。。。。", 0, 8, "。。。。\n。。\n");
	plain_is("一「「「「「", 0, 8, "一\n「「「「\n「\n");
	/* a combining mark stays with its letter */
	plain_is("abcdefge\xcc\x81z", 0, 8, "abcdefge\xcc\x81\nz\n");
	plain_is("這是**系統呼叫**，對", 0, 10, "這是系統呼\n叫，對\n");
}

/* Sentences that are no Markdown, in lines parted by | here. */
static void text_is(const char *text, int width, const char *wanted)
{
	struct eng_md_lines l = { 0 };
	struct rs_str out = RS_STR_INIT;

	eng_md_layout_text(text, width, &l);
	for (unsigned i = 0; i < l.n; i++) {
		rs_str_add(&out, i ? "|" : "");
		for (unsigned k = 0; k < l.v[i].runs; k++) {
			assert_int_equal(l.v[i].run[k].style, 0);
			rs_str_add(&out, l.v[i].run[k].text);
		}
		assert_true(l.v[i].cols <= width || width < 2);
	}
	assert_string_equal(out.p, wanted);
	rs_str_release(&out);
	eng_md_lines_release(&l);
}

static void text_lines(void **state)
{
	(void)state;
	text_is("", 5, "");
	text_is("one two three", 7, "one two|three");
	text_is("one two", 3, "one|two");
	text_is("abcdefgh", 3, "abc|def|gh");
	text_is("abc", 1, "ab|c");
	text_is("a\n\nb\n", 9, "a||b");
	text_is("- a `b` *c* \\*\n  # d", 20, "- a `b` *c* \\*|  # d");
	text_is("特權環。特權", 6, "特權|環。特|權");
	text_is("特權「環」", 6, "特權|「環」");
	text_is("用 int 0x80 進去", 8, "用 int|0x80 進|去");
}

static uint32_t first_of(const struct eng_md_line *l, unsigned skip)
{
	uint32_t cp = 0;

	for (unsigned k = 0; k < l->runs; k++)
		if (!(l->run[k].style & skip)) {
			rs_utf8_decode(l->run[k].text, strlen(l->run[k].text), &cp);
			return cp;
		}
	return 0;
}

static uint32_t last_of(const struct eng_md_line *l)
{
	const char *s = l->run[l->runs - 1].text;
	size_t i = strlen(s);
	uint32_t cp;

	do
		i--;
	while (i && (s[i] & 0xc0) == 0x80);
	rs_utf8_decode(s + i, strlen(s) - i, &cp);
	return cp;
}

/* A real text at every width: nothing is lost, no line is too wide, the rules hold. */
static void every_width(void **state)
{
	static const char text[] =
		"特權環 3 的程式碰不到裝置，只能請核心代勞；而要請核心，就得從「核心」選定的地方跨進特權環 0。"
		"這就是**系統呼叫**（system call）。最老的方法是軟體中斷：`int 0x80` 會去查 IDT 的 0x80 號閘！\n\n"
		"- 第一項：程式（行程）……不能——絕對不能——直接碰「硬體」。\n- second item, all in English words\n"
		"  1. 巢狀的項目，「也要」遵守同樣的規則。\n";
	const char *closing = "，。、；：！？）」…", *opening = "（「";

	(void)state;
	for (int width = 8; width < 120; width++) {
		struct eng_md md;
		struct eng_md_lines l = { 0 };
		unsigned chars = 0;

		eng_md_parse(text, &md);
		eng_md_layout(&md, width, &l);
		for (unsigned i = 0; i < l.n; i++) {
			int cols = 0;
			char buf[5] = "";

			for (unsigned k = 0; k < l.v[i].runs; k++) {
				const char *s = l.v[i].run[k].text;

				assert_int_equal(rs_utf8_width(s, strlen(s)), l.v[i].run[k].cols);
				cols += l.v[i].run[k].cols;
				for (; *s; s++)
					chars += *s != ' ' && (*s & 0xc0) != 0x80;
			}
			assert_int_equal(cols, l.v[i].cols);
			assert_true(cols <= width);
			if (!l.v[i].runs)
				continue;
			uint32_t a = first_of(&l.v[i], ENG_MD_MARKER), z = last_of(&l.v[i]);
			/* at 10 columns and less a run of marks may not fit otherwise */
			for (const char *c = closing; width > 10 && *c; c += 3) {
				memcpy(buf, c, 3);
				uint32_t cp;
				rs_utf8_decode(buf, 3, &cp);
				if (a == cp)
					print_error("width %d: a line starts with %s\n", width, buf);
				assert_true(a != cp);
			}
			for (const char *c = opening; width > 10 && *c; c += 3) {
				uint32_t cp;
				rs_utf8_decode(c, 3, &cp);
				assert_true(z != cp);
			}
			assert_true(z != ' ');
		}
		/* every character that is no blank is there, whatever the width */
		static unsigned all;
		if (width == 8)
			all = chars;
		assert_int_equal(chars, all);
		eng_md_lines_release(&l);
		eng_md_release(&md);
	}
}

/* A text full of marks is as cheap as any other. */
static void many_marks(void **state)
{
	static const char *const units[] = { "*", "**", "`", "``", "_", "*a", "**a `", "[`*_", "\\", "***a " };
	struct rs_str text = RS_STR_INIT, out = RS_STR_INIT;

	(void)state;
	for (unsigned u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		rs_str_clear(&text);
		rs_str_clear(&out);
		while (text.len < 200000)
			rs_str_add(&text, units[u]);
		struct eng_md md;
		eng_md_parse(text.p, &md);
		assert_int_equal(md.n, 1);
		eng_md_release(&md);
	}
	rs_str_release(&text);
	rs_str_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks), cmocka_unit_test(spans), cmocka_unit_test(joins),
		cmocka_unit_test(lines), cmocka_unit_test(chinese_lines), cmocka_unit_test(text_lines),
		cmocka_unit_test(every_width), cmocka_unit_test(many_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
