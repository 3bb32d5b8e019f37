/* The system level of the software x86 CPU: small guests whose results are written from the SDM, on both engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "tests/ia_guests.h"

GUEST(flat, 64,
      "mov eax, 42; mov ecx, 1000; 1: add eax, ecx; dec ecx; jnz 1b; mov [0x20000], eax; mov eax, [0x20000]\n"
      "out 0xe9, eax; mov rbx, 0xfe000000; mov dword ptr [rbx], 0x1234; mov eax, [rbx]; out 0xe9, eax\n"
      "call 2f; out 0xe9, eax; mov eax, 7; out 0xf4, eax; 2: inc eax; ret\n")
static void test_flat(void **state)
{
	struct ia_machine *m = LOAD(flat);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0x7a33e, 0x1234, 0x1235);
	assert_int_equal(m->code, 7);
	assert_int_equal(m->mmios, 2);
	machine_free(m);
}

/* For long mode with the tables of ia_machine.h: gate v, handler: an interrupt gate (ring: its DPL, ist). say: EAX to
 * the log. bye: the end. user target: iretq to ring 3, stack at 0x30000. map at, entry: a page of 4 KiB at 0x400000 + n. */
__asm__(".macro gate v, handler, ring=0, ist=0, type=0x8e\n"
	"	lea rax, [rip + \\handler]\n"
	"	mov word ptr [0x4000 + \\v * 16], ax\n"
	"	mov word ptr [0x4002 + \\v * 16], 0x08\n"
	"	mov word ptr [0x4004 + \\v * 16], (\\type << 8) + (\\ring << 13) + \\ist\n"
	"	shr rax, 16\n"
	"	mov word ptr [0x4006 + \\v * 16], ax\n"
	"	mov dword ptr [0x4008 + \\v * 16], 0\n"
	".endm\n"
	".macro say value\n"
	"	mov eax, \\value\n"
	"	out 0xe9, eax\n"
	".endm\n"
	".macro bye\n"
	"	out 0xf4, eax\n"
	".endm\n"
	".macro user target, flags=2\n"
	"	push 0x1b\n"
	"	push 0x30000\n"
	"	push \\flags\n"
	"	push 0x23\n"
	"	lea rax, [rip + \\target]\n"
	"	push rax\n"
	"	iretq\n"
	".endm\n"
	/* 4 MiB on: a table of 4 KiB pages at 0x6000 */
	".macro pages\n"
	"	mov qword ptr [0x3010], 0x6007\n"
	".endm\n"
	".macro page n, entry\n"
	"	movabs rax, \\entry\n"
	"	mov [0x6000 + 8 * \\n], rax\n"
	"	invlpg [0x400000 + 0x1000 * \\n]\n"
	".endm\n");

/* Error codes of #PF (SDM volume 3A, 4.7), and CR2. The handler goes on at r15. */
GUEST(pf, 64,
      "pages; gate 14, 9f; mov rax, cr0; or eax, 0x10000; mov cr0, rax\n"
      "page 1, 0x101005; page 2, 0x102007; page 3, 0x8000000000103007; page 4, 0x0000800000104007; page 5, 0x105003\n"
      "lea r15, [rip + 1f]; mov eax, [0x400010]\n"              /* not present, read: 0 */
      "1: lea r15, [rip + 1f]; mov [0x400020], eax\n"           /* write: 2 */
      "1: lea r15, [rip + 1f]; add dword ptr [0x400030], 1\n"   /* read and write: 2 */
      "1: lea r15, [rip + 1f]; bt dword ptr [0x400034], 1\n"    /* read: 0 */
      "1: lea r15, [rip + 1f]; mov [0x401000], eax\n"           /* read-only: 3 */
      "1: lea r15, [rip + 1f]; mov eax, [0x404000]\n"           /* reserved bit: 9 */
      "1: lea r15, [rip + 1f]; mov eax, 0x403000; jmp rax\n"    /* NX: 0x11 */
      "1: lea r15, [rip + 1f]; mov rax, [0x3ffffc]; mov rax, [0x400ffc]; nop\n" /* crossing into it: 0 at 0x400000 */
      "1: gate 0x80, 8f, 3; user 2f\n"
      "2: lea r15, [rip + 1f]; mov eax, [0x405000]\n"           /* ring 3: 5 */
      "1: lea r15, [rip + 1f]; mov [0x401ff0], eax\n"           /* 7 */
      "1: lea r15, [rip + 1f]; mov eax, [0x400000]\n"           /* 4 */
      "1: int 0x80\n"
      "8: bye\n"
      "9: pop rax; out 0xe9, eax; mov rax, cr2; out 0xe9, eax; mov [rsp], r15; iretq\n")
