/* Orders from the lab to a running experiment, over a SOCK_SEQPACKET pair: one
 * fixed message each way. The experiment answers every message with the same `tag`.
 */
#ifndef RS_BASE_CONTROL_H
#define RS_BASE_CONTROL_H

#include <stdint.h>

#include "engine/base/err.h"

enum rs_control_op {
	RS_CONTROL_PAUSE = 1,  /* stand still at the next instruction boundary that can be had */
	RS_CONTROL_RESUME,
	RS_CONTROL_STEP,       /* a: how many instructions; paused again afterwards. Of a translated
				  program: flag: a counts blocks, b: number of the guest thread */
	RS_CONTROL_INSPECT,    /* block, a: address, b: length, flag: linear address. EMU_STAGE: the block
				  at a is shown from now on (0: again the one that runs); EMU_REGS: a
				  is the number of the guest thread */
	RS_CONTROL_STOP,       /* end the run; OUTCOME stopped */
	RS_CONTROL_INPUT,      /* data: bytes for the serial port (len in a) */
};

struct rs_control {
	uint32_t op;           /* enum rs_control_op */
	uint32_t tag;
	uint32_t block;        /* enum rs_block */
	uint32_t flag;
	uint64_t a, b;
	int32_t result;        /* in the answer: 0 or negative errno */
	uint32_t pad;
	char data[64];
};

/* 0, or negative errno: -EPIPE when the peer is gone, -EAGAIN when nothing is there
 * (receive) or the queue is full (send). Never raises SIGPIPE. */
int rs_control_send(int fd, const struct rs_control *msg);
int rs_control_recv(int fd, struct rs_control *msg);

#endif
