#include "engine/json.h"

#include <string.h>

void eng_utf8_repair(const char *s, size_t n, struct rs_str *out)
{
	while (n) {
		long bad = rs_utf8_check(s, n);
		size_t good = bad < 0 ? n : (size_t)bad;

		rs_str_addn(out, s, good);
		s += good;
		n -= good;
		if (n) {
			rs_str_add(out, "\xef\xbf\xbd"); /* U+FFFD */
			s++;
			n--;
		}
	}
}

struct json_object *eng_json_strn(const char *s, size_t n)
{
	rs_auto_str fixed = RS_STR_INIT;

	eng_utf8_repair(s, n, &fixed);
	return json_object_new_string_len(fixed.p, (int)fixed.len);
}

struct json_object *eng_json_str(const char *s)
{
	return s ? eng_json_strn(s, strlen(s)) : NULL;
}

struct json_object *eng_json_text(const struct eng_text *t)
{
	struct json_object *o = json_object_new_object();

	for (unsigned i = 0; i < RS_LANGS; i++)
		if (t->s[i])
			json_object_object_add(o, rs_lang_name(i), eng_json_str(t->s[i]));
	return o;
}

struct json_object *eng_json_err(const struct rs_err *e)
{
	struct json_object *o = json_object_new_object();

	for (unsigned i = 0; i < RS_LANGS; i++)
		if (e->text[i][0])
			json_object_object_add(o, rs_lang_name(i), eng_json_str(e->text[i]));
	return o;
}

void eng_json_add(struct rs_str *out, struct json_object *o, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
	rs_str_add(out, json_object_to_json_string_ext(o, flags));
	rs_str_addc(out, '\n');
	json_object_put(o);
}

void eng_json_print(FILE *f, struct json_object *o, bool pretty)
{
	rs_auto_str s = RS_STR_INIT;

	eng_json_add(&s, o, pretty);
	fwrite(s.p, 1, s.len, f);
}
