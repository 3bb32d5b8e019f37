/* Sequences: ECMA-48 5.4 (CSI), xterm's ctlseqs (modifiers "1;5A", mouse mode 1006, bracketed
 * paste 2004, colour report OSC 11), and what terminfo adds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/str.h"
#include "tui/keys.h"

static const struct {
	const char *name, *label;
	int key;
} names[] = {
	{ "Tab", "Tab", TUI_K_TAB },          { "Enter", "Enter", TUI_K_ENTER },
	{ "Esc", "Esc", TUI_K_ESC },          { "Backspace", "Backspace", TUI_K_BACKSPACE },
	{ "Space", "Space", ' ' },            { "Up", "↑", TUI_K_UP },
	{ "Down", "↓", TUI_K_DOWN },          { "Left", "←", TUI_K_LEFT },
	{ "Right", "→", TUI_K_RIGHT },        { "Home", "Home", TUI_K_HOME },
	{ "End", "End", TUI_K_END },          { "PgUp", "PgUp", TUI_K_PGUP },
	{ "PgDn", "PgDn", TUI_K_PGDN },       { "Insert", "Ins", TUI_K_INSERT },
	{ "Delete", "Del", TUI_K_DELETE },    { "S-Tab", "Shift-Tab", TUI_K_BACKTAB },
};

int tui_key_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, name))
			return names[i].key;
	if (!strncmp(name, "C-", 2) && name[2] >= 'a' && name[2] <= 'z' && !name[3])
		return TUI_K_CTRL | name[2];
	if (name[0] == 'F' && name[1] >= '1' && name[1] <= '9') {
		int n = atoi(name + 1);
		return n <= 12 ? TUI_K_F1 + n - 1 : -1;
	}
	uint32_t cp;
	size_t n = strlen(name);
	if (n && (size_t)rs_utf8_decode(name, n, &cp) == n)
		return (int)cp;
	return -1;
}

const char *tui_key_label(int key, char *buf, size_t size)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].key == key) {
			snprintf(buf, size, "%s", names[i].label);
			return buf;
		}
	if (key & TUI_K_CTRL)
		snprintf(buf, size, "Ctrl-%c", (key & 0x7f) - 'a' + 'A');
	else if (key >= TUI_K_F1 && key <= TUI_K_F12)
		snprintf(buf, size, "F%d", key - TUI_K_F1 + 1);
	else
		snprintf(buf, size, "%c", key < 0x7f ? key : '?');
	return buf;
}

size_t tui_decoder_room(const struct tui_decoder *d)
{
	return sizeof(d->buf) - d->len;
}

void tui_decoder_feed(struct tui_decoder *d, const void *bytes, size_t n)
{
	if (n > tui_decoder_room(d))
		n = tui_decoder_room(d);
	memcpy(d->buf + d->len, bytes, n);
	d->len += n;
}

bool tui_decoder_pending(const struct tui_decoder *d)
{
	return d->len > 0;
}

enum { MORE = -1, NOTHING = 0 }; /* of a parser: needs more bytes; else bytes taken */

static void key_of(struct tui_input *in, int key)
{
	in->type = TUI_IN_KEY;
	in->key = key;
}

static int csi_final(char final, int p0)
{
	switch (final) {
	case 'A': return TUI_K_UP;
	case 'B': return TUI_K_DOWN;
	case 'C': return TUI_K_RIGHT;
	case 'D': return TUI_K_LEFT;
	case 'H': return TUI_K_HOME;
	case 'F': return TUI_K_END;
	case 'Z': return TUI_K_BACKTAB;
	case 'M': return TUI_K_ENTER; /* keypad, application mode */
	case 'P': case 'Q': case 'R': case 'S': return TUI_K_F1 + (final - 'P');
	case '~': break;
	default: return TUI_K_NONE;
	}
	switch (p0) {
	case 1: case 7: return TUI_K_HOME;
	case 2: return TUI_K_INSERT;
	case 3: return TUI_K_DELETE;
	case 4: case 8: return TUI_K_END;
	case 5: return TUI_K_PGUP;
	case 6: return TUI_K_PGDN;
	case 11: case 12: case 13: case 14: case 15: return TUI_K_F1 + p0 - 11;
	case 17: case 18: case 19: case 20: case 21: return TUI_K_F1 + p0 - 12;
	case 23: case 24: return TUI_K_F1 + p0 - 13;
	default: return TUI_K_NONE;
	}
}

