/* What a box is made of, read before its first process is born: busybox, the lesson's files, the program's
 * arguments and input.
 */
#include "containers/box_private.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define FILE_LIMIT (32u << 20)

/* A program that needs no loader: no PT_INTERP among its program headers. */
static bool is_static(const char *path)
{
	rs_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr h;

	if (fd < 0 || read(fd, &h, sizeof(h)) != (ssize_t)sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;

		if (pread(fd, &p, sizeof(p), (off_t)(h.e_phoff + i * sizeof(p))) != (ssize_t)sizeof(p) || p.p_type == PT_INTERP)
			return false;
	}
	return true;
}

const char *ctr_box_busybox(char *buf, unsigned size)
{
	const char *places[] = { getenv("BUSYBOX"), "/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static", "/usr/sbin/busybox",
				 "/usr/lib/initcpio/busybox" };

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i] && *places[i] && is_static(places[i])) {
			snprintf(buf, size, "%s", places[i]);
			return buf;
		}
	return NULL;
}

static int take_file(struct box_plan *p, const char *path, const char *name, unsigned mode, struct rs_err *err)
{
	struct box_file *f;
	int rc;

	p->file = rs_xrealloc(p->file, p->files + 1, sizeof(*f));
	f = &p->file[p->files++];
	*f = (struct box_file){ .name = name, .data = RS_STR_INIT, .mode = mode };
	rc = rs_file_read(path, FILE_LIMIT, &f->data, err);
	return rc < 0 ? rs_err_wrap(err, "the container's file %s cannot be read", name) : 0;
}

static int take_files(struct box_plan *p, const struct ctr_box_desc *d, struct rs_err *err)
{
	char path[4096];
	int rc;

	if (!ctr_box_busybox(path, sizeof(path)))
		return rs_err_set(err, -ENOENT, "no statically linked busybox was found, from which the container's root file system is "
				  "made; install one (Debian, Ubuntu: apt-get install busybox-static) or name one in BUSYBOX");
	rc = rs_file_read(path, FILE_LIMIT, &p->busybox, err);
	for (unsigned i = 0; rc == 0 && i < d->files; i++) {
		rs_auto_free char *from = rs_xasprintf("%s/%s", d->workspace, d->file[i]);

		rc = take_file(p, from, d->file[i], 0755, err);
	}
	if (rc == 0 && d->script) {
		rs_auto_free char *from = rs_xasprintf("%s/%s", d->workspace, d->script);

		rc = take_file(p, from, d->script, 0755, err);
	}
	if (rc == 0 && d->program)
		rc = take_file(p, d->program, d->name, 0755, err);
	return rc;
}

static char **vector(char *const *a, unsigned n, char *const *b, unsigned m)
{
	char **v = rs_xcalloc(n + m + 1, sizeof(*v));

	for (unsigned i = 0; i < n + m; i++)
		v[i] = rs_xstrdup(i < n ? a[i] : b[i - n]);
	return v;
}

static void vector_free(char **v)
{
	for (unsigned i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

static int take_input(struct box_plan *p, const char *text, struct rs_err *err)
{
	size_t n = text ? strlen(text) : 0;

	p->input = memfd_create("input", MFD_CLOEXEC);
	if (p->input < 0 || (n && write(p->input, text, n) != (ssize_t)n) || lseek(p->input, 0, SEEK_SET) < 0)
		return rs_err_errno(err, errno, "the program's input cannot be made ready");
	return 0;
}

void box_plan_release(struct box_plan *p)
{
	for (unsigned i = 0; i < p->files; i++)
		rs_str_release(&p->file[i].data);
	free(p->file);
	rs_str_release(&p->busybox);
	vector_free(p->argv);
	vector_free(p->envp);
	if (p->input >= 0)
		close(p->input);
	ctr_cgroup_entry_close(&p->entry);
}

int box_plan_make(struct box_plan *p, const struct ctr_box_desc *d, struct rs_err *err)
{
	char *const env[] = { (char *)"PATH=/bin:/work", (char *)"HOME=/root", (char *)"TERM=linux", (char *)"PS1=box# " };
	rs_auto_free char *target = rs_xasprintf("/work/%s", d->program ? d->name : d->script);
	char *const sh[] = { (char *)"/bin/sh", target };
	int rc = take_files(p, d, err);

	if (rc == 0)
		rc = take_input(p, d->input, err);
	p->argv = d->program ? vector((char *const[]){ target }, 1, d->args, d->n_args) : vector(sh, 2, d->args, d->n_args);
	p->envp = vector(env, 4, d->env, d->n_env);
	return rc;
}
