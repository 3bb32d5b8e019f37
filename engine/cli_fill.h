/* Paragraphs to a width, for help texts and plain mode. */
#ifndef ENGINE_CLI_FILL_H
#define ENGINE_CLI_FILL_H

#include "engine/base/str.h"

/* Adds `text` to out, each line at most `width` columns and behind `indent` spaces; `first` (may be
 * NULL) stands before the first line instead of as many columns of the indent. Lines break at
 * spaces and between wide characters, never before closing or behind opening punctuation. Newlines
 * in text are spaces; an empty line starts a paragraph; a paragraph whose lines begin with a space
 * keeps its lines. Ends with a newline unless text is empty. */
void eng_fill(struct rs_str *out, const char *text, const char *first, int indent, int width);

/* The small Markdown of lessons as plain text: paragraphs and list items filled, ``` fences kept and
 * set off by four columns, **bold** without its stars, `code` as it is written. */
void eng_fill_markdown(struct rs_str *out, const char *text, int indent, int width);

#endif
