/* ringside doc: pages generated from the tables. */
#include <string.h>

#include "emu/emu.h"
#include "engine/base/channel.h"
#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/schema.h"

static void unit(struct rs_str *out, enum rs_unit u)
{
	static const char *const words[] = {
		[RS_UNIT_NONE] = "", [RS_UNIT_dec] = "number", [RS_UNIT_hex] = "hexadecimal",
		[RS_UNIT_ns] = "ns", [RS_UNIT_bytes] = "bytes", [RS_UNIT_ms] = "ms",
		[RS_UNIT_vector] = "vector", [RS_UNIT_errno] = "errno", [RS_UNIT_signal] = "signal",
		[RS_UNIT_crossing] = "from * 4 + to", [RS_UNIT_exit] = "exit reason",
	};
	const char *const *names = rs_unit_value_names(u);

	if (u != RS_UNIT_exit && names && names[0]) {
		for (unsigned i = 0; names[i]; i++)
			rs_str_addf(out, "%s`%s`", i ? ", " : "", names[i]);
		return;
	}
	rs_str_add(out, u < sizeof(words) / sizeof(words[0]) && words[u] ? words[u] : "");
}

static int put(struct eng_cli *c, const struct rs_str *s)
{
	fwrite(s->p, 1, s->len, c->out);
	return ENG_EXIT_OK;
}

static int doc_events(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;
	enum rs_lang l = c->lang;

	rs_str_addf(&out, "# %s\n\n%s\n", rs_tr(l, N_("Events")),
		    rs_tr(l, N_("Everything that happens is an event. Checks name them by their dotted names "
				"and arguments.")));
	for (unsigned k = 0; k < RS_KIND_COUNT; k++) {
		const struct rs_kind_info *i = rs_kind_info(k);

		rs_str_addf(&out, "\n## %s\n\n%s", i->name, rs_tr(l, i->sentence));
		if (i->high_rate)
			rs_str_addf(&out, " %s", rs_tr(l, N_("Sent only when somebody asks for it.")));
		rs_str_addc(&out, '\n');
		if (!i->arg[0].name)
			continue;
		rs_str_addf(&out, "\n| %s | %s |\n|---|---|\n", rs_tr(l, N_("argument")),
			    rs_tr(l, N_("value")));
		for (unsigned a = 0; a < 4 && i->arg[a].name; a++) {
			rs_str_addf(&out, "| `%s` | ", i->arg[a].name);
			unit(&out, i->arg[a].unit);
			rs_str_add(&out, " |\n");
		}
	}
	return put(c, &out);
}

static int doc_counters(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;
	enum rs_lang l = c->lang;

	rs_str_addf(&out, "# %s\n\n%s\n\n| %s | %s | %s |\n|---|---|---|\n", rs_tr(l, N_("Counters")),
		    rs_tr(l, N_("Exact counts, beside the events. `counter(NAME)` reads one in a check.")),
		    rs_tr(l, N_("name")), rs_tr(l, N_("entries")), rs_tr(l, N_("what it counts")));
	for (unsigned i = 0; i < rs_counter_info_count; i++) {
		const struct rs_counter_info *k = &rs_counter_infos[i];

		rs_str_addf(&out, "| `%s` | ", k->name);
		if (k->len > 1) {
			rs_str_addf(&out, "%u: ", k->len);
			unit(&out, k->unit);
		} else {
			unit(&out, k->unit);
		}
		rs_str_addf(&out, " | %s |\n", rs_tr(l, k->sentence));
	}
	return put(c, &out);
}

static int doc_exits(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;
	enum rs_lang l = c->lang;

	rs_str_addf(&out, "# %s\n\n%s\n\n| %s | %s | %s | %s |\n|---|---|---|---|\n",
		    rs_tr(l, N_("KVM exit reasons")),
		    rs_tr(l, N_("Why KVM_RUN returns to the monitor (Linux Documentation/virt/kvm/api.rst).")),
		    rs_tr(l, N_("number")), rs_tr(l, N_("name")), rs_tr(l, N_("what happened")),
		    rs_tr(l, N_("how the monitor handles it")));
	for (unsigned i = 0; i < 256; i++) {
		const struct rs_exit_info *x = rs_exit_info(i);

		if (x)
			rs_str_addf(&out, "| %u | `%s` | %s | %s |\n", x->number, x->name,
				    rs_tr(l, x->sentence), rs_tr(l, x->handled));
	}
	return put(c, &out);
}

static int doc_man(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;

	eng_doc_man(&out);
	return put(c, &out);
}

static int doc_bash(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;

	eng_doc_bash(&out);
	return put(c, &out);
}

static int doc_zsh(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;

	eng_doc_zsh(&out);
	return put(c, &out);
}

static int doc_schema(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;

	eng_schema_json(&out);
	return put(c, &out);
}

static int doc_lesson(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;

	eng_doc_lesson(c->lang, &out);
	return put(c, &out);
}

static int doc_insns(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;

	for (unsigned i = 0; !c->args && emu_guest_names[i]; i++)
		rs_str_addf(&out, "%s\n", emu_guest_names[i]);
	if (c->args)
		eng_doc_insns(c->arg[0], c->lang, &out);
	return put(c, &out);
}

static int doc_ir(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT;

	eng_doc_ir(c->lang, &out);
	return put(c, &out);
}

const struct eng_cmd eng_cmd_doc = {
	.name = "doc",
	.brief = N_("print reference pages, the man page, shell completions"),
};
#define DOC(id, word, text)                                                                        \
	const struct eng_cmd eng_cmd_doc_##id = {                                                  \
		.name = "doc " word, .brief = text, .pure = true, .run = doc_##id,                               \
	}
DOC(events, "events", N_("the kinds of events, as Markdown"));
DOC(counters, "counters", N_("the counters, as Markdown"));
DOC(exits, "exits", N_("the KVM exit reasons, as Markdown"));
DOC(lesson, "lesson", N_("keys, check functions and abilities, for writers of lessons"));
DOC(ir, "ir", N_("the operations of the translator's intermediate representation"));
DOC(schema, "schema", N_("the JSON schema of lesson.yaml"));
DOC(man, "man", N_("the man page, as roff"));
DOC(bash, "bash", N_("the completion for bash"));
DOC(zsh, "zsh", N_("the completion for zsh"));

const struct eng_cmd eng_cmd_doc_insns = {
	.name = "doc insns", .args = N_("[GUEST]"), .args_min = 0, .args_max = 1, .arg = ENG_ARG_CHOICE,
	.choices = emu_guest_names, .pure = true, .run = doc_insns,
	.brief = N_("every instruction of a guest, from the translator's decode table"),
	.help = N_("Prints mnemonic, operands, encoding and effect of each instruction, one a line, by "
		   "extension. Without GUEST it names the guests."),
};
