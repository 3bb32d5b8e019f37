/* Strings, UTF-8 widths, near misses, sizes and durations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "engine/base/str.h"

static void test_grow(void **state)
{
	struct rs_str s = RS_STR_INIT, zero = { 0 };
	char *p;
	(void)state;

	assert_string_equal(s.p, "");
	rs_str_clear(&s);
	rs_str_release(&s);
	for (unsigned i = 0; i < 5000; i++)
		rs_str_addf(&s, "%u,", i % 10);
	assert_int_equal(s.len, 10000);
	assert_int_equal(strlen(s.p), 10000);
	assert_memory_equal(s.p, "0,1,2,3,", 8);
	rs_str_clear(&s);
	assert_string_equal(s.p, "");
	rs_str_addn(&s, "a\0b", 3);
	rs_str_addc(&s, 'c');
	rs_str_add(&s, "d");
	assert_int_equal(s.len, 5);
	assert_memory_equal(s.p, "a\0bcd", 6);
	p = rs_str_detach(&s);
	assert_memory_equal(p, "a\0bcd", 6);
	assert_string_equal(s.p, "");
	free(p);
	p = rs_str_detach(&s); /* of nothing: still the caller's to free */
	assert_string_equal(p, "");
	free(p);
	rs_str_addn(&s, NULL, 0);
	assert_string_equal(s.p, "");
	rs_str_release(&s);
	rs_str_add(&zero, "zero-initialised"); /* part of a structure from calloc */
	assert_string_equal(zero.p, "zero-initialised");
	rs_str_release(&zero);
	assert_int_equal(rs_str_empty[0], '\0');
	p = rs_xasprintf("%s-%d", "x", 3);
	assert_string_equal(p, "x-3");
	free(p);
}

/* Out of memory: one sentence, and the end. */
static void test_oom(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)state;
	puts("skip: the sanitizer has its own way with huge allocations");
	skip();
#else
	static const char want[] = "ringside: out of memory\n";
	(void)state;

	for (int how = 0; how < 3; how++) {
		int fds[2], status;
		char buf[200] = "";
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (pid == 0) {
			struct rlimit no_core = { 0, 0 };

			setrlimit(RLIMIT_CORE, &no_core);
			dup2(fds[1], 2);
			if (how == 0)
				free(rs_xmalloc(SIZE_MAX / 2));
			else if (how == 1)
				free(rs_xrealloc(NULL, SIZE_MAX / 2, 3)); /* the product overflows */
			else
				free(rs_xcalloc(SIZE_MAX / 2, 3));
			_exit(0);
		}
		close(fds[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		assert_true(read(fds[0], buf, sizeof(buf) - 1) > 0);
		assert_string_equal(buf, want);
		close(fds[0]);
	}
#endif
}

static int put_utf8(uint32_t cp, char *out)
{
	if (cp < 0x80)
		return (void)(out[0] = (char)cp), 1;
	if (cp < 0x800)
		return out[0] = (char)(0xc0 | cp >> 6), out[1] = (char)(0x80 | (cp & 63)), 2;
	if (cp < 0x10000)
		return out[0] = (char)(0xe0 | cp >> 12), out[1] = (char)(0x80 | (cp >> 6 & 63)),
		       out[2] = (char)(0x80 | (cp & 63)), 3;
	return out[0] = (char)(0xf0 | cp >> 18), out[1] = (char)(0x80 | (cp >> 12 & 63)),
	       out[2] = (char)(0x80 | (cp >> 6 & 63)), out[3] = (char)(0x80 | (cp & 63)), 4;
}

static void test_decode_all(void **state)
{
	uint32_t cp;
	char b[8];
	(void)state;

	for (uint32_t c = 1; c < 0x110000; c++) {
		int n = put_utf8(c, b);

		if (c >= 0xd800 && c < 0xe000) { /* surrogates are not characters */
			assert_int_equal(rs_utf8_decode(b, (size_t)n, &cp), 1);
			assert_int_equal(cp, 0xfffd);
			continue;
		}
		assert_int_equal(rs_utf8_decode(b, (size_t)n, &cp), n);
		assert_int_equal(cp, c);
		assert_int_equal(rs_utf8_check(b, (size_t)n), -1);
		if (n > 1) { /* cut short */
			assert_int_equal(rs_utf8_decode(b, (size_t)n - 1, &cp), 1);
			assert_int_equal(cp, 0xfffd);
			assert_int_equal(rs_utf8_check(b, (size_t)n - 1), 0);
		}
	}
	assert_int_equal(rs_utf8_decode("x", 0, &cp), 0);
}

/* glibc's decoder as the oracle for what is valid. */
static void test_decode_against_mbrtowc(void **state)
{
	unsigned long seed = 1;
	char b[5] = "";
	(void)state;

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		puts("skip: no C.UTF-8 locale");
		skip();
	}
	for (unsigned i = 0; i < 2000000; i++) {
		mbstate_t st = { 0 };
		wchar_t wc = 0;
		uint32_t cp;
		size_t n;
		int len;

		for (int j = 0; j < 4; j++) {
			seed = seed * 6364136223846793005ul + 1442695040888963407ul;
			/* mostly continuation bytes behind the first one, or few would be valid */
			b[j] = (char)(j && seed >> 60 ? 0x80 | (seed >> 40 & 63) : seed >> 40);
		}
		if (!b[0])
			continue;
		n = mbrtowc(&wc, b, 4, &st);
		len = rs_utf8_decode(b, 4, &cp);
		/* glibc decodes what lies beyond Unicode, too */
		if (n == (size_t)-1 || n == (size_t)-2 || wc > 0x10ffff) {
			assert_int_equal(len, 1);
			assert_int_equal(cp, 0xfffd);
		} else {
			assert_int_equal(len, n);
			assert_int_equal(cp, wc);
		}
	}
}

