/* engine/: lessons, runs, checks, grading, recording, the command line. The one public
 * header; the map:
 *
 *   yaml.c        libyaml -> a tree whose nodes know line and column
 *   schema.c      one table of lesson keys: drives loader, did-you-mean, JSON schema
 *   lesson.c      tree -> struct eng_lesson        find.c     ids, numbers, folders
 *   expr_*.c      the check language: parse, check against the vocabulary, evaluate
 *   markdown.c, markdown_layout.c   lesson texts: blocks, spans, lines
 *   evidence.c    what a run left: events, counters, outputs, files
 *   build.c, build_guest.c   builds the student's source: for the monitor; for other machines
 *   kinds.c       kinds of experiment (vm, emu; later container, image): one row each
 *   experiment.c  the child process: channel, control socket, limits, death
 *   sandbox.c     resource limits and the seccomp filters     sandbox_vm.c, sandbox_emu.c   their tables
 *   journal.c     what was made on the host, and the sweep
 *   session.c     the run state machine of one lesson
 *   record.c, replay.c   recordings               progress.c  what the student has done
 *   grade.c, grade_*.c   grading and its formats  lint.c, lint_*.c   proves a lesson
 *   copy.c        scratch copies of workspaces    play.c, tell.c     a lesson told as text
 *   doctor.c, doctor_host.c   what this machine can run
 *   cli.c, cli_*.c, cmd_*.c   the command line: cli.h shows how a command describes itself
 *
 * Everything here is single-threaded: one thread opens a session and pumps it.
 */
#ifndef ENGINE_ENG_H
#define ENGINE_ENG_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/bus.h"
#include "engine/base/control.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

/* Exit codes of every command. */
enum eng_exit {
	ENG_EXIT_OK = 0,
	ENG_EXIT_FAILED = 1,      /* a check failed */
	ENG_EXIT_USAGE = 2,       /* wrong command line, invalid lesson or recording */
	ENG_EXIT_INTERNAL = 3,    /* the lab itself failed, or a verdict is inconclusive */
	ENG_EXIT_UNGRADABLE = 77, /* this machine cannot run the lesson */
};

enum eng_view {
#define ENG_VIEW(id, name, kinds, title, sentence) ENG_VIEW_##id,
#include "engine/views.def"
	ENG_VIEW_COUNT
};
struct eng_view_info {
	const char *name, *kinds, *title, *sentence; /* title, sentence: translation keys */
};
extern const struct eng_view_info eng_view_infos[ENG_VIEW_COUNT];

/* ---- lessons ---- */

struct eng_text { /* one text in every language; NULL where missing */
	char *s[RS_LANGS];
	int line, col; /* of the key in lesson.yaml */
};
/* The text in `lang`, else in English, else "". */
const char *eng_text(const struct eng_text *t, enum rs_lang lang);

struct eng_strings {
	char **v;
	unsigned n;
	int line, col; /* of the list in lesson.yaml; 0 when it is not there */
};

struct eng_expr; /* a parsed check expression */

struct eng_check {
	char *id;
	unsigned points;
	char *source;           /* the expression as written */
	struct eng_expr *expr;
	struct eng_text *hint;  /* graded from gentle to plain */
	unsigned hints;
	struct eng_text *why;   /* shown when it passes or fails: what it proves; may be NULL */
	int line, col;
};

struct eng_predict {
	struct eng_text ask;
	char *source;
	struct eng_expr *answer;
	struct eng_text *choice; /* optional choices; the answer is then the 0-based index */
	unsigned choices;
	int line, col;
};

struct eng_task {
	char *edit;             /* file the student changes, relative to the workspace */
	int line, col;
};

struct eng_run;            /* what to run: kinds.h */
/* Name of its kind ("vm"); the workspace file it builds or loads; where the memory pane opens (a
 * guest-physical address). run may be NULL: "", "", 0. */
const char *eng_run_kind(const struct eng_run *run);
const char *eng_run_source(const struct eng_run *run);
uint64_t eng_run_memory_view(const struct eng_run *run);
/* Does this kind of experiment report what the view shows? run NULL: every view fits. */
bool eng_view_fits(enum eng_view v, const struct eng_run *run);

