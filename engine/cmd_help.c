/* ringside help [COMMAND] */
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"

static int run(struct eng_cli *c)
{
	rs_auto_str out = RS_STR_INIT, name = RS_STR_INIT;
	const struct eng_cmd *cmd = NULL;

	for (unsigned i = 0; i < c->args; i++)
		rs_str_addf(&name, "%s%s", i ? " " : "", c->arg[i]);
	if (c->args) {
		const char *names[64], *near;
		unsigned k = 0;

		cmd = eng_cmd_find(name.p);
		for (; eng_cmds[k] && k < 63; k++)
			names[k] = eng_cmds[k]->name;
		names[k] = NULL;
		near = rs_did_you_mean(name.p, names);
		if (!cmd && near)
			return eng_cli_usage(c, N_("there is no command \"%s\"; did you mean \"%s\"?"),
					     name.p, near);
		if (!cmd)
			return eng_cli_usage(c, N_("there is no command \"%s\""), name.p);
	}
	eng_help(cmd, c->lang, 80, &out);
	fputs(out.p, c->out);
	return ENG_EXIT_OK;
}

const struct eng_cmd eng_cmd_help = {
	.name = "help", .args = N_("[COMMAND]"), .args_max = 2, .arg = ENG_ARG_COMMAND,
	.brief = N_("explain a command, or list the commands"),
	.pure = true,
	.run = run,
};
