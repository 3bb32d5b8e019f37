/* The consumer of a channel against a producer that writes whatever it likes into the shared memory,
 * and the parsers of what people type. The input is a list of writes: a 16-bit word offset and eight
 * bytes, with a read of the ring after each eighth one. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/base/channel.h"
#include "engine/base/lang.h"
#include "engine/base/shm.h"
#include "engine/base/state.h"
#include "engine/base/str.h"

#define SLOTS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct rs_channel *ch)
{
	static struct rs_state_assembler a;
	struct rs_event ev[SLOTS];
	char line[300];
	unsigned n = rs_channel_read(ch, ev, SLOTS);

	for (unsigned i = 0; i < n; i++) {
		rs_event_format(&ev[i], line, sizeof(line));
		if (ev[i].kind >= RS_KIND_COUNT || rs_utf8_check(line, strlen(line)) >= 0)
			abort();
		if (rs_state_feed(&a, &ev[i]) > RS_STATE_MAX)
			abort();
	}
}

static void ring(const uint8_t *data, size_t size)
{
	struct rs_err err;
	struct rs_channel *ch = rs_channel_new(SLOTS, RS_FULL_BLOCK, &err);
	size_t bytes = rs_shm_size(SLOTS);
	unsigned char *mem;
	unsigned step = 0;

	if (!ch)
		abort();
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rs_channel_fd(ch), 0);
	if (mem == MAP_FAILED)
		abort();
	for (; size >= 10; data += 10, size -= 10, step++) {
		size_t at = (size_t)(data[0] | data[1] << 8) * 8 % (bytes - 8);

		memcpy(mem + at, data + 2, 8);
		if (step % 8 == 7)
			read_all(ch);
	}
	read_all(ch);
	rs_channel_sleep(ch);
	rs_channel_producer_died(ch);
	read_all(ch);
	read_all(ch);
	munmap(mem, bytes);
	rs_channel_free(ch);
}

static void words(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "title", "vm.exit", "user-pages", NULL };
	char *s = rs_xmalloc(size + 1);
	enum rs_lang lang;
	uint64_t v;

	memcpy(s, data, size);
	s[size] = '\0';
	rs_parse_size(s, &v);
	rs_parse_duration(s, &v);
	rs_did_you_mean(s, names);
	rs_lang_parse(s, &lang);
	rs_format_matches(s, s);
	rs_format_matches("%s %d", s);
	if (rs_utf8_width(s, size) < 0)
		abort();
	for (size_t max = 0; max <= size && max < 100; max++)
		if (rs_utf8_fit(s, size, max) > max)
			abort();
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2)
		ring(data + 1, size - 1);
	else
		words(data + 1, size - 1);
	return 0;
}
