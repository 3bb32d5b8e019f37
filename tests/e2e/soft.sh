#!/bin/bash
# A machine whose /dev/kvm is no KVM: each x86 lesson that is not about KVM itself is proved on the software CPU.
set -u
[ "$(id -u)" = 0 ] || { echo "skip: hiding /dev/kvm needs root"; exit 77; }
[ -z "${RINGSIDE_TEST_AGAIN:-}" ] || exit 0
unshare -m true 2>/dev/null || { echo "skip: no mount namespace can be made here"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mapfile -t lessons < <(grep -lE '^requires:.*(x86-guest|exact-rings|ring1)' labs/[0-9]*/lesson.yaml |
	xargs grep -LE '^requires:.*-cc|^engines: \[kvm\]' | xargs -n1 dirname)
[ "${#lessons[@]}" -gt 1 ] || { echo "no lessons found"; exit 1; }
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache
hide='[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm; exec "$@"'
unshare -m --propagation private sh -c "$hide" sh "$RINGSIDE" lint "${lessons[@]}" >"$dir/out" 2>&1
rc=$?
[ $rc = 0 ] && [ "$(grep -c 'points on the engine soft' "$dir/out")" = "${#lessons[@]}" ] && exit 0
cat "$dir/out"
exit 1
