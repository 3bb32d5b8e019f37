/* The words for each kind of event, and the sink that prints them. */
#include "engine/tell.h"

#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli_fill.h"

void eng_say(struct rs_str *out, enum rs_lang lang, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	rs_str_vaddf(out, rs_tr(lang, fmt), ap);
	va_end(ap);
}

/* Where the knowledge of a ring crossing comes from. */
static const char *certainty(const struct rs_event *ev, enum rs_lang lang)
{
	switch (ev->source) {
	case RS_SRC_STEP:
	case RS_SRC_SOFT:
		return rs_tr(lang, N_("exact"));
	case RS_SRC_EXIT:
		return rs_tr(lang, N_("sampled at a VM exit"));
	default:
		return rs_tr(lang, N_("set by the monitor"));
	}
}

static void tell_ring(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang,
		      struct rs_str *out)
{
	if (ev->arg[2] == RS_VIA_RESET)
		eng_say(out, lang, N_("The guest begins in ring %s at %s."), w->a[1], w->a[3]);
	else if (ev->arg[2] == RS_VIA_UNSEEN)
		eng_say(out, lang, N_("Ring %s to ring %s, seen at %s; how it got there was not seen (%s)."),
		    w->a[0], w->a[1], w->a[3], certainty(ev, lang));
	else
		eng_say(out, lang, N_("Ring %s to ring %s by %s, at %s (%s)."), w->a[0], w->a[1], w->a[2],
		    w->a[3], certainty(ev, lang));
}

static void tell_call(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang,
		      struct rs_str *out)
{
	if ((int64_t)ev->arg[2] < 0)
		eng_say(out, lang, N_("The monitor calls %s on the %s descriptor; it fails with %s."), w->a[0],
		    w->a[1], w->a[2]);
	else
		eng_say(out, lang, N_("The monitor calls %s on the %s descriptor; it returns %s."), w->a[0],
		    w->a[1], w->a[2]);
	if (w->text[0])
		rs_str_addf(out, " %s", w->text);
}

static void tell_exit(const struct eng_words *w, enum rs_lang lang, struct rs_str *out)
{
	eng_say(out, lang, N_("VM exit %s from ring %s at %s."), w->a[0], w->a[2], w->a[1]);
}

static void tell_access(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang,
			struct rs_str *out)
{
	bool port = ev->kind == RS_EV_VM_PIO;

	if (ev->arg[2] == RS_DIR_OUT)
		eng_say(out, lang, port ? N_("The guest writes %s (%s) to port %s.") :
				      N_("The guest writes %s (%s) to address %s, where no memory is."),
		    w->a[3], w->a[1], w->a[0]);
	else
		eng_say(out, lang, port ? N_("The guest reads %s (%s) from port %s.") :
				      N_("The guest reads %s (%s) from address %s, where no memory is."),
		    w->a[3], w->a[1], w->a[0]);
}

static void tell_end(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang,
		     struct rs_str *out)
{
	switch (ev->arg[0]) {
	case RS_OUT_HALTED:
		eng_say(out, lang, N_("The guest halted at %s after %s VM exits."), w->a[2], w->a[3]);
		return;
	case RS_OUT_DEBUG_EXIT:
		eng_say(out, lang, N_("The guest ended the run itself with code %s, after %s VM exits."),
		    w->a[1], w->a[3]);
		return;
	case RS_OUT_SHUTDOWN:
		eng_say(out, lang, N_("Triple fault at %s: an exception arrived and the CPU found no way to "
				  "handle it, nor the exceptions that followed. It shut down after %s VM "
				  "exits."), w->a[2], w->a[3]);
		return;
	case RS_OUT_WATCHDOG:
		eng_say(out, lang, N_("The time limit ran out at %s, after %s VM exits: the guest did not "
				  "end by itself."), w->a[2], w->a[3]);
		return;
	case RS_OUT_REACHED:
		eng_say(out, lang, N_("The monitor stops here: it went as far as this step asks."));
		return;
	case RS_OUT_FAIL_ENTRY:
		eng_say(out, lang, N_("The CPU refused the guest's state: VM entry failed, hardware reason %s."),
		    w->a[1]);
		return;
	default:
		eng_say(out, lang, N_("The run ended: %s, at %s, after %s VM exits."), w->a[0], w->a[2],
		    w->a[3]);
	}
}

