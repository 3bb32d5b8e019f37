/* ringside image diff. */
#include <string.h>

#include "engine/cmd_image.h"

static void tell(void *arg, unsigned layer, char what, const char *path, const struct rs_text *detail)
{
	struct eng_cli *c = arg;
	const char *sgr = eng_cli_sgr(c, what == '+' ? "32" : what == '-' ? "31" : "33");
	const char *text = detail->in[c->lang][0] ? detail->in[c->lang] : detail->in[RS_LANG_EN];

	fprintf(c->out, "%s%c %2u  %s%s%s%s\n", sgr, what, layer, path, *text ? ": " : "", text, eng_cli_sgr(c, "0"));
}

/* What differs in the configuration, too, makes two images: said by name. */
static int documents(struct eng_cli *c, const struct ctr_image *a, const struct ctr_image *b)
{
	if (strcmp(a->config.digest, b->config.digest) == 0)
		return 0;
	eng_cli_out(c, N_("the configurations differ: %.12s and %.12s\n"), a->config.digest + 7, b->config.digest + 7);
	return 1;
}

static int diff(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT;
	struct rs_text first;
	struct ctr_image a, b;
	int rc = ENG_EXIT_OK, n = 0;
	struct ctr_store *s = image_store(c, false, &rc);

	if (!s)
		return rc;
	rc = image_find(c, s, c->arg[0], &a);
	if (rc == ENG_EXIT_OK) {
		rc = image_find(c, s, c->arg[1], &b);
		if (rc == ENG_EXIT_OK) {
			n = ctr_image_diff(s, &a, &b, tell, c, &first, &err);
			if (n < 0) {
				rc = image_fail(c, &err);
			} else {
				n += documents(c, &a, &b);
				if (first.in[RS_LANG_EN][0])
					eng_cli_out(c, N_("first byte: %s\n"), first.in[c->lang]);
				rc = n ? ENG_EXIT_FAILED : ENG_EXIT_OK;
			}
			ctr_image_release(&b);
		}
		ctr_image_release(&a);
	}
	ctr_store_close(s);
	return rc;
}

static const struct eng_opt opts[] = {
	IMAGE_STORE_OPT,
	IMAGE_PLATFORM_OPT,
	IMAGE_OPTS_END,
};

const struct eng_cmd eng_cmd_image_diff = {
	.name = "image diff", .args = N_("IMAGE IMAGE"), .args_min = 2, .args_max = 2, .opts = opts, .pure = true, .run = diff,
	.brief = N_("compare two images layer by layer"),
	.help = N_("Layers that both have are passed over. Of the others every entry that differs is listed: + the second image "
		   "has it alone, - the first, ~ both, and in what they differ; then the first byte of a layer that differs, and "
		   "what stands there: two builds that should be equal are not because of it. Exit code 1: they differ."),
};
