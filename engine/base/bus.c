/* One stream, many sinks. */
#include "engine/base/bus.h"

void rs_bus_attach(struct rs_bus *bus, struct rs_sink *sink)
{
	struct rs_sink **at = &bus->first;

	while (*at)
		at = &(*at)->next;
	sink->next = NULL;
	*at = sink;
}

void rs_bus_detach(struct rs_bus *bus, struct rs_sink *sink)
{
	for (struct rs_sink **at = &bus->first; *at; at = &(*at)->next) {
		if (*at == sink) {
			*at = sink->next;
			sink->next = NULL;
			return;
		}
	}
}

void rs_bus_event(struct rs_bus *bus, const struct rs_event *ev)
{
	for (struct rs_sink *s = bus->first; s; s = s->next)
		if (s->event)
			s->event(s, ev);
}

void rs_bus_counters(struct rs_bus *bus, const struct rs_counters *c, uint64_t time_ns)
{
	for (struct rs_sink *s = bus->first; s; s = s->next)
		if (s->counters)
			s->counters(s, c, time_ns);
}
