#!/bin/bash
# ringside registry: our own client and skopeo push and pull; chunks, ranges, mounts, lists; what it refuses.
set -eu
RINGSIDE=$(realpath "$RINGSIDE")
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache RINGSIDE_LANG=en
fail() { echo "$*"; exit 1; }
cd "$dir"
"$RINGSIDE" registry --port 0 --for 60s --store served >address 2>log &
server=$!
for i in {1..100}; do [ -s address ] && break || sleep 0.1; done
at=$(cat address)
[ -n "$at" ] || fail "it does not say where it listens"

mkdir tree && head -c 20000000 /dev/urandom >tree/big && echo small >tree/small
"$RINGSIDE" image import --store mine tree t:1 >digest
"$RINGSIDE" image push --store mine t:1 $at/class/t:1 >pushed || fail "push: $(cat log)"
[ "$(grep -c '^202 PATCH' log)" -ge 3 ] || fail "20 MB were not sent in chunks: $(cat log)"
"$RINGSIDE" image pull --store back $at/class/t:1 >pulled || fail "pull: $(cat log)"
cmp digest pushed && cmp digest pulled || fail "another digest"
"$RINGSIDE" image verify --store back >/dev/null || fail "what came back is damaged"
: >log
"$RINGSIDE" image push --store mine t:1 $at/class/t:2 >/dev/null
! grep -q PATCH log || fail "blobs that are there were sent again"

# a pull that was interrupted: the rest alone is fetched
layer=$(ls -S mine/blobs/sha256 | head -n 1)
exec 3<>/dev/tcp/${at%:*}/${at#*:}
printf 'GET /v2/class/t/blobs/sha256:%s HTTP/1.1\r\nHost: x\r\nRange: bytes=20000000-\r\nConnection: close\r\n\r\n' "$layer" >&3
cat <&3 >answer
exec 3>&-
size=$(stat -c %s "mine/blobs/sha256/$layer")
grep -aq '^HTTP/1.1 206' answer && grep -aq "^Content-Range: bytes 20000000-$((size - 1))/$size" answer || fail "range: $(head -c 300 answer)"
tail -c $((size - 20000000)) answer | cmp - <(tail -c $((size - 20000000)) "mine/blobs/sha256/$layer") || fail "another rest"

ask() { # what the request in $1 is answered
	exec 3<>/dev/tcp/${at%:*}/${at#*:}
	printf "$1" >&3
	timeout 20 cat <&3 >answer || fail "no end of the answer to: $1"
	exec 3>&-
}
ask 'GET /v2/class/t/tags/list HTTP/1.0\r\n\r\n'; grep -aq '{"name":"class/t","tags":\["1","2"\]}' answer || fail "tags: $(cat answer)"
ask 'GET /v2/class/t/tags/list?n=1&last=1 HTTP/1.0\r\n\r\n'; grep -aq '"tags":\["2"\]' answer || fail "tags, page 2: $(cat answer)"
ask 'GET /v2/_catalog HTTP/1.0\r\n\r\n'; grep -aq '{"repositories":\["class/t"\]}' answer || fail "catalog: $(cat answer)"
ask "POST /v2/other/blobs/uploads/?mount=sha256:$layer&from=class/t HTTP/1.0\r\n\r\n"; grep -aq '^HTTP/1.1 201' answer || fail "mount: $(cat answer)"
ask 'DELETE /v2/class/t/manifests/2 HTTP/1.0\r\n\r\n'; grep -aq '^HTTP/1.1 202' answer || fail "delete: $(cat answer)"
ask 'GET /v2/class/t/manifests/2 HTTP/1.0\r\n\r\n'; grep -aq 'MANIFEST_UNKNOWN' answer || fail "it is still there: $(cat answer)"
# refused
ask 'PUT /v2/x/manifests/1 HTTP/1.0\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nContent-Length: 2\r\n\r\n{}'
grep -aq 'MANIFEST_INVALID.*this is missing' answer || fail "an empty manifest: $(cat answer)"
ask 'PUT /v2/../x/manifests/1 HTTP/1.0\r\nContent-Length: 0\r\n\r\n'; grep -aq '^HTTP/1.1 404' answer || fail "..: $(cat answer)"
ask 'GET /v2/x/blobs/sha256:..%%2f..%%2f..%%2fetc%%2fpasswd HTTP/1.0\r\n\r\n'; grep -aq 'BLOB_UNKNOWN' answer || fail "a path for a digest: $(cat answer)"
ask 'POST /v2/x/blobs/uploads/?digest=sha256:0000000000000000000000000000000000000000000000000000000000000000 HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc'
grep -aq 'DIGEST_INVALID' answer || fail "a digest that lies: $(cat answer)"
ask 'GET / HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'; grep -aq '^HTTP/1.1 400' answer || fail "two lengths: $(cat answer)"
ask 'nonsense\r\n\r\n'; grep -aq '^HTTP/1.1 400' answer || fail "nonsense: $(cat answer)"
[ -z "$(ls served/tmp)" ] || fail "uploads were left: $(ls served/tmp)"

if command -v skopeo >/dev/null; then
	echo '{"default":[{"type":"insecureAcceptAnything"}]}' >policy.json
	sk() { skopeo --policy policy.json --tmpdir "$dir" "$@" >skopeo.log 2>&1 || fail "skopeo $*: $(tail -n 3 skopeo.log) $(tail -n 5 log)"; }
	sk copy --src-tls-verify=false docker://$at/class/t:1 oci:sk:x
	sk copy --dest-tls-verify=false oci:mine:t:1 docker://$at/skopeo/t:1
	sk inspect --tls-verify=false docker://$at/skopeo/t:1
	grep -q "$(cat digest)" skopeo.log || fail "skopeo sees another digest"
	"$RINGSIDE" image pull --store back $at/skopeo/t:1 >pulled && cmp digest pulled || fail "what skopeo pushed"
else
	echo "skip: skopeo is not installed"
fi
kill $server
wait $server || fail "it ended with an error"
server=
