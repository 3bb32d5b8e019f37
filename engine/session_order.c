/* Orders to the running experiment.
 */
#include "engine/session.h"

#include <errno.h>
#include <string.h>

static int order(struct eng_session *s, struct rs_control msg)
{
	if (!s->live.exp || s->live.job != ENG_JOB_RUN)
		return -ESRCH;
	return eng_experiment_order(s->live.exp, &msg);
}

int eng_session_pause(struct eng_session *s)
{
	if (s->rp)
		return eng_replay_hold(s->rp, true), 0;
	return order(s, (struct rs_control){ .op = RS_CONTROL_PAUSE });
}

int eng_session_resume(struct eng_session *s)
{
	if (s->rp)
		return eng_replay_hold(s->rp, false), 0;
	return order(s, (struct rs_control){ .op = RS_CONTROL_RESUME });
}

int eng_session_single_step(struct eng_session *s, unsigned instructions)
{
	return order(s, (struct rs_control){ .op = RS_CONTROL_STEP, .a = instructions });
}

int eng_session_step_blocks(struct eng_session *s, unsigned blocks)
{
	return order(s, (struct rs_control){ .op = RS_CONTROL_STEP, .a = blocks, .flag = 1 });
}

int eng_session_stop(struct eng_session *s)
{
	struct eng_live *l = &s->live;

	if (!l->exp)
		return -ESRCH;
	l->stopped = true;
	if (l->job == ENG_JOB_BUILD) {
		eng_experiment_kill(l->exp);
		return 0;
	}
	l->kill_at = eng_now() + SESSION_PATIENCE;
	int rc = order(s, (struct rs_control){ .op = RS_CONTROL_STOP });

	if (rc == -EAGAIN) { /* it does not listen */
		eng_experiment_kill(l->exp);
		return 0;
	}
	return rc;
}

int eng_session_inspect(struct eng_session *s, enum rs_block block, uint64_t addr, uint64_t len,
			bool is_virtual)
{
	return order(s, (struct rs_control){ .op = RS_CONTROL_INSPECT,
					     .block = block,
					     .flag = is_virtual,
					     .a = addr,
					     .b = len });
}

int eng_session_input(struct eng_session *s, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		struct rs_control msg = { .op = RS_CONTROL_INPUT };
		size_t k = n < sizeof(msg.data) ? n : sizeof(msg.data);

		msg.a = k;
		memcpy(msg.data, p, k);
		int rc = order(s, msg);

		if (rc < 0)
			return rc;
		p += k;
		n -= k;
	}
	return 0;
}
