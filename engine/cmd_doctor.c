/* ringside doctor */
#include <json-c/json.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/cli_fill.h"
#include "engine/doctor.h"
#include "engine/json.h"

static const char *const parts[] = { N_("The CPU and its guests"), N_("Tools"),
				     N_("Terminal and folders") };

/* How many lessons can run here. */
static void count_lessons(unsigned *can, unsigned *all, struct rs_err *why)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *dir = eng_labs_dir(&err);
	struct eng_catalog cat = { 0 };

	*can = *all = 0;
	if (!dir || eng_catalog_load(&cat, dir, NULL, NULL, &err) < 0)
		return;
	*all = cat.n;
	for (unsigned i = 0; i < cat.n; i++) {
		struct rs_err e = RS_ERR_INIT;

		if (eng_lesson_runnable(cat.v[i], NULL, &e) == 0)
			++*can;
		else if (!why->code)
			*why = e;
	}
	eng_catalog_release(&cat);
}

static const char *state_word(const struct eng_doctor_row *r, enum rs_lang lang)
{
	switch (r->state) {
	case VMM_REAL:
		return r->part == ENG_DOCTOR_CPU ? rs_tr(lang, N_("real")) : rs_tr(lang, N_("fine"));
	case VMM_EMULATED:
		return rs_tr(lang, N_("emulated"));
	case VMM_BROKEN:
		return r->part == ENG_DOCTOR_PLACE ? rs_tr(lang, N_("poor")) : rs_tr(lang, N_("broken"));
	default:
		return rs_tr(lang, N_("missing"));
	}
}

static const char *state_sgr(enum vmm_ability_state s)
{
	return s == VMM_REAL ? "32" : s == VMM_EMULATED ? "36" : s == VMM_BROKEN ? "31" : "33";
}

static void pad(FILE *f, const char *s, int width)
{
	fputs(s, f);
	for (int n = rs_utf8_width(s, strlen(s)); n < width; n++)
		fputc(' ', f);
}

static void print_text(struct eng_cli *c, const struct eng_doctor *d)
{
	struct rs_err why = RS_ERR_INIT;
	unsigned can, all;

	count_lessons(&can, &all, &why);
	if (!all)
		eng_cli_out(c, N_("There are no lessons to be found.\n"));
	else if (can == all)
		eng_cli_out(c, N_("All is well: this machine runs every lesson (%u).\n"), all);
	else
		eng_cli_out(c, N_("This machine runs %u of the %u lessons; what is missing stands below, with "
				  "what to do about it.\n"), can, all);
	if (why.code) {
		rs_auto_str out = RS_STR_INIT;

		eng_fill(&out, why.text[c->lang], NULL, 2, 80);
		fputs(out.p, c->out);
	}
	for (unsigned p = 0; p < 3; p++) {
		fprintf(c->out, "\n%s%s%s\n", eng_cli_sgr(c, "1"), rs_tr(c->lang, parts[p]),
			eng_cli_sgr(c, "0"));
		for (unsigned i = 0; i < d->n; i++) {
			const struct eng_doctor_row *r = &d->v[i];
			rs_auto_str out = RS_STR_INIT;

			if ((unsigned)r->part != p)
				continue;
			fprintf(c->out, "  %s", eng_cli_sgr(c, state_sgr(r->state)));
			pad(c->out, state_word(r, c->lang), 9);
			fputs(eng_cli_sgr(c, "0"), c->out);
			pad(c->out, r->name, 22);
			fprintf(c->out, " %s\n", r->detail.in[c->lang]);
			if (r->advice[0])
				eng_fill(&out, rs_tr(c->lang, r->advice), NULL, 11, 80);
			fputs(out.p, c->out);
		}
	}
	if (d->cached)
		eng_cli_out(c, N_("\nThe CPU was examined earlier since this boot; \"ringside doctor "
				  "--refresh\" does it again.\n"));
}

static void print_json(struct eng_cli *c, const struct eng_doctor *d)
{
	static const char *const names[] = { "cpu", "tools", "place" };
	struct json_object *top = json_object_new_object(), *rows = json_object_new_array();
	struct rs_err why = RS_ERR_INIT;
	unsigned can, all;

	count_lessons(&can, &all, &why);
	json_object_object_add(top, "format", json_object_new_string("ringside/doctor/v1"));
	json_object_object_add(top, "ringside", json_object_new_string(eng_version));
	json_object_object_add(top, "lessons", json_object_new_int64(all));
	json_object_object_add(top, "runnable", json_object_new_int64(can));
	json_object_object_add(top, "cached", json_object_new_boolean(d->cached));
	for (unsigned i = 0; i < d->n; i++) {
		struct json_object *o = json_object_new_object();
		const struct eng_doctor_row *r = &d->v[i];

		json_object_object_add(o, "part", json_object_new_string(names[r->part]));
		json_object_object_add(o, "name", eng_json_str(r->name));
		json_object_object_add(o, "state", eng_json_str(eng_doctor_state_name(r->state)));
		json_object_object_add(o, "detail", eng_json_str(r->detail.in[c->lang]));
		json_object_object_add(o, "advice",
				       r->advice[0] ? eng_json_str(rs_tr(c->lang, r->advice)) : NULL);
		json_object_array_add(rows, o);
	}
	json_object_object_add(top, "abilities", rows);
	eng_json_print(c->out, top, true);
}

static int run(struct eng_cli *c)
{
	struct eng_doctor d = { 0 };

	eng_doctor_cpu(&d, eng_cli_flag(c, "refresh"));
	eng_doctor_host(&d);
	if (eng_cli_flag(c, "json"))
		print_json(c, &d);
	else
		print_text(c, &d);
	eng_doctor_release(&d);
	return ENG_EXIT_OK;
}

static const struct eng_opt opts[] = {
	{ 'j', "json", NULL, N_("write JSON"), 0, NULL },
	{ 'r', "refresh", NULL, N_("run the probe guests again instead of asking the cache"), 0, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_doctor = {
	.name = "doctor", .opts = opts,
	.brief = N_("examine what this machine can run, and what to do about the rest"),
	.help = N_("Tiny probe guests try each ability of the CPU. real: it works as hardware does. "
		   "emulated: it works, done by software. broken: it answers wrongly. missing: it is not "
		   "there. What they saw is kept until the next boot."),
	.run = run,
};
