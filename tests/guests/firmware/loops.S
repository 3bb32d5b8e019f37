/* A firmware of 64 KiB that reaches 64-bit mode and runs one loop: the same bytes on the software CPU and on other
 * emulators of a PC. KIND: 0 nothing, 1 computing, 2 system calls, 3 page faults, 4 port output. Ends by port 0xf4.
 *
 *	cc -c -DKIND=1 -DTURNS=1000 loops.S -o loops.o
 *	ld -Ttext=0xffff0000 --oformat binary -e start16 loops.o -o loops.bin
 */
	.equ	PML4, 0x10000
	.equ	PDPT, 0x11000
	.equ	PD, 0x12000
	.equ	PD_TOP, 0x13000
	.equ	PT, 0x14000
	.equ	IDT, 0x20000
	.equ	PAGE, 0x400000          /* the page that faults */

	.code16
	.text
	.globl	start16
start16:
	cli
	lgdtl	%cs:gdtr - start16
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$0x08, $start32

	.code32
start32:
	movw	$0x10, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x80000, %esp
	/* RAM is zero. The first GiB and the last 2 MiB below 4 GiB in large pages, for everybody. */
	movl	$PDPT + 7, PML4
	movl	$PD + 7, PDPT
	movl	$PD_TOP + 7, PDPT + 3 * 8
	movl	$0xffe00087, PD_TOP + 511 * 8
	movl	$0x87, %eax
	xorl	%ecx, %ecx
1:	movl	%eax, PD(, %ecx, 8)
	addl	$0x200000, %eax
	incl	%ecx
	cmpl	$512, %ecx
	jb	1b
	movl	$PT + 7, PD + 2 * 8
	movl	$PML4, %eax
	movl	%eax, %cr3
	movl	$0x20, %eax
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x101, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80010000, %eax
	movl	%eax, %cr0
	ljmpl	$0x18, $start64

	.code64
start64:
	movl	$0x80000, %esp
	movl	$fault, %eax
	movw	%ax, IDT + 14 * 16
	movw	$0x18, IDT + 14 * 16 + 2
	movw	$0x8e00, IDT + 14 * 16 + 4
	shrl	$16, %eax
	movw	%ax, IDT + 14 * 16 + 6
	lidt	idtr(%rip)
	movl	$TURNS, %ebx
#if KIND == 1
	movl	$1, %eax
	movl	$0x9e3779b9, %edx
1:	imull	%edx, %eax
	xorl	%ebx, %eax
	roll	$5, %eax
	addl	%eax, %edx
	decl	%ebx
	jnz	1b
#elif KIND == 2
	movl	$0xc0000081, %ecx
	xorl	%eax, %eax
	movl	$0x002b0018, %edx
	wrmsr
	movl	$0xc0000082, %ecx
	movl	$service, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$0xc0000084, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$user, %ecx
	movl	$0x2, %r11d
	sysretq
user:	syscall
	decl	%ebx
	jnz	user
	movl	$1, %ebp
	syscall
service:
	testl	%ebp, %ebp
	jnz	bye
	sysretq
#elif KIND == 3
1:	movl	$0, PT
	invlpg	PAGE
	movl	PAGE, %eax
	decl	%ebx
	jnz	1b
#elif KIND == 4
1:	outb	%al, $0x80
	decl	%ebx
	jnz	1b
#endif
bye:
	xorl	%eax, %eax
	outl	%eax, $0xf4
	hlt
/* Maps the page and goes on. */
fault:
	addq	$8, %rsp
	movl	$PAGE + 7, PT
	iretq

	.balign	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff
	.quad	0x00cff3000000ffff, 0x00affb000000ffff
gdtr:	.word	8 * 8 - 1
	.long	gdt
idtr:	.word	15 * 16 - 1
	.quad	IDT
	.org	0xfff0
	.code16
	jmp	start16
	.org	0x10000
