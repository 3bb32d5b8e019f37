/* What else the lab needs from this machine: compiler and linker, terminal, folders. */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/build.h"
#include "engine/copy.h"
#include "engine/doctor.h"
#include "containers/box.h"
#include "emu/emu.h"

/* `detail` is a fact for every language, or a translation key; NULL: the caller sets it. */
static struct eng_doctor_row *row(struct eng_doctor *d, enum eng_doctor_part part, const char *name,
				  enum vmm_ability_state state, const char *detail, const char *advice)
{
	struct eng_doctor_row *r;

	d->v = rs_xrealloc(d->v, d->n + 1, sizeof(*d->v));
	r = &d->v[d->n++];
	memset(r, 0, sizeof(*r));
	r->part = part;
	r->state = state;
	snprintf(r->name, sizeof(r->name), "%s", name);
	if (detail)
		rs_text_key(&r->detail, detail);
	if (state != VMM_REAL && advice)
		snprintf(r->advice, sizeof(r->advice), "%s", advice);
	return r;
}

static void quote_error(struct eng_doctor_row *r, const struct rs_err *err)
{
	for (int l = 0; l < RS_LANGS; l++)
		snprintf(r->detail.in[l], sizeof(r->detail.in[l]), "%.190s", err->text[l]);
}

/* Runs argv[0] from PATH and keeps the first line it says. Returns its exit status, 127 when it
 * is not there, 124 after 10 s. */
