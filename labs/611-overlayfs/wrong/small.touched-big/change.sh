. /work/image.sh

echo "port 8080" > /merged/etc/port
rm /merged/log/a
mv /merged/log/b /merged/log/kept
touch /merged/big
