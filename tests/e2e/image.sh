#!/bin/bash
# ringside image: images go to umoci, skopeo and Debian's registry and come back the same; archives of
# both kinds; documents that the image-spec's rules allow; names and removal.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
RINGSIDE=$(realpath "$RINGSIDE")
dir=$(mktemp -d)
registry=
trap '[ -z "$registry" ] || kill "$registry"; chmod -R u+rwX "$dir"; rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache RINGSIDE_LANG=en
unset SOURCE_DATE_EPOCH
fail() { echo "$*"; exit 1; }
image() {
	local verb=$1
	shift
	"$RINGSIDE" image "$verb" --store "$dir/store" "$@"
}
same() { # two trees; diff cannot compare what is no file
	! diff -r --no-dereference "$1" "$2" | grep -v 'is a fifo\|is a character'
}
cd "$dir"

# ---- a tree with everything in it ----
mkdir -p tree/usr/bin tree/empty tree/tmp tree/.hidden
printf 'tool\n' >tree/usr/bin/tool; chmod 4755 tree/usr/bin/tool; ln tree/usr/bin/tool tree/usr/bin/other
ln -s tool tree/usr/bin/link; ln -s /etc/passwd tree/absolute; chmod 1777 tree/tmp
head -c 3000000 /dev/urandom >tree/big; truncate -s 5M tree/sparse; mkfifo tree/fifo
touch "tree/a name with spaces" "tree/$(printf 'n%.0s' {1..200})" tree/名字
[ "$(id -u)" != 0 ] || { mknod tree/null c 1 3; chown 12:34 tree/.hidden; }
image import tree t:gz >digest; image import -c zstd tree t:zstd >/dev/null; image import -c none tree t:none >/dev/null
for t in gz zstd none; do
	image unpack t:$t out-$t
	same tree out-$t || fail "t:$t is unpacked to another tree"
	[ tree/usr/bin/tool -ef tree/usr/bin/other ] && [ out-$t/usr/bin/tool -ef out-$t/usr/bin/other ] || fail "the hard link is none"
	[ "$(stat -c %a:%u:%g:%F tree/.hidden tree/tmp tree/fifo)" = "$(stat -c %a:%u:%g:%F out-$t/.hidden out-$t/tmp out-$t/fifo)" ] || fail "attributes"
done
image ls | grep -q '^t:zstd .* 1 ' || fail "ls"
image history t:gz | grep -q 'image import' || fail "history"
image verify | grep -q ' 0 faults' || fail "verify"

# ---- archives ----
for format in oci docker; do
	image save --format $format -o $format.tar t:gz >/dev/null
	"$RINGSIDE" image load --store "$dir/store-$format" $format.tar >loaded
	"$RINGSIDE" image unpack --store "$dir/store-$format" t:gz back-$format
	same tree back-$format || fail "$format archive: another tree"
done
"$RINGSIDE" image ls --store "$dir/store-oci" | grep -q "$(cut -c8-19 digest)" || fail "the OCI archive has another digest"
image save -o one.tar t:gz >/dev/null; image save -o two.tar t:gz >/dev/null; cmp one.tar two.tar || fail "two archives of one image differ"
head -c 100000 oci.tar >cut.tar
! image load cut.tar cut:1 2>err || fail "half an archive was loaded"
! image inspect cut:1 2>/dev/null || fail "half an archive got a name"

# ---- artifacts ----
echo '{"sbom":1}' >sbom.json
image import --artifact application/vnd.example.sbom --media-type application/json sbom.json sbom:1 >/dev/null
image ls | grep -q 'sbom:1 .*application/vnd.example.sbom' || fail "artifact"
! image unpack sbom:1 nowhere 2>err && grep -q 'artifact' err && [ ! -e nowhere ] || fail "an artifact has no tree"