/* ESC [ < button ; x ; y M or m */
static void mouse_of(const int *p, int n, char final, struct tui_input *in)
{
	if (n < 3 || final != 'M')
		return; /* a release says nothing new */
	int b = p[0] & ~(4 | 8 | 16); /* shift, meta, control */
	if (b & 32)
		return; /* motion */
	if (b == 64 || b == 65)
		in->mouse = b == 64 ? TUI_MOUSE_WHEEL_UP : TUI_MOUSE_WHEEL_DOWN;
	else if (b == 0)
		in->mouse = TUI_MOUSE_PRESS;
	else
		return;
	in->type = TUI_IN_MOUSE;
	in->x = p[1] - 1;
	in->y = p[2] - 1;
}

/* After ESC [ . Returns bytes of the whole sequence or MORE. */
static int csi(struct tui_decoder *d, struct tui_input *in)
{
	int p[4] = { 0 }, n = 0;
	size_t i = 2;
	char lead = 0;
	bool digits = false;
	if (i < d->len && d->buf[i] >= '<' && d->buf[i] <= '?')
		lead = (char)d->buf[i++];
	if (i < d->len && d->buf[i] == '[') /* the Linux console's F1..F5: ESC [ [ A */
		i++, lead = '[';
	for (; i < d->len; i++) {
		unsigned char c = d->buf[i];
		if (c >= '0' && c <= '9') {
			digits = true;
			if (n < 4 && p[n] < 100000)
				p[n] = p[n] * 10 + (c - '0');
		} else if (c == ';' || c == ':') {
			n++;
		} else if (c >= 0x20 && c < 0x40) {
			continue; /* an intermediate byte */
		} else {
			break;
		}
	}
	if (i >= d->len)
		return MORE;
	unsigned char final = d->buf[i];
	if (final < 0x40 || final > 0x7e)
		return (int)i; /* broken: give the byte back to the plain decoder */
	int count = n + (digits || n ? 1 : 0);
	if (count > 4)
		count = 4;
	if (lead == '<') {
		mouse_of(p, count, (char)final, in);
	} else if (lead == '[') {
		key_of(in, final >= 'A' && final <= 'E' ? TUI_K_F1 + final - 'A' : TUI_K_NONE);
	} else if (!lead && final == '~' && (p[0] == 200 || p[0] == 201)) {
		d->pasting = p[0] == 200;
	} else if (!lead) {
		int key = csi_final((char)final, p[0]);
		int mod = count > 1 && p[1] > 0 ? p[1] - 1 : 0;
		if (key && (mod & 4))
			key |= TUI_K_CTRL;
		if (key && (mod & 2))
			key |= TUI_K_ALT;
		key_of(in, key);
	}
	return (int)i + 1;
}

/* ESC ] ... BEL or ESC \ : an answer. Only the background's colour is of interest:
 * 11;rgb:RRRR/GGGG/BBBB */
static int osc(struct tui_decoder *d, struct tui_input *in)
{
	size_t i = 2;
	while (i < d->len && d->buf[i] != 7 && d->buf[i] != 0x1b)
		i++;
	if (i >= d->len || (d->buf[i] == 0x1b && i + 1 >= d->len))
		return d->len >= sizeof(d->buf) ? (int)d->len : MORE;
	char text[64];
	size_t n = i - 2 < sizeof(text) - 1 ? i - 2 : sizeof(text) - 1;
	memcpy(text, d->buf + 2, n);
	text[n] = 0;
	char r[5], g[5], b[5];
	if (sscanf(text, "11;rgb:%4[0-9a-fA-F]/%4[0-9a-fA-F]/%4[0-9a-fA-F]", r, g, b) == 3) {
		/* 1 to 4 digits each; the leading two decide */
		long v[3] = { strtol(r, NULL, 16), strtol(g, NULL, 16), strtol(b, NULL, 16) };
		const char *s[3] = { r, g, b };
		for (int k = 0; k < 3; k++)
			v[k] = v[k] * 255 / ((1l << 4 * (long)strlen(s[k])) - 1);
		in->type = TUI_IN_BACKGROUND;
		in->light = 299 * v[0] + 587 * v[1] + 114 * v[2] > 128000;
	}
	return (int)i + (d->buf[i] == 7 ? 1 : 2);
}

