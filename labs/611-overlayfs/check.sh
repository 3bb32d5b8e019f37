# Runs the student's changes, and tells what the container and what the image hold then.
sh /work/change.sh
echo "name: $(cat /merged/etc/name)"
echo "port: $(cat /merged/etc/port)"
echo "log: $(ls /merged/log 2>&1 | tr '\n' ' ')"
echo "image untouched: $(cat /base/etc/port /base/log/a /base/log/b | tr '\n' ' ')"
echo "bytes in the upper layer: $(du -k /up | tail -1 | cut -f1) KiB"
