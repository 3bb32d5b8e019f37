/* A scripted run of the translator for the tests of its panes: the sieve of Eratosthenes, compiled for
 * RISC-V. The texts are what the translator made of it; counts and places are made up and fixed.
 */
#ifndef TESTS_TUI_EMU_SCENE_H
#define TESTS_TUI_EMU_SCENE_H

#include "tests/tui_scene.h"

static const char emu_scene_guest[] =
	"0\t10646:  862a      mv a2,a0\n"
	"1\t10648:  4789      li a5,2\n"
	"2\t1064a:  04a7d963  bge a5,a0,0x1069c\n"
	"3\t1064e:  00067897  auipc a7,0x67\n"
	"4\t10652:  db488893  addi a7,a7,-588\n"
	"5\t10656:  00067e17  auipc t3,0x67\n"
	"6\t1065a:  daee0e13  addi t3,t3,-594\n"
	"7\t1065e:  4311      li t1,4\n"
	"8\t10660:  4689      li a3,2\n"
	"9\t10662:  4501      li a0,0\n"
	"10\t10664:  4805      li a6,1\n"
	"11\t10666:  a809      j 0x10678\n"
	"12\t10678:  0008c783  lbu a5,0(a7)\n"
	"13\t1067c:  f7f5      bnez a5,0x10668\n";
static const char emu_scene_ir[] =
	"0\tmov a2, a0\n"
	"1\tmov a5, 2\n"
	"2\tbrcond a5, a0, ge, L0\n"
	"3\tmov a7, 0x7764e\n"
	"4\tadd a7, a7, -588\n"
	"5\tmov t3, 0x77656\n"
	"6\tadd t3, t3, -594\n"
	"7\tmov t1, 4\n"
	"8\tmov a3, 2\n"
	"9\tmov a0, 0\n"
	"10\tmov a6, 1\n"
	"12\tld a5, a7, 0, u8\n"
	"13\tbrcond a5, 0, ne, L1\n"
	"13\tgoto 0x1067e, #0\n"
	"-\tlabel L0\n"
	"-\tgoto 0x1069c, #1\n"
	"-\tlabel L1\n"
	"-\tgoto 0x10668, #2\n";
static const char emu_scene_opt[] =
	"0\tmov a2, a0\n"
	"1\tmov a5, 2\n"
	"2\tbrcond 2, a0, ge, L0\n"
	"4\tmov a7, 0x77402\n"
	"6\tmov t3, 0x77404\n"
	"7\tmov t1, 4\n"
	"8\tmov a3, 2\n"
	"9\tmov a0, 0\n"
	"10\tmov a6, 1\n"
	"12\tld a5, 0x77402, 0, u8\n"
	"13\tbrcond a5, 0, ne, L1\n"
	"13\tgoto 0x1067e, #0\n"
	"-\tlabel L0\n"
	"-\tgoto 0x1069c, #1\n"
	"-\tlabel L1\n"
	"-\tgoto 0x10668, #2\n";
static const char emu_scene_host[] =
	"0\t0:  mov r12, rdi\n"
	"1\t3:  mov ebx, 0x02\n"
	"2\t8:  mov eax, 0x02\n"
	"2\td:  cmp rax, rdi\n"
	"2\t10:  jnl 0x40000233\n"
	"4\t16:  mov qword ptr [rbp+0x08], 0x77402\n"
	"6\t1e:  mov qword ptr [rbp+0x60], 0x77404\n"
	"7\t26:  mov qword ptr [rbp-0x50], 0x04\n"
	"8\t2e:  mov r9d, 0x02\n"
	"9\t34:  xor edi, edi\n"
	"10\t36:  mov r15d, 0x01\n"
	"12\t3c:  movzx ebx, byte ptr gs:[0x77402]\n"
	"13\t46:  test rbx, rbx\n"
	"13\t49:  jnz 0x40000242\n"
	"13\t4f:  jmp 0x40000224\n"
	"-\t54:  mov rax, 0x56046a2b4c60\n"
	"-\t5e:  jmp 0x400000c6\n"
	"-\t63:  mov rax, 0x56046a2b4c88\n"
	"-\t6d:  jmp 0x400000c6\n"
	"-\t72:  mov rax, 0x56046a2b4cb0\n"
	"-\t7c:  jmp 0x400000c6\n";

