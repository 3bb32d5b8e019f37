/* OverlayFS: mounting layers, and what went where into which layer (the kernel's
 * filesystems/overlayfs.rst: "Upper and Lower", "whiteouts and opaque directories", "Changes to
 * underlying filesystems").
 */
#ifndef CONTAINERS_OVERLAY_H
#define CONTAINERS_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/base/channel.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

#define CTR_LAYERS_MAX 64

/* The options of an overlay mount, taken apart. Zeroed is empty. */
struct ctr_overlay_options {
	char *lower[CTR_LAYERS_MAX]; /* the topmost first, as in lowerdir= */
	unsigned lowers;
	char *upper, *work;          /* NULL: read-only */
	bool userxattr;
};
/* "lowerdir=a:b,upperdir=c,workdir=d,userxattr". -EINVAL and what is wrong. Backslash escapes ':' and
 * ','. Release in any case. */
int ctr_overlay_parse(const char *options, struct ctr_overlay_options *o, struct rs_err *err);
void ctr_overlay_options_release(struct ctr_overlay_options *o);
/* Mounts lower (the topmost first), upper and work at `at`. In a user namespace with `userxattr`, since
 * the attributes trusted.* are not for it. upper NULL: read-only. 0, or negative and the cure. */
int ctr_overlay_mount(const char *at, char *const *lower, unsigned lowers, const char *upper, const char *work,
		      bool userxattr, struct rs_err *err);

/* What lies in the upper layer, watched. Zeroed is no overlay. */
struct ctr_overlay_entry {
	char *path;                /* below the upper directory, "a/b" */
	int what;                  /* enum rs_layer */
	uint64_t size;
	int64_t mtime;             /* ns */
	ino_t ino;
	unsigned layer;            /* lower layer that has the original, from 1; 0: none */
	bool seen;
};
struct ctr_overlay {
	int upper, lower[CTR_LAYERS_MAX]; /* descriptors of the folders (O_PATH); upper is 0 or more when `open` */
	unsigned lowers;
	bool open;
	char *merged;              /* where it is mounted, as the process sees it */
	char *names[CTR_LAYERS_MAX + 1]; /* the upper folder, then the lower ones */
	struct ctr_overlay_entry *entry;
	unsigned entries;
};
/* Begins to watch the folders that `options` name, as the process with root directory `root` (an open
 * folder) sees them; relative ones below `cwd`. What is in the upper layer now is known, not news. */
int ctr_overlay_watch(struct ctr_overlay *w, int root, int cwd, const char *merged, const char *options,
		      struct rs_err *err);
/* Looks again and says each difference as an event overlay.change. How many. */
unsigned ctr_overlay_look(struct ctr_overlay *w, struct rs_emitter *em, uint32_t actor);
/* "upper  up/: copied-up motd 12" lines for the pane. */
void ctr_overlay_text(const struct ctr_overlay *w, struct rs_str *out);
void ctr_overlay_close(struct ctr_overlay *w);

#endif
