# One container writes, and is removed. Another one looks.
. /work/box.sh
container one 'echo "42 rows" > /data/rows; echo "one: $(cat /data/rows)"'
remove one
container two 'echo "two: $(cat /data/rows)"'
remove two
