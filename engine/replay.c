/* A session that plays a recording: frames drive the same functions that a live run drives.
 *
 * The whole file is proved before the first frame is played (lengths, CRCs, the lesson), so what
 * is damaged is refused in one piece. A file that was cut off plays up to its last whole frame.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/lesson.h"
#include "engine/recfile.h"
#include "engine/recvocab.h"
#include "engine/session.h"

#define EVENTS_A_PUMP 4096u
#define GAP_MAX 2000000000ull /* ns: a longer silence (the student was reading) is cut to this */

struct eng_replay {
	int fd;
	char *path;
	off_t at, end;            /* next frame; end of the last whole frame */
	struct rec_vocab *vocab;
	double speed;
	uint64_t clock;           /* recorded time that has been reached, in ns */
	uint64_t last;            /* eng_now() when clock was moved */
	bool held, done;
	bool have;                /* `next` and `body` hold the frame at `at` */
	struct rec_head next;
	unsigned char *body;
	struct rs_err note;       /* code != 0: it was cut off */
};

void eng_replay_free(struct eng_replay *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	rec_vocab_free(r->vocab);
	free(r->path);
	free(r->body);
	free(r);
}

/* ---- reading ---- */

static ssize_t read_at(int fd, void *buf, size_t n, off_t at)
{
	size_t got = 0;

	while (got < n) {
		ssize_t k = pread(fd, (char *)buf + got, n - got, at + (off_t)got);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}

static int damaged(const struct eng_replay *r, struct rs_err *err)
{
	return rs_err_at(err, -EBADMSG, r->path, 0, 0, "the recording is damaged at byte %llu",
			 (unsigned long long)r->at);
}

/* The frame at r->at. 1; 0 when the file ends here or in its middle; -EBADMSG. */
static int load(struct eng_replay *r, off_t size, struct rs_err *err)
{
	unsigned char head[REC_HEAD_SIZE];

	if (read_at(r->fd, head, sizeof(head), r->at) < (ssize_t)sizeof(head))
		return 0;
	if (rec_head_get(&r->next, head) < 0 || r->next.length > REC_BODY_MAX)
		return damaged(r, err);
	if ((uint64_t)(size - r->at) < REC_HEAD_SIZE + (uint64_t)r->next.length)
		return 0;
	r->body = rs_xrealloc(r->body, (size_t)r->next.length + 1, 1);
	if (read_at(r->fd, r->body, r->next.length, r->at + REC_HEAD_SIZE) < (ssize_t)r->next.length)
		return 0;
	if (rec_crc32(0, r->body, r->next.length) != r->next.body_crc)
		return damaged(r, err);
	r->body[r->next.length] = '\0';
	return 1;
}

static off_t frame_size(const struct rec_head *h)
{
	return REC_HEAD_SIZE + (off_t)h->length;
}

/* A body's text up to its first NUL, which must be there. */
static bool has_nul(const unsigned char *p, size_t n)
{
	return memchr(p, '\0', n) != NULL;
}

static bool whole_texts(const unsigned char *p, size_t n, unsigned texts)
{
	while (texts--) {
		const unsigned char *nul = memchr(p, '\0', n);

		if (!nul)
			return false;
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
	return true;
}

/* Is the body what its type promises? Unknown types are a later version's, and are passed over. */
static bool body_ok(const struct eng_replay *r, const struct eng_lesson *l)
{
	size_t n = r->next.length;

	switch (r->next.type) {
	case REC_STEP:
		return n == 4 && rec_get32(r->body) < l->steps;
	case REC_FILE:
		return has_nul(r->body, n);
	case REC_EVENTS:
		return n % sizeof(struct rs_event) == 0;
	case REC_COUNTERS:
		return n % 8 == 0;
	case REC_GUESS:
		return n == 8;
	case REC_PHASE:
		return n > 16 && rec_get32(r->body) <= ENG_FAILED &&
		       whole_texts(r->body + 16, n - 16, 1);
	default:
		return true;
	}
}

static int open_file(struct eng_replay *r, off_t *size, struct rs_err *err)
{
	char magic[REC_MAGIC_SIZE];
	struct stat st;

	r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->fd < 0 || fstat(r->fd, &st) < 0)
		return rs_err_errno(err, errno, "the recording %s cannot be opened", r->path);
	if (!S_ISREG(st.st_mode))
		return rs_err_at(err, -EINVAL, r->path, 0, 0, "this is not a regular file");
	if (read_at(r->fd, magic, sizeof(magic), 0) < REC_MAGIC_SIZE ||
	    memcmp(magic, REC_MAGIC, REC_MAGIC_SIZE) != 0)
		return rs_err_at(err, -EINVAL, r->path, 0, 0,
				 "this is not a recording of the lab, or of a version that this one "
				 "cannot read");
	*size = st.st_size;
	return 0;
}

/* The two frames that everything else needs. */
static struct eng_lesson *load_lesson(struct eng_replay *r, off_t size, struct rs_err *err)
{
	int rc = load(r, size, err);

	if (rc > 0 && r->next.type == REC_HEAD) {
		r->vocab = rec_vocab_new((char *)r->body, r->next.length);
		if (!r->vocab) {
			damaged(r, err);
			return NULL;
		}
		r->at += frame_size(&r->next);
		rc = load(r, size, err);
	}
	if (rc < 0)
		return NULL;
	if (rc == 0 || !r->vocab) {
		rs_err_at(err, -EBADMSG, r->path, 0, 0,
			  "the recording ends at byte %llu, before its lesson begins",
			  (unsigned long long)size);
		return NULL;
	}
	if (r->next.type != REC_LESSON || !has_nul(r->body, r->next.length)) {
		damaged(r, err);
		return NULL;
	}
	size_t name = strlen((char *)r->body) + 1;
	rs_auto_free char *place = rs_xasprintf("%s:lesson.yaml", r->path);

	r->at += frame_size(&r->next);
	struct eng_lesson *l = eng_lesson_parse((char *)r->body + name, r->next.length - name, place, NULL,
						err);

	/* Bytes that anybody may have written; a name that is none has no number. */
	if (l)
		eng_lesson_name(l, eng_file_name_ok((char *)r->body) ? (char *)r->body : "");
	return l;
}

/* Walks all frames once. Sets r->end. */
static int prove(struct eng_replay *r, const struct eng_lesson *l, off_t size, struct rs_err *err)
{
	off_t begin = r->at;
	bool ended = false;
	int rc;

	while ((rc = load(r, size, err)) > 0) {
		if (!body_ok(r, l))
			return damaged(r, err);
		ended = r->next.type == REC_END;
		r->at += frame_size(&r->next);
	}
	if (rc < 0)
		return rc;
	r->end = r->at;
	if (r->end != size)
		rs_err_at(&r->note, -EBADMSG, r->path, 0, 0,
			  "the recording was cut off: it is whole up to byte %llu of %llu",
			  (unsigned long long)r->end, (unsigned long long)size);
	else if (!ended)
		rs_err_at(&r->note, -EBADMSG, r->path, 0, 0,
			  "the recording ends at byte %llu without its end mark: the lab that wrote it "
			  "was killed, or is still writing", (unsigned long long)r->end);
	r->at = begin;
	return 0;
}

struct eng_session *eng_session_replay(const char *path, double speed, struct rs_err *err)
{
	struct eng_replay *r = rs_xcalloc(1, sizeof(*r));
	struct eng_lesson *l = NULL;
	off_t size = 0;

	r->fd = -1;
	r->path = rs_xstrdup(path);
	r->speed = speed;
	if (open_file(r, &size, err) == 0) {
		r->at = REC_MAGIC_SIZE;
		l = load_lesson(r, size, err);
	}
	if (!l || l->steps == 0 || prove(r, l, size, err) < 0) {
		eng_lesson_free(l);
		eng_replay_free(r);
		return NULL;
	}
	struct eng_session *s = session_alloc(l);

	s->own_lesson = l;
	s->rp = r;
	r->last = eng_now();
	return s;
}

/* ---- playing ---- */

static unsigned play_events(struct eng_session *s)
{
	struct eng_replay *r = s->rp;
	size_t n = r->next.length / sizeof(struct rs_event);

	for (size_t i = 0; i < n; i++) {
		struct rs_event ev;

		memcpy(&ev, r->body + i * sizeof(ev), sizeof(ev));
		if (rec_vocab_event(r->vocab, &ev))
			session_take(s, &ev);
	}
	return (unsigned)n;
}

static void play_phase(struct eng_session *s)
{
	struct eng_replay *r = s->rp;
	enum eng_phase p = (enum eng_phase)rec_get32(r->body);
	struct rs_err why = { .code = (int)rec_get32(r->body + 4) };
	const char *text = (char *)r->body + 16, *stop = (char *)r->body + r->next.length;

	if (p != ENG_ENDED && p != ENG_FAILED) {
		if (p == ENG_IDLE)
			eng_evidence_clear(&session_state(s)->evidence);
		session_phase(s, p);
		return;
	}
	for (int l = 0; l < RS_LANGS && text < stop; l++) {
		snprintf(why.text[l], sizeof(why.text[l]), "%s", text);
		text += strlen(text) + 1;
	}
	if (why.code >= 0 || why.code < -4095)
		why.code = -EIO;
	session_state(s)->evidence.lost = rec_get64(r->body + 8);
	session_end(s, p == ENG_FAILED ? &why : NULL);
}

static unsigned play(struct eng_session *s)
{
	struct eng_replay *r = s->rp;
	struct rs_counters c;
	size_t name;

	if (!body_ok(r, s->lesson))
		return 1; /* the file is another one than was proved */
	switch (r->next.type) {
	case REC_STEP:
		session_set_step(s, rec_get32(r->body));
		break;
	case REC_BEGIN:
		session_begin(s);
		session_state(s)->evidence.ran = true;
		break;
	case REC_FILE:
		name = strlen((char *)r->body) + 1;
		(void)eng_keep_put(&s->files, (char *)r->body, r->body + name, r->next.length - name);
		break;
	case REC_EVENTS:
		return play_events(s);
	case REC_COUNTERS:
		rec_vocab_counters(r->vocab, r->body, r->next.length, &c);
		session_counters_in(s, &c);
		break;
	case REC_GUESS:
		session_state(s)->prediction = (struct eng_prediction){
			.made = true, .guess = (int64_t)rec_get64(r->body)
		};
		break;
	case REC_PHASE:
		play_phase(s);
		break;
	default:
		break;
	}
	return 1;
}

/* Moves the recorded clock by the time that passed here. */
static void run_clock(struct eng_replay *r)
{
	uint64_t now = eng_now();

	if (!r->held && r->speed > 0)
		r->clock += (uint64_t)((double)(now - r->last) * r->speed);
	r->last = now;
}

/* Makes the next frame ready. False at the end. */
static bool peek(struct eng_replay *r)
{
	if (!r->have && r->at < r->end) {
		/* Proved before; a file that changed since is as good as ended. */
		if (load(r, r->end, NULL) <= 0)
			r->end = r->at;
		else
			r->have = true;
		if (r->have && r->next.time > r->clock + GAP_MAX)
			r->clock = r->next.time - GAP_MAX;
	}
	return r->have;
}

bool eng_replay_pump(struct eng_session *s)
{
	struct eng_replay *r = s->rp;
	unsigned played = 0;

	run_clock(r);
	if (r->held || r->done)
		return false;
	while (played < EVENTS_A_PUMP && peek(r)) {
		if (r->speed > 0 && r->next.time > r->clock)
			return played > 0;
		r->have = false;
		r->at += frame_size(&r->next);
		played += play(s);
	}
	if (!peek(r)) {
		r->done = true;
		return true;
	}
	return played > 0;
}

bool eng_replay_done(const struct eng_replay *r)
{
	return r->done;
}

void eng_session_replay_speed(struct eng_session *s, double speed)
{
	if (!s->rp)
		return;
	run_clock(s->rp);
	s->rp->speed = speed;
}

void eng_replay_hold(struct eng_replay *r, bool hold)
{
	run_clock(r);
	r->held = hold;
}

const struct rs_err *eng_replay_note(const struct eng_replay *r)
{
	return r->note.code ? &r->note : NULL;
}

void eng_replay_timeout(const struct eng_replay *r, int *timeout_ms)
{
	int ms = 0;

	if (r->held || r->done)
		return;
	if (r->speed > 0 && r->have) {
		uint64_t clock = r->clock + (uint64_t)((double)(eng_now() - r->last) * r->speed);

		if (r->next.time > clock) {
			double wait = (double)(r->next.time - clock) / r->speed / 1e6 + 1;

			ms = wait > 60000 ? 60000 : (int)wait;
		}
	}
	if (*timeout_ms < 0 || ms < *timeout_ms)
		*timeout_ms = ms;
}
