/* The kinds of experiment, one row each. A new kind is a row here, a section in schema.c and the
 * three functions that it names.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/kinds.h"

const char *const eng_vm_engines[] = { "kvm", "soft", NULL };
const char *const eng_emu_engines[] = { "jit", "interp", NULL };
const char *const eng_ctr_engines[] = { "linux", NULL };

const struct eng_kind eng_kinds[] = {
	{
		.name = "vm",
		.sentence = N_("A virtual machine that runs a program of your own."),
		.engines = eng_vm_engines,
		.available = vmm_available,
		.end = RS_EV_VM_END,
		/* The software CPU reserves address space for its guest's code and tables that stays empty. */
		.limits = { .address_space = 16ull << 30, .files = 64, .file_size = 1ull << 30 },
		.sandbox = eng_sandbox_vm,
		.parse = eng_vm_parse,
		.release = eng_vm_release,
		.build = eng_vm_build,
		.tool = eng_vm_tool,
		.exec = eng_vm_exec,
	},
	{
		.name = "emu",
		.sentence = N_("A program for another machine, translated while it runs."),
		.engines = eng_emu_engines,
		.available = emu_available,
		.end = RS_EV_EMU_END,
		/* The guest's 4 GiB, tables that stay empty, code mapped twice, stacks of threads: address
		 * space, not memory. How much memory the guest gets stands in the lesson. */
		.limits = { .address_space = 16ull << 30, .files = 64, .file_size = 64ull << 20 },
		.sandbox = eng_sandbox_emu,
		.parse = eng_emu_parse,
		.release = eng_emu_release,
		.build = eng_emu_build,
		.tool = eng_emu_tool,
		.exec = eng_emu_exec,
	},
	{
		.name = "ctr",
		.sentence = N_("A container in which a program of your own is root."),
		.engines = eng_ctr_engines,
		.available = eng_ctr_available,
		.end = RS_EV_BOX_END,
		.journals = true,
		/* Inherited by what runs in it. */
		.limits = { .address_space = 16ull << 30, .files = 1024, .file_size = 256ull << 20 },
		.sandbox = eng_sandbox_ctr,
		.parse = eng_ctr_parse,
		.release = eng_ctr_release,
		.build = eng_ctr_build,
		.tool = eng_ctr_tool,
		.exec = eng_ctr_exec,
	},
};
const unsigned eng_kind_count = sizeof(eng_kinds) / sizeof(eng_kinds[0]);

const struct eng_kind *eng_kind_by_name(const char *name)
{
	for (unsigned i = 0; i < eng_kind_count; i++)
		if (strcmp(eng_kinds[i].name, name) == 0)
			return &eng_kinds[i];
	return NULL;
}

bool eng_kind_has_engine(const struct eng_kind *kind, const char *engine)
{
	for (unsigned i = 0; kind->engines[i]; i++)
		if (strcmp(kind->engines[i], engine) == 0)
			return true;
	return false;
}

const char *eng_run_engine(const struct eng_run *run)
{
	return run->kind->parse == eng_emu_parse ? run->emu.desc.engine : NULL;
}

void eng_run_free(struct eng_run *run)
{
	if (!run)
		return;
	if (run->kind && run->kind->release)
		run->kind->release(run);
	free(run->source);
	free(run->image);
	free(run);
}
