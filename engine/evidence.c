/* What a run left behind: the events, counters and texts that checks look at. */
#include <stdlib.h>

#include "engine/eng.h"

#define OUT_MAX (16u << 20)   /* bytes kept of one stream; more is lost */

void eng_evidence_release(struct eng_evidence *e)
{
	free(e->event);
	for (unsigned i = 0; i < 8; i++)
		if (e->out[i].p)
			rs_str_release(&e->out[i]);
	*e = (struct eng_evidence){ .file = e->file, .file_arg = e->file_arg };
	for (unsigned i = 0; i < 8; i++)
		e->out[i] = (struct rs_str)RS_STR_INIT;
}

void eng_evidence_clear(struct eng_evidence *e)
{
	e->events = 0;
	e->counters = (struct rs_counters){ 0 };
	for (unsigned i = 0; i < 8; i++) {
		if (!e->out[i].p)
			e->out[i] = (struct rs_str)RS_STR_INIT;
		rs_str_clear(&e->out[i]);
	}
	e->ran = e->ended = false;
	e->lost = 0;
}

static void take_output(struct eng_evidence *e, const struct rs_event *ev)
{
	uint64_t stream = ev->arg[0], len = ev->arg[2];

	/* the record comes from a process that may be broken */
	if (stream >= 8 || len > RS_TEXT_SIZE)
		return;
	if (!e->out[stream].p)
		e->out[stream] = (struct rs_str)RS_STR_INIT;
	if (e->out[stream].len + len > OUT_MAX)
		e->lost++;
	else
		rs_str_addn(&e->out[stream], ev->text, (size_t)len);
}

void eng_evidence_event(struct eng_evidence *e, const struct rs_event *ev)
{
	if (ev->kind == RS_EV_OUT_DATA)
		take_output(e, ev);
	else if (ev->kind == RS_EV_EXP_START)
		e->ran = true;
	else if (ev->kind == RS_EV_EXP_EXIT)
		e->ended = true;
	if (e->events == ENG_EVENTS_MAX) {
		e->lost++;
		return;
	}
	if (e->events == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 256;
		if (e->cap > ENG_EVENTS_MAX)
			e->cap = ENG_EVENTS_MAX;
		e->event = rs_xrealloc(e->event, e->cap, sizeof(*e->event));
	}
	e->event[e->events++] = *ev;
}
