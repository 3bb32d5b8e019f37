/* Scope cleanup: a resource is released when its variable leaves scope, so an
 * early return stays short and leak-free. Give a resource away with rs_steal*.
 */
#ifndef RS_BASE_CLEANUP_H
#define RS_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void rs_cleanup_freep(void *p)
{
	free(*(void **)p);
}
static inline void rs_cleanup_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void rs_cleanup_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}
static inline void rs_cleanup_closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define rs_cleanup(fn) __attribute__((cleanup(fn)))
#define rs_auto_free rs_cleanup(rs_cleanup_freep)       /* char *p, void *p */
#define rs_auto_close rs_cleanup(rs_cleanup_closep)     /* int fd = -1 */
#define rs_auto_fclose rs_cleanup(rs_cleanup_fclosep)   /* FILE *f = NULL */
#define rs_auto_closedir rs_cleanup(rs_cleanup_closedirp)

/* Takes the descriptor out of its variable; the caller owns it now. */
static inline int rs_steal_fd(int *fd)
{
	int v = *fd;
	*fd = -1;
	return v;
}
/* Takes the pointer out of its variable; the caller owns it now. */
#define rs_steal(p)                                                                                \
	({                                                                                         \
		__typeof__(p) rs_steal_tmp_ = (p);                                                 \
		(p) = NULL;                                                                        \
		rs_steal_tmp_;                                                                     \
	})

#endif
