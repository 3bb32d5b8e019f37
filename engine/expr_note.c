/* Why a check gave what it gave: each call with its value and the events that decided it. The notes
 * are formulas, names and numbers, so they read the same in every language.
 */
#include "engine/expr.h"

#define TEXT_SHOWN 160        /* bytes of a text in a note */
#define ITEMS_SHOWN 16

void expr_source(const struct eng_expr *x, size_t from, size_t to, struct rs_str *out)
{
	bool blank = false;

	for (size_t i = from; i < to; i++) {
		if (strchr(" \t\r\n", x->text[i])) {
			blank = true;
			continue;
		}
		if (blank)
			rs_str_addc(out, ' ');
		blank = false;
		rs_str_addc(out, x->text[i]);
	}
}

void expr_text_format(const char *s, size_t n, struct rs_str *out)
{
	size_t shown = n;

	if (shown > TEXT_SHOWN) {
		shown = TEXT_SHOWN;
		while (shown && (s[shown] & 0xc0) == 0x80)
			shown--;
	}
	rs_str_addc(out, '"');
	for (size_t i = 0; i < shown;) {
		uint32_t cp;
		int len = rs_utf8_decode(s + i, shown - i, &cp);
		unsigned char c = (unsigned char)s[i];

		if (c == '\n')
			rs_str_add(out, "\\n");
		else if (c == '\t')
			rs_str_add(out, "\\t");
		else if (c == '"' || c == '\\')
			rs_str_addf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f || (c >= 0x80 && len == 1) || (cp >= 0x80 && cp < 0xa0))
			for (int k = 0; k < len; k++)
				rs_str_addf(out, "\\x%02x", (unsigned char)s[i + (size_t)k]);
		else
			rs_str_addn(out, s + i, (size_t)len);
		i += (size_t)len;
	}
	rs_str_addc(out, '"');
	if (shown < n)
		rs_str_addf(out, "... (%zu)", n);
}

void expr_val_format(const struct val *v, struct type t, bool ended, struct rs_str *out)
{
	char buf[64];
	const char *name;

	switch (v->type) {
	case ENG_T_BOOL:
		rs_str_add(out, v->i ? "yes" : "no");
		break;
	case ENG_T_INT:
		if (ended && v->i < 0) {
			rs_str_add(out, "\"none\"");
		} else if (expr_named(t.unit)) {
			name = rs_unit_value_name(t.unit, (uint64_t)v->i);
			if (name)
				rs_str_addf(out, "\"%s\"", name);
			else
				rs_str_addf(out, "%lld", (long long)v->i);
		} else if (t.unit == RS_UNIT_hex) {
			rs_str_add(out, rs_unit_format(t.unit, (uint64_t)v->i, buf, sizeof(buf)));
		} else {
			rs_str_addf(out, "%lld", (long long)v->i);
		}
		break;
	case ENG_T_STR:
		expr_text_format(v->s ? v->s : "", v->n, out);
		break;
	case ENG_T_LIST:
		rs_str_addc(out, '[');
		for (unsigned i = 0; i < v->items && i < ITEMS_SHOWN; i++) {
			struct type item = { t.item, ENG_T_NONE, t.unit };

			rs_str_add(out, i ? ", " : "");
			expr_val_format(&v->item[i], item, false, out);
		}
		if (v->items > ITEMS_SHOWN)
			rs_str_addf(out, ", ... (%u)", v->items);
		rs_str_addc(out, ']');
		break;
	default:
		rs_str_addc(out, '?');
	}
}

static void note_event(const struct eval *c, size_t i, struct rs_str *note)
{
	char buf[256];
	const struct rs_event *ev = &c->e->event[i];

	rs_str_addf(note, "  #%llu  %s\n", (unsigned long long)ev->seq,
		    rs_event_format(ev, buf, sizeof(buf)));
}

static void note_call(struct eval *c, const struct node *n, struct rs_str *note)
{
	const struct slot *s = &c->slot[n->slot];

	if (!s->done && s->v.type != ENG_T_NONE)
		return; /* never reached: an `and` or `or` before it had decided */
	expr_source(c->x, n->from, n->to, note);
	rs_str_add(note, " = ");
	expr_val_format(&s->v, n->type, n->ended, note);
	/* nothing selected: were there any of the kind at all? */
	if (n->sels == 1 && !s->matched && !s->missing && n->sel[0].where)
		rs_str_addf(note, "   (%s: %zu)", rs_kind_info((unsigned)n->sel[0].kind)->name,
			    s->of_kind);
	rs_str_addc(note, '\n');
	unsigned shown = s->evs < EXPR_NOTE_EVENTS ? s->evs : EXPR_NOTE_EVENTS;
	unsigned from = n->sels > 1 && s->missing ? s->evs - shown : 0; /* where the chain broke */
	for (unsigned i = 0; i < shown; i++)
		note_event(c, s->ev[from + i], note);
	if (n->func == F_count || n->func == F_sum || n->func == F_values || n->func == F_distinct) {
		if (s->matched > shown)
			rs_str_addf(note, "  ...  (+%zu)\n", s->matched - shown);
	}
	if (s->missing) {
		rs_str_add(note, "  #?  ");
		expr_source(c->x, n->sel[s->missing - 1].from, n->sel[s->missing - 1].to, note);
		rs_str_addc(note, '\n');
	}
}

static void notes(struct eval *c, const struct node *n, struct rs_str *note)
{
	if (n->op == X_CALL && !n->per_event)
		note_call(c, n, note);
	for (unsigned i = 0; i < n->args; i++)
		notes(c, n->arg[i], note);
	for (unsigned i = 0; i < n->sels; i++)
		if (n->sel[i].where)
			notes(c, n->sel[i].where, note);
}

void expr_notes(struct eval *c, struct rs_str *note)
{
	notes(c, c->x->root, note);
}
