/* The kinds of experiment, one row each. A new kind is a row here, a section in schema.c and the
 * three functions that it names.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/kinds.h"

const struct eng_kind eng_kinds[] = {
	{
		.name = "vm",
		.sentence = N_("A virtual machine that runs a program of your own."),
		.x86 = true,
		.parse = eng_vm_parse,
		.release = eng_vm_release,
		.link = eng_vm_link,
		.exec = eng_vm_exec,
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
