/* Accounting: what a group used, from the files of whichever version it has. */
#include "containers/cgroup_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

#define US_NS 1000u

static uint64_t times(uint64_t v, uint64_t by)
{
	return v == CTR_NO_VALUE ? v : v * by;
}

/* "some avg10=0.00 ... total=1234" */
static void take_pressure(const char *dir, const char *file, struct ctr_pressure *p)
{
	rs_auto_str text = RS_STR_INIT;
	uint64_t *to[] = { &p->some, &p->full };
	static const char *const name[] = { "some ", "full " };

	if (!dir || ctr_cgroup_read(dir, file, &text) < 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		const char *line = strstr(text.p, name[i]), *total = line ? strstr(line, "total=") : NULL;

		if (total)
			sscanf(total + 6, "%" SCNu64, to[i]);
	}
}

static const char *dir_of(const struct ctr_cgroup *cg, const char *controller, bool *v2)
{
	const struct ctr_cgroup_folder *f = ctr_cgroup_folder(cg, controller);

	*v2 = f && f->v2;
	return f ? f->dir : NULL;
}

static void take_cpu(const struct ctr_cgroup *cg, struct ctr_stats *s)
{
	rs_auto_str text = RS_STR_INIT;
	bool v2, acct2;
	const char *dir = dir_of(cg, "cpu", &v2), *acct = dir_of(cg, "cpuacct", &acct2);

	if (dir && ctr_cgroup_read(dir, "cpu.stat", &text) == 0) {
		s->cpu.periods = ctr_cgroup_line(text.p, "nr_periods");
		s->cpu.throttled = ctr_cgroup_line(text.p, "nr_throttled");
		s->cpu.throttled_ns = v2 ? times(ctr_cgroup_line(text.p, "throttled_usec"), US_NS) :
					   ctr_cgroup_line(text.p, "throttled_time");
	}
	/* Also a v2 group without the controller counts its time. */
	if (acct && acct2 && ctr_cgroup_read(acct, "cpu.stat", &text) == 0) {
		s->cpu.usage_ns = times(ctr_cgroup_line(text.p, "usage_usec"), US_NS);
		s->cpu.user_ns = times(ctr_cgroup_line(text.p, "user_usec"), US_NS);
		s->cpu.system_ns = times(ctr_cgroup_line(text.p, "system_usec"), US_NS);
	} else if (acct && !acct2) {
		s->cpu.usage_ns = ctr_cgroup_number(acct, "cpuacct.usage");
		s->cpu.user_ns = ctr_cgroup_number(acct, "cpuacct.usage_user");
		s->cpu.system_ns = ctr_cgroup_number(acct, "cpuacct.usage_sys");
	}
	if (dir && v2 && ctr_cgroup_read(dir, "cpu.max", &text) == 0) {
		sscanf(text.p, "%" SCNu64, &s->cpu.quota_us);
		sscanf(text.p, "%*s %" SCNu64, &s->cpu.period_us);
	} else if (dir && !v2) {
		s->cpu.quota_us = ctr_cgroup_number(dir, "cpu.cfs_quota_us"); /* "-1" is no number */
		s->cpu.period_us = ctr_cgroup_number(dir, "cpu.cfs_period_us");
	}
	if (v2)
		take_pressure(dir, "cpu.pressure", &s->pressure_cpu);
}

static void take_memory_v1(const char *dir, struct ctr_stats *s)
{
	rs_auto_str text = RS_STR_INIT;
	uint64_t swap = ctr_cgroup_number(dir, "memory.memsw.usage_in_bytes");

	s->memory.current = ctr_cgroup_number(dir, "memory.usage_in_bytes");
	s->memory.peak = ctr_cgroup_number(dir, "memory.max_usage_in_bytes");
	s->memory.limit = ctr_cgroup_number(dir, "memory.limit_in_bytes");
	s->memory.kernel = ctr_cgroup_number(dir, "memory.kmem.usage_in_bytes");
	s->memory.max = ctr_cgroup_number(dir, "memory.failcnt");
	/* The two are not read at one moment. */
	s->memory.swap = swap == CTR_NO_VALUE || s->memory.current == CTR_NO_VALUE ? CTR_NO_VALUE :
			 swap > s->memory.current			    ? swap - s->memory.current :
										      0;
	s->memory.swap_limit = ctr_cgroup_number(dir, "memory.memsw.limit_in_bytes");
	if (ctr_cgroup_read(dir, "memory.stat", &text) == 0) {
		s->memory.anon = ctr_cgroup_line(text.p, "total_rss");
		s->memory.file = ctr_cgroup_line(text.p, "total_cache");
	}
	if (ctr_cgroup_read(dir, "memory.oom_control", &text) == 0)
		s->memory.oom_kill = ctr_cgroup_line(text.p, "oom_kill");
}

