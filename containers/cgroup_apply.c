/* The writes are made, and what the kernel then holds is read beside what was asked. */
#include "containers/cgroup_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "containers/cgroup_dev.h"
#include "engine/base/cleanup.h"

/* ---- reading back ---- */

/* The folder and the file's name of a row. */
static char *folder_of(const struct ctr_write *w, const char **file)
{
	char *dir = rs_xstrdup(w->file), *slash = strrchr(dir, '/');

	*slash = '\0';
	*file = w->file + (slash + 1 - dir);
	return dir;
}

static void trim(struct rs_str *s)
{
	while (s->len && strchr(" \n", s->p[s->len - 1]))
		s->p[--s->len] = '\0';
}

/* The line of a device ("8:0 ...") or of an interface in a list, or NULL. */
static char *line_of(const char *text, const char *value)
{
	size_t key = strcspn(value, " ");

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strncmp(p, value, key) == 0 && p[key] == ' ')
			return rs_xasprintf("%.*s", (int)strcspn(p, "\n"), p);
	return NULL;
}

/* What of the file answers this row: its text, one line of a list, one key of memory.oom_control. */
static char *relevant(const struct ctr_write *w, const char *text)
{
	if (w->setting == CTR_SET_MEMORY_NO_OOM) {
		uint64_t v = ctr_cgroup_line(text, "oom_kill_disable");

		return rs_xasprintf("%" PRIu64, v == CTR_NO_VALUE ? 0 : v);
	}
	switch (ctr_set_infos[w->setting].type) {
	case CTR_T_RATE:
	case CTR_T_WEIGHT:
	case CTR_T_RDMA:
	case CTR_T_PRIO:
		return line_of(text, w->value);
	default:
		break;
	}
	if (strncmp(w->value, "default ", 8) == 0) /* io.weight: the first line */
		return rs_xasprintf("%.*s", (int)strcspn(text, "\n"), text);
	return rs_xstrdup(text);
}

/* Each "key=value" and "major:minor" of `value` is in `now`: io.max has keys that were not asked for. */
static bool holds_words(const char *value, const char *now)
{
	rs_auto_free char *copy = rs_xstrdup(value);

	for (char *save = NULL, *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		size_t n = strlen(w);
		bool found = false;

		for (const char *p = now; (p = strstr(p, w)) && !found; p += n)
			found = (p == now || p[-1] == ' ') && (!p[n] || p[n] == ' ');
		if (!found)
			return false;
	}
	return true;
}

/* "0-1" and "0,1" are the same processors. Sets a bit for each below 1024. */
static bool cpu_list(const char *s, unsigned char set[128])
{
	memset(set, 0, 128);
	while (*s) {
		char *end;
		unsigned long from = strtoul(s, &end, 10), to = from;

		if (end == s)
			return false;
		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		for (unsigned long i = from; i <= to && i < 1024; i++)
			set[i / 8] |= (unsigned char)(1u << i % 8);
		s = end + (*end == ',');
		if (end == s && *s)
			return false;
	}
	return true;
}

static bool number_of(const char *s, uint64_t *v)
{
	char *end;

	if (strcmp(s, "max") == 0 || strcmp(s, "-1") == 0) {
		*v = CTR_NO_VALUE;
		return true;
	}
	if (*s < '0' || *s > '9')
		return false;
	*v = strtoull(s, &end, 10);
	if (*end)
		return false;
	if (*v >= 1ull << 62)
		*v = CTR_NO_VALUE; /* v1 says "no limit" as the largest multiple of a page */
	return true;
}

static bool same(const struct ctr_write *w, const char *now)
{
	unsigned char a[128], b[128];
	uint64_t x, y;

	if (strcmp(w->value, now) == 0)
		return true;
	if (w->setting == CTR_SET_CPU_CPUS || w->setting == CTR_SET_CPU_MEMS)
		return cpu_list(w->value, a) && cpu_list(now, b) && memcmp(a, b, sizeof(a)) == 0;
	if (number_of(w->value, &x) && number_of(now, &y))
		return x == y;
	return holds_words(w->value, now);
}

