/* ringside vm run: a guest image outside any lesson, in the same kind of child process. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/console.h"
#include "engine/experiment.h"
#include "engine/kinds.h"
#include "vmm/vmm.h"

#define ADDRESS_SPACE (16ull << 30) /* the largest guest, the event ring, the software CPU's tables that stay empty */
#define PUMP 4096u
#define PC_MEMORY (256ull << 20)
#define FOREVER_NS (UINT64_MAX / 4)

struct vm_run {
	struct eng_cli *cli;
	struct vmm_desc desc;
	struct vmm_diff_opts diff; /* vm diff; a NULL: vm run */
	bool events;
	struct eng_console console;
	struct rs_event end;    /* vm.end */
	bool ended;
};

/* -- what arrives -- */

static void on_output(struct vm_run *r, const struct rs_event *ev)
{
	size_t n = ev->arg[2] < RS_TEXT_SIZE ? (size_t)ev->arg[2] : RS_TEXT_SIZE;

	if (ev->arg[0] == RS_STREAM_SERIAL) {
		fwrite(ev->text, 1, n, r->cli->out);
		fflush(r->cli->out);
	} else {
		fwrite(ev->text, 1, n, r->cli->err);
	}
}

static void on_event(void *arg, struct rs_event *ev)
{
	struct vm_run *r = arg;
	char line[400];

	if (ev->kind == RS_EV_OUT_DATA) {
		on_output(r, ev);
		return;
	}
	if (ev->kind == RS_EV_STATE_BLOCK)
		return;
	if (ev->kind == RS_EV_VM_END) {
		r->end = *ev;
		r->ended = true;
	}
	if (r->events)
		fprintf(r->cli->err, "%s\n", rs_event_format(ev, line, sizeof(line)));
}

/* -- in the child process -- */

static int child_main(void *arg, struct eng_child *c, struct rs_err *err)
{
	struct vm_run *r = arg;
	struct vmm_result res;

	return vmm_run(&r->desc, &c->em, c->control_fd, eng_child_seal, c, &res, err);
}

/* The report goes to standard output; that there is a difference is an exit code. */
static int diff_main(void *arg, struct eng_child *c, struct rs_err *err)
{
	struct vm_run *r = arg;
	struct vmm_difference found;
	rs_auto_str report = RS_STR_INIT;
	uint64_t offset = 0;
	int rc = vmm_diff(&r->desc, &r->diff, eng_child_seal, c, &found, &report, err);

	for (size_t i = 0; rc == 0 && i < report.len; i += RS_TEXT_SIZE)
		rs_emit_out(&c->em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &offset, report.p + i,
			    report.len - i < RS_TEXT_SIZE ? report.len - i : RS_TEXT_SIZE);
	if (rc == 0)
		rs_emit(&c->em, RS_EV_VM_END, RS_SRC_MONITOR, 0, RS_OUT_DEBUG_EXIT, found.found, found.rip, found.exits, NULL);
	return rc;
}

/* -- options -- */

static int take_holes(struct eng_cli *c, struct vmm_desc *d)
{
	for (unsigned i = 0; i < c->optvals; i++) {
		const char *text = c->optval[i].value, *colon;
		rs_auto_free char *at = NULL;

		if (strcmp(c->optval[i].opt->name, "hole"))
			continue;
		colon = strchr(text, ':');
		if (d->holes == VMM_HOLES_MAX)
			return eng_cli_usage(c, N_("more than %u holes"), (unsigned)VMM_HOLES_MAX);
		at = colon ? strndup(text, (size_t)(colon - text)) : NULL;
		if (!at || rs_parse_size(at, &d->hole[d->holes].gpa) < 0 ||
		    rs_parse_size(colon + 1, &d->hole[d->holes].size) < 0)
			return eng_cli_usage(c, N_("--hole takes ADDRESS:SIZE, not \"%s\""), text);
		d->holes++;
	}
	return 0;
}

