/* The model: what the panes show, made from the session's events and counters and from
 * nothing else, so a recording replays into the same screens. It is a sink of the bus; it
 * knows no key, no screen and no session.
 *
 * A new run (build.start, or exp.start when a process had already started) begins it anew;
 * what the student selected lives elsewhere (struct tui_pane_state).
 */
#ifndef TUI_MODEL_H
#define TUI_MODEL_H

#include <stdbool.h>

#include "engine/base/bus.h"
#include "engine/base/state.h"
#include "engine/base/str.h"
#include "tui/container.h"
#include "tui/translator.h"

#define TUI_EVENTS_MAX 8192     /* timeline: the newest stay */
#define TUI_CROSSINGS_MAX 1024
#define TUI_CALLS_MAX 1024
#define TUI_TEXT_MAX (256 * 1024) /* bytes of a text stream: the newest stay */
#define TUI_MEMORY_MAX 4096
#define TUI_EXITS 64            /* slots of the counter vm.exits */
#define TUI_STREAMS 8
#define TUI_BLOCKS (RS_BLOCK_BOX_LAYERS + 1) /* kinds of snapshots */

/* The newest `cap` events of some kinds, oldest first by index. */
struct tui_ring {
	struct rs_event *v;
	unsigned n, head, cap;
	uint64_t dropped;       /* older ones that had to go */
};
/* i from 0 (oldest kept) to n - 1. */
const struct rs_event *tui_ring_at(const struct tui_ring *r, unsigned i);

enum tui_run_state { TUI_RUN_NONE, TUI_RUN_BUILDING, TUI_RUN_GOING, TUI_RUN_PAUSED, TUI_RUN_OVER };

/* What the last run with one technique of virtualization cost. */
#define TUI_TECHNIQUES (RS_TECHNIQUE_PARA + 1)
struct tui_technique {
	bool ran;
	uint64_t exits, crossings, ns; /* ns: guest and monitor */
};

struct tui_model {
	struct rs_sink sink;    /* attach this */
	uint64_t rev;           /* grows with every change: draw when it moved */

	enum tui_run_state state;
	uint64_t last_time;     /* of the newest event, ns since the run began */
	uint64_t end_time;      /* when the guest ended; 0 */
	bool have_outcome;
	struct rs_event outcome;  /* vm.end */
	bool have_exit;
	struct rs_event exit;     /* exp.exit */
	bool build_failed;

	int cpl;                /* -1: unknown */
	bool cpl_exact;
	uint64_t rip;
	struct tui_ring crossings; /* cpu.ring */
	uint64_t crossing_count[16]; /* by from * 4 + to, as seen in events */
	struct tui_ring events;    /* timeline: all but out.data and state.block */
	struct tui_ring calls;     /* kvm.call, vm.memory, vm.load; box.call, box.namespace, box.root */
	uint64_t seen[RS_KIND_COUNT]; /* events by kind */

	/* counters */
	bool have_counters;
	struct rs_counters counters;
	uint64_t counters_time;
	struct rs_counters base;      /* of the last rate window */
	uint64_t base_time;
	double rate[TUI_EXITS];       /* exits a second, by reason */
	double rate_total;
	uint64_t exit_seen[TUI_EXITS];   /* vm.exit events, by reason */
	uint64_t exit_detail[TUI_EXITS], exit_rip[TUI_EXITS]; /* of the newest one */

	/* machine state */
	bool have_regs, have_prev;
	struct rs_x86_regs regs, prev;
	uint64_t regs_time;
	struct rs_str code, tables, walk, rewrite;
	struct rs_mem_head mem;
	unsigned char mem_bytes[TUI_MEMORY_MAX], mem_prev[TUI_MEMORY_MAX];
	bool have_mem, mem_comparable; /* mem_prev is of the same place */
	struct tui_translator tr;
	struct tui_container box;
	struct rs_state_assembler part[TUI_BLOCKS]; /* by enum rs_block */

	/* A new run leaves this table as it is: one run fills one row. */
	struct tui_technique technique[TUI_TECHNIQUES]; /* by enum rs_technique */
	unsigned current;                /* of this run */

	struct rs_str text[TUI_STREAMS]; /* by enum rs_stream */
	uint64_t text_cut[TUI_STREAMS];  /* bytes dropped at the front */
};

struct tui_model *tui_model_new(void);
void tui_model_free(struct tui_model *m);
/* Forgets everything, as before the first run; but what the techniques cost is for comparing runs. */
void tui_model_reset(struct tui_model *m);
/* Exits by reason: the counter where one arrived, else the events seen. */
uint64_t tui_model_exits(const struct tui_model *m, unsigned reason);
uint64_t tui_model_exits_total(const struct tui_model *m);
/* Ring crossings from -> to, likewise. */
uint64_t tui_model_crossings(const struct tui_model *m, unsigned from, unsigned to);
/* Is the register's value other than in the snapshot before? `i` indexes rs_x86_reg_infos. */
bool tui_model_reg_changed(const struct tui_model *m, unsigned i);
uint64_t tui_model_reg(const struct tui_model *m, unsigned i);
/* Is the source of a ring crossing exact at the instruction? */
bool tui_event_exact(const struct rs_event *ev);

#endif
