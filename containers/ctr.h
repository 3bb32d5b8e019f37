/* Containers: an OCI runtime whose every step can be watched. Start reading here; the map:
 *
 *   ctr.h        this: load a configuration, create, start, wait, kill, exec, delete
 *   steps.def    every step with the reason for it: enum, events, errors, pauses
 *   config*.c/.h config.json -> struct ctr_config, by one table of fields; mistakes with their place
 *   words.c, *.def   namespaces, capabilities, mount options, ...: the words of runtime-spec
 *   watch.c/.h   steps and system calls: journal, events, pauses
 *   wire.c/.h    what the runtime and the container's first process say to each other
 *   create.c serve.c  the runtime's side of creation      init.c  the first process's side
 *   ns.c idmap.c namespaces, user ids                binary.c  why the container cannot reach our binary
 *   rootfs.c mount*.c devices.c paths.c resolve.c    the file system inside
 *   process.c caps.c seccomp.c terminal.c hooks.c    the process inside
 *   state.c ops.c exec.c                             the folder of a container, and what is done with it
 *   cgroup*.c/.h overlay*.c net*.c                   limits, layers, networks (their headers say more)
 *   oci*.c/.h    the command line that runc's callers know; main.c the program ringside-oci
 *
 * Nothing here ends the process or prints, except oci*.c. Source: Open Container Initiative Runtime
 * Specification 1.2 (runtime.md, config.md, config-linux.md, runtime-linux.md).
 */
#ifndef CONTAINERS_CTR_H
#define CONTAINERS_CTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/base/channel.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

/* -- the table of steps -- */
enum ctr_step {
#define CTR_STEP(id, name, side, why, changes) CTR_STEP_##id,
#include "containers/steps.def"
	CTR_STEPS
};
enum ctr_side { CTR_SIDE_RUNTIME, CTR_SIDE_CONTAINER };
struct ctr_step_info {
	const char *name;     /* "pivot_root" */
	enum ctr_side side;
	const char *why;      /* English; translation keys */
	const char *changes;
};
/* Never NULL; out of range gives a row named "?". */
const struct ctr_step_info *ctr_step_info(unsigned step);
int ctr_step_by_name(const char *name); /* or -ENOENT */

/* -- watching -- */

/* A step begins, or has ended. */
struct ctr_moment {
	enum ctr_step step;
	unsigned index;       /* which mount, hook, ... of its list; 0 for a step that happens once */
	const char *place;    /* in config.json: "mounts[3]"; "" when it has none */
	pid_t pid;            /* of the container's first process, as the runtime sees it; 0: not born */
	bool done;            /* false: about to begin */
	int result;           /* of a step that is done: 0 or negative errno */
	uint64_t ns;          /* how long it took */
};
/* One system call. */
struct ctr_call {
	enum ctr_step step;
	const char *name;     /* "mount" */
	const char *args;     /* as text */
	long result;          /* what it returned; negative errno when it failed */
	uint64_t ns;
	pid_t pid;            /* who made it */
};
/* What is made on the host and must be gone at the end. */
enum ctr_made { CTR_MADE_DIR, CTR_MADE_MOUNT, CTR_MADE_CGROUP, CTR_MADE_LINK, CTR_MADE_PROC };

/* Who looks on. Every function may be NULL; all are called in the process that called ctr_create and
 * friends, and one after the other. With none of them set, watching costs nothing. */
struct ctr_watch {
	void *ctx;
	/* Before a step (and after it, done set). Not 0 before a step: the creation ends there with this
	 * negative errno. As long as it does not return, the half-built container stands still and can be
	 * looked at, or entered by its pid. */
	int (*step)(void *ctx, const struct ctr_moment *m);
	void (*call)(void *ctx, const struct ctr_call *c);
	/* Something that does not end the creation, such as a capability that cannot be granted. */
	void (*warn)(void *ctx, const struct rs_err *e);
	/* Before `name` is made (a path; a pid as text), and after it is gone. made() not 0: it is not
	 * made, and the creation ends with this negative errno. */
	int (*made)(void *ctx, enum ctr_made kind, const char *name);
	void (*gone)(void *ctx, enum ctr_made kind, const char *name);
	/* Gets ctr.step and ctr.call (engine/base/events.def); NULL: none. */
	struct rs_emitter *events;
};

/* -- configuration -- */
struct ctr_config;
/* Reads BUNDLE/config.json. NULL: err has file, line and column, and names the JSON path. Unknown
 * properties are ignored, as config.md ("Extensibility") asks. The caller frees. */
struct ctr_config *ctr_config_load(const char *bundle, struct rs_err *err);
/* The same from text of n bytes; `name` is what errors call it. Paths that are relative to the bundle
 * stay so. */
struct ctr_config *ctr_config_parse(const char *text, size_t n, const char *name, struct rs_err *err);
void ctr_config_free(struct ctr_config *c); /* NULL is fine */

