/* Settings become writes: which file, which value, and why that value. Pure but for looking which
 * files there are.
 */
#include "containers/cgroup_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"

struct planner {
	const struct ctr_cgroup *cg;
	const struct ctr_resources *r;
	struct ctr_plan *p;
};

/* The event cgroup.set says the state in these words. */
_Static_assert((int)CTR_W_HELD == (int)RS_LIMIT_HELD && (int)CTR_W_NOTHING == (int)RS_LIMIT_NOTHING, "enums.def");

const char *ctr_write_state_name(enum ctr_write_state s)
{
	const char *name = rs_unit_value_name(RS_UNIT_limit, s);

	return name ? name : "?";
}

void ctr_plan_release(struct ctr_plan *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		free(p->w[i].file);
		free(p->w[i].value);
		free(p->w[i].asked);
		free(p->w[i].now);
	}
	free(p->w);
	*p = (struct ctr_plan){ 0 };
}

/* A row; `asked` becomes its own. Valid until the next one. */
static struct ctr_write *add(struct planner *x, enum ctr_setting set, char *asked)
{
	struct ctr_write *w;

	x->p->w = rs_xrealloc(x->p->w, x->p->n + 1, sizeof(*w));
	w = &x->p->w[x->p->n++];
	*w = (struct ctr_write){ .setting = set, .controller = ctr_set_infos[set].controller, .asked = asked };
	return w;
}

/* The folder for a row, or NULL with its state set. */
static const struct ctr_cgroup_folder *place(struct planner *x, struct ctr_write *w, const char *controller)
{
	const struct ctr_cgroup_folder *f = ctr_cgroup_folder(x->cg, controller);

	if (f && f->dir)
		return f;
	w->state = f ? CTR_W_NO_RIGHT : CTR_W_NO_CONTROLLER;
	w->error = f ? f->error : 0;
	w->why = f ? N_("this user may not make a cgroup here: run as root, or have one delegated") :
		     N_("no mounted hierarchy gives this controller to the group: mount it, or on v2 name it in "
			"cgroup.subtree_control of the groups above");
	return NULL;
}

/* Sets file and value (the row's own now). A file that is not there is a state, not a write. */
static void put(struct ctr_write *w, const struct ctr_cgroup_folder *f, const char *file, char *value)
{
	w->file = rs_xasprintf("%s/%s", f->dir, file);
	w->value = value;
	if (!ctr_cgroup_has(f->dir, file)) {
		w->state = CTR_W_NO_FILE;
		w->why = N_("this kernel has no such file");
	}
}

static void none(struct ctr_write *w, bool v2)
{
	w->state = CTR_W_NO_FILE;
	w->why = v2 ? N_("cgroup v2 has nothing like it") : N_("cgroup v1 has nothing like it");
}

static void leave(struct ctr_write *w, const char *why)
{
	w->state = CTR_W_NOTHING;
	w->why = why;
}

/* ---- conversions ---- */

/* cpu.shares 2..262144 -> cpu.weight 1..10000, with the default 1024 on the default 100: over
 * l = log2(shares), log10(weight) is the parabola through these three points. (The straight line that
 * runtimes had before made 39 of 1024, so that a container without a wish got less than its
 * neighbours.) */
static uint64_t weight_of(uint64_t shares)
{
	double l;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, l * (l + 125) / 612 - 7.0 / 34) - 1e-9);
}

/* 10..1000 -> 1..10000, ends on ends */
static uint64_t io_weight_of(uint64_t v)
{
	return v <= 10 ? 1 : 1 + (v - 10) * 9999 / 990;
}

static char *number_or(int64_t v, const char *unlimited)
{
	return v < 0 ? rs_xstrdup(unlimited) : rs_xasprintf("%" PRId64, v);
}

/* v2 counts swap alone. */
static void plan_swap(struct planner *x, struct ctr_write *w, const struct ctr_cgroup_folder *f, int64_t v)
{
	const struct ctr_value *limit = &x->r->v[CTR_SET_MEMORY_LIMIT];

	if (v == 0) {
		leave(w, N_("0 leaves the limit as it is"));
	} else if (!f->v2) {
		put(w, f, ctr_set_infos[w->setting].v1, number_or(v, "-1"));
	} else {
		put(w, f, ctr_set_infos[w->setting].v2, number_or(v > 0 && limit->set ? v - limit->i : v, "max"));
		if (v > 0 && w->state == CTR_W_PLANNED)
			w->why = N_("v2 counts swap alone: memory.swap less memory.limit");
	}
}

#define PERIOD_DEFAULT 100000u /* us, kernel/sched/core.c */

