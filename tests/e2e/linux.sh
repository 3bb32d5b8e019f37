#!/bin/bash
# Operating systems on the software CPU: SeaBIOS says who it is on the debug port; Debian's kernel reaches a shell on
# the serial console, where a typed command answers, and switches the machine off.
set -eu
ringside=${RINGSIDE:-build/ringside}
linux=${ringside%/*}/linux
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
skipped=

bios=/usr/share/seabios/bios-256k.bin
if [ -r $bios ]; then
	# SeaBIOS finds nothing to boot and waits: the limit ends it
	$ringside vm run --engine soft --pc --entry reset $bios --timeout 3s </dev/null >"$dir/out" 2>"$dir/err" && exit 1
	grep -q '^SeaBIOS (version' "$dir/err"
	grep -q 'Found 1 PCI devices' "$dir/err"
	grep -q 'No bootable device' "$dir/err" || grep -q 'Booting from' "$dir/err"
else
	skipped="SeaBIOS (package seabios)"
fi

if tests/tools/linux-guest "$linux" >"$dir/fetch" 2>&1; then
	set +e
	{ # a terminal that types when it sees the prompt
		for _ in $(seq 600); do
			grep -q 'in ash\|built-in commands' "$dir/console" 2>/dev/null && break
			sleep 0.1
		done
		sleep 1
		printf 'echo sum is $((6 * 7)); exit\n'
	} | $ringside vm run --engine soft "$linux/vmlinuz" --initrd "$linux/initrd" \
		--append "console=ttyS0 quiet" --timeout 90s >"$dir/console" 2>"$dir/err"
	status=${PIPESTATUS[1]}
	set -e
	[ "$status" = 0 ] || { tail -n 40 "$dir/console" "$dir/err"; exit 1; }
	grep -q 'Ringside: Linux .* is up' "$dir/console"
	grep -q '^sum is 42' "$dir/console"
else
	skipped="$skipped Linux ($(tail -n 1 "$dir/fetch"))"
fi
[ -z "$skipped" ] || { echo "skipped: $skipped"; exit 77; }
