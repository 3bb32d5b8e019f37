/* The recording reader against arbitrary bytes. Seeds come from tests/engine_record's kind of file;
 * half of the inputs get their CRCs put right, so that what lies behind them is reached too. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/eng.h"
#include "engine/recfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char lesson[] =
	"folder\0schema: ringside/lesson/v1\nid: fuzz\ntitle: {en: T, zh-TW: T}\n"
	"summary: {en: S, zh-TW: S}\ntrack: rings\nminutes: 1\nfiles: {starter: [image.bin]}\nsteps:\n"
	"  - id: a\n    text: {en: x, zh-TW: x}\n"
	"    run: {vm: {image: image.bin}}\n"
	"    checks:\n"
	"      - {id: c, points: 1, expect: 'count(cpu.ring where to == 0) == 3'}\n"
	"      - {id: d, points: 1, expect: 'file(\"image.bin\") == output(serial)'}\n"
	"  - id: b\n    text: {en: x, zh-TW: x}\n"
	"    predict: {ask: {en: q, zh-TW: q}, answer: 'code()'}\n";

static size_t frame(unsigned char *out, unsigned type, const void *body, size_t n)
{
	struct rec_head h = { type, (uint32_t)n, 0, rec_crc32(0, body, n) };

	rec_head_put(&h, out);
	memcpy(out + REC_HEAD_SIZE, body, n);
	return REC_HEAD_SIZE + n;
}

/* Plays the bytes as a file. False: refused. */
static bool play(const unsigned char *data, size_t n)
{
	struct rs_err err = RS_ERR_INIT;
	char path[64];
	int fd = memfd_create("fuzz", 0);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct eng_session *s = eng_session_replay(path, 0, &err);

	if (s) {
		eng_session_wait(s);
		eng_session_free(s);
	} else if (!err.code || !err.text[0][0]) {
		abort(); /* refused without a sentence */
	}
	close(fd);
	return s != NULL; /* only whether there was one */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char kinds[] =
		"kind 0 cpu.ring from:- to:- via:via rip:-\n"
		"kind 1 out.data stream:stream offset:- len:- -:-\n"
		"kind 2 state.block block:block offset:- total:- len:-\n"
		"kind 3 vm.end outcome:outcome code:- rip:- exits:-\n"
		"group via reset syscall int iret\ngroup stream serial debug\n"
		"group outcome halted debug-exit\ngroup source engine exit step\ngroup block regs\n"
		"counter 0 64 vm.exits\n";
	static unsigned char buf[1 << 20];
	static bool sound;
	size_t n = REC_MAGIC_SIZE;

	if (size < 2)
		return 0;
	memcpy(buf, REC_MAGIC, REC_MAGIC_SIZE);
	if (!sound) {
		/* The frames around the input must be good, or nothing behind them is ever reached. */
		n += frame(buf + n, REC_HEAD, kinds, sizeof(kinds) - 1);
		n += frame(buf + n, REC_LESSON, lesson, sizeof(lesson) - 1);
		sound = play(buf, n);
		if (!sound)
			abort();
		n = REC_MAGIC_SIZE;
	}
	switch (data[0] % 3) {
	case 0: /* anything at all */
		play(data + 1, size - 1);
		return 0;
	case 1: /* anything as the vocabulary */
		n += frame(buf + n, REC_HEAD, data + 1, size - 1 < 4096 ? size - 1 : 4096);
		n += frame(buf + n, REC_LESSON, lesson, sizeof(lesson) - 1);
		break;
	default: /* a sound start, then frames made of the input: type, length, body */
		n += frame(buf + n, REC_HEAD, kinds, sizeof(kinds) - 1);
		n += frame(buf + n, REC_LESSON, lesson, sizeof(lesson) - 1);
		for (size_t i = 1; i + 2 < size && n + 70000 < sizeof(buf);) {
			size_t len = data[i + 1] * (data[i] & 0x80 ? 128u : 4u);

			if (len > size - i - 2)
				len = size - i - 2;
			n += frame(buf + n, (data[i] & 0x7f) % 12, data + i + 2, len);
			i += 2 + len;
		}
	}
	play(buf, n);
	return 0;
}
