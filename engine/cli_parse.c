/* From argv to a command, its options and arguments; every mistake is said with what was likely
 * meant. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/schema.h"

/* ---- option values ---- */

const char *eng_cli_opt(const struct eng_cli *c, const char *name)
{
	for (unsigned i = c->optvals; i-- > 0;)
		if (strcmp(c->optval[i].opt->name, name) == 0)
			return c->optval[i].value;
	return NULL;
}

static int parse_number(const char *s, uint64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoull(s, &end, (s[0] == '0' && (s[1] | 32) == 'x') ? 16 : 10);
	return *end || errno ? -EINVAL : 0;
}

uint64_t eng_cli_num(const struct eng_cli *c, const char *name, uint64_t fallback)
{
	uint64_t v = fallback;

	for (unsigned i = c->optvals; i-- > 0;) {
		const struct eng_optval *o = &c->optval[i];

		if (strcmp(o->opt->name, name) != 0)
			continue;
		/* the parser has accepted the value */
		if (o->opt->arg == ENG_ARG_SIZE)
			rs_parse_size(o->value, &v);
		else if (o->opt->arg == ENG_ARG_DURATION)
			rs_parse_duration(o->value, &v);
		else
			parse_number(o->value, &v);
		break;
	}
	return v;
}

static int bad_choice(struct eng_cli *c, const char *what, const char *value,
		      const char *const *choices)
{
	rs_auto_str all = RS_STR_INIT;
	const char *near = rs_did_you_mean(value, choices);

	for (unsigned i = 0; choices[i]; i++)
		rs_str_addf(&all, "%s%s", i ? ", " : "", choices[i]);
	if (near)
		return eng_cli_usage(c, N_("%s cannot be \"%s\"; did you mean \"%s\"? It can be: %s"),
				     what, value, near, all.p);
	return eng_cli_usage(c, N_("%s cannot be \"%s\"; it can be: %s"), what, value, all.p);
}

static bool is_choice(const char *value, const char *const *choices)
{
	for (unsigned i = 0; choices[i]; i++)
		if (strcmp(choices[i], value) == 0)
			return true;
	return false;
}

/* Checks a value against its row; 0 or an exit code. */
static int check_value(struct eng_cli *c, const struct eng_opt *o, const char *value)
{
	rs_auto_free char *what = rs_xasprintf("--%s", o->name);
	enum rs_lang lang;
	uint64_t n;

	switch (o->arg) {
	case ENG_ARG_CHOICE:
		return is_choice(value, o->choices) ? 0 : bad_choice(c, what, value, o->choices);
	case ENG_ARG_ENGINE:
		if (is_choice(value, eng_engine_names()))
			return 0;
		return bad_choice(c, what, value, eng_engine_names());
	case ENG_ARG_LANG: {
		const char *names[RS_LANGS + 1] = { NULL };

		if (rs_lang_parse(value, &lang) == 0)
			return 0;
		for (unsigned i = 0; i < RS_LANGS; i++)
			names[i] = rs_lang_name(i);
		return bad_choice(c, what, value, names);
	}
	case ENG_ARG_SIZE:
		if (rs_parse_size(value, &n) == 0)
			return 0;
		return eng_cli_usage(c, N_("%s wants a size such as 64K or 4M, not \"%s\""), what, value);
	case ENG_ARG_DURATION:
		if (rs_parse_duration(value, &n) == 0)
			return 0;
		return eng_cli_usage(c, N_("%s wants a time such as 10s or 250ms, not \"%s\""), what,
				     value);
	case ENG_ARG_NUMBER:
		if (parse_number(value, &n) == 0)
			return 0;
		return eng_cli_usage(c, N_("%s wants a number such as 12 or 0x1f, not \"%s\""), what,
				     value);
	default:
		if (!*value)
			return eng_cli_usage(c, N_("%s wants a value that is not empty"), what);
		return 0;
	}
}

static int take_option(struct eng_cli *c, const struct eng_opt *o, const char *value)
{
	int rc = o->value ? check_value(c, o, value) : 0;

	if (rc)
		return rc;
	c->optval = rs_xrealloc(c->optval, c->optvals + 1, sizeof(*c->optval));
	c->optval[c->optvals++] = (struct eng_optval){ o, value };
	return 0;
}

/* ---- the parser ---- */

