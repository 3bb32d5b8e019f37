/* Keys and mouse become actions. The prompt line takes keys for itself while it is open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "tui/app.h"

static void input_backspace(struct rs_str *s)
{
	while (s->len && ((unsigned char)s->p[s->len - 1] & 0xc0) == 0x80)
		s->p[--s->len] = 0;
	if (s->len)
		s->p[--s->len] = 0;
}

static void input_add(struct rs_str *s, int key)
{
	char u[5] = { 0 };
	uint32_t c = (uint32_t)key;
	if (c < 0x80) {
		u[0] = (char)c;
	} else if (c < 0x800) {
		u[0] = (char)(0xc0 | c >> 6);
		u[1] = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		u[0] = (char)(0xe0 | c >> 12);
		u[1] = (char)(0x80 | (c >> 6 & 63));
		u[2] = (char)(0x80 | (c & 63));
	} else {
		u[0] = (char)(0xf0 | c >> 18);
		u[1] = (char)(0x80 | (c >> 12 & 63));
		u[2] = (char)(0x80 | (c >> 6 & 63));
		u[3] = (char)(0x80 | (c & 63));
	}
	if (s->len < 200)
		rs_str_add(s, u);
}

/* A register's name stands for its value: "rsp", "rip". */
static bool register_value(const struct tui_app *a, const char *name, uint64_t *v)
{
	for (unsigned i = 0; a->ls.model->have_regs && i < rs_x86_reg_count; i++)
		if (!strcasecmp(rs_x86_reg_infos[i].name, name)) {
			*v = tui_model_reg(a->ls.model, i);
			return true;
		}
	const struct tui_translator *t = &a->ls.model->tr;
	for (unsigned i = 0; t->have_regs && i < t->regs.n; i++)
		if (t->reg[i].group == RS_EMU_REG_INT && !strcasecmp(t->reg[i].name, name)) {
			*v = t->reg[i].v[0];
			return true;
		}
	return false;
}

/* "0x1000" or "1000" (hexadecimal): physical. "v1000" or a register: linear. */
static void prompt_address(struct tui_app *a)
{
	struct tui_lesson *ls = &a->ls;
	const char *s = a->input.p;
	uint64_t v;
	bool linear = register_value(a, s, &v);
	if (!linear) {
		char *end;
		linear = *s == 'v' || *s == 'V';
		s += linear;
		errno = 0;
		v = strtoull(s, &end, 16);
		if (!*s || *end || errno) {
			tui_app_say(a, -EINVAL, N_("An address is a hexadecimal number such as 10000, v10000 for a linear one, or a register such as rsp."));
			return;
		}
	}
	ls->mem_addr = v;
	ls->mem_virtual = linear;
	ls->have_mem = false;
	ls->pane[ENG_VIEW_memory] = (struct tui_pane_state){ 0 };
	if (ls->model->state != TUI_RUN_PAUSED)
		tui_app_say(a, 0, N_("Memory can be looked at while the guest stands still: p pauses it, x starts it standing still."));
}

static void prompt_guess(struct tui_app *a)
{
	char *end;
	errno = 0;
	long long v = strtoll(a->input.p, &end, 0);
	if (!a->input.len || *end || errno)
		tui_app_say(a, -EINVAL, N_("The answer is a number."));
	else
		tui_answer(a, v);
}

static void prompt_done(struct tui_app *a)
{
	enum tui_prompt p = a->prompt;
	a->prompt = TUI_PROMPT_NONE;
	if (p == TUI_PROMPT_ADDRESS)
		prompt_address(a);
	else if (p == TUI_PROMPT_GUESS)
		prompt_guess(a);
	rs_str_clear(&a->input);
}

static void search_update(struct tui_app *a)
{
	rs_str_clear(&a->list.filter);
	rs_str_add(&a->list.filter, a->input.p);
	tui_list_build(a);
}

static void prompt_key(struct tui_app *a, int key)
{
	a->dirty = true;
	if (key == TUI_K_ESC || key == (TUI_K_CTRL | 'c')) {
		rs_str_clear(&a->input);
		if (a->prompt == TUI_PROMPT_SEARCH)
			search_update(a);
		a->prompt = TUI_PROMPT_NONE;
		return;
	}
	if (key == TUI_K_ENTER) {
		prompt_done(a);
		return;
	}
	if (a->prompt == TUI_PROMPT_SEARCH && (key == TUI_K_UP || key == TUI_K_DOWN)) {
		tui_move(a, key == TUI_K_UP ? TUI_A_UP : TUI_A_DOWN);
		return;
	}
	if (key == TUI_K_BACKSPACE)
		input_backspace(&a->input);
	else if (key == (TUI_K_CTRL | 'u'))
		rs_str_clear(&a->input);
	else if (key >= ' ' && key < 0x110000)
		input_add(&a->input, key);
	if (a->prompt == TUI_PROMPT_SEARCH)
		search_update(a);
}

