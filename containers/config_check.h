/* What the table of fields cannot say: which values fit together. Private to the config*.c files. */
#ifndef CONTAINERS_CONFIG_CHECK_H
#define CONTAINERS_CONFIG_CHECK_H

#include "containers/config_fields.h"

/* Checks c, resolves its mount options and its index of namespaces. 0 or -EINVAL. */
int ctr_config_check(struct ctr_parse *p, struct ctr_config *c);
int ctr_process_check(struct ctr_parse *p, const struct ctr_process *proc);
/* config_mounts.c: the option strings of one mount into flags. */
int ctr_mount_options(struct ctr_parse *p, struct ctr_mount *m);

#endif
