/* Runs the compiler and the linker, in the child process of a build.
 */
#include "engine/build.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

const struct eng_limits eng_build_limits = {
	.address_space = 4ull << 30,
	.cpu_seconds = 60,
	.files = 256,
	.file_size = 64ull << 20,
};

/* No headers in the image, code first: the address of _start is the link address whenever it
 * stands first. Sections that the guest cannot use are left out. */
static const char script_text[] =
	"ENTRY(_start)\n"
	"SECTIONS {\n"
	"  . = 0x%llx;\n"
	"  .text : { *(.text.start) *(.text .text.*) }\n"
	"  . = ALIGN(%u);\n"
	"  .rodata : { *(.rodata .rodata.*) }\n"
	"  . = ALIGN(%u);\n"
	"  .data : { *(.data .data.*) }\n"
	"  .bss : { *(.bss .bss.*) *(COMMON) }\n"
	"  /DISCARD/ : { *(.note .note.*) *(.comment) *(.eh_frame) }\n"
	"}\n";

#define WORDS_MAX 32

struct command {
	char *word[WORDS_MAX + 1];
	unsigned n;
};

static void command_release(struct command *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->word[i]);
}

static void add(struct command *c, char *word) /* takes the word */
{
	if (c->n < WORDS_MAX)
		c->word[c->n++] = word;
	else
		free(word);
}

static void add_all(struct command *c, const char *const *words)
{
	for (; *words; words++)
		add(c, rs_xstrdup(*words));
}

/* The program named by the environment ("ccache gcc" is two words), else the default. */
static void add_tool(struct command *c, const char *var, const char *fallback)
{
	const char *v = getenv(var);
	rs_auto_free char *copy = rs_xstrdup(v && *v ? v : fallback);
	char *save = NULL;

	for (char *w = strtok_r(copy, " \t", &save); w && c->n < WORDS_MAX / 2;
	     w = strtok_r(NULL, " \t", &save))
		add(c, rs_xstrdup(w));
	if (c->n == 0)
		add(c, rs_xstrdup(fallback));
}

/* Where execvp would find it; NULL when nowhere. The caller frees. */
static char *find_program(const char *program)
{
	const char *path = getenv("PATH");

	if (strchr(program, '/'))
		return access(program, X_OK) == 0 ? rs_xstrdup(program) : NULL;
	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		rs_auto_free char *full = rs_xasprintf("%.*s/%s", (int)n, p, program);
		struct stat st;

		if (access(full, X_OK) == 0 && stat(full, &st) == 0 && S_ISREG(st.st_mode))
			return rs_steal(full);
		p += n + (p[n] == ':');
	}
	return NULL;
}

static bool have_tool(const char *var, const char *fallback)
{
	__attribute__((cleanup(command_release))) struct command c = { .n = 0 };

	add_tool(&c, var, fallback);
	rs_auto_free char *path = find_program(c.word[0]);

	return path != NULL;
}

/* Clang's own assembler reads another dialect than the GNU one, which comes with `ld` anyway: a
 * student's source must mean the same whatever `cc` is. */
static bool is_clang(const struct command *c)
{
	for (unsigned i = 0; i < c->n; i++) { /* "ccache clang -m64" */
		rs_auto_free char *path = c->word[i][0] == '-' ? NULL : find_program(c->word[i]);
		rs_auto_free char *real = path ? realpath(path, NULL) : NULL;
		const char *base = real ? strrchr(real, '/') : NULL;

		if (base && strstr(base, "clang"))
			return true;
	}
	return false;
}

char *eng_build_image(const struct eng_build *b)
{
	return rs_xasprintf("%s/guest.%s", b->scratch, b->flat ? "bin" : "elf");
}

int eng_build_check(const struct eng_build *b, struct rs_err *err)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", b->workspace, b->source);

	if (access(path, R_OK) < 0)
		return rs_err_set(err, -ENOEXEC, "the source file %s is missing or cannot be read",
				  b->source);
	if (!have_tool("CC", "cc"))
		return rs_err_set(err, -ENOENT, "no C compiler (cc) was found, which assembles %s; "
				  "install one (Debian, Ubuntu: apt-get install gcc) or name one in "
				  "CC", b->source);
	if (!have_tool("LD", "ld"))
		return rs_err_set(err, -ENOENT, "no linker (ld) was found, which links %s; install one "
				  "(Debian, Ubuntu: apt-get install binutils) or name one in LD",
				  b->source);
	return 0;
}