/* Quota and period: two files on v1; on v2 one line, written with the quota if that is there. */
static void plan_quota(struct planner *x, struct ctr_write *w, const struct ctr_cgroup_folder *f)
{
	const struct ctr_value *q = &x->r->v[CTR_SET_CPU_QUOTA], *p = &x->r->v[CTR_SET_CPU_PERIOD];
	bool quota = w->setting == CTR_SET_CPU_QUOTA;

	if (quota ? q->i == 0 : p->u == 0) {
		leave(w, N_("0 leaves the limit as it is"));
	} else if (!f->v2) {
		put(w, f, ctr_set_infos[w->setting].v1,
		    quota ? number_or(q->i, "-1") : rs_xasprintf("%" PRIu64, p->u));
	} else if (!quota && q->set && q->i) {
		leave(w, N_("v2 has one line for quota and period; it is written with the quota"));
	} else {
		rs_auto_free char *left = number_or(quota ? q->i : -1, "max");

		put(w, f, "cpu.max", rs_xasprintf("%s %" PRIu64, left, p->set && p->u ? p->u : (uint64_t)PERIOD_DEFAULT));
		if (w->state == CTR_W_PLANNED)
			w->why = N_("v2 has one line: quota, then period");
	}
}

static void plan_io_weight(struct ctr_write *w, const struct ctr_cgroup_folder *f, uint64_t v)
{
	if (v == 0) {
		leave(w, N_("0 leaves the weight as it is"));
	} else if (!f->v2) {
		bool bfq = !ctr_cgroup_has(f->dir, "blkio.weight") && ctr_cgroup_has(f->dir, "blkio.bfq.weight");

		put(w, f, bfq ? "blkio.bfq.weight" : "blkio.weight", rs_xasprintf("%" PRIu64, v));
	} else if (ctr_cgroup_has(f->dir, "io.bfq.weight")) {
		put(w, f, "io.bfq.weight", rs_xasprintf("default %" PRIu64, v));
	} else {
		put(w, f, "io.weight", rs_xasprintf("default %" PRIu64, io_weight_of(v)));
		if (w->state == CTR_W_PLANNED)
			w->why = N_("10 to 1000 of v1 become 1 to 10000 of v2");
	}
}

static void plan_shares(struct planner *x, struct ctr_write *w, const struct ctr_cgroup_folder *f, uint64_t v)
{
	if (v == 0) {
		leave(w, N_("0 leaves the weight as it is"));
	} else if (!f->v2) {
		put(w, f, ctr_set_infos[w->setting].v1, rs_xasprintf("%" PRIu64, v));
	} else if (x->r->v[CTR_SET_CPU_IDLE].set && x->r->v[CTR_SET_CPU_IDLE].i) {
		leave(w, N_("an idle group has no weight"));
	} else {
		put(w, f, "cpu.weight", rs_xasprintf("%" PRIu64, weight_of(v)));
		if (w->state == CTR_W_PLANNED)
			w->why = N_("2 to 262144 shares of v1 become a weight from 1 to 10000; 1024 becomes 100");
	}
}

static char *text_of(const struct ctr_set_info *s, const struct ctr_value *v)
{
	switch (s->type) {
	case CTR_T_I64:
		return rs_xasprintf("%" PRId64, v->i);
	case CTR_T_U64:
		return rs_xasprintf("%" PRIu64, v->u);
	case CTR_T_BOOL:
		return rs_xstrdup(v->b ? "1" : "0");
	default:
		return rs_xstrdup(v->text);
	}
}

static void plan_limit(struct ctr_write *w, const struct ctr_cgroup_folder *f, int64_t v)
{
	const struct ctr_set_info *s = &ctr_set_infos[w->setting];
	const char *file = f->v2 ? s->v2 : s->v1;

	if (!file)
		none(w, f->v2);
	else if (v == 0 && (w->setting == CTR_SET_PIDS_LIMIT || w->setting == CTR_SET_MEMORY_LIMIT))
		leave(w, N_("0 leaves the limit as it is")); /* callers send it for "not set" */
	else
		put(w, f, file, number_or(v, f->v2 || w->setting == CTR_SET_PIDS_LIMIT ? "max" : "-1"));
}

