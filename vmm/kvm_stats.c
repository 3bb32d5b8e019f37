/* KVM's own statistics of a vCPU (api.rst, 4.133 KVM_GET_STATS_FD): how often the hardware left the guest. Most of
 * these exits the host's kernel handles itself, and the monitor never hears of them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "vmm/kvm.h"

#define NAME_MAX_SIZE 256u
#define DESCRIPTORS_MAX 1024u

/* Where the statistic `name` stands in the file; 0: it is not there. */
static off_t place_of(int fd, const char *name)
{
	union {
		struct kvm_stats_desc d;
		char bytes[sizeof(struct kvm_stats_desc) + NAME_MAX_SIZE];
	} u;
	struct kvm_stats_header h;
	size_t size;

	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.name_size > NAME_MAX_SIZE || !h.name_size ||
	    h.num_desc > DESCRIPTORS_MAX)
		return 0;
	size = sizeof(u.d) + h.name_size;
	for (uint32_t i = 0; i < h.num_desc; i++) {
		const char *text = u.bytes + sizeof(u.d);

		if (pread(fd, &u, size, (off_t)(h.desc_offset + i * size)) != (ssize_t)size)
			return 0;
		if (!strncmp(text, name, h.name_size))
			return (off_t)h.data_offset + u.d.offset;
	}
	return 0;
}

void vmm_kvm_stats_open(struct vmm_vcpu *v)
{
	struct kvm_cpu *c = cpu_of(v);

	c->stats_fd = vmm_kvm_stats_fd(c);
	c->exits_at = c->stats_fd >= 0 ? place_of(c->stats_fd, "exits") : 0;
}

uint64_t vmm_kvm_hardware_exits(struct vmm_vcpu *v)
{
	struct kvm_cpu *c = cpu_of(v);
	uint64_t n = 0;

	if (!c->exits_at || pread(c->stats_fd, &n, sizeof(n), c->exits_at) != (ssize_t)sizeof(n))
		return 0;
	return n;
}