/* Runs it to its end. Returns its exit status, 128 + signal, or 127 when it could not start. */
static int run(struct command *c)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	c->word[c->n] = NULL;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			execvp(c->word[0], c->word);
		_exit(127);
	}
	if (pid < 0)
		return 127;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int assemble(const struct eng_build *b, const char *object)
{
	static const char *const fixed[] = { "-c", "-x", "assembler-with-cpp", "-I", NULL };
	__attribute__((cleanup(command_release))) struct command c = { .n = 0 };

	add_tool(&c, "CC", "cc");
	if (is_clang(&c))
		add(&c, rs_xstrdup("-fno-integrated-as"));
	add_all(&c, fixed);
	add(&c, rs_xstrdup(b->workspace));
	if (b->include) {
		add(&c, rs_xstrdup("-I"));
		add(&c, rs_xstrdup(b->include));
	}
	add(&c, rs_xstrdup("-o"));
	add(&c, rs_xstrdup(object));
	/* Relative to the workspace, so that messages say guest.S:12; "./" keeps "-x.S" a file. */
	add(&c, b->source[0] == '-' ? rs_xasprintf("./%s", b->source) : rs_xstrdup(b->source));
	return run(&c);
}

static int link_image(const struct eng_build *b, const char *object, const char *image,
		      struct rs_err *err)
{
	__attribute__((cleanup(command_release))) struct command c = { .n = 0 };
	rs_auto_free char *script = rs_xasprintf("%s/guest.ld", b->scratch);
	/* A flat binary has no page attributes to keep apart. */
	unsigned align = b->flat ? 16 : 4096;
	rs_auto_str text = RS_STR_INIT;

	rs_str_addf(&text, script_text, (unsigned long long)b->base, align, align);
	int rc = rs_file_save(script, text.p, text.len, err);

	if (rc < 0)
		return rc;
	add_tool(&c, "LD", "ld");
	add_all(&c, (const char *const[]){ "-static", "-nostdlib", "--build-id=none", "-z",
					   "noexecstack", "-T", script, NULL });
	if (b->flat)
		add(&c, rs_xstrdup("--oformat=binary"));
	add_all(&c, (const char *const[]){ "-o", image, object, NULL });
	return run(&c);
}

int eng_build_main(void *arg, struct eng_child *ch, struct rs_err *err)
{
	const struct eng_build *b = arg;
	rs_auto_free char *object = rs_xasprintf("%s/guest.o", b->scratch);
	rs_auto_free char *image = eng_build_image(b);
	uint64_t t0 = eng_now();
	struct stat st = { .st_size = 0 };

	if (chdir(b->workspace) < 0)
		return rs_err_errno(err, errno, "the workspace %s cannot be entered", b->workspace);
	setenv(ENG_TOKEN_ENV, b->token, 1);
	/* Checks may look at the messages: the same words on every machine. */
	setenv("LC_ALL", "C.UTF-8", 1);
	/* The compiler's temporary files: swept with the scratch folder. */
	setenv("TMPDIR", b->scratch, 1);
	rs_emit(&ch->em, RS_EV_BUILD_START, RS_SRC_ENGINE, 0, 0, 0, 0, 0, b->source);
	unlink(image);
	int status = assemble(b, object);
	bool linking = status == 0;

	if (linking) {
		status = link_image(b, object, image, err);
		if (status < 0)
			return status;
	}
	if (status == 0 && stat(image, &st) < 0)
		status = 127;
	rs_emit(&ch->em, RS_EV_BUILD_DONE, RS_SRC_ENGINE, 0, (uint64_t)status, eng_now() - t0,
		(uint64_t)st.st_size, 0, b->source);
	if (status == 0)
		return 0;
	if (status == 127)
		return linking ? rs_err_set(err, -ENOENT, "the linker was found but does not start") :
				 rs_err_set(err, -ENOENT, "the compiler was found but does not start");
	return linking ? rs_err_set(err, -ENOEXEC, "%s does not link: the linker ended with status %d; "
				    "its messages say why", b->source, status) :
			 rs_err_set(err, -ENOEXEC, "%s does not assemble: the compiler ended with status "
				    "%d; its messages say where", b->source, status);
}
