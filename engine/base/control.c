/* Orders over a SOCK_SEQPACKET pair (unix(7)): message boundaries are kept, so a message is
 * whole or absent. The peer may be hostile: only a message of exactly the right size is taken,
 * and descriptors that it might attach are dropped by the kernel because none are asked for. */
#include "engine/base/control.h"

#include <errno.h>
#include <sys/socket.h>

_Static_assert(sizeof(struct rs_control) == 104, "one fixed message, without holes");

static int peer_errno(int e)
{
	switch (e) {
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return -EPIPE;
	case EAGAIN:
	case ENOBUFS:
		return -EAGAIN;
	default:
		return -e;
	}
}

int rs_control_send(int fd, const struct rs_control *msg)
{
	ssize_t n;

	do
		n = send(fd, msg, sizeof(*msg), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? peer_errno(errno) : 0;
}

int rs_control_recv(int fd, struct rs_control *msg)
{
	struct rs_control in;
	ssize_t n;

	do /* MSG_TRUNC: the true length, so that a longer message is not mistaken for ours */
		n = recv(fd, &in, sizeof(in), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return peer_errno(errno);
	if (n == 0)
		return -EPIPE;
	if (n != sizeof(in))
		return -EBADMSG;
	*msg = in;
	return 0;
}
