/* The run side of the kind `emu`: a lesson's parameters become a translated program, in the child. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/kinds.h"

/* What the program reads as its standard input: memory, whose end is the end of the input. */
static int give_input(const char *text, struct rs_err *err)
{
	rs_auto_close int fd = memfd_create("input", MFD_CLOEXEC);
	size_t n = strlen(text);

	for (size_t at = 0; fd >= 0 && at < n;) {
		ssize_t w = write(fd, text + at, n - at);

		if (w < 0 && errno != EINTR)
			break;
		at += w > 0 ? (size_t)w : 0;
	}
	if (fd < 0 || lseek(fd, 0, SEEK_CUR) != (off_t)n || lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0)
		return rs_err_errno(err, errno, "the program's input cannot be made ready");
	return 0;
}

/* Strings and a first one, for execve's shape. The strings stay where they are. */
static char **vector(char *first, const struct eng_strings *s)
{
	char **v = rs_xcalloc(s->n + 2, sizeof(*v));
	unsigned n = 0;

	if (first)
		v[n++] = first;
	for (unsigned i = 0; i < s->n; i++)
		v[n++] = s->v[i];
	return v;
}

int eng_emu_exec(const struct eng_exec *x, struct rs_err *err)
{
	const struct eng_run_emu *e = &x->run->emu;
	struct emu_desc d = e->desc;
	struct emu_result res;
	/* Its name as a program sees it: not where the lab builds. */
	rs_auto_free char *name = rs_xasprintf("./%s", x->run->source ? x->run->source : x->run->image);
	char *dot = x->run->source ? strrchr(name, '.') : NULL;

	if (dot)
		*dot = '\0';
	rs_auto_free char **argv = vector(name, &e->args);
	rs_auto_free char **envp = vector(NULL, &e->env);
	int rc = e->input ? give_input(e->input, err) : 0;

	if (rc < 0)
		return rc;
	if (chdir(x->workspace) < 0)
		return rs_err_errno(err, errno, "the workspace %s cannot be entered", x->workspace);
	d.program = x->image;
	d.argv = argv;
	d.envp = envp;
	d.engine = d.engine ? d.engine : x->engine;
	d.timeout_ns = x->timeout_ns;
	d.start_paused = x->start_paused;
	d.watched = x->watched;
	d.host = vmm_host_text;
	d.capture = true;
	d.confined = true;
	/* How the program ended is an event (emu.end); a program that failed is not an experiment that did. */
	return emu_run(&d, x->em, x->control_fd, x->seal, x->seal_arg, &res, err);
}
