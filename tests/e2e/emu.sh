#!/bin/bash
# Faults of guest programs look as on Linux, and bad guests end and harm nothing, for each guest and engine.
set -u
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT
bad=0 runs=0 guests=
fail() { echo "FAILED: $*"; bad=$((bad + 1)); }

echo 'int main(void) { return 0; }' >"$dir/f.c"
for guest in riscv64 aarch64; do
	if $guest-linux-gnu-gcc -static -o "$dir/f" "$dir/f.c" 2>/dev/null; then
		guests="$guests $guest"
	else
		echo "skipped: no $guest-linux-gnu-gcc that links static programs (gcc-$guest-linux-gnu and its libc6-dev)"
	fi
done
[ -n "$guests" ] || { echo "skip: no cross compiler"; exit 77; }

build() { $guest-linux-gnu-gcc -O1 -static -w -pthread -o "$dir/f" -x c - <<<"$1" 2>"$dir/log" || { cat "$dir/log"; fail "$guest: build of $1"; return 1; }; }

# A program, the status that a shell sees (a pattern), and a pattern for the sentence ("": none is asked for). A fourth
# word `told`: the guest may also be ended by a signal, which must be told; `once`: there is one line, no more.
fault() {
	local engine got
	build "$1" || return
	for engine in interp jit; do
		timeout 60 bash -c 'ulimit -c 0; "$0" emu run --engine "$1" "$2"; exit $?' "$RINGSIDE" $engine "$dir/f" >"$dir/got" 2>"$dir/err"
		got=$?
		[ $got = 77 ] && { echo "skipped: $guest $engine: $(head -1 "$dir/err")"; continue; }
		runs=$((runs + 1))
		[[ $got =~ ^($2)$ ]] || fail "$guest $1 ($engine): status $got, not $2: $(head -c 300 "$dir/err")"
		# the guest, not the lab, was ended by it
		[ "${4:-}" != told ] || { [ $got != 124 ] && { [ $got -lt 129 ] || grep -q 'SIG' "$dir/err"; }; } || fail "$guest $1 ($engine): status $got: $(head -c 300 "$dir/err")"
		[ "${4:-}" != once ] || [ "$(wc -l <"$dir/err")" = 1 ] || { cat "$dir/err"; fail "$guest $1 ($engine): not one line"; }
		[ -z "$3" ] || grep -q "$3" "$dir/err" || { cat "$dir/err"; fail "$guest $1 ($engine): no \"$3\""; }
	done
}

