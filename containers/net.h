/* Networks of containers: none, the host's, a bridge with a veth pair, macvlan, ipvlan, VXLAN; addresses,
 * routes, NAT and published ports (rtnetlink(7), veth(4), network_namespaces(7); the kernel's
 * networking/vxlan.rst). The map:
 *
 *   net.h        this             net.c          the kinds of networks: which links, where
 *   net_link.c   one rtnetlink request each: make a link, give it an address, switch it on, a route
 *   net_nat.c    address translation as nftables rules
 *   net_forward.c  published ports: a process that carries bytes, also for ordinary users and loopback
 */
#ifndef CONTAINERS_NET_H
#define CONTAINERS_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/base/channel.h"
#include "engine/base/err.h"

enum ctr_net_mode {
	CTR_NET_NONE,      /* lo alone, switched on */
	CTR_NET_HOST,      /* the host's own network: nothing is made */
	CTR_NET_BRIDGE,    /* a pair of virtual cables: one end inside, one on a bridge of the host */
	CTR_NET_MACVLAN,   /* a second MAC address on an interface of the host */
	CTR_NET_IPVLAN,    /* a second address with the host's MAC address */
	CTR_NET_VXLAN      /* as BRIDGE, and the bridge reaches another host through a tunnel */
};
const char *ctr_net_mode_name(enum ctr_net_mode m); /* "bridge" */
int ctr_net_mode_by_name(const char *name);         /* or -ENOENT */

struct ctr_net_opts {
	enum ctr_net_mode mode;
	const char *bridge;        /* BRIDGE, VXLAN: "rs-br0"; made when it is not there. At most 15 bytes */
	const char *inside;        /* name in the container; NULL: "eth0" */
	const char *parent;        /* MACVLAN, IPVLAN, VXLAN: an interface of the host */
	const char *address;       /* inside, "10.88.0.2/16"; NULL: none */
	const char *gateway;       /* "10.88.0.1": the bridge's own address, and the default route inside; NULL: none */
	unsigned mtu;              /* 0: the kernel's */
	bool nat;                  /* BRIDGE: the bridge's network reaches the world behind the host's address */
	uint32_t vni;              /* VXLAN: number of the tunnel's network, 24 bits */
	const char *remote;        /* VXLAN: the other host's address */
	/* Before a link of the host is made, by its name: the owner's journal. May be NULL. */
	int (*will_make)(void *arg, const char *link, struct rs_err *err);
	void *arg;
	struct rs_emitter *em;     /* net.step; may be NULL */
	uint32_t actor;
};
/* Gives the network namespace of process `pid` its network. 0, or negative and an error that names the
 * step, the kernel's reason and the cure (also: this kernel has no ...). What was made before a
 * failure is removed. */
int ctr_net_attach(pid_t pid, const struct ctr_net_opts *o, struct rs_err *err);
/* Removes what attach made on the host: the veth end, and, when nothing else is connected to it, the
 * bridge with its tunnel and its rules. What is gone already (a veth pair goes with its namespace) is no
 * error. */
int ctr_net_detach(pid_t pid, const struct ctr_net_opts *o, struct rs_err *err);

/* ---- published ports ---- */
struct ctr_port {
	const char *host;          /* IPv4 address to listen on; NULL: 127.0.0.1 */
	uint16_t outside, inside;  /* TCP */
};
/* Listens on the host and carries each connection into the network namespace of `pid`, to the port of
 * its loopback. Works without any right on the host for ports from 1024, and without any network but
 * lo inside. Returns the pid of the process that does it, a child of the caller that dies with it; or
 * negative when a port cannot be had (err says which). */
pid_t ctr_net_publish(pid_t pid, const struct ctr_port *port, unsigned n, struct rs_err *err);

#endif
