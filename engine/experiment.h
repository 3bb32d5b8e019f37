/* An experiment: a child process that does what may go wrong, and what it says and how it dies.
 * The parent's side never blocks and never trusts the child. Private to engine/.
 */
#ifndef ENGINE_EXPERIMENT_H
#define ENGINE_EXPERIMENT_H

#include <sys/types.h>

#include "engine/base/channel.h"
#include "engine/base/control.h"
#include "engine/journal.h"
#include "engine/sandbox.h"

uint64_t eng_now(void); /* CLOCK_MONOTONIC, ns */

/* In the child process. */
struct eng_child {
	struct rs_emitter em;
	int control_fd;
	_Atomic long *denied;   /* for sandbox */
	int (*sandbox)(_Atomic long *denied, struct rs_err *err); /* of its kind */
};
/* Closes the sandbox and says so (exp.ready). Fits as `seal` of struct eng_exec, with the
 * struct eng_child as its argument. */
int eng_child_seal(void *child, struct rs_err *err);

struct eng_experiment_opts {
	const char *name;          /* text of exp.start */
	/* Runs in the child; its return value (0, or negative with err) travels to the parent. */
	int (*main)(void *arg, struct eng_child *c, struct rs_err *err);
	void *arg;
	struct eng_limits limits;
	enum rs_full full;
	unsigned slots;            /* of its event ring, a power of two; 0: ENG_EXPERIMENT_SLOTS */
	enum rs_stream out, err;   /* streams that its stdout and stderr become */
	const bool *want;          /* RS_KIND_COUNT: kinds asked for from the start; may be NULL */
	struct eng_journal *journal;
	/* Receives every event: the child's, and those about it (exp.start, out.data, exp.exit). `seq`
	 * is the receiver's to set; `time` is ns since eng_experiment_start. */
	void (*event)(void *arg, struct rs_event *ev);
	void *event_arg;
};

/* How it ended. */
struct eng_death {
	int status;               /* exit status; -1 when killed by a signal */
	int signal;               /* 0: it exited */
	long denied;              /* the system call that the sandbox refused, or -1 */
	bool oom;                 /* the kernel's out-of-memory killer was at work */
	bool ours;                /* eng_experiment_kill did it */
	uint64_t wall;            /* ns */
	int code;                 /* what main returned: 0 or negative errno; -EIO after a signal */
	struct rs_err err;        /* main's error, or the sentence how it died; code 0: a good end */
};

/* Events that may be on their way: the size of the ring. */
#define ENG_EXPERIMENT_SLOTS 32768u

struct eng_experiment;
struct eng_experiment *eng_experiment_start(const struct eng_experiment_opts *o, struct rs_err *err);
/* Kills it if it lives, waits for that, strikes it from the journal. NULL is fine. */
void eng_experiment_free(struct eng_experiment *x);

pid_t eng_experiment_pid(const struct eng_experiment *x);
/* One descriptor to poll for POLLIN, after eng_experiment_sleep said true or for as long as
 * eng_experiment_doze says (rs_channel_doze; 0 once it is dead). */
int eng_experiment_fd(const struct eng_experiment *x);
bool eng_experiment_sleep(struct eng_experiment *x);
int eng_experiment_doze(struct eng_experiment *x);
/* Takes what has arrived, at most about `max` events. True when there was anything. */
bool eng_experiment_pump(struct eng_experiment *x, unsigned max);
/* NULL while it lives or while events of it wait to be taken. */
const struct eng_death *eng_experiment_death(const struct eng_experiment *x);
/* Sends an order. 0, -ESRCH when it is dead, -EAGAIN when it does not take orders fast enough. */
int eng_experiment_order(struct eng_experiment *x, struct rs_control *msg);
/* SIGKILL to its whole process group. */
void eng_experiment_kill(struct eng_experiment *x);
void eng_experiment_want(struct eng_experiment *x, enum rs_kind kind, bool on);
void eng_experiment_counters(const struct eng_experiment *x, struct rs_counters *out);
/* Events that did not arrive: the ring was full, or the child tore it. */
uint64_t eng_experiment_lost(const struct eng_experiment *x);

#endif
