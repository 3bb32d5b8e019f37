/* How the tables of the sandboxes are written, and what reads them. Private to engine/sandbox*.c. */
#ifndef ENGINE_SANDBOX_ROWS_H
#define ENGINE_SANDBOX_ROWS_H

#include <sys/syscall.h>

#include "engine/sandbox.h"

/* Allowed always; when (argument a & m) == v; with a second condition; when argument 0 is this process;
 * not done, but fails with errno e instead of killing. */
#define CALL(name, why) { #name, __NR_##name, { { 0, 0, 0, 0 } }, 0, 0, why }
#define CALL_IF(name, a, m, v, why) { #name, __NR_##name, { { a, m, v, 0 } }, 1, 0, why }
#define CALL_IF2(name, a, m, v, a2, m2, v2, why)                                                   \
	{ #name, __NR_##name, { { a, m, v, 0 }, { a2, m2, v2, 0 } }, 2, 0, why }
#define CALL_SELF(name, why) { #name, __NR_##name, { { 0, UINT32_MAX, 0, 1 } }, 1, 0, why }
#define CALL_FAILS(name, e, why) { #name, __NR_##name, { { 0, 0, 0, 0 } }, 0, e, why }
/* The kernel looks at the low half of the command alone (ioctl(2)). */
#define IOCTL(cmd, why) CALL_IF(ioctl, 1, UINT32_MAX, cmd, #cmd ": " why)

/* The filter of a table, in every thread, with no_new_privs; as eng_sandbox_vm describes it. */
int eng_sandbox_close(const struct eng_sandbox_row *rows, unsigned n, _Atomic long *denied, struct rs_err *err);

#endif