bool eng_sentence(const struct rs_event *ev, enum rs_lang lang, struct rs_str *out)
{
	const struct rs_kind_info *k = rs_kind_info(ev->kind);
	struct eng_words w = { .text = ev->text };
	char line[400];

	for (unsigned i = 0; i < 4; i++)
		rs_unit_format(k->arg[i].unit, ev->arg[i], w.a[i], sizeof(w.a[i]));
	switch (ev->kind) {
	case RS_EV_OUT_DATA:
	case RS_EV_STATE_BLOCK:
	case RS_EV_LESSON_STEP:
	case RS_EV_LESSON_PREDICT:
	case RS_EV_CHECK_RESULT:
		return false;
	case RS_EV_EXP_START:
		eng_say(out, lang, N_("The experiment (%s) starts in its own process, %s."), w.text, w.a[0]);
		break;
	case RS_EV_EXP_READY:
		eng_say(out, lang, ev->arg[0] ? N_("Set-up is done; the system-call filter holds from here on.") :
					    N_("Set-up is done; there is no system-call filter."));
		break;
	case RS_EV_EXP_ERROR:
		eng_say(out, lang, N_("The experiment failed: %s"), w.text);
		break;
	case RS_EV_EXP_EXIT:
		if (ev->arg[1])
			eng_say(out, lang, N_("The experiment's process was killed by %s after %s."), w.a[1],
			    w.a[2]);
		else
			eng_say(out, lang, N_("The experiment's process ended after %s with status %s."), w.a[2],
			    w.a[0]);
		if (ev->arg[3])
			eng_say(out, lang, N_(" %s events were lost."), w.a[3]);
		break;
	case RS_EV_BUILD_START:
		eng_say(out, lang, N_("Building %s."), w.text);
		break;
	case RS_EV_BUILD_DONE:
		if (ev->arg[0])
			eng_say(out, lang, N_("The build failed with status %s."), w.a[0]);
		else
			eng_say(out, lang, N_("Built in %s: %s."), w.a[1], w.a[2]);
		break;
	case RS_EV_KVM_CALL:
		tell_call(ev, &w, lang, out);
		break;
	case RS_EV_VM_MEMORY:
		eng_say(out, lang, ev->arg[3] ?
				       N_("Memory slot %s: %s of the monitor's memory become guest-physical "
					  "memory at %s, read-only.") :
				       N_("Memory slot %s: %s of the monitor's memory become guest-physical "
					  "memory at %s."),
		    w.a[0], w.a[2], w.a[1]);
		break;
	case RS_EV_VM_LOAD:
		eng_say(out, lang, N_("%s of the guest's program are copied to %s; it will begin at %s."), w.a[1],
		    w.a[0], w.a[2]);
		break;
	case RS_EV_VM_EXIT:
		tell_exit(&w, lang, out);
		break;
	case RS_EV_VM_PIO:
	case RS_EV_VM_MMIO:
		tell_access(ev, &w, lang, out);
		break;
	case RS_EV_VM_HYPERCALL:
		eng_say(out, lang, N_("Hypercall %s from ring %s, with %s and %s."), w.a[0], w.a[3], w.a[1],
		    w.a[2]);
		break;
	case RS_EV_VM_END:
		tell_end(ev, &w, lang, out);
		break;
	case RS_EV_CPU_RING:
		tell_ring(ev, &w, lang, out);
		break;
	case RS_EV_CPU_FAULT:
		eng_say(out, lang, N_("Exception %s (error code %s) in ring %s at %s."), w.a[0], w.a[1], w.a[3],
		    w.a[2]);
		break;
	case RS_EV_CPU_STEP:
		eng_say(out, lang, N_("Ring %s executes at %s: %s"), w.a[1], w.a[0], w.text);
		break;
	default:
		if (ev->kind >= RS_EV_EMU_LOAD && ev->kind <= RS_EV_EMU_END)
			return eng_tell_emu(ev, &w, lang, out);
		if (eng_tell_ctr(ev, &w, lang, out))
			break;
		/* a kind without words of its own: its own sentence, and the record */
		rs_str_addf(out, "%s (%s)", rs_tr(lang, k->sentence),
			    rs_event_format(ev, line, sizeof(line)));
	}
	return true;
}

