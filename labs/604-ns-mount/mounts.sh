# A file system that only some can see.
unshare -m sh -c '
	mount -t tmpfs cchtest /mnt
	date > /mnt/time
	echo "inside: $(ls /mnt)"
	echo "mounts inside: $(grep -c . /proc/self/mounts)"
'
echo "outside: $(ls /mnt)"
echo "mounts outside: $(grep -c . /proc/self/mounts)"
