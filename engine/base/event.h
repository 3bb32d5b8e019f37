/* Events: what happens, one fixed record each. Start reading here; the map:
 *
 *   events.def, enums.def,     the vocabulary: kinds, named values, counters,
 *   counters.def, exits.def    KVM exit reasons, registers. Listed once, here
 *   event.h   the record, and the tables made from events.def
 *   channel.h the shared-memory ring and counters between an experiment and the lab
 *   bus.h     one stream, many sinks: screen, recorder, grader, tests
 *   control.h pause, step, inspect, stop
 *   state.h   snapshots of machine state, sent as events
 *   err.h     the error object      cleanup.h  scope cleanup
 *   str.h     strings, UTF-8 widths file.h     files and XDG directories
 *   lang.h    languages
 */
#ifndef RS_BASE_EVENT_H
#define RS_BASE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/lang.h"

enum rs_kind {
#define RS_A(n, u)
#define RS_NONE
#define RS_EVENT(id, name, rate, a0, a1, a2, a3, sentence) RS_EV_##id,
#include "engine/base/events.def"
	RS_KIND_COUNT
};
_Static_assert(RS_KIND_COUNT <= 256, "the wanted mask of channel.h has 256 bits");

#define RS_TEXT_SIZE 72

/* One event. Pointer-free, so it can cross a process boundary and a disk. Fields
 * that a kind does not use are 0. In STATE_BLOCK and OUT_DATA, `text` holds raw
 * bytes and an argument says how many; elsewhere it is terminated UTF-8. */
struct rs_event {
	uint64_t seq;      /* 1, 2, 3, ... in order of emission within one run */
	uint64_t time;     /* ns since the run began */
	uint16_t kind;     /* enum rs_kind */
	uint16_t source;   /* enum rs_source */
	uint32_t actor;    /* vCPU number, container pid, ...: unique within the run */
	uint64_t arg[4];
	char text[RS_TEXT_SIZE];
};
_Static_assert(sizeof(struct rs_event) == 128, "the record is part of the recording format");

/* The groups of enums.def as C enums: enum rs_via { RS_VIA_RESET, ... } (enums.h). */
#define RS_ENUM_GROUPS(X)                                                                          \
	X(via) X(outcome) X(stream) X(dir) X(fd) X(call) X(block) X(bool) X(source) X(limit) X(technique)  \
	X(lcall) X(namespace) X(layer) X(netstep)

#include "engine/base/enums.h"

enum rs_unit {
	RS_UNIT_NONE,
	RS_UNIT_dec, RS_UNIT_hex, RS_UNIT_ns, RS_UNIT_bytes, RS_UNIT_ms, RS_UNIT_vector,
	RS_UNIT_errno, RS_UNIT_signal, RS_UNIT_crossing, RS_UNIT_exit,
#define RS_X(g) RS_UNIT_##g,
	RS_ENUM_GROUPS(RS_X)
#undef RS_X
	RS_UNIT_COUNT
};

struct rs_kind_info {
	const char *name;          /* "vm.exit" */
	int high_rate;             /* sent only when wanted */
	struct {
		const char *name;  /* NULL past the last argument */
		enum rs_unit unit;
	} arg[4];
	const char *sentence;      /* English; a translation key */
};
/* Never NULL; a kind out of range gives a row named "?". */
const struct rs_kind_info *rs_kind_info(unsigned kind);
/* The kind with this dotted name, or -ENOENT. */
int rs_kind_by_name(const char *name);
/* NULL-terminated list of all names, for did-you-mean. */
const char *const *rs_kind_names(void);

/* The name of `value` in a unit's group ("syscall"), or NULL when the unit has no
 * names or the value is unknown. */
const char *rs_unit_value_name(enum rs_unit unit, uint64_t value);
/* The value named `name` in the unit's group. 0, or -ENOENT. */
int rs_unit_value(enum rs_unit unit, const char *name, uint64_t *value);
const char *const *rs_unit_value_names(enum rs_unit unit); /* NULL-terminated; NULL if none */
/* Formats a value as its unit asks: names, 0x..., "1.2 ms", "#GP". Returns buf. */
const char *rs_unit_format(enum rs_unit unit, uint64_t value, char *buf, size_t size);

/* One line: name, arguments by name, text. For logs, plain mode and failed checks. */
const char *rs_event_format(const struct rs_event *ev, char *buf, size_t size);

/* For events from outside (a child process, a recording): range-checks kind, source, named values
 * and lengths, and cleans the text: terminated, valid UTF-8, nothing that a terminal would obey.
 * False: the record is impossible and must not be used. */
bool rs_event_check(struct rs_event *ev);

/* "#GP general protection" for an x86 vector (SDM vol. 3A, table 6-1), "32".. else. */
const char *rs_vector_mnemonic(unsigned vector); /* "#GP"; NULL when it has none */

/* -- KVM exit reasons (exits.def) -- */
struct rs_exit_info {
	unsigned number;        /* KVM_EXIT_..., <linux/kvm.h> */
	const char *name;       /* "io"; KVM_EXIT_IO */
	const char *handled;    /* how the monitor handles it; a translation key */
	const char *sentence;   /* for a student; a translation key */
};
/* NULL for a number that the table does not have. */
const struct rs_exit_info *rs_exit_info(unsigned number);

#endif
