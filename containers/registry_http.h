/* HTTP/1.1 as a registry's server needs it (RFC 9112). Private to containers/. */
#ifndef CONTAINERS_REGISTRY_HTTP_H
#define CONTAINERS_REGISTRY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTR_HTTP_HEAD_MAX 16384u

/* The head of one request. */
struct ctr_http {
	char method[8];
	char path[1024];         /* decoded, without the query */
	char query[1024];        /* as it came */
	char type[128], range[64], content_range[64];
	uint64_t length;
	bool has_length, chunked, expect, close;
};
/* Parses a head of n bytes, the empty line included. 0, or the status with which to refuse it. */
int ctr_http_parse(const char *head, size_t n, struct ctr_http *out);
/* The value of a query parameter, decoded; false when it is not there, or is too long. */
bool ctr_http_query(const struct ctr_http *h, const char *name, char *out, size_t size);

#endif
