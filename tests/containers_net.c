/* Networks of containers, in network namespaces that the test makes: the host is one of them, so nothing
 * of the machine's own network is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/net.h"
#include "containers/net_link.h"
#include "engine/base/cleanup.h"
#include "engine/base/str.h"

static bool ready; /* this process has a network of its own */

static int setup(void **state)
{
	struct mnl_socket *nl;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("skipped: no network namespaces for this user: %s\n", strerror(errno));
		return 0;
	}
	nl = net_open();
	ready = nl && net_link_up(nl, "lo") == 0;
	net_close(nl);
	return ready ? 0 : -1;
}

/* A container: a process in a network namespace of its own. */
static pid_t container(void)
{
	int p[2];
	char c;
	pid_t pid;

	if (!ready)
		skip();
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(p[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void attach(pid_t pid, const struct ctr_net_opts *o)
{
	struct rs_err err = RS_ERR_INIT;

	if (ctr_net_attach(pid, o, &err) < 0)
		print_error("%s\n", err.text[RS_LANG_EN]);
	assert_int_equal(err.code, 0);
}

/* Runs f in the container's network; its exit status. */
static int within(pid_t pid, int (*f)(const char *arg), const char *arg)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
		fd = open(path, O_RDONLY);
		_exit(fd < 0 || setns(fd, CLONE_NEWNET) < 0 ? 99 : f(arg));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* A UDP packet that gets an answer from a socket of this process's network: "ADDRESS". */
static int reaches(const char *address)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7007) };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char c;

	inet_pton(AF_INET, address, &a.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && send(fd, "?", 1, 0) == 1 && recv(fd, &c, 1, 0) == 1 ? 0 : 1;
}

/* Answers at this port until it is killed. */
static pid_t echo(pid_t in)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7007) }, from;
		socklen_t n = sizeof(from);
		char c, path[64];
		int fd;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (in) {
			snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)in);
			fd = open(path, O_RDONLY);
			if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
				_exit(1);
		}
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			_exit(1);
		while (recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from, &n) == 1)
			sendto(fd, &c, 1, 0, (struct sockaddr *)&from, n);
		_exit(0);
	}
	usleep(30000);
	return pid;
}

static int only_lo(const char *arg)
{
	(void)arg;
	return if_nametoindex("lo") == 1 && !if_nametoindex("eth0") ? reaches("127.0.0.1") : 2;
}

static void none_is_lo_alone(void **state)
{
	struct ctr_net_opts o = { .mode = CTR_NET_NONE };
	pid_t pid = container(), answer;

	(void)state;
	attach(pid, &o);
	answer = echo(pid);
	assert_int_equal(within(pid, only_lo, NULL), 0);
	end(answer);
	end(pid);
}

/* Kernels come without bridges and veth pairs. */
static void need_bridges(void)
{
	struct net_link b = { .name = "rs-try", .kind = "bridge" }, v = { .name = "rs-tr1", .kind = "veth", .peer = "rs-tr2" };
	struct mnl_socket *nl;
	int rc;

	if (!ready)
		skip();
	nl = net_open();
	rc = net_link_add(nl, &b);
	if (rc == 0)
		rc = net_link_add(nl, &v);
	net_link_delete(nl, "rs-try");
	net_link_delete(nl, "rs-tr1");
	net_close(nl);
	if (rc < 0) {
		print_message("skipped: no bridges or no veth pairs here: %s\n", strerror(-rc));
		skip();
	}
}

static void a_bridge_joins_containers_and_host(void **state)
{
	struct ctr_net_opts o = { .mode = CTR_NET_BRIDGE, .bridge = "rs-br0", .address = "10.88.0.2/16", .gateway = "10.88.0.1" };
	struct ctr_net_opts o2 = { .mode = CTR_NET_BRIDGE, .bridge = "rs-br0", .address = "10.88.0.3/16", .gateway = "10.88.0.1" };
	struct rs_err err = RS_ERR_INIT;
	pid_t a, b, host, other;

	(void)state;
	need_bridges();
	a = container();
	b = container();
	attach(a, &o);
	attach(b, &o2);
	assert_int_equal(net_bridge_ports("rs-br0"), 2);
	host = echo(0);
	other = echo(b);
	assert_int_equal(within(a, reaches, "10.88.0.1"), 0); /* the host */
	assert_int_equal(within(a, reaches, "10.88.0.3"), 0); /* the neighbour */
	assert_int_equal(reaches("10.88.0.3"), 0);	       /* from the host */
	end(host);
	end(other);
	assert_int_equal(ctr_net_detach(a, &o, &err), 0);
	assert_true(net_index("rs-br0") != 0); /* b still needs it */
	end(a);
	end(b);
	/* b's cable went with its namespace, which takes the kernel a moment. */
	for (unsigned i = 0; i < 2000 && net_bridge_ports("rs-br0"); i++)
		usleep(1000);
	assert_int_equal(ctr_net_detach(b, &o2, &err), 0);
	assert_int_equal(net_index("rs-br0"), 0);
	assert_int_equal(ctr_net_detach(b, &o2, &err), 0); /* what is gone already is no error */
}

