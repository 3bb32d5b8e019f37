/* What the numbers of a recording mean, so that it outlives a renumbering of the tables: kinds,
 * arguments, named values and counters are found by name. Private to replay.c.
 */
#ifndef ENGINE_RECVOCAB_H
#define ENGINE_RECVOCAB_H

#include <stdbool.h>

#include "engine/base/channel.h"

struct rec_vocab;
/* From the body of a HEAD frame. NULL when it is not one. */
struct rec_vocab *rec_vocab_new(const char *text, size_t n);
void rec_vocab_free(struct rec_vocab *v);
/* Turns a recorded event into one of today's. False: today has no such kind, or it is impossible. */
bool rec_vocab_event(const struct rec_vocab *v, struct rs_event *ev);
/* Turns `n` recorded values into today's counters; those that are gone are left out. */
void rec_vocab_counters(const struct rec_vocab *v, const unsigned char *body, size_t n,
			struct rs_counters *out);

#endif
