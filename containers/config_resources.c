/* linux.resources into struct ctr_resources: which settings there are, cgroup_set.def says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "containers/config_fields.h"

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &v);
	return v;
}

#define GROW(list, count)                                                                          \
	({                                                                                         \
		(list) = rs_xrealloc(list, (count) + 1, sizeof(*(list)));                          \
		memset(&(list)[count], 0, sizeof(*(list)));                                        \
		&(list)[(count)++];                                                                \
	})

/* A member of an object in a list; absent: left as it is, or an error when it is needed. */
static int need_uint(struct ctr_parse *p, struct json_object *o, const char *key, bool needed, uint64_t max,
		     uint64_t *out)
{
	struct json_object *v = member(o, key);
	size_t mark = ctr_path_key(p, key);
	int rc = v ? ctr_take_uint(p, v, max, out) : needed ? CTR_BAD(p, N_("%s: is missing")) : 0;

	ctr_path_cut(p, mark);
	return rc;
}
static int need_int(struct ctr_parse *p, struct json_object *o, const char *key, bool needed, int64_t min,
		    int64_t *out)
{
	struct json_object *v = member(o, key);
	size_t mark = ctr_path_key(p, key);
	int rc = v ? ctr_take_int(p, v, min, UINT32_MAX, out) : needed ? CTR_BAD(p, N_("%s: is missing")) : 0;

	ctr_path_cut(p, mark);
	return rc;
}
static int need_string(struct ctr_parse *p, struct json_object *o, const char *key, bool needed, char **out)
{
	struct json_object *v = member(o, key);
	size_t mark = ctr_path_key(p, key);
	int rc = v ? ctr_take_string(p, v, out) : needed ? CTR_BAD(p, N_("%s: is missing")) : 0;

	ctr_path_cut(p, mark);
	return rc;
}

static int take_device(struct ctr_parse *p, struct json_object *o, struct ctr_resources *r)
{
	struct ctr_device_rule *d = GROW(r->device, r->devices);
	struct json_object *allow = member(o, "allow");
	char *type = NULL, *access = NULL;
	int rc;

	d->major = d->minor = -1;
	d->type = 'a';
	if (!allow || !json_object_is_type(allow, json_type_boolean))
		return CTR_BAD(p, N_("%s: needs allow, which is true or false"));
	d->allow = json_object_get_boolean(allow);
	rc = need_int(p, o, "major", false, -1, &d->major);
	if (rc == 0)
		rc = need_int(p, o, "minor", false, -1, &d->minor);
	if (rc == 0)
		rc = need_string(p, o, "type", false, &type);
	if (rc == 0 && type && *type) {
		d->type = *type;
		if (strlen(type) != 1 || !strchr("abcu", *type))
			rc = CTR_BAD(p, N_("%s: the type is a, b or c, not \"%.20s\""), type);
		if (d->type == 'u')
			d->type = 'c';
	}
	if (rc == 0)
		rc = need_string(p, o, "access", false, &access);
	if (rc == 0 && (!access || !*access))
		d->access = CTR_DEV_ALL;
	for (const char *a = access; rc == 0 && a && *a; a++) {
		unsigned bit = *a == 'r' ? CTR_DEV_READ : *a == 'w' ? CTR_DEV_WRITE : *a == 'm' ? CTR_DEV_MKNOD : 0;

		if (!bit)
			rc = CTR_BAD(p, N_("%s: access is made of r, w and m, not \"%.20s\""), access);
		d->access |= bit;
	}
	free(type);
	free(access);
	return rc;
}

static int take_weight(struct ctr_parse *p, struct json_object *o, const struct ctr_set_info *s,
		       struct ctr_resources *r)
{
	struct ctr_weight *w = GROW(r->weight, r->weights);
	uint64_t weight = 0, leaf = 0;
	int rc = need_int(p, o, "major", true, 0, &w->major);

	if (rc == 0)
		rc = need_int(p, o, "minor", true, 0, &w->minor);
	if (rc == 0)
		rc = need_uint(p, o, "weight", false, s->max, &weight);
	if (rc == 0)
		rc = need_uint(p, o, "leafWeight", false, s->max, &leaf);
	w->weight = (uint16_t)weight;
	w->leaf = (uint16_t)leaf;
	w->has_weight = member(o, "weight") != NULL;
	w->has_leaf = member(o, "leafWeight") != NULL;
	return rc;
}

static int take_rate(struct ctr_parse *p, struct json_object *o, enum ctr_setting which, struct ctr_resources *r)
{
	struct ctr_rate *x = GROW(r->rate, r->rates);
	int rc = need_int(p, o, "major", true, 0, &x->major);

	x->which = which;
	if (rc == 0)
		rc = need_int(p, o, "minor", true, 0, &x->minor);
	return rc ? rc : need_uint(p, o, "rate", true, ctr_set_infos[which].max, &x->rate);
}

