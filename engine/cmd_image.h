/* What the files of `ringside image` share. Private to engine/. */
#ifndef ENGINE_CMD_IMAGE_H
#define ENGINE_CMD_IMAGE_H

#include "containers/image.h"
#include "engine/cli.h"

#define IMAGE_STORE_OPT                                                                            \
	{ 0, "store", N_("DIR"), N_("the image store, an OCI image layout; the user's own when left out"), ENG_ARG_DIR, NULL }
#define IMAGE_PLATFORM_OPT                                                                         \
	{ 0, "platform", N_("OS/ARCH"), N_("the image for this platform; this machine's when left out"), ENG_ARG_TEXT, NULL }
#define IMAGE_COMPRESS_OPTS                                                                        \
	{ 'c', "compress", N_("KIND"), N_("gzip, zstd or none; gzip when left out"), ENG_ARG_CHOICE, ctr_compress_names }, \
	{ 0, "level", N_("NUMBER"), N_("how hard to compress; gzip 6 or zstd 3 when left out"), ENG_ARG_NUMBER, NULL }, \
	{ 0, "threads", N_("NUMBER"), N_("threads that compress; one a processor when left out"), ENG_ARG_NUMBER, NULL }
#define IMAGE_OPTS_END { 0, NULL, NULL, NULL, 0, NULL }

/* The store that --store names. NULL: the error was told and *rc is the exit code. */
struct ctr_store *image_store(struct eng_cli *c, bool create, int *rc);
/* The image that an argument names; 0 or an exit code. */
int image_find(struct eng_cli *c, struct ctr_store *s, const char *name, struct ctr_image *im);
int image_fail(struct eng_cli *c, const struct rs_err *e);
enum ctr_compress image_compress(const struct eng_cli *c);
/* "12.3 MB" */
const char *image_size(uint64_t bytes, char buf[24]);

#endif
