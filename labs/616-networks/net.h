/* What lesson 616 does with interfaces; cables, addresses and the like are in netlink.h. */
#ifndef NET_H
#define NET_H

#include "netlink.h"

/* A switch: what comes in at one of its ports goes out at the others. It is an interface, too, and so can
 * have an address. */
static inline void bridge(const char *name)
{
	struct request r = { .h.nlmsg_len = NLMSG_HDRLEN };
	struct rtattr *info;

	part(&r, sizeof(struct ifinfomsg));
	attribute(&r, IFLA_IFNAME, name, strlen(name) + 1);
	info = attribute(&r, IFLA_LINKINFO, "", 0);
	attribute(&r, IFLA_INFO_KIND, "bridge", 7);
	close_attribute(&r, info);
	ask(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "bridge");
}

/* An interface becomes a port of a bridge. */
static inline void plug_into(const char *name, const char *bridge_name)
{
	struct request r = { .h.nlmsg_len = NLMSG_HDRLEN };
	struct ifinfomsg *i = part(&r, sizeof(*i));
	unsigned number = if_nametoindex(bridge_name);

	i->ifi_index = (int)if_nametoindex(name);
	attribute(&r, IFLA_MASTER, &number, sizeof(number));
	ask(&r, RTM_NEWLINK, 0, "plug_into");
}

/* ---- who can talk to whom ---- */

/* Answers packets with its name until it is killed. */
static inline void answer_as(const char *name)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(7007) }, from;
	socklen_t n = sizeof(from);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[64];

	must(bind(fd, (struct sockaddr *)&me, sizeof(me)), "bind");
	while (recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &n) >= 0)
		sendto(fd, name, strlen(name) + 1, 0, (struct sockaddr *)&from, n);
}

static inline void call(const char *who, const char *address_text)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7007) };
	struct timeval patience = { .tv_sec = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[64] = "";

	inet_pton(AF_INET, address_text, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (sendto(fd, "?", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		printf("%s calls %s: %s\n", who, address_text, strerror(errno));
	else if (recv(fd, text, sizeof(text) - 1, 0) < 0)
		printf("%s calls %s: no answer\n", who, address_text);
	else
		printf("%s calls %s: %s answers\n", who, address_text, text);
	fflush(stdout);
	close(fd);
}

#endif
