/* Why a container cannot reach the runtime's binary. Private to containers/. */
#ifndef CONTAINERS_BINARY_H
#define CONTAINERS_BINARY_H

#include "engine/base/err.h"

/* Runs this program again from a copy or a mount that nobody can write, unless that is so already. A
 * process of a container that opens /proc/PID/exe, or makes the runtime execute /proc/self/exe, then
 * holds a file that it cannot change (CVE-2019-5736). Returns 0 when nothing had to be done; on success
 * it does not return; on failure negative errno and err. Call it before anything else: memory and
 * threads do not survive. */
int ctr_binary_seal(char *const argv[], struct rs_err *err);

#endif
