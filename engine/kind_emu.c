/* The parse side of the kind `emu`: keys of the section `emu` (schema.c) -> struct emu_desc. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/build.h"
#include "engine/kinds.h"
#include "engine/lesson.h"
#include "engine/schema.h"

#define MEMORY_DEFAULT (64ull << 20)
#define FAIL(n, ...) rs_err_at(err, -EINVAL, file, (n)->line, (n)->col, __VA_ARGS__)

const char *const *eng_emu_guests(void)
{
	static const char *names[8];

	for (unsigned i = 0; i < 7 && eng_guest_tools[i].guest; i++)
		names[i] = eng_guest_tools[i].guest;
	return names;
}

/* Nothing that reads or writes other files, or runs another program. */
const char *const *eng_emu_flags(void)
{
	static const char *const names[] = {
		"-O0", "-O1", "-O2", "-O3", "-Os", "-g", "-pthread", "-fno-inline", "-fno-if-conversion",
		"-fno-if-conversion2", "-fno-jump-tables", "-fno-tree-vectorize", "-fno-unroll-loops",
		"-funroll-loops", "-fno-omit-frame-pointer", "-fno-builtin", "-march=rv64gc",
		"-march=rv64gc_zba_zbb_zbs", "-mgeneral-regs-only", NULL
	};

	return names;
}

void eng_emu_release(struct eng_run *run)
{
	struct eng_run_emu *e = &run->emu;

	eng_strings_release(&e->with);
	eng_strings_release(&e->flags);
	eng_strings_release(&e->args);
	eng_strings_release(&e->env);
	free(e->input);
	free(e->at);
	free(e->passes_off);
	*e = (struct eng_run_emu){ 0 };
}

static int take_sources(const struct eng_node *n, const char *file, struct eng_run *run, struct rs_err *err)
{
	const struct eng_node *source = eng_node_get(n, "source", NULL), *with, *key;
	const struct eng_node *image = eng_node_get(n, "image", NULL);
	static const char *const builds[] = { "with", "guest", "flags", "libc" };

	if (source && image) {
		eng_node_get(n, "image", &key);
		return FAIL(key, "\"emu\" has \"source\" or \"image\", not both");
	}
	if (!source && !image)
		return FAIL(n, "\"emu\" needs a \"source\" to build or an \"image\" to load");
	for (unsigned i = 0; image && i < 4; i++)
		if (eng_node_get(n, builds[i], &key))
			return FAIL(key, "\"%s\" says how a \"source\" is built, but there is none", builds[i]);
	if (source && !eng_is_source(source->s))
		return FAIL(source, "\"%s\" is neither assembly nor C: its name must end in .S, .s or .c", source->s);
	with = eng_node_get(n, "with", NULL);
	for (unsigned i = 0; with && i < with->items; i++)
		if (!eng_is_source(with->item[i]->s))
			return FAIL(with->item[i], "\"%s\" is neither assembly nor C: its name must end in .S, .s "
						   "or .c", with->item[i]->s);
	run->source = eng_node_str(source);
	run->image = eng_node_str(image);
	eng_lesson_strings(with, &run->emu.with);
	return 0;
}

static int take_env(const struct eng_node *n, const char *file, struct eng_strings *env, struct rs_err *err)
{
	for (unsigned i = 0; n && i < n->items; i++)
		if (!strchr(n->item[i]->s, '=') || n->item[i]->s[0] == '=')
			return FAIL(n->item[i], "\"%s\" is no NAME=VALUE", n->item[i]->s);
	eng_lesson_strings(n, env);
	return 0;
}

static char *joined(const struct eng_node *list)
{
	rs_auto_str s = RS_STR_INIT;

	for (unsigned i = 0; list && i < list->items; i++)
		rs_str_addf(&s, "%s%s", i ? "," : "", list->item[i]->s);
	return list ? rs_str_detach(&s) : NULL;
}

int eng_emu_parse(const struct eng_node *n, const char *file, struct eng_run *run, struct rs_err *err)
{
	struct eng_run_emu *e = &run->emu;
	struct emu_desc *d = &e->desc;
	const struct eng_node *guest = eng_node_get(n, "guest", NULL), *engine = eng_node_get(n, "engine", NULL);
	int rc;

	emu_desc_init(d);
	e->guest = (guest ? eng_guest_tool(guest->s) : &eng_guest_tools[0])->guest;
	rc = take_sources(n, file, run, err);
	if (!rc)
		rc = take_env(eng_node_get(n, "env", NULL), file, &e->env, err);
	if (rc)
		return rc;
	eng_lesson_strings(eng_node_get(n, "flags", NULL), &e->flags);
	eng_lesson_strings(eng_node_get(n, "args", NULL), &e->args);
	e->libc = eng_node_bool(eng_node_get(n, "libc", NULL), false);
	e->input = eng_node_str(eng_node_get(n, "input", NULL));
	d->at = e->at = eng_node_str(eng_node_get(n, "at", NULL));
	d->passes_off = e->passes_off = joined(eng_node_get(n, "passes-off", NULL));
	for (unsigned i = 0; engine && run->kind->engines[i]; i++)
		if (!strcmp(engine->s, run->kind->engines[i]))
			d->engine = run->kind->engines[i];
	d->no_chain = !eng_node_bool(eng_node_get(n, "chain", NULL), true);
	d->no_jump_cache = !eng_node_bool(eng_node_get(n, "jump-cache", NULL), true);
	d->no_return_stack = !eng_node_bool(eng_node_get(n, "return-stack", NULL), true);
	d->no_superblock = !eng_node_bool(eng_node_get(n, "superblock", NULL), true);
	d->no_pin = !eng_node_bool(eng_node_get(n, "pin", NULL), true);
	d->count = eng_node_bool(eng_node_get(n, "count", NULL), true);
	d->block_insns = (unsigned)eng_node_uint(eng_node_get(n, "block-insns", NULL), 0);
	d->block_branches = (unsigned)eng_node_uint(eng_node_get(n, "block-branches", NULL), 0);
	d->memory = eng_node_uint(eng_node_get(n, "memory", NULL), MEMORY_DEFAULT);
	return 0;
}

const char *eng_emu_tool(const struct eng_run *run)
{
	return eng_guest_tool(run->emu.guest)->ability;
}

void eng_emu_build(const struct eng_run *run, struct eng_build *b)
{
	b->guest = run->emu.guest;
	b->with = run->emu.with.v;
	b->withs = run->emu.with.n;
	b->flag = run->emu.flags.v;
	b->flags = run->emu.flags.n;
	b->libc = run->emu.libc;
}
