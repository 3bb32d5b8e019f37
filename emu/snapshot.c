/* What the lab is shown: the snapshots of engine/base/state.h. Each is built in the lab's buffer and sent
 * with the world's lock held, so that no block goes away meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "emu/orders.h"
#include "emu/stage.h"
#include "emu/symbols.h"
#include "emu/x86.h"

static void send(struct emu_lab *lab, enum rs_block block, uint32_t actor, size_t n)
{
	rs_emit_state(lab->w->em, RS_SRC_EMU, actor, block, lab->buf, n);
}

static bool counted(const struct emu_world *w)
{
	return w->opt.count || w->opt.interp;
}

/* ---- stages ---- */

struct set {
	struct rs_emu_stage head;
	struct emu_lab *lab;
	const struct emu_block *b;      /* NULL: not in the cache */
};

static void send_stage(struct set *s, const char *name, const struct rs_str *text)
{
	struct emu_lab *lab = s->lab;
	size_t n = text->len, room = RS_STATE_MAX - sizeof(s->head);

	s->head.cut = n > room;
	while (n > room || (s->head.cut && n && text->p[n - 1] != '\n')) /* whole lines */
		n = n > room ? room : n - 1;
	memset(s->head.name, 0, sizeof(s->head.name));
	memcpy(s->head.name, name, strnlen(name, sizeof(s->head.name) - 1));
	memcpy(lab->buf, &s->head, sizeof(s->head));
	memcpy(lab->buf + sizeof(s->head), text->p, n);
	send(lab, RS_BLOCK_EMU_STAGE, 0, sizeof(s->head) + n);
	s->head.index++;
}

static void send_ir(struct set *s, const char *name)
{
	rs_auto_str text = RS_STR_INIT;

	emu_stage_ir(s->lab->w, s->lab->w->ir, true, &text);
	send_stage(s, name, &text);
}

static void remember_insns(struct emu_lab *lab, const struct emu_ir *ir)
{
	lab->insns = 0;
	for (unsigned i = 0; i < ir->ops && lab->insns < EMU_SHOWN_MAX; i++)
		if (ir->op[i].op == EMU_OP_INSN)
			lab->insn[lab->insns++] = (uint64_t)ir->op[i].imm;
}

/* The IR as it was when the block was made, or would be. */
static bool make_ir(struct emu_world *w, uint64_t pc, const struct emu_block *b)
{
	uint32_t page[EMU_BLOCK_PAGES];
	unsigned pages;

	return (b ? emu_translate_again(w, pc, b->insns, w->ir) : emu_translate_raw(w, pc, w->ir, page, &pages)) >= 0;
}

void emu_snapshot_stages(struct emu_lab *lab, uint64_t pc, bool always)
{
	struct emu_world *w = lab->w;
	struct emu_block *b = emu_block_find(w, pc);
	struct set s = { .lab = lab, .b = b };
	rs_auto_str text = RS_STR_INIT;

	if (!always && lab->sent_shown == pc && lab->sent_code == (b ? b->code : 0) && lab->sent_flushes == w->flushes)
		return;
	if (!make_ir(w, pc, b))
		return;
	lab->shown = lab->sent_shown = pc;
	lab->sent_code = b ? b->code : 0;
	lab->sent_flushes = w->flushes;
	remember_insns(lab, w->ir);
	s.head.pc = pc;
	s.head.runs = b && counted(w) ? b->runs : b ? ~0ull : 0;
	s.head.insns = (uint16_t)w->ir->insns;
	s.head.code = b ? b->code : 0;
	s.head.code_size = b ? b->code_size : 0;
	s.head.of = 2 + (b && b->code_size);
	for (unsigned p = 0; p < EMU_PASSES; p++)
		s.head.of += !(w->opt.passes_off >> p & 1);
	emu_symbols_text(w->symbols, pc, s.head.symbol, sizeof(s.head.symbol));
	emu_stage_guest(w, w->ir, true, &text);
	send_stage(&s, "guest", &text);
	send_ir(&s, "ir");
	for (unsigned p = 0; p < EMU_PASSES; p++) {
		if (w->opt.passes_off >> p & 1)
			continue;
		emu_pass_run(w->ir, (enum emu_pass)p);
		send_ir(&s, emu_pass_name((enum emu_pass)p));
	}
	if (b && b->code_size) {
		rs_str_clear(&text);
		emu_stage_host(w, b, lab->host, true, &text);
		send_stage(&s, "host", &text);
	}
}

void emu_snapshot_follow(struct emu_lab *lab, uint64_t pc)
{
	bool inside = false;

	/* While it goes step by step through the block that is shown, that one stays. */
	for (unsigned i = 0; i < lab->insns && lab->shown != pc; i++)
		inside |= lab->insn[i] == pc;
	if (lab->chosen)
		emu_snapshot_stages(lab, lab->shown, true);
	else
		emu_snapshot_stages(lab, inside ? lab->shown : pc, true);
}