static const char emu_scene_yaml[] =
	"schema: ringside/lesson/v1\n"
	"id: emu-scene\n"
	"title: {en: A block and what becomes of it, zh-TW: 一個區塊的旅程}\n"
	"summary: {en: The translator at work., zh-TW: 看翻譯器工作。}\n"
	"track: kvm\n"
	"minutes: 15\n"
	"concepts: [block]\n"
	"steps:\n"
	"  - id: watch\n"
	"    text:\n"
	"      en: |\n"
	"        The translator reads guest instructions up to the next jump: a **block**. It becomes IR,\n"
	"        the passes make the IR shorter, and what is left becomes host code.\n"
	"\n"
	"        Press **r** and watch.\n"
	"      zh-TW: |\n"
	"        翻譯器會一直讀 guest 指令，讀到下一個跳躍為止，這樣一段叫做**區塊**。區塊先變成 IR，\n"
	"        各個階段再把 IR 縮短，剩下的才變成主機程式碼。\n"
	"\n"
	"        按 **r** 看看。\n"
	"    run: {emu: {source: sieve.c, guest: riscv64}}\n"
	"    views: [stages, blocks, cache, guest-registers]\n"
	"files: {starter: [sieve.c], solution: [sieve.c]}\n";

static inline void emu_scene_stage(struct scene *s, uint64_t us, unsigned index, const char *name, const char *text)
{
	rs_auto_str all = RS_STR_INIT;
	struct rs_emu_stage h = { .pc = 0x10646, .runs = 1, .index = (uint16_t)index, .of = 4, .insns = 14,
				  .code = 0x8f80, .code_size = 129 };
	strncpy(h.name, name, sizeof(h.name) - 1);
	strncpy(h.symbol, "primes", sizeof(h.symbol) - 1);
	rs_str_addn(&all, (const char *)&h, sizeof(h));
	rs_str_add(&all, text);
	scene_state(s, us, RS_BLOCK_EMU_STAGE, all.p, all.len);
}

static inline void emu_scene_blocks(struct scene *s, uint64_t us, bool counted)
{
	static const struct {
		uint64_t pc, runs;
		unsigned insns, size, exits, chained, indirect;
		uint64_t exit[3];
		const char *symbol;
	} rows[] = {
		{ 0x1068e, 256741, 4, 51, 2, 3, 0, { 0x1069a, 0x1068e }, "primes+0x48" },
		{ 0x10668, 99997, 8, 97, 3, 7, 0, { 0x1067e, 0x1069e, 0x10668 }, "primes+0x22" },
		{ 0x1067e, 9592, 3, 48, 2, 3, 0, { 0x10688, 0x10668 }, "primes+0x38" },
		{ 0x10688, 65, 6, 70, 2, 3, 0, { 0x1069a, 0x1068e }, "primes+0x42" },
		{ 0x1069a, 65, 1, 24, 1, 1, 0, { 0x10668 }, "primes+0x54" },
		{ 0x106b0, 1, 5, 66, 1, 1, 0, { 0x10646 }, "main" },
		{ 0x10646, 1, 14, 129, 3, 1, 0, { 0x1067e, 0x1069c, 0x10668 }, "primes" },
		{ 0x1069e, 1, 6, 62, 0, 0, 1, { 0 }, "primes+0x58" },
		{ 0x106be, 1, 6, 71, 1, 0, 0, { 0x10a2c }, "main+0xe" },
		{ 0x10a2c, 1, 9, 140, 1, 0, 0, { 0x14f00 }, "printf" },
		{ 0x14f00, 1, 22, 310, 2, 1, 1, { 0x14f80, 0x15010 }, "__vfprintf_internal" },
	};
	struct {
		struct rs_emu_blocks head;
		struct rs_emu_block b[sizeof(rows) / sizeof(rows[0])];
	} all = { .head = { .n = sizeof(rows) / sizeof(rows[0]), .total = 412, .counted = counted,
			    .pc = 0x1068e, .shown = 0x10646 } };
	uint32_t at = 0x8f00;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rs_emu_block *b = &all.b[i];
		*b = (struct rs_emu_block){ .pc = rows[i].pc, .runs = counted ? rows[i].runs : 0, .code = at,
					    .code_size = rows[i].size, .insns = (uint16_t)rows[i].insns,
					    .exits = (uint8_t)rows[i].exits, .chained = (uint8_t)rows[i].chained,
					    .indirect = (uint8_t)rows[i].indirect };
		memcpy(b->exit, rows[i].exit, sizeof(rows[i].exit));
		strncpy(b->symbol, rows[i].symbol, sizeof(b->symbol) - 1);
		at += b->code_size;
	}
	scene_state(s, us, RS_BLOCK_EMU_BLOCKS, &all, sizeof(all));
}

