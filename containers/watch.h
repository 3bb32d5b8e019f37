/* Steps and system calls: where a creation stands, who is told, and what an error says. Private to
 * containers/.
 *
 * A step begins with ctr_step_begin (which may stand still, or end the creation) and ends with
 * ctr_step_end; in between every system call goes through CTR_CALL. When nobody looks on both cost a
 * branch. In the container's first process (`wire` >= 0) everything is told over the wire to the
 * runtime's process, which calls the functions of struct ctr_watch.
 */
#ifndef CONTAINERS_WATCH_H
#define CONTAINERS_WATCH_H

#include <errno.h>

#include "containers/config.h"
#include "containers/ctr.h"

struct ctr_trace {
	const struct ctr_watch *watch;   /* never NULL */
	const struct ctr_config *cfg;    /* for places of errors; may be NULL */
	bool on;                         /* somebody looks on */
	int wire;                        /* -1: this is the runtime's process */
	pid_t pid;                       /* of the first process, as the runtime sees it */
	enum ctr_step step;
	unsigned index;
	char place[160];                 /* in config.json */
	uint64_t began;
	bool open;                       /* between begin and end */
};

/* watch may be NULL. */
void ctr_trace_init(struct ctr_trace *t, const struct ctr_watch *watch, const struct ctr_config *cfg);

/* `place`: printf format of the place in config.json, "" for none. 0, or what the watcher said: then
 * err is set. */
int ctr_step_begin(struct ctr_trace *t, enum ctr_step step, unsigned index, struct rs_err *err, const char *place,
		   ...) __attribute__((format(printf, 5, 6)));
void ctr_step_end(struct ctr_trace *t, int result);

uint64_t ctr_now(void);
/* Tells of a call; `result` is returned, and errno stays. */
long ctr_call_note(struct ctr_trace *t, const char *name, uint64_t began, long result, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The value of `call`, noted as NAME with arguments as text. */
#define CTR_CALL(t, name, call, fmt, ...)                                                          \
	({                                                                                         \
		uint64_t call_began_ = (t)->on ? ctr_now() : 0;                                    \
		long call_result_ = (long)(call);                                                  \
		(t)->on ? ctr_call_note(t, name, call_began_, call_result_, fmt, ##__VA_ARGS__) :  \
			  call_result_;                                                            \
	})

/* Sets the error of a call that failed with errno `e` at the step at hand: the sentence (a translation
 * key), the kernel's reason, the step, the place in config.json and the cure. Returns -e. */
#define CTR_FAIL(t, err, e, fmt, ...)                                                              \
	({                                                                                         \
		int fail_errno_ = (e);                                                             \
		rs_err_errno(err, fail_errno_, fmt, ##__VA_ARGS__);                                \
		ctr_fail_finish(t, err);                                                           \
	})
/* The same for an error whose sentence is set. Returns err->code. */
int ctr_fail_finish(const struct ctr_trace *t, struct rs_err *err);

/* Something that does not end the creation. */
void ctr_warn(struct ctr_trace *t, const struct rs_err *e);

/* Passes on what came over the wire (wire.c). */
int ctr_tell_moment(struct ctr_trace *t, const struct ctr_moment *m);
void ctr_tell_call(struct ctr_trace *t, const struct ctr_call *c);

/* Before something is made on the host, and after it is gone. In the runtime's process alone. */
int ctr_made(struct ctr_trace *t, enum ctr_made kind, const char *name, struct rs_err *err);
void ctr_gone(struct ctr_trace *t, enum ctr_made kind, const char *name);

#endif
