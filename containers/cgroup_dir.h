/* A group's folders, for the files cgroup_*.c alone.
 */
#ifndef CONTAINERS_CGROUP_DIR_H
#define CONTAINERS_CGROUP_DIR_H

#include "containers/cgroup.h"

struct ctr_cgroup_folder {
	bool v2;
	char *controllers;   /* "cpu,cpuacct"; of v2 those that the group was given */
	char *dir;           /* absolute; NULL: it could not be made */
	unsigned made;       /* so many parts at its end are ours */
	int error;           /* errno why dir is NULL */
};
struct ctr_cgroup {
	struct ctr_cgroup_folder f[CTR_HIERARCHIES];
	unsigned n;
	struct rs_emitter *em;
	uint32_t actor;
};

/* This process's own folder in a hierarchy; the caller frees. */
char *ctr_cgroup_own_dir(const struct ctr_hierarchy *h);
/* Is it an ability of every v2 group, without a controller: a program (devices), a file (freezer), a
 * part of cpu.stat (cpuacct), or "" itself? */
bool ctr_cgroup_core(const char *controller);
/* The folder that has the controller (v1's name; "blkio" is "io" on v2; "" the v2 folder), made or
 * not, or NULL. What is core is v2's where no v1 hierarchy has it. */
const struct ctr_cgroup_folder *ctr_cgroup_folder(const struct ctr_cgroup *cg, const char *controller);
/* Is `word` one of the comma-separated words of `list`? */
bool ctr_cgroup_has_word(const char *list, const char *word);

/* The words of a file as "a,b,c"; the caller frees. Empty when it cannot be read. */
char *ctr_cgroup_words(const char *dir, const char *file);
/* One file of a folder, at most 64 KiB of it. 0 or negative errno; out is cleared first. */
int ctr_cgroup_read(const char *dir, const char *file, struct rs_str *out);
/* One write(2), as the kernel wants it. 0 or negative errno. */
int ctr_cgroup_write(const char *dir, const char *file, const char *value);
bool ctr_cgroup_has(const char *dir, const char *file);
/* The first number in a file ("max" and what is more than 2^62 is CTR_NO_VALUE, as is a missing file). */
uint64_t ctr_cgroup_number(const char *dir, const char *file);
/* The number behind `key` in "key number" lines; CTR_NO_VALUE when there is none. */
uint64_t ctr_cgroup_line(const char *text, const char *key);

#endif