static void test_page_faults(void **state)
{
	struct ia_machine *m = LOAD(pf);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0, 0x400010, 2, 0x400020, 2, 0x400030, 0, 0x400034, 3, 0x401000, 9, 0x404000, 0x11, 0x403000, 0,
	       0x400000, 5, 0x405000, 7, 0x401ff0, 4, 0x400000);
	machine_free(m);
}

/* A and D (4.8), seen through the tables; a write through a clean translation sets D. */
GUEST(bits, 64,
      "pages; page 1, 0x101003; page 2, 0x102003; mov eax, [0x401000]; say [0x6008]; mov [0x401000], eax; say [0x6008]\n"
      "mov [0x402000], eax; say [0x6010]; say [0x3010]; bye\n")
static void test_accessed_and_dirty(void **state)
{
	struct ia_machine *m = LOAD(bits);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0x101023, 0x101063, 0x102063, 0x6027);
	machine_free(m);
}

/* SYSCALL and SYSRET, SWAPGS; each crossing with its cause. */
GUEST(syscall, 64,
      "mov ecx, 0xc0000081; xor eax, eax; mov edx, 0x00100008; wrmsr\n"
      "mov ecx, 0xc0000082; lea rax, [rip + 8f]; xor edx, edx; wrmsr; mov ecx, 0xc0000084; mov eax, 0x200; wrmsr\n"
      "mov ecx, 0xc0000102; mov eax, 0x20000; xor edx, edx; wrmsr; mov dword ptr [0x20000], 77\n"
      "user 2f, 0x202\n"
      "2: mov ebx, 5; 3: syscall; dec ebx; jnz 3b; mov ebx, 100; syscall; ud2\n"
      "8: swapgs; mov eax, gs:[0]; out 0xe9, eax; swapgs; mov eax, cs; out 0xe9, eax; pushfq; pop rax; out 0xe9, eax\n"
      "cmp ebx, 100; je 9f; sysretq; 9: mov eax, r11d; out 0xe9, eax; bye\n")
static void test_syscall(void **state)
{
	struct ia_machine *m = LOAD(syscall);
	unsigned in = 0, out = 0;

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	assert_int_equal(m->logged, 19);
	assert_int_equal(m->log[0], 77);
	assert_int_equal(m->log[1], 8);
	assert_int_equal(m->log[2] & 0x202, 2);
	assert_int_equal(m->log[18] & 0x202, 0x202);
	for (unsigned k = 0; k < m->crossings; k++) {
		in += m->cross[k].cause == IA_CAUSE_SYSCALL && m->cross[k].from.cpl == 3 && m->cross[k].to.cpl == 0;
		out += m->cross[k].cause == IA_CAUSE_SYSRET && m->cross[k].from.cpl == 0 && m->cross[k].to.cpl == 3;
	}
	assert_int_equal(in, 6);
	assert_int_equal(out, 5);
	assert_int_equal(m->cross[0].cause, IA_CAUSE_IRET);
	machine_free(m);
}

