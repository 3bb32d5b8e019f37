#!/bin/bash
# Real programs as guests: busybox (its shell and tools), Lua, gzip and mawk do on real input what the
# native tools do. tests/tools/guest-programs gets and builds them once; build/programs keeps them.
set -u
export LC_ALL=C
BUILD=${BUILD:-build}
have=$BUILD/programs bad=0 runs=0
fail() { echo "FAILED: $*"; bad=$((bad + 1)); }
timeout "${PROGRAMS_TIMEOUT:-240}" tests/tools/guest-programs "$have" | sed 's/^missing: /skipped: /'
[ -x "$have/riscv64/busybox" ] || [ -x "$have/aarch64/busybox" ] || { echo "skip: the programs cannot be had here"; exit 77; }
have=$(realpath "$have") ringside=$(realpath "$RINGSIDE") here=$PWD
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT

# Input: some of this project's own files.
mkdir "$dir/input" "$dir/native" && cp emu/linux*.c emu/linux*.h assets/doc/*.md README.md Makefile "$dir/input"
mkdir "$dir/input/sub dir" && cp LICENSE "$dir/input/sub dir/a license"

run() { timeout 60 "$ringside" emu run "$@"; }

# A script of the shell: the same text in the native shell and in the guest's.
script() { # NAME TEXT
	rm -rf "$dir/n" && cp -a "$dir/input" "$dir/n"
	(cd "$dir/n" && timeout 60 sh -c "$2") >"$dir/want" 2>"$dir/want.err"
	local want=$? got guest
	for guest in riscv64 aarch64; do
		[ -x "$have/$guest/busybox" ] || continue
		rm -rf "$dir/g" && cp -a "$dir/input" "$dir/g"
		(cd "$dir/g" && run "$have/$guest/busybox" sh -c "$2") >"$dir/got" 2>"$dir/err"
		got=$?
		runs=$((runs + 1))
		[ $got = $want ] || fail "$guest $1: status $got, native $want: $(head -c 300 "$dir/err")"
		cmp -s "$dir/want" "$dir/got" || { diff "$dir/want" "$dir/got" | head -8; fail "$guest $1: output"; }
		diff -r "$dir/n" "$dir/g" >"$dir/log" || { head -5 "$dir/log"; fail "$guest $1: files"; }
	done
}

script loops 'i=0; s=0; while [ $i -lt 300 ]; do i=$((i + 1)); s=$(((s * 31 + i) % 65521)); done; echo $s; for f in *.c; do echo "${f%.c} ${#f} ${f##*_}"; done; until [ $i -le 295 ]; do i=$((i - 1)); done; echo $i'
script pipes 'cat *.c | tr -cs A-Za-z_ "\n" | sort | uniq -c | sort -k1,1nr -k2 | head -30; seq 1 200 | tail -5 | tac; yes | head -3'
script substitution 'x=$(echo one; echo "$(echo two | tr a-z A-Z)"); echo "$x"; echo "$(cat Makefile | wc -l) $(expr 6 \* 7) `echo back`"; y=abc; echo ${y:-no} ${z:-default} ${y:+yes} ${z:=set} $z'
script here_documents 'n=5; cat <<A; cat <<"B"; tr a-z A-Z <<-C
value $n $((n * n)) $(echo sub)
A
value $n
B
	tabs go
	C'
script traps 'trap "echo usr1" USR1; trap "echo bye" EXIT; kill -USR1 $$; (trap "echo inner" EXIT; exit 3); echo $?; sh -c "kill -TERM \$\$"; echo $?; trap "" INT; kill -INT $$; echo alive; exit 7'
script functions 'f() { local a=$1; [ "$a" -le 1 ] && { echo 1; return; }; echo $((a * $(f $((a - 1))))); }; f 10; while getopts ab:c o -a -b val -c; do echo "$o ${OPTARG:-}"; done; case linux.c in *.h) echo header;; l*.c) echo source;; esac; set -- one "two three" four; echo $# "$2"; shift; echo "$*"'
script jobs 'for i in 1 2 3 4; do (sleep 0.0$i; exit $i) & done; wait; echo all; (exit 9) & wait $!; echo $?; { echo a; echo b >&2; } 2>&1 | sort'
script descriptors 'exec 3>out 4<Makefile; echo first >&3; echo second >&3; read -r line <&4; echo "$line"; exec 3>&- 4<&-; cat out; echo more >>out; wc -l <out; [ -s out -a ! -d out ] && echo file; cat nothing 2>/dev/null || echo failed'
script reading 'while IFS=: read -r name x uid rest; do [ "$uid" -lt 10 ] && echo "$uid $name"; done </etc/passwd | sort -n'
script find 'find . -type f -name "*.[ch]" | sort | xargs cat | wc -l; find . -type d | sort; find . -size +20 -print0 | xargs -0 -n1 basename | sort; find . -name "*license" -exec cat {} \; | head -3'
script grep 'grep -n "emu_signal" *.c | head -20; grep -c static *.c; grep -v "^[[:space:]]" linux.h | grep -E -i "(struct|enum) [a-z_]+" ; grep -l futex *.c; grep -q nosuchword *.c; echo $?; grep -o -w "int[0-9]*_t" linux.c | sort | uniq -c | tr -s " "'
script sed 'sed -n "/^static/{s/(.*//;p;}" linux_signal.c; sed -e "1,5d" -e "s/\([a-z]*\)_\([a-z]*\)/\2_\1/g" -e "\$a end" linux_rv.c | head -30; sed "/^$/d;s/[aeiou]//2" README.md | head -20; sed -i "s/emu/EMU/g" linux.h; sed -n "\$=" linux.h; sed ":a;N;\$!ba;s/\n/,/g" Makefile | cut -c1-100'
script awk "awk '{ n += NF; for (i = 1; i <= NF; i++) w[\$i]++ } END { print NR, n; for (k in w) if (w[k] > 60) print k, w[k] | \"sort\" }' *.c; awk -F: '{ printf \"%-12s %5d %8.3f\n\", \$1, \$3, \$3 / 7 }' /etc/passwd | head -8; awk 'BEGIN { for (i = 0; i < 6; i++) printf \"%.6f %d \", i / 7, i * i * i; print substr(\"substring\", 4), index(\"abc\", \"c\"), toupper(\"x\"), length(\"four\"); x = \"a.b.c\"; n = split(x, p, \".\"); print n, p[3]; gsub(/\\./, \"-\", x); print x; print match(\"foobar\", /o+/), RSTART, RLENGTH }'"
script tar 'tar cf all.tar *.c "sub dir"; tar tf all.tar | sort; mkdir x; tar xf all.tar -C x; diff -r "sub dir" "x/sub dir" && cmp linux.c x/linux.c && echo same; rm -r x all.tar'
script gzip 'for f in *.md; do gzip -c "$f" >z.gz; gunzip -c z.gz | cmp - "$f" && echo "$f"; done; cat *.c | gzip -9 | zcat | md5sum; rm z.gz'
script checksums 'md5sum *.c; sha256sum *.h; cksum Makefile; od -A d -t x1 README.md | head -20; dd if=README.md bs=100 skip=2 count=3 2>/dev/null | wc -c'
script files 'mkdir -p a/b/c; cp -r "sub dir" a/b; mv a/b a/d; ln -s d a/e; ls a; readlink a/e; touch -d "2020-01-02 03:04:05" a/f; chmod 640 a/f; stat -c "%a %s %Y" a/f; rm -r a; test -e a || echo gone; basename /x/y.c .c; dirname /x/y.c; pwd | wc -l; cut -c3-20 README.md | head -5; paste -d, Makefile Makefile | head -3; fold -w 20 LICENSE | head -5; nl -ba LICENSE | head -3; expr 17 % 5; printf "%05d %x %s\n" 42 255 text'

