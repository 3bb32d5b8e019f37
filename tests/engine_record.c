/* Recordings: what is recorded comes back, what is cut off comes back up to there, what is damaged
 * is refused with its place. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sched.h>
#include <time.h>
#include <sys/wait.h>
#include <signal.h>

#include "engine/recfile.h"
#include "engine/session.h"
#include "tests/engine_fake.h"

static struct fake fake;
static char rec[100];

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake_home(&fake);
	snprintf(rec, sizeof(rec), "%s/run.rec", fake.home);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_done(&fake);
	return 0;
}

static int exec_script(const struct eng_exec *x, struct rs_err *err)
{
	uint64_t off = 0;

	(void)err;
	for (unsigned i = 0; i < 600; i++)
		rs_emit(x->em, RS_EV_CPU_RING, RS_SRC_STEP, 0, i % 2 ? 0 : 3, i % 2 ? 3 : 0,
			i % 2 ? RS_VIA_IRET : RS_VIA_INT, i, "text \xe8\x99\x9b");
	rs_emit_out(x->em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &off, "hello\n", 6);
	rs_count(x->em, RS_CTR_VM_EXITS + 2, 5);
	rs_count(x->em, RS_CTR_CPU_RING_CROSSINGS + 3, 77);
	rs_emit(x->em, RS_EV_VM_END, RS_SRC_MONITOR, 0, RS_OUT_DEBUG_EXIT, 7, 0x1000, 3, NULL);
	return 0;
}

static const char steps[] =
	"  - id: a\n    text: {en: x, zh-TW: x}\n    run: {vm: {image: image.bin}}\n"
	"    checks:\n"
	"      - {id: three, points: 2, expect: 'count(cpu.ring where to == 0) == 300'}\n"
	"      - {id: four, points: 1, expect: 'count(cpu.ring where to == 0) == 4'}\n"
	"      - {id: out, points: 1, expect: 'output(serial) == \"hello\\n\"'}\n"
	"      - {id: ctr, points: 1, expect: 'counter(vm.exits, io) == 5'}\n"
	"      - {id: file, points: 1, expect: 'file(\"note.txt\") == \"secret\"'}\n"
	"      - {id: nofile, points: 1, expect: 'file(\"none.txt\") == \"x\"'}\n"
	"  - id: b\n    text: {en: x, zh-TW: x}\n"
	"    predict: {ask: {en: q, zh-TW: q}, answer: 'code()'}\n";

/* One result as text, to compare. */
static void describe(struct eng_session *s, struct rs_str *out)
{
	for (unsigned i = 0; i < eng_session_lesson(s)->steps; i++) {
		const struct eng_evidence *e = eng_session_evidence(s, i);
		const struct eng_prediction *p = eng_session_prediction(s, i);
		unsigned n;
		struct eng_check_result *r = eng_session_results(s, i, &n);

		rs_str_addf(out, "step %u: ran %d ended %d lost %llu events %zu serial [%s]\n", i, e->ran,
			    e->ended, (unsigned long long)e->lost, e->events,
			    e->out[RS_STREAM_SERIAL].p ? e->out[RS_STREAM_SERIAL].p : "");
		for (size_t k = 0; k < e->events; k++) {
			char line[300];

			rs_str_addf(out, "%llu %llu %s\n", (unsigned long long)e->event[k].seq,
				    (unsigned long long)e->event[k].time,
				    rs_event_format(&e->event[k], line, sizeof(line)));
		}
		for (unsigned k = 0; k < RS_CTR_TOTAL; k++)
			if (e->counters.v[k])
				rs_str_addf(out, "counter %u = %llu\n", k,
					    (unsigned long long)e->counters.v[k]);
		for (unsigned k = 0; k < n; k++)
			rs_str_addf(out, "check %s: %d %u [%s] [%s] [%s]\n", r[k].check->id, r[k].verdict,
				    r[k].points, r[k].found.p, r[k].note.p, r[k].why.text[1]);
		rs_str_addf(out, "prediction %d %lld %d %lld %d\n", p->made, (long long)p->guess,
			    p->known, (long long)p->actual, p->right);
	}
	rs_str_addf(out, "at step %u, phase %d, error [%s] [%s]\n", eng_session_step(s),
		    eng_session_phase(s), eng_session_error(s)->text[0], eng_session_error(s)->text[1]);
}

