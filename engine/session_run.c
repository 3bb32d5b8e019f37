/* The run state machine: build -> run -> drain -> evaluate. Nothing here waits.
 */
#include "engine/session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define MS 1000000ull
#define TIMEOUT_DEFAULT (10000 * MS)
#define RUN_MIN (200 * MS)        /* a run gets at least this, however long the build took */
#define COUNTERS_EVERY (50 * MS)
#define EVENTS_A_PUMP 4096u       /* then the screen gets its turn */
/* A run that says more than evidence can hold is stopped while what is still on its way fits in:
 * nothing is lost, and its checks are judged on a run that had no end. */
#define EVENTS_A_RUN (ENG_EVENTS_MAX - 2 * ENG_EXPERIMENT_SLOTS)

/* ---- what happens, live or replayed ---- */

static bool of_the_lesson(unsigned kind)
{
	return kind == RS_EV_LESSON_STEP || kind == RS_EV_LESSON_PREDICT ||
	       kind == RS_EV_CHECK_RESULT;
}

void session_phase(struct eng_session *s, enum eng_phase p)
{
	struct eng_step_state *st = session_state(s);

	if (st->phase == p)
		return;
	st->phase = p;
	if (p != ENG_ENDED && p != ENG_FAILED)
		eng_recorder_phase(s->rec, p, NULL, 0);
}

void session_begin(struct eng_session *s)
{
	struct eng_step_state *st = session_state(s);

	eng_evidence_clear(&st->evidence);
	st->error = (struct rs_err)RS_ERR_INIT;
	st->prediction.known = false;
	for (unsigned i = 0; i < s->lesson->step[s->step].checks; i++) {
		struct eng_check_result *r = &st->result[i];

		r->verdict = ENG_OPEN;
		r->points = 0;
		r->why = (struct rs_err)RS_ERR_INIT;
		rs_str_clear(&r->wanted);
		rs_str_clear(&r->found);
		rs_str_clear(&r->note);
	}
	memset(&s->counters, 0, sizeof(s->counters));
	eng_keep_release(&s->files);
	s->seq = 0;
	eng_recorder_begin(s->rec);
}

void session_take(struct eng_session *s, const struct rs_event *ev)
{
	if (!of_the_lesson(ev->kind))
		eng_evidence_event(&session_state(s)->evidence, ev);
	rs_bus_event(&s->bus, ev);
}

void session_counters_in(struct eng_session *s, const struct rs_counters *c)
{
	s->counters = *c;
	session_state(s)->evidence.counters = *c;
	rs_bus_counters(&s->bus, c, s->live.t0 ? eng_now() - s->live.t0 : 0);
}

void session_end(struct eng_session *s, const struct rs_err *err)
{
	struct eng_step_state *st = session_state(s);
	const struct eng_step *step = &s->lesson->step[s->step];

	st->phase = err ? ENG_FAILED : ENG_ENDED;
	st->evidence.ended = true;
	if (err) {
		st->error = *err;
		session_unfit(s, err);
	} else {
		session_evaluate(s);
	}
	/* After the evaluation: it may have read files, which the recording must hold first. */
	eng_recorder_phase(s->rec, st->phase, err, st->evidence.lost);
	if (s->rp)
		return; /* the recording has the events */
	if (st->prediction.made && st->prediction.known)
		session_say(s, RS_EV_LESSON_PREDICT, s->step, (uint64_t)st->prediction.guess,
			    (uint64_t)st->prediction.actual, st->prediction.right, step->id);
	for (unsigned i = 0; i < step->checks; i++)
		session_say(s, RS_EV_CHECK_RESULT, st->result[i].verdict == ENG_PASS,
			    st->result[i].points, step->check[i].points, 0, step->check[i].id);
	eng_recorder_flush(s->rec);
}