struct eng_step {
	char *id;
	struct eng_text text;      /* small Markdown: paragraphs, lists, `code`, **bold**, fences */
	struct eng_run *run;       /* own or inherited from the step before; NULL: nothing to run */
	bool own_run;
	enum eng_view view[ENG_VIEW_COUNT];
	unsigned views;            /* inherited when the step names none */
	struct eng_predict *predict;
	struct eng_task *task;
	struct eng_check *check;
	unsigned checks;
	uint64_t timeout_ns;       /* over build and run of this step */
	int line, col;
};

struct eng_wrong {         /* one answer that the checks must reject: a folder in wrong/ */
	char *name;             /* folder name = id of the check that must fail, optionally with
				   ".note" behind it: three-crossings.no-iret */
	char *check;            /* the check that must fail */
};

struct eng_lesson {
	char *dir;               /* its folder */
	char *path;              /* its lesson.yaml */
	char *folder;            /* "202-rings-syscall" */
	int number;              /* 202, from the folder; 0 if none */
	char *id;
	struct eng_strings aliases, concepts, prerequisites, requires_;
	struct eng_strings starter, readonly, solution;  /* file names */
	struct eng_strings engines; /* CPU engines it claims: kvm, soft; empty: any */
	struct eng_wrong *wrong;
	unsigned wrongs;
	struct eng_text title, summary;
	char *track;
	unsigned minutes;
	struct eng_step *step;
	unsigned steps;
	unsigned points;         /* sum over all checks */
	struct rs_str yaml;      /* the file's bytes, for recordings */
};

/* Loads and validates `path` (a lesson.yaml or the folder holding it). On error NULL and the first
 * mistake at file:line:col. The caller frees. */
struct eng_lesson *eng_lesson_load(const char *path, struct rs_err *err);
/* The same from memory, as recordings and fuzzers need it: `name` stands in errors, `dir` may be
 * NULL (no starter or solution files then). */
struct eng_lesson *eng_lesson_parse(const char *yaml, size_t n, const char *name, const char *dir,
				    struct rs_err *err);
void eng_lesson_free(struct eng_lesson *l);
/* The JSON schema (draft 2020-12) of lesson.yaml, made from the table that the loader uses. */
void eng_schema_json(struct rs_str *out);
/* The reference page for writers of lessons: keys, check functions, abilities. Markdown. */
void eng_doc_lesson(enum rs_lang lang, struct rs_str *out);

/* All lessons of a labs folder, by number. A folder that fails to load is reported through `bad`
 * (may be NULL) and left out. */
struct eng_catalog {
	struct eng_lesson **v;
	unsigned n;
};
int eng_catalog_load(struct eng_catalog *c, const char *labs_dir,
		     void (*bad)(void *arg, const struct rs_err *e), void *arg, struct rs_err *err);
void eng_catalog_release(struct eng_catalog *c);
/* By number "202", id, alias, or folder name; a near miss is named in err (-ENOENT). */
struct eng_lesson *eng_catalog_find(const struct eng_catalog *c, const char *name, struct rs_err *err);
/* What lessons mean for each other: prerequisites exist and form no circle, ids, aliases and numbers
 * are used once. Each mistake goes to `bad`. Returns how many there are. */
unsigned eng_catalog_check(const struct eng_catalog *c, void (*bad)(void *arg, const struct rs_err *e),
			   void *arg);
/* Where lessons are: $RINGSIDE_LABS, labs/ beside the build folder, or the installed place
 * (PREFIX/share/ringside/labs). The caller frees; NULL and err when there is none. */
char *eng_labs_dir(struct rs_err *err);
/* Can this machine run the lesson? 0, or negative with one sentence in err that says what is
 * missing and how to get it. `engine` NULL: any that the lesson claims. */
int eng_lesson_runnable(const struct eng_lesson *l, const char *engine, struct rs_err *err);
/* The best engine that it can run on here; NULL: it does not matter, or none. */
const char *eng_lesson_engine(const struct eng_lesson *l);
/* The same of one ability that `requires:` may name (abilities.def). */
int eng_ability(const char *name, struct rs_err *err);

/* ---- evidence: what a run left behind ---- */

struct eng_evidence {
	struct rs_event *event;
	size_t events, cap;
	struct rs_counters counters;
	struct rs_str out[8];      /* by enum rs_stream */
	bool ran;                  /* a run took place */
	bool ended;                /* ... and its process ended */
	uint64_t lost;             /* events lost: a verdict is inconclusive */
	/* Reads a workspace file for file("name"); 0 or negative errno. */
	int (*file)(void *arg, const char *name, struct rs_str *out);
	void *file_arg;
};
void eng_evidence_release(struct eng_evidence *e);
void eng_evidence_clear(struct eng_evidence *e);
/* Takes one event in (and OUT_DATA into out[]). More than ENG_EVENTS_MAX are counted as lost. */
void eng_evidence_event(struct eng_evidence *e, const struct rs_event *ev);
#define ENG_EVENTS_MAX 2000000u

