/* Requests to the kernel's routing part, one function each. All work in the network namespace that the
 * socket was opened in. 0 or negative errno. Private to net*.c.
 */
#ifndef CONTAINERS_NET_LINK_H
#define CONTAINERS_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mnl_socket;
struct mnl_socket *net_open(void);                   /* of the current namespace; NULL and errno */
void net_close(struct mnl_socket *nl);               /* NULL is fine */

/* An address with the length of its network's prefix. */
struct net_address {
	uint32_t address;        /* network byte order */
	unsigned prefix;
};
int net_address_parse(const char *text, struct net_address *a); /* "10.0.0.2/16"; without "/": 32 */

struct net_link {
	const char *name, *kind;   /* "bridge", "veth", "macvlan", "ipvlan", "vxlan" */
	const char *peer;          /* veth: the other end's name */
	pid_t peer_ns;             /* ... and whose network namespace it is born into; 0: this one */
	pid_t ns;                  /* the link's own; 0: this one */
	unsigned parent;           /* index: macvlan, ipvlan, vxlan; 0: none */
	unsigned master;           /* index of a bridge; 0: none */
	unsigned mtu;
	uint32_t vni, remote;      /* vxlan */
};
int net_link_add(struct mnl_socket *nl, const struct net_link *l);
int net_link_delete(struct mnl_socket *nl, const char *name);
int net_link_up(struct mnl_socket *nl, const char *name);
int net_link_rename(struct mnl_socket *nl, const char *from, const char *to);
int net_address_add(struct mnl_socket *nl, const char *name, const struct net_address *a);
int net_route_add_default(struct mnl_socket *nl, uint32_t gateway);
/* Enters the network namespace of a process, through its user namespace where that is needed. -errno. */
int net_enter(pid_t pid);
/* Is there such a link here? Its index, or 0. */
unsigned net_index(const char *name);
/* How many links have this bridge as their master. */
unsigned net_bridge_ports(const char *bridge);

/* net_nat.c: rules that hide the network behind the host's address; and their end. -errno. */
int net_nat_add(const char *bridge, const struct net_address *network);
void net_nat_delete(const char *bridge);

#endif
