#!/bin/bash
# Faults of guest programs look as on Linux, and bad guests end, on both engines.
set -u
rv=riscv64-linux-gnu-gcc
command -v $rv >/dev/null || { echo "skip: no $rv (gcc-riscv64-linux-gnu, libc6-dev-riscv64-cross)"; exit 77; }
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT
echo 'int main(void) { return 0; }' >"$dir/f.c"
$rv -static -o "$dir/f" "$dir/f.c" 2>/dev/null || { echo "skip: $rv cannot link a static program (libc6-dev-riscv64-cross)"; exit 77; }
bad=0 runs=0
fail() { echo "FAILED: $*"; bad=$((bad + 1)); }

# Faults: the status that a shell sees, and a sentence.
fault() { # source status text
	echo "$1" >"$dir/f.c"
	$rv -O1 -static -w -o "$dir/f" "$dir/f.c" || { fail "build of $1"; return; }
	for engine in interp jit; do
		timeout 30 bash -c '"$0" emu run --engine "$1" "$2"; exit $?' "$RINGSIDE" $engine "$dir/f" >"$dir/got" 2>"$dir/err"
		got=$?
		runs=$((runs + 1))
		[ $got = "$2" ] || fail "$1 ($engine): status $got, not $2"
		grep -q "$3" "$dir/err" || { cat "$dir/err"; fail "$1 ($engine): no \"$3\""; }
	done
}
fault 'int main(void) { *(volatile int *)16 = 1; return 0; }' 139 'SIGSEGV at 0x.*(sw .*), address 0x10'
fault 'int main(void) { __asm__ volatile(".word 0xffffffff"); return 0; }' 132 'SIGILL at 0x.*0xffffffff'
fault 'int main(void) { __asm__ volatile("ebreak"); return 0; }' 133 'SIGTRAP at 0x.*(ebreak)'
fault 'int main(void) { ((void (*)(void))0x123456788)(); return 0; }' 139 'SIGSEGV'
fault 'int f(int n) { volatile char b[4096]; b[0] = n; return n ? f(n + 1) + b[0] : 0; } int main(void) { return f(1); }' 139 'SIGSEGV'
fault 'int main(void) { abort(); }' 134 'SIGABRT'
fault '#include <unistd.h>
int main(void) { return syscall(219, 0, 0, 0) == -1 ? 5 : 6; }' 5 'the system call keyctl (219) is not supported'

# An endless loop ends with the watchdog.
echo 'int main(void) { for (;;) __asm__ volatile(""); }' >"$dir/f.c"
$rv -O1 -static -o "$dir/f" "$dir/f.c"
for engine in interp jit; do
	timeout 20 "$RINGSIDE" emu run --engine $engine --timeout 300ms "$dir/f" 2>"$dir/err"
	[ $? = 1 ] && grep -q 'longer than --timeout' "$dir/err" || fail "endless loop ($engine)"
done
echo "$runs runs, $bad failed"
[ $bad = 0 ]
