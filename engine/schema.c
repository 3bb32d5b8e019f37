/* The table of lesson keys. schema_check.c reads it to check a tree, schema_json.c to print it. */
#include "engine/schema.h"

#include "engine/kinds.h"

static const char *const schema_names[] = { "ringside/lesson/v1", NULL };

static const char *const *schema_words(void)
{
	return schema_names;
}

static const char *const *entry_names(void)
{
	static const char *const names[] = { "real16", "prot32", "long64", NULL }; /* of vmm_entry_name */

	return names;
}

static const char *const *trace_names(void)
{
	static const char *const names[] = { "exits", "rings", "steps", NULL }; /* enum vmm_trace */

	return names;
}

static const char *const *technique_names(void)
{
	return rs_unit_value_names(RS_UNIT_technique);
}

static const char *const *call_names(void)
{
	return rs_unit_value_names(RS_UNIT_call);
}

const char *const *eng_engine_names(void)
{
	static const char *names[16]; /* of all kinds */
	unsigned n = 0;

	for (unsigned k = 0; k < eng_kind_count; k++)
		for (unsigned i = 0; eng_kinds[k].engines[i] && n < 15; i++)
			names[n++] = eng_kinds[k].engines[i];
	return names;
}

static const char *const *emu_engine_names(void)
{
	return eng_emu_engines;
}

const char *const *eng_track_names(void)
{
	static const char *const names[] = {
#define ENG_TRACK(id, title) #id,
#include "engine/tracks.def"
		NULL
	};

	return names;
}

const char *const *eng_view_names(void)
{
	static const char *const names[] = {
#define ENG_VIEW(id, name, kinds, title, sentence) name,
#include "engine/views.def"
		NULL
	};

	return names;
}

#define SECOND 1000000000ull
#define REQUIRED true
#define OPTIONAL false

