/* A container's part of the model: processes, mounts, limits and layers as the last snapshots reported
 * them, and how its use of memory and processor went. Filled by model.c; the panes read it.
 */
#ifndef TUI_CONTAINER_H
#define TUI_CONTAINER_H

#include <stdbool.h>

#include "engine/base/channel.h"
#include "engine/base/state.h"
#include "engine/base/str.h"

#define TUI_SAMPLES 240          /* of the graphs: the newest stay */
#define TUI_SAMPLE_NS 100000000u

struct tui_sample {
	uint64_t time;           /* ns since the run began */
	uint64_t memory;         /* bytes */
	unsigned cpu;            /* per mille of one processor since the sample before */
	bool throttled;
};
struct tui_container {
	bool have_procs;
	struct rs_box_procs head;
	struct rs_box_proc row[RS_BOX_PROCS_MAX]; /* head.n of them */
	struct rs_str mounts, limits, layers;     /* as state blocks have them; empty: none came */
	struct tui_sample sample[TUI_SAMPLES];
	unsigned samples;
	uint64_t last_cpu, last_throttled;
};
void tui_container_clear(struct tui_container *c); /* also initialises a zeroed one */
/* A complete snapshot of this kind. Something malformed changes nothing. */
void tui_container_take(struct tui_container *c, enum rs_block kind, const unsigned char *p, size_t n);
void tui_container_count(struct tui_container *c, const struct rs_counters *v, uint64_t time_ns);
/* How deep a row lies in the tree of processes; 0: the lab's own. */
unsigned tui_container_depth(const struct tui_container *c, unsigned row);

#endif
