/* Any bytes as the head of a request to the registry: parsed, or refused with a status. */
#include <stdlib.h>
#include <string.h>

#include "containers/registry_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctr_http h;
	char value[64];
	int status = ctr_http_parse((const char *)data, n, &h);

	if (status == 0) {
		if (h.path[0] != '/' || (h.chunked && h.has_length))
			abort();
		ctr_http_query(&h, "digest", value, sizeof(value));
		ctr_http_query(&h, "n", value, sizeof(value));
	} else if (status < 400) {
		abort();
	}
	return 0;
}
