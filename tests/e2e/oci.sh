#!/bin/bash
# The OCI runtime as others use it: rootless, without cgroups, by podman; hostile root file systems and
# configurations; and that two hundred containers, sixteen at a time, leave nothing.
set -u
[ "$(id -u)" = 0 ] || { echo "skip: containers as root need root"; exit 77; }
busybox=$(command -v busybox) && ! ldd "$busybox" >/dev/null 2>&1 || { echo "skip: busybox-static is not installed"; exit 77; }
unshare -m true 2>/dev/null || { echo "skip: no mount namespaces here"; exit 77; }
oci=$(readlink -f "${RINGSIDE:-build/ringside}")-oci
dir=$(mktemp -d) || exit 3
chmod 755 "$dir"
root=$dir/root B=$dir/b bad=0
mkdir -p "$root" "$B"
trap 'for d in "$root"/*/ "$dir"/rl/*/; do [ -d "$d" ] && "$oci" --root "$(dirname "$d")" delete -f "$(basename "$d")" >/dev/null 2>&1; done
	umount -R "$dir" 2>/dev/null; rm -rf "$dir"' EXIT
oci() { timeout 60 "$oci" --root "$root" "$@" </dev/null; }
is() { # what, pattern, actual
	# shellcheck disable=SC2053
	[[ $3 == $2 ]] && return
	echo "$1: wanted \"$2\", got \"${3:0:300}\""
	bad=1
}
fresh() { # a bundle with busybox; $1: shell command, $2: more of `linux`
	rm -rf "$B"
	mkdir -p "$B/rootfs"/{bin,proc,dev,tmp,sys}
	cp "$busybox" "$B/rootfs/bin/busybox"
	for a in sh sleep id cat echo true ls mount yes dd; do ln -s busybox "$B/rootfs/bin/$a"; done
	cat >"$B/config.json" <<JSON
{"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["sh","-c","$1"],"env":["PATH=/bin"],"cwd":"/"},
"root":{"path":"rootfs"},"mounts":[{"destination":"/proc","type":"proc"},{"destination":"/dev","type":"tmpfs"}],
"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"}]${2:-}}}
JSON
}
mounts() { grep -c . /proc/self/mountinfo; }
groups() { find /sys/fs/cgroup -type d -name "ringside-oci*" 2>/dev/null | wc -l; }
fds() { find /proc/[0-9]*/fd -lname "$dir/*" 2>/dev/null | wc -l; }

# -- two hundred, sixteen at a time --
fresh 'exit 3'
before="$(mounts) $(groups)"
one() {
	if [ $(($1 % 2)) = 0 ]; then
		timeout 60 "$oci" --root "$root" run -b "$B" "leak$1" </dev/null
	else
		timeout 60 "$oci" --root "$root" create -b "$B" "leak$1" </dev/null && "$oci" --root "$root" start "leak$1"
		"$oci" --root "$root" delete -f "leak$1"
		exit 3
	fi
}
export -f one
export oci root B
failed=$(seq 200 | xargs -P 16 -I{} bash -c 'one {}; [ $? = 3 ] || echo {} failed' 2>&1 | head -n 3)
is "200 containers" "" "$failed"
is "folders left" "" "$(ls "$root")"
is "mounts and cgroups left" "$before" "$(mounts) $(groups)"
is "open files left" 0 "$(fds)"

# -- the runtime's binary is out of reach (CVE-2019-5736) --
fresh 'sleep 20'
oci create -b "$B" seal
pid=$(oci state seal | tr -d ' ,\n' | sed 's/.*"pid":\([0-9]*\).*/\1/')
is "the binary cannot be written by way of /proc" "*Read-only*" "$(sh -c ": >/proc/$pid/exe" 2>&1; sh -c "echo x >>/proc/$pid/exe" 2>&1)"
oci delete -f seal
printf '#!/proc/self/exe\n' >"$B/rootfs/bin/evil"
chmod +x "$B/rootfs/bin/evil"
sum=$(cksum <"$oci")
sed -i 's/"sh","-c","[^"]*"/"\/bin\/evil"/' "$B/config.json"
oci run -b "$B" evil >/dev/null 2>&1
is "nor does running it by that name change it" "$sum" "$(cksum <"$oci")"

