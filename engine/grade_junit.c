/* Grades as JUnit XML: the common part of Ant's schema (JUnit.xsd) and Jenkins' (junit-10.xsd): a
 * suite a lesson, a case a check. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/grade.h"

/* Text as XML 1.0 allows it (section 2.2): control characters become their pictures (U+2400 on),
 * bytes that are no UTF-8 and the two non-characters become U+FFFD. */
static void xml(struct rs_str *out, const char *s, bool attribute)
{
	size_t n = strlen(s);

	while (n) {
		uint32_t cp;
		int k = rs_utf8_decode(s, n, &cp);

		if (cp == '&')
			rs_str_add(out, "&amp;");
		else if (cp == '<')
			rs_str_add(out, "&lt;");
		else if (cp == '>')
			rs_str_add(out, "&gt;"); /* "]]>" must not stand in text */
		else if (cp == '"' && attribute)
			rs_str_add(out, "&quot;");
		else if (cp == '\r' || (attribute && (cp == '\n' || cp == '\t')))
			rs_str_addf(out, "&#%u;", cp); /* else a reader would normalise them away */
		else if (cp < 0x20 && cp != '\n' && cp != '\t')
			rs_str_addf(out, "\xe2\x90%c", (char)(0x80 + cp));
		else if (cp == 0x7f)
			rs_str_add(out, "\xe2\x90\xa1");
		else if (cp == 0xfffd || cp == 0xfffe || cp == 0xffff || (cp >= 0xd800 && cp < 0xe000))
			rs_str_add(out, "\xef\xbf\xbd");
		else
			rs_str_addn(out, s, (size_t)k);
		s += k;
		n -= (size_t)k;
	}
}

static void attr(struct rs_str *out, const char *name, const char *value)
{
	rs_str_addf(out, " %s=\"", name);
	xml(out, value, true);
	rs_str_addc(out, '"');
}

static void property(struct rs_str *out, const char *name, const char *value)
{
	rs_str_add(out, "\t\t\t<property");
	attr(out, "name", name);
	attr(out, "value", value);
	rs_str_add(out, "/>\n");
}

static void testcase(struct rs_str *out, const struct eng_grade *g, const struct eng_grade_check *k,
		     enum rs_lang lang)
{
	rs_auto_free char *class = rs_xasprintf("%s.%s", g->lesson->id, k->step->id);
	rs_auto_str text = RS_STR_INIT;

	rs_str_add(out, "\t\t<testcase");
	attr(out, "name", k->check->id);
	attr(out, "classname", class);
	attr(out, "time", "0");
	if (k->verdict == ENG_PASS) {
		rs_str_add(out, "/>\n");
		return;
	}
	eng_grade_sentence(k, lang, &text);
	if (k->verdict == ENG_UNGRADABLE) {
		rs_str_add(out, ">\n\t\t\t<skipped");
		attr(out, "message", g->reason.text[lang]);
		rs_str_add(out, "/>\n\t\t</testcase>\n");
		return;
	}
	rs_str_addf(out, ">\n\t\t\t<%s", k->verdict == ENG_FAIL ? "failure" : "error");
	attr(out, "message", text.p);
	attr(out, "type", k->verdict == ENG_FAIL ? "check" : "inconclusive");
	rs_str_addc(out, '>');
	if (k->verdict == ENG_FAIL) {
		rs_auto_free char *more = rs_xasprintf("expected: %s\nfound: %s\n", k->expected,
							eng_grade_found(k, lang));

		xml(out, more, false);
	}
	xml(out, k->note, false);
	if (k->check->why)
		xml(out, eng_text(k->check->why, lang), false);
	rs_str_addf(out, "</%s>\n\t\t</testcase>\n", k->verdict == ENG_FAIL ? "failure" : "error");
}

static void suite(struct rs_str *out, const struct eng_grade *g, unsigned id, enum rs_lang lang)
{
	unsigned failures = 0, errors = 0, skipped = 0;
	char host[256] = "localhost", when[32] = "1970-01-01T00:00:00", num[32];
	time_t t = (time_t)g->when;
	struct tm tm;

	for (unsigned i = 0; i < g->checks; i++) {
		failures += g->check[i].verdict == ENG_FAIL;
		skipped += g->check[i].verdict == ENG_UNGRADABLE;
		errors += g->check[i].verdict == ENG_INCONCLUSIVE || g->check[i].verdict == ENG_OPEN;
	}
	if (gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		strcpy(host, "localhost");
	rs_str_add(out, "\t<testsuite");
	attr(out, "name", g->lesson->id);
	attr(out, "package", "ringside");
	rs_str_addf(out, " id=\"%u\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"", id,
		    g->checks, failures, errors, skipped);
	rs_str_addf(out, " time=\"%llu.%03llu\"", (unsigned long long)(g->wall_ns / 1000000000),
		    (unsigned long long)(g->wall_ns / 1000000 % 1000));
	attr(out, "timestamp", when);
	attr(out, "hostname", host);
	rs_str_add(out, ">\n\t\t<properties>\n");
	property(out, "ringside.version", eng_version);
	property(out, "ringside.title", eng_text(&g->lesson->title, lang));
	property(out, "ringside.verdict", eng_verdict_name(g->verdict));
	if (g->verdict == ENG_PASS || g->verdict == ENG_FAIL) {
		snprintf(num, sizeof(num), "%u", g->points);
		property(out, "ringside.points", num);
	}
	snprintf(num, sizeof(num), "%u", g->max);
	property(out, "ringside.max", num);
	if (g->engine[0])
		property(out, "ringside.engine", g->engine);
	if (g->workspace[0])
		property(out, "ringside.workspace", g->workspace);
	rs_str_add(out, "\t\t</properties>\n");
	for (unsigned i = 0; i < g->checks; i++)
		testcase(out, g, &g->check[i], lang);
	rs_str_add(out, "\t\t<system-out>");
	xml(out, g->build, false);
	rs_str_add(out, "</system-out>\n\t\t<system-err>");
	if (g->reason.code)
		xml(out, g->reason.text[lang], false);
	rs_str_add(out, "</system-err>\n\t</testsuite>\n");
}

void eng_grade_junit(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		     struct rs_str *out)
{
	(void)color;
	rs_str_add(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	for (unsigned i = 0; i < n; i++)
		suite(out, &g[i], i, lang);
	rs_str_add(out, "</testsuites>\n");
}