/* An interrupt waits for STI and one more instruction; HLT is woken; MOV SS holds it off, too. */
GUEST(irq, 64,
      "gate 0x30, 9f; mov eax, 0x30; out 0xea, eax; say 1; sti; say 2; say 3\n" /* say is two instructions */
      "cli; mov eax, 0x30; out 0xea, eax; sti; hlt; say 4\n"
      "mov ecx, 0x10; cli; mov eax, 0x30; out 0xea, eax; sti; mov ss, ecx; mov eax, 5; out 0xe9, eax; bye\n"
      "9: push rax; mov eax, [rsp + 8]; sub eax, 0x10000; out 0xe9, eax; pushfq; pop rax; and eax, 0x200; out 0xe9, eax; pop rax; iretq\n")
static void test_interrupts(void **state)
{
	struct ia_machine *m = LOAD(irq);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	assert_int_equal(m->logged, 11);
	assert_int_equal(m->log[0], 1);
	assert_int_equal(m->log[2], 0);
	assert_int_equal(m->log[3], 2);
	assert_int_equal(m->log[4], 3);
	assert_int_equal(m->log[7], 4);
	assert_int_equal(m->log[10], 5);
	machine_free(m);
}

/* Faults of instructions, with the return address that each has; a trap has the next one. */
GUEST(faults, 64,
      "gate 0, 9f; gate 3, 9f, 3; gate 6, 9f; gate 13, 8f; gate 12, 8f, 0, 1; gate 11, 8f\n"
      "lea r15, [rip + 1f]; xor ecx, ecx; xor edx, edx; mov eax, 1; lea r14, [rip + 2f]; 2: div ecx\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; 2: ud2\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; int3; 2: nop\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; mov eax, 0x48; 2: mov ds, eax\n"      /* beyond the GDT: #GP(48) */
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; movabs rbx, 0x800000000000; 2: mov eax, [rbx]\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; mov r13, rsp; movabs rsp, 0x900000000000; 2: push rax\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; mov ecx, 0x12345; 2: rdmsr\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; 2: int 0x50\n"                        /* no gate: #GP(0x50 * 8 + 2) */
      "1: gate 0x80, 7f, 3; user 3f\n"
      "3: lea r15, [rip + 1f]; lea r14, [rip + 2f]; 2: cli\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; 2: hlt\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; 2: in al, 0x60\n"
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; 2: int 6\n"                           /* DPL 0: #GP(6 * 8 + 2) */
      "1: lea r15, [rip + 1f]; lea r14, [rip + 2f]; 2: mov rax, cr0\n"
      "1: int 0x80; 7: bye\n"
      "8: movabs rax, 0x900000000000; cmp [rsp + 32], rax; jne 5f; mov [rsp + 32], r13; 5: pop rax; out 0xe9, eax\n"
      "mov rax, [rsp]; sub rax, r14; out 0xe9, eax; mov [rsp], r15; iretq\n"
      "9: say 0x100; mov rax, [rsp]; sub rax, r14; out 0xe9, eax; mov [rsp], r15; iretq\n")
static void test_faults(void **state)
{
	struct ia_machine *m = LOAD(faults);

	(void)state;
	machine_long(m, CODE);
	machine_put64(m, TSS + 36, 0xa000);
	runs_to_exit(m);
	EXPECT(m, 0x100, 0, 0x100, 0, 0x100, 0, 0x48, 0, 0, 0, 0, 0, 0, 0, 0x282, 0, 0, 0, 0, 0, 0, 0, 0x32, 0, 0, 0);
	machine_free(m);
}

/* Double fault through an IST, and what comes after it. */
GUEST(df, 64,
      "gate 8, 9f, 0, 1; mov rsp, 0x700000; mov qword ptr [0x3018], 0; mov rax, cr3; mov cr3, rax; push rax; ud2\n"
      "9: pop rax; out 0xe9, eax; mov eax, esp; out 0xe9, eax; bye\n")
GUEST(tf3, 64, "mov rsp, 0x700000; mov qword ptr [0x3018], 0; mov rax, cr3; mov cr3, rax; push rax; ud2\n")
static void test_double_and_triple(void **state)
{
	struct ia_machine *m = LOAD(df);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0, 0xa000 - 40);
	machine_free(m);
	m = LOAD(tf3);
	machine_long(m, CODE);
	assert_int_equal(emu_ia_run(m->cpu, 0), IA_EXIT_SHUTDOWN);
	machine_free(m);
}

