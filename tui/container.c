#include <string.h>

#include "tui/container.h"

void tui_container_clear(struct tui_container *c)
{
	rs_str_release(&c->mounts);
	rs_str_release(&c->limits);
	rs_str_release(&c->layers);
	memset(c, 0, sizeof(*c));
	c->mounts = c->limits = c->layers = (struct rs_str)RS_STR_INIT;
}

/* Names come from another process: they end where their field ends. */
#define END_NAME(field) ((field)[sizeof(field) - 1] = 0)

static void take_procs(struct tui_container *c, const unsigned char *p, size_t n)
{
	struct rs_box_procs head;
	if (n < sizeof(head))
		return;
	memcpy(&head, p, sizeof(head));
	if (!head.n || head.n > RS_BOX_PROCS_MAX || n != sizeof(head) + head.n * sizeof(c->row[0]))
		return;
	c->head = head;
	memcpy(c->row, p + sizeof(head), head.n * sizeof(c->row[0]));
	for (unsigned i = 0; i < head.n; i++) {
		END_NAME(c->row[i].comm);
		END_NAME(c->row[i].root);
		END_NAME(c->row[i].hostname);
	}
	c->have_procs = true;
}

static void take_text(struct rs_str *s, const unsigned char *p, size_t n)
{
	rs_str_clear(s);
	rs_str_addn(s, p, n);
}

void tui_container_take(struct tui_container *c, enum rs_block kind, const unsigned char *p, size_t n)
{
	switch (kind) {
	case RS_BLOCK_BOX_PROCS:
		take_procs(c, p, n);
		break;
	case RS_BLOCK_BOX_MOUNTS:
		take_text(&c->mounts, p, n);
		break;
	case RS_BLOCK_BOX_LIMITS:
		take_text(&c->limits, p, n);
		break;
	case RS_BLOCK_BOX_LAYERS:
		take_text(&c->layers, p, n);
		break;
	default:
		break;
	}
}

void tui_container_count(struct tui_container *c, const struct rs_counters *v, uint64_t time_ns)
{
	struct tui_sample *last = c->samples ? &c->sample[c->samples - 1] : NULL;
	uint64_t cpu = v->v[RS_CTR_CTR_CPU_NS], throttled = v->v[RS_CTR_CTR_THROTTLED];
	if (!cpu && !v->v[RS_CTR_CTR_MEMORY])
		return;
	if (last && time_ns < last->time + TUI_SAMPLE_NS)
		return;
	if (c->samples == TUI_SAMPLES) {
		memmove(c->sample, c->sample + 1, sizeof(c->sample) - sizeof(c->sample[0]));
		c->samples--;
		last = &c->sample[c->samples - 1];
	}
	uint64_t dt = last ? time_ns - last->time : 0, used = cpu > c->last_cpu ? cpu - c->last_cpu : 0;
	c->sample[c->samples++] = (struct tui_sample){ .time = time_ns, .memory = v->v[RS_CTR_CTR_MEMORY],
						       .cpu = dt ? (unsigned)(used * 1000 / dt) : 0,
						       .throttled = throttled > c->last_throttled };
	c->last_cpu = cpu;
	c->last_throttled = throttled;
}

unsigned tui_container_depth(const struct tui_container *c, unsigned row)
{
	unsigned depth = 0;
	int32_t parent = c->row[row].parent;
	/* a parent stands before its children */
	for (unsigned i = row; i-- > 0;)
		if (c->row[i].host == parent) {
			depth++;
			parent = c->row[i].parent;
		}
	return depth;
}
