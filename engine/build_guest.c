/* Programs for other machines: compiled and linked by their cross compiler, as Linux programs that need
 * no library of that machine unless the lesson asks for its C library.
 */
#include "engine/build_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

#define BASE 0x10000u /* the lowest address that Linux lets a program have */

const struct eng_guest_tool eng_guest_tools[] = {
	{ "riscv64", "RISCV64_CC", "riscv64-linux-gnu-gcc", "riscv64-cc", "gcc-riscv64-linux-gnu" },
	{ "aarch64", "AARCH64_CC", "aarch64-linux-gnu-gcc", "aarch64-cc", "gcc-aarch64-linux-gnu" },
	{ 0 },
};

const struct eng_guest_tool *eng_guest_tool(const char *guest)
{
	static const struct eng_guest_tool host = { ENG_HOST_TOOL, "CC", "cc", "cc", "gcc" };

	if (!strcmp(guest, ENG_HOST_TOOL))
		return &host;
	for (const struct eng_guest_tool *t = eng_guest_tools; t->guest; t++)
		if (!strcmp(t->guest, guest))
			return t;
	return NULL;
}

int eng_build_guest_check(const struct eng_build *b, struct rs_err *err)
{
	const struct eng_guest_tool *t = eng_guest_tool(b->guest);

	for (unsigned i = 0; i < b->withs; i++) {
		rs_auto_free char *path = rs_xasprintf("%s/%s", b->workspace, b->with[i]);

		if (access(path, R_OK) < 0)
			return rs_err_set(err, -ENOEXEC, "the source file %s is missing or cannot be read", b->with[i]);
	}
	if (!eng_have_tool(t->var, t->cc))
		return rs_err_set(err, -ENOENT, "no compiler for %s (%s) was found, which compiles %s; install one "
				  "(Debian, Ubuntu: apt-get install %s) or name one in %s", t->guest, t->cc, b->source,
				  t->package, t->var);
	return 0;
}

static char *object(const struct eng_build *b, unsigned i)
{
	return rs_xasprintf("%s/guest-%u.o", b->scratch, i);
}

static void flags(const struct eng_build *b, struct eng_command *c)
{
	if (!b->flags)
		eng_command_add(c, rs_xstrdup("-O2"));
	for (unsigned i = 0; i < b->flags; i++)
		eng_command_add(c, rs_xstrdup(b->flag[i]));
	if (!b->libc)
		eng_command_add_all(c, (const char *const[]){ "-ffreestanding", "-fno-stack-protector", "-fno-pic",
							      "-fno-asynchronous-unwind-tables", NULL });
}

static int compile(const struct eng_build *b, const char *source, const char *out)
{
	rs_cleanup(eng_command_release) struct eng_command c = { .n = 0 };
	const struct eng_guest_tool *t = eng_guest_tool(b->guest);

	eng_command_tool(&c, t->var, t->cc);
	eng_command_add_all(&c, (const char *const[]){ "-c", "-Wall", "-I", b->workspace, NULL });
	if (b->include)
		eng_command_add_all(&c, (const char *const[]){ "-I", b->include, NULL });
	flags(b, &c);
	/* unshare, setns and the like are not in any standard. */
	if (!strcmp(b->guest, ENG_HOST_TOOL))
		eng_command_add(&c, rs_xstrdup("-D_GNU_SOURCE"));
	/* Relative to the workspace, so that messages say loop.c:12; "./" keeps "-x.c" a file. */
	eng_command_add_all(&c, (const char *const[]){ "-o", out, NULL });
	eng_command_add(&c, rs_xasprintf("%s%s", source[0] == '-' ? "./" : "", source));
	return eng_command_run(&c);
}

int eng_build_guest_compile(const struct eng_build *b)
{
	int status = 0;

	for (unsigned i = 0; status == 0 && i <= b->withs; i++) {
		rs_auto_free char *out = object(b, i);

		status = compile(b, i ? b->with[i - 1] : b->source, out);
	}
	return status;
}

int eng_build_guest_link(const struct eng_build *b, const char *image, struct rs_err *err)
{
	rs_cleanup(eng_command_release) struct eng_command c = { .n = 0 };
	const struct eng_guest_tool *t = eng_guest_tool(b->guest);
	rs_auto_free char *script = rs_xasprintf("%s/guest.ld", b->scratch);
	rs_auto_str text = RS_STR_INIT;
	int rc;

	/* Without a script of its own RISC-V's linker would count on a register, gp, that a program which
	 * begins at _start has not set. */
	eng_build_script(&text, BASE, 4096);
	rc = rs_file_save(script, text.p, text.len, err);
	if (rc < 0)
		return rc;
	eng_command_tool(&c, t->var, t->cc);
	flags(b, &c);
	eng_command_add_all(&c, (const char *const[]){ "-static", "-Wl,--build-id=none", "-Wl,-z,noexecstack", NULL });
	if (!b->libc)
		eng_command_add_all(&c, (const char *const[]){ "-nostdlib", "-no-pie", "-Wl,-z,max-page-size=4096",
							       "-Wl,-T", script, NULL });
	eng_command_add_all(&c, (const char *const[]){ "-o", image, NULL });
	for (unsigned i = 0; i <= b->withs; i++)
		eng_command_add(&c, object(b, i));
	if (!b->libc) /* divisions of 128-bit numbers and the like */
		eng_command_add(&c, rs_xstrdup("-lgcc"));
	return eng_command_run(&c);
}
