/* The recording file: what record.c writes and replay.c reads. Private to those two.
 *
 *   8 bytes magic, then frames. All numbers are little-endian.
 *   frame   u32 type, u32 length of the body, u64 ns since the session began,
 *           u32 CRC-32 of the body, u32 CRC-32 of the 20 bytes before; then the body
 *
 *   HEAD      first: text lines "kind N NAME ARG:GROUP x4", "group NAME VALUE...",
 *             "counter FIRST LENGTH NAME": what the numbers of this file mean
 *   LESSON    second: the lesson's folder name, NUL, bytes of lesson.yaml
 *   STEP      u32 step chosen
 *   BEGIN     a run begins
 *   FILE      a workspace file of this run: name, NUL, bytes
 *   EVENTS    struct rs_event records
 *   COUNTERS  u64 each
 *   GUESS     i64: the student's prediction
 *   PHASE     u32 enum eng_phase, i32 error code, u64 events lost, then one NUL-terminated
 *             sentence a language
 *   END       the session was closed in order
 *
 * A file that stops in the middle of a frame was cut off and is good up to there. A frame whose
 * CRC is wrong was damaged.
 */
#ifndef ENGINE_RECFILE_H
#define ENGINE_RECFILE_H

#include <stddef.h>
#include <stdint.h>

#define REC_MAGIC "RSREC1\r\n"
#define REC_MAGIC_SIZE 8
#define REC_HEAD_SIZE 24
#define REC_BODY_MAX (16u << 20)
#define REC_SOURCE_GROUP "source"

enum rec_type {
	REC_HEAD = 1,
	REC_LESSON,
	REC_STEP,
	REC_BEGIN,
	REC_FILE,
	REC_EVENTS,
	REC_COUNTERS,
	REC_GUESS,
	REC_PHASE,
	REC_END,
};

struct rec_head {
	uint32_t type, length;
	uint64_t time;
	uint32_t body_crc;
};
void rec_head_put(const struct rec_head *h, unsigned char out[REC_HEAD_SIZE]);
int rec_head_get(struct rec_head *h, const unsigned char in[REC_HEAD_SIZE]); /* 0 or -EBADMSG */

/* CRC-32 (IEEE 802.3, as zlib's); crc 0 to begin. */
uint32_t rec_crc32(uint32_t crc, const void *data, size_t n);

static inline void rec_put32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}
static inline void rec_put64(unsigned char *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}
static inline uint32_t rec_get32(const unsigned char *p)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}
static inline uint64_t rec_get64(const unsigned char *p)
{
	return rec_get32(p) | (uint64_t)rec_get32(p + 4) << 32;
}

#endif
