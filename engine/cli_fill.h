/* Paragraphs to a width, for help texts and plain mode. */
#ifndef ENGINE_CLI_FILL_H
#define ENGINE_CLI_FILL_H

#include "engine/base/str.h"

/* Adds `text` to out, each line at most `width` columns and behind `indent` spaces; `first` (may be
 * NULL) stands before the first line instead of as many columns of the indent. When `first` fills
 * the indent and does not end with a space, the text begins on the next line. Newlines in text are
 * spaces; an empty line starts a paragraph; a paragraph whose lines begin with a space keeps its
 * lines. Ends with a newline. */
void eng_fill(struct rs_str *out, const char *text, const char *first, int indent, int width);

#endif