void session_say(struct eng_session *s, enum rs_kind kind, uint64_t a0, uint64_t a1, uint64_t a2,
		 uint64_t a3, const char *text)
{
	struct rs_event ev = {
		.seq = ++s->seq,
		.time = s->live.t0 ? eng_now() - s->live.t0 : 0,
		.kind = (uint16_t)kind,
		.source = RS_SRC_ENGINE,
		.arg = { a0, a1, a2, a3 },
	};
	size_t n = text ? strlen(text) : 0;

	/* A text that is cut is cut between two characters. */
	if (n >= RS_TEXT_SIZE)
		for (n = RS_TEXT_SIZE - 1; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
			;
	memcpy(ev.text, text ? text : "", n);
	session_take(s, &ev);
}

/* ---- jobs ---- */

static void on_event(void *session, struct rs_event *ev)
{
	struct eng_session *s = session;
	struct eng_live *l = &s->live;

	/* A build is no experiment to its student; it has events of its own. */
	if (l->job == ENG_JOB_BUILD && (ev->kind == RS_EV_EXP_START || ev->kind == RS_EV_EXP_EXIT))
		return;
	ev->seq = ++s->seq;
	ev->time += l->job_t0 - l->t0;
	if (ev->kind == RS_EV_VM_END || ev->kind == RS_EV_EMU_END || ev->kind == RS_EV_BOX_END)
		l->end_seen = true;
	session_take(s, ev);
	if (l->job != ENG_JOB_RUN)
		return;
	if (ev->kind == RS_EV_EXP_PAUSED) {
		if (!l->paused_at)
			l->paused_at = eng_now();
		session_phase(s, ENG_PAUSED);
	} else if (ev->kind == RS_EV_EXP_RESUMED) {
		/* The step's time does not run while the student looks around. */
		if (l->paused_at)
			l->deadline += eng_now() - l->paused_at;
		l->paused_at = 0;
		session_phase(s, ENG_RUNNING);
	}
}

static int run_main(void *arg, struct eng_child *c, struct rs_err *err)
{
	struct eng_live *l = arg;
	struct eng_exec x = l->exec;

	c->sandbox = x.run->kind->sandbox;
	x.em = &c->em;
	x.control_fd = c->control_fd;
	x.seal = eng_child_seal;
	x.seal_arg = c;
	return x.run->kind->exec(&x, err);
}

static int start_job(struct eng_session *s, enum eng_job job, struct rs_err *err)
{
	struct eng_live *l = &s->live;
	bool want[RS_KIND_COUNT];
	uint64_t seconds = (l->exec.timeout_ns + 999 * MS) / (1000 * MS);
	struct eng_experiment_opts o = {
		.full = s->full,
		.want = want,
		.journal = s->journal,
		.event = on_event,
		.event_arg = s,
	};

	session_wants(s, want);
	if (job == ENG_JOB_BUILD) {
		o.name = "build";
		o.main = eng_build_main;
		o.arg = &l->build;
		o.limits = eng_build_limits;
		o.slots = 1024; /* it has a handful of events, and a student waits for the key */
		o.out = o.err = RS_STREAM_BUILD;
	} else {
		o.name = l->run->kind->name;
		o.main = run_main;
		o.arg = l;
		o.out = RS_STREAM_STDOUT;
		o.err = RS_STREAM_STDERR;
		o.limits = l->run->kind->limits;
		/* A monitor and its virtual CPUs may each keep a processor busy for the whole run. */
		o.limits.cpu_seconds = 4 * seconds + 10;
	}
	l->job = job;
	l->job_t0 = eng_now();
	l->exp = eng_experiment_start(&o, err);
	if (!l->exp)
		return err->code ? err->code : -EIO;
	l->counters_at = eng_now() + COUNTERS_EVERY;
	session_phase(s, job == ENG_JOB_BUILD ? ENG_BUILDING : ENG_RUNNING);
	return 0;
}

static int start_run(struct eng_session *s, struct rs_err *err)
{
	struct eng_live *l = &s->live;
	uint64_t now = eng_now();
	uint64_t left = l->deadline > now + RUN_MIN ? l->deadline - now : RUN_MIN;

	l->exec = (struct eng_exec){
		.run = l->run,
		.image = l->image,
		.workspace = s->workspace,
		.engine = s->engine && eng_kind_has_engine(l->run->kind, s->engine) ? s->engine : NULL,
		.timeout_ns = left,
		.start_paused = l->start_paused,
		.watched = s->views_matter,
		.control_fd = -1,
	};
	/* The monitor's own watchdog comes first: it can say where the guest was. */
	l->deadline = now + left + SESSION_PATIENCE;
	session_state(s)->evidence.ran = true;
	return start_job(s, ENG_JOB_RUN, err);
}

/* Ends it if it lives. What a child that was killed could not take away is swept at once. */
static void end_experiment(struct eng_session *s)
{
	struct eng_live *l = &s->live;
	bool sweep = l->exp && l->job == ENG_JOB_RUN && l->run->kind->journals;

	eng_experiment_free(l->exp);
	l->exp = NULL;
	if (sweep)
		eng_sweep(NULL);
}

static void clear_live(struct eng_session *s)
{
	end_experiment(s);
	free(s->live.image);
	s->live = (struct eng_live){ .job = ENG_JOB_NONE };
}

void session_kill(struct eng_session *s)
{
	struct eng_step_state *st = session_state(s);

	if (s->live.job == ENG_JOB_NONE)
		return;
	clear_live(s);
	eng_evidence_clear(&st->evidence);
	session_phase(s, ENG_IDLE);
}

/* Files that only the lesson may write are as the lesson has them, in every run. */
static int restore_readonly(struct eng_session *s, struct rs_err *err)
{
	const struct eng_lesson *l = s->lesson;

	for (unsigned i = 0; l->dir && i < l->readonly.n; i++) {
		rs_auto_str want = RS_STR_INIT, have = RS_STR_INIT;
		const char *name = l->readonly.v[i];
		rs_auto_free char *path = rs_xasprintf("%s/%s", s->workspace, name);
		int rc = eng_file_beneath(l->dir, name, &want);

		if (rc < 0)
			return rs_err_errno(err, -rc, "the lesson's file %s cannot be read", name);
		if (eng_file_beneath(s->workspace, name, &have) == 0 && have.len == want.len &&
		    memcmp(have.p, want.p, want.len) == 0)
			continue;
		rc = eng_file_place(path, want.p, want.len, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void keep_file(struct eng_session *s, const char *name)
{
	rs_auto_str ignored = RS_STR_INIT;

	if (name)
		(void)session_file(s, name, &ignored); /* a missing file is the check's business */
}

static void keep_files(struct eng_session *s)
{
	const struct eng_lesson *l = s->lesson;

	for (unsigned i = 0; i < l->starter.n; i++)
		keep_file(s, l->starter.v[i]);
	for (unsigned i = 0; i < l->readonly.n; i++)
		keep_file(s, l->readonly.v[i]);
	keep_file(s, s->live.run->source); /* what it is built with is a file of the lesson, too */
}

/* Everything before the first process: from here on an error is the run's end, not the caller's. */
static int begin(struct eng_session *s, struct rs_err *err)
{
	struct eng_live *l = &s->live;
	const struct eng_run *run = l->run;
	int rc = restore_readonly(s, err);

	if (rc < 0)
		return rc;
	keep_files(s);
	if (!s->journal) {
		s->journal = eng_journal_open(err);
		if (!s->journal)
			return err->code;
	}
	if (!run->source) {
		l->image = rs_xasprintf("%s/%s", s->workspace, run->image ? run->image : "");
		if (run->image && access(l->image, R_OK) < 0)
			return rs_err_set(err, -ENOEXEC,
					  "the image file %s is missing or cannot be read", run->image);
		return start_run(s, err);
	}
	if (!s->scratch) {
		s->scratch = eng_journal_scratch(s->journal, &s->scratch_id, err);
		if (!s->scratch)
			return err->code;
	}
	l->build = (struct eng_build){
		.workspace = s->workspace,
		.source = run->source,
		.include = s->include,
		.scratch = s->scratch,
		.token = eng_journal_token(s->journal),
	};
	run->kind->build(run, &l->build);
	l->image = eng_build_image(&l->build);
	rc = eng_build_check(&l->build, err);
	return rc < 0 ? rc : start_job(s, ENG_JOB_BUILD, err);
}

int eng_session_run(struct eng_session *s, bool paused, struct rs_err *err)
{
	const struct eng_step *step = &s->lesson->step[s->step];
	struct rs_err why = RS_ERR_INIT;

	if (s->rp)
		return rs_err_set(err, -EROFS, "a recording is only watched; it does not run again");
	if (!step->run)
		return rs_err_set(err, -ENOENT, "there is nothing to run in this step");
	session_kill(s);
	session_begin(s);
	s->live.run = step->run;
	s->live.start_paused = paused;
	s->live.t0 = eng_now();
	s->live.deadline = s->live.t0 + (step->timeout_ns ? step->timeout_ns : TIMEOUT_DEFAULT);
	if (begin(s, &why) < 0) {
		session_end(s, &why);
		clear_live(s);
	}
	return 0;
}

/* ---- pump ---- */

/* The lab ended a guest that had no chance to say so itself. */
static void say_end(struct eng_session *s, enum rs_outcome outcome)
{
	if (!s->live.end_seen)
		session_say(s, s->live.run->kind->end, outcome, 0, 0, 0, NULL);
}

static void on_death(struct eng_session *s)
{
	struct eng_live *l = &s->live;
	struct eng_death death = *eng_experiment_death(l->exp);
	struct eng_step_state *st = session_state(s);
	struct rs_err why = death.err;
	bool build = l->job == ENG_JOB_BUILD;

	st->evidence.lost += eng_experiment_lost(l->exp);
	if (!build) {
		struct rs_counters c;

		eng_experiment_counters(l->exp, &c);
		session_counters_in(s, &c);
	}
	end_experiment(s);
	if (build && l->timed_out)
		rs_err_set(&why, -ETIMEDOUT, "building %s took too long and was stopped",
			   l->run->source);
	else if (build && l->stopped)
		rs_err_set(&why, -ECANCELED, "the build of %s was stopped", l->run->source);
	else if (build && death.code == 0 && start_run(s, &why) == 0)
		return;
	else if (!build && death.ours)
		/* Killed because of a limit, or because it did not obey: its run has ended. */
		say_end(s, l->timed_out ? RS_OUT_WATCHDOG :
			   l->flooded ? RS_OUT_EXIT_LIMIT : RS_OUT_STOPPED);
	else if (!build && death.code < 0)
		session_say(s, RS_EV_EXP_ERROR, (uint64_t)(int64_t)death.code, 0, 0, 0,
			    why.text[RS_LANG_EN]);
	bool failed = build || (!death.ours && death.code < 0);

	session_end(s, failed ? &why : NULL);
	clear_live(s);
}

static void check_limits(struct eng_session *s, uint64_t now)
{
	struct eng_live *l = &s->live;

	if (!l->flooded && session_state(s)->evidence.events >= EVENTS_A_RUN) {
		l->flooded = true;
		eng_experiment_kill(l->exp);
	}
	if (l->kill_at && now >= l->kill_at) {
		l->kill_at = 0;
		eng_experiment_kill(l->exp);
	}
	if (!l->timed_out && !l->paused_at && now >= l->deadline) {
		l->timed_out = true;
		eng_experiment_kill(l->exp);
	}
}

static bool read_counters(struct eng_session *s, uint64_t now)
{
	struct eng_live *l = &s->live;
	struct rs_counters c;

	if (l->job != ENG_JOB_RUN || now < l->counters_at)
		return false;
	l->counters_at = now + COUNTERS_EVERY;
	eng_experiment_counters(l->exp, &c);
	if (memcmp(&c, &s->counters, sizeof(c)) == 0)
		return false;
	session_counters_in(s, &c);
	return true;
}

bool eng_session_pump(struct eng_session *s)
{
	if (s->rp)
		return eng_replay_pump(s);
	if (!s->live.exp)
		return false;
	uint64_t now = eng_now();
	bool any = eng_experiment_pump(s->live.exp, EVENTS_A_PUMP);

	if (eng_experiment_death(s->live.exp)) {
		on_death(s);
		any = true;
	} else {
		check_limits(s, now);
		any |= read_counters(s, now);
	}
	return any;
}

static void at_latest(int *timeout_ms, uint64_t when, uint64_t now)
{
	uint64_t ms = when > now ? (when - now + MS - 1) / MS : 0;

	if (*timeout_ms < 0 || ms < (uint64_t)*timeout_ms)
		*timeout_ms = ms > 1000000 ? 1000000 : (int)ms;
}

unsigned eng_session_pollfds(struct eng_session *s, int fds[4], int *timeout_ms)
{
	struct eng_live *l = &s->live;

	if (s->rp) {
		eng_replay_timeout(s->rp, timeout_ms);
		return 0;
	}
	if (!l->exp)
		return 0;
	uint64_t now = eng_now();

	int doze = eng_experiment_doze(l->exp);
	if (doze >= 0)
		at_latest(timeout_ms, now + (uint64_t)doze * MS, now);
	if (!l->paused_at && !l->timed_out)
		at_latest(timeout_ms, l->deadline, now);
	if (l->kill_at)
		at_latest(timeout_ms, l->kill_at, now);
	if (l->job == ENG_JOB_RUN && !l->paused_at)
		at_latest(timeout_ms, l->counters_at, now);
	fds[0] = eng_experiment_fd(l->exp);
	return 1;
}

void eng_session_wait(struct eng_session *s)
{
	while (s->rp ? !eng_replay_done(s->rp) : s->live.exp != NULL) {
		struct pollfd p[4];
		int fds[4], timeout = -1;
		unsigned n = eng_session_pollfds(s, fds, &timeout);

		for (unsigned i = 0; i < n; i++)
			p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		poll(p, n, timeout);
		eng_session_pump(s);
	}
}
