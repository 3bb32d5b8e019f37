. /work/image.sh

# Changed in the image layer: for every container that uses it.
echo "port 8080" > /base/etc/port
rm /merged/log/a
mv /merged/log/b /merged/log/kept
