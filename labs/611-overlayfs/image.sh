# Two image layers and a container on top of them. Reads: change.sh, then tells what is there.
mkdir /base /app /up /wk /merged
mkdir /base/etc /base/log /app/etc
echo "port 80" > /base/etc/port
echo "from base" > /base/etc/name
echo "old entry" > /base/log/a
echo "old entry" > /base/log/b
dd if=/dev/zero of=/base/big bs=1024 count=256 2>/dev/null
echo "from app" > /app/etc/name      # the upper of two image layers wins
mount -t overlay overlay -o lowerdir=/app:/base,upperdir=/up,workdir=/wk,userxattr /merged || exit 1
