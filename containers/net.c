/* The kinds of networks: which links are made, where, and in which order. */
#include "containers/net.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/net_link.h"
#include "engine/base/cleanup.h"
#include "engine/base/str.h"

static const char *const modes[] = { "none", "host", "bridge", "macvlan", "ipvlan", "vxlan" };

const char *ctr_net_mode_name(enum ctr_net_mode m)
{
	return (unsigned)m < sizeof(modes) / sizeof(modes[0]) ? modes[m] : "?";
}

int ctr_net_mode_by_name(const char *name)
{
	for (int i = 0; i < (int)(sizeof(modes) / sizeof(modes[0])); i++)
		if (strcmp(modes[i], name) == 0)
			return i;
	return -ENOENT;
}

/* ---- errors and events ---- */

static const char *cure(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return N_("links of the host are root's; without it a container has lo, and published ports");
	case EOPNOTSUPP:
		return N_("this kernel has no such links, or its module is not loaded (bridge, veth, macvlan, ipvlan, vxlan, nf_tables)");
	case EEXIST:
		return N_("there is one of that name, or with that address, already");
	case ENODEV:
		return N_("there is no interface of that name here");
	case EBUSY:
		return N_("the interface is used in another way already: one that carries macvlan cannot carry ipvlan");
	case ENETUNREACH:
		return N_("the gateway does not lie in the container's own network");
	default:
		return N_("see ringside doctor for what this machine has");
	}
}

struct work {
	const struct ctr_net_opts *o;
	pid_t pid;
	char host_end[16], tunnel[16]; /* IFNAMSIZ */
	struct net_address address, gateway;
};

static void say(const struct work *w, enum rs_netstep what, int rc, const char *text)
{
	if (w->o->em)
		rs_emit(w->o->em, RS_EV_NET_STEP, RS_SRC_CTR, w->o->actor, what, rc < 0 ? (uint64_t)-rc : 0, 0, 0, text);
}

/* Tells a step, and makes an error of its failure. */
static int step(const struct work *w, enum rs_netstep what, int rc, const char *text, struct rs_err *err)
{
	struct rs_err out = { .code = rc };

	say(w, what, rc, text);
	if (rc == 0)
		return 0;
	for (int l = 0; l < RS_LANGS; l++) {
		struct rs_err one = RS_ERR_INIT;

		rs_err_set(&one, rc, "the container's network (%s): %s: %s; %s", ctr_net_mode_name(w->o->mode), text, strerror(-rc),
			   rs_tr((enum rs_lang)l, cure(-rc)));
		memcpy(out.text[l], one.text[l], sizeof(out.text[l]));
	}
	if (err)
		*err = out;
	return rc;
}

/* ---- inside ---- */

enum part { IN_ENTER, IN_LO, IN_NAME, IN_ADDRESS, IN_UP, IN_ROUTE, IN_DONE };

static enum part configure(const struct work *w, int *rc)
{
	const char *name = w->o->inside ? w->o->inside : "eth0";
	struct mnl_socket *nl;

	*rc = net_enter(w->pid);
	if (*rc < 0)
		return IN_ENTER;
	nl = net_open();
	*rc = nl ? net_link_up(nl, "lo") : -errno;
	if (*rc < 0 || w->o->mode == CTR_NET_NONE)
		return *rc < 0 ? IN_LO : IN_DONE;
	/* A link that was made on the host came in with the name that was free there. */
	*rc = net_index(name) ? 0 : net_link_rename(nl, w->host_end, name);
	if (*rc < 0)
		return IN_NAME;
	*rc = w->o->address ? net_address_add(nl, name, &w->address) : 0;
	if (*rc < 0)
		return IN_ADDRESS;
	*rc = net_link_up(nl, name);
	if (*rc < 0)
		return IN_UP;
	*rc = w->o->gateway && w->o->address ? net_route_add_default(nl, w->gateway.address) : 0;
	return *rc < 0 ? IN_ROUTE : IN_DONE;
}

