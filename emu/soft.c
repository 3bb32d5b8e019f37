/* Code of a guest whose memory stands behind an MMU, for the translator (soft.h). */
#include <string.h>

#include "emu/soft.h"

static bool in_mapping(const struct emu_soft *s, uint64_t pc)
{
	return !((pc ^ s->base) & ~s->span);
}

static unsigned within_limit(const struct emu_soft *s, uint64_t pc, unsigned n)
{
	return pc > s->limit ? 0 : s->limit - pc < n ? (unsigned)(s->limit - pc) + 1 : n;
}

uint32_t emu_soft_page(const struct emu_world *w, uint64_t pc)
{
	const struct emu_soft *s = w->soft;

	if (in_mapping(s, pc))
		return (uint32_t)((s->gpa + (pc & s->span)) / EMU_PAGE);
	return s->second ? (uint32_t)s->next_page : ~0u;
}

const uint8_t *emu_soft_code(struct emu_world *w, uint64_t pc, unsigned max, unsigned *avail)
{
	struct emu_soft *s = w->soft;
	uint64_t gpa = s->gpa + (pc & s->span);
	unsigned left = EMU_PAGE - (unsigned)(pc % EMU_PAGE);
	const uint8_t *p, *q;

	*avail = 0;
	if (!in_mapping(s, pc))
		return NULL;
	p = s->host(s->arg, gpa);
	if (!p)
		return NULL;
	*avail = within_limit(s, pc, left < max ? left : max);
	if (*avail < left || left >= max || !in_mapping(s, pc + left))
		return p;
	q = s->host(s->arg, gpa + left);
	if (!q)
		return p;
	memcpy(s->bytes, p, left);
	memcpy(s->bytes + left, q, max - left);
	*avail = within_limit(s, pc, max);
	return s->bytes;
}

const uint8_t *emu_soft_cross(struct emu_world *w, uint64_t pc, unsigned max, unsigned *avail)
{
	struct emu_soft *s = w->soft;
	unsigned left = EMU_PAGE - (unsigned)(pc % EMU_PAGE);
	const uint8_t *p;

	if (!in_mapping(s, pc) || left >= max || in_mapping(s, pc + left) || within_limit(s, pc, left + 1) <= left)
		return NULL;
	p = s->host(s->arg, s->gpa + (pc & s->span));
	if (!p || !s->cross(s->arg, pc + left))
		return NULL;
	s->second = true;
	memcpy(s->bytes, p, left);
	memcpy(s->bytes + left, s->next, max - left);
	*avail = within_limit(s, pc, max);
	return s->bytes;
}
