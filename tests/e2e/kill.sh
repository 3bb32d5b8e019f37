#!/bin/bash
# kill -9 of the running lab, at many moments: no process of it lives on, and what it made on the host
# is gone after the next start. KILL_MOMENTS: seconds after the start, several.
set -u
command -v script >/dev/null || { echo "skip: there is no script(1) to make a terminal"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache TERM=xterm-256color
# a mark by which every process of this lab can be found
export RINGSIDE_TEST_MARK=$$-$RANDOM
marked() { grep -lszx "RINGSIDE_TEST_MARK=$RINGSIDE_TEST_MARK" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | grep -vx "$$\|$BASHPID" || true; }
labs() { for p in $(marked); do [ "$(readlink /proc/$p/exe 2>/dev/null)" = "$lab_exe" ] && echo "$p"; done; }
# processes with the mark that are not of this script: "pid name"
others() {
	for p in $(marked); do
		name=$(cat /proc/$p/comm 2>/dev/null) || continue
		grep -q '^State:.Z' /proc/$p/status 2>/dev/null && continue
		case $name in sleep | script | bash | kill.sh | timeout | grep | cut | cat | sh) ;; *) echo "$p $name" ;; esac
	done
}
lab_exe=$(readlink -f "$RINGSIDE")
mounts=$(wc -l </proc/self/mountinfo)
cgroups=$(find /sys/fs/cgroup -type d 2>/dev/null | wc -l)

# a guest that never ends, on KVM or the software CPU
lesson=302 work=$dir/data/ringside/work/kvm-ioctl-walk
"$RINGSIDE" run 302 --plain >/dev/null 2>"$dir/err"
[ $? = 77 ] && lesson=201 work=$dir/data/ringside/work/rings-privileged
"$RINGSIDE" start $lesson >/dev/null 2>&1 || { echo "lesson $lesson does not start"; exit 1; }
sed -i 's/^_start:/_start: jmp _start/' "$work/guest.S"

moments=${KILL_MOMENTS:-0.1 0.7 1.5 3}
for delay in $moments; do
	# the lab on a terminal of its own, the last step running
	( sleep 0.3; printf 'nnnnnnnr'; sleep 30 ) | script -qec "exec '$RINGSIDE' lab $lesson" /dev/null >/dev/null 2>&1 &
	for _ in $(seq 100); do [ -n "$(labs)" ] && break; sleep 0.02; done
	sleep "$delay"
	main=$(labs | sort -n | head -n 1)
	[ -n "$main" ] || { echo "the lab did not start"; exit 1; }
	kill -9 "$main"
	for _ in $(seq 100); do [ -z "$(labs)" ] && break; sleep 0.05; done
	left=$(labs)
	"$RINGSIDE" list >/dev/null 2>&1 # the next start sweeps
	for _ in $(seq 60); do
		alive=$(others)
		[ -z "$alive" ] && break
		sleep 0.05
	done
	[ -z "$alive" ] || { echo "after $delay s these live on: $alive"; exit 1; }
	[ -z "$left" ] || echo "note: after $delay s a process was alive until the sweep"
	rest=$(find "$dir/state/ringside/scratch" "$dir/state/ringside/journal" -mindepth 1 ! -name lock 2>/dev/null)
	[ -z "$rest" ] || { echo "after $delay s these are left: $rest"; exit 1; }
	pkill -P $$ sleep 2>/dev/null; wait 2>/dev/null
done
[ "$(wc -l </proc/self/mountinfo)" = "$mounts" ] || { echo "a mount is left"; exit 1; }
[ "$(find /sys/fs/cgroup -type d 2>/dev/null | wc -l)" -le "$cgroups" ] || { echo "a cgroup is left"; exit 1; }
[ -z "$(find "$dir" -name '*.tmp*' -o -name '*.new*' | head -1)" ] || { echo "a half-written file is left"; exit 1; }
echo "killed after $moments seconds: nothing left"
