/* Any bytes as config.json, as a process object and as linux.resources; and any path as a place in them. */
#include <stdlib.h>
#include <string.h>

#include "containers/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_process p = { 0 };
	struct ctr_resources r = { 0 };
	const char *text = (const char *)data;
	const uint8_t *nl = memchr(data, '\n', n);
	int line, col;

	struct ctr_config *c = ctr_config_parse(text, n, "config.json", &err);

	if (!c && !err.code)
		abort(); /* a refusal has a reason */
	ctr_config_free(c);
	ctr_process_parse(text, n, "process.json", &p, &err);
	ctr_process_release(&p);
	ctr_resources_parse(text, n, "resources.json", &r, &err);
	ctr_resources_release(&r);
	if (nl) { /* the first line is a path into the rest */
		char path[200] = "";
		size_t len = (size_t)(nl - data);

		memcpy(path, data, len < sizeof(path) - 1 ? len : sizeof(path) - 1);
		ctr_config_place((const char *)nl + 1, n - len - 1, path, &line, &col);
	}
	return 0;
}