/* Records a session and describes it. */
static void record(struct rs_str *live, int (*exec)(const struct eng_exec *x, struct rs_err *err))
{
	struct rs_err err = RS_ERR_INIT;

	fake_lesson(&fake, steps, exec);
	fake_write(&fake, "note.txt", "secret");
	fake_write(&fake, "guest.S", "\n");
	struct eng_session_opts o = { .lesson = fake.lesson, .workspace = fake.work,
				      .full = RS_FULL_BLOCK, .record = rec };
	struct eng_session *s = eng_session_new(&o, &err);

	if (!s)
		fail_msg("%s", err.text[0]);
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(eng_session_run(s, false, &err), 0);
		eng_session_wait(s);
	}
	assert_int_equal(eng_session_goto(s, 1, &err), 0);
	assert_int_equal(eng_session_predict(s, 7, &err), 0);
	assert_int_equal(eng_session_run(s, false, &err), 0);
	eng_session_wait(s);
	assert_null(eng_session_record_error(s));
	if (live)
		describe(s, live);
	eng_session_free(s);
}

static struct eng_session *replay(struct rs_err *err)
{
	return eng_session_replay(rec, 0, err);
}

static void round_trip_of(int (*exec)(const struct eng_exec *x, struct rs_err *err))
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str live = RS_STR_INIT;
	rs_auto_str played = RS_STR_INIT;

	record(&live, exec);
	/* the workspace is gone, as on another machine */
	assert_int_equal(rs_rmtree(fake.work, NULL), 0);
	struct eng_session *s = replay(&err);

	if (!s)
		fail_msg("%s", err.text[0]);
	assert_true(eng_session_is_replay(s));
	assert_string_equal(eng_session_workspace(s), "");
	assert_int_equal(eng_session_run(s, false, &err), -EROFS);
	eng_session_wait(s);
	assert_true(eng_session_replay_done(s));
	assert_null(eng_session_record_error(s));
	describe(s, &played);
	assert_string_equal(live.p, played.p);
	assert_string_equal(eng_session_lesson(s)->id, "fake-lesson");
	eng_session_free(s);
}

static void round_trip(void **state)
{
	(void)state;
	round_trip_of(exec_script);
}

static int exec_fails(const struct eng_exec *x, struct rs_err *err)
{
	rs_emit(x->em, RS_EV_CPU_RING, RS_SRC_STEP, 0, 3, 0, RS_VIA_INT, 0, NULL);
	return rs_err_set(err, -ENOENT, "no such thing as %s", "/dev/kvm");
}

static void failure_round_trip(void **state)
{
	(void)state;
	round_trip_of(exec_fails);
}

static struct rs_str slurp(void)
{
	struct rs_str s = RS_STR_INIT;

	assert_int_equal(rs_file_read(rec, 100u << 20, &s, NULL), 0);
	return s;
}