/* In a child: who enters a container's namespace as an ordinary user does not come back. */
static int inside(const struct work *w, struct rs_err *err)
{
	static const struct {
		enum rs_netstep what;
		const char *text;
	} parts[] = {
		[IN_ENTER] = { RS_NET_ENTER, "entering the container's network namespace" },
		[IN_LO] = { RS_NET_UP, "switching on lo" },
		[IN_NAME] = { RS_NET_LINK, "naming the interface inside" },
		[IN_ADDRESS] = { RS_NET_ADDRESS, "the address inside" },
		[IN_UP] = { RS_NET_UP, "switching on the interface inside" },
		[IN_ROUTE] = { RS_NET_ROUTE, "the default route inside" },
	};
	struct {
		int32_t part, rc;
	} said = { IN_ENTER, -EIO };
	int p[2], rc;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return step(w, RS_NET_ENTER, -errno, parts[IN_ENTER].text, err);
	pid = fork();
	if (pid == 0) {
		said.part = (int32_t)configure(w, &rc);
		said.rc = rc;
		_exit(write(p[1], &said, sizeof(said)) != (ssize_t)sizeof(said));
	}
	rc = pid < 0 ? -errno : 0;
	close(p[1]);
	if (pid > 0) {
		if (read(p[0], &said, sizeof(said)) != (ssize_t)sizeof(said))
			said.rc = -ECHILD;
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		rc = said.rc;
	}
	close(p[0]);
	unsigned last = said.part >= IN_DONE || said.part < 0 ? IN_DONE - 1 : (unsigned)said.part;

	for (unsigned i = IN_LO; i < last + (rc == 0); i++)
		if (i == IN_LO || w->o->mode != CTR_NET_NONE)
			say(w, parts[i].what, 0, parts[i].text);
	return rc == 0 ? 0 : step(w, parts[last].what, rc, parts[last].text, err);
}

/* ---- on the host ---- */

static int announce(const struct work *w, const char *link, struct rs_err *err)
{
	return w->o->will_make ? w->o->will_make(w->o->arg, link, err) : 0;
}

static int make_link(const struct work *w, struct mnl_socket *nl, const struct net_link *l, struct rs_err *err)
{
	rs_auto_free char *text = rs_xasprintf("%s %s", l->kind, l->name);
	int rc = announce(w, l->name, err);

	return rc < 0 ? rc : step(w, RS_NET_LINK, net_link_add(nl, l), text, err);
}

static int make_bridge(const struct work *w, struct mnl_socket *nl, struct rs_err *err)
{
	const struct ctr_net_opts *o = w->o;
	struct net_link l = { .name = o->bridge, .kind = "bridge", .mtu = o->mtu };
	struct net_address own = { w->gateway.address, w->address.prefix };
	int rc;

	if (net_index(o->bridge))
		return 0; /* another container made it */
	rc = make_link(w, nl, &l, err);
	if (rc == 0 && o->gateway)
		rc = step(w, RS_NET_ADDRESS, net_address_add(nl, o->bridge, &own), "the bridge's address", err);
	if (rc == 0)
		rc = step(w, RS_NET_UP, net_link_up(nl, o->bridge), "switching on the bridge", err);
	if (rc == 0 && o->nat)
		rc = step(w, RS_NET_NAT, net_nat_add(o->bridge, &w->address), "rules that hide the network behind the host's address", err);
	return rc;
}

static int make_tunnel(const struct work *w, struct mnl_socket *nl, struct rs_err *err)
{
	const struct ctr_net_opts *o = w->o;
	struct net_address remote = { 0 };
	struct net_link l = { .name = w->tunnel, .kind = "vxlan", .master = net_index(o->bridge), .vni = o->vni,
			      .parent = o->parent ? net_index(o->parent) : 0 };
	int rc;

	if (net_index(w->tunnel))
		return 0;
	if (o->parent && !l.parent)
		return step(w, RS_NET_LINK, -ENODEV, o->parent, err);
	if (o->remote && net_address_parse(o->remote, &remote) < 0)
		return rs_err_set(err, -EINVAL, "\"%s\" is no IPv4 address", o->remote);
	l.remote = remote.address;
	rc = make_link(w, nl, &l, err);
	return rc ? rc : step(w, RS_NET_UP, net_link_up(nl, w->tunnel), "switching on the tunnel", err);
}

static int make_cable(const struct work *w, struct mnl_socket *nl, struct rs_err *err)
{
	struct net_link l = { .name = w->host_end, .kind = "veth", .peer = w->o->inside ? w->o->inside : "eth0", .peer_ns = w->pid,
			      .master = net_index(w->o->bridge), .mtu = w->o->mtu };
	int rc = make_link(w, nl, &l, err);

	return rc ? rc : step(w, RS_NET_UP, net_link_up(nl, w->host_end), "switching on the host's end", err);
}

