/* ringside image build. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cmd_image.h"

struct teller {
	struct eng_cli *c;
	bool quiet;
};

/* "[ 3/7 stage] COPY a b" when it begins; what became of it when it is done. */
static void tell(void *arg, const struct ctr_build_step *s)
{
	struct teller *t = arg;
	struct eng_cli *c = t->c;
	char size[24];

	if (t->quiet)
		return;
	if (!s->done) {
		fprintf(c->err, "[%u/%u %s] %s\n", s->number, s->total, s->stage, s->text);
		fflush(c->err);
		return;
	}
	if (s->cached && s->layer.size)
		eng_cli_note(c, N_("    cached: %.12s, %s\n"), s->layer.digest + 7, image_size(s->layer.size, size));
	else if (s->layer.size)
		eng_cli_note(c, N_("    layer %.12s, %s, %.2f s; made because %s\n"), s->layer.digest + 7, image_size(s->layer.size, size),
			     (double)s->ns / 1e9, s->why.in[c->lang]);
}

/* The values of every option with this name. */
static const char **all_of(const struct eng_cli *c, const char *name, unsigned *n)
{
	const char **v = rs_xcalloc(c->optvals + 1, sizeof(*v));

	*n = 0;
	for (unsigned i = 0; i < c->optvals; i++)
		if (strcmp(c->optval[i].opt->name, name) == 0)
			v[(*n)++] = c->optval[i].value;
	return v;
}

static int build(struct eng_cli *c)
{
	struct teller t = { c, eng_cli_flag(c, "quiet") };
	struct ctr_build b = {
		.context = c->arg[0],
		.file = eng_cli_opt(c, "file"),
		.target = eng_cli_opt(c, "target"),
		.compress = image_compress(c),
		.level = (int)eng_cli_num(c, "level", 0),
		.threads = (unsigned)eng_cli_num(c, "threads", 0),
		.platform = eng_cli_opt(c, "platform"),
		.no_cache = eng_cli_flag(c, "no-cache"),
		.step = tell,
		.step_arg = &t,
	};
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str unused = RS_STR_INIT;
	struct ctr_desc d;
	int rc = ENG_EXIT_OK;
	struct ctr_store *s;

	if (ctr_epoch_from_env(&b.epoch, &err) < 0)
		return image_fail(c, &err);
	if (b.level < 0 || b.level > (b.compress == CTR_ZSTD ? 19 : 12))
		return eng_cli_usage(c, N_("gzip has the levels 1 to 12, zstd 1 to 19"));
	s = image_store(c, true, &rc);
	if (!s)
		return rc;
	rs_auto_free const char **tags = all_of(c, "tag", &b.tags);
	rs_auto_free const char **args = all_of(c, "build-arg", &b.args);
	b.tag = tags;
	b.arg = args;
	if (ctr_image_build(s, &b, &d, &unused, &err) < 0) {
		rc = image_fail(c, &err);
	} else {
		fprintf(c->out, "%s\n", d.digest);
		if (unused.len)
			eng_cli_note(c, N_("ringside: no ARG took these build arguments: %s\n"), unused.p);
	}
	ctr_store_close(s);
	return rc;
}

static const struct eng_opt opts[] = {
	{ 't', "tag", N_("NAME[:TAG]"), N_("name the image; may be given several times"), ENG_ARG_TEXT, NULL },
	{ 'f', "file", N_("FILE"), N_("the Dockerfile; Dockerfile in DIR when left out"), ENG_ARG_FILE, NULL },
	{ 0, "build-arg", N_("NAME=VALUE"), N_("a value for an ARG; NAME alone takes it from the environment"), ENG_ARG_TEXT, NULL },
	{ 0, "target", N_("STAGE"), N_("stop at this stage"), ENG_ARG_TEXT, NULL },
	{ 0, "no-cache", NULL, N_("make every layer again"), 0, NULL },
	{ 'q', "quiet", NULL, N_("print the digest alone"), 0, NULL },
	IMAGE_COMPRESS_OPTS,
	{ 0, "platform", N_("OS/ARCH"), N_("what the image is for; this machine's when left out"), ENG_ARG_TEXT, NULL },
	IMAGE_STORE_OPT,
	IMAGE_OPTS_END,
};

const struct eng_cmd eng_cmd_image_build = {
	.name = "image build", .args = N_("DIR"), .args_min = 1, .args_max = 1, .arg = ENG_ARG_DIR, .opts = opts, .pure = true,
	.run = build,
	.brief = N_("build an image from a Dockerfile"),
	.help = N_("DIR is the context: what COPY and ADD see, without what its .dockerignore names. The image's digest goes to "
		   "standard output. The same input gives the same digest on every machine: times are SOURCE_DATE_EPOCH, or "
		   "1970 when it is not set.\n\n"
		   "A layer that is there already is not made again; for each one that is made, the reason is told: the file, "
		   "the attribute or the instruction that changed. FROM takes scratch or an image in the store."),
};