# -- hostile root file systems --
fresh 'echo in'
mkdir "$dir/outside"
rm -rf "$B/rootfs/proc" "$B/rootfs/dev"
ln -s "$dir/outside" "$B/rootfs/dev"
ln -s ../../../../../../.."$dir/outside" "$B/rootfs/proc"
oci run -b "$B" link1 >/dev/null 2>&1
is "links for /dev and /proc lead nowhere outside" "" "$(ls "$dir/outside")"
fresh 'cat /dev/null; echo $?'
mknod "$B/rootfs/sda" b 8 0
ln -s /etc/passwd "$B/rootfs/tmp/l"
sed -i 's|"linux":|"annotations":{},"linux":{"maskedPaths":["/tmp/l","/sda"]},"x":|' "$B/config.json"
is "without a mount namespace nothing is masked: refused" "*namespace*" "$(oci run -b "$B" mask 2>&1)"
fresh 'echo x >/dev/null; ls /mnt'
mkfifo "$B/rootfs/fifo"
sed -i 's|{"destination":"/dev"|{"destination":"/fifo/x","type":"tmpfs"},{"destination":"/dev"|' "$B/config.json"
is "a pipe where a folder should be" "*Not a directory*" "$(oci run -b "$B" fifo 2>&1)"
rm -rf "$B"; mkdir "$B"
ln -s /etc/passwd "$B/config.json"
is "a config.json that is something else" "*no valid JSON*" "$(oci run -b "$B" pw 2>&1)"
rm "$B/config.json"; mkfifo "$B/config.json"
is "a config.json that is a pipe" "*not a regular file*" "$(oci run -b "$B" pipe 2>&1)"

# -- hooks that hang, fork and write without end --
fresh 'echo ran'
cat >"$dir/fork" <<'H'
#!/bin/sh
sleep 30 &
exit 0
H
cat >"$dir/loud" <<'H'
#!/bin/sh
head -c 10000000 /dev/zero
exit 4
H
chmod +x "$dir/fork" "$dir/loud"
sed -i 's|"linux":|"hooks":{"createRuntime":[{"path":"'"$dir"'/fork","env":["PATH=/bin:/usr/bin"]}]},"linux":|' "$B/config.json"
start=$SECONDS
is "a hook that forks is not waited for" ran "$(oci run -b "$B" hook1 2>&1)"
[ $((SECONDS - start)) -lt 15 ] || { echo "a hook's child was waited for"; bad=1; }
sed -i "s|$dir/fork|$dir/loud|" "$B/config.json"
is "a hook that writes without end" "*hooks.createRuntime?0?*exit status 4*" "$(oci run -b "$B" hook2 2>&1)"
for p in $(pgrep -f '^sleep 30$'); do [ "$(stat -c %Y /proc/$p)" -ge 0 ] && grep -qz "PATH=/bin:/usr/bin" "/proc/$p/environ" 2>/dev/null && kill "$p"; done

# -- 100 MB of nesting --
rm -rf "$B"; mkdir "$B"
head -c 100000000 /dev/zero | tr '\0' '[' >"$B/config.json"
is "100 MB of brackets" "*larger than*" "$(oci run -b "$B" deep 2>&1)"

# -- a container that forks without end, at its limit --
fresh 'b() { sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & }; b; echo all' ',"resources":{"pids":{"limit":8}}'
is "forks past pids.limit fail" "*fork*" "$(oci run -b "$B" forks 2>&1)"
fresh 'trap true TERM; sleep 30'
oci run -d -b "$B" deaf
oci kill deaf TERM
is "one that ignores SIGTERM is still there" "*running*" "$(oci state deaf)"
oci delete -f deaf
is "and goes by force" "*does not exist*" "$(oci state deaf 2>&1)"

# -- no cgroups to be had --
fresh 'echo bare'
is "no cgroup file system" bare "$(unshare -m --propagation private sh -c "umount -R -l /sys/fs/cgroup 2>/dev/null; '$oci' --root '$root' run -b '$B' nocg" 2>&1 </dev/null)"
is "cgroups read-only" bare "$(unshare -m --propagation private sh -c "for m in \$(awk '\$5 ~ \"^/sys/fs/cgroup\" { print \$5 }' /proc/self/mountinfo); do mount -o remount,bind,ro \$m; done; '$oci' --root '$root' run -b '$B' rocg" 2>&1 </dev/null)"