static void test_widths(void **state)
{
	static const struct {
		const char *text;
		int width;
	} rows[] = {
		{ "", 0 },
		{ "ring 3", 6 },
		{ "跨越特權環", 10 },
		{ "、。「」：（）", 14 },
		{ "ＡＢ", 4 },            /* full-width Latin */
		{ "ｱｲ", 2 },              /* half-width Katakana */
		{ "e\xcc\x81", 1 },       /* e, combining acute */
		{ "한글", 4 },
		{ "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", 2 }, /* the same in Jamo: one block */
		{ "a\xe2\x80\x8b" "b", 2 },  /* zero-width space */
		{ "\xc2\xad", 1 },        /* soft hyphen */
		{ "─│┌█▶", 5 },           /* ambiguous: narrow */
		{ "😀", 2 },
		{ "\xf0\xa0\x80\x80", 2 }, /* CJK extension B */
		{ "\x1b\n\t\x7f", 0 },
		{ "\xff\xfe", 2 },        /* invalid bytes: a replacement character each */
		{ "\xe8\x99", 2 },        /* half a character */
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rs_utf8_width(rows[i].text, strlen(rows[i].text)) != rows[i].width)
			fail_msg("\"%s\": %d, not %d", rows[i].text,
				 rs_utf8_width(rows[i].text, strlen(rows[i].text)), rows[i].width);
	assert_int_equal(rs_utf8_cp_width(0x110000), 1);
	assert_int_equal(rs_utf8_cp_width(~0u), 1);
}

/* glibc's wcwidth as the oracle. They differ where Unicode versions and opinions do; the test allows
 * a few of the 145,000 assigned characters, and none of those that a Chinese text is written with. */
static void test_widths_against_wcwidth(void **state)
{
	unsigned differ = 0, assigned = 0;
	(void)state;

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		puts("skip: no C.UTF-8 locale");
		skip();
	}
	for (uint32_t c = 0x20; c < 0x110000; c++) {
		int theirs = wcwidth((wchar_t)c);

		if (theirs < 0) /* unassigned, or a control character */
			continue;
		assigned++;
		if (theirs == rs_utf8_cp_width(c))
			continue;
		differ++;
		if ((c >= 0x4e00 && c < 0xa000) || (c >= 0x3000 && c < 0x3040) || (c >= 0xff00 && c < 0xfff0) ||
		    (c >= 0x2500 && c < 0x2600) || c < 0xad)
			fail_msg("U+%04X: %d here, %d there", c, rs_utf8_cp_width(c), theirs);
	}
	print_message("%u of %u characters differ from wcwidth\n", differ, assigned);
	assert_true(differ < assigned / 500);
}

static void test_fit(void **state)
{
	static const char text[] = "a虛擬b";
	(void)state;

	assert_int_equal(rs_utf8_fit(text, 8, 0), 0);
	assert_int_equal(rs_utf8_fit(text, 8, 1), 1);
	assert_int_equal(rs_utf8_fit(text, 8, 2), 1);
	assert_int_equal(rs_utf8_fit(text, 8, 3), 1);
	assert_int_equal(rs_utf8_fit(text, 8, 4), 4);
	assert_int_equal(rs_utf8_fit(text, 8, 6), 4);
	assert_int_equal(rs_utf8_fit(text, 8, 7), 7);
	assert_int_equal(rs_utf8_fit(text, 8, 8), 8);
	assert_int_equal(rs_utf8_fit(text, 8, 99), 8);
	assert_int_equal(rs_utf8_fit("\x80\x80\x80\x80\x80\x80", 6, 5), 5); /* no characters at all */
	assert_int_equal(rs_utf8_check("ab\xc0\xaf", 4), 2); /* an overlong slash */
}

