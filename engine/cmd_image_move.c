/* ringside image: into the store, out of it, unpacked. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/cmd_image.h"

/* ---- import ---- */

static int import(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_new o = {
		.compress = image_compress(c),
		.level = (int)eng_cli_num(c, "level", 0),
		.threads = (unsigned)eng_cli_num(c, "threads", 0),
		.platform = eng_cli_opt(c, "platform"),
		.comment = eng_cli_opt(c, "message"),
		.artifact = eng_cli_opt(c, "artifact"),
		.artifact_media = eng_cli_opt(c, "media-type"),
	};
	struct ctr_desc d;
	int rc = ENG_EXIT_OK;
	struct ctr_store *s;

	if (ctr_epoch_from_env(&o.epoch, &err) < 0)
		return image_fail(c, &err);
	if (o.level < 0 || o.level > (o.compress == CTR_ZSTD ? 19 : 12))
		return eng_cli_usage(c, N_("gzip has the levels 1 to 12, zstd 1 to 19"));
	s = image_store(c, true, &rc);
	if (!s)
		return rc;
	if (ctr_image_import(s, c->arg[0], c->arg[1], &o, &d, &err) < 0)
		rc = image_fail(c, &err);
	else
		fprintf(c->out, "%s\n", d.digest);
	ctr_store_close(s);
	return rc;
}

static const struct eng_opt import_opts[] = {
	IMAGE_STORE_OPT,
	IMAGE_COMPRESS_OPTS,
	{ 0, "platform", N_("OS/ARCH"), N_("what the image is for; this machine's when left out"), ENG_ARG_TEXT, NULL },
	{ 'm', "message", N_("TEXT"), N_("a comment in the image's history"), ENG_ARG_TEXT, NULL },
	{ 0, "artifact", N_("TYPE"), N_("store the file as an artifact of this type, not as an image"), ENG_ARG_TEXT, NULL },
	{ 0, "media-type", N_("TYPE"), N_("the media type of an artifact's file"), ENG_ARG_TEXT, NULL },
	IMAGE_OPTS_END,
};

/* ---- export, unpack ---- */

/* A file beside the one that is asked for, renamed when it is complete; or standard output. */
static int export_to(struct eng_cli *c, struct ctr_store *s, const struct ctr_image *im, struct rs_err *err)
{
	const char *file = eng_cli_opt(c, "output");
	rs_auto_free char *tmp = file ? rs_xasprintf("%s.tmp-%d", file, (int)getpid()) : NULL;
	rs_auto_close int fd = file ? open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
	int ret;

	if (!file)
		return ctr_image_flatten(s, im, fileno(c->out), err);
	if (fd < 0)
		return rs_err_errno(err, errno, "cannot write %s", file);
	ret = ctr_image_flatten(s, im, fd, err);
	if (ret == 0 && (fsync(fd) < 0 || rename(tmp, file) < 0))
		ret = rs_err_errno(err, errno, "cannot write %s", file);
	if (ret < 0)
		unlink(tmp);
	return ret;
}

static int export(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_image im;
	int rc = ENG_EXIT_OK;
	struct ctr_store *s;

	if (c->out_tty && !eng_cli_flag(c, "output"))
		return eng_cli_usage(c, N_("an archive is not for a terminal; use --output FILE or redirect it"));
	s = image_store(c, false, &rc);
	if (!s)
		return rc;
	rc = image_find(c, s, c->arg[0], &im);
	if (rc == ENG_EXIT_OK) {
		if (export_to(c, s, &im, &err) < 0)
			rc = image_fail(c, &err);
		ctr_image_release(&im);
	}
	ctr_store_close(s);
	return rc;
}

static const struct eng_opt export_opts[] = {
	IMAGE_STORE_OPT,
	IMAGE_PLATFORM_OPT,
	{ 'o', "output", N_("FILE"), N_("write to this file instead of standard output"), ENG_ARG_FILE, NULL },
	IMAGE_OPTS_END,
};

static int unpack(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_limits limits = { eng_cli_num(c, "limit", 0), 0 };
	struct ctr_image im;
	unsigned skipped = 0;
	int rc = ENG_EXIT_OK;
	struct ctr_store *s = image_store(c, false, &rc);

	if (!s)
		return rc;
	rc = image_find(c, s, c->arg[0], &im);
	if (rc == ENG_EXIT_OK) {
		if (ctr_image_unpack(s, &im, c->arg[1], &limits, &skipped, &err) < 0)
			rc = image_fail(c, &err);
		else if (skipped)
			eng_cli_note(c, N_("ringside: %u owners, devices or attributes were left out: only root can set them\n"),
				     skipped);
		ctr_image_release(&im);
	}
	ctr_store_close(s);
	return rc;
}

static const struct eng_opt unpack_opts[] = {
	IMAGE_STORE_OPT,
	IMAGE_PLATFORM_OPT,
	{ 0, "limit", N_("SIZE"), N_("stop when a layer becomes larger than this; 64G when left out"), ENG_ARG_SIZE, NULL },
	IMAGE_OPTS_END,
};

/* ---- rows ---- */

const struct eng_cmd eng_cmd_image_import = {
	.name = "image import", .args = N_("PATH NAME[:TAG]"), .args_min = 2, .args_max = 2, .arg = ENG_ARG_FILE,
	.opts = import_opts, .pure = true, .run = import,
	.brief = N_("make an image of one layer from a folder or a tar archive"),
	.help = N_("Prints the new image's digest. The same tree gives the same digest on every machine: entries are "
		   "sorted, and every time is SOURCE_DATE_EPOCH, or 1970 when it is not set."),
};
const struct eng_cmd eng_cmd_image_export = {
	.name = "image export", .args = N_("IMAGE"), .args_min = 1, .args_max = 1, .opts = export_opts, .pure = true,
	.run = export,
	.brief = N_("write an image's tree as one tar archive"),
};
const struct eng_cmd eng_cmd_image_unpack = {
	.name = "image unpack", .args = N_("IMAGE DIR"), .args_min = 2, .args_max = 2, .arg = ENG_ARG_DIR, .opts = unpack_opts,
	.pure = true, .run = unpack,
	.brief = N_("unpack an image's tree into an empty folder"),
	.help = N_("Nothing outside of DIR is touched, whatever the layers say. Digests, sizes and diff ids are checked "
		   "on the way; when something is wrong DIR is left empty."),
};