/* ---- check expressions ---- */

enum eng_type { ENG_T_BOOL, ENG_T_INT, ENG_T_STR, ENG_T_LIST, ENG_T_NONE };
struct eng_value {
	enum eng_type type;
	int64_t i;               /* BOOL, INT */
	struct rs_str s;         /* STR */
	struct eng_value *item;  /* LIST */
	unsigned items;
};
void eng_value_release(struct eng_value *v);
/* As a student reads it: 3, "text", [1, 2], yes. */
void eng_value_format(const struct eng_value *v, struct rs_str *out);

/* Parses and type-checks against events.def, counters.def, enums.def. Errors point into
 * `file` at line:col of the expression plus the offset of the mistake. */
struct eng_expr *eng_expr_parse(const char *text, const char *file, int line, int col,
				struct rs_err *err);
void eng_expr_free(struct eng_expr *x);
enum eng_type eng_expr_type(const struct eng_expr *x);
/* Marks the kinds that the expression looks at. */
void eng_expr_kinds(const struct eng_expr *x, bool want[RS_KIND_COUNT]);
/* Evaluates. 0, or negative with err: -ENODATA when the run does not have what the expression asks
 * for (no such event, a file that is missing, text that is no number, division by zero): the check
 * fails with that sentence; anything else: it could not be decided. `note` (may be NULL) receives, a line each, the sub-values and the events that decided the result:
 *   count(cpu.ring where to == 0) = 2
 *     #14  cpu.ring from=3 to=0 via=int rip=0x10040
 */
int eng_expr_eval(const struct eng_expr *x, const struct eng_evidence *e, struct eng_value *out,
		  struct rs_str *note, struct rs_err *err);
/* For a check that failed, in short: `wanted` gets the part of the expression that is false (of
 * conditions joined with `and` the first one), `found` the value of its left side: "2" where
 * "count(...) == 3" was wanted. Texts are added; wanted may be NULL. Errors as eng_expr_eval. */
int eng_expr_found(const struct eng_expr *x, const struct eng_evidence *e, struct rs_str *found,
		   struct rs_str *wanted, struct rs_err *err);
/* The functions of the check language, for the reference page: rows until name is NULL. */
struct eng_func_doc {
	const char *name, *args;   /* "count", "SELECT" */
	const char *sentence;      /* translation key */
};
const struct eng_func_doc *eng_func_docs(void);

/* ---- lesson texts: a small Markdown ---- */

/* Paragraphs, "- " and "1. " lists (nested by indentation), ``` fences, # headings; inside them
 * `code`, **strong**, *emphasis*, \ before a mark that is meant as itself. A line break in the source
 * is a blank, and nothing between two Chinese characters; two blanks or \ at the end of a line make
 * it a real one. Every text is valid input: a mark without a partner stands for itself. */
enum eng_md_type { ENG_MD_PARAGRAPH, ENG_MD_ITEM, ENG_MD_CODE, ENG_MD_HEADING };
enum eng_md_style { /* a set of bits */
	ENG_MD_STRONG = 1, ENG_MD_EM = 2, ENG_MD_CODE_SPAN = 4, /* ... a CODE block has it, too */
	ENG_MD_TITLE = 8,      /* of a heading */
	ENG_MD_MARKER = 16,    /* "- " or "1. " in front of an item, and the blanks of an indentation */
};
struct eng_md_span {
	unsigned style;
	char *text;            /* UTF-8; "\n" is a line break */
};
struct eng_md_block {
	enum eng_md_type type;
	unsigned level;        /* HEADING: 1..6; else how deep in lists, 0 outside of them */
	char marker[12];       /* ITEM: "- " or "12. " */
	bool tight;            /* no empty line in front: an item right behind an item */
	struct eng_md_span *span;
	unsigned spans;        /* CODE: one, whole lines without the last "\n" */
};
struct eng_md {
	struct eng_md_block *v;
	unsigned n;
};
void eng_md_parse(const char *text, struct eng_md *out);
void eng_md_release(struct eng_md *md);

