/* The command line: one table of commands. A cmd_*.c file describes its command
 * in one `struct eng_cmd` (name, arguments, options, help, handler); cli.c lists
 * them once. From the rows come the parser, `ringside help`, usage errors, the
 * man page and the shell completions. Private to engine/.
 *
 *	static int run(struct eng_cli *c);
 *	static const struct eng_opt opts[] = {
 *		{ 'e', "engine", N_("ENGINE"), N_("run on this engine"), ENG_ARG_ENGINE },
 *		{ 0, "json", NULL, N_("write JSON"), 0 },
 *		{ 0 },
 *	};
 *	const struct eng_cmd eng_cmd_vm_run = {
 *		.name = "vm run", .args = N_("IMAGE"), .args_min = 1, .args_max = 1,
 *		.arg = ENG_ARG_FILE, .opts = opts, .run = run,
 *		.brief = N_("run a guest image outside any lesson"),
 *		.help = N_("..."),
 *	};
 *
 * then one line in cli.c's list: ENG_CMD(vm_run).
 */
#ifndef ENGINE_CLI_H
#define ENGINE_CLI_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/eng.h"

/* What an argument or option value is: how a shell completes it, and what the parser checks. */
enum eng_arg {
	ENG_ARG_TEXT,     /* anything */
	ENG_ARG_FILE,
	ENG_ARG_DIR,
	ENG_ARG_LESSON,   /* number, id, or folder of a lesson */
	ENG_ARG_ENGINE,   /* checked: one of eng_engine_names */
	ENG_ARG_LANG,     /* checked: a tag that rs_lang_parse knows */
	ENG_ARG_SIZE,     /* checked: rs_parse_size */
	ENG_ARG_DURATION, /* checked: rs_parse_duration */
	ENG_ARG_NUMBER,   /* checked: unsigned, decimal or 0x */
	ENG_ARG_CHOICE,   /* checked: one of eng_opt.choices */
	ENG_ARG_COMMAND,  /* name of a command */
};

/* One option. A list ends with a row whose name is NULL. */
struct eng_opt {
	char letter;                /* short form, or 0 */
	const char *name;           /* long form without the dashes */
	const char *value;          /* name of the value in help ("FILE"), N_(); NULL: a flag */
	const char *help;           /* half a sentence without full stop, N_() */
	enum eng_arg arg;
	const char *const *choices; /* NULL-terminated, for ENG_ARG_CHOICE; else NULL */
};

struct eng_cli;

/* One command. A name of two words is a subcommand: "vm run". A group ("vm") has a row of its own
 * with `run` NULL. */
struct eng_cmd {
	const char *name;
	const char *args;           /* its arguments in usage lines: "LESSON...", N_(); NULL: none */
	unsigned args_min, args_max; /* args_max 0 with `args` set: no limit */
	enum eng_arg arg;           /* what they are */
	bool tail;                  /* options end at the first argument: the rest is another program's */
	const char *const *choices; /* NULL-terminated, when arg is ENG_ARG_CHOICE */
	const struct eng_opt *opts; /* NULL: none but the common ones */
	const char *brief;          /* half a sentence, N_() */
	const char *help;           /* paragraphs separated by an empty line, N_(); lines are refilled,
				       a paragraph of indented lines stays as it is */
	bool pure;                  /* only prints from tables: nothing to sweep before it */
	int (*run)(struct eng_cli *c); /* returns an exit code, enum eng_exit */
};

/* One call of the program. Handlers write results to `out` and everything else to `err`. */
struct eng_cli {
	const struct eng_cmd *cmd;
	enum rs_lang lang;
	bool color;                 /* `out` may have colours: a terminal, no NO_COLOR, TERM not dumb */
	bool in_tty, out_tty;
	FILE *in, *out, *err;       /* in: answers of a person; may be NULL without in_tty */
	const struct eng_ui *ui;    /* never NULL; its functions may be */
	char **arg;                 /* positional arguments, NULL-terminated; point into argv */
	unsigned args;
	struct eng_optval {
		const struct eng_opt *opt;
		const char *value;  /* "" for a flag */
	} *optval;
	unsigned optvals;
};

