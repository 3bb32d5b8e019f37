/* Any bytes as an image's document: parsed, or refused with a place; and any pointer into it has one. The
 * first line is the pointer. Also names of images, and patterns of .dockerignore. */
#include <stdlib.h>
#include <string.h>

#include "containers/build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data, *nl = memchr(text, '\n', n);
	size_t head = nl ? (size_t)(nl - text) : 0;
	char *pointer = strndup(text, head);
	struct rs_err err = RS_ERR_INIT;
	struct ctr_ignore *g;
	struct ctr_desc d;
	struct ctr_json j;
	struct ctr_ref ref;
	bool prune;
	int line, col;

	text += nl ? head + 1 : 0;
	n -= nl ? head + 1 : 0;
	ctr_ref_parse(pointer, &ref, NULL);
	g = ctr_ignore_parse(text, n);
	ctr_ignore_want(g, pointer, true, &prune);
	ctr_ignore_free(g);
	ctr_json_place(text, n, pointer, &line, &col);
	if (line < 1 || col < 1)
		abort();
	if (ctr_json_parse(&j, "fuzz", text, n, &err) < 0) {
		if (err.line < 1 || err.col < 1 || !err.text[RS_LANG_EN][0])
			abort();
	} else {
		if (ctr_desc_read(&j, pointer, &d, &err) < 0 && !err.text[RS_LANG_EN][0])
			abort();
		ctr_json_release(&j);
	}
	free(pointer);
	return 0;
}
