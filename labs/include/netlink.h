/* netlink.h - interfaces in C: requests to the kernel over a netlink socket, rtnetlink(7). All of them work in the
 * network namespace that the caller is in.
 *
 *      cable("one", "other"); move_to("other", pid); address("one", "10.0.0.1"); switch_on("one");
 */
#ifndef NETLINK_H
#define NETLINK_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

struct request {
	struct nlmsghdr h;
	char data[1024];
};

static inline void *part(struct request *r, size_t n)
{
	void *p = (char *)r + NLMSG_ALIGN(r->h.nlmsg_len);

	memset(p, 0, NLMSG_ALIGN(n));
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + (unsigned)NLMSG_ALIGN(n);
	return p;
}

static inline struct rtattr *attribute(struct request *r, int type, const void *data, size_t n)
{
	struct rtattr *a = part(r, RTA_LENGTH(n));

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), data, n);
	return a;
}

static inline void close_attribute(struct request *r, struct rtattr *a)
{
	a->rta_len = (unsigned short)((char *)r + r->h.nlmsg_len - (char *)a);
}

static inline void ask(struct request *r, int type, int flags, const char *what)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[1024];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	r->h.nlmsg_type = (unsigned short)type;
	r->h.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
	must(fd, "socket");
	must((int)send(fd, r, r->h.nlmsg_len, 0), what);
	must((int)recv(fd, &answer, sizeof(answer), 0), what);
	close(fd);
	if (answer.h.nlmsg_type == NLMSG_ERROR && answer.e.error) {
		errno = -answer.e.error;
		must(-1, what);
	}
}

/* A cable: two interfaces, and what goes into one comes out of the other. */
static inline void cable(const char *one, const char *other)
{
	struct request r = { .h.nlmsg_len = NLMSG_HDRLEN };
	struct rtattr *info, *data, *peer;

	part(&r, sizeof(struct ifinfomsg));
	attribute(&r, IFLA_IFNAME, one, strlen(one) + 1);
	info = attribute(&r, IFLA_LINKINFO, "", 0);
	attribute(&r, IFLA_INFO_KIND, "veth", 5);
	data = attribute(&r, IFLA_INFO_DATA, "", 0);
	peer = attribute(&r, VETH_INFO_PEER, "", 0);
	part(&r, sizeof(struct ifinfomsg));
	attribute(&r, IFLA_IFNAME, other, strlen(other) + 1);
	close_attribute(&r, peer);
	close_attribute(&r, data);
	close_attribute(&r, info);
	ask(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "cable");
}

/* One end of it goes to the network namespace of a process. */
static inline void move_to(const char *name, pid_t pid)
{
	struct request r = { .h.nlmsg_len = NLMSG_HDRLEN };
	struct ifinfomsg *i = part(&r, sizeof(*i));
	unsigned number = (unsigned)pid;

	i->ifi_index = (int)if_nametoindex(name);
	attribute(&r, IFLA_NET_NS_PID, &number, sizeof(number));
	ask(&r, RTM_NEWLINK, 0, "move_to");
}

static inline void switch_on(const char *name)
{
	struct request r = { .h.nlmsg_len = NLMSG_HDRLEN };
	struct ifinfomsg *i = part(&r, sizeof(*i));

	i->ifi_index = (int)if_nametoindex(name);
	i->ifi_flags = i->ifi_change = IFF_UP;
	ask(&r, RTM_NEWLINK, 0, "switch_on");
}

/* An address in a network of 256: "10.0.0.1". */
static inline void address(const char *name, const char *text)
{
	struct request r = { .h.nlmsg_len = NLMSG_HDRLEN };
	struct ifaddrmsg *a = part(&r, sizeof(*a));
	struct in_addr in;

	inet_pton(AF_INET, text, &in);
	a->ifa_family = AF_INET;
	a->ifa_prefixlen = 24;
	a->ifa_index = if_nametoindex(name);
	attribute(&r, IFA_LOCAL, &in, sizeof(in));
	attribute(&r, IFA_ADDRESS, &in, sizeof(in));
	ask(&r, RTM_NEWADDR, NLM_F_CREATE, "address");
}

#endif
