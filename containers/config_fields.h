/* The table of fields of config.json, and the walker that fills structs by it. Private to the
 * config*.c files. */
#ifndef CONTAINERS_CONFIG_FIELDS_H
#define CONTAINERS_CONFIG_FIELDS_H

#include <json-c/json.h>

#include "containers/config.h"

enum ctr_field_kind {
	CTR_F_STR,       /* char * */
	CTR_F_BOOL,      /* bool */
	CTR_F_INT,       /* struct ctr_opt_num, signed within min..max */
	CTR_F_UINT,      /* struct ctr_opt_num, unsigned up to max */
	CTR_F_U64,       /* uint64_t, up to max */
	CTR_F_WORD,      /* uint64_t: the value of one of `words` */
	CTR_F_OPT_WORD,  /* struct ctr_opt_num: the same */
	CTR_F_WORDS,     /* uint64_t: the values of a list of words, or-ed */
	CTR_F_WORD_LIST, /* struct ctr_numbers: the values of a list of words */
	CTR_F_STRINGS,   /* struct ctr_strings */
	CTR_F_NUMBERS,   /* struct ctr_numbers, each up to max */
	CTR_F_CAPS,      /* struct ctr_capset; unknown names go to ctr_process.caps_unknown */
	CTR_F_PAIRS,     /* struct ctr_pairs: an object of strings */
	CTR_F_OBJECT,    /* a struct that lies at `off`, by the fields `sub`; off2: a bool that says it is there */
	CTR_F_LIST,      /* { pointer, unsigned } at off, off2; structs of `size` by the fields `sub` */
	CTR_F_MAP,       /* the same of an object; its keys go to the char * at the struct's beginning */
	CTR_F_RESOURCES, /* struct ctr_resources; off2: as for OBJECT */
	CTR_F_PRESENT,   /* bool: the key is there */
};
struct ctr_field {
	const char *key;
	enum ctr_field_kind kind;
	size_t off, off2, size;
	bool required;
	const struct ctr_word *words;
	const struct ctr_field *sub; /* ends with a NULL key */
	int64_t min;
	uint64_t max;
};
extern const struct ctr_field ctr_fields_config[], ctr_fields_process[];

struct ctr_parse {
	const char *name;     /* of the file, for errors */
	const char *text;
	size_t len;
	struct rs_str path;   /* of the value at hand: "mounts[3].options" */
	int line, col;
	struct ctr_strings *caps_unknown;
	struct rs_err *err;
};
/* An error about the value at hand: the first argument of the format is its path ("%s: ..."). */
#define CTR_BAD(p, fmt, ...)                                                                       \
	(ctr_config_place((p)->text, (p)->len, (p)->path.p, &(p)->line, &(p)->col),                \
	 rs_err_at((p)->err, -EINVAL, (p)->name, (p)->line, (p)->col, fmt,                         \
		   (p)->path.len ? (p)->path.p : "config.json", ##__VA_ARGS__))

/* Appends ".key" or "[index]" to the path; ctr_path_cut takes it off again. */
size_t ctr_path_key(struct ctr_parse *p, const char *key);
size_t ctr_path_index(struct ctr_parse *p, size_t i);
void ctr_path_cut(struct ctr_parse *p, size_t mark);

/* Parses text of n bytes into an object; the caller puts it. NULL: err. */
struct json_object *ctr_config_json(struct ctr_parse *p);
/* Fills `out` from o by the fields. 0 or -EINVAL. */
int ctr_fill(struct ctr_parse *p, struct json_object *o, const struct ctr_field *fields, void *out);
/* Frees what ctr_fill made. */
void ctr_unfill(const struct ctr_field *fields, void *out);
int ctr_take_string(struct ctr_parse *p, struct json_object *o, char **out);
int ctr_take_int(struct ctr_parse *p, struct json_object *o, int64_t min, int64_t max, int64_t *out);
int ctr_take_uint(struct ctr_parse *p, struct json_object *o, uint64_t max, uint64_t *out);
/* config_resources.c */
int ctr_take_resources(struct ctr_parse *p, struct json_object *o, struct ctr_resources *r);

#endif