/* ---- blocks and cache ---- */

static bool before(const struct emu_world *w, const struct emu_block *a, const struct emu_block *b)
{
	if (counted(w) && a->runs != b->runs)
		return a->runs > b->runs;
	return a->pc < b->pc;
}

/* The blocks to be shown, in order. Returns how many. */
static unsigned choose(struct emu_lab *lab, struct emu_block *v[RS_EMU_BLOCKS_MAX], unsigned *total)
{
	struct emu_world *w = lab->w;
	struct emu_block *shown = emu_block_find(w, lab->shown);
	unsigned n = 0;
	bool there = false;

	*total = 0;
	for (unsigned i = 0; i < w->blocks; i++) {
		struct emu_block *b = w->order[i];
		unsigned at;

		if (b->dead)
			continue;
		(*total)++;
		if (n == RS_EMU_BLOCKS_MAX && !before(w, b, v[n - 1]))
			continue;
		for (at = n < RS_EMU_BLOCKS_MAX ? n++ : n - 1; at && before(w, b, v[at - 1]); at--)
			v[at] = v[at - 1];
		v[at] = b;
	}
	for (unsigned i = 0; i < n; i++)
		there |= v[i] == shown;
	if (shown && !there && n)
		v[n - 1] = shown;
	return n;
}

static void fill_block(const struct emu_world *w, const struct emu_block *b, struct rs_emu_block *out)
{
	memset(out, 0, sizeof(*out));
	out->pc = b->pc;
	out->runs = b->runs;
	out->code = b->code_size ? b->code : 0;
	out->code_size = b->code_size;
	out->insns = b->insns;
	out->indirect = b->indirect;
	emu_symbols_text(w->symbols, b->pc, out->symbol, sizeof(out->symbol));
	for (unsigned i = 0; i < b->exits; i++) {
		const struct emu_exit *e = &b->exit[i];

		if (!e->pc || (b->code_size && !e->patch))
			continue; /* a pass removed it */
		if (out->exits == RS_EMU_EXITS_MAX) {
			out->more++;
			continue;
		}
		out->chained |= (uint8_t)((e->to != NULL) << out->exits);
		out->exit[out->exits++] = e->pc;
	}
}

static void send_cache(struct emu_lab *lab)
{
	struct emu_world *w = lab->w;
	struct rs_emu_cache *head = (void *)lab->buf;
	struct rs_emu_span *span = (void *)(head + 1);
	unsigned per = w->blocks / RS_EMU_SPANS_MAX + 1;

	*head = (struct rs_emu_cache){ .flushes = w->flushes, .blocks = w->blocks };
	if (w->x86) {
		head->size = w->x86->size;
		head->used = w->x86->used;
	}
	for (unsigned i = 0; i < w->blocks; i++) {
		const struct emu_block *b = w->order[i];
		struct rs_emu_span *s = &span[i / per];

		if (i % per == 0)
			*s = (struct rs_emu_span){ .code = b->code, .pc = (uint32_t)b->pc };
		s->size = b->code + b->code_size - s->code;
		s->blocks++;
		s->dead += b->dead;
		s->runs += counted(w) ? b->runs : 0;
		head->dead += b->dead;
		head->n = i / per + 1;
	}
	send(lab, RS_BLOCK_EMU_CACHE, 0, sizeof(*head) + head->n * sizeof(*span));
}

void emu_snapshot_blocks(struct emu_lab *lab)
{
	struct emu_world *w = lab->w;
	struct emu_block *v[RS_EMU_BLOCKS_MAX];
	struct rs_emu_blocks *head = (void *)lab->buf;
	struct rs_emu_block *out = (void *)(head + 1);
	const struct emu_cpu *cpu = emu_lab_focus(lab);
	unsigned total, n = choose(lab, v, &total);

	/* nobody chose: a running program shows the block that ran most */
	if (!lab->chosen && !lab->paused && counted(w) && n)
		lab->shown = v[0]->pc;
	if (n && lab->shown != ~0ull)
		emu_snapshot_stages(lab, lab->shown, false);
	memset(head, 0, sizeof(*head));
	head->n = n;
	head->total = total;
	head->counted = counted(w);
	head->pc = cpu ? cpu->pc : 0;
	head->shown = lab->shown;
	for (unsigned i = 0; i < n; i++)
		fill_block(w, v[i], &out[i]);
	send(lab, RS_BLOCK_EMU_BLOCKS, 0, sizeof(*head) + n * sizeof(*out));
	send_cache(lab);
}

/* ---- the CPU ---- */

#define LINES_BEFORE 4
#define LINES_AFTER 12

