/* What this machine can run, found out by trying. Private to engine/.
 */
#ifndef ENGINE_DOCTOR_H
#define ENGINE_DOCTOR_H

#include "engine/eng.h"
#include "vmm/vmm.h"

enum eng_doctor_part { ENG_DOCTOR_CPU, ENG_DOCTOR_TOOLS, ENG_DOCTOR_PLACE };

struct eng_doctor_row {
	enum eng_doctor_part part;
	char name[40];               /* "kvm.long64", "cc", "terminal" */
	enum vmm_ability_state state;
	struct rs_text detail;       /* what was seen */
	char advice[400];            /* what to do; a translation key; "" when there is nothing to do */
};

struct eng_doctor {
	struct eng_doctor_row *v;
	unsigned n;
	bool cached;                 /* the CPU rows are from an earlier call since this boot */
};

#define ENG_DOCTOR_LIMIT_MS 30000 /* for all probe guests together */

/* The CPU rows: from the cache when it is of this boot, this version and this /dev/kvm, unless
 * `refresh`; else the probe guests run in a child process. A probe that crashes or hangs is a row
 * that says so. A cache that cannot be written is no error. */
void eng_doctor_cpu(struct eng_doctor *d, bool refresh);
/* Compiler and linker by building a tiny guest; terminal, locale, folders. Not cached. */
void eng_doctor_host(struct eng_doctor *d);
const struct eng_doctor_row *eng_doctor_find(const struct eng_doctor *d, const char *name);
void eng_doctor_release(struct eng_doctor *d);
const char *eng_doctor_state_name(enum vmm_ability_state s); /* "real", "emulated", "broken", "missing" */

/* For tests: runs `probe` as eng_doctor_cpu runs vmm_probe, without the cache. */
void eng_doctor_probe_child(struct eng_doctor *d, unsigned (*probe)(struct vmm_ability *, unsigned),
			    int limit_ms);

#endif