static int take_options(struct eng_cli *c, struct vm_run *r)
{
	static const char *const traces[] = { "exits", "rings", "steps" };
	struct vmm_desc *d = &r->desc;
	const char *entry = eng_cli_opt(c, "entry"), *trace = eng_cli_opt(c, "trace");
	const char *technique = eng_cli_opt(c, "technique");

	vmm_desc_init(d);
	d->image = c->arg[0];
	d->engine = eng_cli_opt(c, "engine");
	if (entry)
		d->entry = (enum vmm_entry)vmm_entry_by_name(entry);
	d->memory = eng_cli_num(c, "memory", d->memory);
	d->load = eng_cli_num(c, "load", d->load);
	d->timeout_ns = eng_cli_num(c, "timeout", d->timeout_ns);
	d->exit_limit = eng_cli_num(c, "exits", 0);
	d->serial_input = eng_cli_opt(c, "input");
	d->tables = !eng_cli_flag(c, "no-tables");
	d->initrd = eng_cli_opt(c, "initrd");
	d->append = eng_cli_opt(c, "append");
	d->pc = eng_cli_flag(c, "pc") || d->initrd || d->append || d->entry == VMM_ENTRY_RESET;
	if (d->pc) { /* an operating system: it runs as long as it likes, unobserved */
		d->memory = eng_cli_num(c, "memory", PC_MEMORY);
		d->timeout_ns = eng_cli_num(c, "timeout", FOREVER_NS);
		d->trace = VMM_TRACE_EXITS;
		d->serial_limit = UINT64_MAX;
	}
	r->events = eng_cli_flag(c, "events");
	for (unsigned i = 0; trace && i < 3; i++)
		if (!strcmp(trace, traces[i]))
			d->trace = (enum vmm_trace)i;
	if (technique) {
		uint64_t how = 0;

		rs_unit_value(RS_UNIT_technique, technique, &how);
		d->technique = (enum rs_technique)how;
	}
	return take_holes(c, d);
}

/* -- the run -- */

/* What is typed goes to the serial port of a PC. */
static void pump(struct vm_run *r, struct eng_experiment *x)
{
	while (!eng_experiment_death(x)) {
		struct pollfd p[2] = { { .fd = eng_experiment_fd(x), .events = POLLIN },
				       { .fd = eng_console_fd(&r->console), .events = POLLIN } };

		eng_experiment_pump(x, PUMP);
		int doze = eng_experiment_doze(x);
		if (doze)
			poll(p, 2, doze < 0 ? 1000 : doze);
		if (p[1].revents && !eng_console_pass(&r->console, x))
			eng_experiment_order(x, &(struct rs_control){ .op = RS_CONTROL_STOP });
	}
}

/* A good end is a halt, a reset, or the exit code 0. */
static int verdict(struct vm_run *r)
{
	const char *how = rs_unit_value_name(RS_UNIT_outcome, r->end.arg[0]);

	switch (r->end.arg[0]) {
	case RS_OUT_HALTED:
	case RS_OUT_RESET:
		return ENG_EXIT_OK;
	case RS_OUT_STOPPED: /* by the user, who knows */
		return ENG_EXIT_OK;
	case RS_OUT_DEBUG_EXIT:
		if (r->end.arg[1] == 0)
			return ENG_EXIT_OK;
		if (r->diff.a)
			return ENG_EXIT_FAILED; /* the report has said it */
		eng_cli_note(r->cli, N_("ringside: the guest ended with exit code %llu\n"),
			     (unsigned long long)r->end.arg[1]);
		return ENG_EXIT_FAILED;
	}
	eng_cli_note(r->cli, N_("ringside: the guest's run ended: %s, at 0x%llx, after %llu exits\n"),
		     how ? how : "?", (unsigned long long)r->end.arg[2],
		     (unsigned long long)r->end.arg[3]);
	return ENG_EXIT_FAILED;
}

