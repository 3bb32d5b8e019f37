/* Grades as TAP 14 (testanything.org/tap-version-14-specification): a test point a check, with a YAML
 * block of diagnostics. What cannot run here is a SKIP directive, which is no success to a reader
 * that looks; the exit code says it too. */
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/grade.h"

/* A description or reason on one line: "#" would begin a directive. */
static void plain(struct rs_str *out, const char *s)
{
	size_t n = strlen(s);

	while (n) {
		uint32_t cp;
		int k = rs_utf8_decode(s, n, &cp);

		if (cp == '#' || cp == '\\')
			rs_str_addc(out, '\\');
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			rs_str_addc(out, ' ');
		else if (cp == 0xfffd)
			rs_str_add(out, "\xef\xbf\xbd");
		else
			rs_str_addn(out, s, (size_t)k);
		s += k;
		n -= (size_t)k;
	}
}

/* A YAML double-quoted scalar (YAML 1.2, 7.3.1). */
static void scalar(struct rs_str *out, const char *key, const char *s)
{
	size_t n = strlen(s);

	rs_str_addf(out, "  %s: \"", key);
	while (n) {
		uint32_t cp;
		int k = rs_utf8_decode(s, n, &cp);

		if (cp == '"' || cp == '\\')
			rs_str_addf(out, "\\%c", (char)cp);
		else if (cp == '\n')
			rs_str_add(out, "\\n");
		else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			rs_str_addf(out, "\\x%02x", cp);
		else if (cp == 0xfffd)
			rs_str_add(out, "\xef\xbf\xbd");
		else
			rs_str_addn(out, s, (size_t)k);
		s += k;
		n -= (size_t)k;
	}
	rs_str_add(out, "\"\n");
}

static void point(struct rs_str *out, const struct eng_grade *g, const struct eng_grade_check *k,
		  unsigned number, enum rs_lang lang)
{
	rs_auto_free char *name = eng_grade_name(g, k);
	bool ok = k->verdict == ENG_PASS || k->verdict == ENG_UNGRADABLE;

	rs_str_addf(out, "%s %u - ", ok ? "ok" : "not ok", number);
	plain(out, name);
	if (k->verdict == ENG_UNGRADABLE) {
		rs_str_add(out, " # SKIP ");
		plain(out, g->reason.text[lang]);
		rs_str_addc(out, '\n');
		return;
	}
	rs_str_addc(out, '\n');
	if (k->verdict == ENG_PASS && k->check->points == k->points && !k->check->points)
		return;
	rs_str_add(out, "  ---\n");
	scalar(out, "verdict", eng_verdict_name(k->verdict));
	if (k->verdict == ENG_PASS || k->verdict == ENG_FAIL)
		rs_str_addf(out, "  points: %u\n", k->points);
	rs_str_addf(out, "  max: %u\n", k->check->points);
	if (k->verdict != ENG_PASS) {
		scalar(out, "expected", k->expected);
		scalar(out, "found", eng_grade_found(k, lang));
		scalar(out, "evidence", k->note);
		if (k->check->why)
			scalar(out, "why", eng_text(k->check->why, lang));
	}
	rs_str_add(out, "  ...\n");
}

void eng_grade_tap(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		   struct rs_str *out)
{
	unsigned total = 0, number = 0;

	(void)color;
	for (unsigned i = 0; i < n; i++)
		total += g[i].checks;
	rs_str_addf(out, "TAP version 14\n1..%u%s\n", total, total ? "" : " # SKIP no checks");
	for (unsigned i = 0; i < n; i++) {
		rs_str_add(out, "# ");
		plain(out, eng_text(&g[i].lesson->title, lang));
		rs_str_addc(out, '\n');
		if (g[i].reason.code && g[i].verdict != ENG_UNGRADABLE) {
			rs_str_add(out, "# ");
			plain(out, g[i].reason.text[lang]);
			rs_str_addc(out, '\n');
		}
		for (unsigned k = 0; k < g[i].checks; k++)
			point(out, &g[i], &g[i].check[k], ++number, lang);
	}
}
