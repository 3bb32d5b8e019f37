/* Inside a session. Private to session*.c, record.c and replay.c. The map:
 *
 *   session.c        making and freeing one, accessors, steps, what it wants to see
 *   session_run.c    build -> run -> drain -> evaluate; pump, timeouts, deaths
 *   session_order.c  pause, resume, step, stop, inspect, input
 *   session_eval.c   checks and predictions     keep.c    workspace files of a run
 *   record.c         a sink that writes         replay.c  a pump that reads
 *
 * Phases of a step: IDLE -> BUILDING -> RUNNING <-> PAUSED -> ENDED, or -> FAILED from the middle
 * ones. Everything that a recording must repeat goes through session_begin, session_take,
 * session_counters_in and session_end: a live session calls them as things happen, a replay as it
 * reads them.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "engine/build.h"
#include "engine/eng.h"
#include "engine/experiment.h"
#include "engine/keep.h"
#include "engine/kinds.h"

struct eng_recorder;
struct eng_replay;

/* What is known about one step of the lesson. */
struct eng_step_state {
	enum eng_phase phase;
	struct rs_err error;               /* phase FAILED */
	struct eng_evidence evidence;
	struct eng_check_result *result;   /* one a check */
	struct eng_prediction prediction;
};

#define SESSION_PATIENCE 1000000000ull /* ns from an order to stop to SIGKILL */

enum eng_job { ENG_JOB_NONE, ENG_JOB_BUILD, ENG_JOB_RUN };

/* The run that is under way. Times are CLOCK_MONOTONIC in ns; 0 = none. */
struct eng_live {
	enum eng_job job;
	struct eng_experiment *exp;
	const struct eng_run *run;
	struct eng_build build;
	struct eng_exec exec;
	char *image;
	bool start_paused;
	uint64_t t0;              /* of the run: event times count from here */
	uint64_t job_t0;          /* of this job's process */
	uint64_t deadline;        /* the step's timeout; moves while paused */
	uint64_t paused_at;
	uint64_t kill_at;         /* an order to stop was given; the patience ends here */
	uint64_t counters_at;     /* next reading of the counters */
	bool timed_out, stopped, flooded;
	bool end_seen;            /* the kind's event of the end came */
};

struct eng_session {
	const struct eng_lesson *lesson;
	struct eng_lesson *own_lesson;     /* of a replay */
	char *workspace;                   /* absolute; "" in a replay */
	char *include;                     /* <labs>/include, or NULL */
	char *engine;
	enum rs_full full;
	bool trace, views_matter;
	bool want_user[RS_KIND_COUNT];
	struct rs_bus bus;
	unsigned step;
	struct eng_step_state *state;      /* one a step */
	struct eng_keep files;             /* workspace files of the last run */
	uint64_t seq;
	uint64_t born;
	struct rs_counters counters;       /* last reading */
	struct eng_journal *journal;       /* NULL in a replay, and until something is made */
	char *scratch;
	int scratch_id;
	struct eng_live live;
	struct eng_recorder *rec;
	struct eng_replay *rp;
};

static inline struct eng_step_state *session_state(struct eng_session *s)
{
	return &s->state[s->step];
}

/* ---- what a recording repeats ---- */
void session_set_step(struct eng_session *s, unsigned step);
void session_begin(struct eng_session *s);                  /* a run of this step begins: evidence anew */
void session_phase(struct eng_session *s, enum eng_phase p);
void session_take(struct eng_session *s, const struct rs_event *ev); /* evidence, phase, bus */
void session_counters_in(struct eng_session *s, const struct rs_counters *c);
/* The run ended: evidence is complete. err NULL: checks are evaluated; else FAILED because of it.
 * A live session also says the results as events. */
void session_end(struct eng_session *s, const struct rs_err *err);

/* ---- between the session's files ---- */
void session_say(struct eng_session *s, enum rs_kind kind, uint64_t a0, uint64_t a1, uint64_t a2,
		 uint64_t a3, const char *text); /* an event of the lab's own */
void session_evaluate(struct eng_session *s);
void session_unfit(struct eng_session *s, const struct rs_err *why); /* verdicts without a run */
void session_wants(const struct eng_session *s, bool want[RS_KIND_COUNT]);
void session_kill(struct eng_session *s);                   /* the run is over; nothing is evaluated */
int session_file(void *session, const char *name, struct rs_str *out); /* evidence.file */
struct eng_session *session_alloc(const struct eng_lesson *l);

/* ---- record.c: every call is fine with rec NULL ---- */
struct eng_recorder *eng_recorder_new(struct eng_session *s, const char *path, struct rs_err *err);
void eng_recorder_free(struct eng_recorder *r);
void eng_recorder_step(struct eng_recorder *r, unsigned step);
void eng_recorder_begin(struct eng_recorder *r);
void eng_recorder_file(struct eng_recorder *r, const char *name, const struct rs_str *data);
void eng_recorder_guess(struct eng_recorder *r, int64_t guess);
void eng_recorder_phase(struct eng_recorder *r, enum eng_phase p, const struct rs_err *err,
			uint64_t lost);
void eng_recorder_flush(struct eng_recorder *r); /* everything so far is in the file */
const struct rs_err *eng_recorder_error(const struct eng_recorder *r);

/* ---- replay.c ---- */
void eng_replay_free(struct eng_replay *r);
bool eng_replay_pump(struct eng_session *s);
bool eng_replay_done(const struct eng_replay *r);
void eng_replay_hold(struct eng_replay *r, bool hold);
const struct rs_err *eng_replay_note(const struct eng_replay *r); /* NULL: complete */
void eng_replay_timeout(const struct eng_replay *r, int *timeout_ms);

#endif
