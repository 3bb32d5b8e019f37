. /work/image.sh

echo "port 8080" > /merged/etc/port
: > /merged/log/a
mv /merged/log/b /merged/log/kept