const struct eng_key eng_keys[] = {
	{ "lesson", "schema", ENG_K_SCHEMA, REQUIRED, NULL, schema_words, 0, 0,
	  N_("The format of this file: ringside/lesson/v1.") },
	{ "lesson", "id", ENG_K_ID, REQUIRED, NULL, NULL, 0, 0,
	  N_("The lesson's name: lower-case words and hyphens. It never changes.") },
	{ "lesson", "aliases", ENG_K_IDS, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Ids that the lesson had before.") },
	{ "lesson", "title", ENG_K_TEXT, REQUIRED, NULL, NULL, 0, 0,
	  N_("The title, in every language.") },
	{ "lesson", "summary", ENG_K_TEXT, REQUIRED, NULL, NULL, 0, 0,
	  N_("One sentence for the lesson list, in every language.") },
	{ "lesson", "track", ENG_K_NAME, REQUIRED, NULL, eng_track_names, 0, 0,
	  N_("The track that the lesson belongs to.") },
	{ "lesson", "minutes", ENG_K_INT, REQUIRED, NULL, NULL, 1, 240,
	  N_("How long a student needs.") },
	{ "lesson", "concepts", ENG_K_IDS, OPTIONAL, NULL, NULL, 0, 0,
	  N_("What the lesson teaches, as words to search for.") },
	{ "lesson", "prerequisites", ENG_K_IDS, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Ids of lessons that come before.") },
	{ "lesson", "requires", ENG_K_NAMES, OPTIONAL, NULL, eng_ability_names, 0, 0,
	  N_("What the machine must be able to do.") },
	{ "lesson", "engines", ENG_K_NAMES, OPTIONAL, NULL, eng_engine_names, 1, 0,
	  N_("Engines that the lesson runs on: kvm and soft for machines, jit and interp for translated "
	     "programs; all of them when the key is missing.") },
	{ "lesson", "files", ENG_K_MAP, OPTIONAL, "files", NULL, 0, 0,
	  N_("The files that come with the lesson.") },
	{ "lesson", "steps", ENG_K_MAPS, REQUIRED, "step", NULL, 1, 64,
	  N_("The steps, in order.") },

	{ "files", "starter", ENG_K_FILES, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Files that are copied into the student's workspace, for the student to change.") },
	{ "files", "readonly", ENG_K_FILES, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Files that are copied too, and restored before every run.") },
	{ "files", "solution", ENG_K_FILES, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Files in solution/ that earn every point.") },

	{ "step", "id", ENG_K_ID, REQUIRED, NULL, NULL, 0, 0,
	  N_("The step's name within the lesson.") },
	{ "step", "text", ENG_K_TEXT, REQUIRED, NULL, NULL, 0, 0,
	  N_("What the student reads: paragraphs, lists, `code`, **bold** and fences.") },
	{ "step", "run", ENG_K_RUN, OPTIONAL, NULL, NULL, 0, 0,
	  N_("What to run; when the key is missing, what the step before runs.") },
	{ "step", "views", ENG_K_NAMES, OPTIONAL, NULL, eng_view_names, 1, 0,
	  N_("The panes to show; when the key is missing, those of the step before.") },
	{ "step", "predict", ENG_K_MAP, OPTIONAL, "predict", NULL, 0, 0,
	  N_("A question that the student answers before the run.") },
	{ "step", "task", ENG_K_MAP, OPTIONAL, "task", NULL, 0, 0,
	  N_("What the student is to change.") },
	{ "step", "checks", ENG_K_MAPS, OPTIONAL, "check", NULL, 1, 32,
	  N_("What must hold when the run has ended.") },
	{ "step", "timeout", ENG_K_DURATION, OPTIONAL, NULL, NULL, SECOND / 10, 600 * SECOND,
	  N_("How long build and run may take; 10s when the key is missing.") },

	{ "predict", "ask", ENG_K_TEXT, REQUIRED, NULL, NULL, 0, 0,
	  N_("The question, in every language.") },
	{ "predict", "answer", ENG_K_EXPR, REQUIRED, NULL, NULL, 0, 0,
	  N_("The answer as a number, computed from the run; with choices the index of the right one, from 0.") },
	{ "predict", "choices", ENG_K_TEXTS, OPTIONAL, NULL, NULL, 2, 9,
	  N_("Answers to choose from.") },

	{ "task", "edit", ENG_K_FILE, REQUIRED, NULL, NULL, 0, 0,
	  N_("The starter file that the student changes.") },

	{ "check", "id", ENG_K_ID, REQUIRED, NULL, NULL, 0, 0,
	  N_("The check's name within the lesson; a folder in wrong/ that must fail it has this name.") },
	{ "check", "points", ENG_K_INT, OPTIONAL, NULL, NULL, 1, 100,
	  N_("What it is worth; 1 when the key is missing.") },
	{ "check", "expect", ENG_K_EXPR, REQUIRED, NULL, NULL, 0, 0,
	  N_("The condition that must hold, an expression over the run.") },
	{ "check", "why", ENG_K_TEXT, OPTIONAL, NULL, NULL, 0, 0,
	  N_("What this check proves, in every language.") },
	{ "check", "hint", ENG_K_TEXTS, OPTIONAL, NULL, NULL, 1, 9,
	  N_("Hints, from gentle to plain, shown one by one while the check fails.") },

	{ "vm", "source", ENG_K_FILE, OPTIONAL, NULL, NULL, 0, 0,
	  N_("The file of the workspace to build: assembly (.S, .s), or C (.c) for the entry long64.") },
	{ "vm", "image", ENG_K_FILE, OPTIONAL, NULL, NULL, 0, 0,
	  N_("A flat binary or an ELF file of the workspace, instead of source.") },
	{ "vm", "entry", ENG_K_NAME, OPTIONAL, NULL, entry_names, 0, 0,
	  N_("The CPU's mode at the first instruction; long64 when the key is missing.") },
	{ "vm", "memory", ENG_K_SIZE, OPTIONAL, NULL, NULL, VMM_MEMORY_MIN, VMM_MEMORY_MAX,
	  N_("How much memory the machine has, a multiple of 4K; 4M when the key is missing.") },
	{ "vm", "load", ENG_K_ADDR, OPTIONAL, NULL, NULL, 0, VMM_MEMORY_MAX - 1,
	  N_("Where a flat binary goes and a source is linked; 0x10000 when the key is missing.") },
	{ "vm", "holes", ENG_K_MAPS, OPTIONAL, "hole", NULL, 1, VMM_HOLES_MAX,
	  N_("Ranges without memory: accesses leave the guest.") },
	{ "vm", "tables", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("The monitor makes GDT, IDT and TSS; true when the key is missing.") },
	{ "vm", "user-pages", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("In long64, ring 3 may use the pages; true when the key is missing.") },
	{ "vm", "trace", ENG_K_NAME, OPTIONAL, NULL, trace_names, 0, 0,
	  N_("What is followed: exits, rings or steps; rings when the key is missing.") },
	{ "vm", "pc", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("The machine has a PC's interrupt controllers, timers and clock; false when the key is missing.") },
	{ "vm", "technique", ENG_K_NAME, OPTIONAL, NULL, technique_names, 0, 0,
	  N_("How the CPU is virtualized: by hardware (assist), or with the guest kernel in ring 1: trap, translate or "
	     "para; assist when the key is missing.") },
	{ "vm", "input", ENG_K_STRING, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Bytes that wait in the serial port.") },
	{ "vm", "until", ENG_K_NAME, OPTIONAL, NULL, call_names, 0, 0,
	  N_("The run ends after the first such call of the KVM API, before any guest code.") },
	{ "vm", "exits", ENG_K_INT, OPTIONAL, NULL, NULL, 1, 1000000000,
	  N_("The run ends after so many VM exits.") },
	{ "vm", "memory-view", ENG_K_ADDR, OPTIONAL, NULL, NULL, 0, UINT64_MAX,
	  N_("The address that the memory pane shows first.") },

	{ "hole", "at", ENG_K_ADDR, REQUIRED, NULL, NULL, 0, VMM_MEMORY_MAX - 1,
	  N_("The first address of the hole, a multiple of 4K.") },
	{ "hole", "size", ENG_K_SIZE, REQUIRED, NULL, NULL, 4096, VMM_MEMORY_MAX,
	  N_("Bytes of the hole, a multiple of 4K.") },

	{ "emu", "source", ENG_K_FILE, OPTIONAL, NULL, NULL, 0, 0,
	  N_("The file of the workspace to compile for the guest: assembly (.S, .s) or C (.c).") },
	{ "emu", "with", ENG_K_FILES, OPTIONAL, NULL, NULL, 1, 8,
	  N_("Further files to compile and link with source.") },
	{ "emu", "image", ENG_K_FILE, OPTIONAL, NULL, NULL, 0, 0,
	  N_("A static Linux executable of the workspace, instead of source.") },
	{ "emu", "guest", ENG_K_NAME, OPTIONAL, NULL, eng_emu_guests, 0, 0,
	  N_("The machine that source is compiled for; riscv64 when the key is missing.") },
	{ "emu", "flags", ENG_K_NAMES, OPTIONAL, NULL, eng_emu_flags, 1, 0,
	  N_("Flags of the compiler; -O2 when the key is missing.") },
	{ "emu", "libc", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("The program is linked with the C library; false when the key is missing: it begins at _start, "
	     "or at main with the lab's guest.h.") },
	{ "emu", "args", ENG_K_STRINGS, OPTIONAL, NULL, NULL, 1, 32,
	  N_("Arguments of the program, behind its name.") },
	{ "emu", "env", ENG_K_STRINGS, OPTIONAL, NULL, NULL, 1, 32,
	  N_("Its environment, NAME=VALUE each; empty when the key is missing.") },
	{ "emu", "input", ENG_K_STRING, OPTIONAL, NULL, NULL, 0, 0,
	  N_("What it reads from its standard input.") },
	{ "emu", "engine", ENG_K_NAME, OPTIONAL, NULL, emu_engine_names, 0, 0,
	  N_("This run is always on this engine, jit or interp.") },
	{ "emu", "passes-off", ENG_K_NAMES, OPTIONAL, NULL, emu_pass_names, 1, 0,
	  N_("Passes over the IR that are left out.") },
	{ "emu", "chain", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Blocks lead directly to the next one; true when the key is missing.") },
	{ "emu", "jump-cache", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Targets of indirect jumps are remembered; true when the key is missing.") },
	{ "emu", "return-stack", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("A guest's call and return are the host's own; true when the key is missing.") },
	{ "emu", "superblock", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("A block holds joins, loops and calls; true when the key is missing.") },
	{ "emu", "pin", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("The most used guest registers stay in host registers; true when the key is missing.") },
	{ "emu", "block-insns", ENG_K_INT, OPTIONAL, NULL, NULL, 1, EMU_BLOCK_INSNS_MAX,
	  N_("Most instructions of a block; 64 when the key is missing.") },
	{ "emu", "block-branches", ENG_K_INT, OPTIONAL, NULL, NULL, 1, EMU_BLOCK_BRANCHES_MAX,
	  N_("Most conditional branches of a block; with 1 a block ends at every branch.") },
	{ "emu", "count", ENG_K_BOOL, OPTIONAL, NULL, NULL, 0, 0,
	  N_("Instructions and runs of blocks are counted, which makes the code slower; true when the key "
	     "is missing.") },
	{ "emu", "memory", ENG_K_SIZE, OPTIONAL, NULL, NULL, EMU_MEMORY_MIN, 1ull << 30,
	  N_("Most memory that the program may map; 64M when the key is missing.") },
	{ "emu", "at", ENG_K_STRING, OPTIONAL, NULL, NULL, 0, 0,
	  N_("The symbol or hexadecimal address whose block is shown; the one that runs when the key is "
	     "missing.") },

	{ "ctr", "source", ENG_K_FILE, OPTIONAL, NULL, NULL, 0, 0,
	  N_("A C file of the workspace: the container's first program, linked statically.") },
	{ "ctr", "script", ENG_K_FILE, OPTIONAL, NULL, NULL, 0, 0,
	  N_("A shell script of the workspace that busybox runs, instead of source.") },
	{ "ctr", "files", ENG_K_FILES, OPTIONAL, NULL, NULL, 1, 32,
	  N_("Further files of the workspace that lie in the container's folder /work.") },
	{ "ctr", "args", ENG_K_STRINGS, OPTIONAL, NULL, NULL, 1, 32,
	  N_("Arguments of the program, behind its name.") },
	{ "ctr", "env", ENG_K_STRINGS, OPTIONAL, NULL, NULL, 1, 32,
	  N_("Added to its environment, NAME=VALUE each.") },
	{ "ctr", "input", ENG_K_STRING, OPTIONAL, NULL, NULL, 0, 0,
	  N_("What it reads from its standard input.") },
	{ "ctr", "resources", ENG_K_FILE, OPTIONAL, NULL, NULL, 0, 0,
	  N_("A JSON file of the workspace with the container's limits, as linux.resources of config.json has them.") },
	{ 0 }
};
