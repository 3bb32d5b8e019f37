/* The CPU engines of this build, best first. */
#include "vmm/engine.h"

#include <errno.h>
#include <string.h>

static const struct vmm_engine_ops *const engines[] = { &vmm_engine_kvm, &vmm_engine_soft };

const struct vmm_engine_ops *vmm_engine_pick(const char *name, struct rs_err *err)
{
	const unsigned n = sizeof(engines) / sizeof(engines[0]);

	for (unsigned i = 0; i < n; i++) {
		if (name && strcmp(name, engines[i]->name))
			continue;
		if (engines[i]->available(err) == 0)
			return engines[i];
		if (name || i + 1 == n)
			return NULL;
	}
	rs_err_set(err, -ENOSYS, N_("the CPU engine \"%s\" is not part of this build"), name);
	return NULL;
}
