#!/bin/bash
# `make install` puts everything in place, and the installed program finds its lessons.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
make -s install BUILD="$BUILD" DESTDIR="$dir" PREFIX=/opt/lab
share=$dir/opt/lab/share
for f in "$dir/opt/lab/bin/ringside" "$share/man/man1/ringside.1" \
	"$share/bash-completion/completions/ringside" "$share/zsh/site-functions/_ringside" \
	"$share/ringside/labs/include/lab.inc" "$share/ringside/labs/302-kvm-ioctl-walk/lesson.yaml"; do
	[ -s "$f" ] || { echo "not installed: $f"; exit 1; }
done
cd /
export HOME=$dir/home XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache
"$dir/opt/lab/bin/ringside" list >"$dir/list"
grep -q '302' "$dir/list" || { echo "the installed program does not list lesson 302:"; cat "$dir/list"; exit 1; }
bash -n "$share/bash-completion/completions/ringside"
rm -rf "$dir/labs.before" && make -s -C "$OLDPWD" uninstall DESTDIR="$dir" PREFIX=/opt/lab
[ -z "$(find "$dir/opt" -type f)" ] || { echo "left after uninstall:"; find "$dir/opt" -type f; exit 1; }
