/* Published ports. Two processes: one in the host's network listens and carries bytes; one in the
 * container's opens the connections there and hands them out over a socket pair (unix(7), SCM_RIGHTS): a
 * socket belongs to the network namespace it was made in, whoever holds it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "containers/net.h"
#include "containers/net_link.h"
#include "engine/base/cleanup.h"
#include "engine/base/str.h"

#define PORTS_MAX 64
#define PAIRS_MAX 256     /* connections at a time; more wait in the listener's queue */
#define PIECE 65536

/* ---- the process inside ---- */

static void hand_over(int to, int fd, int error)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &error, sizeof(error) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(to, &m, MSG_NOSIGNAL) < 0)
		_exit(0); /* the other process is gone */
}

static _Noreturn void serve_inside(int sock, pid_t pid)
{
	uint16_t port;

	if (net_enter(pid) < 0)
		_exit(1);
	while (recv(sock, &port, sizeof(port), 0) == (ssize_t)sizeof(port)) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		rs_auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));

		hand_over(sock, rc < 0 ? -1 : fd, rc < 0 ? errno : 0);
	}
	_exit(0);
}

static int ask_inside(int sock, uint16_t port)
{
	char control[CMSG_SPACE(sizeof(int))];
	int error = EIO, fd = -1;
	struct iovec v = { &error, sizeof(error) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

	if (send(sock, &port, sizeof(port), MSG_NOSIGNAL) != (ssize_t)sizeof(port) || recvmsg(sock, &m, MSG_CMSG_CLOEXEC) <= 0)
		_exit(0); /* the container's side is gone */
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

/* ---- the process outside ---- */

struct way {                 /* one direction of one connection */
	int from, to;
	char *data;
	size_t at, n;
	bool done;           /* the sender has said all, and so did we */
};
struct pair {
	int fd[2];
	struct way way[2];
};

static void pair_close(struct pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		close(p->fd[i]);
		free(p->way[i].data);
	}
}

static bool would_wait(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* False: the connection is broken. */
static bool carry(struct way *w)
{
	while (!w->done) {
		while (w->at < w->n) {
			ssize_t out = send(w->to, w->data + w->at, w->n - w->at, MSG_NOSIGNAL);

			if (out < 0)
				return would_wait();
			w->at += (size_t)out;
		}
		ssize_t in = recv(w->from, w->data, PIECE, 0);

		if (in < 0)
			return would_wait();
		w->at = 0;
		w->n = (size_t)in;
		if (in == 0) {
			shutdown(w->to, SHUT_WR); /* the end travels, too */
			w->done = true;
		}
	}
	return true;
}

static void pair_open(struct pair *p, int outside, int in)
{
	*p = (struct pair){ .fd = { outside, in } };
	for (unsigned i = 0; i < 2; i++) {
		p->way[i] = (struct way){ .from = p->fd[i], .to = p->fd[!i], .data = rs_xmalloc(PIECE) };
		fcntl(p->fd[i], F_SETFL, O_NONBLOCK);
	}
}

static short wants(const struct pair *p, unsigned side)
{
	const struct way *out = &p->way[side], *in = &p->way[!side];

	return (short)((!out->done && out->at == out->n ? POLLIN : 0) | (!in->done && in->at < in->n ? POLLOUT : 0));
}

static _Noreturn void carry_all(const int *listener, const struct ctr_port *port, unsigned ports, int sock)
{
	struct pair *pair = rs_xcalloc(PAIRS_MAX, sizeof(*pair));
	unsigned pairs = 0;

	for (;;) {
		struct pollfd f[PORTS_MAX + 1 + 2 * PAIRS_MAX];
		unsigned n = 0;

		f[n++] = (struct pollfd){ .fd = sock, .events = 0 };
		for (unsigned i = 0; i < ports; i++)
			f[n++] = (struct pollfd){ .fd = pairs < PAIRS_MAX ? listener[i] : -1, .events = POLLIN };
		for (unsigned i = 0; i < pairs; i++)
			for (unsigned s = 0; s < 2; s++)
				f[n++] = (struct pollfd){ .fd = pair[i].fd[s], .events = wants(&pair[i], s) };
		if (poll(f, n, -1) < 0 && errno != EINTR)
			_exit(1);
		if (f[0].revents)
			_exit(0); /* the container's side is gone */
		for (unsigned i = pairs; i-- > 0;) {
			bool alive = carry(&pair[i].way[0]) && carry(&pair[i].way[1]);

			if (alive && !(pair[i].way[0].done && pair[i].way[1].done))
				continue;
			pair_close(&pair[i]);
			pair[i] = pair[--pairs];
		}
		for (unsigned i = 0; i < ports && pairs < PAIRS_MAX; i++) {
			int fd, in;

			if (!(f[1 + i].revents & POLLIN))
				continue;
			fd = accept4(listener[i], NULL, NULL, SOCK_CLOEXEC);
			if (fd < 0)
				continue;
			in = ask_inside(sock, port[i].inside);
			if (in < 0)
				close(fd); /* nobody listens there: the caller sees the connection end */
			else
				pair_open(&pair[pairs++], fd, in);
		}
	}
}

static int listen_on(const struct ctr_port *p, struct rs_err *err)
{
	const char *host = p->host ? p->host : "127.0.0.1";
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(p->outside) };
	rs_auto_close int fd = -1;
	int on = 1;

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		return rs_err_set(err, -EINVAL, "\"%s\" is no IPv4 address", host);
	if (!p->outside || !p->inside)
		return rs_err_set(err, -EINVAL, "a published port is between 1 and 65535");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0)
		return rs_err_errno(err, errno, "port %u of %s cannot be published; another program may have it, and ports below 1024 are "
				    "root's", p->outside, host);
	return rs_steal_fd(&fd);
}

static _Noreturn void forward(const int *listener, const struct ctr_port *port, unsigned n, pid_t pid, pid_t parent)
{
	int s[2];
	pid_t helper;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		_exit(1);
	helper = fork();
	if (helper < 0)
		_exit(1);
	if (helper == 0) {
		close(s[0]);
		for (unsigned i = 0; i < n; i++)
			close(listener[i]);
		serve_inside(s[1], pid); /* ends with its socket */
	}
	close(s[1]);
	carry_all(listener, port, n, s[0]);
}

pid_t ctr_net_publish(pid_t pid, const struct ctr_port *port, unsigned n, struct rs_err *err)
{
	int listener[PORTS_MAX], rc = 0;
	unsigned open = 0;
	pid_t self = getpid(), child = -1;

	if (n > PORTS_MAX)
		return rs_err_set(err, -E2BIG, "more than %d published ports", PORTS_MAX);
	while (rc == 0 && open < n) {
		int fd = listen_on(&port[open], err);

		if (fd < 0)
			rc = fd;
		else
			listener[open++] = fd;
	}
	if (rc == 0) {
		child = fork();
		if (child == 0)
			forward(listener, port, n, pid, self);
		if (child < 0)
			rc = rs_err_errno(err, errno, "no process for the published ports");
	}
	for (unsigned i = 0; i < open; i++)
		close(listener[i]);
	return rc < 0 ? rc : child;
}