/* Digits: an answer where a question waits, else a count for `s`. */
static bool digit_key(struct tui_app *a, int key)
{
	struct tui_lesson *ls = &a->ls;
	const struct eng_step *s = tui_step(a);
	if (a->screen != TUI_IN_LESSON || ((key < '0' || key > '9') && key != '-'))
		return false;
	const struct eng_prediction *p = eng_session_prediction(ls->session, eng_session_step(ls->session));
	if (s->predict && p && !p->known) {
		if (s->predict->choices) {
			if (key >= '1' && key < '1' + (int)s->predict->choices) {
				ls->choice = key - '1';
				ls->focus = TUI_FOCUS_TASK;
				a->dirty = true;
			}
			return true;
		}
		a->prompt = TUI_PROMPT_GUESS;
		ls->focus = TUI_FOCUS_TASK;
		rs_str_clear(&a->input);
		input_add(&a->input, key);
		a->dirty = true;
		return true;
	}
	if (key == '-' || (key == '0' && !ls->count))
		return false;
	if (ls->count < 100000)
		ls->count = ls->count * 10 + (unsigned)(key - '0');
	a->dirty = true;
	return true;
}

void tui_app_key(struct tui_app *a, int key)
{
	if (a->have_notice) { /* it was read */
		a->have_notice = false;
		a->dirty = true;
	}
	if (a->prompt != TUI_PROMPT_NONE) {
		prompt_key(a, key);
		return;
	}
	if (!a->help && digit_key(a, key))
		return;
	enum tui_action act = tui_act_of_key(a, key);
	if (act != TUI_ACTIONS)
		tui_act(a, act);
	if (act != TUI_A_STEP && act != TUI_A_BLOCK)
		a->ls.count = 0;
}

static void click(struct tui_app *a, const struct tui_hit *h, int y)
{
	struct tui_lesson *ls = &a->ls;
	a->dirty = true;
	switch (h->type) {
	case TUI_HIT_ACTION:
		tui_act(a, (enum tui_action)h->arg);
		break;
	case TUI_HIT_LESSON:
		if (a->list.sel == h->arg)
			tui_act(a, TUI_A_OPEN);
		else
			a->list.sel = h->arg;
		break;
	case TUI_HIT_STEP:
		if (a->screen == TUI_IN_LESSON)
			tui_app_goto(a, (unsigned)h->arg);
		break;
	case TUI_HIT_FOCUS:
		ls->focus = h->arg;
		break;
	case TUI_HIT_ROW: {
		enum eng_view v = ls->view[h->arg];
		ls->focus = h->arg;
		ls->pane[v].moved = true;
		ls->pane[v].sel = ls->pane[v].top + y - h->r.y;
		break;
	}
	case TUI_HIT_CHECK:
		ls->focus = TUI_FOCUS_TASK;
		ls->check = h->arg;
		break;
	case TUI_HIT_CHOICE:
		ls->focus = TUI_FOCUS_TASK;
		if (ls->choice == h->arg)
			tui_answer(a, h->arg);
		ls->choice = h->arg;
		break;
	}
}

void tui_app_input(struct tui_app *a, const struct tui_input *in)
{
	if (in->type == TUI_IN_KEY) {
		/* pasted text is text, never a command */
		if (in->pasted && (a->prompt == TUI_PROMPT_NONE || in->key == TUI_K_ENTER))
			return;
		tui_app_key(a, in->key);
		return;
	}
	if (in->type != TUI_IN_MOUSE)
		return;
	if (in->mouse != TUI_MOUSE_PRESS) {
		tui_scroll_at(a, in->x, in->y, in->mouse == TUI_MOUSE_WHEEL_UP ? -3 : 3);
		return;
	}
	for (int i = a->hits; i-- > 0;) { /* what was drawn last lies on top */
		const struct tui_rect *r = &a->hit[i].r;
		if (in->x >= r->x && in->x < r->x + r->w && in->y >= r->y && in->y < r->y + r->h) {
			struct tui_hit h = a->hit[i];
			click(a, &h, in->y);
			return;
		}
	}
	if (a->help) {
		a->help = false;
		a->dirty = true;
	}
}
