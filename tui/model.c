#include <stdlib.h>
#include <string.h>

#include "tui/model.h"

static void ring_init(struct tui_ring *r, unsigned cap)
{
	r->v = rs_xcalloc(cap, sizeof(*r->v));
	r->cap = cap;
}

static void ring_clear(struct tui_ring *r)
{
	r->n = r->head = 0;
	r->dropped = 0;
}

static void ring_add(struct tui_ring *r, const struct rs_event *ev)
{
	if (r->n < r->cap) {
		r->v[(r->head + r->n++) % r->cap] = *ev;
	} else {
		r->v[r->head] = *ev;
		r->head = (r->head + 1) % r->cap;
		r->dropped++;
	}
}

const struct rs_event *tui_ring_at(const struct tui_ring *r, unsigned i)
{
	return &r->v[(r->head + i) % r->cap];
}

bool tui_event_exact(const struct rs_event *ev)
{
	/* the monitor itself set the state of the first instruction */
	return ev->source != RS_SRC_EXIT;
}

/* What one run left; the rings' memory stays. */
static void run_begin(struct tui_model *m)
{
	m->state = TUI_RUN_NONE;
	m->last_time = m->end_time = 0;
	m->have_outcome = m->have_exit = m->build_failed = false;
	m->cpl = -1;
	m->rip = 0;
	ring_clear(&m->crossings);
	ring_clear(&m->events);
	ring_clear(&m->calls);
	memset(m->crossing_count, 0, sizeof(m->crossing_count));
	memset(m->seen, 0, sizeof(m->seen));
	m->have_counters = false;
	memset(&m->counters, 0, sizeof(m->counters));
	memset(&m->base, 0, sizeof(m->base));
	m->base_time = m->counters_time = 0;
	memset(m->rate, 0, sizeof(m->rate));
	m->rate_total = 0;
	memset(m->exit_seen, 0, sizeof(m->exit_seen));
	memset(m->exit_detail, 0, sizeof(m->exit_detail));
	memset(m->exit_rip, 0, sizeof(m->exit_rip));
	m->have_regs = m->have_prev = m->have_mem = m->mem_comparable = false;
	rs_str_clear(&m->code);
	rs_str_clear(&m->tables);
	rs_str_clear(&m->walk);
	rs_str_clear(&m->rewrite);
	m->current = RS_TECHNIQUE_ASSIST;
	tui_translator_clear(&m->tr);
	tui_container_clear(&m->box);
	for (unsigned i = 0; i < TUI_STREAMS; i++) {
		rs_str_clear(&m->text[i]);
		m->text_cut[i] = 0;
	}
	for (unsigned i = 0; i < TUI_BLOCKS; i++)
		m->part[i].have = m->part[i].total = 0;
}

static void take_text(struct tui_model *m, const struct rs_event *ev)
{
	uint64_t stream = ev->arg[0], len = ev->arg[2];
	if (stream >= TUI_STREAMS || len > RS_TEXT_SIZE)
		return;
	struct rs_str *s = &m->text[stream];
	if (s->len + len > TUI_TEXT_MAX) {
		/* drop a quarter, up to a line's end */
		size_t cut = TUI_TEXT_MAX / 4;
		const char *nl = memchr(s->p + cut, '\n', s->len - cut);
		if (nl)
			cut = (size_t)(nl - s->p) + 1;
		m->text_cut[stream] += cut;
		struct rs_str rest = RS_STR_INIT;
		rs_str_addn(&rest, s->p + cut, s->len - cut);
		rs_str_release(s);
		*s = rest;
	}
	rs_str_addn(s, ev->text, (size_t)len);
}

static void take_memory(struct tui_model *m, const unsigned char *p, size_t n)
{
	struct rs_mem_head head;
	if (n < sizeof(head))
		return;
	memcpy(&head, p, sizeof(head));
	if (head.len > n - sizeof(head))
		head.len = (uint32_t)(n - sizeof(head));
	if (head.len > TUI_MEMORY_MAX)
		head.len = TUI_MEMORY_MAX;
	m->mem_comparable = m->have_mem && m->mem.addr == head.addr && m->mem.len == head.len &&
			    m->mem.is_virtual == head.is_virtual;
	if (m->mem_comparable)
		memcpy(m->mem_prev, m->mem_bytes, head.len);
	memcpy(m->mem_bytes, p + sizeof(head), head.len);
	m->mem = head;
	m->have_mem = true;
}

