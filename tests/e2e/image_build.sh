#!/bin/bash
# ringside image build: the Dockerfiles of tests/dockerfiles give what buildah makes of them; the cache
# says why it missed; builds are reproducible; mistakes have their place.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
RINGSIDE=$(realpath "$RINGSIDE")
dir=$(mktemp -d)
trap 'chmod -R u+rwX "$dir"; rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache RINGSIDE_LANG=en
unset SOURCE_DATE_EPOCH
store=$dir/store
fail() { echo "$*"; exit 1; }
build() { "$RINGSIDE" image build --store "$store" "$@"; }

# ---- the contexts; what git does not keep is made here ----
cp -r "$here/dockerfiles" "$dir/ctx"
cd "$dir/ctx"
umask 022
mkdir -p copy/ctx/sub/in copy/ctx/tree/empty
(cd copy/ctx
	echo a >a.txt; echo bb >b.txt; echo s >'with space'; echo in >sub/in/file; echo t >sub/top; ln -s a.txt link
	echo x >tree/exec; chmod 755 tree/exec; ln -s ../outside tree/dangling; chmod 700 tree/empty; mkfifo tree/fifo 2>/dev/null && rm tree/fifo)
mkdir -p ignore/docs ignore/sub/cache ignore/cache
(cd ignore
	mv dockerignore .dockerignore
	touch a.log keep.log b.txt docs/README docs/more sub/x.tmp sub/x.txt sub/cache/c cache/d only-top sub/only-top)
mkdir -p add/folder add/t/in
(cd add
	echo in >t/in/file; ln -s in/file t/link; echo p >plain.txt; echo no archive | gzip -n >fake.gz; echo f >folder/f
	tar -C t --owner=9:9 --group=8:8 -czf archive.tar.gz . ; tar -C t --owner=9:9 --group=8:8 -cf archive.tar in link; rm -r t)
chmod -R go-w .
cases="copy config stages ignore add"
if [ "$(id -u)" = 0 ] && busybox=$(command -v busybox) && ! ldd "$busybox" >/dev/null 2>&1; then
	cp "$busybox" run/
	cases="$cases run"
else
	echo "skip: RUN needs root and a static busybox"
fi

# ---- against buildah ----
if command -v buildah >/dev/null && [ "$(id -u)" = 0 ]; then
	echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$dir/policy.json"
	ba() {
		local verb=$1
		shift
		buildah --root "$dir/br" --runroot "$dir/brr" --storage-driver vfs "$verb" --signature-policy "$dir/policy.json" "$@" \
			>"$dir/buildah.log" 2>&1 || fail "buildah $verb: $(tail -n 3 "$dir/buildah.log")"
	}
	for case in $cases; do
		build -q -t "$case" "$case" >/dev/null
		ba bud --isolation chroot -t "$case" "$case"
		ba push "$case" "oci:$dir/oci:$case"
		"$here/tools/image-compare" "$RINGSIDE" "$store" "$case" "$dir/oci" "$case" || fail "$case: ours, but buildah's"
	done
else
	echo "skip: no comparison with buildah (it is not installed, or this is not root)"
fi

# ---- what buildah's image format leaves out, and variables in FROM ----
build -q -t onbuild onbuild >/dev/null
"$RINGSIDE" image inspect --store "$store" --part config onbuild | python3 -c '
import json, sys
c = json.load(sys.stdin)["config"]
assert c["Shell"] == ["/bin/bash", "-o", "pipefail", "-c"], c
assert c["Cmd"] == ["/bin/bash", "-o", "pipefail", "-c", "run me"], c
assert c["Healthcheck"] == {"Interval": 5000000000, "Retries": 3, "Test": ["CMD", "/check", "it"]}, c
assert c["OnBuild"] == ["COPY a /a"], c'
mkdir use && echo A >use/a
printf 'ARG IMAGE=nothing\nFROM $IMAGE\nARG IMAGE\nLABEL from=$IMAGE\nCOPY <<-"ONE" <<TWO /docs/\n\tliteral $IMAGE\n\tONE\nwith $IMAGE\nTWO\n' >use/Dockerfile
build -q -t use --build-arg IMAGE=onbuild --build-arg TYPO=1 use >/dev/null 2>"$dir/err"
grep -q 'no ARG took.*TYPO' "$dir/err" || fail "no word about the argument that nobody took: $(cat "$dir/err")"
"$RINGSIDE" image export --store "$store" use | tar -xO a docs/ONE docs/TWO | tr '\n' ' ' | grep -qx 'A literal $IMAGE with onbuild ' || fail "ONBUILD or here-documents"
"$RINGSIDE" image inspect --store "$store" --part config use | grep -q OnBuild && fail "OnBuild was inherited"

