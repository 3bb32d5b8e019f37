/* RUN: the command runs in our own runtime, on an overlay of the stage's layers, without a network.
 *
 * The overlay is mounted in a mount namespace of its own, by a child process in which the container is
 * made, too; whatever kills it, the mounts go with it, and the folders below the store's tmp/ are swept by
 * the collector. What the command wrote lies in the upper folder, which becomes the layer, and the
 * next RUN's topmost lower one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/build.h"
#include "containers/ctr.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define LOWERS_MAX 20

struct run {
	struct ctr_builder *b;
	struct ctr_stage *st;
	const struct ctr_df_insn *i;
	struct ctr_words args;
	struct ctr_words env;      /* NAME=VALUE */
	uint32_t uid, gid;
	char *dir;                 /* upper, work, merged, state */
};

/* ---- what is run ---- */

/* "RUN <<EOF": the document is the script; else it stays a here-document of the shell's command. */
static int command(struct run *r, struct rs_err *err)
{
	const char *text = r->i->text + r->i->args;
	rs_auto_str script = RS_STR_INIT;

	if (ctr_words_json(text, &r->args, NULL))
		return r->args.n ? 0 : ctr_df_fail(r->b->file, r->i, r->i->args, err, N_("%s needs an argument"), "RUN");
	for (unsigned k = 0; k < r->st->shell.n; k++)
		ctr_words_add(&r->args, r->st->shell.v[k], strlen(r->st->shell.v[k]), 0);
	if (r->i->docs == 1 && strncmp(text, "<<", 2) == 0 && !text[strcspn(text, " \t")]) {
		if (strncmp(r->i->doc[0].text, "#!", 2) == 0)
			return ctr_df_fail(r->b->file, r->i, r->i->args, err, N_("a here-document with a \"#!\" line is not supported: write a file and run it"));
		rs_str_add(&script, r->i->doc[0].text);
	} else {
		rs_str_add(&script, text);
		for (unsigned k = 0; k < r->i->docs; k++)
			rs_str_addf(&script, "\n%s%s", r->i->doc[k].text, r->i->doc[k].name);
	}
	ctr_words_add(&r->args, script.p, script.len, 0);
	return 0;
}

static void add_env(struct run *r, const char *name, const char *value)
{
	rs_auto_free char *text = rs_xasprintf("%s=%s", name, value);

	ctr_words_add(&r->env, text, strlen(text), 0);
}

/* The image's variables, and arguments of the build that none of them covers. */
static void environment(struct run *r)
{
	struct json_object *env;

	if (json_object_object_get_ex(ctr_stage_config(r->st), "Env", &env))
		for (size_t k = 0; k < json_object_array_length(env); k++) {
			const char *e = json_object_get_string(json_object_array_get_idx(env, k));

			ctr_words_add(&r->env, e, strlen(e), 0);
		}
	for (unsigned k = 0; k < r->st->args.n; k++)
		if (r->st->args.v[k].value && !ctr_stage_env(r->st, r->st->args.v[k].name))
			add_env(r, r->st->args.v[k].name, r->st->args.v[k].value);
}

static int options(struct run *r, struct rs_err *err)
{
	for (unsigned k = 0; k < r->i->flags; k++) {
		const struct ctr_df_flag *f = &r->i->flag[k];

		if (strcmp(f->name, "network") == 0 && f->value && (strcmp(f->value, "none") == 0 || strcmp(f->value, "default") == 0))
			continue;
		if (strcmp(f->name, "network") == 0)
			return ctr_df_fail(r->b->file, r->i, f->at, err, N_("RUN --network=%s is not supported: a build has no network here"), f->value ? f->value : "");
		return ctr_df_fail(r->b->file, r->i, f->at, err, N_("%s --%s is not supported"), "RUN", f->name);
	}
	return 0;
}

/* ---- where it runs ---- */

/* The stage's layers as folders for OverlayFS: what is there when the first RUN comes is unpacked into
 * one; each layer that comes later has its own. */