struct eng_md_run {
	unsigned style;
	char *text;            /* one line's piece; no control characters */
	int cols;
};
struct eng_md_line {
	enum eng_md_type type; /* of the block it belongs to; PARAGRAPH for an empty line between */
	struct eng_md_run *run;
	unsigned runs;         /* 0: an empty line */
	int cols;
};
struct eng_md_lines {
	struct eng_md_line *v;
	unsigned n;
};
/* Lays the blocks out in lines of at most `width` columns (at least 8). A line may end at a blank or
 * beside a Chinese character, but none starts with closing punctuation or ends with an opening
 * mark; a longer word is cut. Lines are added to out (zero-initialise it); one empty line stands
 * between blocks that are not tight. */
void eng_md_layout(const struct eng_md *md, int width, struct eng_md_lines *out);
/* The same for text without Markdown, at least 2 columns wide: no character is a mark, each "\n" is
 * a line break. The runs have style 0. */
void eng_md_layout_text(const char *text, int width, struct eng_md_lines *out);
void eng_md_lines_release(struct eng_md_lines *l);
/* Markdown laid out as text, each line behind `indent` blanks (which count in `width`) and ended by
 * "\n"; styles are dropped. */
void eng_md_plain(const char *text, int indent, int width, struct rs_str *out);

/* ---- sessions: one lesson being worked on, or a recording of one ---- */

enum eng_phase {
	ENG_IDLE,      /* nothing ran in this step yet */
	ENG_BUILDING,
	ENG_RUNNING,
	ENG_PAUSED,
	ENG_ENDED,     /* the run ended; checks are evaluated */
	ENG_FAILED,    /* the build failed, or the lab could not run it: session error says why */
};

enum eng_verdict {
	ENG_OPEN,          /* not evaluated yet */
	ENG_PASS,
	ENG_FAIL,
	ENG_INCONCLUSIVE,  /* events were lost, or the evaluation failed */
	ENG_UNGRADABLE,    /* this machine cannot run it */
};

struct eng_check_result {
	const struct eng_check *check;
	enum eng_verdict verdict;
	unsigned points;       /* earned */
	struct rs_str wanted;  /* the part of the expression that is false; "" when it holds or is unknown */
	struct rs_str found;   /* the value found / why not, formatted */
	struct rs_err why;     /* code != 0: why there is no value, in every language */
	struct rs_str note;    /* sub-values and deciding events */
	unsigned hints_shown;
};

struct eng_prediction {
	bool made;
	int64_t guess;
	bool known;            /* answer evaluated */
	int64_t actual;
	bool right;
};

struct eng_session_opts {
	const struct eng_lesson *lesson; /* outlives the session */
	const char *workspace;  /* folder with the student's files */
	const char *engine;     /* NULL: best */
	enum rs_full full;      /* DROP for a live view, BLOCK for a verdict */
	bool all_steps_trace;   /* want every HIGH kind too (live view of single steps) */
	const char *record;     /* path of a recording to write, or NULL */
};

struct eng_session;
struct eng_session *eng_session_new(const struct eng_session_opts *o, struct rs_err *err);
/* A session that plays a recording: the same accessors, no experiment. speed 0 = as fast as can be. */
struct eng_session *eng_session_replay(const char *path, double speed, struct rs_err *err);
void eng_session_free(struct eng_session *s); /* stops the experiment, sweeps what it made */

struct rs_bus *eng_session_bus(struct eng_session *s);
const struct eng_lesson *eng_session_lesson(const struct eng_session *s);
const char *eng_session_workspace(const struct eng_session *s); /* "" in a replay */
bool eng_session_is_replay(const struct eng_session *s);
bool eng_session_replay_done(const struct eng_session *s);
/* Changes a replay's speed while it plays; 0 = as fast as can be. */
void eng_session_replay_speed(struct eng_session *s, double speed);
unsigned eng_session_step(const struct eng_session *s);
int eng_session_goto(struct eng_session *s, unsigned step, struct rs_err *err);
enum eng_phase eng_session_phase(const struct eng_session *s);
const struct rs_err *eng_session_error(const struct eng_session *s);   /* phase FAILED */
/* The same of any step: code 0 when its last run was evaluated, or none took place. */
const struct rs_err *eng_session_step_error(const struct eng_session *s, unsigned step);
/* What is wrong with the recording: it cannot be written any further (a full disk), or the one that
 * is played was cut off. NULL: all is well. */