static void take_state(struct tui_model *m, const struct rs_event *ev)
{
	if (ev->arg[0] >= TUI_BLOCKS)
		return;
	struct rs_state_assembler *a = &m->part[ev->arg[0]];
	size_t n = rs_state_feed(a, ev);
	if (!n)
		return;
	switch (ev->arg[0]) {
	case RS_BLOCK_REGS:
		if (n != sizeof(m->regs))
			break;
		m->prev = m->regs;
		m->have_prev = m->have_regs;
		memcpy(&m->regs, a->buf, sizeof(m->regs));
		m->have_regs = true;
		m->regs_time = ev->time;
		m->rip = m->regs.rip;
		m->cpl = m->regs.cpl < 4 ? (int)m->regs.cpl : m->cpl;
		break;
	case RS_BLOCK_CODE:
		rs_str_clear(&m->code);
		rs_str_addn(&m->code, a->buf, n);
		break;
	case RS_BLOCK_TABLES:
		rs_str_clear(&m->tables);
		rs_str_addn(&m->tables, a->buf, n);
		break;
	case RS_BLOCK_WALK:
		rs_str_clear(&m->walk);
		rs_str_addn(&m->walk, a->buf, n);
		break;
	case RS_BLOCK_REWRITE:
		rs_str_clear(&m->rewrite);
		rs_str_addn(&m->rewrite, a->buf, n);
		break;
	case RS_BLOCK_MEMORY:
		take_memory(m, a->buf, n);
		break;
	default:
		tui_translator_take(&m->tr, (enum rs_block)ev->arg[0], a->buf, n);
		tui_container_take(&m->box, (enum rs_block)ev->arg[0], a->buf, n);
		break;
	}
}

/* The counters of a run that is over fill the row of its technique. */
static void fill_technique(struct tui_model *m)
{
	struct tui_technique *t = &m->technique[m->current];
	const uint64_t *v = m->counters.v;
	if (!m->have_outcome || m->outcome.kind != RS_EV_VM_END || !m->have_counters)
		return;
	*t = (struct tui_technique){ .ran = true, .exits = m->outcome.arg[3],
				     .ns = v[RS_CTR_VM_GUEST_NS] + v[RS_CTR_VM_MONITOR_NS] };
	for (unsigned i = 0; i < 16; i++)
		t->crossings += v[RS_CTR_CPU_RING_CROSSINGS + i];
}

static void take_run(struct tui_model *m, const struct rs_event *ev)
{
	switch (ev->kind) {
	case RS_EV_BUILD_START:
		m->state = TUI_RUN_BUILDING;
		break;
	case RS_EV_BUILD_DONE:
		m->build_failed = ev->arg[0] != 0;
		if (m->build_failed)
			m->state = TUI_RUN_OVER;
		break;
	case RS_EV_EXP_START:
	case RS_EV_EXP_RESUMED:
		m->state = TUI_RUN_GOING;
		break;
	case RS_EV_EXP_PAUSED:
		m->state = TUI_RUN_PAUSED;
		m->rip = ev->arg[0];
		break;
	case RS_EV_CPU_STEP:
		m->rip = ev->arg[0];
		if (ev->arg[1] < 4)
			m->cpl = (int)ev->arg[1], m->cpl_exact = true;
		break;
	case RS_EV_VM_EXIT:
		if (ev->arg[0] < TUI_EXITS) {
			m->exit_seen[ev->arg[0]]++;
			m->exit_rip[ev->arg[0]] = ev->arg[1];
			m->exit_detail[ev->arg[0]] = ev->arg[3];
		}
		m->rip = ev->arg[1];
		if (ev->arg[2] < 4)
			m->cpl = (int)ev->arg[2];
		break;
	case RS_EV_CPU_RING:
		if (ev->arg[0] < 4 && ev->arg[1] < 4 && ev->arg[2] != RS_VIA_RESET)
			m->crossing_count[ev->arg[0] * 4 + ev->arg[1]]++;
		if (ev->arg[1] < 4)
			m->cpl = (int)ev->arg[1], m->cpl_exact = tui_event_exact(ev);
		ring_add(&m->crossings, ev);
		break;
	case RS_EV_KVM_CALL:
	case RS_EV_VM_MEMORY:
	case RS_EV_VM_LOAD:
	case RS_EV_BOX_CALL:
	case RS_EV_BOX_NAMESPACE:
	case RS_EV_BOX_ROOT:
		ring_add(&m->calls, ev);
		break;
	case RS_EV_VM_END:
	case RS_EV_EMU_END:
	case RS_EV_BOX_END:
		m->outcome = *ev;
		m->have_outcome = true;
		m->end_time = ev->time;
		m->state = TUI_RUN_OVER;
		fill_technique(m);
		break;
	case RS_EV_VIRT_START:
		if (ev->arg[0] < TUI_TECHNIQUES)
			m->current = (unsigned)ev->arg[0];
		break;
	case RS_EV_EXP_EXIT:
		m->exit = *ev;
		m->have_exit = true;
		m->state = TUI_RUN_OVER;
		break;
	default:
		break;
	}
}