/* TF: a trap after each instruction, with DR6.BS; REP after each turn; an instruction breakpoint in front of it. */
GUEST(step, 64,
      "gate 1, 9f; pushfq; or dword ptr [rsp], 0x100; popfq\n"
      "nop; mov ecx, 2; lea rsi, [rip]; mov edi, 0x20000; rep movsb; pushfq; and dword ptr [rsp], ~0x100; popfq; nop\n"
      "lea rax, [rip + 1f]; mov dr0, rax; mov eax, 0x402; mov dr7, rax; mov r12d, 1; 1: nop; bye\n"
      "9: push rax; push rdx; mov rax, dr6; mov edx, 0xffff0ff0; mov dr6, rdx; and eax, 0x400f; or eax, r12d; out 0xe9, eax\n"
      "cmp r12d, 1; jne 2f; or dword ptr [rsp + 32], 0x10000; mov r12d, 0; 2: pop rdx; pop rax; iretq\n")
static void test_single_step(void **state)
{
	struct ia_machine *m = LOAD(step);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	/* nop mov lea mov, two turns, pushfq and popfq: POPF that clears TF still traps */
	EXPECT(m, 0x4000, 0x4000, 0x4000, 0x4000, 0x4000, 0x4000, 0x4000, 0x4000, 0x4000, 1);
	machine_free(m);
}

/* A string instruction that faults in the middle keeps what it has done. */
GUEST(strings, 64,
      "pages; page 1, 0x101003; gate 14, 9f; mov esi, 0x20000; mov edi, 0x401ff0; mov ecx, 100; rep movsb\n"
      "say ecx; mov eax, esi; out 0xe9, eax; bye\n"
      "9: pop rax; out 0xe9, eax; mov eax, ecx; out 0xe9, eax; mov eax, edi; out 0xe9, eax; page 2, 0x102003; iretq\n")
static void test_strings(void **state)
{
	struct ia_machine *m = LOAD(strings);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 2, 84, 0x402000, 0, 0x20064);
	machine_free(m);
}

/* Code that writes over itself: the next instruction is the new one, also in the same block and page. */
GUEST(smc, 64,
      "mov ecx, 3; lea rbx, [rip + 1f + 1]; 3: mov [rbx], ecx; 1: mov eax, 0x11111111; out 0xe9, eax; dec ecx; jnz 3b\n"
      "lea rbx, [rip + 2f + 1]; mov edi, 5; 4: call 2f; inc dword ptr [rbx]; dec edi; jnz 4b\n"
      /* reached through a register, at an address whose bits above 14 are not 0 */
      "mov ebx, 0x123456; mov dword ptr [rbx], 0xc3c3c0ff; mov edi, 3; xor eax, eax; 5: call rbx; call rbx; out 0xe9, eax\n"
      "xor byte ptr [rbx + 1], 8; dec edi; jnz 5b; bye\n"
      "2: mov eax, 0x100; out 0xe9, eax; ret\n")
static void test_self_modifying(void **state)
{
	struct ia_machine *m = LOAD(smc);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 3, 2, 1, 0x100, 0x101, 0x102, 0x103, 0x104, 2, 0, 2);
	machine_free(m);
}

/* The same linear code page over two physical ones: INVLPG and CR3 lead to the new code, jumps and returns too. */
GUEST(remap, 64,
      "pages; mov dword ptr [0x101000], 0x000001b8; mov word ptr [0x101004], 0xc300\n"
      "mov dword ptr [0x102000], 0x000002b8; mov word ptr [0x102004], 0xc300\n"
      "mov r12d, 3; 1: page 1, 0x101003; mov ebx, 0x401000; call rbx; out 0xe9, eax; page 1, 0x102003; call rbx; out 0xe9, eax\n"
      "mov qword ptr [0x6008], 0x101003; mov rax, cr3; mov cr3, rax; call rbx; out 0xe9, eax; dec r12d; jnz 1b; bye\n")
