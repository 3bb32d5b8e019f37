/* The folder of a container below the runtime's root:
 *
 *   config.json   a copy: what is changed in the bundle later has no effect (runtime.md, "Create")
 *   state.json    who and where it is; absent while it is being created
 *   cgroup        its groups, written before they are made, so that `delete --force` finds them
 *   start         the socket on which the first process waits for `start`; gone once it was called
 */
#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "containers/run.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define VERSION "1.2.0" /* of runtime-spec, that the state complies with */

char *ctr_default_root(void)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0 && (!run || !getenv("ROOTLESSKIT_STATE_DIR")))
		return rs_xstrdup("/run/ringside-oci");
	if (run && *run)
		return rs_xasprintf("%s/ringside-oci", run);
	return rs_xasprintf("/tmp/ringside-oci-%u", (unsigned)geteuid());
}

int ctr_proc_start(pid_t pid, uint64_t *start, char *state)
{
	char path[64], buf[1024], *p;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	rs_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return -ESRCH;
	buf[n] = '\0';
	p = strrchr(buf, ')'); /* the name before it may hold anything; proc(5), fields 3 and 22 */
	if (!p || !p[1] || !p[2])
		return -ESRCH;
	if (state)
		*state = p[2];
	p += 2;
	for (unsigned field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -ESRCH;
		p++;
	}
	*start = strtoull(p, NULL, 10);
	return 0;
}

/* ---- JSON ---- */

void ctr_json_quote(struct rs_str *out, const char *s)
{
	rs_str_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			rs_str_addf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			rs_str_addf(out, "\\u%04x", *s);
		else
			rs_str_addc(out, *s);
	}
	rs_str_addc(out, '"');
}

static void member(struct rs_str *out, const char *key, const char *value)
{
	rs_str_addf(out, ",\"%s\":", key);
	ctr_json_quote(out, value);
}

void ctr_state_text(const struct ctr_container *c, enum ctr_status status, bool inside, struct rs_str *out)
{
	rs_str_add(out, "{\"ociVersion\":\"" VERSION "\"");
	member(out, "id", c->id);
	member(out, "status", ctr_status_name(status));
	if (status != CTR_STOPPED || c->pid)
		rs_str_addf(out, ",\"pid\":%d", inside ? (int)getpid() : status == CTR_STOPPED ? 0 : (int)c->pid);
	member(out, "bundle", c->bundle);
	if (c->rootfs)
		member(out, "rootfs", c->rootfs);
	if (*c->created_at)
		member(out, "created", c->created_at);
	if (c->cfg && c->cfg->annotations.n) {
		rs_str_add(out, ",\"annotations\":{");
		for (unsigned i = 0; i < c->cfg->annotations.n; i++) {
			if (i)
				rs_str_addc(out, ',');
			ctr_json_quote(out, c->cfg->annotations.v[i].key);
			rs_str_addc(out, ':');
			ctr_json_quote(out, c->cfg->annotations.v[i].value);
		}
		rs_str_addc(out, '}');
	}
	rs_str_addc(out, '}');
}

/* ---- writing ---- */

/* Not synced: a power cut takes the container with it. */
static int put(int dir, const char *name, const char *text, size_t n)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t w;

	if (fd < 0)
		return -errno;
	w = write(fd, text, n);
	close(fd);
	return w == (ssize_t)n ? 0 : w < 0 ? -errno : -ENOSPC;
}

/* state.json appears whole, and last: who sees it finds the other files complete. */
static int put_last(int dir, const char *text, size_t n)
{
	int rc = put(dir, ".state.json.new", text, n);

	return rc ? rc : renameat(dir, ".state.json.new", dir, "state.json") < 0 ? -errno : 0;
}

/* RFC 3339 in UTC. Not by gmtime, which reads /etc/localtime first. The days are counted from 1 March of
 * year 0, so that the leap day is a year's last. */
void ctr_now_text(char *buf, size_t size)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int64_t days = now.tv_sec / 86400 + 719468, era = days / 146097, of_era = days % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
	int64_t secs = now.tv_sec % 86400;

	snprintf(buf, size, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", (int)(year + era * 400 + (month >= 10)),
		 (int)(month < 10 ? month + 3 : month - 9), (int)(of_year - (153 * month + 2) / 5 + 1), (int)(secs / 3600),
		 (int)(secs / 60 % 60), (int)(secs % 60), now.tv_nsec);
}

