#!/bin/bash
# The set-up names what is missing and the command that brings it, and NO_INSTALL=1 only tells.
set -eu
[ -r /etc/debian_version ] || { echo "skip: not a Debian system"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# a system without libyaml-dev, on which nothing may be installed
cat >"$dir/dpkg-query" <<'EOF'
#!/bin/sh
for last; do :; done
[ "$last" = libyaml-dev ] || echo "install ok installed"
EOF
printf '#!/bin/sh\necho "apt-get was called: $*" >&2; exit 9\n' >"$dir/apt-get"
chmod +x "$dir/dpkg-query" "$dir/apt-get"
if PATH=$dir:$PATH NO_INSTALL=1 assets/setup run >"$dir/out" 2>&1; then
	echo "a missing package was not noticed"; exit 1
fi
cat "$dir/out"
grep -q 'libyaml-dev .*lessons' "$dir/out"
grep -q 'apt-get install --no-install-recommends libyaml-dev' "$dir/out"
! grep -q 'apt-get was called' "$dir/out"
! grep -q 'ncurses' "$dir/out"
# with leave to install, apt-get is called with that package, and its failure is the set-up's
if PATH=$dir:$PATH assets/setup run >"$dir/out" 2>&1; then exit 1; fi
grep -q 'apt-get was called: .*libyaml-dev' "$dir/out"
