/* ringside emu run, ringside emu show: a program for another machine, translated; and what the
 * translator makes of one block, stage by stage. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "emu/emu.h"
#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/kinds.h"
#include "vmm/vmm.h"

/* ---- common ---- */

static int take_options(struct eng_cli *c, struct emu_desc *d)
{
	emu_desc_init(d);
	d->program = c->arg[0];
	d->argv = c->arg;
	d->engine = eng_cli_opt(c, "engine");
	d->passes_off = eng_cli_opt(c, "without");
	return 0;
}

static int exit_of(const struct rs_err *e)
{
	switch (e->code) {
	case -ENOENT:
	case -EACCES:
	case -ENOEXEC:
	case -EINVAL:
	case -ESRCH:
	case -EFAULT:
		return ENG_EXIT_USAGE;
	case -ENOSYS:
		return ENG_EXIT_UNGRADABLE;
	}
	return eng_cli_exit_of(e);
}

/* ---- run ---- */

/* Any thread of the guest; one line, one write. */
static void warn(void *cli, const struct rs_err *e)
{
	struct eng_cli *c = cli;
	char text[700];

	fprintf(c->err, "ringside: %s\n", rs_err_format(e, c->lang, text, sizeof(text)));
	fflush(c->err);
}

static void tell_signal(struct eng_cli *c, const struct emu_result *r)
{
	const char *name = sigabbrev_np(r->signal);

	if (r->insn[0])
		eng_cli_note(c, N_("ringside: SIG%s at 0x%llx (%s), address 0x%llx\n"), name ? name : "?",
			     (unsigned long long)r->pc, r->insn, (unsigned long long)r->fault_addr);
	else
		eng_cli_note(c, N_("ringside: the program was ended by SIG%s at 0x%llx\n"), name ? name : "?",
			     (unsigned long long)r->pc);
	fflush(c->err);
}

/* Ends as the program did, so that a shell sees what it would have seen. */
static int die_by(int sig)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;

	setrlimit(RLIMIT_CORE, &none);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
	return 128 + sig; /* a signal that the host does not end a process by */
}

static int run(struct eng_cli *c)
{
	struct emu_desc d;
	struct emu_result res;
	struct rs_err err = RS_ERR_INIT;
	int r = take_options(c, &d);

	if (r)
		return r;
	d.envp = environ;
	d.memory = eng_cli_num(c, "memory", 0);
	d.timeout_ns = eng_cli_num(c, "timeout", 0);
	d.block_insns = (unsigned)eng_cli_num(c, "block", 0);
	d.no_chain = eng_cli_flag(c, "no-chain");
	d.no_jump_cache = eng_cli_flag(c, "no-jump-cache");
	d.no_pin = eng_cli_flag(c, "no-pin");
	d.no_return_stack = eng_cli_flag(c, "no-return-stack");
	d.no_superblock = eng_cli_flag(c, "no-superblock");
	d.warn = warn;
	d.warn_arg = c;
	if (emu_desc_check(&d, &err) < 0)
		return eng_cli_fail(c, ENG_EXIT_USAGE, &err);
	fflush(c->out);
	fflush(c->err);
	if (emu_run(&d, NULL, -1, NULL, NULL, &res, &err) < 0)
		return eng_cli_fail(c, exit_of(&err), &err);
	switch (res.outcome) {
	case RS_OUT_EXITED:
		return res.status;
	case RS_OUT_KILLED:
		tell_signal(c, &res);
		return die_by(res.signal);
	case RS_OUT_WATCHDOG:
		eng_cli_note(c, N_("ringside: the program was ended: it ran longer than --timeout allows\n"));
		return ENG_EXIT_FAILED;
	default:
		return ENG_EXIT_INTERNAL;
	}
}

#define ENGINE_OPT                                                                                 \
	{ 'e', "engine", N_("ENGINE"), N_("jit makes host code, interp interprets the IR; the best "   \
					  "one here when left out"), ENG_ARG_CHOICE, eng_emu_engines }
#define WITHOUT_OPT                                                                                \
	{ 0, "without", N_("PASS,..."), N_("leave these passes over the IR out; all of them: all"),    \
	  ENG_ARG_TEXT, NULL }

#define NO_RETURN_STACK_OPT                                                                        \
	{ 0, "no-return-stack", NULL, N_("a guest's return is looked up like other indirect jumps"), 0, NULL }
#define NO_SUPERBLOCK_OPT                                                                          \
	{ 0, "no-superblock", NULL, N_("a block has no joins, loops and calls inside"), 0, NULL }

