/* guest.h - what a C program of the lab finds: it has no C library and no operating system of its own.
 *
 *      #include "guest.h"
 *
 *      int main(void)
 *      {
 *              print("Hello\n");
 *              print_number(42);
 *              print("\n");
 *              return 0;
 *      }
 *
 * The same source is compiled for RISC-V and AArch64, where it is a Linux program, and for x86-64, where
 * it is the only program of a virtual machine.
 */
#ifndef GUEST_H
#define GUEST_H

/* No inlining: the function keeps its name and its place, so that it can be seen and counted. */
#if defined(__clang__)
#define noinline __attribute__((noinline, unused))
#else
#define noinline __attribute__((noinline, noclone, unused))
#endif

/* The compiler does not know what is in x after this, so that it cannot compute it in advance. */
#define unknown(x) __asm__ volatile("" : "+r"(x))

/* The compiler must not make calls of a C library out of loops, nor vector instructions. */
#if !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns", "no-tree-vectorize")
#endif

#if defined(__x86_64__)

/* Ports of the lab's virtual machine: lab.inc */
static inline void guest_out(unsigned short port, unsigned char value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static noinline void print(const char *s)
{
	while (*s)
		guest_out(0x3f8, (unsigned char)*s++);
}

static inline __attribute__((noreturn)) void quit(int code)
{
	for (;;)
		guest_out(0xf4, (unsigned char)code);
}

#define GUEST_START "call main\n mov %eax, %edi\n call guest_end\n"

#else

/* A system call of Linux: on RISC-V and on AArch64 the numbers are the same, the registers are not. */
static inline long guest_call(long number, long first, long second, long third)
{
#if defined(__riscv)
	register long nr __asm__("a7") = number, a __asm__("a0") = first, b __asm__("a1") = second,
			c __asm__("a2") = third;

	__asm__ volatile("ecall" : "+r"(a) : "r"(nr), "r"(b), "r"(c) : "memory");
#elif defined(__aarch64__)
	register long nr __asm__("x8") = number, a __asm__("x0") = first, b __asm__("x1") = second,
			c __asm__("x2") = third;

	__asm__ volatile("svc #0" : "+r"(a) : "r"(nr), "r"(b), "r"(c) : "memory");
#endif
	return a;
}

static noinline void print(const char *s)
{
	long n = 0;

	while (s[n])
		n++;
	guest_call(64, 1, (long)s, n); /* write to standard output */
}

/* Everything from standard input, at most size bytes. Returns how many. */
static noinline long read_all(char *to, long size)
{
	long n = 0, got;

	while (n < size && (got = guest_call(63, 0, (long)(to + n), size - n)) > 0) /* read */
		n += got;
	return n;
}

static inline __attribute__((noreturn)) void quit(int code)
{
	for (;;)
		guest_call(93, code, 0, 0); /* exit */
}

#if defined(__riscv)
#define GUEST_START "call main\n call guest_end\n" /* the lab links without gp */
#else
#define GUEST_START "bl main\n bl guest_end\n"
#endif
#endif

static noinline void print_number(long n)
{
	char text[24], *p = text + sizeof(text);
	unsigned long left = n < 0 ? -(unsigned long)n : (unsigned long)n;

	*--p = 0;
	do {
		*--p = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	if (n < 0)
		*--p = '-';
	print(p);
}

/* The first instruction, and where main returns to. */
int main(void);
__attribute__((weak, noreturn)) void guest_end(int code);
__attribute__((weak, noreturn)) void guest_end(int code)
{
	quit(code);
}
__asm__(".pushsection .text.start, \"ax\"\n .weak _start\n _start:\n" GUEST_START ".popsection\n");

#endif
