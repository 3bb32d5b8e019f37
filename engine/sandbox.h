/* What a child process of the lab may use: resource limits from its start, and a seccomp filter
 * once it is set up. Private to engine/.
 */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/base/err.h"

/* Upper bounds; 0 leaves a limit as it is. Lowered for soft and hard (setrlimit(2)); a limit that is
 * lower already stays. Core dumps are always off. */
struct eng_limits {
	uint64_t address_space; /* bytes; not applied to programs built with a sanitizer */
	uint64_t cpu_seconds;
	uint64_t files;         /* descriptors */
	uint64_t file_size;     /* bytes of one file */
};
int eng_limits_apply(const struct eng_limits *l, struct rs_err *err);

/* Installs the filter of the VM experiment in every thread of the process, with no_new_privs.
 * Anything outside the table kills the process with SIGSYS; before that, *denied becomes the number
 * of the call (shared memory that the parent reads; start it at -1). -ENOSYS when the kernel has no
 * seccomp filters. */
int eng_sandbox_vm(_Atomic long *denied, struct rs_err *err);
/* The same for the experiment that runs a translated program. */
int eng_sandbox_emu(_Atomic long *denied, struct rs_err *err);

/* The same for the experiment that watches a container. */
int eng_sandbox_ctr(_Atomic long *denied, struct rs_err *err);

/* "open" for a system call number of this machine into buf; "call 999" when unknown. */
const char *eng_syscall_name(long nr, char *buf, unsigned size);

/* The tables, for the reference and the tests: of the VM, of translated programs. */
struct eng_sandbox_row {
	const char *call;
	int nr;
	struct {
		unsigned arg;          /* argument number, from 0 */
		uint64_t mask, value;  /* allowed when (argument & mask) == value */
		int self;              /* value is this process's pid */
	} cond[2];
	unsigned conds;
	int error;                     /* 0: allowed; else the call fails with this errno */
	const char *reason;
};
const struct eng_sandbox_row *eng_sandbox_rows(unsigned *n);
const struct eng_sandbox_row *eng_sandbox_emu_rows(unsigned *n);
const struct eng_sandbox_row *eng_sandbox_ctr_rows(unsigned *n);

#endif
