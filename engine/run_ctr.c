/* The run side of the kind `ctr`: a lesson's parameters become a container, in the child. What it makes
 * on the host stands in a journal of the child's own, which the lab sweeps when the child is dead.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/base/str.h"
#include "engine/journal.h"
#include "engine/kinds.h"

struct made {
	struct eng_journal *journal;
	int id[64];
	unsigned n;
};

static int will_make(void *arg, const char *dir, struct rs_err *err)
{
	struct made *m = arg;
	int id;

	if (m->n == sizeof(m->id) / sizeof(m->id[0]))
		return rs_err_set(err, -ENOSPC, "the container has too many cgroups");
	id = eng_journal_add(m->journal, ENG_MADE_CGROUP, dir, err);
	if (id < 0)
		return id;
	m->id[m->n++] = id;
	return 0;
}

static void all_gone(void *arg)
{
	struct made *m = arg;

	while (m->n)
		eng_journal_done(m->journal, m->id[--m->n]);
}

int eng_ctr_exec(const struct eng_exec *x, struct rs_err *err)
{
	const struct eng_run_ctr *c = &x->run->ctr;
	rs_auto_free char *name = x->run->source ? rs_xstrdup(x->run->source) : NULL;
	struct made made = { .journal = eng_journal_open(err) };
	struct ctr_box_desc d = {
		.program = x->run->source ? x->image : NULL,
		.script = x->run->source ? NULL : x->run->image,
		.name = name,
		.workspace = x->workspace,
		.file = c->files.v,
		.files = c->files.n,
		.args = c->args.v,
		.n_args = c->args.n,
		.env = c->env.v,
		.n_env = c->env.n,
		.input = c->input,
		.resources = c->resources,
		.timeout_ns = x->timeout_ns,
		.start_paused = x->start_paused,
		.watched = x->watched,
		.will_make = will_make,
		.all_gone = all_gone,
		.arg = &made,
	};
	int rc;

	if (!made.journal)
		return err && err->code ? err->code : -EIO;
	if (name) /* "escape.c" runs as /work/escape */
		*strrchr(name, '.') = '\0';
	rc = ctr_box_run(&d, x->em, x->control_fd, x->seal, x->seal_arg, err);
	eng_journal_close(made.journal);
	return rc;
}
