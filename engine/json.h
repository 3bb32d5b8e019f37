/* JSON as the commands write it (json-c). Text from outside is made valid UTF-8 first: RFC 8259
 * allows nothing else. Private to engine/.
 */
#ifndef ENGINE_JSON_H
#define ENGINE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "engine/eng.h"

/* A string; bytes that are no UTF-8 become U+FFFD. NULL gives JSON null. */
struct json_object *eng_json_str(const char *s);
struct json_object *eng_json_strn(const char *s, size_t n);
/* {"en": ..., "zh-TW": ...} with the languages that there are. */
struct json_object *eng_json_text(const struct eng_text *t);
struct json_object *eng_json_err(const struct rs_err *e);
/* Makes s valid UTF-8, into out (appended). */
void eng_utf8_repair(const char *s, size_t n, struct rs_str *out);
/* Writes o and a newline, and frees o. `pretty`: over several lines. */
void eng_json_print(FILE *f, struct json_object *o, bool pretty);
/* The same into a string. */
void eng_json_add(struct rs_str *out, struct json_object *o, bool pretty);

#endif
