/* Small guests for the tests of the run, assembled into the test program itself, so that no
 * assembler is needed where they run. Position-independent; entry at the first byte. The
 * numbers are those of vmm/vmm.h.
 */
#ifndef TESTS_VMM_GUESTS_H
#define TESTS_VMM_GUESTS_H

/* GUEST(name, bits, text): bytes guest_<name> .. guest_<name>_end. */
#define GUEST(name, bits, text)                                                                    \
	__asm__(".pushsection .rodata\n.intel_syntax noprefix\n.code" #bits "\n"                   \
		"guest_" #name ":\n" text "\nguest_" #name "_end:\n"                               \
		".code64\n.att_syntax\n.popsection\n");                                            \
	extern const unsigned char guest_##name[], guest_##name##_end[];

/* gate v, handler, ring: an interrupt gate. enter3 target: iretq to ring 3. put c: a byte to COM1.
 * bye code: debug-exit. */
__asm__(".macro gate v, handler, ring=0\n"
	"	lea rax, [rip + \\handler]\n"
	"	mov word ptr [0x2000 + \\v * 16], ax\n"
	"	mov word ptr [0x2002 + \\v * 16], 0x08\n"
	"	mov word ptr [0x2004 + \\v * 16], 0x8e00 + (\\ring << 13)\n"
	"	shr rax, 16\n"
	"	mov word ptr [0x2006 + \\v * 16], ax\n"
	"	mov dword ptr [0x2008 + \\v * 16], 0\n"
	".endm\n"
	".macro enter3 target, flags=0x202\n"
	"	push 0x1b\n"
	"	push 0x10000\n"
	"	push \\flags\n"
	"	push 0x23\n"
	"	lea rax, [rip + \\target]\n"
	"	push rax\n"
	"	iretq\n"
	".endm\n"
	".macro put c\n"
	"	mov dx, 0x3f8\n"
	"	mov al, \\c\n"
	"	out dx, al\n"
	".endm\n"
	".macro bye code\n"
	"	mov eax, \\code\n"
	"	out 0xf4, eax\n"
	".endm\n");

GUEST(hello, 64, "put 'h'; put 'i'; put 10; hlt")
GUEST(real16, 16, "mov dx, 0x3f8; mov al, 'r'; out dx, al; mov al, 10; out dx, al; hlt")
GUEST(prot32, 32, "mov edx, 0x3f8; mov al, 'p'; out dx, al; mov al, 10; out dx, al; hlt")

/* Vector 0x21 of the real-mode table at 0; the code lies at 0x1000:0. */
GUEST(real_int, 16,
      "xor ax, ax; mov ds, ax; mov word ptr [0x84], offset 2f - guest_real_int; mov word ptr [0x86], cs\n"
      "int 0x21; nop; hlt\n"
      "2: nop; iret")
/* The same crossings in 32-bit protected mode, with 8-byte gates. LTR, because QEMU 7.2 aborts when ring 0
 * is entered through a TSS that VMRUN loaded as busy, though it must be (APM vol. 2, 15.5.1). */
GUEST(prot_int, 32,
      "and byte ptr [0x102d], 0xfd; mov ax, 0x28; ltr ax\n"
      "call 1f; 1: pop ebx\n"
      "lea eax, [ebx + 2f - 1b]; mov [0x2400], ax; mov word ptr [0x2402], 0x08\n"
      "mov word ptr [0x2404], 0xee00; shr eax, 16; mov [0x2406], ax\n"
      "push 0x1b; push 0x10000; push 0x202; push 0x23; lea eax, [ebx + 3f - 1b]; push eax; iret\n"
      "2: cmp edi, 1; je 4f; iret\n"
      "3: xor edi, edi; int 0x80; mov edi, 1; int 0x80\n"
      "4: mov eax, 5; out 0xf4, eax")

GUEST(int80, 64,
      "gate 0x80, 2f, 3; enter3 1f\n"
      "1: int 0x80; int 0x80; mov edi, 1; int 0x80\n"
      "2: cmp edi, 1; je 3f; iretq\n"
      "3: bye 0")

GUEST(syscall, 64,
      "mov ecx, 0xc0000080; rdmsr; or eax, 1; wrmsr\n"
      "mov ecx, 0xc0000081; xor eax, eax; mov edx, 0x00130008; wrmsr\n"
      "mov ecx, 0xc0000082; lea rax, [rip + 2f]; xor edx, edx; wrmsr\n"
      "mov ecx, 0xc0000084; mov eax, 0x700; wrmsr\n"
      "gate 0x80, 3f, 3; enter3 1f\n"
      "1: syscall; mov rbx, r11; syscall; int 0x80\n"
      "2: sysretq\n"
      "3: and ebx, 0x100; mov eax, ebx; out 0xf4, eax") /* code: TF as ring 3 saw it in R11 */