static const struct eng_opt run_opts[] = {
	ENGINE_OPT,
	WITHOUT_OPT,
	{ 0, "no-chain", NULL, N_("no block leads directly to the next one"), 0, NULL },
	{ 0, "no-jump-cache", NULL, N_("indirect jumps are looked up every time"), 0, NULL },
	{ 0, "no-pin", NULL, N_("no guest register is kept in a host register"), 0, NULL },
	NO_RETURN_STACK_OPT,
	NO_SUPERBLOCK_OPT,
	{ 0, "block", N_("NUMBER"), N_("most instructions of a block; 64 when left out"), ENG_ARG_NUMBER, NULL },
	{ 'm', "memory", N_("SIZE"), N_("most memory that the program may map; 1G when left out"), ENG_ARG_SIZE,
	  NULL },
	{ 0, "timeout", N_("TIME"), N_("end the program after this time"), ENG_ARG_DURATION, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

/* ---- show ---- */

/* One heading a stage when several are shown. */
static int show_stage(struct eng_cli *c, const struct emu_desc *d, enum emu_stage stage, bool heading)
{
	rs_auto_str text = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;

	if (emu_show(d, eng_cli_opt(c, "at"), stage, vmm_host_text, &text, &err) < 0)
		return eng_cli_fail(c, exit_of(&err), &err);
	if (heading)
		fprintf(c->out, "%s:\n", emu_stage_name(stage));
	fputs(text.p, c->out);
	return ENG_EXIT_OK;
}

static int show(struct eng_cli *c)
{
	const char *stage = eng_cli_opt(c, "stage");
	struct emu_desc d;
	int r = take_options(c, &d);

	d.block_insns = (unsigned)eng_cli_num(c, "block", 0);
	d.no_return_stack = eng_cli_flag(c, "no-return-stack");
	d.no_superblock = eng_cli_flag(c, "no-superblock");
	if (stage && strcmp(stage, "all"))
		return show_stage(c, &d, (enum emu_stage)emu_stage_by_name(stage), false);
	for (int s = 0; r == ENG_EXIT_OK && s < EMU_STAGES; s++)
		r = show_stage(c, &d, (enum emu_stage)s, true);
	return r;
}

static const char *const stages[] = { "guest", "ir", "opt", "host", "all", NULL };

static const struct eng_opt show_opts[] = {
	NO_RETURN_STACK_OPT,
	NO_SUPERBLOCK_OPT,
	{ 's', "stage", N_("STAGE"), N_("guest instructions, IR as it was made, IR after the passes, host code; "
					"all of them when left out"), ENG_ARG_CHOICE, stages },
	{ 0, "at", N_("PLACE"), N_("the block at this symbol or hexadecimal address; the entry point when left "
				   "out"), ENG_ARG_TEXT, NULL },
	WITHOUT_OPT,
	{ 0, "block", N_("NUMBER"), N_("most instructions of a block; 64 when left out"), ENG_ARG_NUMBER, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_emu = {
	.name = "emu",
	.brief = N_("programs for other machines, translated"),
};

const struct eng_cmd eng_cmd_emu_run = {
	.name = "emu run", .args = N_("PROGRAM [ARG...]"), .args_min = 1, .args_max = 0, .arg = ENG_ARG_FILE,
	.tail = true, .pure = true, .opts = run_opts,
	.brief = N_("run a RISC-V or AArch64 program"),
	.help = N_("PROGRAM is a static Linux executable for 64-bit RISC-V (RV64GC with Zba, Zbb, Zbs and "
		   "Zicond) or AArch64 (Armv8.0 with floating point, Advanced SIMD, CRC32, LSE and DotProd). It gets the arguments behind it, the environment, and the files and descriptors "
		   "of this process. The exit code is the program's own; a signal that ends it ends this "
		   "command, too. A system call that is not supported fails with ENOSYS and is named once on "
		   "standard error."),
	.run = run,
};

const struct eng_cmd eng_cmd_emu_show = {
	.name = "emu show", .args = N_("PROGRAM"), .args_min = 1, .args_max = 1, .arg = ENG_ARG_FILE,
	.opts = show_opts, .pure = true,
	.brief = N_("show what becomes of one block, stage by stage"),
	.help = N_("Prints the guest's instructions, the IR that the front end makes of them, the IR after "
		   "the passes, and the host's code. The program does not run."),
	.run = show,
};
