/* Any bytes as a Dockerfile: instructions whose words are split and expanded, or a place and a sentence. */
#include <stdlib.h>
#include <string.h>

#include "containers/dockerfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *variable(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "A") == 0 ? "value" : strcmp(name, "E") == 0 ? "" : NULL;
}

static void words(const struct ctr_dockerfile *d, const struct ctr_df_insn *i)
{
	struct ctr_words w;

	ctr_words_json(i->text + i->args, &w, NULL);
	ctr_words_release(&w);
	ctr_words_split(i->text + i->args, true, d->escape, &w);
	for (unsigned k = 0; k < w.n; k++) {
		struct ctr_expand x = { variable, NULL, d->escape, 0, NULL, "" };
		struct rs_str out = RS_STR_INIT;
		struct rs_err err = RS_ERR_INIT;

		if (ctr_expand(&x, w.v[k], &out) < 0) {
			if (!x.why || x.at > strlen(w.v[k]))
				abort();
			ctr_df_fail(d, i, i->args + w.at[k] + x.at, &err, x.why, x.what);
			if (err.line < 1 || err.col < 1)
				abort();
		}
		rs_str_release(&out);
	}
	ctr_words_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_dockerfile *d = ctr_dockerfile_parse("fuzz", (const char *)data, n, &err);

	if (!d && (err.code >= 0 || err.line < 1 || err.col < 1 || !err.text[RS_LANG_EN][0]))
		abort(); /* a mistake without its place */
	for (unsigned i = 0; d && i < d->n; i++)
		words(d, &d->v[i]);
	ctr_dockerfile_free(d);
	return 0;
}
