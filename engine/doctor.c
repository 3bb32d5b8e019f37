/* The probe guests in a child process, and the cache of what they saw. */
#include "engine/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/journal.h"
#include "engine/json.h"

static const char *const state_names[] = {
	[VMM_MISSING] = "missing", [VMM_BROKEN] = "broken", [VMM_EMULATED] = "emulated",
	[VMM_REAL] = "real",
};

const char *eng_doctor_state_name(enum vmm_ability_state s)
{
	return (unsigned)s < 4 ? state_names[s] : "?";
}

static struct eng_doctor_row *new_row(struct eng_doctor *d)
{
	d->v = rs_xrealloc(d->v, d->n + 1, sizeof(*d->v));
	memset(&d->v[d->n], 0, sizeof(*d->v));
	return &d->v[d->n++];
}

void eng_doctor_release(struct eng_doctor *d)
{
	free(d->v);
	*d = (struct eng_doctor){ 0 };
}

const struct eng_doctor_row *eng_doctor_find(const struct eng_doctor *d, const char *name)
{
	for (unsigned i = 0; i < d->n; i++)
		if (strcmp(d->v[i].name, name) == 0)
			return &d->v[i];
	return NULL;
}

/* ---- the child ---- */

/* What goes through the pipe; the texts are copied, since the child's memory is not ours. */
struct wire {
	char name[40];
	uint32_t state;
	struct rs_text detail;
	char advice[400];
};

static void write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return;
		p += w;
		n -= (size_t)w;
	}
}

_Noreturn static void child(int fd, pid_t parent, unsigned (*probe)(struct vmm_ability *, unsigned))
{
	static struct vmm_ability v[VMM_ABILITIES_MAX];
	unsigned n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	setpgid(0, 0);
	n = probe(v, VMM_ABILITIES_MAX);
	for (unsigned i = 0; i < n; i++) {
		struct wire w = { .state = v[i].state, .detail = v[i].detail };

		snprintf(w.name, sizeof(w.name), "%s", v[i].name);
		snprintf(w.advice, sizeof(w.advice), "%s", v[i].advice ? v[i].advice : "");
		write_all(fd, &w, sizeof(w));
	}
	_exit(0);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Reads until the end of the pipe or the limit. Returns false when the limit came first. */
static bool read_all(int fd, struct rs_str *out, int limit_ms)
{
	int64_t end = now_ms() + limit_ms;
	char buf[8192];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		ssize_t n;

		if (left <= 0)
			return false;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n == 0)
			return true;
		if (n > 0)
			rs_str_addn(out, buf, (size_t)n);
		else if (errno != EINTR)
			return true;
	}
}

/* `detail` is a translation key. */
static void probe_failed(struct eng_doctor *d, const char *detail)
{
	struct eng_doctor_row *r = new_row(d);

	r->part = ENG_DOCTOR_CPU;
	r->state = VMM_BROKEN;
	snprintf(r->name, sizeof(r->name), "probe");
	rs_text_key(&r->detail, detail);
	snprintf(r->advice, sizeof(r->advice), "%s",
		 N_("The probe guests did not finish. \"ringside doctor --refresh\" tries again; if it "
		    "stays so, KVM on this machine is not to be trusted."));
}

void eng_doctor_probe_child(struct eng_doctor *d, unsigned (*probe)(struct vmm_ability *, unsigned),
			    int limit_ms)
{
	rs_auto_str in = RS_STR_INIT;
	rs_auto_close int fd = -1;
	int pipes[2], status = 0;
	pid_t pid, parent = getpid();
	bool whole;

	if (pipe2(pipes, O_CLOEXEC) < 0) {
		probe_failed(d, strerror(errno));
		return;
	}
	fd = pipes[0];
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(pipes[0]);
		child(pipes[1], parent, probe);
	}
	close(pipes[1]);
	if (pid < 0) {
		probe_failed(d, strerror(errno));
		return;
	}
	setpgid(pid, pid); /* whoever is first; so that the group can be killed */
	whole = read_all(fd, &in, limit_ms);
	if (!whole)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	for (size_t at = 0; at + sizeof(struct wire) <= in.len; at += sizeof(struct wire)) {
		struct eng_doctor_row *r = new_row(d);
		struct wire w;

		memcpy(&w, in.p + at, sizeof(w));
		r->part = ENG_DOCTOR_CPU;
		r->state = w.state <= VMM_REAL ? (enum vmm_ability_state)w.state : VMM_BROKEN;
		snprintf(r->name, sizeof(r->name), "%.*s", (int)sizeof(w.name) - 1, w.name);
		r->detail = w.detail;
		for (int l = 0; l < RS_LANGS; l++)
			r->detail.in[l][sizeof(r->detail.in[l]) - 1] = '\0';
		snprintf(r->advice, sizeof(r->advice), "%.*s", (int)sizeof(w.advice) - 1, w.advice);
	}
	if (!whole)
		probe_failed(d, N_("the time limit ran out"));
	else if (WIFSIGNALED(status))
		probe_failed(d, strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		probe_failed(d, N_("the probe process failed"));
}