static void spill(const char *p, size_t n)
{
	FILE *f = fopen(rec, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

/* Opens and plays; returns 0 when it played, else the error's code. Never crashes. */
static int play(struct rs_err *note)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_session *s = replay(&err);

	if (note)
		*note = (struct rs_err)RS_ERR_INIT;
	if (!s) {
		assert_int_not_equal(err.code, 0);
		assert_true(strlen(err.text[0]) > 10);
		if (note)
			*note = err;
		return err.code;
	}
	eng_session_wait(s);
	if (note && eng_session_record_error(s))
		*note = *eng_session_record_error(s);
	eng_session_free(s);
	return 0;
}

static void truncated(void **state)
{
	struct rs_err note;
	size_t at = REC_MAGIC_SIZE, frames = 0;

	(void)state;
	record(NULL, exec_script);
	struct rs_str all = slurp();

	/* at every frame's end, and in the middle of each */
	while (at < all.len) {
		size_t size = REC_HEAD_SIZE + rec_get32((unsigned char *)all.p + at + 4);

		spill(all.p, at);
		int rc = play(&note);

		assert_int_equal(rc, frames < 2 ? -EBADMSG : 0);
		assert_non_null(strstr(note.text[0], "ends at byte"));
		for (int k = 0; k < 3; k++) {
			size_t cut = at + 1 + (size_t)random() % (size - 1);

			spill(all.p, cut);
			rc = play(&note);
			assert_int_equal(rc, frames < 2 ? -EBADMSG : 0);
			if (frames >= 2) {
				char where[40];

				snprintf(where, sizeof(where), "byte %zu of %zu", at, cut);
				assert_non_null(strstr(note.text[0], where));
			}
		}
		at += size;
		frames++;
	}
	assert_true(frames > 20);
	spill(all.p, 4);
	assert_int_equal(play(&note), -EINVAL);
	spill(all.p, 0);
	assert_int_equal(play(&note), -EINVAL);
	rs_str_release(&all);
}

static void flipped_bits(void **state)
{
	struct rs_err note;

	(void)state;
	record(NULL, exec_script);
	struct rs_str all = slurp();

	for (int i = 0; i < 400; i++) {
		size_t at = REC_MAGIC_SIZE + (size_t)random() % (all.len - REC_MAGIC_SIZE);
		char bit = (char)(1 << random() % 8);

		all.p[at] ^= bit;
		spill(all.p, all.len);
		assert_int_equal(play(&note), -EBADMSG);
		assert_non_null(strstr(note.text[0], "damaged at byte"));
		assert_true(strtoull(strstr(note.text[0], "byte ") + 5, NULL, 10) <= at);
		all.p[at] ^= bit;
	}
	all.p[0] ^= 1;
	spill(all.p, all.len);
	assert_int_equal(play(&note), -EINVAL);
	rs_str_release(&all);
}

/* Frames that are whole but lie. */
static void add_frame(struct rs_str *s, enum rec_type type, const void *body, size_t n)
{
	struct rec_head h = { type, (uint32_t)n, 0, rec_crc32(0, body, n) };
	unsigned char head[REC_HEAD_SIZE];

	rec_head_put(&h, head);
	rs_str_addn(s, head, sizeof(head));
	rs_str_addn(s, body, n);
}

static void lying_frames(void **state)
{
	struct rs_event ev[3] = { { .kind = 60000 }, { .kind = RS_EV_OUT_DATA, .arg = { 99, 0, 4000 } },
				  { .kind = RS_EV_STATE_BLOCK, .arg = { 0, 0, 1 << 20, 5000 } } };
	unsigned char b[64] = { 0xff, 0xff, 0xff, 0xff };

	(void)state;
	record(NULL, exec_script);
	struct rs_str all = slurp();
	size_t lesson = REC_MAGIC_SIZE;

	for (int i = 0; i < 2; i++)
		lesson += REC_HEAD_SIZE + rec_get32((unsigned char *)all.p + lesson + 4);
	static const struct {
		enum rec_type type;
		size_t n;
		int rc;
	} v[] = { { REC_STEP, 4, -EBADMSG }, { REC_STEP, 3, -EBADMSG }, { REC_STEP, 0, -EBADMSG },
		  { REC_GUESS, 7, -EBADMSG }, { REC_EVENTS, 64, -EBADMSG }, { REC_COUNTERS, 9, -EBADMSG },
		  { REC_PHASE, 20, -EBADMSG }, { REC_PHASE, 4, -EBADMSG }, { REC_FILE, 4, -EBADMSG },
		  { (enum rec_type)77, 20, 0 }, { REC_HEAD, 20, 0 }, { REC_COUNTERS, 64, 0 } };

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		rs_auto_str s = RS_STR_INIT;

		rs_str_addn(&s, all.p, lesson);
		add_frame(&s, v[i].type, b, v[i].n);
		spill(s.p, s.len);
		if (play(NULL) != v[i].rc)
			fail_msg("frame type %d of %zu bytes", v[i].type, v[i].n);
	}
	rs_auto_str s = RS_STR_INIT;

	rs_str_addn(&s, all.p, lesson);
	add_frame(&s, REC_EVENTS, ev, sizeof(ev));
	spill(s.p, s.len);
	struct rs_err err = RS_ERR_INIT;
	struct eng_session *p = replay(&err);

	assert_non_null(p);
	eng_session_wait(p);
	assert_int_equal(eng_session_evidence(p, 0)->events, 0);
	eng_session_free(p);
	rs_str_release(&all);
}

