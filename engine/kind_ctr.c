/* The parse side of the kind `ctr`: keys of the section `ctr` (schema.c) -> struct eng_run_ctr. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/build.h"
#include "engine/kinds.h"
#include "engine/lesson.h"
#include "engine/schema.h"

#define FAIL(n, ...) rs_err_at(err, -EINVAL, file, (n)->line, (n)->col, __VA_ARGS__)

void eng_ctr_release(struct eng_run *run)
{
	struct eng_run_ctr *c = &run->ctr;

	eng_strings_release(&c->files);
	eng_strings_release(&c->args);
	eng_strings_release(&c->env);
	free(c->input);
	free(c->resources);
	*c = (struct eng_run_ctr){ 0 };
}

int eng_ctr_parse(const struct eng_node *n, const char *file, struct eng_run *run, struct rs_err *err)
{
	const struct eng_node *source = eng_node_get(n, "source", NULL), *script, *env, *key;
	struct eng_run_ctr *c = &run->ctr;

	script = eng_node_get(n, "script", &key);
	if (source && script)
		return FAIL(key, "\"ctr\" has \"source\" or \"script\", not both");
	if (!source && !script)
		return FAIL(n, "\"ctr\" needs a \"source\" to build or a \"script\" to run");
	if (source && !eng_is_c(source->s))
		return FAIL(source, "\"%s\" is not C: its name must end in .c", source->s);
	env = eng_node_get(n, "env", NULL);
	for (unsigned i = 0; env && i < env->items; i++)
		if (!strchr(env->item[i]->s, '=') || env->item[i]->s[0] == '=')
			return FAIL(env->item[i], "\"%s\" is no NAME=VALUE", env->item[i]->s);
	run->source = eng_node_str(source);
	run->image = eng_node_str(script);
	eng_lesson_strings(eng_node_get(n, "files", NULL), &c->files);
	eng_lesson_strings(eng_node_get(n, "args", NULL), &c->args);
	eng_lesson_strings(env, &c->env);
	c->input = eng_node_str(eng_node_get(n, "input", NULL));
	c->resources = eng_node_str(eng_node_get(n, "resources", NULL));
	return 0;
}

const char *eng_ctr_tool(const struct eng_run *run)
{
	(void)run;
	return "cc";
}

void eng_ctr_build(const struct eng_run *run, struct eng_build *b)
{
	(void)run;
	b->guest = ENG_HOST_TOOL;
	b->libc = true;
}

int eng_ctr_available(const char *engine, struct rs_err *err)
{
	(void)engine; /* there is one: this machine's kernel */
	return ctr_box_available(err);
}
