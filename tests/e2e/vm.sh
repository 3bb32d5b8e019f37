#!/bin/bash
# ringside vm run: a guest of a few bytes, its output, its exit code; bad images and options.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache RINGSIDE_LANG=en
fail() { echo "$*"; exit 1; }
ends() { # ends STATUS ARGUMENT...: the command's exit code, its output in out and err
	local want=$1 rc=0
	shift
	"$RINGSIDE" "$@" >"$dir/out" 2>"$dir/err" || rc=$?
	[ $rc = "$want" ] || fail "ringside $*: exit code $rc, not $want: $(cat "$dir/err")"
}

# mov dx, 0x3f8; mov al, 'h'; out dx, al; mov al, '\n'; out dx, al; hlt
printf '\x66\xba\xf8\x03\xb0h\xee\xb0\n\xee\xf4' >"$dir/hello"
ends 2 vm run
ends 2 vm run --memory 3K "$dir/hello"
ends 2 vm run --entry real32 "$dir/hello"
ends 2 vm run --hole 1M "$dir/hello"
grep -q 'ADDRESS:SIZE' "$dir/err" || fail "no word about the form of --hole"

rc=0
"$RINGSIDE" vm run "$dir/hello" >"$dir/out" 2>"$dir/err" || rc=$?
if [ $rc = 77 ]; then
	grep -q /dev/kvm "$dir/err" || fail "no reason given: $(cat "$dir/err")"
	echo "skip: no usable /dev/kvm"
	exit 77
fi
[ $rc = 0 ] && [ "$(cat "$dir/out")" = h ] || fail "hello: $rc, $(cat "$dir/out" "$dir/err")"
ends 0 vm run --events --trace steps "$dir/hello"
grep -q '^cpu.step .*"hlt"' "$dir/err" || fail "no steps: $(cat "$dir/err")"
grep -q '^exp.ready sandboxed=yes' "$dir/err" || fail "no sandbox: $(cat "$dir/err")"
printf '\xb8\x07\x00\x00\x00\xe7\xf4' >"$dir/seven" # mov eax, 7; out 0xf4, eax
ends 1 vm run "$dir/seven"
grep -q 'exit code 7' "$dir/err" || fail "no exit code: $(cat "$dir/err")"
printf '\x0f\x0b' >"$dir/ud2"
ends 1 vm run "$dir/ud2"
grep -q 'shutdown' "$dir/err" && grep -q 'ud2' "$dir/err" || fail "no report: $(cat "$dir/err")"
printf '\xeb\xfe' >"$dir/spin"
ends 1 vm run --timeout 1s "$dir/spin"
grep -q 'watchdog' "$dir/err" || fail "no watchdog: $(cat "$dir/err")"
ends 2 vm run "$dir/absent"
[ -z "$(ls -A "$dir/state/ringside/journal" 2>/dev/null)" ] || fail "a journal was left behind"