static void on_event(struct rs_sink *sink, const struct rs_event *ev)
{
	struct tui_model *m = (struct tui_model *)sink; /* the sink is the first member */
	m->rev++;
	if (ev->kind >= RS_KIND_COUNT)
		return;
	if (ev->kind == RS_EV_BUILD_START ||
	    (ev->kind == RS_EV_EXP_START && m->seen[RS_EV_EXP_START]))
		run_begin(m);
	m->seen[ev->kind]++;
	if (ev->time > m->last_time)
		m->last_time = ev->time;
	if (ev->kind == RS_EV_OUT_DATA) {
		take_text(m, ev);
		return;
	}
	if (ev->kind == RS_EV_STATE_BLOCK) {
		take_state(m, ev);
		return;
	}
	take_run(m, ev);
	ring_add(&m->events, ev);
}

#define RATE_WINDOW_NS 250000000ull

static void on_counters(struct rs_sink *sink, const struct rs_counters *c, uint64_t time_ns)
{
	struct tui_model *m = (struct tui_model *)sink;
	if (m->have_counters && !memcmp(&m->counters, c, sizeof(*c)) && m->rate_total == 0)
		return;
	m->rev++;
	m->counters = *c;
	m->counters_time = time_ns;
	m->have_counters = true;
	fill_technique(m);
	tui_container_count(&m->box, c, time_ns);
	if (time_ns < m->base_time) { /* another run */
		m->base = *c;
		m->base_time = time_ns;
		return;
	}
	uint64_t dt = time_ns - m->base_time;
	if (dt < RATE_WINDOW_NS)
		return;
	double s = (double)dt / 1e9;
	m->rate_total = 0;
	for (unsigned i = 0; i < TUI_EXITS; i++) {
		uint64_t was = m->base.v[RS_CTR_VM_EXITS + i], is = c->v[RS_CTR_VM_EXITS + i];
		m->rate[i] = is > was ? (double)(is - was) / s : 0;
		m->rate_total += m->rate[i];
	}
	m->base = *c;
	m->base_time = time_ns;
}

struct tui_model *tui_model_new(void)
{
	struct tui_model *m = rs_xcalloc(1, sizeof(*m));
	m->sink.event = on_event;
	m->sink.counters = on_counters;
	ring_init(&m->crossings, TUI_CROSSINGS_MAX);
	ring_init(&m->events, TUI_EVENTS_MAX);
	ring_init(&m->calls, TUI_CALLS_MAX);
	m->code = m->tables = m->walk = m->rewrite = (struct rs_str)RS_STR_INIT;
	for (unsigned i = 0; i < TUI_STREAMS; i++)
		m->text[i] = (struct rs_str)RS_STR_INIT;
	run_begin(m);
	return m;
}

void tui_model_free(struct tui_model *m)
{
	if (!m)
		return;
	free(m->crossings.v);
	free(m->events.v);
	free(m->calls.v);
	rs_str_release(&m->code);
	rs_str_release(&m->tables);
	rs_str_release(&m->walk);
	rs_str_release(&m->rewrite);
	tui_translator_clear(&m->tr);
	tui_container_clear(&m->box);
	for (unsigned i = 0; i < TUI_STREAMS; i++)
		rs_str_release(&m->text[i]);
	free(m);
}

void tui_model_reset(struct tui_model *m)
{
	run_begin(m);
	m->rev++;
}

uint64_t tui_model_exits(const struct tui_model *m, unsigned reason)
{
	if (reason >= TUI_EXITS)
		return 0;
	uint64_t c = m->have_counters ? m->counters.v[RS_CTR_VM_EXITS + reason] : 0;
	return c > m->exit_seen[reason] ? c : m->exit_seen[reason];
}

uint64_t tui_model_exits_total(const struct tui_model *m)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < TUI_EXITS; i++)
		sum += tui_model_exits(m, i);
	if (!sum && m->have_outcome && m->outcome.kind == RS_EV_VM_END)
		return m->outcome.arg[3];
	return sum;
}

uint64_t tui_model_crossings(const struct tui_model *m, unsigned from, unsigned to)
{
	uint64_t n = from < 4 && to < 4 ? m->crossing_count[from * 4 + to] : 0;
	uint64_t c = m->have_counters ? m->counters.v[RS_CTR_CPU_RING_CROSSINGS + from * 4 + to] : 0;
	return c > n ? c : n;
}

uint64_t tui_model_reg(const struct tui_model *m, unsigned i)
{
	uint64_t v = 0;
	memcpy(&v, (const char *)&m->regs + rs_x86_reg_infos[i].offset, sizeof(v));
	return v;
}

bool tui_model_reg_changed(const struct tui_model *m, unsigned i)
{
	uint64_t v = 0;
	if (!m->have_regs || !m->have_prev)
		return false;
	memcpy(&v, (const char *)&m->prev + rs_x86_reg_infos[i].offset, sizeof(v));
	return v != tui_model_reg(m, i);
}