/* The container reaches a third network, whose machine knows no way back to the container's address. */
static void nat_hides_the_container(void **state)
{
	struct ctr_net_opts outer = { .mode = CTR_NET_BRIDGE, .bridge = "rs-out", .address = "192.0.2.2/24", .gateway = "192.0.2.1" };
	struct ctr_net_opts o = { .mode = CTR_NET_BRIDGE, .bridge = "rs-in", .address = "10.89.0.2/16", .gateway = "10.89.0.1", .nat = true };
	struct rs_err err = RS_ERR_INIT;
	pid_t world, a, answer;

	(void)state;
	need_bridges();
	world = container();
	a = container();
	outer.gateway = NULL; /* no route of its own beyond its network ... */
	attach(world, &outer);
	struct mnl_socket *nl = net_open();
	struct net_address own;

	/* ... in which the host has an address */
	assert_int_equal(net_address_parse("192.0.2.1/24", &own), 0);
	assert_int_equal(net_address_add(nl, "rs-out", &own), 0);
	net_close(nl);
	if (ctr_net_attach(a, &o, &err) == -EOPNOTSUPP) {
		print_message("skipped: %s\n", err.text[RS_LANG_EN]);
		end(world);
		end(a);
		skip();
	}
	if (err.code)
		print_error("%s\n", err.text[RS_LANG_EN]);
	assert_int_equal(err.code, 0);
	answer = echo(world);
	assert_int_equal(within(a, reaches, "192.0.2.2"), 0);
	net_nat_delete("rs-in");
	/* without the rules its answers find no way: nobody out there knows 10.89.0.2 */
	assert_int_equal(within(a, reaches, "10.89.0.1") == 0, 0); /* nobody answers on the host either */
	end(answer);
	end(a);
	end(world);
	ctr_net_detach(a, &o, NULL);
	ctr_net_detach(world, &outer, NULL);
}

static void on_an_interface(enum ctr_net_mode mode)
{
	struct net_link cable = { .name = "rs-par", .kind = "veth", .peer = "rs-pax" };
	struct ctr_net_opts o = { .mode = mode, .parent = "rs-par", .address = "10.90.0.2/24" };
	struct ctr_net_opts o2 = { .mode = mode, .parent = "rs-par", .address = "10.90.0.3/24" };
	struct rs_err err = RS_ERR_INIT;
	pid_t a = container(), b = container(), answer;
	struct mnl_socket *nl = net_open();
	int rc = net_link_add(nl, &cable);

	if (rc == 0)
		rc = net_link_up(nl, "rs-par");
	if (rc == 0)
		rc = net_link_up(nl, "rs-pax");
	if (rc == 0)
		rc = ctr_net_attach(a, &o, &err);
	if (rc == -EOPNOTSUPP) {
		print_message("skipped: %s\n", err.code ? err.text[RS_LANG_EN] : "no veth pairs");
		/* the word names what is missing */
		if (err.code)
			assert_non_null(strstr(err.text[RS_LANG_EN], ctr_net_mode_name(mode)));
	} else {
		if (err.code)
			print_error("%s\n", err.text[RS_LANG_EN]);
		assert_int_equal(rc, 0);
		attach(b, &o2);
		answer = echo(b);
		assert_int_equal(within(a, reaches, "10.90.0.3"), 0);
		end(answer);
	}
	end(a);
	end(b);
	net_link_delete(nl, "rs-par");
	net_close(nl);
}

static void macvlan_and_ipvlan_share_an_interface(void **state)
{
	(void)state;
	on_an_interface(CTR_NET_MACVLAN);
	on_an_interface(CTR_NET_IPVLAN);
}

