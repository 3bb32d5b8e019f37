/* Requests of rtnetlink, made with libmnl: each one a message and its answer. */
#include "containers/net_link.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/base/str.h"

#define SIZE 4096 /* of a message; ours have a few hundred bytes */

struct mnl_socket *net_open(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(nl);
		nl = NULL;
	}
	return nl;
}

void net_close(struct mnl_socket *nl)
{
	if (nl)
		mnl_socket_close(nl);
}

int net_address_parse(const char *text, struct net_address *a)
{
	rs_auto_free char *copy = rs_xstrdup(text);
	char *slash = strchr(copy, '/'), *end;
	struct in_addr in;

	a->prefix = 32;
	if (slash) {
		*slash++ = '\0';
		a->prefix = (unsigned)strtoul(slash, &end, 10);
		if (end == slash || *end || a->prefix > 32)
			return -EINVAL;
	}
	if (inet_pton(AF_INET, copy, &in) != 1)
		return -EINVAL;
	a->address = in.s_addr;
	return 0;
}

static struct nlmsghdr *begin(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = 1;
	return h;
}

static int ask(struct mnl_socket *nl, struct nlmsghdr *h)
{
	char buf[SIZE];
	ssize_t n;

	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	/* The answer of a request with NLM_F_ACK is an error message, also of "no error". */
	return mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) < 0 ? -errno : 0;
}

static void put_vxlan(struct nlmsghdr *h, const struct net_link *l)
{
	mnl_attr_put_u32(h, IFLA_VXLAN_ID, l->vni);
	mnl_attr_put_u16(h, IFLA_VXLAN_PORT, htons(4789)); /* IANA's; RFC 7348, 8 */
	mnl_attr_put_u8(h, IFLA_VXLAN_LEARNING, 1);
	if (l->remote)
		mnl_attr_put_u32(h, IFLA_VXLAN_GROUP, l->remote);
	if (l->parent)
		mnl_attr_put_u32(h, IFLA_VXLAN_LINK, l->parent);
}

static void put_peer(struct nlmsghdr *h, const struct net_link *l)
{
	struct nlattr *peer = mnl_attr_nest_start(h, VETH_INFO_PEER);

	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, l->peer);
	if (l->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, l->mtu);
	if (l->peer_ns)
		mnl_attr_put_u32(h, IFLA_NET_NS_PID, (uint32_t)l->peer_ns);
	mnl_attr_nest_end(h, peer);
}

int net_link_add(struct mnl_socket *nl, const struct net_link *l)
{
	char buf[SIZE];
	struct nlmsghdr *h = begin(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	struct nlattr *info, *data;

	i->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(h, IFLA_IFNAME, l->name);
	if (l->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, l->mtu);
	if (l->parent && strcmp(l->kind, "vxlan") != 0)
		mnl_attr_put_u32(h, IFLA_LINK, l->parent);
	if (l->master)
		mnl_attr_put_u32(h, IFLA_MASTER, l->master);
	if (l->ns)
		mnl_attr_put_u32(h, IFLA_NET_NS_PID, (uint32_t)l->ns);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, l->kind);
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	if (l->peer)
		put_peer(h, l);
	else if (strcmp(l->kind, "macvlan") == 0)
		mnl_attr_put_u32(h, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
	else if (strcmp(l->kind, "ipvlan") == 0)
		mnl_attr_put_u16(h, IFLA_IPVLAN_MODE, IPVLAN_MODE_L2);
	else if (strcmp(l->kind, "vxlan") == 0)
		put_vxlan(h, l);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return ask(nl, h);
}

/* A request about the link of this name: RTM_NEWLINK or RTM_DELLINK, with flags to set, a new name. */
static int about(struct mnl_socket *nl, uint16_t type, const char *name, unsigned flags, const char *rename)
{
	char buf[SIZE];
	struct nlmsghdr *h = begin(buf, type, 0);
	struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));

	i->ifi_family = AF_UNSPEC;
	i->ifi_index = (int)if_nametoindex(name);
	if (!i->ifi_index)
		return -ENODEV;
	i->ifi_flags = i->ifi_change = flags;
	if (rename)
		mnl_attr_put_strz(h, IFLA_IFNAME, rename);
	return ask(nl, h);
}

int net_link_delete(struct mnl_socket *nl, const char *name)
{
	return about(nl, RTM_DELLINK, name, 0, NULL);
}

int net_link_up(struct mnl_socket *nl, const char *name)
{
	return about(nl, RTM_NEWLINK, name, IFF_UP, NULL);
}

int net_link_rename(struct mnl_socket *nl, const char *from, const char *to)
{
	return about(nl, RTM_NEWLINK, from, 0, to);
}

int net_address_add(struct mnl_socket *nl, const char *name, const struct net_address *a)
{
	char buf[SIZE];
	struct nlmsghdr *h = begin(buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	uint32_t mask = a->prefix ? htonl(~0u << (32 - a->prefix)) : 0;

	i->ifa_family = AF_INET;
	i->ifa_prefixlen = (unsigned char)a->prefix;
	i->ifa_scope = RT_SCOPE_UNIVERSE;
	i->ifa_index = if_nametoindex(name);
	if (!i->ifa_index)
		return -ENODEV;
	mnl_attr_put_u32(h, IFA_LOCAL, a->address);
	mnl_attr_put_u32(h, IFA_ADDRESS, a->address);
	if (a->prefix < 31)
		mnl_attr_put_u32(h, IFA_BROADCAST, a->address | ~mask);
	return ask(nl, h);
}

int net_route_add_default(struct mnl_socket *nl, uint32_t gateway)
{
	char buf[SIZE];
	struct nlmsghdr *h = begin(buf, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof(*r));

	r->rtm_family = AF_INET;
	r->rtm_table = RT_TABLE_MAIN;
	r->rtm_protocol = RTPROT_STATIC;
	r->rtm_scope = RT_SCOPE_UNIVERSE;
	r->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_GATEWAY, gateway);
	return ask(nl, h);
}

unsigned net_index(const char *name)
{
	return if_nametoindex(name);
}

struct ports {
	unsigned master, n;
};

static int take_attr(const struct nlattr *attr, void *arg)
{
	struct ports *p = arg;

	if (mnl_attr_get_type(attr) == IFLA_MASTER && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0 && mnl_attr_get_u32(attr) == p->master)
		p->n++;
	return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *h, void *arg)
{
	mnl_attr_parse(h, sizeof(struct ifinfomsg), take_attr, arg);
	return MNL_CB_OK;
}

/* Asked of the kernel and not of /sys, which shows the namespace that mounted it. */
unsigned net_bridge_ports(const char *bridge)
{
	struct mnl_socket *nl = net_open();
	struct ports p = { .master = if_nametoindex(bridge) };
	char buf[8 * SIZE];
	struct nlmsghdr *h = begin(buf, RTM_GETLINK, NLM_F_DUMP);
	struct rtgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	ssize_t n;

	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	g->rtgen_family = AF_UNSPEC;
	if (nl && p.master && mnl_socket_sendto(nl, h, h->nlmsg_len) >= 0)
		while ((n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0 &&
		       mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), take_link, &p) > MNL_CB_STOP)
			;
	net_close(nl);
	return p.n;
}

int net_enter(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	rs_auto_close int net = open(path, O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	rs_auto_close int user = open(path, O_RDONLY | O_CLOEXEC);

	if (net < 0)
		return -errno;
	if (setns(net, CLONE_NEWNET) == 0)
		return 0;
	if (user < 0 || setns(user, CLONE_NEWUSER) < 0 || setns(net, CLONE_NEWNET) < 0)
		return -errno;
	return 0;
}
