/* The parse side of the kind `vm`: keys of the section `vm` (schema.c) -> struct vmm_desc. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/build.h"
#include "engine/kinds.h"
#include "engine/schema.h"

#define PAGE 4096u
#define FAIL(n, ...) rs_err_at(err, -EINVAL, file, (n)->line, (n)->col, __VA_ARGS__)

void eng_vm_release(struct eng_run *run)
{
	free(run->vm.input);
	run->vm.input = NULL;
}

static int take_holes(const struct eng_node *list, const char *file, struct vmm_desc *d,
		      struct rs_err *err)
{
	for (unsigned i = 0; list && i < list->items; i++) {
		const struct eng_node *at = eng_node_get(list->item[i], "at", NULL);
		const struct eng_node *size = eng_node_get(list->item[i], "size", NULL);
		struct vmm_hole h = { eng_node_uint(at, 0), eng_node_uint(size, 0) };

		if (h.gpa % PAGE)
			return FAIL(at, "\"%s\" must be a multiple of 4K", "at");
		if (h.size % PAGE)
			return FAIL(size, "\"%s\" must be a multiple of 4K", "size");
		if (h.gpa + h.size > d->memory)
			return FAIL(list->item[i], "this hole ends at %#llx, past the machine's memory of %#llx bytes",
				    (unsigned long long)(h.gpa + h.size), (unsigned long long)d->memory);
		if (h.gpa < VMM_TABLES_END)
			return FAIL(at, "a hole below %#x would swallow the monitor's tables", VMM_TABLES_END);
		for (unsigned k = 0; k < d->holes; k++)
			if (h.gpa < d->hole[k].gpa + d->hole[k].size && d->hole[k].gpa < h.gpa + h.size)
				return FAIL(list->item[i], "this hole overlaps another one");
		d->hole[d->holes++] = h;
	}
	return 0;
}

static int take_memory(const struct eng_node *n, const char *file, struct vmm_desc *d,
		       struct rs_err *err)
{
	const struct eng_node *memory = eng_node_get(n, "memory", NULL);
	const struct eng_node *load = eng_node_get(n, "load", NULL);

	d->memory = eng_node_uint(memory, d->memory);
	if (d->memory % PAGE)
		return FAIL(memory, "\"%s\" must be a multiple of 4K", "memory");
	if (!load)
		return 0;
	d->load = eng_node_uint(load, 0);
	if (d->load < VMM_TABLES_END || d->load >= d->memory)
		return FAIL(load, "\"load\" is %#llx, but must lie between the monitor's tables, which end at "
				  "%#x, and the end of memory at %#llx", (unsigned long long)d->load,
			    VMM_TABLES_END, (unsigned long long)d->memory);
	if (d->entry == VMM_ENTRY_REAL16 && (d->load >= 0x100000 || d->load % 16))
		return FAIL(load, "real mode starts at a multiple of 16 below 1M, not at %#llx",
			    (unsigned long long)d->load);
	return 0;
}

int eng_vm_parse(const struct eng_node *node, const char *file, struct eng_run *run,
		 struct rs_err *err)
{
	struct vmm_desc *d = &run->vm.desc;
	const struct eng_node *source = eng_node_get(node, "source", NULL);
	const struct eng_node *image = eng_node_get(node, "image", NULL);
	const struct eng_node *entry = eng_node_get(node, "entry", NULL);
	const struct eng_node *trace = eng_node_get(node, "trace", NULL);
	const struct eng_node *technique = eng_node_get(node, "technique", NULL);
	const struct eng_node *until = eng_node_get(node, "until", NULL);
	const struct eng_node *view = eng_node_get(node, "memory-view", NULL);
	const struct eng_node *key;

	vmm_desc_init(d);
	d->image = NULL;
	d->engine = NULL;
	if (source && image) {
		eng_node_get(node, "image", &key);
		return FAIL(key, "\"vm\" has \"source\" or \"image\", not both");
	}
	if (!source && !image)
		return FAIL(node, "\"vm\" needs a \"source\" to build or an \"image\" to load");
	if (source && !eng_is_source(source->s))
		return FAIL(source, "\"%s\" is neither assembly nor C: its name must end in .S, .s or .c", source->s);
	run->source = eng_node_str(source);
	run->image = eng_node_str(image);
	if (entry)
		d->entry = (enum vmm_entry)vmm_entry_by_name(entry->s);
	if (source && eng_is_c(source->s) && d->entry != VMM_ENTRY_LONG64)
		return FAIL(entry, "C is compiled for 64-bit mode: \"%s\" needs the entry long64", source->s);
	int rc = take_memory(node, file, d, err);
	if (!rc)
		rc = take_holes(eng_node_get(node, "holes", NULL), file, d, err);
	if (rc)
		return rc;
	d->tables = eng_node_bool(eng_node_get(node, "tables", NULL), d->tables);
	d->user_pages = eng_node_bool(eng_node_get(node, "user-pages", NULL), d->user_pages);
	if (trace)
		d->trace = !strcmp(trace->s, "exits") ? VMM_TRACE_EXITS :
			   !strcmp(trace->s, "steps") ? VMM_TRACE_STEPS : VMM_TRACE_RINGS;
	if (until) {
		uint64_t call = 0;

		rs_unit_value(RS_UNIT_call, until->s, &call); /* the schema knows it is one */
		d->has_until = true;
		d->until = (enum rs_call)call;
	}
	if (technique) {
		uint64_t how = 0;

		rs_unit_value(RS_UNIT_technique, technique->s, &how);
		d->technique = (enum rs_technique)how;
		if (d->technique != RS_TECHNIQUE_ASSIST && (d->entry != VMM_ENTRY_PROT32 || !d->tables))
			return FAIL(technique, "the technique %s needs \"entry\" prot32, and the monitor's tables",
				    technique->s);
	}
	d->pc = eng_node_bool(eng_node_get(node, "pc", NULL), d->pc);
	d->exit_limit = eng_node_uint(eng_node_get(node, "exits", NULL), 0);
	run->vm.input = eng_node_str(eng_node_get(node, "input", NULL));
	d->serial_input = run->vm.input;
	run->vm.has_memory_view = view != NULL;
	run->vm.memory_view = eng_node_uint(view, d->load ? d->load : VMM_LOAD_DEFAULT);
	return 0;
}
