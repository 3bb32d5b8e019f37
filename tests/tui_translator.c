/* The panes of the translator without a screen: stages side by side, the graph, what the model keeps of
 * the snapshots, and the keys that belong to these panes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/tui_emu_scene.h"
#include "tui/graph.h"
#include "tui/stages.h"

/* ---- stages side by side ---- */

static bool cell_is(const struct tui_stage_cell *c, enum tui_stage_mark mark, const char *text)
{
	return c->mark == mark && (text ? c->s && c->n == strlen(text) && !memcmp(c->s, text, c->n) : !c->s);
}

#define ALL 15u

static void test_stages_align(void **state)
{
	static const char *const text[TUI_STAGES] = {
		"0\t10: li a5,1\n1\t14: addi a5,a5,1\n2\t18: ret\n",
		"-\tenter\n0\tmov a5, 1\n1\tadd a5, a5, 1\n2\tgoto_reg ra\n-\tlabel L0\n-\tgoto 0x20, #0\n",
		"1\tmov a5, 2\n2\tgoto_reg ra\n-\tlabel L0\n-\tgoto 0x20, #0\n",
		"1\t0: mov ebx, 2\n2\t5: mov eax, 1\n2\ta: jmp rax\n-\te: int3\n",
	};
	struct tui_stages st;
	(void)state;
	tui_stages_make(&st, text, ALL);
	assert_int_equal(st.count[TUI_STAGE_GUEST], 3);
	assert_int_equal(st.count[TUI_STAGE_IR], 5); /* the label is none */
	assert_int_equal(st.count[TUI_STAGE_OPT], 3);
	assert_int_equal(st.count[TUI_STAGE_HOST], 4);
	assert_int_equal(st.rows, 7);
	/* the way in, then each instruction with what it became */
	assert_int_equal(st.row[0].insn, TUI_ROW_IN);
	assert_true(cell_is(&st.row[0].cell[1], TUI_SM_GONE, "enter"));
	assert_int_equal(st.row[1].insn, 0);
	assert_true(cell_is(&st.row[1].cell[0], TUI_SM_SAME, "10: li a5,1"));
	assert_true(cell_is(&st.row[1].cell[1], TUI_SM_GONE, "mov a5, 1"));
	assert_true(cell_is(&st.row[1].cell[2], TUI_SM_GONE, NULL)); /* a gap */
	assert_true(cell_is(&st.row[1].cell[3], TUI_SM_NONE, NULL));
	assert_true(cell_is(&st.row[2].cell[1], TUI_SM_CHANGED, "add a5, a5, 1"));
	assert_true(cell_is(&st.row[2].cell[2], TUI_SM_CHANGED, "mov a5, 2"));
	assert_true(cell_is(&st.row[2].cell[3], TUI_SM_SAME, "0: mov ebx, 2"));
	/* the instruction that became two of the host */
	assert_true(cell_is(&st.row[3].cell[0], TUI_SM_SAME, "18: ret"));
	assert_true(cell_is(&st.row[3].cell[2], TUI_SM_SAME, "goto_reg ra"));
	assert_true(cell_is(&st.row[4].cell[3], TUI_SM_SAME, "a: jmp rax"));
	assert_true(st.row[3].first && !st.row[4].first);
	assert_int_equal(st.row[4].insn, 2);
	assert_int_equal(st.row[5].insn, TUI_ROW_OUT);
	assert_true(cell_is(&st.row[5].cell[3], TUI_SM_SAME, "e: int3"));
	tui_stages_release(&st);
	/* a column that is not shown takes no rows */
	tui_stages_make(&st, text, 7);
	assert_int_equal(st.rows, 6);
	assert_int_equal(st.count[TUI_STAGE_HOST], 4);
	tui_stages_release(&st);
}

/* A side exit is written behind everything else, but stands beside its branch. */
static void test_stages_side_exit(void **state)
{
	static const char *const text[TUI_STAGES] = {
		"0\t10: beqz a0,0x40\n1\t14: li a1,2\n",
		"0\tbrcond a0, 0, eq, L0\n1\tmov a1, 2\n0\tlabel L0\n0\tgoto 0x40, #0\n",
		NULL,
		NULL,
	};
	struct tui_stages st;
	(void)state;
	tui_stages_make(&st, text, ALL);
	assert_int_equal(st.rows, 4);
	assert_true(cell_is(&st.row[1].cell[TUI_STAGE_IR], TUI_SM_SAME, "label L0"));
	assert_true(cell_is(&st.row[2].cell[TUI_STAGE_IR], TUI_SM_SAME, "goto 0x40, #0"));
	assert_int_equal(st.row[2].insn, 0);
	assert_true(cell_is(&st.row[3].cell[TUI_STAGE_GUEST], TUI_SM_SAME, "14: li a1,2"));
	assert_true(cell_is(&st.row[3].cell[TUI_STAGE_IR], TUI_SM_SAME, "mov a1, 2"));
	tui_stages_release(&st);
}

