#!/bin/bash
# ringside vm diff: the guests of the lessons do the same on kvm and soft, exit by exit; a guest that asks the CPU who
# it is does not, and the instruction is named.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data RINGSIDE_LANG=en
rc=0
printf '\xf4' >"$dir/halt"
"$RINGSIDE" vm diff "$dir/halt" >"$dir/out" 2>&1 || rc=$?
[ $rc != 77 ] || { echo "skip: no KVM here"; exit 77; }
[ $rc = 0 ] || { cat "$dir/out"; exit 1; }

printf '\xb8\x01\x00\x00\x00\x0f\xa2\xf4' >"$dir/cpuid"
"$RINGSIDE" vm diff "$dir/cpuid" >"$dir/out" && exit 1
grep -q 'RAX' "$dir/out"

if "$RINGSIDE" doctor 2>/dev/null | grep -q 'broken *kvm\.ring3 '; then
	echo "skip: this machine's KVM has no ring 3 that works"
	exit 77
fi
grep -q '0x10005 "cpuid"' "$dir/out" && grep -q 'a CPU of its own' "$dir/out"
# on an emulated machine, which is slow, two of them
guests="labs/201*/guest.S labs/202*/solution/guest.S"
[ -n "${RINGSIDE_TEST_AGAIN:-}" ] || guests="$guests labs/201*/solution/guest.S labs/202*/guest.S labs/302*/guest.S labs/302*/solution/guest.S"
for source in $guests; do
	cc -nostdlib -static -no-pie -Wl,-Ttext=0x10000 -Wl,--build-id=none -Ilabs/include -o "$dir/guest" "$source"
	"$RINGSIDE" vm diff "$dir/guest" >"$dir/out" || { echo "$source:"; cat "$dir/out"; exit 1; }
	grep -q '^no difference' "$dir/out"
done