static inline void emu_scene_cache(struct scene *s, uint64_t us)
{
	struct {
		struct rs_emu_cache head;
		struct rs_emu_span span[40];
	} all = { .head = { .size = 32u << 20, .used = 0x9800, .flushes = 1, .blocks = 419, .dead = 7, .n = 40 } };
	for (unsigned i = 0; i < 40; i++) {
		bool dead = i == 11 || i == 30;
		all.span[i] = (struct rs_emu_span){ .code = i * 0x3c0 + (i > 20 ? 0x200 : 0), .size = i == 20 ? 0x5c0 : 0x3c0,
						    .pc = 0x10000 + i * 0x400, .blocks = 10, .dead = dead ? 10 : 0,
						    .runs = dead ? 0 : i == 38 ? 366000 : 1 + i * i * (i % 5) };
	}
	scene_state(s, us, RS_BLOCK_EMU_CACHE, &all, sizeof(all));
}

static inline void emu_scene_regs(struct scene *s, uint64_t us, bool later)
{
	static const char *const names[] = {
		"ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
		"ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11", "fcsr",
	};
	struct {
		struct rs_emu_regs head;
		struct rs_emu_reg r[64];
	} all = { .head = { .pc = later ? 0x10692 : 0x1068e, .insns = 2083112, .n = 64, .guest = "riscv64",
			    .symbol = "primes+0x48", .insn = "sb a6,0(a4)" } };
	if (later)
		strcpy(all.head.insn, "addw a5,a5,a1");
	for (unsigned i = 0; i < 64; i++) {
		struct rs_emu_reg *r = &all.r[i];
		bool fp = i >= 31;
		strncpy(r->name, names[i], sizeof(r->name) - 1);
		r->bits = i == 63 ? 8 : 64;
		r->group = i == 63 ? RS_EMU_REG_FLAG : fp ? RS_EMU_REG_FP : RS_EMU_REG_INT;
		r->v[0] = i == 0 ? 0x106be : i == 1 ? 0x3ffffe90 : i == 2 ? 0x77bb8 : i == 5 ? 4 : i == 9 ? 25 :
			  i == 10 ? 97 : i == 11 ? 100000 : i == 12 ? 97 : i == 13 ? (later ? 0x7748a : 0x77429) :
			  i == 14 ? (later ? 194 : 97) : i == 41 ? 0x3ff0000000000000 : i == 42 ? 0xffffffff3f800000 : 0;
	}
	scene_state(s, us, RS_BLOCK_EMU_REGS, &all, sizeof(all));
}

/* The program runs, is paused in its inner loop, stepped once. */
static inline void emu_scene_run(struct scene *s, bool counted)
{
	struct rs_counters c = { 0 };
	scene_event(s, 0, RS_EV_BUILD_START, RS_SRC_ENGINE, 0, 0, 0, 0, "sieve.c");
	scene_event(s, 61200, RS_EV_BUILD_DONE, RS_SRC_ENGINE, 0, 61000000, 493016, 0, NULL);
	scene_event(s, 62000, RS_EV_EXP_START, RS_SRC_ENGINE, 4711, 0, 0, 0, "emu");
	scene_event(s, 62400, RS_EV_EMU_LOAD, RS_SRC_EMU, 0x10000, 493016, 0x10508, 0, "riscv64");
	scene_event(s, 62500, RS_EV_EXP_READY, RS_SRC_EMU, 1, 0, 0, 0, NULL);
	emu_scene_blocks(s, 70000, counted);
	emu_scene_cache(s, 70000);
	emu_scene_stage(s, 70100, 0, "guest", emu_scene_guest);
	emu_scene_stage(s, 70100, 1, "ir", emu_scene_ir);
	emu_scene_stage(s, 70100, 2, "dead", emu_scene_opt);
	emu_scene_stage(s, 70100, 3, "host", emu_scene_host);
	emu_scene_regs(s, 70200, false);
	emu_scene_regs(s, 70300, true);
	c.v[RS_CTR_EMU_BLOCKS] = 826;
	c.v[RS_CTR_EMU_TRANSLATED] = 5309;
	c.v[RS_CTR_EMU_INSNS] = counted ? 2083112 : 0;
	c.v[RS_CTR_EMU_LOOKUPS] = 1311;
	c.v[RS_CTR_EMU_CHAINS] = 1022;
	c.v[RS_CTR_EMU_CHAIN_BREAKS] = 12;
	c.v[RS_CTR_EMU_INVALIDATED] = 7;
	c.v[RS_CTR_EMU_FLUSHES] = 1;
	c.v[RS_CTR_EMU_TRANSLATOR_NS] = 4210000;
	c.v[RS_CTR_EMU_CODE_NS] = 11950000;
	rs_bus_counters(eng_session_bus(s->session), &c, 70300000);
	scene_event(s, 70400, RS_EV_EXP_PAUSED, RS_SRC_EMU, 0x10692, 0, 0, 0, NULL);
}

#endif