# ---- the cache, and why it missed ----
said() { grep -q "$1" "$dir/err" || fail "no \"$1\" in: $(cat "$dir/err")"; }
mkdir -p cache/d && echo one >cache/d/f && echo two >cache/d/g && ln -s f cache/d/l
printf 'FROM scratch\nWORKDIR /w\nCOPY d /d\nCMD ["x"]\n' >cache/Dockerfile
build -t cache cache >"$dir/first" 2>"$dir/err"; said 'because it is built for the first time'
build -t cache cache >"$dir/again" 2>"$dir/err"; [ "$(grep -c cached: "$dir/err")" = 2 ] || fail "not cached: $(cat "$dir/err")"
cmp "$dir/first" "$dir/again"
touch cache/d/f && build cache >/dev/null 2>"$dir/err"; said 'cached:.*B$'; ! grep -q because "$dir/err" || fail "a new time alone made a layer"
echo three >cache/d/f && build cache >/dev/null 2>"$dir/err"; said 'because d/f: other content, 6 bytes instead of 4'
echo THREE >cache/d/f && build cache >/dev/null 2>"$dir/err"; said 'because d/f: other content of the same size'
chmod 600 cache/d/g && build cache >/dev/null 2>"$dir/err"; said 'because d/g: permissions 0600 instead of 0644'
ln -sf g cache/d/l && build cache >/dev/null 2>"$dir/err"; said 'because d/l leads to "g" instead of "f"'
touch cache/d/h && build cache >/dev/null 2>"$dir/err"; said 'because d/h is new'
rm cache/d/h && build cache >/dev/null 2>"$dir/err"; ! grep -q because "$dir/err" || fail "what was there before was made again"
rm cache/d/g && build cache >/dev/null 2>"$dir/err"; said 'because d/g is gone'
rm cache/d/l && mkdir cache/d/l && build cache >/dev/null 2>"$dir/err"; said 'because d/l was a symbolic link and is a folder now'
sed -i 's,/d$,/e,' cache/Dockerfile && build cache >/dev/null 2>"$dir/err"; said 'because the instruction was "COPY d /d'
sed -i 's,/w,/v,' cache/Dockerfile && build cache >/dev/null 2>"$dir/err"; said 'because a step before it has changed'
"$RINGSIDE" image prune --store "$store" 2>/dev/null && [ -z "$(grep -l '^sha256' "$store"/cache/k-* | xargs -r cut -c8-71 | while read -r blob; do [ -e "$store/blobs/sha256/$blob" ] || echo "$blob"; done)" ] || fail "the cache knows layers that are gone"
build cache >/dev/null 2>"$dir/err"; said 'not in the store any more'

# ---- reproducible: another place, order, time, umask ----
build -q copy >"$dir/first"
(umask 077; mkdir "$dir/elsewhere"; cd "$dir/ctx/copy" && find . | sort -r | cpio -pdm --quiet "$dir/elsewhere" && cd "$dir/elsewhere" &&
	find . -exec touch -h -d '2001-02-03' {} + && "$RINGSIDE" image build -q --store "$dir/store2" --threads 3 .) >"$dir/again"
cmp "$dir/first" "$dir/again" || fail "the same context elsewhere gives another image"
SOURCE_DATE_EPOCH=1000000000 build -q -t epoch copy >"$dir/again"
! cmp -s "$dir/first" "$dir/again" || fail "SOURCE_DATE_EPOCH changes nothing"
"$RINGSIDE" image export --store "$store" epoch | TZ=UTC tar -tv | grep -v 2001-09-09 && fail "a time that is not SOURCE_DATE_EPOCH"

