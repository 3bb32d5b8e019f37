/* The software x86 CPU in real, protected and virtual-8086 mode: small guests whose results are written from the SDM, on
 * both engines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/ia_guests.h"

__asm__(".macro bye\n"
	"	out 0xf4, eax\n"
	".endm\n");

/* Real mode: the vector table, limits, 16-bit wrap, and out to protected mode and back. */
GUEST(real, 16,
      "mov ax, 0x2000; mov ss, ax; mov sp, 0x100; mov ax, cs; mov ds, ax\n"
      "xor ax, ax; mov es, ax; mov word ptr es:[0x84], offset 8f - guest_real; mov es:[0x86], cs\n"
      "mov word ptr es:[0x34], offset 9f - guest_real; mov es:[0x36], cs\n"
      "mov ax, 7; int 0x21; out 0xe9, ax; mov ax, sp; out 0xe9, ax\n"
      "mov bx, 0xffff; mov ax, [bx]; mov al, [bx]\n"                /* a word at FFFF: #GP, pushed without a code */
      "mov ax, 0x1234; push ax; mov bp, sp; mov ax, [bp]; out 0xe9, ax\n"
      "lgdt [7f - guest_real]; mov eax, cr0; or al, 1; mov cr0, eax; ljmp 8, offset 1f - guest_real\n"
      "1: mov ax, 0x10; mov fs, ax; mov eax, cr0; and al, 0xfe; mov cr0, eax; .byte 0xea; .word 2f - guest_real; .word 0x1000\n"
      "2: mov ebx, 0x110000; mov dword ptr fs:[ebx], 0x55aa; mov eax, fs:[ebx]; out 0xe9, eax\n" /* the limit stayed */
      "out 0xf4, al\n"
      "8: add ax, 1; iret\n"
      "9: push bp; mov bp, sp; mov ax, [bp + 2]; sub ax, offset 6f - guest_real; add word ptr [bp + 2], 2; pop bp; iret\n"
      "6: .balign 8; 7: .word 23; .long 0x10000 + 5f - guest_real\n"
      "5: .quad 0; .quad 0x00009b010000ffff; .quad 0x00cf93000000ffff\n")
static void real_mode(struct ia_machine *m)
{
	struct emu_ia_state s;

	emu_ia_get(m->cpu, &s);
	s.seg[EMU_IA_CS].selector = 0x1000;
	s.seg[EMU_IA_CS].base = 0x10000;
	s.rip = 0;
	emu_ia_set(m->cpu, &s, NULL);
}
static void test_real_mode(void **state)
{
	struct ia_machine *m = LOAD(real);

	(void)state;
	real_mode(m);
	runs_to_exit(m);
	EXPECT(m, 8, 0x100, 0x1234, 0x55aa);
	machine_free(m);
}

/* For protected mode with the tables of ia_machine.h, position-dependent: these guests stand at CODE. gate32 v, handler,
 * type: a gate of the IDT. entry n, low, high: of the GDT. */
__asm__(".macro gate32 v, handler, type=0x8e\n"
	"	mov eax, offset \\handler - guest_base + 0x10000\n"
	"	mov word ptr [0x4000 + \\v * 8], ax\n"
	"	mov word ptr [0x4002 + \\v * 8], 0x08\n"
	"	mov word ptr [0x4004 + \\v * 8], \\type << 8\n"
	"	shr eax, 16\n"
	"	mov word ptr [0x4006 + \\v * 8], ax\n"
	".endm\n"
	".macro entry n, low, high\n"
	"	mov dword ptr [0x500 + \\n], \\low\n"
	"	mov dword ptr [0x504 + \\n], \\high\n"
	".endm\n");
#define GUEST32(name, text) GUEST(name, 32, ".set guest_base, guest_" #name "\n" text)

