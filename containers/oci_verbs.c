/* state, kill, delete, list, pause, resume, ps. */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "containers/oci.h"
#include "containers/run.h"
#include "engine/base/cleanup.h"

#define OPT_END { 0, NULL, NULL, NULL }

static int run_state(struct oci *o)
{
	struct ctr_container *c = oci_open(o);
	rs_auto_str text = RS_STR_INIT;

	if (!c || ctr_state_json(c, &text, &o->err) < 0)
		return oci_fail(o, 1);
	printf("%s\n", text.p);
	ctr_free(c);
	return 0;
}

static int run_kill(struct oci *o)
{
	struct ctr_container *c = oci_open(o);
	int sig = oci_signal(o->args > 1 ? o->arg[1] : "TERM"), rc;

	if (!c)
		return oci_fail(o, 1);
	if (sig < 0)
		rc = rs_err_set(&o->err, -EINVAL, "there is no signal %s", o->arg[1]);
	else
		rc = ctr_kill(c, sig, oci_get(o, "all") != NULL, &o->err);
	ctr_free(c);
	return rc ? oci_fail(o, 1) : 0;
}

static int run_delete(struct oci *o)
{
	bool force = oci_get(o, "force") != NULL;
	struct ctr_container *c = oci_open(o);
	int rc;

	if (!c)
		return force && o->err.code == -ENOENT ? 0 : oci_fail(o, 1);
	rc = ctr_delete(c, force, &o->err);
	ctr_free(c);
	return rc ? oci_fail(o, 1) : 0;
}

static int run_pause(struct oci *o)
{
	struct ctr_container *c = oci_open(o);
	int rc = c ? ctr_pause(c, &o->err) : -1;

	ctr_free(c);
	return rc ? oci_fail(o, 1) : 0;
}

static int run_resume(struct oci *o)
{
	struct ctr_container *c = oci_open(o);
	int rc = c ? ctr_resume(c, &o->err) : -1;

	ctr_free(c);
	return rc ? oci_fail(o, 1) : 0;
}

/* ---- list ---- */

static const char *owner_name(unsigned uid, char buf[16])
{
	snprintf(buf, 16, "%u", uid);
	return uid == 0 ? "root" : buf;
}