/* The tables' numbers may change between versions: names count. */
static void survives_renumbering(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	record(NULL, exec_script);
	struct rs_str all = slurp();
	size_t head = REC_MAGIC_SIZE;
	size_t head_n = rec_get32((unsigned char *)all.p + head + 4);
	rs_auto_str text = RS_STR_INIT;
	rs_auto_str s = RS_STR_INIT;

	/* an older version that had `via` and `rip` the other way round, and named cpu.ring's `to`
	 * something else */
	rs_str_addn(&text, all.p + head + REC_HEAD_SIZE, head_n);
	char *row = strstr(text.p, " cpu.ring ");

	assert_non_null(row);
	assert_memory_equal(row, " cpu.ring from:- to:- via:via rip:-", 35);
	memcpy(row, " cpu.ring rip:- ab:- via:via from:-", 35);
	rs_str_addn(&s, all.p, REC_MAGIC_SIZE);
	add_frame(&s, REC_HEAD, text.p, text.len);
	rs_str_addn(&s, all.p + head + REC_HEAD_SIZE + head_n,
		    all.len - head - REC_HEAD_SIZE - head_n);
	spill(s.p, s.len);
	struct eng_session *p = replay(&err);

	assert_non_null(p);
	eng_session_wait(p);
	const struct eng_evidence *e = eng_session_evidence(p, 0);
	bool seen = false;

	for (size_t i = 0; i < e->events; i++) {
		const struct rs_event *ev = &e->event[i];

		if (ev->kind != RS_EV_CPU_RING || seen)
			continue;
		seen = true;
		/* it was from 3, to 0, via int, rip 0 */
		assert_int_equal(ev->arg[3], 3);
		assert_int_equal(ev->arg[1], 0);
		assert_int_equal(ev->arg[2], RS_VIA_INT);
		assert_int_equal(ev->arg[0], 0);
	}
	assert_true(seen);
	eng_session_free(p);
	rs_str_release(&all);
}

static void crc_is_the_usual_one(void **state)
{
	(void)state;
	assert_int_equal(rec_crc32(0, "123456789", 9), 0xcbf43926); /* the check value of CRC-32 */
}

static void paced(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct timespec a, b;

	(void)state;
	record(NULL, exec_script);
	struct eng_session *s = eng_session_replay(rec, 1, &err);

	clock_gettime(CLOCK_MONOTONIC, &a);
	eng_session_wait(s);
	clock_gettime(CLOCK_MONOTONIC, &b);
	double t = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;

	assert_true(t < 10);
	eng_session_free(s);
	/* held: nothing moves, nothing wakes */
	s = eng_session_replay(rec, 1, &err);
	assert_int_equal(eng_session_pause(s), 0);
	int fds[4], timeout = -1;

	assert_int_equal(eng_session_pollfds(s, fds, &timeout), 0);
	assert_int_equal(timeout, -1);
	assert_false(eng_session_pump(s));
	assert_int_equal(eng_session_resume(s), 0);
	eng_session_wait(s);
	assert_true(eng_session_replay_done(s));
	eng_session_free(s);
}

/* The disk fills while it records: the run goes on, the file stays whole, one sentence says so. */
static void full_disk(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	int status;
	pid_t pid;

	(void)state;
	fake_lesson(&fake, steps, exec_script);
	fake_write(&fake, "note.txt", "secret");
	pid = fork();
	if (pid == 0) {
		char dir[100];

		snprintf(dir, sizeof(dir), "%s/small", fake.home);
		mkdir(dir, 0700);
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", dir, "tmpfs", 0, "size=32k") < 0)
			_exit(77);
		snprintf(rec, sizeof(rec), "%s/small/run.rec", fake.home);
		struct eng_session_opts o = { .lesson = fake.lesson, .workspace = fake.work,
					      .full = RS_FULL_BLOCK, .record = rec };
		struct eng_session *s = eng_session_new(&o, &err);

		if (!s)
			_exit(1);
		eng_session_run(s, false, &err);
		eng_session_wait(s);
		unsigned n;

		if (eng_session_results(s, 0, &n)[0].verdict != ENG_PASS)
			_exit(2);
		const struct rs_err *e = eng_session_record_error(s);

		if (!e || !strstr(e->text[0], "cannot be written any further"))
			_exit(3);
		eng_session_free(s);
		struct rs_err note;

		_exit(play(&note) == 0 ? 0 : 4);
	}
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void cannot_be_made(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	fake_lesson(&fake, steps, exec_script);
	struct eng_session_opts o = { .lesson = fake.lesson, .workspace = fake.work,
				      .record = "/nowhere/run.rec" };

	assert_null(eng_session_new(&o, &err));
	assert_int_equal(err.code, -ENOENT);
	assert_null(eng_session_replay("/nowhere/run.rec", 0, &err));
	assert_int_equal(err.code, -ENOENT);
	assert_null(eng_session_replay("/dev/zero", 0, &err));
	assert_null(eng_session_replay("/tmp", 0, &err));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(crc_is_the_usual_one), T(round_trip), T(failure_round_trip), T(truncated),
		T(flipped_bits), T(lying_frames), T(survives_renumbering), T(paced), T(full_disk),
		T(cannot_be_made),
	};

	return cmocka_run_group_tests_name("engine_record", tests, NULL, NULL);
}
