/* Kinds of experiment: what stands under `run:` in a lesson. One row a kind (kinds.c); its two
 * sides are
 *   parse side   lesson.yaml -> parameters     (kind_<name>.c; keys in schema.c, section = name)
 *   run side     parameters -> a child process that does it     (experiment.c, run_<name>.c)
 * Private to engine/.
 */
#ifndef ENGINE_KINDS_H
#define ENGINE_KINDS_H

#include "containers/box.h"
#include "emu/emu.h"
#include "engine/eng.h"
#include "engine/sandbox.h"
#include "vmm/vmm.h"

struct eng_node; /* yaml.h */
struct eng_build; /* build.h */

/* run: {vm: ...} */
struct eng_run_vm {
	struct vmm_desc desc;     /* as vmm_desc_check wants it, but image, engine, timeout_ns and
				     start_paused are NULL/0: the session fills them in a copy.
				     desc.serial_input points to `input` or is NULL */
	char *input;              /* owned */
	uint64_t memory_view;     /* guest-physical; where the memory pane opens */
	bool has_memory_view;
};

/* run: {emu: ...} */
struct eng_run_emu {
	struct emu_desc desc;     /* as emu_desc_check wants it, but program, argv and what the session
				     decides (timeout_ns, start_paused, watched) are NULL/0; engine is
				     NULL unless the lesson fixed it */
	const char *guest;        /* "riscv64", "aarch64": what the source is compiled for */
	struct eng_strings with;  /* further source files */
	struct eng_strings flags; /* of the compiler */
	struct eng_strings args, env;
	bool libc;                /* linked with the C library, statically */
	char *input, *at, *passes_off; /* owned; what desc points to */
};

/* run: {ctr: ...}; a script is the run's image */
struct eng_run_ctr {
	struct eng_strings files, args, env;
	char *input, *resources;  /* owned; NULL: none */
};

struct eng_kind;
struct eng_run {
	const struct eng_kind *kind;
	char *source;             /* workspace file to build, or NULL ... */
	char *image;              /* ... then a workspace file used as it is (flat or ELF) */
	int line, col;            /* of the kind's key in lesson.yaml */
	union {
		struct eng_run_vm vm;
		struct eng_run_emu emu;
		struct eng_run_ctr ctr;
	};
};

/* What the child process of a run is given. */
struct eng_exec {
	const struct eng_run *run;
	const char *image;        /* absolute path of the built (or given) image */
	const char *workspace;    /* absolute */
	const char *engine;       /* one of the kind's, or NULL: the best one here */
	uint64_t timeout_ns;
	bool start_paused;
	bool watched;             /* somebody sees or records it: snapshots while it runs */
	struct rs_emitter *em;
	int control_fd;           /* -1: none */
	int (*seal)(void *arg, struct rs_err *err); /* call once after set-up, before guest code */
	void *seal_arg;
};

struct eng_kind {
	const char *name;         /* the key under `run:`, and the section of schema.c */
	const char *sentence;     /* translation key */
	const char *const *engines; /* names of the engines it can run on, the best first; NULL at the end */
	int (*available)(const char *engine, struct rs_err *err); /* 0: this machine has it */
	enum rs_kind end;         /* the event that says how a run ended; its first argument the outcome */
	struct eng_limits limits; /* of the child; 0: decided by the session */
	bool journals;            /* the child makes things on the host and writes them in a journal of its own */
	/* Closes the child's sandbox: forbidden calls kill, and *denied names the call. */
	int (*sandbox)(_Atomic long *denied, struct rs_err *err);
	/* Fills run from the validated map `node` (its keys have the types of schema.c). `file` stands
	 * in errors. run->kind, line, col are set. On error the caller calls release. */
	int (*parse)(const struct eng_node *node, const char *file, struct eng_run *run,
		     struct rs_err *err);
	void (*release)(struct eng_run *run); /* the kind's own members; source and image are the caller's */
	/* How a `source` of this kind is built: fills what stands for it in struct eng_build. */
	void (*build)(const struct eng_run *run, struct eng_build *b);
	/* ... and the ability (abilities.def) that this needs. */
	const char *(*tool)(const struct eng_run *run);
	/* In the child process: does it, emitting everything. 0 when the run came to an end of its
	 * own (VM_END said how), negative when it could not be done. */
	int (*exec)(const struct eng_exec *x, struct rs_err *err);
};
extern const char *const eng_vm_engines[], *const eng_emu_engines[], *const eng_ctr_engines[]; /* names, NULL at the end */
extern const struct eng_kind eng_kinds[];
extern const unsigned eng_kind_count;
const struct eng_kind *eng_kind_by_name(const char *name); /* NULL if none */
/* The engine that this run is always on, or NULL. */
const char *eng_run_engine(const struct eng_run *run);
bool eng_kind_has_engine(const struct eng_kind *kind, const char *engine);

void eng_run_free(struct eng_run *run); /* NULL is fine */

/* The parse side of `vm`; its run side is eng_vm_exec (run_vm.c). */
int eng_vm_parse(const struct eng_node *node, const char *file, struct eng_run *run,
		 struct rs_err *err);
void eng_vm_release(struct eng_run *run);
void eng_vm_build(const struct eng_run *run, struct eng_build *b);
const char *eng_vm_tool(const struct eng_run *run);
int eng_vm_exec(const struct eng_exec *x, struct rs_err *err);

/* The same of `emu` (kind_emu.c, run_emu.c). */
int eng_emu_parse(const struct eng_node *node, const char *file, struct eng_run *run,
		  struct rs_err *err);
void eng_emu_release(struct eng_run *run);
void eng_emu_build(const struct eng_run *run, struct eng_build *b);
const char *eng_emu_tool(const struct eng_run *run);
int eng_emu_exec(const struct eng_exec *x, struct rs_err *err);
const char *const *eng_emu_guests(void);   /* names, NULL at the end */
const char *const *eng_emu_flags(void);    /* the compiler flags that a lesson may name */

/* The same of `ctr` (kind_ctr.c, run_ctr.c). */
int eng_ctr_parse(const struct eng_node *node, const char *file, struct eng_run *run, struct rs_err *err);
void eng_ctr_release(struct eng_run *run);
void eng_ctr_build(const struct eng_run *run, struct eng_build *b);
const char *eng_ctr_tool(const struct eng_run *run);
int eng_ctr_available(const char *engine, struct rs_err *err);
int eng_ctr_exec(const struct eng_exec *x, struct rs_err *err);

#endif