/* A rate of 0 on v1 and "max" on v2 take the line out of the list. */
static bool line_goes(const struct ctr_write *w)
{
	size_t n = strlen(w->value);

	return ctr_set_infos[w->setting].type == CTR_T_RATE &&
	       ((n > 2 && strcmp(w->value + n - 2, " 0") == 0) || (n > 4 && strcmp(w->value + n - 4, "=max") == 0));
}

static void read_back(const struct ctr_cgroup *cg, struct ctr_write *w)
{
	const struct ctr_cgroup_folder *f = ctr_cgroup_folder(cg, "devices");
	const char *file;
	rs_auto_free char *dir = NULL;
	rs_auto_str text = RS_STR_INIT;
	int rc;

	if (w->state != CTR_W_PLANNED && w->state != CTR_W_HELD && w->state != CTR_W_CHANGED)
		return;
	free(w->now);
	w->now = NULL;
	if (w->setting == CTR_SET_DEVICES && f && f->v2) {
		w->now = ctr_device_attached(f->dir);
		w->state = w->now ? CTR_W_HELD : CTR_W_CHANGED;
		return;
	}
	dir = folder_of(w, &file);
	/* The rules of v1 are written to two files and read from a third. */
	rc = ctr_cgroup_read(dir, w->setting == CTR_SET_DEVICES ? "devices.list" : file, &text);
	if (rc < 0) {
		/* A file for writing only: that the write was taken is all there is to know. */
		w->state = CTR_W_HELD;
		return;
	}
	trim(&text);
	if (w->setting == CTR_SET_DEVICES) {
		for (char *p = text.p; *p; p++)
			*p = *p == '\n' ? ',' : *p;
		w->now = rs_str_detach(&text);
		w->state = CTR_W_HELD; /* later rules may have taken it back: the list shows the sum */
		return;
	}
	w->now = relevant(w, text.p);
	w->state = (w->now ? same(w, w->now) : line_goes(w)) ? CTR_W_HELD : CTR_W_CHANGED;
}

void ctr_cgroup_read_back(const struct ctr_cgroup *cg, struct ctr_plan *p)
{
	for (unsigned i = 0; i < p->n; i++)
		read_back(cg, &p->w[i]);
}

/* ---- writing ---- */

static const char *cure(const struct ctr_write *w)
{
	if (w->state != CTR_W_REFUSED)
		return w->why ? w->why : N_("this machine cannot do it");
	switch (w->error) {
	case EACCES:
	case EPERM:
		return N_("run as root, or have the group delegated to you");
	case EBUSY:
		return N_("more is in use already than the limit allows: end processes, or ask for more");
	case EINVAL:
	case ERANGE:
		return N_("the kernel takes no such value here: see the limits of the group above, and what the machine has");
	case ENODEV:
		return N_("there is no such device on this machine");
	case EOPNOTSUPP:
		return N_("this kernel no longer does it: leave the setting out");
	default:
		return N_("see ringside doctor for what this machine has");
	}
}

static int fail_write(const struct ctr_write *w, struct rs_err *err)
{
	struct rs_err out = { .code = w->error ? -w->error : -EOPNOTSUPP };

	for (int l = 0; l < RS_LANGS; l++) {
		struct rs_err one = RS_ERR_INIT;
		const char *how = rs_tr((enum rs_lang)l, cure(w));

		if (w->state == CTR_W_REFUSED)
			rs_err_set(&one, out.code, "linux.resources.%s: writing \"%s\" to %s: %s; %s", w->asked, w->value, w->file,
				   strerror(w->error), how);
		else
			rs_err_set(&one, out.code, "linux.resources.%s cannot be done: %s", w->asked, how);
		memcpy(out.text[l], one.text[l], sizeof(out.text[l]));
	}
	if (err)
		*err = out;
	return out.code;
}

static void say(const struct ctr_cgroup *cg, const struct ctr_write *w)
{
	rs_auto_free char *text = NULL;
	uint64_t asked = CTR_NO_VALUE, now = CTR_NO_VALUE;

	if (!cg->em)
		return;
	if (w->value)
		number_of(w->value, &asked);
	if (w->now)
		number_of(w->now, &now);
	text = w->file ? rs_xasprintf("%s=%s", strrchr(w->file, '/') + 1, w->value) : rs_xstrdup(w->asked);
	rs_emit(cg->em, RS_EV_CGROUP_SET, RS_SRC_CTR, cg->actor, asked, now, (uint64_t)w->state, (uint64_t)w->error, text);
}

