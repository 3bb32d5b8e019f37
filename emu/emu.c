/* A description becomes a run: the program is read, a world made for its machine, and Linux started
 * in it. emu_show stops after the translator.
 */
#include "emu/emu.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include "engine/base/cleanup.h"
#include "engine/base/control.h"
#include "engine/base/file.h"
#include "emu/linux.h"
#include "emu/x86.h"

#define MEMORY_DEFAULT (1ull << 30)

void emu_desc_init(struct emu_desc *d)
{
	memset(d, 0, sizeof(*d));
}

/* ---- options ---- */

const char *const *emu_pass_names(void)
{
	static const char *names[EMU_PASSES + 1];

	for (unsigned p = 0; p < EMU_PASSES; p++)
		names[p] = emu_pass_name((enum emu_pass)p);
	return names;
}

int emu_available(const char *engine, struct rs_err *err)
{
	if (!engine || !strcmp(engine, "interp"))
		return 0;
	if (strcmp(engine, "jit"))
		return rs_err_set(err, -EINVAL, N_("engine \"%s\" is neither jit nor interp"), engine);
	return emu_x86_able(err);
}

/* The bits of the passes that are named; -EINVAL. */
static int parse_passes(const char *text, unsigned *off, struct rs_err *err)
{
	rs_auto_free char *copy = rs_xstrdup(text ? text : "");
	char *save = NULL;

	*off = 0;
	for (char *p = strtok_r(copy, ", ", &save); p; p = strtok_r(NULL, ", ", &save)) {
		unsigned i = 0;

		if (!strcmp(p, "all")) {
			*off = (1u << EMU_PASSES) - 1;
			continue;
		}
		while (i < EMU_PASSES && strcmp(p, emu_pass_name((enum emu_pass)i)))
			i++;
		if (i == EMU_PASSES)
			return rs_err_set(err, -EINVAL, N_("there is no pass \"%s\""), p);
		*off |= 1u << i;
	}
	return 0;
}

int emu_desc_check(const struct emu_desc *d, struct rs_err *err)
{
	unsigned off;

	if (!d->program || !*d->program)
		return rs_err_set(err, -EINVAL, N_("no program is given"));
	if (d->engine && strcmp(d->engine, "jit") && strcmp(d->engine, "interp"))
		return rs_err_set(err, -EINVAL, N_("engine \"%s\" is neither jit nor interp"), d->engine);
	if (d->block_insns > EMU_BLOCK_INSNS_MAX)
		return rs_err_set(err, -EINVAL, N_("a block has at most %u instructions, not %u"), EMU_BLOCK_INSNS_MAX,
				  d->block_insns);
	if (d->block_branches > EMU_BLOCK_BRANCHES_MAX)
		return rs_err_set(err, -EINVAL, N_("a block has at most %u branches, not %u"), EMU_BLOCK_BRANCHES_MAX,
				  d->block_branches);
	if (d->memory && (d->memory < EMU_MEMORY_MIN || d->memory > EMU_MEM_SIZE))
		return rs_err_set(err, -EINVAL, N_("the guest's memory must lie between 8M and 4G"));
	return parse_passes(d->passes_off, &off, err);
}

static int options(const struct emu_desc *d, struct emu_options *o, struct rs_err *err)
{
	int r = emu_desc_check(d, err);

	memset(o, 0, sizeof(*o));
	if (r < 0)
		return r;
	o->interp = d->engine && !strcmp(d->engine, "interp");
	o->no_chain = d->no_chain;
	o->no_jump_cache = d->no_jump_cache;
	o->no_pin = d->no_pin;
	o->count = d->count;
	o->max_insns = d->block_insns;
	o->max_branches = d->block_branches;
	return parse_passes(d->passes_off, &o->passes_off, err);
}

/* ---- the program ---- */

struct loaded {
	struct rs_str file;
	struct emu_world *w;
	struct emu_image image;
};

static void loaded_release(struct loaded *p)
{
	emu_world_free(p->w);
	rs_str_release(&p->file);
}

