/* What the runtime's process and the container's first process say to each other: messages on a
 * SOCK_SEQPACKET socket. Both are the same program, one the child of the other, so structs travel as
 * they are. Private to containers/.
 */
#ifndef CONTAINERS_WIRE_H
#define CONTAINERS_WIRE_H

#include "containers/ctr.h"

enum ctr_say {
	/* from the first process */
	CTR_SAY_STEP = 1,  /* a step begins; the answer is GO or STOP */
	CTR_SAY_STEPPED,   /* and has ended */
	CTR_SAY_CALL,
	CTR_SAY_WARN,
	CTR_SAY_FAILED,    /* its last word: the error */
	CTR_SAY_HOOKS,     /* mounts are made: the runtime's hooks; the answer is GO or STOP */
	CTR_SAY_TERMINAL,  /* with the terminal's other end */
	CTR_SAY_SECCOMP,   /* with the descriptor of the filter's listener; the answer is GO or STOP */
	CTR_SAY_CREATED,   /* waits for START */
	CTR_SAY_PID,       /* born behind an intermediate process; the kernel adds the pid (SCM_CREDENTIALS) */
	/* to it */
	CTR_SAY_GO,
	CTR_SAY_STOP,
	CTR_SAY_START,
};
struct ctr_msg {
	uint32_t say;
	uint32_t step, index;
	int32_t result, pid;
	uint64_t ns;
	int64_t value;
	union {
		char text[560];    /* STEP: place; CALL: "name\0args" */
		struct rs_err err; /* WARN, FAILED */
	};
};

/* Sends a message, with a descriptor when fd >= 0. 0 or negative errno. */
int ctr_wire_send(int wire, const struct ctr_msg *m, int fd);
int ctr_wire_say(int wire, enum ctr_say say);
/* Takes one message; *fd gets a descriptor that came with it, or -1. 1, 0 at the end, or negative errno. */
int ctr_wire_take(int wire, struct ctr_msg *m, int *fd);

/* In the first process. */
int ctr_wire_moment(int wire, const struct ctr_moment *m); /* for a beginning, waits for the answer */
void ctr_wire_call(int wire, const struct ctr_call *c);
void ctr_wire_warn(int wire, const struct rs_err *e);
void ctr_wire_failed(int wire, const struct rs_err *e);
/* Says something and waits for GO: 0. STOP, or nobody there any more: -ECANCELED. */
int ctr_wire_ask(int wire, enum ctr_say say, int fd);
int ctr_wire_wait(int wire, enum ctr_say expected);

#endif
