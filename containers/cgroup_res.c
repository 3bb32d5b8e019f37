/* What may be asked of a group: the table of settings, and the values that stand beside it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "containers/cgroup.h"

const struct ctr_set_info ctr_set_infos[CTR_SET_COUNT] = {
#define CTR_SET(id, json, type, min, max, controller, v1, v2, how, sentence)                                         \
	{ json, CTR_T_##type, min, (uint64_t)(max), controller, v1, v2, CTR_HOW_##how, sentence },
#include "containers/cgroup_set.def"
};

int ctr_set_by_json(const char *json)
{
	for (int i = 0; i < CTR_SET_COUNT; i++)
		if (strcmp(ctr_set_infos[i].json, json) == 0)
			return i;
	return -ENOENT;
}

void ctr_resources_release(struct ctr_resources *r)
{
	for (unsigned i = 0; i < CTR_SET_COUNT; i++)
		free(r->v[i].text);
	for (unsigned i = 0; i < r->pageses; i++)
		free(r->pages[i].size);
	for (unsigned i = 0; i < r->prios; i++)
		free(r->prio[i].name);
	for (unsigned i = 0; i < r->rdmas; i++)
		free(r->rdma[i].device);
	for (unsigned i = 0; i < r->unifieds; i++) {
		free(r->unified[i].file);
		free(r->unified[i].value);
	}
	free(r->rate);
	free(r->weight);
	free(r->pages);
	free(r->prio);
	free(r->rdma);
	free(r->device);
	free(r->unified);
	*r = (struct ctr_resources){ 0 };
}

bool ctr_resources_any(const struct ctr_resources *r, bool devices)
{
	for (unsigned i = 0; i < CTR_SET_COUNT; i++)
		if (r->v[i].set)
			return true;
	return r->rates || r->weights || r->pageses || r->prios || r->rdmas || r->unifieds || (devices && r->devices);
}

#define FAIL(...) rs_err_set(err, -EINVAL, __VA_ARGS__)

static int check_range(unsigned i, const struct ctr_value *v, struct rs_err *err)
{
	const struct ctr_set_info *s = &ctr_set_infos[i];

	if (!v->set)
		return 0;
	if (s->type == CTR_T_I64 && (v->i < s->min || v->i > (int64_t)s->max))
		return FAIL("linux.resources.%s: %lld is not between %lld and %lld", s->json, (long long)v->i,
			    (long long)s->min, (long long)s->max);
	if (s->type == CTR_T_U64 && v->u > s->max)
		return FAIL("linux.resources.%s: %llu is more than %llu", s->json, (unsigned long long)v->u,
			    (unsigned long long)s->max);
	/* Written to a file as it is: one line. */
	if (s->type == CTR_T_TEXT && (!v->text || strpbrk(v->text, "\n\r")))
		return FAIL("linux.resources.%s: the text is not one line", s->json);
	return 0;
}

static int check_devices(const struct ctr_resources *r, struct rs_err *err)
{
	for (unsigned i = 0; i < r->devices; i++) {
		const struct ctr_device_rule *d = &r->device[i];

		if (d->type != 'a' && d->type != 'b' && d->type != 'c')
			return FAIL("linux.resources.devices[%u]: the type is none of a, b, c", i);
		if (!d->access || d->access & ~CTR_DEV_ALL)
			return FAIL("linux.resources.devices[%u]: access is none of r, w, m", i);
		if (d->major < -1 || d->minor < -1 || d->major > INT32_MAX || d->minor > INT32_MAX)
			return FAIL("linux.resources.devices[%u]: %lld:%lld is no device number", i, (long long)d->major,
				    (long long)d->minor);
		/* v1 has one word for everything, and no exception within it. */
		if (d->type == 'a' && (d->major != -1 || d->minor != -1))
			return FAIL("linux.resources.devices[%u]: type a is all devices, so it has no number", i);
	}
	return 0;
}

/* "memory.high": a name in the group's own folder, of a controller or of the group itself. */
static int check_unified(const struct ctr_resources *r, struct rs_err *err)
{
	static const char *const ours[] = { "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze", "cgroup.type" };

	for (unsigned i = 0; i < r->unifieds; i++) {
		const char *f = r->unified[i].file, *v = r->unified[i].value;

		if (!f || !strchr(f, '.') || f[0] == '.' || strpbrk(f, "/\n"))
			return FAIL("linux.resources.unified: \"%s\" is no file of a group", f ? f : "");
		if (!v)
			return FAIL("linux.resources.unified.%s: no value", f);
		/* These move processes or change what the runtime itself relies on. */
		for (unsigned k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
			if (strcmp(f, ours[k]) == 0)
				return FAIL("linux.resources.unified.%s: this file is the runtime's own", f);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(r->unified[k].file, f) == 0)
				return FAIL("linux.resources.unified.%s: asked for twice", f);
	}
	return 0;
}

static int check_memory(const struct ctr_resources *r, struct rs_err *err)
{
	const struct ctr_value *limit = &r->v[CTR_SET_MEMORY_LIMIT], *swap = &r->v[CTR_SET_MEMORY_SWAP];

	if (!swap->set || swap->i <= 0)
		return 0;
	if (!limit->set)
		return FAIL("linux.resources.memory.swap: it counts memory and swap together, so memory.limit must be "
			    "there, too");
	if (limit->i < 0)
		return FAIL("linux.resources.memory.swap: there is no memory.limit to which it could add");
	if (swap->i < limit->i)
		return FAIL("linux.resources.memory.swap: %lld is less than memory.limit (%lld), but it counts memory and "
			    "swap together", (long long)swap->i, (long long)limit->i);
	return 0;
}

int ctr_resources_check(const struct ctr_resources *r, struct rs_err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < CTR_SET_COUNT; i++)
		rc = check_range(i, &r->v[i], err);
	for (unsigned i = 0; rc == 0 && i < r->pageses; i++)
		if (!r->pages[i].size || strpbrk(r->pages[i].size, "/.\n"))
			rc = FAIL("linux.resources.hugepageLimits[%u]: \"%s\" is no page size", i,
				  r->pages[i].size ? r->pages[i].size : "");
	for (unsigned i = 0; rc == 0 && i < r->weights; i++) {
		const struct ctr_weight *w = &r->weight[i];

		if ((w->has_weight && (w->weight < 10 || w->weight > 1000)) ||
		    (w->has_leaf && (w->leaf < 10 || w->leaf > 1000)))
			rc = FAIL("linux.resources.blockIO.weightDevice[%u]: a weight is between 10 and 1000", i);
	}
	if (rc == 0)
		rc = check_memory(r, err);
	if (rc == 0)
		rc = check_devices(r, err);
	return rc ? rc : check_unified(r, err);
}