# What one packs, the other unpacks.
for guest in riscv64 aarch64; do
	cd "$dir/input" || exit 3
	if [ -x "$have/$guest/gzip" ]; then
		for level in 1 6 9; do
			cat ./*.c | run "$have/$guest/gzip" -$level -n >"$dir/z" && cat ./*.c | cmp - <(gzip -dc "$dir/z") || fail "$guest gzip -$level"
			cat ./*.c | gzip -$level | run "$have/$guest/gzip" -dc | cmp - <(cat ./*.c) || fail "$guest gzip -d of level $level"
			runs=$((runs + 2))
		done
		head -c 500 "$dir/z" | run "$have/$guest/gzip" -t 2>/dev/null && fail "$guest gzip -t of half a file"
	fi
	if [ -x "$have/$guest/mawk" ]; then
		program='{ for (i = 1; i <= NF; i++) { w[$i]++; l += length($i) } } /static/ { s++ } END { n = 0; for (k in w) { n++; m += w[k] * length(k) } printf "%d %d %d %d %.8g %s\n", NR, n, s, l, m / n, substr("abcdef", 3, 2); x = 1; for (i = 0; i < 2000; i++) x = (x * 16807) % 2147483647; print x }'
		run "$have/$guest/mawk" "$program" ./*.c >"$dir/got"
		awk "$program" ./*.c >"$dir/want"
		cmp "$dir/want" "$dir/got" || fail "$guest mawk"
		runs=$((runs + 1))
	fi
	if [ -x "$have/$guest/lua" ] && [ -x "$have/native/lua" ]; then
		"$have/native/lua" "$here/tests/guests/programs/everything.lua" README.md >"$dir/want"
		for engine in jit interp; do
			run --engine $engine "$have/$guest/lua" "$here/tests/guests/programs/everything.lua" README.md >"$dir/got" 2>&1
			cmp -s "$dir/want" "$dir/got" || { diff "$dir/want" "$dir/got" | head; fail "$guest lua ($engine)"; }
			runs=$((runs + 1))
		done
	fi
	cd "$here" || exit 3
done
echo "$runs runs, $bad failed"
[ $bad = 0 ]