static int lowers(struct run *r, struct rs_err *err)
{
	struct ctr_stage *st = r->st;
	struct ctr_image im = { .layer = st->layer, .diff_id = st->diff_id, .layers = st->layers };

	if (st->lower.n >= LOWERS_MAX) { /* mount options are one page at most */
		for (unsigned k = 0; k < st->lower.n; k++)
			rs_rmtree(st->lower.v[k], NULL);
		ctr_dirs_release(&st->lower);
		memset(&st->lower, 0, sizeof(st->lower));
	}
	while (st->lower_layers < st->layers || !st->lower.n) {
		char *dir = ctr_store_tmp(r->b->store, "lower");
		int ret = 0;

		st->lower.v = rs_xrealloc(st->lower.v, st->lower.n + 1, sizeof(char *));
		st->lower.v[st->lower.n++] = dir;
		if (st->lower.n == 1) {
			ret = ctr_image_unpack(r->b->store, &im, dir, NULL, NULL, err);
			st->lower_layers = st->layers;
		} else {
			struct ctr_apply_opts o = { .overlay = true };
			rs_auto_close int fd = -1;
			unsigned k = st->lower_layers++;

			if (mkdir(dir, 0755) < 0 || (fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
				return rs_err_errno(err, errno, "cannot make the folder %s", dir);
			ret = ctr_layer_apply(r->b->store, &st->layer[k], st->diff_id[k], fd, &o, err);
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int folders(struct run *r, struct rs_err *err)
{
	static const char *const subs[] = { "", "/upper", "/work", "/merged", "/state" };

	r->dir = ctr_store_tmp(r->b->store, "run");
	for (unsigned k = 0; k < sizeof(subs) / sizeof(subs[0]); k++) {
		rs_auto_free char *p = rs_xasprintf("%s%s", r->dir, subs[k]);

		if (mkdir(p, 0755) < 0)
			return rs_err_errno(err, errno, "cannot make the folder %s", p);
	}
	return 0;
}

static int mount_overlay(struct run *r, struct rs_err *err)
{
	rs_auto_free char *at = rs_xasprintf("%s/merged", r->dir);
	rs_auto_str o = RS_STR_INIT;

	/* a name that stands for another place would be of no use in a layer */
	rs_str_add(&o, "redirect_dir=off,metacopy=off,index=off,lowerdir=");
	for (unsigned k = r->st->lower.n; k-- > 0;)
		rs_str_addf(&o, "%s%s", r->st->lower.v[k], k ? ":" : "");
	rs_str_addf(&o, ",upperdir=%s/upper,workdir=%s/work", r->dir, r->dir);
	if (mount("overlay", at, "overlay", 0, o.p) < 0)
		return rs_err_errno(err, errno, "cannot mount an overlay for RUN on %s", at);
	return 0;
}

/* ---- config.json ---- */

static struct json_object *strings(const struct ctr_words *w)
{
	struct json_object *o = json_object_new_array();

	for (unsigned k = 0; k < w->n; k++)
		json_object_array_add(o, ctr_json_str(w->v[k]));
	return o;
}

/* What the command may do and see: as `docker run` without options, and no network. */
static const char rest[] =
	"{\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
	"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]}],"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"network\"}],"
	"\"maskedPaths\":[\"/proc/acpi\",\"/proc/kcore\",\"/proc/keys\",\"/proc/timer_list\",\"/proc/sched_debug\",\"/proc/scsi\",\"/sys/firmware\"],"
	"\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]}}";
static const char *const caps[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
};

static void config_json(struct run *r, struct rs_str *out)
{
	struct json_object *o = json_tokener_parse(rest), *p = json_object_new_object(), *user = json_object_new_object(),
			   *c = json_object_new_object(), *root = json_object_new_object();
	const char *cwd = ctr_stage_string(r->st, "WorkingDir");
	rs_auto_free char *merged = rs_xasprintf("%s/merged", r->dir);
	static const char *const sets[] = { "bounding", "effective", "permitted" };

	json_object_object_add(user, "uid", json_object_new_int64(r->uid));
	json_object_object_add(user, "gid", json_object_new_int64(r->gid));
	for (unsigned s = 0; s < 3; s++) {
		struct json_object *list = json_object_new_array();

		for (unsigned k = 0; k < sizeof(caps) / sizeof(caps[0]) && (s == 0 || r->uid == 0); k++)
			json_object_array_add(list, json_object_new_string(caps[k]));
		json_object_object_add(c, sets[s], list);
	}
	json_object_object_add(p, "user", user);
	json_object_object_add(p, "capabilities", c);
	json_object_object_add(p, "args", strings(&r->args));
	json_object_object_add(p, "env", strings(&r->env));
	json_object_object_add(p, "cwd", json_object_new_string(*cwd ? cwd : "/"));
	json_object_object_add(root, "path", ctr_json_str(merged));
	json_object_object_add(o, "ociVersion", json_object_new_string("1.0.2"));
	json_object_object_add(o, "process", p);
	json_object_object_add(o, "root", root);
	json_object_object_add(o, "hostname", json_object_new_string("build"));
	ctr_json_text(o, false, out);
	json_object_put(o);
}

/* ---- the child ---- */

struct report {
	int status;              /* wait status of the command */
	struct rs_err err;
};

static int run_container(struct run *r, struct report *rep)
{
	rs_auto_str json = RS_STR_INIT;
	rs_auto_free char *state = rs_xasprintf("%s/state", r->dir);
	rs_auto_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int stdio[3] = { null, STDERR_FILENO, STDERR_FILENO }; /* standard output is for the result */
	struct ctr_options o = { .id = "run", .root = state, .bundle = r->dir, .attached = true, .no_cgroup = true, .stdio = stdio };
	struct ctr_container *c;
	int ret = mount_overlay(r, &rep->err);

	if (ret < 0)
		return ret;
	config_json(r, &json);
	o.config = ctr_config_parse(json.p, json.len, "config.json", &rep->err);
	if (!o.config)
		return -EINVAL;
	c = ctr_create(&o, &rep->err);
	if (!c)
		return rep->err.code ? rep->err.code : -EIO;
	ret = ctr_start(c, &rep->err);
	if (ret == 0)
		ret = ctr_wait(c, &rep->status, &rep->err);
	ctr_delete(c, true, NULL);
	ctr_free(c);
	return ret;
}

static _Noreturn void child(struct run *r, int out)
{
	struct report *rep = rs_xcalloc(1, sizeof(*rep));
	int ret = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		ret = rs_err_errno(&rep->err, errno, "cannot make a mount namespace for RUN");
	if (ret == 0)
		ret = run_container(r, rep);
	if (ret < 0 && !rep->err.code)
		rep->err.code = ret;
	for (size_t done = 0; done < sizeof(*rep);) {
		ssize_t n = write(out, (char *)rep + done, sizeof(*rep) - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	_exit(0);
}

static int in_child(struct run *r, struct report *rep, struct rs_err *err)
{
	int p[2], status;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return rs_err_errno(err, errno, "cannot start RUN");
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(r, p[1]);
	close(p[1]);
	if (pid < 0) {
		close(p[0]);
		return rs_err_errno(err, errno, "cannot start RUN");
	}
	while (got < sizeof(*rep) && ((n = read(p[0], (char *)rep + got, sizeof(*rep) - got)) > 0 || (n < 0 && errno == EINTR)))
		got += n > 0 ? (size_t)n : 0;
	close(p[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (got < sizeof(*rep))
		return rs_err_set(err, -EIO, "the process that carries out RUN died");
	if (rep->err.code) {
		if (err) {
			*err = rep->err;
			err->file[0] = '\0'; /* the place is the instruction, not the configuration made from it */
		}
		return rep->err.code;
	}
	return 0;
}

/* ---- the layer ---- */

/* Places where the runtime mounted something and that the image does not have are not the command's. */
static bool want(void *arg, const char *path, bool folder, bool *prune)
{
	static const char *const mounts[] = { "proc", "dev", "sys" };
	struct run *r = arg;

	for (unsigned k = 0; k < sizeof(mounts) / sizeof(mounts[0]); k++)
		if (strcmp(path, mounts[k]) == 0 && !ctr_model_find(&r->st->model, path, false)) {
			*prune = folder;
			return false;
		}
	return true;
}

static int layer(struct run *r, struct rs_err *err)
{
	struct ctr_tree_opts o = { .epoch = r->b->b->epoch, .overlay = true, .want = want, .arg = r };
	rs_auto_free char *upper = rs_xasprintf("%s/upper", r->dir);
	rs_auto_close int fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ctr_layer *l = ctr_stage_layer_any(r->b, r->st, err);
	int ret;

	if (!l)
		return err && err->code ? err->code : -EIO;
	ret = fd < 0 ? rs_err_errno(err, errno, "cannot open %s", upper) : ctr_layer_tree(l, fd, upper, &o, err);
	if (ret < 0) {
		ctr_layer_drop(l);
		return ret;
	}
	ret = ctr_stage_layer_done(r->b, r->st, l, err);
	if (ret == 0) { /* the next RUN stands upon it */
		char *keep = ctr_store_tmp(r->b->store, "lower");

		if (rename(upper, keep) < 0) {
			free(keep);
			return rs_err_errno(err, errno, "cannot keep what RUN wrote");
		}
		r->st->lower.v = rs_xrealloc(r->st->lower.v, r->st->lower.n + 1, sizeof(char *));
		r->st->lower.v[r->st->lower.n++] = keep;
		r->st->lower_layers++;
	}
	return ret;
}

static int user(struct run *r, struct rs_err *err)
{
	const char *u = ctr_stage_string(r->st, "User");
	int ret = *u ? ctr_build_owner(r->b, r->st, r->i, 0, u, false, &r->uid, &r->gid, err) : 0;

	if (ret == 0 && !ctr_stage_env(r->st, "HOME"))
		add_env(r, "HOME", r->uid ? "/" : "/root");
	return ret;
}

static int run(struct run *r, struct rs_err *err)
{
	rs_auto_str key = RS_STR_INIT;
	struct report *rep;
	int ret = options(r, err);

	ret = ret < 0 ? ret : command(r, err);
	if (ret < 0)
		return ret;
	environment(r);
	rs_str_add(&key, "RUN");
	for (unsigned k = 0; k < r->args.n; k++)
		rs_str_addf(&key, " %s", r->args.v[k]);
	rs_str_addf(&key, " (as %s in %s, time %lld, %s level %d, with", ctr_stage_string(r->st, "User"),
		    ctr_stage_string(r->st, "WorkingDir"), (long long)r->b->b->epoch, ctr_compress_names[r->b->b->compress], r->b->b->level);
	for (unsigned k = 0; k < r->env.n; k++)
		rs_str_addf(&key, " %s", r->env.v[k]);
	rs_str_add(&key, ")");
	ctr_cache_step(r->b->cache, r->st, key.p);
	if (ctr_cache_find(r->b->cache, r->st))
		return 0;
	if (geteuid() != 0)
		return ctr_df_fail(r->b->file, r->i, 0, err, N_("RUN needs root here: it mounts an overlay"));
	ret = user(r, err);
	ret = ret < 0 ? ret : lowers(r, err);
	ret = ret < 0 ? ret : folders(r, err);
	if (ret < 0)
		return ret;
	rep = rs_xcalloc(1, sizeof(*rep));
	ret = in_child(r, rep, err);
	if (ret == 0 && WIFSIGNALED(rep->status))
		ret = ctr_df_fail(r->b->file, r->i, r->i->args, err, N_("the command was ended by SIG%s"), sigabbrev_np(WTERMSIG(rep->status)) ? sigabbrev_np(WTERMSIG(rep->status)) : "?");
	else if (ret == 0 && rep->status)
		ret = ctr_df_fail(r->b->file, r->i, r->i->args, err, N_("the command ended with exit status %d"), WEXITSTATUS(rep->status));
	free(rep);
	if (ret == 0 && !ctr_stage_model(r->b, r->st, err))
		return -EBADMSG;
	return ret < 0 ? ret : layer(r, err);
}

int ctr_build_run(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	struct run r = { .b = b, .st = st, .i = i };
	int ret = run(&r, err);

	if (r.dir)
		rs_rmtree(r.dir, NULL);
	free(r.dir);
	ctr_words_release(&r.args);
	ctr_words_release(&r.env);
	return ret;
}