static void test_remapped_code(void **state)
{
	struct ia_machine *m = LOAD(remap);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 1, 2, 1, 1, 2, 1, 1, 2, 1);
	machine_free(m);
}

/* Ring 3 goes where ring 0 has been, by a jump and by a return that ring 0's call foresees: the page is not its own. */
GUEST(kernel_page, 64,
      "pages; gate 14, 9f; gate 0x80, 8f, 3; page 1, 0x101003; page 2, 0x102003\n"
      "mov dword ptr [0x101000], 0xc3c0ff48; mov dword ptr [0x102000], 0x90d4ff41; mov word ptr [0x102004], 0xfeeb\n"
      "mov ebx, 0x401000; call rbx; call rbx\n"                  /* inc rax; ret */
      "lea r12, [rip + 7f]; mov eax, 0x402000; jmp rax\n"        /* call r12; nop; a loop */
      "7: user 2f\n"
      "2: lea r15, [rip + 1f]; push 0x402003; ret\n"
      "1: lea r15, [rip + 1f]; jmp rbx\n"
      "1: int 0x80\n"
      "8: bye\n"
      "9: pop rax; out 0xe9, eax; mov rax, cr2; out 0xe9, eax; mov [rsp], r15; iretq\n")
static void test_pages_of_the_kernel(void **state)
{
	struct ia_machine *m = LOAD(kernel_page);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0x15, 0x402003, 0x15, 0x401000);
	machine_free(m);
}

/* An instruction across two pages; when the second one is not there, the fault is that page's. */
GUEST(across, 64,
      "pages; page 1, 0x101003; gate 14, 9f; mov byte ptr [0x101ffe], 0xb8; mov byte ptr [0x101fff], 0x78\n"
      "mov ebx, 0x401ffe; call rbx; out 0xe9, eax; call rbx; out 0xe9, eax; bye\n"
      "9: pop rax; out 0xe9, eax; mov rax, cr2; out 0xe9, eax; page 2, 0x102003; mov dword ptr [0x402000], 0xc3123456; iretq\n")
static void test_across_pages(void **state)
{
	struct ia_machine *m = LOAD(across);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0x10, 0x402000, 0x12345678, 0x12345678);
	machine_free(m);
}

/* Compatibility mode and back, far and through the IDT; a call gate of 16 bytes with another stack. */
GUEST(compat, 64,
      "gate 0x81, 8f, 3; lea rax, [rip + 5f]; mov [0x548], ax; mov word ptr [0x54a], 8; mov word ptr [0x54c], 0xec00; shr rax, 16\n"
      "mov [0x54e], ax; mov qword ptr [0x550], 0; push 0x1b; push 0x30000; push 2; push 0x43; lea rax, [rip + 2f]; push rax; iretq\n"
      ".code32; 2: mov eax, 0x10; lea eax, [eax + esp]; mov ebx, eax; int 0x81; .byte 0x9a; .long 0; .word 0x4b; mov ecx, 0x66\n"
      "int 0x81\n"
      ".code64; 8: mov eax, ebx; out 0xe9, eax; mov rax, [rsp + 8]; out 0xe9, eax; cmp ecx, 0x66; je 7f; iretq; 7: bye\n"
      "5: mov eax, esp; out 0xe9, eax; mov eax, [rsp + 8]; out 0xe9, eax; mov eax, [rsp + 24]; out 0xe9, eax; retfq\n")
static void test_compatibility(void **state)
{
	struct ia_machine *m = LOAD(compat);
	struct emu_ia_state s;

	(void)state;
	machine_long(m, CODE);
	emu_ia_get(m->cpu, &s);
	s.gdt_limit = 11 * 8 - 1;
	emu_ia_set(m->cpu, &s, NULL);
	runs_to_exit(m);
	EXPECT(m, 0x30010, 0x43, 0x9000 - 32, 0x43, 0x1b, 0x30010, 0x43);
	machine_free(m);
}