/* Limits, rights and presence of segments: which vector and which error code (SDM volume 3A, 5.3 to 5.5). */
GUEST32(segments,
	"gate32 13, 8f; gate32 12, 7f; gate32 11, 6f; mov esp, 0x8000\n"
	"entry 0x38, 0x00000fff, 0x00409300; entry 0x40, 0x0000ffff, 0x00cf9100; entry 0x48, 0x0000ffff, 0x00cf1300\n"
	"entry 0x50, 0x00000fff, 0x00409700; entry 0x58, 0x0000ffff, 0x00cf9900; entry 0x60, 0x0000ffff, 0x00cff300\n"
	"mov ebx, 1f - guest_base + 0x10000; mov eax, 0x38; mov es, eax; mov eax, es:[0xffc]; mov eax, es:[0xffd]\n" /* limit */
	"1: mov ebx, 1f - guest_base + 0x10000; mov byte ptr es:[0xfff], 1; mov byte ptr es:[0x1000], 1\n"
	"1: mov ebx, 1f - guest_base + 0x10000; mov eax, 0x40; mov es, eax; mov eax, es:[0]; mov es:[0], eax\n"      /* read-only */
	"1: mov ebx, 1f - guest_base + 0x10000; mov eax, 0x48; mov fs, eax\n"                                       /* not present */
	"1: mov ebx, 1f - guest_base + 0x10000; mov eax, 0x50; mov fs, eax; mov eax, fs:[0x1000]; mov eax, fs:[0xfff]\n" /* expand-down */
	"1: mov ebx, 1f - guest_base + 0x10000; mov eax, 0x58; mov fs, eax\n"                                       /* execute-only */
	"1: mov ebx, 1f - guest_base + 0x10000; xor eax, eax; mov gs, eax; mov eax, gs:[0]\n"                       /* null */
	"1: mov ebx, 1f - guest_base + 0x10000; mov eax, 0x60; mov ss, eax\n"                                       /* another DPL */
	"1: mov ebx, 1f - guest_base + 0x10000; mov eax, 0x48; mov ss, eax\n"                                       /* not present: #SS */
	"1: mov ebx, 1f - guest_base + 0x10000; mov eax, 0x88; mov gs, eax\n"                                       /* beyond the table */
	"1: mov ebx, 1f - guest_base + 0x10000; mov eax, 0x3c; mov gs, eax\n"                                       /* no LDT */
	"1: mov ebx, 1f - guest_base + 0x10000; .byte 0x9a; .long 0; .word 0x20\n"                                  /* to ring 3 */
	"1: mov ecx, 0x38; lar eax, ecx; out 0xe9, eax; lsl eax, ecx; out 0xe9, eax; verw cx; setz al; movzx eax, al; out 0xe9, eax\n"
	"mov ecx, 0x40; verw cx; setz al; movzx eax, al; out 0xe9, eax; mov ecx, 0x88; lsl eax, ecx; setz al; movzx eax, al; out 0xe9, eax\n"
	"mov eax, [0x53c]; out 0xe9, eax; bye\n" /* accessed */
	"8: mov eax, 13; jmp 5f; 7: mov eax, 12; jmp 5f; 6: mov eax, 11; 5: shl eax, 16; or eax, [esp]; out 0xe9, eax; add esp, 4; mov [esp], ebx; iretd\n")
static void test_segments(void **state)
{
	struct ia_machine *m = LOAD(segments);

	(void)state;
	machine_protected(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0xd0000, 0xd0000, 0xd0000, 0xb0048, 0xd0000, 0xd0058, 0xd0000, 0xd0060, 0xc0048, 0xd0088, 0xd003c, 0xd0020,
	       0x00409300, 0xfff, 1, 0, 0, 0x00409300);
	machine_free(m);
}

/* A call gate with two parameters to ring 0 and back over them; the user's segments of ring 0 are gone after that. */
GUEST32(callgate,
	"mov eax, offset 5f - guest_base + 0x10000; mov word ptr [0x538], ax; shr eax, 16; mov word ptr [0x53e], ax\n"
	"mov word ptr [0x53a], 8; mov word ptr [0x53c], 0xec02; gate32 0x80, 8f, 0xee\n"
	"push 0x1b; push 0x30000; push 2; push 0x23; push offset 2f - guest_base + 0x10000; iretd\n"
	"2: push 0x1111; push 0x2222; .byte 0x9a; .long 0; .word 0x3b; mov edx, esp; mov ecx, ds; int 0x80\n"
	"5: mov eax, esp; out 0xe9, eax; mov eax, [esp + 4]; out 0xe9, eax; mov eax, [esp + 8]; out 0xe9, eax\n"
	"mov eax, [esp + 12]; out 0xe9, eax; mov eax, [esp + 16]; out 0xe9, eax; mov eax, [esp + 20]; out 0xe9, eax\n"
	"mov eax, ss; out 0xe9, eax; mov eax, 0x10; mov ds, eax; lret 8\n"
	"8: mov eax, edx; out 0xe9, eax; mov eax, ecx; out 0xe9, eax; mov eax, [esp + 4]; out 0xe9, eax; bye\n")