# ---- mistakes: file:line:column, and what was meant ----
mistake() { # TEXT PLACE SENTENCE
	printf "$1" >"$dir/ctx/Dockerfile.bad"
	! build -f "$dir/ctx/Dockerfile.bad" copy >/dev/null 2>"$dir/err" || fail "built: $1"
	grep -q "Dockerfile.bad:$2: .*$3" "$dir/err" || fail "not \"$2: $3\": $(cat "$dir/err")"
}
mistake 'COPY a b\n' 1:1 'begins with FROM'
mistake '# nothing\n' 1:1 'no FROM'
mistake 'FROM scratch\nCOPPY a b\n' 2:1 'did you mean COPY'
mistake 'FROM scratch\nCOPY --chwon=1 a b\n' 2:6 'did you mean --chown'
mistake 'FROM scratch\nCOPY ctx/a.txt \\\n  # comment\n\n   nowhere/x.txt /d/\n' 5:4 'no nowhere/x.txt in the context'
mistake 'FROM scratch\nCOPY ctx/*.none /d/\n' 2:6 'nothing in the context fits'
mistake 'FROM scratch\nCOPY ctx/a.txt ctx/b.txt /d\n' 2:26 'with a slash at its end'
mistake 'FROM scratch\nENV A=1 B\n' 2:9 'has no "="'
mistake 'FROM scratch\nENV A="1\n' 2:7 'not closed'
mistake 'FROM scratch\nENV A=${B\n' 2:7 'not closed'
mistake 'FROM scratch\nENV A=${B:?}\n' 2:9 'must have a value'
mistake 'FROM scratch\nCMD ["a", b]\n' 2:11 'JSON list'
mistake 'FROM scratch\nEXPOSE 80/ip\n' 2:8 'not a port'
mistake 'FROM scratch\nSTOPSIGNAL SIGNONE\n' 2:12 'no signal'
mistake 'FROM scratch\nUSER\n' 2:5 'needs an argument'
mistake 'FROM scratch\nONBUILD FROM x\n' 2:9 'behind ONBUILD'
mistake 'FROM scratch\nCOPY <<END /x\nno end\n' 2:6 'no end'
mistake 'FROM scratch AS a\nFROM scratch AS A\n' 2:17 'two stages'
mistake 'FROM no-such-image\n' 1:6 'no image no-such-image in the store'
mistake 'FROM scratch\nADD https://example.org/x /x\n' 2:5 'URL is not supported'
mistake 'FROM scratch\nCOPY --chown=nobody ctx/a.txt /a\n' 2:6 'no user nobody'
mistake 'FROM scratch\nCOPY --chown=1 --from=none /a /a\n' 2:16 'neither a stage'
mistake 'FROM scratch\nRUN --mount=type=cache x\n' 2:5 'RUN --mount is not supported'
mistake 'FROM scratch\nRUN --network=host x\n' 2:5 'no network here'
case $cases in *run)
	mistake 'FROM scratch\nRUN ["/nothing"]\n' 2:1 '/nothing'
	mistake 'FROM run\nRUN exit 7\n' 2:5 'exit status 7'
	build -t twice run 2>"$dir/err" >/dev/null && ! grep -q because "$dir/err" || fail "RUN is not taken from the cache: $(cat "$dir/err")"
	[ -z "$(ls "$store/tmp")" ] || fail "RUN left something behind: $(ls "$store/tmp")" ;;
esac
mistake '# escape=x\nFROM scratch\n' 1:10 'escape character'
mistake 'FROM scratch\nCOPY ctx/a.txt /f\nCOPY ctx/sub /f/\n' 3:14 'is a file in the image'
mistake 'FROM scratch\nHEALTHCHECK --interval=soon CMD x\n' 2:13 'wants a time'
mistake 'FROM scratch\nSHELL /bin/sh\n' 2:7 'JSON list'
printf '# escape=`\nFROM scratch\nENV A=1 `\n  B=C:\\x\n' >escape.dockerfile
build -q -t escape -f escape.dockerfile copy >/dev/null
"$RINGSIDE" image inspect --store "$store" --part config escape | grep -qF 'B=C:\\x' || fail "the escape directive"
"$RINGSIDE" image verify --store "$store" >/dev/null || fail "the store is damaged"

# ---- two images compared ----
mkdir -p two/d && echo same >two/d/a && echo one >two/d/b
printf 'FROM scratch\nCOPY d /d\n' >two/Dockerfile
build -q -t two:1 two >/dev/null
"$RINGSIDE" image diff --store "$store" two:1 two:1 >"$dir/diff" && [ ! -s "$dir/diff" ] || fail "an image differs from itself: $(cat "$dir/diff")"
echo two >two/d/b; chmod 600 two/d/a; echo new >two/d/c
build -q -t two:2 two >/dev/null
rc=0; "$RINGSIDE" image diff --store "$store" two:1 two:2 >"$dir/diff" || rc=$?
[ $rc = 1 ] || fail "diff: exit code $rc"
for line in '~  1  d/a: permissions 0644 and 0600' '~  1  d/b: other content of the same size' '+  1  d/c' \
	'first byte: layer 1, byte 617: 34 and 30, in the field mode of the header of d/a'; do
	grep -qxF -- "$line" "$dir/diff" || fail "diff: no \"$line\" in $(cat "$dir/diff")"
done

# ---- two builds at once, and one that is killed ----
mkdir big && head -c 30000000 /dev/urandom >big/data && printf 'FROM scratch\nCOPY . /\n' >big/Dockerfile
build -q -t big:1 big >"$dir/one" & build -q -t big:2 big >"$dir/two" && wait $!
cmp "$dir/one" "$dir/two" || fail "two builds at the same time made two images"
for delay in 0.02 0.1 0.3; do
	build -q --no-cache -t big:3 big >/dev/null 2>&1 &
	sleep $delay
	kill -9 $! 2>/dev/null || true
	wait $! 2>/dev/null || true
	"$RINGSIDE" image verify --store "$store" >"$dir/out" || fail "after a kill: $(cat "$dir/out")"
done
"$RINGSIDE" image prune --store "$store" 2>/dev/null
[ -z "$(ls "$store/tmp")" ] || fail "leftovers of a killed build: $(ls "$store/tmp")"
build -q -t big:3 big | cmp - "$dir/one" || fail "after kills another image is built"
