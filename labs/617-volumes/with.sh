# The same, and what else must hold.
. /work/box.sh
container one 'echo "42 rows" > /data/rows; echo "one: $(cat /data/rows)"'
remove one
container two 'echo "two: $(cat /data/rows)"; echo "two reads: $(cat /conf/site)"; echo "colour = red" > /conf/site'
remove two
echo "the volume on the host: $(cat /volumes/db/rows 2>/dev/null)"
echo "the host's file: $(cat /host/conf/site)"
echo "the image: $(cat /image/data/rows)"
