/* What the tests of control groups share; after cmocka.h. */
#ifndef TESTS_CONTAINERS_CGROUP_H
#define TESTS_CONTAINERS_CGROUP_H

#include "containers/cgroup.h"

static inline void set_i(struct ctr_resources *r, enum ctr_setting s, int64_t v)
{
	r->v[s].set = true;
	r->v[s].i = v;
}

#endif
