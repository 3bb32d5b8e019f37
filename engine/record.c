/* The recorder: a sink of the session's stream, and its other ears, write a recording (recfile.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/recfile.h"
#include "engine/session.h"

#define BATCH 256u

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "events are written as they are in memory");

struct eng_recorder {
	struct rs_sink sink;     /* first: the bus hands it back */
	struct eng_session *session;
	int fd;
	char *path;
	off_t good;              /* bytes of whole frames */
	struct rs_event batch[BATCH];
	unsigned n;
	struct rs_err err;       /* code != 0: nothing is written any more */
};

static void frame(struct eng_recorder *r, enum rec_type type, const void *body, size_t n)
{
	unsigned char head[REC_HEAD_SIZE];
	struct rec_head h = { type, (uint32_t)n, eng_now() - r->session->born, rec_crc32(0, body, n) };
	struct iovec v[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)body, n } };

	if (r->err.code || n > REC_BODY_MAX)
		return;
	rec_head_put(&h, head);
	ssize_t w = writev(r->fd, v, 2);

	if (w == (ssize_t)(sizeof(head) + n)) {
		r->good += w;
		return;
	}
	rs_err_errno(&r->err, w < 0 ? errno : ENOSPC, "the recording %s cannot be written any further",
		     r->path);
	/* Whole frames only, so that what there is stays readable. */
	if (ftruncate(r->fd, r->good) < 0)
		return;
}

static void put_batch(struct eng_recorder *r)
{
	if (r->n)
		frame(r, REC_EVENTS, r->batch, r->n * sizeof(r->batch[0]));
	r->n = 0;
}

/* Marks stand in order with the events around them. */
static void mark(struct eng_recorder *r, enum rec_type type, const void *body, size_t n)
{
	put_batch(r);
	frame(r, type, body, n);
}

static void on_event(struct rs_sink *self, const struct rs_event *ev)
{
	struct eng_recorder *r = (struct eng_recorder *)self;

	r->batch[r->n++] = *ev;
	if (r->n == BATCH)
		put_batch(r);
}

static void on_counters(struct rs_sink *self, const struct rs_counters *c, uint64_t time_ns)
{
	struct eng_recorder *r = (struct eng_recorder *)self;

	(void)time_ns;
	mark(r, REC_COUNTERS, c->v, sizeof(c->v));
}

static const struct {
	enum rs_unit unit;
	const char *name;
} groups[] = {
#define RS_X(g) { RS_UNIT_##g, #g },
	RS_ENUM_GROUPS(RS_X)
#undef RS_X
};

static const char *group_name(enum rs_unit unit)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (groups[i].unit == unit)
			return groups[i].name;
	return "-";
}

static void put_head(struct eng_recorder *r)
{
	rs_auto_str t = RS_STR_INIT;

	for (unsigned k = 0; k < RS_KIND_COUNT; k++) {
		const struct rs_kind_info *info = rs_kind_info(k);

		rs_str_addf(&t, "kind %u %s", k, info->name);
		for (int a = 0; a < 4; a++)
			rs_str_addf(&t, " %s:%s", info->arg[a].name ? info->arg[a].name : "-",
				    group_name(info->arg[a].unit));
		rs_str_addc(&t, '\n');
	}
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		rs_str_addf(&t, "group %s", groups[i].name);
		for (const char *const *v = rs_unit_value_names(groups[i].unit); v && *v; v++)
			rs_str_addf(&t, " %s", *v);
		rs_str_addc(&t, '\n');
	}
	for (unsigned i = 0; i < rs_counter_info_count; i++)
		rs_str_addf(&t, "counter %u %u %s\n", rs_counter_infos[i].first,
			    rs_counter_infos[i].len, rs_counter_infos[i].name);
	frame(r, REC_HEAD, t.p, t.len);
}

struct eng_recorder *eng_recorder_new(struct eng_session *s, const char *path, struct rs_err *err)
{
	const struct eng_lesson *l = s->lesson;
	struct eng_recorder *r = rs_xcalloc(1, sizeof(*r));
	rs_auto_str lesson = RS_STR_INIT;

	r->session = s;
	r->path = rs_xstrdup(path);
	r->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (r->fd < 0 || write(r->fd, REC_MAGIC, REC_MAGIC_SIZE) != REC_MAGIC_SIZE) {
		rs_err_errno(err, errno, "the recording %s cannot be written", path);
		eng_recorder_free(r);
		return NULL;
	}
	r->good = REC_MAGIC_SIZE;
	put_head(r);
	rs_str_add(&lesson, l->folder ? l->folder : l->id);
	rs_str_addc(&lesson, '\0');
	rs_str_addn(&lesson, l->yaml.p, l->yaml.len);
	frame(r, REC_LESSON, lesson.p, lesson.len);
	if (r->err.code) {
		*err = r->err;
		eng_recorder_free(r);
		return NULL;
	}
	r->sink.event = on_event;
	r->sink.counters = on_counters;
	rs_bus_attach(&s->bus, &r->sink);
	return r;
}

void eng_recorder_free(struct eng_recorder *r)
{
	if (!r)
		return;
	if (r->sink.event) {
		mark(r, REC_END, NULL, 0);
		rs_bus_detach(&r->session->bus, &r->sink);
	}
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	free(r);
}

const struct rs_err *eng_recorder_error(const struct eng_recorder *r)
{
	return r && r->err.code ? &r->err : NULL;
}

void eng_recorder_flush(struct eng_recorder *r)
{
	if (r)
		put_batch(r);
}

void eng_recorder_step(struct eng_recorder *r, unsigned step)
{
	unsigned char b[4];

	if (!r)
		return;
	rec_put32(b, step);
	mark(r, REC_STEP, b, sizeof(b));
}

void eng_recorder_begin(struct eng_recorder *r)
{
	if (r)
		mark(r, REC_BEGIN, NULL, 0);
}

void eng_recorder_file(struct eng_recorder *r, const char *name, const struct rs_str *data)
{
	rs_auto_str b = RS_STR_INIT;

	if (!r)
		return;
	rs_str_addn(&b, name, strlen(name) + 1);
	rs_str_addn(&b, data->p, data->len);
	mark(r, REC_FILE, b.p, b.len);
}

void eng_recorder_guess(struct eng_recorder *r, int64_t guess)
{
	unsigned char b[8];

	if (!r)
		return;
	rec_put64(b, (uint64_t)guess);
	mark(r, REC_GUESS, b, sizeof(b));
}

void eng_recorder_phase(struct eng_recorder *r, enum eng_phase p, const struct rs_err *err,
			uint64_t lost)
{
	unsigned char b[16];
	rs_auto_str t = RS_STR_INIT;

	if (!r)
		return;
	rec_put32(b, p);
	rec_put32(b + 4, (uint32_t)(err ? err->code : 0));
	rec_put64(b + 8, lost);
	rs_str_addn(&t, b, sizeof(b));
	for (int l = 0; l < RS_LANGS; l++) {
		const char *text = err ? err->text[l] : "";

		rs_str_addn(&t, text, strlen(text) + 1);
	}
	mark(r, REC_PHASE, t.p, t.len);
}
