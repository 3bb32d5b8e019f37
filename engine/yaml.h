/* YAML as the lab reads it: one document of maps with text keys, lists and scalars; no anchors,
 * aliases, tags or merge keys. Every node knows its place. Private to engine/.
 */
#ifndef ENGINE_YAML_H
#define ENGINE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/err.h"

#define ENG_YAML_MAX (1u << 20)   /* bytes of a document */
#define ENG_YAML_DEPTH_MAX 24
#define ENG_YAML_NODES_MAX 20000

enum eng_node_type { ENG_NODE_SCALAR, ENG_NODE_LIST, ENG_NODE_MAP };

struct eng_node {
	enum eng_node_type type;
	int line, col;            /* of its first character, 1-based; col counts characters */
	/* SCALAR */
	char *s;                  /* its text, terminated; holds no NUL */
	size_t n;
	bool quoted;              /* in quotes or a block: text, whatever it looks like */
	int text_line, text_col;  /* of the first character of the text itself */
	/* LIST: item[i]. MAP: key[i] (a scalar) and item[i], in the order of the file. */
	struct eng_node **key, **item;
	unsigned items;
};

/* Parses a document; `name` stands in errors. NULL and the first mistake at its place. The caller
 * frees. */
struct eng_node *eng_yaml_parse(const char *text, size_t n, const char *name, struct rs_err *err);
void eng_node_free(struct eng_node *n); /* NULL is fine */
/* The value of a key of a map, or NULL. *key (may be NULL) gets the key's node. */
const struct eng_node *eng_node_get(const struct eng_node *map, const char *name,
				    const struct eng_node **key);

/* What YAML 1.1 makes of a scalar without quotes. Other programs that read the file see a number or
 * a truth value where the writer may have meant text. */
enum eng_plain { ENG_PLAIN_TEXT, ENG_PLAIN_NULL, ENG_PLAIN_BOOL, ENG_PLAIN_NUMBER, ENG_PLAIN_DATE };
enum eng_plain eng_yaml_plain(const char *s);

/* The place in the file of the byte `at` of a scalar's text, also where the scalar runs over
 * several lines; `text`, `size` is the document it came from. */
void eng_node_place(const struct eng_node *n, const char *text, size_t size, size_t at, int *line,
		    int *col);

#endif
