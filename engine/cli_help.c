/* Help texts, from the rows of the command table. */
#include "engine/cli.h"

#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli_fill.h"

void eng_usage_line(const struct eng_cmd *cmd, enum rs_lang lang, struct rs_str *out)
{
	rs_str_addf(out, "ringside %s", cmd->name);
	if (!cmd->run)
		rs_str_addf(out, " %s", rs_tr(lang, N_("COMMAND")));
	if (cmd->opts && cmd->opts->name)
		rs_str_addf(out, " %s", rs_tr(lang, N_("[OPTION...]")));
	if (cmd->args)
		rs_str_addf(out, " %s", rs_tr(lang, cmd->args));
}

static void heading(struct rs_str *out, enum rs_lang lang, const char *text)
{
	rs_str_addf(out, "\n%s\n", rs_tr(lang, text));
}

static void options(struct rs_str *out, const struct eng_opt *o, enum rs_lang lang, int width)
{
	for (; o && o->name; o++) {
		rs_auto_str first = RS_STR_INIT, help = RS_STR_INIT;

		if (o->letter)
			rs_str_addf(&first, "  -%c, ", o->letter);
		else
			rs_str_add(&first, "      ");
		rs_str_addf(&first, "--%s", o->name);
		if (o->value)
			rs_str_addf(&first, " %s", rs_tr(lang, o->value));
		rs_str_add(&help, rs_tr(lang, o->help));
		for (unsigned i = 0; o->choices && o->choices[i]; i++)
			rs_str_addf(&help, "%s%s", i ? ", " : ": ", o->choices[i]);
		eng_fill(out, help.p, first.p, 26, width);
	}
}

static void command_line(struct rs_str *out, const struct eng_cmd *cmd, enum rs_lang lang, int width)
{
	rs_auto_str first = RS_STR_INIT;

	rs_str_addf(&first, "  %s", cmd->name);
	if (cmd->args)
		rs_str_addf(&first, " %s", rs_tr(lang, cmd->args));
	eng_fill(out, rs_tr(lang, cmd->brief), first.p, 26, width);
}

static void program_help(enum rs_lang lang, int width, struct rs_str *out)
{
	static const struct {
		int code;
		const char *text;
	} exits[] = {
		{ ENG_EXIT_OK, N_("everything passed") },
		{ ENG_EXIT_FAILED, N_("a check failed") },
		{ ENG_EXIT_USAGE, N_("wrong command line, or an invalid lesson or recording") },
		{ ENG_EXIT_INTERNAL, N_("the lab itself failed, or the verdict is inconclusive") },
		{ ENG_EXIT_UNGRADABLE, N_("this machine cannot run the lesson") },
	};

	eng_fill(out, rs_tr(lang, N_("Ringside is an interactive virtualization lab: pick a lesson, watch "
				     "the machine work, change it, and be told what is right.")),
		 NULL, 0, width);
	heading(out, lang, N_("Usage:"));
	rs_str_addf(out, "  ringside                %s\n", rs_tr(lang, N_("open the lab")));
	rs_str_addf(out, "  ringside %s\n", rs_tr(lang, N_("COMMAND [OPTION...] [ARGUMENT...]")));
	heading(out, lang, N_("Commands:"));
	for (unsigned i = 0; eng_cmds[i]; i++)
		if (!strchr(eng_cmds[i]->name, ' '))
			command_line(out, eng_cmds[i], lang, width);
	heading(out, lang, N_("Options of every command:"));
	options(out, eng_common_opts, lang, width);
	heading(out, lang, N_("Exit codes:"));
	for (unsigned i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		rs_str_addf(out, "  %2d  %s\n", exits[i].code, rs_tr(lang, exits[i].text));
	rs_str_addc(out, '\n');
	eng_fill(out, rs_tr(lang, N_("\"ringside help COMMAND\" explains one command. Results go to "
				     "standard output, everything else to standard error.")),
		 NULL, 0, width);
}

void eng_help(const struct eng_cmd *cmd, enum rs_lang lang, int width, struct rs_str *out)
{
	size_t n;

	if (!cmd) {
		program_help(lang, width, out);
		return;
	}
	rs_str_add(out, rs_tr(lang, N_("usage: ")));
	eng_usage_line(cmd, lang, out);
	rs_str_add(out, "\n\n");
	{
		rs_auto_str line = RS_STR_INIT;

		rs_str_addf(&line, "%s%s%s", cmd->name, rs_tr(lang, N_(": ")), rs_tr(lang, cmd->brief));
		eng_fill(out, line.p, NULL, 0, width);
	}
	if (cmd->help) {
		rs_str_addc(out, '\n');
		eng_fill(out, rs_tr(lang, cmd->help), NULL, 0, width);
	}
	n = strlen(cmd->name);
	if (!cmd->run) {
		heading(out, lang, N_("Commands:"));
		for (unsigned i = 0; eng_cmds[i]; i++)
			if (strncmp(eng_cmds[i]->name, cmd->name, n) == 0 && eng_cmds[i]->name[n] == ' ')
				command_line(out, eng_cmds[i], lang, width);
	}
	heading(out, lang, N_("Options:"));
	options(out, cmd->opts, lang, width);
	options(out, eng_common_opts, lang, width);
}