static int run_list(struct oci *o)
{
	const char *format = oci_get(o, "format");
	bool json = format && strcmp(format, "json") == 0, quiet = oci_get(o, "quiet") != NULL;
	struct json_object *all = json ? json_object_new_array() : NULL;
	char **ids = ctr_list(o->root, &o->err), name[16];

	if (format && !json && strcmp(format, "table") != 0)
		return oci_usage(o, N_("--format is table or json, not \"%s\""), format);
	if (!ids)
		return oci_fail(o, 1);
	if (!json && !quiet)
		printf("%-27s %-11s %-11s %-39s %-30s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
	for (unsigned i = 0; ids[i]; i++) {
		struct rs_err gone = RS_ERR_INIT;
		struct ctr_container *c = ctr_open(o->root, ids[i], NULL, &gone);

		if (c && quiet) {
			printf("%s\n", ids[i]);
		} else if (c && json) {
			rs_auto_str text = RS_STR_INIT;
			struct json_object *one;

			ctr_state_text(c, ctr_status(c), false, &text);
			one = json_tokener_parse(text.p);
			json_object_object_add(one, "owner", json_object_new_string(owner_name(c->owner, name)));
			json_object_array_add(all, one);
		} else if (c) {
			enum ctr_status s = ctr_status(c);

			printf("%-27s %-11d %-11s %-39s %-30s %s\n", ids[i], s == CTR_STOPPED ? 0 : (int)c->pid,
			       ctr_status_name(s), c->bundle, c->created_at, owner_name(c->owner, name));
		}
		ctr_free(c);
		free(ids[i]);
	}
	free(ids);
	if (json)
		printf("%s\n", json_object_to_json_string_ext(all, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(all);
	return 0;
}

/* ---- ps ---- */

static bool listed(const pid_t *pids, unsigned n, long pid)
{
	for (unsigned i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* ps(1) with the caller's options; of its table the rows of this container, found by the column PID. */
static int table(struct oci *o, const pid_t *pids, unsigned n)
{
	rs_auto_str command = RS_STR_INIT;
	char line[4096];
	int column = -1, status;
	FILE *f;

	rs_str_add(&command, "exec ps");
	for (unsigned i = 1; i < o->args || i < 2; i++) {
		rs_str_add(&command, " '");
		for (const char *s = o->args > 1 ? o->arg[i] : "-ef"; *s; s++)
			rs_str_add(&command, *s == '\'' ? "'\\''" : (char[]){ *s, 0 });
		rs_str_add(&command, "'");
	}
	f = popen(command.p, "re");
	while (f && fgets(line, sizeof(line), f)) {
		rs_auto_free char *copy = rs_xstrdup(line);
		char *save, *word = strtok_r(copy, " \t\n", &save);

		if (column < 0) {
			int k = 0;

			for (; word; word = strtok_r(NULL, " \t\n", &save), k++)
				if (strcmp(word, "PID") == 0)
					column = k;
			if (column < 0)
				break;
			fputs(line, stdout);
			continue;
		}
		for (int k = 0; k < column && word; k++)
			word = strtok_r(NULL, " \t\n", &save);
		if (word && listed(pids, n, strtol(word, NULL, 10)))
			fputs(line, stdout);
	}
	status = f ? pclose(f) : -1;
	if (column < 0 || status < 0) {
		rs_err_set(&o->err, -ENOENT, "ps printed no column PID; is the program ps installed?");
		return oci_fail(o, 1);
	}
	return 0;
}

static int run_ps(struct oci *o)
{
	struct ctr_container *c = oci_open(o);
	const char *format = oci_get(o, "format");
	rs_auto_free pid_t *pids = NULL;
	unsigned n = 0;
	int rc;

	if (!c || ctr_pids(c, &pids, &n, &o->err) < 0)
		return oci_fail(o, 1);
	ctr_free(c);
	if (!format || strcmp(format, "table") == 0)
		return table(o, pids, n);
	if (strcmp(format, "json") != 0)
		return oci_usage(o, N_("--format is table or json, not \"%s\""), format);
	printf("[");
	for (unsigned i = 0; i < n; i++)
		printf("%s%d", i ? "," : "", (int)pids[i]);
	rc = printf("]\n");
	return rc < 0;
}

const struct oci_verb oci_state = {
	.name = "state", .args = "ID", .min = 1, .max = 1, .brief = N_("print the state of a container as JSON"), .run = run_state,
};
static const struct oci_opt kill_opts[] = { { 'a', "all", NULL, N_("send it to all processes of the container") }, OPT_END };
const struct oci_verb oci_kill = {
	.name = "kill", .args = "ID [SIGNAL]", .min = 1, .max = 2, .opts = kill_opts,
	.brief = N_("send a signal to the first process; SIGTERM when left out"), .run = run_kill,
};
static const struct oci_opt delete_opts[] = {
	{ 'f', "force", NULL, N_("kill it first, and do not mind when there is none") }, OPT_END
};
const struct oci_verb oci_delete = {
	.name = "delete", .args = "ID", .min = 1, .max = 1, .opts = delete_opts,
	.brief = N_("remove what is left of a container that has stopped"), .run = run_delete,
};
static const struct oci_opt list_opts[] = {
	{ 'f', "format", "FORMAT", N_("table or json") }, { 'q', "quiet", NULL, N_("ids alone") }, OPT_END
};
const struct oci_verb oci_list = {
	.name = "list", .args = "", .opts = list_opts, .brief = N_("list the containers below the root"), .run = run_list,
};
const struct oci_verb oci_pause = {
	.name = "pause", .args = "ID", .min = 1, .max = 1, .brief = N_("make all processes of a container stand still"), .run = run_pause,
};
const struct oci_verb oci_resume = {
	.name = "resume", .args = "ID", .min = 1, .max = 1, .brief = N_("let them go on"), .run = run_resume,
};
static const struct oci_opt ps_opts[] = { { 'f', "format", "FORMAT", N_("table or json") }, OPT_END };
const struct oci_verb oci_ps = {
	.name = "ps", .args = "ID [PS-OPTION...]", .min = 1, .max = 0, .tail = true, .opts = ps_opts,
	.brief = N_("list the processes of a container"), .run = run_ps,
};
