/* What the files of the store share. */
#ifndef CONTAINERS_STORE_PRIVATE_H
#define CONTAINERS_STORE_PRIVATE_H

#include "containers/image_json.h"
#include "containers/store.h"

struct ctr_store {
	char *dir;
	int fd;              /* of the folder */
	int lock;            /* shared while it is open */
	_Atomic unsigned serial; /* of temporary files */
};

/* Reads index.json. */
int ctr_index_read(struct ctr_store *s, struct ctr_json *out, struct rs_err *err);
/* The descriptor at a JSON pointer of `j`. */
int ctr_desc_read(const struct ctr_json *j, const char *pointer, struct ctr_desc *out, struct rs_err *err);
struct json_object *ctr_desc_json(const struct ctr_desc *d);

#endif