/* -- one container -- */
struct ctr_options {
	const char *id;             /* letters, digits and _+-. ; 1 to 1024 of them, not "." or ".." */
	const char *root;           /* folder of all containers' folders; NULL: ctr_default_root */
	const char *bundle;         /* folder with config.json; NULL: the current one */
	struct ctr_config *config;  /* already loaded; NULL: ctr_config_load(bundle). Stays the caller's */
	const char *console_socket; /* gets the terminal's other end; NULL: the terminal is *terminal */
	const char *pid_file;       /* NULL: none */
	unsigned preserve_fds;      /* descriptors 3 .. 3+n-1 stay open in the container */
	bool no_pivot;              /* MS_MOVE and chroot instead of pivot_root (a root on a ramdisk) */
	bool no_new_keyring;
	bool no_cgroup;             /* do not make or join any cgroup */
	bool attached;              /* the caller stays: it will ctr_start and ctr_wait in this process */
	const int *stdio;           /* three descriptors for the program; NULL: the caller's own 0, 1, 2 */
	/* With `attached`: the program starts without waiting for ctr_start where nothing has to be done outside
	 * before; then ctr_start returns at once, and ctr_outcome says whether it worked. */
	bool at_once;
	const struct ctr_watch *watch; /* NULL: nobody looks on */
};
struct ctr_container;

/* "/run/ringside-oci", or "$XDG_RUNTIME_DIR/ringside-oci" for a user who is not root. Caller frees. */
char *ctr_default_root(void);

/* The create operation (runtime.md, "Create"): up to the step `created`. On error nothing is left
 * behind, and err names the step, the place in config.json, the kernel's reason and the cure. The
 * caller frees the result (ctr_free), which does not end the
 * container. */
struct ctr_container *ctr_create(const struct ctr_options *o, struct rs_err *err);
/* The start operation. Returns when the program runs, or could not be run. */
int ctr_start(struct ctr_container *c, struct rs_err *err);
/* Opens a container that exists, by its id. watch may be NULL. */
struct ctr_container *ctr_open(const char *root, const char *id, const struct ctr_watch *watch,
			       struct rs_err *err);
/* Of a container that was created with at_once, when its first process has ended: 0 when that became the
 * program, else what went wrong before. 0 for others. */
int ctr_outcome(struct ctr_container *c, struct rs_err *err);
void ctr_free(struct ctr_container *c); /* NULL is fine */

pid_t ctr_pid(const struct ctr_container *c);    /* of the first process */
int ctr_pidfd(const struct ctr_container *c);    /* of the first process: readable when it ended; or -1 */
int ctr_terminal(const struct ctr_container *c); /* the terminal's other end; -1: none. Stays c's */
/* Waits for the first process of a container that this process created. The wait status (wait(2)), or
 * negative errno. */
int ctr_wait(struct ctr_container *c, int *status, struct rs_err *err);

enum ctr_status { CTR_CREATING, CTR_CREATED, CTR_RUNNING, CTR_PAUSED, CTR_STOPPED };
const char *ctr_status_name(enum ctr_status s); /* "creating" */
enum ctr_status ctr_status(struct ctr_container *c);
/* The state as JSON (schema/state-schema.json), appended. */
int ctr_state_json(struct ctr_container *c, struct rs_str *out, struct rs_err *err);
/* All ids below root, NULL-terminated; the caller frees each and the list. */
char **ctr_list(const char *root, struct rs_err *err);

/* signal: a number. all: every process of the container. */
int ctr_kill(struct ctr_container *c, int signal, bool all, struct rs_err *err);
int ctr_pause(struct ctr_container *c, struct rs_err *err);
int ctr_resume(struct ctr_container *c, struct rs_err *err);
/* The delete operation; force: kills it first, and is content when there is nothing. */
int ctr_delete(struct ctr_container *c, bool force, struct rs_err *err);
/* Process ids as this process sees them; the caller frees. */
int ctr_pids(struct ctr_container *c, pid_t **pids, unsigned *n, struct rs_err *err);

/* One more process in a container. */
struct ctr_exec {
	const char *process_json;    /* a `process` object of config.json as text; or NULL and: */
	char *const *argv;           /* NULL-terminated */
	char *const *env;            /* added to the configuration's; NULL: none */
	const char *cwd;             /* NULL: the configuration's */
	const char *user;            /* "UID[:GID]"; NULL: the configuration's */
	const uint32_t *gids;        /* additional groups */
	unsigned n_gids;
	char *const *caps;           /* added to the configuration's; NULL: none */
	bool tty, no_new_privs, ignore_paused;
	const char *console_socket, *pid_file;
	unsigned preserve_fds;
	const int *stdio;            /* as in ctr_options */
};
/* Runs it; its pid, or negative errno. It is a child of the caller (wait for it). *terminal: the other
 * end when it has one and there is no console_socket, else -1. May be NULL without one. */
pid_t ctr_exec(struct ctr_container *c, const struct ctr_exec *x, int *terminal, struct rs_err *err);

/* `ringside oci` and ringside-oci: argv[0] is the program, then global options and a verb. Prints;
 * the exit status is returned. */
int ctr_oci_main(int argc, char **argv);

#endif