static int exit_of(const struct rs_err *e)
{
	switch (e->code) {
	case -EACCES:
	case -ENOSYS:
		return ENG_EXIT_UNGRADABLE;
	}
	return eng_cli_exit_of(e);
}

static int run_in_child(struct eng_cli *c, struct vm_run *run, int (*main_of)(void *arg, struct eng_child *c, struct rs_err *err))
{
	struct vm_run r = *run;
	struct rs_err err = RS_ERR_INIT;
	bool want[RS_KIND_COUNT] = { false };
	struct eng_experiment *x;
	struct eng_journal *j;
	int rc;

	if (vmm_desc_check(&r.desc, &err) < 0)
		return eng_cli_fail(c, ENG_EXIT_USAGE, &err);
	want[RS_EV_VM_EXIT] = want[RS_EV_VM_PIO] = want[RS_EV_VM_MMIO] = want[RS_EV_VM_ASSIST] = want[RS_EV_CPU_GATE] = r.events;
	want[RS_EV_CPU_STEP] = r.events && r.desc.trace == VMM_TRACE_STEPS;
	j = eng_journal_open(&err);
	if (!j)
		return eng_cli_fail(c, ENG_EXIT_INTERNAL, &err);
	struct eng_experiment_opts o = {
		.name = "vm",
		.main = main_of,
		.arg = &r,
		.limits = { .address_space = ADDRESS_SPACE, .files = 64 },
		.full = RS_FULL_BLOCK,
		.out = RS_STREAM_STDOUT,
		.err = RS_STREAM_STDERR,
		.want = want,
		.journal = j,
		.event = on_event,
		.event_arg = &r,
	};
	fflush(c->out);
	fflush(c->err);
	x = eng_experiment_start(&o, &err);
	if (x) {
		if (r.desc.pc && !r.desc.serial_input && !r.diff.a)
			eng_console_open(&r.console, STDIN_FILENO);
		pump(&r, x);
		eng_console_close(&r.console);
		const struct eng_death *d = eng_experiment_death(x);

		if (d->code < 0)
			rc = eng_cli_fail(c, exit_of(&d->err), &d->err);
		else
			rc = r.ended ? verdict(&r) : ENG_EXIT_INTERNAL;
		eng_experiment_free(x);
	} else {
		rc = eng_cli_fail(c, ENG_EXIT_INTERNAL, &err);
	}
	eng_journal_close(j);
	return rc;
}

static int run(struct eng_cli *c)
{
	struct vm_run r = { .cli = c };
	struct rs_err err = RS_ERR_INIT;
	int rc = take_options(c, &r);

	if (rc)
		return rc;
	if (vmm_available(r.desc.engine, &err) < 0)
		return eng_cli_fail(c, ENG_EXIT_UNGRADABLE, &err);
	return run_in_child(c, &r, child_main);
}

static int diff(struct eng_cli *c)
{
	struct vm_run r = { .cli = c };
	struct rs_err err = RS_ERR_INIT;
	int rc = take_options(c, &r);

	if (rc)
		return rc;
	r.diff = (struct vmm_diff_opts){ .a = "kvm", .b = "soft", .lang = c->lang };
	if (vmm_available("kvm", &err) < 0)
		return eng_cli_fail(c, ENG_EXIT_UNGRADABLE, &err);
	return run_in_child(c, &r, diff_main);
}

static const char *const entries[] = { "real16", "prot32", "long64", "reset", NULL };
static const char *const traces[] = { "exits", "rings", "steps", NULL };
static const char *const techniques[] = { "assist", "trap", "translate", "para", NULL }; /* enums.def */

