/* update: other limits for a container that runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers/oci.h"
#include "containers/run.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* Which setting an option of the command line is. */
static const struct {
	const char *name;
	enum ctr_setting setting;
} rows[] = {
	{ "blkio-weight", CTR_SET_IO_WEIGHT },
	{ "cpu-period", CTR_SET_CPU_PERIOD },
	{ "cpu-quota", CTR_SET_CPU_QUOTA },
	{ "cpu-burst", CTR_SET_CPU_BURST },
	{ "cpu-rt-period", CTR_SET_CPU_RT_PERIOD },
	{ "cpu-rt-runtime", CTR_SET_CPU_RT_RUNTIME },
	{ "cpu-share", CTR_SET_CPU_SHARES },
	{ "cpu-idle", CTR_SET_CPU_IDLE },
	{ "cpuset-cpus", CTR_SET_CPU_CPUS },
	{ "cpuset-mems", CTR_SET_CPU_MEMS },
	{ "memory", CTR_SET_MEMORY_LIMIT },
	{ "memory-reservation", CTR_SET_MEMORY_RESERVATION },
	{ "memory-swap", CTR_SET_MEMORY_SWAP },
	{ "pids-limit", CTR_SET_PIDS_LIMIT },
};

/* "512M", "-1", "1000" */
static int number(struct oci *o, const char *name, const char *s, int64_t *out)
{
	uint64_t n;
	char *end;

	errno = 0;
	*out = strtoll(s, &end, 10);
	if (end != s && !*end && !errno)
		return 0;
	rs_auto_free char *copy = rs_xstrdup(s);

	for (char *c = copy; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	if (rs_parse_size(copy, &n) == 0 && n <= INT64_MAX) {
		*out = (int64_t)n;
		return 0;
	}
	return rs_err_set(&o->err, -EINVAL, "--%s wants a number, not \"%s\"", name, s);
}

static int from_options(struct oci *o, struct ctr_resources *r)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *s = oci_get(o, rows[i].name);
		struct ctr_value *v = &r->v[rows[i].setting];
		int rc;

		if (!s)
			continue;
		if (ctr_set_infos[rows[i].setting].type == CTR_T_TEXT) {
			free(v->text);
			v->text = rs_xstrdup(s);
			v->set = *s != '\0';
			continue;
		}
		rc = number(o, rows[i].name, s, &v->i);
		if (rc)
			return rc;
		v->set = true;
	}
	return 0;
}

static int read_resources(struct oci *o, struct ctr_resources *r)
{
	const char *path = oci_get(o, "resources");
	rs_auto_str text = RS_STR_INIT;
	char buf[4096];
	ssize_t n;

	if (!path)
		return 0;
	if (strcmp(path, "-") != 0) {
		if (rs_file_read(path, 1 << 20, &text, &o->err) < 0)
			return o->err.code;
	} else {
		while ((n = read(0, buf, sizeof(buf))) > 0 && text.len < 1 << 20)
			rs_str_addn(&text, buf, (size_t)n);
	}
	return ctr_resources_parse(text.p, text.len, path, r, &o->err);
}

static int run_update(struct oci *o)
{
	struct ctr_container *c = oci_open(o);
	struct ctr_resources r = { 0 };
	struct ctr_plan plan = { 0 };
	int rc = c ? read_resources(o, &r) : -1;

	if (rc == 0)
		rc = from_options(o, &r);
	if (rc == 0)
		rc = ctr_resources_check(&r, &o->err);
	if (rc == 0 && (!c->cg || !ctr_cgroup_exists(c->cg)))
		rc = rs_err_set(&o->err, -EOPNOTSUPP, "container %s has no cgroup, so it has no limits", c->id);
	if (rc == 0 && ctr_status(c) == CTR_STOPPED)
		rc = rs_err_set(&o->err, -ESRCH, "container %s is not running", c->id);
	if (rc == 0) {
		ctr_cgroup_plan(c->cg, &r, &plan);
		rc = ctr_cgroup_apply(c->cg, &plan, false, &o->err);
		ctr_plan_release(&plan);
	}
	ctr_resources_release(&r);
	ctr_free(c);
	return rc ? oci_fail(o, 1) : 0;
}

static const struct oci_opt opts[] = {
	{ 'r', "resources", "FILE", N_("linux.resources as JSON; - is standard input") },
	{ 0, "blkio-weight", "N", N_("weight among those who want a disk, 10 to 1000") },
	{ 0, "cpu-period", "US", N_("period of the processor quota in microseconds") },
	{ 0, "cpu-quota", "US", N_("processor time in each period; -1 is no limit") },
	{ 0, "cpu-burst", "US", N_("processor time that may be saved up") },
	{ 0, "cpu-rt-period", "US", N_("period of the quota of real-time processes") },
	{ 0, "cpu-rt-runtime", "US", N_("processor time of real-time processes") },
	{ 0, "cpu-share", "N", N_("weight among those who want a processor; 1024 is the middle") },
	{ 0, "cpu-idle", "N", N_("1: only when nobody else wants the processor") },
	{ 0, "cpuset-cpus", "LIST", N_("processors, such as 0-2,5") },
	{ 0, "cpuset-mems", "LIST", N_("memory nodes") },
	{ 0, "memory", "BYTES", N_("most memory; -1 is no limit") },
	{ 0, "memory-reservation", "BYTES", N_("memory that is left alone while others have more to give") },
	{ 0, "memory-swap", "BYTES", N_("most memory and swap together") },
	{ 0, "pids-limit", "N", N_("most processes; -1 is no limit") },
	{ 0, "kernel-memory", "BYTES", N_("ignored: newer kernels have no such limit") },
	{ 0, "kernel-memory-tcp", "BYTES", N_("ignored: newer kernels have no such limit") },
	{ 0, NULL, NULL, NULL },
};
const struct oci_verb oci_update = {
	.name = "update", .args = "ID", .min = 1, .max = 1, .opts = opts,
	.brief = N_("change the limits of a container that runs"), .run = run_update,
};
