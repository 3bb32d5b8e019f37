/* A description becomes a run: the program is read, a world made for its machine, and Linux started
 * in it. emu_show stops after the translator.
 */
#include "emu/emu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "emu/linux.h"
#include "emu/orders.h"
#include "emu/stage.h"
#include "emu/symbols.h"
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
	o->no_superblock = d->no_superblock;
	o->no_return_stack = d->no_return_stack;
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

static int load(const struct emu_desc *d, struct rs_emitter *em, bool lab, struct loaded *p, struct rs_err *err)
{
	const struct emu_guest *g;
	struct emu_options o;
	struct rs_err why = RS_ERR_INIT;
	int r = options(d, &o, err);

	o.lab = lab;
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
	r = emu_load_bytes(p->w, p->file.p, p->file.len, d->program, &p->image, err);
	if (!r && em) {
		p->w->symbols = emu_symbols_new(p->file.p, p->file.len, p->image.bias);
		emu_symbols_tell(p->w->symbols, em);
	}
	return r;
}

/* ---- run ---- */

int emu_run(const struct emu_desc *d, struct rs_emitter *em, int control_fd,
	    int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct emu_result *res,
	    struct rs_err *err)
{
	char *alone[] = { (char *)d->program, NULL };
	rs_cleanup(loaded_release) struct loaded p = { .file = RS_STR_INIT };
	struct emu_lab *lab = NULL;
	struct emu_linux *l;
	int r = load(d, em, control_fd >= 0 && em, &p, err);

	memset(res, 0, sizeof(*res));
	if (r < 0)
		return r;
	l = emu_linux_new(p.w, em, d->capture, d->program, &p.image, d->argv ? d->argv : alone, d->envp, err);
	if (!l)
		return -ENOMEM;
	l->warn = d->warn;
	l->warn_arg = d->warn_arg;
	l->confined = d->confined;
	rs_str_release(&p.file);
	if (control_fd >= 0 || d->timeout_ns)
		lab = emu_lab_start(l, d, control_fd, err);
	if (!lab && (control_fd >= 0 || d->timeout_ns))
		r = -EAGAIN;
	if (!r && seal)
		r = seal(seal_arg, err);
	if (!r)
		emu_linux_run(l, res);
	emu_lab_free(lab);
	res->blocks = p.w->blocks;
	res->translator_ns = p.w->translator_ns;
	res->flushes = p.w->flushes;
	pthread_mutex_lock(&p.w->lock);
	res->insns = p.w->insns;
	for (const struct emu_cpu *c = p.w->cpus; c; c = c->next)
		res->insns += c->insns;
	pthread_mutex_unlock(&p.w->lock);
	if (l->live)
		p.w = NULL; /* a thread that did not end still uses it */
	emu_linux_free(l);
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

static int show_host(struct emu_world *w, uint64_t pc, emu_host_text *host, struct rs_str *out,
		     struct rs_err *err)
{
	struct emu_cpu *cpu = emu_cpu_new(w, NULL);
	const struct emu_block *b;

	pthread_mutex_lock(&w->lock);
	b = emu_block_get(w, cpu, pc);
	pthread_mutex_unlock(&w->lock);
	if (!b)
		return rs_err_set(err, -EFAULT, N_("there is no code at 0x%llx"), (unsigned long long)pc);
	emu_stage_host(w, b, host, false, out);
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
	r = load(&own, NULL, false, &p, err);
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
		emu_stage_guest(p.w, p.w->ir, false, out);
		return 0;
	}
	if (stage == EMU_STAGE_OPT)
		emu_passes(p.w, p.w->ir);
	emu_stage_ir(p.w, p.w->ir, false, out);
	return 0;
}
