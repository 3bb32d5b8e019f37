/* Orders over the control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/control.h"

static void pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
}

static void test_there_and_back(void **state)
{
	struct rs_control m = { .op = RS_CONTROL_INSPECT, .tag = 7, .block = 2, .a = ~0ull, .data = "x" }, in;
	int fd[2];
	(void)state;

	pair(fd);
	assert_int_equal(rs_control_recv(fd[1], &in), -EAGAIN);
	assert_int_equal(rs_control_send(fd[0], &m), 0);
	m.tag = 8;
	assert_int_equal(rs_control_send(fd[0], &m), 0);
	assert_int_equal(rs_control_recv(fd[1], &in), 0); /* one at a time, in order */
	assert_int_equal(in.tag, 7);
	assert_int_equal(in.a, ~0ull);
	assert_string_equal(in.data, "x");
	in.result = -EINVAL;
	assert_int_equal(rs_control_send(fd[1], &in), 0);
	assert_int_equal(rs_control_recv(fd[0], &m), 0);
	assert_int_equal(m.result, -EINVAL);
	assert_int_equal(rs_control_recv(fd[1], &in), 0);
	assert_int_equal(in.tag, 8);
	assert_int_equal(rs_control_recv(fd[1], &in), -EAGAIN);
	close(fd[0]);
	close(fd[1]);
}

static void test_full_queue(void **state)
{
	struct rs_control m = { .op = RS_CONTROL_STEP };
	int fd[2], ret = 0;
	unsigned sent = 0;
	(void)state;

	pair(fd);
	while (sent < 1000000 && (ret = rs_control_send(fd[0], &m)) == 0)
		sent++;
	assert_int_equal(ret, -EAGAIN);
	assert_true(sent > 5);
	for (; sent; sent--)
		assert_int_equal(rs_control_recv(fd[1], &m), 0);
	assert_int_equal(rs_control_recv(fd[1], &m), -EAGAIN);
	assert_int_equal(rs_control_send(fd[0], &m), 0);
	close(fd[0]);
	close(fd[1]);
}

static void test_peer_gone(void **state)
{
	struct rs_control m = { .op = RS_CONTROL_STOP, .tag = 3 }, in;
	int fd[2];
	(void)state;

	/* SIGPIPE has its default action here: raised, it would end the test */
	pair(fd);
	assert_int_equal(rs_control_send(fd[0], &m), 0);
	close(fd[0]);
	assert_int_equal(rs_control_recv(fd[1], &in), 0); /* what was sent before still arrives */
	assert_int_equal(in.tag, 3);
	assert_int_equal(rs_control_recv(fd[1], &in), -EPIPE);
	assert_int_equal(rs_control_send(fd[1], &m), -EPIPE);
	close(fd[1]);
	assert_int_equal(rs_control_send(fd[1], &m), -EBADF);
	assert_int_equal(rs_control_recv(fd[1], &m), -EBADF);

	/* a peer that dies with our messages unread resets the connection */
	pair(fd);
	assert_int_equal(rs_control_send(fd[1], &m), 0);
	close(fd[0]);
	assert_int_equal(rs_control_recv(fd[1], &in), -EPIPE);
	close(fd[1]);
}

/* Messages of a hostile peer: too short, too long, with descriptors. */
static void test_strange_messages(void **state)
{
	struct rs_control m = { .op = RS_CONTROL_PAUSE, .tag = 9 }, in = { .tag = 1234 };
	char longer[500] = { 1 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} c;
	struct iovec v = { &m, sizeof(m) };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.buf,
			    .msg_controllen = sizeof(c.buf) };
	int fd[2], lowest;
	(void)state;

	pair(fd);
	assert_int_equal(send(fd[0], &m, sizeof(m) - 1, 0), sizeof(m) - 1);
	assert_int_equal(rs_control_recv(fd[1], &in), -EBADMSG);
	assert_int_equal(in.tag, 1234); /* untouched */
	assert_int_equal(send(fd[0], longer, sizeof(longer), 0), sizeof(longer));
	assert_int_equal(rs_control_recv(fd[1], &in), -EBADMSG);
	assert_int_equal(in.tag, 1234);

	CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd[0], sizeof(int));
	assert_int_equal(sendmsg(fd[0], &h, 0), sizeof(m));
	lowest = dup(0);
	close(lowest);
	assert_int_equal(rs_control_recv(fd[1], &in), 0);
	assert_int_equal(in.tag, 9);
	assert_int_equal(dup(0), lowest); /* no descriptor came to us */
	close(lowest);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_full_queue),
		cmocka_unit_test(test_peer_gone),
		cmocka_unit_test(test_strange_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