static void test_call_gate(void **state)
{
	struct ia_machine *m = LOAD(callgate);

	(void)state;
	machine_protected(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0x9000 - 24, 0x23, 0x2222, 0x1111, 0x30000 - 8, 0x1b, 0x10, 0x30000, 0, 0x23);
	machine_free(m);
}

/* Tasks: JMP, CALL and IRET between two; NT, the back link, busy bits, CR0.TS (7.3). */
GUEST32(tasks,
	"mov dword ptr [0x720], offset 2f - guest_base + 0x10000; mov dword ptr [0x724], 2; mov dword ptr [0x738], 0x20000\n"
	"mov dword ptr [0x748], 0x10; mov dword ptr [0x74c], 8; mov dword ptr [0x750], 0x10; mov dword ptr [0x754], 0x10\n"
	"mov dword ptr [0x728], 0x77; mov ebp, 0x1234; .byte 0x9a; .long 0; .word 0x30\n"
	"out 0xe9, eax; mov eax, ebp; out 0xe9, eax; str eax; out 0xe9, eax; mov eax, [0x52c]; out 0xe9, eax; mov eax, [0x534]; out 0xe9, eax\n"
	"pushfd; pop eax; and eax, 0x4000; out 0xe9, eax; .byte 0xea; .long 0; .word 0x30; bye\n"
	"2: out 0xe9, eax; pushfd; pop eax; and eax, 0x4000; out 0xe9, eax; movzx eax, word ptr [0x700]; out 0xe9, eax; smsw eax; and eax, 8; out 0xe9, eax\n"
	"mov eax, [0x52c]; out 0xe9, eax; str eax; out 0xe9, eax; mov eax, 0x99; iretd\n"
	"out 0xe9, eax; pushfd; pop eax; and eax, 0x4000; out 0xe9, eax; mov eax, [0x52c]; out 0xe9, eax; bye\n")
static void test_tasks(void **state)
{
	struct ia_machine *m = LOAD(tasks);

	(void)state;
	machine_protected(m, CODE);
	runs_to_exit(m);
	EXPECT(m, 0x77, 0x4000, 0x28, 8, 0x8b00, 0x30,                 /* in the second one */
	       0, 0x1234, 0x28, 0x8b00, 0x8900, 0,                     /* back */
	       0x99, 0, 0x8900);                                       /* where its IRET had stood */
	machine_free(m);
}

/* Virtual-8086 mode: in by IRET, out by an interrupt that saves the data segments; IOPL decides (20.2). */
GUEST32(vm86,
	"gate32 0x21, 8f, 0xee; gate32 13, 7f; mov byte ptr [0x20000], 0xcd; mov byte ptr [0x20001], 0x21; mov byte ptr [0x20002], 0xfa\n"
	"mov dword ptr [0x20003], 0x00010fa0; mov byte ptr [0x20003], 0x8e; mov byte ptr [0x20004], 0xd8; mov byte ptr [0x20005], 0xf4\n"
	"push 0x6000; push 0x5000; push 0x4000; push 0x3000; push 0x2100; push 0x100; push 0x23002; push 0x2000; push 0; iretd\n"
	"8: mov eax, [esp]; out 0xe9, eax; mov eax, [esp + 4]; out 0xe9, eax; mov eax, [esp + 8]; out 0xe9, eax; mov eax, [esp + 12]; out 0xe9, eax\n"
	"mov eax, [esp + 16]; out 0xe9, eax; mov eax, [esp + 20]; out 0xe9, eax; mov eax, [esp + 32]; out 0xe9, eax; mov eax, ds; out 0xe9, eax\n"
	"mov eax, 0x3333; iretd\n"
	"7: mov eax, [esp]; out 0xe9, eax; mov eax, [esp + 4]; out 0xe9, eax; mov eax, [esp + 28]; out 0xe9, eax; cmp dword ptr [esp + 4], 5; je 6f\n"
	"6: bye\n")
static void test_vm86(void **state)
{
	struct ia_machine *m = LOAD(vm86);

	(void)state;
	machine_protected(m, CODE);
	runs_to_exit(m);
	/* IP CS EFLAGS SP SS ES GS, DS now; then CLI is allowed, DS is loaded, HLT is not */
	EXPECT(m, 2, 0x2000, 0x23002, 0x100, 0x2100, 0x3000, 0x6000, 0, 0, 5, 0x3333);
	machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_mode),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_call_gate),
		cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_vm86),
	};
	int failed = cmocka_run_group_tests_name("interp", tests, with_interp, NULL);

	return failed + cmocka_run_group_tests_name("jit", tests, with_jit, NULL);
}