static int load(const struct emu_desc *d, struct rs_emitter *em, struct loaded *p, struct rs_err *err)
{
	const struct emu_guest *g;
	struct emu_options o;
	struct rs_err why = RS_ERR_INIT;
	int r = options(d, &o, err);

	if (!r)
		r = rs_file_read(d->program, EMU_FILE_MAX, &p->file, err);
	if (r < 0)
		return r;
	g = emu_load_guest(p->file.p, p->file.len, d->program, err);
	if (!g)
		return -ENOEXEC;
	p->w = emu_world_new(g, &o, em, &why);
	if (!p->w && why.code == -ENOSYS && !d->engine) { /* the best one here */
		o.interp = true;
		p->w = emu_world_new(g, &o, em, &why);
	}
	if (!p->w) {
		if (err)
			*err = why;
		return why.code;
	}
	p->w->mem.limit = d->memory ? d->memory : MEMORY_DEFAULT;
	return emu_load_bytes(p->w, p->file.p, p->file.len, d->program, &p->image, err);
}

/* ---- orders and the watchdog ---- */

struct monitor {
	struct emu_linux *l;
	pthread_t thread;
	int control_fd, quit_fd;
	uint64_t timeout_ns;
	bool started;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* False: nobody is there to give orders any more. */
static bool order(struct monitor *m)
{
	struct rs_control c;
	int r = rs_control_recv(m->control_fd, &c);

	if (r == -EAGAIN)
		return true;
	if (r < 0)
		return false;
	c.result = c.op == RS_CONTROL_STOP ? 0 : -EOPNOTSUPP;
	rs_control_send(m->control_fd, &c);
	if (c.op == RS_CONTROL_STOP)
		emu_linux_stop(m->l, RS_OUT_STOPPED);
	return true;
}

static void *monitor_main(void *arg)
{
	struct monitor *m = arg;
	uint64_t end = m->timeout_ns ? now_ns() + m->timeout_ns : 0;

	for (;;) {
		struct pollfd p[2] = { { m->quit_fd, POLLIN, 0 }, { m->control_fd, POLLIN, 0 } };
		uint64_t now = now_ns();
		int wait = !end ? -1 : now >= end ? 0 : (int)((end - now) / 1000000 + 1);

		if (poll(p, 2, wait) < 0 && errno != EINTR)
			return NULL;
		if (p[0].revents)
			return NULL;
		if (p[1].revents && !order(m))
			m->control_fd = -1;
		if (end && now_ns() >= end) {
			emu_linux_stop(m->l, RS_OUT_WATCHDOG);
			end = 0;
		}
	}
}

static int monitor_start(struct monitor *m, struct rs_err *err)
{
	sigset_t all, old;
	int r;

	if (m->control_fd < 0 && !m->timeout_ns)
		return 0;
	m->quit_fd = eventfd(0, EFD_CLOEXEC);
	if (m->quit_fd < 0)
		return rs_err_errno(err, errno, N_("the watchdog cannot be started"));
	/* Signals are for the guest's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&m->thread, NULL, monitor_main, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return rs_err_errno(err, r, N_("the watchdog cannot be started"));
	m->started = true;
	return 0;
}

static void monitor_stop(struct monitor *m)
{
	if (m->started) {
		eventfd_write(m->quit_fd, 1);
		pthread_join(m->thread, NULL);
	}
	if (m->quit_fd >= 0)
		close(m->quit_fd);
}

/* ---- run ---- */

int emu_run(const struct emu_desc *d, struct rs_emitter *em, int control_fd,
	    int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct emu_result *res,
	    struct rs_err *err)
{
	char *alone[] = { (char *)d->program, NULL };
	rs_cleanup(loaded_release) struct loaded p = { .file = RS_STR_INIT };
	struct monitor m = { .control_fd = control_fd, .quit_fd = -1, .timeout_ns = d->timeout_ns };
	int r = load(d, em, &p, err);

	memset(res, 0, sizeof(*res));
	if (r < 0)
		return r;
	m.l = emu_linux_new(p.w, em, d->capture, d->program, &p.image, d->argv ? d->argv : alone, d->envp, err);
	if (!m.l)
		return -ENOMEM;
	m.l->warn = d->warn;
	m.l->warn_arg = d->warn_arg;
	rs_str_release(&p.file);
	r = monitor_start(&m, err);
	if (!r && seal)
		r = seal(seal_arg, err);
	if (!r)
		emu_linux_run(m.l, res);
	monitor_stop(&m);
	res->blocks = p.w->blocks;
	res->translator_ns = p.w->translator_ns;
	res->flushes = p.w->flushes;
	if (m.l->live)
		p.w = NULL; /* a thread that did not end still uses it */
	emu_linux_free(m.l);
	return r;
}

/* ---- show ---- */

const char *emu_stage_name(enum emu_stage s)
{
	static const char *const names[EMU_STAGES] = { "guest", "ir", "opt", "host" };

	return (unsigned)s < EMU_STAGES ? names[s] : NULL;
}

int emu_stage_by_name(const char *name)
{
	for (int s = 0; s < EMU_STAGES; s++)
		if (!strcmp(name, emu_stage_name((enum emu_stage)s)))
			return s;
	return -ENOENT;
}

/* A symbol, or an address in hexadecimal. */
static int find_place(const struct loaded *p, const char *at, uint64_t *pc, struct rs_err *err)
{
	char *end;

	*pc = p->image.entry;
	if (!at)
		return 0;
	if (emu_load_symbol(p->file.p, p->file.len, at, pc)) {
		*pc += p->image.bias;
		return 0;
	}
	*pc = strtoull(at, &end, 16);
	if (*at && !*end)
		return 0;
	return rs_err_set(err, -ESRCH, N_("the program has no symbol \"%s\""), at);
}

/* The instructions that the block's IR marks, in its order. */
static void show_guest(struct emu_world *w, const struct emu_ir *ir, struct rs_str *out)
{
	for (unsigned i = 0; i < ir->ops; i++) {
		uint64_t pc = (uint64_t)ir->op[i].imm;
		unsigned avail = w->guest->insn_max, n;
		const uint8_t *code = NULL;
		char text[96];

		if (ir->op[i].op != EMU_OP_INSN)
			continue;
		while (avail && !(code = emu_mem_host(&w->mem, pc, avail, PROT_EXEC)))
			avail--;
		n = code ? w->guest->disasm(code, avail, pc, text, sizeof(text)) : 0;
		if (!n)
			continue;
		rs_str_addf(out, "%8llx:  ", (unsigned long long)pc);
		for (unsigned k = 0; k < w->guest->insn_max; k++) {
			if (k < n)
				rs_str_addf(out, "%02x", code[n - 1 - k]);
			else
				rs_str_add(out, "  ");
		}
		rs_str_addf(out, "  %s\n", text);
	}
}

static int show_host(struct emu_world *w, uint64_t pc, emu_host_text *host, struct rs_str *out,
		     struct rs_err *err)
{
	struct emu_cpu *cpu = emu_cpu_new(w, NULL);
	const struct emu_block *b;
	const uint8_t *code;

	pthread_mutex_lock(&w->lock);
	b = emu_block_get(w, cpu, pc);
	pthread_mutex_unlock(&w->lock);
	if (!b)
		return rs_err_set(err, -EFAULT, N_("there is no code at 0x%llx"), (unsigned long long)pc);
	code = w->x86->rx + b->code;
	for (uint32_t at = 0; at < b->code_size;) {
		uint32_t left = b->code_size - at;
		unsigned n = 0;

		rs_str_addf(out, "%8x:  ", at);
		if (host)
			n = host(code + at, left < 15 ? left : 15, (uintptr_t)code + at, out);
		if (!n) {
			n = 1;
			rs_str_addf(out, ".byte 0x%02x", code[at]);
		}
		rs_str_addc(out, '\n');
		at += n;
	}
	return 0;
}

int emu_show(const struct emu_desc *d, const char *at, enum emu_stage stage, emu_host_text *host,
	     struct rs_str *out, struct rs_err *err)
{
	rs_cleanup(loaded_release) struct loaded p = { .file = RS_STR_INIT };
	struct emu_desc own = *d;
	uint32_t page[EMU_BLOCK_PAGES];
	unsigned pages;
	uint64_t pc;
	int r;

	if (stage != EMU_STAGE_HOST && !own.engine)
		own.engine = "interp"; /* every host can show the stages before the last */
	r = load(&own, NULL, &p, err);
	if (!r)
		r = find_place(&p, at, &pc, err);
	if (r < 0)
		return r;
	if (stage == EMU_STAGE_HOST && !p.w->x86)
		return rs_err_set(err, -ENOSYS, N_("the interpreter makes no host code"));
	if (stage == EMU_STAGE_HOST)
		return show_host(p.w, pc, host, out, err);
	if (emu_translate_raw(p.w, pc, p.w->ir, page, &pages) < 0)
		return rs_err_set(err, -EFAULT, N_("there is no code at 0x%llx"), (unsigned long long)pc);
	if (stage == EMU_STAGE_GUEST) {
		show_guest(p.w, p.w->ir, out);
		return 0;
	}
	if (stage == EMU_STAGE_OPT)
		emu_passes(p.w, p.w->ir);
	emu_ir_print(p.w->ir, p.w->guest, out);
	return 0;
}