/* Whatever the text is: every line that has a number or "-" comes out once, in its order. */
static void test_stages_keep_every_line(void **state)
{
	unsigned seed = 7;
	(void)state;
	for (int round = 0; round < 400; round++) {
		struct tui_stages st;
		struct rs_str t[TUI_STAGES] = { RS_STR_INIT, RS_STR_INIT, RS_STR_INIT, RS_STR_INIT };
		const char *text[TUI_STAGES];
		unsigned lines[TUI_STAGES], found[TUI_STAGES] = { 0 };
		for (int i = 0; i < TUI_STAGES; i++) {
			int insn = -1;
			lines[i] = (seed = seed * 1103515245u + 12345u) >> 16 & 15;
			for (unsigned k = 0; k < lines[i]; k++) {
				seed = seed * 1103515245u + 12345u;
				insn += seed >> 20 & 3;
				if (k > 1 && k + 2 < lines[i] && insn >= 0)
					rs_str_addf(&t[i], "%d\top%u x%u\n", insn, seed >> 18 & 3, k);
				else
					rs_str_addf(&t[i], "-\top%u x%u\n", seed >> 18 & 3, k);
			}
			text[i] = t[i].p;
		}
		tui_stages_make(&st, text, ALL);
		for (unsigned r = 0; r < st.rows; r++)
			for (int i = 0; i < TUI_STAGES; i++) {
				const struct tui_stage_cell *c = &st.row[r].cell[i];
				char want[16];
				if (!c->s)
					continue;
				snprintf(want, sizeof(want), "x%u", found[i]++);
				assert_true(c->n >= strlen(want));
				assert_memory_equal(c->s + c->n - strlen(want), want, strlen(want));
			}
		for (int i = 0; i < TUI_STAGES; i++)
			assert_int_equal(found[i], lines[i]);
		tui_stages_release(&st);
		for (int i = 0; i < TUI_STAGES; i++)
			rs_str_release(&t[i]);
	}
}

/* ---- the graph ---- */

static void test_graph(void **state)
{
	/* 0 -> 1 -> 2 -> 1, 0 -> 3, 2 -> 3, 3 -> 3 */
	static struct tui_graph g = { .nodes = 4, .edges = 6, .edge = { { .from = 0, .to = 1 }, { .from = 1, .to = 2 },
		{ .from = 2, .to = 1, .dashed = true }, { .from = 0, .to = 3 }, { .from = 2, .to = 3 },
		{ .from = 3, .to = 3 } } };
	struct tui_grid grid;
	rs_auto_str all = RS_STR_INIT;
	(void)state;
	assert_false(tui_graph_layout(&g, 10, 40, 12, 3));
	assert_false(tui_graph_layout(&g, 40, 12, 12, 3));
	assert_true(tui_graph_layout(&g, 40, 24, 12, 3));
	assert_int_equal(g.layers, 4);
	assert_true(g.at[0].y < g.at[1].y && g.at[1].y < g.at[2].y && g.at[2].y < g.at[3].y);
	assert_true(g.edge[2].back);
	for (int i = 0; i < 6; i++)
		assert_int_equal(g.edge[i].back, i == 2 || i == 5);
	tui_grid_init(&grid, 40, 24, false);
	tui_graph_draw(tui_area_all(&grid), &g);
	for (int n = 1; n < 4; n++) { /* an arrow ends at each box that something leads down to */
		bool head = false;
		for (int x = 0; x < g.box_w; x++)
			head |= !strcmp(tui_grid_at(&grid, g.at[n].x + x, g.at[n].y - 1)->ch, "▼");
		assert_true(head);
	}
	assert_string_equal(tui_grid_at(&grid, g.at[1].x + g.box_w, g.at[1].y + 1)->ch, "◀");
	tui_grid_dump(&grid, false, &all);
	assert_non_null(strstr(all.p, "┆")); /* the way back is dashed */
	tui_grid_release(&grid);
}

/* Any graph is laid out or refused; boxes never meet and never leave the area. */
static void test_graph_random(void **state)
{
	unsigned seed = 3, fits = 0;
	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct tui_graph g = { 0 };
		int w = 30 + round % 90, h = 8 + round % 50;
		g.nodes = 1 + round % TUI_GRAPH_NODES;
		g.edges = round % TUI_GRAPH_EDGES;
		for (int i = 0; i < g.edges; i++) {
			seed = seed * 1103515245u + 12345u;
			g.edge[i].from = (int)(seed >> 8 & 0xff) % g.nodes;
			g.edge[i].to = (int)(seed >> 17 & 0xff) % g.nodes;
		}
		if (!tui_graph_layout(&g, w, h, 14, 3))
			continue;
		fits++;
		for (int a = 0; a < g.nodes; a++) {
			assert_true(g.at[a].x >= 0 && g.at[a].x + 14 <= w && g.at[a].y >= 0 && g.at[a].y + 3 <= h);
			for (int b = 0; b < a; b++)
				assert_true(abs(g.at[a].x - g.at[b].x) >= 14 || abs(g.at[a].y - g.at[b].y) >= 3);
		}
		struct tui_grid grid;
		tui_grid_init(&grid, w, h, round & 1);
		tui_graph_draw(tui_area_all(&grid), &g);
		tui_grid_release(&grid);
	}
	assert_true(fits > 300);
}

