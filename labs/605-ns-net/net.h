/* What lesson 605 does with interfaces; cables, addresses and the like are in netlink.h. */
#ifndef NET_H
#define NET_H

#include "netlink.h"

/* Sends a packet to 10.0.0.2 and says whether an answer came. */
static inline void call_the_child(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7007) };
	struct timeval patience = { .tv_sec = 2 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[64] = "";

	inet_pton(AF_INET, "10.0.0.2", &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		printf("the parent calls 10.0.0.2: %s\n", strerror(errno));
	else if (recv(fd, text, sizeof(text) - 1, 0) < 0)
		printf("the parent calls 10.0.0.2: no answer\n");
	else
		printf("the parent calls 10.0.0.2 and hears: %s\n", text);
}

/* Answers such packets until it is killed. */
static inline void answer(void)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(7007) }, from;
	socklen_t n = sizeof(from);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[64];

	must(bind(fd, (struct sockaddr *)&me, sizeof(me)), "bind");
	while (recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &n) >= 0)
		sendto(fd, "hello from inside", 17, 0, (struct sockaddr *)&from, n);
}

#endif
