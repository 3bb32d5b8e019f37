/* The mounts.c and mount_*.c files among themselves. */
#ifndef CONTAINERS_MOUNTS_H
#define CONTAINERS_MOUNTS_H

#include "containers/run.h"

/* Is this the destination /dev itself? It is made read-only only when its devices are there. */
bool ctr_mount_is_dev(const char *destination);
/* mount_idmap.c: binds `source` with its ids mapped; maps the ids of the mount that fd is open on. */
int ctr_mount_idmapped(struct ctr_init *in, const struct ctr_mount *m, const char *source, int target);
int ctr_mount_idmap_fd(struct ctr_init *in, const struct ctr_mount *m, int fd);
/* mount_copyup.c: a tmpfs with what its place held before. */
int ctr_mount_copyup(struct ctr_init *in, const struct ctr_mount *m, int target, unsigned long flags, const char *data);
/* mount_cgroup.c: the container's own part of the cgroup hierarchies. */
int ctr_mount_cgroups(struct ctr_init *in, const struct ctr_mount *m);

#endif