# ---- other people's tools ----
if command -v umoci >/dev/null && [ "$(id -u)" = 0 ]; then
	umoci unpack --image store:t:gz bundle 2>/dev/null || fail "umoci does not unpack it"
	same tree bundle/rootfs || fail "umoci unpacks another tree"
	umoci init --layout um && umoci new --image um:x && umoci insert --image um:x tree /in && umoci config --image um:x --config.user 7
	"$RINGSIDE" image unpack --store um x from-umoci || fail "umoci's image cannot be read"
	cmp tree/big from-umoci/in/big
	image copy oci:um:x x:1 >/dev/null && image inspect x:1 | grep -q '"User": "7"' || fail "copy from umoci's layout"
else
	echo "skip: no comparison with umoci"
fi
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >policy.json
if command -v skopeo >/dev/null; then
	sk() { skopeo --policy policy.json --tmpdir "$dir" "$@" >skopeo.log 2>&1 || fail "skopeo $*: $(tail -n 3 skopeo.log)"; }
	sk inspect oci:store:t:gz
	sk copy oci-archive:oci.tar oci:sk-oci:a
	sk copy docker-archive:docker.tar oci:sk-docker:b
	sk copy oci:store:t:gz docker-archive:sk.tar:sk:1
	[ "$("$RINGSIDE" image inspect --store sk-oci a | grep -m1 digest)" = "$(image inspect t:gz | grep -m1 digest)" ] || fail "skopeo changed the digest"
	image load sk.tar sk:1 >/dev/null && image unpack sk:1 from-skopeo && cmp tree/big from-skopeo/big || fail "skopeo's docker archive"
fi

# ---- a registry ----
if command -v docker-registry >/dev/null; then
	port=$((20000 + RANDOM % 20000))
	cat >registry.yml <<-YML
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $dir/registry}}
		http: {addr: "127.0.0.1:$port"}
	YML
	docker-registry serve registry.yml >registry.log 2>&1 &
	registry=$!
	for i in {1..50}; do (: </dev/tcp/127.0.0.1/$port) 2>/dev/null && break || sleep 0.1; done
	at=127.0.0.1:$port
	image push t:gz $at/class/t:1 >pushed || fail "push: $(cat registry.log)"
	cmp digest pushed
	image push t:gz $at/class/t:2 >/dev/null || fail "push again"
	"$RINGSIDE" image pull --store "$dir/pulled" $at/class/t:1 >again || fail "pull"
	cmp digest again
	"$RINGSIDE" image verify --store "$dir/pulled" >/dev/null || fail "what was pulled is damaged"
	! image pull $at/class/t:none 2>err && grep -q 'status 404, MANIFEST_UNKNOWN' err || fail "no such tag: $(cat err)"
	if command -v skopeo >/dev/null; then
		sk copy --src-tls-verify=false docker://$at/class/t:1 oci:sk-pull:x
		sk copy --dest-tls-verify=false oci:store:t:zstd docker://$at/class/t:sk
		image pull $at/class/t:sk sk:2 >again
		[ "$(cat again)" = "$(image inspect t:zstd | sed -n 's/.*"digest": "\(.*\)".*/\1/p' | head -n 1)" ] || fail "skopeo pushed another digest"
	fi
	kill $registry
	registry=
	! image pull $at/class/t:1 2>err && grep -q "the registry $at: " err || fail "a registry that is gone: $(cat err)"
else
	echo "skip: docker-registry is not installed"
fi

# ---- names and removal ----
image tag t:gz copy:1
image rm t:gz t:none 2>err || fail "rm: $(cat err)"
image inspect copy >/dev/null 2>&1 && fail "copy:latest is another name"
image inspect copy:1 >/dev/null || fail "a name was removed, and the image with it"
image rm "$(cut -c8-20 digest)" 2>err && ! image inspect copy:1 2>/dev/null || fail "rm by digest"
! image inspect zstt 2>err; ! image inspect t:zsdt 2>err; grep -q 'did you mean t:zstd' err || fail "no suggestion"
image verify >/dev/null
