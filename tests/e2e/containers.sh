#!/bin/bash
# kill -9 of the lab, and of the process that watches a lesson's container: the container ends with it, and
# its cgroups are gone, at once or after the next start.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache
lesson=$dir/901-sleeper
mkdir "$lesson"
nap=$((100000 + $$)) # by this number its processes are found
echo "sleep $nap & sleep $nap" >"$lesson/run.sh"
cat >"$lesson/lesson.yaml" <<'YAML'
schema: ringside/lesson/v1
id: sleeper
title: {en: Sleeper, zh-TW: 睡著的容器}
summary: {en: It sleeps., zh-TW: 它在睡覺。}
track: containers
minutes: 1
files: {starter: [run.sh]}
steps:
  - id: sleep
    text: {en: It sleeps., zh-TW: 它在睡覺。}
    run: {ctr: {script: run.sh}}
    timeout: 60s
YAML
sleepers() { pgrep -f "^sleep $nap\$" || true; }
groups() { find /sys/fs/cgroup -type d -name 'ringside-box-*' 2>/dev/null | sort; }
parent() { awk '$1 == "PPid:" { print $2 }' "/proc/$1/status" 2>/dev/null; }
bad=0
before=$(groups)
for victim in lab watcher; do
	"$RINGSIDE" run "$lesson" --plain >"$dir/out" 2>&1 &
	lab=$!
	for i in $(seq 200); do
		[ "$(sleepers | wc -l)" -eq 2 ] && break
		kill -0 $lab 2>/dev/null || break
		sleep 0.05
	done
	if [ "$(sleepers | wc -l)" -ne 2 ]; then
		wait $lab
		if [ $? = 77 ]; then
			echo "skip: $(tail -n 1 "$dir/out")"
			exit 77
		fi
		echo "the container did not start:"
		tail -n 5 "$dir/out"
		exit 1
	fi
	shell=$(parent "$(sleepers | head -n 1)")
	watcher=$(parent "$shell")
	if [ $victim = lab ]; then kill -9 $lab; else kill -9 "$watcher"; fi
	wait $lab 2>/dev/null
	for i in $(seq 60); do
		[ -z "$(sleepers)" ] && break
		sleep 0.05
	done
	[ -z "$(sleepers)" ] || { echo "killed the $victim: processes of the container live on"; bad=1; }
	"$RINGSIDE" list >/dev/null 2>&1 # a start sweeps
	for i in $(seq 60); do
		[ "$(groups)" = "$before" ] && break
		sleep 0.05
	done
	[ "$(groups)" = "$before" ] || { echo "killed the $victim: cgroups are left: $(groups)"; bad=1; }
	[ -z "$(ls "$dir/state/ringside/journal" 2>/dev/null)" ] || { echo "killed the $victim: a journal is left"; bad=1; }
done
exit $bad