static void plan_value(struct planner *x, enum ctr_setting set)
{
	const struct ctr_set_info *s = &ctr_set_infos[set];
	const struct ctr_value *v = &x->r->v[set];
	rs_auto_free char *text = text_of(s, v);
	struct ctr_write *w = add(x, set, rs_xasprintf("%s=%s", s->json, text));
	const struct ctr_cgroup_folder *f;

	if (s->how == CTR_HOW_FIRST) {
		leave(w, N_("no file: what is in use is looked at before a limit is written"));
		return;
	}
	f = place(x, w, s->controller);
	if (!f)
		return;
	switch (s->how) {
	case CTR_HOW_LIMIT:
		plan_limit(w, f, v->i);
		break;
	case CTR_HOW_SHARES:
		plan_shares(x, w, f, v->u);
		break;
	case CTR_HOW_QUOTA:
		plan_quota(x, w, f);
		break;
	case CTR_HOW_SWAP:
		plan_swap(x, w, f, v->i);
		break;
	case CTR_HOW_IO_WEIGHT:
		plan_io_weight(w, f, v->u);
		break;
	case CTR_HOW_ALWAYS:
		if (f->v2 && v->b) {
			leave(w, N_("cgroup v2 always does it"));
			break;
		}
		/* fall through */
	default:
		if (f->v2 ? !s->v2 : !s->v1)
			none(w, f->v2);
		else
			put(w, f, f->v2 ? s->v2 : s->v1, rs_steal(text));
	}
}

/* ---- lists ---- */

static void plan_rate(struct planner *x, const struct ctr_rate *t)
{
	static const char *const keys[] = { "rbps", "wbps", "riops", "wiops" };
	const struct ctr_set_info *s = &ctr_set_infos[t->which];
	rs_auto_free char *number = rs_xasprintf("%" PRIu64, t->rate);
	rs_auto_free char *device = rs_xasprintf("%" PRId64 ":%" PRId64, t->major, t->minor);
	struct ctr_write *w = add(x, t->which, rs_xasprintf("%s=%s %s", s->json, device, number));
	const struct ctr_cgroup_folder *f = place(x, w, s->controller);

	if (f && !f->v2)
		put(w, f, s->v1, rs_xasprintf("%s %s", device, number));
	else if (f)
		put(w, f, s->v2, rs_xasprintf("%s %s=%s", device, keys[t->which - CTR_SET_IO_READ_BPS], t->rate ? number : "max"));
}

static void plan_weight(struct planner *x, const struct ctr_weight *t, bool leaf)
{
	unsigned v = leaf ? t->leaf : t->weight;
	rs_auto_free char *device = rs_xasprintf("%" PRId64 ":%" PRId64, t->major, t->minor);
	struct ctr_write *w = add(x, CTR_SET_IO_WEIGHTS, rs_xasprintf("blockIO.weightDevice=%s %s %u", device,
								      leaf ? "leafWeight" : "weight", v));
	const struct ctr_cgroup_folder *f = place(x, w, "blkio");
	bool bfq;

	if (!f)
		return;
	if (f->v2 && leaf) {
		none(w, true);
	} else if (f->v2) {
		bfq = ctr_cgroup_has(f->dir, "io.bfq.weight");
		put(w, f, bfq ? "io.bfq.weight" : "io.weight", rs_xasprintf("%s %" PRIu64, device, bfq ? v : io_weight_of(v)));
	} else {
		bfq = !leaf && !ctr_cgroup_has(f->dir, "blkio.weight_device") && ctr_cgroup_has(f->dir, "blkio.bfq.weight_device");
		put(w, f, leaf ? "blkio.leaf_weight_device" : bfq ? "blkio.bfq.weight_device" : "blkio.weight_device",
		    rs_xasprintf("%s %u", device, v));
	}
}

static void plan_pages(struct planner *x, const struct ctr_pages *t)
{
	struct ctr_write *w = add(x, CTR_SET_HUGE_PAGES, rs_xasprintf("hugepageLimits=%s %" PRIu64, t->size, t->limit));
	const struct ctr_cgroup_folder *f = place(x, w, "hugetlb");
	rs_auto_free char *file = f ? rs_xasprintf("hugetlb.%s.%s", t->size, f->v2 ? "max" : "limit_in_bytes") : NULL;

	if (f)
		put(w, f, file, rs_xasprintf("%" PRIu64, t->limit));
}

static void plan_prio(struct planner *x, const struct ctr_prio *t)
{
	struct ctr_write *w = add(x, CTR_SET_NET_PRIOS, rs_xasprintf("network.priorities=%s %u", t->name, t->priority));
	const struct ctr_cgroup_folder *f = place(x, w, "net_prio");

	if (f)
		put(w, f, "net_prio.ifpriomap", rs_xasprintf("%s %u", t->name, t->priority));
}

static void plan_rdma(struct planner *x, const struct ctr_rdma *t)
{
	rs_auto_str v = RS_STR_INIT;

	rs_str_add(&v, t->device);
	if (t->has_handles)
		rs_str_addf(&v, " hca_handle=%u", t->handles);
	if (t->has_objects)
		rs_str_addf(&v, " hca_object=%u", t->objects);
	struct ctr_write *w = add(x, CTR_SET_RDMA, rs_xasprintf("rdma=%s", v.p));
	const struct ctr_cgroup_folder *f = place(x, w, "rdma");

	if (f)
		put(w, f, "rdma.max", rs_str_detach(&v));
}