/* Sequences of the terminal's description that xterm's grammar does not cover. */
static int described(const struct tui_decoder *d, struct tui_input *in)
{
	int best = NOTHING;
	for (const struct tui_keyseq *s = d->seq; s && s->seq; s++) {
		size_t n = strlen(s->seq);
		if (n > 1 && n <= d->len && (int)n > best && !memcmp(s->seq, d->buf, n)) {
			best = (int)n;
			key_of(in, s->key);
		}
	}
	return best;
}

static int plain(struct tui_decoder *d, bool flush, struct tui_input *in)
{
	unsigned char c = d->buf[0];
	if (c == '\n')
		c = '\r';
	if (c == '\b')
		c = TUI_K_BACKSPACE;
	if (c == '\t' || c == '\r' || c == TUI_K_ESC || (c >= 0x20 && c < 0x80)) {
		key_of(in, c);
		return 1;
	}
	if (c < 0x20) {
		key_of(in, c == 0 ? TUI_K_CTRL | ' ' : TUI_K_CTRL | (c + 'a' - 1));
		return 1;
	}
	uint32_t cp;
	size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	if (d->len < need && !flush)
		return MORE;
	int n = rs_utf8_decode((const char *)d->buf, d->len, &cp);
	key_of(in, cp == 0xfffd ? TUI_K_NONE : (int)cp);
	return n;
}

static int escape(struct tui_decoder *d, bool flush, struct tui_input *in)
{
	int n = described(d, in);
	if (n > 0)
		return n;
	if (d->len == 1)
		return flush ? plain(d, flush, in) : MORE;
	if (d->buf[1] == '[')
		n = csi(d, in);
	else if (d->buf[1] == ']')
		n = osc(d, in);
	else if (d->buf[1] == 'O') {
		if (d->len < 3) {
			n = MORE;
		} else {
			key_of(in, csi_final((char)d->buf[2], 0));
			n = 3;
		}
	} else if (d->buf[1] == 0x1b) {
		key_of(in, TUI_K_ESC); /* Esc Esc: the first one was a key of its own */
		return 1;
	} else {
		/* Alt and a character */
		struct tui_decoder rest = { .len = d->len - 1 };
		memcpy(rest.buf, d->buf + 1, rest.len);
		n = plain(&rest, flush, in);
		if (n > 0) {
			in->key |= in->key ? TUI_K_ALT : 0;
			n++;
		}
	}
	if (n == MORE && flush) {
		/* ESC and then nothing that makes a sequence: the key Esc, the rest is typed text */
		memset(in, 0, sizeof(*in));
		key_of(in, TUI_K_ESC);
		n = 1;
	}
	return n;
}

bool tui_decoder_next(struct tui_decoder *d, bool flush, struct tui_input *in)
{
	while (d->len) {
		memset(in, 0, sizeof(*in));
		if (d->len == sizeof(d->buf))
			flush = true; /* no sequence is that long */
		int n = d->buf[0] == 0x1b ? escape(d, flush, in) : plain(d, flush, in);
		if (n == MORE)
			return false;
		in->pasted = d->pasting;
		memmove(d->buf, d->buf + n, d->len - (size_t)n);
		d->len -= (size_t)n;
		if (in->type != TUI_IN_KEY || in->key != TUI_K_NONE)
			return true;
	}
	return false;
}
