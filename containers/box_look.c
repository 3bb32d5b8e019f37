/* What the screens show of a box: its processes in all their PID namespaces, who shares which
 * namespace, mounts, limits, layers.
 */
#include "containers/box_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

void box_look_ns(pid_t pid, uint64_t ns[8])
{
	for (unsigned i = 0; i < 8; i++) {
		char path[64];
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, rs_unit_value_name(RS_UNIT_namespace, i));
		ns[i] = stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
	}
}

/* The text behind "Key:" in /proc/PID/status, or NULL. */
static const char *status_of(pid_t pid, const char *key, struct rs_str *text)
{
	rs_auto_free char *path = rs_xasprintf("/proc/%d/status", (int)pid);
	const char *p;

	rs_str_clear(text);
	if (rs_file_read(path, 65536, text, NULL) < 0)
		return NULL;
	p = strstr(text->p, key);
	return p ? p + strlen(key) : NULL;
}

/* NSpid: the number in this process's namespace, then in each one inwards (proc(5)). */
void box_look_pids(struct box_proc *p)
{
	rs_auto_str text = RS_STR_INIT;
	const char *s = status_of(p->pid, "\nNSpid:", &text);
	char *end;

	p->depth = 0;
	if (s)
		strtol(s, &end, 10);
	while (s && *end == '\t' && p->depth < RS_BOX_PIDS_MAX)
		p->inside[p->depth++] = (int)strtol(end, &end, 10);
}

bool box_look_root(struct box_proc *p)
{
	char path[64];
	struct stat st;
	bool other;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)p->pid);
	n = readlink(path, p->root, sizeof(p->root) - 1);
	p->root[n < 0 ? 0 : n] = '\0';
	if (stat(path, &st) < 0)
		return false;
	other = st.st_ino != p->root_ino || st.st_dev != p->root_dev;
	p->root_ino = st.st_ino;
	p->root_dev = st.st_dev;
	return other;
}

static void describe(const struct box *b, const struct box_proc *p, struct rs_box_proc *out)
{
	rs_auto_str text = RS_STR_INIT;
	const char *s;

	*out = (struct rs_box_proc){ .host = p->pid, .parent = p->parent, .state = '?' };
	memcpy(out->pid, p->inside, sizeof(out->pid));
	box_look_ns(p->pid, out->ns);
	s = status_of(p->pid, "Name:\t", &text);
	if (s)
		snprintf(out->comm, sizeof(out->comm), "%.*s", (int)strcspn(s, "\n"), s);
	s = strstr(text.p, "\nState:\t");
	if (s)
		out->state = s[8];
	s = strstr(text.p, "\nUid:\t");
	if (s)
		out->uid = (uint32_t)strtoul(s + 6, NULL, 10);
	if (p->root_ino != b->root_ino || p->root_dev != b->root_dev)
		snprintf(out->root, sizeof(out->root), "%.31s", p->root);
}

/* A parent before its children; what has no known parent hangs from the first process. */
static unsigned add_below(const struct box *b, pid_t parent, struct rs_box_proc *out, unsigned n)
{
	for (unsigned i = 0; i < b->procs && n < RS_BOX_PROCS_MAX; i++) {
		const struct box_proc *p = &b->proc[i];

		if (p->parent != parent || p->pid == parent)
			continue;
		describe(b, p, &out[n++]);
		n = add_below(b, p->pid, out, n);
	}
	return n;
}

struct box_procs {
	struct rs_box_procs head;
	struct rs_box_proc row[RS_BOX_PROCS_MAX];
};

static void send_processes(struct box *b, const struct box_procs *s)
{
	rs_emit_state(b->em, RS_SRC_CTR, (uint32_t)b->first, RS_BLOCK_BOX_PROCS, s, sizeof(s->head) + s->head.n * sizeof(s->row[0]));
}

static void look_processes(struct box *b)
{
	struct box_procs *s;
	struct box_proc self = { .pid = getpid() };

	if (!b->procs && b->fullest) {
		b->fullest->head.past = 1;
		send_processes(b, b->fullest);
		return;
	}
	s = rs_xcalloc(1, sizeof(*s));
	box_look_pids(&self);
	describe(b, &self, &s->row[0]);
	s->row[0].root[0] = '\0';
	s->head.n = add_below(b, getpid(), s->row, 1);
	s->head.total = b->procs + 1;
	send_processes(b, s);
	if (b->fullest && b->fullest->head.total >= s->head.total) {
		free(s);
	} else {
		free(b->fullest);
		b->fullest = s;
	}
}

void box_look_before_exit(struct box *b)
{
	if (b->em && b->d->watched && (!b->fullest || b->procs + 1 > b->fullest->head.total))
		look_processes(b);
}

/* One table a mount namespace: "= PID COMM", then "POINT TAB TYPE TAB SOURCE TAB OPTIONS". */
static void look_mounts(struct box *b)
{
	rs_auto_str out = RS_STR_INIT, text = RS_STR_INIT;
	uint64_t done[16];
	unsigned n = 0;

	for (unsigned i = 0; i < b->procs && n < 16; i++) {
		const struct box_proc *p = &b->proc[i];
		bool known = false;

		for (unsigned k = 0; k < n; k++)
			known |= done[k] == p->ns[RS_NS_MNT];
		if (known)
			continue;
		done[n++] = p->ns[RS_NS_MNT];
		rs_auto_free char *path = rs_xasprintf("/proc/%d/mounts", (int)p->pid);

		rs_str_clear(&text);
		if (rs_file_read(path, 65536, &text, NULL) < 0)
			continue;
		rs_str_addf(&out, "=\t%d\n", box_inner(p));
		for (char *save = NULL, *line = strtok_r(text.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			char source[256], point[256], type[64], options[256];

			if (sscanf(line, "%255s %255s %63s %255s", source, point, type, options) == 4)
				rs_str_addf(&out, "%s\t%s\t%s\t%s\n", point, type, source, options);
		}
	}
	rs_emit_state(b->em, RS_SRC_CTR, (uint32_t)b->first, RS_BLOCK_BOX_MOUNTS, out.p, out.len < RS_STATE_MAX ? out.len : RS_STATE_MAX);
}

/* "ASKED TAB FILE TAB VALUE TAB NOW TAB STATE" a line. */
static void look_limits(struct box *b)
{
	rs_auto_str out = RS_STR_INIT;

	for (unsigned i = 0; i < b->plan.n; i++) {
		const struct ctr_write *w = &b->plan.w[i];

		rs_str_addf(&out, "%s\t%s\t%s\t%s\t%s\n", w->asked, w->file ? strrchr(w->file, '/') + 1 : "-", w->value ? w->value : "-",
			    w->now ? w->now : "-", ctr_write_state_name(w->state));
	}
	if (out.len)
		rs_emit_state(b->em, RS_SRC_CTR, (uint32_t)b->first, RS_BLOCK_BOX_LIMITS, out.p,
			      out.len < RS_STATE_MAX ? out.len : RS_STATE_MAX);
}

static void look_layers(struct box *b)
{
	rs_auto_str out = RS_STR_INIT;

	ctr_overlay_text(&b->overlay, &out);
	if (out.len)
		rs_emit_state(b->em, RS_SRC_CTR, (uint32_t)b->first, RS_BLOCK_BOX_LAYERS, out.p,
			      out.len < RS_STATE_MAX ? out.len : RS_STATE_MAX);
}

void box_look(struct box *b)
{
	if (!b->em)
		return;
	look_processes(b);
	look_mounts(b);
	look_limits(b);
	look_layers(b);
}
