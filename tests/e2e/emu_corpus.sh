#!/bin/bash
# C and C++ programs of tests/guests/corpus, compiled for each guest with several levels of optimisation,
# print under `ringside emu run` what their native build prints, with the same status, on both engines.
#   CORPUS_ONLY="setjmp heap"   these alone     CORPUS_GUESTS=riscv64     CORPUS_OPTS="-O0 -O2 -O3"
set -u
flags="-D_GNU_SOURCE -w -ffp-contract=off -frounding-math -fno-builtin -fnon-call-exceptions"
guests=${CORPUS_GUESTS:-riscv64 aarch64}

say_failed() { echo "FAILED: $*" >>"$out"; }

run_native() { (cd / && ulimit -c 0 && EMU_TEST=yes exec timeout 60 "$dir/$name.native" one); }
run_guest() { (cd / && ulimit -c 0 && EMU_TEST=yes exec timeout 60 "$RINGSIDE" emu run --engine "$1" "$2" one); }

# One source: native, then every guest, level and engine.
one() {
	src=$1 name=$(basename "${1%.*}") dir=$2 out=$2/$(basename "${1%.*}").result
	local cc=gcc lib="-lm -pthread" guest opt engine want got what opts
	case $src in *.cc) cc=g++ lib="-std=c++17 -pthread -latomic" ;; esac
	: >"$out"
	$cc -O2 $flags -o "$dir/$name.native" "$src" $lib 2>"$dir/$name.log" || { cat "$dir/$name.log" >>"$out"; say_failed "$name: native build"; return; }
	run_native >"$dir/$name.want" 2>/dev/null
	want=$?
	[ -s "$dir/$name.want" ] || say_failed "$name: the native build prints nothing"
	for guest in $guests; do
		cross=$guest-linux-gnu-$cc
		command -v "$cross" >/dev/null || { echo "skipped: no $cross" >>"$out"; continue; }
		# Compiling takes most of the time: each program at -O2, and for one guest in turns without and with more.
		opts=-O2
		[ "${3%:*}" != $guest ] || opts="-O2 ${3#*:}"
		opts=${CORPUS_OPTS:-$opts}
		for opt in $opts; do
			what="$name $guest $opt"
			$cross $opt $flags -static -o "$dir/$name.guest" "$src" $lib 2>"$dir/$name.log" || { cat "$dir/$name.log" >>"$out"; say_failed "$what: build"; continue; }
			for engine in jit interp; do
				run_guest $engine "$dir/$name.guest" >"$dir/$name.got" 2>"$dir/$name.err"
				got=$?
				if [ $got = 77 ] || grep -q 'no front end translates' "$dir/$name.err"; then
					echo "skipped: $(head -1 "$dir/$name.err" | sed 's/.*: //')" >>"$out"
					continue
				fi
				echo run >>"$out"
				[ $got = $want ] || say_failed "$what $engine: status $got, native $want: $(head -c 300 "$dir/$name.err")"
				cmp -s "$dir/$name.want" "$dir/$name.got" || { diff "$dir/$name.want" "$dir/$name.got" | head -8 >>"$out"; say_failed "$what $engine: output"; }
			done
		done
	done
}
if [ "${1:-}" = --one ]; then
	one "$2" "$3" "$4"
	exit 0
fi

any=
for guest in $guests; do
	echo 'int main(void) { return 0; }' | $guest-linux-gnu-gcc -static -x c -o /dev/null - 2>/dev/null && any=yes ||
		echo "skipped: no $guest-linux-gnu-gcc that links static programs (gcc-$guest-linux-gnu and its libc6-dev)"
done
[ -n "$any" ] || { echo "skip: no cross compiler"; exit 77; }
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT
RINGSIDE=$(realpath "$RINGSIDE")
export RINGSIDE
# The slowest to compile come first.
turn=0
for src in tests/guests/corpus/*.cc tests/guests/corpus/*.c; do
	[ -z "${CORPUS_ONLY:-}" ] || [[ " $CORPUS_ONLY " == *" $(basename "${src%.*}") "* ]] || continue
	turn=$((turn + 1))
	case $((turn % 4)) in 0) extra=riscv64:-O0 ;; 1) extra=aarch64:-O0 ;; 2) extra=riscv64:-O3 ;; 3) extra=aarch64:-O3 ;; esac
	[ "${src##*.}" != cc ] || extra=none:
	printf '%s\0%s\0%s\0' "$src" "$dir" "$extra"
done | xargs -0 -n 3 -P "$(nproc)" "$0" --one
cat "$dir"/*.result | grep -v '^run$' | sort | uniq -c | sed -n 's/^ *[0-9]* \(skipped: .*\)/\1/p'
grep -hv '^run$\|^skipped' "$dir"/*.result
runs=$(cat "$dir"/*.result | grep -c '^run$') bad=$(cat "$dir"/*.result | grep -c '^FAILED')
echo "$(ls "$dir"/*.result | wc -l) programs, $runs runs, $bad failed"
[ "$bad" = 0 ] && [ "$runs" -gt 0 ]