/* Ring 3 faults in four ways; each handler skips the instruction. */
GUEST(faults, 64,
      "gate 0, 10f; gate 6, 10f; gate 13, 11f; gate 14, 11f; gate 0x80, 12f, 3; gate 3, 13f, 3\n"
      "enter3 1f\n"
      "1: xor ecx, ecx; xor edx, edx; mov eax, 1; mov r8, 2; div ecx\n"
      "mov r8, 2; ud2\n"
      "mov r8, 1; hlt\n"
      "mov r8, 2; mov rbx, 0x3000000000; mov [rbx], al\n"
      "int3; int 0x80\n"
      "10: add [rsp], r8; iretq\n"      /* without an error code */
      "11: add rsp, 8; add [rsp], r8; iretq\n"
      "12: mov rax, [rsp + 16]; and eax, 0x100; out 0xf4, eax\n"
      "13: iretq")

GUEST(nested, 64,
      "gate 13, 2f; gate 6, 3f; enter3 1f\n"
      "1: cli; nop\n"
      "2: ud2\n"
      "3: bye 6")

/* A call gate in the GDT's free entries, used from ring 3, and RETF back. */
GUEST(callgate, 64,
      "sub rsp, 16; sgdt [rsp + 6]; mov rbx, [rsp + 8]; movzx ecx, word ptr [rsp + 6]; add rsp, 16\n"
      "add rbx, 0x38; lea rax, [rip + 2f]\n"
      "mov [rbx], ax; mov word ptr [rbx + 2], 0x08; mov word ptr [rbx + 4], 0xec00; shr rax, 16\n"
      "mov [rbx + 6], ax; mov qword ptr [rbx + 8], 0\n"
      "sub rsp, 16; mov word ptr [rsp + 6], 0x47; sub rbx, 0x38; mov [rsp + 8], rbx; lgdt [rsp + 6]; add rsp, 16\n"
      "gate 0x80, 3f, 3; enter3 1f\n"
      "1: sub rsp, 16; mov dword ptr [rsp], 0; mov word ptr [rsp + 4], 0x3b\n"
      ".byte 0xff, 0x1c, 0x24\n" /* call far [rsp], a 32-bit offset */
      "int 0x80\n"
      "2: rex.w retf\n"
      "3: bye 0")

GUEST(triple, 64, "ud2")
GUEST(spin, 64, "cli; 1: jmp 1b")
GUEST(flood, 64, "mov dx, 0x3f8; mov al, 'x'; 1: out dx, al; jmp 1b")
GUEST(newlines, 64, "mov dx, 0x3f8; mov al, 10; 1: out dx, al; jmp 1b")
GUEST(mmio, 64, "mov rbx, 0x200000; mov eax, [rbx]; mov word ptr [rbx + 8], 0x1234; out 0xf4, eax")
GUEST(reset64, 64, "mov al, 0xfe; out 0x64, al; hlt")
GUEST(resetcf9, 64, "mov dx, 0xcf9; mov al, 6; out dx, al; hlt")
GUEST(absent, 64, "mov dx, 0x1234; in ax, dx; movzx eax, ax; out 0xf4, eax")
GUEST(hypercall, 64,
      "lea rbx, [rip + 1f]; mov dx, 0x5c0; xor eax, eax; out dx, eax; in eax, dx; mov esi, eax\n"
      "mov rbx, 77; mov rcx, 88; mov eax, 1; out dx, eax; in eax, dx; shl eax, 8; add esi, eax\n"
      "mov eax, 2; out dx, eax; in eax, dx; mov eax, 99; out dx, eax; in eax, dx; inc eax; add eax, esi\n"
      "out 0xf4, eax\n"
      "1: .asciz \"from memory\\n\"")
GUEST(pushf, 64, "pushfq; pop rax; and eax, 0x100; out 0xf4, eax")
GUEST(rep, 64, "mov rdi, 0x100000; mov ecx, 0x40000; rep stosb; bye 0")
GUEST(outsb, 64, "lea rsi, [rip + 1f]; mov ecx, 6; mov dx, 0x3f8; rep outsb; hlt; 1: .ascii \"string\"")
GUEST(echo, 64,
      "1: mov dx, 0x3fd; in al, dx; test al, 1; jz 1b\n"
      "mov dx, 0x3f8; in al, dx; cmp al, '.'; je 2f; out dx, al; jmp 1b\n"
      "2: hlt")
/* The guest single-steps itself: its #DB handler counts three traps. */
GUEST(own_tf, 64,
      "gate 1, 2f; xor ebx, ebx; pushfq; or qword ptr [rsp], 0x100; popfq\n"
      "nop; nop; nop\n"
      "2: inc ebx; cmp ebx, 3; je 3f; iretq\n"
      "3: mov eax, ebx; out 0xf4, eax")
/* Ring 3 runs into the kernel's handler by a plain jump: no gate is passed, and OUT faults. */
GUEST(jump_in, 64,
      "gate 13, 3f; gate 0x80, 2f, 3; enter3 1f\n"
      "1: mov ecx, 5; jmp 2f\n"
      "2: inc ecx; mov eax, ecx; hlt\n"
      "3: mov eax, ecx; out 0xf4, eax")
/* Ring 3 without end, then a port access that ring 3 may make (IOPL 3). */
GUEST(iopl3, 64, "enter3 1f, 0x3202; 1: bye 7")
GUEST(count, 64, "xor eax, eax; 1: inc rax; mov [0x100000], rax; jmp 1b")
GUEST(steps, 64, "mov eax, 1; mov ebx, 2; add eax, ebx; mov dx, 0x3f8; out dx, al; nop; bye 3")

#endif