static void take_memory_v2(const char *dir, struct ctr_stats *s)
{
	rs_auto_str text = RS_STR_INIT;

	s->memory.current = ctr_cgroup_number(dir, "memory.current");
	s->memory.peak = ctr_cgroup_number(dir, "memory.peak");
	s->memory.limit = ctr_cgroup_number(dir, "memory.max");
	s->memory.swap = ctr_cgroup_number(dir, "memory.swap.current");
	s->memory.swap_limit = ctr_cgroup_number(dir, "memory.swap.max");
	if (ctr_cgroup_read(dir, "memory.stat", &text) == 0) {
		s->memory.anon = ctr_cgroup_line(text.p, "anon");
		s->memory.file = ctr_cgroup_line(text.p, "file");
		s->memory.kernel = ctr_cgroup_line(text.p, "kernel");
	}
	if (ctr_cgroup_read(dir, "memory.events", &text) == 0) {
		s->memory.low = ctr_cgroup_line(text.p, "low");
		s->memory.high = ctr_cgroup_line(text.p, "high");
		s->memory.max = ctr_cgroup_line(text.p, "max");
		s->memory.oom = ctr_cgroup_line(text.p, "oom");
		s->memory.oom_kill = ctr_cgroup_line(text.p, "oom_kill");
	}
	take_pressure(dir, "memory.pressure", &s->pressure_memory);
}

static void add_to(uint64_t *sum, uint64_t v)
{
	*sum = (*sum == CTR_NO_VALUE ? 0 : *sum) + v;
}

/* v1: "8:0 Read 4096" lines. */
static void take_blkio(const char *dir, const char *file, uint64_t *reads, uint64_t *writes)
{
	rs_auto_str text = RS_STR_INIT;

	if (ctr_cgroup_read(dir, file, &text) < 0)
		return;
	*reads = *writes = 0;
	for (char *s = NULL, *l = strtok_r(text.p, "\n", &s); l; l = strtok_r(NULL, "\n", &s)) {
		char what[16];
		uint64_t v;

		if (sscanf(l, "%*u:%*u %15s %" SCNu64, what, &v) != 2)
			continue;
		if (strcmp(what, "Read") == 0)
			*reads += v;
		else if (strcmp(what, "Write") == 0)
			*writes += v;
	}
}

static void take_io(const struct ctr_cgroup *cg, struct ctr_stats *s)
{
	rs_auto_str text = RS_STR_INIT;
	bool v2;
	const char *dir = dir_of(cg, "blkio", &v2);

	if (!dir)
		return;
	if (!v2) {
		take_blkio(dir, "blkio.throttle.io_service_bytes_recursive", &s->io.read_bytes, &s->io.write_bytes);
		take_blkio(dir, "blkio.throttle.io_serviced_recursive", &s->io.reads, &s->io.writes);
		return;
	}
	if (ctr_cgroup_read(dir, "io.stat", &text) == 0) {
		static const char *const keys[] = { "rbytes=", "wbytes=", "rios=", "wios=" };
		uint64_t *to[] = { &s->io.read_bytes, &s->io.write_bytes, &s->io.reads, &s->io.writes };

		for (unsigned i = 0; i < 4; i++) {
			*to[i] = 0;
			for (const char *p = text.p; (p = strstr(p, keys[i]));) {
				uint64_t v = 0;

				p += strlen(keys[i]);
				if (sscanf(p, "%" SCNu64, &v) == 1)
					add_to(to[i], v);
			}
		}
	}
	take_pressure(dir, "io.pressure", &s->pressure_io);
}

void ctr_cgroup_stats(const struct ctr_cgroup *cg, struct ctr_stats *s)
{
	rs_auto_str text = RS_STR_INIT;
	bool v2;
	const char *dir;

	memset(s, 0xff, sizeof(*s)); /* CTR_NO_VALUE in each field */
	take_cpu(cg, s);
	dir = dir_of(cg, "memory", &v2);
	if (dir && v2)
		take_memory_v2(dir, s);
	else if (dir)
		take_memory_v1(dir, s);
	dir = dir_of(cg, "pids", &v2);
	if (dir) {
		s->pids.current = ctr_cgroup_number(dir, "pids.current");
		s->pids.limit = ctr_cgroup_number(dir, "pids.max");
		if (ctr_cgroup_read(dir, "pids.events", &text) == 0)
			s->pids.refused = ctr_cgroup_line(text.p, "max");
	}
	take_io(cg, s);
}

