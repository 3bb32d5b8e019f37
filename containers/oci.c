/* ringside oci, ringside-oci: global options, verbs, errors and logs. */
#include "containers/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers/binary.h"
#include "containers/run.h"
#include "engine/base/cleanup.h"

const struct oci_verb *const oci_verbs[] = {
	&oci_create, &oci_start, &oci_state, &oci_kill, &oci_delete, &oci_run, &oci_exec, &oci_list, &oci_pause,
	&oci_resume, &oci_update, &oci_ps, &oci_events, &oci_features, &oci_spec, NULL,
};

const struct oci_opt oci_globals[] = {
	{ 0, "root", "DIR", N_("folder of the containers' folders; on a file system in memory") },
	{ 0, "log", "FILE", N_("append messages to this file, too") },
	{ 0, "log-format", "FORMAT", N_("text or json") },
	{ 0, "debug", NULL, N_("log every step and system call") },
	{ 0, "systemd-cgroup", NULL, N_("ask systemd to make the cgroup: refused, for this runtime makes its own") },
	{ 0, "cgroup-manager", "NAME", N_("cgroupfs, or disabled for no cgroup at all") },
	{ 0, "rootless", "WORD", N_("true, false or auto; what can be done without privileges is found out anyway") },
	{ 'h', "help", NULL, N_("show help and do nothing else") },
	{ 'v', "version", NULL, N_("show the version and do nothing else") },
	{ 0, NULL, NULL, NULL },
};

/* ---- options ---- */

const char *oci_get(const struct oci *o, const char *name)
{
	for (unsigned i = o->vals; i-- > 0;)
		if (strcmp(o->val[i].opt->name, name) == 0)
			return o->val[i].value;
	return NULL;
}

char **oci_all(const struct oci *o, const char *name)
{
	char **list = rs_xcalloc(o->vals + 1, sizeof(*list));
	unsigned n = 0;

	for (unsigned i = 0; i < o->vals; i++)
		if (strcmp(o->val[i].opt->name, name) == 0)
			list[n++] = (char *)o->val[i].value;
	return list;
}

bool oci_number(struct oci *o, const char *name, uint64_t *out)
{
	const char *s = oci_get(o, name);
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 0);
	if (*s >= '0' && *s <= '9' && !*end && !errno)
		return true;
	oci_usage(o, N_("--%s wants a number, not \"%s\""), name, s);
	return false;
}

static const struct oci_opt *find(const struct oci_opt *opts, const char *name, size_t n, char letter)
{
	for (; opts && opts->name; opts++)
		if (letter ? opts->letter == letter : strlen(opts->name) == n && memcmp(opts->name, name, n) == 0)
			return opts;
	return NULL;
}

/* argv[*i] is an option. 0, or an exit status. */
static int take(struct oci *o, int argc, char **argv, int *i)
{
	const char *s = argv[*i], *eq, *value = "";
	const struct oci_opt *opt;
	bool is_long = s[1] == '-';
	size_t n;

	s += is_long ? 2 : 1;
	eq = strchr(s, '=');
	n = eq ? (size_t)(eq - s) : strlen(s);
	/* one dash before a long name is what urfave's parser lets pass, and so callers may write it */
	opt = find(o->verb ? o->verb->opts : NULL, s, n, !is_long && n == 1 ? *s : 0);
	if (!opt)
		opt = find(oci_globals, s, n, !is_long && n == 1 ? *s : 0);
	if (!opt)
		return oci_usage(o, N_("there is no option %s"), argv[*i]);
	if (opt->value) {
		if (eq)
			value = eq + 1;
		else if (*i + 1 < argc)
			value = argv[++*i];
		else
			return oci_usage(o, N_("--%s wants a value"), opt->name);
	} else if (eq && strcmp(eq + 1, "false") == 0) {
		return 0;
	}
	if (o->vals == sizeof(o->val) / sizeof(o->val[0]))
		return oci_usage(o, N_("too many options"));
	o->val[o->vals].opt = opt;
	o->val[o->vals++].value = value;
	return 0;
}