static int check_id(const char *id, struct rs_err *err)
{
	size_t n = strlen(id);

	if (n < 1 || n > 1024 || strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.") != n ||
	    strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return rs_err_set(err, -EINVAL, "\"%s\" cannot be the id of a container: letters, digits and _+-. are allowed", id);
	return 0;
}

int ctr_state_make(struct ctr_container *c, struct rs_err *err)
{
	int rc = check_id(c->id, err);

	if (rc)
		return rc;
	rc = ctr_made(&c->t, CTR_MADE_DIR, c->dir, err);
	if (rc)
		return rc;
	rc = mkdir(c->dir, 0700) < 0 ? -errno : 0;
	if (rc == -ENOENT) {
		rc = rs_mkdirs(c->root, err);
		if (rc)
			return rc;
		rc = mkdir(c->dir, 0700) < 0 ? -errno : 0;
	}
	if (rc == -EEXIST)
		return rs_err_set(err, rc, "there is a container %s already; delete it, or choose another id", c->id);
	if (rc)
		return rs_err_errno(err, -rc, "the folder %s cannot be made", c->dir);
	c->dirfd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dirfd < 0)
		return rs_err_errno(err, errno, "the folder %s cannot be made", c->dir);
	ctr_now_text(c->created_at, sizeof(c->created_at));
	c->owner = geteuid();
	rc = put(c->dirfd, "config.json", c->cfg->text, c->cfg->text_len);
	return rc ? rs_err_errno(err, -rc, "%s/%s cannot be written", c->dir, "config.json") : 0;
}

int ctr_state_cgroup(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT;
	int rc;

	ctr_cgroup_save(c->cg, &text);
	rc = put(c->dirfd, "cgroup", text.p, text.len);
	return rc ? rs_err_errno(err, -rc, "%s/%s cannot be written", c->dir, "cgroup") : 0;
}

int ctr_state_write(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT;
	int rc;

	rs_str_addf(&text, "{\"ociVersion\":\"" VERSION "\",\"pid\":%d,\"start\":%llu,\"owner\":%u", (int)c->pid,
		    (unsigned long long)c->start, c->owner);
	member(&text, "id", c->id);
	member(&text, "bundle", c->bundle);
	member(&text, "rootfs", c->rootfs);
	member(&text, "created", c->created_at);
	rs_str_add(&text, "}\n");
	rc = put_last(c->dirfd, text.p, text.len);
	if (rc)
		return rs_err_errno(err, -rc, "%s/%s cannot be written", c->dir, "state.json");
	c->created = true;
	return 0;
}

int ctr_state_remove(struct ctr_container *c, struct rs_err *err)
{
	static const char *const names[] = { "config.json", "cgroup", "made", "start", ".state.json.new", "state.json" };

	for (unsigned i = 0; c->dirfd >= 0 && i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(c->dirfd, names[i], 0);
	if (rmdir(c->dir) < 0 && errno != ENOENT)
		return rs_err_errno(err, errno, "the folder %s cannot be removed", c->dir);
	ctr_gone(&c->t, CTR_MADE_DIR, c->dir);
	return 0;
}

/* ---- the socket of `start` ---- */

/* By way of the folder's descriptor, for a socket's path has only 107 bytes. */
static void address(const struct ctr_container *c, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/start", c->dirfd);
}

int ctr_state_listen(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;

	address(c, &a);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4) < 0)
		return rs_err_errno(err, errno, "the socket %s/start cannot be made", c->dir);
	return rs_steal_fd(&fd);
}

int ctr_state_call(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;

	address(c, &a);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return rs_err_errno(err, errno, "the first process of %s does not answer", c->id);
	return rs_steal_fd(&fd);
}

void ctr_state_started(struct ctr_container *c)
{
	if (c->dirfd >= 0)
		unlinkat(c->dirfd, "start", 0);
}

/* ---- reading ---- */

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}
static int64_t number_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_int64(v) : 0;
}

static int read_state(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_free char *path = rs_xasprintf("%s/state.json", c->dir);
	rs_auto_str text = RS_STR_INIT;
	struct json_object *o;

	if (faccessat(c->dirfd, "state.json", F_OK, 0) < 0)
		return 0; /* being created, or left by a runtime that was killed */
	if (rs_file_read(path, 1 << 20, &text, err) < 0)
		return err ? err->code : -EIO;
	o = json_tokener_parse(text.p);
	if (!o)
		return rs_err_set(err, -EBADMSG, "%s is damaged", path);
	c->pid = (pid_t)number_of(o, "pid");
	c->start = (uint64_t)number_of(o, "start");
	c->owner = (unsigned)number_of(o, "owner");
	free(c->bundle);
	free(c->rootfs);
	c->bundle = rs_xstrdup(text_of(o, "bundle"));
	c->rootfs = rs_xstrdup(text_of(o, "rootfs"));
	snprintf(c->created_at, sizeof(c->created_at), "%s", text_of(o, "created"));
	c->created = true;
	json_object_put(o);
	return 0;
}

