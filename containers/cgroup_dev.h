/* Device rules on v2: the eBPF program of a group (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE). For the files
 * cgroup_*.c alone; what is public of it stands in cgroup.h.
 */
#ifndef CONTAINERS_CGROUP_DEV_H
#define CONTAINERS_CGROUP_DEV_H

#include "containers/cgroup.h"

/* Loads the program for these rules and puts it in the place of those that the group has. 0 or negative
 * errno. */
int ctr_device_attach(const char *dir, const struct ctr_device_rule *rule, unsigned n);
/* "program 17" for each one that is attached, or NULL when none is. The caller frees. */
char *ctr_device_attached(const char *dir);
/* "allow c 1:3 rwm", as ctr_write.asked has it behind "devices[N]=". 0 or -EINVAL. */
int ctr_device_rule_parse(const char *text, struct ctr_device_rule *rule);

#endif
