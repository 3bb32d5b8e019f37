# A small container engine, in a few lines. Reads volumes.sh for what to mount before the program runs.
#   container NAME SCRIPT: runs SCRIPT with a fresh file system over the image in /image
container() {
	name=$1 script=$2
	mkdir -p /c/$name/up /c/$name/work /c/$name/root
	unshare -m sh -c '
		mount -t overlay overlay -o lowerdir=/image,upperdir=/c/'$name'/up,workdir=/c/'$name'/work,userxattr /c/'$name'/root || exit 1
		ROOT=/c/'$name'/root
		. /work/volumes.sh
		chroot $ROOT /bin/sh -c "$1"
	' sh "$script"
}
# ... and removes it with all that it wrote into its own layer.
remove() {
	rm -rf /c/$1
}

mkdir -p /image/bin /image/data /image/conf /image/tmp /host/conf /volumes/db
cp /bin/busybox /image/bin/ && for a in sh cat echo ls rm; do ln -s busybox /image/bin/$a; done
echo "empty" > /image/data/rows
echo "colour = blue" > /host/conf/site