/* Does an instruction begin at pc when the code from `from` on is read? RISC-V's have two lengths. */
static unsigned lines_to(struct emu_world *w, uint64_t from, uint64_t pc, uint64_t line[LINES_BEFORE])
{
	unsigned n = 0;

	while (from < pc) {
		rs_auto_str ignored = RS_STR_INIT;
		unsigned len = emu_stage_insn(w, from, &ignored);

		if (!len)
			return 0;
		line[n++ % LINES_BEFORE] = from;
		from += len;
	}
	return from == pc ? n : 0;
}

static void send_code(struct emu_lab *lab, struct emu_cpu *cpu)
{
	struct emu_world *w = lab->w;
	uint64_t start, line[LINES_BEFORE], pc = cpu->pc;
	rs_auto_str text = RS_STR_INIT;
	unsigned n = 0;

	if (emu_symbols_start(w->symbols, pc, &start) && pc - start < 4 * EMU_PAGE)
		n = lines_to(w, start, pc, line);
	for (unsigned i = n > LINES_BEFORE ? n - LINES_BEFORE : 0; i < n; i++) {
		rs_str_add(&text, "  ");
		emu_stage_insn(w, line[i % LINES_BEFORE], &text);
	}
	for (unsigned i = 0; i <= LINES_AFTER; i++) {
		size_t at = text.len;
		unsigned len;

		rs_str_add(&text, i ? "  " : "> ");
		len = emu_stage_insn(w, pc, &text);
		pc += len;
		if (len)
			continue;
		if (i)
			text.p[text.len = at] = 0;
		else
			rs_str_addf(&text, "%8llx  (no code here)\n", (unsigned long long)pc);
		break;
	}
	rs_emit_state(w->em, RS_SRC_EMU, cpu->id, RS_BLOCK_CODE, text.p, text.len < RS_STATE_MAX ? text.len : RS_STATE_MAX);
}

static void fill_reg(const struct emu_guest *g, struct emu_cpu *cpu, uint16_t global, struct rs_emu_reg *r)
{
	bool fp = global >= EMU_F(0) && global < EMU_X(0);
	bool wide = g->vector_bits > 64;

	memset(r, 0, sizeof(*r));
	memcpy(r->name, g->reg[global], strnlen(g->reg[global], sizeof(r->name) - 1));
	r->group = fp ? RS_EMU_REG_FP : global < EMU_F(0) ? RS_EMU_REG_INT : RS_EMU_REG_FLAG;
	r->bits = fp && wide ? g->vector_bits : 64;
	if (fp) {
		r->v[0] = cpu->v[global - EMU_F(0)].q[0];
		r->v[1] = wide ? cpu->v[global - EMU_F(0)].q[1] : 0;
	} else {
		r->v[0] = *emu_guest_global(cpu, global);
	}
}

void emu_snapshot_cpu(struct emu_lab *lab, struct emu_cpu *cpu)
{
	struct emu_world *w = lab->w;
	struct rs_emu_regs *head = (void *)lab->buf;
	struct rs_emu_reg *r = (void *)(head + 1);
	const uint8_t *code = NULL;
	unsigned avail = w->guest->insn_max;

	memset(head, 0, sizeof(*head));
	head->pc = cpu->pc;
	head->insns = counted(w) ? cpu->insns : ~0ull;
	head->cpu = cpu->id;
	memcpy(head->guest, w->guest->name, strnlen(w->guest->name, sizeof(head->guest) - 1));
	emu_symbols_text(w->symbols, cpu->pc, head->symbol, sizeof(head->symbol));
	while (avail && !(code = emu_mem_host(&w->mem, cpu->pc, avail, PROT_EXEC)))
		avail--;
	if (code)
		w->guest->disasm(code, avail, cpu->pc, head->insn, sizeof(head->insn));
	for (uint16_t g = 0; g < EMU_GLOBALS && head->n < RS_EMU_REGS_MAX; g++)
		if (w->guest->reg[g])
			fill_reg(w->guest, cpu, g, &r[head->n++]);
	send(lab, RS_BLOCK_EMU_REGS, cpu->id, sizeof(*head) + head->n * sizeof(*r));
	send_code(lab, cpu);
}

void emu_snapshot_memory(struct emu_lab *lab, uint64_t addr, uint64_t len)
{
	struct rs_mem_head *head = (void *)lab->buf;
	uint8_t *to = (void *)(head + 1);
	uint64_t most = len < EMU_PAGE ? len : EMU_PAGE;

	*head = (struct rs_mem_head){ .addr = addr, .gpa = addr, .is_virtual = 1 };
	while (head->len < most && emu_mem_read(&lab->w->mem, addr + head->len, to + head->len, 1))
		head->len++;
	if (!head->len)
		head->gpa = ~0ull;
	send(lab, RS_BLOCK_MEMORY, 0, sizeof(*head) + head->len);
}