/* ---- what became more ---- */

/* By how much, since before; a first reading counts from 0. */
static uint64_t more(uint64_t before, uint64_t now)
{
	if (now == CTR_NO_VALUE)
		return 0;
	return before == CTR_NO_VALUE ? now : now > before ? now - before : 0;
}

void ctr_cgroup_report(const struct ctr_cgroup *cg, const struct ctr_stats *b, const struct ctr_stats *n, struct rs_emitter *em)
{
	const struct {
		unsigned slot;
		uint64_t value;
	} v[] = {
		{ RS_CTR_CTR_CPU_NS, n->cpu.usage_ns },          { RS_CTR_CTR_THROTTLED, n->cpu.throttled },
		{ RS_CTR_CTR_THROTTLED_NS, n->cpu.throttled_ns }, { RS_CTR_CTR_QUOTA_US, n->cpu.quota_us },
		{ RS_CTR_CTR_PERIOD_US, n->cpu.period_us },      { RS_CTR_CTR_MEMORY, n->memory.current },
		{ RS_CTR_CTR_MEMORY_PEAK, n->memory.peak },      { RS_CTR_CTR_MEMORY_LIMIT, n->memory.limit },
		{ RS_CTR_CTR_OOM_KILLS, n->memory.oom_kill },    { RS_CTR_CTR_PIDS, n->pids.current },
		{ RS_CTR_CTR_PIDS_LIMIT, n->pids.limit },        { RS_CTR_CTR_FORKS_REFUSED, n->pids.refused },
		{ RS_CTR_CTR_READ_BYTES, n->io.read_bytes },     { RS_CTR_CTR_WRITE_BYTES, n->io.write_bytes },
	};
	uint64_t by;

	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		rs_count_set(em, v[i].slot, v[i].value == CTR_NO_VALUE ? 0 : v[i].value);
	by = more(b->memory.oom_kill, n->memory.oom_kill);
	if (by)
		rs_emit(em, RS_EV_CGROUP_OOM, RS_SRC_CTR, cg->actor, by, n->memory.peak, n->memory.limit, 0, "");
	by = more(b->memory.max, n->memory.max);
	if (by)
		rs_emit(em, RS_EV_CGROUP_LIMIT, RS_SRC_CTR, cg->actor, by, n->memory.current, n->memory.limit, 0, "memory");
	by = more(b->pids.refused, n->pids.refused);
	if (by)
		rs_emit(em, RS_EV_CGROUP_LIMIT, RS_SRC_CTR, cg->actor, by, n->pids.current, n->pids.limit, 0, "pids");
	by = more(b->cpu.throttled, n->cpu.throttled);
	if (by)
		rs_emit(em, RS_EV_CGROUP_THROTTLE, RS_SRC_CTR, cg->actor, by, more(b->cpu.throttled_ns, n->cpu.throttled_ns),
			n->cpu.quota_us, n->cpu.period_us, "");
}

/* ---- out of memory, as it happens ---- */

int ctr_cgroup_oom_fd(const struct ctr_cgroup *cg, struct rs_err *err)
{
	bool v2;
	const char *dir = dir_of(cg, "memory", &v2);
	rs_auto_close int fd = -1, file = -1;
	int rc = 0;

	if (!dir)
		return rs_err_set(err, -EOPNOTSUPP, "no memory controller says when the container runs out of memory");
	if (v2) {
		rs_auto_free char *path = rs_xasprintf("%s/memory.events", dir);

		fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
			rc = -errno;
	} else {
		rs_auto_free char *path = rs_xasprintf("%s/memory.oom_control", dir), *order = NULL;

		/* cgroup-v1/memory.rst, 10: an eventfd and the file, as numbers, into cgroup.event_control */
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || file < 0) {
			rc = -errno;
		} else {
			order = rs_xasprintf("%d %d", fd, file);
			rc = ctr_cgroup_write(dir, "cgroup.event_control", order);
		}
	}
	if (rc < 0)
		return rs_err_errno(err, -rc, "%s cannot be watched for running out of memory", dir);
	return rs_steal_fd(&fd);
}

void ctr_cgroup_oom_taken(int fd)
{
	char buf[1024];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}
