/* Any bytes as a lesson.yaml: loaded or refused with a place and a sentence, never worse. What loads
 * has its texts laid out and its checks evaluated on an empty run. */
#include <stdlib.h>
#include <string.h>

#include "engine/eng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void lay_out(const struct eng_text *t)
{
	struct eng_md md;
	struct eng_md_lines lines = { 0 };

	eng_md_parse(eng_text(t, RS_LANG_ZH_TW), &md);
	eng_md_layout(&md, 20, &lines);
	for (unsigned i = 0; i < lines.n; i++)
		if (lines.v[i].cols > 20)
			abort();
	eng_md_lines_release(&lines);
	eng_md_release(&md);
}

static void evaluate(const struct eng_lesson *l)
{
	struct eng_evidence e = { 0 };
	struct rs_str note = RS_STR_INIT;

	eng_evidence_clear(&e);
	for (unsigned i = 0; i < l->steps; i++) {
		lay_out(&l->step[i].text);
		for (unsigned k = 0; k < l->step[i].checks; k++) {
			struct eng_value v;

			eng_expr_eval(l->step[i].check[k].expr, &e, &v, &note, NULL);
			eng_value_release(&v);
		}
	}
	rs_str_release(&note);
	eng_evidence_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rs_err err = RS_ERR_INIT;
	char *text = malloc(n + 1);

	memcpy(text, data, n);
	text[n] = 0;
	struct eng_lesson *l = eng_lesson_parse(text, n, "fuzz", NULL, &err);
	if (l)
		evaluate(l);
	else if (err.code >= 0 || err.line < 1 || err.col < 1 || !err.text[RS_LANG_EN][0])
		abort(); /* a mistake without its place */
	eng_lesson_free(l);
	free(text);
	return 0;
}
