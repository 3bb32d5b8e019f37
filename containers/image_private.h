/* What the files about images share. */
#ifndef CONTAINERS_IMAGE_PRIVATE_H
#define CONTAINERS_IMAGE_PRIVATE_H

#include "containers/image_json.h"
#include "containers/layer.h"
#include "containers/store_private.h"

/* Stores the configuration and a manifest for it. `config` is a whole image configuration but for
 * rootfs, which is made from the diff ids. Borrows its JSON arguments; `annotations` may be NULL. */
int ctr_image_write(struct ctr_store *s, struct json_object *config, const struct ctr_desc *layer,
		    char (*const diff_id)[CTR_DIGEST_SIZE], unsigned layers, struct json_object *annotations,
		    struct ctr_desc *out, struct rs_err *err);
/* A new configuration without history: created, architecture, os (and variant). */
struct json_object *ctr_config_new(const char *platform, int64_t epoch);
/* One entry more in config's history. `comment` may be NULL. */
void ctr_config_history(struct json_object *config, int64_t epoch, const char *created_by, const char *comment,
			bool empty);

/* An image in one file (image_save.c, image_load.c). `ref` NULL: the only one; name: what it is called there, "" none. */
int ctr_archive_load(struct ctr_store *s, const char *file, const char *ref, struct ctr_desc *out, char name[400],
		     struct rs_err *err);
int ctr_archive_save(struct ctr_store *s, const struct ctr_desc *d, const char *file, const char *ref, bool docker,
		     struct rs_err *err);

/* Registries (registry.h). `name`: HOST[:PORT]/NAME[:TAG|@DIGEST]. */
int ctr_registry_pull(struct ctr_store *s, const char *name, struct ctr_desc *out, char found[400], struct rs_err *err);
int ctr_registry_push(struct ctr_store *s, const struct ctr_desc *d, const char *name, struct rs_err *err);

#endif