/* ---- the cache ---- */

/* What the answer depends on. */
static char *cache_key(void)
{
	char boot[64];
	struct stat st;
	bool there = stat("/dev/kvm", &st) == 0;

	eng_boot_id(boot);
	return rs_xasprintf("5 %s %s %s %o %u:%u %d", eng_version, boot, there ? "kvm" : "none",
			    there ? (unsigned)st.st_mode : 0, there ? (unsigned)st.st_uid : 0,
			    there ? (unsigned)st.st_gid : 0, access("/dev/kvm", R_OK | W_OK) == 0);
}

static char *cache_path(void)
{
	rs_auto_free char *dir = rs_dir_path(RS_DIR_CACHE, "", NULL);

	return dir ? rs_xasprintf("%s/doctor.json", dir) : NULL;
}

static const char *member(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string))
		return "";
	return json_object_get_string(v);
}

/* Anybody may have written the file: what does not fit is no cache. */
static bool cache_load(struct eng_doctor *d, const char *path, const char *key)
{
	rs_auto_str text = RS_STR_INIT;
	struct json_object *top, *rows;
	bool ok = false;

	if (access(path, R_OK) < 0 || rs_file_read(path, 1 << 20, &text, NULL) < 0)
		return false;
	top = json_tokener_parse(text.p);
	if (top && json_object_is_type(top, json_type_object) && strcmp(member(top, "key"), key) == 0 &&
	    json_object_object_get_ex(top, "rows", &rows) && json_object_is_type(rows, json_type_array))
		ok = json_object_array_length(rows) <= 2 * VMM_ABILITIES_MAX;
	for (size_t i = 0; ok && i < json_object_array_length(rows); i++) {
		struct json_object *o = json_object_array_get_idx(rows, i), *detail;
		struct eng_doctor_row *r;

		if (!json_object_is_type(o, json_type_object))
			continue;
		r = new_row(d);
		r->part = ENG_DOCTOR_CPU;
		snprintf(r->name, sizeof(r->name), "%s", member(o, "name"));
		for (int l = 0; l < RS_LANGS; l++)
			snprintf(r->detail.in[l], sizeof(r->detail.in[l]), "%s",
				 json_object_object_get_ex(o, "detail", &detail) &&
						 json_object_is_type(detail, json_type_object)
					 ? member(detail, rs_lang_name(l))
					 : "");
		snprintf(r->advice, sizeof(r->advice), "%s", member(o, "advice"));
		for (unsigned s = 0; s < 4; s++)
			if (strcmp(member(o, "state"), state_names[s]) == 0)
				r->state = s;
	}
	json_object_put(top);
	d->cached = ok;
	return ok;
}

static void cache_save(const struct eng_doctor *d, const char *path, const char *key)
{
	struct json_object *top = json_object_new_object(), *rows = json_object_new_array();
	rs_auto_str out = RS_STR_INIT;

	json_object_object_add(top, "key", eng_json_str(key));
	for (unsigned i = 0; i < d->n; i++) {
		struct json_object *o = json_object_new_object(), *detail = json_object_new_object();

		json_object_object_add(o, "name", eng_json_str(d->v[i].name));
		json_object_object_add(o, "state", eng_json_str(eng_doctor_state_name(d->v[i].state)));
		for (int l = 0; l < RS_LANGS; l++)
			json_object_object_add(detail, rs_lang_name(l), eng_json_str(d->v[i].detail.in[l]));
		json_object_object_add(o, "detail", detail);
		json_object_object_add(o, "advice", eng_json_str(d->v[i].advice));
		json_object_array_add(rows, o);
	}
	json_object_object_add(top, "rows", rows);
	eng_json_add(&out, top, true);
	rs_file_save(path, out.p, out.len, NULL);
}

void eng_doctor_cpu(struct eng_doctor *d, bool refresh)
{
	rs_auto_free char *key = cache_key();
	rs_auto_free char *path = cache_path();

	if (!refresh && path && cache_load(d, path, key))
		return;
	eng_doctor_probe_child(d, vmm_probe, ENG_DOCTOR_LIMIT_MS);
	/* a probe that did not finish is asked again */
	if (path && !eng_doctor_find(d, "probe"))
		cache_save(d, path, key);
}
