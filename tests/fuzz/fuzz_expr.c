/* Any text as a check expression, on a run that is made of the input, too: first line the expression,
 * the rest events. */
#include <stdlib.h>
#include <string.h>

#include "engine/eng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int read_file(void *arg, const char *name, struct rs_str *out)
{
	const struct rs_str *text = arg;

	rs_str_add(out, name);
	rs_str_addn(out, text->p, text->len);
	return 0;
}

/* Four bytes an event: kind, two small arguments, a letter of text. */
static void events(struct eng_evidence *e, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 4 <= n && i < 400; i += 4) {
		struct rs_event ev = { .seq = i / 4 + 1, .time = i * 1000,
				       .kind = p[i] % (RS_KIND_COUNT + 2), .source = p[i + 1] % 10,
				       .arg = { p[i + 1] & 15, p[i + 2] & 15, p[i + 3],
						p[i + 3] > 250 ? UINT64_MAX - p[i + 2] : p[i + 2] },
				       .text = { (char)p[i + 3] } };

		eng_evidence_event(e, &ev);
		e->counters.v[p[i + 1] % RS_CTR_TOTAL] += (uint64_t)p[i + 2] << (p[i + 3] & 63);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct eng_evidence e = { 0 };
	struct rs_str text = RS_STR_INIT, note = RS_STR_INIT, shown = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;
	const uint8_t *nl = memchr(data, '\n', n);
	size_t len = nl ? (size_t)(nl - data) : n;
	bool want[RS_KIND_COUNT] = { false };
	struct eng_value v;

	rs_str_addn(&text, data, len);
	eng_evidence_clear(&e);
	e.file = read_file;
	e.file_arg = &text;
	events(&e, data + len, n - len);
	struct eng_expr *x = eng_expr_parse(text.p, "fuzz", 1, 1, &err);
	if (!x) {
		if (err.code >= 0 || err.line != 1 || err.col < 1 || err.col > (int)len + 1)
			abort();
		goto out;
	}
	eng_expr_kinds(x, want);
	int rc = eng_expr_eval(x, &e, &v, &note, &err);
	if (rc ? err.code != rc : v.type != eng_expr_type(x))
		abort();
	if (!rc)
		eng_value_format(&v, &shown);
	/* the same run gives the same value, with and without notes */
	struct eng_value again;
	if (eng_expr_eval(x, &e, &again, NULL, NULL) != rc || again.i != v.i || again.items != v.items)
		abort();
	eng_value_release(&again);
	eng_value_release(&v);
	rs_str_clear(&note);
	eng_expr_found(x, &e, &note, &shown, &err);
	eng_expr_free(x);
out:
	eng_evidence_release(&e);
	rs_str_release(&text);
	rs_str_release(&note);
	rs_str_release(&shown);
	return 0;
}