for guest in $guests; do
	case $guest in
	# encodings that are no instruction: none at all, a reserved rounding mode or size of operands, a privileged one
	riscv64) store='sw ' trap='ebreak' trap_text='(ebreak)'
		undefined='0xffffffff=.4byte=0xffffffff 0x02b5d553=.4byte=0x2b5d553 0x30200073=.4byte=0x30200073' ;;
	aarch64) store='str' trap='brk #7' trap_text='(brk.*)'
		undefined='0xffffffff=.inst=0xffffffff 0x0ee08400=.inst=0x0ee08400 0xd5181000=msr=s3_0_c1_c0_0' ;;
	esac
	fault 'int main(void) { *(volatile int *)16 = 1; return 0; }' 139 "SIGSEGV at 0x.*(${store}.*), address 0x10"
	for word in $undefined; do
		fault "int main(void) { __asm__ volatile(\".word ${word%%=*}\"); return 0; }" 132 "SIGILL at 0x[0-9a-f]* ($(tr = ' ' <<<"${word#*=}")"
	done
	[ $guest = aarch64 ] || fault 'int main(void) { __asm__ volatile("csrwi frm, 5\n\tfadd.d fa0, fa0, fa1"); return 0; }' 132 'SIGILL at 0x[0-9a-f]* (fadd.d'
	[ $guest = aarch64 ] || fault 'int main(void) { int r; __asm__ volatile("csrwi frm, 4\n\tfcvt.w.d %0, %1\n\tcsrwi frm, 0" : "=r"(r) : "f"(2.5)); return r; }' 3 ''
	# the signal as Linux tells it: ILL_ILLOPC, the address of the instruction
	fault "#include <signal.h>
#include <unistd.h>
extern char bad[];
static void h(int s, siginfo_t *i, void *c) { _exit(i->si_code == ILL_ILLOPC && i->si_addr == bad ? 21 : 22); }
int main(void) { struct sigaction a = { .sa_sigaction = h, .sa_flags = SA_SIGINFO }; sigaction(SIGILL, &a, 0);
	__asm__ volatile(\".globl bad\\nbad: .word 0\"); return 0; }" 21 ''
	fault "int main(void) { __asm__ volatile(\"$trap\"); return 0; }" 133 "SIGTRAP at 0x.*$trap_text"
	fault 'int main(void) { ((void (*)(void))0x123456788)(); return 0; }' 139 'SIGSEGV at 0x123456788'
	fault 'int main(void) { ((void (*)(void))0)(); return 0; }' 139 'SIGSEGV at 0x0'
	fault 'static int data[4] = { 1 }; int main(void) { ((void (*)(void))data)(); return 0; }' 139 'SIGSEGV at 0x'
	fault 'int f(int n) { volatile char b[4096]; b[0] = n; return n ? f(n + 1) + b[0] : 0; } int main(void) { return f(1); }' 139 'SIGSEGV'
	fault 'int main(void) { abort(); }' 134 'SIGABRT'
	fault '#include <errno.h>
#include <unistd.h>
int main(void) { for (int i = 0; i < 3; i++) if (syscall(219, 0, 0, 0) != -1 || errno != ENOSYS) return 6; return 5; }' 5 \
		'^ringside: f: the system call keyctl (219) is not supported (ENOSYS)$' once
	# Writes everywhere: the guest ends, or goes on, and the lab is whole.
	fault '#include <signal.h>
#include <setjmp.h>
static sigjmp_buf e; static void h(int s) { siglongjmp(e, 1); }
int main(void) { volatile unsigned long a; signal(SIGSEGV, h); signal(SIGBUS, h);
	for (a = 0x100000000000; a > 0xffff; a = a / 2 - 4097)
		if (!sigsetjmp(e, 1)) *(volatile long *)(a | 0xfffff00000000000) += 1;
	return 9; }' 9 ''
	# All of memory: an error, not the end of the lab.
	fault '#include <sys/mman.h>
#include <stdlib.h>
int main(void) { unsigned long n = 0; char *p;
	while ((p = mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED && n < 8192) { *p = 1; n++; }
	return n > 64 && n < 4096 && !malloc(1u << 31) ? 7 : 8; }' 7 ''
	# Code that is random bytes: anything may become of the guest.
	fault '#include <sys/mman.h>
#include <sys/time.h>
#include <setjmp.h>
#include <signal.h>
static sigjmp_buf e; static void h(int s) { siglongjmp(e, 1); }
int main(void) { unsigned *p = mmap(0, 65536, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), s = 1; static char alt[65536];
	struct sigaction a = { .sa_handler = h, .sa_flags = SA_ONSTACK }; stack_t st = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct itimerval t = { { 0, 20000 }, { 0, 20000 } };
	sigaltstack(&st, 0);
	sigaction(SIGALRM, &a, 0);
	for (int i = 4; i < 12; i++) sigaction(i, &a, 0);
	setitimer(ITIMER_REAL, &t, 0);
	for (volatile int k = 0; k < 300; k++) {
		for (int i = 0; i < 8; i++) p[k * 9 + i] = s = (s * 1664525 + 1013904223) | (k & 1 ? 3 : 0);
		p[k * 9 + 8] = 0; /* no instruction of either machine */
		__builtin___clear_cache((char *)(p + k * 9), (char *)(p + k * 9 + 9));
		if (!sigsetjmp(e, 1)) ((void (*)(void))(p + k * 9))();
	}
	return 4; }' '[0-9]+' '' told
	# Threads without end, and processes: bounded, and gone when the run is.
	fault '#include <pthread.h>
#include <unistd.h>
static void *f(void *a) { for (;;) pause(); return a; }
int main(void) { pthread_t t; int n = 0; pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstacksize(&a, 1 << 20);
	while (n < 3000 && !pthread_create(&t, &a, f, 0)) n++;
	return n > 50 && n < 3000 ? 11 : 12; }' 11 ''
	build '#include <unistd.h>
int main(void) { for (;;) if (fork() < 0) usleep(1000); }'
	cp "$dir/f" "$dir/rs-forker-$$"
	timeout 60 "$RINGSIDE" emu run --timeout 1s "$dir/rs-forker-$$" 2>"$dir/err"
	[ $? = 1 ] || fail "$guest: fork without end"
	runs=$((runs + 1))
	for i in 1 2 3 4 5 6 7 8 9 10; do
		left=$(ps -eo args | grep -c "[r]s-forker-$$")
		[ "$left" = 0 ] && break
		sleep 0.2
	done
	[ "$left" = 0 ] || fail "$guest: $left processes are left of a fork without end"

	# An endless loop ends with the watchdog.
	build 'int main(void) { for (;;) __asm__ volatile(""); }'
	for engine in interp jit; do
		timeout 20 "$RINGSIDE" emu run --engine $engine --timeout 300ms "$dir/f" 2>"$dir/err"
		[ $? = 1 ] && grep -q 'longer than --timeout' "$dir/err" || fail "$guest: endless loop ($engine)"
		runs=$((runs + 1))
	done

	# Files that are not what they say: a sentence, status 2, nothing run.
	build 'int main(void) { return 0; }'
	for cut in 0 3 16 50 63 64 100 400 4096 20000; do
		head -c $cut "$dir/f" >"$dir/cut"
		timeout 20 "$RINGSIDE" emu run "$dir/cut" 2>"$dir/err"
		[ $? = 2 ] && [ -s "$dir/err" ] || fail "$guest: a program cut off after $cut bytes: $(head -c 200 "$dir/err")"
		runs=$((runs + 1))
	done
	# offset (decimal), bytes: header and program header fields that lie
	for lie in '4 \x01' '5 \x02' '16 \x01' '18 \x3e' '20 \x02' '24 \xff\xff\xff\xff\xff\xff\xff\x7f' '32 \xff\xff\xff\xff' '54 \x01' \
		'56 \xff\xff' '64 \x03' '72 \xff\xff\xff\x7f' '80 \x01' '96 \xff\xff\xff\xff\xff\xff\xff\xff' '104 \xff\xff\xff\xff\xff'; do
		cp "$dir/f" "$dir/lie"
		printf "${lie#* }" | dd of="$dir/lie" bs=1 seek="${lie%% *}" conv=notrunc 2>/dev/null
		timeout 20 "$RINGSIDE" emu run "$dir/lie" >"$dir/got" 2>"$dir/err"
		got=$?
		runs=$((runs + 1))
		# some first program headers are not for loading: then the lie is in what nobody reads
		[ $got = 2 ] && [ -s "$dir/err" ] || [ $got = 0 -a "${lie%% *}" -ge 64 ] || fail "$guest: a lie at ${lie%% *}: status $got $(head -c 200 "$dir/err")"
	done
done
echo "$runs runs, $bad failed"
[ $bad = 0 ]
