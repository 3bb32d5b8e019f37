/* Frames of the recording file. */
#include "engine/recfile.h"

#include <errno.h>

/* A nibble at a time: 64 bytes of table, and fast enough for a file that a person waits for. */
static const uint32_t crc_nibble[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
	0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
	0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t rec_crc32(uint32_t crc, const void *data, size_t n)
{
	const unsigned char *p = data;

	crc = ~crc;
	while (n--) {
		crc ^= *p++;
		crc = crc >> 4 ^ crc_nibble[crc & 15];
		crc = crc >> 4 ^ crc_nibble[crc & 15];
	}
	return ~crc;
}

void rec_head_put(const struct rec_head *h, unsigned char out[REC_HEAD_SIZE])
{
	rec_put32(out, h->type);
	rec_put32(out + 4, h->length);
	rec_put64(out + 8, h->time);
	rec_put32(out + 16, h->body_crc);
	rec_put32(out + 20, rec_crc32(0, out, 20));
}

int rec_head_get(struct rec_head *h, const unsigned char in[REC_HEAD_SIZE])
{
	if (rec_get32(in + 20) != rec_crc32(0, in, 20))
		return -EBADMSG;
	h->type = rec_get32(in);
	h->length = rec_get32(in + 4);
	h->time = rec_get64(in + 8);
	h->body_crc = rec_get32(in + 16);
	return 0;
}
