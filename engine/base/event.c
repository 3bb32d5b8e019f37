/* The kinds of events, made from events.def, and an event as one line of text. */
#include "engine/base/event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/str.h"

enum { LOW, HIGH };

static const struct rs_kind_info kinds[RS_KIND_COUNT] = {
#define RS_A(n, u) { #n, RS_UNIT_##u }
#define RS_NONE { NULL, RS_UNIT_NONE }
#define RS_EVENT(id, name, rate, a0, a1, a2, a3, sentence)                                         \
	[RS_EV_##id] = { name, rate, { a0, a1, a2, a3 }, sentence },
#include "engine/base/events.def"
};

static const char *const names[RS_KIND_COUNT + 1] = {
#define RS_A(n, u)
#define RS_NONE
#define RS_EVENT(id, name, rate, a0, a1, a2, a3, sentence) [RS_EV_##id] = name,
#include "engine/base/events.def"
};

const struct rs_kind_info *rs_kind_info(unsigned kind)
{
	static const struct rs_kind_info unknown = {
		.name = "?",
		.sentence = N_("A kind of event that this version does not know."),
	};

	return kind < RS_KIND_COUNT ? &kinds[kind] : &unknown;
}

int rs_kind_by_name(const char *name)
{
	for (int i = 0; i < RS_KIND_COUNT; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return i;
	return -ENOENT;
}

const char *const *rs_kind_names(void)
{
	return names;
}

/* Text in quotes; what is no printable UTF-8 becomes \n or \xHH, so that a line stays one line
 * and no terminal obeys it. */
static void add_quoted(struct rs_str *s, const char *text, size_t n)
{
	uint32_t cp;

	rs_str_addc(s, '"');
	for (int len; n; text += len, n -= (size_t)len) {
		len = rs_utf8_decode(text, n, &cp);
		if (cp == '\n')
			rs_str_add(s, "\\n");
		else if (cp == '"' || cp == '\\')
			rs_str_addf(s, "\\%c", (int)cp);
		else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp == 0xfffd && len == 1))
			rs_str_addf(s, "\\x%02x", (unsigned)(unsigned char)text[len - 1]);
		else
			rs_str_addn(s, text, (size_t)len);
	}
	rs_str_addc(s, '"');
}

#define NOT_RAW UINT64_MAX

/* How many bytes of text a kind with raw bytes says it has. */
static uint64_t raw_length(const struct rs_event *ev)
{
	uint64_t n;

	if (ev->kind == RS_EV_OUT_DATA)
		n = ev->arg[2];
	else if (ev->kind == RS_EV_STATE_BLOCK)
		n = ev->arg[3];
	else
		return NOT_RAW;
	return n < NOT_RAW ? n : NOT_RAW - 1;
}

const char *rs_event_format(const struct rs_event *ev, char *buf, size_t size)
{
	const struct rs_kind_info *info = rs_kind_info(ev->kind);
	size_t n = strnlen(ev->text, RS_TEXT_SIZE);
	rs_auto_str s = RS_STR_INIT;
	char value[64];

	if (!size)
		return buf;
	rs_str_add(&s, info->name);
	for (int i = 0; i < 4 && info->arg[i].name; i++)
		rs_str_addf(&s, " %s=%s", info->arg[i].name,
			    rs_unit_format(info->arg[i].unit, ev->arg[i], value, sizeof(value)));
	if (ev->kind == RS_EV_STATE_BLOCK)
		n = 0; /* nothing to read */
	else if (raw_length(ev) != NOT_RAW)
		n = raw_length(ev) < RS_TEXT_SIZE ? (size_t)raw_length(ev) : RS_TEXT_SIZE;
	if (n) {
		rs_str_addc(&s, ' ');
		add_quoted(&s, ev->text, n);
	}
	n = rs_utf8_fit(s.p, s.len, size - 1);
	memcpy(buf, s.p, n);
	buf[n] = '\0';
	return buf;
}

/* Text becomes what event.h promises: terminated, valid UTF-8, nothing that a terminal would obey,
 * zero behind the end. */
static void clean_text(char *text)
{
	size_t n = strnlen(text, RS_TEXT_SIZE - 1);
	uint32_t cp;

	memset(text + n, 0, RS_TEXT_SIZE - n);
	for (int len; (len = rs_utf8_decode(text, n, &cp)) > 0; text += len, n -= (size_t)len) {
		if (cp == '\n' || cp == '\t')
			continue;
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp == 0xfffd && len == 1))
			memset(text, '?', (size_t)len);
	}
}

/* Values of a group index tables further on, so one out of range is not let in. Exit reasons are
 * open: the kernel may be newer than the table. */
static bool group_value_ok(enum rs_unit unit, uint64_t value)
{
	switch (unit) {
#define RS_X(g) case RS_UNIT_##g:
	RS_ENUM_GROUPS(RS_X)
#undef RS_X
		return rs_unit_value_name(unit, value) != NULL;
	default:
		return true;
	}
}

bool rs_event_check(struct rs_event *ev)
{
	const struct rs_kind_info *info = rs_kind_info(ev->kind);
	uint64_t raw = raw_length(ev);

	if (ev->kind >= RS_KIND_COUNT || !group_value_ok(RS_UNIT_source, ev->source))
		return false;
	for (int i = 0; i < 4 && info->arg[i].name; i++)
		if (!group_value_ok(info->arg[i].unit, ev->arg[i]))
			return false;
	if (ev->kind == RS_EV_CPU_RING && (ev->arg[0] > 3 || ev->arg[1] > 3))
		return false; /* rings index tables, too */
	if (raw == NOT_RAW) {
		clean_text(ev->text);
		return true;
	}
	if (raw > RS_TEXT_SIZE)
		return false;
	memset(ev->text + raw, 0, RS_TEXT_SIZE - raw);
	return true;
}
