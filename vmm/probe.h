/* The probe guests. Private to vmm/: probe.c runs and judges them.
 */
#ifndef VMM_PROBE_H
#define VMM_PROBE_H

#include <stdatomic.h>

#include "vmm/machine.h"

/* Where things lie in a probe machine (1 MiB of RAM). */
#define PROBE_CODE 0x10000u    /* the guest */
#define PROBE_STUBS 0x18000u   /* 16 bytes a vector: ends the run with code PROBE_VECTOR + vector */
#define PROBE_MARK 0x20000u    /* 4 bytes that ring 3 may write */
#define PROBE_DIR 0x21000u     /* a page directory, identity map in 4 MiB pages */
#define PROBE_HOLE 0x30000u    /* 4 KiB without memory */
#define PROBE_MEMORY 0x100000u

/* Values that a guest writes to the debug-exit port. */
#define PROBE_OK 42u
#define PROBE_NO_CPUID 43u     /* the CPU it sees does not have the feature */
#define PROBE_WRONG 44u        /* ran on, with a wrong result */
#define PROBE_VECTOR 0x100u
#define PROBE_SYSCALL 0x200u

enum probe_group { PROBE_ANY, PROBE_RING0, PROBE_RING3 }; /* whose code is what the probe is about */

struct probe_guest {
	const char *name;
	const char *advice;           /* translation key */
	const void *code, *end;
	enum vmm_entry entry;
	enum probe_group group;
	uint32_t code_wanted;
	bool from_ring3;              /* the exit's stub must have interrupted ring 3 */
	uint32_t mark_wanted;
	bool step;                    /* single-step all of it, ... */
	unsigned steps_cpl;           /* ... and steps at this CPL are what counts */
	bool breakpoint;              /* at PROBE_CODE + 3 */
	bool mmio, dirty_log;
	bool count_exits;             /* KVM counts what hardware leaves the guest for: at least 100 times */
};
extern const struct probe_guest vmm_probe_guests[];
extern const unsigned vmm_probe_guest_count;

/* A loop of VMM_PROBE_LOOPS turns at CPL 0: how fast is it? */
#define VMM_PROBE_LOOPS 50000u
extern const struct probe_guest vmm_probe_speed;

/* -- probe_run.c -- */
enum vmm_probe_end {
	PROBE_END_NONE, PROBE_END_CODE, PROBE_END_HALT, PROBE_END_SHUTDOWN, PROBE_END_INTERNAL,
	PROBE_END_FAIL_ENTRY, PROBE_END_OTHER_EXIT, PROBE_END_TIME, PROBE_END_STUCK,
	PROBE_END_ENGINE,
};
/* One run of one guest, and what was seen. */
struct vmm_probe_run {
	const struct probe_guest *g;
	struct vmm_machine *m;        /* NULL when it never came to be, or is lost (STUCK) */
	struct vmm_exit exit;         /* the last one */
	enum vmm_probe_end end;
	uint32_t code;                /* PROBE_END_CODE */
	struct vmm_cpu_state state;   /* at the end */
	unsigned exits, steps[4], breakpoints, mmio;
	uint64_t hardware_exits;
	uint64_t dirty;               /* a bit a page, the first 64 */
	uint64_t mark_ns;             /* when the guest wrote to VMM_PORT_DEBUGCON */
	uint64_t ns;                  /* from there, or from the first entry, to the end */
	struct rs_err err;            /* PROBE_END_ENGINE */
	atomic_bool time_is_up, done;
};
/* Never NULL. The run lies on the heap because a vCPU that does not come back keeps it. */
struct vmm_probe_run *vmm_probe_run_guest(const struct probe_guest *g);
void vmm_probe_run_free(struct vmm_probe_run *r);

/* -- what probe.c asks kvm.c beside the engine's functions -- */
struct vmm_kvm_facts {
	int open_errno, create_errno; /* 0 = it worked */
	int api;
	bool sync_regs, immediate_exit;
};
void vmm_kvm_facts(struct vmm_kvm_facts *out);
/* Lets KVM log which pages of the first memory slot the guest writes. */
int vmm_kvm_dirty_start(struct vmm_machine *m, struct rs_err *err);
/* A bit for each of the first 64 pages written since; 0 when KVM does not say. */
void vmm_kvm_dirty_get(struct vmm_machine *m, uint64_t *pages);

#endif