/* memory.checkBeforeUpdate: the kernel would kill to reach a limit below what is in use. */
static int too_much_in_use(const struct ctr_cgroup *cg, const struct ctr_plan *p, struct rs_err *err)
{
	const struct ctr_write *limit = NULL;
	const char *dir = ctr_cgroup_dir(cg, "memory");
	uint64_t want, use;
	bool asked = false;

	for (unsigned i = 0; i < p->n; i++) {
		asked |= p->w[i].setting == CTR_SET_MEMORY_CHECK && strcmp(p->w[i].asked, "memory.checkBeforeUpdate=1") == 0;
		if (p->w[i].setting == CTR_SET_MEMORY_LIMIT && p->w[i].state == CTR_W_PLANNED)
			limit = &p->w[i];
	}
	if (!asked || !limit || !dir || !number_of(limit->value, &want) || want == CTR_NO_VALUE)
		return 0;
	use = ctr_cgroup_number(dir, "memory.current");
	if (use == CTR_NO_VALUE)
		use = ctr_cgroup_number(dir, "memory.usage_in_bytes");
	if (use == CTR_NO_VALUE || use <= want)
		return 0;
	return rs_err_set(err, -EBUSY, "linux.resources.%s: %llu bytes are in use, and memory.checkBeforeUpdate forbids to kill for "
			  "a limit", limit->asked, (unsigned long long)use);
}

static void write_row(struct ctr_write *w)
{
	const char *file;
	rs_auto_free char *dir = folder_of(w, &file);
	int rc = ctr_cgroup_write(dir, file, w->value);

	/* v1's kmem limit still has its file, and answers so. */
	w->state = rc < 0 ? CTR_W_REFUSED : CTR_W_PLANNED;
	w->error = rc < 0 ? -rc : 0;
}

/* All rules of v2 are one program; the first row stands for it. */
static void write_devices(const struct ctr_cgroup *cg, struct ctr_plan *p)
{
	const struct ctr_cgroup_folder *f = ctr_cgroup_folder(cg, "devices");
	struct ctr_device_rule *rule = rs_xcalloc(p->n + 1, sizeof(*rule));
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; i < p->n; i++)
		if (p->w[i].setting == CTR_SET_DEVICES)
			ctr_device_rule_parse(strchr(p->w[i].asked, '=') + 1, &rule[n++]);
	rc = n ? ctr_device_attach(f->dir, rule, n) : 0;
	for (unsigned i = 0; i < p->n; i++)
		if (p->w[i].setting == CTR_SET_DEVICES && rc < 0) {
			p->w[i].state = CTR_W_REFUSED;
			p->w[i].error = -rc;
		}
	free(rule);
}

int ctr_cgroup_apply(struct ctr_cgroup *cg, struct ctr_plan *p, bool lenient, struct rs_err *err)
{
	const struct ctr_cgroup_folder *dev = ctr_cgroup_folder(cg, "devices");
	bool program = dev && dev->v2 && dev->dir;
	struct ctr_write *later = NULL;
	int rc = too_much_in_use(cg, p, err);

	if (rc < 0)
		return rc;
	if (program)
		write_devices(cg, p);
	for (unsigned i = 0; i < p->n; i++) {
		struct ctr_write *w = &p->w[i];

		if (w->state != CTR_W_PLANNED || (program && w->setting == CTR_SET_DEVICES))
			continue;
		write_row(w);
		/* A period that does not fit the quota that still is there fits the new one. */
		if (w->state == CTR_W_REFUSED && w->error == EINVAL && w->setting == CTR_SET_CPU_PERIOD && !later) {
			later = w;
			w->state = CTR_W_PLANNED;
		}
	}
	if (later)
		write_row(later);
	ctr_cgroup_read_back(cg, p);
	for (unsigned i = 0; i < p->n; i++) {
		struct ctr_write *w = &p->w[i];

		say(cg, w);
		if (rc == 0 && !lenient && w->state != CTR_W_HELD && w->state != CTR_W_CHANGED && w->state != CTR_W_NOTHING)
			rc = fail_write(w, err);
	}
	return rc;
}