static void a_tunnel_is_a_port_of_the_bridge(void **state)
{
	struct ctr_net_opts o = { .mode = CTR_NET_VXLAN, .bridge = "rs-br1", .address = "10.91.0.2/24", .vni = 42, .remote = "127.0.0.1",
				  .parent = "lo" };
	struct rs_err err = RS_ERR_INIT;
	pid_t a = container();

	(void)state;
	if (ctr_net_attach(a, &o, &err) == -EOPNOTSUPP) {
		print_message("skipped: %s\n", err.text[RS_LANG_EN]);
		end(a);
		skip();
	}
	if (err.code)
		print_error("%s\n", err.text[RS_LANG_EN]);
	assert_int_equal(err.code, 0);
	assert_int_equal(net_bridge_ports("rs-br1"), 2); /* the cable and the tunnel */
	assert_true(net_index("rs-x42") != 0);
	end(a);
	for (unsigned i = 0; i < 2000 && net_bridge_ports("rs-br1") > 1; i++)
		usleep(1000);
	assert_int_equal(ctr_net_detach(a, &o, &err), 0);
	assert_int_equal(net_index("rs-br1"), 0);
	assert_int_equal(net_index("rs-x42"), 0);
}

static void mistakes_are_named(void **state)
{
	struct ctr_net_opts bad[] = {
		{ .mode = CTR_NET_BRIDGE, .bridge = "a-name-that-is-too-long" },
		{ .mode = CTR_NET_BRIDGE, .bridge = "rs-b", .address = "10.0.0.300/8" },
		{ .mode = CTR_NET_VXLAN, .bridge = "rs-b", .vni = 1u << 24 },
		{ .mode = CTR_NET_MACVLAN, .parent = "nosuch0" },
		{ .mode = CTR_NET_BRIDGE, .bridge = "rs-b", .address = "10.92.0.2/24", .gateway = "10.93.0.1" },
	};
	pid_t a = container();

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rs_err err = RS_ERR_INIT;

		assert_true(ctr_net_attach(a, &bad[i], &err) < 0);
		assert_true(strlen(err.text[RS_LANG_EN]) > 20);
		assert_int_equal(net_index("rs-b"), 0); /* nothing stays of a failure */
	}
	assert_int_equal(ctr_net_mode_by_name("ipvlan"), CTR_NET_IPVLAN);
	assert_int_equal(ctr_net_mode_by_name("tokenring"), -ENOENT);
	end(a);
}

/* ---- published ports ---- */

/* In the container: takes one connection, reads all, sends it back doubled in length, ends. */
static pid_t server(pid_t in)
{
	int p[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		static char data[1 << 20];
		size_t n = 0;
		ssize_t got;
		char path[64];
		int fd, s;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)in);
		fd = open(path, O_RDONLY);
		if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
			_exit(1);
		s = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 5) < 0 || write(p[1], "r", 1) != 1)
			_exit(2);
		fd = accept(s, NULL, NULL);
		while (n < sizeof(data) && (got = read(fd, data + n, sizeof(data) - n)) > 0)
			n += (size_t)got;
		for (unsigned turn = 0; turn < 2; turn++)
			for (size_t at = 0; at < n && (got = write(fd, data + at, n - at)) > 0;)
				at += (size_t)got;
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	return pid;
}

static void published_ports_carry_bytes(void **state)
{
	struct ctr_net_opts o = { .mode = CTR_NET_NONE };
	struct ctr_port port = { .outside = 18080, .inside = 80 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(18080), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct rs_err err = RS_ERR_INIT;
	static char out[300000], in[700000];
	size_t n = 0;
	ssize_t got;
	pid_t pid = container(), serve, carry;
	int fd;

	(void)state;
	attach(pid, &o);
	serve = server(pid);
	carry = ctr_net_publish(pid, &port, 1, &err);
	assert_true(carry > 0);
	/* the port is taken now, and the error says so */
	assert_true(ctr_net_publish(pid, &port, 1, &err) < 0);
	assert_non_null(strstr(err.text[RS_LANG_EN], "18080"));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 251);
	for (size_t at = 0; at < sizeof(out); at += (size_t)got) {
		got = write(fd, out + at, sizeof(out) - at);
		assert_true(got > 0);
	}
	shutdown(fd, SHUT_WR); /* this end must arrive inside, or the server waits for ever */
	while (n < sizeof(in) && (got = read(fd, in + n, sizeof(in) - n)) > 0)
		n += (size_t)got;
	assert_int_equal(n, 2 * sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
	assert_memory_equal(in + sizeof(out), out, sizeof(out));
	close(fd);
	/* nobody listens any more: the connection ends at once */
	waitpid(serve, NULL, 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(read(fd, in, 1), 0);
	close(fd);
	end(carry);
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_is_lo_alone),
		cmocka_unit_test(a_bridge_joins_containers_and_host),
		cmocka_unit_test(nat_hides_the_container),
		cmocka_unit_test(macvlan_and_ipvlan_share_an_interface),
		cmocka_unit_test(a_tunnel_is_a_port_of_the_bridge),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(published_ports_carry_bytes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
