/* The words for the events of the translator. */
#include "engine/tell.h"

#include <string.h>

static void tell_block(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang,
		       struct rs_str *out)
{
	rs_auto_str name = RS_STR_INIT;

	rs_str_addf(&name, w->text[0] ? "%s (%s)" : "%.0s%s", w->text, w->a[0]);
	if (!ev->arg[2]) /* interpreted: there is no code of the host */
		eng_say(out, lang, N_("Block %s, up to %s: %s guest instructions became IR."), name.p, w->a[3],
			w->a[1]);
	else
		eng_say(out, lang, N_("Block %s, up to %s: %s guest instructions became %s of host code."), name.p,
			w->a[3], w->a[1], w->a[2]);
}

static void tell_end(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang,
		     struct rs_str *out)
{
	switch (ev->arg[0]) {
	case RS_OUT_EXITED:
		eng_say(out, lang, N_("The guest's program ended by itself with status %s."), w->a[1]);
		return;
	case RS_OUT_KILLED:
		eng_say(out, lang, N_("The signal %s ended the guest's program at %s."), w->a[2], w->a[3]);
		return;
	case RS_OUT_WATCHDOG:
		eng_say(out, lang, N_("The time limit ran out at %s: the guest's program did not end by itself."),
			w->a[3]);
		return;
	default:
		eng_say(out, lang, N_("The guest's program was ended: %s, at %s."), w->a[0], w->a[3]);
	}
}

bool eng_tell_emu(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang,
		  struct rs_str *out)
{
	switch (ev->kind) {
	case RS_EV_EMU_SYMBOL:
		return false;
	case RS_EV_EMU_LOAD:
		eng_say(out, lang, N_("%s of a program for %s are loaded at %s; it will begin at %s."), w->a[1],
			w->text, w->a[0], w->a[2]);
		break;
	case RS_EV_EMU_BLOCK:
		tell_block(ev, w, lang, out);
		break;
	case RS_EV_EMU_CHAIN:
		eng_say(out, lang, N_("The block at %s now jumps directly to the block at %s."), w->a[0], w->a[1]);
		break;
	case RS_EV_EMU_INVALIDATE:
		eng_say(out, lang, N_("The guest changed its code: the block at %s (%s instructions, %s runs) is thrown away."),
			w->a[0], w->a[1], w->a[2]);
		break;
	case RS_EV_EMU_FLUSH:
		eng_say(out, lang, N_("The block cache is full: all %s blocks are thrown away."), w->a[0]);
		break;
	case RS_EV_EMU_SYSCALL:
		eng_say(out, lang, N_("The guest's program makes the system call %s (number %s) with %s, %s, %s."),
			w->text, w->a[0], w->a[1], w->a[2], w->a[3]);
		break;
	case RS_EV_EMU_REFUSED:
		eng_say(out, lang, N_("A lesson's program may not make the system call %s (number %s): it gets %s."),
			w->text, w->a[0], w->a[1]);
		break;
	case RS_EV_EMU_FAULT:
		eng_say(out, lang, N_("Fault: \"%s\" at %s, address %s: signal %s."), w->text, w->a[1], w->a[2],
			w->a[0]);
		break;
	case RS_EV_EMU_END:
		tell_end(ev, w, lang, out);
		break;
	default:
		return false;
	}
	return true;
}

/* One counter as a text, with its unit. */
static const char *amount(const struct rs_counters *c, enum rs_counter which, enum rs_unit unit, char buf[64])
{
	return rs_unit_format(unit, c->v[which], buf, 64);
}

void eng_tell_emu_counts(const struct rs_counters *c, enum rs_lang lang, struct rs_str *out)
{
	char a[64], b[64], d[64], e[64];

	if (!c->v[RS_CTR_EMU_BLOCKS])
		return;
	eng_say(out, lang, N_("Translator: %s guest instructions in %s blocks became %s operations of the IR. "),
		amount(c, RS_CTR_EMU_TRANSLATED, RS_UNIT_dec, a), amount(c, RS_CTR_EMU_BLOCKS, RS_UNIT_dec, b),
		amount(c, RS_CTR_EMU_OPS, RS_UNIT_dec, d));
	eng_say(out, lang, N_("The passes left %s. Time: %s.\n"),
		amount(c, RS_CTR_EMU_OPS_LEFT, RS_UNIT_dec, a),
		amount(c, RS_CTR_EMU_TRANSLATOR_NS, RS_UNIT_ns, b));
	eng_say(out, lang, N_("Code: %s guest instructions were executed; lookups: %s, chains: %s. Time: %s.\n"),
		amount(c, RS_CTR_EMU_INSNS, RS_UNIT_dec, a), amount(c, RS_CTR_EMU_LOOKUPS, RS_UNIT_dec, b),
		amount(c, RS_CTR_EMU_CHAINS, RS_UNIT_dec, d), amount(c, RS_CTR_EMU_CODE_NS, RS_UNIT_ns, e));
}

/* ---- the stages of the block that the lesson chose ---- */

#define STAGE_LINES 48 /* of a stage are told */

void eng_stages_take(struct eng_stages *s, const struct rs_event *ev)
{
	const struct rs_emu_stage *head = (const struct rs_emu_stage *)s->in.buf;
	size_t n = ev->arg[0] == RS_BLOCK_EMU_STAGE ? rs_state_feed(&s->in, ev) : 0;
	unsigned slot;

	if (n <= sizeof(*head))
		return;
	for (unsigned i = 0; head->index == 0 && i < 4; i++)
		rs_str_clear(&s->text[i]);
	slot = !strncmp(head->name, "guest", sizeof(head->name)) ? 0 :
	       !strncmp(head->name, "ir", sizeof(head->name)) ? 1 :
	       !strncmp(head->name, "host", sizeof(head->name)) ? 3 : 2; /* of the passes the last one stays */
	memcpy(s->symbol, head->symbol, sizeof(s->symbol) - 1);
	rs_str_clear(&s->text[slot]);
	rs_str_addn(&s->text[slot], (const char *)s->in.buf + sizeof(*head), n - sizeof(*head));
}

void eng_stages_tell(struct eng_stages *s, enum rs_lang lang, struct rs_str *out)
{
	static const char *const titles[4] = {
		N_("The block at %s, guest instructions:\n"), N_("The block at %s, IR:\n"),
		N_("The block at %s, IR after the passes:\n"), N_("The block at %s, host code:\n"),
	};

	for (unsigned i = 0; i < 4; i++) {
		const char *line = s->text[i].p;
		unsigned lines = 0;

		if (*line)
			eng_say(out, lang, titles[i], s->symbol);
		while (*line) {
			size_t n = strcspn(line, "\n"), skip = strcspn(line, "\t\n");

			skip = skip < n ? skip + 1 : 0;
			if (lines++ < STAGE_LINES) {
				rs_str_add(out, "    ");
				rs_str_addn(out, line + skip, n - skip);
				rs_str_addc(out, '\n');
			}
			line += n + (line[n] == '\n');
		}
		if (lines > STAGE_LINES)
			rs_str_addf(out, rs_tr(lang, N_("    ... and %u more lines\n")), lines - STAGE_LINES);
		rs_str_clear(&s->text[i]);
	}
}

void eng_stages_release(struct eng_stages *s)
{
	for (unsigned i = 0; i < 4; i++)
		rs_str_release(&s->text[i]);
}
