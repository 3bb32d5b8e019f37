/* Waiting for many things, and sockets on this machine. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

static int listener;
static void *serve(void *arg)
{
	char buf[64];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ssize_t n;

	(void)arg;
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			buf[i] ^= 0x20;
		send(fd, buf, (size_t)n, MSG_NOSIGNAL);
	}
	close(fd);
	return NULL;
}

int main(void)
{
	struct epoll_event e[8] = { { .events = EPOLLIN, .data.u64 = 0x1122334455667788 } };
	struct itimerspec its = { { 0, 0 }, { 0, 3000000 } };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0ringside-corpus" };
	union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } control;
	struct msghdr m = { 0 };
	struct iovec v[2];
	struct mmsghdr mm[3];
	struct pollfd p[2];
	struct ucred cred;
	uint64_t n = 0;
	socklen_t len = sizeof(in);
	pthread_t t;
	char buf[64] = "", one = 1;
	int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(3, EFD_NONBLOCK), tfd, pipefd[2], s[2], fd, r, value;
	fd_set set;

	/* epoll, eventfd, timerfd */
	epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e[0]);
	r = epoll_wait(ep, e, 8, 1000);
	printf("epoll %d %x %llx\n", r, e[0].events, (unsigned long long)e[0].data.u64);
	r = (int)read(ev, &n, 8);
	printf("eventfd %d %d\n", r, (int)n);
	r = epoll_wait(ep, e, 8, 0);
	printf("empty %d %d\n", r, read(ev, &n, 8) < 0 && errno == EAGAIN);
	tfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	e[0] = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.fd = tfd };
	epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &e[0]);
	timerfd_settime(tfd, 0, &its, NULL);
	n = 1;
	if (write(ev, &n, 8) != 8)
		return 1;
	usleep(8000);
	r = epoll_wait(ep, e, 8, 1000);
	printf("two %d %d\n", r, e[0].data.fd == tfd || e[1].data.fd == tfd);
	r = (int)read(tfd, &n, 8);
	printf("timerfd %d %d\n", r, (int)n);
	e[0].events = EPOLLOUT;
	epoll_ctl(ep, EPOLL_CTL_MOD, ev, &e[0]);
	r = epoll_wait(ep, e, 1, 0);
	printf("modified %d %x\n", r, e[0].events);
	printf("deleted %d", epoll_ctl(ep, EPOLL_CTL_DEL, ev, NULL));
	printf(" %d\n", epoll_ctl(ep, EPOLL_CTL_DEL, ev, NULL) < 0 && errno == ENOENT);

	/* poll, select */
	if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) < 0)
		return 1;
	p[0] = (struct pollfd){ pipefd[0], POLLIN, 0 };
	p[1] = (struct pollfd){ pipefd[1], POLLOUT, 0 };
	printf("poll %d", poll(p, 2, 0));
	printf(" %x %x\n", p[0].revents, p[1].revents);
	close(pipefd[1]);
	printf("hang-up %d", poll(p, 1, 100));
	printf(" %x\n", p[0].revents);
	FD_ZERO(&set);
	FD_SET(pipefd[0], &set);
	FD_SET(ev, &set);
	printf("select %d", select(pipefd[0] + 1, &set, NULL, NULL, &(struct timeval){ 1, 0 }));
	printf(" %d %d\n", FD_ISSET(pipefd[0], &set) != 0, FD_ISSET(ev, &set) != 0);

	/* a pair; a descriptor goes through it */
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s);
	v[0] = (struct iovec){ "one ", 4 };
	v[1] = (struct iovec){ "two", 3 };
	m.msg_iov = v;
	m.msg_iovlen = 2;
	m.msg_control = &control;
	m.msg_controllen = sizeof(control);
	control.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.h), &ev, sizeof(int));
	printf("sendmsg %d\n", (int)sendmsg(s[0], &m, 0));
	memset(&control, 0, sizeof(control));
	v[0] = (struct iovec){ buf, 3 };
	v[1] = (struct iovec){ buf + 10, 20 };
	r = (int)recvmsg(s[1], &m, 0);
	memcpy(&fd, CMSG_DATA(&control.h), sizeof(int));
	printf("recvmsg %d %.3s %.4s %d %d\n", r, buf, buf + 10, control.h.cmsg_type == SCM_RIGHTS, fd != ev && fcntl(fd, F_GETFD) >= 0);
	len = sizeof(cred);
	getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &len);
	printf("peer %d %d\n", cred.pid == getpid(), (int)len);
	shutdown(s[0], SHUT_WR);
	printf("end %d\n", (int)read(s[1], buf, 5));

	/* names in the abstract space */
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	printf("bind %d\n", bind(fd, (struct sockaddr *)&un, sizeof(sa_family_t) + 16));
	for (int i = 0; i < 3; i++)
		sendto(fd, "datagram" + i, 8 - (size_t)i, 0, (struct sockaddr *)&un, sizeof(sa_family_t) + 16);
	memset(mm, 0, sizeof(mm));
	for (int i = 0; i < 3; i++) {
		static struct iovec each[3];

		each[i] = (struct iovec){ buf + i * 16, 16 };
		mm[i].msg_hdr.msg_iov = &each[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	printf("recvmmsg %d", recvmmsg(fd, mm, 3, 0, NULL));
	printf(" %u %u %u %.8s\n", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len, buf);
	close(fd);

	/* TCP on the loopback interface */
	listener = socket(AF_INET, SOCK_STREAM, 0);
	value = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value));
	printf("listen %d", bind(listener, (struct sockaddr *)&in, sizeof(in)));
	printf(" %d\n", listen(listener, 5));
	len = sizeof(in);
	getsockname(listener, (struct sockaddr *)&in, &len);
	pthread_create(&t, NULL, serve, NULL);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	printf("connect %d\n", connect(fd, (struct sockaddr *)&in, sizeof(in)));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value));
	printf("send %d", (int)send(fd, "Hello", 5, 0));
	r = (int)recv(fd, buf, sizeof(buf), MSG_WAITALL & 0);
	printf(" %.*s\n", r, buf);
	memset(&in, 0, sizeof(in));
	len = sizeof(in);
	getpeername(fd, (struct sockaddr *)&in, &len);
	printf("peer %s %d\n", inet_ntop(AF_INET, &in.sin_addr, buf, sizeof(buf)), (int)len);
	len = sizeof(value);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len);
	printf("type %d\n", value == SOCK_STREAM);
	close(fd);
	pthread_join(t, NULL);
	printf("refused %d\n", (close(listener), fd = socket(AF_INET, SOCK_STREAM, 0),
				connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 && errno == ECONNREFUSED));
	printf("bad %d %d %d\n", send(fd, &one, 1, MSG_NOSIGNAL) < 0, socket(-1, 0, 0) < 0 && errno == EAFNOSUPPORT,
	       accept(999, NULL, NULL) < 0 && errno == EBADF);
	return 0;
}