static int read_cgroup(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_free char *path = rs_xasprintf("%s/cgroup", c->dir);
	rs_auto_str text = RS_STR_INIT;

	if (faccessat(c->dirfd, "cgroup", F_OK, 0) < 0)
		return 0;
	if (rs_file_read(path, 1 << 20, &text, err) < 0)
		return err ? err->code : -EIO;
	c->cg = ctr_cgroup_restore(text.p, err);
	return c->cg ? 0 : -EBADMSG;
}

struct ctr_container *ctr_open(const char *root, const char *id, const struct ctr_watch *watch, struct rs_err *err)
{
	struct ctr_container *c;
	struct rs_err ignored = RS_ERR_INIT;

	if (check_id(id, err))
		return NULL;
	c = rs_xcalloc(1, sizeof(*c));
	c->dirfd = c->pidfd = c->wire = c->terminal = -1;
	c->root = root ? rs_xstrdup(root) : ctr_default_root();
	c->id = rs_xstrdup(id);
	c->dir = rs_xasprintf("%s/%s", c->root, id);
	c->bundle = rs_xstrdup("");
	ctr_trace_init(&c->t, watch, NULL);
	c->dirfd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dirfd < 0) {
		if (errno == ENOENT)
			rs_err_set(err, -ENOENT, "container \"%s\" does not exist", id);
		else
			rs_err_errno(err, errno, "container \"%s\" cannot be looked at", id);
		ctr_free(c);
		return NULL;
	}
	if (read_state(c, err) < 0 || read_cgroup(c, err) < 0) {
		ctr_free(c);
		return NULL;
	}
	/* a half-made folder has no configuration, and can still be deleted */
	c->cfg = ctr_config_load(c->dir, &ignored);
	c->own_cfg = true;
	c->t.cfg = c->cfg;
	c->t.pid = c->pid;
	return c;
}

void ctr_free(struct ctr_container *c)
{
	if (!c)
		return;
	if (c->own_cfg)
		ctr_config_free(c->cfg);
	for (unsigned i = 0; i < 4; i++) {
		int fd = (int[]){ c->dirfd, c->pidfd, c->wire, c->terminal }[i];

		if (fd >= 0)
			close(fd);
	}
	ctr_cgroup_free(c->cg);
	ctr_cgroup_host_release(&c->host);
	free(c->root);
	free(c->id);
	free(c->dir);
	free(c->bundle);
	free(c->rootfs);
	free(c);
}

/* ---- what it is ---- */

static const char *const status_names[] = { "creating", "created", "running", "paused", "stopped" };

const char *ctr_status_name(enum ctr_status s)
{
	return status_names[s];
}

/* Is the first process still the one that was born? */
bool ctr_alive(const struct ctr_container *c)
{
	uint64_t start;
	char state;

	return c->pid > 0 && !c->reaped && ctr_proc_start(c->pid, &start, &state) == 0 && start == c->start &&
	       state != 'Z' && state != 'X';
}

enum ctr_status ctr_status(struct ctr_container *c)
{
	bool frozen = false;

	if (!c->created)
		return c->pid && !ctr_alive(c) ? CTR_STOPPED : CTR_CREATING;
	if (!ctr_alive(c))
		return CTR_STOPPED;
	if (c->cg && ctr_cgroup_frozen(c->cg, &frozen, NULL) == 0 && frozen)
		return CTR_PAUSED;
	if (c->wire >= 0 || faccessat(c->dirfd, "start", F_OK, 0) == 0)
		return CTR_CREATED;
	return CTR_RUNNING;
}

int ctr_state_json(struct ctr_container *c, struct rs_str *out, struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT;
	struct json_object *o;

	ctr_state_text(c, ctr_status(c), false, &text);
	o = json_tokener_parse(text.p);
	if (!o)
		return rs_err_set(err, -EBADMSG, "%s is damaged", c->dir);
	rs_str_add(out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **ctr_list(const char *root, struct rs_err *err)
{
	rs_auto_free char *dir = root ? rs_xstrdup(root) : ctr_default_root();
	char **ids = rs_xcalloc(1, sizeof(*ids));
	rs_auto_closedir DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	if (!d && errno != ENOENT) {
		rs_err_errno(err, errno, "the folder %s cannot be read", dir);
		free(ids);
		return NULL;
	}
	while (d && (e = readdir(d))) {
		struct stat st;

		if (check_id(e->d_name, NULL) || fstatat(dirfd(d), e->d_name, &st, 0) < 0 || !S_ISDIR(st.st_mode))
			continue;
		ids = rs_xrealloc(ids, n + 2, sizeof(*ids));
		ids[n++] = rs_xstrdup(e->d_name);
		ids[n] = NULL;
	}
	qsort(ids, n, sizeof(*ids), compare);
	return ids;
}
