/* ringside image copy, save, load, pull, push: from one place to another. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cmd_image.h"

static int copy_between(struct eng_cli *c, const char *from, const char *to)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_desc d;
	int rc = ENG_EXIT_OK;
	struct ctr_store *s = image_store(c, true, &rc);

	if (!s)
		return rc;
	if (ctr_image_copy(s, from, to, &d, &err) < 0)
		rc = image_fail(c, &err);
	else
		fprintf(c->out, "%s\n", d.digest);
	ctr_store_close(s);
	return rc;
}

static int copy(struct eng_cli *c)
{
	return copy_between(c, c->arg[0], c->arg[1]);
}

static int save(struct eng_cli *c)
{
	const char *format = eng_cli_opt(c, "format"), *file = eng_cli_opt(c, "output");
	rs_auto_free char *to = NULL;

	if (!file)
		return eng_cli_usage(c, N_("say which file to write: --output FILE"));
	if (strchr(file, ':'))
		return eng_cli_usage(c, N_("the name of an archive cannot have a \":\""));
	to = rs_xasprintf("%s-archive:%s", format ? format : "oci", file);
	return copy_between(c, c->arg[0], to);
}

/* Which kind of archive it is, the file itself tells. */
static int load(struct eng_cli *c)
{
	rs_auto_free char *from = rs_xasprintf("oci-archive:%s", c->arg[0]);

	return copy_between(c, from, c->args > 1 ? c->arg[1] : "");
}

static int pull(struct eng_cli *c)
{
	rs_auto_free char *from = rs_xasprintf("docker://%s", c->arg[0]);

	return copy_between(c, from, c->args > 1 ? c->arg[1] : c->arg[0]);
}

static int push(struct eng_cli *c)
{
	rs_auto_free char *to = rs_xasprintf("docker://%s", c->args > 1 ? c->arg[1] : c->arg[0]);

	return copy_between(c, c->arg[0], to);
}

static const char *const formats[] = { "oci", "docker", NULL };
static const struct eng_opt save_opts[] = {
	{ 'o', "output", N_("FILE"), N_("the archive to write"), ENG_ARG_FILE, NULL },
	{ 0, "format", N_("FORMAT"), N_("oci, or docker: what \"docker save\" writes; oci when left out"), ENG_ARG_CHOICE, formats },
	IMAGE_STORE_OPT,
	IMAGE_OPTS_END,
};
static const struct eng_opt store_opts[] = {
	IMAGE_STORE_OPT,
	IMAGE_OPTS_END,
};

const struct eng_cmd eng_cmd_image_copy = {
	.name = "image copy", .args = N_("FROM TO"), .args_min = 2, .args_max = 2, .opts = store_opts, .pure = true, .run = copy,
	.brief = N_("copy an image between the store, layouts, archives and registries"),
	.help = N_("A place is one of\n\n"
		   "  NAME[:TAG]                       in the store\n"
		   "  oci:DIR[:REF]                    an OCI image layout\n"
		   "  oci-archive:FILE[:REF]           the same in a tar archive\n"
		   "  docker-archive:FILE[:NAME:TAG]   what \"docker save\" writes\n"
		   "  docker://HOST[:PORT]/NAME[:TAG]  a registry\n\n"
		   "Digests are checked on the way. An index is copied whole. Loopback registries are asked over HTTP, others "
		   "over HTTPS; credentials are those of \"docker login\" or \"skopeo login\"."),
};
const struct eng_cmd eng_cmd_image_save = {
	.name = "image save", .args = N_("IMAGE"), .args_min = 1, .args_max = 1, .opts = save_opts, .pure = true, .run = save,
	.brief = N_("write an image with its layers and documents into one archive"),
};
const struct eng_cmd eng_cmd_image_load = {
	.name = "image load", .args = N_("FILE [NAME]"), .args_min = 1, .args_max = 2, .arg = ENG_ARG_FILE, .opts = store_opts,
	.pure = true, .run = load,
	.brief = N_("read an image from an OCI or docker archive"),
	.help = N_("Without NAME it gets the name that it has in the archive."),
};
const struct eng_cmd eng_cmd_image_pull = {
	.name = "image pull", .args = N_("HOST/NAME[:TAG] [NAME]"), .args_min = 1, .args_max = 2, .opts = store_opts, .pure = true,
	.run = pull,
	.brief = N_("fetch an image from a registry"),
};
const struct eng_cmd eng_cmd_image_push = {
	.name = "image push", .args = N_("IMAGE [HOST/NAME[:TAG]]"), .args_min = 1, .args_max = 2, .opts = store_opts, .pure = true,
	.run = push,
	.brief = N_("send an image to a registry"),
};
