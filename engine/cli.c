/* The command line: from argv to one call of a command's handler.
 *
 *   cli.c        the list of commands, messages, eng_main
 *   cli_parse.c  argv -> command, options, arguments
 *   cli_fill.c   paragraphs to a width, English and Chinese
 *   cli_help.c   help texts              cli_doc.c  man page and completions
 *   cmd_*.c      one command each
 */
#include "engine/cli.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

/* The commands, in the order of `ringside help`. */
#define ENG_CMDS(X)                                                                                \
	X(lab) X(list) X(doctor) X(start) X(run) X(watch) X(grade) X(record) X(replay) X(lint)     \
	X(vm) X(vm_run) X(vm_diff) X(emu) X(emu_run) X(emu_show) X(oci)                                       \
	X(image) X(image_build) X(image_ls) X(image_inspect) X(image_history) X(image_tag) X(image_rm)            \
	X(image_import) X(image_export) X(image_unpack) X(image_copy) X(image_save)           \
	X(image_load) X(image_pull) X(image_push) X(image_diff) X(image_prune) X(image_verify)       \
	X(registry)                                                                                \
	X(doc) X(doc_man) X(doc_bash) X(doc_zsh) X(doc_events) X(doc_counters) X(doc_exits)        \
	X(doc_lesson) X(doc_schema) X(doc_insns) X(doc_ir) X(help)

#define X(id) extern const struct eng_cmd eng_cmd_##id;
ENG_CMDS(X)
#undef X
#define X(id) &eng_cmd_##id,
const struct eng_cmd *const eng_cmds[] = { ENG_CMDS(X) NULL };
#undef X

const struct eng_opt eng_common_opts[] = {
	{ 'h', "help", NULL, N_("show help and do nothing else"), 0, NULL },
	{ 0, "lang", N_("LANG"), N_("speak this language: en or zh-TW"), ENG_ARG_LANG, NULL },
	{ 'V', "version", NULL, N_("show the version and do nothing else"), 0, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const char eng_version[] = RS_VERSION;

const struct eng_cmd *eng_cmd_find(const char *name)
{
	for (unsigned i = 0; eng_cmds[i]; i++)
		if (strcmp(eng_cmds[i]->name, name) == 0)
			return eng_cmds[i];
	return NULL;
}

/* ---- messages ---- */

static void say(FILE *f, enum rs_lang lang, const char *fmt, va_list ap)
{
	vfprintf(f, rs_tr(lang, fmt), ap);
}

void eng_cli_out(struct eng_cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(c->out, c->lang, fmt, ap);
	va_end(ap);
}

void eng_cli_note(struct eng_cli *c, const char *fmt, ...)
{
	va_list ap;

	fflush(c->out); /* keeps the order when both are one terminal or file */
	va_start(ap, fmt);
	say(c->err, c->lang, fmt, ap);
	va_end(ap);
}

const char *eng_cli_sgr(const struct eng_cli *c, const char *sgr)
{
	static const struct {
		const char *sgr, *esc;
	} table[] = {
		{ "0", "\033[0m" },   { "1", "\033[1m" },   { "2", "\033[2m" },   { "31", "\033[31m" },
		{ "32", "\033[32m" }, { "33", "\033[33m" }, { "36", "\033[36m" },
	};

	if (c->color)
		for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
			if (strcmp(table[i].sgr, sgr) == 0)
				return table[i].esc;
	return "";
}

int eng_cli_fail(struct eng_cli *c, int exit_code, const struct rs_err *e)
{
	char buf[1024];

	fflush(c->out);
	fprintf(c->err, "ringside: %s\n", rs_err_format(e, c->lang, buf, sizeof(buf)));
	return exit_code;
}

int eng_cli_exit_of(const struct rs_err *e)
{
	if (e->file[0])
		return ENG_EXIT_USAGE;
	switch (-e->code) {
	case EINVAL:
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EFBIG:
	case EBADMSG:
	case ENOEXEC:
		return ENG_EXIT_USAGE;
	default:
		return ENG_EXIT_INTERNAL;
	}
}

int eng_cli_usage(struct eng_cli *c, const char *fmt, ...)
{
	const struct eng_cmd *cmd = c->cmd;
	va_list ap;

	fflush(c->out);
	fputs("ringside: ", c->err);
	va_start(ap, fmt);
	say(c->err, c->lang, fmt, ap);
	va_end(ap);
	fputc('\n', c->err);
	if (cmd) {
		rs_auto_str line = RS_STR_INIT;

		eng_usage_line(cmd, c->lang, &line);
		fprintf(c->err, "%s%s\n", rs_tr(c->lang, N_("usage: ")), line.p);
		eng_cli_note(c, N_("\"ringside help %s\" explains it.\n"), cmd->name);
	} else {
		eng_cli_note(c, N_("\"ringside help\" lists the commands.\n"));
	}
	return ENG_EXIT_USAGE;
}

/* What an earlier run left behind goes first. That it could not go stops nobody from working. */
static void sweep(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned n = eng_sweep(&err);

	if (n)
		eng_cli_note(c, N_("ringside: cleaned up after an earlier run that was killed (%u things)\n"),
			     n);
	if (err.code)
		eng_cli_fail(c, 0, &err);
}

int eng_cli_main(struct eng_cli *c, int argc, char **argv)
{
	int rc = eng_cli_parse(c, argc, argv);

	if (rc < 0) {
		if (!c->cmd->pure)
			sweep(c);
		rc = c->cmd->run(c);
	}
	/* a result that could not be written is no result */
	if (fflush(c->out) != 0 || ferror(c->out)) {
		if (errno != EPIPE)
			eng_cli_note(c, N_("ringside: the output could not be written: %s\n"),
				     strerror(errno));
		rc = ENG_EXIT_INTERNAL;
	}
	eng_cli_release(c);
	return rc;
}

static bool want_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((no && *no) || !isatty(STDOUT_FILENO)) /* no-color.org: set and not empty */
		return false;
	return term && *term && strcmp(term, "dumb") != 0;
}

int eng_main(int argc, char **argv, const struct eng_ui *ui)
{
	static const struct eng_ui none;
	struct eng_cli c = {
		.lang = rs_lang_from_env(),
		.in_tty = isatty(STDIN_FILENO),
		.out_tty = isatty(STDOUT_FILENO),
		.color = want_color(),
		.in = stdin,
		.out = stdout,
		.err = stderr,
		.ui = ui ? ui : &none,
	};

	/* The OCI runtime has a command line of its own, which its callers know. */
	int oci = eng_oci_main(argc, argv);

	if (oci >= 0)
		return oci;
	setlocale(LC_CTYPE, "");
	return eng_cli_main(&c, argc, argv);
}