/* A row by its long name or an unambiguous beginning of it. NULL: none; *many: several. */
static const struct eng_opt *opt_by_name(const struct eng_cli *c, const char *name, size_t n,
					 bool *many)
{
	const struct eng_opt *tables[] = { c->cmd ? c->cmd->opts : NULL, eng_common_opts };
	const struct eng_opt *found = NULL;

	*many = false;
	for (unsigned t = 0; t < 2; t++)
		for (const struct eng_opt *o = tables[t]; o && o->name; o++) {
			if (strncmp(o->name, name, n) != 0)
				continue;
			if (!o->name[n]) {
				*many = false;
				return o;
			}
			*many = found != NULL;
			found = o;
		}
	return *many ? NULL : found;
}

static const struct eng_opt *opt_by_letter(const struct eng_cli *c, char letter)
{
	const struct eng_opt *tables[] = { c->cmd ? c->cmd->opts : NULL, eng_common_opts };

	for (unsigned t = 0; t < 2; t++)
		for (const struct eng_opt *o = tables[t]; o && o->name; o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

static int unknown_option(struct eng_cli *c, const char *name, size_t n, bool many)
{
	const struct eng_opt *tables[] = { c->cmd ? c->cmd->opts : NULL, eng_common_opts };
	rs_auto_free char *word = rs_xasprintf("%.*s", (int)n, name);
	const char *names[64], *near;
	unsigned k = 0;

	if (many)
		return eng_cli_usage(c, N_("--%s is the beginning of several options"), word);
	for (unsigned t = 0; t < 2; t++)
		for (const struct eng_opt *o = tables[t]; o && o->name && k < 63; o++)
			names[k++] = o->name;
	names[k] = NULL;
	near = rs_did_you_mean(word, names);
	if (near)
		return eng_cli_usage(c, N_("there is no option --%s; did you mean --%s?"), word, near);
	if (!c->cmd)
		return eng_cli_usage(c, N_("there is no option --%s before a command; the options of "
					   "a command come behind its name"), word);
	return eng_cli_usage(c, N_("there is no option --%s"), word);
}

/* Parses argv[*i], an option; may take argv[*i + 1] as its value. 0 or an exit code. */
static int parse_option(struct eng_cli *c, int argc, char **argv, int *i)
{
	const char *s = argv[*i];
	const struct eng_opt *o;
	bool many;
	int rc;

	if (s[1] == '-') {
		const char *eq = strchr(s, '=');
		size_t n = eq ? (size_t)(eq - s - 2) : strlen(s + 2);

		o = opt_by_name(c, s + 2, n, &many);
		if (!o)
			return unknown_option(c, s + 2, n, many);
		if (!o->value)
			return eq ? eng_cli_usage(c, N_("--%s takes no value"), o->name) :
				    take_option(c, o, "");
		if (eq)
			return take_option(c, o, eq + 1);
		if (*i + 1 >= argc)
			return eng_cli_usage(c, N_("--%s wants a value: %s"), o->name,
					     rs_tr(c->lang, o->value));
		return take_option(c, o, argv[++*i]);
	}
	for (s++; *s; s++) {
		o = opt_by_letter(c, *s);
		if (!o)
			return eng_cli_usage(c, N_("there is no option -%c"), *s);
		if (!o->value) {
			rc = take_option(c, o, "");
			if (rc)
				return rc;
			continue;
		}
		if (s[1])
			return take_option(c, o, s + 1);
		if (*i + 1 >= argc)
			return eng_cli_usage(c, N_("-%c wants a value: %s"), *s,
					     rs_tr(c->lang, o->value));
		return take_option(c, o, argv[++*i]);
	}
	return 0;
}

/* --lang counts from the first sentence on, wherever it stands. */
static void early_lang(struct eng_cli *c, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *v = NULL;

		if (strncmp(argv[i], "--lang=", 7) == 0)
			v = argv[i] + 7;
		else if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc)
			v = argv[i + 1];
		if (v)
			rs_lang_parse(v, &c->lang);
	}
}

