/* The box: a small container of the lab's own, in which a lesson's program or script runs as root of a
 * user namespace, and in which all that containers are made of is watched. The student's program makes
 * its own containers inside it; what it breaks is the box, which is gone with its last process: the
 * root file system lies in memory and is seen in the box's mount namespace alone. The map:
 *
 *   box.h         this: describe it, run it            box.c        set-up, the loop, orders, the end
 *   box_plan.c    what it is made of, read beforehand
 *   box_root.c    the first process's side: root file system, filter, exec
 *   box_trace.c   processes and calls as they happen (ptrace(2), with a seccomp filter that stops at
 *                 the calls of engine/base/boxcalls.def and lets all others run at full speed)
 *   box_call.c    a call's arguments as text           box_look.c   snapshots for the screens
 *   overlay.c/.h  what lies in the layers of an overlay
 */
#ifndef CONTAINERS_BOX_H
#define CONTAINERS_BOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/base/channel.h"
#include "engine/base/err.h"

struct ctr_box_desc {
	const char *program;       /* host path of a static executable that becomes /work/NAME; or NULL: */
	const char *script;        /* a file of the workspace that busybox's sh runs */
	const char *name;          /* of the program inside, "work" for instance */
	const char *workspace;     /* absolute */
	char *const *file;         /* further files of the workspace that lie in /work, by their names */
	unsigned files;
	char *const *args;         /* behind the program's name */
	unsigned n_args;
	char *const *env;          /* NAME=VALUE, added to PATH, HOME and TERM */
	unsigned n_env;
	const char *input;         /* its standard input; NULL: empty */
	const char *resources;     /* a file of the workspace: linux.resources of config.json; NULL: none */
	uint64_t timeout_ns;       /* 0: none */
	bool start_paused;         /* stand still before the first program runs */
	bool watched;              /* snapshots while it runs */
	/* Before a cgroup is made (absolute folder), and when all are gone. May be NULL. */
	int (*will_make)(void *arg, const char *dir, struct rs_err *err);
	void (*all_gone)(void *arg);
	void *arg;
};

/* Can this machine run it? 0, or negative and a sentence that says what is missing. Starts and ends
 * one process. */
int ctr_box_available(struct rs_err *err);
/* Can it be given limits? 0 and how this machine's cgroups are laid out; or negative and what is missing. */
int ctr_box_limits(struct rs_text *layout, struct rs_err *err);
/* Host path of a statically linked busybox (BUSYBOX, then the usual places), or NULL. Static storage
 * of the caller: buf. */
const char *ctr_box_busybox(char *buf, unsigned size);

/* Runs it to its end. Its standard output and error are those of the caller. `seal` is called once after
 * set-up, before the student's first instruction. Orders come over control_fd (-1: none). 0 when the
 * run came to an end of its own (box.end said how), negative when it could not be done. */
int ctr_box_run(const struct ctr_box_desc *d, struct rs_emitter *em, int control_fd,
		int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct rs_err *err);

#endif
