/* The reference page for writers of lessons, from the tables that the loader and the check language
 * use: keys, functions, abilities. Markdown. */
#include <inttypes.h>
#include <string.h>

#include "engine/kinds.h"
#include "engine/schema.h"

/* What a key's value looks like. */
static void value(const struct eng_key *k, struct rs_str *out)
{
	static const char *const shapes[] = {
		[ENG_K_SCHEMA] = "ringside/lesson/v1", [ENG_K_ID] = "id", [ENG_K_IDS] = "[id, ...]",
		[ENG_K_TEXT] = "{en: ..., zh-TW: ...}", [ENG_K_TEXTS] = "[{en: ..., zh-TW: ...}, ...]",
		[ENG_K_STRING] = "\"...\"", [ENG_K_EXPR] = "expression", [ENG_K_FILE] = "file",
		[ENG_K_FILES] = "[file, ...]", [ENG_K_STRINGS] = "[\"...\", ...]", [ENG_K_ADDR] = "0x10000", [ENG_K_SIZE] = "4M",
		[ENG_K_DURATION] = "10s", [ENG_K_BOOL] = "true, false", [ENG_K_RUN] = "{vm: ...}",
	};
	const char *const *names = k->names ? k->names() : NULL;

	if (k->type == ENG_K_INT) {
		rs_str_addf(out, "`%" PRIu64 "`..`%" PRIu64 "`", k->min, k->max);
	} else if (k->type == ENG_K_MAP || k->type == ENG_K_MAPS) {
		rs_str_addf(out, k->type == ENG_K_MAP ? "`{%s}`" : "`[{%s}, ...]`", k->sub);
	} else if (k->type == ENG_K_NAME || k->type == ENG_K_NAMES) {
		rs_str_add(out, k->type == ENG_K_NAMES ? "[...]: " : "");
		for (unsigned i = 0; names[i]; i++)
			rs_str_addf(out, "%s`%s`", i ? ", " : "", names[i]);
	} else {
		rs_str_addf(out, "`%s`", shapes[k->type]);
	}
}

static void keys(enum rs_lang l, struct rs_str *out)
{
	rs_str_addf(out, "## %s\n", rs_tr(l, N_("Keys of lesson.yaml")));
	for (const struct eng_key *k = eng_keys; k->section; k++) {
		if (k == eng_keys || strcmp(k->section, k[-1].section))
			rs_str_addf(out, "\n### %s\n\n| %s | %s | %s |\n|---|---|---|\n", k->section,
				    rs_tr(l, N_("key")), rs_tr(l, N_("value")), rs_tr(l, N_("meaning")));
		rs_str_addf(out, "| `%s`%s | ", k->name, k->required ? " *" : "");
		value(k, out);
		rs_str_addf(out, " | %s |\n", rs_tr(l, k->sentence));
	}
	rs_str_addf(out, "\n%s\n", rs_tr(l, N_("Keys with a star must be there.")));
}

void eng_doc_lesson(enum rs_lang l, struct rs_str *out)
{
	rs_str_addf(out, "# %s\n\n", rs_tr(l, N_("Writing lessons: reference")));
	keys(l, out);
	rs_str_addf(out, "\n## %s\n\n| %s | %s |\n|---|---|\n", rs_tr(l, N_("Functions of check expressions")),
		    rs_tr(l, N_("function")), rs_tr(l, N_("meaning")));
	for (const struct eng_func_doc *d = eng_func_docs(); d->name; d++)
		rs_str_addf(out, "| `%s(%s)` | %s |\n", d->name, d->args, rs_tr(l, d->sentence));
	rs_str_addf(out, "\n## %s\n\n| %s | %s | %s |\n|---|---|---|\n",
		    rs_tr(l, N_("Abilities that a lesson may require")), rs_tr(l, N_("name")),
		    rs_tr(l, N_("meaning")), rs_tr(l, N_("what to do when it is missing")));
	for (const struct eng_func_doc *d = eng_ability_docs(); d->name; d++)
		rs_str_addf(out, "| `%s` | %s | %s |\n", d->name, rs_tr(l, d->sentence), rs_tr(l, d->args));
}