static int make_child(const struct work *w, struct mnl_socket *nl, const char *kind, struct rs_err *err)
{
	struct net_link l = { .name = w->host_end, .kind = kind, .parent = w->o->parent ? net_index(w->o->parent) : 0, .ns = w->pid,
			      .mtu = w->o->mtu };

	if (!l.parent)
		return step(w, RS_NET_LINK, -ENODEV, w->o->parent ? w->o->parent : kind, err);
	return make_link(w, nl, &l, err);
}

static int prepare(struct work *w, pid_t pid, const struct ctr_net_opts *o, struct rs_err *err)
{
	bool bridge = o->mode == CTR_NET_BRIDGE || o->mode == CTR_NET_VXLAN;

	*w = (struct work){ .o = o, .pid = pid };
	snprintf(w->host_end, sizeof(w->host_end), "rs-v%d", (int)pid);
	snprintf(w->tunnel, sizeof(w->tunnel), "rs-x%u", o->vni);
	if (bridge && (!o->bridge || !*o->bridge || strlen(o->bridge) > 15 || strchr(o->bridge, '/')))
		return rs_err_set(err, -EINVAL, "a bridge needs a name of at most 15 characters");
	if (o->mode == CTR_NET_VXLAN && (!o->vni || o->vni >= 1u << 24))
		return rs_err_set(err, -EINVAL, "the number of a VXLAN network is between 1 and 16777215");
	if (o->address && net_address_parse(o->address, &w->address) < 0)
		return rs_err_set(err, -EINVAL, "\"%s\" is no IPv4 address with a prefix, such as 10.88.0.2/16", o->address);
	if (o->gateway && net_address_parse(o->gateway, &w->gateway) < 0)
		return rs_err_set(err, -EINVAL, "\"%s\" is no IPv4 address", o->gateway);
	return 0;
}

int ctr_net_attach(pid_t pid, const struct ctr_net_opts *o, struct rs_err *err)
{
	struct mnl_socket *nl = NULL;
	struct work w;
	int rc = prepare(&w, pid, o, err);

	if (rc < 0 || o->mode == CTR_NET_HOST)
		return rc;
	if (o->mode != CTR_NET_NONE) {
		nl = net_open();
		if (!nl)
			return rs_err_errno(err, errno, "the kernel's routing part cannot be reached");
	}
	if (o->mode == CTR_NET_BRIDGE || o->mode == CTR_NET_VXLAN) {
		rc = make_bridge(&w, nl, err);
		if (rc == 0 && o->mode == CTR_NET_VXLAN)
			rc = make_tunnel(&w, nl, err);
		if (rc == 0)
			rc = make_cable(&w, nl, err);
	} else if (o->mode != CTR_NET_NONE) {
		rc = make_child(&w, nl, ctr_net_mode_name(o->mode), err);
	}
	if (rc == 0)
		rc = inside(&w, err);
	net_close(nl);
	if (rc < 0)
		ctr_net_detach(pid, o, NULL);
	return rc;
}

int ctr_net_detach(pid_t pid, const struct ctr_net_opts *o, struct rs_err *err)
{
	struct mnl_socket *nl;
	struct work w;
	int rc = prepare(&w, pid, o, err);

	if (rc < 0 || o->mode == CTR_NET_NONE || o->mode == CTR_NET_HOST)
		return rc;
	nl = net_open();
	if (!nl)
		return rs_err_errno(err, errno, "the kernel's routing part cannot be reached");
	rc = net_link_delete(nl, w.host_end);
	rc = rc == -ENODEV ? 0 : rc;
	if (rc == 0 && (o->mode == CTR_NET_BRIDGE || o->mode == CTR_NET_VXLAN)) {
		unsigned own = o->mode == CTR_NET_VXLAN && net_index(w.tunnel) ? 1 : 0;

		if (net_index(o->bridge) && net_bridge_ports(o->bridge) <= own) {
			if (own)
				net_link_delete(nl, w.tunnel);
			net_nat_delete(o->bridge);
			rc = net_link_delete(nl, o->bridge);
		}
	}
	net_close(nl);
	return rc < 0 ? step(&w, RS_NET_LINK, rc, "removing what is left on the host", err) : 0;
}
