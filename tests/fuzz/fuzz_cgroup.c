/* Any bytes as a mount table, as /proc/self/cgroup, as a saved group and as the options of an overlay. What is
 * taken in must be whole: saved again, a group says the same.
 */
#include <stdlib.h>
#include <string.h>

#include "containers/cgroup.h"
#include "containers/overlay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hosts(const char *text, const char *own)
{
	struct ctr_cgroup_host h;
	static const char *const names[] = { "memory", "blkio", "devices", "freezer", "", "name=x" };

	if (ctr_cgroup_host_parse(text, own, &h, NULL) < 0)
		abort();
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ctr_cgroup_host_find(&h, names[i]);
	for (unsigned i = 0; i < h.n; i++)
		if (!h.h[i].mount || !h.h[i].mount_root || !h.h[i].own || !h.h[i].controllers)
			abort();
	ctr_cgroup_host_release(&h);
}

static void saved(const char *text)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_cgroup *cg = ctr_cgroup_restore(text, &err), *again;
	rs_auto_str one = RS_STR_INIT, two = RS_STR_INIT;

	if (!cg) {
		if (!err.code || !*err.text[RS_LANG_EN])
			abort();
		return;
	}
	ctr_cgroup_save(cg, &one);
	again = ctr_cgroup_restore(one.p, &err);
	if (!again)
		abort();
	ctr_cgroup_save(again, &two);
	if (strcmp(one.p, two.p) != 0)
		abort();
	ctr_cgroup_free(again);
	ctr_cgroup_free(cg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctr_overlay_options o;
	char *text = rs_xmalloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	hosts(text, text + size / 2);
	saved(text);
	if (ctr_overlay_parse(text, &o, NULL) == 0 && (!o.lowers || !o.upper != !o.work))
		abort();
	ctr_overlay_options_release(&o);
	free(text);
	return 0;
}
