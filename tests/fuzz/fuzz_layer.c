/* Any bytes as a layer: its entries are read, the tree that they add up to is made, and what is in it is
 * looked up; or a sentence. Nothing is written to a disk. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "containers/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctr_limits limits = { 1 << 20, 1000 };
	struct rs_err err = RS_ERR_INIT;
	int fd = memfd_create("layer", MFD_CLOEXEC);
	struct ctr_layer_reader *r;
	struct ctr_entry e;
	struct ctr_model m;
	struct ctr_named *v;
	const void *p;
	uint64_t at, total = 0;
	size_t k, names;
	int ret;

	if (fd < 0 || write(fd, data, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	ctr_model_begin(&m);
	r = ctr_reader_open(fd, "fuzz", NULL, NULL, &limits, &err);
	while (r && (ret = ctr_reader_next(r, &e, &err)) > 0) {
		struct rs_str head = RS_STR_INIT;

		if (e.path[0] == '/' || strstr(e.path, "../"))
			abort(); /* it would lead out */
		ctr_pax_header(&e, &head, NULL);
		rs_str_release(&head);
		while (S_ISREG(e.mode) && !e.hard && ctr_reader_data(r, &p, &k, &at, &err) > 0)
			total += k;
		if (total > limits.bytes)
			abort();
		if (ctr_model_entry(&m, &e, &err) < 0 && !err.text[RS_LANG_EN][0])
			abort();
		ctr_model_find(&m, e.path, true);
	}
	if (r && ret < 0 && !err.text[RS_LANG_EN][0])
		abort();
	ctr_reader_close(r);
	v = ctr_model_names(&m, &names);
	ctr_names_free(v, names);
	ctr_model_release(&m);
	close(fd);
	return 0;
}