/* ---- heat ---- */

static void test_heat(void **state)
{
	(void)state;
	assert_int_equal(tui_heat(0, 1000000), 0);
	assert_int_equal(tui_heat(0, 0), 0);
	assert_int_equal(tui_heat(1, 1), 0); /* ran once: not hot, though nothing ran more often */
	assert_int_equal(tui_heat(~0ull, ~0ull), TUI_HEATS - 1);
	int last = 0;
	for (uint64_t n = 1; n <= 1u << 20; n *= 2) {
		int level = tui_heat(n, 1u << 20);
		assert_true(level >= last);
		last = level;
	}
	assert_int_equal(tui_heat(2, 1u << 20), 0);
	assert_int_equal(last, TUI_HEATS - 1);
}

/* ---- the model ---- */

static void test_model(void **state)
{
	struct scene s;
	(void)state;
	scene_open_text(&s, emu_scene_yaml, RS_LANG_EN, false);
	const struct tui_translator *t = &s.app->ls.model->tr;
	assert_false(t->have_blocks || t->have_cache || t->have_regs);
	assert_null(tui_translator_stages(t, 0, true));
	emu_scene_run(&s, true);
	assert_int_equal(t->blocks.n, 11);
	assert_int_equal(tui_translator_most(t), 256741);
	assert_int_equal(tui_translator_block(t, 0x10668), 1);
	assert_int_equal(tui_translator_block(t, 0x10669), -1);
	const struct tui_block_stages *st = tui_translator_stages(t, 0x10646, false);
	assert_non_null(st);
	assert_ptr_equal(st, tui_translator_stages(t, 0, true));
	assert_null(tui_translator_stages(t, 0x10668, false));
	assert_int_equal(st->n, 4);
	assert_string_equal(st->text[2], emu_scene_opt);
	for (unsigned i = 0; i < t->regs.n; i++)
		assert_int_equal(tui_translator_changed(t, i),
				 !strcmp(t->reg[i].name, "a4") || !strcmp(t->reg[i].name, "a5"));
	/* a set whose middle was lost ends where the loss is; the next set is whole again */
	emu_scene_stage(&s, 71000, 0, "guest", emu_scene_guest);
	emu_scene_stage(&s, 71000, 2, "dead", emu_scene_opt);
	emu_scene_stage(&s, 71000, 3, "host", emu_scene_host);
	st = tui_translator_stages(t, 0, true);
	assert_int_equal(st->n, 1);
	emu_scene_stage(&s, 72000, 0, "guest", emu_scene_guest);
	emu_scene_stage(&s, 72000, 1, "ir", emu_scene_ir);
	assert_int_equal(tui_translator_stages(t, 0, true)->n, 2);
	/* the next run begins anew */
	scene_event(&s, 0, RS_EV_BUILD_START, RS_SRC_ENGINE, 0, 0, 0, 0, "sieve.c");
	assert_false(t->have_blocks || t->have_cache || t->have_regs);
	assert_null(tui_translator_stages(t, 0, true));
	scene_close(&s);
}

