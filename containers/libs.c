/* Libraries on demand. */
#include "containers/libs.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

struct function {
	const char *name;
	void *at; /* the pointer to fill */
};

/* All or nothing: a library with a function missing is another one than this was built with. */
static bool load(const char *file, const struct function *f, unsigned n)
{
	void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	for (unsigned i = 0; lib && i < n; i++) {
		void *p = dlsym(lib, f[i].name);

		if (!p) {
			dlclose(lib);
			return false;
		}
		*(void **)f[i].at = p;
	}
	return lib != NULL;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define ROW(name) { #name, (void *)&table.name },
#define LIBRARY(lib, LIST, file, why)                                                                     \
	const struct ctr_##lib *ctr_##lib(struct rs_err *err)                                             \
	{                                                                                                 \
		static struct ctr_##lib table;                                                            \
		static bool loaded;                                                                       \
		static const struct function rows[] = { LIST(ROW) };                                      \
		bool ok;                                                                                  \
                                                                                                          \
		pthread_mutex_lock(&lock);                                                                \
		ok = loaded = loaded || load(file, rows, sizeof(rows) / sizeof(rows[0]));                 \
		pthread_mutex_unlock(&lock);                                                              \
		if (!ok)                                                                                  \
			rs_err_set(err, -ENOENT, why, file);                                              \
		return ok ? &table : NULL;                                                                \
	}

LIBRARY(curl, CTR_CURL, "libcurl.so.4", "registries need %s, which is not here; install libcurl")
LIBRARY(archive, CTR_ARCHIVE, "libarchive.so.13", "layers and archives need %s, which is not here; install libarchive")