static int run_tool(char *const argv[], char *line, size_t size)
{
	rs_auto_close int fd = -1;
	int pipes[2], status = 0;
	size_t have = 0;
	pid_t pid, parent = getpid();

	line[0] = 0;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return 127;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		setpgid(0, 0);
		dup2(null, 0);
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		setenv("LC_ALL", "C", 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(pipes[1]);
	fd = pipes[0];
	if (pid < 0)
		return 127;
	setpgid(pid, pid);
	for (int ms = 0;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char drop[512];
		ssize_t n;

		if (poll(&p, 1, 100) == 0) {
			ms += 100;
			if (ms < 10000)
				continue;
			kill(-pid, SIGKILL);
			status = -1;
			break;
		}
		n = read(fd, have + 1 < size ? line + have : drop,
			 have + 1 < size ? size - 1 - have : sizeof(drop));
		if (n <= 0)
			break;
		if (have + 1 < size)
			have += (size_t)n;
	}
	line[have] = 0;
	line[strcspn(line, "\n")] = 0;
	if (status < 0) {
		waitpid(pid, NULL, 0);
		return 124;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/* Builds a guest of one instruction, as lessons are built. */
static void toolchain(struct eng_doctor *d)
{
	static const char source[] = "\t.globl _start\n_start:\n\thlt\n";
	static const char *advice = N_("Install a C compiler and binutils: \"apt-get install gcc "
				       "binutils\" on Debian and Ubuntu.");
	rs_cleanup(eng_copy_release) struct eng_copy copy = ENG_COPY_INIT;
	rs_auto_free char *s = NULL, *o = NULL, *out = NULL;
	char line[160], version[160];
	struct rs_err err = RS_ERR_INIT;
	int rc;

	if (eng_copy_new(&copy, &err) < 0) {
		quote_error(row(d, ENG_DOCTOR_TOOLS, "cc", VMM_BROKEN, NULL, NULL), &err);
		return;
	}
	s = rs_xasprintf("%s/probe.S", copy.path);
	o = rs_xasprintf("%s/probe.o", copy.path);
	out = rs_xasprintf("%s/probe", copy.path);
	rs_file_save(s, source, sizeof(source) - 1, NULL);
	{
		char *const build[] = { "cc", "-c", "-x", "assembler-with-cpp", "-o", o, s, NULL };
		char *const ask[] = { "cc", "--version", NULL };

		run_tool(ask, version, sizeof(version));
		rc = run_tool(build, line, sizeof(line));
	}
	row(d, ENG_DOCTOR_TOOLS, "cc", rc == 0 ? VMM_REAL : rc == 127 ? VMM_MISSING : VMM_BROKEN,
	    rc == 0 ? version : rc == 127 ? N_("cc is not installed") : line, advice);
	{
		char *const link[] = { "ld", "-m", "elf_x86_64", "-Ttext=0x10000", "-o", out, o, NULL };
		char *const ask[] = { "ld", "--version", NULL };
		bool object = rc == 0;

		run_tool(ask, version, sizeof(version));
		rc = object ? run_tool(link, line, sizeof(line)) : run_tool(ask, line, sizeof(line));
	}
	row(d, ENG_DOCTOR_TOOLS, "ld", rc == 0 ? VMM_REAL : rc == 127 ? VMM_MISSING : VMM_BROKEN,
	    rc == 0 ? version : rc == 127 ? N_("ld is not installed") : line, advice);
}

/* The cross compilers, each by a program of no instruction, built as lessons are. */
static void cross_compilers(struct eng_doctor *d)
{
	static const char source[] = "\t.globl _start\n_start:\n";
	rs_cleanup(eng_copy_release) struct eng_copy copy = ENG_COPY_INIT;
	rs_auto_free char *s = NULL, *out = NULL;

	if (eng_copy_new(&copy, NULL) < 0)
		return; /* the row of cc says why */
	s = rs_xasprintf("%s/probe.S", copy.path);
	out = rs_xasprintf("%s/probe", copy.path);
	rs_file_save(s, source, sizeof(source) - 1, NULL);
	for (const struct eng_guest_tool *t = eng_guest_tools; t->guest; t++) {
		const char *named = getenv(t->var), *cc = named && *named ? named : t->cc;
		char *const build[] = { (char *)cc, "-static", "-nostdlib", "-o", out, s, NULL };
		char *const ask[] = { (char *)cc, "--version", NULL };
		char line[160], version[160];
		int rc = run_tool(build, line, sizeof(line));
		struct eng_doctor_row *r;

		run_tool(ask, version, sizeof(version));
		r = row(d, ENG_DOCTOR_TOOLS, t->ability, rc == 0 ? VMM_REAL : rc == 127 ? VMM_MISSING : VMM_BROKEN,
			rc == 0 ? version : rc == 127 ? NULL : line,
			N_("Lessons that translate programs compile them: \"assets/setup run\" installs what they need."));
		if (rc == 127)
			rs_text_set(&r->detail, N_("%s is not installed"), cc);
	}
}

/* The translator itself, by what it says of this processor. */
static void translator(struct eng_doctor *d)
{
	struct rs_err err = RS_ERR_INIT;
	int rc = emu_available("jit", &err);
	struct eng_doctor_row *r = row(d, ENG_DOCTOR_TOOLS, "emu-jit", rc ? VMM_MISSING : VMM_REAL,
				       rc ? NULL : N_("makes code for this processor"),
				       N_("Programs of other machines are interpreted, which is slower."));

	if (rc)
		quote_error(r, &err);
}

/* What the lessons about containers need: one is begun, and groups are looked for. */
static void containers(struct eng_doctor *d)
{
	struct rs_err err = RS_ERR_INIT;
	struct rs_text layout = { 0 };
	int rc = ctr_box_available(&err);
	struct eng_doctor_row *r = row(d, ENG_DOCTOR_TOOLS, "container", rc ? VMM_MISSING : VMM_REAL,
				       rc ? NULL : N_("namespaces of one's own, and a busybox for their root file system"),
				       N_("Lessons about containers cannot run here."));

	if (rc)
		quote_error(r, &err);
	rc = ctr_box_limits(&layout, &err);
	r = row(d, ENG_DOCTOR_TOOLS, "limits", rc ? VMM_MISSING : VMM_REAL, NULL,
		N_("Lessons about limits need groups of their own: run them as root, or have a group delegated."));
	if (rc)
		quote_error(r, &err);
	else
		r->detail = layout;
}

static void terminal(struct eng_doctor *d)
{
	const char *term = getenv("TERM"), *color = getenv("COLORTERM"), *no = getenv("NO_COLOR");
	const char *codeset = nl_langinfo(CODESET);
	struct eng_doctor_row *r;
	struct winsize ws = { 0 };

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		row(d, ENG_DOCTOR_PLACE, "terminal", VMM_MISSING,
		    N_("standard input or output is no terminal"),
		    N_("Lessons are told as text; for the lab's screens call it from a terminal."));
	} else if (!term || !*term || strcmp(term, "dumb") == 0) {
		row(d, ENG_DOCTOR_PLACE, "terminal", VMM_MISSING, N_("TERM is not set or dumb"),
		    N_("Set TERM to what your terminal is, for example xterm-256color."));
	} else {
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws);
		r = row(d, ENG_DOCTOR_PLACE, "terminal",
			ws.ws_col && (ws.ws_col < 80 || ws.ws_row < 24) ? VMM_BROKEN : VMM_REAL, NULL,
			N_("Make the window 80 columns and 24 lines or larger."));
		rs_text_set(&r->detail,
			    no && *no		     ? N_("TERM=%s, %ux%u, colours off (NO_COLOR)") :
			    color && *color	     ? N_("TERM=%s, %ux%u, 24-bit colours") :
			    strstr(term, "256color") ? N_("TERM=%s, %ux%u, 256 colours") :
						       N_("TERM=%s, %ux%u, basic colours"),
			    term, ws.ws_col, ws.ws_row);
	}
	row(d, ENG_DOCTOR_PLACE, "locale", strcmp(codeset, "UTF-8") == 0 ? VMM_REAL : VMM_MISSING, codeset,
	    N_("Set a UTF-8 locale, for example LANG=C.UTF-8, for line drawing and Chinese; without it "
	       "the screens use ASCII."));
}

static void count_bad(void *arg, const struct rs_err *e)
{
	(void)e;
	++*(unsigned *)arg;
}

static void folders(struct eng_doctor *d)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *labs = eng_labs_dir(&err);
	rs_auto_free char *state = NULL;
	struct eng_catalog cat = { 0 };
	struct eng_doctor_row *r;
	unsigned bad = 0;

	if (!labs || eng_catalog_load(&cat, labs, count_bad, &bad, &err) < 0) {
		quote_error(row(d, ENG_DOCTOR_PLACE, "lessons", VMM_MISSING, NULL,
				N_("Set RINGSIDE_LABS to the folder with the lessons.")),
			    &err);
	} else {
		r = row(d, ENG_DOCTOR_PLACE, "lessons", bad || !cat.n ? VMM_BROKEN : VMM_REAL, NULL,
			N_("\"ringside lint\" on that folder says what is wrong."));
		rs_text_set(&r->detail, bad ? N_("%u lessons in %s, some are invalid") : N_("%u lessons in %s"),
			    cat.n, labs);
	}
	eng_catalog_release(&cat);
	state = rs_dir_path(RS_DIR_STATE, "", &err);
	r = row(d, ENG_DOCTOR_PLACE, "progress", state && access(state, W_OK) == 0 ? VMM_REAL : VMM_BROKEN,
		state, N_("Progress cannot be saved there; make the folder writable or set XDG_STATE_HOME."));
	if (!state)
		quote_error(r, &err);
}

void eng_doctor_host(struct eng_doctor *d)
{
	toolchain(d);
	cross_compilers(d);
	translator(d);
	containers(d);
	terminal(d);
	folders(d);
}
