#!/bin/bash
# What an OCI runtime must do, section by section of runtime-spec 1.2 (runtime.md, config.md,
# config-linux.md, runtime-linux.md), seen from outside and from inside of containers.
#   tests/e2e/oci_conformance.sh                    ringside-oci
#   tests/e2e/oci_conformance.sh --all              and crun and runc beside it: a difference is our
#                                                   mistake or a choice
#   tests/e2e/oci_conformance.sh --runtime PROGRAM  PROGRAM alone
set -u
[ "$(id -u)" = 0 ] || { echo "skip: containers as root need root"; exit 77; }
busybox=$(command -v busybox) && ! ldd "$busybox" >/dev/null 2>&1 || { echo "skip: busybox-static is not installed"; exit 77; }
unshare -m true 2>/dev/null || { echo "skip: no mount namespaces here"; exit 77; }
self=$(readlink -f "$0")
oci=$(readlink -f "${RINGSIDE:-build/ringside}")-oci

# crun refuses hybrid cgroups: it gets a mount namespace without the second hierarchy.
if [ "${1:-}" = --runtime ] && [ "$(basename "$2")" = crun ] && [ -z "${NO_UNIFIED:-}" ] &&
	[ -d /sys/fs/cgroup/unified ]; then
	NO_UNIFIED=1 exec unshare -m --propagation private sh -c 'umount /sys/fs/cgroup/unified; exec "$@"' sh "$self" "$@"
fi
if [ "${1:-}" != --runtime ]; then
	"$self" --runtime "$oci"
	rc=$?
	for other in crun runc; do
		[ "${1:-}" = --all ] && command -v $other >/dev/null &&
			"$self" --runtime "$(command -v $other)" | sed 's/^/  /'
	done
	exit $rc
