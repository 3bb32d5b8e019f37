/* The command line of the OCI runtime: verbs, their options, how errors are logged. The verbs and
 * options are those of runc, because its callers (podman, containerd, CRI-O) know them. Private to the
 * oci*.c files.
 */
#ifndef CONTAINERS_OCI_H
#define CONTAINERS_OCI_H

#include "containers/ctr.h"

struct oci_opt {
	char letter;         /* or 0 */
	const char *name;
	const char *value;   /* NULL: a flag */
	const char *help;    /* translation key */
};
struct oci;
struct oci_verb {
	const char *name, *args;
	unsigned min, max;   /* arguments; max 0: any number */
	bool tail;           /* options end at the first argument: the rest is another program's */
	bool enters;         /* it makes a process inside a container: the binary is sealed first */
	const struct oci_opt *opts;
	const char *brief;   /* translation key */
	int (*run)(struct oci *o);
};
extern const struct oci_verb *const oci_verbs[]; /* ends with NULL */
extern const struct oci_opt oci_globals[];

struct oci {
	const char *program;
	const struct oci_verb *verb;
	enum rs_lang lang;
	const char *root;    /* never NULL once options are read */
	char *own_root;      /* ... and this, when none was given */
	int log;             /* descriptor; -1: none */
	bool log_json, debug;
	char **argv;         /* as the program was called, for ctr_binary_seal */
	char **arg;          /* NULL-terminated */
	unsigned args;
	struct {
		const struct oci_opt *opt;
		const char *value;
	} val[128];
	unsigned vals;
	struct ctr_watch watch;
	struct rs_err err;
};

const char *oci_get(const struct oci *o, const char *name); /* the last value, "" for a flag; NULL: not given */
/* All values of an option that may be repeated, NULL-terminated; the caller frees the list. */
char **oci_all(const struct oci *o, const char *name);
/* A number from an option; false and a message when it is none. */
bool oci_number(struct oci *o, const char *name, uint64_t *out);
/* Says o->err on standard error and in the log; returns `status`. */
int oci_fail(struct oci *o, int status);
int oci_usage(struct oci *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void oci_log(struct oci *o, const char *level, const char *text);
/* The container named by the first argument; NULL: o->err. */
struct ctr_container *oci_open(struct oci *o);
int oci_signal(const char *name); /* "KILL", "SIGKILL", "9"; or -EINVAL */

/* oci_run.c */
extern const struct oci_verb oci_create, oci_start, oci_run, oci_exec;
/* oci_verbs.c */
extern const struct oci_verb oci_state, oci_kill, oci_delete, oci_list, oci_pause, oci_resume, oci_ps;
/* oci_update.c, oci_events.c, oci_spec.c */
extern const struct oci_verb oci_update, oci_events, oci_features, oci_spec;
/* Stays until the process ends: passes signals on, and its terminal. The exit status. */
int oci_attend(pid_t pid, int terminal);

#endif
