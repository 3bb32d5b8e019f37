/* events: accounting as JSON, once or again and again, and when memory runs out. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "containers/oci.h"
#include "containers/run.h"
#include "engine/base/cleanup.h"

static struct json_object *object(struct json_object *parent, const char *key)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(parent, key, o);
	return o;
}

/* What this machine does not count is left out. */
static void count(struct json_object *o, const char *key, uint64_t value)
{
	if (value != CTR_NO_VALUE)
		json_object_object_add(o, key, json_object_new_uint64(value));
}

static void pressure(struct json_object *parent, const struct ctr_pressure *p)
{
	struct json_object *o;

	if (p->some == CTR_NO_VALUE)
		return;
	o = object(parent, "psi");
	count(object(o, "some"), "total", p->some);
	count(object(o, "full"), "total", p->full);
}

/* The form of runc's types/events.go, for its readers. */
static struct json_object *stats(const struct ctr_stats *s)
{
	struct json_object *data = json_object_new_object(), *o, *p;

	o = object(data, "cpu");
	p = object(o, "usage");
	count(p, "total", s->cpu.usage_ns);
	count(p, "kernel", s->cpu.system_ns);
	count(p, "user", s->cpu.user_ns);
	p = object(o, "throttling");
	count(p, "periods", s->cpu.periods);
	count(p, "throttledPeriods", s->cpu.throttled);
	count(p, "throttledTime", s->cpu.throttled_ns);
	pressure(o, &s->pressure_cpu);

	o = object(data, "memory");
	p = object(o, "usage");
	count(p, "limit", s->memory.limit);
	count(p, "usage", s->memory.current);
	count(p, "max", s->memory.peak);
	count(p, "failcnt", s->memory.max);
	p = object(o, "swap");
	count(p, "limit", s->memory.swap_limit);
	count(p, "usage", s->memory.swap);
	p = object(o, "raw");
	count(p, "anon", s->memory.anon);
	count(p, "file", s->memory.file);
	count(p, "kernel", s->memory.kernel);
	count(p, "oom_kill", s->memory.oom_kill);
	pressure(o, &s->pressure_memory);

	o = object(data, "pids");
	count(o, "current", s->pids.current);
	count(o, "limit", s->pids.limit);

	o = object(data, "blkio");
	p = json_object_new_array();
	for (unsigned i = 0; i < 2; i++) {
		struct json_object *e = json_object_new_object();

		json_object_object_add(e, "op", json_object_new_string(i ? "Write" : "Read"));
		count(e, "value", i ? s->io.write_bytes : s->io.read_bytes);
		json_object_array_add(p, e);
	}
	json_object_object_add(o, "ioServiceBytesRecursive", p);
	pressure(o, &s->pressure_io);
	return data;
}

static void print(struct ctr_container *c, const char *type)
{
	struct json_object *e = json_object_new_object();
	struct ctr_stats s;

	json_object_object_add(e, "type", json_object_new_string(type));
	json_object_object_add(e, "id", json_object_new_string(c->id));
	if (strcmp(type, "stats") == 0) {
		ctr_cgroup_stats(c->cg, &s);
		json_object_object_add(e, "data", stats(&s));
	}
	printf("%s\n", json_object_to_json_string_ext(e, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(e);
}

static int run_events(struct oci *o)
{
	const char *interval = oci_get(o, "interval");
	uint64_t ns = 5000000000u;
	struct ctr_container *c = oci_open(o);
	rs_auto_close int oom = -1;

	if (!c)
		return oci_fail(o, 1);
	if (interval && rs_parse_duration(interval, &ns) < 0) {
		ctr_free(c);
		return oci_usage(o, N_("--interval wants a time such as 5s, not \"%s\""), interval);
	}
	if (!c->cg || !ctr_cgroup_exists(c->cg)) {
		rs_err_set(&o->err, -EOPNOTSUPP, "container %s has no cgroup, so nothing of it is counted", c->id);
		ctr_free(c);
		return oci_fail(o, 1);
	}
	if (ctr_status(c) == CTR_STOPPED) {
		rs_err_set(&o->err, -ESRCH, "container %s is not running", c->id);
		ctr_free(c);
		return oci_fail(o, 1);
	}
	print(c, "stats");
	if (!oci_get(o, "stats")) {
		oom = ctr_cgroup_oom_fd(c->cg, NULL);
		while (ctr_status(c) != CTR_STOPPED) {
			struct pollfd p = { oom, POLLIN, 0 };
			int n = poll(&p, 1, (int)(ns / 1000000));

			if (n > 0) {
				ctr_cgroup_oom_taken(oom);
				print(c, "oom");
			} else if (n == 0 && ctr_status(c) != CTR_STOPPED) {
				print(c, "stats");
			}
		}
	}
	ctr_free(c);
	return 0;
}

static const struct oci_opt opts[] = {
	{ 0, "interval", "TIME", N_("between two reports; 5s when left out") },
	{ 0, "stats", NULL, N_("one report, then the end") },
	{ 0, NULL, NULL, NULL },
};
const struct oci_verb oci_events = {
	.name = "events", .args = "ID", .min = 1, .max = 1, .opts = opts,
	.brief = N_("report what a container uses, and when memory runs out"), .run = run_events,
};