static int parse(struct oci *o, int argc, char **argv)
{
	bool only_args = false;
	int rc;

	o->arg = rs_xcalloc((size_t)argc + 1, sizeof(*o->arg));
	for (int i = 1; i < argc; i++) {
		if (!only_args && strcmp(argv[i], "--") == 0) {
			only_args = true;
		} else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
			rc = take(o, argc, argv, &i);
			if (rc)
				return rc;
		} else if (!o->verb) {
			for (unsigned v = 0; oci_verbs[v]; v++)
				if (strcmp(oci_verbs[v]->name, argv[i]) == 0)
					o->verb = oci_verbs[v];
			if (!o->verb)
				return oci_usage(o, N_("there is no command \"%s\""), argv[i]);
		} else {
			o->arg[o->args++] = argv[i];
			only_args |= o->verb->tail;
		}
	}
	return 0;
}

/* ---- messages ---- */

void oci_log(struct oci *o, const char *level, const char *text)
{
	rs_auto_str line = RS_STR_INIT;
	char when[80];

	if (o->log < 0)
		return;
	ctr_now_text(when, sizeof(when));
	if (o->log_json) {
		rs_str_addf(&line, "{\"level\":\"%s\",\"msg\":", level);
		ctr_json_quote(&line, text);
		rs_str_addf(&line, ",\"time\":\"%s\"}\n", when);
	} else {
		rs_str_addf(&line, "time=\"%s\" level=%s msg=", when, level);
		ctr_json_quote(&line, text);
		rs_str_addc(&line, '\n');
	}
	if (write(o->log, line.p, line.len) < 0)
		o->log = -1;
}

int oci_fail(struct oci *o, int status)
{
	char text[1200];

	/* the log is read by programs that look for the kernel's words: English */
	oci_log(o, "error", rs_err_format(&o->err, RS_LANG_EN, text, sizeof(text)));
	fprintf(stderr, "%s: %s\n", o->program, rs_err_format(&o->err, o->lang, text, sizeof(text)));
	return status;
}

int oci_usage(struct oci *o, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), rs_tr(o->lang, fmt), ap);
	va_end(ap);
	fprintf(stderr, "%s: %s\n", o->program, text);
	if (o->verb)
		fprintf(stderr, rs_tr(o->lang, N_("\"%s %s --help\" explains it.\n")), o->program, o->verb->name);
	else
		fprintf(stderr, rs_tr(o->lang, N_("\"%s --help\" explains it.\n")), o->program);
	oci_log(o, "error", text);
	return 2;
}

static void show_opts(struct oci *o, const struct oci_opt *opts)
{
	for (; opts && opts->name; opts++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", opts->letter ? "-" : " ", opts->letter ? opts->letter : ' ',
			 opts->letter ? ", " : "  ", opts->name, opts->value ? " " : "", opts->value ? opts->value : "");
		printf("  %-30s %s\n", left, rs_tr(o->lang, opts->help));
	}
}

static int help(struct oci *o)
{
	if (o->verb) {
		printf(rs_tr(o->lang, N_("usage: %s [OPTION...] %s [OPTION...] %s\n\n%s\n\n")), o->program, o->verb->name,
		       o->verb->args, rs_tr(o->lang, o->verb->brief));
		show_opts(o, o->verb->opts);
		return 0;
	}
	printf(rs_tr(o->lang, N_("usage: %s [OPTION...] COMMAND [OPTION...] [ARGUMENT...]\n\nAn OCI runtime for Linux "
				 "containers, with the commands and options of runc.\n\n")), o->program);
	for (unsigned v = 0; oci_verbs[v]; v++)
		printf("  %-10s %s\n", oci_verbs[v]->name, rs_tr(o->lang, oci_verbs[v]->brief));
	printf("\n");
	show_opts(o, oci_globals);
	return 0;
}

/* ---- looking on, for --debug ---- */

static int saw_step(void *ctx, const struct ctr_moment *m)
{
	struct oci *o = ctx;
	char text[400];

	if (m->done) {
		snprintf(text, sizeof(text), "step %s%s%s: %s, %llu us", ctr_step_info(m->step)->name, *m->place ? " " : "",
			 m->place, m->result ? strerror(-m->result) : "done", (unsigned long long)m->ns / 1000);
		oci_log(o, "debug", text);
	}
	return 0;
}

static void saw_call(void *ctx, const struct ctr_call *c)
{
	struct oci *o = ctx;
	char text[700];

	snprintf(text, sizeof(text), "[%d] %s(%s) = %ld%s%s, %llu us", (int)c->pid, c->name, c->args,
		 c->result < 0 ? -1 : c->result, c->result < 0 ? " " : "", c->result < 0 ? strerrorname_np((int)-c->result) : "",
		 (unsigned long long)c->ns / 1000);
	oci_log(o, "debug", text);
}