fi
runtime=$2 name=$(basename "$2")
dir=$(mktemp -d) || exit 3
root=$dir/root B=$dir/bundle
host_file=$dir/host-file
mkdir -p "$root" "$B/rootfs"/{bin,proc,sys,dev,tmp,etc,data,secret}
trap 'cleanup' EXIT
cleanup() {
	for d in "$root"/*/; do [ -d "$d" ] && "$runtime" --root "$root" delete -f "$(basename "$d")" >/dev/null 2>&1; done
	umount -R "$dir" 2>/dev/null
	rm -rf "$dir"
}
cp "$busybox" "$B/rootfs/bin/busybox"
for a in sh ls cat id true false sleep ps hostname echo env stat mount grep touch mkdir rm kill pwd umask wc head tail \
	dd awk ulimit ip sed tr readlink tty chroot nice ionice seq test uname dnsdomainname basename od sort ln cut; do
	ln -s busybox "$B/rootfs/bin/$a"
done
echo secret >"$B/rootfs/secret/file"
echo masked >"$B/rootfs/etc/masked"
echo old >"$B/rootfs/data/old"

passed=0 failed=0 list=
oci() { "$runtime" --root "$root" "$@"; }
# case SECTION WHAT EXPECTED ACTUAL
is() {
	if [[ $4 == "$3" || $4 == $3 ]]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		list+="    $1: $2: wanted \"$3\", got \"${4:0:200}\""$'\n'
	fi
}
ok() { if "${@:3}" >"$dir/out" 2>&1; then is "$1" "$2" yes yes; else is "$1" "$2" yes "no: $(tail -n 1 "$dir/out")"; fi; }
no() { if "${@:3}" >"$dir/out" 2>&1; then is "$1" "$2" no yes; else is "$1" "$2" no no; fi; }

# The parts of config.json; every case changes some of them.
reset() {
	version=1.0.2 user='"uid":0,"gid":0' env='"PATH=/bin"' cwd=/ process= annotations= hooks= linux= more=
	caps='"bounding":["CAP_SYS_ADMIN","CAP_KILL","CAP_MKNOD","CAP_SETUID","CAP_SETGID"],"effective":["CAP_SYS_ADMIN","CAP_KILL","CAP_MKNOD","CAP_SETUID","CAP_SETGID"],"permitted":["CAP_SYS_ADMIN","CAP_KILL","CAP_MKNOD","CAP_SETUID","CAP_SETGID"]'
	ns='{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"network"}'
	proc='{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755","size=65536k"]},{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620","gid=5"]}'
	mounts= rootfs='"path":"rootfs"' terminal=false
}
config() { # the shell command that the container runs
	local command=${1//\\/\\\\}
	command=${command//\"/\\\"}
	cat >"$B/config.json" <<JSON
{"ociVersion":"$version","process":{"terminal":$terminal,"user":{$user},"args":["sh","-c","$command"],"env":[$env],"cwd":"$cwd","capabilities":{$caps}$process},
"root":{$rootfs},"hostname":"inside","mounts":[$proc$mounts],"annotations":{$annotations},"hooks":{$hooks},
"linux":{"namespaces":[$ns]$linux}$more}
JSON
}
n=0
# Runs one and gives what it says, errors in one line behind it.
run() {
	config "$1"
	n=$((n + 1))
	oci run --bundle "$B" "c$n" 2>&1 </dev/null
}
fails() { # SECTION WHAT: the configuration at hand must be refused, and nothing may be left
	config true
	n=$((n + 1))
	no "$1" "$2" oci create --bundle "$B" "c$n"
	oci delete -f "c$n" >/dev/null 2>&1
}

# ---- runtime.md ----
reset
s="runtime.md State"
config "sleep 100"
ok "runtime.md Create" "a bundle becomes a container" oci create --bundle "$B" life </dev/null
state=$(oci state life | tr -d ' \n')
is "$s" "status after create" '*"status":"created"*' "$state"
is "$s" "ociVersion is there" '*"ociVersion":"1.*' "$state"
is "$s" "id is there" '*"id":"life"*' "$state"
is "$s" "bundle is absolute" "*\"bundle\":\"$B\"*" "$state"
pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/' <<<"$state")
ok "$s" "pid is a process" test -d "/proc/$pid"
no "runtime.md Create" "an id is there only once" oci create --bundle "$B" life
no "runtime.md Create" "a bad id is refused" oci create --bundle "$B" ../life
no "runtime.md Create" "a bundle that is not there" oci create --bundle "$dir/none" none
no "runtime.md State" "a container that is not there" oci state none
no "runtime.md Delete" "one that is created cannot be deleted" oci delete life-none
ok "runtime.md Start" "start" oci start life
is "$s" "status after start" '*"status":"running"*' "$(oci state life | tr -d ' \n')"
no "runtime.md Start" "a running container cannot be started" oci start life
no "runtime.md Delete" "a running container cannot be deleted" oci delete life
is "runtime.md Delete" "and it runs on" '*running*' "$(oci state life)"
ok "runtime.md Kill" "a signal" oci kill life KILL
for i in $(seq 50); do [[ $(oci state life) == *stopped* ]] && break; sleep 0.02; done
is "$s" "status after its end" '*"status":"stopped"*' "$(oci state life | tr -d ' \n')"
no "runtime.md Kill" "a stopped container gets no signal" oci kill life KILL
no "runtime.md Start" "a stopped container cannot be started" oci start life
ok "runtime.md Delete" "delete" oci delete life
no "runtime.md Delete" "deleted is gone" oci state life
no "runtime.md Start" "a container that is not there" oci start none
no "runtime.md Kill" "a container that is not there" oci kill none KILL
config "sleep 100"
oci create --bundle "$B" life </dev/null >/dev/null 2>&1
ok "runtime.md Kill" "a container that is only created" oci kill life KILL
for i in $(seq 50); do [[ $(oci state life) == *stopped* ]] && break; sleep 0.02; done
ok "runtime.md Delete" "its id may be used again" sh -c "'$runtime' --root '$root' delete life && '$runtime' --root '$root' create --bundle '$B' life </dev/null"
echo '{}' >"$B/config.json"
ok "runtime.md Create" "later changes of config.json have no effect" oci start life
oci delete -f life >/dev/null 2>&1
config 'exit 7'
oci run --bundle "$B" ex </dev/null; is "runtime.md" "run ends as the program did" 7 $?
ns='{"type":"uts"},{"type":"mount"}'; config 'kill -TERM $$'
oci run --bundle "$B" ex </dev/null; is "runtime.md" "run tells the signal" 143 $?
oci delete -f ex >/dev/null 2>&1

# ---- config.md ----
reset
s="config.md Version"
version=1.2.0; is "$s" "1.2.0" yes "$(run 'echo yes')"
version=0.2; fails "$s" "0.2 is not SemVer"
version=nonsense; fails "$s" "nonsense"
reset
s="config.md Root"
is "$s" "path" "secret" "$(run 'cat /secret/file')"
rootfs='"path":"rootfs","readonly":true'; is "$s" "readonly" "*Read-only*" "$(run 'touch /x')"
rootfs='"path":"none"'; fails "$s" "a folder must be there"
rootfs='"path":"'$B'/rootfs"'; is "$s" "an absolute path" "secret" "$(run 'cat /secret/file')"
reset; rm -f "$B/rootfs/w"; is "$s" "writable unless readonly" "yes" "$(run 'touch /w && echo yes')"; rm -f "$B/rootfs/w"
is "$s" "nothing of the host's root is there" "" "$(run 'ls /root /usr /boot 2>/dev/null')"
is "$s" ".. does not lead out" "yes" "$(run 'test -e /../../../../bin/busybox && echo yes')"

s="config.md Mounts"
reset
mounts=',{"destination":"/tmp","type":"tmpfs","source":"tmpfs","options":["nosuid","noexec","nodev","mode=700","size=64k"]}'
is "$s" "tmpfs with options" "*nosuid,nodev,noexec*size=64k,mode=700*" "$(run 'grep " /tmp " /proc/mounts')"
mounts=',{"destination":"/new/deep","type":"tmpfs","source":"tmpfs"}'
is "$s" "a missing place is made" yes "$(run 'grep -q " /new/deep " /proc/mounts && echo yes')"
mounts=',{"destination":"/tmp","type":"tmpfs","source":"a"},{"destination":"/tmp/in","type":"tmpfs","source":"b"}'
is "$s" "in their order" "a b" "$(run 'grep " /tmp" /proc/mounts | cut -d" " -f1 | tr "\n" " " | sed "s/ $//"')"
echo host >"$host_file"
mounts=',{"destination":"/etc/host","type":"none","source":"'$host_file'","options":["bind"]}'
is "$s" "bind of a file" host "$(run 'cat /etc/host')"
mounts=',{"destination":"/etc/host","type":"bind","source":"'$host_file'","options":["bind","ro"]}'
is "$s" "bind, ro" "*Read-only*" "$(run 'echo x >/etc/host')"
is "$s" "the host's file stays" host "$(cat "$host_file")"
mkdir -p "$B/rel"; echo rel >"$B/rel/f"
mounts=',{"destination":"/mnt","type":"bind","source":"rel","options":["bind"]}'
is "$s" "a source relative to the bundle" rel "$(run 'cat /mnt/f')"
mkdir -p "$dir/tree/sub"; mount -t tmpfs sub "$dir/tree/sub"; touch "$dir/tree/sub/in"
mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/tree","options":["rbind"]}'
is "$s" "rbind takes what is mounted below" in "$(run 'ls /mnt/sub')"
mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/tree","options":["bind"]}'
is "$s" "bind does not" "" "$(run 'ls /mnt/sub')"
mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/tree","options":["rbind","rro"]}'
is "$s" "rro makes all of it read-only" "*Read-only*" "$(run 'touch /mnt/sub/x')"
mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/tree","options":["rbind","ro"]}'
is "$s" "ro only the top" "yes" "$(run 'touch /mnt/sub/y && echo yes')"
mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/tree","options":["rbind","rnoexec","rnosuid","rnodev"]}'
is "$s" "rnoexec, rnosuid, rnodev" "*nosuid,nodev,noexec*" "$(run 'grep /mnt/sub /proc/mounts')"
umount "$dir/tree/sub"
mounts=',{"destination":"/data","type":"tmpfs","source":"tmpfs","options":["tmpcopyup"]}'
is "$s" "tmpcopyup" "old" "$(run 'cat /data/old; rm /data/old')"
is "$s" "and the original stays" old "$(cat "$B/rootfs/data/old")"
mounts=',{"destination":"tmp","type":"tmpfs","source":"tmpfs"}'
is "$s" "a relative destination counts from /" yes "$(run 'grep -q " /tmp " /proc/mounts && echo yes')"
for how in shared slave private unbindable; do
	mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/tree","options":["rbind","'$how'"]}'
	out=$(run 'grep " /mnt " /proc/self/mountinfo')
	case $how in
	shared) is "$s" "propagation $how" "*shared:*" "$out" ;;
	unbindable) is "$s" "propagation $how" "*unbindable*" "$out" ;;
	*) is "$s" "propagation $how" "*- *" "$(sed 's/shared:.*//' <<<"$out")" ;;
	esac
done
mounts=',{"destination":"/mnt","type":"tmpfs","source":"t","options":["noatime","nodiratime","sync","dirsync"]}'
is "$s" "noatime, sync, dirsync" "*sync,dirsync,noatime*" "$(run 'grep " /mnt " /proc/mounts')"
mounts=',{"destination":"/mnt","type":"tmpfs","source":"t","options":["nosymfollow"]}'
is "$s" "nosymfollow" "*nosymfollow*" "$(run 'grep " /mnt " /proc/mounts')"
mounts=',{"destination":"/mnt","type":"nonsense","source":"t"}'; fails "$s" "an unknown file system"
mounts=',{"destination":"/mnt","type":"tmpfs","source":"t","options":["nonsense=1"]}'; fails "$s" "an option that the file system refuses"
mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/none","options":["bind"]}'; fails "$s" "a source that is not there"
mkdir -p "$dir/owned"; touch "$dir/owned/f"; chown 1000:1000 "$dir/owned/f"
mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/owned","options":["bind","idmap"],"uidMappings":[{"containerID":1000,"hostID":2000,"size":1}],"gidMappings":[{"containerID":1000,"hostID":2000,"size":1}]}'
is "$s" "id-mapped" "2000:2000" "$(run 'stat -c %u:%g /mnt/f')"
mounts=',{"destination":"/mnt","type":"bind","source":"'$dir'/owned","options":["bind","idmap"]}'; fails "$s" "idmap without any mapping"
ln -sfn /etc "$B/rootfs/link"; ln -sfn / "$B/rootfs/up"; ln -sfn ../../../../../.. "$B/rootfs/far"
mounts=',{"destination":"/link/x","type":"tmpfs","source":"t"}'
is "$s" "a link in the root stays in the root" yes "$(run 'grep -q " /etc/x " /proc/mounts && echo yes')"
mounts=',{"destination":"/far'$dir'/out","type":"tmpfs","source":"t"}'
run true >/dev/null; ok "$s" "links cannot lead out" test ! -e "$dir/out-made" -a ! -d "$dir/out/x"
is "$s" "nor make folders outside" no "$(test -d "$dir/out" -a ! -f "$dir/out" && [ -z "${x:-}" ] && [ -d "$dir/out/lost" ] && echo yes || echo no)"
rm -rf "$B/rootfs/tmp/"* "$B/rootfs/new" "$B/rootfs/mnt" "$B/rootfs/etc/x" "$B/rootfs/etc/host" "$B/rootfs/$dir"

s="config.md Process"
reset
is "$s" "args" "a b" "$(run 'echo a b')"
cwd=/secret; is "$s" "cwd" /secret "$(run pwd)"
cwd=secret; fails "$s" "cwd must be absolute"
reset; env='"PATH=/bin","A=1","B=x y"'; is "$s" "env" "1x y" "$(run 'echo $A$B')"
reset; is "$s" "nothing of the runtime's environment" "" "$(LEAK=1 run 'echo $LEAK')"
user='"uid":1000,"gid":1001,"additionalGids":[5,6]'; is "$s" "user" "uid=1000 gid=1001 groups=*5,6" "$(run id)"
user='"uid":0,"gid":0,"umask":63'; is "$s" "umask" "0077" "$(run umask)"
reset; process=',"rlimits":[{"type":"RLIMIT_NOFILE","soft":100,"hard":200}]'
is "$s" "rlimits" "100 200" "$(run 'echo $(ulimit -Sn) $(ulimit -Hn)')"
process=',"rlimits":[{"type":"RLIMIT_NOFILE","soft":100,"hard":200},{"type":"RLIMIT_NOFILE","soft":100,"hard":200}]'; fails "$s" "an rlimit twice"
process=',"rlimits":[{"type":"RLIMIT_NONSENSE","soft":1,"hard":1}]'; fails "$s" "an unknown rlimit"
process=',"noNewPrivileges":true'; is "$s" "noNewPrivileges" "NoNewPrivs:*1" "$(run 'grep NoNewPrivs /proc/self/status')"
process=; is "$s" "and not otherwise" "NoNewPrivs:*0" "$(run 'grep NoNewPrivs /proc/self/status')"
process=',"oomScoreAdj":123'; is "$s" "oomScoreAdj" 123 "$(run 'cat /proc/self/oom_score_adj')"
process=; is "$s" "unchanged without" "$(cat /proc/self/oom_score_adj)" "$(run 'cat /proc/self/oom_score_adj')"
process=',"scheduler":{"policy":"SCHED_BATCH","nice":5}'; is "$s" "scheduler" "5 3" "$(run 'awk "{print \$19, \$41}" /proc/self/stat')"
process=',"scheduler":{"policy":"SCHED_NONSENSE"}'; fails "$s" "an unknown policy"
process=',"ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":0}'; is "$s" "ioPriority" "idle*" "$(run 'ionice -p $$')"
reset; is "$s" "descriptors of the caller are not passed" "0 1 2" "$(exec 7</etc/passwd 9</etc/hosts; run 'ls /proc/$$/fd; :' | tr "\n" " " | sed "s/ 10//; s/ $//")"
caps='"bounding":["CAP_KILL","CAP_CHOWN"],"permitted":["CAP_KILL"],"effective":["CAP_KILL"],"inheritable":["CAP_KILL"],"ambient":["CAP_KILL"]'
out=$(run 'grep Cap /proc/self/status | tr "\n\t" "  "')
is "$s" "bounding" "*CapBnd: 0000000000000021*" "$out"
is "$s" "permitted" "*CapPrm: 0000000000000021*" "$out"
is "$s" "inheritable" "*CapInh: 0000000000000020*" "$out"
is "$s" "ambient" "*CapAmb: 0000000000000020*" "$out"
user='"uid":1000,"gid":1000'
is "$s" "ambient reaches a program of a user" "CapEff:*0000000000000020" "$(run 'grep CapEff /proc/self/status')"
caps='"bounding":["CAP_KILL"]'; user='"uid":1000,"gid":1000'
is "$s" "a user has none otherwise" "CapEff:*0000000000000000" "$(run 'grep CapEff /proc/self/status')"
reset; caps='"bounding":["CAP_NONSENSE","CAP_KILL"]'
is "$s" "an unknown capability is no error" yes "$(run 'echo yes' 2>/dev/null | tail -n 1)"
reset; config true; sed -i 's/"sh","-c","true"/"\/nonexistent"/' "$B/config.json"
no "$s" "a program that is not there" oci run --bundle "$B" nx
oci delete -f nx >/dev/null 2>&1

s="config.md Hostname"
reset; is "$s" "hostname" inside "$(run hostname)"
is "$s" "the host's stays" "$(cat /proc/sys/kernel/hostname)" "$(hostname)"
more=',"domainname":"dom.test"'; is "$s" "domainname" dom.test "$(run 'cat /proc/sys/kernel/domainname')"
reset; ns='{"type":"pid"},{"type":"mount"},{"type":"ipc"}'; fails "$s" "hostname without a uts namespace"

s="config.md Hooks"
reset
cat >"$dir/hook" <<'H'
#!/bin/sh
read -r state
echo "$1 $(echo "$state" | sed 's/.*"status": *"\([a-z]*\)".*/\1/')" >>"$2"
H
chmod +x "$dir/hook"
cp "$dir/hook" "$B/rootfs/bin/hook"
: >"$dir/log"
h() { echo '"'$1'":[{"path":"'$dir'/hook","args":["hook","'$1'","'$dir'/log"],"env":["PATH=/bin:/usr/bin"]}]'; }
hooks="$(h prestart),$(h createRuntime),$(h createContainer),$(h poststart),$(h poststop),\"startContainer\":[{\"path\":\"/bin/hook\",\"args\":[\"hook\",\"startContainer\",\"/log\"],\"env\":[\"PATH=/bin\"]}]"
rm -f "$B/rootfs/log"
run true >/dev/null
is "$s" "in order" "prestart createRuntime createContainer poststart poststop" "$(cut -d' ' -f1 "$dir/log" | tr '\n' ' ' | sed 's/ $//')"
is "$s" "prestart sees creating" "prestart creat*" "$(grep prestart "$dir/log")"
is "$s" "createRuntime sees creating" "createRuntime creat*" "$(grep createRuntime "$dir/log")"
is "$s" "poststart sees running" "poststart running" "$(grep poststart "$dir/log")"
is "$s" "poststop sees stopped" "poststop stopped" "$(grep poststop "$dir/log")"
is "$s" "startContainer runs inside" "startContainer created" "$(cat "$B/rootfs/log" 2>/dev/null)"
for kind in prestart createRuntime createContainer; do
	hooks='"'$kind'":[{"path":"/bin/false"}]'; fails "$s" "$kind that fails"
done
hooks='"startContainer":[{"path":"/bin/false"}]'; is "$s" "startContainer that fails stops it" "*" "$(run 'echo ran')"
is "$s" "and the program does not run" no "$(run 'echo ran' 2>/dev/null | grep -q ran && echo yes || echo no)"
oci delete -f "c$n" >/dev/null 2>&1
hooks='"poststop":[{"path":"/bin/false"},{"path":"'$dir'/hook","args":["hook","after","'$dir'/log"],"env":["PATH=/bin:/usr/bin"]}]'
run true >/dev/null 2>&1; is "$s" "poststop that fails is a warning, the next runs" "*after*" "$(cat "$dir/log")"
hooks='"createRuntime":[{"path":"/bin/sleep","args":["sleep","60"],"timeout":1}]'; fails "$s" "a hook has its time"
hooks='"createRuntime":[{"path":"relative"}]'; fails "$s" "a path must be absolute"
hooks='"createRuntime":[{"path":"/bin/true","timeout":0}]'; fails "$s" "a timeout must be above 0"

s="config.md Annotations"
reset; annotations='"com.example.k":"v"'
config "sleep 9"; oci create --bundle "$B" an </dev/null >/dev/null 2>&1
is "$s" "are in the state" '*"com.example.k":"v"*' "$(oci state an | tr -d ' \n')"
oci delete -f an >/dev/null 2>&1
reset; more=',"unknown":{"deep":[1,2]}'; is "config.md Extensibility" "unknown properties are ignored" yes "$(run 'echo yes')"
reset; config true; echo '{' >"$B/config.json"; no "config.md" "broken JSON" oci create --bundle "$B" bj
echo '[]' >"$B/config.json"; no "config.md" "no object" oci create --bundle "$B" bj
oci delete -f bj >/dev/null 2>&1

# ---- config-linux.md ----
s="config-linux.md Namespaces"
reset
for t in pid:pid network:net ipc:ipc uts:uts mount:mnt; do
	is "$s" "${t%:*} is new" no "$([ "$(run "readlink /proc/self/ns/${t#*:}")" = "$(readlink /proc/self/ns/${t#*:})" ] && echo same || echo no)"
done
ns='{"type":"pid"},{"type":"mount"},{"type":"uts"}'
for t in net ipc; do
	is "$s" "$t is the runtime's when not listed" "$(readlink /proc/self/ns/$t)" "$(run "readlink /proc/self/ns/$t")"
done
reset; ns+=',{"type":"cgroup"}'
is "$s" "cgroup: its own group is the root" "*:/" "$(run 'head -n 1 /proc/self/cgroup')"
unshare -n sleep 60 & helper=$!
sleep 0.1
ns='{"type":"pid"},{"type":"mount"},{"type":"uts"},{"type":"ipc"},{"type":"network","path":"/proc/'$helper'/ns/net"}'
is "$s" "network by path" "$(readlink /proc/$helper/ns/net)" "$(run 'readlink /proc/self/ns/net')"
ns='{"type":"pid"},{"type":"mount"},{"type":"uts"},{"type":"ipc","path":"/proc/'$helper'/ns/net"}'; fails "$s" "a path of another type"
ns='{"type":"pid"},{"type":"mount"},{"type":"uts"},{"type":"ipc","path":"/none"}'; fails "$s" "a path that is not there"
ns='{"type":"pid"},{"type":"mount"},{"type":"uts"},{"type":"uts"}'; fails "$s" "a type twice"
ns='{"type":"pid"},{"type":"mount"},{"type":"uts"},{"type":"nonsense"}'; fails "$s" "an unknown type"
kill $helper; wait $helper 2>/dev/null
unshare -fp sleep 60 & helper=$!
sleep 0.1
child=$(cat /proc/$helper/task/$helper/children | tr -d ' ')
ns='{"type":"pid","path":"/proc/'$child'/ns/pid"},{"type":"mount"},{"type":"uts"},{"type":"ipc"}'
is "$s" "pid by path" "$(readlink /proc/$child/ns/pid)" "$(run 'readlink /proc/self/ns/pid')"
kill -KILL $child $helper 2>/dev/null; wait $helper 2>/dev/null
reset; is "$s" "it is process 1" 1 "$(run 'echo $$')"
is "$s" "lo is up in a new network" "*UP*" "$(run 'ip link show lo')"

s="config-linux.md User namespace"
reset; ns+=',{"type":"user"}'
linux=',"uidMappings":[{"containerID":0,"hostID":100000,"size":1000}],"gidMappings":[{"containerID":0,"hostID":200000,"size":1000}]'
chmod 755 "$dir"
is "$s" "uid map" "*0*100000*1000" "$(run 'cat /proc/self/uid_map')"
is "$s" "gid map" "*0*200000*1000" "$(run 'cat /proc/self/gid_map')"
is "$s" "root inside" "uid=0 gid=0*" "$(run id)"
is "$s" "devices are usable" yes "$(run 'echo x >/dev/null && head -c 1 /dev/zero | wc -c | grep -q 1 && echo yes')"
user='"uid":7,"gid":8'; is "$s" "a user inside" "uid=7 gid=8*" "$(run id)"
linux=; fails "$s" "no mappings"
reset; linux=',"uidMappings":[{"containerID":0,"hostID":0,"size":1}],"gidMappings":[{"containerID":0,"hostID":0,"size":1}]'; fails "$s" "mappings without the namespace"

s="config-linux.md Time offsets"
reset; ns+=',{"type":"time"}'; linux=',"timeOffsets":{"boottime":{"secs":1000000},"monotonic":{"secs":2000000,"nanosecs":5}}'
is "$s" "boottime" yes "$(run 'test $(cut -d. -f1 /proc/uptime) -gt 1000000 && echo yes')"
is "$s" "monotonic" "*monotonic*2000000*5*" "$(run 'cat /proc/self/timens_offsets' | tr '\n' ' ')"

s="config-linux.md Devices"
reset
for d in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
	IFS=: read -r name2 major minor <<<"$d"
	is "$s" "default $name2" "$(printf '%x:%x' $major $minor) 666" "$(run "stat -c '%t:%T %a' /dev/$name2")"
done
is "$s" "ptmx" "*pts/ptmx" "$(run 'readlink /dev/ptmx')"
linux=',"devices":[{"path":"/dev/mine","type":"c","major":1,"minor":3,"fileMode":384,"uid":3,"gid":4},{"path":"/deep/er/fifo","type":"p"}]'
is "$s" "a device with mode and owner" "1:3 600 3 4" "$(run "stat -c '%t:%T %a %u %g' /dev/mine")"
is "$s" "a pipe elsewhere" "fifo" "$(run 'stat -c %F /deep/er/fifo')"
linux=',"devices":[{"path":"/dev/null","type":"c","major":1,"minor":3,"fileMode":8630},{"path":"/dev/zero","type":"c","major":1,"minor":5,"fileMode":384}]'
is "$s" "a default device with a mode of its own" "666 600" "$(run 'echo $(stat -c %a /dev/null /dev/zero)')"
rm -rf "$B/rootfs/deep"; touch "$B/rootfs/etc/taken"; echo x >"$B/rootfs/etc/taken"
linux=',"devices":[{"path":"/etc/taken","type":"c","major":1,"minor":3}]'; fails "$s" "another file is there"
linux=',"devices":[{"path":"/dev/x","type":"q","major":1,"minor":3}]'; fails "$s" "an unknown type"
linux=',"devices":[{"path":"/dev/x","type":"c"}]'; fails "$s" "numbers are needed"
reset; s="runtime-linux.md Dev symbolic links"
for l in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
	is "$s" "/dev/${l%%:*}" "${l#*:}" "$(run "readlink /dev/${l%%:*}")"
done

s="config-linux.md Masked and read-only paths"
reset; linux=',"maskedPaths":["/etc/masked","/secret","/none"],"readonlyPaths":["/tmp","/none"]'
is "$s" "a masked file is empty" "" "$(run 'cat /etc/masked')"
is "$s" "a masked folder is empty" "" "$(run 'ls /secret')"
is "$s" "a read-only path" "*Read-only*" "$(run 'touch /tmp/x')"
is "$s" "the rest is not" yes "$(run 'touch /data/x && rm /data/x && echo yes')"

s="config-linux.md Rootfs propagation"
reset
linux=',"rootfsPropagation":"shared"'; is "$s" shared "*shared:*" "$(run 'grep -E "^[^ ]+ [^ ]+ [^ ]+ [^ ]+ / " /proc/self/mountinfo')"
linux=',"rootfsPropagation":"private"'; is "$s" private no "$(run 'grep -E "^[^ ]+ [^ ]+ [^ ]+ [^ ]+ / " /proc/self/mountinfo' | grep -qE 'shared|master' && echo yes || echo no)"
linux=',"rootfsPropagation":"unbindable"'; is "$s" unbindable "*unbindable*" "$(run 'grep -E "^[^ ]+ [^ ]+ [^ ]+ [^ ]+ / " /proc/self/mountinfo')"
linux=',"rootfsPropagation":"nonsense"'; fails "$s" "an unknown word"
reset; mkdir -p "$dir/seen"; run 'mkdir -p /mnt; mount -t tmpfs t /mnt' >/dev/null
is "$s" "mounts inside do not reach the host" "" "$(grep "$B/rootfs/mnt" /proc/mounts)"

s="config-linux.md Sysctl"
reset; linux=',"sysctl":{"net.ipv4.ip_forward":"1","kernel.shm_rmid_forced":"1"}'
is "$s" "of namespaces" "1 1" "$(run 'echo $(cat /proc/sys/net/ipv4/ip_forward) $(cat /proc/sys/kernel/shm_rmid_forced)')"
linux=',"sysctl":{"vm.swappiness":"10"}'; fails "$s" "of the machine"
linux=',"sysctl":{"net.ipv4.nonsense":"1"}'; fails "$s" "one that is not there"

s="config-linux.md Personality"
reset; linux=',"personality":{"domain":"LINUX32"}'; [ "$(uname -m)" = x86_64 ] && is "$s" LINUX32 "i686" "$(run 'uname -m')"

s="config-linux.md Seccomp"
reset
linux=',"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}'
is "$s" "an error number" "*No space left*" "$(run 'mkdir /tmp/d')"
linux=',"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}'
is "$s" "EPERM without one" "*not permitted*" "$(run 'mkdir /tmp/d')"
linux=',"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"}]}'
is "$s" "kill" "159" "$(run 'mkdir /tmp/d; echo $?' | tail -n 1)"
linux=',"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["personality"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]}]}'
is "$s" "arguments" "Seccomp:*2" "$(run 'grep Seccomp: /proc/self/status')"
linux=',"seccomp":{"defaultAction":"SCMP_ACT_NONSENSE"}'; fails "$s" "an unknown action"
linux=',"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x_no_such_call"],"action":"SCMP_ACT_ERRNO"}]}'
is "$s" "an unknown call is nobody's" yes "$(run 'echo yes')"
process=',"noNewPrivileges":true'; linux=',"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}'
is "$s" "with no_new_privs" "*not permitted*" "$(run 'mkdir /tmp/d')"
reset; is "$s" "none without" "Seccomp:*0" "$(run 'grep Seccomp: /proc/self/status')"

s="config-linux.md Control groups"
reset; linux=',"cgroupsPath":"/conf-'$$'","resources":{"memory":{"limit":67108864},"pids":{"limit":33},"cpu":{"shares":512,"quota":50000,"period":100000}}'
config "sleep 60"; oci create --bundle "$B" cg </dev/null >"$dir/out" 2>&1
file() { # the file of v1 or of v2
	local f
	for f in "/sys/fs/cgroup/$1" "/sys/fs/cgroup/$2" "/sys/fs/cgroup/unified/$2"; do [ -e "$f" ] && cat "$f" && return; done
	echo "missing: $1 ($(tail -n 1 "$dir/out"))"
}
is "$s" "memory.limit" 67108864 "$(file memory/conf-$$/memory.limit_in_bytes conf-$$/memory.max)"
is "$s" "pids.limit" 33 "$(file pids/conf-$$/pids.max conf-$$/pids.max)"
[ -e /sys/fs/cgroup/cpu/conf-$$ ] && is "$s" "cpu.quota" 50000 "$(cat /sys/fs/cgroup/cpu/conf-$$/cpu.cfs_quota_us)"
[ -e /sys/fs/cgroup/cpu/conf-$$ ] && is "$s" "cpu.shares" 512 "$(cat /sys/fs/cgroup/cpu/conf-$$/cpu.shares)"
pid=$(oci state cg 2>/dev/null | tr -d ' \n' | sed 's/.*"pid":\([0-9]*\).*/\1/')
is "$s" "the process is in it" "*conf-$$*" "$(cat /proc/${pid:-x}/cgroup 2>/dev/null)"
ok "$s" "pause" oci pause cg
is "runtime.md State" "paused" "*paused*" "$(oci state cg)"
ok "$s" "resume" oci resume cg
oci update --memory 33554432 --memory-swap 33554432 cg >/dev/null 2>&1 || oci update --memory 33554432 cg >/dev/null 2>&1
is "$s" "update" 33554432 "$(file memory/conf-$$/memory.limit_in_bytes conf-$$/memory.max)"
oci delete -f cg >/dev/null 2>&1
no "$s" "the group goes with the container" test -d /sys/fs/cgroup/memory/conf-$$ -o -d /sys/fs/cgroup/conf-$$
reset; linux=',"resources":{"devices":[{"allow":false,"access":"rwm"}]}'
is "$s" "devices denied: /dev/null is usable" yes "$(run 'echo x >/dev/null && echo yes')"
linux=',"resources":{"devices":[{"allow":false,"access":"rwm"}]},"devices":[{"path":"/dev/kmsg","type":"c","major":1,"minor":11}]'
is "$s" "devices denied: /dev/kmsg is not" "*not permitted*" "$(run 'head -c 1 /dev/kmsg')"

# ---- exec, the terminal, descriptors ----
s="exec"
reset; config "sleep 60"; oci run -d --bundle "$B" ex </dev/null >/dev/null 2>&1
is "$s" "another process inside" inside "$(oci exec ex hostname </dev/null 2>&1)"
is "$s" "in the same namespaces" "$(oci exec ex readlink /proc/1/ns/net </dev/null)" "$(oci exec ex readlink /proc/self/ns/net </dev/null)"
echo '{"cwd":"/secret","args":["sh","-c","pwd; grep Cpus_allowed_list /proc/self/status"],"env":["PATH=/bin"],"user":{"uid":0,"gid":0},"execCPUAffinity":{"final":"0"}}' >"$dir/process.json"
is "$s" "a process object, execCPUAffinity" "/secret*Cpus_allowed_list:*0" "$(oci exec --process "$dir/process.json" ex </dev/null 2>&1)"
oci exec ex sh -c 'exit 5' </dev/null; is "$s" "its exit status" 5 $?
is "$s" "env, cwd, user" "7 /secret x" "$(oci exec --env X=x --cwd /secret --user 7:8 ex sh -c 'echo $(id -u) $(pwd) $X' </dev/null 2>&1)"
is "$s" "capabilities of the configuration" "$(oci exec ex grep CapBnd /proc/1/status </dev/null)" "$(oci exec ex grep CapBnd /proc/self/status </dev/null)"
is "$s" "descriptors are not passed" "0 1 2*" "$(exec 7</etc/passwd; oci exec ex sh -c 'echo $(ls /proc/$$/fd)' </dev/null)"
is "ps" "lists it" "*sleep 60*" "$(oci ps ex 2>&1)"
is "list" "lists it" "*ex*running*" "$(oci list 2>&1 | grep '^ex ')"
no "$s" "a program that is not there" oci exec ex /none
oci delete -f ex >/dev/null 2>&1
s="config.md Process, terminal"
reset; terminal=true; process=',"consoleSize":{"height":33,"width":77}'
config 'tty; stat -c %t:%T /dev/console; exit 3'
if command -v script >/dev/null; then
	out=$(script -qec "'$runtime' --root '$root' run --bundle '$B' tt" /dev/null </dev/null 2>&1; echo "rc $?")
	is "$s" "a terminal" "*/dev/pts/0*" "$out"
	is "$s" "/dev/console is it" "*88:0*" "$out"
	is "$s" "and its exit status" "*rc 3" "$out"
fi
config true
no "$s" "a terminal needs somebody: create without console socket" oci create --bundle "$B" t2
oci delete -f t2 >/dev/null 2>&1
ok "features" "tells what it knows" oci features
is "features" "ociVersionMax" '*"ociVersionMax":*' "$(oci features 2>/dev/null)"
left=$(ls "$root")
is "$name" "nothing is left" "" "$left"

echo "$name: $passed of $((passed + failed)) conformance cases passed"
[ "$failed" -eq 0 ] || printf '%s' "$list"
[ "$failed" -eq 0 ]
