/* config.json: read, parsed, filled in and checked. */
#include "containers/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "containers/config_check.h"
#include "containers/config_fields.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define MAX_BYTES (16u << 20)
#define MAX_DEPTH 64 /* the deepest that runtime-spec has is 7 */

struct json_object *ctr_config_json(struct ctr_parse *p)
{
	struct json_tokener *tok = json_tokener_new_ex(MAX_DEPTH);
	struct json_object *o;

	if (!tok)
		rs_oom();
	o = p->len <= MAX_BYTES ? json_tokener_parse_ex(tok, p->text, (int)p->len) : NULL;
	if (p->len > MAX_BYTES) {
		rs_err_at(p->err, -EFBIG, p->name, 0, 0, "more than %u MB cannot be a configuration", MAX_BYTES >> 20);
	} else if (!o) {
		enum json_tokener_error e = json_tokener_get_error(tok);
		size_t end = json_tokener_get_parse_end(tok);

		p->line = p->col = 1;
		for (size_t i = 0; i < end && i < p->len; i++) {
			p->col++;
			if (p->text[i] == '\n') {
				p->line++;
				p->col = 1;
			}
		}
		if (e == json_tokener_continue)
			rs_err_at(p->err, -EINVAL, p->name, p->line, p->col, "no valid JSON: the text ends too early");
		else
			rs_err_at(p->err, -EINVAL, p->name, p->line, p->col, "no valid JSON: %s",
				  e == json_tokener_success ? "null" : json_tokener_error_desc(e));
	} else if (!json_object_is_type(o, json_type_object)) {
		rs_err_at(p->err, -EINVAL, p->name, 1, 1, "%s: must be %s, not %s", "config.json", "object",
			  json_type_to_name(json_object_get_type(o)));
		json_object_put(o);
		o = NULL;
	} else {
		for (size_t i = json_tokener_get_parse_end(tok); i < p->len; i++)
			if (!isspace((unsigned char)p->text[i])) {
				rs_err_at(p->err, -EINVAL, p->name, 0, 0, "no valid JSON: something follows its end");
				json_object_put(o);
				o = NULL;
				break;
			}
	}
	json_tokener_free(tok);
	return o;
}

/* Parses, fills and checks; `out` is filled as far as it went. */
static int parse(struct ctr_parse *p, const struct ctr_field *fields, void *out)
{
	struct json_object *o = ctr_config_json(p);
	int rc = -EINVAL;

	if (o) {
		rc = ctr_fill(p, o, fields, out);
		json_object_put(o);
	}
	return rc;
}

static struct ctr_parse parse_begin(const char *text, size_t n, const char *name, struct rs_err *err)
{
	return (struct ctr_parse){ .name = name, .text = text, .len = n, .path = RS_STR_INIT, .err = err };
}

struct ctr_config *ctr_config_parse(const char *text, size_t n, const char *name, struct rs_err *err)
{
	struct ctr_config *c = rs_xcalloc(1, sizeof(*c));
	struct ctr_parse p;
	int rc;

	c->text = rs_xcalloc(1, n + 1);
	memcpy(c->text, text, n);
	c->text_len = n;
	c->file = rs_xstrdup(name);
	p = parse_begin(c->text, n, c->file, err);
	p.caps_unknown = &c->process.caps_unknown;
	rc = parse(&p, ctr_fields_config, c);
	if (rc == 0)
		rc = ctr_config_check(&p, c);
	rs_str_release(&p.path);
	if (rc) {
		ctr_config_free(c);
		return NULL;
	}
	return c;
}

struct ctr_config *ctr_config_load(const char *bundle, struct rs_err *err)
{
	rs_auto_free char *path = rs_xasprintf("%s/config.json", bundle);
	rs_auto_str text = RS_STR_INIT;

	if (rs_file_read(path, MAX_BYTES, &text, err) < 0)
		return NULL;
	return ctr_config_parse(text.p, text.len, path, err);
}

void ctr_process_release(struct ctr_process *p)
{
	ctr_unfill(ctr_fields_process, p);
	for (unsigned i = 0; i < p->caps_unknown.n; i++)
		free(p->caps_unknown.v[i]);
	free(p->caps_unknown.v);
	*p = (struct ctr_process){ 0 };
}

void ctr_config_free(struct ctr_config *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->mounts.n; i++)
		free(c->mounts.v[i].data);
	ctr_unfill(ctr_fields_config, c);
	for (unsigned i = 0; i < c->process.caps_unknown.n; i++)
		free(c->process.caps_unknown.v[i]);
	free(c->process.caps_unknown.v);
	free(c->text);
	free(c->file);
	free(c);
}

int ctr_process_parse(const char *text, size_t n, const char *name, struct ctr_process *out, struct rs_err *err)
{
	struct ctr_parse p = parse_begin(text, n, name, err);
	int rc;

	p.caps_unknown = &out->caps_unknown;
	out->set = true;
	rc = parse(&p, ctr_fields_process, out);
	if (rc == 0)
		rc = ctr_process_check(&p, out);
	rs_str_release(&p.path);
	return rc;
}

int ctr_resources_parse(const char *text, size_t n, const char *name, struct ctr_resources *r, struct rs_err *err)
{
	struct ctr_parse p = parse_begin(text, n, name, err);
	struct json_object *o = ctr_config_json(&p);
	int rc = -EINVAL;

	if (o) {
		rc = ctr_take_resources(&p, o, r);
		json_object_put(o);
	}
	if (rc == 0)
		rc = ctr_resources_check(r, err);
	rs_str_release(&p.path);
	return rc;
}