# -- as an ordinary user, without newuidmap --
if setpriv --reuid 65533 --regid 65533 --clear-groups unshare -Ur true 2>/dev/null; then
	user() { (cd /; setpriv --reuid 65533 --regid 65533 --clear-groups env -i PATH="$PATH" "$@" </dev/null); }
	cp "$oci" "$dir/oci"; chmod 755 "$dir/oci"
	fresh true
	chown -R 65533:65533 "$B"; mkdir "$dir/rl"; chown 65533:65533 "$dir/rl"; rm "$B/config.json"
	user "$dir/oci" spec --rootless -b "$B"
	sed -i 's/"terminal": true/"terminal": false/; s/\[ "sh" \]/["sh","-c","id -u; echo $$; exit 6"]/' "$B/config.json"
	is "rootless" "0 1" "$(user timeout 30 "$dir/oci" --root "$dir/rl" run -b "$B" rl 2>&1 | tr '\n' ' ' | sed 's/ $//')"
	user "$dir/oci" --root "$dir/rl" run -b "$B" rl >/dev/null 2>&1
	is "its exit status" 6 $?
	sed -i 's/"sh","-c","[^"]*"/"sleep","30"/' "$B/config.json"
	user "$dir/oci" --root "$dir/rl" run -d -b "$B" rl
	is "exec, rootless" 0 "$(user "$dir/oci" --root "$dir/rl" exec rl id -u 2>&1)"
	user "$dir/oci" --root "$dir/rl" delete -f rl
	is "nothing left, rootless" "" "$(ls "$dir/rl")"
else
	echo "note: no user namespaces for ordinary users here: the rootless part was left out"
fi

# -- a seccomp listener gets the filter's descriptor and the state --
if command -v python3 >/dev/null; then
	fresh 'mkdir /tmp/zz; echo after' ',"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"'"$dir"'/sock","listenerMetadata":"meta","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_NOTIFY"}]}'
	ln -s busybox "$B/rootfs/bin/mkdir"
	timeout 20 python3 - "$dir/sock" >"$dir/agent" 2>&1 <<'AGENT' &
import array, json, os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1])
s.listen(1)
c, _ = s.accept()
data, anc, _, _ = c.recvmsg(65536, 1000)
fd = array.array('i', anc[0][2])[0]
state = json.loads(data)
print(os.readlink('/proc/self/fd/%d' % fd), state['fds'], state['metadata'], state['state']['id'], state['state']['status'])
time.sleep(0.2)
os.close(fd)  # without a listener the call fails with ENOSYS
AGENT
	for i in $(seq 100); do [ -S "$dir/sock" ] && break; sleep 0.05; done
	is "a call that the listener abandons" "*not implemented*after" "$(oci run -b "$B" notify 2>&1)"
	is "what the listener gets" "anon_inode:seccomp notify*seccompFd*meta notify creating" "$(cat "$dir/agent")"
fi

# -- podman --
if command -v podman >/dev/null; then
	fresh true
	pod() { XDG_RUNTIME_DIR='' timeout 60 podman --root "$dir/p" --runroot "$dir/pr" --storage-driver vfs --cgroup-manager cgroupfs \
		--events-backend file --runtime "$oci" "$@" 2>&1 </dev/null; }
	limits="--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none"
	if tar -C "$B/rootfs" -c . | XDG_RUNTIME_DIR='' timeout 60 podman --root "$dir/p" --runroot "$dir/pr" --storage-driver vfs import - t >/dev/null 2>&1; then
		is "podman run" "hello" "$(pod run --rm $limits t /bin/echo hello)"
		pod run --rm $limits t /bin/sh -c 'exit 9' >/dev/null
		is "podman run: exit status" 9 $?
		pod run --rm $limits t /none >/dev/null
		is "podman run: no such program" 127 $?
		pod run -d --name p1 $limits t /bin/sleep 60 >/dev/null
		is "podman exec" "0" "$(pod exec p1 /bin/id -u)"
		is "podman rm" "*" "$(pod rm -f -t 0 p1)"
	else
		echo "note: podman cannot import an image here: its part was left out"
	fi
fi
is "nothing left at the end" "" "$(ls "$root")"
[ $bad -eq 0 ] && echo "oci.sh: all as it should be"
exit $bad
