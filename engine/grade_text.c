/* Grades for people. */
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli_fill.h"
#include "engine/grade.h"

#define WIDTH 80

static const char *paint(bool color, const char *esc)
{
	return color ? esc : "";
}

static const char *word(enum eng_verdict v, enum rs_lang lang)
{
	switch (v) {
	case ENG_PASS:
		return rs_tr(lang, N_("passed"));
	case ENG_FAIL:
		return rs_tr(lang, N_("FAILED"));
	case ENG_UNGRADABLE:
		return rs_tr(lang, N_("not graded"));
	default:
		return rs_tr(lang, N_("inconclusive"));
	}
}

static const char *hue(enum eng_verdict v)
{
	return v == ENG_PASS ? "\033[32m" : v == ENG_FAIL ? "\033[31m" : "\033[33m";
}

/* Lines of a note or of compiler messages, indented. */
static void quote(struct rs_str *out, const char *s, const char *indent)
{
	while (*s) {
		size_t n = strcspn(s, "\n");

		rs_str_add(out, indent);
		eng_add_clean(out, s, n);
		rs_str_addc(out, '\n');
		s += n + (s[n] == '\n');
	}
}

static void one_check(const struct eng_grade_check *k, enum rs_lang lang, bool color,
		      struct rs_str *out)
{
	rs_str_addf(out, "  %s%s%s  %s", paint(color, hue(k->verdict)), word(k->verdict, lang),
		    paint(color, "\033[0m"), k->check->id);
	if (k->verdict == ENG_PASS || k->verdict == ENG_FAIL)
		rs_str_addf(out, rs_tr(lang, N_("  (%u of %u points)")), k->points, k->check->points);
	rs_str_addc(out, '\n');
	if (k->verdict == ENG_PASS)
		return;
	if (k->verdict == ENG_FAIL) {
		eng_fill(out, k->expected, rs_tr(lang, N_("      expected: ")), 16, WIDTH);
		eng_fill(out, eng_grade_found(k, lang), rs_tr(lang, N_("      found:    ")), 16, WIDTH);
	} else {
		eng_fill(out, eng_grade_found(k, lang), NULL, 6, WIDTH);
	}
	quote(out, k->note, "        ");
	if (k->verdict == ENG_FAIL && k->check->why)
		eng_fill(out, eng_text(k->check->why, lang), rs_tr(lang, N_("      why:      ")), 16, WIDTH);
}

static void one_lesson(const struct eng_grade *g, enum rs_lang lang, bool color, struct rs_str *out)
{
	const struct eng_lesson *l = g->lesson;

	rs_str_add(out, paint(color, "\033[1m"));
	if (l->number)
		rs_str_addf(out, "%d ", l->number);
	rs_str_addf(out, "%s%s (%s)\n", eng_text(&l->title, lang), paint(color, "\033[0m"), l->id);
	if (g->workspace[0])
	{
		rs_auto_str clean = RS_STR_INIT;

		eng_add_clean(&clean, g->workspace, strlen(g->workspace));
		rs_str_addf(out, rs_tr(lang, N_("  workspace: %s\n")), clean.p);
	}
	if (g->verdict == ENG_UNGRADABLE) {
		rs_str_addf(out, "  %s%s%s\n", paint(color, hue(g->verdict)),
			    rs_tr(lang, N_("not graded: this machine cannot run it")),
			    paint(color, "\033[0m"));
		eng_fill(out, g->reason.text[lang], NULL, 4, WIDTH);
		return;
	}
	if (g->reason.code) {
		char buf[1024];

		eng_fill(out, rs_err_format(&g->reason, lang, buf, sizeof(buf)), NULL, 2, WIDTH);
	}
	if (g->build[0] && g->verdict != ENG_PASS)
		quote(out, g->build, "    | ");
	for (unsigned i = 0; i < g->checks; i++)
		one_check(&g->check[i], lang, color, out);
	if (!g->checks)
		rs_str_add(out, rs_tr(lang, N_("  This lesson has no checks.\n")));
	rs_str_addf(out, rs_tr(lang, N_("  %u of %u points\n")), g->points, g->max);
}

void eng_grade_text(const struct eng_grade *g, unsigned n, enum rs_lang lang, bool color,
		    struct rs_str *out)
{
	unsigned points, max;

	for (unsigned i = 0; i < n; i++) {
		if (i)
			rs_str_addc(out, '\n');
		one_lesson(&g[i], lang, color, out);
	}
	if (n < 2)
		return;
	eng_grade_sum(g, n, &points, &max);
	rs_str_addf(out, rs_tr(lang, N_("\nAll %u lessons: %u of %u points\n")), n, points, max);
}
