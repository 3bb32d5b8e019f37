# Who am I? It depends on who is asked.
echo "I am $(id -un), user $(id -u)"
echo "the map of this user namespace (inside, outside, how many): $(cat /proc/self/uid_map)"
echo hello > /tmp/mine
ls -l /tmp/mine
sleep 1