/* When SSE instructions may run (2.5), alignment, and a store across pages that happens whole or not at all. */
GUEST(sse, 64,
      "pages; page 1, 0x101003; gate 6, 7f; gate 7, 7f; gate 13, 8f; gate 14, 8f\n"
      "mov dword ptr [0x20000], 0x11111111; movdqu xmm1, [0x20000]; paddd xmm1, xmm1; movd eax, xmm1; out 0xe9, eax\n"
      "lea r15, [rip + 1f]; mov rax, cr0; or al, 8; mov cr0, rax; mov ebx, 7; movdqa xmm0, xmm1\n"              /* TS: #NM */
      "1: clts; lea r15, [rip + 1f]; mov rax, cr4; and ax, 0xfdff; mov cr4, rax; mov ebx, 6; pxor xmm0, xmm1\n" /* OSFXSR: #UD */
      "1: or ax, 0x200; mov cr4, rax; lea r15, [rip + 1f]; mov ebx, 13; movaps xmm0, [0x20001]\n"
      "1: lea r15, [rip + 1f]; mov ebx, 13; paddd xmm0, [0x20008]\n"
      "1: lea r15, [rip + 1f]; mov ebx, 14; mov dword ptr [0x401ffc], 5; movdqu [0x401ff8], xmm1\n"
      "1: mov eax, [0x401ffc]; out 0xe9, eax; page 2, 0x102003; movdqu [0x401ffc], xmm1; mov eax, [0x401ffc]; out 0xe9, eax; bye\n"
      "8: add rsp, 8; 7: mov eax, ebx; out 0xe9, eax; mov rax, cr4; mov [rsp], r15; iretq\n")
static void test_sse(void **state)
{
	struct ia_machine *m = LOAD(sse);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0x22222222, 7, 6, 13, 13, 14, 5, 0x22222222);
	machine_free(m);
}

/* Data breakpoints: a trap after the access, at the right address and size (17.2). */
GUEST(watch, 64,
      "gate 1, 9f; mov eax, 0x20004; mov dr0, rax; mov eax, 0x000d0402; mov dr7, rax\n"   /* write, 4 bytes */
      "mov eax, [0x20004]; mov [0x20008], eax; mov [0x20000], eax; mov byte ptr [0x20007], 1; mov [0x20002], eax; nop\n"
      "mov eax, 0x000f0402; mov dr7, rax; mov eax, [0x20004]; bye\n"                     /* read or write */
      "9: push rax; mov rax, dr6; and eax, 15; out 0xe9, eax; mov rax, [rsp + 8]; sub eax, 0x10000; out 0xe9, eax; mov eax, 0xffff0ff0; mov dr6, rax; pop rax; iretq\n")
static void test_data_breakpoints(void **state)
{
	struct ia_machine *m = LOAD(watch);

	(void)state;
	machine_long(m, CODE);
	runs_to_exit(m);
	assert_int_equal(m->logged, 6);
	assert_int_equal(m->log[0], 1);
	assert_int_equal(m->log[2], 1);
	assert_int_equal(m->log[3] - m->log[1], 7);
	assert_int_equal(m->log[4], 1);
	machine_free(m);
}

/* From another thread: a kick ends the tightest loops, of each kind of jump, and of instructions that C does; an interrupt
 * is taken in one. */
GUEST(spin, 64,
      "gate 0x30, 9f; sti; mov ebx, 0x401ffa; pages; page 1, 0x101003; page 2, 0x102003\n"
      "mov dword ptr [0x101ffa], 0xc3909090; mov byte ptr [0x102000], 0xc3; lea r8, [rip + 2f]; out 0xec, eax\n"
      "1: cmp r9d, 1; je 3f; cmp r9d, 2; je 4f; cmp r9d, 3; je 5f; cmp r9d, 4; je 7f; jmp 1b\n"
      "2: jmp r8; 3: jmp r8; 4: call rbx; jmp 4b; 5: mov eax, [0x20000]; push rax; pop rdx; mov ecx, 100; 6: dec ecx; jnz 6b; jmp 5b\n"
      "7: cli; in al, 0x60; sti; rdtsc; jmp 7b\n"
      "9: inc r10d; mov eax, r10d; out 0xeb, eax; iretq\n")