/* ---- the sink ---- */

static void print_line(struct eng_tell *t, unsigned stream, const struct rs_str *s)
{
	const char *name = rs_unit_value_name(RS_UNIT_stream, stream);
	rs_auto_str clean = RS_STR_INIT;

	eng_add_clean(&clean, s->p, s->len);
	fprintf(t->out, "    %s| %s\n", name ? name : "?", clean.p);
}

static void take_output(struct eng_tell *t, const struct rs_event *ev)
{
	uint64_t stream = ev->arg[0], n = ev->arg[2];
	struct rs_str *s;

	if (stream >= 8 || n > RS_TEXT_SIZE)
		return;
	s = &t->line[stream];
	for (uint64_t i = 0; i < n; i++) {
		if (ev->text[i] == '\r')
			continue;
		if (ev->text[i] != '\n') {
			rs_str_addc(s, ev->text[i]);
			if (s->len < 1000)
				continue;
		}
		print_line(t, (unsigned)stream, s);
		rs_str_clear(s);
	}
}

/* What a reason for an exit means is said once a run. */
static void explain(struct eng_tell *t, const struct rs_event *ev, struct rs_str *s)
{
	const struct rs_exit_info *x = rs_exit_info((unsigned)ev->arg[0]);

	if (!x || ev->arg[0] >= 64 || (t->explained >> ev->arg[0]) & 1)
		return;
	t->explained |= 1ull << ev->arg[0];
	eng_say(s, t->lang, N_(" (%s)"), rs_tr(t->lang, x->sentence));
}

static void on_event(struct rs_sink *self, const struct rs_event *ev)
{
	struct eng_tell *t = (struct eng_tell *)self; /* sink is the first member */
	rs_auto_str s = RS_STR_INIT, clean = RS_STR_INIT;

	if (ev->kind == RS_EV_OUT_DATA) {
		take_output(t, ev);
		return;
	}
	if (ev->kind == RS_EV_STATE_BLOCK)
		eng_stages_take(&t->stages, ev);
	if (ev->kind >= RS_KIND_COUNT)
		return;
	if (t->told[ev->kind] >= ENG_TELL_LINES) {
		t->more[ev->kind]++;
		return;
	}
	if (!eng_sentence(ev, t->lang, &s))
		return;
	t->told[ev->kind]++;
	if (ev->kind == RS_EV_VM_EXIT)
		explain(t, ev, &s);
	eng_add_clean(&clean, s.p, s.len);
	fprintf(t->out, "  %s\n", clean.p);
}

void eng_tell_init(struct eng_tell *t, FILE *out, enum rs_lang lang)
{
	*t = (struct eng_tell){ .sink = { .event = on_event }, .out = out, .lang = lang };
	for (unsigned i = 0; i < 8; i++)
		t->line[i] = (struct rs_str)RS_STR_INIT;
	for (unsigned i = 0; i < 4; i++)
		t->stages.text[i] = (struct rs_str)RS_STR_INIT;
}

void eng_tell_finish(struct eng_tell *t)
{
	for (unsigned i = 0; i < 8; i++)
		if (t->line[i].len) {
			print_line(t, i, &t->line[i]);
			rs_str_clear(&t->line[i]);
		}
	for (unsigned k = 0; k < RS_KIND_COUNT; k++)
		if (t->more[k]) {
			fputs("  ", t->out);
			fprintf(t->out, rs_tr(t->lang, N_("... and %u more events of the kind %s.")),
				t->more[k], rs_kind_info(k)->name);
			fputc('\n', t->out);
		}
	memset(t->told, 0, sizeof(t->told));
	memset(t->more, 0, sizeof(t->more));
	t->explained = 0;
}

void eng_tell_release(struct eng_tell *t)
{
	for (unsigned i = 0; i < 8; i++)
		rs_str_release(&t->line[i]);
	eng_stages_release(&t->stages);
}
