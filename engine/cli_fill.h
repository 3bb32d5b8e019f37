/* Paragraphs to a width, for help texts and plain mode. */
#ifndef ENGINE_CLI_FILL_H
#define ENGINE_CLI_FILL_H

#include "engine/base/str.h"

/* Adds `text` to out, each line at most `width` columns and behind `indent` spaces; `first` (may be
 * NULL) stands before the first line instead of as many columns of the indent. When `first` fills
 * the indent and does not end with a space, the text begins on the next line. Newlines in text are
 * spaces; an empty line starts a paragraph; a paragraph whose lines begin with a space keeps its
 * lines. Ends with a newline. Bytes that would command a terminal come out as eng_add_clean has it. */
void eng_fill(struct rs_str *out, const char *text, const char *first, int indent, int width);

/* Adds n bytes of one line: control characters and bytes that are no UTF-8 become \xNN, so that no
 * guest, compiler or file name commands the terminal. A tab stays. */
void eng_add_clean(struct rs_str *out, const char *s, size_t n);

#endif