static void saw_warning(void *ctx, const struct rs_err *e)
{
	struct oci *o = ctx;
	char text[1200];

	oci_log(o, "warning", rs_err_format(e, RS_LANG_EN, text, sizeof(text)));
	if (o->log < 0)
		fprintf(stderr, rs_tr(o->lang, N_("%s: warning: %s\n")), o->program, rs_err_format(e, o->lang, text, sizeof(text)));
}

/* ---- */

struct ctr_container *oci_open(struct oci *o)
{
	return ctr_open(o->root, o->arg[0], &o->watch, &o->err);
}

int oci_signal(const char *name)
{
	char *end;
	long n = strtol(name, &end, 10);

	if (end != name && !*end)
		return n >= 0 && n < NSIG ? (int)n : -EINVAL;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int s = 1; s < NSIG; s++) {
		const char *abbrev = sigabbrev_np(s);

		if (abbrev && strcasecmp(abbrev, name) == 0)
			return s;
	}
	if (strncasecmp(name, "RTMIN", 5) == 0) {
		n = name[5] ? strtol(name + 5, &end, 10) : 0;
		return n >= 0 && SIGRTMIN + n <= SIGRTMAX ? SIGRTMIN + (int)n : -EINVAL;
	}
	return -EINVAL;
}

static int settle(struct oci *o)
{
	const char *log = oci_get(o, "log"), *format = oci_get(o, "log-format"), *manager = oci_get(o, "cgroup-manager");
	const char *root = oci_get(o, "root");

	o->log_json = format && strcmp(format, "json") == 0;
	if (format && !o->log_json && strcmp(format, "text") != 0)
		return oci_usage(o, N_("--log-format is text or json, not \"%s\""), format);
	if (log && *log) {
		o->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (o->log < 0) {
			rs_err_errno(&o->err, errno, "the log %s cannot be opened", log);
			return oci_fail(o, 1);
		}
	}
	if (oci_get(o, "systemd-cgroup") || (manager && strcmp(manager, "systemd") == 0)) {
		rs_err_set(&o->err, -EOPNOTSUPP, "systemd is not asked to make cgroups; call it without --systemd-cgroup, "
						 "or tell its caller to use the manager cgroupfs");
		return oci_fail(o, 1);
	}
	if (manager && strcmp(manager, "cgroupfs") != 0 && strcmp(manager, "disabled") != 0)
		return oci_usage(o, N_("--cgroup-manager is cgroupfs or disabled, not \"%s\""), manager);
	o->root = root && *root ? root : (o->own_root = ctr_default_root());
	o->debug = oci_get(o, "debug") != NULL;
	o->watch = (struct ctr_watch){ .ctx = o, .warn = saw_warning };
	if (o->debug) {
		if (o->log < 0)
			o->log = 2;
		o->watch.step = saw_step;
		o->watch.call = saw_call;
	}
	return 0;
}

int ctr_oci_main(int argc, char **argv)
{
	struct oci o = { .program = "ringside-oci", .log = -1, .argv = argv, .lang = rs_lang_from_env() };
	int rc = parse(&o, argc, argv);

	if (rc == 0 && oci_get(&o, "version")) {
		printf("ringside-oci version %s\nspec: 1.2.0\n", RS_VERSION);
		return 0;
	}
	if (rc == 0 && oci_get(&o, "help"))
		return help(&o);
	if (rc == 0 && !o.verb) {
		help(&o);
		return 2;
	}
	if (rc == 0)
		rc = settle(&o);
	if (rc == 0 && o.args < o.verb->min)
		rc = oci_usage(&o, N_("an argument is missing: %s"), o.verb->args);
	if (rc == 0 && !o.verb->tail && o.args > o.verb->max)
		rc = oci_usage(&o, N_("one argument too many: \"%s\""), o.arg[o.verb->max]);
	if (rc == 0 && o.verb->enters && ctr_binary_seal(argv, &o.err) < 0)
		rc = oci_fail(&o, 1);
	if (rc == 0)
		rc = o.verb->run(&o);
	free(o.arg);
	free(o.own_root);
	if (fflush(stdout) != 0)
		rc = rc ? rc : 1;
	return rc;
}
