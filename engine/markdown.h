/* What markdown.c and markdown_layout.c share: how characters stand together. */
#ifndef ENGINE_MARKDOWN_H
#define ENGINE_MARKDOWN_H

#include "engine/eng.h"

/* Do the end of `a` (n bytes) and the start of `b`, two source lines, join without a blank? */
bool eng_md_joins(const char *a, size_t n, const char *b);
/* May a line end between the characters a and b (neither a blank)? */
bool eng_md_may_break(uint32_t a, uint32_t b);

/* Makes room for one more element in an array of n that only grows: its capacity is the next power
 * of two. */
#define ENG_MD_GROW(array, n)                                                                      \
	do {                                                                                       \
		if (!((n) & ((n) - 1)))                                                            \
			(array) = rs_xrealloc((array), (n) ? 2 * (size_t)(n) : 1, sizeof(*(array))); \
	} while (0)

#endif
