/* The runtime's side of the wire: what the first process tells and asks until it is ready, and until it
 * became the program. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "containers/run.h"
#include "containers/wire.h"

int ctr_wire_answer(struct ctr_container *c, int rc)
{
	return ctr_wire_say(c->wire, rc ? CTR_SAY_STOP : CTR_SAY_GO);
}

static int run_hooks(struct ctr_container *c, struct rs_err *err)
{
	rs_auto_str state = RS_STR_INIT;
	int rc;

	ctr_state_text(c, CTR_CREATING, false, &state);
	rc = ctr_hooks(&c->t, c->cfg, CTR_HOOK_PRESTART, CTR_STEP_HOOKS_RUNTIME, state.p, err);
	if (rc == 0)
		rc = ctr_hooks(&c->t, c->cfg, CTR_HOOK_CREATE_RUNTIME, CTR_STEP_HOOKS_RUNTIME, state.p, err);
	ctr_wire_answer(c, rc);
	return rc;
}

static int take_terminal(struct ctr_container *c, int fd, struct rs_err *err)
{
	int rc = 0;

	if (c->o.console_socket) {
		rc = ctr_terminal_send(c->o.console_socket, fd, err);
		close(fd);
	} else {
		c->terminal = fd;
	}
	return rc;
}

/* One message; 0: go on. */
static int take(struct ctr_container *c, struct ctr_msg *m, int fd, struct rs_err *err)
{
	struct ctr_moment moment = {
		.step = m->step < CTR_STEPS ? m->step : 0, .index = m->index, .place = m->text, .pid = c->pid,
		.done = m->say == CTR_SAY_STEPPED, .result = m->result, .ns = m->ns,
	};
	struct ctr_call call;
	int rc;

	switch (m->say) {
	case CTR_SAY_STEP:
	case CTR_SAY_STEPPED:
		rc = ctr_tell_moment(&c->t, &moment);
		if (m->say == CTR_SAY_STEPPED)
			return 0;
		ctr_wire_answer(c, rc);
		return rc ? rs_err_set(err, rc, "ended before the step %s", ctr_step_info(m->step)->name) : 0;
	case CTR_SAY_CALL:
		call = (struct ctr_call){ .step = moment.step, .name = m->text, .args = m->text + strlen(m->text) + 1,
					  .result = (long)m->value, .ns = m->ns, .pid = c->pid };
		if (strlen(m->text) + 1 < sizeof(m->text))
			ctr_tell_call(&c->t, &call);
		return 0;
	case CTR_SAY_WARN:
		ctr_warn(&c->t, &m->err);
		return 0;
	case CTR_SAY_FAILED:
		if (err)
			*err = m->err;
		return m->err.code < 0 ? m->err.code : -EIO;
	case CTR_SAY_HOOKS:
		return run_hooks(c, err);
	case CTR_SAY_TERMINAL:
		return fd >= 0 ? take_terminal(c, fd, err) : -EPROTO;
	case CTR_SAY_SECCOMP:
		rc = fd >= 0 ? ctr_seccomp_send(c, fd, err) : -EPROTO;
		if (fd >= 0)
			close(fd);
		ctr_wire_answer(c, rc);
		return rc;
	default:
		return rs_err_set(err, -EPROTO, "the first process said something that nobody expects (%u)", m->say);
	}
}

int ctr_serve(struct ctr_container *c, unsigned until, struct rs_err *err)
{
	for (;;) {
		struct ctr_msg m;
		int fd = -1, rc = ctr_wire_take(c->wire, &m, &fd);

		if (rc == 0) /* the end: it became the program, or died */
			return until == 0 ? 0 : rs_err_set(err, -ECHILD, "the first process ended before the container was ready");
		if (rc < 0)
			return rs_err_errno(err, -rc, "the first process cannot be heard");
		if (m.say == CTR_SAY_PID)
			c->pid = m.pid; /* as the kernel tells it us: in the sender's namespace it is another */
		if (m.say == until)
			return 0;
		rc = take(c, &m, fd, err);
		if (rc)
			return rc;
	}
}