static void plan_unified(struct planner *x, const struct ctr_unified *t)
{
	struct ctr_write *w = add(x, CTR_SET_UNIFIED, rs_xasprintf("unified.%s=%s", t->file, t->value));
	const struct ctr_cgroup_folder *f = ctr_cgroup_folder(x->cg, "");
	rs_auto_free char *controller = rs_xasprintf("%.*s", (int)strcspn(t->file, "."), t->file);

	if (!f) {
		w->state = CTR_W_NO_CONTROLLER;
		w->why = N_("this machine has no cgroup v2 for it");
	} else if (!f->dir) {
		place(x, w, "");
	} else if (strcmp(controller, "cgroup") && !ctr_cgroup_has(f->dir, t->file) &&
		   !ctr_cgroup_has_word(f->controllers, controller)) {
		w->state = CTR_W_NO_CONTROLLER;
		w->why = N_("on this machine the controller is not one of cgroup v2: on a hybrid host it is still v1's");
	} else {
		put(w, f, t->file, rs_xstrdup(t->value));
	}
}

static char *device_number(int64_t n)
{
	return n < 0 ? rs_xstrdup("*") : rs_xasprintf("%" PRId64, n);
}

static void plan_device(struct planner *x, unsigned i)
{
	const struct ctr_device_rule *d = &x->r->device[i];
	rs_auto_free char *major = device_number(d->major), *minor = device_number(d->minor);
	char *rule = rs_xasprintf("%c %s:%s %s%s%s", d->type, major, minor, d->access & CTR_DEV_READ ? "r" : "",
				  d->access & CTR_DEV_WRITE ? "w" : "", d->access & CTR_DEV_MKNOD ? "m" : "");
	struct ctr_write *w = add(x, CTR_SET_DEVICES, rs_xasprintf("devices[%u]=%s %s", i, d->allow ? "allow" : "deny", rule));
	const struct ctr_cgroup_folder *f = place(x, w, "devices");

	if (!f) {
		free(rule);
	} else if (!f->v2) {
		put(w, f, d->allow ? "devices.allow" : "devices.deny", rule);
	} else {
		w->file = rs_xstrdup(f->dir);
		w->value = rule;
		w->why = N_("v2 has no file: all rules together become one eBPF program that the kernel asks");
	}
}

/* ---- order ---- */

/* Memory and swap together may never be less than memory alone, at no moment: when the limit grows past
 * what both may be now, the sum goes first. */
static void order_swap(struct planner *x)
{
	const struct ctr_value *l = &x->r->v[CTR_SET_MEMORY_LIMIT];
	struct ctr_write *limit = NULL, *swap = NULL;
	uint64_t now;

	for (unsigned i = 0; i < x->p->n; i++) {
		struct ctr_write *w = &x->p->w[i];

		if (w->state == CTR_W_PLANNED && w->setting == CTR_SET_MEMORY_LIMIT)
			limit = w;
		if (w->state == CTR_W_PLANNED && w->setting == CTR_SET_MEMORY_SWAP)
			swap = w;
	}
	if (!limit || !swap || !strstr(swap->file, "memsw"))
		return;
	now = ctr_cgroup_number(ctr_cgroup_dir(x->cg, "memory"), "memory.memsw.limit_in_bytes");
	if ((l->i < 0 && now != CTR_NO_VALUE) || (l->i > 0 && (uint64_t)l->i > now)) {
		struct ctr_write t = *limit;

		*limit = *swap;
		*swap = t;
	}
}

void ctr_cgroup_plan(const struct ctr_cgroup *cg, const struct ctr_resources *r, struct ctr_plan *p)
{
	struct planner x = { cg, r, p };

	*p = (struct ctr_plan){ 0 };
	for (unsigned i = 0; i < CTR_SET_COUNT; i++)
		if (r->v[i].set)
			plan_value(&x, (enum ctr_setting)i);
	for (unsigned i = 0; i < r->rates; i++)
		plan_rate(&x, &r->rate[i]);
	for (unsigned i = 0; i < r->weights; i++) {
		if (r->weight[i].has_weight)
			plan_weight(&x, &r->weight[i], false);
		if (r->weight[i].has_leaf)
			plan_weight(&x, &r->weight[i], true);
	}
	for (unsigned i = 0; i < r->pageses; i++)
		plan_pages(&x, &r->pages[i]);
	for (unsigned i = 0; i < r->prios; i++)
		plan_prio(&x, &r->prio[i]);
	for (unsigned i = 0; i < r->rdmas; i++)
		plan_rdma(&x, &r->rdma[i]);
	for (unsigned i = 0; i < r->unifieds; i++)
		plan_unified(&x, &r->unified[i]);
	for (unsigned i = 0; i < r->devices; i++)
		plan_device(&x, i);
	order_swap(&x);
}
