/* The table of lesson keys as a JSON schema (draft 2020-12), for editors: completion and checking
 * while a lesson is written. What needs more than one key at a time stays with the loader.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/kinds.h"
#include "engine/schema.h"

#define ID_PATTERN "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
/* no part is empty or starts with a dot; no backslash, no control character */
#define FILE_PATTERN "^[^./\\\\\\\\\\\\u0000-\\\\u001f\\\\u007f][^/\\\\\\\\\\\\u0000-\\\\u001f\\\\u007f]*" \
	"(/[^./\\\\\\\\\\\\u0000-\\\\u001f\\\\u007f][^/\\\\\\\\\\\\u0000-\\\\u001f\\\\u007f]*)*$"

static void text(struct rs_str *out, const char *s)
{
	rs_str_addc(out, '"');
	for (; *s; s++)
		rs_str_addf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	rs_str_addc(out, '"');
}

static void name_list(const char *const *names, struct rs_str *out)
{
	rs_str_add(out, "\"enum\": [");
	for (unsigned i = 0; names[i]; i++) {
		rs_str_add(out, i ? ", " : "");
		text(out, names[i]);
	}
	rs_str_addc(out, ']');
}

/* The inside of a schema object that one value must meet. */
static void value(const struct eng_key *k, enum eng_key_type type, struct rs_str *out)
{
	switch (type) {
	case ENG_K_SCHEMA:
	case ENG_K_NAME:
		name_list(k->names(), out);
		break;
	case ENG_K_ID:
		rs_str_add(out, "\"type\": \"string\", \"maxLength\": 64, \"pattern\": \"" ID_PATTERN "\"");
		break;
	case ENG_K_TEXT:
		rs_str_add(out, "\"$ref\": \"#/$defs/text\"");
		break;
	case ENG_K_STRING:
		rs_str_add(out, "\"type\": \"string\"");
		break;
	case ENG_K_EXPR:
		rs_str_add(out, "\"type\": [\"string\", \"integer\", \"boolean\"]");
		break;
	case ENG_K_FILE:
		rs_str_add(out, "\"type\": \"string\", \"maxLength\": 128, \"pattern\": \"" FILE_PATTERN "\"");
		break;
	case ENG_K_INT:
		rs_str_addf(out, "\"type\": \"integer\", \"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64,
			    k->min, k->max);
		break;
	case ENG_K_ADDR:
	case ENG_K_SIZE:
		rs_str_add(out, "\"type\": [\"integer\", \"string\"], \"minimum\": 0, "
				"\"pattern\": \"^[0-9]+ ?[KMGTPE]?(iB)?$\"");
		break;
	case ENG_K_DURATION:
		rs_str_add(out, "\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)? ?(ns|us|ms|s|m|min|h)$\"");
		break;
	case ENG_K_BOOL:
		rs_str_add(out, "\"type\": \"boolean\"");
		break;
	case ENG_K_MAP:
		rs_str_addf(out, "\"$ref\": \"#/$defs/%s\"", k->sub);
		break;
	case ENG_K_RUN:
		rs_str_add(out, "\"$ref\": \"#/$defs/run\"");
		break;
	default:
		break;
	}
}

/* The type of a list's items; the type itself when it is no list. */
static enum eng_key_type item_type(enum eng_key_type type)
{
	switch (type) {
	case ENG_K_IDS:
		return ENG_K_ID;
	case ENG_K_NAMES:
		return ENG_K_NAME;
	case ENG_K_TEXTS:
		return ENG_K_TEXT;
	case ENG_K_FILES:
		return ENG_K_FILE;
	case ENG_K_STRINGS:
		return ENG_K_STRING;
	case ENG_K_MAPS:
		return ENG_K_MAP;
	default:
		return type;
	}
}

static void property(const struct eng_key *k, struct rs_str *out)
{
	enum eng_key_type item = item_type(k->type);

	rs_str_addf(out, "        \"%s\": { \"description\": ", k->name);
	text(out, k->sentence);
	rs_str_add(out, ",\n          ");
	if (item == k->type) {
		value(k, k->type, out);
	} else {
		rs_str_addf(out, "\"type\": \"array\", \"minItems\": %" PRIu64 ", \"maxItems\": %" PRIu64
				 ", \"items\": { ", k->min, k->max ? k->max : (uint64_t)ENG_LIST_MAX);
		value(k, item, out);
		rs_str_add(out, " }");
	}
	rs_str_add(out, " }");
}

static void section(const char *name, struct rs_str *out)
{
	bool first = true;

	rs_str_addf(out, "    \"%s\": {\n      \"type\": \"object\",\n"
			 "      \"additionalProperties\": false,\n      \"required\": [", name);
	for (const struct eng_key *k = eng_keys; k->section; k++) {
		if (strcmp(k->section, name) || !k->required)
			continue;
		rs_str_addf(out, "%s\"%s\"", first ? "" : ", ", k->name);
		first = false;
	}
	rs_str_add(out, "],\n      \"properties\": {\n");
	first = true;
	for (const struct eng_key *k = eng_keys; k->section; k++) {
		if (strcmp(k->section, name))
			continue;
		rs_str_add(out, first ? "" : ",\n");
		property(k, out);
		first = false;
	}
	rs_str_add(out, "\n      }\n    }");
}

static void languages(struct rs_str *out)
{
	rs_str_add(out, "    \"text\": {\n      \"type\": \"object\",\n"
			"      \"additionalProperties\": false,\n      \"required\": [");
	for (int l = 0; l < RS_LANGS; l++)
		rs_str_addf(out, "%s\"%s\"", l ? ", " : "", rs_lang_name((enum rs_lang)l));
	rs_str_add(out, "],\n      \"properties\": {");
	for (int l = 0; l < RS_LANGS; l++)
		rs_str_addf(out, "%s\n        \"%s\": { \"type\": \"string\", \"pattern\": \"\\\\S\" }",
			    l ? "," : "", rs_lang_name((enum rs_lang)l));
	rs_str_add(out, "\n      }\n    },\n");
}

static void kinds(struct rs_str *out)
{
	rs_str_add(out, "    \"run\": {\n      \"type\": \"object\",\n"
			"      \"additionalProperties\": false,\n      \"minProperties\": 1,\n"
			"      \"maxProperties\": 1,\n      \"properties\": {");
	for (unsigned i = 0; i < eng_kind_count; i++) {
		rs_str_addf(out, "%s\n        \"%s\": { \"description\": ", i ? "," : "", eng_kinds[i].name);
		text(out, eng_kinds[i].sentence);
		rs_str_addf(out, ",\n          \"$ref\": \"#/$defs/%s\" }", eng_kinds[i].name);
	}
	rs_str_add(out, "\n      }\n    }");
}

void eng_schema_json(struct rs_str *out)
{
	rs_str_add(out, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
			"  \"$id\": \"ringside/lesson/v1\",\n"
			"  \"title\": \"A Ringside lesson\",\n"
			"  \"$ref\": \"#/$defs/lesson\",\n  \"$defs\": {\n");
	languages(out);
	kinds(out);
	for (const struct eng_key *k = eng_keys; k->section; k++) {
		if (k != eng_keys && !strcmp(k->section, k[-1].section))
			continue;
		rs_str_add(out, ",\n");
		section(k->section, out);
	}
	rs_str_add(out, "\n  }\n}\n");
}
