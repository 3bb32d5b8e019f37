/* How an experiment died, as a sentence. */
#include "engine/death.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"

uint64_t eng_oom_kills(void)
{
	char buf[16384];
	size_t have = 0;
	ssize_t n;
	rs_auto_close int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	while (have < sizeof(buf) - 1 && (n = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0)
		have += (size_t)n;
	buf[have] = '\0';
	char *p = strstr(buf, "\noom_kill ");

	return p ? strtoull(p + strlen("\noom_kill "), NULL, 10) : 0;
}

/* The child may have written anything: every text ends, every number has a sound value. */
static void copy_words(struct eng_death *d, const struct eng_last_words *w)
{
	d->err = w->err;
	d->code = w->code;
	if (d->code >= 0 || d->code < -4095)
		d->code = -EIO;
	d->err.code = d->code;
	d->err.file[sizeof(d->err.file) - 1] = '\0';
	for (int l = 0; l < RS_LANGS; l++) {
		d->err.text[l][sizeof(d->err.text[l]) - 1] = '\0';
		for (unsigned char *p = (unsigned char *)d->err.text[l]; *p; p++)
			if (*p < 0x20 || *p == 0x7f)
				*p = ' ';
	}
	if (!d->err.text[RS_LANG_EN][0])
		rs_err_errno(&d->err, -d->code, "the experiment failed");
}

static void by_signal(struct eng_death *d)
{
	char name[64];
	const char *abbrev = sigabbrev_np(d->signal), *descr = sigdescr_np(d->signal);

	if (d->signal == SIGSYS && d->denied >= 0)
		rs_err_set(&d->err, d->code,
			   "the experiment made a system call that its sandbox forbids (%s) and was "
			   "killed (SIGSYS)", eng_syscall_name(d->denied, name, sizeof(name)));
	else if (d->signal == SIGSYS)
		rs_err_set(&d->err, d->code, "the experiment made a system call that its sandbox "
			   "forbids and was killed (SIGSYS)");
	else if (d->signal == SIGKILL && d->ours)
		rs_err_set(&d->err, d->code, "the lab stopped the experiment (SIGKILL)");
	else if (d->signal == SIGKILL && d->oom)
		rs_err_set(&d->err, d->code, "the machine ran out of memory and the kernel killed the "
			   "experiment (SIGKILL)");
	else if (d->signal == SIGKILL)
		rs_err_set(&d->err, d->code, "somebody outside the lab killed the experiment (SIGKILL)");
	else if (d->signal == SIGXCPU)
		rs_err_set(&d->err, d->code, "the experiment used more processor time than it may and "
			   "was killed (SIGXCPU)");
	else
		rs_err_set(&d->err, d->code, "the experiment was killed by signal SIG%s (%s)",
			   abbrev ? abbrev : "?", descr ? descr : "unknown");
}

void eng_death_explain(struct eng_death *d, const struct eng_last_words *words)
{
	d->err = (struct rs_err)RS_ERR_INIT;
	d->code = 0;
	if (d->signal) {
		d->code = -EIO;
		by_signal(d);
	} else if (atomic_load_explicit(&words->said, memory_order_acquire)) {
		copy_words(d, words);
	} else if (d->status != 0) {
		d->code = -EIO;
		rs_err_set(&d->err, d->code,
			   "the experiment ended with exit status %d and did not say why", d->status);
	}
}