#define OPT_ENTRY { 0, "entry", N_("MODE"), N_("the CPU's mode at the first instruction"), ENG_ARG_CHOICE, entries }
#define OPT_MEMORY { 'm', "memory", N_("SIZE"), N_("memory of the guest; 4M when left out, 256M of a PC"), ENG_ARG_SIZE, NULL }
#define OPT_LOAD { 0, "load", N_("ADDRESS"), N_("where a flat image goes; 0x10000 when left out"), ENG_ARG_SIZE, NULL }
#define OPT_HOLE { 0, "hole", N_("ADDRESS:SIZE"), N_("a range without memory; may be repeated"), ENG_ARG_TEXT, NULL }
#define OPT_NO_TABLES { 0, "no-tables", NULL, N_("let the guest make its own IDT and TSS"), 0, NULL }
#define OPT_INPUT { 0, "input", N_("TEXT"), N_("bytes that wait in the serial port"), ENG_ARG_TEXT, NULL }
#define OPT_TIMEOUT { 0, "timeout", N_("TIME"), N_("end the run after this time; 10s when left out, never of a PC"), ENG_ARG_DURATION, NULL }

static const struct eng_opt opts[] = {
	{ 'e', "engine", N_("ENGINE"), N_("run on this CPU engine: kvm or soft"),
	  ENG_ARG_CHOICE, eng_vm_engines },
	OPT_ENTRY,
	OPT_MEMORY,
	OPT_LOAD,
	OPT_HOLE,
	OPT_NO_TABLES,
	{ 't', "trace", N_("WHAT"), N_("what the tracer watches"), ENG_ARG_CHOICE,
	  traces },
	{ 0, "technique", N_("HOW"), N_("how the CPU is virtualized; assist when left out"), ENG_ARG_CHOICE,
	  techniques },
	{ 0, "pc", NULL, N_("a PC's devices: interrupt controllers, timers, clock; serial input from the terminal"), 0,
	  NULL },
	{ 0, "initrd", N_("FILE"), N_("RAM disk of a Linux kernel; means --pc"), ENG_ARG_FILE, NULL },
	{ 0, "append", N_("TEXT"), N_("command line of a Linux kernel; means --pc"), ENG_ARG_TEXT, NULL },
	OPT_INPUT,
	{ 0, "events", NULL, N_("write every event to standard error"), 0, NULL },
	OPT_TIMEOUT,
	{ 0, "exits", N_("NUMBER"), N_("end the run after so many VM exits"), ENG_ARG_NUMBER, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

static const struct eng_opt diff_opts[] = {
	OPT_ENTRY, OPT_MEMORY, OPT_LOAD, OPT_HOLE, OPT_NO_TABLES, OPT_INPUT, OPT_TIMEOUT,
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_vm = {
	.name = "vm",
	.brief = N_("virtual machines on their own, outside any lesson"),
};

const struct eng_cmd eng_cmd_vm_run = {
	.name = "vm run", .args = N_("IMAGE"), .args_min = 1, .args_max = 1, .arg = ENG_ARG_FILE,
	.opts = opts,
	.brief = N_("run a guest image"),
	.help = N_("IMAGE is a flat binary, a static x86 ELF executable, with --pc a Linux kernel (bzImage), or with "
		   "--entry reset firmware such as SeaBIOS. With --pc what is typed goes to the serial port, and "
		   "Ctrl-] ends the run. What the guest writes to its "
		   "serial port goes to standard output; the debug port, events and the report on a run "
		   "that ended badly go to standard error. The exit code is 0 when the guest halted, reset "
		   "the machine or ended with code 0 on port 0xf4, and 1 when it ended otherwise."),
	.run = run,
};

const struct eng_cmd eng_cmd_vm_diff = {
	.name = "vm diff", .args = N_("IMAGE"), .args_min = 1, .args_max = 1, .arg = ENG_ARG_FILE,
	.opts = diff_opts,
	.brief = N_("run a guest image on both engines in lock-step"),
	.help = N_("After each VM exit registers, memory and what the exit asked for are compared between kvm and soft. "
		   "At the first difference the instruction is looked for that made it, step by step, and shown with both "
		   "results. The exit code is 0 when there is no difference and 1 when there is one."),
	.run = diff,
};