/* Value of an option, the last one given; NULL when it was not given. A flag gives "". The name must
 * be one of the command's rows. */
const char *eng_cli_opt(const struct eng_cli *c, const char *name);
static inline bool eng_cli_flag(const struct eng_cli *c, const char *name)
{
	return eng_cli_opt(c, name) != NULL;
}
/* Value of an ENG_ARG_SIZE, _DURATION (ns) or _NUMBER option, `fallback` when it was not given. */
uint64_t eng_cli_num(const struct eng_cli *c, const char *name, uint64_t fallback);

/* Prints "ringside: file:line:col: sentence" to c->err and returns `exit_code`. */
int eng_cli_fail(struct eng_cli *c, int exit_code, const struct rs_err *e);
/* The exit code that suits an error: ENG_EXIT_USAGE for input at a place or bad input, else
 * ENG_EXIT_INTERNAL. */
int eng_cli_exit_of(const struct rs_err *e);
/* A usage error: the sentence, the command's usage line, and how to get help. Returns
 * ENG_EXIT_USAGE. `fmt` is a translation key. */
int eng_cli_usage(struct eng_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Translated text to c->out / c->err (messages; no final newline is added). */
void eng_cli_out(struct eng_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void eng_cli_note(struct eng_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The escape that starts a colour on c->out, "" when colours are off. "0" ends it. SGR
 * parameters, e.g. "1", "31". */
const char *eng_cli_sgr(const struct eng_cli *c, const char *sgr);

/* The list of commands, in the order that help shows them; ends with NULL. */
extern const struct eng_cmd *const eng_cmds[];
extern const struct eng_opt eng_common_opts[]; /* --help, --lang, --version */
/* The command with this name ("run", "vm run"), or NULL. */
const struct eng_cmd *eng_cmd_find(const char *name);

/* Parses argv (argv[0] is the program) into c, whose streams, ui and lang are already set.
 * Returns -1 when a command is to be run, else an exit code: help or version were printed, or a
 * usage error. eng_cli_release frees what it made. */
int eng_cli_parse(struct eng_cli *c, int argc, char **argv);
void eng_cli_release(struct eng_cli *c);
/* eng_main with streams of the caller's choice. */
int eng_cli_main(struct eng_cli *c, int argc, char **argv);

/* `ringside oci ...`, or the program under the name ringside-oci: its exit status. -1: it is neither. */
int eng_oci_main(int argc, char **argv);

/* Help of one command, or of the program (cmd NULL), as text of at most `width` columns. */
void eng_help(const struct eng_cmd *cmd, enum rs_lang lang, int width, struct rs_str *out);

/* "ringside run [OPTION...] LESSON", appended to out. */
void eng_usage_line(const struct eng_cmd *cmd, enum rs_lang lang, struct rs_str *out);
/* Man page (roff), and completions for bash and zsh, generated from the table. */
void eng_doc_man(struct rs_str *out);
void eng_doc_bash(struct rs_str *out);
void eng_doc_zsh(struct rs_str *out);

/* Reference pages of the translator, as plain text. */
void eng_doc_insns(const char *guest, enum rs_lang lang, struct rs_str *out);
void eng_doc_ir(enum rs_lang lang, struct rs_str *out);

/* A lesson named on the command line: number, id, alias or folder name in the labs folder; or the
 * path of a lesson folder, a lesson.yaml or a marked workspace. The caller frees (eng_lesson_free). NULL: err is set. */
struct eng_lesson *eng_cli_lesson(const char *name, struct rs_err *err);
bool eng_lesson_has_step(const struct eng_lesson *l, const char *id);
bool eng_is_dir(const char *path);
bool eng_is_lesson_dir(const char *path);         /* a folder with a lesson.yaml */
char *eng_workspace_lesson(const char *dir);      /* the id a workspace is marked with; NULL; caller frees */

#endif