struct kicker {
	struct ia_machine *m;
	bool irq;
	unsigned taken; /* interrupts so far, with this one */
};
static void *kick_soon(void *arg)
{
	struct kicker *k = arg;

	usleep(2000);
	if (k->irq) {
		k->m->vector = 0x30;
		emu_ia_irq(k->m->cpu, true);
		for (unsigned n = 0; n < 5000 && __atomic_load_n(&k->m->echo, __ATOMIC_RELAXED) != k->taken; n++)
			usleep(1000);
	}
	emu_ia_kick(k->m->cpu);
	return NULL;
}
static void test_kick(void **state)
{
	struct ia_machine *m = LOAD(spin);
	struct kicker k = { m, false, 0 };

	(void)state;
	machine_long(m, CODE);
	for (unsigned n = 0; n < 30; n++) {
		pthread_t t;

		k.irq = n & 1;
		k.taken += k.irq;
		emu_ia_set_gpr_of(m->cpu, 9, n / 6);
		assert_int_equal(pthread_create(&t, NULL, kick_soon, &k), 0);
		assert_int_equal(emu_ia_run(m->cpu, 0), IA_EXIT_KICK);
		pthread_join(t, NULL);
		assert_int_equal(m->echo, k.taken);
		if (n % 6 == 5) { /* out of the loop that has no end */
			struct emu_ia_state s;

			emu_ia_get(m->cpu, &s);
			s.rip = CODE;
			s.gpr[4] = 0x8000;
			emu_ia_set(m->cpu, &s, NULL);
		}
	}
	assert_int_equal(emu_ia_gpr_of(m->cpu, 10), k.taken);
	machine_free(m);
}

/* Budget, steps and breakpoints are exact. */
GUEST(count, 64, "1: inc ecx; nop; jmp 1b\n")
static void test_budget(void **state)
{
	struct ia_machine *m = LOAD(count);

	(void)state;
	machine_long(m, CODE);
	assert_int_equal(emu_ia_run(m->cpu, 3000), IA_EXIT_BUDGET);
	assert_int_equal(emu_ia_gpr_of(m->cpu, 1), 1000);
	assert_int_equal(emu_ia_rip(m->cpu), CODE);
	assert_int_equal(emu_ia_step(m->cpu, true), IA_EXIT_BUDGET);
	assert_int_equal(emu_ia_rip(m->cpu), CODE + 2);
	emu_ia_break(m->cpu, CODE);
	assert_int_equal(emu_ia_run(m->cpu, 0), IA_EXIT_DEBUG);
	assert_int_equal(emu_ia_rip(m->cpu), CODE);
	assert_int_equal(emu_ia_run(m->cpu, 0), IA_EXIT_DEBUG);
	assert_int_equal(emu_ia_gpr_of(m->cpu, 1), 1002);
	machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_page_faults),
		cmocka_unit_test(test_accessed_and_dirty),
		cmocka_unit_test(test_syscall),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_double_and_triple),
		cmocka_unit_test(test_single_step),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_self_modifying),
		cmocka_unit_test(test_remapped_code),
		cmocka_unit_test(test_pages_of_the_kernel), cmocka_unit_test(test_across_pages),
		cmocka_unit_test(test_compatibility),
		cmocka_unit_test(test_kick),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_sse),
		cmocka_unit_test(test_data_breakpoints),
	};
	int failed = cmocka_run_group_tests_name("interp", tests, with_interp, NULL);

	return failed + cmocka_run_group_tests_name("jit", tests, with_jit, NULL);
}