static int take_element(struct ctr_parse *p, struct json_object *o, enum ctr_setting which, struct ctr_resources *r)
{
	const struct ctr_set_info *s = &ctr_set_infos[which];

	if (!json_object_is_type(o, json_type_object))
		return CTR_BAD(p, N_("%s: must be %s, not %s"), "object",
			       json_type_to_name(json_object_get_type(o)));
	switch (s->type) {
	case CTR_T_DEVICES:
		return take_device(p, o, r);
	case CTR_T_WEIGHT:
		return take_weight(p, o, s, r);
	case CTR_T_RATE:
		return take_rate(p, o, which, r);
	case CTR_T_PAGES: {
		struct ctr_pages *x = GROW(r->pages, r->pageses);
		int rc = need_string(p, o, "pageSize", true, &x->size);

		return rc ? rc : need_uint(p, o, "limit", true, s->max, &x->limit);
	}
	default: {
		struct ctr_prio *x = GROW(r->prio, r->prios);
		uint64_t prio = 0;
		int rc = need_string(p, o, "name", true, &x->name);

		if (rc == 0)
			rc = need_uint(p, o, "priority", true, s->max, &prio);
		x->priority = (uint32_t)prio;
		return rc;
	}
	}
}

static int take_map(struct ctr_parse *p, struct json_object *o, enum ctr_setting which, struct ctr_resources *r)
{
	if (!json_object_is_type(o, json_type_object))
		return CTR_BAD(p, N_("%s: must be %s, not %s"), "object",
			       json_type_to_name(json_object_get_type(o)));
	json_object_object_foreach(o, key, value) {
		size_t mark = ctr_path_key(p, key);
		int rc;

		if (ctr_set_infos[which].type == CTR_T_UNIFIED) {
			struct ctr_unified *x = GROW(r->unified, r->unifieds);

			x->file = rs_xstrdup(key);
			rc = ctr_take_string(p, value, &x->value);
		} else {
			struct ctr_rdma *x = GROW(r->rdma, r->rdmas);
			uint64_t handles = 0, objects = 0;

			x->device = rs_xstrdup(key);
			x->has_handles = member(value, "hcaHandles") != NULL;
			x->has_objects = member(value, "hcaObjects") != NULL;
			rc = need_uint(p, value, "hcaHandles", false, UINT32_MAX, &handles);
			if (rc == 0)
				rc = need_uint(p, value, "hcaObjects", false, UINT32_MAX, &objects);
			if (rc == 0 && !x->has_handles && !x->has_objects)
				rc = CTR_BAD(p, N_("%s: needs hcaHandles or hcaObjects"));
			x->handles = (uint32_t)handles;
			x->objects = (uint32_t)objects;
		}
		ctr_path_cut(p, mark);
		if (rc)
			return rc;
	}
	return 0;
}

static int take_setting(struct ctr_parse *p, struct json_object *o, enum ctr_setting which, struct ctr_resources *r)
{
	const struct ctr_set_info *s = &ctr_set_infos[which];
	struct ctr_value *v = &r->v[which];
	int rc = 0;

	switch (s->type) {
	case CTR_T_I64:
		v->set = true;
		return ctr_take_int(p, o, s->min, (int64_t)s->max, &v->i);
	case CTR_T_U64:
		v->set = true;
		return ctr_take_uint(p, o, s->max, &v->u);
	case CTR_T_BOOL:
		if (!json_object_is_type(o, json_type_boolean))
			return CTR_BAD(p, N_("%s: must be %s, not %s"), "boolean",
				       json_type_to_name(json_object_get_type(o)));
		v->set = true;
		v->b = json_object_get_boolean(o);
		return 0;
	case CTR_T_TEXT:
		rc = ctr_take_string(p, o, &v->text);
		v->set = rc == 0 && *v->text; /* an empty list of processors asks for nothing */
		return rc;
	case CTR_T_RDMA:
	case CTR_T_UNIFIED:
		return take_map(p, o, which, r);
	default:
		if (!json_object_is_type(o, json_type_array))
			return CTR_BAD(p, N_("%s: must be %s, not %s"), "array",
				       json_type_to_name(json_object_get_type(o)));
		for (size_t i = 0; rc == 0 && i < json_object_array_length(o); i++) {
			size_t mark = ctr_path_index(p, i);

			rc = take_element(p, json_object_array_get_idx(o, i), which, r);
			ctr_path_cut(p, mark);
		}
		return rc;
	}
}

int ctr_take_resources(struct ctr_parse *p, struct json_object *o, struct ctr_resources *r)
{
	for (unsigned i = 0; i < CTR_SET_COUNT; i++) {
		const char *json = ctr_set_infos[i].json, *dot = strchr(json, '.');
		struct json_object *v = o;
		size_t mark = p->path.len;
		int rc = 0;

		if (dot) { /* "memory.limit": group and setting */
			rs_auto_str group = RS_STR_INIT;

			rs_str_addn(&group, json, (size_t)(dot - json));
			v = member(o, group.p);
			ctr_path_key(p, group.p);
			if (v && !json_object_is_type(v, json_type_object))
				rc = CTR_BAD(p, N_("%s: must be %s, not %s"), "object",
					     json_type_to_name(json_object_get_type(v)));
		}
		if (rc == 0 && v)
			v = member(v, dot ? dot + 1 : json);
		ctr_path_key(p, dot ? dot + 1 : json);
		if (rc == 0 && v)
			rc = take_setting(p, v, i, r);
		ctr_path_cut(p, mark);
		if (rc)
			return rc;
	}
	return 0;
}