static int unknown_command(struct eng_cli *c, const char *word, const struct eng_cmd *group)
{
	const char *names[64], *near;
	size_t prefix = group ? strlen(group->name) + 1 : 0;
	unsigned k = 0;

	for (unsigned i = 0; eng_cmds[i] && k < 63; i++) {
		const char *name = eng_cmds[i]->name;

		if (group && (strncmp(name, group->name, prefix - 1) != 0 || name[prefix - 1] != ' '))
			continue;
		if (!group && strchr(name, ' '))
			continue;
		names[k++] = name + prefix;
	}
	names[k] = NULL;
	near = rs_did_you_mean(word, names);
	c->cmd = group;
	if (group && near)
		return eng_cli_usage(c, N_("there is no command \"%s %s\"; did you mean \"%s %s\"?"),
				     group->name, word, group->name, near);
	if (group)
		return eng_cli_usage(c, N_("there is no command \"%s %s\""), group->name, word);
	if (near)
		return eng_cli_usage(c, N_("there is no command \"%s\"; did you mean \"%s\"?"), word,
				     near);
	if (*word >= '0' && *word <= '9')
		return eng_cli_usage(c, N_("there is no command \"%s\"; to open a lesson: "
					   "ringside lab %s"), word, word);
	return eng_cli_usage(c, N_("there is no command \"%s\""), word);
}

static bool is_group(const struct eng_cmd *cmd)
{
	return !cmd->run;
}

static void add_arg(struct eng_cli *c, char *arg)
{
	c->arg = rs_xrealloc(c->arg, c->args + 2, sizeof(*c->arg));
	c->arg[c->args++] = arg;
	c->arg[c->args] = NULL;
}

/* Help and version, once the options are known; -1 when neither was asked for. */
static int help_or_version(struct eng_cli *c)
{
	if (eng_cli_flag(c, "version")) {
		fprintf(c->out, "ringside %s\n", eng_version);
		return ENG_EXIT_OK;
	}
	if (eng_cli_flag(c, "help")) {
		rs_auto_str s = RS_STR_INIT;

		eng_help(c->cmd, c->lang, 80, &s);
		fputs(s.p, c->out);
		return ENG_EXIT_OK;
	}
	return -1;
}

static int check_args(struct eng_cli *c)
{
	const struct eng_cmd *cmd = c->cmd;

	if (c->args < cmd->args_min)
		return eng_cli_usage(c, N_("an argument is missing: %s"), rs_tr(c->lang, cmd->args));
	if (!cmd->args && c->args)
		return eng_cli_usage(c, N_("\"%s\" takes no argument, but got \"%s\""), cmd->name,
				     c->arg[0]);
	if (cmd->args_max && c->args > cmd->args_max)
		return eng_cli_usage(c, N_("one argument too many: \"%s\""), c->arg[cmd->args_max]);
	for (unsigned i = 0; cmd->choices && i < c->args; i++)
		if (!is_choice(c->arg[i], cmd->choices))
			return bad_choice(c, rs_tr(c->lang, cmd->args), c->arg[i], cmd->choices);
	return -1;
}

int eng_cli_parse(struct eng_cli *c, int argc, char **argv)
{
	bool plain_words = false; /* behind "--" */
	int rc;

	early_lang(c, argc, argv);
	c->cmd = NULL;
	for (int i = 1; i < argc; i++) {
		char *s = argv[i];

		if (!plain_words && strcmp(s, "--") == 0) {
			plain_words = true;
		} else if (!plain_words && s[0] == '-' && s[1]) {
			rc = parse_option(c, argc, argv, &i);
			if (rc)
				return rc;
		} else if (!c->cmd) {
			c->cmd = eng_cmd_find(s);
			if (!c->cmd || strchr(s, ' '))
				return unknown_command(c, s, NULL);
		} else if (is_group(c->cmd)) {
			rs_auto_free char *two = rs_xasprintf("%s %s", c->cmd->name, s);
			const struct eng_cmd *sub = eng_cmd_find(two);

			if (!sub)
				return unknown_command(c, s, c->cmd);
			c->cmd = sub;
		} else {
			add_arg(c, s);
			plain_words |= c->cmd->tail;
		}
	}
	rc = help_or_version(c);
	if (rc >= 0)
		return rc;
	if (!c->cmd)
		c->cmd = eng_cmds[0];
	if (is_group(c->cmd))
		return eng_cli_usage(c, N_("\"%s\" wants the name of a command"), c->cmd->name);
	return check_args(c);
}

void eng_cli_release(struct eng_cli *c)
{
	free(c->arg);
	free(c->optval);
	c->arg = NULL;
	c->optval = NULL;
	c->args = c->optvals = 0;
}
