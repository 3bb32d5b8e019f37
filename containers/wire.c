/* Messages between the runtime's process and the container's first process. */
#include "containers/wire.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How much of a message is worth sending. */
static size_t size_of(const struct ctr_msg *m)
{
	switch (m->say) {
	case CTR_SAY_WARN:
	case CTR_SAY_FAILED:
		return sizeof(*m);
	case CTR_SAY_STEP:
	case CTR_SAY_STEPPED:
	case CTR_SAY_CALL:
		return offsetof(struct ctr_msg, text) + sizeof(m->text);
	default:
		return offsetof(struct ctr_msg, text);
	}
}

int ctr_wire_send(int wire, const struct ctr_msg *m, int fd)
{
	struct iovec iov = { .iov_base = (void *)m, .iov_len = size_of(m) };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&u, 0, sizeof(u));
		h.msg_control = u.buf;
		h.msg_controllen = sizeof(u.buf);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(wire, &h, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int ctr_wire_say(int wire, enum ctr_say say)
{
	struct ctr_msg m = { .say = say };

	return ctr_wire_send(wire, &m, -1);
}

int ctr_wire_take(int wire, struct ctr_msg *m, int *fd)
{
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	union {
		char buf[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} u;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	struct ucred who = { 0 };
	int got = -1;
	ssize_t n;

	memset(m, 0, offsetof(struct ctr_msg, text));
	do
		n = recvmsg(wire, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL; c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&got, CMSG_DATA(c), sizeof(int));
		else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(c), sizeof(who));
	}
	if (fd)
		*fd = got;
	else if (got >= 0)
		close(got);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if ((size_t)n < offsetof(struct ctr_msg, text) || (size_t)n < size_of(m))
		return -EPROTO;
	if (m->say == CTR_SAY_PID)
		m->pid = who.pid;
	if (m->say == CTR_SAY_STEP || m->say == CTR_SAY_STEPPED || m->say == CTR_SAY_CALL)
		m->text[sizeof(m->text) - 1] = '\0';
	return 1;
}

int ctr_wire_wait(int wire, enum ctr_say expected)
{
	struct ctr_msg m;
	int rc = ctr_wire_take(wire, &m, NULL);

	if (rc < 0)
		return rc;
	return rc == 1 && m.say == expected ? 0 : -ECANCELED;
}

int ctr_wire_ask(int wire, enum ctr_say say, int fd)
{
	struct ctr_msg m = { .say = say };
	int rc = ctr_wire_send(wire, &m, fd);

	return rc ? rc : ctr_wire_wait(wire, CTR_SAY_GO);
}

int ctr_wire_moment(int wire, const struct ctr_moment *moment)
{
	struct ctr_msg m = {
		.say = moment->done ? CTR_SAY_STEPPED : CTR_SAY_STEP, .step = moment->step, .index = moment->index,
		.result = moment->result, .pid = moment->pid, .ns = moment->ns,
	};
	int rc;

	strncpy(m.text, moment->place, sizeof(m.text) - 1);
	rc = ctr_wire_send(wire, &m, -1);
	return rc || moment->done ? rc : ctr_wire_wait(wire, CTR_SAY_GO);
}

void ctr_wire_call(int wire, const struct ctr_call *c)
{
	struct ctr_msg m = { .say = CTR_SAY_CALL, .step = c->step, .pid = c->pid, .ns = c->ns, .value = c->result };
	size_t n = strnlen(c->name, 60);

	memcpy(m.text, c->name, n);
	strncpy(m.text + n + 1, c->args, sizeof(m.text) - n - 2);
	ctr_wire_send(wire, &m, -1);
}

static void error(int wire, enum ctr_say say, const struct rs_err *e)
{
	struct ctr_msg m = { .say = say };

	m.err = *e;
	ctr_wire_send(wire, &m, -1);
}

void ctr_wire_warn(int wire, const struct rs_err *e)
{
	error(wire, CTR_SAY_WARN, e);
}

void ctr_wire_failed(int wire, const struct rs_err *e)
{
	error(wire, CTR_SAY_FAILED, e);
}
