#!/bin/bash
# Recordings made on a machine with KVM replay anywhere to the same text and the same grade.
# GOLDEN_UPDATE=1 takes the replayed text as the right one.
# tests/recordings/<lesson>.rec was recorded from the solution, <lesson>.starter.rec from the starter.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache
n=0
for rec in tests/recordings/*.rec; do
	[ -e "$rec" ] || { echo "no recordings"; exit 1; }
	want=0
	case $rec in *.starter.rec) want=1 ;; esac
	rc=0
	"$RINGSIDE" replay --grade --format json "$rec" >"$dir/grade" || rc=$?
	[ $rc = $want ] || { echo "$rec: graded with $rc, not $want"; cat "$dir/grade"; exit 1; }
	"$RINGSIDE" replay --plain --speed 0 "$rec" >"$dir/plain" || [ $? = $want ]
	# the live text names the workspace, a path of the machine that recorded
	sed -i 's/^\(Task: change [^ ]*\) in .*/\1/' "$dir/plain"
	[ -z "${GOLDEN_UPDATE:-}" ] || cp "$dir/plain" "${rec%.rec}.txt"
	cmp "$dir/plain" "${rec%.rec}.txt" || { diff "${rec%.rec}.txt" "$dir/plain" | head -20; exit 1; }
	n=$((n + 1))
done
echo "$n recordings replayed to the text and grade that were recorded"

# With KVM: record now, take /dev/kvm away, replay: the same text, the same grade.
rc=0
"$RINGSIDE" record --solution 302 "$dir/now.rec" >"$dir/live" 2>"$dir/err" || rc=$?
[ $rc = 77 ] && { echo "skip: recording needs KVM"; exit 77; }
[ $rc = 0 ]
"$RINGSIDE" grade --solution 302 --format json >"$dir/live.json"
cat >"$dir/hidden" <<'EOF'
mount -t tmpfs none /dev/shm 2>/dev/null || true
mount --bind /dev/null /dev/kvm
"$RINGSIDE" replay --plain --speed 0 "$1/now.rec" >"$1/replayed"
"$RINGSIDE" replay --grade --format json "$1/now.rec" >"$1/replayed.json"
EOF
if [ "$(id -u)" = 0 ]; then hide="unshare -m"; else hide="unshare -rm"; fi
$hide bash -eu "$dir/hidden" "$dir"
cmp "$dir/live" "$dir/replayed" || { diff "$dir/live" "$dir/replayed" | head -20; exit 1; }
points() { perl -MJSON::PP -e 'local $/; my $j = decode_json(<STDIN>); print join(" ", map { "$_->{id} $_->{points}" } map { @{$_->{checks}} } @{$j->{lessons}})' <"$1"; }
[ "$(points "$dir/live.json")" = "$(points "$dir/replayed.json")" ]
echo "recorded with KVM and replayed without: same text, same points"
