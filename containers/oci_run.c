/* create, start, run, exec: the verbs that make processes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/oci.h"
#include "containers/run.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define OPT_BUNDLE { 'b', "bundle", "DIR", N_("folder with config.json; the current one when left out") }
#define OPT_CONSOLE { 0, "console-socket", "PATH", N_("socket that gets the terminal's other end") }
#define OPT_PID_FILE { 0, "pid-file", "FILE", N_("write the process id to this file") }
#define OPT_PRESERVE { 0, "preserve-fds", "N", N_("pass N descriptors besides 0, 1 and 2") }
#define OPT_NO_PIVOT { 0, "no-pivot", NULL, N_("do not use pivot_root: for a host on a ramdisk") }
#define OPT_NO_KEYRING { 0, "no-new-keyring", NULL, N_("keep the caller's session keyring") }
#define OPT_DETACH { 'd', "detach", NULL, N_("do not wait for the process") }
#define OPT_END { 0, NULL, NULL, NULL }

/* The caller's descriptors are not the container's, whatever their flags are. */
static void hide_descriptors(unsigned preserve)
{
	if (syscall(SYS_close_range, 3 + preserve, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		for (int fd = 3 + (int)preserve; fd < 1024; fd++)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static bool options(struct oci *o, struct ctr_options *c)
{
	uint64_t n = 0;
	const char *manager = oci_get(o, "cgroup-manager");

	if (oci_get(o, "preserve-fds") && !oci_number(o, "preserve-fds", &n))
		return false;
	*c = (struct ctr_options){
		.id = o->arg[0], .root = o->root, .bundle = oci_get(o, "bundle"), .console_socket = oci_get(o, "console-socket"),
		.pid_file = oci_get(o, "pid-file"), .preserve_fds = (unsigned)n, .no_pivot = oci_get(o, "no-pivot") != NULL,
		.no_new_keyring = oci_get(o, "no-new-keyring") != NULL,
		.no_cgroup = manager && strcmp(manager, "disabled") == 0, .watch = &o->watch,
	};
	hide_descriptors(c->preserve_fds);
	return true;
}

static int run_create(struct oci *o)
{
	struct ctr_options opts;
	struct ctr_container *c;

	if (!options(o, &opts))
		return 2;
	c = ctr_create(&opts, &o->err);
	if (!c)
		return oci_fail(o, 1);
	ctr_free(c);
	return 0;
}

static int run_start(struct oci *o)
{
	struct ctr_container *c = oci_open(o);
	int rc;

	if (!c)
		return oci_fail(o, 1);
	rc = ctr_start(c, &o->err);
	ctr_free(c);
	return rc ? oci_fail(o, 1) : 0;
}

static int run_run(struct oci *o)
{
	bool detach = oci_get(o, "detach") != NULL, keep = oci_get(o, "keep") != NULL;
	struct ctr_options opts;
	struct ctr_container *c;
	sigset_t all;
	int status = 0, rc;

	if (!options(o, &opts))
		return 2;
	opts.attached = true;
	opts.at_once = !detach;
	if (detach && !opts.console_socket)
		opts.attached = false; /* a terminal would have nobody */
	if (!detach) {
		if (!oci_get(o, "no-subreaper"))
			prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		sigfillset(&all); /* none is lost before it can be passed on */
		sigprocmask(SIG_BLOCK, &all, NULL);
	}
	c = ctr_create(&opts, &o->err);
	if (!c)
		return oci_fail(o, 1);
	rc = ctr_start(c, &o->err);
	if (rc) {
		oci_fail(o, 1);
		o->err = (struct rs_err)RS_ERR_INIT;
		ctr_delete(c, true, NULL);
		ctr_free(c);
		return 1;
	}
	if (!detach) {
		status = oci_attend(ctr_pid(c), ctr_terminal(c));
		/* it was reaped there */
		ctr_reaped(c);
		if (ctr_outcome(c, &o->err) < 0) {
			status = oci_fail(o, 1);
			o->err = (struct rs_err)RS_ERR_INIT;
		}
		if (!keep && ctr_delete(c, true, &o->err) < 0)
			status = oci_fail(o, status ? status : 1);
	}
	ctr_free(c);
	return status;
}

static int run_exec(struct oci *o)
{
	struct ctr_container *c = oci_open(o);
	rs_auto_free char **env = oci_all(o, "env");
	rs_auto_free char **caps = oci_all(o, "cap");
	rs_auto_free char **gid = oci_all(o, "additional-gids");
	rs_auto_str process = RS_STR_INIT;
	uint32_t gids[64];
	uint64_t preserve = 0;
	bool detach = oci_get(o, "detach") != NULL;
	int terminal = -1, status;
	sigset_t all;
	pid_t pid;

	if (!c)
		return oci_fail(o, 255);
	if (oci_get(o, "preserve-fds") && !oci_number(o, "preserve-fds", &preserve))
		return 255;
	struct ctr_exec x = {
		.argv = o->arg + 1, .env = env, .cwd = oci_get(o, "cwd"), .user = oci_get(o, "user"), .caps = caps,
		.tty = oci_get(o, "tty") != NULL, .no_new_privs = oci_get(o, "no-new-privs") != NULL,
		.ignore_paused = oci_get(o, "ignore-paused") != NULL, .console_socket = oci_get(o, "console-socket"),
		.pid_file = oci_get(o, "pid-file"), .preserve_fds = (unsigned)preserve, .gids = gids,
	};
	for (unsigned i = 0; gid[i] && i < 64; i++)
		gids[x.n_gids++] = (uint32_t)strtoul(gid[i], NULL, 10);
	if (oci_get(o, "process")) {
		if (rs_file_read(oci_get(o, "process"), 1 << 20, &process, &o->err) < 0) {
			ctr_free(c);
			return oci_fail(o, 255);
		}
		x.process_json = process.p;
	} else if (o->args < 2) {
		ctr_free(c);
		return oci_usage(o, N_("an argument is missing: %s"), "COMMAND");
	}
	hide_descriptors(x.preserve_fds);
	if (!detach) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
	}
	pid = ctr_exec(c, &x, detach ? NULL : &terminal, &o->err);
	ctr_free(c);
	if (pid < 0)
		return oci_fail(o, 255);
	if (detach)
		return 0;
	status = oci_attend(pid, terminal);
	return status;
}

static const struct oci_opt create_opts[] = { OPT_BUNDLE, OPT_CONSOLE, OPT_PID_FILE, OPT_NO_PIVOT, OPT_NO_KEYRING,
					      OPT_PRESERVE, OPT_END };
const struct oci_verb oci_create = {
	.name = "create", .args = "ID", .min = 1, .max = 1, .enters = true, .opts = create_opts,
	.brief = N_("make a container, up to the moment before its program starts"), .run = run_create,
};
const struct oci_verb oci_start = {
	.name = "start", .args = "ID", .min = 1, .max = 1,
	.brief = N_("start the program of a container that was created"), .run = run_start,
};
static const struct oci_opt run_opts[] = {
	OPT_BUNDLE, OPT_CONSOLE, OPT_PID_FILE, OPT_NO_PIVOT, OPT_NO_KEYRING, OPT_PRESERVE, OPT_DETACH,
	{ 0, "keep", NULL, N_("do not delete the container when its program ends") },
	{ 0, "no-subreaper", NULL, N_("do not become the parent of its orphans") }, OPT_END,
};
const struct oci_verb oci_run = {
	.name = "run", .args = "ID", .min = 1, .max = 1, .enters = true, .opts = run_opts,
	.brief = N_("create, start, wait, delete"), .run = run_run,
};
static const struct oci_opt exec_opts[] = {
	OPT_CONSOLE, OPT_PID_FILE, OPT_PRESERVE, OPT_DETACH,
	{ 'p', "process", "FILE", N_("a process object as config.json has it") },
	{ 0, "cwd", "DIR", N_("working folder inside the container") },
	{ 'e', "env", "NAME=VALUE", N_("add this to the environment; may be repeated") },
	{ 't', "tty", NULL, N_("give it a terminal") },
	{ 'u', "user", "UID[:GID]", N_("run it as this user") },
	{ 'g', "additional-gids", "GID", N_("add this group; may be repeated") },
	{ 'c', "cap", "CAP", N_("add this capability; may be repeated") },
	{ 0, "no-new-privs", NULL, N_("it cannot gain privileges") },
	{ 0, "ignore-paused", NULL, N_("also into a container that is paused") },
	OPT_END,
};
const struct oci_verb oci_exec = {
	.name = "exec", .args = "ID COMMAND [ARGUMENT...]", .min = 1, .max = 0, .tail = true, .enters = true,
	.opts = exec_opts, .brief = N_("run one more program in a container"), .run = run_exec,
};