const struct rs_err *eng_session_record_error(const struct eng_session *s);
const struct eng_evidence *eng_session_evidence(const struct eng_session *s, unsigned step);
struct rs_counters eng_session_counters(const struct eng_session *s);  /* right now */
/* Results of one step's checks, in the lesson's order. */
struct eng_check_result *eng_session_results(struct eng_session *s, unsigned step, unsigned *n);
const struct eng_prediction *eng_session_prediction(const struct eng_session *s, unsigned step);
int eng_session_predict(struct eng_session *s, int64_t guess, struct rs_err *err);

/* Builds and starts the current step's run. paused: stand still before the first instruction. */
int eng_session_run(struct eng_session *s, bool paused, struct rs_err *err);
/* Orders to the running experiment. 0 or negative (nothing runs: -ESRCH). */
int eng_session_pause(struct eng_session *s);
int eng_session_resume(struct eng_session *s);
int eng_session_single_step(struct eng_session *s, unsigned instructions);
int eng_session_step_blocks(struct eng_session *s, unsigned blocks); /* of a translated program */
int eng_session_stop(struct eng_session *s);
int eng_session_inspect(struct eng_session *s, enum rs_block block, uint64_t addr, uint64_t len,
			bool is_virtual);
int eng_session_input(struct eng_session *s, const void *data, size_t n);
void eng_session_want(struct eng_session *s, enum rs_kind kind, bool on);

/* Descriptors to poll for POLLIN; returns how many were filled (at most 4). *timeout_ms is lowered
 * to when eng_session_pump must be called at the latest (-1: no need). */
unsigned eng_session_pollfds(struct eng_session *s, int fds[4], int *timeout_ms);
/* Takes what has arrived: events to the bus, deaths, timeouts, check evaluation. Returns true when
 * anything changed. Never blocks. */
bool eng_session_pump(struct eng_session *s);
/* Pumps until the run of this step has ended (or the replay is done). */
void eng_session_wait(struct eng_session *s);

/* One event as a sentence without a newline, appended to out. Returns false, and adds nothing, for
 * an event that is not worth one (snapshots, output bytes, what the lesson engine notes). */
bool eng_sentence(const struct rs_event *ev, enum rs_lang lang, struct rs_str *out);

/* ---- workspaces and progress ---- */

/* The workspace of a lesson: $XDG_DATA_HOME/ringside/work/<id>. The caller frees. */
char *eng_workspace_path(const struct eng_lesson *l, struct rs_err *err);
/* Copies the starter files where they are missing; never overwrites unless `reset`, which first
 * moves changed files aside to NAME.orig-N. Marks the folder with .ringside (the lesson's id). */
int eng_workspace_prepare(const struct eng_lesson *l, const char *dir, bool reset, struct rs_err *err);

struct eng_progress_entry {
	char *lesson;            /* id */
	unsigned points, max;    /* best so far */
	unsigned step;           /* furthest step */
	bool done;               /* full points */
	int64_t when;            /* Unix time of the last change */
};
struct eng_progress {
	struct eng_progress_entry *v;
	unsigned n;
};
/* $XDG_STATE_HOME/ringside/progress.json. A missing file is empty progress; a damaged one is moved
 * aside to progress.json.damaged-N and named in err, with empty progress. */
int eng_progress_load(struct eng_progress *p, struct rs_err *err);
int eng_progress_save(const struct eng_progress *p, struct rs_err *err);
void eng_progress_release(struct eng_progress *p);
const struct eng_progress_entry *eng_progress_find(const struct eng_progress *p, const char *id);
/* Keeps the best of old and new. */
void eng_progress_note(struct eng_progress *p, const struct eng_lesson *l, unsigned step,
		       unsigned points);

/* ---- what is left on the host ---- */

/* Undoes what dead labs and experiments left: processes, directories, mounts, cgroups, links. Called
 * at every start; cheap when there is nothing. Returns how many things were swept. */
unsigned eng_sweep(struct rs_err *err);

/* ---- the command line ---- */

/* What the terminal UI offers to the command line, so that engine/ need not know tui/. Each returns
 * an exit code. */
struct eng_ui {
	int (*lab)(const char *lesson_or_null, enum rs_lang lang);
	int (*replay)(const char *path, double speed, enum rs_lang lang);
};
int eng_main(int argc, char **argv, const struct eng_ui *ui);

extern const char eng_version[];

#endif
