/* Address translation: a table of nftables rules for each bridge, in the words of nft(8), so that a
 * student can read with "nft list ruleset" what was made. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <string.h>
#include <unistd.h>

#include "containers/net_link.h"
#include "engine/base/cleanup.h"
#include "engine/base/str.h"

static int order(const char *text)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int rc;

	if (!nft)
		return -ENOMEM;
	/* Its messages go nowhere: the caller has words of its own. */
	nft_ctx_buffer_error(nft);
	nft_ctx_buffer_output(nft);
	errno = 0;
	rc = nft_run_cmd_from_buffer(nft, text);
	nft_ctx_free(nft);
	return rc ? (errno ? -errno : -EOPNOTSUPP) : 0;
}

/* "rs-br0" -> "ringside_rs_br0": no hyphens in a table's name. */
static char *table_of(const char *bridge)
{
	char *name = rs_xasprintf("ringside_%s", bridge);

	for (char *p = name; *p; p++)
		if (*p == '-' || *p == '.')
			*p = '_';
	return name;
}

int net_nat_add(const char *bridge, const struct net_address *network)
{
	rs_auto_free char *table = table_of(bridge), *text = NULL;
	uint32_t mask = network->prefix ? htonl(~0u << (32 - network->prefix)) : 0;
	struct in_addr in = { .s_addr = network->address & mask };
	char address[INET_ADDRSTRLEN];
	rs_auto_close int fd = -1;

	inet_ntop(AF_INET, &in, address, sizeof(address));
	/* Deleted first, which needs it to be there: the same rules twice are the same rules. */
	text = rs_xasprintf("table ip %1$s\n"
			    "delete table ip %1$s\n"
			    "table ip %1$s {\n"
			    "	chain postrouting {\n"
			    "		type nat hook postrouting priority srcnat; policy accept;\n"
			    "		ip saddr %2$s/%3$u oifname != \"%4$s\" masquerade\n"
			    "	}\n"
			    "}\n", table, address, network->prefix, bridge);
	fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return -errno;
	return order(text);
}

void net_nat_delete(const char *bridge)
{
	rs_auto_free char *table = table_of(bridge);
	rs_auto_free char *text = rs_xasprintf("table ip %1$s\ndelete table ip %1$s\n", table);

	order(text);
}
