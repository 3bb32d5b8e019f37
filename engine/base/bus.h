/* One stream, many sinks. Whoever publishes does not know who listens.
 */
#ifndef RS_BASE_BUS_H
#define RS_BASE_BUS_H

#include "engine/base/channel.h"

/* A listener. `event` is called for every event in order; `counters` when a new
 * reading of the counters was taken. Either may be NULL. A sink must not add or
 * remove sinks from inside a call. */
struct rs_sink {
	void (*event)(struct rs_sink *self, const struct rs_event *ev);
	void (*counters)(struct rs_sink *self, const struct rs_counters *c, uint64_t time_ns);
	struct rs_sink *next; /* owned by the bus while attached */
};
struct rs_bus {
	struct rs_sink *first;
};
void rs_bus_attach(struct rs_bus *bus, struct rs_sink *sink); /* at the end; not owned */
void rs_bus_detach(struct rs_bus *bus, struct rs_sink *sink);
void rs_bus_event(struct rs_bus *bus, const struct rs_event *ev);
void rs_bus_counters(struct rs_bus *bus, const struct rs_counters *c, uint64_t time_ns);

#endif