/* Snapshots with wrong sizes, counts and names without an end change nothing and hurt nobody. */
static void test_model_hostile(void **state)
{
	static const enum rs_block kinds[] = { RS_BLOCK_EMU_STAGE, RS_BLOCK_EMU_BLOCKS, RS_BLOCK_EMU_CACHE,
					       RS_BLOCK_EMU_REGS };
	static unsigned char junk[RS_STATE_MAX];
	struct scene s;
	unsigned seed = 5;
	(void)state;
	scene_open_text(&s, emu_scene_yaml, RS_LANG_EN, false);
	for (int round = 0; round < 100; round++) {
		size_t n = (seed = seed * 1103515245u + 12345u) % sizeof(junk);
		for (size_t i = 0; i < sizeof(junk); i++) {
			seed = seed * 1103515245u + 12345u;
			/* small numbers make counts that nearly fit */
			junk[i] = (unsigned char)(round & 1 ? seed >> 24 : seed >> 24 < 16 ? seed >> 16 & 31 : 0);
		}
		enum rs_block kind = kinds[round % 4];
		if (round % 3 == 0 && kind == RS_BLOCK_EMU_BLOCKS) {
			struct rs_emu_blocks h = { .n = 20, .counted = 1 };
			memcpy(junk, &h, sizeof(h));
			n = sizeof(h) + 20 * sizeof(struct rs_emu_block);
		} else if (round % 3 == 0 && kind == RS_BLOCK_EMU_CACHE) {
			struct rs_emu_cache h = { .n = 30, .size = 1u << 20, .used = ~0ull >> (round % 64) };
			memcpy(junk, &h, sizeof(h));
			n = sizeof(h) + 30 * sizeof(struct rs_emu_span);
		} else if (round % 3 == 0 && kind == RS_BLOCK_EMU_REGS) {
			struct rs_emu_regs h = { .n = 40 };
			memcpy(junk, &h, sizeof(h));
			memset(junk + sizeof(h) - 128, 'x', 128);
			n = sizeof(h) + 40 * sizeof(struct rs_emu_reg);
		} else if (kind == RS_BLOCK_EMU_STAGE) {
			struct rs_emu_stage h = { .index = (uint16_t)(round / 4 % 3), .of = 4 };
			memset(h.name, 'n', sizeof(h.name));
			memset(h.symbol, 's', sizeof(h.symbol));
			memcpy(junk, &h, sizeof(h));
		}
		scene_state(&s, 1000, kind, junk, n);
		s.app->ls.zoom = round & 4;
		s.app->ls.focus = round % 4;
		scene_draw(&s, 60 + round % 150, 16 + round % 50);
	}
	scene_close(&s);
}

/* ---- keys ---- */

static bool shows(struct scene *s, const char *text)
{
	rs_auto_str all = RS_STR_INIT;
	scene_draw(s, s->grid.w, s->grid.h);
	tui_grid_dump(&s->grid, false, &all);
	return strstr(all.p, text) != NULL;
}

static void test_keys(void **state)
{
	struct scene s;
	(void)state;
	scene_open_text(&s, emu_scene_yaml, RS_LANG_EN, false);
	struct tui_lesson *ls = &s.app->ls;
	emu_scene_run(&s, true);
	shows(&s, "");
	tui_app_key(s.app, TUI_K_TAB); /* stages, two columns at a time */
	assert_true(shows(&s, "guest"));
	assert_false(shows(&s, "host code"));
	tui_app_key(s.app, TUI_K_RIGHT);
	tui_app_key(s.app, 'z');
	assert_true(shows(&s, "IR after the passes"));
	tui_app_key(s.app, ']'); /* the passes one by one, then all again */
	assert_true(shows(&s, "after dead (pass"));
	tui_app_key(s.app, ']');
	assert_true(shows(&s, "IR after the passes"));
	tui_app_key(s.app, 'z');
	tui_app_key(s.app, TUI_K_RIGHT);
	tui_app_key(s.app, TUI_K_RIGHT); /* no further */
	assert_true(shows(&s, "host code"));
	assert_int_equal(ls->pane[ENG_VIEW_stages].side, 2);
	tui_app_key(s.app, TUI_K_TAB);
	/* blocks: the hottest is selected, and stays so when the order changes */
	shows(&s, "");
	assert_int_equal(ls->pane[ENG_VIEW_blocks].key, 0x1068e);
	tui_app_key(s.app, TUI_K_RIGHT);
	shows(&s, "");
	assert_int_equal(ls->pane[ENG_VIEW_blocks].sel, 0);
	tui_app_key(s.app, TUI_K_DOWN);
	assert_true(shows(&s, "primes+0x22: "));
	tui_app_key(s.app, TUI_K_LEFT);
	assert_true(shows(&s, "primes+0x22: "));
	assert_int_equal(ls->pane[ENG_VIEW_blocks].key, 0x10668);
	/* Enter shows that block's stages; none were reported of it yet */
	tui_app_key(s.app, TUI_K_ENTER);
	assert_int_equal(ls->view[ls->focus], ENG_VIEW_stages);
	assert_true(shows(&s, "0x10668"));
	s.app->have_notice = false;
	assert_true(shows(&s, "f follow"));
	tui_app_key(s.app, 'f');
	assert_true(shows(&s, "0x10646"));
	assert_false(shows(&s, "f follow"));
	/* v offers no view of a machine */
	for (int i = 0; i < 20; i++) {
		tui_app_key(s.app, 'v');
		for (int k = 0; k < ls->views; k++)
			assert_true(eng_view_fits(ls->view[k], s.lesson->step[0].run));
	}
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stages_align), cmocka_unit_test(test_stages_side_exit),
		cmocka_unit_test(test_stages_keep_every_line),
		cmocka_unit_test(test_graph),        cmocka_unit_test(test_graph_random),
		cmocka_unit_test(test_heat),         cmocka_unit_test(test_model),
		cmocka_unit_test(test_model_hostile), cmocka_unit_test(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
