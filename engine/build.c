/* Runs the compiler and the linker, in the child process of a build.
 */
#include "engine/build_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

const struct eng_limits eng_build_limits = {
	.address_space = 4ull << 30,
	.cpu_seconds = 60,
	.files = 256,
	.file_size = 64ull << 20,
};

static const char script_text[] =
	"ENTRY(_start)\n"
	"SECTIONS {\n"
	"  . = 0x%llx;\n"
	"  .text : { *(.text.start) *(.text .text.*) }\n"
	"  . = ALIGN(%u);\n"
	"  .rodata : { *(.rodata .rodata.* .srodata .srodata.*) }\n"
	"  . = ALIGN(%u);\n"
	"  PROVIDE(__global_pointer$ = . + 0x800);\n" /* RISC-V: only for who sets gp */
	"  .data : { *(.data .data.* .sdata .sdata.* .got .got.*) }\n"
	"  .bss : { *(.sbss .sbss.* .bss .bss.*) *(COMMON) }\n"
	"  /DISCARD/ : { *(.note .note.*) *(.comment) *(.eh_frame) }\n"
	"}\n";

void eng_build_script(struct rs_str *out, uint64_t base, unsigned align)
{
	rs_str_addf(out, script_text, (unsigned long long)base, align, align);
}

/* Clang's own assembler reads another dialect than the GNU one, which comes with `ld` anyway: a
 * student's source must mean the same whatever `cc` is. */
static bool is_clang(const struct eng_command *c)
{
	for (unsigned i = 0; i < c->n; i++) { /* "ccache clang -m64" */
		rs_auto_free char *path = c->word[i][0] == '-' ? NULL : eng_find_program(c->word[i]);
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
	if (b->guest)
		return eng_build_guest_check(b, err);
	if (!eng_have_tool("CC", "cc"))
		return rs_err_set(err, -ENOENT, "no C compiler (cc) was found, which assembles %s; "
				  "install one (Debian, Ubuntu: apt-get install gcc) or name one in "
				  "CC", b->source);
	if (!eng_have_tool("LD", "ld"))
		return rs_err_set(err, -ENOENT, "no linker (ld) was found, which links %s; install one "
				  "(Debian, Ubuntu: apt-get install binutils) or name one in LD",
				  b->source);
	return 0;
}

static bool ends_in(const char *name, const char *const *endings)
{
	const char *dot = strrchr(name, '.');

	for (; dot && *endings; endings++)
		if (!strcmp(dot, *endings))
			return true;
	return false;
}

bool eng_is_source(const char *name)
{
	return ends_in(name, (const char *const[]){ ".S", ".s", ".c", NULL });
}

bool eng_is_c(const char *name)
{
	return ends_in(name, (const char *const[]){ ".c", NULL });
}

/* For the monitor's guest. In C it has no library, no vector registers (nobody switched them on) and
 * no red zone (an interrupt uses the same stack); the same flags for gcc and clang, so that loops
 * are the loops of the source. */
static int compile(const struct eng_build *b, const char *object)
{
	static const char *const assembly[] = { "-c", "-x", "assembler-with-cpp", "-I", NULL };
	static const char *const c_source[] = {
		"-c", "-O2", "-Wall", "-ffreestanding", "-fno-stack-protector", "-fno-pic", "-mno-red-zone",
		"-mgeneral-regs-only", "-fcf-protection=none", "-fno-asynchronous-unwind-tables",
		"-fno-tree-vectorize", "-fno-unroll-loops", "-I", NULL
	};
	__attribute__((cleanup(eng_command_release))) struct eng_command c = { .n = 0 };

	eng_command_tool(&c, "CC", "cc");
	if (is_clang(&c) && !eng_is_c(b->source))
		eng_command_add(&c, rs_xstrdup("-fno-integrated-as"));
	eng_command_add_all(&c, eng_is_c(b->source) ? c_source : assembly);
	eng_command_add(&c, rs_xstrdup(b->workspace));
	if (b->include) {
		eng_command_add(&c, rs_xstrdup("-I"));
		eng_command_add(&c, rs_xstrdup(b->include));
	}
	eng_command_add(&c, rs_xstrdup("-o"));
	eng_command_add(&c, rs_xstrdup(object));
	/* Relative to the workspace, so that messages say guest.S:12; "./" keeps "-x.S" a file. */
	eng_command_add(&c, b->source[0] == '-' ? rs_xasprintf("./%s", b->source) : rs_xstrdup(b->source));
	return eng_command_run(&c);
}

static int link_image(const struct eng_build *b, const char *object, const char *image,
		      struct rs_err *err)
{
	__attribute__((cleanup(eng_command_release))) struct eng_command c = { .n = 0 };
	rs_auto_free char *script = rs_xasprintf("%s/guest.ld", b->scratch);
	/* A flat binary has no page attributes to keep apart. */
	unsigned align = b->flat ? 16 : 4096;
	rs_auto_str text = RS_STR_INIT;

	eng_build_script(&text, b->base, align);
	int rc = rs_file_save(script, text.p, text.len, err);

	if (rc < 0)
		return rc;
	eng_command_tool(&c, "LD", "ld");
	eng_command_add_all(&c, (const char *const[]){ "-static", "-nostdlib", "--build-id=none", "-z",
					   "noexecstack", "-T", script, NULL });
	if (b->flat)
		eng_command_add(&c, rs_xstrdup("--oformat=binary"));
	eng_command_add_all(&c, (const char *const[]){ "-o", image, object, NULL });
	return eng_command_run(&c);
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
	int status = b->guest ? eng_build_guest_compile(b) : compile(b, object);
	bool linking = status == 0;

	if (linking) {
		status = b->guest ? eng_build_guest_link(b, image, err) : link_image(b, object, image, err);
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
	       b->guest || eng_is_c(b->source) ? rs_err_set(err, -ENOEXEC, "%s does not compile: the compiler ended with status %d; "
						    "its messages say where", b->source, status) :
			  rs_err_set(err, -ENOEXEC, "%s does not assemble: the compiler ended with status "
						    "%d; its messages say where", b->source, status);
}
