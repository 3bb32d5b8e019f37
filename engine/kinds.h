/* Kinds of experiment: what stands under `run:` in a lesson. One row a kind (kinds.c); its two
 * sides are
 *   parse side   lesson.yaml -> parameters     (kind_<name>.c; keys in schema.c, section = name)
 *   run side     parameters -> a child process that does it     (experiment.c, run_<name>.c)
 * Private to engine/.
 */
#ifndef ENGINE_KINDS_H
#define ENGINE_KINDS_H

#include "engine/eng.h"
#include "vmm/vmm.h"

struct eng_node; /* yaml.h */

/* run: {vm: ...} */
struct eng_run_vm {
	struct vmm_desc desc;     /* as vmm_desc_check wants it, but image, engine, timeout_ns and
				     start_paused are NULL/0: the session fills them in a copy.
				     desc.serial_input points to `input` or is NULL */
	char *input;              /* owned */
	uint64_t memory_view;     /* guest-physical; where the memory pane opens */
	bool has_memory_view;
};

struct eng_kind;
struct eng_run {
	const struct eng_kind *kind;
	char *source;             /* workspace file to assemble and link, or NULL ... */
	char *image;              /* ... then a workspace file used as it is (flat or ELF) */
	int line, col;            /* of the kind's key in lesson.yaml */
	union {
		struct eng_run_vm vm;
	};
};

/* What the child process of a run is given. */
struct eng_exec {
	const struct eng_run *run;
	const char *image;        /* absolute path of the built (or given) image */
	const char *engine;       /* "kvm", "soft" or NULL */
	uint64_t timeout_ns;
	bool start_paused;
	struct rs_emitter *em;
	int control_fd;           /* -1: none */
	int (*seal)(void *arg, struct rs_err *err); /* call once after set-up, before guest code */
	void *seal_arg;
};

struct eng_kind {
	const char *name;         /* the key under `run:`, and the section of schema.c */
	const char *sentence;     /* translation key */
	bool x86;                 /* needs a CPU engine (kvm, soft): the lesson's `engines` apply */
	/* Fills run from the validated map `node` (its keys have the types of schema.c). `file` stands
	 * in errors. run->kind, line, col are set. On error the caller calls release. */
	int (*parse)(const struct eng_node *node, const char *file, struct eng_run *run,
		     struct rs_err *err);
	void (*release)(struct eng_run *run); /* the kind's own members; source and image are the caller's */
	/* How a `source` of this kind is linked: at which address, as an ELF executable or flat. */
	void (*link)(const struct eng_run *run, uint64_t *base, bool *flat);
	/* In the child process: does it, emitting everything. 0 when the run came to an end of its
	 * own (VM_END said how), negative when it could not be done. */
	int (*exec)(const struct eng_exec *x, struct rs_err *err);
};
extern const struct eng_kind eng_kinds[];
extern const unsigned eng_kind_count;
const struct eng_kind *eng_kind_by_name(const char *name); /* NULL if none */

void eng_run_free(struct eng_run *run); /* NULL is fine */

/* The parse side of `vm`; its run side is eng_vm_exec (run_vm.c). */
int eng_vm_parse(const struct eng_node *node, const char *file, struct eng_run *run,
		 struct rs_err *err);
void eng_vm_release(struct eng_run *run);
void eng_vm_link(const struct eng_run *run, uint64_t *base, bool *flat);
int eng_vm_exec(const struct eng_exec *x, struct rs_err *err);

#endif