static void test_did_you_mean(void **state)
{
	static const char *const names[] = { "title", "track", "timeout", "steps", "summary", "views", "vm.exit",
					     "vm.end", "cpu.ring", "user-pages", "kvm", "soft", "id", NULL };
	static const struct {
		const char *word, *meant;
	} rows[] = {
		{ "titel", "title" },      /* an exchange is one mistake */
		{ "titl", "title" },
		{ "ttle", "title" },
		{ "tracks", "track" },
		{ "Timeout", "timeout" },
		{ "time-out", "timeout" },
		{ "timeuot", "timeout" },
		{ "view", "views" },
		{ "vm.exits", "vm.exit" },
		{ "vmexit", "vm.exit" },
		{ "user_pages", "user-pages" },
		{ "userpages", "user-pages" },
		{ "cpu.rign", "cpu.ring" },
		{ "KVM", "kvm" },
		{ "di", "id" },
		{ "title", "title" },
		{ "sumary", "summary" },
		{ "banana", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "qemu", NULL },
		{ "completely-different-word", NULL },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789", NULL },
	};
	static const char *const none[] = { NULL };
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = rs_did_you_mean(rows[i].word, names);

		if (!got != !rows[i].meant || (got && strcmp(got, rows[i].meant) != 0))
			fail_msg("%s: %s, not %s", rows[i].word, got ? got : "nothing",
				 rows[i].meant ? rows[i].meant : "nothing");
	}
	assert_null(rs_did_you_mean("title", none));
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t v;
	} rows[] = {
		{ "0", 0, 0 },
		{ "64", 0, 64 },
		{ "0x1f", 0, 31 },
		{ "0XfF", 0, 255 },
		{ "4K", 0, 4096 },
		{ "4k", 0, 4096 },
		{ "4M", 0, 4u << 20 },
		{ "1G", 0, 1u << 30 },
		{ "2T", 0, 2ull << 40 },
		{ "0x10K", 0, 16384 },
		{ "4 KiB", 0, 4096 },
		{ "512 B", 0, 512 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "0xffffffffffffffff", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "0x10000000000000000", -ERANGE, 0 },
		{ "16E", -ERANGE, 0 },
		{ "15E", 0, 15ull << 60 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "0x", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "4Q", -EINVAL, 0 },
		{ "4KB", -EINVAL, 0 },
		{ "4Kx", -EINVAL, 0 },
		{ "1.5K", -EINVAL, 0 },
		{ "12a", -EINVAL, 0 },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 77;

		if (rs_parse_size(rows[i].text, &v) != rows[i].ret || v != (rows[i].ret ? 77 : rows[i].v))
			fail_msg("size \"%s\": %d, %llu", rows[i].text, rs_parse_size(rows[i].text, &v),
				 (unsigned long long)v);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t ns;
	} rows[] = {
		{ "10s", 0, 10000000000 },
		{ "250ms", 0, 250000000 },
		{ "1m", 0, 60000000000 },
		{ "2min", 0, 120000000000 },
		{ "1h", 0, 3600000000000 },
		{ "20us", 0, 20000 },
		{ "7ns", 0, 7 },
		{ "0s", 0, 0 },
		{ "1.5s", 0, 1500000000 },
		{ "0.25ms", 0, 250000 },
		{ "1.2 us", 0, 1200 },
		{ "0.00000000012345s", 0, 0 },
		{ "1.0000000019s", 0, 1000000001 },
		{ "18446744073s", 0, 18446744073000000000u },
		{ "18446744074s", -ERANGE, 0 },
		{ "99999999999999999999s", -ERANGE, 0 },
		{ "10", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1sec", -EINVAL, 0 },
		{ "1s ", -EINVAL, 0 },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 77;

		if (rs_parse_duration(rows[i].text, &v) != rows[i].ret || v != (rows[i].ret ? 77 : rows[i].ns))
			fail_msg("duration \"%s\": %d, %llu", rows[i].text, rs_parse_duration(rows[i].text, &v),
				 (unsigned long long)v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_oom),
		cmocka_unit_test(test_decode_all),
		cmocka_unit_test(test_decode_against_mbrtowc),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_widths_against_wcwidth),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_did_you_mean),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
